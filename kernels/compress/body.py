"""Compress in numpy."""

from typing import Any, Tuple

import numpy as np


def run(op: Any, input: np.ndarray, condition: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    kept = np.compress(condition[: input.shape[op.axis]], input, op.axis)
    result = np.zeros(op.outputs[0].dims, input.dtype)
    count = kept.shape[op.axis]
    result[(slice(None),) * op.axis + (slice(count),)] = kept
    return result, np.array([count], np.int32)
