"""SSD321 of SSD_ResNet18_Caffe: objects of 20 kinds (VOC)."""

import odla_ipu as odla
from odla_ipu import Computation

from .common import layers, residual, ssd
from .common.example import Example
from .common.weights import Weights

SIZE = 321
CLASSES = 21
RATIOS = (1.6, 2, 3)
LEVELS = tuple(
    ssd.Level(grid, step, start, *sides, RATIOS)
    for grid, step, start, sides in zip(
        (40, 20, 10, 5), (8, 16, 32, 64), (2.5, 2.5, 10.5, 26.5), ssd.sizes(SIZE, 4)
    )
)
"""Of res3b, res4b, res5b and conv7."""


def network(batch: int, weights: Weights, width: int = 64) -> Computation:
    """data [N,3,321,321], BGR without its mean -> the outputs of :func:`ssd.detect`.

    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """
    with Computation("ssd_resnet18") as computation:
        x = odla.argument("data", (batch, 3, SIZE, SIZE))
        x = layers.conv_bn_relu(x, weights, "conv1", width, 7, 2, 3, residual.EPSILON)
        x = layers.max_pool(x, "pool1", 3, 2, "CEIL")
        sources = []
        for stage in range(4):
            for block in range(2):
                first = block == 0
                x = residual.basic(
                    x,
                    weights,
                    f"res{stage + 2}{'ab'[block]}",
                    width * 2**stage,
                    2 if first and stage else 1,
                    project=first,
                )
            sources.append(x)
        x = layers.conv_relu(x, weights, "conv6", 4 * width, 1)
        sources.append(layers.conv_relu(x, weights, "conv7", 8 * width, 3, 2, 1))
        heads = [
            ssd.head(source, weights, f"head{place}", len(level.sides), CLASSES)
            for place, (source, level) in enumerate(zip(sources[1:], LEVELS))
        ]
        ssd.detect(heads, ssd.boxes(LEVELS, SIZE))
    return computation


EXAMPLE = Example(
    name="ssd_resnet18",
    group="SSD_ResNet18_Caffe",
    build=network,
    inputs=layers.random_data("data", SIZE),
    parameters=15_027_424,
    macs=4_441_138_368,
    batches=(8, 16, 32),
    finish=ssd.objects,
    small=Example(
        name="ssd_resnet18",
        group="SSD_ResNet18_Caffe",
        build=lambda batch, weights: network(batch, weights, width=4),
        inputs=layers.random_data("data", SIZE),
        parameters=209_164,
        macs=70_787_148,
        batches=(1, 2),
        finish=ssd.objects,
    ),
)
