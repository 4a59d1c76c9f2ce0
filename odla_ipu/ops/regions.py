"""Regions of images: pooling them, and choosing among boxes.

Header: ``ODLA/ops/odla_ops_nn.h``.
"""

from typing import Any, List, Mapping, Optional, Tuple

import numpy as np

from ..errors import UnsupportedType
from ..graph import Capacity, Graph, Value
from ..kernels.non_max_suppression import NonMaxSuppression
from ..kernels.roi_max_pool import RoiMaxPool
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
    form = "kernel"
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
        images = b.constant(self.images(), np.int32)
        return b.kernel(
            RoiMaxPool,
            [self.input, _float32(b, self.rois), images],
            height=self.win_h,
            width=self.win_w,
            scale=self.scale,
        )


# Choosing among boxes.


class NMS(Op):
    """Boxes by descending score, without those that overlap a better one (NonMaxSuppression-11).

    ``boxes`` [B,n,4] hold two opposite corners y1, x1, y2, x2; ``scores`` are [B,C,n].  Of each
    class at most ``max_num_outputs`` boxes are selected, whose score is above ``score_threshold``
    and whose intersection over union with each selected one is at most ``iou_threshold``.

    The result has rows of batch, class and box, in the order of batch, class and falling score.
    Their number depends on the data, and INT64 is their type.  With ``output_value_type`` the
    result has that type and as many rows: other ops read -1 in unused ones, and rows that find no
    room are dropped.  What ``run`` returns has the used rows only.
    """

    python = "nms"
    boxes = tensor(FLOATS)
    scores = tensor(FLOATS)
    max_num_outputs = u32()
    iou_threshold = f32()
    score_threshold = f32(-np.inf)
    output_value_type = value_type(None)
    form = "kernel"

    def normalise(self) -> None:
        _same_type(self, "scores", self.scores)
        self._check_shapes(self.boxes.shape, self.scores.shape)
        if not 0 <= self.iou_threshold <= 1:
            raise self.error(f"iou_threshold is {self.iou_threshold}; accepted: 0 to 1")
        given = self.output_value_type
        if given is None:
            self.output_value_type = given = ValueType(ElementType.INT64, (UNKNOWN, 3))
        if given.element_type not in INTEGERS:
            raise UnsupportedType(
                f"{self.where}: output_value_type is {given.element_type.name}; accepted: an "
                "integer type"
            )
        if given.rank != 2 or given.shape[1] != 3:
            raise self.error(f"output_value_type is {given}; accepted: rows of 3 numbers")

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

    def _room(self) -> Dim:
        """How many rows there can be."""
        rows = self.output_value_type.shape[0]
        if known(rows):
            return rows
        sizes = [*self.scores.shape[:2], self._selected()]
        return product([int(size) for size in sizes]) if all(map(known, sizes)) else UNKNOWN

    def infer(self) -> ValueType:
        kind = self.output_value_type
        is_none = 0 in (self._selected(), *self.scores.shape)
        return ValueType(kind.element_type, (0, 3)) if is_none else kind

    def capacity(self) -> Optional[Capacity]:
        room = self._room()
        return Capacity(0, room) if isinstance(room, int) and room >= 0 else None

    def sized_by(self) -> List[Value]:
        return [] if self.outputs[0].type.is_static else [self.outputs[0]]

    def lower(self, b: Any) -> Any:
        kind, capacity = self.outputs[0].element_type, self.capacity()
        assert capacity is not None
        rows, count = b.kernel(
            NonMaxSuppression,
            [self.boxes, self.scores],
            max_selected=self._selected(),
            iou_threshold=self.iou_threshold,
            score_threshold=self.score_threshold,
            rows=capacity.most,
        )
        return [rows if kind is _INT32 else b.cast(rows, kind), count]
