"""Faster R-CNN of Faster_RCNN: objects of 20 kinds (arXiv:1506.01497, VGG16, VOC)."""

import dataclasses
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value
from odla_ipu.errors import InvalidParameter

from .common import layers, regions, vgg
from .common.example import Example
from .common.weights import Weights

CLASSES = 21
STRIDE = 16
"""Pixels from one cell of conv5 to the next."""

RATIOS = (0.5, 1, 2)
SCALES = (8, 16, 32)
LEAST_SIDE = 16
TO_THE_END = np.array([0, 0, 1, 1], np.float32)
"""Corners are pixels; added to them they are where their pixels end."""

MEAN = np.array([102.98, 115.95, 122.77], np.float32)
"""Of blue, green, red."""

PROPOSAL_OVERLAP = 0.7
OBJECT_OVERLAP = 0.3
LEAST_SCORE = 0.05
MOST_OBJECTS = 100


@dataclasses.dataclass(frozen=True)
class Config:
    """The original's images have any size up to 600 x 1000; here smaller ones are padded.

    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """

    height: int = 600
    width_of_image: int = 1000
    width: int = 64
    units: int = 4096
    candidates: int = 6000
    proposals: int = 300


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """data [1,3,H,W] and im_info [1,3] -> proposals, scores, boxes, selected.

    data is BGR without its mean, im_info the image's real height and width and how it was scaled.
    proposals [R,4] are x1, y1, x2, y2 in pixels (of unused ones score 0), scores [R,21], boxes
    [R,84] those of each class; selected INT32 [n,3] has rows of class - 1, 0 and proposal for what
    is left of them.
    """
    if batch != 1:
        raise InvalidParameter(f"faster_rcnn: batch is {batch}; accepted: 1, as in the original")
    with Computation("faster_rcnn") as computation:
        x = odla.argument("data", (1, 3, config.height, config.width_of_image))
        info = odla.argument("im_info", (1, 3))
        _, x = vgg.conv5(x, weights, config.width, "CEIL")
        rois, is_used = proposals(x, info, weights, config)
        y = odla.roi_max_pool(x, rois, 7, 7, scale=1 / STRIDE, id="roi_pool")
        y = odla.reshape(y, (config.proposals, 49 * x.dims[1]))
        for name in ("fc6", "fc7"):
            y = odla.relu(layers.linear(y, weights, name, config.units))
        scores = odla.softmax(layers.linear(y, weights, "cls_score", CLASSES), axis=-1)
        used = odla.reshape(odla.cast(is_used, "float32"), (config.proposals, 1))
        scores = odla.mul(scores, used)
        deltas = layers.linear(y, weights, "bbox_pred", 4 * CLASSES)
        boxes = moved(rois, deltas, info)
        odla.output(rois, "proposals")
        odla.output(scores, "scores")
        odla.output(boxes, "boxes")
        odla.output(select(scores, boxes), "selected")
    return computation


def anchors(height: int, width: int) -> np.ndarray:
    """x1, y1, x2, y2 of the nine boxes of each cell, row by row, [height*width*9,4].

    Around the centre of 16 x 16 pixels; sides are rounded before they are scaled.
    """
    rows = []
    for ratio in RATIOS:
        across = np.round(np.sqrt(STRIDE * STRIDE / ratio))
        down = np.round(across * ratio)
        for scale in SCALES:
            half = (np.array([across, down]) * scale - 1) / 2
            centre = (STRIDE - 1) / 2
            rows.append(np.concatenate([centre - half, centre + half]))
    y, x = np.mgrid[:height, :width] * STRIDE
    shifts = np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4)
    return (shifts + np.array(rows)).reshape(-1, 4).astype(np.float32)


def proposals(x: Value, info: Value, weights: Weights, config: Config) -> Tuple[Value, Value]:
    """The best boxes [R,4] that hold anything, and which of them are used, BOOL [R]."""
    x = layers.conv_relu(x, weights, "rpn_conv", 8 * config.width, 3, padding=1)
    _, _, height, width = x.dims
    count = height * width * 9
    score = layers.conv(x, weights, "rpn_cls_score", 18, 1, bias=True, gain=1)
    score = odla.softmax(odla.reshape(score, (2, count)), axis=0)
    score = odla.reshape(odla.slice(score, (1, 0), (2, count)), (9, height * width))
    score = odla.reshape(odla.transpose(score, (1, 0)), (count,))
    delta = layers.conv(x, weights, "rpn_bbox_pred", 36, 1, bias=True, gain=0.01)
    delta = odla.reshape(odla.transpose(delta, (0, 2, 3, 1)), (count, 4))
    boxes = moved(odla.constant(anchors(height, width)), delta, info)

    x1, y1, x2, y2 = regions.columns(boxes)
    least = odla.mul(regions.column(info, 2), float(LEAST_SIDE))
    sides = odla.add(odla.min(odla.sub(x2, x1), odla.sub(y2, y1)), 1.0)
    is_large = odla.reshape(odla.greater_or_equal(sides, least), (count,))
    score = odla.select(is_large, score, np.float32(-1))
    score, boxes = regions.best(score, boxes, config.candidates)
    reach = odla.add(boxes, TO_THE_END)
    places, is_used = regions.suppressed(
        score, reach, config.proposals, PROPOSAL_OVERLAP, threshold=-0.5
    )
    return odla.gather(boxes, places, axis=0), is_used


