"""Determinant: determinants of square matrices by LU decomposition."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import ElementType, ValueType


class Determinant(Kernel):
    """Determinants [matrix] of FLOAT32 matrices [matrix,n,n]; LU with partial pivoting."""

    has_gradient = True
    input = tensor(frozenset({ElementType.FLOAT32}))

    def normalise(self) -> None:
        dims = self.input.shape
        if len(dims) != 3 or dims[1] != dims[2]:
            raise self.error(f"input is {self.input.type}; accepted: [matrix,n,n]")

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, self.input.shape[:1])
