"""IpuAttentionMask: which positions of packed sequences may attend to each other."""

from odla_ipu.custom import Kernel
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, INTEGERS, ValueType


class IpuAttentionMask(Kernel):
    """-10000 * tanh(|index_i - index_j|) for the positions i, j of each sequence: [B,1,S,S].

    ``index`` [B,S] numbers the segment of each position: 0 within one, about -7616 and less
    between two.  The result has the element type of ``data``, of which nothing else counts.
    """

    called = "custom_IpuAttentionMask"
    index = tensor(INTEGERS)
    data = tensor(FLOATS)

    def normalise(self) -> None:
        if self.index.rank != 2:
            raise self.error(f"index is {self.index.type}; accepted: [B,S]")

    def infer(self) -> ValueType:
        batch, size = self.index.shape
        return ValueType(self.data.element_type, (batch, 1, size, size))
