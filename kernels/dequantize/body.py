"""DequantizeBytes in numpy."""

from typing import Any, Optional

import numpy as np


def run(
    op: Any, y: np.ndarray, scale: np.ndarray, zero_point: Optional[np.ndarray] = None
) -> np.ndarray:
    dims = [-1 if axis == op.axis else 1 for axis in range(y.ndim)]
    x = y.astype(np.float32)
    if zero_point is not None:
        x = x - zero_point.astype(np.float32).reshape(dims if zero_point.ndim else ())
    return x * scale.reshape(dims if scale.ndim else ())
