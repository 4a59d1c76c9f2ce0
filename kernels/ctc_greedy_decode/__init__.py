"""CtcGreedyDecode: the labels that are likeliest at each step."""

from typing import List

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import flag, i32, optional_tensor, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType


class CtcGreedyDecode(Kernel):
    """The likeliest label of each step, without blanks; repeated ones once.

    ``logits`` [T,B,C]; ``lengths`` INT32 [B], how many steps count (all without).  ``blank``
    is the label that means none, -1 the last one.  With ``merge_repeated`` a label counts once
    until another, or a blank, comes.  Of equal logits the first label is taken.
    Results: INT32 [B,T] of labels, -1 after the last one, and their numbers, INT32 [B].
    """

    results = 2
    logits = tensor(FLOATS)
    lengths = optional_tensor(frozenset({ElementType.INT32, ElementType.INT64}))
    blank = i32(-1)
    merge_repeated = flag(True)

    def normalise(self) -> None:
        dims, lengths = self.logits.shape, self.lengths
        if len(dims) != 3 or (lengths is not None and not fits(lengths.shape, dims[1])):
            given = "none" if lengths is None else lengths.type
            raise self.error(
                f"logits are {self.logits.type}, lengths {given}; accepted: [T,B,C] and [B]"
            )
        labels = dims[2] if isinstance(dims[2], int) and dims[2] >= 0 else 2**31
        if not -1 <= self.blank < labels:
            raise self.error(f"blank is {self.blank}; accepted: -1 to {labels - 1}")

    def infer(self) -> List[ValueType]:
        steps, batch, _ = self.logits.shape
        kind = ElementType.INT32
        return [ValueType(kind, (batch, steps)), ValueType(kind, (batch,))]
