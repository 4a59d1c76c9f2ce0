"""Inputs for each kernel and what it must give: odd shapes, nothing, NaN, float16."""

import zlib
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import oracle

EXACT, FLOAT, HALF = (0, 0), (2e-5, 1e-6), (2e-3, 1e-3)


class Case(NamedTuple):
    folder: str
    name: str
    label: str
    inputs: Sequence[Any]
    attributes: Dict[str, Any]
    expected: Callable[[], Sequence[np.ndarray]]
    tolerance: Any  # relative, absolute


CASES: List[Case] = []


def _add(folder, name, inputs, attributes, expected, tolerance=EXACT):
    label = "x".join(str(list(x.shape)).replace(" ", "") for x in inputs if x is not None)
    kind = next((x.dtype.name for x in inputs if x is not None and x.dtype.kind == "f"), "")
    label = f"{name}-{len([c for c in CASES if c.name == name])}-{kind}{label}"
    CASES.append(Case(folder, name, label, inputs, attributes, expected, tolerance))


def _rng(*seed):
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def _tolerance(dtype):
    return HALF if np.dtype(dtype) == np.float16 else FLOAT


def _elementwise():
    for dtype in ("float32", "float16"):
        for shape in ((1,), (3, 5), (7, 333), (0,), ()):
            x = (_rng(dtype, shape).normal(size=shape) * 4).astype(dtype)
            if x.size > 5:
                x.flat[:4] = np.nan, np.inf, 0, -0.0
            _add("ipu_gelu", "IpuGelu", [x], {}, lambda x=x: [oracle.gelu(x)], _tolerance(dtype))
            y = np.abs(x)
            root = lambda y=y: [1 / np.sqrt(y.astype(np.float64))]  # noqa: E731
            _add("rsqrt", "IpuRsqrt", [y], {}, root, _tolerance(dtype))
        for shape in ((3, 5), (2, 3, 17), (100, 7), (1,)):
            x = _rng(dtype, shape).normal(size=shape).astype(dtype)
            one, two = (_rng(dtype, i).normal(size=shape[-1:]).astype(dtype) for i in (1, 2))
            gelu = lambda x=x, b=one: [oracle.gelu(x.astype(np.float64) + b)]  # noqa: E731
            _add("bias_gelu", "BiasGelu", [x, one], {}, gelu, _tolerance(dtype))

            def norm(x=x, scale=one, bias=two):
                wide = x.astype(np.float64)
                less = wide - wide.mean(-1, keepdims=True)
                deviation = np.sqrt((less**2).mean(-1, keepdims=True) + 1e-3)
                return [less / deviation * scale + bias]

            tolerance = (2e-5, 2e-6) if dtype == "float32" else HALF
            _add("layer_norm", "LayerNorm", [x, one, two], {"epsilon": 1e-3}, norm, tolerance)


def _masks():
    for dtype in ("int32", "uint32", "int8", "uint16"):
        for kind in ("float32", "float16"):
            index = _rng(dtype).integers(0, 4, (2, 9)).astype(dtype)
            inputs = [index, np.zeros(1, kind)]
            expected = lambda x=inputs: oracle.mask(*x)  # noqa: E731
            _add("attention_mask", "IpuAttentionMask", inputs, {}, expected, (1e-6, 0))
    far = [np.array([[0, 2**32 - 1, 5]], np.uint32), np.zeros(1, np.float32)]
    _add("attention_mask", "IpuAttentionMask", far, {}, lambda: oracle.mask(*far), (1e-6, 0))


