"""DSSD321 of DSSD: objects of 20 kinds (arXiv:1701.06659, VOC)."""

from typing import List

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers, residual, ssd
from .common.example import Example
from .common.weights import Weights

SIZE = 321
CLASSES = 21
RATIOS = (1.6, 2, 3)
LEVELS = tuple(
    ssd.Level(grid, step, start, *sides, RATIOS)
    for grid, step, start, sides in zip(
        (40, 20, 10, 5, 3, 1),
        (8, 16, 32, 64, 64, 321),
        (2.5, 2.5, 10.5, 26.5, 90.5, 160.5),
        ssd.sizes(SIZE, 6),
    )
)
"""Of res3b3, res5c, res6, res7, res8 and res9."""


def network(batch: int, weights: Weights, width: int = 64) -> Computation:
    """data [N,3,321,321], BGR without its mean -> the outputs of :func:`ssd.detect`.

    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """
    with Computation("dssd") as computation:
        x = odla.argument("data", (batch, 3, SIZE, SIZE))
        maps = forward(x, weights, width)
        # From the smallest map back to the largest.
        sources = [maps[-1]]
        for place in reversed(range(len(maps) - 1)):
            grown = upwards(sources[0], maps[place], weights, f"deconv{place}", width)
            sources.insert(0, grown)
        heads = []
        for place, (source, level) in enumerate(zip(sources, LEVELS)):
            name = f"prediction{place}"
            y = residual.bottleneck(source, weights, name, 16 * width, 4 * width, project=True)
            window = 5 if place < 2 else 3
            heads.append(ssd.head(y, weights, name, len(level.sides), CLASSES, window))
        ssd.detect(heads, ssd.boxes(LEVELS, SIZE))
    return computation


def forward(x: Value, weights: Weights, width: int) -> List[Value]:
    """ResNet-101's maps of 40 and 20 cells a side, and four smaller ones behind them."""
    x = layers.conv_bn_relu(x, weights, "conv1", width, 7, 2, 3, residual.EPSILON)
    x = layers.max_pool(x, "pool1", 3, 2, "CEIL")
    maps = []
    for stage, count in enumerate((3, 4, 23, 3), 2):
        inner = width * 2 ** (stage - 2)
        for block in range(count):
            x = residual.bottleneck(
                x,
                weights,
                f"res{stage}.block{block}",
                4 * inner,
                inner,
                2 if block == 0 and stage in (3, 4) else 1,
                project=block == 0,
                dilation=2 if stage == 5 else 1,
            )
        if stage in (3, 5):
            maps.append(x)
    for place, (window, stride) in enumerate(((2, 2), (2, 2), (3, 1), (3, 1)), 6):
        x = shrink(x, weights, f"res{place}", width, window, stride)
        maps.append(x)
    return maps


def shrink(x: Value, weights: Weights, name: str, width: int, window: int, stride: int) -> Value:
    """A residual block without padding, the input projected by a window of that size, too."""
    y = layers.conv_bn_relu(x, weights, f"{name}.conv0", 4 * width, 1, epsilon=residual.EPSILON)
    y = layers.conv_bn_relu(
        y, weights, f"{name}.conv1", 4 * width, window, stride, epsilon=residual.EPSILON
    )
    y = layers.conv(y, weights, f"{name}.conv2", 16 * width, 1)
    y = layers.batch_norm(y, weights, f"{name}.conv2.bn", residual.EPSILON, scale=(0.1, 0.3))
    x = layers.conv(x, weights, f"{name}.project", 16 * width, window, stride, gain=1)
    x = layers.batch_norm(x, weights, f"{name}.project.bn", residual.EPSILON)
    return odla.relu(odla.add(y, x), id=f"{name}.relu")


def upwards(x: Value, fine: Value, weights: Weights, name: str, width: int) -> Value:
    """The map ``x`` grown to the size of ``fine``, and the two multiplied."""
    filters, grid = 8 * width, fine.dims[2]
    window, stride = (2, 2) if grid == 2 * x.dims[2] else (3, 1)
    x = layers.deconv(x, weights, f"{name}.deconv", filters, window, stride)
    x = layers.conv(x, weights, f"{name}.conv", filters, 3, padding=1, gain=1)
    # Products of two maps: small, or they grow from level to level.
    x = layers.batch_norm(x, weights, f"{name}.conv.bn", residual.EPSILON, scale=(0.2, 0.6))
    y = layers.conv_bn_relu(
        fine, weights, f"{name}.side0", filters, 3, padding=1, epsilon=residual.EPSILON
    )
    y = layers.conv(y, weights, f"{name}.side1", filters, 3, padding=1, gain=1)
    y = layers.batch_norm(y, weights, f"{name}.side1.bn", residual.EPSILON)
    return odla.relu(odla.mul(x, y), id=name)


EXAMPLE = Example(
    name="dssd",
    group="DSSD",
    build=network,
    inputs=layers.random_data("data", SIZE),
    parameters=165_169_392,
    macs=53_823_468_736,
    batches=(1, 2, 4),
    finish=ssd.objects,
    small=Example(
        name="dssd",
        group="DSSD",
        build=lambda batch, weights: network(batch, weights, width=4),
        inputs=layers.random_data("data", SIZE),
        parameters=1_689_012,
        macs=839_116_876,
        batches=(1, 2),
        finish=ssd.objects,
    ),
)
