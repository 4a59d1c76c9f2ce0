"""Computations, which users build, and executables, which devices run.

::

    with odla_ipu.Computation() as c:
        x = odla_ipu.argument("x", (2, 3), "float32")
        odla_ipu.output(odla_ipu.relu(x), "y")
    y = c.run(x=array)["y"]
"""

import collections
import math
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import interpreter
from .errors import InvalidParameter, UnsupportedOp
from .graph import Graph, Value, Variable, specialise, walk
from .types import Dim, ValueType, check_shape, element_type, format_shape, known

if TYPE_CHECKING:
    from .device import Device
    from .dynamic import DynamicExecutable
    from .executable import Executable
    from .optimizers import Optimizer

_open = threading.local()

CACHED_PROGRAMS = 32
"""So many programs of a computation are kept, the ones used last."""


class Computation:
    """A graph of ODLA ops with its arguments and outputs.

    Used as a context it becomes the one that ``odla_ipu.argument``, ``odla_ipu.output`` and ops
    without operands add to; contexts nest, and each thread has its own.  ``run`` compiles when it
    must and keeps what it compiled.
    """

    def __init__(self, name: str = "computation", graph: Optional[Graph] = None):
        self.graph = Graph(name) if graph is None else graph
        self._executables: collections.OrderedDict[Any, Any] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> "Computation":
        if not hasattr(_open, "stack"):
            _open.stack = []
        _open.stack.append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        # Its last entry: the computation may be open further out, too.
        stack = _open.stack
        del stack[len(stack) - 1 - stack[::-1].index(self)]

    # Building.

    def argument(self, name: str, shape: Sequence[Dim], dtype: Any = "float32") -> Value:
        """A new input of ``shape`` (-1 or a name for a dimension that is fixed later)."""
        kind = ValueType(element_type(dtype), check_shape(shape, f"argument '{name}'"))
        return self.graph.add_argument(name, kind)

    def constant(self, data: Any, name: Optional[str] = None) -> Value:
        """A constant; arrays are referred to, not copied.

        Raises UnsupportedType for what is no array of numbers, InvalidParameter for uneven rows.
        """
        return self.graph.innermost.add_constant(_as_array(data, name), name)

    def variable(
        self, shape: Sequence[int], dtype: Any = "float32", name: str = "variable"
    ) -> Variable:
        """A value of zeros that ``variable.set(array)`` changes between runs, at no other cost."""
        kind = ValueType(element_type(dtype), check_shape(shape, f"variable '{name}'"))
        if not kind.is_static:
            raise InvalidParameter(f"variable '{name}' is {kind}; accepted: a shape of known sizes")
        return self.graph.root.create_variable(name, kind)

    def output(self, value: Value, name: Optional[str] = None) -> Value:
        """Make ``value`` a result, named ``name`` (the value's id when None).

        While a branch is open, a result of that branch.
        """
        self.graph.innermost.set_output(value, name)
        return value

    @property
    def arguments(self) -> Dict[str, ValueType]:
        """Names and types of the inputs, in order."""
        return {argument.id: argument.type for argument in self.graph.arguments}

    @property
    def outputs(self) -> Dict[str, ValueType]:
        """Names and types of the results, in order."""
        return {output.name: output.value.type for output in self.graph.outputs}

    def __str__(self) -> str:
        return str(self.graph)

    # Files.

    def save(self, path: "Union[str, os.PathLike[str]]") -> None:
        """Write a file that :meth:`load` makes the same computation of.

        Raises InvalidParameter while an If or Loop is open, FileMissing without the folder of
        ``path``, OdlaError for what cannot be written.
        """
        from . import serialise

        serialise.save(self.graph, os.fsdecode(path))

    @classmethod
    def load(cls, path: "Union[str, os.PathLike[str]]") -> "Computation":
        """The computation of a file; its constants are read from there when they are needed.

        Raises FileMissing, or BadFile for a truncated, tampered, newer or foreign file.
        """
        from . import serialise

        return cls(graph=serialise.load(os.path.abspath(os.fsdecode(path))))

    def to_bytes(self) -> bytes:
        """What :meth:`save` would write."""
        from . import serialise

        return serialise.pack(self.graph)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Computation":
        """As :meth:`load`, of the bytes of a file; constants refer to them."""
        from . import serialise

        return cls(graph=serialise.load(bytes(data)))

    # Running.

    def specialise(self, shapes: Mapping[str, Sequence[int]]) -> "Computation":
        """The same computation with the arguments' shapes fixed and all others inferred again.

        Raises InvalidParameter for unknown names and shapes that contradict the declaration.
        """
        return Computation(graph=specialise(self.graph, shapes))

    def differentiate(self, loss: Optional[str] = None) -> None:
        """Say which output training makes smaller: one element of floats.

        Without a name it is the first that is such.  What is trained are the variables of floats.
        Raises InvalidParameter where there is no such output, or no such variable.
        """
        from .training import loss_of, trainable

        trainable(self.graph)
        self.graph.loss = loss_of(self.graph, loss)

    def compile(
        self,
        device: "Union[str, Device, None]" = None,
        precision: str = "fp32",
        batch: Optional[int] = None,
        shapes: Optional[Mapping[str, Sequence[int]]] = None,
        num_ipus: int = 1,
        batches_per_step: int = 1,
        cache: "Union[str, os.PathLike[str], None]" = None,
        optimizer: "Optional[Optimizer]" = None,
    ) -> "Union[Executable, DynamicExecutable]":
        """Compile for ``device`` (``auto``, ``sim``, ``ipu``, ``ipu_model``; ``ODLA_IPU_DEVICE``).

        ``precision`` is ``fp32`` or ``fp16`` (weights and activations; inputs and outputs keep
        their types).  ``batch`` replaces the first dimension of the arguments, ``shapes`` fixes
        shapes by name.  What takes its shape from a computed value is compiled when it is run.

        PopART divides the ops between ``num_ipus`` IPUs, a power of two.  A run does
        ``batches_per_step`` batches, which follow each other in dimension 0 of every array of rank
        1 and more; one of rank 0 serves all, and as an output is that of the last.  ``cache`` is a
        folder that keeps compiled programs for later processes.

        With an ``optimizer`` each batch of a run also changes the variables, so that the loss (see
        :meth:`differentiate`) gets smaller; it is computed in fp32.

        Raises InvalidParameter when a shape stays open or an argument is wrong, DeviceUnavailable
        when the named device cannot be used, OutOfMemory when it is too small.
        """
        # Imported late: a program that imports odla_ipu should not wait for what it may not use.
        from .dynamic import DynamicExecutable, is_dynamic
        from .executable import Settings, compile_graph
        from .passes import PRECISIONS
        from .passes.shapes import with_batch
        from .training import check_training

        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise InvalidParameter(
                f"precision is {precision!r}; accepted: {', '.join(sorted(PRECISIONS))}"
            )
        if not isinstance(batches_per_step, int) or batches_per_step < 1:
            raise InvalidParameter(
                f"batches_per_step is {batches_per_step!r}; accepted: integers of 1 and more"
            )
        graph = self.graph
        if shapes is not None and (not isinstance(shapes, Mapping) or shapes):
            graph = specialise(graph, shapes)
        if batch is not None:
            graph = with_batch(graph, batch)
        _check(graph)
        if optimizer is not None:
            check_training(graph, optimizer, precision)
        folder = None if cache is None else os.path.abspath(os.fsdecode(cache))
        settings = Settings(device, precision, num_ipus, batches_per_step, folder, optimizer)
        if is_dynamic(graph):
            if optimizer is not None:
                raise UnsupportedOp(
                    f"'{graph.name}' has shapes that depend on computed values; such computations "
                    "are not trained"
                )
            return DynamicExecutable(graph, settings)
        return compile_graph(graph, settings)

    def run(
        self,
        inputs: Optional[Mapping[str, Any]] = None,
        device: "Union[str, Device, None]" = None,
        precision: str = "fp32",
        **named: Any,
    ) -> Dict[str, np.ndarray]:
        """Run on ``device`` with inputs by keyword or in one dict; outputs by name.

        Open dimensions are taken from the arrays given; each new set of shapes compiles once, and
        the programs used last are kept.
        """
        from .executable import merged_inputs

        given = merged_inputs(inputs, named)
        shapes = {
            argument.id: _shape_of(given[argument.id], argument)
            for argument in self.graph.arguments
            if not argument.type.is_static and argument.id in given
        }
        key = (
            device,
            precision,
            len(self.graph.nodes),
            len(self.graph.arguments),
            len(self.graph.variables),
            tuple(output.name for output in self.graph.outputs),
            tuple(sorted(shapes.items())),
        )
        with self._lock:
            executable = self._executables.get(key)
            if executable is None:
                executable = self.compile(device, precision, shapes=shapes)
                self._executables[key] = executable
            self._executables.move_to_end(key)
            if len(self._executables) > CACHED_PROGRAMS:
                self._executables.popitem(last=False)
        return executable.run(given)


