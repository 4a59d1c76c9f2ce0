"""Connectionist temporal classification on the host: the loss and the beam search."""

from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .emitter import rounded16
from .hosting import hosted, output_infos

if TYPE_CHECKING:
    from ..ir import Op
    from .translation import Settings

Arrays = Sequence[Optional[np.ndarray]]


def _store(target: np.ndarray, values: np.ndarray, rounding: str) -> None:
    target[...] = rounded16(values, rounding) if target.dtype == np.float16 else values


def _lengths(given: np.ndarray, most: int, what: str) -> np.ndarray:
    """Raises ValueError for a length out of range."""
    lengths = given.astype(np.int64)
    if lengths.size and not 0 <= lengths.min() <= lengths.max() <= most:
        raise ValueError(f"{what} lengths {lengths.tolist()} must be 0 to {most}")
    return lengths


@hosted("Ctc")
class _Loss:
    """The loss of each sample by the forward recursion, vectorised over samples and labels.

    The second output is the gradient of each sample's loss, as if the log-probabilities came from
    a LogSoftmax; it is computed where something reads it.
    """

    def __init__(self, op: "Op", settings: "Settings"):
        self.outputs = output_infos(op)
        self._rounding = settings.rounding
        self._blank = op.attributes.get("blank", 0)
        self._reduction = op.attributes.get("reduction", "Mean")
        self._zero_infinity = bool(op.attributes.get("zeroInfinity", 0))
        gradient = op.outputs[1]
        self._wants_gradient = gradient is not None and gradient.used

    def run(self, inputs: Arrays, outputs: Sequence[np.ndarray]) -> None:
        given, targets, steps, counts = inputs
        assert given is not None
        assert targets is not None
        assert steps is not None
        assert counts is not None
        log_probs = given.astype(np.float64)
        steps = _lengths(steps, log_probs.shape[0], "input")
        counts = _lengths(counts, targets.shape[1], "target")
        labels = _extended(targets, counts, self._blank, log_probs.shape[2])
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            forward, losses = _forward(log_probs, labels, steps, counts, self._blank)
            if self._wants_gradient:
                gradient = _gradient(log_probs, labels, forward, losses, steps, counts, self._blank)
                if self._zero_infinity:
                    gradient[:, np.isinf(losses)] = 0
                _store(outputs[1], gradient, self._rounding)
            if self._zero_infinity:
                losses = np.where(np.isinf(losses), 0, losses)
            _store(outputs[0], self._reduced(losses, counts), self._rounding)

    def _reduced(self, losses: np.ndarray, counts: np.ndarray) -> np.ndarray:
        if self._reduction == "Sum":
            return losses.sum()
        if self._reduction == "Mean":
            return (losses / np.maximum(counts, 1)).mean()
        return losses


def _extended(targets: np.ndarray, counts: np.ndarray, blank: int, classes: int) -> np.ndarray:
    """Labels with a blank before, between and after them, [N, 2 S + 1].

    Raises ValueError for a label that is no class.
    """
    samples, most = targets.shape
    used = np.arange(most) < counts[:, None]
    found = targets[used].astype(np.int64)
    if found.size and not 0 <= found.min() <= found.max() < classes:
        raise ValueError(f"targets must be 0 to {classes - 1}, not {found.min()} to {found.max()}")
    labels = np.full((samples, 2 * most + 1), blank, np.int64)
    labels[:, 1::2][used] = found
    return labels


