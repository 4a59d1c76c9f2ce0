"""Elementwise ops: arithmetic, functions, activations, comparisons, bits, casts."""

import math
from typing import TYPE_CHECKING, List, Sequence

import numpy as np

from ..exceptions import popart_exception
from .emitter import (
    ELEMENT_TYPES,
    FLOAT16_MAX,
    GRAPHCORE,
    Emitter,
    compute_type,
    emits,
    wide_type,
)
from .rand import draw

if TYPE_CHECKING:
    from ..ir import Op, Tensor


@emits("Add")
def _add(e: Emitter, op: "Op", x: List[str]) -> str:
    return e.sum(x[0], _aligned(e, op, x[1]))


@emits("Sub", "Mul", "Div", "Pow")
def _arithmetic(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0], _aligned(e, op, x[1]))


def _aligned(e: Emitter, op: "Op", second: str) -> str:
    """The second operand; opset 6 aligns it with an axis of the first where it is told to."""
    axis = op.attributes.get("axis")
    shapes = [op.operand(index).shape for index in range(2)]
    ranks = [len(shape) for shape in shapes]
    if not op.attributes.get("broadcast") or axis is None or ranks[1] >= ranks[0]:
        return second
    return e.reshape(second, shapes[1] + (1,) * (ranks[0] - axis % ranks[0] - ranks[1]))


@emits("Abs", "Neg", "Sign", native=False)
def _signs(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0])


_FUNCTIONS = [
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Erf",
    "Exp",
    "Floor",
    "Log",
    "Reciprocal",
    "Sigmoid",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tan",
    "Tanh",
]


@emits(*_FUNCTIONS)
def _function(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0])


@emits("Relu", exact=True)
def _relu(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Relu", x[0])


@emits("LeakyRelu", "Elu", "ThresholdedRelu")
def _with_alpha(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0], alpha=op.attributes.get("alpha"))


