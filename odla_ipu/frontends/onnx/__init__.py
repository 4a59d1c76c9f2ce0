"""ONNX models as graphs of ODLA ops.

``read`` parses a file (``model``) and adds its nodes to a graph in order (``convert``) with one
converter for each operator: ``elementwise``, ``linear`` (products, convolutions, pooling, norms),
``shapes`` (data movement), ``scatter``, ``resize``, ``sampling``, ``regions``, ``recurrent``,
``quantized``, ``loss``, ``text``, ``signal``, ``custom`` and ``control``.  Operators of a kernel's
domain become that kernel, and those that a function defines, the model's own or ONNX's, the nodes
of that function (``functions``).

``Backend`` is ONNX's own interface to all that.
"""

from ...device import load_any_popart

load_any_popart()  # the SDK's popart refuses to load after onnx, which what follows imports

from . import (  # noqa: E402
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
from .backend import Backend  # noqa: E402
from .convert import CONVERTERS, convert, read  # noqa: E402
from .model import Model, parse  # noqa: E402

__all__ = [
    "CONVERTERS",
    "Backend",
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
