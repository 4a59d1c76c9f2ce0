"""Converters of elementwise operators, activations, comparisons and reductions."""

from typing import Dict, List, Optional

import ml_dtypes
import numpy as np

from ...graph import Value
from ...ops.common import shape_without
from ...types import SIGNED, ElementType
from .convert import Results, Step, Unsupported, converter
from .model import element_type_of

_UNARY = {
    "Abs": "Abs",
    "Acos": "ACos",
    "Acosh": "ACosh",
    "Asin": "ASin",
    "Asinh": "ASinh",
    "Atan": "ATan",
    "Atanh": "ATanh",
    "Ceil": "Ceil",
    "Cos": "Cos",
    "Cosh": "Cosh",
    "Det": "Det",
    "Erf": "Erf",
    "Exp": "Exp",
    "Floor": "Floor",
    "IsNaN": "IsNaN",
    "Log": "Log",
    "Neg": "Neg",
    "Not": "Not",
    "Reciprocal": "Reciprocal",
    "Relu": "Relu",
    "Round": "Round",
    "Sigmoid": "Sigmoid",
    "Sign": "Sign",
    "Sin": "Sin",
    "Sinh": "Sinh",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Sqrt": "Sqrt",
    "Tan": "Tan",
    "Tanh": "Tanh",
}


@converter(*_UNARY)
def _unary(step: Step, x: Value) -> Value:
    return step.op(_UNARY[step.node.op], x)


_PARAMETRIC: Dict[str, Dict[str, float]] = {
    "Celu": {"alpha": 1.0},
    "Elu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.01},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "Shrink": {"bias": 0.0, "lambd": 0.5},
    "ThresholdedRelu": {"alpha": 1.0},
}
"""Attributes with ONNX's defaults; ODLA's parameters have the same names."""


@converter(*_PARAMETRIC)
def _parametric(step: Step, x: Value) -> Value:
    defaults = _PARAMETRIC[step.node.op]
    return step.op(
        step.node.op, x, **{name: step.get(name, value) for name, value in defaults.items()}
    )


@converter("Identity")
def _identity(step: Step, x: Value) -> Value:
    return x


