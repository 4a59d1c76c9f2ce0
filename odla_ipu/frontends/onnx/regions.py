"""Converters of operators on regions of images and on boxes."""

import itertools
import math
from typing import Any, NamedTuple, Optional

import numpy as np

from ...graph import Value
from ...types import ElementType, MemoryLayout, product
from .convert import Step, Unsupported, converter

_FIRST = MemoryLayout.CHANNELS_FIRST


@converter("RoiAlign")
def _roi_align(step: Step, x: Value, rois: Value, images: Value) -> Value:
    mode, scale = step.get("mode", "avg"), step.get("spatial_scale", 1.0)
    if mode not in ("avg", "max"):
        raise step.error(f"mode is '{mode}'; accepted: avg, max")
    default = "half_pixel" if step.opset >= 16 else "output_half_pixel"
    half_pixel = step.get("coordinate_transformation_mode", default) == "half_pixel"
    if mode == "max":
        return _largest_samples(step, x, rois, images, half_pixel)
    if half_pixel:
        rois = _shifted(step, rois, scale)
    height, width = step.get("output_height", 1), step.get("output_width", 1)
    return _aligned(
        step,
        x,
        rois,
        images,
        (height, width),
        sampling_ratio=step.get("sampling_ratio", 0),
        scale=scale,
    )


def _shifted(step: Step, rois: Value, scale: float) -> Value:
    """Regions of half-pixel coordinates in those of ODLA, which begin half a pixel later.

    ODLA takes smaller regions for those of one pixel, half_pixel takes them as they are.
    """
    known = step.known(rois, "rois, whose size decides whether half_pixel is available,")
    if known.size and ((known[:, 2:] - known[:, :2]) * scale < 1).any():
        raise Unsupported("half_pixel is not available for regions of less than one pixel")
    return step.constant(known - known.dtype.type(0.5 / scale))


SAMPLES = 1 << 22
"""Most samples of all regions of a RoiAlign of mode max, each of four pixels."""


def _largest_samples(step: Step, x: Value, rois: Value, images: Value, half_pixel: bool) -> Value:
    """The largest of the weighted corners of all samples of a cell, as onnxruntime has it.

    Where the samples lie is known: constant regions are needed.
    """
    regions = step.known(rois, "rois, in whose cells the largest sample is wanted,")
    numbers = step.known(images, "the images of rois").reshape(-1).astype(np.int64)
    if x.rank != 4 or regions.shape != (len(numbers), 4):
        raise step.error(f"the input is {x.type}, regions are {rois.type}; accepted: NCHW, [R,4]")
    cells = step.get("output_height", 1), step.get("output_width", 1)
    channels, sizes = x.dims[1], x.dims[2:]
    if not len(numbers):
        return step.constant(np.zeros([0, channels, *cells]), x.element_type.dtype)
    sides = [
        [
            _samples(step, region[[side, side + 2]], cells[1 - side], sizes[1 - side], half_pixel)
            for region in regions.astype(np.float64) * step.get("spatial_scale", 1.0)
        ]
        for side in (0, 1)
    ]
    each = [max(one.places.shape[1] for one in side) for side in sides]
    if len(numbers) * product([*cells, *each]) > SAMPLES:
        raise Unsupported(f"more than {SAMPLES} samples of its regions; accepted: fewer")
    columns, rows = ([one.repeated(count) for one in side] for side, count in zip(sides, each))
    pixels = step.reshape(step.transpose(x, [0, 2, 3, 1]), [x.dims[0] * product(sizes), channels])
    best: Optional[Value] = None
    # Regions, rows and columns of cells, samples in both directions.
    row_axes, column_axes = (slice(None), None, slice(None), None), (None, slice(None), None)
    for down, across in itertools.product((0, 1), (0, 1)):
        places, weights = [], []
        for number, row, column in zip(numbers, rows, columns):
            place = (
                row.places[..., down][row_axes] * sizes[1] + column.places[..., across][column_axes]
            )
            places.append(number * product(sizes) + place)
            weights.append(
                row.weights[..., down][row_axes] * column.weights[..., across][column_axes]
            )
        weight = np.stack(weights).astype(x.element_type.dtype)[..., None]
        value = step.op("Gather", pixels, step.constant(np.stack(places), np.int32), axis=0)
        value = step.op("Mul", value, step.constant(weight))
        best = value if best is None else step.op("Max", best, value)
    assert best is not None
    # [R, height, width, samples, samples, C]
    best = step.op("ReduceMax", best, axes=[3, 4], keep_dims=False)
    return step.transpose(best, [0, 3, 1, 2])


class _Samples(NamedTuple):
    """Along one side of a region, [cell, sample, the pixel before and after]."""

    places: np.ndarray
    weights: np.ndarray

    def repeated(self, count: int) -> "_Samples":
        """As many samples in each cell; some of them more than once."""
        chosen = np.arange(count) % self.places.shape[1]
        return _Samples(self.places[:, chosen], self.weights[:, chosen])


