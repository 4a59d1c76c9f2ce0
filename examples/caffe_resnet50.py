"""MSRA's ResNet-50 of CNN_Caffe: as CNN_Tensorflow's, with a pool that rounds up and a softmax."""

from typing import Sequence

import odla_ipu as odla
from odla_ipu import Computation

from .common import layers
from .common.example import Example
from .common.weights import Weights
from .resnet50 import stages

EPSILON = 1e-5


def network(
    batch: int, weights: Weights, blocks: Sequence[int] = (3, 4, 6, 3), size: int = 224
) -> Computation:
    """data [N,3,size,size] -> prob [N,1000]; ``blocks`` a stage."""
    with Computation("caffe_resnet") as computation:
        x = odla.argument("data", (batch, 3, size, size))
        x = layers.conv_bn_relu(x, weights, "conv0", 64, 7, 2, padding=3, epsilon=EPSILON)
        x = layers.max_pool(x, "pool0", 3, 2, "CEIL")
        x = layers.global_mean(stages(x, weights, blocks, EPSILON))
        # Small, or softmax of so many sums would be 0 and 1.
        logits = layers.linear(x, weights, "classifier", 1000, gain=0.05)
        odla.output(odla.softmax(logits), "prob")
    return computation


EXAMPLE = Example(
    name="caffe_resnet50",
    group="CNN_Caffe",
    model="resnet50",
    build=network,
    inputs=layers.random_data("data", 224),
    parameters=25_557_032,
    macs=3_857_973_248,
    batches=(16, 32, 64),
)
