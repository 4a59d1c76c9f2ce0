"""Converters of Resize and Upsample.

Each resized axis is a matrix: result = weights [out, in] times input, with the weights of ONNX
Resize-19's formulas.  Where all of them are what odla_Resize computes, that op is used; otherwise
nearest becomes a Gather with constant positions and the rest a matrix product for each axis.
"""

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from ...graph import Value
from ...types import InterpolationMode, ResizeCoordinateMode
from .convert import Step, Unsupported, converter

_F = np.float32


class _Axis(NamedTuple):
    """One axis: sizes, scale (out / in, as given), and the part of the input that roi selects."""

    size: int
    result: int
    scale: float
    start: float = 0.0
    end: float = 1.0


class _Way(NamedTuple):
    """How to interpolate; the names are those of ONNX's attributes."""

    mode: str
    coordinates: str
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


def _half_pixel(x: np.ndarray, axis: _Axis) -> np.ndarray:
    return (x + _F(0.5)) / _F(axis.scale) - _F(0.5)


def _half_pixel_symmetric(x: np.ndarray, axis: _Axis) -> np.ndarray:
    adjustment = _F(axis.result) / (_F(axis.scale) * _F(axis.size))
    centre = _F(axis.size) / _F(2)
    return centre * (1 - adjustment) + _half_pixel(x, axis)


def _pytorch_half_pixel(x: np.ndarray, axis: _Axis) -> np.ndarray:
    return _half_pixel(x, axis) if axis.result > 1 else np.zeros_like(x)


def _align_corners(x: np.ndarray, axis: _Axis) -> np.ndarray:
    if axis.result == 1:
        return np.zeros_like(x)
    return x * _F(axis.size - 1) / _F(axis.result - 1)


def _asymmetric(x: np.ndarray, axis: _Axis) -> np.ndarray:
    return x / _F(axis.scale)


def _tf_half_pixel(x: np.ndarray, axis: _Axis) -> np.ndarray:
    return (x + _F(0.5)) / _F(axis.scale)


def _crop(x: np.ndarray, axis: _Axis) -> np.ndarray:
    last = _F(axis.size - 1)
    if axis.result == 1:
        return np.full_like(x, 0.5 * (axis.start + axis.end) * last)
    return _F(axis.start) * last + x * _F(axis.end - axis.start) * last / _F(axis.result - 1)


_COORDINATES: Dict[str, Callable[[np.ndarray, _Axis], np.ndarray]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "tf_half_pixel_for_nn": _tf_half_pixel,
    "tf_crop_and_resize": _crop,
}

_ODLA_MODES = {
    ResizeCoordinateMode.HALF_PIXEL: "half_pixel",
    ResizeCoordinateMode.ASSYMMETRIC: "asymmetric",
    ResizeCoordinateMode.ALIGN_CORNERS: "align_corners",
}
_INTERPOLATIONS = {
    "nearest": InterpolationMode.NEAREST,
    "linear": InterpolationMode.LINEAR,
    "cubic": InterpolationMode.CUBIC,
}


def _positions(way: _Way, axis: _Axis) -> np.ndarray:
    """The source coordinate of each result."""
    return _COORDINATES[way.coordinates](np.arange(axis.result, dtype=_F), axis)


def _nearest(way: _Way, axis: _Axis) -> np.ndarray:
    """The source index of each result."""
    x = _positions(way, axis)
    if way.nearest == "round_prefer_floor":
        x = np.ceil(x - _F(0.5))
    elif way.nearest == "round_prefer_ceil":
        x = np.floor(x + _F(0.5))
    elif way.nearest == "ceil":
        x = np.ceil(x)
    else:
        x = np.floor(x)
    return np.clip(x, 0, axis.size - 1).astype(np.int64)


def _weights(way: _Way, axis: _Axis) -> np.ndarray:
    """The matrix [out, in] of linear or cubic interpolation."""
    x = _positions(way, axis).astype(np.float64)
    shrink = min(axis.scale, 1.0) if way.antialias else 1.0
    radius = (1 if way.mode == "linear" else 2) / shrink
    if way.mode == "linear" and not way.antialias:
        x = np.clip(x, 0, axis.size - 1)
    base = np.floor(x)
    first, last = int(np.floor(-radius)) + 1, int(np.ceil(radius))
    matrix = np.zeros((axis.result, axis.size))
    rows = np.arange(axis.result)
    for offset in range(first, last + 1):
        tap = (base + offset).astype(np.int64)
        weight = _kernel(way, (tap - x) * shrink)
        if way.exclude_outside:
            weight = np.where((tap >= 0) & (tap < axis.size), weight, 0.0)
        np.add.at(matrix, (rows, np.clip(tap, 0, axis.size - 1)), weight)
    if way.exclude_outside or way.antialias:
        total = matrix.sum(axis=1, keepdims=True)
        matrix /= np.where(total == 0, 1, total)
    return matrix


