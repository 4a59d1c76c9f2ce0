"""Converters of operators that move data or make it from shapes."""

from typing import List, Optional, Sequence, Tuple

import numpy as np

from ...graph import Value
from ...types import ElementType, broadcast, check_shape, product
from .convert import Results, Step, Unsupported, converter
from .model import element_type_of

FLOAT32, INT64 = ElementType.FLOAT32, ElementType.INT64

# Constants and shapes.


@converter("Constant")
def _constant(step: Step) -> Value:
    data = step.array("value")
    if data is not None:
        return step.constant(data)
    for name, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in step.node.attributes:
            return step.constant(step.get(name), dtype)
    given = ", ".join(step.node.attributes) or "no attribute"
    raise Unsupported(f"a constant given by {given}; accepted: dense numeric tensors")


@converter("Shape")
def _shape(step: Step, x: Value) -> Value:
    if not x.type.is_static:
        part = range(x.rank)[step.get("start", 0) : step.get("end", None)]
        return step.slice(step.op("Shape", x), 0, part.start, max(part.start, part.stop))
    dims = x.dims[step.get("start", 0) : step.get("end", None)]
    return step.constant(dims, np.int64)


@converter("Size")
def _size(step: Step, x: Value) -> Value:
    return step.constant(x.type.elements, np.int64)


@converter("ConstantOfShape")
def _constant_of_shape(step: Step, shape: Value) -> Value:
    value = step.array("value")
    if value is None:
        value = np.zeros(1, np.float32)
    if shape.data is None:
        one = step.constant(value.reshape([1] * _length(step, shape, "the shape")))
        return step.op("TileDynamic", one, shape)
    dims = check_shape(step.integers(shape, "the shape"), step.node.label)
    return step.constant(np.full(dims, value.reshape(-1)[0], value.dtype))  # type: ignore[arg-type]


def _length(step: Step, vector: Value, what: str) -> int:
    """The number of entries of an operand that is computed at run time."""
    if vector.rank != 1 or not vector.type.is_static:
        raise Unsupported(
            f"{what} is {vector.type} at run time; accepted: a vector of known length"
        )
    return vector.dims[0]


@converter("EyeLike")
def _eye_like(step: Step, x: Value) -> Value:
    if x.rank != 2:
        raise step.error(f"the input is {x.type}; accepted: rank 2")
    number = step.get("dtype", None)
    kind = x.element_type if number is None else element_type_of(number, step.node.label)
    return step.constant(np.eye(x.dims[0], x.dims[1], step.get("k", 0), kind.dtype))


@converter("Range")
def _range(step: Step, start: Value, limit: Value, delta: Value) -> Value:
    if start.data is None or limit.data is None or delta.data is None:
        return _computed_range(step, *(step.reshape(one, []) for one in (start, limit, delta)))
    first, end, by = (
        step.known(one, what).reshape(-1)[0]
        for one, what in ((start, "start"), (limit, "limit"), (delta, "delta"))
    )
    if by == 0:
        raise step.error("delta is 0; accepted: any other number")
    count = max(int(np.ceil((float(end) - float(first)) / float(by))), 0)
    return step.constant(first + np.arange(count).astype(first.dtype) * by, first.dtype)


def _computed_range(step: Step, start: Value, limit: Value, delta: Value) -> Value:
    """start + delta times the positions, which are the sums of as many ones as there are."""
    span = step.op("Sub", limit, start)
    kind = start.element_type
    steps = step.op("Ceil", step.op("Div", *(step.cast(one, FLOAT32) for one in (span, delta))))
    count = step.op("Max", step.cast(steps, INT64), step.constant(0, np.int64))
    ones = step.constant(np.ones(1, np.int32))
    ones = step.op("TileDynamic", ones, step.reshape(count, [1]))
    positions = step.op("CumSum", ones, step.constant(0, np.int32), exclusion=True)
    return step.op("Add", start, step.op("Mul", step.cast(positions, kind), delta))


@converter("OneHot")
def _one_hot(step: Step, indices: Value, depth: Value, values: Value) -> Value:
    count = int(step.number(depth, "depth"))
    return step.op("OneHot", indices, values, depth=count, axis=step.get("axis", -1))


@converter("Trilu")
def _trilu(step: Step, x: Value, diagonal: Optional[Value] = None) -> Value:
    if x.rank < 2:
        raise step.error(f"the input is {x.type}; accepted: rank 2 and more")
    offset = 0 if diagonal is None else step.integer(diagonal, "k")
    rows, columns = x.dims[-2:]
    if step.get("upper", 1):
        mask = ~np.tri(rows, columns, offset - 1, bool)
    else:
        mask = np.tri(rows, columns, offset, bool)
    return step.op("Select", step.constant(mask), x, step.like(x, 0))


