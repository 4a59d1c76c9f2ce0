"""Recurrent networks: LSTM, GRU and RNN.

Headers: ``ODLA/ops/odla_ops_nn.h``.  T steps of N samples of I features, D directions, H hidden
units, G gates; equations are those of ONNX LSTM-7, GRU-7 and RNN-7 with default activations.

PopART's own ops run forward over all T steps.  A reverse direction is the forward op on reversed
steps; sequence lengths are applied to the results, since a step never depends on later ones.
"""

from typing import Any, ClassVar, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import UnsupportedType
from ..graph import Value
from ..registry import Op, choice, flag, i32, optional_tensor, shape, tensor
from ..types import (
    FLOATS,
    Dim,
    ElementType,
    RnnDirection,
    RnnGateOrder,
    RnnOutputs,
    RnnWeightFormat,
    Shape,
    ValueType,
    format_shape,
    known,
)

_LENGTHS = frozenset({ElementType.INT32, ElementType.INT64})

Weight = Union[np.ndarray, str]
"""A weight while it is rearranged: an array where that is done now, a tensor where in the graph."""


class _States(NamedTuple):
    """Results of a run over all steps, one direction.

    ``h`` [T,N,H]; ``last_h`` and ``last_c`` [1,N,H]; ``c`` [T,N,H] where it is known.
    """

    h: Any
    last_h: Any
    last_c: Any = None
    c: Any = None


