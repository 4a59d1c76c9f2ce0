"""Independent numpy reference of the neural-network ops, in double precision and plain loops."""

import itertools
import math

import numpy as np


def _wide(x):
    return np.asarray(x, np.float64)


# Activations.


def relu(x):
    return np.where(x > 0, _wide(x), 0)


def leaky_relu(x, alpha=0.01):
    return np.where(x < 0, alpha * _wide(x), x)


def prelu(x, slope):
    if slope.ndim == 1 and slope.shape[0] not in (1, x.shape[-1]):
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x < 0, _wide(slope) * x, x)


def thresholded_relu(x, alpha=1.0):
    return np.where(x > alpha, _wide(x), 0)


def elu(x, alpha=1.0):
    x = _wide(x)
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def celu(x, alpha=1.0):
    x = _wide(x)
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0) / alpha), x)


def selu(x, alpha=1.67326, gamma=1.0507):
    return gamma * elu(x, alpha)


def gelu(x, use_approx=False):
    x = _wide(x)
    if use_approx:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))


def hard_sigmoid(x, alpha=0.2, beta=0.5):
    return np.clip(alpha * _wide(x) + beta, 0, 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-_wide(x)))


def softplus(x):
    return np.logaddexp(0, _wide(x))


def softsign(x):
    return x / (1 + np.abs(_wide(x)))


def shrink(x, bias=0.0, lambd=0.5):
    wide = _wide(x)
    result = np.where(wide < -lambd, wide + bias, np.where(wide > lambd, wide - bias, 0))
    return np.trunc(result) if x.dtype.kind in "iu" else result


def softmax(x, axis=-1):
    return np.exp(log_softmax(x, axis))


def log_softmax(x, axis=-1):
    x = _wide(x) - np.max(x, axis, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis, keepdims=True))


def hardmax(x, axis=-1):
    moved = np.moveaxis(x, axis, -1)
    result = np.zeros(moved.shape)
    for place in np.ndindex(*moved.shape[:-1]):
        result[place][np.argmax(moved[place])] = 1
    return np.moveaxis(result, -1, axis)


# Layouts: everything is computed channels-first.


def _is_last(layout):
    return str(layout).lower() == "channels_last"


def _first(x, layout):
    return np.moveaxis(x, -1, 1) if _is_last(layout) else x


def _back(x, layout):
    return np.moveaxis(x, 1, -1) if _is_last(layout) else x


# Normalisation.


def _affine(x, scale, offset, scalar_scale, scalar_offset):
    column = (-1, *[1] * (x.ndim - 2))
    scale = scalar_scale if scale is None else _wide(scale).reshape(column)
    offset = scalar_offset if offset is None else _wide(offset).reshape(column)
    return x * scale + offset


def batch_normalization(
    x,
    mean,
    var,
    scale=None,
    offset=None,
    input_layout="",
    epsilon=1e-5,
    scalar_scale=1.0,
    scalar_offset=0.0,
):
    x = _first(_wide(x), input_layout)
    column = (-1, *[1] * (x.ndim - 2))
    x = (x - _wide(mean).reshape(column)) / np.sqrt(_wide(var).reshape(column) + epsilon)
    return _back(_affine(x, scale, offset, scalar_scale, scalar_offset), input_layout)


def instance_normalization(x, scale=None, offset=None, **attributes):
    channels = _first(x, attributes.get("input_layout", "")).shape[1]
    return group_normalization(x, scale, offset, groups=channels, **attributes)


