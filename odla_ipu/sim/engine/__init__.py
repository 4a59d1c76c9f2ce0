"""The engine: a typed graph becomes internal ONNX models that onnxruntime runs on the CPU, with the
ops that the host runs between them."""

from .emitter import Rounding
from .planning import Plan, translate
from .program import Program, load
from .runtime import Engine, physical_cpus, thread_count
from .translation import Port, Settings, Translation

__all__ = [
    "Engine",
    "Plan",
    "Port",
    "Program",
    "Rounding",
    "Settings",
    "Translation",
    "load",
    "physical_cpus",
    "thread_count",
    "translate",
]
