"""Mask R-CNN of Mask_RCNN: objects of 80 kinds and their outlines (arXiv:1703.06870, COCO)."""

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value
from odla_ipu.errors import InvalidParameter

from .common import layers, regions, residual
from .common.example import Example
from .common.weights import Weights

CLASSES = 81
EPSILON = 1e-3
"""Keras's, of batch normalization."""

RATIOS = (0.5, 1, 2)
STRIDES = (4, 8, 16, 32, 64)
SIDES = (32, 64, 128, 256, 512)
SPREAD = np.array([0.1, 0.1, 0.2, 0.2], np.float32)
"""What the network's deltas are multiplied by."""

PROPOSAL_OVERLAP = 0.7
OBJECT_OVERLAP = 0.3
POOL, MASK_POOL = 7, 14


@dataclasses.dataclass(frozen=True)
class Config:
    """``least_score`` is 0.7 where objects are wanted, 0 in the original's evaluation.

    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """

    size: int = 1024
    blocks: Sequence[int] = (3, 4, 23, 3)
    width: int = 64
    units: int = 1024
    candidates: int = 6000
    proposals: int = 1000
    objects: int = 100
    least_score: float = 0.0

    @property
    def channels(self) -> int:
        """Of the pyramid."""
        return 4 * self.width


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """images [1,S,S,3], RGB without its mean -> proposals, scores, deltas; boxes, classes, masks.

    proposals [R,4], scores [R,81] and deltas [R,324] are what objects are made of: boxes [D,4]
    (y1, x1, y2, x2 in parts of the image), classes INT32 [D] (0: unused), confidence [D] and masks
    [D,28,28].  The best objects come first.
    """
    if batch != 1:
        raise InvalidParameter(f"mask_rcnn: batch is {batch}; accepted: 1, as in the original")
    with Computation("mask_rcnn") as computation:
        images = odla.argument("images", (1, config.size, config.size, 3))
        levels = pyramid(odla.transpose(images, (0, 3, 1, 2)), weights, config)
        rois, is_used = proposals(levels, weights, config)
        # One table of all cells; a box finds its level's part of it.
        table = cells(levels[:4])
        sides = [level.dims[2] for level in levels[:4]]
        scores, deltas = classify(crops(table, sides, rois, POOL), weights, config)
        scores = odla.mul(scores, odla.reshape(odla.cast(is_used, "float32"), (-1, 1)))
        boxes, classes, confidence = detect(rois, scores, deltas, config)
        found = masks(crops(table, sides, boxes, MASK_POOL), classes, weights, config)
        for value, name in (
            (rois, "proposals"),
            (scores, "scores"),
            (deltas, "deltas"),
            (boxes, "boxes"),
            (classes, "classes"),
            (confidence, "confidence"),
            (found, "masks"),
        ):
            odla.output(value, name)
    return computation


def pyramid(x: Value, weights: Weights, config: Config) -> List[Value]:
    """P2 to P6: maps of the same channels, each half as large as the one before."""
    x = layers.conv(x, weights, "conv1", config.width, 7, 2, 3, bias=True)
    x = layers.max_pool(layers.bn_relu(x, weights, "bn_conv1", EPSILON), "pool1", 3, 2)
    maps = residual.stages(x, weights, config.blocks, config.width, bias=True, epsilon=EPSILON)
    merged: List[Value] = []
    for place in reversed(range(4)):
        y = layers.conv(
            maps[place], weights, f"fpn_c{place + 2}p{place + 2}", config.channels, 1, bias=True
        )
        if merged:
            merged.insert(0, odla.add(odla.resize(merged[0], y.dims, "nearest"), y))
        else:
            merged.append(y)
    levels = [
        layers.conv(y, weights, f"fpn_p{place}", config.channels, 3, padding=1, bias=True, gain=1)
        for place, y in enumerate(merged, 2)
    ]
    return [*levels, layers.max_pool(levels[-1], "fpn_p6", 1, 2, 0)]


