"""MatrixInverse: inverses of square matrices by LU decomposition."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import ElementType, ValueType


class MatrixInverse(Kernel):
    """Inverses of FLOAT32 matrices [matrix,n,n]; LU with partial pivoting.

    A matrix that is exactly singular has no finite inverse: NaN, or infinities.
    """

    has_gradient = True
    input = tensor(frozenset({ElementType.FLOAT32}))

    def normalise(self) -> None:
        dims = self.input.shape
        if len(dims) != 3 or dims[1] != dims[2]:
            raise self.error(f"input is {self.input.type}; accepted: [matrix,n,n]")

    def infer(self) -> ValueType:
        return self.input.type
