"""Control flow: If and Loop, nodes with graphs inside.

Header: ``ODLA/ops/odla_ops_control_flow.h``.

A node is begun, filled by calls that add to the graph inside it, and ended: that adds it to the
graph around it.  ODLA has no call that sets a loop variable: the i-th output value of EndLoop is
the next value of the i-th variable.
"""

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import UnsupportedType
from ..graph import Carried, Graph, Value
from ..registry import REQUIRED, EnumField, Op, TensorField, tensor
from ..types import (
    ANY,
    BOOLS,
    UNKNOWN,
    Dim,
    ElementType,
    LoopOutputMode,
    Types,
    ValueType,
    check_shape,
    known,
)

_COUNTS: Types = frozenset({ElementType.INT32, ElementType.INT64})
_INT32 = ElementType.INT32

MAX_TRIPS = 2**31 - 1
"""PopART cuts trip counts to 32 bits; larger ones mean the same as this."""

MAX_DEPTH = 30
"""Bodies within bodies: protobuf reads messages 100 deep, and each body of a model takes three."""

MAX_UNROLLED = 1000
"""Iterations of a loop that training unrolls; each becomes ops of its own."""


class _Scope(Op, declare=False):
    """What If and Loop share."""

    @classmethod
    def begin(cls, graph: Graph, arguments: Mapping[str, Any], id: Optional[str] = None) -> Any:
        """An open node; it comes after what ``graph`` holds when it is ended."""
        node = cls.__new__(cls)
        node.graph, node.origin = graph, graph.place()
        node.id = graph.unique_id(id or cls.__name__)
        node.__dict__["given"] = arguments
        for field in cls.fields:
            node.__dict__[field.attribute] = field.convert(node, arguments[field.name])
        del node.__dict__["given"]
        node.normalise()
        depth = sum(1 for _ in graph.lineage())
        if depth > MAX_DEPTH:
            raise node.error(f"it is {depth} deep within others; accepted: {MAX_DEPTH}")
        return node

    def operands(self) -> List[Value]:
        return [*self.read(), *self.captures]

    def read(self) -> List[Value]:
        """What the node itself reads."""
        return super().operands()

    def check_single(self, value: Value, name: str) -> None:
        if value.rank > 1 or any(known(dim) and dim != 1 for dim in value.shape):
            raise self.error(f"{name} is {value.type}; accepted: one element of rank 0 or 1")

    def close(self, bodies: Sequence[Graph], types: Sequence[ValueType]) -> Tuple[Value, ...]:
        """Add the node to its graph.  Results without elements are constants, as everywhere."""
        for kind in types:
            check_shape(kind.shape, f"{self.where}: the result")
        self.bodies = tuple(bodies)
        captured = [value for body in bodies for value in body.captured()]
        around = {value: None for value in captured if value.graph not in self.bodies}
        read = set(self.read())
        self.captures = tuple(value for value in around if value not in read)
        return tuple(
            value
            if 0 not in value.shape or not value.type.is_static
            else _empty(self.graph, value.type)
            for value in self.graph.add_node(self, types)
        )

    def carried(self, graph: Graph, values: Mapping[Value, Value]) -> Carried:
        """``values`` as a mapping that carries bodies too."""
        if isinstance(values, Carried):
            return values
        carried = Carried(graph)
        carried.update((operand, values[operand]) for operand in self.operands())
        return carried

    def inline(self, body: Graph, variables: Mapping[Value, Value]) -> List[Value]:
        """Outputs of ``body``, with its nodes made anew in the graph around it."""
        carried = Carried(self.graph)
        carried.update((value, value) for value in body.captured())
        carried.update(variables)
        return carried.carry(body, self.graph)

    def leave(self, b: Any, body: Graph, value: Value) -> Any:
        """The tensor by which ``value`` leaves ``body``: one that is computed in it."""
        is_inside = value.graph is body and value.node is not None
        return b.tensor(value) if is_inside else b.onnx.identity([value])


