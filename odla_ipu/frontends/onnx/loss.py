"""Converters of losses, as evaluated without gradients."""

from typing import List, Optional

from ...graph import Value
from ...types import ReductionMode
from .convert import Step, converter

_REDUCTIONS = {
    "none": ReductionMode.NONE,
    "mean": ReductionMode.MEAN,
    "sum": ReductionMode.SUM,
}


@converter("NegativeLogLikelihoodLoss")
def _negative_log_likelihood(
    step: Step, x: Value, labels: Value, weight: Optional[Value] = None
) -> Value:
    return _loss(step, x, labels, weight)


@converter("SoftmaxCrossEntropyLoss")
def _softmax_cross_entropy(
    step: Step, scores: Value, labels: Value, weight: Optional[Value] = None
) -> List[Value]:
    """The loss, and the logarithms of the probabilities that it is the loss of."""
    logarithms = step.op("LogSoftmax", scores, axis=1)
    return [_loss(step, logarithms, labels, weight), logarithms]


def _loss(step: Step, x: Value, labels: Value, weight: Optional[Value]) -> Value:
    """Labels outside of the classes count nothing, as those of ignore_index."""
    reduction = step.get("reduction", "mean")
    if reduction not in _REDUCTIONS:
        raise step.error(f"reduction is '{reduction}'; accepted: {', '.join(_REDUCTIONS)}")
    return step.op(
        "NegativeLogLikeliHoodLoss",
        x,
        labels,
        weight,
        ignored=step.get("ignore_index", -1),
        reduction=_REDUCTIONS[reduction],
    )
