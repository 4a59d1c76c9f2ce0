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
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np

from .binding import Shapes
from .errors import InvalidParameter
from .graph import Carried, Graph, Node, Output, Value, rewrite
from .types import ValueType, format_shape, product

if TYPE_CHECKING:
    from .executable import Executable, Settings

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


class Named(NamedTuple):
    """An input or output in order."""

    name: str
    type: ValueType


class DynamicExecutable:
    """What ``compile`` gives for a computation whose shapes depend on what is fed.

    Used as an :class:`~odla_ipu.executable.Executable`; ``outputs`` have -1 where a size is known
    only after a run.
    """

    def __init__(self, graph: Graph, settings: "Settings"):
        from .device import open_device

        if settings.batches_per_step > 1:
            raise InvalidParameter(
                f"batches_per_step is {settings.batches_per_step}, but '{graph.name}' has shapes "
                "that depend on what is fed; accepted: 1"
            )
        device = open_device(settings.device, settings.num_ipus)
        self.device = device.kind
        self.precision = settings.precision
        self._settings = settings._replace(device=device)
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

        first = self._program((), self._graph).executable
        executable, arrays = self._last_round(first.accepted(merged_inputs(inputs, named)))
        results = executable.results(arrays)
        return {fetch.name: array for fetch, array in zip(executable.fetches, results)}

    def run_into(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> Shapes:
        """As ``Executable.run_into``; returns the shape of each output by its place.

        Outputs have the declared element type and room for what the run gives, which they hold from
        their first element on.  Raises InvalidParameter, naming the size, where one has not.
        """
        if len(outputs) != len(self.fetches):
            raise InvalidParameter(
                f"'{self._graph.name}': {len(outputs)} outputs; accepted: {len(self.fetches)}"
            )
        self._program((), self._graph).executable.check_inputs(inputs)
        executable, inputs = self._last_round(inputs)
        targets = [_room(*pair) for pair in zip(executable.fetches, outputs)]
        shapes = {place: fetch.dims for place, fetch in enumerate(executable.fetches)}
        return {**shapes, **(executable.run_into(inputs, targets) or {})}

    def _last_round(self, inputs: Sequence[np.ndarray]) -> "Tuple[Executable, List[np.ndarray]]":
        """What gives the outputs, and its inputs, after the rounds before it have run."""
        key: Tuple[Any, ...] = ()
        graph, given = self._graph, list(inputs)
        while True:
            program = self._program(key, graph)
            if not program.first:
                return program.executable, given
            arrays = program.executable.results(given)
            round_key, rest = program.rest(arrays)
            key = (*key, round_key)
            # The arguments of a round come after those of the rounds before.
            given += rest.feeds(arrays)
            graph = rest.graph

    def bind(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> "DynamicBinding":
        """Arrays for many runs; their shapes are looked at in each."""
        return DynamicBinding(self, inputs, outputs)

    def _program(self, key: Any, graph: Graph) -> "_Program":
        with self._lock:
            if self._closed:
                raise InvalidParameter(f"'{self._graph.name}' is closed; compile it again")
            if key in self._programs:
                self._programs.move_to_end(key)
                return self._programs[key]
        made = _Program(graph, self._settings)
        with self._lock:
            self._programs[key] = made
            while len(self._programs) > CACHED_PROGRAMS:
                self._programs.popitem(last=False)
        return made

    def save(self, path: str) -> None:
        """Raises InvalidParameter: an executable file holds one program of fixed shapes."""
        raise self._unsaved()

    def to_bytes(self) -> bytes:
        """As :meth:`save`."""
        raise self._unsaved()

    def _unsaved(self) -> InvalidParameter:
        return InvalidParameter(
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

    def run(self) -> Shapes:
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


class _Rest(NamedTuple):
    """What is left of a graph; ``fed`` are the places of the arrays that are no constants.

    Its further arguments are those, in this order.
    """

    graph: Graph
    fed: List[int]

    def feeds(self, arrays: Sequence[np.ndarray]) -> List[np.ndarray]:
        return [arrays[index] for index in self.fed]


class _Program:
    """One round: what can be computed now and must be known first, or the whole without such."""

    def __init__(self, graph: Graph, settings: "Settings"):
        from .executable import compile_graph

        self._graph = graph
        self._values, self._is_sized = _ready(graph)
        self.first = [f"shape {index}" for index in range(len(self._values))]
        self._rests: collections.OrderedDict[Any, _Rest] = collections.OrderedDict()
        if self._values:
            graph = _part(graph, [Output(*pair) for pair in zip(self.first, self._values)])
        self.executable = compile_graph(graph, settings)

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
        made: List[Value] = []

        def rule(new: Graph, node: Any, values: Carried) -> Any:
            if node.outputs[0] in self._is_sized:
                value = node.outputs[0]
                kind = ValueType(value.element_type, found[value].shape)
                made.append(value)
                return [new.add_input(f"{value.id} of known size", kind)]
            changes = {
                field.name: new.add_constant(found[node.__dict__[field.name]])
                for field in node.fields
                if field.is_shaping and node.__dict__[field.name] in found
            }
            return node.copy_to(new, values, **changes) if changes else None

        graph = rewrite(self._graph, rule)
        places = {value: index for index, value in enumerate(self._values)}
        return _Rest(graph, [places[value] for value in made])


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
    part.arguments, part.variables = graph.arguments, graph.variables
    part.nodes, part.outputs = graph.nodes, outputs
    return part
