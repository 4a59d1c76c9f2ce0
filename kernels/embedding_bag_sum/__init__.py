"""EmbeddingBagSum: sums of rows of a table."""

from odla_ipu.kernel import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ElementType, ValueType


class EmbeddingBagSum(Kernel):
    """The sum of the rows of ``table`` [V,D] at ``indices`` [B,L]: [B,D], added in FLOAT32.

    Indices outside 0 to V - 1 add nothing, so that -1 pads a short bag.
    """

    table = tensor(FLOATS)
    indices = tensor(frozenset({ElementType.INT32, ElementType.INT64}))

    def normalise(self) -> None:
        if self.table.rank != 2 or self.indices.rank != 2:
            raise self.error(
                f"table is {self.table.type}, indices are {self.indices.type}; accepted: [V,D] and "
                "[B,L]"
            )

    def infer(self) -> ValueType:
        dims = (self.indices.shape[0], self.table.shape[1])
        return ValueType(self.table.element_type, dims)
