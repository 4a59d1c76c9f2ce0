"""BERT-Base multilingual cased of BERT_Google: how two sentences relate (MNLI, 3 classes)."""

from typing import Dict, List, Mapping, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation

from .common import bert, wordpiece
from .common.example import Example
from .common.weights import Weights

BASE = bert.Config(
    layers=12, hidden=768, heads=12, intermediate=3072, vocabulary=119547, length=128
)
SMALL = bert.Config(layers=2, hidden=64, heads=4, intermediate=128, vocabulary=1000, length=32)

CLASSES = ("contradiction", "entailment", "neutral")


def network(batch: int, weights: Weights, config: bert.Config) -> Computation:
    """The logits of the classes [N,3] and their probabilities, by the first token's state."""
    with Computation("bert_base") as computation:
        x = bert.encoder(batch, weights, config)
        x = odla.reshape(x, (batch, config.length, config.hidden))
        first = odla.slice(x, (0, 0, 0), (batch, 1, config.hidden))
        first = odla.reshape(first, (batch, config.hidden))
        pooled = odla.tanh(bert.linear(first, weights, "pooler.dense", config.hidden))
        logits = bert.linear(pooled, weights, "classifier", len(CLASSES))
        odla.output(logits, "logits")
        odla.output(odla.softmax(logits, axis=-1), "probabilities")
    return computation


def features(
    sentences: List[Tuple[str, str]], vocabulary: Mapping[str, int], length: int = BASE.length
) -> Dict[str, np.ndarray]:
    """Inputs for pairs of sentences; the longer one of a pair is cut until both fit."""
    marks = vocabulary["[CLS]"], vocabulary["[SEP]"]
    rows = []
    for pair in sentences:
        first, second = (wordpiece.tokenize(text, vocabulary, lower=False) for text in pair)
        while len(first) + len(second) > length - 3:
            (first if len(first) > len(second) else second).pop()
        rows.append(wordpiece.pairs(first, second, length, length, marks)[0])
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def classes(outputs: Mapping[str, np.ndarray]) -> List[str]:
    """The likeliest class of each pair."""
    return [CLASSES[place] for place in outputs["logits"].argmax(1)]


def _example(config: bert.Config, **more: object) -> Example:
    return Example(
        name="bert_base",
        group="BERT_Google",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: bert.random_inputs(batch, generator, config),
        batches=(8,),  # the original's script says 64, which its program never sees
        items="sentences",
        finish=classes,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    BASE,
    parameters=177_855_747,
    macs=11_174_217_984,
    small=_example(SMALL, parameters=168_323, macs=2_363_584),
)
