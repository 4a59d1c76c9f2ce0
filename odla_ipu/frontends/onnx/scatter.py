"""Converters of operators that write into a tensor at given places.

No ODLA op does that.  Read backwards it is a choice: every element of the result comes from the
last update that names it, or from the input.  Which update that is becomes a table when the places
are constant; else every place is compared with every element, which is refused from ``PAIRS`` on.
"""

from typing import Optional

import numpy as np

from ...graph import Value
from ...types import ElementType, product
from .convert import Step, Unsupported, converter

PAIRS = 1 << 24
"""Most comparisons of a place that is computed at run time with an element of the result."""

ROUNDS = 64
"""Most updates of one element that are reduced one after the other."""

_INT32 = ElementType.INT32

_REDUCTIONS = {
    "add": ("Add", "ReduceSum"),
    "mul": ("Mul", "ReduceProd"),
    "max": ("Max", "ReduceMax"),
    "min": ("Min", "ReduceMin"),
}


@converter("ScatterElements", "Scatter")
def _scatter_elements(step: Step, x: Value, indices: Value, updates: Value) -> Value:
    axis = step.axis(step.get("axis", 0), x.rank)
    if indices.dims != updates.dims or indices.rank != x.rank:
        raise step.error(
            f"data is {x.type}, indices are {indices.type}, updates {updates.type}; accepted: one "
            "rank, and indices and updates of one shape"
        )
    if any(n > d for at, (n, d) in enumerate(zip(indices.dims, x.dims)) if at != axis):
        raise step.error(
            f"indices are {indices.type}; accepted: no more than the data, {x.type}, along other "
            f"axes than {axis}"
        )
    if updates.type.elements == 0:
        return x
    part = x
    for at, size in enumerate(indices.dims):
        if at != axis:
            part = step.slice(part, at, 0, size)
    order = [at for at in range(x.rank) if at != axis] + [axis]
    lines = product([indices.dims[at] for at in order[:-1]])
    y = _scattered(
        step,
        step.reshape(step.transpose(part, order), [lines, x.dims[axis], 1]),
        step.reshape(
            step.transpose(_from_front(step, indices, x.dims[axis]), order),
            [lines, indices.dims[axis]],
        ),
        step.reshape(step.transpose(updates, order), [lines, indices.dims[axis], 1]),
    )
    y = step.reshape(y, [part.dims[at] for at in order])
    return _put_back(step, x, step.transpose(y, np.argsort(order).tolist()))


def _put_back(step: Step, x: Value, part: Value) -> Value:
    """``x`` with its first elements along all axes replaced by ``part``."""
    for axis, size in enumerate(x.dims):
        if part.dims[axis] == size:
            continue
        rest = step.slice(x, axis, part.dims[axis], size)
        for later in range(axis + 1, x.rank):
            rest = step.slice(rest, later, 0, part.dims[later])
        part = step.concat([part, rest], axis)
    return part


@converter("ScatterND")
def _scatter_nd(step: Step, x: Value, indices: Value, updates: Value) -> Value:
    length = indices.dims[-1] if indices.rank else 0
    if not 1 <= length <= x.rank:
        raise step.error(
            f"indices are {indices.type}; accepted: 1 to {x.rank} in the last dimension for the "
            f"data {x.type}"
        )
    count = product(indices.dims[:-1])
    rows, row = product(x.dims[:length]), product(x.dims[length:])
    if updates.dims != (*indices.dims[:-1], *x.dims[length:]):
        raise step.error(
            f"updates are {updates.type}; accepted: "
            f"{[*indices.dims[:-1], *x.dims[length:]]} for the indices {indices.type} of the data "
            f"{x.type}"
        )
    if updates.type.elements == 0:
        return x
    table = step.reshape(indices, [count, length])
    places: Optional[Value] = None
    for axis, dim in enumerate(x.dims[:length]):
        column = _from_front(step, step.slice(table, 1, axis, axis + 1), dim)
        stride = product(x.dims[axis + 1 : length])
        if stride != 1:
            column = step.op("Mul", column, step.like(column, stride))
        places = column if places is None else step.op("Add", places, column)
    assert places is not None
    y = _scattered(
        step,
        step.reshape(x, [1, rows, row]),
        step.reshape(places, [1, count]),
        step.reshape(updates, [1, count, row]),
    )
    return step.reshape(y, x.dims)


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
    count, size = x.type.elements, product(dims)
    y = _scattered(
        step,
        step.constant(np.zeros([1, size, 1]), x.element_type.dtype),
        step.reshape(_from_front(step, indices, size), [1, count]),
        step.reshape(x, [1, count, 1]),
    )
    y = step.reshape(y, dims)
    if output_shape is None:
        return y
    wanted = step.integers(output_shape, "output_shape")
    missing = [want - dim for want, dim in zip(wanted, dims)]
    if len(wanted) != len(dims) or min(missing) < 0:
        raise step.error(f"output_shape is {wanted}; accepted: {dims} and larger")
    if not any(missing):
        return y
    return step.op("Pad", y, padding_front=[0] * len(dims), padding_back=missing)