def _samples(step: Step, ends: np.ndarray, cells: int, size: int, half_pixel: bool) -> _Samples:
    start, end = ends - 0.5 if half_pixel else ends
    length = end - start if half_pixel else max(end - start, 1.0)
    count = max(step.get("sampling_ratio", 0) or math.ceil(length / cells), 1)
    if count > SAMPLES:
        raise Unsupported(f"{count} samples in a cell; accepted: up to {SAMPLES} in all")
    within = (np.arange(count) + 0.5) / count
    place = start + (np.arange(cells)[:, None] + within) * length / cells
    is_outside = (place < -1) | (place > size)
    place = np.clip(place, 0, size - 1)
    low = np.minimum(place.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    part = place - low
    weights = np.stack([1 - part, part], axis=-1)
    weights[is_outside] = 0
    return _Samples(np.stack([low, high], axis=-1), weights)


@converter("MaxRoiPool")
def _max_roi_pool(step: Step, x: Value, rois: Value) -> Value:
    if rois.rank != 2 or rois.dims[1] != 5:
        raise step.error(f"rois are {rois.type}; accepted: [R,5] of image, x1, y1, x2, y2")
    images = step.reshape(step.slice(rois, 1, 0, 1), [rois.dims[0]])
    cells = step.get("pooled_shape")
    if len(cells) != 2:
        raise step.error(f"pooled_shape is {cells}; accepted: height and width")
    if images.data is not None and not ((images.data >= 0) & (images.data < x.dims[0])).all():
        raise step.error(
            f"regions of the images {images.data.tolist()}; accepted: 0 to {x.dims[0] - 1}"
        )
    return step.custom(
        "RoiMaxPool",
        [
            x,
            step.cast(step.slice(rois, 1, 1, 5), ElementType.FLOAT32),
            step.cast(images, ElementType.INT32),
        ],
        height=cells[0],
        width=cells[1],
        scale=step.get("spatial_scale", 1.0),
    )


def _aligned(
    step: Step, x: Value, rois: Value, images: Value, cells: Any, **attributes: Any
) -> Value:
    """ODLA's regions belong to the images in order, as many to each; ONNX's name their image."""
    count, whole = images.type.elements, x.dims[0]
    if x.rank != 4 or rois.dims != (count, 4) or images.rank != 1:
        raise step.error(
            f"the input is {x.type}, regions {rois.type}, their images {images.type}; accepted: "
            "NCHW, [R,4] and [R]"
        )
    if count == 0:
        return step.constant(np.zeros([0, x.dims[1], *cells]), x.element_type.dtype)

    def pool(some: Value, regions: Value) -> Value:
        dims = [regions.dims[0], x.dims[1], *cells]
        return step.op(
            "ROIAlign", some, regions, input_layout=_FIRST, output_dim=dims, **attributes
        )

    if whole == 1 and images.data is None:
        return pool(x, rois)
    if images.data is None and product(x.dims[2:]) <= whole * product(cells):
        return pool(step.op("Gather", x, images, axis=0), rois)
    if images.data is None:
        of_region = step.reshape(images, [count, 1, 1, 1])
        chosen = pool(step.slice(x, 0, 0, 1), rois)
        for one in range(1, whole):
            is_one = step.op("Equal", of_region, step.like(images, one))
            chosen = step.op("Select", is_one, pool(step.slice(x, 0, one, one + 1), rois), chosen)
        return chosen
    numbers = images.data.astype(np.int64)
    if not 0 <= numbers.min() <= numbers.max() < whole:
        raise step.error(f"regions of the images {numbers.tolist()}; accepted: 0 to {whole - 1}")
    order = np.argsort(numbers, kind="stable")
    is_ordered = bool((np.diff(numbers) >= 0).all())
    sorted_rois = rois if is_ordered else step.gather(rois, order, 0)
    counts = np.bincount(numbers, minlength=whole)
    if (counts == counts[0]).all():
        y = pool(x, sorted_rois)
    else:
        ends = np.cumsum(counts)
        parts = [
            pool(step.slice(x, 0, one, one + 1), step.slice(sorted_rois, 0, end - n, end))
            for one, (n, end) in enumerate(zip(counts.tolist(), ends.tolist()))
            if n
        ]
        y = step.concat(parts, 0)
    return y if is_ordered else step.gather(y, np.argsort(order), 0)


@converter("NonMaxSuppression")
def _non_max_suppression(
    step: Step,
    boxes: Value,
    scores: Value,
    count: Optional[Value] = None,
    overlap: Optional[Value] = None,
    threshold: Optional[Value] = None,
) -> Value:
    most = 0 if count is None else step.integer(count, "max_output_boxes_per_class")
    if step.get("center_point_box", 0):
        boxes = _corners(step, boxes)
    return step.op(
        "NMS",
        boxes,
        scores,
        max_num_outputs=max(most, 0),
        iou_threshold=0.0 if overlap is None else step.number(overlap, "iou_threshold"),
        score_threshold=(
            -np.inf if threshold is None else step.number(threshold, "score_threshold")
        ),
    )


def _corners(step: Step, boxes: Value) -> Value:
    """y1, x1, y2, x2 of boxes given as the x and y of their centre, width and height."""
    if boxes.rank != 3 or boxes.dims[2] != 4:
        raise step.error(f"boxes are {boxes.type}; accepted: [B,n,4]")
    x, y, width, height = (step.slice(boxes, 2, side, side + 1) for side in range(4))
    half = step.like(boxes, 0.5)
    across, down = step.op("Mul", width, half), step.op("Mul", height, half)
    sides = [step.op(name, *pair) for name in ("Sub", "Add") for pair in ((y, down), (x, across))]
    return step.concat(sides, 2)