class _Recurrent(Op, declare=False):
    """What the three have in common; ``gates`` are the blocks of W, R and B."""

    gates: ClassVar[int] = 1
    accepted_outputs: ClassVar[Sequence[RnnOutputs]] = (
        RnnOutputs.NO_STATE,
        RnnOutputs.HIDDEN_STATE,
    )
    initial_c: Any = None

    input: Any
    weight_format: Any
    weight_dims: Any
    W: Any
    R: Any
    B: Any
    sequence_lens: Any
    initial_h: Any
    hidden_size: Any
    direction: Any
    outputs_: Any

    # Checks and shapes.

    def normalise(self) -> None:
        for name, value in (("input", self.input), ("W", self.W), ("R", self.R)):
            if value.rank != 3:
                raise self.error(f"{name} is {value.type}; accepted: rank 3")
        for name in ("W", "R", "B", "initial_h", "initial_c"):
            self.check_type(name, getattr(self, name))
        state = self.R.shape[1 if self.weight_format is RnnWeightFormat.LDIGO else 2]
        if self.hidden_size == 0 and known(state):
            self.hidden_size = int(state)
        if self.hidden_size < 1:
            raise self.error(f"hidden_size is {self.hidden_size}; accepted: 1 and more")
        if self.input.shape[0] == 0:
            raise self.error(f"input is {self.input.type}; accepted: one time step or more")
        self._check_outputs()
        self._check_shapes()

    def _check_outputs(self) -> None:
        if self.outputs_ not in self.accepted_outputs:
            accepted = ", ".join(one.name for one in self.accepted_outputs)
            raise self.error(f"outputs is {self.outputs_.name}; accepted: {accepted}")

    def _check_shapes(self) -> None:
        batch, features = self.input.shape[1:]
        directions, hidden = self.directions, self.hidden_size
        rows = self.gates * hidden
        self.check_shape("W", self.W, self._stored(rows, features))
        self.check_shape("R", self.R, self._stored(rows, hidden))
        if self.B is not None and self.B.shape[-1:] == (2 * rows,):
            rows *= 2
        self.check_shape("B", self.B, (directions, rows))
        self.check_shape("initial_h", self.initial_h, (directions, batch, hidden))
        self.check_shape("initial_c", self.initial_c, (directions, batch, hidden))
        self.check_shape("sequence_lens", self.sequence_lens, (batch,))
        if self.weight_dims is not None:
            self._check_weight_dims(self.weight_dims)
        self._check_lengths()

    def _check_weight_dims(self, given: Shape) -> None:
        if len(given) != 3 or any(
            known(a) and known(b) and a != b for a, b in zip(given, self.W.shape)
        ):
            raise self.error(
                f"weight_dims is {format_shape(given)}; accepted: the shape of W, "
                f"{format_shape(self.W.shape)}"
            )

    def _stored(self, rows: int, columns: Dim) -> Shape:
        if self.weight_format is RnnWeightFormat.LDIGO:
            return (self.directions, columns, rows)
        return (self.directions, rows, columns)

    def _check_lengths(self) -> None:
        steps = self.input.shape[0]
        if self.sequence_lens is None or self.sequence_lens.data is None or not known(steps):
            return
        lengths = self.sequence_lens.data
        if lengths.size and (lengths.min() < 0 or lengths.max() > int(steps)):
            raise self.error(
                f"sequence_lens holds {lengths.min()} to {lengths.max()}; accepted: 0 to {steps}, "
                "the number of time steps"
            )

    def check_type(self, name: str, value: Optional[Value]) -> None:
        if value is not None and value.element_type is not self.input.element_type:
            raise UnsupportedType(
                f"{self.where}: {name} is {value.element_type.name}, input is "
                f"{self.input.element_type.name}; cast one of them"
            )

    def check_shape(self, name: str, value: Optional[Value], wanted: Shape) -> None:
        if value is None:
            return
        if value.rank != len(wanted) or any(
            known(a) and known(b) and a != b for a, b in zip(value.shape, wanted)
        ):
            raise self.error(
                f"{name} has the shape {format_shape(value.shape)}; accepted: "
                f"{format_shape(wanted)}, from input {self.input.type}, hidden_size "
                f"{self.hidden_size}, {self.direction.name} and {self.weight_format.name}"
            )

    @property
    def directions(self) -> int:
        return 2 if self.direction is RnnDirection.BIDIRECTIONAL else 1

    @property
    def wants_h(self) -> bool:
        return self.outputs_ in (RnnOutputs.HIDDEN_STATE, RnnOutputs.HIDDEN_CELL_STATE)

    @property
    def wants_c(self) -> bool:
        return self.outputs_ in (RnnOutputs.CELL_STATE, RnnOutputs.HIDDEN_CELL_STATE)

    def infer(self) -> List[ValueType]:
        steps, batch, _ = self.input.shape
        state = (self.directions, batch, self.hidden_size)
        kind = self.input.element_type
        types = [ValueType(kind, (steps, *state))]
        return types + [ValueType(kind, state)] * (self.wants_h + self.wants_c)

    # Lowering.

    def lower(self, b: Any) -> Any:
        return self._lower(b, rearrange_now=True)

    def lower_training(self, b: Any) -> Any:
        # The weights as they were given are the variables that are trained.
        return self._lower(b, rearrange_now=False)

    def _lower(self, b: Any, rearrange_now: bool) -> Any:
        lengths = self._lengths(b)
        weights = _Weights(self, b, rearrange_now)
        runs = [self._run_direction(b, weights, index, lengths) for index in range(self.directions)]
        results = [self._join(b, [run.h for run in runs], 1)]
        if self.wants_h:
            results.append(self._join(b, [run.last_h for run in runs], 0))
        if self.wants_c:
            results.append(self._join(b, [run.last_c for run in runs], 0))
        return results

    def _join(self, b: Any, parts: List[Any], axis: int) -> Any:
        return parts[0] if len(parts) == 1 else b.onnx.concat(parts, axis=axis)

    def _lengths(self, b: Any) -> Optional["_Lengths"]:
        lens = self.sequence_lens
        if lens is None or (lens.data is not None and (lens.data == self.input.dims[0]).all()):
            return None
        return _Lengths(b, lens, self.input.dims[0])

    def _run_direction(
        self, b: Any, weights: "_Weights", index: int, lengths: Optional["_Lengths"]
    ) -> _States:
        """One direction: ``h`` as [T,1,N,H], the last states as [1,N,H]."""
        steps, batch, _ = self.input.dims
        backward = index == 1 or self.direction is RnnDirection.REVERSE
        x = b.tensor(self.input)
        if backward:
            x = _reversed(b, x, self.input.dims, lengths)
        states = self.run(b, x, weights.of(index), lengths)
        if lengths is not None:
            states = self._cut(b, states, weights.of(index), lengths)
        h = states.h
        if backward:
            h = _reversed(b, h, (steps, batch, self.hidden_size), lengths)
        return states._replace(h=b.reshape(h, [steps, 1, batch, self.hidden_size]))

    def _cut(self, b: Any, states: _States, d: "_Direction", lengths: "_Lengths") -> _States:
        """Zeros after the last step of each sample; last states are those of that step."""
        size = (*self.input.dims[:2], self.hidden_size)
        return states._replace(
            h=lengths.mask(b, states.h, self.input.element_type),
            last_h=lengths.last(b, states.h, self.initial(b, d.initial_h), size),
            last_c=states.last_c
            if states.c is None
            else lengths.last(b, states.c, self.initial(b, d.initial_c), size),
        )

    def initial(self, b: Any, state: Optional[Any]) -> Any:
        """The state before the first step, [1,N,H]."""
        if state is not None:
            return state
        size = (1, self.input.dims[1], self.hidden_size)
        return b.constant(np.zeros(size, self.input.element_type.dtype))

    def run(self, b: Any, x: Any, d: "_Direction", lengths: Optional["_Lengths"]) -> _States:
        """All steps of ``x`` [T,N,I] in order."""
        raise NotImplementedError

    def gate_permutation(self) -> Sequence[int]:
        """Which stored block of W, R and B each gate of ONNX's order is."""
        return range(self.gates)


