"""Boxes [n,4] as two-stage detectors handle them."""

from typing import Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Value


def column(x: Value, place: int) -> Value:
    """[n,1] of a matrix."""
    return odla.slice(x, (0, place), (x.dims[0], place + 1))


def columns(x: Value) -> Tuple[Value, ...]:
    """All of a matrix's columns, [n,1] each."""
    return tuple(column(x, place) for place in range(x.dims[1]))


def shifted(centre: Value, size: Value, move: Value, growth: Value) -> Tuple[Value, Value]:
    """Both ends of a side moved by ``move`` sizes and grown by exp(growth)."""
    middle = odla.add(odla.mul(move, size), centre)
    half = odla.mul(odla.mul(odla.exp(growth), size), 0.5)
    return odla.sub(middle, half), odla.add(middle, half)


def best(scores: Value, boxes: Value, count: int) -> Tuple[Value, Value]:
    """The ``count`` highest of scores [n] and their boxes, or all of them in order."""
    kept, places = odla.top_k(scores, K=min(count, scores.dims[0]), output_value_index_type="int32")
    return kept, odla.gather(boxes, places, axis=0)


def suppressed(
    scores: Value, boxes: Value, count: int, overlap: float, threshold: float = -np.inf
) -> Tuple[Value, Value]:
    """The ``count`` best boxes that no better one overlaps by more; as places INT32 [count].

    Unused places are 0; BOOL [count] says which are used.
    """
    candidates, _ = boxes.dims
    rows = odla.nms(
        odla.reshape(boxes, (1, candidates, 4)),
        odla.reshape(scores, (1, 1, candidates)),
        max_num_outputs=count,
        iou_threshold=overlap,
        score_threshold=threshold,
        output_value_type=odla.ValueType(odla.ElementType.INT32, (count, 3)),
    )
    places = odla.reshape(column(rows, 2), (count,))
    return odla.max(places, np.int32(0)), odla.greater_or_equal(places, np.int32(0))
