"""Samples of counting n-grams."""

import numpy as np

from . import Sample

_POOL = np.int64([2, 3, 5, 4, 5, 6, 7, 8, 6, 7, 2, 3, 5])
"""1-grams 2, 3, 5, 4; 2-grams 5 6, 7 8, 6 7; one 3-gram 2 3 5."""
_STARTS = np.int64([0, 4, 10])
_COLUMNS = np.int64([0, 1, 2, 3, 4, 5, 6, 7])
_SHUFFLED = np.int64([6, 1, 9, 0, 4, 5, 2, 8])
_WEIGHTS = np.float32([0.5, 2, 3, -1, 1.5, 0.25, 4, 5])
_TEXT = np.int32([[1, 1, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8], [2, 3, 5, 6, 7, 8]])


def _sample(x, lengths, skip=0, mode="tf", columns=_COLUMNS, weights=None, kind="int64"):
    return Sample(
        "tf_idf_vectorize",
        (x, _POOL.astype(kind), _STARTS.astype(kind), columns.astype(kind), weights),
        {
            "min_gram_length": lengths[0],
            "max_gram_length": lengths[1],
            "max_skip_count": skip,
            "mode": mode,
        },
        constants=(1, 2, 3) if weights is None else (1, 2, 3, 4),
    )


SAMPLES = [
    _sample(_TEXT, lengths, skip, mode, columns, weights)
    for lengths, skip in [((1, 1), 0), ((2, 2), 0), ((2, 2), 5), ((1, 3), 1), ((3, 3), 9)]
    for mode in ("tf", "idf", "tfidf")
    for columns, weights in [(_COLUMNS, None), (_SHUFFLED, _WEIGHTS)]
]
SAMPLES += [
    _sample(_TEXT.reshape(-1), (1, 2), 1),
    _sample(_TEXT.astype("int64"), (1, 2), 1, "tfidf", weights=_WEIGHTS),
    _sample(_TEXT, (1, 2), 1, "idf", kind="int32"),
    _sample(_TEXT, (1, 2), 1, "idf", weights=_WEIGHTS.astype("float16")),
    _sample(_TEXT, (1, 2), columns=np.int64([0, 0, 1, 1, 2, 2, 2, 3])),
    _sample(_TEXT[:1, :2], (1, 3), 3),
    _sample(_TEXT[:0], (1, 3)),
    _sample(_TEXT[:, :0], (1, 3)),
]