def _boxes():
    for dtype in ("float32", "float16"):
        for batch, classes, count, most, rows in (
            (1, 1, 7, 5, 5),
            (2, 3, 50, 5, 30),
            (1, 2, 33, 3, 2),
            (1, 2, 33, 100, 70),
            (1, 1, 1, 1, 1),
        ):
            rng = _rng(dtype, batch, classes, count)
            corner, size = rng.random((batch, count, 2)) * 10, rng.random((batch, count, 2)) * 3
            boxes = np.concatenate([corner, corner + size], 2).astype(dtype)
            # Different scores: onnxruntime leaves the order of equal ones open.
            scores = rng.permutation(batch * classes * count) / (batch * classes * count)
            scores = scores.reshape(batch, classes, count).astype(dtype)
            a = {"max_selected": most, "iou_threshold": 0.5, "score_threshold": 0.1, "rows": rows}
            expected = lambda b=boxes, s=scores, a=a: oracle.nms(b, s, **a)  # noqa: E731
            _add("non_max_suppression", "NonMaxSuppression", [boxes, scores], a, expected)
        for classes, sizes in ((1, (2, 4, 8)), (5, (3, 6, 12))):
            outputs = [
                _rng(classes, k).normal(size=(1, 3 * (5 + classes), k, k)).astype(dtype)
                for k in sizes
            ]
            inputs = [np.array([640], np.float32), np.array([480], np.float32), *outputs]
            expected = lambda x=outputs: oracle.yolo(640, 480, x, 7)  # noqa: E731
            _add("yolo_boxes", "YoloBoxes", inputs, {"rows": 7}, expected, (1e-4, 1e-2))
        for code in (1, 2, 3):
            for shared in (0, 1):
                for batch, priors, classes in ((1, 6, 2), (2, 30, 4)):
                    _detection(dtype, code, shared, batch, priors, classes)


def _detection(dtype, code, shared, batch, priors, classes):
    rng = _rng(dtype, code, shared, priors)
    corners = np.sort(rng.random((1, 1, priors, 2, 2)), 3).reshape(1, 1, priors * 4)
    prior = np.concatenate([corners, np.full_like(corners, 0.1)], 1).astype(dtype)
    scores = (rng.permutation(batch * priors * classes) + 1) / (batch * priors * classes)
    conf = scores.reshape(batch, priors * classes).astype(dtype)
    loc = rng.normal(size=(batch, priors * 4 * (1 if shared else classes))).astype(dtype)
    a = {
        "background_label": 0,
        "confidence_threshold": 0.2,
        "keep_top_k": 10,
        "num_classes": classes,
        "share_location": shared,
        "code_type": code,
        "nms_threshold": 0.6,
        "nms_top_k": 20 if code == 1 else -1,
        "nms_eta": 0.9 if code == 2 else 1.0,
    }
    expected = lambda: oracle.detection(loc, conf, prior, a)  # noqa: E731
    _add("detection_output", "DetectionOutput", [loc, conf, prior], a, expected, (1e-4, 1e-5))


