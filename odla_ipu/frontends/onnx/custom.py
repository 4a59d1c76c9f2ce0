"""Converters of operators that ODLA has no function for and that are custom ops of ours."""

from typing import List

import numpy as np

from ...graph import Value
from ...types import ElementType
from .convert import Step, Unsupported, converter

_INT64 = ElementType.INT64


@converter("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def _bitwise(step: Step, x: Value, y: Value) -> Value:
    return step.custom(step.node.op, [x, y])


@converter("BitwiseNot")
def _bitwise_not(step: Step, x: Value) -> Value:
    if x.element_type is ElementType.UINT64:
        raise Unsupported("UINT64 numbers have 32 bits on the device; cast to UINT32")
    return step.custom("BitwiseNot", [x])


@converter("ReverseSequence")
def _reverse_sequence(step: Step, x: Value, lengths: Value) -> Value:
    """With known lengths a GatherElements with constant positions, else a kernel."""
    time, batch = step.get("time_axis", 0), step.get("batch_axis", 1)
    if lengths.data is None:
        return step.custom("ReverseSequence", [x, lengths], batch_axis=batch, time_axis=time)
    positions = np.arange(x.dims[time])
    known = lengths.data.tolist()
    table = np.stack([np.where(positions < n, n - 1 - positions, positions) for n in known])
    if time < batch:
        table = table.T
    dims = [dim if axis in (time, batch) else 1 for axis, dim in enumerate(x.dims)]
    indices = np.broadcast_to(table.reshape(dims), x.dims).astype(np.int32)
    return step.op("GatherElements", x, step.constant(indices), axis=time)


@converter("NonZero")
def _non_zero(step: Step, x: Value) -> Value:
    """The positions of all elements, of which Compress leaves those that are not 0."""
    if x.data is not None:
        return step.constant(np.array(np.nonzero(x.data), np.int64))
    count = x.type.elements
    positions = np.indices(x.dims).reshape(x.rank, count) if x.rank else np.zeros((1, 1))
    is_wanted = step.cast(step.reshape(x, [count]), ElementType.BOOL)
    return step.op("Compress", step.constant(positions, np.int64), is_wanted, axis=1)


@converter("Unique")
def _unique(step: Step, x: Value) -> List[Value]:
    """Sorted, an element is new where it differs from the one before it; Compress leaves those.

    Results: the elements, where each came first, which one each element of x is, how many of each.
    """
    if step.get("axis", None) is not None or not step.get("sorted", 1):
        raise Unsupported("an axis, and unsorted results, are not available")
    count = x.type.elements
    ordered, places = step.customs("Sort", [step.reshape(x, [count])], axis=0)
    earlier, later = (step.slice(ordered, 0, start, count - 1 + start) for start in (0, 1))
    first = step.constant(np.ones(min(count, 1), bool))
    is_new = step.concat([first, step.op("NotEqual", later, earlier)], 0) if count > 1 else first
    # Of each element in order, the number of new ones before it.
    ranks = step.op(
        "CumSum",
        step.cast(is_new, ElementType.INT32),
        step.constant(0, np.int32),
        exclusion=False,
        reverse=False,
    )
    ranks = step.op("Sub", ranks, step.like(ranks, 1))
    zeros = step.constant(np.zeros(count, np.int32))
    inverse = step.custom("ScatterElements", [zeros, places, ranks], axis=0)
    ones = step.constant(np.ones(count, np.int32))
    sizes = step.custom("ScatterElements", [zeros, ranks, ones], axis=0, reduction="add")
    is_size = step.op("Greater", sizes, step.like(sizes, 0))
    return [
        step.op("Compress", ordered, is_new, axis=0),
        step.cast(step.op("Compress", places, is_new, axis=0), _INT64),
        step.cast(inverse, _INT64),
        step.cast(step.op("Compress", sizes, is_size, axis=0), _INT64),
    ]


@converter("AttentionMask")
@converter("AttentionMask", domain="com.graphcore")
def _attention_mask(step: Step, index: Value, data: Value) -> Value:
    return step.custom("custom_IpuAttentionMask", [index, data])
