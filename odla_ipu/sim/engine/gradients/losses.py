"""The losses of ai.graphcore."""

from typing import List

import numpy as np

from ..emitter import GRAPHCORE
from ..reductions import MEAN, NO_REDUCTION, reduction_of
from .rules import Backward, gradient


@gradient("IdentityLoss", domain=GRAPHCORE)
def _identity_loss(b: Backward) -> str:
    return b.expand(_of_each(b), b.dims())


@gradient("L1", domain=GRAPHCORE)
def _l1(b: Backward) -> str:
    return b.mul(b.scaled(_of_each(b), b.attribute("lambda")), b.e("Sign", b.x[0]))


def _of_each(b: Backward) -> str:
    """The gradient of each element's part of the loss."""
    if reduction_of(b.op) != MEAN:
        return b.g[0]
    return b.scaled(b.g[0], 1 / max(int(np.prod(b.dims(), dtype=np.int64)), 1))


SMALLEST = {np.dtype(np.float32): 1e-10, np.dtype(np.float16): 6.104e-5}
"""What probabilities are divided by at least; below the clamp of the loss the gradient goes on."""


@gradient("Nll", domain=GRAPHCORE)
def _nll(b: Backward) -> List[str]:
    dims = b.dims()
    labels = b.as_int64(1)
    column = b.e("Unsqueeze", labels, b.e.ints([-1]))
    hot = b.e("Equal", column, b.e.const(np.arange(dims[-1]), np.int64))
    ignored, kind = b.attribute("ignoreIndex"), reduction_of(b.op)
    counted = ""
    if ignored is not None:
        counted = b.e("Not", b.e("Equal", labels, b.e.const(np.int64(ignored))))
    each = b.g[0]
    if kind == MEAN and not counted:
        each = b.scaled(each, 1 / max(int(np.prod(dims[:-1], dtype=np.int64)), 1))
    elif kind == MEAN:
        count = b.e("ReduceSum", b.e.cast(counted, np.float32), keepdims=0)
        each = b.div(each, b.e("Max", count, b.const(1)))
    each = b.e("Neg", b.expand(each, dims[:-1]) if kind != NO_REDUCTION else each)
    if counted:
        each = b.where(counted, each)
    rows = b.e("Unsqueeze", each, b.e.ints([-1]))
    if not b.attribute("inputIsLogProbability"):
        smallest = SMALLEST[b.op.operand(0).dtype]
        rows = b.div(rows, b.e("Max", b.x[0], b.const(smallest)))
    return [b.where(hot, rows)]


@gradient("Ctc", domain=GRAPHCORE)
def _ctc(b: Backward) -> str:
    """The second result is the gradient of each sample's loss."""
    kind, samples = reduction_of(b.op), b.dims()[1]
    each = b.g[0]
    if kind == MEAN:
        lengths = b.e("Max", b.e.cast(b.x[3], np.float32), b.const(1))
        each = b.div(b.scaled(each, 1 / max(samples, 1)), lengths)
    if each != b.g[0] or kind == NO_REDUCTION:
        each = b.reshape(each, [1, samples, 1])
    return b.mul(b.y[1], each)
