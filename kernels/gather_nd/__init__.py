"""GatherND: slices by tuples of indices."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, tensor
from odla_ipu.types import ANY, ElementType, ValueType


class GatherND(Kernel):
    """ONNX GatherND-13: the slices of ``input`` that the tuples in the last axis of indices name.

    ``indices`` are INT32; the first ``batch_dims`` axes of both correspond.  Negative indices count
    from the end; one out of range takes the nearest slice.
    """

    has_gradient = True
    input = tensor(ANY)
    indices = tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    batch_dims = i64(0)

    def normalise(self) -> None:
        dims, tuples, batch = self.input.shape, self.indices.shape, self.batch_dims
        is_right = len(tuples) >= 1 and isinstance(tuples[-1], int) and 0 <= batch < len(tuples)
        if not is_right or not 1 <= int(tuples[-1]) <= len(dims) - batch:
            raise self.error(
                f"input is {self.input.type}, indices {self.indices.type}, batch_dims {batch}; "
                "accepted: tuples of 1 to as many numbers as input has axes behind batch_dims"
            )

    def infer(self) -> ValueType:
        dims, tuples = self.input.shape, self.indices.shape
        rest = dims[self.batch_dims + int(tuples[-1]) :]
        return ValueType(self.input.element_type, (*tuples[:-1], *rest))