@emits("Selu")
def _selu(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Selu", x[0], alpha=op.attributes.get("alpha"), gamma=op.attributes.get("gamma"))


@emits("HardSigmoid")
def _hard_sigmoid(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("HardSigmoid", x[0], alpha=op.attributes.get("alpha"), beta=op.attributes.get("beta"))


@emits("Shrink")
def _shrink(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Shrink", x[0], bias=op.attributes.get("bias"), lambd=op.attributes.get("lambd"))


@emits("PRelu")
def _prelu(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("PRelu", x[0], x[1])


@emits("Clip", exact=True, static=(1, 2))
def _clip(e: Emitter, op: "Op", x: List[str]) -> str:
    tensor = op.operand(0)
    bounds = []
    for index, name in ((1, "min"), (2, "max")):
        value = op.constant(index)
        bound = op.attributes.get(name) if value is None else float(value.reshape(()))
        if bound is None:
            bounds.append("")
            continue
        if tensor.dtype == np.float16:
            bound = max(-FLOAT16_MAX, min(FLOAT16_MAX, float(bound)))
        bounds.append(e.const(np.array(bound, wide_type(tensor.dtype))))
    if bounds == ["", ""]:
        return e("Identity", x[0])
    return e("Clip", x[0], *bounds)


# Variadic.


@emits("Sum", "Mean")
def _sums(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, *x)


@emits("Max", "Min", exact=True)
def _extremes(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, *x)


# Comparisons and logic.


@emits("Equal", "Greater", "Less")
def _comparison(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0], _aligned(e, op, x[1]))


@emits("And", "Or", native=True)
def _logic(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0], _aligned(e, op, x[1]))


@emits("Not", native=True)
def _not(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Not", x[0])


@emits("IsNaN", "IsInf", native=True)
def _classification(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0])


@emits("Where", exact=True)
def _where(e: Emitter, op: "Op", x: List[str]) -> str:
    dtype = op.operand(1).dtype
    if dtype == np.bool_:
        condition, a, b = x
        taken = e("And", condition, a)
        return e("Or", taken, e("And", e("Not", condition), b))
    return e("Where", *x)


# Casts.


@emits("Cast", native=True)
def _cast(e: Emitter, op: "Op", x: List[str]) -> str:
    target = op.outputs[0].dtype  # type: ignore[union-attr]
    source = op.operand(0).dtype
    if compute_type(source) == compute_type(target):
        return e("Identity", x[0])
    if np.issubdtype(source, np.floating) and target.kind in "iu" and target.itemsize < 4:
        # Through INT32: a float beyond a small type's range wraps there instead of being undefined.
        return e("Cast", e.cast(x[0], np.int32), to=ELEMENT_TYPES[target])
    return e("Cast", x[0], to=ELEMENT_TYPES[compute_type(target)])


# Copies.


@emits("Identity", exact=True, native=True)
@emits("Detach", "Nop", "TensorRemap", domain=GRAPHCORE, exact=True, native=True)
def _copy(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Identity", x[0])


@emits("Dropout", native=True)
def _dropout(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    """Active in training only; elsewhere its mask is all true."""
    mask, result = _dropped(e, op, x[0], op.operand(0).shape)
    if len(op.outputs) > 1 and op.outputs[1] is not None:
        return [result, mask or _filled(e, op.operand(0), True, np.bool_)]
    return [result]


@emits("ShapedDropout", domain=GRAPHCORE, native=True)
def _shaped_dropout(e: Emitter, op: "Op", x: List[str]) -> str:
    return _dropped(e, op, x[0], op.attributes["shape"])[1]


def _dropped(e: Emitter, op: "Op", name: str, shape: Sequence[int]) -> Sequence[str]:
    """The mask of what is kept ("" where all is), and that divided by its share."""
    ratio = op.attributes.get("ratio", 0.5)
    if not e.root.training or ratio == 0:
        return "", e("Identity", name)
    if e.parent is not None:
        raise popart_exception(f"{op.label}: the stand-in does not train Dropout inside of a body")
    drawn = draw(e, op, shape, False, 0.0, 1.0)
    mask = e("GreaterOrEqual", drawn, e.const(np.float32(ratio)))
    factor = e("Mul", e.cast(mask, np.float32), e.const(np.float32(1 / (1 - ratio))))
    e.dropped[op.result.id] = factor
    return mask, e("Mul", name, factor)


def _filled(e: Emitter, like: "Tensor", value: object, dtype: object) -> str:
    return e("Expand", e.const(value, dtype), e.ints(like.shape))


# ai.graphcore.


@emits("Gelu", domain=GRAPHCORE)
def _gelu(e: Emitter, op: "Op", x: List[str]) -> str:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), in the chain that onnxruntime fuses."""
    value = x[0]
    like = op.operand(0)
    cube = e("Pow", value, e.scalar(3, like))
    inner = e("Add", value, e("Mul", cube, e.scalar(0.044715, like)))
    tanh = e("Tanh", e("Mul", inner, e.scalar(math.sqrt(2 / math.pi), like)))
    return e("Mul", value, e("Mul", e("Add", tanh, e.scalar(1, like)), e.scalar(0.5, like)))


@emits("GeluErf", domain=GRAPHCORE)
def _gelu_erf(e: Emitter, op: "Op", x: List[str]) -> str:
    """0.5 x (1 + erf(x / sqrt(2))), in the chain that onnxruntime fuses."""
    like = op.operand(0)
    erf = e("Erf", e("Div", x[0], e.scalar(math.sqrt(2), like)))
    return e("Mul", e("Mul", x[0], e("Add", erf, e.scalar(1, like))), e.scalar(0.5, like))


@emits("Swish", domain=GRAPHCORE)
def _swish(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Mul", x[0], e("Sigmoid", x[0]))


@emits("Round", exact=True)
@emits("Round", domain=GRAPHCORE, exact=True)
def _round(e: Emitter, op: "Op", x: List[str]) -> str:
    """Halves away from zero: sign(x) floor(|x| + 0.5).

    The sum would round up the largest number below 0.5, and every float beyond 2^23 is an integer
    that it could change, so the fraction decides instead.
    """
    like = op.operand(0)
    size = e("Abs", x[0])
    whole = e("Floor", size)
    up = e("GreaterOrEqual", e("Sub", size, whole), e.scalar(0.5, like))
    return e("Mul", e("Sign", x[0]), e("Add", whole, e.cast(up, np.float32)))


@emits("NearbyInt", domain=GRAPHCORE, exact=True)
def _nearby_int(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Round", x[0])


@emits("Expm1", domain=GRAPHCORE)
def _expm1(e: Emitter, op: "Op", x: List[str]) -> str:
    """2 sinh(x/2) exp(x/2): exact near 0; exp(x) - 1 elsewhere, where sinh would overflow."""
    like = op.operand(0)
    half = e("Mul", x[0], e.scalar(0.5, like))
    near = e("Mul", e("Mul", e("Sinh", half), e.scalar(2, like)), e("Exp", half))
    far = e("Sub", e("Exp", x[0]), e.scalar(1, like))
    return e("Where", e("Less", e("Abs", x[0]), e.scalar(1, like)), near, far)


@emits("Log1p", domain=GRAPHCORE)
def _log1p(e: Emitter, op: "Op", x: List[str]) -> str:
    """log(u) x / (u - 1) with u = 1 + x, and x where u is 1 (W. Kahan)."""
    like = op.operand(0)
    one = e.scalar(1, like)
    u = e("Add", x[0], one)
    log = e("Log", u)
    correction = e("Div", x[0], e("Sub", u, one))
    near = e("Where", e("Equal", u, one), x[0], e("Mul", log, correction))
    return e("Where", e("Less", e("Abs", x[0]), e.scalar(0.5, like)), near, log)


@emits("Atan2", domain=GRAPHCORE)
def _atan2(e: Emitter, op: "Op", x: List[str]) -> str:
    """atan of the smaller over the larger coordinate, unfolded into the right octant."""
    like = op.operand(0)
    y, x_ = x
    height, width = e("Abs", y), e("Abs", x_)
    steep = e("Greater", height, width)
    large = e("Max", height, width)
    zero, one = e.scalar(0, like), e.scalar(1, like)
    origin = e("Equal", large, zero)
    ratio = e("Div", e("Min", height, width), e("Where", origin, one, large))
    # inf/inf: both coordinates are infinite, the angle is that of the diagonal.
    ratio = e("Where", e("IsInf", e("Min", height, width)), one, ratio)
    angle = e("Atan", ratio)
    angle = e("Where", steep, e("Sub", e.scalar(math.pi / 2, like), angle), angle)
    left = _negative(e, x_)
    angle = e("Where", left, e("Sub", e.scalar(math.pi, like), angle), angle)
    return e("Where", _negative(e, y), e("Neg", angle), angle)


def _negative(e: Emitter, value: str) -> str:
    """Whether the sign bit is set, also of -0: there 1/x is -inf."""
    zero = e.const(np.float32(0))
    return e(
        "Or",
        e("Less", value, zero),
        e("And", e("Equal", value, zero), e("Less", e("Reciprocal", value), zero)),
    )


def _fmod(e: Emitter, a: str, b: str) -> str:
    return e("Mod", a, b, fmod=1)


def _remainder(e: Emitter, a: str, b: str) -> str:
    return _fmod(e, e("Add", b, _fmod(e, a, b)), b)


@emits("Fmod", domain=GRAPHCORE, exact=True)
def _graphcore_fmod(e: Emitter, op: "Op", x: List[str]) -> str:
    return _fmod(e, x[0], x[1])


@emits("Remainder", domain=GRAPHCORE)
def _graphcore_remainder(e: Emitter, op: "Op", x: List[str]) -> str:
    return _remainder(e, x[0], x[1])


@emits("Mod")
def _mod(e: Emitter, op: "Op", x: List[str]) -> str:
    return (_fmod if op.attributes.get("fmod") else _remainder)(e, x[0], x[1])


@emits("IncrementMod", domain=GRAPHCORE)
def _increment_mod(e: Emitter, op: "Op", x: List[str]) -> str:
    dtype = wide_type(op.operand(0).dtype)
    step = e.const(np.array(op.attributes["increment"]).astype(dtype))
    return _fmod(e, e("Add", x[0], step), e.const(np.array(op.attributes["modulus"]).astype(dtype)))


@emits("Scale", domain=GRAPHCORE)
def _scale(e: Emitter, op: "Op", x: List[str]) -> str:
    factor = np.array(op.attributes["scale"]).astype(wide_type(op.operand(0).dtype))
    return e("Mul", x[0], e.const(factor))


@emits("ScaledAdd", domain=GRAPHCORE)
def _scaled_add(e: Emitter, op: "Op", x: List[str]) -> str:
    like = op.operand(0)
    terms = []
    for index, name in ((0, "scale0"), (1, "scale1")):
        if len(x) > 2 + index and x[2 + index]:
            factor = e.reshape(x[2 + index], ())
        else:
            number = 1.0 if len(x) > 2 else op.attributes.get(name, 1.0)
            factor = "" if number == 1.0 else e.scalar(number, like)
        terms.append(e("Mul", x[index], factor) if factor else x[index])
    return e("Add", *terms)


_BITWISE = {"BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor", "BitwiseXnor": "xnor"}


@emits(*_BITWISE, "BitwiseNot", domain=GRAPHCORE, native=True)
def _bitwise(e: Emitter, op: "Op", x: List[str]) -> str:
    """Bit by bit in boolean vectors, since opset 17 has no bitwise op but shifts."""
    if op.type == "BitwiseNot":
        return _from_bits(e, op, e("Not", _bits(e, x[0], op.operand(0))))
    a, b = (_bits(e, name, op.operand(index)) for index, name in enumerate(x))
    kind = {"BitwiseAnd": "And", "BitwiseOr": "Or"}.get(op.type, "Xor")
    result = e(kind, a, b)
    return _from_bits(e, op, e("Not", result) if op.type == "BitwiseXnor" else result)


_BIT_VALUES = 2 ** np.arange(32, dtype=np.int64)


def _bits(e: Emitter, name: str, tensor: "Tensor") -> str:
    """The 32 bits of each element along a new last axis."""
    wide = e.cast(name, np.int64)
    # Modulo 2^32 first: a negative number's two's complement.
    unsigned = e("Mod", wide, e.const(np.int64(2**32)))
    column = e.reshape(unsigned, tuple(tensor.shape) + (1,))
    shifted = e("Div", column, e.const(_BIT_VALUES))
    return e("Equal", e("Mod", shifted, e.const(np.int64(2))), e.const(np.int64(1)))


def _from_bits(e: Emitter, op: "Op", bits: str) -> str:
    values = e("Where", bits, e.const(_BIT_VALUES), e.const(np.int64(0)))
    total = e("ReduceSum", values, e.ints([-1]), keepdims=0)
    return e.cast(total, op.outputs[0].dtype)  # type: ignore[union-attr]
