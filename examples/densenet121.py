"""DenseNet-121 of the published CNN_Tensorflow results: the standard network.

What CNN_Tensorflow's own code builds under this name is ``densenet121_coded``.
"""

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights

BLOCKS = (6, 12, 24, 16)
GROWTH = 32
EPSILON = 1e-5


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """Images [N,size,size,3] of 0..255 -> logits [N,1000]."""
    with Computation("densenet121") as computation:
        x = features(layers.pixels("Images", batch, size), weights)
        odla.output(layers.linear(layers.global_mean(x), weights, "logits", 1000), "logits")
    return computation


def features(x: Value, weights: Weights) -> Value:
    """Everything up to the classifier: 1024 channels on 1/32 of the image."""
    x = layers.conv_bn_relu(x, weights, "conv1", 64, 7, 2, padding=3, epsilon=EPSILON)
    x = layers.max_pool(x, "pool1", 3, 2, padding=1)
    for block, count in enumerate(BLOCKS, 1):
        for layer in range(count):
            x = dense_layer(x, weights, f"block{block}.layer{layer}")
        if block < len(BLOCKS):
            x = layers.bn_relu(x, weights, f"transition{block}.bn", EPSILON)
            x = layers.conv(x, weights, f"transition{block}", x.dims[1] // 2, 1)
            x = layers.average_pool(x, f"transition{block}.pool", 2, 2)
    return layers.bn_relu(x, weights, "last.bn", EPSILON)


def dense_layer(x: Value, weights: Weights, name: str) -> Value:
    """The input, and 32 channels made of it."""
    y = layers.bn_relu(x, weights, f"{name}.conv0.bn", EPSILON)
    y = layers.conv(y, weights, f"{name}.conv0", 4 * GROWTH, 1)
    y = layers.bn_relu(y, weights, f"{name}.conv1.bn", EPSILON)
    y = layers.conv(y, weights, f"{name}.conv1", GROWTH, 3, padding=1)
    return layers.concat([x, y], name)


EXAMPLE = Example(
    name="densenet121",
    group="CNN_Tensorflow",
    build=build,
    inputs=layers.random_pixels("Images", 224),
    parameters=7_978_856,
    macs=2_834_161_664,
    batches=(16, 32, 64),
)
