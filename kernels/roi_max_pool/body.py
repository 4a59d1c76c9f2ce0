"""RoiMaxPool in numpy."""

from typing import Any, List, Tuple

import numpy as np


def run(op: Any, input: np.ndarray, rois: np.ndarray, images: np.ndarray) -> np.ndarray:
    corners = rois * np.float32(op.scale)
    corners = np.copysign(np.floor(np.abs(corners) + np.float32(0.5)), corners).astype(np.int64)
    result = np.zeros(op.outputs[0].dims, input.dtype)
    for region, ((x1, y1, x2, y2), image) in enumerate(zip(corners.tolist(), images.tolist())):
        columns = _cells(x1, x2, op.width, input.shape[3])
        for row, (top, bottom) in enumerate(_cells(y1, y2, op.height, input.shape[2])):
            if top >= bottom:
                continue
            line = input[image, :, top:bottom].max(1)
            for column, (left, right) in enumerate(columns):
                if left < right:
                    result[region, :, row, column] = line[:, left:right].max(1)
    return result


def _cells(first: int, last: int, cells: int, size: int) -> List[Tuple[int, int]]:
    """Where the cells of one side begin and end, within the image."""
    length = max(last - first + 1, 1)
    bounds = []
    for cell in range(cells):
        low = first + cell * length // cells
        high = first + ((cell + 1) * length + cells - 1) // cells
        bounds.append((min(max(low, 0), size), min(max(high, 0), size)))
    return bounds
