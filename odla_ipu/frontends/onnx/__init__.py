"""ONNX models as graphs of ODLA ops.

``read`` parses a file (``model``) and adds its nodes to a graph in order (``convert``) with one
converter for each operator: ``elementwise``, ``linear`` (products, convolutions, pooling, norms),
``shapes`` (data movement), ``scatter``, ``resize``, ``sampling``, ``regions``, ``recurrent``,
``quantized``, ``loss``, ``text``, ``signal``, ``custom`` and ``control``.  Operators of a kernel's
domain become that kernel, and those that a function defines, the model's own or ONNX's, the nodes
of that function (``functions``).

Importing this package imports ``onnx``; where PopART is to be used, load it first.
"""

from . import (
    control,
    custom,
    elementwise,
    linear,
    loss,
    quantized,
    recurrent,
    regions,
    resize,
    sampling,
    scatter,
    shapes,
    signal,
    text,
)
from .convert import CONVERTERS, convert, read
from .model import Model, parse

__all__ = [
    "CONVERTERS",
    "Model",
    "control",
    "convert",
    "custom",
    "elementwise",
    "linear",
    "loss",
    "parse",
    "quantized",
    "read",
    "recurrent",
    "regions",
    "resize",
    "sampling",
    "scatter",
    "shapes",
    "signal",
    "text",
]
