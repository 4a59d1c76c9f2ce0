"""SSD300 of SSD_ResNet34_PyTorch: objects of 80 kinds (COCO)."""

from typing import Sequence

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers, residual, ssd
from .common.example import Example
from .common.weights import Weights

SIZE = 300
CLASSES = 81
SCALES = (21, 45, 99, 153, 207, 261, 315)
LEVELS = tuple(
    ssd.Level(grid, step, step / 2, smallest, largest, ratios)
    for grid, step, smallest, largest, ratios in zip(
        (38, 19, 10, 5, 3, 1),
        (8, 16, 32, 64, 100, 300),
        SCALES,
        SCALES[1:],
        ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
    )
)
EXTRAS = ((4, 8, 2, 1), (4, 8, 2, 1), (2, 4, 2, 1), (2, 4, 1, 0), (2, 4, 1, 0))
"""Filters of the 1x1 and of the 3x3 convolution in widths, its stride and padding."""


def network(batch: int, weights: Weights, width: int = 64) -> Computation:
    """data [N,3,300,300], normalised RGB -> the outputs of :func:`ssd.detect`.

    The original pads images to four channels, which its hardware likes; zeros change nothing.
    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """
    with Computation("ssd_resnet34") as computation:
        x = odla.argument("data", (batch, 3, SIZE, SIZE))
        x = layers.conv_bn_relu(x, weights, "conv1", width, 7, 2, 3, residual.EPSILON)
        x = layers.max_pool(x, "pool1", 3, 2, 1)
        for stage, (count, stride) in enumerate(zip((3, 4, 6), (1, 2, 1)), 1):
            for block in range(count):
                x = residual.basic(
                    x,
                    weights,
                    f"layer{stage}.block{block}",
                    width * 2 ** (stage - 1),
                    1 if block else stride,
                    project=block == 0 and stage > 1,
                )
        sources = [x]
        for place, (inner, filters, stride, padding) in enumerate(EXTRAS, 1):
            x = layers.conv_relu(x, weights, f"extra{place}.conv0", inner * width, 1)
            x = layers.conv_relu(
                x, weights, f"extra{place}.conv1", filters * width, 3, stride, padding
            )
            sources.append(x)
        predict(sources, weights)
    return computation


def predict(sources: Sequence[Value], weights: Weights) -> None:
    """One convolution of a level says location and scores of its boxes, box by box, then cells."""
    heads = []
    for place, (source, level) in enumerate(zip(sources, LEVELS)):
        per_cell = len(level.sides)
        y = layers.conv(
            source,
            weights,
            f"head{place}",
            per_cell * (4 + CLASSES),
            3,
            padding=1,
            bias=True,
            gain=0.1,
        )
        stop = per_cell * 4
        heads.append((numbers(y, 0, stop, per_cell), numbers(y, stop, y.dims[1], per_cell)))
    # The original's boxes end at the edges of the image.
    boxes = np.clip(ssd.boxes(LEVELS, SIZE, cells_first=False), 0, 1)
    ssd.detect(heads, boxes, confidence=0.05, top=200)


def numbers(x: Value, start: int, stop: int, per_cell: int) -> Value:
    """What channels ``start`` to ``stop`` say, [N,boxes,numbers a box]."""
    batch, _, height, width = x.dims
    part = odla.slice(x, (0, start, 0, 0), (batch, stop, height, width))
    part = odla.reshape(part, (batch, (stop - start) // per_cell, per_cell * height * width))
    return odla.transpose(part, (0, 2, 1))


EXAMPLE = Example(
    name="ssd_resnet34",
    group="SSD_ResNet34_PyTorch",
    build=network,
    inputs=layers.random_data("data", SIZE),
    parameters=19_972_534,
    macs=15_862_078_720,
    batches=(32, 64, 128),
    finish=ssd.objects,
    small=Example(
        name="ssd_resnet34",
        group="SSD_ResNet34_PyTorch",
        build=lambda batch, weights: network(batch, weights, width=4),
        inputs=layers.random_data("data", SIZE),
        parameters=563_794,
        macs=206_303_920,
        batches=(1, 2),
        finish=ssd.objects,
    ),
)
