"""Converters of LSTM, GRU and RNN.

ODLA's layouts LDGOI, IOFC and URO are ONNX's own; what remains is the bias, which ODLA takes as the
sum of the input's and the state's, and batch-major data (layout 1), which is transposed.
"""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ...graph import Value
from ...types import (
    ElementType,
    RnnDirection,
    RnnGateOrder,
    RnnOutputs,
    RnnWeightFormat,
)
from .convert import Step, Unsupported, converter

_ACTIVATIONS = {
    "LSTM": ["sigmoid", "tanh", "tanh"],
    "GRU": ["sigmoid", "tanh"],
    "RNN": ["tanh"],
}


@converter("LSTM")
def _lstm(
    step: Step,
    x: Value,
    w: Value,
    r: Value,
    bias: Optional[Value] = None,
    lengths: Optional[Value] = None,
    initial_h: Optional[Value] = None,
    initial_c: Optional[Value] = None,
    peephole: Optional[Value] = None,
) -> List[Value]:
    if step.get("input_forget", 0):
        raise Unsupported("input_forget is 1; coupled gates are not available")
    return _recurrent(
        step,
        x,
        w,
        r,
        lengths,
        {"initial_h": initial_h, "initial_c": initial_c},
        B=_summed_bias(step, bias),
        P=peephole,
        gate_order=RnnGateOrder.IOFC,
        outputs=RnnOutputs.HIDDEN_CELL_STATE,
    )


@converter("GRU")
def _gru(
    step: Step,
    x: Value,
    w: Value,
    r: Value,
    bias: Optional[Value] = None,
    lengths: Optional[Value] = None,
    initial_h: Optional[Value] = None,
) -> List[Value]:
    before_reset = bool(step.get("linear_before_reset", 0))
    return _recurrent(
        step,
        x,
        w,
        r,
        lengths,
        {"initial_h": initial_h},
        # The reset gate scales only the state's half of the bias here, so both are passed.
        B=bias if before_reset else _summed_bias(step, bias),
        gate_order=RnnGateOrder.URO,
        linear_before_reset=before_reset,
        outputs=RnnOutputs.HIDDEN_STATE,
    )


@converter("RNN")
def _rnn(
    step: Step,
    x: Value,
    w: Value,
    r: Value,
    bias: Optional[Value] = None,
    lengths: Optional[Value] = None,
    initial_h: Optional[Value] = None,
) -> List[Value]:
    return _recurrent(
        step,
        x,
        w,
        r,
        lengths,
        {"initial_h": initial_h},
        B=_summed_bias(step, bias),
        outputs=RnnOutputs.HIDDEN_STATE,
    )


def _recurrent(
    step: Step,
    x: Value,
    w: Value,
    r: Value,
    lengths: Optional[Value],
    states: Dict[str, Optional[Value]],
    **attributes: Any,
) -> List[Value]:
    _check(step)
    batch_major = bool(step.get("layout", 0))
    if batch_major:
        x = step.transpose(x, [1, 0, 2])
        states = {name: _swapped(step, state) for name, state in states.items()}
    directions = {one.name.lower(): one for one in RnnDirection}
    direction = step.get("direction", "forward")
    if direction not in directions:
        raise step.error(f"direction is '{direction}'; accepted: {', '.join(directions)}")
    results = step.ops(
        step.node.op,
        input=x,
        W=w,
        R=r,
        weight_format=RnnWeightFormat.LDGOI,
        weight_dims=list(w.dims),
        sequence_lens=_lengths(step, lengths, x.dims[0]),
        hidden_size=r.dims[-1],
        direction=directions[direction],
        **states,
        **attributes,
    )
    if not batch_major:
        return list(results)
    return [
        step.transpose(results[0], [2, 0, 1, 3]),
        *(step.transpose(state, [1, 0, 2]) for state in results[1:]),
    ]


def _check(step: Step) -> None:
    """Refuse the attributes that ODLA cannot express."""
    default = _ACTIVATIONS[step.node.op]
    given: Sequence[str] = [one.lower() for one in step.get("activations", default)]
    times = 2 if step.get("direction", "forward") == "bidirectional" else 1
    if list(given) not in (default, default * times):
        raise Unsupported(f"activations {', '.join(given)}; available: {', '.join(default)}")
    if step.get("clip", 0.0):
        raise Unsupported("clip is not available")


def _swapped(step: Step, state: Optional[Value]) -> Optional[Value]:
    return None if state is None else step.transpose(state, [1, 0, 2])


def _lengths(step: Step, lengths: Optional[Value], steps: int) -> Optional[Value]:
    """INT32 lengths; None where a constant says that all sequences are full."""
    if lengths is None or (lengths.data is not None and np.all(lengths.data == steps)):
        return None
    return step.cast(lengths, ElementType.INT32)


def _summed_bias(step: Step, bias: Optional[Value]) -> Optional[Value]:
    """Wb + Rb, [D, G*H], from ONNX's [D, 2*G*H]."""
    if bias is None:
        return None
    half = bias.dims[-1] // 2
    if bias.data is not None:
        return step.constant(bias.data[:, :half] + bias.data[:, half:])
    halves = (step.slice(bias, 1, 0, half), step.slice(bias, 1, half, 2 * half))
    return step.op("Add", *halves)
