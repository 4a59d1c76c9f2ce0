"""BiasGelu: Gelu of a sum with a bias, by its tanh approximation."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class BiasGelu(Kernel):
    """y * sigmoid(2 * sqrt(2 / pi) * (y + 0.044715 * y**3)) of y = x + bias.

    ``bias`` [n] has the type of ``x`` and the size of its last axis.
    """

    has_gradient = True
    x = tensor(FLOATS)
    bias = tensor(FLOATS)

    def normalise(self) -> None:
        is_right = self.x.rank >= 1 and self.bias.element_type is self.x.element_type
        if not is_right or not fits(self.bias.shape, self.x.shape[-1]):
            raise self.error(
                f"x is {self.x.type}, bias {self.bias.type}; accepted: a vector of x's type, as "
                "long as its last axis"
            )

    def infer(self) -> ValueType:
        return self.x.type
