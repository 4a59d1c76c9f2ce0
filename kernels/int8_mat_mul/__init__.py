"""Int8MatMul: products of 8-bit matrices, summed in 32 bits."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, tensor
from odla_ipu.types import ElementType, ValueType, known

_BYTES = frozenset({ElementType.INT8, ElementType.UINT8})


class Int8MatMul(Kernel):
    """(a - ``a_zero``) x (b - ``b_zero``) as INT32 (ONNX MatMulInteger-10).

    ``a`` is [batch,m,k], ``b`` [batch,k,n] or [1,k,n], each INT8 or UINT8.
    """

    a = tensor(_BYTES)
    b = tensor(_BYTES)
    a_zero = i64(0)
    b_zero = i64(0)

    def normalise(self) -> None:
        a, b = self.a.shape, self.b.shape
        if (
            len(a) != 3
            or len(b) != 3
            or any(
                known(x) and known(y) and x != y and not (y == 1 and place == 0)
                for place, (x, y) in enumerate(((a[0], b[0]), (a[2], b[1])))
            )
        ):
            raise self.error(
                f"a is {self.a.type}, b {self.b.type}; accepted: [batch,m,k] and [batch,k,n] or "
                "[1,k,n]"
            )

    def infer(self) -> ValueType:
        return ValueType(ElementType.INT32, (*self.a.shape[:2], self.b.shape[2]))
