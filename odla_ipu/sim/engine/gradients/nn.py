"""Products, convolutions, pooling, normalisation, softmax."""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from ..emitter import GRAPHCORE
from ..interpolation import multiply
from ..nn import resize_matrices
from .rules import Backward, gradient

# Products.


@gradient("MatMul")
def _matmul(b: Backward) -> List[str]:
    """d A = g B^T and d B = A^T g, of matrices; vectors are rows and columns."""
    first, second = list(b.dims(0)), list(b.dims(1))
    left = [1, *first] if len(first) == 1 else first
    right = [*second, 1] if len(second) == 1 else second
    lead = list(np.broadcast_shapes(tuple(left[:-2]), tuple(right[:-2])))
    rows, columns = left[-2], right[-1]
    g = b.g[0]
    if left is not first or right is not second:
        g = b.reshape(g, [*lead, rows, columns])
    results = ["", ""]
    if b.wanted[0]:
        turned = _turned(b, _as(b, b.x[1], second, right), len(right))
        by_left = b.e("MatMul", g, turned)
        by_left = b.summed_to(by_left, [*lead, rows, left[-1]], left)
        results[0] = _as(b, by_left, left, first)
    if b.wanted[1]:
        a = _as(b, b.x[0], first, left)
        if len(right) == 2 and len(left) > 2:
            # One product of all rows instead of a sum of products.
            count = int(np.prod(left[:-1], dtype=np.int64))
            a, g = b.reshape(a, [count, left[-1]]), b.reshape(g, [count, columns])
            by_right = b.e("MatMul", _turned(b, a, 2), g)
        else:
            by_right = b.e("MatMul", _turned(b, a, len(left)), g)
            by_right = b.summed_to(by_right, [*lead, left[-1], columns], right)
        results[1] = _as(b, by_right, right, second)
    return results


def _as(b: Backward, name: str, given: Sequence[int], dims: Sequence[int]) -> str:
    return name if list(given) == list(dims) else b.reshape(name, dims)


def _turned(b: Backward, name: str, rank: int) -> str:
    return b.transpose(name, [*range(rank - 2), rank - 1, rank - 2])


@gradient("Gemm")
def _gemm(b: Backward) -> List[str]:
    alpha, beta = b.attribute("alpha", 1.0), b.attribute("beta", 1.0)
    turn_a, turn_b = b.attribute("transA", 0), b.attribute("transB", 0)
    g, (x, w) = b.g[0], b.x[:2]

    def product(one: str, other: str, one_turned: int, other_turned: int) -> str:
        return b.e("Gemm", one, other, alpha=alpha, transA=one_turned, transB=other_turned)

    results = ["", ""]
    if b.wanted[0]:
        results[0] = product(w, g, turn_b, 1) if turn_a else product(g, w, 0, 1 - turn_b)
    if b.wanted[1]:
        results[1] = product(g, x, 1, turn_a) if turn_b else product(x, g, 1 - turn_a, 0)
    if len(b.x) > 2 and b.x[2]:
        results.append(b.to(2, b.scaled(g, beta)))
    return results


# Convolutions.


class Windows(NamedTuple):
    """How a convolution or pool goes over the spatial axes; pads as [before..., behind...]."""

    kernel: List[int]
    strides: List[int]
    dilations: List[int]
    pads: List[int]

    @classmethod
    def of(cls, b: Backward, kernel: Sequence[int], transposed: bool = False) -> "Windows":
        count = len(kernel)
        strides = list(b.attribute("strides") or [1] * count)
        dilations = list(b.attribute("dilations") or [1] * count)
        pads = list(b.attribute("pads") or [0] * 2 * count)
        large, small = b.dims()[2:], b.result[2:]
        if transposed:
            large, small = small, large
        automatic = b.attribute("auto_pad", "NOTSET") or "NOTSET"
        if automatic == "VALID":
            pads = [0] * 2 * count
        for axis in range(count):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            total = (small[axis] - 1) * strides[axis] + reach - large[axis]
            if automatic.startswith("SAME"):
                half = max(total, 0)
                pads[axis] = (half + (automatic == "SAME_LOWER")) // 2
            # What the windows reach behind the end, or leave of it (negative).
            pads[axis + count] = total - pads[axis]
        return cls(list(kernel), strides, dilations, pads)

    @property
    def before(self) -> List[int]:
        return self.pads[: len(self.kernel)]

    @property
    def behind(self) -> List[int]:
        return self.pads[len(self.kernel) :]

    def spread(self, b: Backward, name: str, weights: str, group: int) -> str:
        """The transposed convolution, onto what the windows went over."""
        return b.e(
            "ConvTranspose",
            name,
            weights,
            group=group,
            strides=self.strides,
            dilations=self.dilations,
            pads=[*self.before, *(max(pad, 0) for pad in self.behind)],
            output_padding=[max(-pad, 0) for pad in self.behind],
        )


