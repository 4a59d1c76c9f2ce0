"""Independent numpy reference of the region ops, in double precision and plain loops."""

import itertools
import math

import numpy as np


def _channels_first(function):
    """``function`` for channels-first images, made one for both layouts."""

    def both(x, rois, input_layout="channels_first", **attributes):
        if input_layout == "channels_first":
            return function(x, rois, **attributes)
        if "output_dim" in attributes:
            attributes["output_dim"] = [attributes["output_dim"][axis] for axis in (0, 3, 1, 2)]
        return np.moveaxis(function(np.moveaxis(x, -1, 1), rois, **attributes), 1, -1)

    return both


def _bilinear(image, y, x):
    """Bilinear sample of [C,H,W]; the border reaches one pixel out, beyond is 0."""
    height, width = image.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(image.shape[0])
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = image[:, top, left] * (left + 1 - x) + image[:, top, right] * (x - left)
    lower = image[:, bottom, left] * (left + 1 - x) + image[:, bottom, right] * (x - left)
    return upper * (top + 1 - y) + lower * (y - top)


@_channels_first
def roi_align(x, rois, output_dim, sampling_ratio=0, scale=1.0):
    x, rois = x.astype(np.float64), rois.astype(np.float64) * scale
    height, width = output_dim[2:]
    out = np.zeros((len(rois), x.shape[1], height, width))
    for region, (x1, y1, x2, y2) in enumerate(rois):
        image = x[region * len(x) // len(rois)]
        cell_h, cell_w = max(y2 - y1, 1.0) / height, max(x2 - x1, 1.0) / width
        count_h = sampling_ratio or math.ceil(cell_h)
        count_w = sampling_ratio or math.ceil(cell_w)
        for row, column in itertools.product(range(height), range(width)):
            for i, j in itertools.product(range(count_h), range(count_w)):
                out[region, :, row, column] += _bilinear(
                    image,
                    y1 + cell_h * (row + (i + 0.5) / count_h),
                    x1 + cell_w * (column + (j + 0.5) / count_w),
                ) / (count_h * count_w)
    return out


@_channels_first
def roi_max_pool(x, rois, win_h, win_w, scale=1.0):
    out = np.zeros((len(rois), x.shape[1], win_h, win_w))
    height, width = x.shape[2:]
    for region, corners in enumerate(rois.astype(np.float64) * scale):
        image = x[region * len(x) // len(rois)]
        x1, y1, x2, y2 = (int(math.copysign(math.floor(abs(c) + 0.5), c)) for c in corners)
        region_h, region_w = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        for row, column in itertools.product(range(win_h), range(win_w)):
            top = y1 + row * region_h // win_h
            bottom = y1 + math.ceil((row + 1) * region_h / win_h)
            left = x1 + column * region_w // win_w
            right = x1 + math.ceil((column + 1) * region_w / win_w)
            cell = image[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            if cell.size and top < height and left < width:
                out[region, :, row, column] = cell.max((1, 2))
    return out


# Choosing among boxes.


def _overlap(one, other):
    area, common = [], 1.0
    for box in (one, other):
        area.append(abs(box[2] - box[0]) * abs(box[3] - box[1]))
    for side in (0, 1):
        low = max(min(one[side], one[side + 2]), min(other[side], other[side + 2]))
        high = min(max(one[side], one[side + 2]), max(other[side], other[side + 2]))
        common *= max(high - low, 0.0)
    union = area[0] + area[1] - common
    return common / union if union else 0.0


def nms(boxes, scores, max_num_outputs, iou_threshold, score_threshold, output_value_type=None):
    boxes, scores = boxes.astype(np.float64), scores.astype(np.float64)
    batch, classes, count = scores.shape
    rows = []
    for image, kind in itertools.product(range(batch), range(classes)):
        kept = []
        for box in sorted(range(count), key=lambda i: -scores[image, kind, i]):
            if len(kept) == max_num_outputs or scores[image, kind, box] <= score_threshold:
                break
            if all(_overlap(boxes[image, box], boxes[image, k]) <= iou_threshold for k in kept):
                kept.append(box)
        rows += [(image, kind, box) for box in kept]
    if output_value_type is not None:
        rows = rows[: output_value_type[1][0]]
    return np.reshape(rows, (-1, 3))
