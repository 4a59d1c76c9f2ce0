"""YoloBoxes in numpy."""

from typing import Any, List, Tuple

import numpy as np

INPUT_SIZE = np.float32(416)
ANCHORS = np.array(
    [
        [(116, 90), (156, 198), (373, 326)],
        [(30, 61), (62, 45), (59, 119)],
        [(10, 13), (16, 30), (33, 23)],
    ],
    np.float32,
)
LEAST_SCORE = np.float32(0.3)
MOST_OVERLAP = np.float32(0.45)


def run(
    op: Any, width: np.ndarray, height: np.ndarray, *outputs: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    image = np.array([width[0], height[0]], np.float32)
    parts = [_decoded(x, anchors, image) for x, anchors in zip(outputs, ANCHORS)]
    boxes = np.concatenate([boxes for boxes, _ in parts])
    scores = np.concatenate([scores for _, scores in parts])
    rows = np.zeros(op.outputs[0].dims, np.float32)
    used = np.zeros(len(rows), np.uint32)
    for kind, of_class in enumerate(scores.T):
        chosen = _selected(boxes, of_class, op.rows)
        rows[kind, : len(chosen), :4] = boxes[chosen]
        rows[kind, : len(chosen), 4] = of_class[chosen]
        used[kind] = len(chosen)
    return rows, used


def _decoded(
    output: np.ndarray, anchors: np.ndarray, image: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Boxes [n,4] of ymin, xmin, ymax, xmax in pixels of the image, and scores [n,C]."""
    size = output.shape[2]
    x = output.astype(np.float32).reshape(3, -1, size * size).transpose(0, 2, 1)
    fitted = image * (INPUT_SIZE / image.max())
    fitted = np.floor(fitted + np.float32(0.5))
    offset, scale = (INPUT_SIZE - fitted) / (2 * INPUT_SIZE), INPUT_SIZE / fitted
    cell = np.arange(size * size)
    corner = np.stack([cell % size, cell // size], 1).astype(np.float32)
    centre = ((_sigmoid(x[..., :2]) + corner) / np.float32(size) - offset) * scale
    half = np.exp(x[..., 2:4]) * (anchors[:, None] / (2 * INPUT_SIZE)) * scale
    sides = [((centre + sign * half) * image)[..., ::-1] for sign in (-1, 1)]
    scores = _sigmoid(x[..., 5:]) * _sigmoid(x[..., 4:5])
    return np.concatenate(sides, 2).reshape(-1, 4), scores.reshape(-1, scores.shape[2])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _selected(boxes: np.ndarray, scores: np.ndarray, rows: int) -> List[int]:
    """The best box, then again and again the next one that does not overlap it."""
    candidates = np.flatnonzero(scores >= LEAST_SCORE)
    order = candidates[np.argsort(-scores[candidates], kind="stable")]
    boxes = boxes[order]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    chosen: List[int] = []
    place = 0
    while place < len(order) and len(chosen) < rows:
        chosen.append(int(order[place]))
        later = boxes[place + 1 :]
        low = np.maximum(later[:, :2], boxes[place, :2])
        high = np.minimum(later[:, 2:], boxes[place, 2:])
        common = np.prod(np.maximum(high - low, 0), 1)
        overlap = common / (area[place + 1 :] + area[place] - common)
        free = np.flatnonzero(~(overlap > MOST_OVERLAP))
        place = place + 1 + int(free[0]) if len(free) else len(order)
    return chosen