def _as_array(data: Any, name: Optional[str]) -> np.ndarray:
    try:
        return np.asarray(data)
    except ValueError:
        raise InvalidParameter(
            f"constant '{name}': the rows have different lengths; accepted: an array or nested "
            "lists of one shape"
        ) from None


def _shape_of(given: Any, argument: Value) -> Tuple[int, ...]:
    try:
        return np.shape(given)
    except ValueError:
        raise InvalidParameter(
            f"input '{argument.id}' takes {argument.type}, not rows of different lengths"
        ) from None


def current() -> Computation:
    """The innermost open computation of this thread; raises InvalidParameter without one."""
    stack: List[Computation] = getattr(_open, "stack", [])
    if not stack:
        raise InvalidParameter(
            "no computation is open here; write: with odla_ipu.Computation() as c: ..."
        )
    return stack[-1]


def argument(name: str, shape: Sequence[Dim], dtype: Any = "float32") -> Value:
    """:meth:`Computation.argument` of the open computation."""
    return current().argument(name, shape, dtype)


def variable(shape: Sequence[int], dtype: Any = "float32", id: str = "variable") -> Variable:
    """:meth:`Computation.variable` of the open computation."""
    return current().variable(shape, dtype, id)


def constant(data: Any, name: Optional[str] = None) -> Value:
    """A constant of the open computation; where none is open, an interpreted value.

    ``numpy.asarray`` of an interpreted value, and of what ops make of it, is its array.
    """
    return current_graph().add_constant(_as_array(data, name), name)


