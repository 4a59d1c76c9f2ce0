"""Independent reference of the custom ops, in double precision and plain loops."""

import itertools
import math

import numpy as np

from . import linalg, regions, text, yolo

# Ops of PopART's.


def BitwiseAnd(x, y):
    return np.bitwise_and(x, y)


def BitwiseOr(x, y):
    return np.bitwise_or(x, y)


def BitwiseXor(x, y):
    return np.bitwise_xor(x, y)


def BitwiseNot(x):
    return np.invert(x)


_COMBINE = {
    "none": lambda old, new: new,
    "add": lambda old, new: old + new,
    "mul": lambda old, new: old * new,
    "max": max,
    "min": min,
}


def ScatterElements(data, indices, updates, axis=0, reduction="none"):
    out = data.copy()
    for place in np.ndindex(indices.shape):
        target = list(place)
        target[axis] = indices[place]
        out[tuple(target)] = _COMBINE[reduction](out[tuple(target)], updates[place])
    return out


def ScatterND(data, indices, updates, reduction="none"):
    out = data.copy()
    for place in np.ndindex(indices.shape[:-1]):
        target = tuple(indices[place])
        for rest in np.ndindex(data.shape[len(target) :]):
            old, new = out[target + rest], updates[place + rest]
            out[target + rest] = _COMBINE[reduction](old, new)
    return out


def MaxUnpool(x, indices, output_shape):
    out = np.zeros(math.prod(output_shape), x.dtype)
    for place in np.ndindex(x.shape):
        out[indices[place]] = x[place]
    return out.reshape(output_shape)


def Sort(x, axis=-1, descending=0):
    def order(line):
        return sorted(range(len(line)), key=lambda i: line[i], reverse=bool(descending))

    places = np.apply_along_axis(order, axis, x) if x.size else np.zeros(x.shape, int)
    return np.take_along_axis(x, places, axis), places


def Bucketize(x, boundaries, right=0):
    def bucket(number):
        return sum(b <= number if right else b < number for b in boundaries.tolist())

    return np.array([bucket(one) for one in x.reshape(-1).tolist()], int).reshape(x.shape)


# Kernels.


def NonMaxSuppression(boxes, scores, max_selected, iou_threshold, score_threshold, rows):
    scores = np.where(np.isnan(scores), -np.inf, scores)  # never selected
    found = regions.nms(boxes, scores, max_selected, iou_threshold, score_threshold)[:rows]
    out = np.full((rows, 3), -1)
    out[: len(found)] = found
    return out, np.array([len(found)])


def Compress(x, condition, axis):
    kept = [i for i, flag in enumerate(condition) if flag and i < x.shape[axis]]
    dims = list(x.shape)
    dims[axis] = min(dims[axis], len(condition))
    out = np.moveaxis(np.zeros(dims, x.dtype), axis, 0)
    for place, index in enumerate(kept):
        out[place] = np.moveaxis(x, axis, 0)[index]
    return np.moveaxis(out, 0, axis), np.array([len(kept)])


def Determinant(x):
    return linalg.det(x)


def MatrixInverse(x):
    return linalg.inverse(x)


def RoiMaxPool(x, rois, images, height, width, scale=1.0):
    parts = [
        regions.roi_max_pool(
            x[image : image + 1], roi[None], win_h=height, win_w=width, scale=scale
        )
        for roi, image in zip(rois, images)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, x.shape[1], height, width))


def TfIdf(x, pool, places, weights, starts, shortest, longest, skips, mode, columns):
    counts = text.tf_idf_vectorize(
        x, pool, np.array(starts), places, None, shortest, longest, skips, "tf"
    )
    counts = np.pad(counts, ((0, 0), (0, columns - counts.shape[1])))
    weight = 1 if weights is None else weights
    return {"tf": counts, "idf": weight * (counts > 0), "tfidf": weight * counts}[mode]


def YoloBoxes(width, height, bb13, bb26, bb52, rows):
    info, used = yolo.post_process(width, height, bb13, bb26, bb52)
    assert info.shape[1] == rows
    return info, used


