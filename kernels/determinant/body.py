"""Determinant in numpy."""

from typing import Any

import numpy as np


def run(op: Any, input: np.ndarray) -> np.ndarray:
    return np.linalg.det(input)