def current_graph() -> Graph:
    """The graph of the innermost open computation of this thread, else that of the interpreter."""
    stack: List[Computation] = getattr(_open, "stack", [])
    return stack[-1].graph if stack else interpreter.GRAPH


def output(value: Value, name: Optional[str] = None) -> Value:
    """:meth:`Computation.output` of the computation that ``value`` belongs to."""
    graph = value.graph if isinstance(value, Value) else current().graph
    graph.innermost.set_output(value, name)
    return value


def _check(graph: Graph) -> None:
    if graph.scopes:
        raise graph.scopes[-1].error("still open; end it before compiling")
    if not graph.outputs:
        raise InvalidParameter(
            f"'{graph.name}' has no outputs; name one with odla_ipu.output(value, name)"
        )
    open_arguments = [one for one in graph.arguments if not one.type.is_static]
    if open_arguments:
        listed = ", ".join(f"{one.id}{format_shape(one.shape)}" for one in open_arguments)
        first = open_arguments[0]
        sample = ",".join(str(dim) if known(dim) else "1" for dim in first.shape)
        raise InvalidParameter(
            f"'{graph.name}' has open dimensions: {listed}; fix them with "
            f"shapes={{'{first.id}': ({sample},)}} or --shape {first.id}={sample}"
        )
    _warn_of_nan(graph)


def _warn_of_nan(graph: Graph) -> None:
    seen = set()
    for node in walk(graph.used_nodes()):
        for operand in node.operands():
            data = operand.data
            if data is None or operand in seen or not operand.element_type.is_float:
                continue
            seen.add(operand)
            # A sum is NaN only if an element is, or if infinities cancel: look closer only then.
            with np.errstate(all="ignore"):
                suspicious = math.isnan(float(data.sum(dtype=np.float32)))
            if suspicious and np.isnan(data).any():
                warnings.warn(
                    f"constant '{operand.id}' contains NaN; {node.where} reads it",
                    RuntimeWarning,
                    stacklevel=4,
                )
