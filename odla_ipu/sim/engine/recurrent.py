"""Recurrent layers. The state is carried in float32 also where the tensors are FLOAT16."""

from typing import TYPE_CHECKING, List, Optional, Sequence

import numpy as np

from ..exceptions import popart_exception
from .emitter import GRAPHCORE, Emitter, emits

if TYPE_CHECKING:
    from ..ir import Op

_NATIVE_ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def activations(op: "Op", count: int) -> Optional[List[str]]:
    """Names as onnxruntime has them; PopART's lists may leave out the last."""
    given = [name.lower() for name in op.attributes.get("activations") or []]
    if not given:
        return None
    unknown = [name for name in given if name not in _NATIVE_ACTIVATIONS]
    if unknown:
        raise popart_exception(
            f"{op.label}: the stand-in has no activation {unknown[0]!r} in recurrent layers; "
            f"it has {', '.join(_NATIVE_ACTIVATIONS)}"
        )
    names = [_NATIVE_ACTIVATIONS[name] for name in given]
    while len(names) < count:
        names.append(names[-1] if len(names) > 1 else "Tanh")
    return names


def _padded(x: List[str], count: int) -> List[str]:
    return x + [""] * (count - len(x))


@emits("LSTM")
def _lstm(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    data, w, r, bias, lengths, h, c = _padded(x, 7)[:7]
    hidden = op.operand(2).shape[2]
    y, y_h, y_c = e.node(
        "LSTM",
        [data, w, r, bias, lengths and e.cast(lengths, np.int32), h, c],
        3,
        hidden_size=hidden,
        activations=activations(op, 3),
    )
    if lengths:
        # The device's last output is that of the last time step, also for shorter sequences.
        steps = op.operand(0).shape[0]
        y_h = e("Gather", y, e.const(np.int64(steps - 1)), axis=0)
    return [y, y_h, y_c]


@emits("GRU")
def _gru(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    data, w, r, bias, _, h = _padded(x, 6)[:6]
    return e.node(
        "GRU",
        [data, w, r, bias, "", h],
        2,
        hidden_size=op.operand(2).shape[2],
        linear_before_reset=op.attributes.get("linear_before_reset", 0),
    )


@emits("RNN")
def _rnn(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    data, w, r, bias, _, h = _padded(x, 6)[:6]
    return e.node(
        "RNN",
        [data, w, r, bias, "", h],
        2,
        hidden_size=op.operand(2).shape[2],
        activations=activations(op, 1),
    )


_ONNX_GATES = [1, 3, 0, 2]
"""Input, output, forget, candidate among PopART's forget, input, candidate, output."""


@emits("LSTM", domain=GRAPHCORE)
def _graphcore_lstm(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    data, weights, bias, initial, lengths = _padded(x, 5)
    width = op.operand(0).shape[2]
    hidden = op.operand(1).shape[2]
    gates = e("Gather", weights, e.ints(_ONNX_GATES), axis=0)
    rows = e("Transpose", gates, perm=[0, 2, 1])
    w = e.reshape(e.slice(rows, [0], [width], [2]), [1, 4 * hidden, width])
    r = e.reshape(e.slice(rows, [width], [width + hidden], [2]), [1, 4 * hidden, hidden])
    if bias:
        both = e.reshape(e("Gather", bias, e.ints(_ONNX_GATES), axis=0), [1, 4 * hidden])
        zeros = e.const(np.zeros((1, 4 * hidden), np.float32))
        bias = e("Concat", both, zeros, axis=1)
    h = c = ""
    if initial:
        h, c = (e.slice(initial, [state], [state + 1], [0]) for state in (0, 1))
    y, y_h, y_c = e.node(
        "LSTM",
        [data, w, r, bias, lengths and e.cast(lengths, np.int32), h, c],
        3,
        hidden_size=hidden,
    )
    sequence, batch = op.operand(0).shape[:2]
    if op.attributes.get("outputFullSequence", 1):
        output = e.reshape(y, [sequence, batch, hidden])
    else:
        output = e.reshape(y_h, [batch, hidden])
    return [output, e.reshape(y_c, [batch, hidden])]
