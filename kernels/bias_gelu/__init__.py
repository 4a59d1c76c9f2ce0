"""BiasGelu: Gelu of a sum with a bias."""

from odla_ipu.errors import UnsupportedType
from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class BiasGelu(Kernel):
    """Gelu, by its tanh approximation, of x + bias along the last dimension."""

    x = tensor(FLOATS)
    bias = tensor(FLOATS)

    def normalise(self) -> None:
        if self.bias.element_type is not self.x.element_type:
            raise UnsupportedType(f"{self.where}: bias is {self.bias.type}, x is {self.x.type}")
        if not self.x.rank or not fits(self.bias.shape, self.x.shape[-1]):
            raise self.error(
                f"bias is {self.bias.type}, x is {self.x.type}; accepted: a vector of x's last size"
            )

    def infer(self) -> ValueType:
        return self.x.type
