"""ScatterReduce: elements put, added, ... where indices along one axis say."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, tensor
from odla_ipu.types import NUMERIC, ElementType, ValueType, known


class ScatterReduce(Kernel):
    """ONNX ScatterElements-18: ``input`` with ``updates`` where ``indices`` say along ``axis``.

    ``indices`` INT32 and ``updates`` have one shape, of the rank of ``input`` and off the axis at
    most its sizes.  Negative indices count from the end; what is out of range is left out.
    ``reduction``: 0 replaces, of several the last; 1 adds, 2 multiplies, 3 takes the larger, 4 the
    smaller.  A column, its indices and its updates have to fit into one tile's memory.
    """

    has_gradient = True
    input = tensor(NUMERIC)
    indices = tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    updates = tensor(NUMERIC)
    axis = i64()
    reduction = i64(0)

    def normalise(self) -> None:
        dims, wanted = self.input.shape, self.indices.shape
        is_right = len(dims) == len(wanted) and 0 <= self.axis < len(dims) <= 8
        is_right = is_right and self.updates.element_type is self.input.element_type
        if not is_right or any(
            known(size) and known(most) and size > most
            for place, (size, most) in enumerate(zip(wanted, dims))
            if place != self.axis
        ):
            raise self.error(
                f"input is {self.input.type}, indices {self.indices.type}, updates "
                f"{self.updates.type}, axis {self.axis}; accepted: one rank of 1 to 8, an axis "
                "from 0 on, indices that fit off the axis, updates of input's type"
            )
        if not 0 <= self.reduction <= 4:
            raise self.error(f"reduction is {self.reduction}; accepted: 0 to 4")

    def infer(self) -> ValueType:
        return self.input.type
