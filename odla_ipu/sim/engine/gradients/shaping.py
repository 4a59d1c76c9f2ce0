"""Ops that move, select and insert elements: their gradients move them back."""

from typing import List, Sequence

import numpy as np

from ..emitter import GRAPHCORE
from .rules import Backward, gradient


def _size(dims: Sequence[int]) -> int:
    return int(np.prod(dims, dtype=np.int64))


@gradient("Reshape", "Flatten", "Squeeze", "Unsqueeze")
@gradient("Reshape", domain=GRAPHCORE)
def _reshape(b: Backward) -> str:
    return b.reshape(b.g[0], b.dims())


@gradient("Transpose")
def _transpose(b: Backward) -> str:
    rank = len(b.dims())
    order = b.attribute("perm") or list(range(rank))[::-1]
    return b.transpose(b.g[0], np.argsort(order).tolist())


@gradient("Concat")
def _concat(b: Backward) -> List[str]:
    axis = b.attribute("axis", 1)
    sizes = [b.dims(index)[axis] for index in range(len(b.x))]
    return b.e.node("Split", [b.g[0], b.e.ints(sizes)], len(b.x), axis=axis)


@gradient("Split")
def _split(b: Backward) -> str:
    parts = [b.given(index) for index in range(len(b.g))]
    return b.e("Concat", *parts, axis=b.attribute("axis", 0))


@gradient("Slice")
def _slice(b: Backward) -> str:
    if len(b.op.inputs) == 1:
        return _slice_by_attributes(b)
    starts, ends, axes, steps = (b.op.constant(index) for index in range(1, 5))
    assert starts is not None and ends is not None
    rank, count = len(b.dims()), len(starts)
    given = [range(count) if axes is None else axes, [1] * count if steps is None else steps]
    taken: List[slice] = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, *given):
        taken[int(axis) % rank] = slice(*_bounds(int(start), int(end), int(step), b.dims()[axis]))
    return _put_back(b, taken)


def _bounds(start: int, end: int, step: int, size: int) -> Sequence[object]:
    """Python's slice of an axis for ONNX's numbers."""
    if step < 0:
        start = min(max(start + size if start < 0 else start, -1), size - 1)
        end = max(end + size if end < 0 else end, -1)
        return start, None if end < 0 else end, step
    return start, end, step


@gradient("Slice", domain=GRAPHCORE)
def _slice_by_attributes(b: Backward) -> str:
    starts, ends = b.attribute("starts"), b.attribute("ends")
    rank = len(b.dims())
    taken: List[slice] = [slice(None)] * rank
    for start, end, axis in zip(starts, ends, b.attribute("axes") or range(len(starts))):
        taken[axis % rank] = slice(start, end)
    return _put_back(b, taken)


@gradient("Subsample", domain=GRAPHCORE)
def _subsample(b: Backward) -> str:
    return _put_back(b, [slice(None, None, step) for step in b.attribute("strides")])


def _put_back(b: Backward, taken: Sequence[slice]) -> str:
    """Each element where a slice took it from, zeros elsewhere."""
    dims = b.dims()
    places = [range(size)[one] for size, one in zip(dims, taken)]
    if all(abs(one.step) == 1 or len(one) == 1 for one in places):
        return _padded_back(b, places)
    flat = np.arange(_size(dims), dtype=np.int64).reshape(dims)[tuple(taken)]
    return _scattered(b, dims, flat.reshape(-1), b.g[0])


def _padded_back(b: Backward, places: Sequence[range]) -> str:
    """Contiguous pieces: reversed where the slice went backwards, then padded."""
    name, dims = b.g[0], b.dims()
    backwards = [axis for axis, one in enumerate(places) if one.step < 0 and len(one) > 1]
    if backwards:
        ones = [-1] * len(backwards)
        name = b.e.slice(name, ones, [-(2**31)] * len(backwards), backwards, ones)
    firsts = [min(one) if len(one) else 0 for one in places]
    behind = [size - first - len(one) for size, first, one in zip(dims, firsts, places)]
    return b.e("Pad", name, b.e.ints([*firsts, *behind]))


