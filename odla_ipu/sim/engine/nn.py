"""Neural-network ops: products, convolutions, pooling, normalisation, softmax, resizing."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from ..ir import all_ops
from ..shapes.linear import convolutions
from .emitter import GRAPHCORE, Emitter, emits
from .interpolation import axis_matrices, emit_resize

if TYPE_CHECKING:
    from ..ir import Graph, Op


def _given(op: "Op", *names: str) -> Dict[str, Any]:
    """Attributes that are set; PopART's builder writes empty lists for unset ones."""
    return {
        name: op.attributes[name] for name in names if op.attributes.get(name) not in (None, [], "")
    }


# Products.


@emits("MatMul")
def _matmul(e: Emitter, op: "Op", x: List[str]) -> str:
    return e.unsummed(x[0], x[1]) if op in e.root.summed else e("MatMul", x[0], x[1])


def summed_products(graph: "Graph") -> "Set[Op]":
    """The matrix products that only an Add next to them reads: the sum is one Gemm."""
    graphs = [graph, *(body for op in all_ops(graph) for body in op.bodies)]
    ops = [op for one in graphs for op in one.ops]
    readers = Counter(id(tensor) for op in ops for tensor in op.inputs)
    readers.update(id(tensor) for one in graphs for tensor in one.outputs)
    found: Set[Op] = set()
    for one in graphs:
        sums = {product for product in map(_summed, one.ops) if product is not None}
        found.update(op for op in one.ops if op in sums and readers[id(op.result)] == 1)
    return found


def _summed(op: "Op") -> "Optional[Op]":
    """A product of matrices that the op adds something to; at most one."""
    if (op.domain, op.type) != ("", "Add") or op.attributes.get("axis") is not None:
        return None
    for index in range(2):
        tensor, other = op.operand(index), op.operand(1 - index)
        product = tensor.producer
        if (
            product is not None
            and (product.domain, product.type) == ("", "MatMul")
            and tensor.dtype == np.float32
            and tensor.shape == op.result.shape
            and all(len(product.operand(place).shape) == 2 for place in range(2))
            and len(other.shape) <= 2
        ):
            return product
    return None