# The same elements in another shape or order.


@converter("Reshape")
def _reshape(step: Step, x: Value, shape: Value) -> Value:
    if shape.data is None or not x.type.is_static:
        if step.get("allowzero", 0):
            raise Unsupported("allowzero is 1 and sizes are computed at run time; accepted: 0")
        return step.op("ReshapeDynamic", x, shape)
    wanted = step.integers(shape, "the shape")
    if not step.get("allowzero", 0):
        if any(dim == 0 and axis >= x.rank for axis, dim in enumerate(wanted)):
            raise step.error(f"the shape {wanted} copies a dimension that the input {x.type} lacks")
        wanted = [x.dims[axis] if dim == 0 else dim for axis, dim in enumerate(wanted)]
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        raise step.error(f"the shape is {wanted}; accepted: sizes, and one -1")
    if -1 in wanted:
        rest = product([dim for dim in wanted if dim != -1])
        wanted[wanted.index(-1)] = x.type.elements // rest if rest else 0
    if product(wanted) != x.type.elements:
        raise step.error(
            f"the input {x.type} has {x.type.elements} elements, the shape "
            f"{step.integers(shape, 'the shape')} means {product(wanted)}"
        )
    return step.reshape(x, wanted)


@converter("Flatten")
def _flatten(step: Step, x: Value) -> Value:
    axis = step.get("axis", 1)
    if axis != x.rank:
        axis = step.axis(axis, max(x.rank, 1))
    return step.reshape(x, [product(x.dims[:axis]), product(x.dims[axis:])])


def _given_axes(step: Step, axes: Optional[Value]) -> Optional[List[int]]:
    """Axes as an operand (newer opsets) or as an attribute; None when there are none."""
    return step.get("axes", None) if axes is None else step.integers(axes, "axes")


@converter("Squeeze")
def _squeeze(step: Step, x: Value, axes: Optional[Value] = None) -> Value:
    given = _given_axes(step, axes)
    if given is None:
        dropped = [axis for axis, dim in enumerate(x.dims) if dim == 1]
    else:
        dropped = step.axes(given, x.rank)
    if any(x.dims[axis] != 1 for axis in dropped):
        raise step.error(f"axes are {given}, the input is {x.type}; accepted: axes of size 1")
    return step.reshape(x, [dim for axis, dim in enumerate(x.dims) if axis not in dropped])


@converter("Unsqueeze")
def _unsqueeze(step: Step, x: Value, axes: Optional[Value] = None) -> Value:
    given = _given_axes(step, axes)
    if given is None:
        raise step.error("axes are missing")
    rank = x.rank + len(given)
    new = step.axes(given, rank)
    rest = iter(x.dims)
    return step.reshape(x, [1 if axis in new else next(rest) for axis in range(rank)])


@converter("Transpose")
def _transpose(step: Step, x: Value) -> Value:
    permutation = step.get("perm", None) or list(reversed(range(x.rank)))
    if sorted(permutation) != list(range(x.rank)):
        raise step.error(f"perm is {permutation}; accepted: a permutation of {x.rank} axes")
    return step.transpose(x, permutation)


@converter("DepthToSpace")
def _depth_to_space(step: Step, x: Value) -> Value:
    n, c, h, w = _images(step, x)
    size = step.get("blocksize")
    if c % (size * size):
        raise step.error(f"{c} channels are not a multiple of blocksize squared, {size * size}")
    c //= size * size
    if step.get("mode", "DCR") == "DCR":
        blocks, order = [n, size, size, c, h, w], [0, 3, 4, 1, 5, 2]
    else:
        blocks, order = [n, c, size, size, h, w], [0, 1, 4, 2, 5, 3]
    y = step.transpose(step.reshape(x, blocks), order)
    return step.reshape(y, [n, c, h * size, w * size])


@converter("SpaceToDepth")
def _space_to_depth(step: Step, x: Value) -> Value:
    n, c, h, w = _images(step, x)
    size = step.get("blocksize")
    if h % size or w % size:
        raise step.error(f"{h} x {w} is not a multiple of blocksize {size}")
    h, w = h // size, w // size
    blocks = step.reshape(x, [n, c, h, size, w, size])
    if step.get("mode", "DCR") == "DCR":
        order = [0, 3, 5, 1, 2, 4]
    else:
        order = [0, 1, 3, 5, 2, 4]
    return step.reshape(step.transpose(blocks, order), [n, c * size * size, h, w])


def _images(step: Step, x: Value) -> Tuple[int, ...]:
    if x.rank != 4:
        raise step.error(f"the input is {x.type}; accepted: rank 4, NCHW")
    return x.dims


# Copies.


