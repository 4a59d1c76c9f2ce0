"""Samples of arithmetic, comparisons, logic, reductions and matrix products."""

import numpy as np

from . import Sample, random

_HALF = {"rtol": 2e-3, "atol": 2e-3}
_SIGNED = ("int8", "int16", "int32", "int64")
_INTEGERS = (*_SIGNED, "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "float32", "float64")
_special = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1.0]], "float32")
_halves = np.array([-2.5, -1.5, -0.5, -0.49, 0.5, 1.5, 2.5, 3.49, 4.0], "float32")


def _integers(*shape, dtype="int32", low=-9, high=10):
    """Reproducible integers in [low, high); unsigned types from 0 on."""
    low = 0 if np.dtype(dtype).kind == "u" else low
    generator = np.random.RandomState(sum(shape) * 7 + len(shape))
    return generator.randint(low, high, shape).astype(dtype)


def _numbers(*shape, dtype):
    if np.dtype(dtype).kind == "f":
        return random(*shape, dtype=dtype)
    return _integers(*shape, dtype=dtype)


def _tolerance(dtype):
    return _HALF if dtype == "float16" else {}


# One operand.

_UNARY = {
    "abs": (-2, 2),
    "acos": (-1, 1),
    "acosh": (1, 3),
    "asin": (-1, 1),
    "asinh": (-3, 3),
    "atan": (-3, 3),
    "atanh": (-0.9, 0.9),
    "sin": (-4, 4),
    "sinh": (-2, 2),
    "cos": (-4, 4),
    "cosh": (-2, 2),
    "tan": (-1, 1),
    "tanh": (-3, 3),
    "ceil": (-3, 3),
    "floor": (-3, 3),
    "round": (-3, 3),
    "erf": (-2, 2),
    "exp": (-3, 3),
    "log": (0.1, 4),
    "neg": (-2, 2),
    "reciprocal": (0.3, 2),
    "rsqrt": (0.3, 4),
    "sqrt": (0.1, 4),
    "sign": (-2, 2),
}

SAMPLES = [
    Sample(op, (random(*shape, dtype=dtype, low=low, high=high),), **_tolerance(dtype))
    for op, (low, high) in _UNARY.items()
    for shape, dtype in [
        ((2, 3, 4), "float32"),
        ((), "float32"),
        ((3, 0), "float32"),
        ((5,), "float16"),
        ((2, 2), "float64"),
    ]
]
SAMPLES += [
    Sample(op, (_integers(2, 5, dtype=dtype),)) for op in ("abs", "sign") for dtype in _INTEGERS
]
SAMPLES += [Sample("neg", (_integers(2, 5, dtype=dtype),)) for dtype in _SIGNED]
SAMPLES += [
    Sample(op, (x,), constants=constants)
    for op in ("round", "floor", "ceil")
    for x in (_halves, _halves.astype("float16"))
    for constants in ((), (0,))
]
SAMPLES += [
    Sample("sqrt", (np.array([-1.0, 0.0, np.inf], "float32"),), name="edges"),
    Sample("log", (np.array([0.0, 1.0, -1.0], "float32"),), name="edges"),
    Sample("exp", (np.array([-1e4, 88.0, 1e4], "float32"),), name="edges"),
    Sample("reciprocal", (np.array([0.0, np.inf, -4.0], "float32"),), name="edges"),
    Sample("not_", (random(3, 4) > 0,)),
    Sample("not_", (np.bool_(True),)),
    Sample("is_nan", (_special,)),
    Sample("is_nan", (_special.astype("float16"),)),
]
SAMPLES += [
    Sample("is_inf", (x,), {"detect_pos": positive, "detect_neg": negative})
    for x in (_special, _special.astype("float16"))
    for positive in (True, False)
    for negative in (True, False)
]
SAMPLES += [
    Sample("clamp", (_numbers(3, 4, dtype=dtype),), {"lo": lo, "hi": hi}, **_tolerance(dtype))
    for dtype in (*_FLOATS, *_INTEGERS)
    for lo, hi in [(-1.0, 1.5), (0.0, 6.0), (-1e9, 1e9), (-np.inf, 3.0)]
]

# Two operands.

_SHAPES = [
    ((2, 3, 4), (2, 3, 4)),
    ((3, 1), (1, 4)),
    ((4,), (3, 4)),
    ((2, 3), ()),
    ((), (2, 3)),
    ((2, 1, 5), (3, 1)),
    ((0, 3), (1, 3)),
    ((), ()),
]
_ARITHMETIC = ("add", "sub", "mul", "max", "min", "squared_difference")