class _Direction(NamedTuple):
    """Operands of one direction: w [1,GH,I], r [1,GH,H], bias [1,2GH], the states [1,N,H]."""

    w: Any
    r: Any
    bias: Any
    initial_h: Any
    initial_c: Any
    p: Any


class _Weights:
    """Weights and states by direction, in ONNX's layout and order of gates."""

    def __init__(self, op: Any, b: Any, rearrange_now: bool):
        self.op = op
        self.b = b
        self.now = rearrange_now
        self.directions = [self._direction(index) for index in range(op.directions)]

    def of(self, index: int) -> _Direction:
        return self.directions[index]

    def _direction(self, index: int) -> _Direction:
        op = self.op
        return _Direction(
            self._matrix("W", op.W, index),
            self._matrix("R", op.R, index),
            self._bias(index),
            self._part("initial_h", op.initial_h, index),
            self._part("initial_c", op.initial_c, index),
            self._part("P", op.__dict__.get("P"), index),
        )

    def _load(self, value: Value) -> Weight:
        return value.data if self.now and value.data is not None else self.b.tensor(value)

    def _store(self, name: str, value: Value, weight: Weight, index: int) -> Any:
        if isinstance(weight, str):
            return weight
        if weight is value.data:
            return self.b.tensor(value)
        return self.b.initializer(weight, f"{self.op.id}_{name}_{index}")

    def _part(self, name: str, value: Optional[Value], index: int) -> Any:
        if value is None:
            return None
        return self._store(name, value, self._pick(self._load(value), index), index)

    def _pick(self, weight: Weight, index: int) -> Weight:
        if self.op.directions == 1:
            return weight
        return _slice(self.b, weight, 0, index, index + 1)

    def _matrix(self, name: str, value: Value, index: int) -> Any:
        weight = self._pick(self._load(value), index)
        if self.op.weight_format is RnnWeightFormat.LDIGO:
            weight = _transpose(self.b, weight, [0, 2, 1])
        return self._store(name, value, self._ordered(weight), index)

    def _bias(self, index: int) -> Any:
        """ONNX's two halves: the sum of both, when that is given, counts as the first."""
        op, b, value = self.op, self.b, self.op.B
        if value is None:
            return None
        rows = op.gates * op.hidden_size
        weight = self._pick(self._load(value), index)
        if value.shape[1] == 2 * rows:
            first = self._ordered(_slice(b, weight, 1, 0, rows))
            second = self._ordered(_slice(b, weight, 1, rows, 2 * rows))
        else:
            first = self._ordered(weight)
            second = np.zeros((1, rows), op.input.element_type.dtype)
        if isinstance(first, str) and not isinstance(second, str):
            second = b.constant(second)
        return self._store("B", value, _concat(b, [first, second], 1), index)

    def _ordered(self, weight: Weight) -> Weight:
        """The blocks of gates along axis 1 in ONNX's order."""
        order, size = list(self.op.gate_permutation()), self.op.hidden_size
        if order == sorted(order):
            return weight
        blocks = [_slice(self.b, weight, 1, gate * size, (gate + 1) * size) for gate in order]
        return _concat(self.b, blocks, 1)


