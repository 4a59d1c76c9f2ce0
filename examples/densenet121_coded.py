"""What CNN_Tensorflow's code builds as densenet121: smaller than, and unlike, DenseNet-121.

Three blocks, bottlenecks of 32 channels, batch normalization on both sides of each convolution,
transitions that keep the channels that grew.  Its training results are of this network, its
inference results of the standard one, ``densenet121``.
"""

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights

BLOCKS = (6, 12, 24)
GROWTH = 32
EPSILON = 1e-4


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """Images [N,size,size,3] of 0..255 -> logits [N,1000]."""
    with Computation("densenet121_coded") as computation:
        x = layers.pixels("Images", batch, size)
        x = layers.conv_bn_relu(x, weights, "conv1", 64, 7, 2)
        x = layers.average_pool(x, "pool1", 2, 2)
        grown = 0
        for block, count in enumerate(BLOCKS, 1):
            for layer in range(count):
                x = dense_layer(x, weights, f"block{block}.layer{layer}")
            grown += count * GROWTH
            x = both_sides(x, weights, f"transition{block}", grown, 1)
            x = layers.average_pool(x, f"transition{block}.pool", 2, 2)
        x = layers.bn_relu(x, weights, "last.bn", EPSILON)
        odla.output(layers.linear(layers.global_mean(x), weights, "logits", 1000), "logits")
    return computation


def dense_layer(x: Value, weights: Weights, name: str) -> Value:
    """The input, and 32 channels made of it."""
    y = both_sides(x, weights, f"{name}.conv0", GROWTH, 1)
    y = both_sides(y, weights, f"{name}.conv1", GROWTH, 3)
    return layers.concat([x, y], name)


def both_sides(x: Value, weights: Weights, name: str, filters: int, window: int) -> Value:
    """Batch normalization and ReLU, a convolution, and both again."""
    x = layers.bn_relu(x, weights, f"{name}.before", EPSILON)
    return layers.conv_bn_relu(x, weights, name, filters, window, padding="SAME", epsilon=EPSILON)


EXAMPLE = Example(
    name="densenet121_coded",
    group="CNN_Tensorflow",
    model="densenet121",
    build=build,
    inputs=layers.random_pixels("Images", 224),
    parameters=4_898_024,
    macs=1_388_989_632,
    batches=(16, 32, 64),
)