def _empty(graph: Graph, kind: ValueType) -> Value:
    return graph.add_constant(np.empty(kind.dims, kind.element_type.dtype))


def _shaping(body: Graph) -> Iterator[Value]:
    """What decides the programs of the nodes in ``body``."""
    for node in body.used_nodes():
        yield from node.shaped_by()
        yield from node.sized_by()


# If.


class If(_Scope, declare=False):
    """The outputs of one of two branches, by a run-time condition; only that branch runs."""

    name = "odla_If"
    condition = tensor(BOOLS, shaping=True)

    def normalise(self) -> None:
        self.check_single(self.condition, "condition")
        self.branches: Dict[bool, Graph] = {}
        self.branch: Optional[Graph] = None

    @property
    def inner(self) -> Graph:
        return self.graph if self.branch is None else self.branch

    def enter(self, which: bool) -> Graph:
        """Begin the branch for a true condition, or for a false one."""
        if which in self.branches:
            raise self.error(f"{_branch(which)} was entered before; accepted: each branch once")
        name = f"{self.id}.{'then' if which else 'else'}"
        self.branch = self.branches[which] = Graph(name, self.graph)
        return self.branch

    def end(self) -> Tuple[Value, ...]:
        """The results, one for each pair of branch outputs."""
        for which in (True, False):
            if which not in self.branches:
                raise self.error(
                    f"{_branch(which)} is missing; accepted: both branches, with outputs of the "
                    "same number and types"
                )
        bodies = [self.branches[True], self.branches[False]]
        types = self._types(*bodies)
        if self.condition.data is not None:
            return tuple(self.inline(self.branches[self._is_true()], {}))
        return self.close(bodies, types)

    def _is_true(self) -> bool:
        return bool(self.condition.data.all())

    def _types(self, then: Graph, other: Graph) -> List[ValueType]:
        if len(then.outputs) != len(other.outputs) or not then.outputs:
            raise self.error(
                f"the branches have {len(then.outputs)} and {len(other.outputs)} outputs; "
                "accepted: the same number, one or more"
            )
        types = []
        for place, (left, right) in enumerate(zip(then.outputs, other.outputs)):
            what = f"output {place} is {left.value.type} in then, {right.value.type} in else"
            types.append(_merged(self, left.value.type, right.value.type, what))
        return types

    def shaped_by(self) -> List[Value]:
        # Where a branch needs to know numbers, the one that is taken has to be known first: then
        # its ops stand in the graph around it.
        inside = any(True for body in self.bodies for _ in _shaping(body))
        return [self.condition] if inside and self.condition.data is None else []

    def copy_to(self, graph: Graph, values: Mapping[Value, Value], **changes: Any) -> Any:
        carried = self.carried(graph, values)
        condition = changes.get("condition") or values[self.condition]
        if condition.data is not None:
            body = self.bodies[0 if condition.data.all() else 1]
            return tuple(carried.carry(body, graph))
        node = If.begin(graph, {"condition": condition}, self.id)
        for which, body in zip((True, False), self.bodies):
            branch = node.enter(which)
            for value in carried.carry(body, branch):
                branch.set_output(value)
        return node.end()

    def lower(self, b: Any) -> Any:
        then, other = (self._branch(b, body) for body in self.bodies)
        places = self._places()
        results = _logical_if(b, _scalar(b, self.condition), len(places), then, other)
        found = dict(zip(places, results))
        return [found.get(place, "") for place in range(len(self.outputs))]

    def _places(self) -> List[int]:
        """The outputs that have elements."""
        return [place for place, value in enumerate(self.outputs) if 0 not in value.shape]

    def _branch(self, b: Any, body: Graph) -> Any:
        with b.body(body) as builder:
            b.nodes(body)
            leaving = [self.leave(b, body, body.outputs[place].value) for place in self._places()]
            _output(b, builder, leaving)
        return builder