SAMPLES += [
    Sample(op, (random(*left), random(*right) + np.float32(2.5)))
    for op in (*_ARITHMETIC, "div", "less", "greater", "equal")
    for left, right in _SHAPES
]
SAMPLES += [
    Sample(op, (_numbers(4, 1, dtype=dtype), _numbers(5, dtype=dtype)), **_tolerance(dtype))
    for op in (
        *_ARITHMETIC,
        "less",
        "greater",
        "less_or_equal",
        "greater_or_equal",
        "equal",
        "not_equal",
    )
    for dtype in (*_FLOATS, *_INTEGERS)
    if (op, dtype) != ("sub", "uint64")  # wraps at 32 bits, the device's
]
SAMPLES += [
    Sample(
        op,
        (_numbers(4, 3, dtype=dtype), np.array([3, 2, 5], dtype)),
        attributes,
        constants,
        **_tolerance(dtype),
    )
    for op, attributes in [("div", {}), ("mod", {}), ("mod", {"fmod": 1})]
    for dtype in (*_FLOATS, *_INTEGERS)
    for constants in ((), (0, 1))
]
SAMPLES += [
    Sample(op, (np.array([-7, 7, -7, 7], dtype), np.array([2, -2, -2, 2], dtype)), attributes)
    for op, attributes in [("div", {}), ("mod", {}), ("mod", {"fmod": 1})]
    for dtype in (*_SIGNED, "float32")
]
SAMPLES += [
    Sample(
        "add", (np.array([100, -100, 1], "int8"), np.array([100, -100, 2], "int8")), name="wrap8"
    ),
    Sample("mul", (np.array([200, 3], "uint8"), np.array([2, 3], "uint8")), name="wrapu8"),
    Sample("sub", (np.array([0, 3], "uint16"), np.array([1, 1], "uint16")), name="wrapu16"),
    Sample("add", (np.array([2**31 - 1], "int32"), np.array([1], "int32")), name="wrap32"),
    Sample(
        "mul", (np.array([2**24 + 1, -(2**24) - 3], "int32"), np.array([3], "int32")), name="big"
    ),
    Sample("add", (np.array([2**30 + 1], "int64"), np.array([1], "int64")), name="big"),
    Sample("max", (np.array([2**24 + 1], "int32"), np.array([2**24], "int32")), name="big"),
    Sample("pow", (random(3, 4, low=0.1), random(4))),
    Sample("pow", (random(3, 1), np.float32(2.0))),
    Sample("pow", (np.array([-2.0, 3.0], "float32"), np.array([3, -2], "int32"))),
    Sample("pow", (np.array([-2, 3, 0, 5], "int32"), np.array([3, 2, 0, 1], "int32"))),
    Sample("pow", (np.array([2, 3], "int64"), np.array([3, 2], "int64")), constants=(0, 1)),
    Sample("pow", (np.array([4, 9], "int32"), np.array([0.5, 1.5], "float32"))),
    Sample("pow", (np.array([2, 3], "uint8"), np.array([3, 2], "uint8"))),
    Sample("pow", (random(2, 3, dtype="float16", low=0.5), random(3, dtype="float16")), **_HALF),
    Sample("mean", ((random(2, 3),),)),
    Sample("mean", ((random(2, 1), random(3), random(2, 3)),)),
    Sample("mean", ((random(4, dtype="float16"), random(4, dtype="float16") + 1),), **_HALF),
]
SAMPLES += [
    Sample(op, (_special, _special[::-1].copy()))
    for op in ("equal", "not_equal", "less", "greater", "less_or_equal", "greater_or_equal")
]
SAMPLES += [
    Sample(op, (random(3, 4) > 0, random(4) > 0))
    for op in ("and_", "or_", "xor", "equal", "not_equal")
]
SAMPLES += [
    Sample("select", (random(3, 4) > 0, _numbers(3, 4, dtype=dtype), _numbers(4, dtype=dtype)))
    for dtype in (*_FLOATS, *_INTEGERS)
]
SAMPLES += [
    Sample("select", (random(2, 3) > 0, random(2, 3) > 1, random(2, 3) > -1)),
    Sample("select", (random(2, 1) > 0, random(3), random(2, 3))),
    Sample("select", (np.bool_(True), random(2, 3), random(3)), constants=(0,)),
    Sample("select", (random(4, 2, 1) > 0, np.float32(1), np.float32(-1))),
    Sample("select", (np.array([True, False, True]), random(3, 2), random(3, 2)), name="rows"),
    Sample("select", (np.array([True, False]), random(3, 2), random(3, 2)), name="columns"),
    Sample("select", (random(0, 2) > 0, random(1, 2), random(2))),
]

# Reductions.

_REDUCTIONS = {
    "reduce_sum": {},
    "reduce_prod": {},
    "reduce_mean": {},
    "reduce_max": {},
    "reduce_min": {},
    "reduce_sum_square": {},
    "reduce_log_sum": {},
    "reduce_log_sum_exp": {},
    "reduce_l1": {"epsilon": 0.5},
    "reduce_l2": {"epsilon": 0.25},
}
_WHOLE = ("reduce_sum", "reduce_prod", "reduce_mean", "reduce_max", "reduce_min", "reduce_l1")

