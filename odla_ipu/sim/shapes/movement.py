"""Ops that move, select, repeat or make elements."""

import math
from typing import List, Optional, Sequence

import numpy as np

from ..nodes import NUMPY_TYPES, ONNX_TYPES
from .rules import (
    GRAPHCORE,
    Context,
    Result,
    Shape,
    broadcast,
    product,
    rule,
    same_shape,
)


def _type_attribute(context: Context, name: str) -> str:
    value = context.required(name)
    if value not in ONNX_TYPES:
        context.refuse(f"has the unknown element type {value} as {name}")
    return ONNX_TYPES[value]


def _array_type(context: Context) -> List[str]:
    value = context.attribute("value")
    if value is None:
        return ["FLOAT"]
    return [NUMPY_TYPES.get(value.dtype, "UNDEFINED")]


def _like_type(context: Context) -> List[str]:
    if "dtype" in context.node.attributes:
        return [_type_attribute(context, "dtype")]
    return [context.dtype(0)]


rule("Cast", types=lambda context: [_type_attribute(context, "to")])(same_shape)
rule("RandomNormalLike", "RandomUniformLike", "EyeLike", types=_like_type)(same_shape)


@rule("RandomNormal", "RandomUniform", types=lambda context: [_type_attribute(context, "dtype")])
def _random(context: Context) -> Result:
    return [tuple(context.required("shape"))]


@rule("Constant", types=_array_type)
def _constant(context: Context) -> Result:
    return [context.required("value").shape]


@rule("ConstantOfShape", types=_array_type)
def _constant_of_shape(context: Context) -> Result:
    return [tuple(context.integers(0))]


@rule("Init", domain=GRAPHCORE, types=lambda context: [_type_attribute(context, "data_type")])
def _init(context: Context) -> Result:
    return [tuple(context.required("shape"))]


@rule("Shape", types="INT64")
def _shape(context: Context) -> Result:
    return [(context.rank(0),)]


@rule("Size", types="INT64")
def _size(context: Context) -> Result:
    return [()]


def _reshaped(context: Context, sizes: Sequence[int]) -> Shape:
    shape = context.shape(0)
    result = []
    for axis, size in enumerate(sizes):
        if size < -1:
            context.refuse(f"has the size {size} in shape {list(sizes)}: accepted are -1 and up")
        if size == 0 and axis >= len(shape):
            context.refuse(f"copies axis {axis} of its input of rank {len(shape)}")
        result.append(shape[axis] if size == 0 else size)
    if result.count(-1) > 1:
        context.refuse(f"has more than one -1 in shape {list(sizes)}")
    if -1 in result:
        known = product([size for size in result if size != -1])
        if known == 0 or product(shape) % known:
            context.refuse(f"cannot infer the -1 of {list(sizes)} from the shape {list(shape)}")
        result[result.index(-1)] = product(shape) // known
    if product(result) != product(shape):
        context.refuse(
            f"has {product(shape)} elements, of shape {list(shape)}, "
            f"for the {product(result)} of shape {list(sizes)}"
        )
    return tuple(result)


@rule("Reshape")
def _reshape(context: Context) -> Result:
    return [_reshaped(context, context.integers(1))]


@rule("Reshape", domain=GRAPHCORE)
def _reshape_by_attribute(context: Context) -> Result:
    return [_reshaped(context, context.required("shape"))]


