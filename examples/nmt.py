"""NMT: German to English (GNMT, arXiv:1609.08144, with normalised Bahdanau attention)."""

import dataclasses
import math
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import cells
from .common.example import Example
from .common.weights import Weights

UNKNOWN, BEGIN, END = 0, 1, 2
"""Words of the vocabularies."""

IMPOSSIBLE = np.float32(-1e9)
LAYERS = 4


@dataclasses.dataclass(frozen=True)
class Config:
    """A translation has at most twice as many words as ``longest``, the longest source.

    ``beams`` of 1 is the greedy search that the original's scripts run.
    """

    vocabulary: int = 36548
    units: int = 1024
    longest: int = 50
    beams: int = 1
    penalty: float = 1.0

    @property
    def steps(self) -> int:
        return 2 * self.longest


class State(NamedTuple):
    """What the decoder takes from one word to the next: all of [rows, units]."""

    context: Value
    h: Tuple[Value, ...]
    c: Tuple[Value, ...]

    def flat(self) -> List[Value]:
        return [self.context, *self.h, *self.c]

    @classmethod
    def of(cls, values: Sequence[Value]) -> "State":
        return cls(values[0], tuple(values[1 : LAYERS + 1]), tuple(values[LAYERS + 1 :]))


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """INT32 source [T,N], its lengths source_sequence_length [N] -> translations.

    Greedy: words INT32 [2T,N], END from the end on.  With beams: words and parents [2T,N,beams],
    scores [N,beams], best first; :func:`translations` reads both.  The decoder goes on until every
    sentence has ended: ``steps`` INT32 [1] says how long; later rows are 0.
    """
    with Computation("nmt") as computation:
        source = odla.argument("source", (config.longest, batch), "int32")
        lengths = odla.argument("source_sequence_length", (batch,), "int32")
        memory, h, c = encode(source, lengths, weights, config)
        decoder = Decoder(memory, lengths, weights, config)
        if config.beams == 1:
            greedy(decoder, h, c, batch, config)
        else:
            beam_search(decoder, h, c, batch, config)
    return computation


# Reading the source.


def encode(
    source: Value, lengths: Value, weights: Weights, config: Config
) -> Tuple[Value, List[Value], List[Value]]:
    """States of the last layer [T,N,units], and the last h and c [N,units] of four layers.

    The first of these is the backward half of the first layer.
    """
    units, batch = config.units, source.dims[1]
    table = weights.normal("encoder.embedding", (config.vocabulary, units), 0.3)
    x = odla.gather(table, source, axis=0, id="source_words")
    pair = [cells.lstm_weights(weights, f"encoder.{way}", units, units) for way in ("fw", "bw")]
    y, last_h, last_c = _lstm(x, pair, lengths)
    x = odla.reshape(odla.transpose(y, (0, 2, 1, 3)), (config.longest, batch, 2 * units))
    h, c = [_row(last_h, 1)], [_row(last_c, 1)]
    for layer in range(LAYERS - 1):
        w = cells.lstm_weights(weights, f"encoder.uni{layer}", x.dims[2], units)
        y, last_h, last_c = _lstm(x, [w], lengths)
        y = odla.reshape(y, (config.longest, batch, units))
        x = odla.add(x, y) if layer else y
        h.append(_row(last_h, 0))
        c.append(_row(last_c, 0))
    return x, h, c


def _lstm(x: Value, directions: Sequence[cells.CellWeights], lengths: Value) -> Sequence[Value]:
    w, r, b = (np.stack(parts) for parts in zip(*directions))
    return odla.lstm(
        x,
        W=w,
        R=r,
        B=b,
        sequence_lens=lengths,
        direction="bidirectional" if len(directions) == 2 else "forward",
        outputs="hidden_cell_state",
    )


def _row(x: Value, place: int) -> Value:
    _, batch, units = x.dims
    return odla.reshape(odla.slice(x, (place, 0, 0), (place + 1, batch, units)), (batch, units))


