"""ReverseSequence: the first steps of each sequence in reverse order."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import i64, tensor
from odla_ipu.types import ANY, ElementType, ValueType


class ReverseSequence(Kernel):
    """Along ``time_axis`` the first ``lengths[b]`` entries in reverse order, the rest as they are.

    ONNX ReverseSequence-10: b counts along ``batch_axis``; the axes are 0 and 1, or 1 and 0.
    """

    has_gradient = True
    input = tensor(ANY)
    lengths = tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    batch_axis = i64(1)
    time_axis = i64(0)

    def normalise(self) -> None:
        if {self.batch_axis, self.time_axis} != {0, 1}:
            raise self.error(
                f"batch_axis is {self.batch_axis}, time_axis {self.time_axis}; accepted: 0 and 1, "
                "in any order"
            )
        dims = self.input.shape
        if len(dims) < 2 or not fits(self.lengths.shape, dims[self.batch_axis]):
            raise self.error(
                f"input is {self.input.type}, lengths {self.lengths.type}; accepted: rank 2 and "
                "more, and a length for each sequence"
            )

    def infer(self) -> ValueType:
        return self.input.type