@rule("Flatten")
def _flatten(context: Context) -> Result:
    shape = context.shape(0)
    axis = context.attribute("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        context.refuse(f"has axis {axis}: accepted are {-len(shape)} to {len(shape)}")
    if axis < 0:
        axis += len(shape)
    return [(product(shape[:axis]), product(shape[axis:]))]


@rule("Squeeze")
def _squeeze(context: Context) -> Result:
    shape = context.shape(0)
    axes = context.attribute("axes")
    if not axes:
        return [tuple(dim for dim in shape if dim != 1)]
    dropped = context.axes(axes, len(shape))
    for axis in dropped:
        if shape[axis] != 1:
            context.refuse(f"drops axis {axis} of size {shape[axis]}: only axes of size 1 go")
    return [tuple(dim for axis, dim in enumerate(shape) if axis not in dropped)]


@rule("Unsqueeze")
def _unsqueeze(context: Context) -> Result:
    shape = list(context.shape(0))
    given = context.required("axes")
    axes = sorted(context.axes(given, len(shape) + len(given)))
    if len(set(axes)) != len(axes):
        context.refuse(f"has a repeated axis in {given}")
    for axis in axes:
        shape.insert(axis, 1)
    return [tuple(shape)]


@rule("Transpose")
def _transpose(context: Context) -> Result:
    shape = context.shape(0)
    order = context.attribute("perm") or list(range(len(shape)))[::-1]
    if sorted(order) != list(range(len(shape))):
        context.refuse(f"has perm {order}, which is no permutation of {len(shape)} axes")
    return [tuple(shape[axis] for axis in order)]


@rule("Concat")
def _concat(context: Context) -> Result:
    shapes = [context.shape(i) for i in range(len(context.inputs))]
    rank = len(shapes[0])
    axis = context.axis(context.attribute("axis", 1), rank)
    for shape in shapes[1:]:
        if len(shape) != rank or any(shape[i] != shapes[0][i] for i in range(rank) if i != axis):
            context.refuse(
                f"joins shapes {list(shapes[0])} and {list(shape)} along axis {axis}: "
                "they must agree in all other axes"
            )
    result = list(shapes[0])
    result[axis] = sum(shape[axis] for shape in shapes)
    return [tuple(result)]


@rule("Split")
def _split(context: Context) -> Result:
    shape = context.shape(0)
    count = len(context.node.outputs)
    axis = context.axis(context.attribute("axis", 0), len(shape))
    sizes = context.attribute("split")
    if not sizes:
        if shape[axis] % count:
            context.refuse(f"cannot split axis {axis} of size {shape[axis]} in {count} equal parts")
        sizes = [shape[axis] // count] * count
    if len(sizes) != count or sum(sizes) != shape[axis]:
        context.refuse(
            f"splits axis {axis} of size {shape[axis]} in {sizes} for {count} outputs: "
            "the sizes must add up to the axis, one an output"
        )
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def _sliced(dim: int, start: int, end: int, step: int) -> int:
    return len(range(dim)[slice(*_clamped(dim, start, end, step))])


def _clamped(dim: int, start: int, end: int, step: int) -> "tuple[int, Optional[int], int]":
    """Start and end as a Python slice takes them; ONNX counts an end of -1 from the end too."""
    if step > 0:
        return start, end, step
    first = min(start + dim if start < 0 else start, dim - 1)
    last = end + dim if end < 0 else end
    return first, None if last < 0 else last, step


@rule("Slice")
def _slice(context: Context) -> Result:
    if context.opset < 10:
        return _slice_by_attributes(context)
    shape = list(context.shape(0))
    starts, ends = context.integers(1), context.integers(2)
    axes = context.integers(3) if context.has(3) else list(range(len(starts)))
    steps = context.integers(4) if context.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        context.refuse(
            f"has {len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} "
            "steps: there must be equally many"
        )
    for axis, start, end, step in zip(context.axes(axes, len(shape)), starts, ends, steps):
        if step == 0:
            context.refuse(f"has step 0 on axis {axis}")
        shape[axis] = _sliced(shape[axis], start, end, step)
    return [tuple(shape)]


@rule("Slice", domain=GRAPHCORE)
def _slice_by_attributes(context: Context) -> Result:
    shape = list(context.shape(0))
    starts, ends = context.required("starts"), context.required("ends")
    axes = context.attribute("axes") or list(range(len(starts)))
    if not len(starts) == len(ends) == len(axes):
        context.refuse(
            f"has {len(starts)} starts, {len(ends)} ends and {len(axes)} axes: "
            "there must be equally many"
        )
    for axis, start, end in zip(context.axes(axes, len(shape)), starts, ends):
        shape[axis] = _sliced(shape[axis], start, end, 1)
    return [tuple(shape)]


@rule("Subsample", domain=GRAPHCORE)
def _subsample(context: Context) -> Result:
    shape = context.shape(0)
    strides = context.required("strides")
    if len(strides) != len(shape) or any(stride < 1 for stride in strides):
        context.refuse(f"has strides {strides}: accepted is one positive stride an axis")
    return [tuple(-(-dim // stride) for dim, stride in zip(shape, strides))]


@rule("Reverse", domain=GRAPHCORE)
def _reverse(context: Context) -> Result:
    rank = context.rank(0)
    axes = context.required("dimensions")
    if len(set(axes)) != len(axes) or any(not 0 <= axis < rank for axis in axes):
        context.refuse(f"has dimensions {axes}: accepted are different axes from 0 to {rank - 1}")
    return [context.shape(0)]


@rule("Pad")
def _pad(context: Context) -> Result:
    shape = context.shape(0)
    pads = context.integers(1) if context.opset >= 11 else context.required("pads")
    if len(pads) != 2 * len(shape):
        context.refuse(f"has {len(pads)} pads: accepted are two an axis, {2 * len(shape)}")
    befores, afters = pads[: len(shape)], pads[len(shape) :]
    return [tuple(before + dim + after for before, dim, after in zip(befores, shape, afters))]


@rule("Tile")
def _tile(context: Context) -> Result:
    shape = context.shape(0)
    repeats = context.integers(1)
    if len(repeats) != len(shape) or any(count < 0 for count in repeats):
        context.refuse(
            f"has repeats {repeats} for rank {len(shape)}: accepted is one count an axis, 0 or more"
        )
    return [tuple(dim * count for dim, count in zip(shape, repeats))]


@rule("Expand")
def _expand(context: Context) -> Result:
    return [broadcast(context, [context.shape(0), tuple(context.integers(1))])]


@rule("Where", types=1)
def _where(context: Context) -> Result:
    return [broadcast(context, [context.shape(i) for i in range(3)])]


@rule("Gather")
def _gather(context: Context) -> Result:
    shape, indices = context.shape(0), context.shape(1)
    axis = context.axis(context.attribute("axis", 0), len(shape))
    return [shape[:axis] + indices + shape[axis + 1 :]]


@rule("GroupedGather", domain=GRAPHCORE)
def _grouped_gather(context: Context) -> Result:
    shape, indices = context.shape(0), context.shape(1)
    groups = context.attribute("group_size", 1)
    axis = context.axis(context.attribute("axis", 0), len(shape))
    if groups == 1:
        return [shape[:axis] + indices + shape[axis + 1 :]]
    if axis == 0:
        context.refuse("gathers along axis 0, which is the axis of the groups")
    if not indices or shape[0] != groups or indices[0] != groups:
        context.refuse(
            f"has {groups} groups, but data of shape {list(shape)} and indices of shape "
            f"{list(indices)}: the first axis of both must be the groups"
        )
    return [shape[:axis] + indices[1:] + shape[axis + 1 :]]


@rule("Scatter", "ScatterElements")
def _scatter(context: Context) -> Result:
    shape, indices, updates = context.shape(0), context.shape(1), context.shape(2)
    along = context.axis(context.attribute("axis", 0), len(shape))
    if len(indices) != len(shape) or indices != updates:
        context.refuse(
            f"has data of shape {list(shape)}, indices of {list(indices)} and updates of "
            f"{list(updates)}: indices and updates must have equal shapes and the rank of data"
        )
    others = [axis for axis in range(len(shape)) if axis != along]
    if any(indices[axis] > shape[axis] for axis in others):
        context.refuse(f"has indices of shape {list(indices)} beyond data of {list(shape)}")
    return [shape]


@rule("ScatterReduce", domain=GRAPHCORE)
def _scatter_reduce(context: Context) -> Result:
    shape, indices = context.shape(0), context.shape(1)
    axis = context.axis(context.attribute("axis", -1), len(shape))
    size = context.required("axis_size")
    if size < 1 or context.attribute("group_size", 1) < 1:
        context.refuse(f"has axis_size {size}: axis_size and group_size must be positive")
    if context.has(2):
        return [context.shape(2)]
    if context.attribute("enable_index_broadcast", 1):
        return [(*shape[:axis], size, *shape[axis + 1 :])]
    return [(*indices[:axis], size, *indices[axis + 1 :])]


@rule("OneHot", types=2)
def _one_hot(context: Context) -> Result:
    shape = list(context.shape(0))
    depth = context.integers(1)
    if len(depth) != 1:
        context.refuse(f"has {len(depth)} depths: accepted is one")
    shape.insert(context.axis(context.attribute("axis", -1), len(shape) + 1), depth[0])
    return [tuple(shape)]


@rule("DepthToSpace")
@rule("DepthToSpace", domain=GRAPHCORE)
def _depth_to_space(context: Context) -> Result:
    n, c, h, w = _four_axes(context)
    block = context.required("blocksize")
    if block < 1 or c % (block * block):
        context.refuse(f"cannot move {c} channels into blocks of {block} x {block}")
    if context.attribute("mode", "DCR") not in ("DCR", "CRD"):
        context.refuse(f"has mode {context.attribute('mode')}: accepted are DCR and CRD")
    return [(n, c // (block * block), h * block, w * block)]


@rule("SpaceToDepth")
def _space_to_depth(context: Context) -> Result:
    n, c, h, w = _four_axes(context)
    block = context.required("blocksize")
    if block < 1 or h % block or w % block:
        context.refuse(f"cannot cut {h} x {w} into blocks of {block} x {block}")
    return [(n, c * block * block, h // block, w // block)]


def _four_axes(context: Context) -> Shape:
    shape = context.shape(0)
    if len(shape) != 4:
        context.refuse(f"has an input of rank {len(shape)}: accepted is 4")
    return shape


@rule("Resize", "Upsample")
def _resize(context: Context) -> Result:
    shape = context.shape(0)
    if context.node.op_type == "Upsample" and context.opset < 9:
        scales = _upsample_attributes(context)
    elif context.opset < 11 or context.node.op_type == "Upsample":
        scales = [float(scale) for scale in context.constant(1).reshape(-1)]
    else:
        scales = _resize_scales(context, shape)
    if len(scales) != len(shape):
        context.refuse(f"has {len(scales)} scales for rank {len(shape)}: accepted is one an axis")
    return [tuple(math.floor(dim * np.float32(scale)) for dim, scale in zip(shape, scales))]


def _upsample_attributes(context: Context) -> List[float]:
    if context.opset >= 7:
        return list(context.required("scales"))
    return [1.0, 1.0, context.required("height_scale"), context.required("width_scale")]


def _resize_scales(context: Context, shape: Shape) -> List[float]:
    """Scales, or the ones that `sizes` stand for, in float32 as PopART computes them."""
    if not context.has(3):
        return [float(scale) for scale in context.constant(2).reshape(-1)]
    if context.has(2) and context.shape(2) != (0,):
        context.refuse('has both scales and sizes: leave one out with ""')
    sizes = context.integers(3)
    if len(sizes) != len(shape):
        context.refuse(f"has {len(sizes)} sizes for rank {len(shape)}: accepted is one an axis")
    if 0 in shape:
        context.refuse(f"has sizes for an input without elements, of shape {list(shape)}")
    return [float(np.float32(size) / np.float32(dim)) for size, dim in zip(sizes, shape)]


@rule("RoiAlign")
def _roi_align(context: Context) -> Result:
    data, rois, batches = context.shape(0), context.shape(1), context.shape(2)
    if len(data) != 4 or len(rois) != 2 or len(batches) != 1 or rois != (batches[0], 4):
        context.refuse(
            f"has data of shape {list(data)}, rois of {list(rois)} and batch indices of "
            f"{list(batches)}: accepted are [N, C, H, W], [R, 4] and [R]"
        )
    height, width = context.attribute("output_height", 1), context.attribute("output_width", 1)
    return [(rois[0], data[1], height, width)]


@rule("DynamicSlice", domain=GRAPHCORE)
def _dynamic_slice(context: Context) -> Result:
    shape = list(context.shape(0))
    axes, sizes = context.required("axes"), context.required("sizes")
    if len(axes) != len(sizes):
        context.refuse(f"has {len(axes)} axes and {len(sizes)} sizes")
    for axis, size in zip(context.axes(axes, len(shape)), sizes):
        if not 0 <= size <= shape[axis]:
            context.refuse(f"takes {size} elements of axis {axis} of size {shape[axis]}")
        shape[axis] = size
    return [tuple(shape)]


@rule("SequenceSlice", domain=GRAPHCORE, types=1)
def _sequence_slice(context: Context) -> Result:
    source, destination = context.shape(0), context.shape(1)
    if not source or source[1:] != destination[1:]:
        context.refuse(
            f"copies rows of shape {list(source)} to {list(destination)}: "
            "they must agree beyond the first axis"
        )
    return [destination]


@rule("ReplicatedReduceScatter", domain=GRAPHCORE)
def _reduce_scatter(context: Context) -> Result:
    """The number of replicas is an option of the session: for one of them, flattened."""
    return [(product(context.shape(0)),)]


@rule("NormalizeImage", domain=GRAPHCORE, types=1)
def _normalize_image(context: Context) -> Result:
    shape = context.shape(0)
    if len(shape) < 2 or shape[-1] != 3:
        context.refuse(f"has an image of shape {list(shape)}: accepted is [..., 3]")
    return [(*shape[:-1], 4)]


@rule("Abort", domain=GRAPHCORE)
def _abort(context: Context) -> Result:
    if context.has(0) and product(context.shape(0)) > 1:
        context.refuse(
            f"has a condition of shape {list(context.shape(0))}: accepted is one element"
        )
    return []


@rule("GatherElements", types=0)
def _gather_elements(context: Context) -> Result:
    return [context.shape(1)]
