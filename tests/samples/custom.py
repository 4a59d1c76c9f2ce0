"""Samples of the custom ops, called by name."""

import numpy as np

from . import Sample, random, regions, text, yolo

_HALF = {"rtol": 2e-3, "atol": 2e-3}
_NAN = np.float32([0, -0.0, np.nan, np.inf, -np.inf, 1e30, -1e-30])


def _ints(*shape, low=-9, high=9, dtype="int32"):
    generator = np.random.RandomState(sum(shape) + len(shape))
    return generator.randint(low, high, shape).astype(dtype)


# Ops of PopART's.

SAMPLES = [
    Sample(op, (_ints(3, 4, dtype=dtype), _ints(4, low=0, high=99, dtype=dtype)))
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    for dtype in ("int32", "int64", "int8", "int16", "uint8", "uint16", "uint32")
]
SAMPLES += [
    Sample("BitwiseAnd", (np.uint8(200), np.uint8([0, 1, 8, 255]))),
    Sample("BitwiseXor", (_ints(0, 3), _ints(3))),
]
SAMPLES += [
    Sample("BitwiseNot", (_ints(3, 5, dtype=dtype),))
    for dtype in ("int32", "int64", "int8", "int16", "uint8", "uint16", "uint32")
]

_AT = np.int64([[2, -1, 0, 2], [0, 0, 1, -3]])
_ONCE = np.int32([[2, 1, 0, 2], [0, -1, 1, 0]])
_TUPLES = np.int64([[0, 1], [2, -1], [-2, 0]])
for _constants in ((), (1,)):
    SAMPLES += [
        Sample("ScatterElements", (random(3, 4), _AT, random(2, 4)), {"reduction": r}, _constants)
        for r in ("add", "mul", "max", "min")
    ]
    SAMPLES += [
        Sample("ScatterElements", (random(3, 4), _ONCE, random(2, 4)), {}, _constants),
        Sample(
            "ScatterElements",
            (random(2, 3, 5), np.int32([[[4, -5]]]), random(1, 1, 2)),
            {"axis": -1},
            _constants,
        ),
        Sample("ScatterND", (random(3, 4, 2), _TUPLES, random(3, 2)), {}, _constants),
        Sample("ScatterND", (random(5), np.int32([[4], [-4]]), random(2)), {}, _constants),
    ]
    SAMPLES += [
        Sample(
            "ScatterND",
            (random(3, 4, 2), np.int64([[[2], [-1]], [[0], [2]]]), random(2, 2, 4, 2)),
            {"reduction": r},
            _constants,
        )
        for r in ("add", "mul", "max", "min")
    ]
SAMPLES += [
    Sample("ScatterElements", (_ints(3, 4, dtype=dtype), _AT, _ints(2, 4, dtype=dtype)), attributes)
    for dtype in ("int32", "int64", "int8", "uint8", "uint32")
    for attributes in ({"reduction": "add"}, {"reduction": "max"})
]
SAMPLES += [
    Sample("ScatterElements", (np.zeros((3, 4), bool), _ONCE, np.ones((2, 4), bool))),
    Sample(
        "ScatterElements", (random(3, 4, dtype="float16"), _ONCE, random(2, 4, dtype="float16"))
    ),
    Sample("ScatterElements", (random(3, 4), _ints(0, 4), random(0, 4))),
    Sample("ScatterElements", (random(0, 4), _ints(0, 4), random(0, 4))),
    Sample("ScatterND", (random(3, 4), _ints(0, 1), random(0, 4))),
    Sample("ScatterND", (_NAN, np.int64([[0], [5]]), np.float32([np.nan, np.inf]))),
]

_FLAT = np.int64([[[[5, 7], [13, 8]], [[21, 22], [24, 31]]]])
SAMPLES += [
    Sample("MaxUnpool", (random(1, 2, 2, 2), _FLAT), {"output_shape": [1, 2, 4, 4]}),
    Sample("MaxUnpool", (random(1, 2, 2, 2), _FLAT), {"output_shape": [1, 2, 4, 4]}, (1,)),
    Sample("MaxUnpool", (_ints(2, 2, dtype="int8"), _ints(2, 2, low=0)), {"output_shape": [9]}),
    Sample(
        "MaxUnpool", (random(3, dtype="float16"), np.int32([5, 0, 1])), {"output_shape": [2, 3]}
    ),
    Sample("MaxUnpool", (random(0), _ints(0)), {"output_shape": [2, 3]}),
]

