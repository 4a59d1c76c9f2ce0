"""Resizing along any axes: nearest, linear and cubic, with ONNX's coordinate transformations."""

from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from .emitter import Emitter

if TYPE_CHECKING:
    from ..ir import Op

CUBIC_A = -0.75
"""Coefficient of the cubic convolution; PopART reads no other."""


def emit_resize(
    e: Emitter,
    op: "Op",
    name: str,
    scales: np.ndarray,
    mode: str,
    coordinates: str,
    nearest: str,
) -> str:
    """Native where onnxruntime has the form, else one product or gather per resized axis."""
    shape, result = op.operand(0).shape, op.result.shape
    collapses = coordinates == "align_corners" and any(dim == 1 for dim in result)
    images = len(shape) == 4 and scales[0] == scales[1] == 1
    native = op.operand(0).dtype != np.uint32 if mode == "nearest" else images
    if not collapses and native:
        return e(
            "Resize",
            name,
            "",
            e.const(scales),
            mode=mode,
            coordinate_transformation_mode=coordinates,
            nearest_mode=nearest if mode == "nearest" else None,
            cubic_coeff_a=CUBIC_A if mode == "cubic" else None,
        )
    for axis, (before, after) in enumerate(zip(shape, result)):
        if before == after and scales[axis] == 1:
            continue
        positions = _coordinates(before, after, float(scales[axis]), coordinates)
        if mode == "nearest":
            index = np.clip(_nearest(positions, nearest), 0, before - 1)
            name = e("Gather", name, e.const(index, np.int64), axis=axis)
        else:
            name = multiply(e, name, _weights(positions, before, mode), axis, len(shape))
    return name


def axis_matrices(
    op: "Op", scales: np.ndarray, mode: str, coordinates: str, nearest: str
) -> List[Tuple[int, np.ndarray]]:
    """Each resized axis and its matrix [outputs, inputs]."""
    found = []
    for axis, (before, after) in enumerate(zip(op.operand(0).shape, op.result.shape)):
        if before == after and scales[axis] == 1:
            continue
        positions = _coordinates(before, after, float(scales[axis]), coordinates)
        if mode == "nearest":
            index = np.clip(_nearest(positions, nearest), 0, before - 1).astype(int)
            matrix = np.eye(before, dtype=np.float32)[index]
        else:
            matrix = _weights(positions, before, mode)
        found.append((axis, matrix))
    return found


def _coordinates(before: int, after: int, scale: float, mode: str) -> np.ndarray:
    """Where each of ``after`` output positions lies among ``before`` inputs."""
    i = np.arange(after, dtype=np.float64)
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        length = before * scale
        return np.zeros(after) if length == 1 else i * (before - 1) / (length - 1)
    if mode == "pytorch_half_pixel" and before * scale <= 1:
        return np.zeros(after)
    return (i + 0.5) / scale - 0.5


def _nearest(positions: np.ndarray, mode: str) -> np.ndarray:
    if mode == "floor":
        return np.floor(positions)
    if mode == "ceil":
        return np.ceil(positions)
    if mode == "round_prefer_ceil":
        return np.floor(positions + 0.5)
    return np.ceil(positions - 0.5)


def _weights(positions: np.ndarray, before: int, mode: str) -> np.ndarray:
    """Matrix [outputs, inputs] of the interpolation."""
    rows = np.arange(len(positions))
    matrix = np.zeros((len(positions), before), np.float32)
    if mode == "linear":
        positions = np.maximum(positions, 0)
        base = np.floor(positions)
        fraction = positions - base
        taps = [(0, 1 - fraction), (1, fraction)]
    else:
        base = np.floor(positions)
        fraction = positions - base
        taps = [(tap, _cubic(np.abs(fraction - tap))) for tap in (-1, 0, 1, 2)]
    for tap, weight in taps:
        index = np.clip(base + tap, 0, before - 1).astype(int)
        np.add.at(matrix, (rows, index), weight)
    return matrix


def _cubic(distance: np.ndarray) -> np.ndarray:
    a = CUBIC_A
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


def multiply(e: Emitter, name: str, matrix: np.ndarray, axis: int, rank: int) -> str:
    """Contract ``axis`` with the matrix's second axis."""
    if axis == rank - 1:
        return e("MatMul", name, e.const(matrix.T))
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    product = e("MatMul", e("Transpose", name, perm=order), e.const(matrix.T))
    return e("Transpose", product, perm=order)
