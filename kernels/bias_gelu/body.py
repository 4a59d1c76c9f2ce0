"""BiasGelu in numpy."""

from typing import Any

import numpy as np


def run(op: Any, x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    y = x.astype(np.float32) + bias
    inner = np.float32(np.sqrt(2 / np.pi)) * (y + np.float32(0.044715) * y**3)
    return np.float32(0.5) * y * (1 + np.tanh(inner))
