"""Normalisation, dropout and recurrent layers."""

from typing import List

from .rules import GRAPHCORE, Context, Result, rule


@rule("BatchNormalization")
@rule("BatchNormalization", domain=GRAPHCORE)
def _batch_normalization(context: Context) -> Result:
    shape = context.shape(0)
    if len(shape) < 3:
        context.refuse(f"has an input of rank {len(shape)}: accepted are 3 and up")
    statistics = shape[1:] if context.attribute("spatial", 1) == 0 else (shape[1],)
    for index, name in enumerate(("scale", "B", "mean", "var"), 1):
        if context.shape(index) != statistics:
            context.refuse(
                f"has {name} of shape {list(context.shape(index))}: accepted is {list(statistics)}"
            )
    return [shape, statistics, statistics, statistics, statistics]


@rule("GroupNormalization", domain=GRAPHCORE)
def _group_normalization(context: Context) -> Result:
    shape = context.shape(0)
    groups = context.required("num_groups")
    if len(shape) < 2 or groups < 1 or shape[1] % groups:
        context.refuse(f"normalises shape {list(shape)} in {groups} groups of channels")
    for index, name in ((1, "scale"), (2, "bias")):
        if context.shape(index) != (shape[1],):
            context.refuse(
                f"has {name} of shape {list(context.shape(index))}: accepted is [{shape[1]}]"
            )
    return [shape, (shape[0] * groups,), (shape[0] * groups,)]


@rule("Dropout", types=(0, "BOOL"))
def _dropout(context: Context) -> Result:
    ratio = context.attribute("ratio", 0.5)
    if not 0 <= ratio < 1:
        context.refuse(f"has ratio {ratio}: accepted is 0 up to, not including, 1")
    return [context.shape(0)] * 2


def _hidden_size(context: Context, gates: int) -> int:
    """Hidden size of an RNN, GRU or LSTM after checks of its weights."""
    data, weights, recurrent = context.shape(0), context.shape(1), context.shape(2)
    if len(data) != 3 or len(weights) != 3 or len(recurrent) != 3:
        context.refuse(
            f"has shapes {list(data)}, {list(weights)} and {list(recurrent)}: accepted are "
            f"[T, N, I], [1, {gates} H, I] and [1, {gates} H, H]"
        )
    if context.attribute("direction", "forward") != "forward" or weights[0] != 1:
        context.refuse("runs forward only: direction must be forward, with weights for it alone")
    hidden = recurrent[2]
    if weights != (1, gates * hidden, data[2]) or recurrent != (1, gates * hidden, hidden):
        context.refuse(
            f"has weights of shapes {list(weights)} and {list(recurrent)} for hidden size "
            f"{hidden} and input size {data[2]}: accepted are {[1, gates * hidden, data[2]]} and "
            f"{[1, gates * hidden, hidden]}"
        )
    if context.attribute("hidden_size", hidden) != hidden:
        context.refuse(f"has hidden_size {context.attribute('hidden_size')}, its weights {hidden}")
    return hidden


def _recurrent(context: Context, gates: int, states: int) -> Result:
    hidden = _hidden_size(context, gates)
    steps, batch, _ = context.shape(0)
    if context.has(3) and context.shape(3) != (1, 2 * gates * hidden):
        context.refuse(
            f"has a bias of shape {list(context.shape(3))}: accepted is [1, {2 * gates * hidden}]"
        )
    if context.has(4) and context.shape(4) != (batch,):
        context.refuse(
            f"has sequence_lens of shape {list(context.shape(4))}: accepted is [{batch}]"
        )
    for index in range(5, 5 + states):
        if context.has(index) and context.shape(index) != (1, batch, hidden):
            context.refuse(
                f"has an initial state of shape {list(context.shape(index))}: accepted is "
                f"[1, {batch}, {hidden}]"
            )
    return [(steps, 1, batch, hidden), *[(1, batch, hidden)] * states]


@rule("RNN")
def _rnn(context: Context) -> Result:
    return _recurrent(context, 1, 1)


@rule("GRU")
def _gru(context: Context) -> Result:
    return _recurrent(context, 3, 1)


@rule("LSTM")
def _lstm(context: Context) -> Result:
    return _recurrent(context, 4, 2)


@rule("LSTM", domain=GRAPHCORE)
def _graphcore_lstm(context: Context) -> Result:
    data, weights = context.shape(0), context.shape(1)
    if len(data) != 3 or len(weights) != 3 or weights[0] != 4:
        context.refuse(
            f"has data of shape {list(data)} and weights of {list(weights)}: accepted are "
            "[T, N, I] and [4, I + H, H]"
        )
    steps, batch, size = data
    hidden = weights[2]
    if weights[1] != size + hidden:
        context.refuse(
            f"has weights of shape {list(weights)}: accepted is [4, {size + hidden}, {hidden}]"
        )
    expected: List[tuple] = [(4, hidden), (2, batch, hidden), (batch,)]
    for index, shape in enumerate(expected, 2):
        if context.has(index) and context.shape(index) != shape:
            context.refuse(
                f"has input {index} of shape {list(context.shape(index))}: "
                f"accepted is {list(shape)}"
            )
    full = context.attribute("outputFullSequence", 1)
    return [(steps, batch, hidden) if full else (batch, hidden), (batch, hidden)]
