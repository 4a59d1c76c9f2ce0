"""YoloBoxes: the boxes of each class that a YOLOv3 network found."""

from typing import List

from odla_ipu.custom import Kernel
from odla_ipu.registry import i64, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType

_FLOAT32 = ElementType.FLOAT32


class YoloBoxes(Kernel):
    """The work of odla_PostProcess, computed in FLOAT32.

    ``width`` and ``height`` FLOAT32 [1] are the original's; ``bb13``, ``bb26``, ``bb52``
    [1,3*(5+C),K,K] are the network's outputs.  Results: FLOAT32 [C,rows,5] of ymin, xmin, ymax,
    xmax and score, zero where unused, and the number of rows used, UINT32 [C].
    """

    results = 2
    width = tensor(frozenset({_FLOAT32}))
    height = tensor(frozenset({_FLOAT32}))
    bb13 = tensor(FLOATS)
    bb26 = tensor(FLOATS)
    bb52 = tensor(FLOATS)
    rows = i64()

    def normalise(self) -> None:
        channels = {value.shape[1] for value in (self.bb13, self.bb26, self.bb52)}
        if len(channels) > 1 or self.rows < 1:
            raise self.error(
                f"{self.rows} rows of {self.bb13.type}, {self.bb26.type}, {self.bb52.type}; "
                "accepted: a row and more, one number of channels"
            )

    def infer(self) -> List[ValueType]:
        classes = self.bb13.dims[1] // 3 - 5
        return [
            ValueType(_FLOAT32, (classes, self.rows, 5)),
            ValueType(ElementType.UINT32, (classes,)),
        ]
