"""AttentionGruCell in numpy."""

from typing import Any

import numpy as np


def run(
    op: Any,
    x: np.ndarray,
    state: np.ndarray,
    attention: np.ndarray,
    gate_weights: np.ndarray,
    gate_bias: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
) -> np.ndarray:
    x, state, gate_weights, weights = (
        one.astype(np.float32) for one in (x, state, gate_weights, weights)
    )
    gates = np.concatenate([x, state], 1) @ gate_weights + gate_bias
    reset, update = np.split(1 / (1 + np.exp(-gates)), 2, 1)
    candidate = np.tanh(np.concatenate([x, reset * state], 1) @ weights + bias)
    update = (1 - attention[:, None]) * update
    return update * state + (1 - update) * candidate