def _scattered(b: Backward, dims: Sequence[int], places: np.ndarray, updates: str) -> str:
    """Elements added to flat places of a tensor of zeros."""
    zeros = b.zeros([_size(dims)])
    flat = b.reshape(updates, [places.size])
    spread = b.e("ScatterElements", zeros, b.e.const(places), flat, axis=0, reduction="add")
    return b.reshape(spread, dims)


@gradient("Reverse", domain=GRAPHCORE)
def _reverse(b: Backward) -> str:
    axes = b.attribute("dimensions") or []
    if not axes:
        return b.g[0]
    ones = [-1] * len(axes)
    return b.e.slice(b.g[0], ones, [-(2**31)] * len(axes), axes, ones)


@gradient("Expand")
def _expand(b: Backward) -> str:
    return b.to(0, b.g[0])


@gradient("Tile")
def _tile(b: Backward) -> str:
    repeats = b.op.constant(1)
    assert repeats is not None
    split = [size for pair in zip(repeats.tolist(), b.dims()) for size in pair]
    return b.sum(b.reshape(b.g[0], split), range(0, len(split), 2), keep=0)


@gradient("Pad")
def _pad(b: Backward) -> str:
    pads = b.op.constant(1)
    amounts = b.attribute("pads") if pads is None else pads.tolist()
    return b.e("Pad", b.g[0], b.e.ints([-amount for amount in amounts]))


# At indices.


@gradient("Gather")
def _gather(b: Backward) -> str:
    """Rows are added to where they come from."""
    dims, rank = list(b.dims()), len(b.dims())
    axis = b.attribute("axis", 0) % rank
    count = _size(b.dims(1))
    updates = b.reshape(b.g[0], [*dims[:axis], count, *dims[axis + 1 :]])
    column = [count if place == axis else 1 for place in range(rank)]
    indices = b.expand(b.reshape(b.as_int64(1), column), [*dims[:axis], count, *dims[axis + 1 :]])
    return b.e("ScatterElements", b.zeros(dims), indices, updates, axis=axis, reduction="add")


@gradient("GroupedGather", domain=GRAPHCORE)
def _grouped_gather(b: Backward) -> str:
    dims, rank = list(b.dims()), len(b.dims())
    axis, groups = b.attribute("axis", 0) % rank, b.attribute("group_size", 1)
    if groups == 1:
        return _gather(b)
    count = _size(b.dims(1)) // groups
    shape = [*dims[:axis], count, *dims[axis + 1 :]]
    column = [count if place == axis else groups if place == 0 else 1 for place in range(rank)]
    indices = b.expand(b.reshape(b.as_int64(1), column), shape)
    updates = b.reshape(b.g[0], shape)
    return b.e("ScatterElements", b.zeros(dims), indices, updates, axis=axis, reduction="add")


@gradient("Scatter", "ScatterElements")
def _scatter(b: Backward) -> List[str]:
    axis, indices = b.attribute("axis", 0), b.as_int64(1)
    kept = b.e("ScatterElements", b.g[0], indices, b.zeros(b.dims(2)), axis=axis)
    return [kept, "", b.e("GatherElements", b.g[0], indices, axis=axis)]


@gradient("OneHot")
def _one_hot(b: Backward) -> List[str]:
    """To the two values: sums of where each stands."""
    depth = b.op.constant(1)
    assert depth is not None
    size, rank = int(depth.reshape(())), len(b.result)
    axis = b.attribute("axis", -1)
    along = [1] * rank
    along[axis % rank] = size
    indices = b.e("Unsqueeze", b.as_int64(0), b.e.ints([axis]))
    hot = b.e("Equal", indices, b.e.const(np.arange(size).reshape(along), np.int64))
    zero, every = b.const(0), range(rank)
    off = b.sum(b.e("Where", hot, zero, b.g[0]), every, keep=0)
    on = b.sum(b.e("Where", hot, b.g[0], zero), every, keep=0)
    pair = [b.reshape(name, [1]) for name in (off, on)]
    return ["", "", b.e("Concat", *pair, axis=0)]


