"""What kernels compute, in numpy and onnxruntime; shares no code with the package."""

import math

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}


def onnx_op(op, inputs, outputs=1, opset=16, **attributes):
    """The results of one ONNX operator in onnxruntime."""
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, **attributes)
    infos = [
        helper.make_tensor_value_info(name, _TYPES[x.dtype.name], x.shape)
        for name, x in zip(names, inputs)
        if x is not None
    ]
    graph = helper.make_graph(
        [node], "g", infos, [onnx.ValueInfoProto(name=name) for name in results]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {n: x for n, x in zip(names, inputs) if x is not None})


def nms(boxes, scores, max_selected, iou_threshold, score_threshold, rows):
    found = onnx_op(
        "NonMaxSuppression",
        [
            boxes.astype(np.float32),
            scores.astype(np.float32),
            np.array([max_selected], np.int64),
            np.array([iou_threshold], np.float32),
            np.array([score_threshold], np.float32),
        ],
    )[0][:rows]
    table = np.full((rows, 3), -1, np.int32)
    table[: len(found)] = found
    return table, np.array([len(found)], np.int32)


def compress(x, condition, axis):
    size = min(len(condition), x.shape[axis])
    kept = np.compress(condition[:size], x, axis)
    pads = [(0, 0)] * x.ndim
    pads[axis] = (0, size - kept.shape[axis])
    return np.pad(kept, pads), np.array([kept.shape[axis]], np.int32)


def ctc(logits, lengths, blank, merge_repeated):
    steps, batch, classes = logits.shape
    table, counts = np.full((batch, steps), -1, np.int32), np.zeros(batch, np.int32)
    blank = classes - 1 if blank < 0 else blank
    for of in range(batch):
        before = None
        for step in range(steps if lengths is None else min(steps, int(lengths[of]))):
            label = int(np.argmax(logits[step, of]))
            if label != blank and not (merge_repeated and label == before):
                table[of, counts[of]] = label
                counts[of] += 1
            before = label
    return table, counts


def roi_max_pool(x, rois, images, height, width, scale):
    y = np.zeros((len(rois), x.shape[1], height, width), x.dtype)
    for r, roi in enumerate(rois):
        x1, y1, x2, y2 = (
            int(math.copysign(math.floor(abs(v) + 0.5), v)) for v in roi * np.float32(scale)
        )
        tall, wide = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        for i in range(height):
            for j in range(width):
                top = y1 + math.floor(i * tall / height)
                bottom = y1 + math.ceil((i + 1) * tall / height)
                left = x1 + math.floor(j * wide / width)
                right = x1 + math.ceil((j + 1) * wide / width)
                part = x[images[r], :, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
                if part.size:
                    y[r, :, i, j] = part.max((1, 2))
    return (y,)


def tf_idf(x, pool, places, weights, starts, shortest, longest, skips, mode, columns):
    wanted = np.ones(columns) if weights is None else weights
    counts = np.zeros((len(x), columns))
    for row, words in enumerate(x.tolist()):
        gram = 0
        for length, start in enumerate(starts, 1):
            end = starts[length] if length < len(starts) else len(pool)
            for at in range(start, end, length):
                if shortest <= length <= longest:
                    for step in range(1, (skips + 2) if length > 1 else 2):
                        for first in range(len(words) - step * (length - 1)):
                            if words[first::step][:length] == pool[at : at + length].tolist():
                                counts[row, places[gram]] += 1
                gram += 1
    if mode == 1:
        counts = (counts > 0) * wanted
    elif mode == 2:
        counts = counts * wanted
    return (counts.astype(np.float32),)


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


def _iou(a, b):
    high, wide = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(high, 0) * max(wide, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union else math.nan


def yolo(width, height, outputs, rows):
    anchors = [
        [(116, 90), (156, 198), (373, 326)],
        [(30, 61), (62, 45), (59, 119)],
        [(10, 13), (16, 30), (33, 23)],
    ]
    boxes, scores = [], []
    ratio = 416 / max(width, height)
    for x, sizes in zip(outputs, anchors):
        k = x.shape[2]
        cells = x.astype(np.float64).reshape(3, -1, k, k)
        for anchor in range(3):
            for row in range(k):
                for column in range(k):
                    tx, ty, tw, th, tobj, *classes = cells[anchor, :, row, column]
                    sides = []
                    for t, size, cell, pixels, length in (
                        (ty, th, row, height, sizes[anchor][1]),
                        (tx, tw, column, width, sizes[anchor][0]),
                    ):
                        fitted = math.floor(pixels * ratio + 0.5)
                        offset = (416 - fitted) / 2 / 416
                        middle = ((_sigmoid(t) + cell) / k - offset) * 416 / fitted
                        half = math.exp(size) * length / 416 * 416 / fitted / 2
                        sides.append(((middle - half) * pixels, (middle + half) * pixels))
                    boxes.append((sides[0][0], sides[1][0], sides[0][1], sides[1][1]))
                    scores.append(_sigmoid(np.array(classes)) * _sigmoid(tobj))
    table = np.zeros((len(scores[0]), rows, 5), np.float32)
    used = np.zeros(len(scores[0]), np.uint32)
    for kind in range(len(table)):
        of = np.array([score[kind] for score in scores])
        before = None
        for box in np.argsort(-of, kind="stable"):
            if of[box] < 0.3 or used[kind] == rows:
                break
            if before is None or not _iou(boxes[before], boxes[box]) > 0.45:
                table[kind, used[kind]] = (*boxes[box], of[box])
                used[kind] += 1
                before = box
    return table, used


def detection(loc, conf, prior, a):
    batch = len(conf)
    prior, variance = prior.astype(np.float64).reshape(2, -1, 4)
    conf = conf.astype(np.float64).reshape(batch, len(prior), a["num_classes"])
    loc = loc.astype(np.float64).reshape(batch, len(prior), -1, 4)
    table = np.full((batch, a["keep_top_k"], 7), -1, np.float32)
    counts = np.zeros(batch, np.int32)
    for image in range(batch):
        objects = []
        for label in range(a["num_classes"]):
            if label == a["background_label"]:
                continue
            boxes = []
            for p, v, t in zip(prior, variance, loc[image, :, 0 if a["share_location"] else label]):
                size, move = p[2:] - p[:2], v * t
                if a["code_type"] == 1:
                    boxes.append(p + move)
                elif a["code_type"] == 3:
                    boxes.append(p + move * np.array([*size, *size]))
                else:
                    centre = move[:2] * size + (p[:2] + p[2:]) / 2
                    half = np.exp(move[2:]) * size / 2
                    boxes.append(np.concatenate([centre - half, centre + half]))
            of, limit, kept = conf[image, :, label], a["nms_threshold"], []
            order = [i for i in np.argsort(-of, kind="stable") if of[i] > a["confidence_threshold"]]
            for i in order[: a["nms_top_k"] if a["nms_top_k"] >= 0 else None]:
                if all(not _iou(boxes[i], boxes[j]) > limit for j in kept):
                    kept.append(i)
                    if a["nms_eta"] < 1 and limit > 0.5:
                        limit *= a["nms_eta"]
            objects += [(image, label, of[i], *boxes[i]) for i in kept]
        best = sorted(range(len(objects)), key=lambda i: -objects[i][2])[: a["keep_top_k"]]
        for row, i in enumerate(sorted(best)):
            table[image, row] = objects[i]
        counts[image] = len(best)
    return counts, table


def philox(count, seed):
    """Words of Philox 4x32-10 for counters from 0 on."""
    mask = np.uint64(0xFFFFFFFF)
    n = (count + 3) // 4
    c = [np.arange(n, dtype=np.uint64)] + [np.zeros(n, np.uint64) for _ in range(3)]
    k = [int(seed[0]), int(seed[1])]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]),
            p1 & mask,
            (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]),
            p0 & mask,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, 1).reshape(-1)[: 4 * n].astype(np.uint32)


