"""ScatterNDReduce: slices put, added, ... where tuples of indices say."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, tensor
from odla_ipu.types import NUMERIC, ElementType, ValueType


class ScatterNDReduce(Kernel):
    """ONNX ScatterND-18: ``input`` with ``updates`` as the slices that tuples of indices name.

    ``indices`` are INT32, each tuple in its last axis.  Negative ones count from the end; what is
    out of range is left out.  ``reduction``: 0 replaces, 1 adds, 2 multiplies, 3 takes the larger,
    4 the smaller.  On the IPU the order of several updates of one slice is undefined.
    """

    input = tensor(NUMERIC)
    indices = tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    updates = tensor(NUMERIC)
    reduction = i64(0)

    def normalise(self) -> None:
        dims, tuples = self.input.shape, self.indices.shape
        is_right = len(tuples) >= 1 and isinstance(tuples[-1], int)
        is_right = is_right and self.updates.element_type is self.input.element_type
        if not is_right or not 1 <= int(tuples[-1]) <= len(dims):
            raise self.error(
                f"input is {self.input.type}, indices {self.indices.type}, updates "
                f"{self.updates.type}; accepted: tuples of 1 to as many numbers as input has axes, "
                "updates of input's type"
            )
        if not 0 <= self.reduction <= 4:
            raise self.error(f"reduction is {self.reduction}; accepted: 0 to 4")

    def infer(self) -> ValueType:
        return self.input.type
