"""The ODLA ops, declared by family; importing this package fills ``registry.OPS``."""

from ..registry import OPS
from . import control_flow, linalg, math, nn, process, quantization, regions, rnn, text, yolo

__all__ = [
    "OPS",
    "control_flow",
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