def _matrices():
    for count, size in ((1, 1), (3, 4), (2, 17), (5, 2), (1, 0), (0, 3)):
        x = _rng(count, size).normal(size=(count, size, size)).astype("float32")
        det = lambda x=x: [np.linalg.det(x.astype(np.float64))]  # noqa: E731
        _add("determinant", "Determinant", [x], {}, det, (1e-3, 1e-4))
        inverse = lambda x=x: [np.linalg.inv(x.astype(np.float64))]  # noqa: E731
        _add("matrix_inverse", "MatrixInverse", [x], {}, inverse, (1e-2, 1e-3))
    swapped = np.array([[[0, 1], [2, 0]], [[0, 0], [0, 0]]], np.float32)
    _add("determinant", "Determinant", [swapped], {}, lambda: [np.array([-2.0, 0])])
    turned = np.stack([np.array([[0, 0.5], [1, 0]]), np.full((2, 2), np.nan)])
    _add("matrix_inverse", "MatrixInverse", [swapped], {}, lambda: [turned])
    for a, b in (("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8")):
        for batch, m, k, n in ((1, 3, 5, 7), (2, 17, 33, 40), (2, 1, 1, 1)):
            rng = _rng(a, b, m)
            x = rng.integers(*_range(a), (batch, m, k)).astype(a)
            y = rng.integers(*_range(b), (1 if m == 3 else batch, k, n)).astype(b)
            zeros = {"a_zero": 3, "b_zero": 0 if b == "int8" else 128}
            expected = lambda x=x, y=y, z=zeros: [  # noqa: E731
                np.matmul(x.astype(np.int64) - z["a_zero"], y.astype(np.int64) - z["b_zero"])
            ]
            _add("int8_mat_mul", "Int8MatMul", [x, y], zeros, expected)
    for x_type, w_type, group, strides, pads, dilations in (
        ("uint8", "uint8", 1, [1, 1], [1, 1, 1, 1], [1, 1]),
        ("uint8", "uint8", 2, [2, 1], [0, 2, 1, 0], [1, 2]),
        ("uint8", "uint8", 1, [1, 3], [0, 0, 0, 0], [2, 1]),
    ):
        rng = _rng(group, strides)
        x = rng.integers(0, 256, (2, 4, 9, 8)).astype(x_type)
        w = rng.integers(0, 256, (6, 4 // group, 3, 2)).astype(w_type)
        a = {"strides": strides, "pads": pads, "dilations": dilations, "group": group}
        zeros = [np.array(7, x_type), np.array(130, w_type)]

        def expected(x=x, w=w, a=a, zeros=zeros):
            return oracle.onnx_op("ConvInteger", [x, w, *zeros], **a)

        _add("int8_conv", "Int8Conv", [x, w], {**a, "input_zero": 7, "kernel_zero": 130}, expected)


def _range(dtype):
    info = np.iinfo(dtype)
    return info.min, info.max + 1


def _moves():
    for dtype in ("float32", "float16", "int8", "bool", "int32", "uint16"):
        for shape, axis, count in (
            ((5, 7), 0, 5),
            ((5, 7), 1, 7),
            ((3, 4, 5), 1, 3),
            ((3, 40), 1, 9),
            ((2, 3), 1, 5),
            ((6,), 0, 6),
        ):
            rng = _rng(dtype, shape, axis)
            x, keep = (rng.normal(size=shape) * 20).astype(dtype), rng.random(count) < 0.5
            expected = lambda x=x, k=keep, a=axis: oracle.compress(x, k, a)  # noqa: E731
            _add("compress", "Compress", [x, keep], {"axis": axis}, expected)
    for dtype in ("float32", "float16", "bool", "int8"):
        for shape in ((5, 3), (4, 6, 2), (3, 2, 40), (1, 1)):
            x = (_rng(dtype, shape).normal(size=shape) * 9).astype(dtype)
            for time in (0, 1):
                lengths = _rng(shape, time).integers(1, shape[time] + 1, shape[1 - time])
                a = {"batch_axis": 1 - time, "time_axis": time}
                known = x.astype(np.float32) if dtype == "float16" else x

                def expected(x=known, lengths=lengths, a=a):
                    return oracle.onnx_op("ReverseSequence", [x, lengths.astype(np.int64)], **a)

                inputs = [x, lengths.astype(np.int32)]
                _add("reverse_sequence", "ReverseSequence", inputs, a, expected)
    for dtype in ("float32", "float16", "int8", "int32"):
        for shape, axis, count in (((5, 7), 0, 3), ((5, 7), 1, 9), ((3, 4, 5), 1, 2), ((6,), 0, 4)):
            rng = _rng(dtype, shape, axis)
            x = (rng.normal(size=shape) * 20).astype(dtype)
            dims = [*shape[:axis], count, *shape[axis + 1 :]]
            if len(dims) > 1 and axis == 0:
                dims[1] -= 2  # fewer columns than input has
            indices = rng.integers(-shape[axis], shape[axis], dims).astype(np.int32)
            updates = (rng.normal(size=dims) * 5).astype(dtype)
            cut = x[tuple(slice(None if d == axis else n) for d, n in enumerate(dims))]
            taken = lambda x=cut, i=indices, a=axis: [  # noqa: E731
                np.take_along_axis(x, i.astype(np.int64), a)
            ]
            _add("gather_elements", "GatherElements", [x, indices], {"axis": axis}, taken)
            for reduction in range(5):
                if dtype == "float16" and reduction == 2:
                    continue  # products of many roundings
                a = {"axis": axis, "reduction": reduction}
                inputs = [x, indices, updates]
                expected = lambda x=inputs, a=a: oracle.scatter(*x, **a)  # noqa: E731
                tolerance = EXACT if x.dtype.kind == "i" else _tolerance(dtype)
                _add("scatter_reduce", "ScatterReduce", inputs, a, expected, tolerance)
        _tuples(dtype)


def _tuples(dtype):
    for shape, tuples, length, batch in (
        ((5, 7), (3,), 1, 0),
        ((5, 7), (2, 3), 2, 0),
        ((2, 5, 7, 3), (2, 4), 2, 1),
        ((6,), (9,), 1, 0),
        ((4, 70), (3,), 1, 0),
    ):
        rng = _rng(dtype, shape)
        x = (rng.normal(size=shape) * 20).astype(dtype)
        sizes = np.array(shape[batch : batch + length])
        indices = (rng.integers(0, 10**6, (*tuples, length)) % (2 * sizes) - sizes).astype("int32")

        def gathered(x=x, i=indices, batch=batch):
            inputs = [x.astype(np.float32), i.astype(np.int64)]
            return oracle.onnx_op("GatherND", inputs, batch_dims=batch)

        a = {"batch_dims": batch}
        _add("gather_nd", "GatherND", [x, indices], a, lambda f=gathered, t=x.dtype: [
            f()[0].astype(t)
        ])  # fmt: skip
        if batch:
            continue
        updates = (rng.normal(size=(*tuples, *shape[length:])) * 5).astype(dtype)
        for reduction in range(5):
            if dtype == "float16" and reduction == 2:
                continue
            inputs = [x, indices, updates]
            expected = lambda x=inputs, r=reduction: oracle.scatter_nd(*x, r)  # noqa: E731
            tolerance = EXACT if x.dtype.kind == "i" else _tolerance(dtype)
            given = {"reduction": reduction}
            _add("scatter_nd_reduce", "ScatterNDReduce", inputs, given, expected, tolerance)


def _sequences():
    for dtype in ("float32", "float16"):
        for steps, batch, classes in ((5, 3, 4), (1, 1, 1), (30, 2, 7)):
            x = np.round(_rng(steps).normal(size=(steps, batch, classes))).astype(dtype)
            lengths = _rng(steps).integers(0, steps + 2, batch).astype(np.int32)
            for merge in (0, 1):
                for blank, of in ((-1, None), (0, lengths)):
                    a = {"blank": blank, "merge_repeated": merge}
                    expected = lambda x=x, n=of, a=a: oracle.ctc(x, n, **a)  # noqa: E731
                    inputs = [x] if of is None else [x, of]
                    _add("ctc_greedy_decode", "CtcGreedyDecode", inputs, a, expected)
        for images, channels, regions in ((1, 3, 4), (2, 1, 5), (3, 20, 1), (1, 2, 0)):
            rng = _rng(images, channels)
            x = rng.normal(size=(images, channels, 9, 11)).astype(dtype)
            rois = (rng.random((regions, 4)) * 30 - 5).astype("float32")
            of = rng.integers(0, images, regions).astype(np.int32)
            a = {"height": 3, "width": 2, "scale": 0.5}
            inputs = [x, rois, of]
            expected = lambda x=inputs, a=a: oracle.roi_max_pool(*x, **a)  # noqa: E731
            _add("roi_max_pool", "RoiMaxPool", inputs, a, expected)
        for rows, inputs_, size in ((1, 1, 1), (5, 7, 3), (3, 36, 36)):
            rng = _rng(rows, size)
            shapes = [(rows, inputs_), (rows, size), (rows,), (inputs_ + size, 2 * size)]
            shapes += [(2 * size,), (inputs_ + size, size), (size,)]
            inputs = [rng.normal(size=shape).astype(dtype) for shape in shapes]
            inputs[2] = np.abs(inputs[2]) / 4
            expected = lambda x=inputs: oracle.au_gru(*x)  # noqa: E731
            tolerance = (1e-4, 1e-5) if dtype == "float32" else (2e-2, 2e-3)
            _add("au_gru_cell", "AuGruCell", inputs, {}, expected, tolerance)
        for rows, size, bags, entries in (
            (5, 3, 4, 6),
            (100, 40, 7, 5),
            (3, 1, 1, 1),
            (3, 2, 0, 4),
        ):
            rng = _rng(rows, size)
            table = rng.normal(size=(rows, size)).astype(dtype)
            indices = rng.integers(-2, rows + 2, (bags, entries)).astype(np.int32)
            for weights in (None, rng.random((bags, entries)).astype(dtype)):

                def expected(table=table, indices=indices, weights=weights):
                    exists = (indices >= 0) & (indices < len(table))
                    factor = exists * (1.0 if weights is None else weights.astype(np.float64))
                    rows = table.astype(np.float64)[np.where(exists, indices, 0)]
                    return [(rows * factor[:, :, None]).sum(1)]

                inputs = [table, indices] if weights is None else [table, indices, weights]
                _add("embedding_bag", "EmbeddingBag", inputs, {}, expected, _tolerance(dtype))
    pool = np.array([0, 1, 3, 0, 1, 1, 2, 0, 1, 1, 2, 3], np.int32)
    places = np.array([0, 2, 5, 1, 3, 5, 4], np.int32)
    for mode in (0, 1, 2):
        for rows, words in ((1, 9), (3, 50), (2, 1)):
            x = _rng(rows).integers(0, 4, (rows, words)).astype(np.int32)
            a = {
                "starts": [0, 3, 9],
                "shortest": 1,
                "longest": 3,
                "skips": 1,
                "mode": mode,
                "columns": 7,
            }
            for weights in (None, _rng(mode).random(7).astype("float32")):
                expected = lambda x=x, w=weights, a=a: oracle.tf_idf(  # noqa: E731
                    x, pool, places, w, **a
                )
                inputs = [x, pool, places] + ([] if weights is None else [weights])
                _add("tf_idf", "TfIdf", inputs, a, expected, FLOAT)


def _random():
    seed = np.array([0x12345678, 0x9ABCDEF0], np.uint32)
    for dims in ([5], [3, 70], [0], [8, 8]):
        for half in (0, 1):
            tolerance = HALF if half else (1e-5, 1e-5)
            a = {"dims": dims, "low": -1.0, "high": 3.0}
            expected = lambda a=a: oracle.uniform(seed, **a)  # noqa: E731
            inputs = {**a, "half": half}
            _add("random_uniform", "RandomUniform", [seed], inputs, expected, tolerance)
            a = {"dims": dims, "mean": 1.0, "scale": 2.0}
            expected = lambda a=a: oracle.normal(seed, **a)  # noqa: E731
            inputs = {**a, "half": half}
            _add("random_normal", "RandomNormal", [seed], inputs, expected, tolerance)


def _quantized():
    for dtype in ("float32", "float16"):
        for shape, axis, count in (
            ((3, 5), 0, 1),
            ((4, 6, 2), 1, 6),
            ((7,), 0, 7),
            ((2, 33), 1, 33),
        ):
            for kind in ("int8", "uint8"):
                rng = _rng(dtype, shape, kind)
                x = (rng.normal(size=shape) * 60).astype(dtype)
                x.flat[:3] = 2.5, -1e4, 1e4
                scale = np.round(rng.random(count) * 4 + 1).astype("float32") / 2
                zero = rng.integers(*_range(kind), count).astype(kind)

                def quantized(x=x, scale=scale, zero=zero, axis=axis):
                    dims = [1] * x.ndim
                    dims[axis] = len(scale)
                    of = scale.reshape(dims), zero.astype(np.float64).reshape(dims)
                    y = np.rint(x.astype(np.float64) / of[0]) + of[1]
                    return [np.clip(y, *(v - i for i, v in enumerate(_range(zero.dtype))))]

                inputs, a = [x, scale, zero], {"axis": axis}
                _add("quantize_linear", "QuantizeLinear", inputs, a, quantized)
    for kind in ("int8", "uint8", "int32"):
        for shape, axis, count in (((3, 5), 0, 1), ((4, 6, 2), 1, 6), ((2, 33), 1, 33)):
            rng = _rng(kind, shape)
            x = rng.integers(-100 if kind != "uint8" else 0, 100, shape).astype(kind)
            scale = rng.random(count).astype("float32")
            zero = rng.integers(0, 100, count).astype(kind)

            def real(x=x, scale=scale, zero=zero, axis=axis):
                dims = [1] * x.ndim
                dims[axis] = len(scale)
                less = x.astype(np.float64) - zero.astype(np.float64).reshape(dims)
                return [less * scale.reshape(dims)]

            inputs = [x, scale, zero]
            _add("dequantize_linear", "DequantizeLinear", inputs, {"axis": axis}, real, FLOAT)


for _make in (_elementwise, _masks, _boxes, _matrices, _moves, _sequences, _random, _quantized):
    _make()