def _kernel(way: _Way, distance: np.ndarray) -> np.ndarray:
    """The triangle, or Keys' cubic with the parameter a."""
    d = np.abs(distance)
    if way.mode == "linear":
        return np.maximum(1 - d, 0)
    a = way.cubic
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


@converter("Resize")
def _resize(
    step: Step,
    x: Value,
    second: Optional[Value] = None,
    scales: Optional[Value] = None,
    sizes: Optional[Value] = None,
) -> Value:
    if step.opset < 11:
        axes = _scaled(step, x, second)
        return _apply(step, x, axes, _old_way(step, axes))
    mode = step.get("mode", "nearest")
    coordinates = step.get("coordinate_transformation_mode", "half_pixel")
    if mode not in _INTERPOLATIONS or coordinates not in _COORDINATES:
        raise step.error(
            f"mode is '{mode}', coordinate_transformation_mode '{coordinates}'; accepted: "
            f"{', '.join(_INTERPOLATIONS)} and {', '.join(_COORDINATES)}"
        )
    way = _Way(
        mode,
        coordinates,
        step.get("nearest_mode", "round_prefer_floor"),
        step.get("cubic_coeff_a", -0.75),
        bool(step.get("exclude_outside", 0)),
        bool(step.get("antialias", 0)) and mode != "nearest",
    )
    if any(one is not None and one.data is None for one in (scales, sizes)):
        return _computed(step, x, scales, sizes, way)
    axes = _axes(step, x, second, scales, sizes)
    y = _apply(step, x, axes, way)
    if coordinates == "tf_crop_and_resize":
        return _extrapolate(step, y, axes, way)
    return y


def _computed(
    step: Step, x: Value, scales: Optional[Value], sizes: Optional[Value], way: _Way
) -> Value:
    """By scales or sizes computed at run time, in the ways that odla_ResizeDynamic knows."""
    modes = [mode for mode, name in _ODLA_MODES.items() if name == way.coordinates]
    policy = step.get("keep_aspect_ratio_policy", "stretch")
    chosen = step.axes(step.get("axes", None) or range(x.rank), x.rank)
    is_plain = chosen == list(range(x.rank)) and policy == "stretch"
    if not modes or way != _Way(way.mode, way.coordinates) or not is_plain:
        raise Unsupported(
            "the size is computed at run time; accepted then: all axes in order, "
            f"{', '.join(_ODLA_MODES.values())}, round_prefer_floor, and defaults otherwise"
        )
    by_sizes = sizes is not None and sizes.dims != (0,)
    return step.op(
        "ResizeDynamic",
        x,
        None if by_sizes else scales,
        sizes if by_sizes else None,
        interpolation=_INTERPOLATIONS[way.mode],
        mode=modes[0],
    )


@converter("Upsample")
def _upsample(step: Step, x: Value, scales: Optional[Value] = None) -> Value:
    axes = _scaled(step, x, scales)
    return _apply(step, x, axes, _old_way(step, axes))


def _old_way(step: Step, axes: List[_Axis]) -> _Way:
    """Before opset 11: asymmetric; nearest rounds down, but up where an image shrinks."""
    smaller = any(axis.scale < 1 for axis in axes)
    return _Way(step.get("mode", "nearest"), "asymmetric", "ceil" if smaller else "floor")


def _scaled(step: Step, x: Value, scales: Optional[Value]) -> List[_Axis]:
    """Axes from scales alone, an operand or (Upsample-7) an attribute."""
    if scales is None:
        factors = step.get("scales")
    else:
        factors = [float(one) for one in step.known(scales, "scales").reshape(-1)]
    if len(factors) != x.rank:
        raise step.error(f"scales are {factors}; accepted: {x.rank} numbers")
    return [_scaled_axis(n, scale) for n, scale in zip(x.dims, factors)]


def _scaled_axis(size: int, scale: float) -> _Axis:
    return _Axis(size, int(np.floor(_F(size) * _F(scale))), scale)