SAMPLES += [
    Sample(op, (random(*shape, dtype=dtype, low=0.25),), attributes, **_tolerance(dtype))
    for op in _REDUCTIONS
    for shape, dtype, attributes in [
        ((2, 3, 4), "float32", {}),
        ((2, 3, 4), "float32", {"keep_dims": False}),
        ((2, 3, 4), "float32", {"axes": (2, 0)}),
        ((2, 3, 4), "float32", {"axes": (1,), "keep_dims": False}),
        ((2, 3, 4), "float32", {"axes": (2, 3)}),
        ((2, 3), "float32", {"axes": (2, 3)}),
        ((), "float32", {}),
        ((2, 5), "float16", {"axes": (1,)}),
        ((2, 5), "float64", {"axes": (0,)}),
        ((2, 0, 3), "float32", {"axes": (2,)}),
    ]
]
SAMPLES += [
    Sample(op, (random(4, 3, low=0.25),), {"axes": (1,), **attributes})
    for op, attributes in _REDUCTIONS.items()
    if attributes
]
SAMPLES += [
    Sample(op, (_integers(3, 4, dtype=dtype, low=-3, high=4),), {"axes": (1,)}, constants)
    for op in (*_WHOLE, "reduce_sum_square")
    for dtype in _INTEGERS
    for constants in ((), (0,))
]
SAMPLES += [
    Sample(op, (np.zeros((2, 0, 3), "float32"),), {"axes": (1,)}, name="empty")
    for op in _REDUCTIONS
    if op not in ("reduce_max", "reduce_min")
]
SAMPLES += [
    Sample("reduce_max", (np.array([2**24 + 1, 2**24], "int32"),), name="big"),
    Sample("reduce_log_sum_exp", (np.array([1000.0, 1000.5], "float32"),), name="large"),
    Sample("reduce_mean", (np.full((200, 400), 30.0, "float16"),), name="wide", **_HALF),
]

_ties = np.array([[1, 3, 3], [2, 0, 2], [5, 5, 5]])
SAMPLES += [
    Sample(op, (_ties.astype(dtype),), {"axis": axis, "return_last_index": last, **more})
    for op in ("arg_max", "arg_min")
    for dtype, axis, last, more in [
        ("float32", 0, False, {}),
        ("float32", -1, False, {"keep_dims": False}),
        ("float32", 1, True, {}),
        ("float32", -2, True, {"keep_dims": False, "output_value_type": "int32"}),
        ("float16", 1, False, {}),
        ("float64", 1, False, {}),
        *[(kind, 1, False, {}) for kind in _INTEGERS],
    ]
]
SAMPLES += [
    Sample("arg_max", (random(2, 3, 4),), {"axis": 1, "output_value_type": kind})
    for kind in ("uint8", "int16", "int64", "uint32")
]

# Scans.

_axis0, _axis1, _last = (np.array(axis, "int64") for axis in (0, 1, -1))
SAMPLES += [
    Sample("cum_sum", (random(2, 3, 4), axis), {"exclusion": exclusion, "reverse": reverse}, (1,))
    for axis in (_axis0, _axis1, _last)
    for exclusion in (False, True)
    for reverse in (False, True)
]
SAMPLES += [
    Sample(
        "cum_sum",
        (_numbers(3, 4, dtype=kind), np.array([1], "int32")),
        {},
        (1,),
        **_tolerance(kind),
    )
    for kind in (*_FLOATS, *_INTEGERS)
]
SAMPLES.append(Sample("cum_sum", (random(2, 0), _axis1), {}, (1,)))

# Matrix products.

