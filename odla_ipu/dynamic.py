"""Computations whose shapes depend on what is fed: run in rounds, specialised to what is seen.

The program of an IPU has fixed shapes.  Where a shape is computed from arguments (a target of
ReshapeDynamic), the sub-graph that computes it runs first, as an executable of its own; its result
then stands as a constant in the rest, which is inferred again and compiled.  Where data decide the
size of a result that other ops read (of NMS or Compress), it is computed first too; then it is an
argument of the rest, which depends on its size alone.  Programs are kept for the values and sizes
seen last, so that a repeated shape only runs.
"""

import collections
import threading
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from .errors import InvalidParameter
from .graph import Carried, Graph, Node, Output, Value, rewrite
from .types import ValueType

CACHED_PROGRAMS = 64
"""So many sub-graphs and rests are kept, the ones used last."""


def is_dynamic(graph: Graph) -> bool:
    """Whether some op that an output needs takes its shape from a value computed at run time."""
    nodes = graph.used_nodes()
    return any(node.shaped_by() for node in nodes) or bool(_sized(nodes))


def _sized(nodes: Sequence[Node]) -> Set[Value]:
    """Results whose size data decide and that other nodes read."""
    read = {operand for node in nodes for operand in node.operands()}
    return {node.outputs[0] for node in nodes if node.sized_by() and node.outputs[0] in read}


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
        key: Tuple[Any, ...] = ()
        graph = self._graph
        while True:
            program = self._program(key, graph)
            results = program.executable.run(given)
            if not program.first:
                return results
            arrays = [results[name] for name in program.first]
            round_key, rest = program.rest(arrays)
            key = (*key, round_key)
            given = {**given, **rest.feeds(arrays)}
            graph = rest.graph

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


class _Rest(NamedTuple):
    """What is left of a graph; ``fed`` are the arguments for the arrays that are no constants."""

    graph: Graph
    fed: Dict[int, str]

    def feeds(self, arrays: Sequence[np.ndarray]) -> Dict[str, np.ndarray]:
        return {name: arrays[index] for index, name in self.fed.items()}


class _Program:
    """One round: what can be computed now and must be known first, or the whole without such."""

    def __init__(self, graph: Graph, device: str, precision: str):
        from .executable import compile_graph

        self._graph = graph
        self._values, self._is_sized = _ready(graph)
        self.first = [f"shape {index}" for index in range(len(self._values))]
        self._rests: collections.OrderedDict[Any, _Rest] = collections.OrderedDict()
        if self._values:
            graph = _part(graph, [Output(*pair) for pair in zip(self.first, self._values)])
        self.executable = compile_graph(graph, device, precision)

    def rest(self, arrays: List[np.ndarray]) -> Tuple[Any, _Rest]:
        """What tells these arrays apart, and the graph that reads them in place of the values."""
        key = tuple(
            (array.shape, None if value in self._is_sized else array.tobytes())
            for value, array in zip(self._values, arrays)
        )
        if key not in self._rests:
            self._rests[key] = self._with(arrays)
            while len(self._rests) > CACHED_PROGRAMS:
                self._rests.popitem(last=False)
        return key, self._rests[key]

    def _with(self, arrays: List[np.ndarray]) -> _Rest:
        found = dict(zip(self._values, arrays))
        made: Dict[Value, str] = {}

        def rule(new: Graph, node: Any, values: Carried) -> Any:
            if node.outputs[0] in self._is_sized:
                value = node.outputs[0]
                kind = ValueType(value.element_type, found[value].shape)
                argument = new.add_variable(f"{value.id} of known size", kind)
                made[value] = argument.id
                return [argument]
            changes = {
                field.name: new.add_constant(found[node.__dict__[field.name]])
                for field in node.fields
                if field.is_shaping and node.__dict__[field.name] in found
            }
            return node.copy_to(new, values, **changes) if changes else None

        graph = rewrite(self._graph, rule)
        places = {value: index for index, value in enumerate(self._values)}
        return _Rest(graph, {places[value]: name for value, name in made.items()})


def _ready(graph: Graph) -> Tuple[List[Value], Set[Value]]:
    """What depends on no node whose own shape is open: values to be known, and of them the sized.

    The first decide shapes; the size of the second is decided by data.
    """
    nodes = graph.used_nodes()
    sized = _sized(nodes)
    beyond: Set[Value] = set()
    ready: Dict[Value, None] = {}
    for node in nodes:
        shaping = node.shaped_by()
        ready.update((value, None) for value in shaping if value not in beyond)
        if shaping or any(operand in beyond for operand in node.operands()):
            beyond.update(node.outputs)
        elif node.outputs[0] in sized:
            ready[node.outputs[0]] = None
            beyond.update(node.outputs)
    return list(ready), sized.intersection(ready)


def _part(graph: Graph, outputs: List[Output]) -> Graph:
    """The same arguments, and the nodes that ``outputs`` need."""
    part = Graph(graph.name)
    part.arguments, part.nodes, part.outputs = graph.arguments, graph.nodes, outputs
    return part
