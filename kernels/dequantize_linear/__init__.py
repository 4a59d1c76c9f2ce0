"""DequantizeLinear: numbers of 8 or 32 bits back to FLOAT32."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import i64, tensor
from odla_ipu.types import ElementType, ValueType

_QUANTIZED = frozenset({ElementType.INT8, ElementType.UINT8, ElementType.INT32})


class DequantizeLinear(Kernel):
    """(x - zero_point) * scale in FLOAT32 (ONNX DequantizeLinear-13).

    ``scale`` FLOAT32 and ``zero_point`` of the type of ``x`` are [1], or have an entry for each of
    ``axis`` of ``x``.
    """

    x = tensor(_QUANTIZED)
    scale = tensor(frozenset({ElementType.FLOAT32}))
    zero_point = tensor(_QUANTIZED)
    axis = i64(0)

    def normalise(self) -> None:
        sizes = self.scale.shape
        is_axis = 0 <= self.axis < self.x.rank and fits(sizes, self.x.shape[self.axis])
        is_right = self.zero_point.element_type is self.x.element_type
        if (
            (sizes != (1,) and not is_axis)
            or not fits(self.zero_point.shape, *sizes)
            or (not is_right)
        ):
            raise self.error(
                f"x is {self.x.type}, scale {self.scale.type}, zero_point {self.zero_point.type}, "
                f"axis {self.axis}; accepted: vectors of 1 or of the axis' size, zero_point of x's "
                "type"
            )

    def infer(self) -> ValueType:
        return ValueType(ElementType.FLOAT32, self.x.shape)