@converter("Expand")
def _expand(step: Step, x: Value, shape: Value) -> Value:
    if shape.data is None:
        return _computed_expand(step, x, shape)
    wanted = check_shape(step.integers(shape, "the shape"), step.node.label)
    return step.expand(x, broadcast([x.dims, wanted], step.node.label))  # type: ignore[arg-type]


def _computed_expand(step: Step, x: Value, shape: Value) -> Value:
    """Each axis of size 1 is repeated as often as the shape, computed at run time, says."""
    rank = max(x.rank, _length(step, shape, "the shape"))
    x = step.reshape(x, [1] * (rank - x.rank) + list(x.dims))
    missing = step.constant(np.ones(rank - shape.dims[0], np.int64))
    wanted = step.concat([missing, step.cast(shape, INT64)], 0)
    is_one = step.constant(np.array(x.dims) == 1)
    counts = step.op("Select", is_one, wanted, step.constant(np.ones(rank, np.int64)))
    return step.op("TileDynamic", x, counts)


@converter("Tile")
def _tile(step: Step, x: Value, repeats: Value) -> Value:
    if repeats.data is None:
        return step.op("TileDynamic", x, repeats)
    counts = step.integers(repeats, "repeats")
    return step.op("Tile", x, repeat=counts) if any(one != 1 for one in counts) else x


@converter("Concat")
def _concat(step: Step, *parts: Value) -> Value:
    return step.concat(parts, step.axis(step.get("axis"), parts[0].rank))


@converter("Pad")
def _pad(
    step: Step,
    x: Value,
    pads: Optional[Value] = None,
    value: Optional[Value] = None,
    axes: Optional[Value] = None,
) -> Value:
    amounts = step.get("pads") if pads is None else step.integers(pads, "pads")
    padded = list(range(x.rank))
    if axes is not None:
        padded = step.axes(step.integers(axes, "axes"), x.rank)
    if len(amounts) != 2 * len(padded):
        raise step.error(f"pads are {amounts}; accepted: {2 * len(padded)} numbers")
    front, back = [0] * x.rank, [0] * x.rank
    for index, axis in enumerate(padded):
        front[axis], back[axis] = amounts[index], amounts[index + len(padded)]
    x = _crop(step, x, front, back)
    front, back = [max(one, 0) for one in front], [max(one, 0) for one in back]
    mode = step.get("mode", "constant")
    if mode == "constant":
        number = step.get("value", 0.0)
        if value is not None:
            number = step.known(value, "the padding value").reshape(-1)[0]
        return pad_with(step, x, front, back, number)
    if mode not in ("reflect", "edge", "wrap"):
        raise step.error(f"mode is '{mode}'; accepted: constant, reflect, edge, wrap")
    for axis, (before, after) in enumerate(zip(front, back)):
        if before or after:
            positions = np.arange(x.dims[axis])
            indices = np.pad(positions, (before, after), mode)  # type: ignore[call-overload]
            x = step.gather(x, indices, axis)
    return x


def _crop(step: Step, x: Value, front: Sequence[int], back: Sequence[int]) -> Value:
    """Negative padding removes elements."""
    for axis, (before, after) in enumerate(zip(front, back)):
        if before < 0 or after < 0:
            x = step.slice(x, axis, max(-before, 0), x.dims[axis] - max(-after, 0))
    return x


def pad_with(
    step: Step, x: Value, front: Sequence[int], back: Sequence[int], number: float
) -> Value:
    """``x`` with ``number`` around it; odla_Pad itself only knows zero."""
    if not any(front) and not any(back):
        return x
    if number == 0:
        return step.op("Pad", x, padding_front=list(front), padding_back=list(back))
    dtype = x.element_type.dtype
    for axis, sizes in enumerate(zip(front, back)):
        blocks = []
        for size in sizes:
            dims = [size if index == axis else dim for index, dim in enumerate(x.dims)]
            blocks.append(step.constant(np.full(dims, number, dtype)) if size else None)
        parts = [part for part in (blocks[0], x, blocks[1]) if part is not None]
        x = step.concat(parts, axis)
    return x


# Parts.


