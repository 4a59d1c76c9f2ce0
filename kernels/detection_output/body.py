"""DetectionOutput in numpy."""

from typing import Any, List, Tuple

import numpy as np


def run(
    op: Any, loc: np.ndarray, conf: np.ndarray, priorbox: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    batch, classes = op.outputs[0].dims[0], op.num_classes
    prior, variance = priorbox.astype(np.float32).reshape(2, -1, 4)
    confidence = conf.astype(np.float32).reshape(batch, -1, classes)
    location = loc.astype(np.float32).reshape(batch, len(prior), -1, 4)
    counts = np.zeros(batch, np.int32)
    rows = np.full(op.outputs[1].dims, -1, np.float32)
    for image in range(batch):
        found: List[np.ndarray] = []
        for label in range(classes):
            if label == op.background_label:
                continue
            deltas = location[image, :, 0 if op.share_location else label]
            boxes = _decoded(op.code_type, prior, variance * deltas)
            scores = confidence[image, :, label]
            chosen = _selected(op, boxes, scores)
            row = np.empty((len(chosen), 7), np.float32)
            row[:, 0], row[:, 1] = image, label
            row[:, 2], row[:, 3:] = scores[chosen], boxes[chosen]
            found.append(row)
        objects = np.concatenate(found) if found else np.empty((0, 7), np.float32)
        best = np.argsort(-objects[:, 2], kind="stable")[: op.keep_top_k]
        objects = objects[np.sort(best)]  # by label again
        counts[image] = len(objects)
        rows[image, : len(objects)] = objects
    return counts, rows


def _decoded(code_type: int, prior: np.ndarray, change: np.ndarray) -> np.ndarray:
    size = prior[:, 2:] - prior[:, :2]
    if code_type == 1:
        return prior + change
    if code_type == 3:
        return prior + change * np.tile(size, 2)
    centre = change[:, :2] * size + (prior[:, :2] + prior[:, 2:]) / 2
    half = np.exp(change[:, 2:]) * size / 2
    return np.concatenate([centre - half, centre + half], 1)


def _selected(op: Any, boxes: np.ndarray, scores: np.ndarray) -> List[int]:
    candidates = np.flatnonzero(scores > np.float32(op.confidence_threshold))
    left = candidates[np.argsort(-scores[candidates], kind="stable")]
    left = left[: op.nms_top_k] if op.nms_top_k >= 0 else left
    size = boxes[:, 2:] - boxes[:, :2]
    area = np.where((size < 0).any(1), 0, np.prod(size, 1))
    threshold = op.nms_threshold
    chosen: List[int] = []
    highest = np.zeros(len(boxes), np.float32)
    for box in left.tolist():
        if highest[box] > np.float32(threshold):
            continue
        chosen.append(box)
        low = np.maximum(boxes[left, :2], boxes[box, :2])
        high = np.minimum(boxes[left, 2:], boxes[box, 2:])
        common = np.prod(np.maximum(high - low, 0), 1)
        overlap = common / (area[left] + area[box] - common)
        highest[left] = np.fmax(highest[left], overlap)
        if op.nms_eta < 1 and threshold > 0.5:
            threshold *= op.nms_eta
    return chosen