def group_normalization(
    x,
    scale=None,
    offset=None,
    groups=1,
    input_layout="",
    epsilon=1e-5,
    scalar_scale=1.0,
    scalar_offset=0.0,
):
    x = _first(_wide(x), input_layout)
    channels = x.shape[1]
    size = channels // groups
    y = np.empty_like(x)
    for n, g in itertools.product(range(x.shape[0]), range(groups)):
        block = x[n, g * size : (g + 1) * size]
        y[n, g * size : (g + 1) * size] = (block - block.mean()) / np.sqrt(block.var() + epsilon)
    scale, offset = (
        np.repeat(v, channels // v.size) if v is not None else None for v in (scale, offset)
    )
    return _back(_affine(y, scale, offset, scalar_scale, scalar_offset), input_layout)


def lrn(x, window_size, input_layout="", alpha=1e-4, beta=0.75, bias=1.0):
    x = _first(_wide(x), input_layout)
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        low, high = c - (window_size - 1) // 2, c + math.ceil((window_size - 1) / 2)
        total = (x[:, max(low, 0) : high + 1] ** 2).sum(1)
        y[:, c] = x[:, c] / (bias + alpha / window_size * total) ** beta
    return _back(y, input_layout)


def lp_normalize(x, scale=None, p=2, input_layout="", axes=(1,), epsilon=1e-10):
    x = _wide(x)
    if p == 1:
        norm = np.abs(x).sum(tuple(axes), keepdims=True) + epsilon
    else:
        norm = np.sqrt((x * x).sum(tuple(axes), keepdims=True) + epsilon)
    return x / norm * (1 if scale is None else _wide(scale))


# Convolution.


def _oi(kernel, layout, group, channels, whole):
    """The kernel as [output channels, input channels, S...] with zeros between groups."""
    layout = str(layout).lower()
    front = {"oi": ((0, 1), 2), "io": ((1, 0), 2)}.get(layout[:2])
    o, i, s = (*front[0], 2) if front else {"sio": (-1, -2, 0), "soi": (-2, -1, 0)}[layout]
    spatial = tuple(range(s, s + kernel.ndim - 2))
    k = _wide(kernel).transpose(o % kernel.ndim, i % kernel.ndim, *spatial)
    part = channels // group
    if front is None:
        whole = k.shape[1] == channels
    outputs = k.shape[0] * (group if whole else 1)
    each = outputs // group
    dense = np.zeros((outputs, channels, *k.shape[2:]))
    for g in range(group):
        rows, columns = slice(g * each, (g + 1) * each), slice(g * part, (g + 1) * part)
        dense[rows, columns] = k[:, columns] if whole else k[rows]
    return dense


def _arrays(x, strides, dilations, front, back):
    ones, zeros = [1] * (x.ndim - 2), [0] * (x.ndim - 2)
    return strides or ones, dilations or ones, front or zeros, back or zeros


def conv(
    x,
    kernel,
    bias=None,
    input_layout="",
    group=1,
    kernel_layout="ois",
    strides=None,
    dilations=None,
    paddings_front=None,
    paddings_back=None,
    output_dims=None,
):
    x = _first(_wide(x), input_layout)
    kernel = _oi(kernel, kernel_layout, group, x.shape[1], str(kernel_layout).lower() == "ios")
    strides, dilations, front, back = _arrays(x, strides, dilations, paddings_front, paddings_back)
    extra = 50 if output_dims is not None else 0
    pads = [(0, 0), (0, 0), *((f, b + extra) for f, b in zip(front, back))]
    padded = np.pad(x, pads)
    sizes = [
        (n + f + b - (d * (k - 1) + 1)) // s + 1
        for n, f, b, d, k, s in zip(x.shape[2:], front, back, dilations, kernel.shape[2:], strides)
    ]
    if output_dims is not None:
        sizes = output_dims[1:-1] if _is_last(input_layout) else output_dims[2:]
    y = np.zeros((x.shape[0], kernel.shape[0], *sizes))
    for out in np.ndindex(*sizes):
        for k in np.ndindex(*kernel.shape[2:]):
            at = tuple(o * s + i * d for o, s, i, d in zip(out, strides, k, dilations))
            y[(slice(None), slice(None), *out)] += (
                padded[(slice(None), slice(None), *at)] @ kernel[(slice(None), slice(None), *k)].T
            )
    if bias is not None:
        y += _wide(bias).reshape(-1, *[1] * len(sizes))
    return _back(y, input_layout)


def deconv(
    x,
    kernel,
    bias=None,
    input_layout="",
    group=1,
    kernel_layout="ios",
    strides=None,
    dilations=None,
    paddings_front=None,
    paddings_back=None,
    output_dims=None,
):
    x = _first(_wide(x), input_layout)
    kernel = _oi(kernel, kernel_layout, group, x.shape[1], str(kernel_layout).lower() == "ios")
    strides, dilations, front, back = _arrays(x, strides, dilations, paddings_front, paddings_back)
    full = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(x.shape[2:], strides, dilations, kernel.shape[2:])
    ]
    y = np.zeros((x.shape[0], kernel.shape[0], *full))
    for place in np.ndindex(*x.shape[2:]):
        for k in np.ndindex(*kernel.shape[2:]):
            at = tuple(p * s + i * d for p, s, i, d in zip(place, strides, k, dilations))
            y[(slice(None), slice(None), *at)] += (
                x[(slice(None), slice(None), *place)] @ kernel[(slice(None), slice(None), *k)].T
            )
    sizes = [n - f - b for n, f, b in zip(full, front, back)]
    if output_dims is not None:
        sizes = output_dims[1:-1] if _is_last(input_layout) else output_dims[2:]
    y = np.pad(y, [(0, 0), (0, 0), *((0, 50) for _ in sizes)])
    y = y[(slice(None), slice(None), *(slice(f, f + n) for f, n in zip(front, sizes)))]
    if bias is not None:
        y = y + _wide(bias).reshape(-1, *[1] * len(sizes))
    return _back(y, input_layout)


