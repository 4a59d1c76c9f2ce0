"""SSD (arXiv:1512.02325): boxes that cover an image, and the objects found in them."""

import dataclasses
import itertools
import math
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Value

from . import layers
from .weights import Weights

VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)


@dataclasses.dataclass(frozen=True)
class Level:
    """Boxes of a grid: one of each size and shape in every cell.

    Sides in pixels; ``start`` is the centre of the first cell, ``step`` the way to the next.
    """

    grid: int
    step: float
    start: float
    smallest: float
    largest: float
    ratios: Sequence[float]

    @property
    def sides(self) -> List[Tuple[float, float]]:
        """Width and height: the smallest, the mean, and the smallest in each ratio, both ways."""
        mean = math.sqrt(self.smallest * self.largest)
        sides = [(self.smallest, self.smallest), (mean, mean)]
        for ratio in self.ratios:
            root = math.sqrt(ratio)
            sides += [(self.smallest * root, self.smallest / root)]
            sides += [(self.smallest / root, self.smallest * root)]
        return sides


def sizes(image: int, levels: int, least: int = 20, most: int = 95) -> List[Tuple[float, float]]:
    """Smallest and largest sides of each level: the first level has 10 to 20 hundredths of the
    image, the others share what is between ``least`` and ``most``."""
    step = (most - least) // (levels - 2)
    parts = [(10, 20), *((part, part + step) for part in range(least, most + 1, step))]
    return [(image * low / 100, image * high / 100) for low, high in parts]


def boxes(levels: Sequence[Level], image: int, cells_first: bool = True) -> np.ndarray:
    """xmin, ymin, xmax, ymax of all boxes, [n,4], in parts of the image.

    Level by level, cell by cell (row by row), then the cell's boxes; without ``cells_first`` box by
    box, then the cells.
    """
    rows = []
    for level in levels:
        places = level.start + level.step * np.arange(level.grid)
        centres = np.array([(x, y) for y, x in itertools.product(places, places)])
        halves = np.array(level.sides) / 2
        low = centres[:, None] - halves
        both = np.concatenate([low, centres[:, None] + halves], axis=2) / image
        rows.append((both if cells_first else both.transpose(1, 0, 2)).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def prior(found: np.ndarray) -> np.ndarray:
    """[1,2,4n], the boxes and their variances, as Caffe has them."""
    return np.stack([found, np.broadcast_to(VARIANCES, found.shape)]).reshape(1, 2, -1)


def head(
    x: Value, weights: Weights, name: str, per_cell: int, classes: int, window: int = 3
) -> Tuple[Value, Value]:
    """Location [N,n,4] and scores [N,n,classes] of a level's boxes, cell by cell."""
    return (
        _predicted(x, weights, f"{name}.loc", per_cell, 4, window),
        _predicted(x, weights, f"{name}.conf", per_cell, classes, window),
    )


def _predicted(
    x: Value, weights: Weights, name: str, per_cell: int, numbers: int, window: int
) -> Value:
    y = layers.conv(
        x, weights, name, per_cell * numbers, window, padding=window // 2, bias=True, gain=0.1
    )
    batch, _, height, width = y.dims
    return odla.reshape(
        odla.transpose(y, (0, 2, 3, 1)), (batch, height * width * per_cell, numbers)
    )


def detect(
    heads: Sequence[Tuple[Value, Value]],
    priors: np.ndarray,
    confidence: float = 0.01,
    top: int = 400,
    keep: int = 200,
) -> None:
    """The outputs of an SSD network, of what its levels say as :func:`head` does.

    location [N,n,4], confidence [N,n,classes] after softmax, objects [N,keep,7] as Caffe's
    DetectionOutput: image, class, confidence, xmin, ymin, xmax, ymax, unused rows -1; and their
    number, count INT32 [N].
    """
    location = odla.concat([one for one, _ in heads], axis=1, id="location")
    score = odla.softmax(odla.concat([one for _, one in heads], axis=1, id="scores"), axis=-1)
    batch, found, classes = score.dims
    count, objects = odla.custom_op(
        "DetectionOutput",
        [
            odla.reshape(location, (batch, found * 4)),
            odla.reshape(score, (batch, found * classes)),
            prior(priors),
        ],
        confidence_threshold=confidence,
        keep_top_k=keep,
        num_classes=classes,
        code_type=2,
        nms_threshold=0.45,
        nms_top_k=top,
    )
    odla.output(location, "location")
    odla.output(score, "confidence")
    odla.output(objects, "objects")
    odla.output(count, "count")


def objects(outputs: Mapping[str, np.ndarray]) -> List[List[Dict[str, Any]]]:
    """What is in each image: class, confidence, and box in parts of the image."""
    result = []
    for rows, count in zip(outputs["objects"], outputs["count"]):
        result.append(
            [
                {"class": int(row[1]), "confidence": float(row[2]), "box": row[3:].tolist()}
                for row in rows[:count]
            ]
        )
    return result