_EQUAL = np.float32([[3, 1, 3, 2, 1], [0, 0, -1, 5, 0]])
SAMPLES += [
    Sample("Sort", (_EQUAL,)),
    Sample("Sort", (_EQUAL,), {"axis": 0}),
    Sample("Sort", (random(2, 3, 4),), {"axis": 1, "descending": 1}),
    Sample("Sort", (random(5, dtype="float16"),)),
    Sample("Sort", (np.arange(5, dtype="int8")[::-1].copy(),)),
    Sample("Sort", (_ints(2, 0),)),
]

_BOUNDS = np.float32([-1, 0, 0.5, 1])
SAMPLES += [
    Sample("Bucketize", (random(3, 5), _BOUNDS)),
    Sample("Bucketize", (_BOUNDS[::-1].copy(), _BOUNDS)),
    Sample("Bucketize", (_BOUNDS[::-1].copy(), _BOUNDS), {"right": 1}),
    Sample("Bucketize", (np.float32(0.25), _BOUNDS)),
    Sample("Bucketize", (random(7, dtype="float16"), _BOUNDS.astype("f2"))),
]

# Kernels.


def _selection(boxes, scores, most, overlap, least, rows):
    attributes = {
        "max_selected": most,
        "iou_threshold": overlap,
        "score_threshold": least,
        "rows": rows,
    }
    return Sample("NonMaxSuppression", (boxes, scores), attributes)


_boxes, _scores = regions._boxes, regions._scores
SAMPLES += [
    _selection(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3, 0.2, 24),
    _selection(_boxes(2, 9), _scores(2, 3, 9), 9, 0.3, -1.0, 5),
    _selection(_boxes(1, 300), _scores(1, 2, 300), 300, 0.5, 0.1005, 600),
    _selection(_boxes(1, 300), _scores(1, 2, 300), 7, 1.0, -np.inf, 20),
    _selection(_boxes(1, 6, "float16"), _scores(1, 2, 6, dtype="float16"), 4, 0.3, 0.2, 9),
    _selection(_boxes(1, 6), np.float32([[[0.5, np.nan, 0.7, -np.inf, np.inf, 0]]]), 6, 0.5, 0, 6),
]

_KEEP = np.array([True, False, True, True])
SAMPLES += [
    Sample("Compress", (random(4, 3), _KEEP), {"axis": 0}),
    Sample("Compress", (random(2, 6, 3), _KEEP), {"axis": 1}),
    Sample("Compress", (random(2, 3), _KEEP), {"axis": 1}),
    Sample("Compress", (_ints(5, dtype="int64"), np.zeros(5, bool)), {"axis": 0}),
    Sample("Compress", (np.ones((2, 4), bool), np.ones(4, bool)), {"axis": 1}),
    Sample("Compress", (random(4, dtype="float16"), _KEEP), {"axis": 0}),
    Sample("Compress", (np.float32([np.nan, np.inf, 1, -0.0]), _KEEP), {"axis": 0}),
]

_MATRIX = {"rtol": 1e-3, "atol": 1e-3}
SAMPLES += [
    Sample("Determinant", (random(2, 3, 3),), **_MATRIX),
    Sample("Determinant", (random(3, 1, 1),), **_MATRIX),
    Sample("Determinant", (random(1, 20, 20, low=-0.5, high=0.5),), **_MATRIX),
    Sample("Determinant", (np.zeros((1, 3, 3), "f4"),), **_MATRIX),
    Sample("Determinant", (np.eye(40, dtype="f4")[None, ::-1].copy(),), **_MATRIX),
    Sample("MatrixInverse", (random(2, 3, 3),), **_MATRIX),
    Sample("MatrixInverse", (random(3, 1, 1),), **_MATRIX),
    Sample("MatrixInverse", (np.eye(40, dtype="f4")[None, ::-1].copy(),), **_MATRIX),
    Sample("MatrixInverse", (random(1, 20, 20) + 9 * np.eye(20, dtype="f4"),), **_MATRIX),
    Sample("MatrixInverse", (random(2, 17, 17) - 9 * np.eye(17, dtype="f4"),), **_MATRIX),
]