@gradient("Conv")
def _conv(b: Backward) -> List[str]:
    dims, weights, group = b.dims(), b.dims(1), b.attribute("group", 1)
    windows, g = Windows.of(b, weights[2:]), b.g[0]
    results = [windows.spread(b, g, b.x[1], group) if b.wanted[0] else ""]
    by_weights = b.wanted[1] and _by_weights(b, b.x[0], g, dims, weights, windows, group)
    results.append(by_weights or "")
    if len(b.x) > 2 and b.x[2]:
        results.append(b.sum(g, [0, *range(2, len(dims))], keep=0))
    return results


def _by_weights(
    b: Backward,
    x: str,
    g: str,
    dims: Sequence[int],
    weights: Sequence[int],
    windows: Windows,
    group: int,
) -> str:
    """A convolution of the data with the gradient: samples are channels, strides are dilations."""
    batch, channels, spatial = dims[0], dims[1] // group, list(dims[2:])
    filters, rank = weights[0], len(dims)
    results = [
        (size + before + behind - (kernel - 1) * dilation - 1) // stride + 1
        for size, before, behind, kernel, dilation, stride in zip(
            spatial,
            windows.before,
            windows.behind,
            windows.kernel,
            windows.dilations,
            windows.strides,
        )
    ]
    data = b.reshape(x, [batch, group, channels, *spatial])
    data = b.transpose(data, [2, 1, 0, *range(3, rank + 1)])
    data = b.reshape(data, [channels, group * batch, *spatial])
    kernel = b.transpose(g, [1, 0, *range(2, rank)])
    if any(pad < 0 for pad in windows.behind):
        # The end that no window reaches is no part of it.
        ends = [size + min(pad, 0) for size, pad in zip(spatial, windows.behind)]
        data = b.e.slice(data, [0] * len(ends), ends, range(2, rank))
    found = b.e(
        "Conv",
        data,
        kernel,
        group=group,
        strides=windows.dilations,
        dilations=windows.strides,
        pads=[*windows.before, *(max(pad, 0) for pad in windows.behind)],
        kernel_shape=results,
    )
    return b.reshape(b.transpose(found, [1, 0, *range(2, rank)]), [filters, *weights[1:]])


@gradient("ConvTranspose")
def _conv_transpose(b: Backward) -> List[str]:
    """By the data it is a convolution; by the weights that of the convolution it transposes."""
    weights = b.dims(1)
    group = b.attribute("group", 1)
    windows = Windows.of(b, weights[2:], transposed=True)
    if b.attribute("output_shape") and b.attribute("auto_pad", "NOTSET") in ("NOTSET", ""):
        windows = _automatic(windows)
    pads = [*windows.before, *(max(pad, 0) for pad in windows.behind)]
    g, large = b.g[0], b.result
    if any(pad < 0 for pad in windows.behind):
        large = (*large[:2], *(s + min(p, 0) for s, p in zip(large[2:], windows.behind)))
        g = b.e.slice(g, [0] * len(windows.kernel), large[2:], range(2, len(large)))
    by_data = b.e(
        "Conv",
        g,
        b.x[1],
        group=group,
        strides=windows.strides,
        dilations=windows.dilations,
        pads=pads,
    )
    inner = windows._replace(pads=pads)
    results = [by_data, _by_weights(b, g, b.x[0], large, weights, inner, group)]
    if len(b.x) > 2 and b.x[2]:
        results.append(b.sum(b.g[0], [0, *range(2, len(b.result))], keep=0))
    return results


