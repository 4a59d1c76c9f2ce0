"""LayerNorm: rows normalised by their mean and deviation."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import f32, tensor
from odla_ipu.types import FLOATS, ValueType


class LayerNorm(Kernel):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias along the last axis, in FLOAT32.

    ``scale`` and ``bias`` [n] have the type of ``x`` and the size of its last axis.
    """

    has_gradient = True
    x = tensor(FLOATS)
    scale = tensor(FLOATS)
    bias = tensor(FLOATS)
    epsilon = f32(1e-5)

    def normalise(self) -> None:
        for name in ("scale", "bias"):
            value = getattr(self, name)
            is_right = self.x.rank >= 1 and value.element_type is self.x.element_type
            if not is_right or not fits(value.shape, self.x.shape[-1]):
                raise self.error(
                    f"x is {self.x.type}, {name} {value.type}; accepted: a vector of x's type, as "
                    "long as its last axis"
                )

    def infer(self) -> ValueType:
        return self.x.type
