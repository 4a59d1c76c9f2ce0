"""Independent numpy reference of data movement, mostly element by element."""

import math
from fractions import Fraction

import numpy as np

# Types and copies.


def cast(x, target_type):
    if target_type == "bool":
        return x != 0
    kind = np.dtype(target_type)
    if kind.kind == "f" or x.dtype.kind != "f":
        return x.astype(kind)
    return (
        np.array([math.trunc(float(one)) for one in x.flat], np.int64).astype(kind).reshape(x.shape)
    )


def broadcast(x, output_shape):
    return (
        x + np.zeros(output_shape, x.dtype) if x.dtype != bool else x | np.zeros(output_shape, bool)
    )


def expand_dims(x, output_dims):
    return broadcast(x, output_dims)


def tile(x, repeat):
    for axis, count in enumerate(repeat):
        x = np.concatenate([x] * count, axis) if count else np.take(x, [], axis)
    return x


tile_dynamic = tile


def pad(x, padding_front, padding_back):
    sides = zip(x.shape, padding_front, padding_back)
    result = np.zeros([front + dim + back for dim, front, back in sides], x.dtype)
    for place in np.ndindex(*x.shape):
        result[tuple(at + front for at, front in zip(place, padding_front))] = x[place]
    return result


def fill(type, method):
    assert method == "eye_like"
    kind, dims = type
    result = np.zeros(dims, kind)
    for i in range(min(dims)):
        result[i, i] = 1
    return result


# The same elements under another shape.


def reshape(x, output_dims):
    return x.reshape(output_dims)


def reshape_dynamic(x, output_shape):
    wanted = [x.shape[axis] if dim == 0 else dim for axis, dim in enumerate(output_shape)]
    return x.reshape(wanted)


def squeeze(x, axes=()):
    return np.squeeze(x, tuple(axes) or None)


def transpose(x, permutations):
    return np.moveaxis(x, permutations, range(x.ndim))


# Joining and splitting.


def concat(inputs, axis):
    rows = [row for one in inputs for row in np.moveaxis(one, axis, 0)]
    if not rows:
        first = np.moveaxis(inputs[0], axis, 0)
        return np.moveaxis(np.zeros((0, *first.shape[1:]), first.dtype), 0, axis)
    # numpy.array of rows drops an axis of size zero elsewhere: restore it
    shape = list(np.moveaxis(inputs[0], axis, 0).shape)
    shape[0] = len(rows)
    return np.moveaxis(np.array(rows).reshape(shape), 0, axis)


def stack(inputs, axis):
    return np.moveaxis(np.array(inputs), 0, axis)


def split(x, split_dim, num_split):
    axis = int(np.reshape(split_dim, -1)[0])
    size = x.shape[axis] // num_split
    parts = [range(part * size, (part + 1) * size) for part in range(num_split)]
    return [np.take(x, np.array(part, int), axis) for part in parts]


# Shape arithmetic.


def shape(x):
    return np.array(x.shape, np.int64)


def dims_expand(x, original, axes):
    out = [int(one) for one in x]
    for new, axis in zip(original, axes):
        out[axis] = int(new) + (out[axis] if new < 0 else 0)
    return np.array([min(one, 2**31 - 1) for one in out], np.int32)


# Slices.


def slice(x, start, end, stride=None, output_dims=None):
    """ONNX Slice-13 by its text, then the first ``output_dims`` of what remains."""
    for axis, dim in enumerate(x.shape):
        step = 1 if stride is None else stride[axis]
        first = start[axis] + dim if start[axis] < 0 else start[axis]
        last = end[axis] + dim if end[axis] < 0 else end[axis]
        low, high = (0, dim) if step > 0 else (-1, dim - 1)
        first = min(max(first, 0), high)
        last = min(max(last, low), high)
        taken = list(range(first, last, step))
        if output_dims is not None:
            taken = taken[: output_dims[axis]]
        x = np.take(x, np.array(taken, int), axis)
    return x


