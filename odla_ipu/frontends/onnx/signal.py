"""Converters of windows of signals, which are constants."""

from typing import Sequence

import numpy as np

from ...graph import Value
from .convert import Step, converter
from .model import element_type_of

_COSINES = {
    "HannWindow": (0.5, -0.5),
    "HammingWindow": (25 / 46, -21 / 46),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}
"""Weights of the cosines of 0, 1 and 2 periods (ONNX HannWindow-17 and so on)."""


@converter(*_COSINES)
def _window(step: Step, size: Value) -> Value:
    count = step.integer(size, "the size")
    if count < 0:
        raise step.error(f"the size is {count}; accepted: 0 and more")
    kind = element_type_of(step.get("output_datatype", 1), step.node.label)
    period = count if step.get("periodic", 1) else count - 1
    return step.constant(_cosines(count, period, _COSINES[step.node.op]), kind.dtype)


def _cosines(count: int, period: int, weights: Sequence[float]) -> np.ndarray:
    angles = 2 * np.pi * np.arange(count) / max(period, 1)
    return sum((w * np.cos(k * angles) for k, w in enumerate(weights)), np.zeros(count))
