"""odla_ipu: an ODLA backend for Graphcore IPUs.

Every ODLA op is a function of this module (``odla_ipu.conv``, ``odla_ipu.softmax``); see
``odla-ipu ops`` for the list.  Importing it needs no SDK, no compiler, no onnx and no engine.
"""

import importlib
import os
from typing import Any, List, Mapping, Optional, Sequence, Union

from . import errors
from .computation import Computation, argument, constant, current_graph, output, variable
from .errors import OdlaError, Status
from .graph import Graph, Value, Variable
from .optimizers import SGD, Adam
from .types import (
    ElementType,
    InterpolationMode,
    LoopOutputMode,
    MemoryLayout,
    ResizeCoordinateMode,
    RnnDirection,
    RnnGateOrder,
    RnnOutputs,
    RnnWeightFormat,
    ValueType,
)
from .version import VERSION as __version__

__all__ = [
    "SGD",
    "Adam",
    "Computation",
    "ElementType",
    "Executable",
    "Graph",
    "InterpolationMode",
    "LoopOutputMode",
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
    "Variable",
    "__version__",
    "argument",
    "constant",
    "errors",
    "load",
    "output",
    "variable",
]


def load(
    path: Union[str, "os.PathLike[str]"], shapes: Optional[Mapping[str, Sequence[int]]] = None
) -> Computation:
    """Read an ONNX file as a :class:`Computation`.

    ``shapes`` fixes input shapes by name; a model with open dimensions needs it.  Raises
    FileMissing, BadFile for what is no ONNX file, UnsupportedOp listing all operators without an
    ODLA equivalent, InvalidParameter for open or contradicting shapes.
    """
    from .frontends import onnx

    return Computation(graph=onnx.read(os.fspath(path), shapes))


# The ops, and what runs them, are imported when a name of theirs is first asked for: a program
# that only imports odla_ipu should not wait for them.


_LATE = {"if_": "scopes", "loop": "scopes", "custom_op": "custom", "kernel": "custom"}
"""Functions that are no ops, and the modules that define them."""


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name == "Executable":
        from .executable import Executable

        globals()[name] = Executable
    elif name == "profiler":
        globals()[name] = importlib.import_module(".profiler", __name__)
    elif name in _LATE:
        globals()[name] = getattr(importlib.import_module(f".{_LATE[name]}", __name__), name)
    else:
        globals()[name] = _op_function(name)
    return globals()[name]


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__, *_LATE, "profiler", *(cls.python for cls in _declared())})


def _declared() -> List[Any]:
    from .ops import OPS  # not "from . import ops", which would ask __getattr__ first

    return list(OPS.values())


def _op_function(name: str) -> Any:
    from .registry import python_function

    for cls in _declared():
        if cls.python == name:
            return python_function(cls, current_graph)
    raise AttributeError(f"odla_ipu has no '{name}'; the ops are listed by: odla-ipu ops")