_PRODUCTS = [
    ((2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 1, 2, 3), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((4, 2, 3), (3,)),
    ((3,), (4, 3, 2)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
]
SAMPLES += [
    Sample(op, (random(*left), random(*right)))
    for op in ("batch_matmul", "gemm")
    for left, right in _PRODUCTS
]
SAMPLES += [
    Sample(op, (random(*left), random(*right)), {"A_transpose": a, "B_transpose": b})
    for op in ("batch_matmul", "gemm")
    for left, right, a, b in [
        ((3, 2), (3, 4), True, False),
        ((2, 3), (4, 3), False, True),
        ((3, 2), (4, 3), True, True),
        ((5, 3, 2), (4, 3), True, True),
        ((3,), (4, 3), True, True),
    ]
]
SAMPLES += [
    Sample(op, (_numbers(2, 3, dtype=kind), _numbers(3, 4, dtype=kind)), **_tolerance(kind))
    for op in ("batch_matmul", "gemm")
    for kind in (*_FLOATS, *_INTEGERS)
]
SAMPLES += [
    Sample("gemm", (random(2, 3), random(3, 4), random(*c)), attributes)
    for c in [(2, 4), (4,), (2, 1), (1, 1), ()]
    for attributes in ({}, {"alpha": 0.5, "beta": 2.0}, {"beta": 0.0})
]
SAMPLES += [
    Sample("gemm", (random(5, 2, 3), random(3, 4), random(4)), {"alpha": 0.5}),
    Sample("gemm", (random(3), random(3, 4), random(4))),
    Sample("gemm", (random(2, 3), random(3, 4)), {"alpha": -1.5}),
    Sample("gemm", (random(2, 0), random(0, 4), random(4)), name="empty"),
    Sample(
        "gemm",
        (random(3, 2), random(4, 3), random(2, 4)),
        {"A_transpose": True, "B_transpose": True},
    ),
]
SAMPLES += [
    Sample(
        "gemm",
        (_integers(2, 3, dtype=kind), _integers(3, 4, dtype=kind), _integers(4, dtype=kind)),
        {"alpha": 2.0},
    )
    for kind in _INTEGERS
]

# Shifts.

_high = {"uint8": 0xA5, "uint16": 0xBEEF, "uint32": 0x9ABCDEF1, "uint64": 0x1234567}
SAMPLES += [
    Sample(
        "shift",
        (np.array([[1], [0], [high]], kind), np.array([0, 1, 5, 7, width - 1, width, 200], kind)),
        {"is_left_shift": is_left_shift},
        constants,
        name=f"{kind}-{'left' if is_left_shift else 'right'}-{len(constants)}",
    )
    for kind, high in _high.items()
    for width in [min(8 * np.dtype(kind).itemsize, 32)]
    for is_left_shift in ((False,) if kind == "uint64" else (False, True))
    for constants in ((), (1,), (0, 1))
]
SAMPLES += [
    Sample("shift", (np.uint64([1, 0x1234]), np.uint64([7, 3])), {"is_left_shift": True}),
    Sample("shift", (np.uint32(80), np.uint32(3)), {"is_left_shift": False}),
    Sample("shift", (np.zeros((2, 0), "uint8"), np.uint8([1])), {"is_left_shift": True}),
]

# Scalars, and tensors without elements.

_yes_no = np.array([[True, False, True], [False, False, True]])
SAMPLES += [
    Sample(op, operands)
    for op in ("and_", "or_", "xor")
    for operands in [
        (_yes_no, np.array([True, False, False])),
        (_yes_no, np.array(True)),
        (np.array(False), np.array(True)),
        (_yes_no[:, :1], _yes_no[:1]),
        (np.zeros((2, 0), bool), np.array([True])),
    ]
]
SAMPLES += [
    Sample("not_", (operand,))
    for operand in (_yes_no, np.array(False), np.zeros((0, 3), bool), _yes_no[None, :, None])
]
SAMPLES += [
    Sample(op, (operand,))
    for op in ("is_nan", "is_inf")
    for operand in (
        _special.astype("float16"),
        _special.astype("float64"),
        np.float32(np.nan),
        np.float32(-np.inf),
        np.zeros((0, 2), "float16"),
    )
]
SAMPLES += [
    Sample(op, operands)
    for op in ("less_or_equal", "greater_or_equal", "not_equal")
    for operands in [
        (np.float32(1), np.float32(1)),
        (np.int32(2), _integers(3)),
        (random(2, 0), random(0)),
    ]
]
SAMPLES += [
    Sample("mod", (random(), np.float32(0.7))),
    Sample("mod", (random(2, 0), np.float32(0.7))),
    Sample("mod", (_integers(), np.int32(4)), {"fmod": 1}),
    Sample("pow", (random(low=0.5), np.float32(2.5)), rtol=1e-4),
    Sample("pow", (random(0, 3, low=0.5), random(3))),
    Sample("clamp", (random(),), {"lo": -0.5, "hi": 0.5}),
    Sample("clamp", (random(3, 0),), {"lo": -0.5, "hi": 0.5}),
    Sample("mean", ((random(2, 3), random(3), random()),)),
    Sample("mean", ((np.float32(2), np.float32(5)),)),
    Sample("mean", ((random(2, 0), random(1)),)),
    Sample("mean", ((random(2, 3, dtype="float16"), random(3, dtype="float16")),), **_HALF),
    Sample("arg_max", (random(0, 3),), {"axis": 1}),
    Sample("arg_min", (random(2, 3, 0),), {"axis": 1, "keep_dims": False}),
    Sample("batch_matmul", (random(0, 2, 3), random(3, 4))),
    Sample("batch_matmul", (random(1), random(1))),
    Sample("cum_sum", (random(2, 0), np.int64(0)), constants=(1,)),
]
