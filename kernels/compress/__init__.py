"""Compress: the entries that a condition computed at run time keeps."""

from typing import List

from odla_ipu.custom import Kernel, computed, fits
from odla_ipu.registry import i64, tensor
from odla_ipu.types import ANY, BOOLS, ElementType, ValueType


class Compress(Kernel):
    """The entries of ``input`` along ``axis`` whose ``condition`` is true, and their number.

    They come first; the others are zero.  A condition may be shorter than the axis, and what it
    lacks is false; what it has beyond the axis does not count.  Results: input's type with as many
    entries as both have, INT32 [1].
    """

    has_gradient = True
    results = 2
    input = tensor(ANY)
    condition = tensor(BOOLS)
    axis = i64()

    def normalise(self) -> None:
        if not 0 <= self.axis < self.input.rank or not fits(self.condition.shape, None):
            raise self.error(
                f"axis is {self.axis}, condition {self.condition.type}, input {self.input.type}; "
                "accepted: an axis from 0 on and a vector"
            )

    def infer(self) -> List[ValueType]:
        dims = list(self.input.shape)
        dims[self.axis] = computed(min, self.condition.shape[0], dims[self.axis])
        return [
            ValueType(self.input.element_type, tuple(dims)),
            ValueType(ElementType.INT32, (1,)),
        ]
