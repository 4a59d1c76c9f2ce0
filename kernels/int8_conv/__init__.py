"""Int8Conv: convolutions of 8-bit images, summed in 32 bits."""

from typing import List

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, i64s, tensor
from odla_ipu.types import ElementType, ValueType

_BYTES = frozenset({ElementType.INT8, ElementType.UINT8})


class Int8Conv(Kernel):
    """Convolution of (input - ``input_zero``) with (kernel - ``kernel_zero``) as INT32.

    ONNX ConvInteger-10 in two dimensions: ``input`` [N,C,H,W], ``kernel`` [O,C/group,h,w], each
    INT8 or UINT8; ``pads`` at top, left, bottom, right.
    """

    input = tensor(_BYTES)
    kernel = tensor(_BYTES)
    strides = i64s()
    pads = i64s()
    dilations = i64s()
    group = i64(1)
    input_zero = i64(0)
    kernel_zero = i64(0)

    def normalise(self) -> None:
        lengths = (len(self.strides), len(self.pads), len(self.dilations))
        numbers = [*self.strides, *self.dilations, self.group]
        if lengths != (2, 4, 2) or min(numbers) < 1 or min(self.pads) < 0:
            raise self.error(
                f"strides {self.strides}, pads {self.pads}, dilations {self.dilations}, group "
                f"{self.group}; accepted: 2, 4 and 2 numbers, pads of 0 and more, 1 and more else"
            )
        x, w = self.input.shape, self.kernel.shape
        if len(x) != 4 or len(w) != 4 or x[1] != w[1] * self.group or w[0] % self.group:
            raise self.error(
                f"input is {self.input.type}, kernel {self.kernel.type}, group {self.group}; "
                "accepted: [N,C,H,W] and [O,C/group,h,w], O a multiple of group"
            )
        if min(self._sizes()) < 1:
            raise self.error(f"kernel is {self.kernel.type}, larger than input, {self.input.type}")

    def _sizes(self) -> List[int]:
        x, w = self.input.dims[2:], self.kernel.dims[2:]
        return [
            (x[i] + self.pads[i] + self.pads[i + 2] - self.dilations[i] * (w[i] - 1) - 1)
            // self.strides[i]
            + 1
            for i in (0, 1)
        ]

    def infer(self) -> ValueType:
        dims = (self.input.shape[0], self.kernel.shape[0], *self._sizes())
        return ValueType(ElementType.INT32, dims)
