"""Converters of operators that write into a tensor at given places: custom ops of PopART's."""

from typing import Optional

import numpy as np

from ...graph import Value
from ...types import ElementType
from .convert import Step, converter

_INT32 = ElementType.INT32


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


@converter("TensorScatter")
def _tensor_scatter(step: Step, x: Value, updates: Value, places: Optional[Value] = None) -> Value:
    """Rows of an axis replaced by consecutive ones of the updates, from a place for each batch."""
    axis = step.axis(step.get("axis", -2), x.rank)
    batch, size = x.dims[0], x.dims[axis]
    count = updates.dims[axis] if updates.rank == x.rank else 0
    others = [dim for at, dim in enumerate(x.dims) if at != axis]
    if (
        axis == 0
        or not 0 < count <= size
        or others != [dim for at, dim in enumerate(updates.dims) if at != axis]
    ):
        raise step.error(
            f"the cache is {x.type}, the update {updates.type}, axis is {axis}; accepted: an axis "
            "after the first one, and no more of it in the update"
        )
    if places is None:
        places = step.constant(np.zeros(batch), np.int64)
    if places.dims != (batch,):
        raise step.error(f"write_indices are {places.type}; accepted: {batch} numbers")
    # The row of the updates that each row of the result would come from.
    start = step.reshape(step.cast(places, _INT32), [batch, 1])
    row = step.op("Sub", step.constant(np.arange(size).reshape(1, size), np.int32), start)
    if step.get("mode", "linear") == "circular":
        row = step.op("Mod", row, step.like(row, size))
    zero = step.like(row, 0)
    is_updated = step.op(
        "And",
        step.op("GreaterOrEqual", row, zero),
        step.op("Less", row, step.like(row, count)),
    )
    held = step.op("Select", is_updated, row, zero)
    order = [0, axis, *(at for at in range(1, x.rank) if at != axis)]
    taken = step.op(
        "GatherND",
        step.transpose(updates, order),
        step.reshape(held, [batch, size, 1]),
        num_batch_dims=1,
    )
    chosen = step.op(
        "Select",
        step.reshape(is_updated, [batch, size, *[1] * (x.rank - 2)]),
        taken,
        step.transpose(x, order),
    )
    return step.transpose(chosen, sorted(range(x.rank), key=order.__getitem__))