def _detection_box(code_type, prior, variance, delta):
    x1, y1, x2, y2 = prior
    w, h = x2 - x1, y2 - y1
    d = [v * one for v, one in zip(variance, delta)]
    if code_type == 1:
        return [corner + one for corner, one in zip(prior, d)]
    if code_type == 3:
        return [x1 + d[0] * w, y1 + d[1] * h, x2 + d[2] * w, y2 + d[3] * h]
    cx, cy = (x1 + x2) / 2 + d[0] * w, (y1 + y2) / 2 + d[1] * h
    w, h = math.exp(d[2]) * w, math.exp(d[3]) * h
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def _jaccard(one, other):
    def area(x1, y1, x2, y2):
        return 0.0 if x2 < x1 or y2 < y1 else (x2 - x1) * (y2 - y1)

    x1, y1 = max(one[0], other[0]), max(one[1], other[1])
    x2, y2 = min(one[2], other[2]), min(one[3], other[3])
    if x2 < x1 or y2 < y1:
        return 0.0
    common = (x2 - x1) * (y2 - y1)
    return common / (area(*one) + area(*other) - common)


def DetectionOutput(
    loc,
    conf,
    priorbox,
    background_label=0,
    confidence_threshold=0.0,
    keep_top_k=1,
    num_classes=1,
    share_location=1,
    code_type=1,
    nms_threshold=0.3,
    nms_top_k=-1,
    nms_eta=1.0,
):
    batch = len(conf)
    prior, variance = priorbox.astype(float).reshape(2, -1, 4)
    location = loc.astype(float).reshape(batch, len(prior), -1, 4)
    confidence = conf.astype(float).reshape(batch, len(prior), num_classes)
    rows, counts = np.full((batch, keep_top_k, 7), -1.0), []
    for image in range(batch):
        kept = []
        for label in set(range(num_classes)) - {background_label}:
            boxes = [
                _detection_box(
                    code_type, *sides, location[image, i, 0 if share_location else label]
                )
                for i, sides in enumerate(zip(prior, variance))
            ]
            scores = confidence[image, :, label]
            order = [i for i in range(len(prior)) if scores[i] > confidence_threshold]
            order.sort(key=lambda i: -scores[i])
            order = order[: nms_top_k if nms_top_k >= 0 else None]
            threshold, chosen = nms_threshold, []
            for i in order:
                if all(_jaccard(boxes[i], boxes[k]) <= threshold for k in chosen):
                    chosen.append(i)
                    if nms_eta < 1 and threshold > 0.5:
                        threshold *= nms_eta
            kept += [(label, scores[i], *boxes[i]) for i in chosen]
        kept = sorted(kept, key=lambda row: -row[1])[:keep_top_k]
        kept.sort(key=lambda row: (row[0], -row[1]))
        for place, row in enumerate(kept):
            rows[image, place] = (image, *row)
        counts.append(len(kept))
    return np.array(counts), rows


def CtcGreedyDecode(logits, lengths=None, blank=-1, merge_repeated=True):
    steps, batch, classes = logits.shape
    blank %= classes
    labels, counts = np.full((batch, steps), -1), []
    for sequence in range(batch):
        size = steps if lengths is None else min(int(lengths[sequence]), steps)
        best = [int(np.argmax(logits[step, sequence])) for step in range(size)]
        if merge_repeated:
            best = [label for label, _ in itertools.groupby(best)]
        best = [label for label in best if label != blank]
        labels[sequence, : len(best)] = best
        counts.append(len(best))
    return labels, np.array(counts)


def ReverseSequence(x, lengths, batch_axis=1, time_axis=0):
    out = x.copy()
    for sequence, length in enumerate(lengths):
        for step in range(length):
            target, source = [sequence] * 2, [sequence] * 2
            target[time_axis], source[time_axis] = step, length - 1 - step
            out[tuple(target)] = x[tuple(source)]
    return out


def custom_IpuGelu(x):
    wide = x.astype(float)
    return 0.5 * wide * (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))


def custom_IpuAttentionMask(index, data):
    batch, size = index.shape
    out = np.zeros((batch, 1, size, size))
    for b, i, j in itertools.product(range(batch), range(size), range(size)):
        out[b, 0, i, j] = -10000 * math.tanh(abs(int(index[b, i]) - int(index[b, j])))
    return out


def GatherElements(x, indices, axis):
    return np.take_along_axis(
        x[tuple(slice(None if d == axis else n) for d, n in enumerate(indices.shape))],
        indices.astype(int),
        axis,
    )


def GatherND(x, indices, batch_dims=0):
    lead = indices.shape[:-1]
    parts = [
        x[place[:batch_dims]][tuple(int(i) for i in indices[place])] for place in np.ndindex(lead)
    ]
    return np.array(parts).reshape(*lead, *x.shape[batch_dims + indices.shape[-1] :])


_REDUCTIONS = ("none", "add", "mul", "max", "min")


