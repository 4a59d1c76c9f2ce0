"""Converters of matrix products, convolutions, pooling and normalisation."""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ...graph import Value
from ...types import ElementType, MemoryLayout, product
from .convert import Results, Step, Unsupported, converter
from .shapes import pad_with

_FIRST = MemoryLayout.CHANNELS_FIRST

_INDEXED_WINDOW = 64
"""The largest window of a MaxPool with indices; each element of it is a few ops."""

# Matrix products.


@converter("MatMul")
def _matmul(step: Step, a: Value, b: Value) -> Value:
    return step.op("Gemm", a, b)


@converter("FusedMatMul", domain="com.microsoft")
def _fused_matmul(step: Step, a: Value, b: Value) -> Value:
    if step.get("transBatchA", 0) or step.get("transBatchB", 0):
        raise Unsupported("transBatchA and transBatchB are not available")
    return step.op(
        "Gemm",
        a,
        b,
        A_transpose=bool(step.get("transA", 0)),
        B_transpose=bool(step.get("transB", 0)),
        alpha=step.get("alpha", 1.0),
    )


@converter("Gemm")
def _gemm(step: Step, a: Value, b: Value, c: Optional[Value] = None) -> Value:
    return step.op(
        "Gemm",
        a,
        b,
        c,
        A_transpose=bool(step.get("transA", 0)),
        B_transpose=bool(step.get("transB", 0)),
        alpha=step.get("alpha", 1.0),
        beta=step.get("beta", 1.0),
    )


@converter("Einsum")
def _einsum(step: Step, *operands: Value) -> Value:
    return step.op("Einsum", list(operands), equation=step.get("equation"))


# Windows of convolution and pooling.


class _Window(NamedTuple):
    """One entry per spatial dimension; ``outer`` is padding that only ceil_mode adds at the end."""

    size: List[int]
    strides: List[int]
    dilations: List[int]
    front: List[int]
    back: List[int]
    outer: List[int]

    @property
    def reach(self) -> List[int]:
        """Elements from the first to the last one that a window covers."""
        return [d * (k - 1) + 1 for k, d in zip(self.size, self.dilations)]


