"""Computations whose shapes depend on what is fed: run in rounds, specialised to what is seen.

The program of an IPU has fixed shapes.  Where a shape is computed from arguments (a target of
ReshapeDynamic, the condition of Compress), the sub-graph that computes it runs first, as an
executable of its own; its result then stands as a constant in the rest, which is inferred again and
compiled.  Programs are kept for the values seen last, so that a repeated shape only runs.
"""

import collections
import threading
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np

from .errors import InvalidParameter
from .graph import Carried, Graph, Output, Value, rewrite
from .types import ValueType, format_shape, product

CACHED_PROGRAMS = 64
"""So many sub-graphs and rests are kept, the ones used last."""


def is_dynamic(graph: Graph) -> bool:
    """Whether some op that an output needs takes its shape from a value computed at run time."""
    return any(node.shaped_by() for node in graph.used_nodes())


class Named(NamedTuple):
    """An input or output in order."""

    name: str
    type: ValueType


class DynamicExecutable:
    """What ``compile`` gives for a computation whose shapes depend on what is fed.

    Used as an :class:`~odla_ipu.executable.Executable`; ``outputs`` have -1 where a size is known
    only after a run.
    """

    def __init__(self, graph: Graph, device: Optional[str], precision: str):
        from .device import open_device

        self.device = open_device(device).kind
        self.precision = precision
        self._graph = graph
        self.feeds = [Named(argument.id, argument.type) for argument in graph.arguments]
        self.fetches = [Named(output.name, output.value.type) for output in graph.outputs]
        self._programs: collections.OrderedDict[Any, _Program] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def arguments(self) -> Dict[str, ValueType]:
        """Names and types of the inputs, in order."""
        return {argument.id: argument.type for argument in self._graph.arguments}

    @property
    def outputs(self) -> Dict[str, ValueType]:
        """Names and types of the results, in order."""
        return {output.name: output.value.type for output in self._graph.outputs}

    def run(
        self, inputs: Optional[Mapping[str, Any]] = None, **named: Any
    ) -> Dict[str, np.ndarray]:
        """Run once, compiling what these shapes need and is not kept; as ``Executable.run``."""
        from .executable import merged_inputs

        given = merged_inputs(inputs, named)
        program = self._last(lambda executable: executable.run(given).values())
        return program.executable.run(given)

    def run_into(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> Dict[int, Tuple[int, ...]]:
        """As ``Executable.run_into``; returns the shape of each output by its place.

        Outputs have the declared element type and room for what the run gives, which they hold from
        their first element on.  Raises InvalidParameter, naming the size, where one has not.
        """

        def shaping(executable: Any) -> List[np.ndarray]:
            results = [np.empty(fetch.dims, fetch.dtype) for fetch in executable.fetches]
            executable.run_into(inputs, results)
            return results

        if len(outputs) != len(self.fetches):
            raise InvalidParameter(
                f"'{self._graph.name}': {len(outputs)} outputs; accepted: {len(self.fetches)}"
            )
        executable = self._last(shaping).executable
        targets = [_room(*pair) for pair in zip(executable.fetches, outputs)]
        executable.run_into(inputs, targets)
        return {place: fetch.dims for place, fetch in enumerate(executable.fetches)}

    def bind(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> "DynamicBinding":
        """Arrays for many runs; their shapes are looked at in each."""
        return DynamicBinding(self, inputs, outputs)

    def _last(self, run: Callable[[Any], Iterable[np.ndarray]]) -> "_Program":
        """The program of the last round, after ``run`` has run the rounds before."""
        key: Tuple[Any, ...] = ()
        graph = self._graph
        while True:
            program = self._program(key, graph)
            if not program.shaping:
                return program
            arrays = list(run(program.executable))
            key = (*key, *((array.shape, array.tobytes()) for array in arrays))
            graph = program.rest(arrays)

    def _program(self, key: Any, graph: Graph) -> "_Program":
        with self._lock:
            if self._closed:
                raise InvalidParameter(f"'{self._graph.name}' is closed; compile it again")
            if key in self._programs:
                self._programs.move_to_end(key)
                return self._programs[key]
        made = _Program(graph, self.device, self.precision)
        with self._lock:
            self._programs[key] = made
            while len(self._programs) > CACHED_PROGRAMS:
                self._programs.popitem(last=False)
        return made

    def save(self, path: str) -> None:
        """Raises InvalidParameter: an executable file holds one program of fixed shapes."""
        raise InvalidParameter(
            f"'{self._graph.name}' has shapes that depend on what is fed; an executable file holds "
            "one program of fixed shapes"
        )

    def close(self) -> None:
        """Free all programs; running afterwards is an error."""
        with self._lock:
            programs, self._closed = list(self._programs.values()), True
            self._programs.clear()
        for program in programs:
            program.executable.close()

    def __enter__(self) -> "DynamicExecutable":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()


class DynamicBinding:
    """The arrays of a DynamicExecutable's runs."""

    def __init__(
        self,
        executable: DynamicExecutable,
        inputs: Sequence[np.ndarray],
        outputs: Sequence[Optional[np.ndarray]],
    ):
        self._bound = executable, inputs, outputs

    def run(self) -> Dict[int, Tuple[int, ...]]:
        """Run once; returns the shape of each output by its place."""
        executable, inputs, outputs = self._bound
        return executable.run_into(inputs, outputs)


def _room(fetch: Any, target: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """The beginning of ``target`` in the shape of a result."""
    if target is None or target.shape == fetch.dims:
        return target
    size = product(fetch.dims)
    if not target.flags.c_contiguous or target.size < size:
        raise InvalidParameter(
            f"output '{fetch.name}' is {target.dtype}{list(target.shape)}; this run gives "
            f"{format_shape(fetch.dims)}: accepted: a C-contiguous array of {size} elements or more"
        )
    return target.reshape(-1)[:size].reshape(fetch.dims)


class _Program:
    """One round: what computes the shapes that can be known now, or the whole when none is open."""

    def __init__(self, graph: Graph, device: str, precision: str):
        from .executable import compile_graph

        self._graph = graph
        self._values = _ready(graph)
        self.shaping = [f"shape {index}" for index in range(len(self._values))]
        self._rests: collections.OrderedDict[Any, Graph] = collections.OrderedDict()
        if self._values:
            graph = _part(graph, [Output(*pair) for pair in zip(self.shaping, self._values)])
        self.executable = compile_graph(graph, device, precision)

    def rest(self, arrays: List[np.ndarray]) -> Graph:
        """The graph with these numbers in place of the values that were computed."""
        key = tuple((array.shape, array.tobytes()) for array in arrays)
        if key not in self._rests:
            self._rests[key] = _with(self._graph, dict(zip(self._values, arrays)))
            while len(self._rests) > CACHED_PROGRAMS:
                self._rests.popitem(last=False)
        return self._rests[key]


def _ready(graph: Graph) -> List[Value]:
    """Shaping values that depend on no node whose own shape is open."""
    beyond: Set[Value] = set()
    ready: Dict[Value, None] = {}
    for node in graph.used_nodes():
        shaping = node.shaped_by()
        ready.update((value, None) for value in shaping if value not in beyond)
        if shaping or any(operand in beyond for operand in node.operands()):
            beyond.update(node.outputs)
    return list(ready)


def _part(graph: Graph, outputs: List[Output]) -> Graph:
    """The same arguments, and the nodes that ``outputs`` need."""
    part = Graph(graph.name)
    part.arguments, part.variables = graph.arguments, graph.variables
    part.nodes, part.outputs = graph.nodes, outputs
    return part


def _with(graph: Graph, found: Mapping[Value, np.ndarray]) -> Graph:
    def rule(new: Graph, node: Any, values: Carried) -> Any:
        changes = {
            field.name: new.add_constant(found[node.__dict__[field.name]])
            for field in node.fields
            if field.is_shaping and node.__dict__[field.name] in found
        }
        return node.copy_to(new, values, **changes) if changes else None

    return rewrite(graph, rule)
