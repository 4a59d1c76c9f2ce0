"""DIEN: will a reader click on a book, from the books before it (arXiv:1809.03672, Amazon)."""

import dataclasses
from typing import Dict, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import cells, layers
from .common.example import Example
from .common.weights import Weights

MASKED = np.float32(-(2.0**32) + 1)
EPSILON = 1e-3
"""TensorFlow's, of batch normalization."""


@dataclasses.dataclass(frozen=True)
class Config:
    """``history`` is the most books that count; the original's batches are as long as they are."""

    users: int = 543060
    books: int = 367983
    kinds: int = 1601
    history: int = 100
    width: int = 18
    hidden: int = 36
    attention: Tuple[int, int] = (80, 40)
    tower: Tuple[int, int] = (200, 80)


SYNTHETIC = Config(books=30_000_000)
"""The original's test of size: a table of 2.16 GB."""


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """Who, what and what before -> probabilities of click and of none [N,2].

    INT32 uid, mid, cat [N], mid_his, cat_his [N,T], seq_len [N]; mask FLOAT32 [N,T], 1 where a book
    is real; others are book 0 of kind 0.
    """
    steps = config.history
    with Computation("dien") as computation:
        user = odla.argument("uid", (batch,), "int32")
        book, kind = (odla.argument(name, (batch,), "int32") for name in ("mid", "cat"))
        books, kinds = (
            odla.argument(name, (batch, steps), "int32") for name in ("mid_his", "cat_his")
        )
        mask = odla.argument("mask", (batch, steps))
        lengths = odla.argument("seq_len", (batch,), "int32")

        def table(name: str, rows: int) -> Value:
            # One constant for all who look into it.
            return odla.constant(weights.normal(name, (rows, config.width), 0.3), name)

        by_book, by_kind = (
            table("mid.embedding", config.books),
            table("cat.embedding", config.kinds),
        )
        who = odla.gather(table("uid.embedding", config.users), user, axis=0)
        item = layers.concat(
            [odla.gather(by_book, book, axis=0), odla.gather(by_kind, kind, axis=0)], "item"
        )
        past = layers.concat(
            [odla.gather(by_book, books, axis=0), odla.gather(by_kind, kinds, axis=0)],
            "past",
            axis=2,
        )
        # Padding is summed, too, as in the original.
        total = odla.reduce_sum(past, axes=(1,), keep_dims=False, id="history_sum")

        states = interests(past, lengths, weights, config)
        shares = attention(item, states, mask, weights, config)
        final = evolution(states, shares, mask, weights, config)
        x = layers.concat([who, item, total, odla.mul(item, total), final], "all")
        x = layers.batch_norm(x, weights, "bn", EPSILON)
        for place, units in enumerate(config.tower, 1):
            x = dice(layers.linear(x, weights, f"fc{place}", units), weights, f"dice{place}")
        x = odla.softmax(layers.linear(x, weights, "fc3", 2), axis=-1)
        odla.output(odla.add(x, 1e-8), "probability")
    return computation


def interests(past: Value, lengths: Value, weights: Weights, config: Config) -> Value:
    """States of a GRU over the history, [T,N,H]."""
    w, r, b = cells.gru_weights(weights, "gru1", past.dims[2], config.hidden)
    y = odla.gru(
        odla.transpose(past, (1, 0, 2)),
        W=w[None],
        R=r[None],
        B=b[None],
        sequence_lens=lengths,
        hidden_size=config.hidden,
        linear_before_reset=False,
        outputs="no_state",
        id="gru1",
    )
    steps, _, batch, hidden = y.dims
    return odla.reshape(y, (steps, batch, hidden))


def attention(item: Value, states: Value, mask: Value, weights: Weights, config: Config) -> Value:
    """How much each book of the history has to do with the item, [T,N]; adds up to 1 over T."""
    steps, batch, hidden = states.dims
    query = layers.linear(item, weights, "query", hidden)
    slope = weights.uniform("query.prelu", (hidden,), 0.1, 0.3)
    query = odla.prelu(query, slope)
    query = odla.broadcast(odla.reshape(query, (1, batch, hidden)), (steps, batch, hidden))
    x = layers.concat(
        [query, states, odla.sub(query, states), odla.mul(query, states)], "pairs", axis=2
    )
    x = odla.reshape(x, (steps * batch, 4 * hidden))
    for place, units in enumerate(config.attention, 1):
        x = odla.sigmoid(layers.linear(x, weights, f"att{place}", units))
    scores = odla.reshape(layers.linear(x, weights, "att3", 1), (steps, batch))
    is_real = odla.equal(odla.transpose(mask, (1, 0)), 1.0)
    return odla.softmax(odla.select(is_real, scores, MASKED), axis=0, id="shares")