def uniform(seed, dims, low, high):
    count = math.prod(dims)
    part = (philox(count, seed)[:count] >> 8) / 2.0**24
    return ((low + part * (high - low)).reshape(dims),)


def normal(seed, dims, mean, scale):
    count = math.prod(dims)
    words = (philox(count, seed) >> 8).astype(np.float64).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log((words[:, 0] + 1) / 2.0**24))
    angle = 2 * np.pi * words[:, 1] / 2.0**24
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return ((mean + scale * pairs.reshape(-1)[:count]).reshape(dims),)


def gelu(x):
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        inner = np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)
        return 0.5 * wide * (1 + np.tanh(inner))


def mask(index, data):
    wide = index.astype(np.float64)
    apart = np.abs(wide[:, None, :, None] - wide[:, None, None, :])
    return ((-10000 * np.tanh(apart)).astype(data.dtype),)


def au_gru(x, state, attention, gate_weights, gate_bias, weights, bias):
    wide = [one.astype(np.float64) for one in (x, state, gate_weights, gate_bias, weights, bias)]
    x, state, gate_weights, gate_bias, weights, bias = wide
    gates = _sigmoid(np.concatenate([x, state], 1) @ gate_weights + gate_bias)
    reset, update = np.split(gates, 2, 1)
    candidate = np.tanh(np.concatenate([x, reset * state], 1) @ weights + bias)
    update = (1 - attention.astype(np.float64)[:, None]) * update
    return (update * state + (1 - update) * candidate,)


def scatter(x, indices, updates, axis, reduction):
    y = x.copy()
    for place in np.ndindex(*indices.shape):
        row = int(indices[place])
        row += x.shape[axis] if row < 0 else 0
        if 0 <= row < x.shape[axis]:
            to = (*place[:axis], row, *place[axis + 1 :])
            y[to] = _join(reduction, y[to], updates[place])
    return (y,)


def scatter_nd(x, indices, updates, reduction):
    y, length = x.copy(), indices.shape[-1]
    for place in np.ndindex(*indices.shape[:-1]):
        at = [int(i) + (n if i < 0 else 0) for i, n in zip(indices[place], x.shape)]
        if all(0 <= i < n for i, n in zip(at, x.shape[:length])):
            y[tuple(at)] = _join(reduction, y[tuple(at)], updates[place])
    return (y,)


def _join(reduction, old, new):
    with np.errstate(over="ignore"):
        return (new, old + new, old * new, np.maximum(old, new), np.minimum(old, new))[reduction]
