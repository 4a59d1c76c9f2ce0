"""Converters of quantised operators, as the floating-point arithmetic that defines them."""

from typing import List, Optional

import numpy as np

from ...graph import Value
from ...types import ElementType
from .convert import Step, Unsupported, converter


@converter("DequantizeLinear")
def _dequantize(step: Step, x: Value, scale: Value, zero: Optional[Value] = None) -> Value:
    """(x - zero) * scale."""
    scale = _along_axis(step, scale, x)
    wide = step.cast(x, ElementType.INT32)
    if zero is not None and not (zero.data is not None and not zero.data.any()):
        wide = step.op("Sub", wide, step.cast(_along_axis(step, zero, x), ElementType.INT32))
    return step.op("Mul", step.cast(wide, scale.element_type), scale)


@converter("QuantizeLinear")
def _quantize(step: Step, x: Value, scale: Value, zero: Optional[Value] = None) -> Value:
    """round(x / scale) + zero, limited to the range of the integer type."""
    target = ElementType.UINT8 if zero is None else zero.element_type
    steps = step.op("Round", step.op("Div", x, _along_axis(step, scale, x)))
    if zero is not None:
        steps = step.op("Add", steps, step.cast(_along_axis(step, zero, x), x.element_type))
    return _limited(step, steps, target)


def _limited(step: Step, x: Value, target: ElementType) -> Value:
    limits = np.iinfo(target.dtype)
    return step.cast(step.op("Clamp", x, lo=limits.min, hi=limits.max), target)


def _along_axis(step: Step, parameter: Value, x: Value) -> Value:
    """A scale or zero point, one per tensor or one per index of an axis, shaped to broadcast."""
    if step.get("block_size", 0):
        raise Unsupported("blocked quantisation is not available")
    if parameter.type.elements == 1:
        return step.reshape(parameter, [])
    if parameter.rank != 1:
        raise step.error(f"scale or zero point is {parameter.type}; accepted: rank 0 or 1")
    axis = step.axis(step.get("axis", 1), x.rank)
    return step.reshape(
        parameter, [size if index == axis else 1 for index, size in enumerate(x.dims)]
    )


@converter("DynamicQuantizeLinear")
def _dynamic_quantize(step: Step, x: Value) -> List[Value]:
    """ONNX's function body: the range is that of x and zero, in 255 steps."""
    axes = list(range(x.rank))
    zero = step.like(x, 0)
    low = step.op("Min", step.op("ReduceMin", x, axes=axes, keep_dims=False), zero)
    high = step.op("Max", step.op("ReduceMax", x, axes=axes, keep_dims=False), zero)
    scale = step.op("Div", step.op("Sub", high, low), step.like(x, 255))
    offset = step.op("Round", step.op("Div", step.op("Sub", zero, low), scale))
    steps = step.op("Add", step.op("Round", step.op("Div", x, scale)), offset)
    y = _limited(step, steps, ElementType.UINT8)
    return [y, scale, _limited(step, offset, ElementType.UINT8)]


@converter("MatMulInteger")
def _matmul_integer(
    step: Step, a: Value, b: Value, zero_a: Optional[Value] = None, zero_b: Optional[Value] = None
) -> Value:
    left, right = (step.cast(one, ElementType.INT32) for one in (a, b))
    if zero_a is not None:
        shift = step.cast(zero_a, ElementType.INT32)
        if shift.type.elements > 1 and shift.rank == 1:  # one per row of a
            shift = step.reshape(shift, [shift.type.elements, 1])
        left = step.op("Sub", left, shift)
    if zero_b is not None:
        right = step.op("Sub", right, step.cast(zero_b, ElementType.INT32))
    return step.op("Gemm", left, right)
