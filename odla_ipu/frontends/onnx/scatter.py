"""Converters of operators that write into a tensor at given places: custom ops of PopART's."""

from typing import Optional

from ...graph import Value
from .convert import Step, converter


@converter("ScatterElements", "Scatter")
def _scatter_elements(step: Step, x: Value, indices: Value, updates: Value) -> Value:
    axis, reduction = step.get("axis", 0), step.get("reduction", "none")
    return step.custom("ScatterElements", [x, indices, updates], axis=axis, reduction=reduction)


@converter("ScatterND")
def _scatter_nd(step: Step, x: Value, indices: Value, updates: Value) -> Value:
    reduction = step.get("reduction", "none")
    return step.custom("ScatterND", [x, indices, updates], reduction=reduction)


@converter("MaxUnpool")
def _max_unpool(
    step: Step, x: Value, indices: Value, output_shape: Optional[Value] = None
) -> Value:
    """Indices count in the tensor that was pooled; a larger ``output_shape`` adds zeros."""
    window = step.get("kernel_shape")
    rank = len(window)
    if x.rank != rank + 2 or indices.dims != x.dims:
        raise step.error(
            f"x is {x.type}, its indices are {indices.type}, kernel_shape is {window}; accepted: "
            f"equal shapes of rank {rank + 2}"
        )
    strides = step.entries("strides", [1] * rank)
    pads = step.entries("pads", [0] * (2 * rank))
    dims = list(x.dims[:2]) + [
        (n - 1) * s + k - a - b
        for n, s, k, a, b in zip(x.dims[2:], strides, window, pads, pads[rank:])
    ]
    y = step.custom("MaxUnpool", [x, indices], output_shape=dims)
    if output_shape is None:
        return y
    wanted = step.integers(output_shape, "output_shape")
    missing = [want - dim for want, dim in zip(wanted, dims)]
    if len(wanted) != len(dims) or min(missing) < 0:
        raise step.error(f"output_shape is {wanted}; accepted: {dims} and larger")
    if not any(missing):
        return y
    return step.op("Pad", y, padding_front=[0] * len(dims), padding_back=missing)
