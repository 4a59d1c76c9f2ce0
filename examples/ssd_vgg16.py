"""SSD300 of SSD_VGG16_Caffe: objects of 20 kinds (VOC)."""

from typing import Any

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers, ssd, vgg
from .common.example import Example
from .common.weights import Weights

SIZE = 300
CLASSES = 21
LEVELS = tuple(
    ssd.Level(grid, step, step / 2, smallest, largest, ratios)
    for grid, step, smallest, largest, ratios in (
        (38, 8, 30, 60, (2,)),
        (19, 16, 60, 111, (2, 3)),
        (10, 32, 111, 162, (2, 3)),
        (5, 64, 162, 213, (2, 3)),
        (3, 100, 213, 264, (2,)),
        (1, 300, 264, 315, (2,)),
    )
)
"""Of conv4_3, fc7, conv6_2, conv7_2, conv8_2 and conv9_2."""


def network(batch: int, weights: Weights, width: int = 64) -> Computation:
    """data [N,3,300,300], BGR without its mean -> the outputs of :func:`ssd.detect`.

    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """
    with Computation("ssd_vgg16") as computation:
        x = odla.argument("data", (batch, 3, SIZE, SIZE))
        fourth, x = vgg.conv5(x, weights, width, "CEIL")
        first = channel_norm(fourth, weights, "conv4_3_norm")
        sources = [first, *extras(top(x, weights, width), weights, width)]
        heads = [
            ssd.head(source, weights, f"head{place}", len(level.sides), CLASSES)
            for place, (source, level) in enumerate(zip(sources, LEVELS))
        ]
        ssd.detect(heads, ssd.boxes(LEVELS, SIZE))
    return computation


def channel_norm(x: Value, weights: Weights, name: str) -> Value:
    """Each position's channels to length 1, times a learned scale that starts as 20."""
    scale = weights.uniform(f"{name}.scale", (x.dims[1],), 15, 25)
    return odla.lp_normalize(x, p=2, axes=(1,), scale=scale.reshape(1, -1, 1, 1), id=name)


def top(x: Value, weights: Weights, width: int) -> Value:
    """fc6 and fc7 as convolutions."""
    x = layers.max_pool(x, "pool5", 3, 1, 1)
    x = layers.conv(x, weights, "fc6", 16 * width, 3, padding=6, bias=True, dilation=6)
    return layers.conv_relu(odla.relu(x), weights, "fc7", 16 * width, 1)


def extras(x: Value, weights: Weights, width: int) -> Any:
    """fc7 and the four smaller levels behind it."""
    sources = [x]
    for place, (inner, filters, stride, padding) in enumerate(
        ((4, 8, 2, 1), (2, 4, 2, 1), (2, 4, 1, 0), (2, 4, 1, 0)), 6
    ):
        x = layers.conv_relu(x, weights, f"conv{place}_1", inner * width, 1)
        x = layers.conv_relu(x, weights, f"conv{place}_2", filters * width, 3, stride, padding)
        sources.append(x)
    return sources


EXAMPLE = Example(
    name="ssd_vgg16",
    group="SSD_VGG16_Caffe",
    build=network,
    inputs=layers.random_data("data", SIZE),
    parameters=26_285_486,
    macs=31_373_537_792,
    batches=(8, 16, 32),
    finish=ssd.objects,
    small=Example(
        name="ssd_vgg16",
        group="SSD_VGG16_Caffe",
        build=lambda batch, weights: network(batch, weights, width=4),
        inputs=layers.random_data("data", SIZE),
        parameters=299_786,
        macs=204_585_632,
        batches=(1, 2),
        finish=ssd.objects,
    ),
)
