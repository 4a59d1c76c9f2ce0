"""Recurrent cells as TensorFlow stores them, rearranged for ODLA.

TensorFlow keeps one matrix [inputs + units, gates * units] that multiplies [x, h].
"""

import math
from typing import List, Optional, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Value

from .weights import Weights

CellWeights = Tuple[np.ndarray, np.ndarray, np.ndarray]
"""W [4H,I], R [4H,H] and B [4H], gates in ODLA's order i, o, f, c."""


def lstm_weights(weights: Weights, name: str, inputs: int, units: int) -> CellWeights:
    """Of a BasicLSTMCell: gates i, c, f, o; the forget bias of 1 that it adds is in B."""
    deviation = math.sqrt(1 / (inputs + units))
    kernel = weights.normal(f"{name}.kernel", (inputs + units, 4 * units), deviation)
    bias = weights.normal(f"{name}.bias", (4 * units,), 0.1)
    i, c, f, o = (slice(gate * units, (gate + 1) * units) for gate in range(4))
    ordered = np.concatenate([kernel[:, gate] for gate in (i, o, f, c)], axis=1).T
    offset = np.concatenate([bias[i], bias[o], bias[f] + 1, bias[c]])
    return ordered[:, :inputs], ordered[:, inputs:], offset


def lstm(
    x: Value, weights: Weights, name: str, units: int, lengths: Optional[Value] = None
) -> Value:
    """All states [T,N,units] of one forward layer over x [T,N,I]; zero after ``lengths`` [N]."""
    return _lstm(x, [lstm_weights(weights, name, x.dims[2], units)], units, lengths)


def bidirectional_lstm(
    x: Value, weights: Weights, name: str, units: int, lengths: Optional[Value] = None
) -> Value:
    """States forward and backward side by side, [T,N,2*units]."""
    pair = [
        lstm_weights(weights, f"{name}.{way}", x.dims[2], units) for way in ("forward", "backward")
    ]
    return _lstm(x, pair, units, lengths)


def _lstm(x: Value, directions: List[CellWeights], units: int, lengths: Optional[Value]) -> Value:
    w, r, b = (np.stack(parts) for parts in zip(*directions))
    y = odla.lstm(
        x,
        W=w,
        R=r,
        B=b,
        sequence_lens=lengths,
        hidden_size=units,
        direction="bidirectional" if len(directions) == 2 else "forward",
        outputs="no_state",
    )
    steps, count, batch, _ = y.dims
    return odla.reshape(odla.transpose(y, (0, 2, 1, 3)), (steps, batch, count * units))


def gru_weights(weights: Weights, name: str, inputs: int, units: int) -> CellWeights:
    """Of a GRUCell: W [3H,I], R [3H,H], B [3H], gates in ODLA's order u, r, o.

    TensorFlow has gates r, u in one matrix, the candidate in another; r multiplies h before its
    matrix does.
    """
    deviation = math.sqrt(1 / (inputs + units))
    gates = weights.normal(f"{name}.gates.kernel", (inputs + units, 2 * units), deviation)
    candidate = weights.normal(f"{name}.candidate.kernel", (inputs + units, units), deviation)
    gate_bias = weights.uniform(f"{name}.gates.bias", (2 * units,), 0.9, 1.1)
    candidate_bias = weights.normal(f"{name}.candidate.bias", (units,), 0.1)
    matrix = np.concatenate([gates[:, units:], gates[:, :units], candidate], axis=1).T
    bias = np.concatenate([gate_bias[units:], gate_bias[:units], candidate_bias])
    return matrix[:, :inputs], matrix[:, inputs:], bias
