"""Reductions, sorting, searching, scatter-reductions and losses."""

from typing import TYPE_CHECKING, List, Optional, Sequence

import numpy as np

from .emitter import GRAPHCORE, Emitter, emits, wide_type

if TYPE_CHECKING:
    from ..ir import Op


def _axes(op: "Op") -> Optional[List[int]]:
    return list(op.attributes.get("axes") or []) or None


_REDUCTIONS = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMean",
    "ReduceProd",
    "ReduceSumSquare",
]


@emits(*_REDUCTIONS)
def _reduce(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0], axes=_axes(op), keepdims=op.attributes.get("keepdims", 1))


@emits("ReduceMax", "ReduceMin", exact=True)
def _reduce_extreme(e: Emitter, op: "Op", x: List[str]) -> str:
    return e(op.type, x[0], axes=_axes(op), keepdims=op.attributes.get("keepdims", 1))


@emits("ReduceSum")
def _reduce_sum(e: Emitter, op: "Op", x: List[str]) -> str:
    axes = _axes(op)
    keep = op.attributes.get("keepdims", 1)
    return e("ReduceSum", x[0], e.ints(axes) if axes else "", keepdims=keep)


@emits("CumSum", static=(1,))
def _cum_sum(e: Emitter, op: "Op", x: List[str]) -> str:
    axis = op.constant(1)
    assert axis is not None
    return e(
        "CumSum",
        x[0],
        e.const(axis.reshape(()), np.int64),
        exclusive=op.attributes.get("exclusive", 0),
        reverse=op.attributes.get("reverse", 0),
    )


@emits("ArgMax", "ArgMin")
def _arg(e: Emitter, op: "Op", x: List[str]) -> str:
    axis, keep = op.attributes.get("axis", 0), op.attributes.get("keepdims", 1)
    if op.operand(0).dtype != np.uint32:
        return e.cast(e(op.type, x[0], axis=axis, keepdims=keep), np.int32)
    # UINT32 is carried in int64, for which onnxruntime up to 1.19 has no such kernel.
    _, index = _top(e, x[0], 1, axis, int(op.type == "ArgMax"))
    return index if keep else e("Squeeze", index, e.ints([axis]))


