"""QuantizeBytes in numpy."""

from typing import Any

import numpy as np


def run(op: Any, x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> np.ndarray:
    dims = [-1 if axis == op.axis else 1 for axis in range(x.ndim)]
    limits = np.iinfo(zero_point.dtype)
    y = np.rint(x.astype(np.float32) / scale.reshape(dims if scale.ndim else ()))
    y = y + zero_point.astype(np.float32).reshape(dims if zero_point.ndim else ())
    return np.clip(np.nan_to_num(y, nan=0.0), limits.min, limits.max)