@converter("HardSwish")
def _hard_swish(step: Step, x: Value) -> Value:
    return step.op("Mul", x, step.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


@converter("Mish")
def _mish(step: Step, x: Value) -> Value:
    return step.op("Mul", x, step.op("Tanh", step.op("Softplus", x)))


@converter("Swish")
def _swish(step: Step, x: Value) -> Value:
    return _scaled_swish(step, x, step.get("alpha", 1.0))


@converter("QuickGelu", domain="com.microsoft")
def _quick_gelu(step: Step, x: Value) -> Value:
    return _scaled_swish(step, x, step.get("alpha", 1.702))


def _scaled_swish(step: Step, x: Value, alpha: float) -> Value:
    scaled = x if alpha == 1 else step.op("Mul", x, step.like(x, alpha))
    return step.op("Mul", x, step.op("Sigmoid", scaled))


@converter("Gelu")
def _gelu(step: Step, x: Value) -> Value:
    return step.op("Gelu", x, use_approx=step.get("approximate", "none") == "tanh")


@converter("Gelu", domain="com.microsoft")
def _microsoft_gelu(step: Step, x: Value) -> Value:
    return step.op("Gelu", x, use_approx=False)


@converter("BiasGelu", domain="com.microsoft")
def _bias_gelu(step: Step, x: Value, bias: Value) -> Value:
    return step.op("Gelu", step.op("Add", x, bias), use_approx=False)


@converter("FastGelu", domain="com.microsoft")
def _fast_gelu(step: Step, x: Value, bias: Optional[Value] = None) -> Value:
    return step.op("Gelu", x if bias is None else step.op("Add", x, bias), use_approx=True)


@converter("PRelu")
def _prelu(step: Step, x: Value, slope: Value) -> Value:
    return step.op("PRelu", x, slope)


@converter("IsInf")
def _is_inf(step: Step, x: Value) -> Value:
    return step.op(
        "IsInf",
        x,
        detect_pos=bool(step.get("detect_positive", 1)),
        detect_neg=bool(step.get("detect_negative", 1)),
    )


@converter("Dropout")
def _dropout(
    step: Step, x: Value, ratio: Optional[Value] = None, training: Optional[Value] = None
) -> Results:
    if training is not None and step.integer(training, "training_mode"):
        rate = 0.5 if ratio is None else step.number(ratio, "ratio")
        if rate:
            raise Unsupported("training_mode is true; export the model for inference")
    if not step.wants(1):
        return x
    return [x, step.constant(np.ones(x.dims, bool))]


@converter("Clip")
def _clip(step: Step, x: Value, low: Optional[Value] = None, high: Optional[Value] = None) -> Value:
    if step.opset < 11:
        low = step.like(x, step.get("min")) if "min" in step.node.attributes else None
        high = step.like(x, step.get("max")) if "max" in step.node.attributes else None
    limits = [one for one in (low, high) if one is not None]
    if limits and x.element_type.is_float and all(one.is_constant for one in limits):
        extremes = ml_dtypes.finfo(x.element_type.dtype)
        lo = float(extremes.min) if low is None else step.number(low, "min")
        hi = float(extremes.max) if high is None else step.number(high, "max")
        return step.op("Clamp", x, lo=min(lo, hi), hi=hi)
    if low is not None:
        x = step.op("Max", x, low)
    return x if high is None else step.op("Min", x, high)


# Two and more operands.

_BINARY = [
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Mul",
    "Or",
    "Pow",
    "Sub",
    "Xor",
]


@converter(*_BINARY)
def _binary(step: Step, left: Value, right: Value) -> Value:
    return step.op(step.node.op, left, right)


@converter("Mod")
def _mod(step: Step, left: Value, right: Value) -> Value:
    return step.op("Mod", left, right, fmod=step.get("fmod", 0))


@converter("BitShift")
def _bit_shift(step: Step, x: Value, amount: Value) -> Value:
    is_left = step.get("direction") == "LEFT"
    if x.element_type in SIGNED:
        return step.cast(_signed_shift(step, x, amount, is_left), x.element_type)
    return step.op("Shift", x, amount, is_left_shift=is_left)


def _signed_shift(step: Step, x: Value, amount: Value, is_left: bool) -> Value:
    """As INT32: times or by powers of two; a shift to the right keeps the sign."""
    width = min(8 * x.element_type.host_bytes, 32)
    x, amount = (step.cast(one, ElementType.INT32) for one in (x, amount))
    zero, minus_one = step.like(x, 0), step.like(x, -1)
    # The last power is the lowest number: no other is left of a shift by 31 to the left.
    powers = np.array([2**bit for bit in range(width)], np.int64).astype(np.int32)
    most = width if is_left else width - 1
    is_within = step.op(
        "And",
        step.op("GreaterOrEqual", amount, zero),
        step.op("Less", amount, step.like(x, most)),
    )
    held = step.op("Select", is_within, amount, zero)
    power = step.op("Gather", step.constant(powers), held, axis=0)
    if is_left:
        return step.op("Select", is_within, step.op("Mul", x, power), zero)
    is_negative = step.op("Less", x, zero)
    # -1 - x has the bits of x inverted: not negative, and division truncates it as a shift does.
    turned = step.op("Select", is_negative, step.op("Sub", minus_one, x), x)
    shifted = step.op("Div", turned, power)
    shifted = step.op("Select", is_within, shifted, zero)
    return step.op("Select", is_negative, step.op("Sub", minus_one, shifted), shifted)


@converter("BitCast")
def _bit_cast(step: Step, x: Value) -> Value:
    """Between integers of one size, which wrap."""
    target = element_type_of(step.get("to"), step.node.label)
    kinds = (x.element_type, target)
    if not all(kind.is_integer or kind is ElementType.BOOL for kind in kinds):
        raise Unsupported(f"{x.element_type.name} to {target.name}; accepted: integers")
    if x.element_type.host_bytes != target.host_bytes:
        raise step.error(f"the input is {x.type}; accepted: types as long as {target.name}")
    return step.cast(x, target)


_CHAINED = {"Max": "Max", "Min": "Min", "Sum": "Add"}


@converter(*_CHAINED)
def _chained(step: Step, first: Value, *others: Value) -> Value:
    for other in others:
        first = step.op(_CHAINED[step.node.op], first, other)
    return first


@converter("Mean")
def _mean(step: Step, first: Value, *others: Value) -> Value:
    return step.op("Mean", [first, *others]) if others else first


@converter("Where")
def _where(step: Step, condition: Value, a: Value, b: Value) -> Value:
    return step.op("Select", condition, a, b)


@converter("Cast")
def _cast(step: Step, x: Value) -> Value:
    return step.cast(x, element_type_of(step.get("to"), step.node.label))


@converter("CastLike")
def _cast_like(step: Step, x: Value, target: Value) -> Value:
    return step.cast(x, target.element_type)


# Along axes.


@converter("Softmax", "LogSoftmax", "Hardmax")
def _softmax(step: Step, x: Value) -> Value:
    """Along one axis since opset 13; before that, of the matrix that is flattened at the axis."""
    if step.opset >= 13:
        return step.op(step.node.op, x, axis=step.axis(step.get("axis", -1), max(x.rank, 1)))
    axis = step.axis(step.get("axis", 1), x.rank)
    if axis == x.rank - 1:
        return step.op(step.node.op, x, axis=axis)
    rows = int(np.prod(x.dims[:axis], dtype=np.int64))
    matrix = step.reshape(x, [rows, x.type.elements // max(rows, 1)])
    return step.reshape(step.op(step.node.op, matrix, axis=1), x.dims)


_REDUCTIONS = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
]


@converter(*_REDUCTIONS)
def _reduce(step: Step, x: Value, axes: Optional[Value] = None) -> Value:
    keep = bool(step.get("keepdims", 1))
    given: List[int] = step.get("axes", [])
    if axes is not None:
        given = step.integers(axes, "axes")
    if x.element_type is ElementType.BOOL:
        # 0 and 1: as UINT8, the extremes of no elements are False and True too.
        x = step.cast(x, ElementType.UINT8)
        return step.cast(_reduced(step, x, given, keep), ElementType.BOOL)
    return _reduced(step, x, given, keep)


def _reduced(step: Step, x: Value, given: List[int], keep: bool) -> Value:
    name = step.node.op
    if not given and step.get("noop_with_empty_axes", 0):
        if name in ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"):
            return x
        x, given, keep = step.reshape(x, [*x.dims, 1]), [x.rank], False
    if x.rank == 0:
        x, given, keep = step.reshape(x, [1]), [0], False
    reduced = step.axes(given, x.rank) or list(range(x.rank))
    if name in _EXTREMES and any(x.dims[axis] == 0 for axis in reduced):
        return _extreme_of_nothing(step, x, reduced, keep)
    return step.op(name, x, axes=reduced, keep_dims=keep)


_EXTREMES = {"ReduceMax": "min", "ReduceMin": "max"}
"""For each the limit of the type that is the extreme of no elements."""


def _extreme_of_nothing(step: Step, x: Value, reduced: List[int], keep: bool) -> Value:
    """Minus or plus infinity, or the limit of an integer type (ONNX ReduceMax-20)."""
    limit, dtype = _EXTREMES[step.node.op], x.element_type.dtype
    if x.element_type.is_float:
        number = -np.inf if limit == "min" else np.inf
    else:
        number = getattr(np.iinfo(dtype), limit)
    dims = shape_without(x.dims, reduced, keep)
    return step.constant(np.full(dims, number, dtype))  # type: ignore[arg-type]


@converter("ArgMax", "ArgMin")
def _arg_extreme(step: Step, x: Value) -> Value:
    return step.op(
        step.node.op,
        x,
        axis=step.get("axis", 0),
        keep_dims=bool(step.get("keepdims", 1)),
        return_last_index=bool(step.get("select_last_index", 0)),
        output_value_type=ElementType.INT64,
    )


@converter("CumSum")
def _cum_sum(step: Step, x: Value, axis: Value) -> Value:
    step.integer(axis, "axis")
    return step.op(
        "CumSum",
        x,
        axis,
        exclusion=bool(step.get("exclusive", 0)),
        reverse=bool(step.get("reverse", 0)),
    )


@converter("CumProd")
def _cum_prod(step: Step, x: Value, axis: Value) -> Value:
    """In as many steps as the size has binary digits: each multiplies by what lies 2^k before."""
    along = step.axis(step.integer(axis, "axis"), x.rank)
    is_reverse = bool(step.get("reverse", 0))
    if step.get("exclusive", 0):
        x = _moved(step, x, along, 1, is_reverse)
    distance = 1
    while distance < x.dims[along]:
        x = step.op("Mul", x, _moved(step, x, along, distance, is_reverse))
        distance *= 2
    return x


def _moved(step: Step, x: Value, axis: int, distance: int, is_reverse: bool) -> Value:
    """``x`` moved along ``axis``, to its end or, in reverse, to its start, with ones behind."""
    size = x.dims[axis]
    distance = min(distance, size)
    dims = [distance if index == axis else dim for index, dim in enumerate(x.dims)]
    ones = step.constant(np.ones(dims, x.element_type.dtype))
    if is_reverse:
        return step.concat([step.slice(x, axis, distance, size), ones], axis)
    return step.concat([ones, step.slice(x, axis, 0, size - distance)], axis)


@converter("TopK")
def _top_k(step: Step, x: Value, count: Optional[Value] = None) -> Results:
    if count is None:
        k = step.get("k")
    else:
        k = step.integer(count, "K")
    return step.ops(
        "TopK",
        x,
        K=k,
        largest=bool(step.get("largest", 1)),
        sorted=bool(step.get("sorted", 1)),
        axis=step.axis(step.get("axis", -1), x.rank),
        output_value_type=x.element_type,
        output_value_index_type=ElementType.INT64,
    )