def _pool(x, rois, images, height, width, **more):
    operands = (x, rois, np.int32(images))
    return Sample("RoiMaxPool", operands, {"height": height, "width": width, **more})


SAMPLES += [
    _pool(random(2, 3, 7, 9), regions._regions(3, 7, 9), [1, 0, 1], 2, 3),
    _pool(random(2, 3, 7, 9), regions._regions(2, 28, 36), [1, 1], 7, 7, scale=0.25),
    _pool(random(1, 1, 5, 5), regions._outside, [0] * 4, 3, 2),
    _pool(random(3, 2, 7, 9, dtype="float16"), regions._regions(3, 7, 9), [2, 1, 0], 2, 3),
    _pool(random(1, 1, 5, 5), np.zeros((0, 4), "f4"), [], 3, 2),
]

SAMPLES += [
    Sample(
        "TfIdf",
        (text._TEXT, text._POOL.astype("i4"), text._COLUMNS.astype("i4"), weights),
        {
            "starts": [0, 4, 10],
            "shortest": shortest,
            "longest": longest,
            "skips": skips,
            "mode": mode,
            "columns": 8,
        },
    )
    for shortest, longest, skips, mode, weights in [
        (1, 1, 0, "tf", None),
        (2, 2, 5, "tf", None),
        (1, 3, 1, "idf", text._WEIGHTS),
        (1, 3, 1, "tfidf", text._WEIGHTS),
        (3, 3, 9, "tfidf", None),
    ]
]

