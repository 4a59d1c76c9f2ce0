"""ResNet-50 of CNN_Tensorflow: version 1, the stride on the first 1x1 convolution of a block."""

from typing import Sequence

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights

STAGES = ((256, 64), (512, 128), (1024, 256), (2048, 512))
"""Channels out of a stage and within its blocks."""


def network(
    batch: int, weights: Weights, blocks: Sequence[int] = (3, 4, 6, 3), size: int = 224
) -> Computation:
    """Images [N,size,size,3] of 0..255 -> logits [N,1000]; ``blocks`` a stage."""
    with Computation("resnet") as computation:
        x = layers.pixels("Images", batch, size)
        # Padded by 3 on all sides here, not as SAME would.
        x = layers.conv_bn_relu(x, weights, "conv0", 64, 7, 2, padding=3)
        x = layers.max_pool(x, "pool0", 3, 2)
        x = stages(x, weights, blocks, epsilon=1e-4)
        odla.output(layers.linear(layers.global_mean(x), weights, "logits", 1000), "logits")
    return computation


def stages(x: Value, weights: Weights, blocks: Sequence[int], epsilon: float) -> Value:
    """Four of so many bottlenecks; all but the first halve the image."""
    for stage, (count, (outputs, inner)) in enumerate(zip(blocks, STAGES), 1):
        for block in range(count):
            stride = 2 if block == 0 and stage > 1 else 1
            name = f"stage{stage}.block{block}"
            x = bottleneck(x, weights, name, outputs, inner, stride, epsilon)
    return x


def bottleneck(
    x: Value,
    weights: Weights,
    name: str,
    outputs: int,
    inner: int,
    stride: int,
    epsilon: float,
) -> Value:
    """1x1, 3x3, 1x1, and the input or its projection added."""
    shortcut = x
    if x.dims[1] != outputs:
        shortcut = layers.conv(x, weights, f"{name}.project", outputs, 1, stride, gain=1.0)
        shortcut = layers.batch_norm(shortcut, weights, f"{name}.project.bn", epsilon)
    y = layers.conv_bn_relu(x, weights, f"{name}.conv0", inner, 1, stride, epsilon=epsilon)
    y = layers.conv_bn_relu(y, weights, f"{name}.conv1", inner, 3, padding=1, epsilon=epsilon)
    y = layers.conv(y, weights, f"{name}.conv2", outputs, 1)
    # Small, or sums of so many blocks would leave float16's range.
    y = layers.batch_norm(y, weights, f"{name}.conv2.bn", epsilon, scale=(0.1, 0.3))
    return odla.relu(odla.add(y, shortcut, id=f"{name}.sum"), id=f"{name}.relu")


EXAMPLE = Example(
    name="resnet50",
    group="CNN_Tensorflow",
    build=network,
    inputs=layers.random_pixels("Images", 224),
    parameters=25_557_032,
    macs=3_857_973_248,
    batches=(16, 32, 64),
)
