"""Int8Conv: convolutions of 8-bit images, summed in 32 bits."""

import functools
from typing import List

from odla_ipu.custom import Kernel, computed, fits
from odla_ipu.registry import i64, i64s, tensor
from odla_ipu.types import Dim, ElementType, ValueType

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
        w = self.kernel.shape
        is_right = len(w) == 4 and fits(self.input.shape, None, self._of_all(w[1]), None, None)
        if not is_right or computed(lambda outer: outer % self.group, w[0]) > 0:
            raise self.error(
                f"input is {self.input.type}, kernel {self.kernel.type}, group {self.group}; "
                "accepted: [N,C,H,W] and [O,C/group,h,w], O a multiple of group"
            )
        if any(size == 0 for size in self._sizes()):
            raise self.error(f"kernel is {self.kernel.type}, larger than input, {self.input.type}")

    def _of_all(self, channels: Dim) -> int:
        return computed(lambda of_group: of_group * self.group, channels)

    def _sizes(self) -> List[int]:
        """Height and width of the result; -1 for an open one, 0 where the kernel is too large."""
        return [
            computed(
                functools.partial(self._size, i), self.input.shape[2 + i], self.kernel.shape[2 + i]
            )
            for i in (0, 1)
        ]

    def _size(self, i: int, size: int, reach: int) -> int:
        room = size + self.pads[i] + self.pads[i + 2] - self.dilations[i] * (reach - 1) - 1
        return max(room // self.strides[i] + 1, 0)

    def infer(self) -> ValueType:
        dims = (self.input.shape[0], self.kernel.shape[0], *self._sizes())
        return ValueType(ElementType.INT32, dims)
