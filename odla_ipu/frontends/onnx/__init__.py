"""ONNX models as graphs of ODLA ops.

``read`` parses a file (``model``) and adds its nodes to a graph in order (``convert``) with one
converter for each operator: ``elementwise``, ``linear`` (products, convolutions, pooling, norms),
``shapes`` (data movement), ``resize``, ``recurrent``, ``quantized`` and ``control``.

Importing this package imports ``onnx``; where PopART is to be used, load it first.
"""

from . import control, elementwise, linear, quantized, recurrent, resize, shapes
from .convert import CONVERTERS, convert, read
from .model import Model, parse

__all__ = [
    "CONVERTERS",
    "Model",
    "control",
    "convert",
    "elementwise",
    "linear",
    "parse",
    "quantized",
    "read",
    "recurrent",
    "resize",
    "shapes",
]