def _branch(which: bool) -> str:
    return f"the branch for a {'true' if which else 'false'} condition"


def _merged(op: Op, left: ValueType, right: ValueType, what: str) -> ValueType:
    """The type of values that must have one; open dimensions agree with any size."""
    same = left.element_type is right.element_type and left.rank == right.rank
    if not same or any(known(a) and known(b) and a != b for a, b in zip(left.shape, right.shape)):
        raise op.error(f"{what}; accepted: the same element type and shape")
    dims = tuple(a if known(a) or a == b else b for a, b in zip(left.shape, right.shape))
    return ValueType(left.element_type, dims)


def _scalar(b: Any, value: Value) -> Any:
    """The one element of ``value`` as a tensor of rank 0."""
    return b.tensor(value) if value.rank == 0 else b.reshape(value, [])


def _logical_if(b: Any, condition: Any, outputs: int, then: Any, other: Any) -> Any:
    # By position: the last parameter has another name in some releases.
    return b.inner.aiOnnxOpset11.logical_if([condition], outputs, other, then, b.node_id)


def _output(b: Any, builder: Any, tensors: Sequence[Any]) -> None:
    """Make ``tensors`` the outputs of a body, each a tensor of its own."""
    seen = set()
    for one in tensors:
        builder.addOutputTensor(b.onnx.identity([one]) if one in seen else one)
        seen.add(one)


# Loop.

_MODE = EnumField(LoopOutputMode, REQUIRED, "loop_output_mode")
_MODE.name = "flags"
_INIT = TensorField(ANY, REQUIRED)
_INIT.name = "init_value"
_REVERSED = (LoopOutputMode.REV_BEFORE, LoopOutputMode.REV_AFTER)
_BEFORE = (LoopOutputMode.FWD_BEFORE, LoopOutputMode.REV_BEFORE)


