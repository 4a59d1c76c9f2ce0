"""Regions of images: pooling them, and choosing among boxes.

Header: ``ODLA/ops/odla_ops_nn.h``.
"""

from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import UnsupportedOp, UnsupportedType
from ..graph import Graph, Value
from ..registry import Op, f32, i32, output_dims, shape, tensor, u32, value_type
from ..types import (
    FLOATS,
    INTEGERS,
    UNKNOWN,
    Dim,
    ElementType,
    MemoryLayout,
    Shape,
    ValueType,
    format_shape,
    known,
    product,
)
from .nn import _ByChannel, _layout, _same_type

_FIRST, _LAST = MemoryLayout.CHANNELS_FIRST, MemoryLayout.CHANNELS_LAST
_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32


def _float32(b: Any, value: Value) -> Any:
    """``value`` in the precision that holds coordinates."""
    return b.tensor(value) if value.element_type is _FLOAT32 else b.cast(value, _FLOAT32)


class _Regions(_ByChannel, declare=False):
    """Regions [R,4] of x1, y1, x2, y2, times ``scale``.

    ODLA gives them no image: they belong to the images in order, R / N to each.
    """

    rois: Any
    scale: Any

    def check_regions(self) -> None:
        self.check_layout(4, 4)
        _same_type(self, "rois", self.rois)
        if 0 in self.input.shape[1:] and 0 not in self.rois.shape:
            raise self.error(f"input is {self.input.type}; there is nothing in it to pool")
        count, images = self.rois.shape[0] if self.rois.rank else 0, self.input.shape[0]
        if self.rois.rank != 2 or (known(self.rois.shape[1]) and self.rois.shape[1] != 4):
            raise self.error(f"rois is {self.rois.type}; accepted: [R,4] of x1, y1, x2, y2")
        if not (isinstance(count, int) and isinstance(images, int)) or count <= 0 or images < 0:
            return
        if images == 0 or count % images:
            raise self.error(
                f"rois is {self.rois.type} for {images} images; accepted: as many regions for each "
                "of one or more images"
            )

    def pooled(self, height: Dim, width: Dim) -> ValueType:
        """The result's type for a size of each region."""
        first = (self.rois.shape[0], self.channels, height, width)
        last = (self.rois.shape[0], height, width, self.channels)
        dims = first if self.input_layout is _FIRST else last
        return ValueType(self.input.element_type, dims)

    def images(self) -> np.ndarray:
        """The image of each region."""
        count = self.rois.dims[0]
        return np.arange(count) // (count // self.input.dims[0])


class ROIAlign(_Regions):
    """Averages of bilinear samples in the cells of regions (ONNX RoiAlign-10).

    ``sampling_ratio`` samples along each side of a cell, 0: as many as pixels, rounded up.  The
    cells of a region are the height and width of ``output_dim``.  Computed in FLOAT32.
    """

    python = "roi_align"
    input = tensor(FLOATS)
    input_layout = _layout()
    rois = tensor(FLOATS)
    sampling_ratio = i32(0)
    scale = f32(1.0)
    output_dim = shape()

    def normalise(self) -> None:
        self.check_regions()
        if self.sampling_ratio < 0:
            raise self.error(f"sampling_ratio is {self.sampling_ratio}; accepted: 0 and more")
        if len(self.output_dim) != 4 or not all(map(known, self._cells())):
            raise self.error(
                f"output_dim is {format_shape(self.output_dim)}; accepted: 4 dimensions, of which "
                "height and width are known"
            )
        inferred = self.infer().shape
        for given, dim in zip(self.output_dim, inferred):
            if known(given) and known(dim) and given != dim:
                raise self.error(
                    f"output_dim is {format_shape(self.output_dim)}; accepted: "
                    f"{format_shape(inferred)} with any height and width"
                )

    def _cells(self) -> Tuple[Dim, ...]:
        return self.output_dim[2:] if self.input_layout is _FIRST else self.output_dim[1:3]

    def infer(self) -> ValueType:
        return self.pooled(*self._cells())

    def copy_to(self, graph: Graph, values: Mapping[Value, Value], **changes: Any) -> Any:
        layout = changes.get("input_layout", self.input_layout)
        if layout is not self.input_layout:  # channels-first from channels-last
            regions, height, width, channels = self.output_dim
            changes["output_dim"] = (regions, channels, height, width)
        return super().copy_to(graph, values, **changes)

    def lower(self, b: Any) -> Any:
        kind, (height, width) = self.input.element_type, self._cells()
        images = b.constant(self.images(), np.int32)
        y = b.onnx.roialign(
            [_float32(b, self.input), _float32(b, self.rois), images],
            output_height=height,
            output_width=width,
            sampling_ratio=self.sampling_ratio,
            spatial_scale=self.scale,
        )
        return y if kind is _FLOAT32 else b.cast(y, kind)


