"""DequantizeBytes: bytes as numbers."""

from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import i64, optional_tensor, tensor
from odla_ipu.types import ElementType, ValueType

_BYTES = frozenset({ElementType.INT8, ElementType.UINT8})


class DequantizeBytes(Kernel):
    """(y - zero_point) * scale in FLOAT32 (DequantizeLinear-13).

    ``scale`` and ``zero_point`` (0 without) are one number, or one for each entry of y along
    ``axis``.
    """

    y = tensor(_BYTES)
    scale = tensor(frozenset({ElementType.FLOAT32}))
    zero_point = optional_tensor(_BYTES)
    axis = i64(0)

    def normalise(self) -> None:
        if not -self.y.rank <= self.axis < max(self.y.rank, 1):
            raise self.error(f"axis is {self.axis}; accepted for {self.y.type}: one of its axes")
        self.axis %= max(self.y.rank, 1)
        size = self.y.shape[self.axis] if self.y.rank else 1
        for name, value in (("scale", self.scale), ("zero_point", self.zero_point)):
            if value is not None and value.shape and not fits(value.shape, size):
                raise self.error(f"{name} is {value.type}; accepted: one number, or {size} of them")

    def infer(self) -> ValueType:
        return ValueType(ElementType.FLOAT32, self.y.shape)