for _one in yolo.SAMPLES[:5]:
    _size = [np.float32(side).reshape(1) for side in _one.operands[:2]]
    _outputs = [x.astype("f4") for x in _one.operands[2:]]
    _rows = sum(x.size // x.shape[1] * 3 for x in _outputs) // 169
    SAMPLES.append(Sample("YoloBoxes", (*_size, *_outputs), {"rows": _rows}, rtol=1e-4, atol=1e-3))


def _detection(batch, priors, classes, seed=0, dtype="float32", **attributes):
    generator = np.random.RandomState(seed)
    low = generator.uniform(0, 0.7, (priors, 2))
    boxes = np.concatenate([low, low + generator.uniform(0.05, 0.3, (priors, 2))], 1)
    variances = np.tile([0.1, 0.1, 0.2, 0.2], (priors, 1))
    located = 1 if attributes.get("share_location", 1) else classes
    loc = generator.normal(0, 1, (batch, priors * located * 4))
    conf = generator.permutation(batch * priors * classes) / (batch * priors * classes)
    priorbox = np.stack([boxes.reshape(-1), variances.reshape(-1)])[None]
    operands = (loc, conf.reshape(batch, -1), priorbox)
    attributes.update(num_classes=classes)
    tolerance = {"rtol": 1e-2, "atol": 1e-2} if dtype == "float16" else {}
    return Sample(
        "DetectionOutput", tuple(x.astype(dtype) for x in operands), attributes, **tolerance
    )


SAMPLES += [
    _detection(1, 6, 3, keep_top_k=5),
    _detection(2, 20, 4, keep_top_k=100, code_type=2, confidence_threshold=0.5),
    _detection(2, 20, 4, keep_top_k=7, code_type=3, nms_top_k=5, nms_threshold=0.45),
    _detection(2, 20, 3, keep_top_k=50, share_location=0, code_type=2, background_label=1),
    _detection(1, 40, 2, keep_top_k=40, nms_threshold=0.9, nms_eta=0.7, background_label=-1),
    _detection(1, 5, 2, keep_top_k=3, confidence_threshold=2.0),
    _detection(1, 6, 3, keep_top_k=5, dtype="float16"),
]


def _ctc(steps, batch, classes, lengths=None, dtype="float32", **attributes):
    logits = _ints(steps, batch, classes, low=0, high=4).astype(dtype)
    lengths = None if lengths is None else np.int32(lengths)
    return Sample("CtcGreedyDecode", (logits, lengths), attributes)


SAMPLES += [
    _ctc(12, 3, 3),
    _ctc(12, 3, 3, [0, 5, 12]),
    _ctc(12, 2, 3, blank=0),
    _ctc(12, 2, 3, [7, 3], blank=1, merge_repeated=False),
    _ctc(1, 1, 2),
    _ctc(9, 2, 4, dtype="float16"),
]

SAMPLES += [
    Sample("ReverseSequence", (random(4, 3, 2), np.int64([1, 4, 3]))),
    Sample(
        "ReverseSequence", (random(3, 5), np.int32([5, 1, 2])), {"batch_axis": 0, "time_axis": 1}
    ),
    Sample("ReverseSequence", (_ints(5, 2, dtype="int64"), np.int64([5, 2]))),
    Sample("ReverseSequence", (np.array([[True], [False]]), np.int32([2]))),
    Sample("ReverseSequence", (random(3, 2, dtype="float16"), np.int64([0, 3]))),
    Sample("ReverseSequence", (np.repeat(_NAN[:, None], 2, 1), np.int64([7, 3]))),
]

SAMPLES += [
    Sample("custom_IpuGelu", (random(3, 5),)),
    Sample("custom_IpuGelu", (random(2, 3, 7, low=-9, high=9),)),
    Sample("custom_IpuGelu", (random(5, dtype="float16"),), **_HALF),
    Sample("custom_IpuGelu", (random(),)),
    Sample("custom_IpuGelu", (np.float32([0, np.nan, np.inf, 30, -30]),)),
    Sample("custom_IpuGelu", (random(0, 4),)),
    Sample("custom_IpuAttentionMask", (_ints(2, 5, low=0, high=3), random(1))),
    Sample("custom_IpuAttentionMask", (_ints(1, 1), random(2, 3))),
    Sample("custom_IpuAttentionMask", (_ints(2, 6, dtype="int64"), random(1))),
    Sample("custom_IpuAttentionMask", (_ints(2, 5, low=0), random(1, dtype="float16")), rtol=1e-3),
    Sample("custom_IpuAttentionMask", (_ints(3, 7, low=0, dtype="uint8"), random(1))),
]


# Moves.

_COLUMNS = np.int32([[2, -1, 0, 2], [0, 0, 1, -3]])
SAMPLES += [
    Sample("GatherElements", (random(3, 4), _COLUMNS), {"axis": 0}),
    Sample("GatherElements", (_ints(2, 5), _ints(2, 3, low=-5, high=5)), {"axis": 1}),
    Sample("GatherElements", (random(6, dtype="float16"), np.int64([5, -6])), {"axis": 0}),
    Sample("GatherND", (random(5, 7, 2), _TUPLES.astype("i4")), {"batch_dims": 0}),
    Sample("GatherND", (random(2, 3, 4), np.int64([[2], [-1]])), {"batch_dims": 1}),
    Sample("GatherND", (np.eye(4) > 0, np.int32([[[0, 0], [1, -1]]])), {"batch_dims": 0}),
]
for _reduction in range(5):
    SAMPLES += [
        Sample(
            "ScatterReduce",
            (random(3, 4), _AT if _reduction else _ONCE, random(2, 4)),
            {"axis": 0, "reduction": _reduction},
        ),
        Sample(
            "ScatterNDReduce",
            (_ints(3, 4, 2), _TUPLES.astype("i4"), _ints(3, 2)),
            {"reduction": _reduction},
        ),
    ]

# Numbers out of counters.

_SEED = np.uint32([0x12345678, 0x9ABCDEF0])
SAMPLES += [
    Sample("RandomUniform", (_SEED,), {"dims": [3, 7], "low": -1.0, "high": 3.0, "half": False}),
    Sample(
        "RandomUniform", (_SEED,), {"dims": [5], "low": 0.0, "high": 1.0, "half": True}, **_HALF
    ),
    Sample("RandomUniform", (_SEED,), {"dims": [0, 2], "low": 0.0, "high": 1.0, "half": False}),
    Sample("RandomNormal", (_SEED,), {"dims": [3, 7], "mean": 1.0, "scale": 2.0, "half": False}),
    Sample(
        "RandomNormal", (_SEED,), {"dims": [5], "mean": 0.0, "scale": 1.0, "half": True}, **_HALF
    ),
]

# 8 bits.


def _bytes(*shape, dtype):
    return _ints(*shape, low=np.iinfo(dtype).min, high=np.iinfo(dtype).max + 1, dtype=dtype)


def _int8_conv(images, kernels, strides, pads, dilations, group=1, kinds=("uint8", "int8")):
    operands = (_bytes(*images, dtype=kinds[0]), _bytes(*kernels, dtype=kinds[1]))
    attributes = {"strides": strides, "pads": pads, "dilations": dilations, "group": group}
    return Sample("Int8Conv", operands, {**attributes, "input_zero": 7, "kernel_zero": -3})


SAMPLES += [
    Sample(
        "Int8MatMul",
        (_bytes(2, 3, 5, dtype=one), _bytes(batch, 5, 4, dtype=other)),
        {"a_zero": 3, "b_zero": -2},
    )
    for batch, one, other in ((2, "uint8", "int8"), (1, "int8", "uint8"), (1, "int8", "int8"))
]
SAMPLES += [
    _int8_conv((2, 3, 7, 5), (4, 3, 3, 2), [1, 2], [1, 0, 1, 2], [1, 1]),
    _int8_conv((1, 4, 7, 6), (6, 2, 2, 2), [2, 1], [0, 0, 0, 0], [2, 3], 2, ("int8", "uint8")),
    Sample("QuantizeLinear", (_NAN, np.float32([0.5]), np.int8([3])), {"axis": 0}),
    Sample(
        "QuantizeLinear",
        (random(2, 3, 4, low=-300, high=300), np.float32([0.5, 1, 3]), np.uint8([0, 128, 255])),
        {"axis": 1},
    ),
    Sample(
        "QuantizeLinear",
        (np.float16([0.25, 0.75, -0.25, 1e4]), np.float32([0.5]), np.int8([0])),
        {"axis": 0},
    ),
    Sample(
        "DequantizeLinear",
        (_bytes(2, 3, dtype="uint8"), np.float32([0.5, 2, 0.1]), np.uint8([0, 128, 255])),
        {"axis": 1},
    ),
    Sample(
        "DequantizeLinear",
        (_ints(4, low=-99, high=99), np.float32([3]), np.int32([0])),
        {"axis": 0},
    ),
]

# Fused ops.


def _fused(op, *shapes, dtype="float32", **attributes):
    operands = tuple(random(*shape, dtype=dtype, low=-1, high=1) for shape in shapes)
    tolerance = {"rtol": 2e-2, "atol": 4e-3} if dtype == "float16" else {"rtol": 1e-4, "atol": 1e-5}
    return Sample(op, operands, attributes, **tolerance)


for _dtype in ("float32", "float16"):
    SAMPLES += [
        Sample("custom_IpuRsqrt", (random(3, 5, dtype=_dtype, low=0.1),), **_HALF),
        _fused("BiasGelu", (3, 5), (5,), dtype=_dtype),
        _fused("BiasGelu", (2, 1, 7), (7,), dtype=_dtype),
        _fused("LayerNorm", (3, 5), (5,), (5,), dtype=_dtype, epsilon=1e-3),
        _fused("LayerNorm", (2, 3, 17), (17,), (17,), dtype=_dtype, epsilon=1e-5),
        _fused("AuGruCell", (5, 7), (5, 3), (5,), (10, 6), (6,), (10, 3), (3,), dtype=_dtype),
        Sample(
            "EmbeddingBag", (random(5, 3, dtype=_dtype), _ints(4, 6, low=-1, high=6), None), **_HALF
        ),
        Sample(
            "EmbeddingBag",
            (random(5, 3, dtype=_dtype), _ints(2, 3, low=0, high=5), random(2, 3, dtype=_dtype)),
            **_HALF,
        ),
    ]
SAMPLES += [
    Sample("custom_IpuRsqrt", (np.float32([0, np.inf, np.nan, 1e-30, 4]),)),
    Sample("BiasGelu", (random(0, 3), random(3))),
    Sample("LayerNorm", (np.ones((2, 4), "f4"), random(4), random(4)), {"epsilon": 1e-5}),
]
