"""Independent reference of counting n-grams."""

import numpy as np


def tf_idf_vectorize(
    x,
    pool,
    gram_counts,
    output_indices,
    weights,
    min_gram_length,
    max_gram_length,
    max_skip_count,
    mode,
):
    grams, bounds = [], [*gram_counts.tolist(), len(pool)]
    for length in range(1, len(bounds)):
        part = pool[bounds[length - 1] : bounds[length]].tolist()
        grams += [tuple(part[i : i + length]) for i in range(0, len(part), length)]
    rows = x.reshape(-1, x.shape[-1]).tolist() if x.size else [[]] * x.shape[0]
    counts = np.zeros((len(rows), max(output_indices) + 1))
    for row, words in enumerate(rows):
        for gram, column in zip(grams, output_indices):
            length = len(gram)
            if not min_gram_length <= length <= max_gram_length:
                continue
            for skip in range(max_skip_count + 1 if length > 1 else 1):
                reach = (length - 1) * (skip + 1)
                for start in range(len(words) - reach):
                    taken = words[start : start + reach + 1 : skip + 1]
                    counts[row, column] += tuple(taken) == gram
    weight = np.ones(counts.shape[1])
    if weights is not None:
        weight[output_indices] = weights
    if mode != "tf":
        counts = weight * (counts if mode == "tfidf" else counts > 0)
    return counts[0] if x.ndim == 1 else counts
