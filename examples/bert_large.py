"""BERT-Large uncased of BERT_Tensorflow: where in a text the answer is (SQuAD 1.1)."""

from typing import Dict, List, Mapping, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation

from .common import bert, wordpiece
from .common.example import Example
from .common.weights import Weights

LARGE = bert.Config(
    layers=24, hidden=1024, heads=16, intermediate=4096, vocabulary=30522, length=384
)
SMALL = bert.Config(layers=2, hidden=64, heads=4, intermediate=128, vocabulary=1000, length=32)

STRIDE = 128
"""Windows on a long text begin so many tokens apart."""

LONGEST_ANSWER = 30


def network(batch: int, weights: Weights, config: bert.Config) -> Computation:
    """The scores of each token to begin and to end the answer: start_logits, end_logits [N,T]."""
    with Computation("bert_large") as computation:
        x = bert.encoder(batch, weights, config)
        logits = bert.linear(x, weights, "qa_outputs", 2)
        logits = odla.transpose(odla.reshape(logits, (batch, config.length, 2)), (2, 0, 1))
        for place, name in enumerate(("start_logits", "end_logits")):
            row = odla.slice(logits, (place, 0, 0), (place + 1, batch, config.length))
            odla.output(odla.reshape(row, (batch, config.length)), name)
    return computation


def features(
    question: str, context: str, vocabulary: Mapping[str, int], length: int = LARGE.length
) -> Tuple[Dict[str, np.ndarray], List[int]]:
    """Inputs for a question about a text, a row for each window, and where windows begin in it."""
    marks = vocabulary["[CLS]"], vocabulary["[SEP]"]
    asked, told = (wordpiece.tokenize(text, vocabulary) for text in (question, context))
    return wordpiece.pairs(asked, told, length, STRIDE, marks)


def answers(
    outputs: Mapping[str, np.ndarray], longest: int = LONGEST_ANSWER
) -> List[Tuple[int, int, float]]:
    """Of each row the first and last token of the best answer, and the sum of their scores.

    An answer has 1 to ``longest`` tokens.
    """
    first, last = outputs["start_logits"], outputs["end_logits"]
    length = first.shape[1]
    scores = first[:, :, None] + last[:, None, :]
    reach = np.arange(length) - np.arange(length)[:, None]
    scores = np.where((reach >= 0) & (reach < longest), scores, -np.inf)
    best = scores.reshape(len(first), -1).argmax(1)
    return [
        (int(place) // length, int(place) % length, float(row.flat[place]))
        for place, row in zip(best, scores)
    ]


def _example(config: bert.Config, **more: object) -> Example:
    return Example(
        name="bert_large",
        group="BERT_Tensorflow",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: bert.random_inputs(batch, generator, config),
        batches=(1, 2),
        items="sentences",
        finish=answers,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    LARGE,
    parameters=334_094_338,
    macs=123_212_660_736,
    small=_example(SMALL, parameters=164_098, macs=2_363_392),
)