def anchors(size: int) -> np.ndarray:
    """y1, x1, y2, x2 of the boxes of all cells of all levels, in parts of the image."""
    rows = []
    for stride, side in zip(STRIDES, SIDES):
        root = np.sqrt(RATIOS)
        halves = np.stack([side / root, side * root], axis=1) / 2
        places = np.arange(math.ceil(size / stride)) * stride
        centres = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 1, 2)
        rows.append(np.concatenate([centres - halves, centres + halves], axis=2).reshape(-1, 4))
    corners = np.concatenate(rows) - [0, 0, 1, 1]
    return (corners / (size - 1)).astype(np.float32)


def proposals(levels: Sequence[Value], weights: Weights, config: Config) -> Tuple[Value, Value]:
    """The best boxes [R,4] that hold anything, and which of them are used, BOOL [R]."""
    names = ("rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred")
    shapes = (
        (2 * config.channels, config.channels, 3, 3),
        (6, 2 * config.channels, 1, 1),
        (12, 2 * config.channels, 1, 1),
    )
    shared = [
        (
            odla.constant(
                weights.normal(f"{name}.weight", shape, gain / math.sqrt(math.prod(shape[1:]))),
                f"{name}.weight",
            ),
            weights.normal(f"{name}.bias", shape[:1], 0.1),
        )
        for name, shape, gain in zip(names, shapes, (1.4, 1.0, 1.0))
    ]
    logits: List[Value] = []
    deltas: List[Value] = []
    for level in levels:
        (kernel, bias), (raw, raw_bias), (box, box_bias) = shared
        x = odla.relu(
            odla.conv(level, kernel, bias=bias, paddings_front=(1, 1), paddings_back=(1, 1))
        )
        for y, width, parts in (
            (odla.conv(x, raw, bias=raw_bias), 2, logits),
            (odla.conv(x, box, bias=box_bias), 4, deltas),
        ):
            count = y.type.elements // width
            parts.append(odla.reshape(odla.transpose(y, (0, 2, 3, 1)), (count, width)))
    score = odla.softmax(odla.concat(logits, axis=0), axis=-1)
    score = odla.reshape(regions.column(score, 1), (score.dims[0],))
    delta = odla.mul(odla.concat(deltas, axis=0), SPREAD)
    score, both = regions.best(
        score, odla.concat([odla.constant(anchors(config.size)), delta], axis=1), config.candidates
    )
    count = both.dims[0]
    boxes = moved(odla.slice(both, (0, 0), (count, 4)), odla.slice(both, (0, 4), (count, 8)))
    places, is_used = regions.suppressed(score, boxes, config.proposals, PROPOSAL_OVERLAP)
    used = odla.reshape(odla.cast(is_used, "float32"), (config.proposals, 1))
    return odla.mul(odla.gather(boxes, places, axis=0), used), is_used


def moved(boxes: Value, deltas: Value) -> Value:
    """Boxes [n,4] moved and grown by deltas [n,4], cut at the image's edges."""
    y1, x1, y2, x2 = regions.columns(boxes)
    dy, dx, dh, dw = regions.columns(deltas)
    height, width = odla.sub(y2, y1), odla.sub(x2, x1)
    y, x = odla.add(y1, odla.mul(height, 0.5)), odla.add(x1, odla.mul(width, 0.5))
    top, bottom = regions.shifted(y, height, dy, dh)
    left, right = regions.shifted(x, width, dx, dw)
    corners = odla.concat([top, left, bottom, right], axis=1)
    return odla.clamp(corners, 0.0, 1.0)


def cells(levels: Sequence[Value]) -> Value:
    """The channels of all cells, level by level, row by row."""
    rows = []
    for level in levels:
        _, channels, height, width = level.dims
        rows.append(odla.reshape(odla.transpose(level, (0, 2, 3, 1)), (height * width, channels)))
    return odla.concat(rows, axis=0, id="cells")


