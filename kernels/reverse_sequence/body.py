"""ReverseSequence in numpy."""

from typing import Any

import numpy as np


def run(op: Any, input: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    x = input if op.time_axis == 0 else input.swapaxes(0, 1)
    step = np.arange(x.shape[0])[:, None]
    source = np.where(step < lengths, np.clip(lengths, 0, len(x)) - 1 - step, step)
    y = x[source, np.arange(x.shape[1])]
    return y if op.time_axis == 0 else y.swapaxes(0, 1)
