"""How an example is declared."""

import dataclasses
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from odla_ipu import Computation

from .weights import Weights

Arrays = Dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Example:
    """A network of AI Matrix.

    ``name`` is that of its module; ``group`` the folder of AI Matrix's macro benchmarks, ``model``
    what results there call it.  ``build(batch, weights)`` makes the computation, of any precision;
    ``inputs(batch, generator)`` arrays for its arguments.

    ``parameters`` counts the trained numbers (not the statistics of batch normalization), ``macs``
    the multiplications of matrix products and convolutions for one of the ``items`` (images,
    sentences, recommendations); a run of batch n computes n of them.  ``batches`` are the batch
    sizes of the original's inference scripts, or of training where it has no inference.

    ``finish(outputs)`` is what the host does with the outputs of a run, such as decoding boxes.
    ``small`` is a smaller configuration of the same network, for quick runs.
    """

    name: str
    group: str
    build: Callable[[int, Weights], Computation]
    inputs: Callable[[int, np.random.Generator], Arrays]
    parameters: int
    macs: int
    batches: Tuple[int, ...]
    items: str = "images"
    model: str = ""
    finish: Optional[Callable[[Arrays], Any]] = None
    small: Optional["Example"] = None