def crops(table: Value, sides: Sequence[int], boxes: Value, size: int) -> Value:
    """size x size points of each box, [n,C,size,size], bilinear between cells of its level.

    This is TensorFlow's crop_and_resize: the outer points lie on the edges of the box, where
    odla_ROIAlign takes means of cells and has no boxes of less than a pixel.  One gather serves all
    levels, since a row of the table is a cell of any.
    """
    count, channels = boxes.dims[0], table.dims[1]
    level = _level(boxes, sides)
    starts = np.cumsum([0, *(side * side for side in sides)])[:-1].astype(np.int32)
    side = odla.gather(np.array(sides, np.int32), level, axis=0)
    start = odla.gather(starts, level, axis=0)
    last = odla.cast(odla.sub(side, np.int32(1)), "float32")
    y1, x1, y2, x2 = (odla.reshape(one, (count, 1)) for one in regions.columns(boxes))
    steps = (np.arange(size, dtype=np.float32) / (size - 1)).reshape(1, size)

    def points(low: Value, high: Value) -> Tuple[Value, Value, Value]:
        """Cells before and after each point, INT32 [n,size], and how far it is from the first."""
        along = odla.mul(odla.add(low, odla.mul(odla.sub(high, low), steps)), last)
        before = odla.floor(along)
        after = odla.min(odla.add(before, 1.0), last)
        return odla.cast(before, "int32"), odla.cast(after, "int32"), odla.sub(along, before)

    top, bottom, down = points(y1, y2)
    left, right, across = points(x1, x2)

    def row(y: Value, x: Value) -> Value:
        line = odla.add(odla.mul(y, side), start)
        places = odla.add(odla.reshape(line, (count, size, 1)), odla.reshape(x, (count, 1, size)))
        return odla.gather(table, places, axis=0)

    down = odla.reshape(down, (count, size, 1, 1))
    across = odla.reshape(across, (count, 1, size, 1))
    upper = mixed(row(top, left), row(top, right), across)
    lower = mixed(row(bottom, left), row(bottom, right), across)
    return odla.reshape(
        odla.transpose(mixed(upper, lower, down), (0, 3, 1, 2)), (count, channels, size, size)
    )


def mixed(first: Value, second: Value, share: Value) -> Value:
    return odla.add(first, odla.mul(odla.sub(second, first), share))


def _level(boxes: Value, sides: Sequence[int]) -> Value:
    """Which level of the pyramid shows a box best, INT32 [n,1]: 224 pixels are P4's."""
    y1, x1, y2, x2 = regions.columns(boxes)
    area = odla.mul(odla.sub(y2, y1), odla.sub(x2, x1))
    size = sides[0] * STRIDES[0]
    # 4 + log2(side / 224), and half the logarithm of an area is a side's.
    side = odla.log(odla.max(area, 1e-12))
    level = odla.add(odla.mul(side, 0.5 / math.log(2)), 2.0 + math.log2(size / 224))
    return odla.cast(odla.clamp(odla.round(level), 0.0, 3.0), "int32")


def classify(x: Value, weights: Weights, config: Config) -> Tuple[Value, Value]:
    """Chances of the classes [R,81] and deltas of their boxes [R,324]."""
    for name, window in (("mrcnn_class_conv1", POOL), ("mrcnn_class_conv2", 1)):
        x = layers.conv(x, weights, name, config.units, window, bias=True)
        x = layers.bn_relu(x, weights, f"{name}.bn", EPSILON)
    x = odla.reshape(x, (x.dims[0], config.units))
    scores = odla.softmax(layers.linear(x, weights, "mrcnn_class_logits", CLASSES), axis=-1)
    return scores, layers.linear(x, weights, "mrcnn_bbox_fc", 4 * CLASSES)