# Writing the translation.


class Decoder:
    """One word after another for ``beams`` rows of each sentence, a sentence's rows together."""

    def __init__(self, memory: Value, lengths: Value, weights: Weights, config: Config):
        steps, batch, units = memory.dims
        rows = batch * config.beams
        self.config = config
        self.table = odla.constant(
            weights.normal("decoder.embedding", (config.vocabulary, units), 0.3), "target_words"
        )
        self.output = weights.normal(
            "decoder.output", (units, config.vocabulary), 3 / math.sqrt(units)
        )
        self.layers = [
            cells.lstm_weights(weights, f"decoder.layer{layer}", 2 * units, units)
            for layer in range(LAYERS)
        ]
        # Attention: its memory is 0 where the source has ended.
        deviation = 1 / math.sqrt(units)
        matrix = weights.normal("attention.memory", (units, units), deviation)
        self.query = weights.normal("attention.query", (units, units), deviation)
        v = weights.normal("attention.v", (units,), 1.0)
        g = weights.uniform("attention.g", (), 2.0, 4.0)
        self.bias = weights.normal("attention.b", (units,), 0.1)
        self.v = (g * v / np.sqrt((v * v).sum() or 1)).astype(np.float32).reshape(units, 1)
        places = np.arange(steps, dtype=np.int32)
        is_real = odla.less(places, odla.reshape(lengths, (batch, 1)))
        self.memory = odla.mul(
            odla.transpose(memory, (1, 0, 2)),
            odla.reshape(odla.cast(is_real, "float32"), (batch, steps, 1)),
        )
        flat = odla.reshape(self.memory, (batch * steps, units))
        keys = odla.gemm(flat, B=matrix, id="attention.keys")
        self.keys = odla.reshape(keys, (batch, 1, steps, units))
        self.is_real = odla.reshape(is_real, (batch, 1, steps))
        self.dims = (batch, config.beams, steps, units)
        self.rows = rows

    def start(self, h: Sequence[Value], c: Sequence[Value]) -> List[Value]:
        """The encoder's last states, once for each beam, and a context of 0."""
        batch, beams, _, units = self.dims
        nothing = odla.constant(np.zeros((self.rows, units), np.float32))
        spread = [
            odla.reshape(
                odla.broadcast(odla.reshape(one, (batch, 1, units)), (batch, beams, units)),
                (self.rows, units),
            )
            for one in (*h, *c)
        ]
        return [nothing, *spread]

    def step(self, words: Value, state: State) -> Tuple[Value, State]:
        """Logits [rows, vocabulary] after the last words INT32 [rows], and the next state."""
        x = odla.concat([odla.gather(self.table, words, axis=0), state.context], axis=1)
        h, c = [], []
        context = state.context
        for layer, weights in enumerate(self.layers):
            new_h, new_c = self.cell(x, state.h[layer], state.c[layer], weights)
            h.append(new_h)
            c.append(new_c)
            if layer == 0:
                context = self.attend(new_h)
                y = new_h
            else:
                # The upper two layers add what they are given, but for the context.
                y = odla.add(new_h, y) if layer > 1 else new_h
            x = odla.concat([y, context], axis=1)
        return odla.gemm(y, B=self.output, id="logits"), State(context, tuple(h), tuple(c))

    def cell(self, x: Value, h: Value, c: Value, weights: cells.CellWeights) -> Tuple[Value, Value]:
        """One step of an LSTM: h and c."""
        w, r, b = weights
        units = self.config.units
        total = odla.gemm(odla.concat([x, h], axis=1), B=np.concatenate([w, r], axis=1).T, C=b)
        i, o, f, new = (
            odla.slice(total, (0, gate * units), (self.rows, (gate + 1) * units))
            for gate in range(4)
        )
        kept = odla.mul(odla.sigmoid(f), c)
        c = odla.add(kept, odla.mul(odla.sigmoid(i), odla.tanh(new)))
        return odla.mul(odla.sigmoid(o), odla.tanh(c)), c

    def attend(self, h: Value) -> Value:
        """The mean of the memory, weighted by g v / |v| . tanh(keys + query + b)."""
        batch, beams, steps, units = self.dims
        query = odla.gemm(h, B=self.query, C=self.bias, id="attention.query")
        total = odla.add(self.keys, odla.reshape(query, (batch, beams, 1, units)))
        flat = odla.reshape(odla.tanh(total), (batch * beams * steps, units))
        scores = odla.reshape(odla.gemm(flat, B=self.v), (batch, beams, steps))
        scores = odla.select(self.is_real, scores, IMPOSSIBLE)
        shares = odla.softmax(scores, axis=-1, id="attention.shares")
        return odla.reshape(odla.batch_matmul(shares, self.memory), (self.rows, units))


