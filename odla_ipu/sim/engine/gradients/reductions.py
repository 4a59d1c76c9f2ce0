"""Reductions, sums along an axis, scatter-reductions."""

from typing import List

import numpy as np

from ..emitter import GRAPHCORE
from ..reductions import expanded_indices
from .rules import Backward, gradient


def _kept(b: Backward) -> List[int]:
    """The shape of the result with its reduced axes kept as 1."""
    dims = list(b.dims())
    axes = [axis % len(dims) for axis in b.attribute("axes") or range(len(dims))]
    return [1 if axis in axes else size for axis, size in enumerate(dims)]


def _spread(b: Backward, name: str) -> str:
    """A value of the result's shape, so that it broadcasts to the operand's."""
    return b.reshape(name, _kept(b))


def _count(b: Backward) -> int:
    ratios = [size for size, kept in zip(b.dims(), _kept(b)) if kept != size]
    return int(np.prod(ratios, dtype=np.int64))


@gradient("ReduceSum")
def _sum(b: Backward) -> str:
    return b.expand(_spread(b, b.g[0]), b.dims())


@gradient("ReduceMean")
def _mean(b: Backward) -> str:
    return b.expand(_spread(b, b.scaled(b.g[0], 1 / max(_count(b), 1))), b.dims())


@gradient("ReduceSumSquare")
def _sum_square(b: Backward) -> str:
    return b.mul(_spread(b, b.scaled(b.g[0], 2)), b.x[0])


@gradient("ReduceL1")
def _l1(b: Backward) -> str:
    return b.mul(_spread(b, b.g[0]), b.e("Sign", b.x[0]))


@gradient("ReduceL2")
def _l2(b: Backward) -> str:
    return b.mul(_spread(b, b.div(b.g[0], b.y[0])), b.x[0])


@gradient("ReduceLogSum")
def _log_sum(b: Backward) -> str:
    return b.expand(_spread(b, b.div(b.g[0], b.e("Exp", b.y[0]))), b.dims())


@gradient("ReduceLogSumExp")
def _log_sum_exp(b: Backward) -> str:
    share = b.e("Exp", b.sub(b.x[0], _spread(b, b.y[0])))
    return b.mul(_spread(b, b.g[0]), share)


@gradient("ReduceMax", "ReduceMin")
def _extreme(b: Backward) -> str:
    """Every element that is the extreme has the full gradient."""
    is_extreme = b.e("Equal", b.x[0], _spread(b, b.y[0]))
    return b.e("Where", is_extreme, _spread(b, b.g[0]), b.const(0))


@gradient("ReduceProd")
def _product(b: Backward) -> str:
    """The product of all others, since there may be zeros."""
    dims, kept = list(b.dims()), _kept(b)
    rank = len(dims)
    reduced = [axis for axis in range(rank) if kept[axis] != dims[axis]]
    staying = [axis for axis in range(rank) if axis not in reduced]
    order = [*staying, *reduced]
    count = _count(b)
    rows = int(np.prod([dims[axis] for axis in staying], dtype=np.int64))
    matrix = b.reshape(b.transpose(b.x[0], order) if rank else b.x[0], [rows, 1, count])
    others = 1 - np.eye(count, dtype=np.float32)
    one = b.const(1)
    factors = b.e("Where", b.e.const(others.astype(np.bool_)), matrix, one)
    products = b.e("ReduceProd", factors, axes=[2], keepdims=0)
    products = b.reshape(products, [dims[axis] for axis in order])
    back = b.transpose(products, np.argsort(order).tolist()) if rank else products
    return b.mul(_spread(b, b.g[0]), back)


@gradient("ReduceMedian", domain=GRAPHCORE)
def _median(b: Backward) -> str:
    """To the one element whose place is the second result, or the first that is equal."""
    axes = [axis for axis, (size, kept) in enumerate(zip(b.dims(), _kept(b))) if size != kept]
    order = [axis for axis in range(len(b.dims())) if axis not in axes] + axes
    moved = [b.dims()[axis] for axis in order]
    count = _count(b)
    rows = int(np.prod(moved, dtype=np.int64)) // max(count, 1)
    equal = b.e.cast(b.e("Equal", b.x[0], _spread(b, b.y[0])), np.float32)
    flat = b.reshape(b.transpose(equal, order), [rows, count])
    first = b.e("ArgMax", flat, axis=1, keepdims=1)
    spread = b.e(
        "ScatterElements", b.zeros([rows, count]), first, b.reshape(b.g[0], [rows, 1]), axis=1
    )
    return b.transpose(b.reshape(spread, moved), np.argsort(order).tolist())


@gradient("CumSum")
def _cum_sum(b: Backward) -> str:
    axis = b.op.constant(1)
    assert axis is not None
    return b.e(
        "CumSum",
        b.g[0],
        b.e.const(axis.reshape(()), np.int64),
        exclusive=b.attribute("exclusive", 0),
        reverse=1 - b.attribute("reverse", 0),
    )


SUM, MAX, MIN, MUL, NONE = range(5)
"""PopART's numbers of the reductions of ScatterReduce."""


@gradient("ScatterReduce", domain=GRAPHCORE)
def _scatter_reduce(b: Backward) -> List[str]:
    dims = list(b.dims())
    axis = b.attribute("axis", -1) % len(dims)
    groups = b.attribute("group_size", 1)
    indices, index_dims = expanded_indices(b.e, b.op, b.x[1], dims, axis, groups)
    kind = int(b.attribute("reduction", SUM))

    def gathered(name: str) -> str:
        return b.e("GatherElements", name, indices, axis=axis)

    data = b.x[0]
    if index_dims != dims:
        data = b.e.slice(data, [0] * len(dims), index_dims, range(len(dims)))
    by_data = gathered(b.g[0])
    by_start = b.g[0]
    if kind in (MAX, MIN):
        by_data = b.where(b.e("Equal", data, gathered(b.y[0])), by_data)
    elif kind == MUL:
        by_data = b.mul(by_data, b.div(gathered(b.y[0]), data))
    if index_dims != dims:
        behind = [size - index for size, index in zip(dims, index_dims)]
        by_data = b.e("Pad", by_data, b.e.ints([*[0] * len(dims), *behind]))
    if len(b.x) < 3 or not b.x[2]:
        return [by_data]
    if kind in (MAX, MIN):
        by_start = b.where(b.e("Equal", b.y[0], b.x[2]), by_start)
    elif kind == MUL:
        by_start = b.mul(by_start, b.div(b.y[0], b.x[2]))
    elif kind == NONE:
        by_start = b.e("ScatterElements", by_start, indices, b.zeros(index_dims), axis=axis)
    return [by_data, "", by_start]
