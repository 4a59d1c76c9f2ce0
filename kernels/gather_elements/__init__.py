"""GatherElements: elements by their indices along one axis."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, tensor
from odla_ipu.types import ANY, ElementType, ValueType, known


class GatherElements(Kernel):
    """ONNX GatherElements-13: in each column along ``axis`` the elements that ``indices`` name.

    ``indices`` INT32 have the rank of ``input``, and off the axis at most its sizes.  Negative ones
    count from the end; one out of range takes the nearest element.  A column and its indices have
    to fit into one tile's memory.
    """

    has_gradient = True
    input = tensor(ANY)
    indices = tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    axis = i64()

    def normalise(self) -> None:
        dims, wanted = self.input.shape, self.indices.shape
        is_right = len(dims) == len(wanted) and 0 <= self.axis < len(dims) <= 8
        if not is_right or any(
            known(size) and known(most) and size > most
            for place, (size, most) in enumerate(zip(wanted, dims))
            if place != self.axis
        ):
            raise self.error(
                f"input is {self.input.type}, indices {self.indices.type}, axis {self.axis}; "
                "accepted: one rank of 1 to 8, an axis from 0 on, indices that fit off the axis"
            )

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, self.indices.shape)
