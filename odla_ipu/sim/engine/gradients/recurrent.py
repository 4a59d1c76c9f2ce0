"""Recurrent layers: the host goes back through time, in float32."""

from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..emitter import rounded16
from ..hosting import hosted, output_infos
from ..recurrent import activations
from .rules import DOMAIN

if TYPE_CHECKING:
    from ...ir import Op
    from ..translation import Settings

Array = np.ndarray
Arrays = Sequence[Optional[np.ndarray]]


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


_FUNCTIONS: Dict[str, Callable[[Array], Array]] = {
    "Sigmoid": _sigmoid,
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
}

_SLOPES: Dict[str, Callable[[Array], Array]] = {
    "Sigmoid": lambda y: y * (1 - y),
    "Tanh": lambda y: 1 - y * y,
    "Relu": lambda y: (y > 0).astype(y.dtype),
}
"""By the value of the function."""


class _Layer:
    """A layer's arrays in float32, and where its gradients go.

    ``operands`` is how many operands the op can have; one direction, [T,N,I] to [T,1,N,H].
    """

    gates = 1
    operands = 6
    defaults: Tuple[str, ...] = ("Tanh",)

    def __init__(self, op: "Op", settings: "Settings"):
        forward = op.attributes["forward"]
        self.outputs = output_infos(op)
        self._wanted = op.attributes["operands"]
        self._rounding = settings.rounding
        self._inputs, self._results = len(forward.inputs), len(forward.outputs)
        self.activations = activations(forward, len(self.defaults)) or list(self.defaults)
        self.before_reset = forward.attributes.get("linear_before_reset", 0)

    def run(self, inputs: Arrays, outputs: Sequence[Array]) -> None:
        arrays = [None if one is None else one.astype(np.float32) for one in inputs]
        operands = arrays[: self._inputs] + [None] * (self.operands - self._inputs)
        gradients = arrays[self._inputs + self._results :]
        gradients += [None] * (3 - len(gradients))
        x, w, r, bias, lengths, h = operands[:6]
        assert x is not None
        assert w is not None
        assert r is not None
        self.x, self.w, self.r = x, w[0], r[0]
        steps, batch = x.shape[:2]
        hidden = self.r.shape[1]
        both = np.zeros(2 * self.gates * hidden, np.float32) if bias is None else bias[0]
        self.by_input, self.by_state = both[: len(both) // 2], both[len(both) // 2 :]
        self.first = np.zeros((batch, hidden), np.float32) if h is None else h[0]
        on = np.ones((steps, batch, 1), np.float32)
        if lengths is not None and self.operands > 6:
            on = (np.arange(steps)[:, None] < lengths[None, :])[:, :, None].astype(np.float32)
        self.on = on
        of_y = np.zeros((steps, batch, hidden), np.float32)
        if gradients[0] is not None:
            of_y += gradients[0][:, 0]
        last = np.zeros((batch, hidden), np.float32)
        if gradients[1] is not None and lengths is not None and self.operands > 6:
            of_y[-1] += gradients[1][0]  # the last result is that of the last time step
        elif gradients[1] is not None:
            last += gradients[1][0]
        found = self.back(operands, of_y * on, last, gradients[2])
        for target, index in zip(outputs, self._wanted):
            values = found[index]
            target[...] = (
                rounded16(values, self._rounding) if target.dtype == np.float16 else values
            )

    def back(
        self, operands: Arrays, of_y: Array, of_last: Array, of_cell: Optional[Array]
    ) -> List[Array]:
        """The gradients of the operands."""
        raise NotImplementedError

    def function(self, place: int, x: Array) -> Array:
        return _FUNCTIONS[self.activations[place]](x)

    def slope(self, place: int, y: Array) -> Array:
        return _SLOPES[self.activations[place]](y)

    def gradients(
        self, by_gates: Array, by_state: Array, recurrent: Array, first: Array
    ) -> List[Array]:
        """Of x, W, R, B, lengths and the first state, from those of the gates [T,N,gates H]."""
        flat = by_gates.reshape(-1, by_gates.shape[2])
        by_w = flat.T @ self.x.reshape(len(flat), -1)
        by_bias = np.concatenate([flat.sum(0), by_state.reshape(len(flat), -1).sum(0)])
        by_x = (flat @ self.w).reshape(self.x.shape)
        return [by_x, by_w[None], recurrent[None], by_bias[None], np.zeros(0), first[None]]


@hosted("RNN", domain=DOMAIN)
class _Rnn(_Layer):
    """h' = f(W x + R h + b)."""

    def back(
        self, operands: Arrays, of_y: Array, of_last: Array, of_cell: Optional[Array]
    ) -> List[Array]:
        states = [self.first]
        for x in self.x @ self.w.T + self.by_input + self.by_state:
            states.append(self.function(0, x + states[-1] @ self.r.T))
        of_gates, by_h = np.zeros_like(of_y), of_last
        recurrent = np.zeros_like(self.r)
        for t in reversed(range(len(self.x))):
            of_gates[t] = (by_h + of_y[t]) * self.slope(0, states[t + 1])
            recurrent += of_gates[t].T @ states[t]
            by_h = of_gates[t] @ self.r
        return self.gradients(of_gates, of_gates, recurrent, by_h)


@hosted("GRU", domain=DOMAIN)
class _Gru(_Layer):
    """Gates z, r, h of ONNX; h' = (1 - z) n + z h."""

    gates = 3
    defaults = ("Sigmoid", "Tanh")

    def back(
        self, operands: Arrays, of_y: Array, of_last: Array, of_cell: Optional[Array]
    ) -> List[Array]:
        hidden = self.r.shape[1]
        update, candidate = slice(0, 2 * hidden), slice(2 * hidden, None)
        state, kept = self.first, []
        for x in self.x @ self.w.T + self.by_input:
            pair = x[:, update] + state @ self.r[update].T + self.by_state[update]
            z, r = np.split(self.function(0, pair), 2, axis=1)
            if self.before_reset:
                inner = state @ self.r[candidate].T + self.by_state[candidate]
                n = self.function(1, x[:, candidate] + r * inner)
            else:
                inner = r * state
                n = self.function(
                    1, x[:, candidate] + inner @ self.r[candidate].T + self.by_state[candidate]
                )
            kept.append((state, z, r, n, inner))
            state = (1 - z) * n + z * state
        of_gates = np.zeros((*of_y.shape[:2], 3 * hidden), np.float32)
        of_state = np.zeros_like(of_gates)
        recurrent, by_h = np.zeros_like(self.r), of_last
        for t in reversed(range(len(self.x))):
            state, z, r, n, inner = kept[t]
            by_h = by_h + of_y[t]
            by_n = by_h * (1 - z) * self.slope(1, n)
            by_z = by_h * (state - n) * self.slope(0, z)
            by_h = by_h * z
            if self.before_reset:
                by_r, by_inner = by_n * inner * self.slope(0, r), by_n * r
                by_h = by_h + by_inner @ self.r[candidate]
                recurrent[candidate] += by_inner.T @ state
            else:
                by_product = by_n @ self.r[candidate]
                by_r, by_inner = by_product * state * self.slope(0, r), by_n
                by_h = by_h + by_product * r
                recurrent[candidate] += by_n.T @ inner
            pair = np.concatenate([by_z, by_r], axis=1)
            recurrent[update] += pair.T @ state
            by_h = by_h + pair @ self.r[update]
            of_gates[t] = np.concatenate([pair, by_n], axis=1)
            of_state[t] = np.concatenate([pair, by_inner], axis=1)
        return self.gradients(of_gates, of_state, recurrent, by_h)


@hosted("LSTM", domain=DOMAIN)
class _Lstm(_Layer):
    """Gates i, o, f, c of ONNX; a sequence that has ended keeps its state and gives zeros."""

    gates = 4
    operands = 7
    defaults = ("Sigmoid", "Tanh", "Tanh")

    def back(
        self, operands: Arrays, of_y: Array, of_last: Array, of_cell: Optional[Array]
    ) -> List[Array]:
        first_cell = operands[6]
        state = self.first
        cell = np.zeros_like(state) if first_cell is None else first_cell[0]
        kept = []
        for x, on in zip(self.x @ self.w.T + self.by_input + self.by_state, self.on):
            i, o, f, g = np.split(x + state @ self.r.T, 4, axis=1)
            i, o, f = (self.function(0, one) for one in (i, o, f))
            g = self.function(1, g)
            new = f * cell + i * g
            out = self.function(2, new)
            kept.append((state, cell, i, o, f, g, out))
            state, cell = on * o * out + (1 - on) * state, on * new + (1 - on) * cell
        of_gates = np.zeros((*of_y.shape[:2], 4 * state.shape[1]), np.float32)
        by_h, recurrent = of_last, np.zeros_like(self.r)
        by_c = np.zeros_like(state) if of_cell is None else of_cell[0]
        for t in reversed(range(len(self.x))):
            state, cell, i, o, f, g, out = kept[t]
            on = self.on[t]
            of_h = on * (by_h + of_y[t])
            of_c = on * by_c + of_h * o * self.slope(2, out)
            parts = [
                of_c * g * self.slope(0, i),
                of_h * out * self.slope(0, o),
                of_c * cell * self.slope(0, f),
                of_c * i * self.slope(1, g),
            ]
            of_gates[t] = np.concatenate(parts, axis=1)
            recurrent += of_gates[t].T @ state
            by_h = of_gates[t] @ self.r + (1 - on) * by_h
            by_c = of_c * f + (1 - on) * by_c
        found = self.gradients(of_gates, of_gates, recurrent, by_h)
        return [*found, by_c[None]]
