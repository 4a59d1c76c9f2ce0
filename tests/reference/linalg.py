"""Independent numpy reference of Einstein sums, determinants and inverses."""

import numpy as np


def einsum(inputs, equation):
    kind = inputs[0].dtype
    wide = np.float64 if kind.kind == "f" else np.int64
    total = np.einsum(equation, *(one.astype(wide) for one in inputs))
    return total if kind.kind == "f" else total.astype(kind)


def det(x):
    return np.linalg.det(x.astype(np.float64))


def inverse(x):
    return np.linalg.inv(x.astype(np.float64))
