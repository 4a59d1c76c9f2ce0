"""RSqrt: the reciprocal of the square root."""

from odla_ipu.kernel import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class RSqrt(Kernel):
    """1 / sqrt(x), elementwise: infinite for 0, NaN below."""

    elementwise = True
    x = tensor(FLOATS)

    def infer(self) -> ValueType:
        return self.x.type