class ROIMaxPool(_Regions):
    """The largest elements in the ``win_h`` x ``win_w`` cells of regions (ONNX MaxRoiPool-1).

    Corners round to whole pixels, halves away from zero; both corners belong to the region.
    Neighbouring cells share pixels where they do not divide evenly.  Cells outside give 0.
    """

    python = "roi_max_pool"
    input = tensor(FLOATS)
    input_layout = _layout()
    rois = tensor(FLOATS)
    win_h = i32()
    win_w = i32()
    scale = f32(1.0)
    output_dim = output_dims()

    def normalise(self) -> None:
        self.check_regions()
        for name in ("win_h", "win_w"):
            if getattr(self, name) < 1:
                raise self.error(f"{name} is {getattr(self, name)}; accepted: 1 and more")

    def infer(self) -> ValueType:
        return self.pooled(self.win_h, self.win_w)

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        images, _, height, width = self.input.dims
        count = self.rois.dims[0]
        corners = b.onnx.mul([_float32(b, self.rois), b.scalar(self.scale, _FLOAT32)])
        corners = b.cast(b.onnx.round([corners]), _INT32)  # PopART's takes halves away from zero
        columns, in_columns = self._cells(b, corners, 0, self.win_w, width)
        rows, in_rows = self._cells(b, corners, 1, self.win_h, height)
        x = b.tensor(self.input)
        if images > 1:
            x = b.onnx.gather([x, b.constant(self.images(), np.int32)], axis=0)
        lowest = b.scalar(-np.inf, kind)
        # First the largest of each row in the columns of a cell, then the largest of its rows.
        x = b.onnx.unsqueeze([x], axes=[3])
        columns = b.reshape(columns, [count, 1, 1, self.win_w, width])
        x = b.onnx.reducemax([b.onnx.where([columns, x, lowest])], axes=[4], keepdims=0)
        x = b.onnx.unsqueeze([x], axes=[2])
        rows = b.reshape(rows, [count, 1, self.win_h, height, 1])
        x = b.onnx.reducemax([b.onnx.where([rows, x, lowest])], axes=[3], keepdims=0)
        in_rows = b.reshape(in_rows, [count, 1, self.win_h, 1])
        inside = b.onnx.logical_and([in_rows, b.reshape(in_columns, [count, 1, 1, self.win_w])])
        return b.onnx.where([inside, x, b.scalar(0, kind)])

    def _cells(self, b: Any, corners: Any, side: int, cells: int, size: int) -> Tuple[Any, Any]:
        """[R, cell, pixel]: which pixels of a side belong to a cell; [R, cell, 1]: if any do."""
        count, one = self.rois.dims[0], b.scalar(1, _INT32)
        start = b.reshape(b.slice(corners, 1, side, side + 1), [count, 1, 1])
        end = b.reshape(b.slice(corners, 1, side + 2, side + 3), [count, 1, 1])
        length = b.onnx.add([b.onnx.sub([end, start]), one])
        length = b.onnx.where([b.onnx.less([length, one]), one, length])
        cell = np.arange(cells).reshape(1, cells, 1)
        divisor = b.scalar(cells, _INT32)
        low = b.onnx.div([b.onnx.mul([length, b.constant(cell, np.int32)]), divisor])
        high = b.onnx.mul([length, b.constant(cell + 1, np.int32)])
        high = b.onnx.div([b.onnx.add([high, b.scalar(cells - 1, _INT32)]), divisor])  # rounds up
        low, high = b.onnx.add([start, low]), b.onnx.add([start, high])
        before = b.onnx.less([b.constant(np.arange(size).reshape(1, 1, size), np.int32), low])
        inside = b.onnx.less([b.constant(np.arange(size).reshape(1, 1, size), np.int32), high])
        pixels = b.onnx.logical_and([inside, b.onnx.logical_not([before])])
        begins = b.onnx.less([low, b.scalar(size, _INT32)])
        return pixels, b.onnx.logical_and([begins, b.onnx.greater([high, b.scalar(0, _INT32)])])


