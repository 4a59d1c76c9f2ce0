"""Linear quantization.

Header: ``ODLA/ops/odla_ops_quantization.h``.
"""

from typing import Any, Optional

import numpy as np

from ..errors import UnsupportedType
from ..registry import Op, i32, optional_tensor, target_type, tensor
from ..types import FLOATS, UNSIGNED, ElementType, Types, ValueType, known
from .common import axis_of

_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32
_NARROW: Types = frozenset(
    {ElementType.INT8, ElementType.UINT8, ElementType.INT16, ElementType.UINT16}
)


class _Linear(Op, declare=False):
    """``axis`` counts only where ``scale`` or ``zero_point`` hold several numbers.

    Compilers that know no signed quantized types declare INT8 data as UINT8; its zero point keeps
    the true type, and the bytes are right.
    """

    input: Any
    scale: Any
    zero_point: Any
    axis: Any
    target_data_type: Any

    def normalise(self) -> None:
        for name in ("scale", "zero_point"):
            self._check(name, getattr(self, name))

    def _check(self, name: str, value: Any) -> None:
        if value is None or not value.type.is_static or value.type.elements == 1:
            return
        axis = axis_of(self, self.axis, self.input.rank)
        dim = self.input.shape[axis]
        if value.rank != 1 or (known(dim) and value.type.elements != dim):
            raise self.error(
                f"{name} is {value.type}; accepted: one number, or a vector of {dim}, the size of "
                f"axis {axis} of {self.input.type}"
            )

    def infer(self) -> ValueType:
        return ValueType(self.target_data_type, self.input.shape)

    def _dims(self, value: Any) -> Any:
        """The dimensions with which a scale or zero point broadcasts to input."""
        if value.type.elements == 1:
            return ()
        axis = axis_of(self, self.axis, self.input.rank)
        return (*[1] * axis, *value.dims, *[1] * (self.input.rank - 1 - axis))

    def _wide(self, b: Any, value: Any, kind: ElementType) -> Any:
        """A scale or zero point as ``kind``, in the dimensions by which it broadcasts."""
        dims = self._dims(value)
        x = value if dims == value.dims else b.reshape(value, dims)
        return b.tensor(x) if value.element_type is kind else b.cast(x, kind)

    def _numpy(self, value: Optional[Any], data: Any) -> Any:
        return 0 if value is None else data[0].reshape(self._dims(value))

    def stored_as(self, kind: ElementType) -> ElementType:
        """The type of the numbers whose bytes data of type ``kind`` are."""
        return kind if self.zero_point is None else self.zero_point.element_type

    def check_zero_point(self, kind: ElementType) -> None:
        if self.stored_as(kind).host_bytes != kind.host_bytes:
            raise UnsupportedType(
                f"{self.where}: zero_point is {self.zero_point.element_type.name}; accepted for "
                f"{kind.name}: an integer type of {8 * kind.host_bytes} bits"
            )


class Quantize(_Linear):
    """round(input / scale) + zero_point, held within the target type (ONNX QuantizeLinear-13).

    Halves round to even; computed in FLOAT32.  scale and zero_point hold one number, or one for
    each index of ``axis``.  A zero point of INT8 under UINT8 asks for the bytes of INT8 numbers.
    """

    form = "composed"
    input = tensor(FLOATS | {_INT32})
    scale = tensor(FLOATS)
    zero_point = optional_tensor(_NARROW)
    axis = i32(1)
    target_data_type = target_type()

    def normalise(self) -> None:
        super().normalise()
        if self.target_data_type not in _NARROW:
            raise UnsupportedType(
                f"{self.where}: target_data_type is {self.target_data_type.name}; accepted: INT8, "
                "INT16, UINT8, UINT16"
            )
        self.check_zero_point(self.target_data_type)

    def fold(self, x: np.ndarray, scale: np.ndarray, *zero: np.ndarray) -> np.ndarray:
        scaled = x.astype(np.float32) / scale.astype(np.float32).reshape(self._dims(self.scale))
        limits = np.iinfo(self.stored_as(self.target_data_type).dtype)
        moved = np.rint(scaled) + self._numpy(self.zero_point, zero)
        return np.clip(moved, limits.min, limits.max).astype(limits.dtype)

    def lower(self, b: Any) -> Any:
        target = self.target_data_type
        x = self.input
        if x.element_type is not _FLOAT32:
            x = b.cast(x, _FLOAT32)
        y = b.graphcore.nearbyint([b.onnx.div([x, self._wide(b, self.scale, _FLOAT32)])])
        if self.zero_point is not None:
            y = b.onnx.add([y, self._wide(b, self.zero_point, _FLOAT32)])
        limits = np.iinfo(self.stored_as(target).dtype)
        y = b.onnx.clip([y, b.scalar(limits.min, _FLOAT32), b.scalar(limits.max, _FLOAT32)])
        return b.cast(b.cast(y, _INT32), target)


class Dequantize(_Linear):
    """(input - zero_point) * scale (ONNX DequantizeLinear-13), computed in FLOAT32.

    scale and zero_point hold one number, or one for each index of ``axis``.  A zero point of INT8
    under UINT8 says that input holds the bytes of INT8 numbers.
    """

    form = "composed"
    input = tensor(_NARROW | {_INT32})
    scale = tensor(FLOATS)
    zero_point = optional_tensor(_NARROW | {_INT32})
    axis = i32(1)
    target_data_type = target_type()

    def normalise(self) -> None:
        super().normalise()
        if self.target_data_type not in FLOATS:
            raise UnsupportedType(
                f"{self.where}: target_data_type is {self.target_data_type.name}; accepted: "
                "FLOAT16, BFLOAT16, FLOAT32, FLOAT64"
            )
        self.check_zero_point(self.input.element_type)

    def fold(self, x: np.ndarray, scale: np.ndarray, *zero: np.ndarray) -> np.ndarray:
        stored = x.astype(self.stored_as(self.input.element_type).dtype)
        moved = stored.astype(np.int64) - self._numpy(self.zero_point, zero)
        return moved.astype(np.float32) * scale.astype(np.float32).reshape(self._dims(self.scale))

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        x = self.input if kind is _INT32 else b.cast(self.input, _INT32)
        if self.stored_as(kind) is not kind:
            x = self._reinterpreted(b, x, kind)
        if self.zero_point is not None:
            x = b.onnx.sub([x, self._wide(b, self.zero_point, _INT32)])
        y = b.onnx.mul([b.cast(x, _FLOAT32), self._wide(b, self.scale, _FLOAT32)])
        return y if self.target_data_type is _FLOAT32 else b.cast(y, self.target_data_type)

    def _reinterpreted(self, b: Any, x: Any, kind: ElementType) -> Any:
        """INT32 numbers of an unsigned type as those of the signed one, or the other way round."""
        count = 1 << 8 * kind.host_bytes
        if kind in UNSIGNED:
            is_other, step = b.onnx.less([b.scalar(count // 2 - 1, _INT32), x]), -count
        else:
            is_other, step = b.onnx.less([x, b.scalar(0, _INT32)]), count
        return b.onnx.where([is_other, b.onnx.add([x, b.scalar(step, _INT32)]), x])
