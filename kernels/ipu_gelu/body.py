"""IpuGelu in numpy."""

from typing import Any

import numpy as np


def run(op: Any, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float32)
    inner = np.float32(np.sqrt(2 / np.pi)) * (wide + np.float32(0.044715) * wide**3)
    return np.float32(0.5) * wide * (1 + np.tanh(inner))