def evolution(states: Value, shares: Value, mask: Value, weights: Weights, config: Config) -> Value:
    """The last state of a GRU whose update gate is u * (1 - share), [N,H]."""
    steps, batch, hidden = states.dims
    w, r, b = cells.gru_weights(weights, "gru2", hidden, hidden)
    flat = odla.reshape(states, (steps * batch, hidden))
    given = odla.reshape(odla.gemm(flat, B=w.T, C=b, id="gru2.inputs"), (steps, batch, 3 * hidden))
    gates, candidate = r[: 2 * hidden].T, r[2 * hidden :].T
    left = odla.reshape(odla.sub(1.0, shares), (steps, batch, 1))
    is_real = odla.reshape(odla.equal(odla.transpose(mask, (1, 0)), 1.0), (steps, batch, 1))

    def at(rows: Value, step: Value) -> Value:
        return odla.reshape(odla.gather(rows, step, axis=0), rows.dims[1:])

    with odla.loop(steps, id="gru2") as loop:
        step = loop.variable(np.zeros((1,), np.int32))
        state = loop.variable(np.zeros((batch, hidden), np.float32))
        x = at(given, step)
        both = odla.add(odla.slice(x, (0, 0), (batch, 2 * hidden)), odla.gemm(state, B=gates))
        both = odla.sigmoid(both)
        update = odla.mul(odla.slice(both, (0, 0), (batch, hidden)), at(left, step))
        reset = odla.slice(both, (0, hidden), (batch, 2 * hidden))
        new = odla.slice(x, (0, 2 * hidden), (batch, 3 * hidden))
        new = odla.tanh(odla.add(new, odla.gemm(odla.mul(reset, state), B=candidate)))
        new = odla.add(odla.mul(update, state), odla.mul(odla.sub(1.0, update), new))
        loop.next(step, odla.add(step, np.ones((1,), np.int32)))
        loop.next(state, odla.select(at(is_real, step), new, state))
    return loop.results[1]


def dice(x: Value, weights: Weights, name: str) -> Value:
    """x, or alpha * x, or between: by where x lies in this batch, at inference, too."""
    alpha = weights.normal(f"{name}.alpha", (x.dims[1],), 0.1)
    centred = odla.sub(x, odla.reduce_mean(x, axes=(0,)))
    deviation = odla.sqrt(odla.reduce_mean(odla.mul(centred, centred), axes=(0,)))
    p = odla.sigmoid(odla.div(centred, odla.add(deviation, 1e-9)), id=name)
    return odla.add(odla.mul(odla.mul(odla.sub(1.0, p), x), alpha), odla.mul(p, x))


def readers(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn readers with histories of all lengths, padded with 0."""
    dims = (batch, config.history)
    lengths = generator.integers(1, config.history + 1, batch)
    is_real = np.arange(config.history) < lengths[:, None]
    arrays = {
        "uid": generator.integers(0, config.users, batch),
        "mid": generator.integers(0, config.books, batch),
        "cat": generator.integers(0, config.kinds, batch),
        "mid_his": generator.integers(0, config.books, dims) * is_real,
        "cat_his": generator.integers(0, config.kinds, dims) * is_real,
        "seq_len": lengths,
    }
    inputs = {name: array.astype(np.int32) for name, array in arrays.items()}
    return {**inputs, "mask": is_real.astype(np.float32)}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="dien",
        group="DIEN",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: readers(batch, generator, config),
        batches=(256, 512, 1024),
        items="recommendations",
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=16_509_055,
    macs=3_081_056,
    small=_example(Config(users=50, books=60, kinds=7, history=9), parameters=83_569, macs=322_664),
)
