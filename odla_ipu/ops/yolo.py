"""Boxes from the outputs of a YOLOv3 network.

Header: ``ODLA/ops/odla_ops_nn.h``.
"""

from typing import Any, Dict, List, Tuple

import numpy as np

from ..errors import UnsupportedOp, UnsupportedType
from ..registry import Op, tensor
from ..types import FLOATS, NUMERIC, ElementType, ValueType, product
from .regions import SELECTION_LIMIT, _float32, _overlap

_FLOAT32, _INT32, _UINT32 = ElementType.FLOAT32, ElementType.INT32, ElementType.UINT32

INPUT_SIZE = 416
"""Pixels of the square image into which the network's letterbox fits the original."""

ANCHORS: Dict[str, List[Tuple[int, int]]] = {
    "bb13": [(116, 90), (156, 198), (373, 326)],
    "bb26": [(30, 61), (62, 45), (59, 119)],
    "bb52": [(10, 13), (16, 30), (33, 23)],
}
"""Width and height in pixels of the anchor boxes, as YOLOv3 was published with."""

LEAST_SCORE = 0.3
MOST_OVERLAP = 0.45
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
        kinds = [getattr(self, name).type for name in ANCHORS]
        for name, kind in zip(ANCHORS, kinds):
            if kind.element_type is not kinds[0].element_type:
                raise UnsupportedType(
                    f"{self.where}: {name} is {kind}, bb13 is {kinds[0]}; cast them to one type"
                )
            self._check(name, kind, kinds[0])
        self.classes = kinds[0].dims[1] // 3 - 5
        self.rows = sum(product(kind.dims[2:]) * 3 for kind in kinds) // BOXES_PER_ROW
        if not 1 <= self.rows <= SELECTION_LIMIT:
            raise UnsupportedOp(
                f"{self.where}: {', '.join(map(str, kinds))} give {self.rows} rows, one for each "
                f"{BOXES_PER_ROW} boxes; accepted: 1 to {SELECTION_LIMIT}"
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
        parts = [self._decoded(b, name) for name in ANCHORS]
        scores = b.onnx.concat([scores for _, scores in parts], axis=1)
        sides = [b.onnx.concat(list(side), axis=0) for side in zip(*(boxes for boxes, _ in parts))]
        top, left, bottom, right = sides
        area = b.onnx.mul([b.onnx.sub([bottom, top]), b.onnx.sub([right, left])])
        return self._selected(b, [*sides, area], scores)

    def _decoded(self, b: Any, name: str) -> Tuple[List[Any], Any]:
        """The boxes' top, left, bottom and right [n], and their scores [C,n]."""
        value = getattr(self, name)
        size = value.dims[2]
        cells, anchors = size * size, np.array(ANCHORS[name], np.float32).reshape(3, 2, 1, 1)
        x = b.reshape(_float32(b, value), [3, 5 + self.classes, cells])
        centre = b.onnx.sigmoid([b.slice(x, 1, 0, 2)])
        extent = b.onnx.exp([b.slice(x, 1, 2, 4)])
        scores = b.onnx.sigmoid([b.slice(x, 1, 4, 5 + self.classes)])
        sides: Dict[str, Tuple[Any, Any]] = {}
        for axis, length in enumerate(("orig_img_w", "orig_img_h")):
            offset, scale, pixels = self._letterbox(b, length)
            cell = np.arange(cells) % size if axis == 0 else np.arange(cells) // size
            middle = b.onnx.add([b.slice(centre, 1, axis, axis + 1), b.constant(cell, np.float32)])
            middle = b.onnx.div([middle, b.scalar(size, _FLOAT32)])
            middle = b.onnx.mul([b.onnx.sub([middle, offset]), scale])
            anchor = b.constant(anchors[:, axis] / (2 * INPUT_SIZE), np.float32)
            half = b.onnx.mul([b.slice(extent, 1, axis, axis + 1), anchor])
            half = b.onnx.mul([half, scale])
            sides[length] = tuple(  # type: ignore[assignment]
                b.reshape(b.onnx.mul([b.binary(move, middle, half), pixels]), [3 * cells])
                for move in ("sub", "add")
            )
        (left, right), (top, bottom) = sides["orig_img_w"], sides["orig_img_h"]
        chance = b.onnx.mul([b.slice(scores, 1, 1, 1 + self.classes), b.slice(scores, 1, 0, 1)])
        chance = b.reshape(b.transpose(chance, [1, 0, 2]), [self.classes, 3 * cells])
        return [top, left, bottom, right], chance

    def _letterbox(self, b: Any, length: str) -> Tuple[Any, Any, Any]:
        """Border before the image and size of the letterbox over the image's; the image's size."""
        width, height = (
            b.reshape(_float32(b, getattr(self, name)), []) for name in ("orig_img_w", "orig_img_h")
        )
        whole = b.scalar(INPUT_SIZE, _FLOAT32)
        pixels = width if length == "orig_img_w" else height
        fitted = b.onnx.mul([pixels, b.onnx.div([whole, b.onnx.max([width, height])])])
        fitted = b.onnx.round([fitted])
        offset = b.onnx.div([b.onnx.sub([whole, fitted]), b.scalar(2 * INPUT_SIZE, _FLOAT32)])
        return offset, b.onnx.div([whole, fitted]), pixels

    def _selected(self, b: Any, sides: List[Any], scores: Any) -> Tuple[Any, Any]:
        """The best box, then again and again the next one that does not overlap it."""
        lowest, zero = b.scalar(-np.inf, _FLOAT32), b.scalar(0, _FLOAT32)
        is_unlikely = b.onnx.less([scores, b.scalar(LEAST_SCORE, _FLOAT32)])
        scores = b.onnx.where([is_unlikely, lowest, scores])
        count = sum(product(getattr(self, name).dims[2:]) * 3 for name in ANCHORS)
        positions = b.constant(np.arange(count), np.int32)
        left, rows, used = scores, [], []
        while True:
            best = b.cast(b.onnx.argmax([left], axis=1, keepdims=1), _INT32)
            top = b.onnx.reducemax([left], axes=[1], keepdims=1)
            is_left = b.onnx.greater([top, lowest])
            chosen = [b.onnx.gather([side, best], axis=0) for side in sides]
            row = b.onnx.concat([*chosen[:4], top], axis=1)
            row = b.onnx.where([is_left, row, zero])
            rows.append(b.reshape(row, [self.classes, 1, 5]))
            used.append(b.cast(is_left, _INT32))
            if len(rows) == self.rows:
                break
            is_equal = b.onnx.equal([scores, top])
            is_later = b.onnx.logical_and([is_equal, b.onnx.greater([positions, best])])
            is_later = b.onnx.logical_or([is_later, b.onnx.less([scores, top])])
            overlap = _overlap(b, sides, chosen)
            is_covered = b.onnx.greater([overlap, b.scalar(MOST_OVERLAP, _FLOAT32)])
            is_next = b.onnx.logical_and([is_later, b.onnx.logical_not([is_covered])])
            left = b.onnx.where([is_next, scores, lowest])
        total = b.onnx.reducesum([_joined(b, used, 1)], axes=[1], keepdims=0)
        return _joined(b, rows, 1), b.cast(total, _UINT32)


def _joined(b: Any, parts: List[Any], axis: int) -> Any:
    return parts[0] if len(parts) == 1 else b.onnx.concat(parts, axis=axis)