def _slice(b: Any, x: Weight, axis: int, start: int, end: int) -> Weight:
    if isinstance(x, str):
        return b.slice(x, axis, start, end)
    return x[(slice(None),) * axis + (slice(start, end),)]


def _transpose(b: Any, x: Weight, permutation: Sequence[int]) -> Weight:
    return b.transpose(x, permutation) if isinstance(x, str) else x.transpose(permutation)


def _concat(b: Any, parts: Sequence[Weight], axis: int) -> Weight:
    if all(isinstance(part, str) for part in parts):
        return b.onnx.concat(parts, axis=axis)
    return np.concatenate(parts, axis)


# Sequence lengths.


class _Lengths:
    """Numbers of steps that count, INT32 [N], against T steps."""

    def __init__(self, b: Any, lengths: Value, steps: int):
        self.count = lengths.dims[0]
        self.steps = steps
        self.row = b.reshape(b.cast(lengths, ElementType.INT32), [1, self.count])
        self.times = b.constant(np.arange(steps)[:, None], np.int32)
        self.samples = b.constant(np.arange(self.count)[None, :], np.int32)
        self.valid = b.onnx.less([self.times, self.row])

    def mask(self, b: Any, h: Any, kind: ElementType) -> Any:
        """``h`` [T,N,H] with zeros after the last step of each sample."""
        valid = b.reshape(self.valid, [self.steps, self.count, 1])
        return b.onnx.where([valid, h, b.scalar(0, kind)])

    def last(self, b: Any, states: Any, initial: Any, dims: Tuple[int, ...]) -> Any:
        """The state [1,N,H] after the last step of each sample, ``initial`` where it has none."""
        steps, count, size = dims
        rows = b.reshape(b.onnx.concat([initial, states], axis=0), [(steps + 1) * count, size])
        return b.onnx.gather([rows, self._positions(b, self.row)], axis=0)

    def reverse(self, b: Any, x: Any, dims: Tuple[int, ...]) -> Any:
        """``x`` [T,N,...] with the steps that count in reverse order, the others in place."""
        steps, count, size = dims
        last = b.onnx.sub([self.row, b.constant(1, np.int32)])
        time = b.onnx.where([self.valid, b.onnx.sub([last, self.times]), self.times])
        rows = b.reshape(x, [steps * count, size])
        positions = b.reshape(self._positions(b, time), [steps * count])
        return b.reshape(b.onnx.gather([rows, positions], axis=0), dims)

    def _positions(self, b: Any, time: Any) -> Any:
        """Row of a step's sample when T and N are flattened."""
        return b.onnx.add([b.onnx.mul([time, b.constant(self.count, np.int32)]), self.samples])


def _reversed(b: Any, x: Any, dims: Tuple[int, ...], lengths: Optional[_Lengths]) -> Any:
    if lengths is None:
        return b.graphcore.reverse([x], dimensions=[0])
    return lengths.reverse(b, x, dims)


# The three networks.