def _emissions(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log-probability of each extended label at each step, [T, N, 2 S + 1]."""
    index = np.broadcast_to(labels, (log_probs.shape[0], *labels.shape))
    return np.take_along_axis(log_probs, index, 2)


def _skips(labels: np.ndarray, blank: int) -> np.ndarray:
    """Where a path may come from two labels before: 0, else minus infinity."""
    skips = np.full(labels.shape, -np.inf)
    allowed = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    skips[:, 2:][allowed] = 0
    return skips


def _shifted(values: np.ndarray, places: int) -> np.ndarray:
    """The columns moved to the right, minus infinity from the left."""
    result = np.full(values.shape, -np.inf)
    result[:, places:] = values[:, : values.shape[1] - places]
    return result


def _forward(
    log_probs: np.ndarray, labels: np.ndarray, steps: np.ndarray, counts: np.ndarray, blank: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Log-probability of all beginnings that end at a label, by step, and the losses."""
    emitted = _emissions(log_probs, labels)
    skips = _skips(labels, blank)
    forward = np.full(emitted.shape, -np.inf)
    state = np.full(labels.shape, -np.inf)
    last = np.where(counts == 0, 0.0, -np.inf)
    for step in range(len(emitted)):
        if step == 0:
            arrived = np.full(labels.shape, -np.inf)
            arrived[:, :2] = 0
        else:
            before = np.logaddexp(state, _shifted(state, 1))
            arrived = np.logaddexp(before, _shifted(state, 2) + skips)
        state = forward[step] = arrived + emitted[step]
        ends = np.where(counts > 0, _picked(state, 2 * counts - 1), -np.inf)
        ends = np.logaddexp(_picked(state, 2 * counts), ends)
        last = np.where(steps == step + 1, ends, last)
    return forward, np.where(last == -np.inf, np.inf, -last)


def _picked(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, np.maximum(columns, 0)[:, None], 1)[:, 0]


def _gradient(
    log_probs: np.ndarray,
    labels: np.ndarray,
    forward: np.ndarray,
    losses: np.ndarray,
    steps: np.ndarray,
    counts: np.ndarray,
    blank: int,
) -> np.ndarray:
    """Probability of a class less its share of the paths; zero after a sample's last step."""
    emitted = _emissions(log_probs, labels)
    skips = _skips(labels, blank)
    gradient = np.zeros(log_probs.shape)
    samples = np.arange(len(labels))
    places = np.arange(labels.shape[1])
    ends = (places == 2 * counts[:, None]) | (places == 2 * counts[:, None] - 1)
    state = np.full(labels.shape, -np.inf)
    for step in range(len(emitted) - 1, -1, -1):
        ahead = state[:, ::-1]
        skipping = (state + skips)[:, ::-1]
        left = np.logaddexp(np.logaddexp(ahead, _shifted(ahead, 1)), _shifted(skipping, 2))
        left = left[:, ::-1]
        left = np.where((steps == step + 1)[:, None], np.where(ends, 0.0, -np.inf), left)
        shares = np.exp(forward[step] + left + losses[:, None])
        running = step < steps
        row = np.where(running[:, None], np.exp(log_probs[step]), 0)
        np.subtract.at(row, (samples[:, None], labels), np.where(running[:, None], shares, 0))
        gradient[step] = row
        state = left + emitted[step]
    return gradient


@hosted("CtcBeamSearchDecoder")
class _BeamSearch:
    """Prefix beam search, sample by sample, vectorised over beams and classes.

    Paths that do not exist have length 0 and probability 0.
    """

    def __init__(self, op: "Op", settings: "Settings"):
        self.outputs = output_infos(op)
        self._rounding = settings.rounding
        self._blank = op.attributes.get("blank", 0)
        self._width = op.attributes.get("beam_width", 100)

    def run(self, inputs: Arrays, outputs: Sequence[np.ndarray]) -> None:
        given, counts = inputs
        assert given is not None
        assert counts is not None
        steps = _lengths(counts, given.shape[0], "data")
        scores, lengths, decoded = outputs
        lengths[...] = 0
        decoded[...] = 0
        found = np.full(scores.shape, -np.inf)
        with np.errstate(invalid="ignore", over="ignore"):
            for sample, count in enumerate(steps):
                log_probs = given[:count, sample].astype(np.float64)
                beams = _search(log_probs, self._blank, self._width)
                for path, (score, labels) in enumerate(beams[: scores.shape[1]]):
                    found[sample, path] = score
                    lengths[sample, path] = len(labels)
                    decoded[sample, path, : len(labels)] = labels
            _store(scores, found, self._rounding)


class _Prefixes:
    """Label sequences as numbers: that of a sequence's beginning, and its last label."""

    def __init__(self) -> None:
        self.beginnings = [-1]
        self.last = [-1]
        self._numbers: Dict[Tuple[int, int], int] = {}

    def extended(self, prefix: int, label: int) -> int:
        key = (prefix, label)
        if key not in self._numbers:
            self._numbers[key] = len(self.last)
            self.beginnings.append(prefix)
            self.last.append(label)
        return self._numbers[key]

    def labels(self, prefix: int) -> List[int]:
        found = []
        while prefix:
            found.append(self.last[prefix])
            prefix = self.beginnings[prefix]
        return found[::-1]


def _search(log_probs: np.ndarray, blank: int, width: int) -> List[Tuple[float, List[int]]]:
    """Log-probability and labels of the best sequences, best first."""
    prefixes = _Prefixes()
    beams = [0]
    # Log-probabilities of the paths of each beam that end with a blank, and of the others.
    blanks, others = np.zeros(1), np.full(1, -np.inf)
    classes = log_probs.shape[1]
    for row in log_probs:
        last = np.array([prefixes.last[beam] for beam in beams], np.int64)
        total = np.logaddexp(blanks, others)
        # A label again extends the sequence only after a blank.
        extended = total[:, None] + row
        again = np.flatnonzero(last >= 0)
        extended[again, last[again]] = blanks[again] + row[last[again]]
        extended[:, blank] = -np.inf
        stays = np.where(last >= 0, others + row[last], -np.inf)
        places = {beam: place for place, beam in enumerate(beams)}
        for place, beam in enumerate(beams):
            source = places.get(prefixes.beginnings[beam])
            if source is not None:
                stays[place] = np.logaddexp(stays[place], extended[source, last[place]])
                extended[source, last[place]] = -np.inf
        blanks = total + row[blank]
        scores = np.concatenate([np.logaddexp(blanks, stays), extended.reshape(-1)])
        best = _best(scores, width)
        old = len(beams)
        blanks = np.append(blanks, -np.inf)[np.minimum(best, old)]
        others = np.concatenate([stays, extended.reshape(-1)])[best]
        beams = [
            beams[place]
            if place < old
            else prefixes.extended(beams[(place - old) // classes], (place - old) % classes)
            for place in best.tolist()
        ]
    totals = np.logaddexp(blanks, others)
    order = np.argsort(-totals, kind="stable")
    return [(float(totals[i]), prefixes.labels(beams[i])) for i in order]


def _best(scores: np.ndarray, width: int) -> np.ndarray:
    """Places of the highest scores above minus infinity, at most ``width``."""
    places = np.flatnonzero(scores > -np.inf)
    if len(places) > width:
        places = places[np.argpartition(-scores[places], width - 1)[:width]]
    return places