@converter("Split")
def _split(step: Step, x: Value, split: Optional[Value] = None) -> Results:
    axis = step.axis(step.get("axis", 0), x.rank)
    size, count = x.dims[axis], len(step.node.outputs)
    sizes = step.get("split", None) if split is None else step.integers(split, "split")
    if not sizes:
        part = -(-size // count)
        sizes = [min(part, max(size - part * index, 0)) for index in range(count)]
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 0:
        raise step.error(f"split is {sizes}; accepted: {count} sizes whose sum is {size}")
    parts: List[Optional[Value]] = []
    start = 0
    for index, one in enumerate(sizes):
        wanted = step.wants(index)
        parts.append(step.slice(x, axis, start, start + one) if wanted else None)
        start += one
    return parts


@converter("Slice")
def _slice(
    step: Step,
    x: Value,
    starts: Optional[Value] = None,
    ends: Optional[Value] = None,
    axes: Optional[Value] = None,
    steps: Optional[Value] = None,
) -> Value:
    if starts is None or ends is None:
        first, last = step.get("starts"), step.get("ends")
    elif starts.data is None or ends.data is None:
        return _computed_slice(step, x, starts, ends, _given_axes(step, axes), steps)
    else:
        first, last = step.integers(starts, "starts"), step.integers(ends, "ends")
    given = _given_axes(step, axes)
    sliced = step.axes(range(len(first)) if given is None else given, x.rank)
    strides = [1] * len(first) if steps is None else step.integers(steps, "steps")
    if not len(first) == len(last) == len(sliced) == len(strides):
        raise step.error(
            f"starts {first}, ends {last}, axes {sliced} and steps {strides} differ in number"
        )
    if 0 in strides:
        raise step.error(f"steps are {strides}; accepted: any but 0")
    begin, end, by = [0] * x.rank, list(x.dims), [1] * x.rank
    for axis, start, stop, stride in zip(sliced, first, last, strides):
        taken = range(x.dims[axis])[start:stop:stride]
        if stride < 0:
            x = step.gather(x, taken, axis)
            end[axis] = len(taken)
        else:
            begin[axis], end[axis], by[axis] = taken.start, taken.stop, stride
            if len(taken) == 0:
                end[axis] = begin[axis]
    if begin == [0] * x.rank and end == list(x.dims) and by == [1] * x.rank:
        return x
    return step.op("Slice", x, start=begin, end=end, stride=by)


def _computed_slice(
    step: Step,
    x: Value,
    starts: Value,
    ends: Value,
    axes: Optional[Sequence[int]],
    steps: Optional[Value],
) -> Value:
    """Slice between bounds computed at run time: start and size of every axis, in vectors."""
    count = _length(step, starts, "starts")
    sliced = step.axes(range(count) if axes is None else axes, x.rank)
    strides = [1] * count if steps is None else step.integers(steps, "steps")
    if not count == _length(step, ends, "ends") == len(sliced) == len(strides):
        raise step.error(
            f"starts {starts.type}, ends {ends.type}, axes {sliced} and steps {strides} differ in "
            "number"
        )
    if min(strides, default=1) < 1:
        raise Unsupported(
            f"steps are {strides} and the bounds are computed at run time; accepted: above 0"
        )
    sizes = step.constant([x.dims[axis] for axis in sliced], np.int64)
    low, high = (_within(step, step.cast(one, INT64), sizes) for one in (starts, ends))
    where, by = list(range(count, count + x.rank)), [1] * x.rank
    for index, (axis, stride) in enumerate(zip(sliced, strides)):
        where[axis], by[axis] = index, stride
    start = step.concat([low, step.constant([0] * x.rank, np.int64)], 0)
    size = step.op("Max", step.op("Sub", high, low), step.constant(0, np.int64))
    size = step.concat([size, step.constant(x.dims, np.int64)], 0)
    return step.op(
        "SliceDynamic",
        x,
        step.gather(start, where, 0),
        step.gather(size, where, 0),
        step.constant(by, np.int64),
    )


def _within(step: Step, bounds: Value, sizes: Value) -> Value:
    """Bounds counted from the front and held between 0 and the sizes."""
    zero = step.constant(0, np.int64)
    is_negative = step.op("Less", bounds, zero)
    bounds = step.op("Select", is_negative, step.op("Add", bounds, sizes), bounds)
    return step.op("Min", step.op("Max", bounds, zero), sizes)


@converter("Gather")
def _gather(step: Step, x: Value, indices: Value) -> Value:
    return step.op("Gather", x, indices, axis=step.axis(step.get("axis", 0), x.rank))


@converter("GatherElements")
def _gather_elements(step: Step, x: Value, indices: Value) -> Value:
    return step.op("GatherElements", x, indices, axis=step.axis(step.get("axis", 0), x.rank))


@converter("GatherND")
def _gather_nd(step: Step, x: Value, indices: Value) -> Value:
    return step.op("GatherND", x, indices, num_batch_dims=step.get("batch_dims", 0))


@converter("Compress")
def _compress(step: Step, x: Value, condition: Value) -> Value:
    axis = step.get("axis", None)
    if condition.data is None:
        if axis is None:
            return step.op("Compress", x, condition)
        return step.op("Compress", x, condition, axis=step.axis(axis, x.rank))
    chosen = np.flatnonzero(condition.data)
    if axis is None:
        x, axis = step.reshape(x, [x.type.elements]), 0
    return step.gather(x, chosen, step.axis(axis, x.rank))
