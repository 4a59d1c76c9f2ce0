"""NonMaxSuppression in numpy."""

from typing import Any, List, Tuple

import numpy as np


def run(op: Any, boxes: np.ndarray, scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    boxes, scores = boxes.astype(np.float32), scores.astype(np.float32)
    rows = np.full((op.rows, 3), -1, np.int32)
    count = 0
    for batch, image in enumerate(scores):
        for kind, of_class in enumerate(image):
            chosen = _selected(op, boxes[batch], of_class)[: op.rows - count]
            part = rows[count : count + len(chosen)]
            part[:, 0], part[:, 1], part[:, 2] = batch, kind, chosen
            count += len(chosen)
    return rows, np.array([count], np.int32)


def _selected(op: Any, boxes: np.ndarray, scores: np.ndarray) -> List[int]:
    candidates = np.flatnonzero(scores > np.float32(op.score_threshold))
    corners = boxes[candidates].reshape(-1, 2, 2)
    # From here on candidates are in the order of their tops: boxes that may overlap are near.
    order = np.argsort(corners[:, :, 0].min(1), kind="stable")
    candidates, corners = candidates[order], corners[order]
    low, high = corners.min(1).T.copy(), corners.max(1).T.copy()
    area = (high[0] - low[0]) * (high[1] - low[1])
    first, last = _near(low[0], high[0])
    limit = np.float32(op.iou_threshold)
    is_left = np.ones(len(candidates), bool)
    chosen: List[int] = []
    for place in np.lexsort((candidates, -scores[candidates])).tolist():
        if not is_left[place]:
            continue
        chosen.append(int(candidates[place]))
        if len(chosen) == op.max_selected:
            break
        near = slice(first[place], last[place])
        common = np.minimum(high[:, near], high[:, place, None])
        common -= np.maximum(low[:, near], low[:, place, None])
        np.maximum(common, 0, out=common)
        shared = common[0] * common[1]
        is_left[near] &= ~(shared / (area[near] + area[place] - shared) > limit)
    return chosen


def _near(low: np.ndarray, high: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Of each interval, where the others begin and end that may overlap it; ``low`` rises."""
    starts, ends = low.astype(np.float64), high.astype(np.float64)
    longest = np.nan_to_num(ends - starts, nan=np.inf).max(initial=0)
    first = np.searchsorted(starts, starts - longest, "left")
    first[~np.isfinite(starts)] = 0
    return first, np.searchsorted(starts, ends, "right")
