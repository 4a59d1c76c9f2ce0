"""The engine: a typed graph becomes one internal ONNX model that onnxruntime runs on the CPU."""

from .emitter import Rounding
from .runtime import Engine, thread_count
from .translation import Port, Settings, Translation, translate

__all__ = ["Engine", "Port", "Rounding", "Settings", "Translation", "thread_count", "translate"]
