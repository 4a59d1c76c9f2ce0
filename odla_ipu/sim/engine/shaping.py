"""Ops that move, select and insert elements."""

from typing import TYPE_CHECKING, List, Sequence

import numpy as np

from .emitter import GRAPHCORE, Emitter, compute_type, emits, wide_type

if TYPE_CHECKING:
    from ..ir import Op


@emits("Reshape", "Flatten", "Squeeze", "Unsqueeze", exact=True, native=True, static=(1,))
@emits("Reshape", domain=GRAPHCORE, exact=True, native=True)
def _reshape(e: Emitter, op: "Op", x: List[str]) -> str:
    """The shape is known, whatever the op computes it from."""
    return e.reshaped(x[0], op.operand(0).shape, op.result.shape)


@emits("Transpose", exact=True, native=True)
def _transpose(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Transpose", x[0], perm=op.attributes.get("perm") or None)


@emits("Concat", exact=True, native=True)
def _concat(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Concat", *x, axis=op.attributes.get("axis", 1))


@emits("Split", exact=True, native=True)
def _split(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    axis = op.attributes.get("axis", 0)
    sizes = op.attributes.get("split") or _equal_parts(op, axis)
    return e.node("Split", [x[0], e.ints(sizes)], len(op.outputs), axis=axis)


def _equal_parts(op: "Op", axis: int) -> List[int]:
    return [op.operand(0).shape[axis] // len(op.outputs)] * len(op.outputs)


@emits("Slice", exact=True, native=True, static=(1, 2, 3, 4))
def _slice(e: Emitter, op: "Op", x: List[str]) -> str:
    if len(op.inputs) == 1:
        return _slice_by_attributes(e, op, x)
    starts, ends, axes, steps = (op.constant(index) for index in range(1, 5))
    assert starts is not None and ends is not None
    return e.slice(
        x[0],
        [int(i) for i in starts],
        [int(i) for i in ends],
        range(len(starts)) if axes is None else [int(i) for i in axes],
        None if steps is None else [int(i) for i in steps],
    )


@emits("Slice", domain=GRAPHCORE, exact=True, native=True)
def _slice_by_attributes(e: Emitter, op: "Op", x: List[str]) -> str:
    starts, ends = op.attributes["starts"], op.attributes["ends"]
    return e.slice(x[0], starts, ends, op.attributes.get("axes") or range(len(starts)))


@emits("Subsample", domain=GRAPHCORE, exact=True, native=True)
def _subsample(e: Emitter, op: "Op", x: List[str]) -> str:
    strides = op.attributes["strides"]
    shape = op.operand(0).shape
    return e.slice(x[0], [0] * len(shape), shape, range(len(shape)), strides)


@emits("Reverse", domain=GRAPHCORE, exact=True, native=True)
def _reverse(e: Emitter, op: "Op", x: List[str]) -> str:
    axes = op.attributes.get("dimensions") or []
    if not axes:
        return e("Identity", x[0])
    count = len(axes)
    return e.slice(x[0], [-1] * count, [-(2**31)] * count, axes, [-1] * count)


@emits("Expand", exact=True, native=True, static=(1,))
def _expand(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Expand", x[0], e.ints(op.result.shape))


@emits("Tile", exact=True, native=True, static=(1,))
def _tile(e: Emitter, op: "Op", x: List[str]) -> str:
    repeats = op.constant(1)
    assert repeats is not None
    return e("Tile", x[0], e.ints(int(i) for i in repeats))


@emits("Pad", exact=True, static=(1, 2))
def _pad(e: Emitter, op: "Op", x: List[str]) -> str:
    pads = op.constant(1)
    amounts = op.attributes["pads"] if pads is None else [int(i) for i in pads]
    value = op.constant(2)
    number = op.attributes.get("value", 0.0) if value is None else value.reshape(())
    mode = op.attributes.get("mode", "constant")
    fill = e.const(np.array(number).astype(wide_type(op.operand(0).dtype)))
    if not any(amounts):
        return e("Identity", x[0])
    return e("Pad", x[0], e.ints(amounts), fill if mode == "constant" else "", mode=mode)


@emits("Gather", exact=True, native=True)
def _gather(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Gather", x[0], _index(e, op, 1, x[1]), axis=op.attributes.get("axis", 0))


def _index(e: Emitter, op: "Op", position: int, name: str) -> str:
    """Indices as onnxruntime takes them: int32 or int64."""
    if op.operand(position).dtype in (np.int32, np.int64):
        return name
    return e.cast(name, np.int64)


@emits("GroupedGather", domain=GRAPHCORE, exact=True, native=True)
def _grouped_gather(e: Emitter, op: "Op", x: List[str]) -> str:
    axis = op.attributes.get("axis", 0)
    groups = op.attributes.get("group_size", 1)
    indices = _index(e, op, 1, x[1])
    if groups == 1:
        return e("Gather", x[0], indices, axis=axis)
    rank = len(op.operand(0).shape)
    results = []
    for group in range(groups):
        at = e.const(np.int64(group))
        data, index = e("Gather", x[0], at, axis=0), e("Gather", indices, at, axis=0)
        taken = e("Gather", data, index, axis=axis % rank - 1)
        results.append(e("Unsqueeze", taken, e.ints([0])))
    return e("Concat", *results, axis=0)


@emits("Scatter", "ScatterElements", exact=True, native=True)
def _scatter(e: Emitter, op: "Op", x: List[str]) -> str:
    indices = _index(e, op, 1, x[1])
    return e("ScatterElements", x[0], indices, x[2], axis=op.attributes.get("axis", 0))


@emits("DepthToSpace", exact=True, native=True)
@emits("DepthToSpace", domain=GRAPHCORE, exact=True, native=True)
def _depth_to_space(e: Emitter, op: "Op", x: List[str]) -> str:
    size = op.attributes["blocksize"]
    batch, channels, height, width = op.operand(0).shape
    if op.attributes.get("mode", "DCR") == "CRD":
        split = (batch, channels // size**2, size, size, height, width)
        order = [0, 1, 4, 2, 5, 3]
    else:
        split = (batch, size, size, channels // size**2, height, width)
        order = [0, 3, 4, 1, 5, 2]
    return e.reshape(e("Transpose", e.reshape(x[0], split), perm=order), op.result.shape)


@emits("SpaceToDepth", exact=True, native=True)
def _space_to_depth(e: Emitter, op: "Op", x: List[str]) -> str:
    size = op.attributes["blocksize"]
    batch, channels, height, width = op.operand(0).shape
    split = (batch, channels, height // size, size, width // size, size)
    return e.reshape(
        e("Transpose", e.reshape(x[0], split), perm=[0, 3, 5, 1, 2, 4]), op.result.shape
    )


@emits("OneHot", exact=True, static=(1,))
def _one_hot(e: Emitter, op: "Op", x: List[str]) -> str:
    """Negative indices are out of range, unlike ONNX's."""
    depth = op.constant(1)
    assert depth is not None
    size = int(depth.reshape(()))
    axis = op.attributes.get("axis", -1)
    rank = len(op.result.shape)
    indices = e("Unsqueeze", e.cast(x[0], np.int64), e.ints([axis]))
    along = [1] * rank
    along[axis % rank] = size
    hot = e("Equal", indices, e.const(np.arange(size).reshape(along), np.int64))
    off, on = (e("Gather", x[2], e.const(np.int64(i)), axis=0) for i in (0, 1))
    if op.operand(2).dtype == np.bool_:
        return e("Or", e("And", hot, on), e("And", e("Not", hot), off))
    return e("Where", hot, on, off)


@emits("ConstantOfShape", exact=True, native=True, static=(0,))
def _constant_of_shape(e: Emitter, op: "Op", x: List[str]) -> str:
    value = op.attributes.get("value")
    fill = np.zeros((), np.float32) if value is None else np.asarray(value).reshape(())
    return e("Expand", e.const(fill, compute_type(op.result.dtype)), e.ints(op.result.shape))


@emits("Init", domain=GRAPHCORE, exact=True, native=True)
def _init(e: Emitter, op: "Op", x: List[str]) -> str:
    """Contents are undefined or zero on the device: zero here."""
    return e("Expand", e.const(0, compute_type(op.result.dtype)), e.ints(op.result.shape))


# Windows at run-time offsets.


def _window(e: Emitter, op: "Op", x: List[str]) -> List[str]:
    """For each axis, the int64 indices of the window, wrapped at the dimension's end."""
    offset = e.cast(x[1], np.int64)
    shape = op.operand(0).shape
    indices = []
    for position, (axis, size) in enumerate(zip(op.attributes["axes"], op.attributes["sizes"])):
        start = e("Gather", offset, e.const(np.int64(position)), axis=0)
        steps = e("Add", e.const(np.arange(size), np.int64), start)
        indices.append(e("Mod", steps, e.const(np.int64(shape[axis]))))
    return indices


@emits("DynamicSlice", domain=GRAPHCORE, exact=True, native=True)
def _dynamic_slice(e: Emitter, op: "Op", x: List[str]) -> str:
    result = x[0]
    for axis, indices in zip(op.attributes["axes"], _window(e, op, x)):
        result = e("Gather", result, indices, axis=axis)
    return result


@emits("DynamicUpdate", "DynamicZero", "DynamicAdd", domain=GRAPHCORE)
def _dynamic_update(e: Emitter, op: "Op", x: List[str]) -> str:
    """Scatter into the flattened tensor, at the positions that the window takes."""
    shape = op.operand(0).shape
    window = list(shape)
    for axis, size in zip(op.attributes["axes"], op.attributes["sizes"]):
        window[axis] = size
    along = dict(zip(op.attributes["axes"], _window(e, op, x)))
    strides = [int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape))]
    positions = e.const(np.zeros((), np.int64))
    for axis, stride in enumerate(strides):
        column = [1] * len(shape)
        column[axis] = window[axis]
        steps = along.get(axis) or e.const(np.arange(shape[axis]), np.int64)
        scaled = e("Mul", e.reshape(steps, column), e.const(np.int64(stride)))
        positions = e("Add", positions, scaled)
    count = int(np.prod(window, dtype=np.int64))
    flat = e.reshape(x[0], [int(np.prod(shape, dtype=np.int64))])
    positions = e.reshape(e("Expand", positions, e.ints(window)), [count])
    if op.type == "DynamicZero":
        zero = np.zeros((), _wide(op))
        updates = e("Expand", e.const(zero), e.ints([count]))
    else:
        updates = e.reshape(x[2], [count])
    reduction = "add" if op.type == "DynamicAdd" else None
    written = e("ScatterElements", flat, positions, updates, axis=0, reduction=reduction)
    return e.reshape(written, shape)


def _wide(op: "Op") -> np.dtype:
    return wide_type(op.operand(0).dtype)


@emits("SequenceSlice", domain=GRAPHCORE, exact=True)
def _sequence_slice(e: Emitter, op: "Op", x: List[str]) -> str:
    """Each destination row takes the last written source row that falls on it.

    A matrix of sequences by destination rows says which sequence covers which row.
    """
    source, destination = x[0], x[1]
    lengths, source_at, destination_at = (e.cast(name, np.int64) for name in x[2:5])
    count = op.operand(2).shape[0]
    rows = op.operand(1).shape[0]
    column = [count, 1]
    row = e.const(np.arange(rows)[None, :], np.int64)
    relative = e("Sub", row, e.reshape(destination_at, column))
    inside = e(
        "And",
        e("GreaterOrEqual", relative, e.const(np.int64(0))),
        e("Less", relative, e.reshape(lengths, column)),
    )
    candidate = e("Add", relative, e.reshape(source_at, column))
    order = e.const(np.arange(1, count + 1)[:, None], np.int64)
    last = e("ReduceMax", e("Where", inside, order, e.const(np.int64(0))), axes=[0], keepdims=0)
    written = e("Greater", last, e.const(np.int64(0)))
    chosen = e("Equal", order, last)
    taken = e("Where", chosen, candidate, e.const(np.int64(0)))
    taken = e("ReduceSum", taken, e.ints([0]), keepdims=0)
    gathered = e("Gather", source, taken, axis=0)
    mask = e.reshape(written, [rows] + [1] * (len(op.result.shape) - 1))
    if op.attributes.get("zeroUnused"):
        destination = e.const(np.zeros((), _wide(op)))
    return e("Where", mask, gathered, destination)
