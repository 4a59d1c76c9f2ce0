"""Samples of pooled regions and of choosing among boxes."""

import numpy as np

from . import Sample, random

_HALF = {"rtol": 2e-3, "atol": 2e-3}
_CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def _regions(count, height, width, dtype="float32"):
    """Regions within an image and some that reach beyond it."""
    generator = np.random.RandomState(count)
    corners = generator.uniform(-0.1, 1.1, (count, 2, 2)) * [width, height]
    return np.sort(corners, 1).reshape(count, 4).astype(dtype)


def _align(x, rois, height, width, layout="channels_first", constants=(), **attributes):
    tail = (
        (x.shape[1], height, width) if layout == "channels_first" else (height, width, x.shape[3])
    )
    attributes.update(input_layout=layout, output_dim=(len(rois), *tail))
    tolerance = _HALF if x.dtype == np.float16 else _CLOSE
    return Sample("roi_align", (x, rois), attributes, constants, **tolerance)


SAMPLES = [
    _align(random(1, 2, 7, 9), _regions(3, 7, 9), 2, 3),
    _align(random(1, 2, 7, 9), _regions(3, 7, 9), 2, 3, sampling_ratio=2),
    _align(random(1, 2, 7, 9), _regions(3, 28, 36), 4, 1, scale=0.25, sampling_ratio=1),
    _align(random(1, 3, 5, 4), _regions(4, 5, 4), 1, 1, constants=(1,)),
    _align(random(2, 3, 5, 4), _regions(6, 5, 4), 2, 2, sampling_ratio=3),
    _align(random(1, 7, 9, 2), _regions(3, 7, 9), 2, 3, "channels_last"),
    _align(random(2, 5, 5, 3), _regions(2, 5, 5), 3, 2, "channels_last", sampling_ratio=2),
    _align(random(1, 2, 7, 9, dtype="float16"), _regions(3, 7, 9, "float16"), 2, 3),
    _align(random(1, 2, 7, 9, dtype="float64"), _regions(3, 7, 9, "float64"), 2, 3),
    _align(random(1, 2, 7, 9), np.float32([[3, 3, 3, 3], [6, 5, 2, 1]]), 2, 2, sampling_ratio=2),
    _align(random(1, 2, 7, 9), np.zeros((0, 4), "float32"), 2, 2),
]


def _pool(x, rois, height, width, constants=(), **attributes):
    attributes.update(win_h=height, win_w=width)
    return Sample("roi_max_pool", (x, rois), attributes, constants)


_halves = np.float32([[0.5, 1.5, 3.5, 4.49], [-0.5, -2.5, 2.5, 2.5]])
_outside = np.float32([[20, 1, 30, 3], [-9, -9, -4, -5], [5, 4, 2, 1], [-3, 2, 20, 2]])
SAMPLES += [
    _pool(random(1, 2, 7, 9), _regions(3, 7, 9), 2, 3),
    _pool(random(1, 2, 7, 9), _regions(3, 7, 9), 7, 7, constants=(1,)),
    _pool(random(1, 2, 7, 9), _regions(3, 28, 36), 3, 2, scale=0.25),
    _pool(random(2, 3, 5, 4), _regions(6, 5, 4), 2, 2),
    _pool(random(1, 2, 7, 9), _halves, 2, 2),
    _pool(random(1, 2, 7, 9), _outside, 2, 3),
    _pool(random(1, 7, 9, 2), _regions(3, 7, 9), 2, 3, input_layout="channels_last"),
    _pool(random(3, 5, 5, 2), _regions(3, 5, 5), 1, 4, input_layout="channels_last"),
    _pool(random(1, 2, 7, 9, dtype="float16"), _regions(3, 7, 9, "float16"), 2, 3),
    _pool(random(1, 2, 7, 9, dtype="float64"), _regions(3, 7, 9, "float64"), 2, 3),
    _pool(random(1, 2, 7, 9), np.zeros((0, 4), "float32"), 2, 2),
]

# Choosing among boxes.


def _boxes(batch, count, dtype="float32"):
    """Boxes that overlap a lot, some with swapped corners, the last one empty."""
    generator = np.random.RandomState(count)
    corners = generator.uniform(0, 1, (batch, count, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(-0.6, 0.6, corners.shape)], 2)
    boxes[:, -1:, 2:] = boxes[:, -1:, :2]
    return boxes.astype(dtype)


def _scores(*shape, dtype="float32"):
    """Scores of which no two are the same."""
    generator = np.random.RandomState(sum(shape))
    count = int(np.prod(shape))
    return (generator.permutation(count) / (count or 1)).reshape(shape).astype(dtype)


def _nms(boxes, scores, limit, overlap, threshold=0.2, dims=None, kind="int64"):
    attributes = {"max_num_outputs": limit, "iou_threshold": overlap, "score_threshold": threshold}
    if dims is not None:
        attributes["output_value_type"] = (kind, dims)
    return Sample("nms", (boxes, scores), attributes, sized=True)


_same = np.tile(np.float32([0, 0, 1, 1]), (1, 4, 1))
_corners = np.float32(
    [
        [0, 0, 1, 1],
        [0, 0.1, 1, 1.1],
        [0, -0.1, 1, 0.9],
        [0, 10, 1, 11],
        [0, 10.1, 1, 11.1],
        [0, 100, 1, 101],
    ]
)[None]
_published = np.float32([0.9, 0.75, 0.6, 0.95, 0.5, 0.3])[None, None]
SAMPLES += [
    _nms(_corners, _published, 3, 0.5, 0.0),
    _nms(_corners, _published, 30, 0.5, 0.4),
    _nms(_corners[..., [2, 1, 0, 3]], _published, 2, 0.5, 0.0, (2, 3)),
    _nms(_corners, _published, 3, 0.5, 0.0, (7, 3)),
    _nms(_corners, _published, 3, 0.5, 0.0, (2, 3), "int32"),
    _nms(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3),
    _nms(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3, 0.7),
    _nms(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3, 0.2, (4, 3)),
    _nms(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3, 0.2, (5, 3), "int32"),
    _nms(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3, 0.2, (40, 3), "int16"),
    _nms(_boxes(1, 20), _scores(1, 5, 20), 20, 0.0, -1.0),
    _nms(_boxes(1, 20), _scores(1, 5, 20), 20, 1.0, -1.0),
    _nms(_boxes(3, 1), _scores(3, 1, 1), 2, 0.5, -np.inf),
    _nms(_same, _scores(1, 2, 4), 4, 0.99, -1.0),
    _nms(_same, np.ones((1, 1, 4), "float32"), 3, 1.0),
    _nms(_boxes(2, 9), _scores(2, 3, 9), 4, 0.3, 2.0),
    _nms(_boxes(1, 6, "float16"), _scores(1, 2, 6, dtype="float16"), 4, 0.3),
    _nms(_boxes(1, 6, "float64"), _scores(1, 2, 6, dtype="float64"), 4, 0.3),
    _nms(_boxes(1, 6), _scores(1, 2, 6), 0, 0.3),
    _nms(_boxes(1, 6), _scores(1, 2, 6), 0, 0.3, 0.2, (2, 3)),
    _nms(np.zeros((1, 0, 4), "float32"), _scores(1, 2, 0), 3, 0.3, 0.2, (2, 3)),
]