def _from_front(step: Step, indices: Value, size: int) -> Value:
    """INT32 indices of an axis, all counted from its front."""
    if indices.data is not None:
        known = indices.data.astype(np.int64)
        if known.size and not -size <= known.min() <= known.max() < size:
            raise step.error(
                f"indices reach from {known.min()} to {known.max()}; accepted: {-size} to "
                f"{size - 1}"
            )
        return step.constant(np.where(known < 0, known + size, known), np.int32)
    indices = step.cast(indices, _INT32)
    is_from_end = step.op("Less", indices, step.like(indices, 0))
    return step.op(
        "Select", is_from_end, step.op("Add", indices, step.like(indices, size)), indices
    )


def _scattered(step: Step, x: Value, places: Value, updates: Value) -> Value:
    """``updates`` [L,I,Q] at ``places`` [L,I] of ``x`` [L,D,Q], of which the last one counts.

    The attribute ``reduction`` says whether and how they combine with each other and x.
    """
    reduction = step.get("reduction", "none")
    if reduction != "none" and reduction not in _REDUCTIONS:
        raise step.error(
            f"reduction is '{reduction}'; accepted: none, {', '.join(sorted(_REDUCTIONS))}"
        )
    lines, size, row = x.dims
    if places.data is not None:
        return _by_tables(step, x, places.data, updates, reduction)
    pairs = lines * size * places.dims[1] * (1 if reduction == "none" else row)
    if pairs > PAIRS:
        raise Unsupported(
            f"{places.dims[1]} places, computed at run time, in {size} rows need {pairs} "
            f"comparisons; accepted: {PAIRS}, or constant places"
        )
    numbers = step.constant(np.arange(size), np.int32)
    is_place = step.op("Equal", step.reshape(places, [*places.dims, 1]), numbers)
    if reduction != "none":
        combine, reduce = _REDUCTIONS[reduction]
        chosen = step.op(
            "Select",
            step.reshape(is_place, [*is_place.dims, 1]),
            step.reshape(updates, [lines, places.dims[1], 1, row]),
            step.like(x, _neutral(x.element_type, reduction)),
        )
        return step.op(combine, x, step.op(reduce, chosen, axes=[1], keep_dims=False))
    order = step.constant(np.arange(1, places.dims[1] + 1).reshape(-1, 1), np.int32)
    order = step.op("Select", is_place, order, step.like(order, 0))
    return _updated(step, x, step.op("ReduceMax", order, axes=[1], keep_dims=False), updates)


def _neutral(kind: ElementType, reduction: str) -> float:
    """What changes nothing when it is combined with a number."""
    if reduction in ("add", "mul"):
        return 0 if reduction == "add" else 1
    if kind.is_float:
        return -np.inf if reduction == "max" else np.inf
    limits = np.iinfo(kind.dtype)
    return limits.min if reduction == "max" else limits.max


def _by_tables(step: Step, x: Value, places: np.ndarray, updates: Value, reduction: str) -> Value:
    if reduction == "none":
        return _updated(step, x, _table(step, x, places, np.ones(places.shape, bool)), updates)
    earlier = _earlier(places)
    if earlier.max() >= ROUNDS:
        raise Unsupported(
            f"{earlier.max() + 1} updates of one element are reduced; accepted: {ROUNDS}"
        )
    for index in range(earlier.max() + 1):
        table = _table(step, x, places, earlier == index)
        x = _updated(step, x, table, updates, _REDUCTIONS[reduction][0])
    return x


def _earlier(places: np.ndarray) -> np.ndarray:
    """How many updates of the same place in the same line come before each one."""
    order = np.argsort(places, axis=1, kind="stable")
    ordered = np.take_along_axis(places, order, 1)
    numbers = np.arange(places.shape[1])
    is_first = np.diff(ordered, axis=1, prepend=-1) != 0
    counts = numbers - np.maximum.accumulate(np.where(is_first, numbers, 0), axis=1)
    result = np.empty_like(counts)
    np.put_along_axis(result, order, counts, 1)
    return result


def _table(step: Step, x: Value, places: np.ndarray, counts: np.ndarray) -> Value:
    """[L,D]: the last update of each element among those that count, from 1; 0 without any."""
    table = np.zeros(x.dims[:2], np.int32)
    lines, updates = np.nonzero(counts)  # in order, so that the last one stays
    table[lines, places[lines, updates]] = updates + 1
    return step.constant(table)


def _updated(
    step: Step, x: Value, table: Value, updates: Value, combine: Optional[str] = None
) -> Value:
    zero = step.like(table, 0)
    is_updated = step.reshape(step.op("Greater", table, zero), [*table.dims, 1])
    rows = step.op("Max", step.op("Sub", table, step.like(table, 1)), zero)
    taken = step.op("GatherND", updates, step.reshape(rows, [*rows.dims, 1]), num_batch_dims=1)
    if combine:
        taken = step.op(combine, x, taken)
    return step.op("Select", is_updated, taken, x)


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
