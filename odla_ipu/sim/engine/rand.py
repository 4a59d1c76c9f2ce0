"""Random ops: their results enter the model as inputs that are drawn before each run.

The draws come from a counter-based generator: the same seed and the same sequence of runs give the
same numbers on every machine.
"""

from typing import TYPE_CHECKING, List, NamedTuple, Sequence

import numpy as np

from .emitter import Emitter, emits

if TYPE_CHECKING:
    from ..ir import Op
    from .translation import Port


class Draw(NamedTuple):
    """One random tensor: normal with mean ``first`` and deviation ``second``, or uniform in
    [``first``, ``second``)."""

    port: "Port"
    normal: bool
    first: float
    second: float

    def fill(self, generator: np.random.Generator, array: np.ndarray) -> None:
        if self.normal:
            array[...] = generator.normal(self.first, self.second, array.shape)
        else:
            array[...] = generator.uniform(self.first, self.second, array.shape)


@emits("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
def _random(e: Emitter, op: "Op", x: List[str]) -> str:
    normal = op.type.startswith("RandomNormal")
    keys = (("mean", 0.0), ("scale", 1.0)) if normal else (("low", 0.0), ("high", 1.0))
    first, second = (float(op.attributes.get(key, default)) for key, default in keys)
    return draw(e, op, op.result.shape, normal, first, second)


def draw(
    e: Emitter, op: "Op", shape: Sequence[int], normal: bool, first: float, second: float
) -> str:
    """A random input of the model that belongs to an op."""
    from .translation import Port

    port = Port(op.result.id, e.fresh(), np.dtype(np.float32), tuple(shape))
    e.draws.append(Draw(port, normal, first, second))
    return port.name
