"""Int8MatMul: products of matrices of bytes."""

from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import tensor
from odla_ipu.types import ElementType, ValueType

_INT8 = frozenset({ElementType.INT8})


class Int8MatMul(Kernel):
    """The INT32 products [B,M,N] of INT8 matrices ``a`` [B,M,K] and ``b`` [B,K,N]; sums wrap."""

    a = tensor(_INT8)
    b = tensor(_INT8)

    def normalise(self) -> None:
        a = self.a.shape
        if len(a) != 3 or not fits(self.b.shape, a[0], a[2], None):
            raise self.error(
                f"a is {self.a.type}, b is {self.b.type}; accepted: [B,M,K] and [B,K,N]"
            )

    def infer(self) -> ValueType:
        return ValueType(ElementType.INT32, (*self.a.shape[:2], self.b.shape[2]))
