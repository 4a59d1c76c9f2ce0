"""CtcGreedyDecode in numpy."""

from typing import Any, Optional, Tuple

import numpy as np


def run(
    op: Any, logits: np.ndarray, lengths: Optional[np.ndarray] = None
) -> Tuple[np.ndarray, np.ndarray]:
    steps, batch, classes = logits.shape
    best = logits.argmax(2).T
    is_kept = best != (classes - 1 if op.blank < 0 else op.blank)
    if op.merge_repeated:
        is_kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    if lengths is not None:
        is_kept &= np.arange(steps) < lengths[:, None]
    counts = is_kept.sum(1)
    labels = np.full((batch, steps), -1, np.int32)
    labels[np.arange(steps) < counts[:, None]] = best[is_kept]
    return labels, counts.astype(np.int32)