@gradient("TopK")
@gradient("Sort", domain=GRAPHCORE)
def _top_k(b: Backward) -> str:
    axis = b.attribute("axis", -1)
    if b.y[1]:
        indices = b.e.cast(b.y[1], np.int64)
    else:
        # Nothing reads the indices, so they are computed once more.
        count = b.result[axis]
        largest = b.attribute("largest", b.attribute("descending", 1))
        _, indices = b.e.node(
            "TopK", [b.x[0], b.e.ints([count])], 2, axis=axis, largest=largest, sorted=1
        )
    zeros = b.zeros(b.dims())
    return b.e("ScatterElements", zeros, indices, b.given(), axis=axis, reduction="add")


@gradient("DepthToSpace")
@gradient("DepthToSpace", domain=GRAPHCORE)
def _depth_to_space(b: Backward) -> str:
    size = b.attribute("blocksize")
    batch, channels, height, width = b.dims()
    depth = channels // size**2
    rows = b.reshape(b.g[0], [batch, depth, height, size, width, size])
    is_crd = b.attribute("mode", "DCR") == "CRD"
    order = [0, 1, 3, 5, 2, 4] if is_crd else [0, 3, 5, 1, 2, 4]
    return b.reshape(b.transpose(rows, order), b.dims())


@gradient("SpaceToDepth")
def _space_to_depth(b: Backward) -> str:
    size = b.attribute("blocksize")
    batch, channels, height, width = b.dims()
    rows = b.reshape(b.g[0], [batch, size, size, channels, height // size, width // size])
    return b.reshape(b.transpose(rows, [0, 3, 4, 1, 5, 2]), b.dims())


# Windows at run-time offsets.


def _window(b: Backward) -> Sequence[str]:
    """The flat int64 places of the window, and how many there are."""
    dims = b.dims()
    window = list(dims)
    offset = b.as_int64(1)
    positions = b.e.const(np.zeros((), np.int64))
    along = {}
    for place, (axis, size) in enumerate(zip(b.attribute("axes"), b.attribute("sizes"))):
        window[axis] = size
        start = b.e("Gather", offset, b.e.const(np.int64(place)), axis=0)
        steps = b.add(b.e.const(np.arange(size), np.int64), start)
        along[axis] = b.e("Mod", steps, b.e.const(np.int64(dims[axis])))
    for axis, size in enumerate(dims):
        column = [1] * len(dims)
        column[axis] = window[axis]
        steps = along.get(axis) or b.e.const(np.arange(size), np.int64)
        stride = b.e.const(np.int64(_size(dims[axis + 1 :])))
        positions = b.add(positions, b.mul(b.reshape(steps, column), stride))
    count = _size(window)
    return b.reshape(b.expand(positions, window), [count]), b.e.ints([count])


@gradient("DynamicSlice", domain=GRAPHCORE)
def _dynamic_slice(b: Backward) -> str:
    places, count = _window(b)
    flat = b.e("Reshape", b.g[0], count)
    zeros = b.zeros([_size(b.dims())])
    spread = b.e("ScatterElements", zeros, places, flat, axis=0, reduction="add")
    return b.reshape(spread, b.dims())


@gradient("DynamicUpdate", "DynamicZero", "DynamicAdd", domain=GRAPHCORE)
def _dynamic_update(b: Backward) -> List[str]:
    places, count = _window(b)
    flat = b.reshape(b.g[0], [_size(b.dims())])
    kept = b.g[0]
    if b.op.type != "DynamicAdd":
        zeros = b.e("Expand", b.const(0), count)
        kept = b.reshape(b.e("ScatterElements", flat, places, zeros, axis=0), b.dims())
    if len(b.x) < 3:
        return [kept]
    taken = b.e("GatherElements", flat, places, axis=0)
    return [kept, "", b.reshape(taken, b.dims(2))]
