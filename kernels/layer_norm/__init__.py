"""LayerNorm: normalization along the last dimension."""

from odla_ipu.errors import UnsupportedType
from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import f32, tensor
from odla_ipu.types import FLOATS, ValueType


class LayerNorm(Kernel):
    """(x - mean) / sqrt(var + epsilon) * scale + bias along the last dimension, in FLOAT32.

    ``var`` divides by the number of elements.
    """

    x = tensor(FLOATS)
    scale = tensor(FLOATS)
    bias = tensor(FLOATS)
    epsilon = f32(1e-5)

    def normalise(self) -> None:
        for name in ("scale", "bias"):
            value = getattr(self, name)
            if value.element_type is not self.x.element_type:
                raise UnsupportedType(f"{self.where}: {name} is {value.type}, x is {self.x.type}")
            if not self.x.rank or not fits(value.shape, self.x.shape[-1]):
                raise self.error(
                    f"{name} is {value.type}, x is {self.x.type}; accepted: a vector of x's last "
                    "size"
                )

    def infer(self) -> ValueType:
        return self.x.type
