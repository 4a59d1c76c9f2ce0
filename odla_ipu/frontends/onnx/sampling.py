"""Converter of GridSample, as gathers of the pixels around each place."""

import itertools
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from ...graph import Value
from ...types import ElementType, product
from .convert import Step, Unsupported, converter

_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32
_PADDINGS = ("zeros", "border", "reflection")


_MODES = {"bilinear": "linear", "linear": "linear", "nearest": "nearest"}
_MODES.update({"bicubic": "cubic", "cubic": "cubic"})


@converter("GridSample")
def _grid_sample(step: Step, x: Value, grid: Value) -> Value:
    mode, padding = _mode(step), step.get("padding_mode", "zeros")
    if x.rank not in (4, 5) or (x.rank == 5 and mode == "cubic"):
        raise Unsupported(f"the input is {x.type}; accepted: NCHW, and NCDHW unless mode is cubic")
    if padding not in _PADDINGS:
        raise step.error(f"padding_mode is '{padding}'; accepted: {', '.join(_PADDINGS)}")
    (n, c), sizes, last = x.dims[:2], x.dims[2:], grid.rank - 1
    if grid.rank != x.rank or grid.dims[0] != n or grid.dims[last] != len(sizes):
        raise step.error(
            f"the grid is {grid.type}; accepted for the input {x.type}: rank {x.rank}, first {n}, "
            f"last {len(sizes)}"
        )
    grid = step.cast(grid, _FLOAT32)
    # The grid names the axes of x from the last one on.
    sides = [
        _taps(step, step.reshape(step.slice(grid, last, side, side + 1), grid.dims[:last]), size)
        for side, size in enumerate(reversed(sizes))
    ][::-1]
    pixels = step.reshape(step.transpose(x, [0, *range(2, x.rank), 1]), [n * product(sizes), c])
    images = np.arange(n).reshape(n, *[1] * len(sizes)) * product(sizes)
    total: Optional[Value] = None
    for taps in itertools.product(*sides):
        place: Value = step.constant(images, np.int32)
        for tap, stride in zip(taps, _strides(sizes)):
            index = (
                step.op("Mul", tap.pixel, step.like(tap.pixel, stride)) if stride > 1 else tap.pixel
            )
            place = step.op("Add", place, index)
        value = step.op("Gather", pixels, place, axis=0)
        inside = _combined(step, "And", [tap.inside for tap in taps])
        if inside is not None:
            inside = step.reshape(inside, [*inside.dims, 1])
            value = step.op("Select", inside, value, step.like(value, 0))
        weight = _combined(step, "Mul", [tap.weight for tap in taps])
        if weight is not None:
            weight = step.cast(step.reshape(weight, [*weight.dims, 1]), value.element_type)
            value = step.op("Mul", value, weight)
        total = value if total is None else step.op("Add", total, value)
    assert total is not None
    return step.transpose(total, [0, last, *range(1, last)])


def _mode(step: Step) -> str:
    mode = step.get("mode", "linear")
    if mode not in _MODES:
        raise Unsupported(f"mode is '{mode}'; accepted: {', '.join(_MODES)}")
    return _MODES[mode]


def _strides(sizes: Sequence[int]) -> List[int]:
    """How many pixels lie between neighbours along each axis."""
    return [product(sizes[axis + 1 :]) for axis in range(len(sizes))]


def _combined(step: Step, name: str, parts: Sequence[Optional[Value]]) -> Optional[Value]:
    """All parts joined by an op; None when there are none."""
    total: Optional[Value] = None
    for part in parts:
        if part is not None:
            total = part if total is None else step.op(name, total, part)
    return total


class _Tap(NamedTuple):
    """Pixels that count along one axis: INT32 indices, held within it.

    ``inside``: where they do lie in the input (None: everywhere); ``weight`` (None: 1).
    """

    pixel: Value
    inside: Optional[Value]
    weight: Optional[Value]


def _taps(step: Step, grid: Value, size: int) -> List[_Tap]:
    mode, padding = _mode(step), step.get("padding_mode", "zeros")
    place = _denormalised(step, grid, size)
    if mode == "nearest":
        place = step.op("Round", place)
    if padding == "border" and mode != "cubic":  # onnxruntime's holds its pixels only
        place = step.op("Clamp", place, lo=0.0, hi=size - 1.0)
    elif padding == "reflection":
        place = _reflected(step, place, size)
    else:  # an index that INT32 holds; all of it outside is the same
        place = step.op("Clamp", place, lo=-3.0, hi=size + 2.0)
    if mode == "nearest":
        return [_tap(step, place, size, None)]
    low = step.op("Floor", place)
    part = step.op("Sub", place, low)
    if mode == "linear":
        weights = [step.op("Sub", step.like(part, 1), part), part]
        return [_tap(step, _moved(step, low, by), size, one) for by, one in enumerate(weights)]
    return [_tap(step, _moved(step, low, by), size, _cubic(step, part, by)) for by in (-1, 0, 1, 2)]


def _moved(step: Step, place: Value, by: int) -> Value:
    return step.op("Add", place, step.like(place, by)) if by else place


def _cubic(step: Step, part: Value, by: int) -> Value:
    """The weight of the pixel ``by`` after a place that lies ``part`` after a pixel.

    Keys' polynomials with a = -0.75, by Horner's scheme.
    """
    a = -0.75
    distance = step.op("Abs", step.op("Sub", part, step.like(part, by)))
    is_near = by in (0, 1)
    weight = step.like(part, a + 2 if is_near else a)
    for number in (-(a + 3), 0.0, 1.0) if is_near else (-5 * a, 8 * a, -4 * a):
        weight = step.op("Add", step.op("Mul", weight, distance), step.like(part, number))
    return weight


def _tap(step: Step, place: Value, size: int, weight: Optional[Value]) -> _Tap:
    padding = step.get("padding_mode", "zeros")
    if padding == "reflection" and _mode(step) == "cubic":
        place = _reflected(step, place, size)
    held = step.cast(step.op("Clamp", place, lo=0.0, hi=size - 1.0), _INT32)
    inside = step.op("Equal", step.cast(place, _INT32), held) if padding == "zeros" else None
    return _Tap(held, inside, weight)


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
