"""YoloBoxes: the boxes of each class that a YOLOv3 network found."""

from typing import List

from odla_ipu.custom import Kernel, computed, fits
from odla_ipu.registry import i64, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType, known

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
        outputs = (self.bb13, self.bb26, self.bb52)
        channels = next(
            (one.shape[1] for one in outputs if one.rank == 4 and known(one.shape[1])), -1
        )
        are_right = all(fits(one.shape, 1, channels, None, None) for one in outputs)
        if not are_right or self.rows < 1:
            raise self.error(
                f"{self.rows} rows of {self.bb13.type}, {self.bb26.type}, {self.bb52.type}; "
                "accepted: a row and more, [1,channels,K,K] with one number of channels"
            )

    def infer(self) -> List[ValueType]:
        classes = computed(lambda channels: channels // 3 - 5, self.bb13.shape[1])
        return [
            ValueType(_FLOAT32, (classes, self.rows, 5)),
            ValueType(ElementType.UINT32, (classes,)),
        ]
