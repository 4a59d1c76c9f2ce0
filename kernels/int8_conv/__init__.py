"""Int8Conv: convolutions of bytes."""

from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import i64, i64s, tensor
from odla_ipu.types import UNKNOWN, Dim, ElementType, ValueType

_INT8 = frozenset({ElementType.INT8})


class Int8Conv(Kernel):
    """The INT32 convolution of INT8 ``x`` [N,C,H,W] with ``kernel`` [O,C/group,h,w]; sums wrap.

    ``strides`` and ``dilations`` are of height and width, ``pads`` before both, then behind both.
    """

    x = tensor(_INT8)
    kernel = tensor(_INT8)
    strides = i64s((1, 1))
    pads = i64s((0, 0, 0, 0))
    dilations = i64s((1, 1))
    group = i64(1)

    def normalise(self) -> None:
        lengths = (len(self.strides), len(self.pads), len(self.dilations))
        if lengths != (2, 4, 2) or min(*self.strides, *self.dilations, self.group) < 1:
            raise self.error(
                f"strides are {self.strides}, pads {self.pads}, dilations {self.dilations}, group "
                f"{self.group}; accepted: 2, 4 and 2 numbers, all but pads 1 and more"
            )
        if min(self.pads) < 0:
            raise self.error(f"pads are {self.pads}; accepted: 0 and more")
        channels = self.x.shape[1] if self.x.rank == 4 else None
        outputs = self.kernel.shape[0] if self.kernel.rank == 4 else None
        each: Dim = UNKNOWN
        if isinstance(channels, int) and channels >= 0:
            each = channels // self.group if channels % self.group == 0 else 0
        divides = not isinstance(outputs, int) or outputs < 0 or outputs % self.group == 0
        if channels is None or not fits(self.kernel.shape, None, each, None, None) or not divides:
            raise self.error(
                f"x is {self.x.type}, kernel {self.kernel.type}, group {self.group}; accepted: "
                "[N,C,H,W] and [O,C/group,h,w], the group a divisor of C and O"
            )

    def infer(self) -> ValueType:
        dims = (self.x.shape[0], self.kernel.shape[0], self._size(0), self._size(1))
        return ValueType(ElementType.INT32, dims)

    def _size(self, side: int) -> Dim:
        size, window = self.x.shape[2 + side], self.kernel.shape[2 + side]
        if not (isinstance(size, int) and isinstance(window, int)) or min(size, window) < 0:
            return UNKNOWN
        padded = size + self.pads[side] + self.pads[2 + side]
        reach = (window - 1) * self.dilations[side] + 1
        if padded < reach:
            raise self.error(
                f"a kernel of {reach} in {padded} pixels of {self.x.type}; accepted: no larger one"
            )
        return (padded - reach) // self.strides[side] + 1