def moved(boxes: Value, deltas: Value, info: Value) -> Value:
    """Boxes [n,4] moved and grown by deltas [n,4*k] and cut at the image's edges, [n,4*k]."""
    count, numbers = deltas.dims
    x1, y1, x2, y2 = regions.columns(boxes)
    width, height = odla.add(odla.sub(x2, x1), 1.0), odla.add(odla.sub(y2, y1), 1.0)
    x, y = odla.add(x1, odla.mul(width, 0.5)), odla.add(y1, odla.mul(height, 0.5))
    dx, dy, dw, dh = (
        odla.slice(deltas, (0, place), (count, numbers), stride=(1, 4)) for place in range(4)
    )
    # The original makes the far corner as the near one, without taking a pixel off.
    left, right = regions.shifted(x, width, dx, dw)
    top, bottom = regions.shifted(y, height, dy, dh)
    last_y = odla.sub(regions.column(info, 0), 1.0)
    last_x = odla.sub(regions.column(info, 1), 1.0)
    corners = [
        odla.max(odla.min(corner, last), 0.0)
        for corner, last in ((left, last_x), (top, last_y), (right, last_x), (bottom, last_y))
    ]
    return odla.reshape(odla.stack(corners, axis=2), (count, numbers))


def select(scores: Value, boxes: Value) -> Value:
    """Each class's boxes that no better one of it overlaps, rows of class - 1, 0, proposal."""
    count = boxes.dims[0]
    by_class = odla.transpose(odla.reshape(boxes, (count, CLASSES, 4)), (1, 0, 2))
    by_class = odla.add(by_class, TO_THE_END)
    of_objects = odla.slice(by_class, (1, 0, 0), (CLASSES, count, 4))
    chances = odla.reshape(odla.transpose(scores, (1, 0)), (CLASSES, 1, count))
    return odla.nms(
        of_objects,
        odla.slice(chances, (1, 0, 0), (CLASSES, 1, count)),
        max_num_outputs=count,
        iou_threshold=OBJECT_OVERLAP,
        score_threshold=LEAST_SCORE,
        output_value_type=odla.ValueType(odla.ElementType.INT32, ((CLASSES - 1) * count, 3)),
    )


def prepared(image: np.ndarray, config: Config = Config()) -> Dict[str, np.ndarray]:
    """Inputs for an image [h,w,3] of RGB pixels: scaled to fit, its mean removed, padded."""
    from PIL import Image

    high, wide = image.shape[:2]
    shorter, longer = sorted((config.height, config.width_of_image))
    scale = min(shorter / min(high, wide), longer / max(high, wide))
    # An upright image does not fit a frame that lies.
    scale = min(scale, config.height / high, config.width_of_image / wide)
    size = (max(int(wide * scale), 1), max(int(high * scale), 1))
    scaled = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), np.float32)
    bgr = scaled[:, :, ::-1] - MEAN
    data = np.zeros((1, 3, config.height, config.width_of_image), np.float32)
    data[0, :, : size[1], : size[0]] = bgr.transpose(2, 0, 1)
    return {"data": data, "im_info": np.array([[size[1], size[0], scale]], np.float32)}


def objects(outputs: Mapping[str, np.ndarray]) -> List[Dict[str, Any]]:
    """The likeliest objects: class, confidence and box in pixels of the network's input."""
    label, _, place = outputs["selected"].T
    confidence = outputs["scores"][place, label + 1]
    boxes = outputs["boxes"].reshape(len(outputs["boxes"]), CLASSES, 4)[place, label + 1]
    order = np.argsort(-confidence, kind="stable")[:MOST_OBJECTS]
    return [
        {
            "class": int(label[row]) + 1,
            "confidence": float(confidence[row]),
            "box": boxes[row].tolist(),
        }
        for row in order
    ]


def images(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn pixels, less their mean."""
    data = generator.standard_normal((batch, 3, config.height, config.width_of_image), np.float32)
    info = np.array([[config.height, config.width_of_image, 1]], np.float32)
    return {"data": data, "im_info": info}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="faster_rcnn",
        group="Faster_RCNN",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: images(batch, generator, config),
        batches=(1,),
        finish=objects,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=137_078_239,
    macs=225_573_931_008,
    small=_example(Config(150, 200, 4, 32, 200, 20), parameters=123_587, macs=42_036_160),
)