class Loop(_Scope, declare=False):
    """A body, ``trip_count`` times or until the condition that it computes is false.

    The condition is tested after each iteration, so the first one depends on the count alone.
    Results: the last value of each variable; then for each variable with another mode than
    LAST_VALUE its values stacked along a new first axis of the size of the count.  Rows of
    iterations that did not run are zero and come last.
    """

    name = "odla_Loop"
    trip_count = tensor(_COUNTS, shaping=True)

    def normalise(self) -> None:
        self.check_single(self.trip_count, "trip_count")
        self.trips: Optional[int] = None
        if self.trip_count.data is not None:
            self.trips = min(max(int(self.trip_count.data.reshape(())), 0), MAX_TRIPS)
        self.body = Graph(f"{self.id}.body", self.graph)
        self.inits: List[Value] = []
        self.variables: List[Value] = []
        """What stands for the variables in the body: its arguments, or empty constants."""
        self.flags: List[LoopOutputMode] = []
        self.condition: Optional[Value] = None

    @property
    def inner(self) -> Graph:
        return self.body

    def read(self) -> List[Value]:
        # Counts that are known are no operands: nothing reads them on the device.
        return [*self.inits, self.trip_count] if self.trips is None else list(self.inits)

    def attributes(self) -> Dict[str, Any]:
        trips = {} if self.trips is None else {"trip_count": self.trips}
        return {**trips, "flags": [flag.name for flag in self.flags]}

    def variable(self, init: Any, id: Optional[str] = None) -> Value:
        """A new variable that starts as ``init``, a value of a graph around the loop."""
        if isinstance(init, Value) and init.graph is self.body:
            if init.data is None:
                raise self.error(
                    f"init_value '{init.id}' is computed inside the loop; accepted: a value from "
                    "before, or a constant"
                )
            init = init.data
        self.__dict__["given"] = {}
        start: Any = _INIT.convert(self, init)
        del self.__dict__["given"]
        self.inits.append(start)
        id = id or f"{self.id}_variable"
        if 0 in start.shape and start.type.is_static:
            variable = _empty(self.body, start.type)
        else:
            variable = self.body.add_variable(id, start.type)
        self.variables.append(variable)
        return variable

    def end(
        self, condition: Optional[Value], output_values: Sequence[Value], flags: Sequence[Any]
    ) -> Tuple[Value, ...]:
        """The results; ``condition`` None means true."""
        if not len(self.variables) == len(output_values) == len(flags) or not self.variables:
            raise self.error(
                f"{len(self.variables)} loop variables, {len(output_values)} output_values and "
                f"{len(flags)} flags; accepted: one of each for each variable, and a variable"
            )
        if self.body.outputs:
            raise self.error(
                f"'{self.body.outputs[0].value.id}' was made an output inside the loop; accepted: "
                "outputs after it, made of its results"
            )
        self.flags = [_MODE.convert(self, flag) for flag in flags]  # type: ignore[misc]
        types = [self._next_type(*pair) for pair in zip(self.variables, output_values)]
        self._set_condition(condition)
        types += self._stacked_types(types)
        for value in output_values if self.condition is None else [self.condition, *output_values]:
            self.body.set_output(value)
        stacked = types[len(flags) :]
        if self.trips == 0 and all(kind.is_static for kind in stacked):
            return (*self.inits, *(_empty(self.graph, kind) for kind in stacked))
        return self.close([self.body], types)

    def _next_type(self, variable: Value, following: Value) -> ValueType:
        self.body.own(following, f"{self.where}: output_values")
        what = f"the next value of '{variable.id}' is {following.type}, it started as "
        return _merged(self, variable.type, following.type, f"{what}{variable.type}")

    def _set_condition(self, given: Any) -> None:
        """Keep a condition that is computed; one that is known changes the count."""
        if given is None:
            return
        if isinstance(given, Value):
            self.body.own(given, f"{self.where}: condition")
        else:
            given = self.body.add_constant(np.asarray(given))
        if given.element_type not in BOOLS:
            raise UnsupportedType(
                f"{self.where}: condition is {given.element_type.name}; accepted: BOOL, true to "
                "go on"
            )
        self.check_single(given, "condition")
        if given.data is None or (self.trips is None and not given.data.all()):
            self.condition = given
        elif not given.data.all():
            assert self.trips is not None
            self.trips = min(self.trips, 1)

    def _stacked_types(self, types: Sequence[ValueType]) -> List[ValueType]:
        stacked = [types[place] for place, _ in self._stacked()]
        if not stacked:
            return []
        count: Dim = UNKNOWN if self.trips is None else self.trips
        return [ValueType(one.element_type, (count, *one.shape)) for one in stacked]

    def _stacked(self) -> List[Tuple[int, LoopOutputMode]]:
        """The variables whose values are stacked, and how."""
        modes = enumerate(self.flags)
        return [(place, mode) for place, mode in modes if mode is not LoopOutputMode.LAST_VALUE]

    def shaped_by(self) -> List[Value]:
        found = dict.fromkeys(_shaping(self.body))
        for value in found:
            if not self.graph.sees(value):
                raise self.error(
                    f"'{value.id}' decides a shape inside the loop and is computed inside it; "
                    "accepted: a value from before the loop, since iterations share one program"
                )
        if self.trips is None and self._stacked():
            found[self.trip_count] = None
        return list(found)

    def copy_to(self, graph: Graph, values: Mapping[Value, Value], **changes: Any) -> Any:
        carried = self.carried(graph, values)
        count = changes.get("trip_count")
        if count is None:
            count = np.int64(self.trips) if self.trips is not None else values[self.trip_count]
        node = Loop.begin(graph, {"trip_count": count}, self.id)
        for variable, init in zip(self.variables, self.inits):
            carried[variable] = node.variable(values[init], variable.id)
        outputs = carried.carry(self.body, node.body)
        condition = outputs.pop(0) if self.condition is not None else None
        return node.end(condition, outputs, self.flags)

    # Lowering: variables and rows without elements are constants, of which PopART hears nothing.

    def lower(self, b: Any) -> Any:
        counted = self.trips is None or (self.condition is not None and bool(self._rows()))
        limit = b.constant(MAX_TRIPS if self.trips is None else self.trips, np.int64)
        start = b.constant(True)
        if self.trips is None:
            start = b.onnx.greater([self._count(b), b.scalar(0, _INT32)])
        places = self._places()
        inits = self._starts(b)
        if counted:
            inits.append(b.scalar(0, _INT32))
        body = self._lower_body(b, counted)
        results = b.onnx.loop(
            [limit, start, *inits], num_outputs=len(inits) + len(self._rows()), body=body
        )
        count = results[len(places)] if counted else None
        return self._results(b, results[: len(places)], results[len(inits) :], count)

    def _places(self) -> List[int]:
        """The variables that have elements."""
        return [place for place, one in enumerate(self.variables) if 0 not in one.shape]

    def _rows(self) -> List[Tuple[int, LoopOutputMode]]:
        """What is stacked and has elements."""
        places = self._places()
        return [(place, mode) for place, mode in self._stacked() if place in places]

    def _following(self) -> List[Value]:
        """The next values of the variables."""
        return [one.value for one in self.body.outputs[-len(self.variables) :]]

    def _count(self, b: Any) -> Any:
        count = _scalar(b, self.trip_count)
        return count if self.trip_count.element_type is _INT32 else b.cast(count, _INT32)

    def _lower_body(self, b: Any, counted: bool) -> Any:
        """PopART's body: iteration number, condition, variables; then, after them, the rows."""
        limit = self._count(b) if self.trips is None else None
        with b.body(self.body) as builder:
            b.argument(ValueType(ElementType.INT64, ()), f"{self.id}_iteration")
            go = b.argument(ValueType(ElementType.BOOL, ()), f"{self.id}_condition")
            for place in self._places():
                variable = self.variables[place]
                kind = ValueType(_carrier(variable.element_type), variable.shape)
                self._bind(b, variable, b.argument(kind, variable.id))
            leaving = []
            if counted:
                count = b.argument(ValueType(_INT32, ()), f"{self.id}_count")
                leaving.append(b.onnx.add([count, b.scalar(1, _INT32)]))
            b.nodes(self.body)
            go = b.onnx.identity([go if self.condition is None else _scalar(b, self.condition)])
            if limit is not None:
                go = b.onnx.logical_and([go, b.onnx.less([leaving[0], limit])])
            leaving = [*self._states(b), *leaving, *self._one_row(b)]
            _output(b, builder, [go, *leaving])
        return builder

    def _states(self, b: Any) -> List[Any]:
        """The next values of the variables, as they leave an iteration."""
        following = self._following()
        return [self._leave(b, following[place]) for place in self._places()]

    def _one_row(self, b: Any) -> List[Any]:
        """What an iteration adds to what is stacked."""
        sources = [
            (self.variables if mode in _BEFORE else self._following())[place]
            for place, mode in self._rows()
        ]
        return [self._leave(b, value) for value in sources]

    def _starts(self, b: Any) -> List[Any]:
        return [_carried(b, self.inits[place]) for place in self._places()]

    def _bind(self, b: Any, variable: Value, tensor: Any) -> None:
        kind = variable.element_type
        b.bind(variable, tensor if _carrier(kind) is kind else b.cast(tensor, kind))

    def _leave(self, b: Any, value: Value) -> Any:
        if _carrier(value.element_type) is value.element_type:
            return self.leave(b, self.body, value)
        return _carried(b, value)

    def _results(self, b: Any, states: Sequence[Any], rows: Sequence[Any], count: Any) -> List[Any]:
        """All results in order; those without elements are ""."""
        last = dict(zip(self._places(), states))
        stacked = {
            place: self._arranged(b, tensor, place, mode, count)
            for (place, mode), tensor in zip(self._rows(), rows)
        }
        kinds = [one.element_type for one in self.outputs]
        found = [last.get(place, "") for place in range(len(self.variables))]
        found += [stacked.get(place, "") for place, _ in self._stacked()]
        return [
            b.cast(one, kind) if one and _carrier(kind) is not kind else one
            for one, kind in zip(found, kinds)
        ]

    def _arranged(self, b: Any, rows: Any, place: int, mode: LoopOutputMode, count: Any) -> Any:
        """Rows in the order of ``mode``; from ``count`` on PopART leaves them undefined."""
        assert self.trips is not None
        order = np.arange(self.trips, dtype=np.int32)
        if count is None:
            if mode not in _REVERSED:
                return rows
            return b.onnx.gather([rows, b.constant(order[::-1])], axis=0)
        variable = self.variables[place]
        zeros = np.expand_dims(_zeros(variable), 0)
        wanted = places = b.constant(order)
        if mode in _REVERSED:
            wanted = b.onnx.sub([b.onnx.sub([count, b.scalar(1, _INT32)]), places])
        is_run = b.onnx.less([places, count])
        index = b.onnx.where([is_run, wanted, b.scalar(self.trips, _INT32)])
        padded = b.onnx.concat([rows, b.constant(zeros)], axis=0)
        return b.onnx.gather([padded, index], axis=0)

    # Training: PopART's Loop has no gradient, its If has one.

    def lower_training(self, b: Any) -> Any:
        if self.trips is None or self.trips > MAX_UNROLLED:
            given = "computed at run time" if self.trips is None else str(self.trips)
            raise self.error(
                f"trip_count is {given}; accepted in training, which unrolls loops: a constant "
                f"up to {MAX_UNROLLED}"
            )
        states = self._starts(b)
        rows: List[List[Any]] = [[] for _ in self._rows()]
        size = len(states)
        count = go = None
        for _ in range(self.trips):
            leaving = (
                self._iteration(b, states, count)
                if go is None
                else self._guarded(b, states, go, count)
            )
            states = leaving[:size]
            for stack, row in zip(rows, leaving[size:]):
                stack.append(b.onnx.unsqueeze([row], axes=[0]))
            if self.condition is not None:
                go, count = leaving[-2:]
        return self._results(b, states, [b.onnx.concat(one, axis=0) for one in rows], count)

    def _iteration(self, b: Any, states: Sequence[Any], count: Any) -> List[Any]:
        """States, rows and, with a condition, that and the number of iterations run."""
        for place, state in zip(self._places(), states):
            self._bind(b, self.variables[place], state)
        b.nodes(self.body)
        leaving = [*self._states(b), *self._one_row(b)]
        if self.condition is not None:
            go = b.onnx.identity([_scalar(b, self.condition)])
            one = b.scalar(1, _INT32)
            leaving += [go, b.onnx.identity([one]) if count is None else b.onnx.add([count, one])]
        return leaving

    def _guarded(self, b: Any, states: Sequence[Any], go: Any, count: Any) -> List[Any]:
        """An iteration that runs if ``go`` is true."""
        with b.body(self.body) as then:
            leaving = self._iteration(b, states, count)
            _output(b, then, leaving)
        with b.body(self.body) as other:
            zeros = [_zeros(self.variables[place]) for place, _ in self._rows()]
            kept = [*states, *(b.constant(one) for one in zeros), go, count]
            _output(b, other, [b.onnx.identity([one]) for one in kept])
        return _logical_if(b, go, len(leaving), then, other)


def _carrier(kind: ElementType) -> ElementType:
    """The type by which PopART's Loop carries ``kind``: it has none for UINT8."""
    return _INT32 if kind is ElementType.UINT8 else kind


def _carried(b: Any, value: Value) -> Any:
    kind = _carrier(value.element_type)
    return b.tensor(value) if kind is value.element_type else b.cast(value, kind)


def _zeros(variable: Value) -> np.ndarray:
    return np.zeros(variable.dims, _carrier(variable.element_type).dtype)