def _axes(
    step: Step, x: Value, roi: Optional[Value], scales: Optional[Value], sizes: Optional[Value]
) -> List[_Axis]:
    """Axes of Resize-11 and later: by scales or by sizes, of all axes or of some."""
    chosen = step.axes(step.get("axes", None) or range(x.rank), x.rank)
    axes = [_Axis(n, n, 1.0) for n in x.dims]
    if sizes is not None and sizes.dims != (0,):
        wanted = step.integers(sizes, "sizes")
        if len(wanted) != len(chosen):
            raise step.error(f"sizes are {wanted}; accepted: {len(chosen)} numbers")
        for axis, size, scale in _keep_ratio(step, x, chosen, wanted):
            axes[axis] = _Axis(x.dims[axis], size, scale)
    elif scales is not None and scales.dims != (0,):
        factors = step.known(scales, "scales").reshape(-1).tolist()
        if len(factors) != len(chosen):
            raise step.error(f"scales are {factors}; accepted: {len(chosen)} numbers")
        for axis, scale in zip(chosen, factors):
            axes[axis] = _scaled_axis(x.dims[axis], scale)
    else:
        raise step.error("neither scales nor sizes are given")
    if roi is not None and roi.dims != (0,):
        bounds = [float(one) for one in step.known(roi, "roi").reshape(-1)]
        for index, axis in enumerate(chosen):
            if len(bounds) == 2 * len(chosen):
                start, end = bounds[index], bounds[index + len(chosen)]
                axes[axis] = axes[axis]._replace(start=start, end=end)
    return axes


def _keep_ratio(
    step: Step, x: Value, chosen: List[int], wanted: List[int]
) -> List[Tuple[int, int, float]]:
    """(axis, size, scale) for each resized axis, as keep_aspect_ratio_policy says."""
    ratios = [size / max(x.dims[axis], 1) for axis, size in zip(chosen, wanted)]
    policy = step.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return list(zip(chosen, wanted, ratios))
    common = min(ratios) if policy == "not_larger" else max(ratios)
    return [(axis, int(np.floor(common * x.dims[axis] + 0.5)), common) for axis in chosen]


def _apply(step: Step, x: Value, axes: List[_Axis], way: _Way) -> Value:
    resized = [
        index for index, axis in enumerate(axes) if axis.size != axis.result or axis.scale != 1
    ]
    if way.coordinates == "tf_crop_and_resize":
        resized = [
            index for index, axis in enumerate(axes) if axis != _Axis(axis.size, axis.size, 1.0)
        ]
    if not resized:
        return x
    make = _nearest if way.mode == "nearest" else _weights
    maps = {index: make(way, axes[index]) for index in resized}
    mode = _odla_mode(axes, way, maps)
    if mode is not None and x.element_type.is_float:
        return step.op(
            "Resize",
            x,
            interpolation=_INTERPOLATIONS[way.mode],
            mode=mode,
            axes_mask=sum(1 << (x.rank - 1 - index) for index in resized),
            output_dims=[axis.result for axis in axes],
        )
    for index, one in maps.items():
        if way.mode == "nearest":
            x = step.gather(x, one, index)
        else:
            x = _multiply(step, x, one, index)
    return x


def _odla_mode(
    axes: List[_Axis], way: _Way, maps: Dict[int, np.ndarray]
) -> Optional[ResizeCoordinateMode]:
    """The mode of odla_Resize that gives the same maps, None when there is none."""
    make = _nearest if way.mode == "nearest" else _weights
    for mode, coordinates in _ODLA_MODES.items():
        odla = _Way(way.mode, coordinates)
        if all(
            np.allclose(make(odla, _Axis(size, result, result / size)), maps[index], atol=1e-5)
            for index, (size, result, *_) in enumerate(axes)
            if index in maps
        ):
            return mode
    return None


def _multiply(step: Step, x: Value, weights: np.ndarray, axis: int) -> Value:
    matrix = step.constant(weights, x.element_type.dtype)
    if axis == x.rank - 2:
        return step.op("Gemm", matrix, x)
    order = list(range(x.rank))
    order[axis], order[-1] = order[-1], order[axis]
    product = step.op("Gemm", step.transpose(x, order), matrix, B_transpose=True)
    return step.transpose(product, order)


def _extrapolate(step: Step, y: Value, axes: List[_Axis], way: _Way) -> Value:
    """``y`` with extrapolation_value where the source lies outside of the input."""
    outside = np.zeros(y.dims, bool)
    for index, axis in enumerate(axes):
        x = _positions(way, axis)
        beyond = (x < 0) | (x > axis.size - 1)
        outside |= beyond.reshape([-1 if i == index else 1 for i in range(y.rank)])
    if not outside.any():
        return y
    value = step.like(y, step.get("extrapolation_value", 0.0))
    return step.op("Select", step.constant(outside), value, y)
