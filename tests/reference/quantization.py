"""Independent numpy reference of linear quantization."""

import numpy as np


def _along(numbers, axis, rank):
    """One number for each index of the axis, or one for all."""
    if numbers.size == 1:
        return numbers.reshape(())
    return np.moveaxis(numbers.reshape((*[1] * (rank - 1), -1)), -1, axis)


def quantize(x, scale, zero_point, target_data_type, axis=1):
    scaled = x.astype(np.float32) / _along(scale.astype(np.float32), axis, x.ndim)
    kind = np.dtype(target_data_type)
    if zero_point is None:
        zero_point = np.zeros((), kind)
    moved = np.round(scaled) + _along(zero_point.astype(np.float64), axis, x.ndim)
    count = 256**kind.itemsize
    low = 0 if zero_point.dtype.kind == "u" else -count // 2
    numbers = np.minimum(np.maximum(moved, low), low + count - 1).astype(int)
    # Bytes of the zero point's type, read as the target's.
    unsigned = np.array([number % count for number in numbers.flat], f"uint{8 * kind.itemsize}")
    return unsigned.reshape(x.shape).view(kind)


def dequantize(x, scale, zero_point, target_data_type, axis=1):
    numbers = x.astype(np.float64)
    if zero_point is not None:
        if zero_point.dtype != x.dtype:
            numbers = x.view(zero_point.dtype).astype(np.float64)
        numbers = numbers - _along(zero_point.astype(np.float64), axis, x.ndim)
    return numbers * _along(scale.astype(np.float64), axis, x.ndim)
