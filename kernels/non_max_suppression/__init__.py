"""NonMaxSuppression: boxes by falling score, without those that overlap a better one."""

from typing import List

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import f32, i64, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType


class NonMaxSuppression(Kernel):
    """ONNX NonMaxSuppression-11 with ``rows`` rows of batch, class and box, and their number.

    ``boxes`` [B,n,4] hold two opposite corners y1, x1, y2, x2, ``scores`` are [B,C,n].  Of each
    class at most ``max_selected`` boxes are selected, whose score is above ``score_threshold`` and
    whose intersection over union with each selected one is at most ``iou_threshold``, in FLOAT32.
    Rows come in the order of batch, class and falling score, of equal scores the first box first.
    Unused rows hold -1; what finds no room is dropped.  Results: INT32 [rows,3], INT32 [1].
    """

    results = 2
    boxes = tensor(FLOATS)
    scores = tensor(FLOATS)
    max_selected = i64()
    iou_threshold = f32()
    score_threshold = f32()
    rows = i64()

    def normalise(self) -> None:
        boxes = self.boxes.shape
        if not fits(boxes, None, None, 4) or not fits(self.scores.shape, boxes[0], None, boxes[1]):
            raise self.error(
                f"boxes are {self.boxes.type}, scores {self.scores.type}; accepted: [B,n,4] and "
                "[B,C,n]"
            )
        if not 0 <= self.iou_threshold <= 1:
            raise self.error(f"iou_threshold is {self.iou_threshold}; accepted: 0 to 1")
        if self.max_selected < 1 or self.rows < 1:
            raise self.error(
                f"max_selected is {self.max_selected}, rows is {self.rows}; accepted: 1 and more"
            )

    def infer(self) -> List[ValueType]:
        kind = ElementType.INT32
        return [ValueType(kind, (self.rows, 3)), ValueType(kind, (1,))]
