"""IpuRsqrt: reciprocal square roots."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class IpuRsqrt(Kernel):
    """1 / sqrt(x), elementwise."""

    has_gradient = True
    called = "custom_IpuRsqrt"
    elementwise = True
    x = tensor(FLOATS)

    def infer(self) -> ValueType:
        return self.x.type