@emits("Gemm")
def _gemm(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("Gemm", *x, **_given(op, "alpha", "beta", "transA", "transB"))


# Convolutions.


@emits("Conv")
def _conv(e: Emitter, op: "Op", x: List[str]) -> str:
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    return e("Conv", *x, **_given(op, *names))


@emits("ConvTranspose")
def _conv_transpose(e: Emitter, op: "Op", x: List[str]) -> str:
    names = (
        "auto_pad",
        "group",
        "kernel_shape",
        "output_padding",
        "output_shape",
        "pads",
        "strides",
    )
    given = _given(op, *names)
    if "output_shape" in given and given.get("auto_pad", "NOTSET") in ("NOTSET", "SAME_UPPER"):
        # The odd element of the padding that gives the wanted shape stands at the end.
        given["auto_pad"] = "SAME_UPPER"
        given.pop("pads", None)
    return e("ConvTranspose", *x, **given)


@emits("MultiConv", domain=GRAPHCORE)
def _multi_conv(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    """Independent convolutions; dilated inputs and output pads are made by Pad and slices."""
    shapes = [tensor.shape if tensor else None for tensor in op.inputs]
    results = []
    position = 0
    for form in convolutions(op.attributes, shapes):
        data, shape = x[position], list(op.operand(position).shape)
        weights, filters = x[position + 1], op.operand(position + 1).shape
        bias = x[position + 2] if form.inputs == 3 else ""
        position += form.inputs
        if any(step != 1 for step in form.in_dilations):
            data, shape = _spread(e, data, shape, form.in_dilations)
        if any(form.pads):
            data = _crop_and_pad(e, data, form.pads)
        name = e(
            "Conv",
            data,
            weights,
            group=form.group,
            strides=form.strides,
            dilations=form.dilations,
        )
        if any(form.out_pads):
            name = _crop_and_pad(e, name, form.out_pads)
        if bias:
            name = e("Add", name, e.reshape(bias, [filters[0]] + [1] * (len(shape) - 2)))
        results.append(name)
    return results


def _spread(e: Emitter, name: str, shape: List[int], steps: Sequence[int]) -> Any:
    """Insert ``step - 1`` zeros between neighbours along each spatial axis."""
    for axis, step in enumerate(steps, 2):
        if step == 1:
            continue
        apart = shape[: axis + 1] + [1] + shape[axis + 1 :]
        pads = [0] * len(apart) * 2
        pads[len(apart) + axis + 1] = step - 1
        name = e("Pad", e.reshape(name, apart), e.ints(pads))
        shape = shape[:axis] + [shape[axis] * step] + shape[axis + 1 :]
        name = e.reshape(name, shape)
        shape[axis] -= step - 1
        name = e.slice(name, [0], [shape[axis]], [axis])
    return name, shape


def _crop_and_pad(e: Emitter, name: str, pads: Sequence[int]) -> str:
    """Pad the spatial axes with zeros; negative amounts crop."""
    spatial = len(pads) // 2
    return e("Pad", name, e.ints([0, 0, *pads[:spatial], 0, 0, *pads[spatial:]]))


# Pooling.


@emits("MaxPool", exact=True)
def _max_pool(e: Emitter, op: "Op", x: List[str]) -> str:
    names = ("auto_pad", "ceil_mode", "kernel_shape", "pads", "strides")
    return e("MaxPool", x[0], **_given(op, *names))


@emits("AveragePool")
def _average_pool(e: Emitter, op: "Op", x: List[str]) -> str:
    names = ("auto_pad", "ceil_mode", "kernel_shape", "pads", "strides")
    return e("AveragePool", x[0], **_given(op, *names))


@emits("GlobalAveragePool")
def _global_average_pool(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("GlobalAveragePool", x[0])


@emits("GlobalMaxPool", exact=True)
def _global_max_pool(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("GlobalMaxPool", x[0])


ROI_LIMIT = 1e30
"""So large that sizes and steps of regions are still finite."""

ROI_MARGIN = 2048
"""Pixels beyond the image that adaptive sampling takes samples for: there is nothing but zeros."""


@emits("RoiAlign")
def _roi_align(e: Emitter, op: "Op", x: List[str]) -> str:
    ratio = op.attributes.get("sampling_ratio", 1)
    scale = np.float32(op.attributes.get("spatial_scale", 1.0))
    rois = e("Mul", x[1], e.const(scale))
    # onnxruntime takes finite numbers only.
    rois = e("Where", e("IsNaN", rois), e.const(np.float32(0)), rois)
    least, most = np.float32(-ROI_LIMIT), np.full((1, 4), ROI_LIMIT, np.float32)
    if ratio == 0:
        # One sample a pixel: regions far larger than the image would exhaust the memory.
        height, width = op.operand(0).shape[2:]
        least = np.float32(-ROI_MARGIN)
        most = np.array([[width, height, width, height]], np.float32) + ROI_MARGIN
    rois = e("Min", e("Max", rois, e.const(least)), e.const(most))
    return e(
        "RoiAlign",
        x[0],
        rois,
        e.cast(x[2], np.int64),
        coordinate_transformation_mode="output_half_pixel",
        mode="avg",
        output_height=op.attributes.get("output_height", 7),
        output_width=op.attributes.get("output_width", 7),
        sampling_ratio=ratio,
        spatial_scale=1.0,
    )


# Normalisation.


@emits("BatchNormalization")
@emits("BatchNormalization", domain=GRAPHCORE)
def _batch_normalization(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    epsilon = op.attributes.get("epsilon", 1e-5)
    shape = op.operand(0).shape
    if op.attributes.get("spatial", 1) == 0:
        return _per_feature(e, op, x, epsilon)
    if len(op.outputs) == 1:
        return e.node("BatchNormalization", x, 1, epsilon=epsilon)
    axes = [0] + list(range(2, len(shape)))
    count = int(np.prod([shape[axis] for axis in axes], dtype=np.int64))
    mean, variance = _moments(e, x[0], axes)
    channels = [shape[1]]
    mean, variance = e.reshape(mean, channels), e.reshape(variance, channels)
    y = e("BatchNormalization", x[0], x[1], x[2], mean, variance, epsilon=epsilon)
    saved = variance
    if op.domain == GRAPHCORE and count > 1:
        shifted = e("Add", variance, e.const(np.float32(epsilon)))
        scaled = e("Mul", shifted, e.const(np.float32(count / (count - 1))))
        saved = e("Sub", scaled, e.const(np.float32(epsilon)))
    return _with_statistics(e, op, x, y, mean, saved)


def _with_statistics(
    e: Emitter, op: "Op", x: List[str], y: str, mean: str, variance: str
) -> List[str]:
    """The five outputs; the running statistics are written to the variables they come from."""
    running = _running(e, op, x, mean, variance)
    for index, name in zip((3, 4), running):
        e.root.updates[op.operand(index).id] = name
    return [y, *running, mean, variance]


def _running(e: Emitter, op: "Op", x: List[str], mean: str, variance: str) -> List[str]:
    momentum = op.attributes.get("momentum", 0.9)
    keep, take = e.const(np.float32(momentum)), e.const(np.float32(1 - momentum))
    return [
        e("Add", e("Mul", old, keep), e("Mul", new, take))
        for old, new in ((x[3], mean), (x[4], variance))
    ]


def _moments(e: Emitter, name: str, axes: Sequence[int]) -> Sequence[str]:
    mean = e("ReduceMean", name, axes=list(axes), keepdims=1)
    centred = e("Sub", name, mean)
    variance = e("ReduceMean", e("Mul", centred, centred), axes=list(axes), keepdims=1)
    return mean, variance


def _per_feature(e: Emitter, op: "Op", x: List[str], epsilon: float) -> Sequence[str]:
    """spatial = 0: statistics of each feature over the batch, vectors of shape ``X.shape[1:]``."""
    features = op.operand(0).shape[1:]
    mean, variance = x[3], x[4]
    if len(op.outputs) > 1:
        mean, variance = (e.reshape(name, features) for name in _moments(e, x[0], [0]))
    root = e("Sqrt", e("Add", variance, e.const(np.float32(epsilon))))
    y = e("Add", e("Mul", e("Div", e("Sub", x[0], mean), root), x[1]), x[2])
    if len(op.outputs) == 1:
        return [y]
    return _with_statistics(e, op, x, y, mean, variance)


@emits("InstanceNormalization")
def _instance_normalization(e: Emitter, op: "Op", x: List[str]) -> str:
    return e("InstanceNormalization", *x, epsilon=op.attributes.get("epsilon", 1e-5))


@emits("GroupNormalization", domain=GRAPHCORE)
def _group_normalization(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    """One group of a matrix is a layer normalisation, and onnxruntime has that as one op."""
    groups = op.attributes["num_groups"]
    epsilon = op.attributes.get("epsilon", 1e-5)
    shape = list(op.operand(0).shape)
    batch, channels, spatial = shape[0], shape[1], shape[2:]
    statistics = [tensor is not None and tensor.used for tensor in op.outputs[1:]]
    if groups == 1 and not spatial:
        source, before = e.unshaped(x[0], shape)
        if not any(statistics) and before[-1] == channels:
            operands = [source, *x[1:]]
            (y,) = e.node("LayerNormalization", operands, 1, axis=-1, epsilon=epsilon)
            return [e.reshaped(y, before, shape)]
        if not any(statistics):
            return e.node("LayerNormalization", x, 1, axis=1, epsilon=epsilon)
        y, mean, inverse = e.node("LayerNormalization", x, 3, axis=1, epsilon=epsilon)
        return [y, e.reshape(mean, [batch]), e.reshape(inverse, [batch])]
    width = channels // groups
    strided = e.root.strided_groups
    name = x[0]
    if strided:
        name = e.reshape(name, [batch, width, groups, *spatial])
        name = e("Transpose", name, perm=[0, 2, 1, *range(3, len(shape) + 1)])
    grouped = e.reshape(name, [batch, groups, -1])
    ones, zeros = (e.const(np.full(groups, value, np.float32)) for value in (1, 0))
    normal = e("InstanceNormalization", grouped, ones, zeros, epsilon=epsilon)
    if strided:
        normal = e.reshape(normal, [batch, groups, width, *spatial])
        normal = e("Transpose", normal, perm=[0, 2, 1, *range(3, len(shape) + 1)])
    normal = e.reshape(normal, shape)
    column = [channels] + [1] * len(spatial)
    y = e("Add", e("Mul", normal, e.reshape(x[1], column)), e.reshape(x[2], column))
    if not any(statistics):
        return [y]
    mean, variance = _moments(e, grouped, [2])
    inverse = e("Reciprocal", e("Sqrt", e("Add", variance, e.const(np.float32(epsilon)))))
    return [y, e.reshape(mean, [batch * groups]), e.reshape(inverse, [batch * groups])]


@emits("LRN")
def _lrn(e: Emitter, op: "Op", x: List[str]) -> str:
    """onnxruntime takes odd sizes and rank 4 only; an even window reaches one channel further
    behind."""
    size = op.attributes["size"]
    shape = op.operand(0).shape
    if size % 2 and len(shape) == 4:
        return e("LRN", x[0], **_given(op, "alpha", "beta", "bias", "size"))
    alpha, beta, bias = (
        e.const(np.float32(op.attributes.get(name, default)))
        for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    elements = int(np.prod(shape[2:], dtype=np.int64))
    rows = e.reshape(e("Mul", x[0], x[0]), [shape[0], 1, shape[1], elements])
    before = (size - 1) // 2
    padded = e("Pad", rows, e.ints([0, 0, before, 0, 0, 0, size - 1 - before, 0]))
    mean = e.reshape(e("AveragePool", padded, kernel_shape=[size, 1]), shape)
    return e("Div", x[0], e("Pow", e("Add", bias, e("Mul", alpha, mean)), beta))


@emits("NormalizeImage", domain=GRAPHCORE)
def _normalize_image(e: Emitter, op: "Op", x: List[str]) -> str:
    image = e.cast(x[0], np.float32)
    scale = e.const(np.float32(op.attributes.get("scale", 1.0)))
    normal = e("Mul", e("Sub", e("Mul", image, scale), x[1]), x[2])
    rank = len(op.result.shape)
    return e("Pad", normal, e.ints([0] * (2 * rank - 1) + [1]))


# Softmax.


@emits("Softmax", "LogSoftmax")
def _softmax(e: Emitter, op: "Op", x: List[str]) -> str:
    """Over all elements from ``axis`` on, as one row."""
    shape = op.operand(0).shape
    rank = len(shape)
    axis = op.attributes.get("axis", 1)
    axis = axis + rank if axis < 0 else axis
    if axis == rank - 1:
        return e(op.type, x[0], axis=-1)
    rows = int(np.prod(shape[:axis], dtype=np.int64))
    columns = int(np.prod(shape[axis:], dtype=np.int64))
    return e.reshape(e(op.type, e.reshape(x[0], [rows, columns]), axis=-1), shape)


# Resizing.


@emits("Resize", "Upsample", static=(1, 2, 3))
def _resize(e: Emitter, op: "Op", x: List[str]) -> str:
    return emit_resize(e, op, x[0], _scales(op), *_resize_modes(op))


def resize_matrices(op: "Op") -> List[Tuple[int, np.ndarray]]:
    """What each resized axis is multiplied by: [new, old]."""
    return axis_matrices(op, _scales(op), *_resize_modes(op))


def _resize_modes(op: "Op") -> Tuple[str, str, str]:
    """The mode, the transformation of coordinates, and how the nearest is chosen."""
    mode = op.attributes.get("mode", "nearest")
    if op.type == "Upsample" or (op.version < 11 and mode == "nearest"):
        return "nearest", "asymmetric", "floor"
    coordinates = op.attributes.get("coordinate_transformation_mode", "half_pixel")
    return mode, coordinates, op.attributes.get("nearest_mode", "round_prefer_floor")


def _scales(op: "Op") -> np.ndarray:
    """Scale of each axis, float32, from scales, sizes or Upsample's attribute."""
    if op.attributes.get("scales") is not None:
        return np.asarray(op.attributes["scales"], np.float32)
    position = 1 if op.version < 11 else 2
    scales: Optional[np.ndarray] = op.constant(position)
    if scales is not None and scales.size:
        return scales.astype(np.float32)
    sizes = op.constant(3)
    assert sizes is not None
    return sizes.astype(np.float32) / np.asarray(op.operand(0).shape, np.float32)
