"""Converter of GridSample, as gathers of the pixels around each place."""

from typing import List, Optional, Tuple

import numpy as np

from ...graph import Value
from ...types import ElementType
from .convert import Step, Unsupported, converter

_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32
_PADDINGS = ("zeros", "border", "reflection")


@converter("GridSample")
def _grid_sample(step: Step, x: Value, grid: Value) -> Value:
    mode, padding = step.get("mode", "linear"), step.get("padding_mode", "zeros")
    if x.rank != 4:
        raise Unsupported(f"the input is {x.type}; accepted: rank 4, NCHW")
    if mode not in ("bilinear", "linear", "nearest"):
        raise Unsupported(f"mode is '{mode}'; accepted: linear (bilinear), nearest")
    if padding not in _PADDINGS:
        raise step.error(f"padding_mode is '{padding}'; accepted: {', '.join(_PADDINGS)}")
    n, c, h, w = x.dims
    if grid.rank != 4 or grid.dims[0] != n or grid.dims[3] != 2:
        raise step.error(f"the grid is {grid.type}; accepted: [{n},H,W,2] for the input {x.type}")
    grid = step.cast(grid, _FLOAT32)
    across, down = (
        _corners(step, step.reshape(step.slice(grid, 3, side, side + 1), grid.dims[:3]), size)
        for side, size in ((0, w), (1, h))
    )
    pixels = step.reshape(step.transpose(x, [0, 2, 3, 1]), [n * h * w, c])
    images = step.constant(np.arange(n).reshape(n, 1, 1) * h * w, np.int32)
    total: Optional[Value] = None
    for row, is_row, row_weight in down:
        for column, is_column, column_weight in across:
            place = step.op("Add", step.op("Mul", row, step.like(row, w)), column)
            value = step.op("Gather", pixels, step.op("Add", place, images), axis=0)
            if is_row is not None and is_column is not None:
                is_pixel = step.op("And", is_row, is_column)
                is_pixel = step.reshape(is_pixel, [*is_pixel.dims, 1])
                value = step.op("Select", is_pixel, value, step.like(value, 0))
            if row_weight is not None and column_weight is not None:
                weight = step.op("Mul", row_weight, column_weight)
                weight = step.cast(step.reshape(weight, [*weight.dims, 1]), value.element_type)
                value = step.op("Mul", value, weight)
            total = value if total is None else step.op("Add", total, value)
    assert total is not None
    return step.transpose(total, [0, 3, 1, 2])


_Corner = Tuple[Value, Optional[Value], Optional[Value]]
"""An INT32 index along one axis, whether it lies in the input (None: always), and its weight."""


def _corners(step: Step, grid: Value, size: int) -> List[_Corner]:
    is_nearest, padding = step.get("mode", "linear") == "nearest", step.get("padding_mode", "zeros")
    place = _denormalised(step, grid, size)
    if is_nearest:
        place = step.op("Round", place)
    if padding == "border":
        place = step.op("Clamp", place, lo=0.0, hi=size - 1.0)
    elif padding == "reflection":
        place = _reflected(step, place, size)
    else:  # an index that INT32 holds; all of it outside is the same
        place = step.op("Clamp", place, lo=-2.0, hi=size + 1.0)
    if is_nearest:
        return [_corner(step, place, size, None)]
    low = step.op("Floor", place)
    high = step.op("Add", low, step.like(low, 1))
    part = step.op("Sub", place, low)
    rest = step.op("Sub", step.like(part, 1), part)
    return [_corner(step, low, size, rest), _corner(step, high, size, part)]


def _corner(step: Step, place: Value, size: int, weight: Optional[Value]) -> _Corner:
    held = step.cast(step.op("Clamp", place, lo=0.0, hi=size - 1.0), _INT32)
    is_inside = None
    if step.get("padding_mode", "zeros") == "zeros":
        is_inside = step.op("Equal", step.cast(place, _INT32), held)
    return held, is_inside, weight


def _denormalised(step: Step, grid: Value, size: int) -> Value:
    """Coordinates in pixels of those from -1 to 1, between the centres or the edges."""
    if step.get("align_corners", 0):
        factor, offset = (size - 1) / 2, (size - 1) / 2
    else:
        factor, offset = size / 2, (size - 1) / 2
    return step.op("Add", step.op("Mul", grid, step.like(grid, factor)), step.like(grid, offset))


def _reflected(step: Step, place: Value, size: int) -> Value:
    """Coordinates mirrored at the centres or edges of the first and last pixel, to and fro."""
    first, length = (0.0, size - 1.0) if step.get("align_corners", 0) else (-0.5, float(size))
    if length == 0:
        return step.op("Mul", place, step.like(place, 0))
    start = step.like(place, first)
    way = step.op("Abs", step.op("Sub", place, start))
    way = step.op("Mod", way, step.like(way, 2 * length), fmod=1)
    back = step.op("Sub", step.like(way, 2 * length), way)
    return step.op("Add", step.op("Min", way, back), start)