def _window(step: Step, spatial: Sequence[int], size: List[int]) -> _Window:
    """The window with auto_pad and ceil_mode turned into numbers (ONNX Conv-11, MaxPool-12)."""
    rank = len(spatial)
    if len(size) != rank or rank == 0:
        raise step.error(f"the window {size} does not fit {rank} spatial dimensions")
    strides = step.entries("strides", [1] * rank)
    dilations = step.entries("dilations", [1] * rank)
    pads = step.entries("pads", [0] * (2 * rank))
    if min(strides + dilations) < 1:
        raise step.error(f"strides are {strides}, dilations {dilations}; accepted: 1 and more")
    if min(pads) < 0:
        raise step.error(f"pads are {pads}; accepted: 0 and more")
    window = _Window(size, strides, dilations, pads[:rank], pads[rank:], [0] * rank)
    auto = step.get("auto_pad", "NOTSET")
    if auto == "VALID":
        window = window._replace(front=[0] * rank, back=[0] * rank)
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max((-(-n // s) - 1) * s + reach - n, 0)
            for n, s, reach in zip(spatial, strides, window.reach)
        ]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        upper = auto == "SAME_UPPER"
        window = window._replace(front=small if upper else large, back=large if upper else small)
    elif auto != "NOTSET":
        raise step.error(f"auto_pad is '{auto}'; accepted: NOTSET, SAME_UPPER, SAME_LOWER, VALID")
    if step.get("ceil_mode", 0) and auto == "NOTSET":
        window = window._replace(outer=_ceil_padding(window, spatial))
    return window


def _ceil_padding(window: _Window, spatial: Sequence[int]) -> List[int]:
    """What the end needs so that rounding down counts the windows that rounding up would.

    A window that would begin in the padding at the end is not counted.
    """
    outer = []
    for n, s, front, back, reach in zip(
        spatial, window.strides, window.front, window.back, window.reach
    ):
        count = -(-(n + front + back - reach) // s) + 1
        if (count - 1) * s >= n + front:
            count -= 1
        outer.append(max((count - 1) * s + reach - (n + front + back), 0))
    return outer


def convolution_window(step: Step, x: Value, kernel: Value) -> _Window:
    """The window of a convolution with a kernel [O,I,S...]."""
    size = list(kernel.dims[2:])
    return _window(step, x.dims[2:], step.entries("kernel_shape", size) if size else size)


def windows_of(step: Step, x: Value, window: _Window) -> List[Value]:
    """For each place in a window, in order, the elements there of all windows of x [N,C,S...]."""
    back = [b + outer for b, outer in zip(window.back, window.outer)]
    x = pad_with(step, x, [0, 0, *window.front], [0, 0, *back], 0)
    counts = [(n - reach) // s + 1 for n, reach, s in zip(x.dims[2:], window.reach, window.strides)]
    if min(counts) < 1:
        raise step.error(f"the window {window.size} is larger than the padded input {x.type}")
    parts = []
    for offset in np.ndindex(*window.size):
        part = x
        places = zip(offset, window.strides, window.dilations, counts)
        for axis, (i, s, d, count) in enumerate(places, 2):
            part = step.slice(part, axis, i * d, i * d + (count - 1) * s + 1, s)
        parts.append(part)
    return parts


@converter("Conv")
def _conv(step: Step, x: Value, kernel: Value, bias: Optional[Value] = None) -> Value:
    window = convolution_window(step, x, kernel)
    return step.op(
        "Conv",
        x,
        kernel,
        bias,
        input_layout=_FIRST,
        kernel_layout=MemoryLayout.OIS,
        group=step.get("group", 1),
        strides=window.strides,
        dilations=window.dilations,
        paddings_front=window.front,
        paddings_back=window.back,
    )


@converter("ConvTranspose")
def _conv_transpose(step: Step, x: Value, kernel: Value, bias: Optional[Value] = None) -> Value:
    rank = x.rank - 2
    size = list(kernel.dims[2:])
    if len(size) != rank or rank < 1:
        raise step.error(f"x is {x.type} and the kernel {kernel.type}; their ranks must be equal")
    group = step.get("group", 1)
    strides = step.entries("strides", [1] * rank)
    dilations = step.entries("dilations", [1] * rank)
    extra = step.entries("output_padding", [0] * rank)
    full = [
        (n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(x.dims[2:], strides, dilations, size)
    ]
    front, result = _transposed_window(step, x.dims[2:], strides, full, extra)
    # Output padding shows what the padding at the end had cropped.  Only what lies beyond the full
    # result is left to odla_DeConv, which has no parameter for it but a result shape.
    back = [max(n - a - out, 0) for n, a, out in zip(full, front, result)]
    beyond = any(a + out > n for n, a, out in zip(full, front, result))
    return step.op(
        "DeConv",
        x,
        kernel,
        bias,
        input_layout=_FIRST,
        kernel_layout=MemoryLayout.IOS,
        group=group,
        strides=strides,
        dilations=dilations,
        paddings_front=front,
        paddings_back=back,
        output_dims=[x.dims[0], kernel.dims[1] * group, *result] if beyond else None,
    )


def _transposed_window(
    step: Step, spatial: Sequence[int], strides: List[int], full: List[int], extra: List[int]
) -> Tuple[List[int], List[int]]:
    """Padding at the front and result size of ConvTranspose-11.

    ``full`` is the size of the result without padding, ``extra`` the output padding.
    """
    rank = len(spatial)
    pads = step.entries("pads", [0] * (2 * rank))
    auto = step.get("auto_pad", "NOTSET")
    wanted = step.get("output_shape", None)
    if not wanted and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(spatial, strides)]
    if not wanted:
        if auto == "VALID":
            pads = [0] * (2 * rank)
        front, back = pads[:rank], pads[rank:]
        return front, [n + more - a - b for n, more, a, b in zip(full, extra, front, back)]
    if len(wanted) == rank + 2:
        wanted = wanted[2:]
    totals = [max(n + more - out, 0) for n, more, out in zip(full, extra, wanted)]
    if auto == "SAME_UPPER":
        return [total // 2 for total in totals], wanted
    return [total - total // 2 for total in totals], wanted


@converter("Col2Im")
def _col2im(step: Step, x: Value, image_shape: Value, block_shape: Value) -> Value:
    """The sum of overlapping blocks: a transposed convolution with the blocks' unit matrix."""
    image = step.integers(image_shape, "image_shape")
    block = step.integers(block_shape, "block_shape")
    window = _window(step, image, block)
    counts = [
        (n + a + b - reach) // s + 1
        for n, a, b, reach, s in zip(image, window.front, window.back, window.reach, window.strides)
    ]
    each = product(block)
    if x.rank != 3 or x.dims[1] % each or x.dims[2] != product(counts):
        raise step.error(
            f"the input is {x.type}; accepted: [N, a multiple of {each}, {product(counts)}] for "
            f"images {image} of blocks {block}"
        )
    channels = x.dims[1] // each
    kernel = np.tile(np.eye(each, dtype=x.element_type.dtype), (channels, 1))
    return step.op(
        "DeConv",
        step.reshape(x, [*x.dims[:2], *counts]),
        step.constant(kernel.reshape(x.dims[1], 1, *block)),
        input_layout=_FIRST,
        kernel_layout=MemoryLayout.IOS,
        group=channels,
        strides=window.strides,
        dilations=window.dilations,
        paddings_front=window.front,
        paddings_back=window.back,
        output_dims=[x.dims[0], channels, *image],
    )


# Pooling.


def _pool(step: Step, name: str, x: Value, window: _Window, **attributes: Any) -> Value:
    back = [b + outer for b, outer in zip(window.back, window.outer)]
    return step.op(
        name,
        x,
        input_layout=_FIRST,
        window_dims=window.size,
        strides=window.strides,
        paddings_front=window.front,
        paddings_back=back,
        **attributes,
    )


@converter("MaxPool")
def _max_pool(step: Step, x: Value) -> Results:
    window = _window(step, x.dims[2:], list(step.get("kernel_shape")))
    if max(window.dilations) == 1:
        y = _pool(step, "MaxPool", x, window)
    else:
        y = _dilated_max_pool(step, x, window)
    return [y, _max_positions(step, x, y, window)] if step.wants(1) else y


def _max_positions(step: Step, x: Value, y: Value, window: _Window) -> Value:
    """Where the first of the largest elements of each window is in x."""
    if product(window.size) > _INDEXED_WINDOW:
        raise Unsupported(
            f"indices of a window of {product(window.size)} elements; accepted: {_INDEXED_WINDOW}"
        )
    is_column_major = bool(step.get("storage_order", 0))
    if is_column_major and x.rank != 4:
        raise Unsupported(f"storage_order is 1 for the input {x.type}; accepted: rank 4")
    planes, space = product(x.dims[:2]), x.dims[2:]
    inner = np.arange(product(space)).reshape(space[::-1] if is_column_major else space)
    inner = inner.T if is_column_major else inner
    positions = np.arange(planes).reshape(-1, *[1] * len(space)) * product(space) + inner
    back = [b + outer for b, outer in zip(window.back, window.outer)]
    sides = [(0, 0), (0, 0), *zip(window.front, back)]
    known = np.pad(positions.reshape(x.dims), sides, constant_values=-1)
    found = step.constant(np.zeros(y.dims, np.int32))
    # The last choice counts, so the first position comes last.
    offsets = list(np.ndindex(*window.size))
    for part, offset in zip(reversed(windows_of(step, x, window)), reversed(offsets)):
        place = known
        for axis, (i, s, d) in enumerate(zip(offset, window.strides, window.dilations), 2):
            place = np.take(place, i * d + s * np.arange(y.dims[axis]), axis)
        is_found = step.op("Equal", part, y)
        if (place < 0).any():
            is_found = step.op("And", is_found, step.constant(place >= 0))
        found = step.op("Select", is_found, step.constant(place, np.int32), found)
    return step.cast(found, ElementType.INT64)


def _dilated_max_pool(step: Step, x: Value, window: _Window) -> Value:
    """The maximum over the positions in a window of x, shifted and strided."""
    kind = x.element_type
    lowest = -np.inf if kind.is_float else np.iinfo(kind.dtype).min
    back = [b + outer for b, outer in zip(window.back, window.outer)]
    x = pad_with(step, x, [0, 0, *window.front], [0, 0, *back], lowest)
    for axis, (k, s, d) in enumerate(zip(window.size, window.strides, window.dilations), 2):
        count = (x.dims[axis] - (d * (k - 1) + 1)) // s + 1
        parts = [step.slice(x, axis, i * d, i * d + (count - 1) * s + 1, s) for i in range(k)]
        x = parts[0]
        for part in parts[1:]:
            x = step.op("Max", x, part)
    return x


@converter("AveragePool")
def _average_pool(step: Step, x: Value) -> Value:
    window = _window(step, x.dims[2:], list(step.get("kernel_shape")))
    include = bool(step.get("count_include_pad", 0))
    if max(window.dilations) > 1:
        counts = _counts(window, x.dims[2:], include)
        return step.op("Div", _dilated_sum(step, x, window), step.like(x, counts))
    return _average(step, x, window, include)


def _dilated_sum(step: Step, x: Value, window: _Window) -> Value:
    """The sum over each window: a convolution of every channel with ones."""
    ones = np.ones([x.dims[1], 1, *window.size], x.element_type.dtype)
    return step.op(
        "Conv",
        x,
        step.constant(ones),
        input_layout=_FIRST,
        kernel_layout=MemoryLayout.OIS,
        group=x.dims[1],
        strides=window.strides,
        dilations=window.dilations,
        paddings_front=window.front,
        paddings_back=[b + outer for b, outer in zip(window.back, window.outer)],
    )


def _counts(window: _Window, spatial: Sequence[int], include: bool) -> np.ndarray:
    """How many elements each window counts; those of the declared padding if ``include``."""
    counts = np.ones((), np.int64)
    for n, k, s, d, a, b, outer, reach in zip(spatial, *window, window.reach):
        starts = np.arange((n + a + b + outer - reach) // s + 1) * s - a
        taken = starts[:, np.newaxis] + np.arange(k) * d
        low, high = (-a, n + b) if include else (0, n)
        counts = counts[..., np.newaxis] * ((taken >= low) & (taken < high)).sum(axis=1)
    return counts


def _average(step: Step, x: Value, window: _Window, include: bool) -> Value:
    if include and any(window.outer):
        # The declared padding counts, what ceil_mode adds does not: make the former elements of x.
        x = step.op(
            "Pad", x, padding_front=[0, 0, *window.front], padding_back=[0, 0, *window.back]
        )
        zeros = [0] * len(window.size)
        window, include = window._replace(front=zeros, back=zeros), False
    return _pool(step, "AveragePool", x, window, padding_included=include)


@converter("LpPool")
def _lp_pool(step: Step, x: Value) -> Value:
    window = _window(step, x.dims[2:], list(step.get("kernel_shape")))
    p = step.get("p", 2)
    if max(window.dilations) > 1:
        return _root(step, _dilated_sum(step, _power(step, x, p), window), p)
    means = _pool(step, "AveragePool", _power(step, x, p), window, padding_included=True)
    sums = step.op("Mul", means, step.like(x, product(window.size)))
    return _root(step, sums, p)


@converter("GlobalLpPool")
def _global_lp_pool(step: Step, x: Value) -> Value:
    p = step.get("p", 2)
    axes = list(range(2, x.rank))
    return _root(step, step.op("ReduceSum", _power(step, x, p), axes=axes, keep_dims=True), p)


def _power(step: Step, x: Value, p: float) -> Value:
    if p == 2:
        return step.op("Mul", x, x)
    magnitude = step.op("Abs", x)
    return magnitude if p == 1 else step.op("Pow", magnitude, step.like(x, p))


def _root(step: Step, x: Value, p: float) -> Value:
    if p == 2:
        return step.op("Sqrt", x)
    return x if p == 1 else step.op("Pow", x, step.like(x, 1 / p))


_GLOBAL = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}


@converter(*_GLOBAL)
def _global_pool(step: Step, x: Value) -> Value:
    spatial = list(range(2, x.rank))
    return step.op(_GLOBAL[step.node.op], x, axes=spatial, keep_dims=True) if spatial else x


# Normalisation.


@converter("BatchNormalization")
def _batch_normalization(
    step: Step, x: Value, scale: Value, bias: Value, mean: Value, variance: Value
) -> Value:
    if step.get("training_mode", 0):
        raise Unsupported("training_mode is 1; export the model for inference")
    if not step.get("spatial", 1) and x.rank > 2:
        raise Unsupported("spatial is 0, statistics of single activations are not available")
    kind = x.element_type
    return step.op(
        "BatchNormalization",
        x,
        *(step.cast(one, kind) for one in (mean, variance, scale, bias)),
        input_layout=_FIRST,
        epsilon=step.get("epsilon", 1e-5),
    )


@converter("InstanceNormalization")
def _instance_normalization(step: Step, x: Value, scale: Value, bias: Value) -> Value:
    return step.op(
        "InstanceNormalization",
        x,
        scale,
        bias,
        input_layout=_FIRST,
        epsilon=step.get("epsilon", 1e-5),
    )


@converter("GroupNormalization")
def _group_normalization(step: Step, x: Value, scale: Value, bias: Value) -> Value:
    groups, channels = step.get("num_groups"), x.dims[1]
    if step.opset < 21 and scale.dims == (groups,) and groups != channels:
        scale, bias = (_per_channel(step, one, channels) for one in (scale, bias))
    return step.op(
        "GroupNormalization",
        x,
        step.cast(scale, x.element_type),
        step.cast(bias, x.element_type),
        input_layout=_FIRST,
        groups=groups,
        epsilon=step.get("epsilon", 1e-5),
    )


def _per_channel(step: Step, per_group: Value, channels: int) -> Value:
    groups = per_group.dims[0]
    column = step.reshape(per_group, [groups, 1])
    return step.reshape(step.expand(column, [groups, channels // groups]), [channels])


@converter("LayerNormalization")
@converter("LayerNormalization", domain="com.microsoft")
def _layer_normalization(
    step: Step, x: Value, scale: Value, bias: Optional[Value] = None
) -> Results:
    axis = step.axis(step.get("axis", -1), x.rank)
    epsilon = step.get("epsilon", 1e-5)
    if step.wants(1) or step.wants(2):
        return _composed_layer_normalization(step, x, scale, bias, axis, epsilon)
    rows, columns = product(x.dims[:axis]), product(x.dims[axis:])
    matrix = step.reshape(x, [rows, columns])
    fits = all(one is None or one.dims == x.dims[axis:] for one in (scale, bias))
    y = step.op(
        "GroupNormalization",
        matrix,
        step.reshape(scale, [columns]) if fits else None,
        step.reshape(bias, [columns]) if fits and bias is not None else None,
        input_layout=_FIRST,
        groups=1,
        epsilon=epsilon,
    )
    y = step.reshape(y, x.dims)
    return y if fits else _scale_and_shift(step, y, scale, bias)


def _scale_and_shift(step: Step, x: Value, scale: Value, bias: Optional[Value]) -> Value:
    y = step.op("Mul", x, scale)
    return y if bias is None else step.op("Add", y, bias)


def _composed_layer_normalization(
    step: Step, x: Value, scale: Value, bias: Optional[Value], axis: int, epsilon: float
) -> List[Value]:
    """With the mean and the inverse deviation, which are results too (LayerNormalization-17)."""
    kind, axes = x.element_type, list(range(axis, x.rank))
    wide = step.cast(x, ElementType.FLOAT32)
    mean = step.op("ReduceMean", wide, axes=axes, keep_dims=True)
    centred = step.op("Sub", wide, mean)
    square = step.op("Mul", centred, centred)
    variance = step.op("ReduceMean", square, axes=axes, keep_dims=True)
    deviation = step.op("Sqrt", step.op("Add", variance, step.like(variance, epsilon)))
    inverse = step.op("Reciprocal", deviation)
    normal = step.cast(step.op("Mul", centred, inverse), kind)
    return [_scale_and_shift(step, normal, scale, bias), mean, inverse]


@converter("RMSNormalization", "SimplifiedLayerNormalization")
def _rms_normalization(step: Step, x: Value, scale: Value) -> Value:
    axis = step.axis(step.get("axis", -1), x.rank)
    kind = x.element_type
    wide = step.cast(x, ElementType.FLOAT32)
    square = step.op("Mul", wide, wide)
    mean = step.op("ReduceMean", square, axes=list(range(axis, x.rank)), keep_dims=True)
    root = step.op("Sqrt", step.op("Add", mean, step.like(mean, step.get("epsilon", 1e-5))))
    return step.op("Mul", step.cast(step.op("Div", wide, root), kind), scale)


@converter("MeanVarianceNormalization")
def _mean_variance_normalization(step: Step, x: Value) -> Value:
    """ONNX's function body; 1e-9 is part of it."""
    axes = step.axes(step.get("axes", [0, 2, 3]), x.rank)
    centred = step.op("Sub", x, step.op("ReduceMean", x, axes=axes, keep_dims=True))
    square = step.op("Mul", centred, centred)
    deviation = step.op("Sqrt", step.op("ReduceMean", square, axes=axes, keep_dims=True))
    return step.op("Div", centred, step.op("Add", deviation, step.like(x, 1e-9)))


@converter("LRN")
def _lrn(step: Step, x: Value) -> Value:
    return step.op(
        "LRN",
        x,
        input_layout=_FIRST,
        window_size=step.get("size"),
        alpha=step.get("alpha", 1e-4),
        beta=step.get("beta", 0.75),
        bias=step.get("bias", 1.0),
    )


@converter("LpNormalization")
def _lp_normalization(step: Step, x: Value) -> Value:
    """x over its norm; 0 where the norm is 0."""
    axis = step.axis(step.get("axis", -1), x.rank)
    name = "ReduceL1" if step.get("p", 2) == 1 else "ReduceL2"
    norm = step.op(name, x, axes=[axis], keep_dims=True)
    is_zero = step.op("Equal", norm, step.like(x, 0))
    return step.op("Div", x, step.op("Select", is_zero, step.like(x, 1), norm))