class LSTM(_Recurrent):
    """Long short-term memory; results Y [T,D,N,H], then Y_h and Y_c [D,N,H] as ``outputs`` says.

    W [D,4H,I], R [D,4H,H] (LDGOI) or [D,I,4H], [D,H,4H] (LDIGO), B [D,4H] or [D,8H] (input's, then
    state's), peepholes P [D,3H] in the order i, o, f.  ``gate_order`` is that of W, R and B.
    """

    gates = 4
    accepted_outputs = tuple(RnnOutputs)
    input = tensor(FLOATS)
    weight_format = choice(RnnWeightFormat, RnnWeightFormat.LDGOI, "rnn_weight_format")
    gate_order = choice(RnnGateOrder, RnnGateOrder.IOFC, "rnn_gate_order")
    weight_dims = shape(None)
    W = tensor(FLOATS)
    R = tensor(FLOATS)
    B = optional_tensor(FLOATS)
    sequence_lens = optional_tensor(_LENGTHS)
    initial_h = optional_tensor(FLOATS)
    initial_c = optional_tensor(FLOATS)
    P = optional_tensor(FLOATS)
    hidden_size = i32(0)
    direction = choice(RnnDirection, RnnDirection.FORWARD, "rnn_direction")
    outputs_ = choice(RnnOutputs, RnnOutputs.HIDDEN_CELL_STATE, "rnn_outputs")

    def normalise(self) -> None:
        super().normalise()
        if self.gate_order is RnnGateOrder.URO:
            raise self.error("gate_order is URO; accepted: IOFC, IFCO, IFOC, ICOF")
        self.check_type("P", self.P)
        self.check_shape("P", self.P, (self.directions, 3 * self.hidden_size))

    def gate_permutation(self) -> Sequence[int]:
        return [self.gate_order.name.index(gate) for gate in "IOFC"]

    def run(self, b: Any, x: Any, d: _Direction, lengths: Optional[_Lengths]) -> _States:
        if d.p is not None:
            return self._run_peephole(b, x, d)
        steps, batch, _ = self.input.dims
        w = d.w
        if lengths is not None and self.wants_c:
            x, w = self._frozen(b, x, w, lengths)
        operands = [x, w, d.r, d.bias or ""]
        if d.initial_h is not None or d.initial_c is not None:
            operands += ["", self.initial(b, d.initial_h), self.initial(b, d.initial_c)]
        h, last_h, last_c = b.onnx.lstm(operands, num_outputs=3, hidden_size=self.hidden_size)
        return _States(b.reshape(h, [steps, batch, self.hidden_size]), last_h, last_c)

    def _frozen(self, b: Any, x: Any, w: Any, lengths: _Lengths) -> Tuple[Any, Any]:
        """Operands that keep the cell as it is after the last step of each sample.

        One more feature, 1 where a step does not count, shuts the input gate and opens the forget
        gate: sigmoid(-1000) is 0 and sigmoid(1000) is 1 in both float types.
        """
        kind = self.input.element_type
        steps, batch, _ = self.input.dims
        over = b.cast(b.onnx.logical_not([lengths.valid]), kind)
        x = b.onnx.concat([x, b.reshape(over, [steps, batch, 1])], axis=2)
        column = np.zeros((1, 4, self.hidden_size, 1), kind.dtype)
        column[:, 0], column[:, 2] = -1000, 1000
        column = column.reshape(1, 4 * self.hidden_size, 1)
        return x, b.onnx.concat([w, b.constant(column)], axis=2)

    def _run_peephole(self, b: Any, x: Any, d: _Direction) -> _States:
        """Step by step: PopART's LSTM has no peepholes."""
        steps, batch, _ = self.input.dims
        size = self.hidden_size
        peep_i, peep_o, peep_f = (
            b.slice(d.p, 1, index * size, (index + 1) * size) for index in range(3)
        )
        projected = _projected(b, self, x, d)
        recurrent = b.transpose(b.reshape(d.r, [4 * size, size]), [1, 0])
        h = b.reshape(self.initial(b, d.initial_h), [batch, size])
        c = b.reshape(self.initial(b, d.initial_c), [batch, size])
        all_h, all_c = [], []
        for step in range(steps):
            row = b.reshape(b.slice(projected, 0, step, step + 1), [batch, 4 * size])
            total = b.onnx.add([row, b.onnx.matmul([h, recurrent])])
            i, o, f, new = (
                b.slice(total, 1, index * size, (index + 1) * size) for index in range(4)
            )
            i = b.onnx.sigmoid([b.onnx.add([i, b.onnx.mul([peep_i, c])])])
            f = b.onnx.sigmoid([b.onnx.add([f, b.onnx.mul([peep_f, c])])])
            kept, taken = b.onnx.mul([f, c]), b.onnx.mul([i, b.onnx.tanh([new])])
            c = b.onnx.add([kept, taken])
            o = b.onnx.sigmoid([b.onnx.add([o, b.onnx.mul([peep_o, c])])])
            h = b.onnx.mul([o, b.onnx.tanh([c])])
            all_h.append(b.reshape(h, [1, batch, size]))
            all_c.append(b.reshape(c, [1, batch, size]))
        return _States(
            b.onnx.concat(all_h, axis=0), all_h[-1], all_c[-1], b.onnx.concat(all_c, axis=0)
        )


