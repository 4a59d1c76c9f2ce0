"""QuantizeBytes: numbers as bytes."""

from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import i64, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType

_BYTES = frozenset({ElementType.INT8, ElementType.UINT8})


class QuantizeBytes(Kernel):
    """round(x / scale) + zero_point, halves to even, held within INT8 or UINT8 (QuantizeLinear-13).

    ``scale`` and ``zero_point`` are one number, or one for each entry of x along ``axis``;
    zero_point says which of the two types.
    """

    x = tensor(FLOATS)
    scale = tensor(frozenset({ElementType.FLOAT32}))
    zero_point = tensor(_BYTES)
    axis = i64(0)

    def normalise(self) -> None:
        if not -self.x.rank <= self.axis < max(self.x.rank, 1):
            raise self.error(f"axis is {self.axis}; accepted for {self.x.type}: one of its axes")
        self.axis %= max(self.x.rank, 1)
        size = self.x.shape[self.axis] if self.x.rank else 1
        for name, value in (("scale", self.scale), ("zero_point", self.zero_point)):
            if value is not None and value.shape and not fits(value.shape, size):
                raise self.error(f"{name} is {value.type}; accepted: one number, or {size} of them")

    def infer(self) -> ValueType:
        return ValueType(self.zero_point.element_type, self.x.shape)
