"""IpuGelu: Gelu by its tanh approximation."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class IpuGelu(Kernel):
    """0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))), elementwise."""

    has_gradient = True
    called = "custom_IpuGelu"
    elementwise = True
    x = tensor(FLOATS)

    def infer(self) -> ValueType:
        return self.x.type
