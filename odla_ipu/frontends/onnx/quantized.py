"""Converters of quantised operators and of exact products of integers."""

from typing import List, Optional

import numpy as np

from ...graph import Value
from ...types import ElementType, product
from .convert import Step, Unsupported, converter
from .linear import convolution_window, windows_of
from .model import element_type_of

_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32


@converter("DequantizeLinear")
def _dequantize(step: Step, x: Value, scale: Value, zero: Optional[Value] = None) -> Value:
    target = scale.element_type
    if step.get("output_dtype", 0):
        target = element_type_of(step.get("output_dtype"), step.node.label)
    if step.get("block_size", 0):
        moved = _from_zero(step, x, None if zero is None else _of_blocks(step, x, zero))
        wide = step.cast(_of_blocks(step, x, scale), _FLOAT32)
        return step.cast(step.op("Mul", step.cast(moved, _FLOAT32), wide), target)
    return step.op("Dequantize", x, scale, zero, axis=_axis(step, x), target_data_type=target)


@converter("QuantizeLinear")
def _quantize(step: Step, x: Value, scale: Value, zero: Optional[Value] = None) -> Value:
    target = ElementType.UINT8
    if zero is not None:
        target = zero.element_type
    elif step.get("output_dtype", 0):
        target = element_type_of(step.get("output_dtype"), step.node.label)
    if step.get("block_size", 0):
        scaled = step.op(
            "Div", *(step.cast(one, _FLOAT32) for one in (x, _of_blocks(step, x, scale)))
        )
        steps = step.op("Round", scaled)
        if zero is not None:
            steps = step.op("Add", steps, step.cast(_of_blocks(step, x, zero), _FLOAT32))
        return _limited(step, steps, target)
    return step.op("Quantize", x, scale, zero, axis=_axis(step, x), target_data_type=target)


