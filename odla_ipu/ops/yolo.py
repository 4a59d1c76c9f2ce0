"""Boxes from the outputs of a YOLOv3 network.

Header: ``ODLA/ops/odla_ops_nn.h``.
"""

from typing import Any, Tuple

from ..errors import UnsupportedType
from ..kernels.yolo_boxes import YoloBoxes
from ..registry import Op, tensor
from ..types import FLOATS, NUMERIC, ElementType, ValueType, product
from .regions import _float32

_FLOAT32, _UINT32 = ElementType.FLOAT32, ElementType.UINT32

_OUTPUTS = ("bb13", "bb26", "bb52")

BOXES_PER_ROW = 169
"""The result has one row for each so many boxes of the network."""


class PostProcess(Op):
    """The boxes of each class that a YOLOv3 network found.

    ``bb13``, ``bb26``, ``bb52`` [1, 3 * (5 + C), K, K] are the network's outputs, x, y, w, h, an
    object's logit and the C classes' for each of three anchors; any three sizes K, the smallest
    first.  ``orig_img_w`` and ``orig_img_h`` are the original's size in pixels.

    Results: [C, rows, 5], ymin, xmin, ymax, xmax in pixels of the original and the score, by
    falling score, zero where unused, with one row for each 169 boxes (63 for 13, 26, 52); and the
    number of rows used, UINT32 [C].  Boxes score 0.3 and more, and overlap the one before them by
    at most 0.45 of their union; those that find no room are dropped.  Computed in FLOAT32.
    """

    form = "kernel"
    orig_img_w = tensor(NUMERIC)
    orig_img_h = tensor(NUMERIC)
    bb13 = tensor(FLOATS)
    bb26 = tensor(FLOATS)
    bb52 = tensor(FLOATS)

    def normalise(self) -> None:
        for name in ("orig_img_w", "orig_img_h"):
            value = getattr(self, name)
            if not value.type.is_static or value.type.elements != 1:
                raise self.error(f"{name} is {value.type}; accepted: one number")
        kinds = [getattr(self, name).type for name in _OUTPUTS]
        for name, kind in zip(_OUTPUTS, kinds):
            if kind.element_type is not kinds[0].element_type:
                raise UnsupportedType(
                    f"{self.where}: {name} is {kind}, bb13 is {kinds[0]}; cast them to one type"
                )
            self._check(name, kind, kinds[0])
        self.classes = kinds[0].dims[1] // 3 - 5
        self.rows = sum(product(kind.dims[2:]) * 3 for kind in kinds) // BOXES_PER_ROW
        if self.rows < 1:
            raise self.error(
                f"{', '.join(map(str, kinds))} give no row, one for each {BOXES_PER_ROW} boxes; "
                "accepted: larger outputs"
            )

    def _check(self, name: str, kind: ValueType, first: ValueType) -> None:
        dims = kind.shape
        if not (
            kind.is_static
            and len(dims) == 4
            and dims[0] == 1
            and dims[2] == dims[3]
            and dims[1] == first.dims[1]
            and first.dims[1] % 3 == 0
            and first.dims[1] >= 18
        ):
            raise self.error(
                f"{name} is {kind}; accepted: [1,3*(5+C),K,K] with one or more classes C, as many "
                "for all three, and known sizes"
            )

    def infer(self) -> Tuple[ValueType, ValueType]:
        return (
            ValueType(_FLOAT32, (self.classes, self.rows, 5)),
            ValueType(_UINT32, (self.classes,)),
        )

    def lower(self, b: Any) -> Any:
        sizes = [b.reshape(_float32(b, one), [1]) for one in (self.orig_img_w, self.orig_img_h)]
        return b.kernel(YoloBoxes, [*sizes, self.bb13, self.bb26, self.bb52], rows=self.rows)
