"""Converters of operators on text."""

import numpy as np

from ...graph import Value
from .convert import Step, Unsupported, converter


@converter("TfIdfVectorizer")
def _tf_idf_vectorizer(step: Step, x: Value) -> Value:
    if step.get("pool_strings", None):
        raise Unsupported("pool_strings are not available; number the words on the host")
    weights = step.get("weights", None)
    return step.op(
        "TFIDFVectorize",
        x,
        step.constant(step.get("pool_int64s"), np.int64),
        step.constant(step.get("ngram_counts"), np.int64),
        step.constant(step.get("ngram_indexes"), np.int64),
        step.constant(weights, np.float32) if weights else None,
        min_gram_length=step.get("min_gram_length"),
        max_gram_length=step.get("max_gram_length"),
        max_skip_count=step.get("max_skip_count"),
        mode=step.get("mode"),
    )
