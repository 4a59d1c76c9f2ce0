"""QuantizeLinear: numbers to 8 bits."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import i64, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType

_BYTES = frozenset({ElementType.INT8, ElementType.UINT8})


class QuantizeLinear(Kernel):
    """round(x / scale) + zero_point, within 8 bits, halves to even (ONNX QuantizeLinear-13).

    ``scale`` FLOAT32 and ``zero_point``, INT8 or UINT8 as the result, are [1], or have an entry for
    each of ``axis`` of ``x``.  NaN gives zero_point.
    """

    x = tensor(FLOATS)
    scale = tensor(frozenset({ElementType.FLOAT32}))
    zero_point = tensor(_BYTES)
    axis = i64(0)

    def normalise(self) -> None:
        sizes = self.scale.shape
        is_axis = 0 <= self.axis < self.x.rank and fits(sizes, self.x.shape[self.axis])
        if (sizes != (1,) and not is_axis) or not fits(self.zero_point.shape, *sizes):
            raise self.error(
                f"x is {self.x.type}, scale {self.scale.type}, zero_point {self.zero_point.type}, "
                f"axis {self.axis}; accepted: vectors of 1 or of the axis' size"
            )

    def infer(self) -> ValueType:
        return ValueType(self.zero_point.element_type, self.x.shape)
