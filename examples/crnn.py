"""CRNN: the word in a small image (arXiv:1507.05717, MJSynth, 36 letters and digits)."""

import dataclasses
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import cells, layers
from .common.example import Example
from .common.weights import Weights

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
BLANK = len(LETTERS)
EPSILON = 1e-3
HEIGHT = 32


@dataclasses.dataclass(frozen=True)
class Config:
    channels: Tuple[int, ...] = (64, 128, 256, 256, 512, 512, 512)
    hidden: int = 256
    width: int = 100


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """Images [N,32,W,3] of 0..255 -> logits [T,N,37], T = W/4; and what they spell.

    labels INT32 [N,T], -1 after the last one, and their numbers [N]: the likeliest of each step,
    which is what the original's beam of width 1 finds but for ties between paths.
    """
    with Computation("crnn") as computation:
        images = odla.argument("Images", (batch, HEIGHT, config.width, 3))
        x = odla.mul(odla.transpose(images, (0, 3, 1, 2)), 1 / 255, id="scaled")
        x = columns(x, weights, config.channels)
        x = odla.transpose(odla.squeeze(x, axes=(2,)), (2, 0, 1), id="time_major")
        for layer in range(2):
            x = cells.bidirectional_lstm(x, weights, f"lstm{layer}", config.hidden)
        steps, _, size = x.dims
        x = odla.reshape(x, (steps * batch, size))
        x = layers.linear(x, weights, "logits", BLANK + 1, bias=False)
        logits = odla.reshape(x, (steps, batch, BLANK + 1))
        labels, lengths = odla.custom_op("CtcGreedyDecode", [logits], blank=BLANK)
        odla.output(logits, "logits")
        odla.output(labels, "labels")
        odla.output(lengths, "lengths")
    return computation


def columns(x: Value, weights: Weights, channels: Sequence[int]) -> Value:
    """Features of each column, [N,512,1,W/4]."""
    for place, (filters, bias) in enumerate(zip(channels[:6], (True, True, *[False] * 4)), 1):
        x = layers.conv(x, weights, f"conv{place}", filters, 3, padding=1, bias=bias)
        x = layers.bn_relu(x, weights, f"conv{place}.bn", EPSILON)
        if place in (1, 2):
            x = layers.max_pool(x, f"pool{place}", 2, 2, 0)
        elif place in (4, 6):
            x = layers.max_pool(x, f"pool{place}", (2, 1), (2, 1), 0)
    return layers.conv_bn_relu(x, weights, "conv7", channels[6], 2, (2, 1), "SAME", EPSILON)


def words(outputs: Mapping[str, np.ndarray]) -> List[str]:
    """What the labels of each image spell."""
    rows = zip(outputs["labels"], outputs["lengths"])
    return ["".join(LETTERS[place] for place in row[:length]) for row, length in rows]


def beam_search(logits: np.ndarray, width: int) -> List[str]:
    """The likeliest word of each of logits [T,N,37], over all paths that spell it.

    ``width`` beginnings of words are kept after each step.
    """
    shifted = logits - logits.max(2, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(2, keepdims=True))
    return [_best(logs[:, place], width) for place in range(logits.shape[1])]


def _best(logs: np.ndarray, width: int) -> str:
    # Of each beginning the log probability of the paths that end in a blank, and of the others.
    beams: Dict[Tuple[int, ...], np.ndarray] = {(): np.array([0.0, -np.inf])}
    for step in logs.astype(np.float64):
        found: Dict[Tuple[int, ...], np.ndarray] = {}

        def reach(word: Tuple[int, ...], ending: int, log: float, found: dict = found) -> None:
            pair = found.setdefault(word, np.array([-np.inf, -np.inf]))
            pair[ending] = np.logaddexp(pair[ending], log)

        for word, (blank, letter) in beams.items():
            either = np.logaddexp(blank, letter)
            reach(word, 0, either + step[BLANK])
            if word:
                reach(word, 1, letter + step[word[-1]])
            for place in range(BLANK):
                # A letter twice needs a blank between.
                before = blank if word[-1:] == (place,) else either
                reach((*word, place), 1, before + step[place])
        best = sorted(found, key=lambda word: -np.logaddexp(*found[word]))[:width]
        beams = {word: found[word] for word in best}
    return "".join(
        LETTERS[place] for place in max(beams, key=lambda word: np.logaddexp(*beams[word]))
    )


def images(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    pixels = generator.integers(0, 256, (batch, HEIGHT, config.width, 3))
    return {"Images": pixels.astype(np.float32)}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="crnn",
        group="CRNN",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: images(batch, generator, config),
        batches=(128, 256, 512),
        finish=words,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=8_721_152,
    macs=700_684_800,
    small=_example(Config((4, 8, 16, 16, 32, 32, 32), 16, 40), parameters=35_792, macs=1_235_520),
)
