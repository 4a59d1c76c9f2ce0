"""Inputs, attributes and tolerances of every op; ``tests/test_ops.py`` runs them."""

from typing import Any, Dict, NamedTuple, Tuple

import numpy as np


class Sample(NamedTuple):
    """One call: ``operands`` in the order of the op's values, ``attributes`` by name.

    ``operands`` become arguments of the computation, except those whose position is listed in
    ``constants``.  None leaves an optional operand out; a tuple of arrays is an ``odla_values``.
    The reference of the same name is called as ``reference(*operands, **attributes)``.
    Data decide the size of the results of a ``sized`` one, and the reference gives what is used.
    ``rtol``/``atol`` bound |got - expected| <= atol + rtol * |expected|.
    """

    op: str
    operands: Tuple[Any, ...]
    attributes: Dict[str, Any] = {}
    constants: Tuple[int, ...] = ()
    rtol: float = 1e-5
    atol: float = 1e-6
    name: str = ""
    sized: bool = False


def random(*shape: int, dtype: str = "float32", low: float = -2, high: float = 2) -> np.ndarray:
    """Reproducible values in [low, high)."""
    generator = np.random.RandomState(sum(shape) * 31 + len(shape))
    return generator.uniform(low, high, shape).astype(dtype)