def greedy(
    decoder: Decoder, h: Sequence[Value], c: Sequence[Value], batch: int, config: Config
) -> None:
    """The likeliest word each time."""
    one, start = np.ones((1,), np.int32), decoder.start(h, c)
    with odla.loop(config.steps, id="decoder") as loop:
        count = loop.variable(np.zeros((1,), np.int32))
        words = loop.variable(np.full((batch,), BEGIN, np.int32))
        has_ended = loop.variable(np.zeros((batch,), bool))
        state = [loop.variable(value) for value in start]
        logits, after = decoder.step(words, State.of(state))
        best = odla.arg_max(logits, axis=1, keep_dims=False, output_value_type="int32")
        best = odla.select(has_ended, np.int32(END), best)
        ended = odla.equal(best, np.int32(END))
        loop.next(count, odla.add(count, one))
        loop.next(words, best, "fwd_after")
        loop.next(has_ended, ended)
        for value, new in zip(state, after.flat()):
            loop.next(value, new)
        loop.proceed(_any_goes_on(ended))
    odla.output(loop.results[-1], "words")
    odla.output(loop.results[0], "steps")


def beam_search(
    decoder: Decoder, h: Sequence[Value], c: Sequence[Value], batch: int, config: Config
) -> None:
    """The likeliest beginnings, ranked by log probability over ((5 + words) / 6) ^ penalty.

    A beginning that has ended stays as it is, and competes with the others.
    """
    beams, size = config.beams, config.vocabulary
    first = np.full((batch, beams), IMPOSSIBLE)
    first[:, 0] = 0  # all begin alike: one of them counts
    ends = np.full((size,), IMPOSSIBLE)
    ends[END] = 0
    is_word = np.ones((size,), np.int32)
    is_word[END] = 0
    starts = (np.arange(batch, dtype=np.int32) * beams)[:, None]
    one, start = np.ones((1,), np.int32), decoder.start(h, c)
    with odla.loop(config.steps, id="decoder") as loop:
        count = loop.variable(np.zeros((1,), np.int32))
        words = loop.variable(np.full((batch, beams), BEGIN, np.int32))
        parents = loop.variable(np.zeros((batch, beams), np.int32))
        scores = loop.variable(np.zeros((batch, beams), np.float32))
        logs = loop.variable(first)
        lengths = loop.variable(np.zeros((batch, beams), np.int32))
        has_ended = loop.variable(np.zeros((batch, beams), bool))
        state = [loop.variable(value) for value in start]

        flat = odla.reshape(words, (batch * beams,))
        logits, after = decoder.step(flat, State.of(state))
        new = odla.reshape(odla.log_softmax(logits, axis=-1), (batch, beams, size))
        column = odla.reshape(has_ended, (batch, beams, 1))
        total = odla.add(odla.reshape(logs, (batch, beams, 1)), odla.select(column, ends, new))
        longer = odla.add(
            odla.reshape(lengths, (batch, beams, 1)),
            odla.select(column, np.int32(0), is_word),
        )
        measure = odla.div(odla.add(odla.cast(longer, "float32"), 5.0), 6.0)
        ranks = odla.div(total, odla.pow(measure, np.float32(config.penalty)))
        best, places = odla.top_k(
            odla.reshape(ranks, (batch, beams * size)), K=beams, output_value_index_type="int32"
        )
        parent = odla.div(places, np.int32(size))
        word = odla.sub(places, odla.mul(parent, np.int32(size)))

        def chosen(value: Value, width: int) -> Value:
            rows = odla.reshape(value, (batch, beams * width))
            return odla.gather_elements(rows, places if width > 1 else parent, axis=1)

        ended = odla.or_(chosen(has_ended, 1), odla.equal(word, np.int32(END)))
        loop.next(count, odla.add(count, one))
        loop.next(words, word, "fwd_after")
        loop.next(parents, parent, "fwd_after")
        loop.next(scores, best)
        loop.next(logs, chosen(total, size))
        loop.next(lengths, chosen(longer, size))
        loop.next(has_ended, ended)
        rows = odla.reshape(odla.add(parent, starts), (batch * beams,))
        for value, latest in zip(state, after.flat()):
            loop.next(value, odla.gather(latest, rows, axis=0))
        loop.proceed(_any_goes_on(ended))
    odla.output(loop.results[-2], "words")
    odla.output(loop.results[-1], "parents")
    odla.output(loop.results[3], "scores")
    odla.output(loop.results[0], "steps")


