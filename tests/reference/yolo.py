"""Independent reference of finding boxes in the outputs of YOLOv3, in double precision."""

import math

import numpy as np

_ANCHORS = [
    [116, 90, 156, 198, 373, 326],
    [30, 61, 62, 45, 59, 119],
    [10, 13, 16, 30, 33, 23],
]


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


def _letterbox(pixels, scale):
    fitted = math.floor(pixels * scale + 0.5)
    return (416 - fitted) / 2 / 416, 416 / fitted


def _boxes(output, anchors, width, height):
    """Boxes as (ymin, xmin, ymax, xmax) with the scores of all classes."""
    size = output.shape[2]
    scale = min(416 / width, 416 / height)
    (off_w, scale_w), (off_h, scale_h) = _letterbox(width, scale), _letterbox(height, scale)
    channels = output.shape[1] // 3
    for anchor in range(3):
        for gy in range(size):
            for gx in range(size):
                x = output[0, anchor * channels : (anchor + 1) * channels, gy, gx].astype(float)
                cx = ((_sigmoid(x[0]) + gx) / size - off_w) * scale_w
                cy = ((_sigmoid(x[1]) + gy) / size - off_h) * scale_h
                w = math.exp(x[2]) * anchors[2 * anchor] / 416 * scale_w
                h = math.exp(x[3]) * anchors[2 * anchor + 1] / 416 * scale_h
                box = [(cy - h / 2) * height, (cx - w / 2) * width]
                box += [(cy + h / 2) * height, (cx + w / 2) * width]
                yield box, [_sigmoid(one) * _sigmoid(x[4]) for one in x[5:]]


def _overlap(a, b):
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return common / (sum(areas) - common)


def post_process(orig_img_w, orig_img_h, bb13, bb26, bb52):
    width, height = float(orig_img_w.reshape(())), float(orig_img_h.reshape(()))
    outputs = (bb13, bb26, bb52)
    found = [box for pair in zip(outputs, _ANCHORS) for box in _boxes(*pair, width, height)]
    classes, rows = bb13.shape[1] // 3 - 5, len(found) // 169
    info, used = np.zeros((classes, rows, 5)), np.zeros(classes, int)
    for kind in range(classes):
        kept = []
        for box, scores in sorted(found, key=lambda one: -one[1][kind]):
            if scores[kind] < 0.3 or len(kept) == rows:
                break
            if not kept or _overlap(box, kept[-1]) <= 0.45:
                kept.append([*box, scores[kind]])
        info[kind, : len(kept)] = np.reshape(kept, (-1, 5))
        used[kind] = len(kept)
    return info, used
