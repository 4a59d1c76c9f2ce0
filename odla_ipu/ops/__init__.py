"""The ODLA ops, declared by family; importing this package fills ``registry.OPS``."""

from ..registry import OPS
from . import (
    control_flow,
    custom,
    linalg,
    math,
    nn,
    process,
    quantization,
    regions,
    rnn,
    text,
    yolo,
)

__all__ = [
    "OPS",
    "control_flow",
    "custom",
    "linalg",
    "math",
    "nn",
    "process",
    "quantization",
    "regions",
    "rnn",
    "text",
    "yolo",
]
