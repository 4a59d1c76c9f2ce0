"""Samples of the recurrent networks."""

import numpy as np

from . import Sample, random

_TIGHT = {"rtol": 1e-4, "atol": 1e-5}
_HALF = {"rtol": 5e-3, "atol": 5e-3}


def _case(gates, direction, bias=1, lengths=None, states=0, dtype="float32", ldigo=False):
    """Operands for 5 steps of 3 samples of 4 features, 6 hidden units.

    ``bias`` counts its halves, ``states`` the initial states.
    """
    directions = 2 if direction == "bidirectional" else 1
    rows = gates * 6
    operands = [
        random(5, 3, 4, dtype=dtype),
        random(directions, *((4, rows) if ldigo else (rows, 4)), dtype=dtype, low=-1, high=1),
        random(directions, *((6, rows) if ldigo else (rows, 6)), dtype=dtype, low=-0.6, high=0.6),
        random(directions, bias * rows, dtype=dtype, low=-1, high=1) if bias else None,
        None if lengths is None else np.array(lengths, "int32"),
    ]
    initial = [random(directions, 3, 6, dtype=dtype, low=-1 - i, high=1) for i in range(states)]
    return tuple(operands + initial)


_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_DIRECTIONS = ["forward", "reverse", "bidirectional"]
_STATES = {"lstm": 2, "gru": 1, "rnn": 1}

SAMPLES = [
    Sample(op, _case(gates, direction, *more), {"direction": direction}, constants, **_TIGHT)
    for op, gates in _GATES.items()
    for direction in _DIRECTIONS
    for more, constants in [
        ((1, None, 0), (1, 2, 3)),
        ((2, None, _STATES[op]), (1, 2, 3)),
        ((0, None, 0), ()),
        ((2, None, _STATES[op]), ()),
        ((1, [5, 5, 5], 0), (1, 2, 3, 4)),
        ((1, [5, 2, 3], _STATES[op]), (1, 2, 3, 4)),
        ((2, [1, 4, 0], _STATES[op]), (1, 2, 3)),
        ((1, [3, 4, 2], 0), ()),
    ]
]
SAMPLES += [
    Sample(
        op,
        _case(gates, direction, 2, [4, 5, 1], 1, ldigo=True),
        {"direction": direction, "weight_format": "ldigo"},
        constants,
        **_TIGHT,
    )
    for op, gates in _GATES.items()
    for direction in ("forward", "bidirectional")
    for constants in [(1, 2, 3), ()]
]
SAMPLES += [
    Sample(
        op, _case(gates, direction, dtype="float16"), {"direction": direction}, (1, 2, 3), **_HALF
    )
    for op, gates in _GATES.items()
    for direction in ("forward", "bidirectional")
]
SAMPLES += [
    Sample(
        op,
        _case(gates, "bidirectional"),
        {"direction": "bidirectional", "outputs": outputs},
        **_TIGHT,
    )
    for op, gates, outputs in [
        ("lstm", 4, "no_state"),
        ("lstm", 4, "hidden_state"),
        ("lstm", 4, "cell_state"),
        ("gru", 3, "no_state"),
        ("rnn", 1, "no_state"),
    ]
]
SAMPLES += [
    Sample(
        "lstm",
        _case(4, direction, bias),
        {"direction": direction, "gate_order": order, "hidden_size": 6},
        constants,
        **_TIGHT,
    )
    for order in ("ifco", "ifoc", "icof")
    for direction, bias, constants in [("forward", 1, (1, 2, 3)), ("bidirectional", 2, ())]
]
SAMPLES += [
    Sample(
        "gru",
        _case(3, direction, bias, lengths, 1),
        {"direction": direction, "linear_before_reset": True},
        constants,
        **_TIGHT,
    )
    for bias, lengths in [(0, None), (1, None), (2, None), (2, [2, 5, 3])]
    for direction, constants in [("forward", (1, 2, 3)), ("bidirectional", ())]
]
SAMPLES += [
    Sample(
        "lstm",
        (*_case(4, direction, bias, lengths, 2), random(1 + (direction == "bidirectional"), 18)),
        {"direction": direction, "gate_order": order},
        constants,
        name=f"peephole {direction} {order}",
        **_TIGHT,
    )
    for direction, bias, lengths, order, constants in [
        ("forward", 1, None, "iofc", (1, 2, 3, 7)),
        ("reverse", 2, [2, 5, 3], "ifco", ()),
        ("bidirectional", 0, [2, 0, 5], "iofc", (1, 2)),
    ]
]
# One step, one sample, an LSTM that gets only one of its states.
SAMPLES.append(
    Sample(
        "lstm",
        (random(1, 1, 2), random(1, 4, 2), random(1, 4, 1), None, None, None, random(1, 1, 1)),
        {"weight_dims": (1, 4, 2)},
        **_TIGHT,
    )
)
