"""TfIdf in numpy."""

from typing import Any, Optional, Tuple

import numpy as np

from odla_ipu.types import TfIdfMode


def run(
    op: Any,
    input: np.ndarray,
    pool: np.ndarray,
    places: np.ndarray,
    weights: Optional[np.ndarray] = None,
) -> np.ndarray:
    counts = np.zeros(op.outputs[0].dims, np.float32)
    first = 0
    for length, (start, end) in enumerate(zip(op.starts, [*op.starts[1:], len(pool)]), 1):
        grams = pool[start:end].reshape(-1, length)
        columns = places[first : first + len(grams)]
        first += len(grams)
        if op.shortest <= length <= op.longest and len(grams):
            for step in range(1, op.skips + 2 if length > 1 else 2):
                _count(counts, input, grams, columns, step)
    if op.mode is TfIdfMode.TF:
        return counts
    if op.mode is TfIdfMode.IDF:
        counts = (counts > 0).astype(np.float32)
    return counts if weights is None else np.where(counts > 0, counts * weights, 0)


def _count(
    counts: np.ndarray, input: np.ndarray, grams: np.ndarray, columns: np.ndarray, step: int
) -> None:
    """Add where words ``step`` apart are one of the grams, which all have one length."""
    windows = input.shape[1] - step * (grams.shape[1] - 1)
    if windows < 1:
        return
    words = [input[:, step * i : step * i + windows].reshape(-1) for i in range(grams.shape[1])]
    wanted, found = _codes(grams, np.stack(words, 1))
    order = np.argsort(wanted, kind="stable")
    low = np.searchsorted(wanted[order], found, "left")
    high = np.searchsorted(wanted[order], found, "right")
    rows = np.arange(len(found)) // windows
    for extra in range(int((high - low).max(initial=0))):  # the same gram again, which is rare
        is_found = low + extra < high
        np.add.at(counts, (rows[is_found], columns[order[(low + extra)[is_found]]]), 1)


def _codes(grams: np.ndarray, windows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """One number for each row of both, equal for equal rows."""
    rows = np.concatenate([grams, windows]).astype(np.int64)
    codes = np.zeros(len(rows), np.int64)
    for column in rows.T:
        _, codes = np.unique(codes * 2**32 + column, return_inverse=True)
    return codes[: len(grams)], codes[len(grams) :]