def ScatterReduce(x, indices, updates, axis, reduction):
    return ScatterElements(x, indices, updates, axis, _REDUCTIONS[reduction])


def ScatterNDReduce(x, indices, updates, reduction):
    return ScatterND(x, indices, updates, _REDUCTIONS[reduction])


def _philox(counter, key):
    """The four words of Philox 4x32-10 (Salmon et al., 2011), in whole numbers."""
    a, b, c, d = counter, 0, 0, 0
    low, high = (int(one) for one in key)
    for _ in range(10):
        one, other = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (other >> 32) ^ b ^ low, other % 2**32, (one >> 32) ^ d ^ high, one % 2**32
        low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
    return a, b, c, d


def _parts(seed, dims):
    """24 bits for each of the numbers, rounded up to whole counters, as parts of 1."""
    counters = -(-math.prod(dims) // 4)
    return [(word >> 8) / 2**24 for i in range(counters) for word in _philox(i, seed)]


def RandomUniform(seed, dims, low=0.0, high=1.0, half=False):
    parts = np.array(_parts(seed, dims)[: math.prod(dims)])
    return (low + parts * (high - low)).reshape(dims)


def RandomNormal(seed, dims, mean=0.0, scale=1.0, half=False):
    parts, numbers = _parts(seed, dims), []
    for one, other in zip(parts[::2], parts[1::2]):
        radius = math.sqrt(-2 * math.log(one + 2**-24))
        numbers += [radius * math.cos(math.tau * other), radius * math.sin(math.tau * other)]
    return mean + scale * np.array(numbers[: math.prod(dims)]).reshape(dims)


def Int8MatMul(a, b, a_zero=0, b_zero=0):
    return (a.astype(int) - a_zero) @ (b.astype(int) - b_zero)


def Int8Conv(x, kernel, strides, pads, dilations, group=1, input_zero=0, kernel_zero=0):
    x, kernel = x.astype(int) - input_zero, kernel.astype(int) - kernel_zero
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    reach = [d * (size - 1) + 1 for d, size in zip(dilations, kernel.shape[2:])]
    sizes = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, strides)]
    out = np.zeros((len(x), len(kernel), *sizes), int)
    inner, outer = kernel.shape[1], len(kernel) // group
    for o, i, j in np.ndindex(out.shape[1:]):
        top, left, first = i * strides[0], j * strides[1], o // outer * inner
        part = x[:, first : first + inner, top : top + reach[0], left : left + reach[1]]
        part = part[:, :, :: dilations[0], :: dilations[1]]
        out[:, o, i, j] = (part * kernel[o]).sum((1, 2, 3))
    return out


def _along(vector, x, axis):
    dims = [1] * x.ndim
    dims[axis] = len(vector)
    return vector.astype(float).reshape(dims)


def QuantizeLinear(x, scale, zero_point, axis=0):
    limits = np.iinfo(zero_point.dtype)
    whole = np.rint(np.nan_to_num(x.astype(float) / _along(scale, x, axis), nan=0))
    return np.clip(whole + _along(zero_point, x, axis), limits.min, limits.max)


def DequantizeLinear(x, scale, zero_point, axis=0):
    return (x.astype(float) - _along(zero_point, x, axis)) * _along(scale, x, axis)


def custom_IpuRsqrt(x):
    with np.errstate(divide="ignore"):
        return 1 / np.sqrt(x.astype(float))


def BiasGelu(x, bias):
    return custom_IpuGelu(x.astype(float) + bias)


def LayerNorm(x, scale, bias, epsilon=1e-5):
    wide = x.astype(float)
    less = wide - wide.mean(-1, keepdims=True)
    return less / np.sqrt((less**2).mean(-1, keepdims=True) + epsilon) * scale + bias


def AuGruCell(x, state, attention, gate_weights, gate_bias, weights, bias):
    x, state = x.astype(float), state.astype(float)
    gates = 1 / (1 + np.exp(-(np.concatenate([x, state], 1) @ gate_weights + gate_bias)))
    reset, update = np.split(gates, 2, 1)
    update *= 1 - attention[:, None]
    candidate = np.tanh(np.concatenate([x, reset * state], 1) @ weights + bias)
    return update * state + (1 - update) * candidate


def EmbeddingBag(table, indices, weights=None):
    out = np.zeros((len(indices), table.shape[1]))
    for bag, place in np.ndindex(indices.shape):
        if 0 <= indices[bag, place] < len(table):  # others count nothing
            factor = 1 if weights is None else float(weights[bag, place])
            out[bag] += factor * table[indices[bag, place]].astype(float)
    return out
