"""EmbeddingBag: sums of rows of a table."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import optional_tensor, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType


class EmbeddingBag(Kernel):
    """Sums [bag,n] of the rows of ``table`` [rows,n] that ``indices`` INT32 [bag,entry] name.

    Each row counts ``weights`` [bag,entry] times, of the table's type; once without.  Indices that
    are negative or too large add nothing: they fill up short bags.  Summed in FLOAT32.
    """

    has_gradient = True
    table = tensor(FLOATS)
    indices = tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    weights = optional_tensor(FLOATS)

    def normalise(self) -> None:
        weights = self.weights
        is_right = weights is None or (
            weights.element_type is self.table.element_type
            and self.indices.rank == 2
            and fits(weights.shape, *self.indices.shape)
        )
        if self.table.rank != 2 or self.indices.rank != 2 or not is_right:
            given = "none" if weights is None else weights.type
            raise self.error(
                f"table is {self.table.type}, indices {self.indices.type}, weights {given}; "
                "accepted: [rows,n], [bag,entry] and [bag,entry] of table's type"
            )

    def infer(self) -> ValueType:
        dims = (self.indices.shape[0], self.table.shape[1])
        return ValueType(self.table.element_type, dims)