# Choosing among boxes.

SELECTION_LIMIT = 256
"""Most boxes that NMS selects of one class: each is a step of the device's program."""


class NMS(Op):
    """Boxes by descending score, without those that overlap a better one (NonMaxSuppression-11).

    ``boxes`` [B,n,4] hold two opposite corners y1, x1, y2, x2; ``scores`` are [B,C,n].  Of each
    class at most ``max_num_outputs`` boxes are selected, whose score is above ``score_threshold``
    and whose intersection over union with each selected one is at most ``iou_threshold``.

    The result has rows of batch, class and box, in the order of batch, class and falling score; its
    first dimension and element type are those of ``output_value_type`` (without it: room for all,
    INT64).  Unused rows hold -1, rows beyond its size are dropped.
    """

    python = "nms"
    boxes = tensor(FLOATS)
    scores = tensor(FLOATS)
    max_num_outputs = u32()
    iou_threshold = f32()
    score_threshold = f32(-np.inf)
    output_value_type = value_type(None)
    folds_from_types = True

    def normalise(self) -> None:
        _same_type(self, "scores", self.scores)
        self._check_shapes(self.boxes.shape, self.scores.shape)
        if not 0 <= self.iou_threshold <= 1:
            raise self.error(f"iou_threshold is {self.iou_threshold}; accepted: 0 to 1")
        selected = self._selected()
        if isinstance(selected, int) and selected > SELECTION_LIMIT:
            raise UnsupportedOp(
                f"{self.where}: max_num_outputs is {self.max_num_outputs} for {self.boxes.type}; "
                f"accepted: selections of up to {SELECTION_LIMIT} boxes of a class; lower it, or "
                "select on the host"
            )
        given = self.output_value_type
        if given is None:
            if self._room().is_static:
                self.output_value_type = self._room()
            return
        if given.element_type not in INTEGERS:
            raise UnsupportedType(
                f"{self.where}: output_value_type is {given.element_type.name}; accepted: an "
                "integer type"
            )
        if given.rank != 2 or not given.is_static or given.shape[1] != 3:
            raise self.error(f"output_value_type is {given}; accepted: known rows of 3 numbers")

    def _check_shapes(self, boxes: Shape, scores: Shape) -> None:
        if len(boxes) != 3 or (known(boxes[2]) and boxes[2] != 4):
            raise self.error(f"boxes is {self.boxes.type}; accepted: [B,n,4]")
        if len(scores) != 3 or any(
            known(a) and known(b) and a != b for a, b in zip(scores[::2], boxes[:2])
        ):
            raise self.error(
                f"scores is {self.scores.type}; accepted: [B,C,n] with the B and n of boxes "
                f"{self.boxes.type}"
            )

    def _selected(self) -> Dim:
        """How many boxes of a class may be selected."""
        count = self.boxes.shape[1]
        return min(count, self.max_num_outputs) if isinstance(count, int) and count >= 0 else count

    def _room(self) -> ValueType:
        """The result's type for all rows that there can be."""
        sizes = [*self.scores.shape[:2], self._selected()]
        rows = product([int(size) for size in sizes]) if all(map(known, sizes)) else UNKNOWN
        return ValueType(ElementType.INT64, (rows, 3))

    def infer(self) -> ValueType:
        return self.output_value_type or self._room()

    def fold(self) -> Optional[np.ndarray]:
        is_none = 0 in (self._selected(), *self.scores.shape)
        return np.full(self.infer().dims, -1) if is_none else None

    def lower(self, b: Any) -> Any:
        (batch, classes, _), kind = self.scores.dims, self.outputs[0].type
        boxes = self._selections(b)
        count, rows = batch * classes * len(boxes), kind.dims[0]
        box = b.reshape(b.onnx.concat(boxes, axis=2), [count, 1])
        places = np.indices((batch, classes, len(boxes)))[:2].reshape(2, count).T
        table = b.onnx.concat([b.constant(places, np.int32), box], axis=1)
        is_used = b.onnx.logical_not([b.onnx.less([box, b.scalar(0, _INT32)])])
        table = b.onnx.where([is_used, table, b.scalar(-1, _INT32)])
        if batch * classes > 1:
            table = b.onnx.gather([table, self._used_first(b, is_used, count)], axis=0)
        if rows < count:
            table = b.slice(table, 0, 0, rows)
        elif rows > count:
            unused = b.constant(np.full((rows - count, 3), -1), np.int32)
            table = b.onnx.concat([table, unused], axis=0)
        return table if kind.element_type is _INT32 else b.cast(table, kind.element_type)

    def _used_first(self, b: Any, is_used: Any, count: int) -> Any:
        """Where the rows that are used are, in their order, before the others."""
        order = np.arange(count, 0, -1)
        keys = [b.constant(order + extra, np.int32) for extra in (count, 0)]
        keys = b.onnx.where([b.reshape(is_used, [count]), *keys])
        _, places = b.onnx.topk([keys, b.ints([count])], axis=0, largest=1, sorted=1)
        return b.cast(places, _INT32)

    def _selections(self, b: Any) -> List[Any]:
        """[B,C,1] each: the best box that is left, or -1, one step after the other."""
        (batch, _, count), lowest = self.scores.dims, b.scalar(-np.inf, _FLOAT32)
        sides = self._sides(b)
        scores = _float32(b, self.scores)
        is_candidate = b.onnx.greater([scores, b.scalar(self.score_threshold, _FLOAT32)])
        scores = b.onnx.where([is_candidate, scores, lowest])
        first = b.constant(np.arange(batch).reshape(batch, 1, 1) * count, np.int32)
        positions = b.constant(np.arange(count), np.int32)
        found: List[Any] = []
        while True:
            best = b.cast(b.onnx.argmax([scores], axis=2, keepdims=1), _INT32)
            top = b.onnx.reducemax([scores], axes=[2], keepdims=1)
            is_left = b.onnx.greater([top, lowest])
            found.append(b.onnx.where([is_left, best, b.scalar(-1, _INT32)]))
            if len(found) == self._selected():
                return found
            place = b.onnx.add([best, first])
            chosen = [b.onnx.gather([side, place], axis=0) for side in sides]
            every = [b.reshape(side, [batch, 1, count]) for side in sides]
            is_gone = b.onnx.greater(
                [_overlap(b, every, chosen), b.scalar(self.iou_threshold, _FLOAT32)]
            )
            is_gone = b.onnx.logical_or([is_gone, b.onnx.equal([positions, best])])
            scores = b.onnx.where([is_gone, lowest, scores])

    def _sides(self, b: Any) -> Tuple[Any, Any, Any, Any, Any]:
        """[B * n] each: top, left, bottom, right and area of all boxes."""
        batch, count, _ = self.boxes.dims
        boxes = b.reshape(_float32(b, self.boxes), [batch * count, 4])
        y1, x1, y2, x2 = (
            b.reshape(b.slice(boxes, 1, side, side + 1), [batch * count]) for side in range(4)
        )
        top, bottom = b.onnx.min([y1, y2]), b.onnx.max([y1, y2])
        left, right = b.onnx.min([x1, x2]), b.onnx.max([x1, x2])
        area = b.onnx.mul([b.onnx.sub([bottom, top]), b.onnx.sub([right, left])])
        return top, left, bottom, right, area


def _overlap(b: Any, one: Sequence[Any], other: Sequence[Any]) -> Any:
    """Intersection over union of boxes, given as their sides and areas; NaN for two points."""
    zero = b.scalar(0, _FLOAT32)
    lengths = []
    for low, high in ((0, 2), (1, 3)):
        start, end = b.onnx.max([one[low], other[low]]), b.onnx.min([one[high], other[high]])
        lengths.append(b.onnx.max([b.onnx.sub([end, start]), zero]))
    common = b.onnx.mul(lengths)
    union = b.onnx.sub([b.onnx.add([one[4], other[4]]), common])
    return b.onnx.div([common, union])
