"""Samples of data movement: shapes, slices, gathers, joins, casts and resizing."""

import numpy as np

from . import Sample, random

_SIGNED = ("int8", "int16", "int32", "int64")
_INTEGERS = (*_SIGNED, "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "float32", "float64")
_TYPES = (*_FLOATS, *_INTEGERS, "bool")
_HALF = {"rtol": 2e-3, "atol": 2e-3}


def _numbers(*shape, dtype="float32"):
    """Distinct numbers (for bool: a pattern) that every element type holds exactly."""
    count = np.arange(np.prod(shape, dtype=int)) % 101
    return (count % 3 == 0 if dtype == "bool" else count).astype(dtype).reshape(shape)


def _ints(*numbers, dtype="int64"):
    return np.array(numbers, dtype)


def _every_type(op, shape, attributes, *operands, constants=()):
    """One sample for each element type."""
    return [
        Sample(op, (_numbers(*shape, dtype=dtype), *operands), attributes, constants, name=dtype)
        for dtype in _TYPES
    ]


# Types and copies.

_fractions = np.array([[-2.75, -1.0, -0.5, -0.0], [0.25, 0.999, 1.5, 100.0]])

SAMPLES = [
    Sample("cast", (_fractions.astype(source),), {"target_type": target}, constants)
    for source in _FLOATS
    for target in (*_FLOATS, *_SIGNED, "bool")
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("cast", (_numbers(2, 5, dtype=source),), {"target_type": target})
    for source in (*_INTEGERS, "bool")
    for target in _TYPES
]
SAMPLES += [
    Sample("cast", (np.abs(_fractions).astype("float32"),), {"target_type": target})
    for target in ("uint8", "uint16", "uint32", "uint64")
]
SAMPLES += [
    Sample("cast", (_ints(300, -1, 128, dtype="int32"),), {"target_type": target}, constants)
    for target in ("int8", "uint8", "int16", "uint16", "bool")
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("cast", (np.array([np.nan, np.inf, 0.0], "float32"),), {"target_type": "bool"}),
    Sample("cast", (np.float32(2.5),), {"target_type": "int32"}),
    Sample("cast", (np.zeros((0, 2), "float32"),), {"target_type": "int8"}),
    Sample("cast", (np.array([1.0009765625, 0.1, 65504], "float32"),), {"target_type": "float16"}),
]

for _name, _parameter in (("broadcast", "output_shape"), ("expand_dims", "output_dims")):
    SAMPLES += _every_type(_name, (3, 1), {_parameter: (2, 3, 4)})
    SAMPLES += [
        Sample(_name, (_numbers(*shape),), {_parameter: target}, constants)
        for shape, target in [
            ((), (2, 3)),
            ((), ()),
            ((1, 1), (1, 1)),
            ((4,), (3, 4)),
            ((2, 1, 3), (2, 5, 3)),
            ((1, 3), (0, 3)),
            ((2, 3), (2, 3)),
        ]
        for constants in ((), (0,))
    ]
SAMPLES += [
    Sample("expand_dims", (_numbers(3, 4),), {"output_dims": (2, 1, 4)}),
    Sample("expand_dims", (_numbers(3, 4),), {"output_dims": ()}),
]

SAMPLES += _every_type("tile", (2, 3), {"repeat": (2, 3)})
SAMPLES += _every_type("tile_dynamic", (2, 3), {}, _ints(3, 1), constants=(1,))
SAMPLES += [
    Sample("tile", (_numbers(*shape),), {"repeat": repeat}, constants)
    for shape, repeat in [
        ((3,), (4,)),
        ((2, 1, 2), (1, 3, 1)),
        ((2, 3), (1, 1)),
        ((2, 3), (0, 2)),
        ((0, 3), (2, 2)),
        ((), ()),
    ]
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("tile_dynamic", (_numbers(2, 3), _ints(2, 2, dtype="int32")), {}, (1,)),
    Sample("tile_dynamic", (_numbers(2, 3), _ints(0, 2)), {}, (0, 1)),
]

SAMPLES += _every_type("pad", (2, 3), {"padding_front": (1, 0), "padding_back": (0, 2)})
SAMPLES += [
    Sample("pad", (_numbers(*shape),), {"padding_front": front, "padding_back": back}, constants)
    for shape, front, back in [
        ((2, 1, 3, 3), (0, 0, 1, 2), (0, 0, 3, 0)),
        ((2, 2), (1, 1), (1, 1)),
        ((3,), (0,), (0,)),
        ((), (), ()),
        ((0, 2), (1, 0), (2, 1)),
        ((2, 0), (0, 0), (0, 0)),
    ]
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("fill", (), {"type": (kind, dims), "method": "eye_like"})
    for kind in _TYPES
    for dims in [(3, 3), (2, 4), (4, 2)]
]
SAMPLES.append(Sample("fill", (), {"type": ("float32", (0, 3)), "method": "eye_like"}))

# The same elements under another shape.

SAMPLES += _every_type("reshape", (2, 6), {"output_dims": (3, 4)})
SAMPLES += [
    Sample("reshape", (_numbers(*shape),), {"output_dims": dims}, constants)
    for shape, dims in [
        ((2, 6), (-1,)),
        ((2, 6), (4, -1, 1)),
        ((), (1, 1)),
        ((1, 1), ()),
        ((2, 3), (2, 3)),
        ((0, 3), (3, 0, 2)),
        ((0, 3), (-1, 3)),
    ]
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("reshape_dynamic", (_numbers(2, 3, 4), wanted), {}, constants)
    for wanted in (_ints(0, -1), _ints(0, 0, 2, 2), _ints(4, 6, dtype="int32"), _ints(-1))
    for constants in ((1,), (0, 1))
]
SAMPLES += _every_type("squeeze", (1, 3, 1), {"axes": (2,)})
SAMPLES += [
    Sample("squeeze", (_numbers(1, 3, 1, 2),), {"axes": axes}, constants)
    for axes in [(), (0,), (0, 2), (2, 0)]
    for constants in ((), (0,))
]
SAMPLES += [Sample("squeeze", (_numbers(1, 1),)), Sample("squeeze", (_numbers(2, 3),))]
SAMPLES += _every_type("transpose", (2, 3, 4), {"permutations": (2, 0, 1)})
SAMPLES += [
    Sample("transpose", (_numbers(*shape),), {"permutations": order}, constants)
    for shape, order in [
        ((2, 3), (1, 0)),
        ((2, 3), (0, 1)),
        ((), ()),
        ((2, 0, 3), (1, 2, 0)),
        ((1, 2, 3, 4, 5), (4, 2, 0, 3, 1)),
    ]
    for constants in ((), (0,))
]

# Joining and splitting.

SAMPLES += [
    Sample("concat", ((_numbers(2, 3, dtype=kind), _numbers(2, 1, dtype=kind)),), {"axis": 1})
    for kind in _TYPES
]
SAMPLES += [
    Sample("concat", (tuple(_numbers(*shape) for shape in shapes),), {"axis": axis}, constants)
    for shapes, axis in [
        ([(2, 3), (4, 3), (1, 3)], 0),
        ([(2, 3), (2, 2)], -1),
        ([(2, 3, 4), (2, 1, 4)], -2),
        ([(2, 3)], 0),
        ([(0, 3), (2, 3), (0, 3)], 0),
        ([(0, 3), (0, 2)], 1),
        ([(2, 0), (2, 0)], 1),
    ]
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("stack", ((_numbers(2, 3, dtype=kind), _numbers(2, 3, dtype=kind)),), {"axis": 1})
    for kind in _TYPES
]
SAMPLES += [
    Sample("stack", (tuple(_numbers(*shape) for _ in range(count)),), {"axis": axis}, constants)
    for shape, count, axis in [
        ((2, 3), 3, 0),
        ((2, 3), 2, 2),
        ((2, 3), 2, -1),
        ((2, 3), 2, -3),
        ((), 3, 0),
        ((2,), 1, -1),
        ((0, 2), 2, 1),
    ]
    for constants in ((), (0,))
]
SAMPLES += _every_type("split", (2, 6), {"num_split": 3}, _ints(1), constants=(1,))
SAMPLES += [
    Sample("split", (_numbers(*shape), np.array(axis, dtype)), {"num_split": parts}, constants)
    for shape, axis, dtype, parts in [
        ((4, 3), 0, "int32", 2),
        ((4, 3), -1, "int64", 3),
        ((4, 3), [-2], "int64", 4),
        ((4, 3), 0, "int32", 1),
        ((0, 3), 0, "int32", 2),
    ]
    for constants in ((1,), (0, 1))
]

# Shape arithmetic.

SAMPLES += [
    Sample("shape", (_numbers(*shape, dtype=kind),))
    for shape, kind in [((2, 3), "float32"), ((), "int8"), ((0, 4), "bool"), ((5,), "float16")]
]
SAMPLES += [
    Sample("dims_expand", operands, {}, constants)
    for constants in ((0, 2), (2,), (0, 1, 2), (1, 2))
    for operands in [
        (_ints(0, 0, 0, dtype="int32"), _ints(4, 2), _ints(2, 0)),
        (_ints(5, 6, 7, dtype="int32"), _ints(-2, 3, dtype="int32"), _ints(-1, -3)),
        (_ints(5, 6), _ints(-1, -2), _ints(1, 1)),
        (_ints(9), _ints(1), _ints(0, dtype="int32")),
    ]
]
SAMPLES.append(
    Sample(
        "dims_expand", (_ints(0, 0), _ints(2**63 - 1), _ints(1)), {}, (0, 1, 2), name="to the end"
    )
)

# Slices.

_SLICES = [
    ((6, 5), (1, 0), (4, 5), (1, 1)),
    ((6, 5), (1, 2), (7, 5), (2, 2)),  # the end overshoots
    ((7, 4), (0, 0), (9, 4), (3, 1)),
    ((6, 5), (-3, -2), (-1, 100), (1, 1)),
    ((6, 5), (5, 4), (-100, -100), (-1, -1)),
    ((6, 5), (5, -1), (0, -5), (-2, -3)),
    ((6, 5), (100, 3), (-100, 1), (-4, -1)),
    ((6, 5), (6, 0), (6, 5), (1, 1)),
    ((6, 5), (3, 0), (2, 5), (1, 1)),
    ((6, 5), (0, 0), (6, 5), (1, 1)),
    ((8, 8), (0, 1), (8, 8), (2, 2)),
    ((2, 6, 3), (0, 1, 0), (2, 6, 3), (1, 4, 2)),
    ((0, 3), (0, 0), (0, 2), (1, 1)),
    ((), (), (), ()),
]
SAMPLES += [
    Sample("slice", (_numbers(*shape),), {"start": start, "end": end, "stride": stride}, constants)
    for shape, start, end, stride in _SLICES
    for constants in ((), (0,))
]
for _stride in [(1, 1), (2, 1), (-1, -1), (-2, 3)]:
    _step = {"start": (4, 1) if _stride[0] < 0 else (1, 1), "stride": _stride}
    _step["end"] = tuple(-9 if one < 0 else 9 for one in _stride)
    SAMPLES += _every_type("slice", (6, 7), _step)
SAMPLES += [
    Sample("slice", (_numbers(6, 5),), {"start": (1, 0), "end": (4, 3)}, name="no stride"),
    Sample(
        "slice",
        (_numbers(6, 5),),
        {"start": (1, 0), "end": (6, 5), "stride": (2, 1), "output_dims": (2, 4)},
        name="fewer",
    ),
    Sample(
        "slice",
        (_numbers(6, 5),),
        {"start": (5, 4), "end": (-9, -9), "stride": (-1, -2), "output_dims": (3, 3)},
        name="fewer backwards",
    ),
]
SAMPLES += [
    Sample("slice_dynamic", (_numbers(6, 5), start, size, stride), {}, constants)
    for start, size, stride in [
        (_ints(1, 0), _ints(3, 5), None),
        (_ints(1, 0, dtype="int32"), _ints(3, 5, dtype="int32"), _ints(2, 2)),
        (_ints(-3, 0), _ints(2, 100), _ints(1, 1)),
        (_ints(5, 4), _ints(-3, -2), _ints(-1, -1, dtype="int32")),
        (_ints(1, 2), _ints(-2, 3), _ints(1, 1)),  # ends of -1 and 5, less the starts
        (_ints(2, 2), _ints(0, 1), None),
    ]
    for constants in ((1, 2, 3), (0, 1, 2, 3))
]
SAMPLES += _every_type(
    "slice_dynamic", (6, 5), {}, _ints(1, 1), _ints(3, 4), _ints(2, 1), constants=(1, 2, 3)
)

# Gathers.

SAMPLES += _every_type("gather", (3, 4), {"axis": 1}, _ints(3, 0, -1, dtype="int32"))
SAMPLES += [
    Sample("gather", (_numbers(*shape), indices), {"axis": axis}, constants)
    for shape, indices, axis in [
        ((3, 4), _ints(2, 0, -3), 0),
        ((3, 4), np.array([[0, -1], [3, 2], [1, 1]]), 1),
        ((3, 4), np.array(-1), -2),
        ((3, 4), np.array(2, "int32"), 1),
        ((5,), np.array([[4, 0]], "int32"), 0),
        ((2, 3, 4), np.array([[1], [-2]]), -2),
        ((3, 4), np.zeros((0, 2), "int64"), 0),
        ((3, 0), _ints(2, 0), 0),
        ((1, 3), _ints(0), 0),
        ((3, 4), np.array([1, 2], "uint8"), 0),
        ((3, 4), np.array([-1, 2], "int8"), 0),
    ]
    for constants in ((), (1,), (0,), (0, 1))
]
SAMPLES += _every_type("gather_elements", (3, 2), {"axis": 0}, np.array([[1, -1], [0, 2]]))
SAMPLES += [
    Sample("gather_elements", (_numbers(*shape), indices), {"axis": axis}, constants)
    for shape, indices, axis in [
        ((2, 2), np.array([[0, 0], [1, 0]]), 1),
        ((3, 3), np.array([[-1, -2, 0], [-2, 0, 0]], "int32"), 0),
        ((3, 3), np.array([[2], [0]]), -1),
        ((4,), _ints(3, 3, -4, 0, 1, 2), 0),
        ((2, 3, 4), np.array([[[0, -1, 2, 1]], [[1, 1, 0, -3]]]), 1),
        ((2, 3, 4), np.array([[[3], [0]], [[-4], [1]]]), -1),
        ((2, 3), np.zeros((0, 3), "int64"), 0),
        ((2, 3), np.array([[1, 2]], "uint8"), 1),
    ]
    for constants in ((), (1,), (0,), (0, 1))
]
SAMPLES += _every_type("gather_nd", (2, 3), {}, np.array([[1, -1], [0, 2]]))
SAMPLES += [
    Sample("gather_nd", (_numbers(*shape), indices), {"num_batch_dims": batch}, constants)
    for shape, indices, batch in [
        ((2, 2), np.array([[0, 0], [1, 1]]), 0),
        ((2, 2), np.array([[1], [-2]]), 0),
        ((2, 3, 4), np.array([[[0, 1]], [[-1, -3]]], "int32"), 0),
        ((2, 3, 4), np.array([[1], [-1]]), 1),
        ((2, 3, 4), np.array([[[1, 2], [0, -1]], [[2, 3], [2, 0]]]), 1),
        ((2, 2, 3), np.array([[[1], [-1]], [[0], [2]]]), 2),
        ((2, 2, 3, 2), np.array([[[[1]], [[-1]]], [[[0]], [[2]]]]), 2),
        ((4,), np.array([[3], [-4], [0]]), 0),
        ((4,), np.array([2]), 0),
        ((2, 3), np.zeros((0, 2), "int64"), 0),
        ((2, 3), np.array([[1, 2]], "uint8"), 0),
    ]
    for constants in ((), (1,), (0,), (0, 1))
]

_off_on = {kind: np.array([0, 1] if kind == "bool" else [2, 5], kind) for kind in _TYPES}
SAMPLES += [
    Sample("one_hot", (_ints(1, -1, 3, -4, 7, -5, 0), values), {"depth": 4}, constants)
    for values in _off_on.values()
    for constants in ((), (1,), (0, 1))
]
SAMPLES += [
    Sample("one_hot", (np.array([0, 2, 1, 9], kind), _off_on["float32"]), {"depth": 3}, (1,))
    for kind in (*_FLOATS, *_INTEGERS)
]
SAMPLES += [
    Sample("one_hot", (indices, _off_on["float32"]), {"depth": 3, "axis": axis}, constants)
    for indices, axis in [
        (np.array([[0, 2], [1, -1], [5, 0]]), 0),
        (np.array([[0, 2], [1, -1], [5, 0]]), 1),
        (np.array([[0, 2], [1, -1], [5, 0]]), -2),
        (np.array([[0, 2], [1, -1], [5, 0]]), -3),
        (np.array(1), 0),
        (np.zeros((0,), "int32"), -1),
    ]
    for constants in ((1,), (0, 1))
]
SAMPLES.append(
    Sample("one_hot", (np.array([-100, 100, -128], "int8"), _off_on["int8"]), {"depth": 120})
)

# Resizing.

_MODES = ("assymmetric", "half_pixel", "half_pixel_tf", "align_corners")
_RESIZED = [
    ((1, 2, 3, 4), (1, 2, 6, 8)),
    ((1, 1, 6, 6), (1, 1, 3, 2)),
    ((1, 1, 6, 4), (1, 1, 5, 7)),
    ((1, 1, 3, 3), (1, 1, 1, 10)),
    ((2, 5), (2, 9)),
    ((4,), (11,)),
    ((2, 4, 3, 2), (2, 6, 3, 1)),
    ((1, 2, 3, 4, 2), (1, 2, 5, 2, 3)),
    ((3, 2, 2), (3, 4, 6)),
    ((2, 3), (2, 3)),
]
SAMPLES += [
    Sample(
        "resize",
        (random(*shape),),
        {"output_dims": target, "interpolation": interpolation, "mode": mode},
        rtol=1e-4,
        atol=1e-5,
    )
    for shape, target in _RESIZED
    for interpolation in ("nearest", "linear", "cubic")
    for mode in _MODES
]
SAMPLES += [
    Sample("resize", (_numbers(1, 2, 3, dtype=kind),), {"output_dims": target})
    for kind in (*_FLOATS, *_INTEGERS)
    for target in [(1, 4, 9), (1, 3, 2)]
]
SAMPLES += [
    Sample(
        "resize", (random(1, 3, 3, dtype="float16"),), {"output_dims": (1, 5, 7), **way}, **_HALF
    )
    for way in ({"interpolation": "linear"}, {"interpolation": "cubic"})
]
SAMPLES += [
    Sample(
        "resize",
        (random(1, 3, 4, 2),),
        {"output_dims": (1, 6, 8, 2), "axes_mask": 6, "interpolation": "linear"},
        name="channels last",
        atol=1e-5,
    ),
    Sample("resize", (np.zeros((0, 3), "float32"),), {"output_dims": (0, 5)}),
]
SAMPLES += [
    Sample("resize_dynamic", (random(1, 1, 3, 5), scales, sizes), way, constants, atol=1e-5)
    for scales, sizes in [
        (np.array([1, 1, 2, 3], "float32"), None),
        (np.array([1, 1, 1.5, 0.6], "float32"), None),
        (np.array([1, 1, 10 / 3, 0.4], "float32"), None),
        (None, _ints(1, 1, 7, 4)),
        (None, _ints(1, 1, 3, 5, dtype="int32")),
    ]
    for way in (
        {"interpolation": "nearest"},
        {"interpolation": "linear"},
        {"interpolation": "linear", "mode": "align_corners"},
        {"interpolation": "nearest", "mode": "assymmetric"},
    )
    for constants in ((1, 2),)
]

# Selection.


def _bools(pattern):
    return np.array([letter == "x" for letter in pattern], bool)


SAMPLES += _every_type("compress", (2, 3), {"axis": 1}, _bools("x.x"), constants=(1,))
SAMPLES += [
    Sample("compress", (_numbers(*shape), _bools(pattern)), attributes, constants, sized=True)
    for shape, pattern, attributes in [
        ((3, 4, 5), ".xx", {"axis": 0}),
        ((3, 4, 5), "xx.x", {"axis": -2}),
        ((3, 4, 5), "x", {"axis": 2}),
        ((3, 4, 5), "....x", {"axis": -1}),
        ((3, 4), "x.x.xx.", {}),
        ((3, 4), "x.x.xx.", {"axis": 2**31 - 1}),
        ((5,), ".x.x", {}),
        ((3, 4), "...", {"axis": 0}),
        ((3, 4), "", {"axis": 0}),
        ((3, 4), "x.x...", {"axis": 0}),
        ((3, 0), "x.x", {"axis": 0}),
        ((0, 3), "...", {"axis": 0}),
        ((), "x", {}),
    ]
    for constants in ((1,), (0, 1), (), (0,))
]

# Scalars, and tensors without elements.

SAMPLES += [
    Sample("shape", (_numbers(3, 1, 2, dtype="float16"),)),
    Sample("broadcast", (_numbers(0, 1),), {"output_shape": (2, 0, 4)}),
    Sample("expand_dims", (_numbers(2, 1, 0),), {"output_dims": (3, 1)}),
    Sample("squeeze", (_numbers(1, 0, 1),), {"axes": (0,)}),
    Sample("squeeze", (_numbers(),)),
    Sample("split", (_numbers(4, 0), np.array(0)), {"num_split": 2}, (1,)),
    Sample("reshape_dynamic", (_numbers(2, 3, dtype="float16"), _ints(3, -1)), {}, (1,)),
    Sample("reshape_dynamic", (_numbers(2, 0), _ints(3, 0)), {}, (1,)),
    Sample("reshape_dynamic", (_numbers(), _ints(1, -1)), {}, (1,)),
    Sample("tile_dynamic", (_numbers(2, 0), _ints(3, 2)), {}, (1,)),
    Sample("tile_dynamic", (_numbers(), _ints()), {}, (1,)),
    Sample("slice_dynamic", (_numbers(3, 0), _ints(1, 0), _ints(2, 0)), {}, (1, 2)),
    Sample("concat", ((_numbers(2, 0), _numbers(2, 3)),), {"axis": 1}),
    Sample("gather", (_numbers(3, 2), np.int32(-1)), {"axis": 0}, (1,)),
    Sample(
        "resize_dynamic",
        (random(1, 2, 3, 4, dtype="float16"), np.float32([1, 1, 2, 1.5]), None),
        {"interpolation": "linear"},
        (1,),
        **_HALF,
    ),
    Sample("resize_dynamic", (_numbers(1, 2, 0, 4), None, _ints(1, 2, 0, 8)), {}, (2,)),
]
