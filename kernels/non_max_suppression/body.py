"""NonMaxSuppression in numpy."""

from typing import Any, List, Tuple

import numpy as np

BLOCK = 256
"""So many candidates are compared with each other at once."""


def run(op: Any, boxes: np.ndarray, scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    boxes, scores = boxes.astype(np.float32), scores.astype(np.float32)
    rows = np.full((op.rows, 3), -1, np.int32)
    count = 0
    for batch, image in enumerate(scores):
        for kind, of_class in enumerate(image):
            chosen = _selected(op, boxes[batch], of_class)[: op.rows - count]
            rows[count : count + len(chosen)] = [(batch, kind, box) for box in chosen] or 0
            count += len(chosen)
    return rows, np.array([count], np.int32)


def _selected(op: Any, boxes: np.ndarray, scores: np.ndarray) -> List[int]:
    candidates = np.flatnonzero(scores > np.float32(op.score_threshold))
    left = candidates[np.argsort(-scores[candidates], kind="stable")]
    corners = boxes.reshape(-1, 2, 2)
    low, high = corners.min(1), corners.max(1)
    area = np.prod(high - low, 1)

    def covers(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Whether boxes of the first list overlap those of the second too much."""
        common = np.ones((len(one), len(other)), np.float32)
        for side in (0, 1):
            start = np.maximum(low[one, side, None], low[None, other, side])
            end = np.minimum(high[one, side, None], high[None, other, side])
            common *= np.maximum(end - start, 0)
        overlap = common / (area[one, None] + area[None, other] - common)
        return overlap > np.float32(op.iou_threshold)

    chosen: List[int] = []
    while len(left) and len(chosen) < op.max_selected:
        block, left = left[:BLOCK], left[BLOCK:]
        inside = covers(block, block)
        is_kept = np.ones(len(block), bool)
        for place in range(len(block)):
            if is_kept[place]:
                is_kept[place + 1 :] &= ~inside[place, place + 1 :]
        kept = block[is_kept]
        chosen += kept.tolist()
        if len(chosen) < op.max_selected:
            left = left[~covers(kept, left).any(0)]
    return chosen[: op.max_selected]