def _of_blocks(step: Step, x: Value, numbers: Value) -> Value:
    """Scales or zero points of blocks along the axis, one for each element of ``x``."""
    axis, size = step.axis(step.get("axis", 1), x.rank), step.get("block_size")
    dims = list(x.dims)
    if size < 1 or numbers.rank != x.rank:
        raise step.error(
            f"block_size is {size}, scales are {numbers.type}; accepted: rank {x.rank}"
        )
    dims[axis] = -(-dims[axis] // size)
    if numbers.dims != tuple(dims):
        raise step.error(f"scales or zero points are {numbers.type}; accepted: {dims}")
    return step.gather(numbers, np.arange(x.dims[axis]) // size, axis)


def _axis(step: Step, x: Value) -> int:
    """The axis of scales and zero points; of no account for scalars."""
    axis = step.get("axis", 1)
    return axis if x.rank < 2 or axis < 0 else step.axis(axis, x.rank)


def _limited(step: Step, x: Value, target: ElementType) -> Value:
    limits = np.iinfo(target.dtype)
    return step.cast(step.op("Clamp", x, lo=limits.min, hi=limits.max), target)


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


# Integer products.


@converter("MatMulInteger")
def _matmul_integer(
    step: Step, a: Value, b: Value, zero_a: Optional[Value] = None, zero_b: Optional[Value] = None
) -> Value:
    return _integer_product(step, a, b, zero_a, zero_b)


def _integer_product(
    step: Step, a: Value, b: Value, zero_a: Optional[Value], zero_b: Optional[Value]
) -> Value:
    """The product in INT32; a vector of zero points has one for each row of a or column of b."""
    if zero_a is not None and zero_a.rank == 1 and zero_a.type.elements > 1:
        zero_a = step.reshape(zero_a, [zero_a.type.elements, 1])
    return step.op("Gemm", _from_zero(step, a, zero_a), _from_zero(step, b, zero_b))


def _from_zero(step: Step, x: Value, zero: Optional[Value]) -> Value:
    """x - zero as INT32."""
    x = step.cast(x, _INT32)
    if zero is None or (zero.data is not None and not zero.data.any()):
        return x
    if zero.type.elements == 1:
        zero = step.reshape(zero, [])
    return step.op("Sub", x, step.cast(zero, _INT32))


@converter("QLinearMatMul")
def _q_linear_matmul(
    step: Step,
    a: Value,
    scale_a: Value,
    zero_a: Value,
    b: Value,
    scale_b: Value,
    zero_b: Value,
    scale_y: Value,
    zero_y: Value,
) -> Value:
    total = _integer_product(step, a, b, zero_a, zero_b)
    for name, one in (("a_scale", scale_a), ("y_scale", scale_y), ("y_zero_point", zero_y)):
        if one.type.elements != 1:
            raise Unsupported(f"{name} is {one.type}; accepted: one number")
    return _requantized(step, total, scale_a, scale_b, scale_y, zero_y, axis=-1)


def _requantized(
    step: Step, total: Value, one: Value, other: Value, result: Value, zero: Value, axis: int
) -> Value:
    """INT32 sums of products, whose scale is one * other, in the scale of the result.

    ``other`` may have a scale for each index of ``axis``.
    """
    flat = [step.reshape(x, [x.type.elements]) for x in (one, other, result, zero)]
    scale = step.op("Div", flat[2], step.op("Mul", flat[0], flat[1]))
    return step.op(
        "Quantize",
        total,
        scale,
        flat[3],
        axis=step.axis(axis, total.rank) if scale.type.elements > 1 else axis,
        target_data_type=zero.element_type,
    )


@converter("ConvInteger")
def _conv_integer(
    step: Step,
    x: Value,
    kernel: Value,
    zero_x: Optional[Value] = None,
    zero_kernel: Optional[Value] = None,
) -> Value:
    return _integer_convolution(step, x, kernel, zero_x, zero_kernel)


@converter("QLinearConv")
def _q_linear_conv(
    step: Step,
    x: Value,
    scale_x: Value,
    zero_x: Value,
    kernel: Value,
    scale_kernel: Value,
    zero_kernel: Value,
    scale_y: Value,
    zero_y: Value,
    bias: Optional[Value] = None,
) -> Value:
    """The bias is in the scale of the products."""
    total = _integer_convolution(step, x, kernel, zero_x, zero_kernel)
    if bias is not None:
        total = step.op("Add", total, step.reshape(bias, [bias.type.elements, *[1] * (x.rank - 2)]))
    return _requantized(step, total, scale_x, scale_kernel, scale_y, zero_y, axis=1)


def _integer_convolution(
    step: Step, x: Value, kernel: Value, zero_x: Optional[Value], zero_kernel: Optional[Value]
) -> Value:
    """The convolution in INT32, which PopART has not: a product of the windows and the kernels.

    Padding is the zero point, so it is 0 after the subtraction.
    """
    window = convolution_window(step, x, kernel)
    group, (filters, inputs) = step.get("group", 1), kernel.dims[:2]
    if zero_kernel is not None and zero_kernel.type.elements > 1:
        if zero_kernel.dims != (filters,):
            raise step.error(
                f"w_zero_point is {zero_kernel.type}; accepted: one number, or {filters}"
            )
        zero_kernel = step.reshape(zero_kernel, [filters, *[1] * (kernel.rank - 1)])
    x, kernel = _from_zero(step, x, zero_x), _from_zero(step, kernel, zero_kernel)
    if group < 1 or x.dims[1] != inputs * group or filters % group:
        raise step.error(
            f"the input is {x.type}, the kernel {kernel.type}, group is {group}; accepted: "
            "the channels of a group in the kernel, and a multiple of group as filters"
        )
    parts = windows_of(step, x, window)
    space = parts[0].dims[2:]
    columns = step.op("Stack", parts, axis=2)
    columns = step.reshape(columns, [x.dims[0], group, inputs * len(parts), product(space)])
    rows = step.reshape(kernel, [1, group, filters // group, inputs * len(parts)])
    y = step.op("Gemm", rows, columns)
    return step.reshape(y, [x.dims[0], filters, *space])