def detect(rois: Value, scores: Value, deltas: Value, config: Config) -> Tuple[Value, Value, Value]:
    """The best objects: boxes [D,4], classes INT32 [D] and confidence [D].

    A proposal counts for its likeliest class; per class, no better box may overlap.
    """
    count = rois.dims[0]
    label = odla.arg_max(scores, axis=1, keep_dims=False, output_value_type="int32")
    places = np.arange(count, dtype=np.int32) * CLASSES
    at = odla.add(label, places)
    delta = odla.gather(odla.reshape(deltas, (count * CLASSES, 4)), at, axis=0)
    boxes = moved(rois, odla.mul(delta, SPREAD))

    is_class = odla.equal(
        odla.reshape(label, (1, count)), np.arange(CLASSES, dtype=np.int32)[:, None]
    )
    is_object = (np.arange(CLASSES) > 0)[:, None]
    chances = odla.select(
        odla.and_(is_class, is_object), odla.transpose(scores, (1, 0)), np.float32(-1)
    )
    rows = odla.nms(
        odla.reshape(boxes, (1, count, 4)),
        odla.reshape(chances, (1, CLASSES, count)),
        max_num_outputs=config.objects,
        iou_threshold=OBJECT_OVERLAP,
        score_threshold=config.least_score,
        output_value_type=odla.ValueType(odla.ElementType.INT32, (count, 3)),
    )
    labels, chosen = regions.column(rows, 1), regions.column(rows, 2)
    is_used = odla.greater_or_equal(chosen, np.int32(0))
    safe = odla.max(odla.add(odla.mul(chosen, np.int32(CLASSES)), labels), np.int32(0))
    confidence = odla.gather(odla.reshape(scores, (count * CLASSES,)), safe, axis=0)
    confidence = odla.reshape(odla.select(is_used, confidence, np.float32(0)), (count,))
    confidence, best = odla.top_k(confidence, K=config.objects, output_value_index_type="int32")
    chosen = odla.reshape(odla.max(chosen, np.int32(0)), (count,))
    classes = odla.reshape(odla.max(labels, np.int32(0)), (count,))
    boxes = odla.gather(boxes, odla.gather(chosen, best, axis=0), axis=0)
    used = odla.reshape(odla.cast(odla.greater(confidence, 0.0), "float32"), (config.objects, 1))
    return odla.mul(boxes, used), odla.gather(classes, best, axis=0), confidence


def masks(x: Value, classes: Value, weights: Weights, config: Config) -> Value:
    """The outline of each object as its class's mask, [D,28,28] of 0 to 1."""
    for place in range(1, 5):
        name = f"mrcnn_mask_conv{place}"
        x = layers.conv(x, weights, name, config.channels, 3, padding=1, bias=True)
        x = layers.bn_relu(x, weights, f"{name}.bn", EPSILON)
    x = odla.relu(layers.deconv(x, weights, "mrcnn_mask_deconv", config.channels, 2, 2, bias=True))
    x = odla.sigmoid(layers.conv(x, weights, "mrcnn_mask", CLASSES, 1, bias=True, gain=1))
    count, side = config.objects, 2 * MASK_POOL
    places = odla.add(classes, np.arange(count, dtype=np.int32) * CLASSES)
    flat = odla.reshape(x, (count * CLASSES, side, side))
    return odla.gather(flat, places, axis=0)


def objects(outputs: Mapping[str, np.ndarray]) -> List[Dict[str, Any]]:
    """What is in the image: class, confidence, box in parts of the image, mask [28,28]."""
    return [
        {
            "class": int(outputs["classes"][row]),
            "confidence": float(outputs["confidence"][row]),
            "box": outputs["boxes"][row].tolist(),
            "mask": outputs["masks"][row],
        }
        for row in np.flatnonzero(outputs["confidence"] > 0)
    ]


def outline(mask: np.ndarray, box: Sequence[float], height: int, width: int) -> np.ndarray:
    """BOOL [height,width]: the pixels of an object, its mask stretched over its box."""
    from PIL import Image

    y1, x1, y2, x2 = (round(part * (side - 1)) for part, side in zip(box, (height, width) * 2))
    y2, x2 = y2 + 1, x2 + 1
    stretched = Image.fromarray(mask.astype(np.float32)).resize(
        (x2 - x1, y2 - y1), Image.Resampling.BILINEAR
    )
    result = np.zeros((height, width), bool)
    result[y1:y2, x1:x2] = np.asarray(stretched) >= 0.5
    return result


def images(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn pixels, less their mean."""
    return {"images": generator.standard_normal((batch, config.size, config.size, 3), np.float32)}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="mask_rcnn",
        group="Mask_RCNN",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: images(batch, generator, config),
        batches=(1,),
        finish=objects,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=64_047_096,
    macs=388_647_510_016,
    small=_example(
        Config(128, (1, 1, 2, 1), 4, 16, 300, 40, 10), parameters=88_264, macs=45_810_560
    ),
)