def _projected(b: Any, op: _Recurrent, x: Any, d: _Direction) -> Any:
    """x W^T + B for all steps at once, [T,N,GH]."""
    rows, features = op.gates * op.hidden_size, op.input.dims[2]
    result = b.onnx.matmul([x, b.transpose(b.reshape(d.w, [rows, features]), [1, 0])])
    if d.bias is None:
        return result
    halves = b.reshape(d.bias, [2, rows])
    return b.onnx.add([result, b.onnx.reducesum([halves], axes=[0], keepdims=0)])


class GRU(_Recurrent):
    """Gated recurrent unit; results Y [T,D,N,H], then Y_h [D,N,H] unless ``outputs`` is NO_STATE.

    W [D,3H,I], R [D,3H,H] (LDGOI) or [D,I,3H], [D,H,3H] (LDIGO), B [D,3H] or [D,6H] (input's, then
    state's) with gates u, r, o.  ``linear_before_reset`` multiplies by the reset gate after R and
    the state's bias have been applied; B [D,3H] counts as the input's bias.
    """

    gates = 3
    input = tensor(FLOATS)
    weight_format = choice(RnnWeightFormat, RnnWeightFormat.LDGOI, "rnn_weight_format")
    gate_order = choice(RnnGateOrder, RnnGateOrder.URO, "rnn_gate_order")
    weight_dims = shape(None)
    W = tensor(FLOATS)
    R = tensor(FLOATS)
    B = optional_tensor(FLOATS)
    sequence_lens = optional_tensor(_LENGTHS)
    initial_h = optional_tensor(FLOATS)
    hidden_size = i32(0)
    direction = choice(RnnDirection, RnnDirection.FORWARD, "rnn_direction")
    linear_before_reset = flag(False)
    outputs_ = choice(RnnOutputs, RnnOutputs.HIDDEN_STATE, "rnn_outputs")

    def normalise(self) -> None:
        super().normalise()
        if self.gate_order is not RnnGateOrder.URO:
            raise self.error(f"gate_order is {self.gate_order.name}; accepted: URO")

    def run(self, b: Any, x: Any, d: _Direction, lengths: Optional[_Lengths]) -> _States:
        return _run_popart(
            b, self, b.onnx.gru, x, d, linear_before_reset=int(self.linear_before_reset)
        )


class RNN(_Recurrent):
    """h = tanh(x W^T + h R^T + B); results Y [T,D,N,H], then Y_h unless ``outputs`` is NO_STATE.

    W [D,H,I], R [D,H,H] (LDGOI) or [D,I,H], [D,H,H] (LDIGO), B [D,H] or [D,2H].
    """

    input = tensor(FLOATS)
    weight_format = choice(RnnWeightFormat, RnnWeightFormat.LDGOI, "rnn_weight_format")
    weight_dims = shape(None)
    W = tensor(FLOATS)
    R = tensor(FLOATS)
    B = optional_tensor(FLOATS)
    sequence_lens = optional_tensor(_LENGTHS)
    initial_h = optional_tensor(FLOATS)
    hidden_size = i32(0)
    direction = choice(RnnDirection, RnnDirection.FORWARD, "rnn_direction")
    outputs_ = choice(RnnOutputs, RnnOutputs.HIDDEN_STATE, "rnn_outputs")

    def run(self, b: Any, x: Any, d: _Direction, lengths: Optional[_Lengths]) -> _States:
        return _run_popart(b, self, b.onnx.rnn, x, d)


def _run_popart(
    b: Any, op: _Recurrent, function: Any, x: Any, d: _Direction, **attributes: Any
) -> _States:
    """GRU and RNN: [X, W, R, B, no lengths, initial_h]."""
    steps, batch, _ = op.input.dims
    operands = [x, d.w, d.r, d.bias or ""]
    if d.initial_h is not None:
        operands += ["", d.initial_h]
    h, last = function(operands, num_outputs=2, hidden_size=op.hidden_size, **attributes)
    return _States(b.reshape(h, [steps, batch, op.hidden_size]), last)