def _any_goes_on(has_ended: Value) -> Value:
    """BOOL [1]."""
    left = odla.cast(odla.not_(has_ended), "float32")
    most = odla.reduce_max(left, axes=tuple(range(left.rank)), keep_dims=False)
    return odla.greater(odla.reshape(most, (1,)), 0.5)


# The host's part.


def sources(
    sentences: Sequence[Sequence[int]], longest: int = Config.longest
) -> Dict[str, np.ndarray]:
    """Inputs for sentences of word numbers, cut to the longest that the network takes."""
    ids = np.full((longest, len(sentences)), END, np.int32)
    for column, sentence in enumerate(sentences):
        part = sentence[:longest]
        ids[: len(part), column] = part
    lengths = [min(len(sentence), longest) for sentence in sentences]
    return {"source": ids, "source_sequence_length": np.array(lengths, np.int32)}


def translations(outputs: Mapping[str, np.ndarray]) -> List[List[int]]:
    """The words of the best translation of each sentence, without END."""
    words = outputs["words"][: int(outputs["steps"][0])]
    if "parents" in outputs:
        words = _traced(words, outputs["parents"])
    result = []
    for column in words.T.tolist():
        result.append(column[: column.index(END)] if END in column else column)
    return result


def _traced(words: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """The words [steps,N] that led to the first beam."""
    steps, batch, _ = words.shape
    found = np.empty((steps, batch), words.dtype)
    sentence, beam = np.arange(batch), np.zeros(batch, np.int64)
    for step in reversed(range(steps)):
        found[step] = words[step, sentence, beam]
        beam = parents[step, sentence, beam]
    return found


def random_sources(
    batch: int, generator: np.random.Generator, config: Config
) -> Dict[str, np.ndarray]:
    """Sentences of drawn words and lengths."""
    lengths = generator.integers(max(config.longest // 2, 1), config.longest + 1, batch)
    sentences = [generator.integers(3, config.vocabulary, length).tolist() for length in lengths]
    return sources(sentences, config.longest)


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="nmt",
        group="NMT",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: random_sources(batch, generator, config),
        batches=(64, 128, 256),
        items="sentences",
        finish=translations,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=210_880_513,
    macs=11_250_073_600,
    small=_example(Config(vocabulary=120, units=16, longest=6), parameters=30_433, macs=244_992),
)
