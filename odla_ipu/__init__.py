"""odla_ipu: an ODLA backend for Graphcore IPUs.

Every ODLA op is a function of this module (``odla_ipu.conv``, ``odla_ipu.softmax``); see
``odla-ipu ops`` for the list.  Importing it needs no SDK, no compiler, no onnx and no engine.
"""

import os
from typing import Any, Mapping, Optional, Sequence, Union

from . import errors, ops
from .computation import Computation, argument, constant, current, output
from .errors import OdlaError, Status
from .executable import Executable
from .graph import Graph, Value
from .registry import OPS, python_function
from .types import (
    ElementType,
    InterpolationMode,
    MemoryLayout,
    ResizeCoordinateMode,
    RnnDirection,
    RnnGateOrder,
    RnnOutputs,
    RnnWeightFormat,
    ValueType,
)
from .version import VERSION as __version__

_FUNCTIONS = {cls.python: python_function(cls, lambda: current().graph) for cls in OPS.values()}
globals().update(_FUNCTIONS)

__all__ = [
    "Computation",
    "ElementType",
    "Executable",
    "Graph",
    "InterpolationMode",
    "MemoryLayout",
    "OdlaError",
    "ResizeCoordinateMode",
    "RnnDirection",
    "RnnGateOrder",
    "RnnOutputs",
    "RnnWeightFormat",
    "Status",
    "Value",
    "ValueType",
    "__version__",
    "argument",
    "constant",
    "errors",
    "load",
    "ops",
    "output",
    *_FUNCTIONS,
]


def load(
    path: Union[str, "os.PathLike[str]"], shapes: Optional[Mapping[str, Sequence[int]]] = None
) -> Computation:
    """Read an ONNX file as a :class:`Computation`.

    ``shapes`` fixes input shapes by name; a model with open dimensions needs it.  Raises
    FileMissing, BadFile for what is no ONNX file, UnsupportedOp listing all operators without an
    ODLA equivalent, InvalidParameter for open or contradicting shapes.
    """
    from .device import load_any_popart
    from .frontends import onnx

    load_any_popart()  # the real popart refuses to load after onnx
    return Computation(graph=onnx.read(os.fspath(path), shapes))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"odla_ipu has no '{name}'; ops are listed by: odla-ipu ops")