@emits("TopK", exact=True, static=(1,))
def _top_k(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    k = op.constant(1)
    count = int(op.attributes["k"]) if k is None else int(k.reshape(()))
    axis = op.attributes.get("axis", -1)
    largest = op.attributes.get("largest", 1)
    ordered = op.attributes.get("sorted", 1)
    return _top(e, x[0], count, axis, largest, ordered)


def _top(
    e: Emitter, name: str, count: int, axis: int, largest: int, ordered: int = 1
) -> Sequence[str]:
    values, indices = e.node(
        "TopK", [name, e.ints([count])], 2, axis=axis, largest=largest, sorted=ordered
    )
    return [values, e.cast(indices, np.int32)]


@emits("Sort", domain=GRAPHCORE, exact=True)
def _sort(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    axis = op.attributes.get("axis", -1)
    descending = op.attributes.get("descending", 0)
    return _top(e, x[0], op.operand(0).shape[axis], axis, descending)


@emits("ReduceMedian", domain=GRAPHCORE, exact=True)
def _reduce_median(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    """The lower median: element (n - 1) // 2 of the sorted reduced elements."""
    shape = op.operand(0).shape
    rank = len(shape)
    axes = sorted(axis % rank for axis in (_axes(op) or range(rank)))
    kept = [axis for axis in range(rank) if axis not in axes]
    count = int(np.prod([shape[axis] for axis in axes], dtype=np.int64))
    rows = e("Transpose", x[0], perm=kept + axes) if rank else x[0]
    rows = e.reshape(rows, [int(np.prod([shape[a] for a in kept], dtype=np.int64)), count])
    at = e.const(np.int64((count - 1) // 2))
    return [
        e.reshape(e("Gather", sorted_, at, axis=1), op.result.shape)
        for sorted_ in _top(e, rows, count, 1, 0)
    ]


@emits("Bucketize", domain=GRAPHCORE)
def _bucketize(e: Emitter, op: "Op", x: List[str]) -> str:
    """The number of boundaries below each element (``right``: not above it); NaN has all."""
    column = e("Unsqueeze", x[0], e.ints([-1]))
    inside = e("LessOrEqual" if not op.attributes.get("right") else "Less", column, x[1])
    below = e.cast(e("Not", inside), np.int32)
    return e("ReduceSum", below, e.ints([-1]), keepdims=0)


# Scatter-reductions.


@emits("ScatterReduce", domain=GRAPHCORE)
def _scatter_reduce(e: Emitter, op: "Op", x: List[str]) -> str:
    groups = op.attributes.get("group_size", 1)
    shape = list(op.operand(0).shape)
    axis = op.attributes.get("axis", -1) % len(shape)
    indices, index_shape = expanded_indices(e, op, x[1], shape, axis, groups)
    data = x[0]
    if index_shape != shape:
        data = e.slice(data, [0] * len(shape), index_shape, range(len(shape)))
    kind = int(op.attributes.get("reduction", 0))
    initial = x[2] if len(x) > 2 else ""
    target = list(op.result.shape)
    if kind in (0, 3, 4):
        start = initial or _constant(e, op, 1 if kind == 3 else 0, target)
        reduction = {0: "add", 3: "mul"}.get(kind)
        return e("ScatterElements", start, indices, data, axis=axis, reduction=reduction)
    return _scatter_extreme(e, op, data, indices, index_shape[axis], axis, kind == 1, initial)


def _constant(e: Emitter, op: "Op", value: int, shape: Sequence[int]) -> str:
    return e("Expand", e.const(value, wide_type(op.operand(0).dtype)), e.ints(shape))


def expanded_indices(
    e: Emitter, op: "Op", name: str, shape: List[int], axis: int, groups: int
) -> "tuple[str, List[int]]":
    """Indices of full rank as int64, and their shape."""
    given = list(op.operand(1).shape)
    name = e.cast(name, np.int64)
    if op.attributes.get("enable_index_broadcast", 1) and given != shape:
        column = [1] * len(shape)
        column[axis] = shape[axis]
        if groups > 1:
            column[0] = groups
        return e("Expand", e.reshape(name, column), e.ints(shape)), shape
    full = given + [1] * (len(shape) - len(given))
    return (e.reshape(name, full) if full != given else name), full


def _scatter_extreme(
    e: Emitter,
    op: "Op",
    data: str,
    indices: str,
    length: int,
    axis: int,
    maximum: bool,
    initial: str,
) -> str:
    """Max or Min: written in ascending (descending) order, so that the extreme comes last."""
    values, order = e.node(
        "TopK", [data, e.ints([length])], 2, axis=axis, largest=0 if maximum else 1, sorted=1
    )
    indices = e("GatherElements", indices, order, axis=axis)
    target = op.result.shape
    start = initial or _constant(e, op, 0, target)
    written = e("ScatterElements", start, indices, values, axis=axis)
    if not initial:
        return written
    touched = e(
        "ScatterElements",
        e("Expand", e.const(np.float32(0)), e.ints(target)),
        indices,
        e.cast(e("GreaterOrEqual", order, e.const(np.int64(0))), np.float32),
        axis=axis,
    )
    extreme = e("Max" if maximum else "Min", written, initial)
    return e("Where", e.cast(touched, np.bool_), extreme, initial)


# Losses.

SUM, MEAN, NO_REDUCTION = 0, 1, 2


def reduction_of(op: "Op") -> int:
    """The attribute as "Sum", "Mean", "None", or PopART's number of it."""
    given = op.attributes.get("reduction", "Mean")
    if isinstance(given, str):
        return {"Sum": SUM, "Mean": MEAN}.get(given, NO_REDUCTION)
    return int(given)


def _reduced(e: Emitter, op: "Op", name: str) -> str:
    kind = reduction_of(op)
    if kind == NO_REDUCTION:
        return name
    return e("ReduceSum" if kind == SUM else "ReduceMean", name, keepdims=0)


@emits("IdentityLoss", domain=GRAPHCORE)
def _identity_loss(e: Emitter, op: "Op", x: List[str]) -> str:
    return _reduced(e, op, x[0])


@emits("L1", domain=GRAPHCORE)
def _l1(e: Emitter, op: "Op", x: List[str]) -> str:
    factor = e.scalar(op.attributes["lambda"], op.operand(0))
    return _reduced(e, op, e("Mul", e("Abs", x[0]), factor))


@emits("Nll", domain=GRAPHCORE)
def _nll(e: Emitter, op: "Op", x: List[str]) -> str:
    classes = op.operand(0).shape[-1]
    labels = e.cast(x[1], np.int64)
    column = e("Unsqueeze", labels, e.ints([-1]))
    hot = e("Equal", column, e.const(np.arange(classes), np.int64))
    chosen = e("Where", hot, x[0], e.const(np.float32(0)))
    probability = e("ReduceSum", chosen, e.ints([-1]), keepdims=0)
    if op.attributes.get("inputIsLogProbability"):
        loss = e("Neg", probability)
    else:
        smallest = 6.104e-5 if op.operand(0).dtype == np.float16 else 1e-7
        clamped = e("Max", probability, e.const(np.float32(smallest)))
        loss = e("Neg", e("Log", clamped))
    ignored = op.attributes.get("ignoreIndex")
    if ignored is None:
        return _reduced(e, op, loss)
    counted = e("Not", e("Equal", labels, e.const(np.int64(ignored))))
    loss = e("Where", counted, loss, e.const(np.float32(0)))
    kind = reduction_of(op)
    if kind == NO_REDUCTION:
        return loss
    total = e("ReduceSum", loss, keepdims=0)
    if kind == SUM:
        return total
    count = e("ReduceSum", e.cast(counted, np.float32), keepdims=0)
    return e("Div", total, e("Max", count, e.const(np.float32(1))))
