"""Splitting a graph around the ops that the host runs: :func:`translate`.

Ops of the engine between two layers of hosted ops form one part, whatever their number: there are
as many parts as the longest chain that alternates between engine and host needs.  What depends on
constants only belongs to no part: each part that reads it has it, so that onnxruntime folds it, and
what hosted ops read of it is computed when the program is loaded.
"""

from typing import Dict, List, NamedTuple, Optional, Set, Union

from ..customop import Instance
from ..exceptions import popart_exception
from ..ir import Graph, Op, Tensor, all_ops, outer_values, reads
from . import rand
from .control import written_by, written_inputs
from .emitter import GRAPHCORE
from .hosting import acts_each_time, instance_of, is_hosted, is_implemented
from .translation import (
    Port,
    Settings,
    State,
    Translation,
    translate_part,
    translate_whole,
    written_variables,
)


class HostStep(NamedTuple):
    """An op that the host runs: an instance, or control flow with the plans of its bodies.

    ``inputs`` are the op's, then the values of graphs around them that the bodies read.
    """

    op: Op
    inputs: List[Optional[Tensor]]
    instance: Optional[Instance]
    bodies: "List[Plan]"
    check_floats: bool


class Copy(NamedTuple):
    """An output that is an input, a constant, or an output that has a place already."""

    source: Tensor
    target: str


class Plan(NamedTuple):
    """What a program does in order, and the values that enter and leave it.

    The name of a port is that of a value of the plan.  ``known``: a model of the values that depend
    on constants only and that steps of the host read.
    """

    inputs: List[Port]
    outputs: List[Port]
    states: List[State]
    random: "List[rand.Draw]"
    known: Optional[Translation]
    steps: List[Union[Translation, HostStep, Copy]]


def translate(graph: Graph, settings: Settings) -> Union[Translation, Plan]:
    """Raises popart_exception for an op that the stand-in has no implementation of."""
    for op in all_ops(graph):
        if not is_implemented(op):
            raise popart_exception(
                f"No class for {op.domain or 'ai.onnx'}.{op.type}:"
                f"{op.version}: the stand-in does not implement this op"
            )
    if not any(map(is_hosted, graph.ops)):
        return translate_whole(graph, settings)
    return _plan(graph, settings, written_variables(graph, settings))


class _Part:
    """Ops that run together: one of the host, or all of a layer of the engine."""

    def __init__(self) -> None:
        self.ops: List[Op] = []

    def writes(self) -> List[Tensor]:
        return [tensor for op in self.ops for tensor in op.outputs if tensor is not None]


def _plan(graph: Graph, settings: Settings, written: Dict[str, Tensor]) -> Plan:
    return _Planner(graph, settings, written).plan()