# Pooling.


def _windows(x, window, strides, front, back, output_dims, layout):
    """For each output place: the slice of real elements, and the number of padded ones it sees."""
    strides, _, front, back = _arrays(x, strides, None, front, back)
    sizes = [
        (n + f + b - k) // s + 1 for n, f, b, k, s in zip(x.shape[2:], front, back, window, strides)
    ]
    if output_dims is not None:
        sizes = output_dims[1:-1] if _is_last(layout) else output_dims[2:]
    for out in np.ndindex(*sizes):
        real, declared = [], 1
        for o, s, f, b, k, n in zip(out, strides, front, back, window, x.shape[2:]):
            start = o * s - f
            real.append(slice(max(start, 0), max(min(start + k, n), 0)))
            declared *= min(start + k, n + b) - start
        yield out, (slice(None), slice(None), *real), declared, sizes


def max_pool(
    x,
    window_dims,
    input_layout="",
    strides=None,
    paddings_front=None,
    paddings_back=None,
    output_dims=None,
):
    x = _first(x, input_layout)
    y = None
    for out, real, _, sizes in _windows(
        x, window_dims, strides, paddings_front, paddings_back, output_dims, input_layout
    ):
        y = np.empty((*x.shape[:2], *sizes), x.dtype) if y is None else y
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        axes = tuple(range(2, x.ndim))
        y[(slice(None), slice(None), *out)] = x[real].max(axes, initial=lowest)
    return _back(y, input_layout)


def average_pool(
    x,
    window_dims,
    input_layout="",
    strides=None,
    paddings_front=None,
    paddings_back=None,
    padding_included=False,
    output_dims=None,
):
    x = _first(_wide(x), input_layout)
    y = None
    for out, real, declared, sizes in _windows(
        x, window_dims, strides, paddings_front, paddings_back, output_dims, input_layout
    ):
        y = np.empty((*x.shape[:2], *sizes)) if y is None else y
        part = x[real]
        count = declared if padding_included else max(int(np.prod(part.shape[2:])), 1)
        y[(slice(None), slice(None), *out)] = part.sum(tuple(range(2, x.ndim))) / count
    return _back(y, input_layout)


# Ranking.


def top_k(
    x,
    K,
    largest=True,
    sorted=True,
    axis=-1,
    output_value_type=None,
    output_value_index_type="int64",
):
    key = -x.astype(np.float64) if largest else x.astype(np.float64)
    order = np.take(np.argsort(key, axis=axis, kind="stable"), np.arange(K), axis)
    values = np.take_along_axis(x, order, axis)
    return values.astype(output_value_type or x.dtype), order.astype(output_value_index_type)


def negative_log_likelihood_loss(x, gt, weight, reduction="mean", ignored=-1, output_shape=()):
    losses, total = np.zeros(gt.shape), 0.0
    for place in np.ndindex(*gt.shape):
        label = int(gt[place])
        if label == ignored or not 0 <= label < x.shape[1]:
            continue
        importance = 1.0 if weight is None else float(weight[label])
        losses[place] = -importance * float(x[(place[0], label, *place[1:])])
        total += importance
    if reduction == "none":
        return losses
    loss = losses.sum() / np.float64(total if reduction == "mean" else 1)
    return loss.reshape(output_shape)