def slice_dynamic(x, start, size, stride=None):
    start = [int(one) + dim if one < 0 else int(one) for one, dim in zip(start, x.shape)]
    end = [first + int(count) for first, count in zip(start, size)]
    return slice(x, start, end, None if stride is None else [int(one) for one in stride])


# Gathers.


def gather(x, indices, axis):
    axis %= x.ndim
    result = np.empty((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)
    for place in np.ndindex(*result.shape):
        index = int(indices[place[axis : axis + indices.ndim]])
        result[place] = x[(*place[:axis], index, *place[axis + indices.ndim :])]
    return result


def gather_elements(x, indices, axis):
    axis %= x.ndim
    result = np.empty(indices.shape, x.dtype)
    for place in np.ndindex(*indices.shape):
        result[place] = x[(*place[:axis], int(indices[place]), *place[axis + 1 :])]
    return result


def gather_nd(x, indices, num_batch_dims=0):
    tail = x.shape[num_batch_dims + indices.shape[-1] :]
    result = np.empty((*indices.shape[:-1], *tail), x.dtype)
    for place in np.ndindex(*indices.shape[:-1]):
        index = tuple(int(one) for one in indices[place])
        result[place] = x[(*place[:num_batch_dims], *index)]
    return result


def one_hot(indices, values, depth, axis=-1):
    result = np.full((*indices.shape, depth), values[0], values.dtype)
    for place in np.ndindex(*indices.shape):
        index = int(indices[place])
        if -depth <= index < depth:
            result[(*place, index)] = values[1]
    return np.moveaxis(result, -1, axis)


# Resizing.


def resize(x, output_dims, interpolation="nearest", mode="half_pixel", axes_mask=-1):
    scales = [Fraction(new, old) if old else 1 for new, old in zip(output_dims, x.shape)]
    return _resized(x, output_dims, scales, interpolation, mode)


def resize_dynamic(x, scales, sizes, interpolation="nearest", mode="half_pixel"):
    if scales is None:
        return resize(x, tuple(int(one) for one in sizes), interpolation, mode)
    target = [int(np.floor(np.float32(n) * scale)) for n, scale in zip(x.shape, scales)]
    return _resized(x, target, [Fraction(float(one)) for one in scales], interpolation, mode)


def _resized(x, target, scales, interpolation, mode):
    result = x if interpolation == "nearest" else x.astype(np.float64)
    for axis, (new, scale) in enumerate(zip(target, scales)):
        if new == x.shape[axis]:
            continue
        rows = np.moveaxis(result, axis, 0)
        taken = [_sampled(rows, y, new, scale, interpolation, mode) for y in range(new)]
        result = np.moveaxis(np.array(taken).reshape(new, *rows.shape[1:]), 0, axis)
    return result


def _sampled(rows, y, new, scale, interpolation, mode):
    size = len(rows)
    half = Fraction(1, 2)
    if mode == "align_corners":
        c = Fraction(y * (size - 1), new - 1) if new > 1 else Fraction(0)
    elif mode == "assymmetric":
        c = y / scale
    else:
        c = (y + half) / scale - half

    def row(index):
        return rows[min(max(index, 0), size - 1)]

    base = math.floor(c)
    if interpolation == "nearest":
        if mode == "half_pixel_tf":
            return row(math.floor((y + half) / scale))
        return row(base if c - base <= half else base + 1)
    part = float(c - base)
    if interpolation == "linear":
        return (1 - part) * row(base) + part * row(base + 1)
    return sum(_keys(abs(part - tap)) * row(base + tap) for tap in (-1, 0, 1, 2))


def _keys(distance, a=-0.75):
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)


def compress(x, condition, axis=2**31 - 1):
    if axis == 2**31 - 1:
        x, axis = x.reshape(-1), 0
    slices = [np.take(x, [index], axis) for index, is_taken in enumerate(condition) if is_taken]
    return np.concatenate(slices or [np.take(x, [], axis)], axis)