class _Planner:
    def __init__(self, graph: Graph, settings: Settings, written: Dict[str, Tensor]):
        """``written``: variables that ops of the main graph write."""
        self._graph = graph
        self._settings = settings
        self._written = written
        self._known_ops: Dict[str, Op] = {}
        """Ops that depend on constants only, by the ids of their outputs."""
        self._random: List[rand.Draw] = []

    def plan(self) -> Plan:
        parts = self._parts()
        states = self._new_values()
        wanted = {tensor.id for tensor in [*self._graph.outputs, *states.values()]}
        wanted |= self._passed(parts)
        steps: List[Union[Translation, HostStep, Copy]] = []
        for part in parts:
            if is_hosted(part.ops[0]):
                steps.append(self._host_step(part.ops[0]))
            else:
                steps.append(self._segment(part, wanted))
        placed: Set[str] = set()
        made = {tensor.id for part in parts for tensor in part.writes()}
        outputs = []
        for index, tensor in enumerate([*self._graph.outputs, *states.values()]):
            name = tensor.id
            if name in placed or name not in made:
                name = f"{tensor.id} as output {index}"
                steps.append(Copy(tensor, name))
            placed.add(name)
            outputs.append(Port(tensor.id, name, tensor.dtype, tensor.shape))
        count = len(self._graph.outputs)
        return Plan(
            [_port(tensor) for tensor in self._graph.inputs if tensor.used],
            outputs[:count],
            [
                State(id, _port(self._written[id]), port)
                for id, port in zip(states, outputs[count:])
            ],
            self._random,
            self._known(steps),
            steps,
        )

    def _passed(self, parts: List[_Part]) -> Set[str]:
        """Values that one part makes and another reads: all others stay within the engine."""
        passed = set()
        for part in parts:
            own = {tensor.id for tensor in part.writes()}
            read = {
                tensor.id for op in part.ops for tensor in self._reads(op) if tensor is not None
            }
            passed |= read - own
        return passed

    # Layers.

    def _parts(self) -> List[_Part]:
        """The parts in an order in which they can run."""
        layers: Dict[int, _Part] = {}
        hosts: Dict[int, List[_Part]] = {}
        ready: Dict[str, int] = {}
        """The layer of the engine that can read a value without waiting for the host."""
        after: Dict[str, int] = {}
        """The layer of the engine after which the host can read it."""
        for op in self._needed():
            sources = [tensor.id for tensor in reads(op) if not self._is_known(tensor)]
            if is_hosted(op):
                layer = max((after.get(id, -1) for id in sources), default=-1)
                part = _Part()
                hosts.setdefault(layer, []).append(part)
            elif not sources and not acts_each_time(op):
                self._known_ops.update((t.id, op) for t in op.outputs if t is not None)
                continue
            else:
                layer = max((ready.get(id, 0) for id in sources), default=0)
                part = layers.setdefault(layer, _Part())
            part.ops.append(op)
            for tensor in op.outputs:
                if tensor is not None:
                    after[tensor.id] = layer
                    ready[tensor.id] = layer + 1 if is_hosted(op) else layer
        ordered = []
        for layer in sorted({*layers, *hosts}):
            ordered += [layers[layer]] if layer in layers else []
            ordered += hosts.get(layer, [])
        return ordered

    def _needed(self) -> List[Op]:
        """The graph's ops without those of a body that nothing reads."""
        wanted = {tensor.id for tensor in self._graph.outputs}
        kept = []
        for op in reversed(self._graph.ops):
            if (
                any(tensor is not None and tensor.id in wanted for tensor in op.outputs)
                or acts_each_time(op)
                or written_by(op)
                or any(acts_each_time(inner) for body in op.bodies for inner in all_ops(body))
            ):
                kept.append(op)
                wanted.update(tensor.id for tensor in reads(op))
        return kept[::-1]

    def _is_known(self, tensor: Tensor) -> bool:
        return self._is_constant(tensor) or tensor.id in self._known_ops

    def _is_constant(self, tensor: Tensor) -> bool:
        return tensor.data is not None and tensor.id not in self._written

    # Steps.

    def _segment(self, part: _Part, wanted: Set[str]) -> Translation:
        known: List[Op] = []
        seen: Set[int] = set()
        for op in part.ops:
            self._collect(op, known, seen)
        graph = Graph()
        graph.ops = known + part.ops
        made = {tensor.id for op in graph.ops for tensor in op.outputs if tensor is not None}
        entering = {
            tensor.id: tensor
            for op in part.ops
            for tensor in reads(op)
            if tensor.id not in made and not self._is_constant(tensor)
        }
        graph.inputs = list(entering.values())
        graph.outputs = [tensor for tensor in part.writes() if tensor.id in wanted]
        translation = translate_part(graph, self._settings)
        self._random += translation.random
        return translation

    def _collect(self, op: Op, known: List[Op], seen: Set[int]) -> None:
        """Add the ops that depend on constants only and that ``op`` reads, in order."""
        for tensor in reads(op):
            maker = self._known_ops.get(tensor.id)
            if maker is not None and id(maker) not in seen:
                seen.add(id(maker))
                self._collect(maker, known, seen)
                known.append(maker)

    def _reads(self, op: Op) -> List[Optional[Tensor]]:
        """Inputs of a hosted op, then what its bodies read of the graphs around them."""
        captured = {tensor.id: tensor for body in op.bodies for tensor in outer_values(body)}
        free = [tensor for tensor in captured.values() if not self._is_constant(tensor)]
        return [*op.inputs, *free]

    def _host_step(self, op: Op) -> HostStep:
        inputs = self._reads(op)
        outside = inputs[len(op.inputs) :]
        bodies = [self._body(body, outside) for body in op.bodies]
        instance = None if bodies else instance_of(op, self._settings)
        return HostStep(op, inputs, instance, bodies, self._settings.check_floats)

    def _body(self, body: Graph, outside: List[Optional[Tensor]]) -> Plan:
        for op in body.ops:
            if any(tensor.variable and self._settings.variables for tensor in written_by(op)):
                raise popart_exception(
                    f"{op.label}: the stand-in writes variables in the main graph only"
                )
        inner = Graph(body.name, body.parent)
        inner.ops, inner.tensors, inner.outputs = body.ops, body.tensors, body.outputs
        inner.inputs = [*body.inputs, *(tensor for tensor in outside if tensor is not None)]
        plan = _plan(inner, self._settings, self._written)
        self._random += plan.random
        return plan

    def _new_values(self) -> Dict[str, Tensor]:
        """What variables become, by their ids; the last op that writes one decides."""
        values = {}
        for op in self._graph.ops:
            for source, target in written_inputs(op).items():
                id, value = op.operand(source).id, op.outputs[target]
                if id not in self._written:
                    continue
                if value is None:
                    raise popart_exception(
                        f"Output {target} of {op.label} has no name: give it one"
                    )
                values[id] = value
        return values

    def _known(self, steps: List[Union[Translation, HostStep, Copy]]) -> Optional[Translation]:
        wanted: Dict[str, Tensor] = {}
        for step in steps:
            if isinstance(step, Copy):
                wanted[step.source.id] = step.source
            elif isinstance(step, HostStep):
                wanted.update((tensor.id, tensor) for tensor in step.inputs if tensor is not None)
        graph = Graph()
        graph.outputs = [tensor for id, tensor in wanted.items() if id in self._known_ops]
        if not graph.outputs:
            return None
        seen: Set[int] = set()
        reader = Op(GRAPHCORE, "", 1, "", {}, list(graph.outputs))
        self._collect(reader, graph.ops, seen)
        return translate_part(graph, self._settings)


def _port(tensor: Tensor) -> Port:
    return Port(tensor.id, tensor.id, tensor.dtype, tensor.shape)