def _automatic(windows: Windows) -> Windows:
    """The padding that a wanted shape gives: the odd element is at the end."""
    count = len(windows.kernel)
    totals = [before + behind for before, behind in zip(windows.before, windows.behind)]
    before = [max(total, 0) // 2 for total in totals]
    behind = [total - first for total, first in zip(totals, before)]
    assert len(before) == count
    return windows._replace(pads=[*before, *behind])


# Pooling.


@gradient("AveragePool")
def _average_pool(b: Backward) -> str:
    """Shares of what each window has inside the image, spread over it."""
    batch, channels, *spatial = b.dims()
    windows = Windows.of(b, b.attribute("kernel_shape"))
    counts = np.ones(1, np.float32)
    outputs = b.result[2:]
    for axis, size in enumerate(outputs):
        starts = np.arange(size) * windows.strides[axis] - windows.before[axis]
        ends = np.minimum(starts + windows.kernel[axis], spatial[axis])
        inside = (ends - np.maximum(starts, 0)).astype(np.float32)
        counts = counts[..., None] * inside
    if b.attribute("count_include_pad", 0):
        counts = np.full_like(counts, np.prod(windows.kernel))
    shares = b.div(b.g[0], b.const(np.maximum(counts, 1).reshape(outputs)))
    planes = b.reshape(shares, [batch * channels, 1, *outputs])
    ones = b.const(np.ones([1, 1, *windows.kernel]))
    return b.reshape(windows.spread(b, planes, ones, 1), b.dims())


@gradient("MaxPool")
def _max_pool(b: Backward) -> str:
    """Every element of a window that is its maximum has the full gradient."""
    batch, channels, *_ = b.dims()
    outputs = b.result[2:]
    windows = Windows.of(b, b.attribute("kernel_shape"))
    count = int(np.prod(windows.kernel, dtype=np.int64))
    zeros = [0, 0]
    low = b.const(np.finfo(np.float32).min)
    amounts = [*zeros, *windows.before, *zeros, *windows.behind]
    padded = b.e("Pad", b.x[0], b.e.ints(amounts), low)
    axes = range(2, 2 + len(outputs))
    parts = []
    for offset in np.ndindex(*windows.kernel):
        steps = zip(offset, windows.dilations, windows.strides, outputs)
        pairs = [(o * d, o * d + (n - 1) * s + 1) for o, d, s, n in steps]
        starts, ends = zip(*pairs)
        seen = b.e.slice(padded, starts, ends, axes, windows.strides)
        part = b.where(b.e("Equal", seen, b.y[0]), b.g[0])
        parts.append(b.reshape(part, [batch * channels, 1, *outputs]))
    stacked = b.e("Concat", *parts, axis=1)
    hot = b.const(np.eye(count).reshape([count, 1, *windows.kernel]))
    return b.reshape(windows.spread(b, stacked, hot, 1), b.dims())


@gradient("GlobalAveragePool")
def _global_average_pool(b: Backward) -> str:
    count = int(np.prod(b.dims()[2:], dtype=np.int64))
    return b.expand(b.scaled(b.g[0], 1 / max(count, 1)), b.dims())


@gradient("GlobalMaxPool")
def _global_max_pool(b: Backward) -> str:
    return b.e("Where", b.e("Equal", b.x[0], b.y[0]), b.g[0], b.const(0))


# Normalisation.


def _mean(b: Backward, name: str, axes: Sequence[int]) -> str:
    return b.e("ReduceMean", name, axes=list(axes), keepdims=1)


def _normalised(b: Backward, x: str, axes: Sequence[int], epsilon: float) -> Tuple[str, str]:
    """(x - mean) / deviation, and 1 / deviation, over axes."""
    centred = b.sub(x, _mean(b, x, axes))
    variance = _mean(b, b.mul(centred, centred), axes)
    inverse = b.e("Reciprocal", b.e("Sqrt", b.add(variance, b.const(epsilon))))
    return b.mul(centred, inverse), inverse


def _through(b: Backward, g: str, normal: str, inverse: str, axes: Sequence[int]) -> str:
    """inverse (g - mean(g) - normal mean(g normal)): the gradient before the normalisation."""
    along = b.mul(normal, _mean(b, b.mul(g, normal), axes))
    return b.mul(inverse, b.sub(b.sub(g, _mean(b, g, axes)), along))


@gradient("BatchNormalization", operands=(0, 1, 2))
@gradient("BatchNormalization", domain=GRAPHCORE, operands=(0, 1, 2))
def _batch_normalization(b: Backward) -> List[str]:
    """With the statistics of the batch; ai.graphcore's saves an unbiased variance and uses that."""
    dims = b.dims()
    axes, column = [0, *range(2, len(dims))], [dims[1]] + [1] * (len(dims) - 2)
    if b.attribute("spatial", 1) == 0:
        axes, column = [0], list(dims[1:])
    epsilon = b.attribute("epsilon", 1e-5)
    normal, inverse = _normalised(b, b.x[0], axes, epsilon)
    if b.op.domain == GRAPHCORE:
        count = int(np.prod([dims[axis] for axis in axes], dtype=np.int64))
        factor = np.sqrt((count - 1) / count) if count > 1 else 1.0
        normal, inverse = b.scaled(normal, factor), b.scaled(inverse, factor)
    g = b.given()
    by_normal = b.mul(g, b.reshape(b.x[1], column))
    return [
        _through(b, by_normal, normal, inverse, axes),
        b.reshape(b.sum(b.mul(g, normal), axes), b.dims(1)),
        b.reshape(b.sum(g, axes), b.dims(2)),
    ]


@gradient("InstanceNormalization")
def _instance_normalization(b: Backward) -> List[str]:
    dims = b.dims()
    spatial, column = list(range(2, len(dims))), [dims[1]] + [1] * (len(dims) - 2)
    normal, inverse = _normalised(b, b.x[0], spatial, b.attribute("epsilon", 1e-5))
    by_normal = b.mul(b.g[0], b.reshape(b.x[1], column))
    axes = [0, *spatial]
    return [
        _through(b, by_normal, normal, inverse, spatial),
        b.sum(b.mul(b.g[0], normal), axes, keep=0),
        b.sum(b.g[0], axes, keep=0),
    ]


@gradient("GroupNormalization", domain=GRAPHCORE)
def _group_normalization(b: Backward) -> List[str]:
    batch, channels, *spatial = b.dims()
    groups = b.attribute("num_groups")
    width = channels // groups
    strided = b.e.root.strided_groups
    split = [batch, width, groups, *spatial] if strided else [batch, groups, width, *spatial]
    axes = [1 if strided else 2, *range(3, len(split))]
    column = [channels] + [1] * len(spatial)
    x = b.reshape(b.x[0], split)
    normal, inverse = _normalised(b, x, axes, b.attribute("epsilon", 1e-5))
    g = b.given()
    by_normal = b.reshape(b.mul(g, b.reshape(b.x[1], column)), split)
    by_input = b.reshape(_through(b, by_normal, normal, inverse, axes), b.dims())
    over = [0, *range(2, len(b.dims()))]
    by_scale = b.sum(b.mul(g, b.reshape(normal, b.dims())), over, keep=0)
    return [by_input, by_scale, b.sum(g, over, keep=0)]


@gradient("LRN")
def _lrn(b: Backward) -> str:
    """PopART's own leaves the neighbours out, and does not divide alpha by the size."""
    dims, size = b.dims(), b.attribute("size")
    alpha, beta = b.attribute("alpha", 1e-4), b.attribute("beta", 0.75)
    elements = int(np.prod(dims[2:], dtype=np.int64))
    rows = b.reshape(b.mul(b.x[0], b.x[0]), [dims[0], 1, dims[1], elements])
    before = (size - 1) // 2
    padded = b.e("Pad", rows, b.e.ints([0, 0, before, 0, 0, 0, size - 1 - before, 0]))
    mean = b.reshape(b.e("AveragePool", padded, kernel_shape=[size, 1]), dims)
    base = b.add(b.scaled(mean, alpha), b.const(b.attribute("bias", 1.0)))
    power = b.e("Pow", base, b.const(-beta))
    square = b.mul(b.x[0], b.x[0])
    own = b.scaled(b.div(b.mul(square, power), base), -2 * alpha * beta)
    return b.mul(b.g[0], b.add(power, own))


# Softmax.


def _rows(b: Backward) -> Tuple[List[int], List[int]]:
    """The shape as rows that are normalised, and back."""
    dims = b.dims()
    axis = b.attribute("axis", 1) % max(len(dims), 1)
    rows = [int(np.prod(dims[:axis], dtype=np.int64)), int(np.prod(dims[axis:], dtype=np.int64))]
    return rows, list(dims)


@gradient("Softmax")
def _softmax(b: Backward) -> str:
    rows, dims = _rows(b)
    y, g = b.reshape(b.y[0], rows), b.reshape(b.g[0], rows)
    total = b.sum(b.mul(y, g), [1])
    return b.reshape(b.mul(y, b.sub(g, total)), dims)


@gradient("LogSoftmax")
def _log_softmax(b: Backward) -> str:
    rows, dims = _rows(b)
    y, g = b.e("Exp", b.reshape(b.y[0], rows)), b.reshape(b.g[0], rows)
    return b.reshape(b.sub(g, b.mul(y, b.sum(g, [1]))), dims)


# Resizing.


@gradient("Resize", "Upsample")
def _resize(b: Backward) -> str:
    """Linear in the data: the transposed matrix of each axis."""
    name = b.g[0]
    for axis, matrix in resize_matrices(b.op):
        name = multiply(b.e, name, matrix.T, axis, len(b.dims()))
    return name
