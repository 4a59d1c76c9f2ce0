"""GoogLeNet of CNN_Tensorflow: biases, no batch normalization, no LRN, no auxiliary heads."""

from typing import NamedTuple

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights


class Inception(NamedTuple):
    """Filters of a module's convolutions; ``reduce`` come before a larger one."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    pooled: int


MODULES = {
    "3a": Inception(64, 96, 128, 16, 32, 32),
    "3b": Inception(128, 128, 192, 32, 96, 64),
    "4a": Inception(192, 96, 208, 16, 48, 64),
    "4b": Inception(160, 112, 224, 24, 64, 64),
    "4c": Inception(128, 128, 256, 24, 64, 64),
    "4d": Inception(112, 144, 288, 32, 64, 64),
    "4e": Inception(256, 160, 320, 32, 128, 128),
    "5a": Inception(256, 160, 320, 32, 128, 128),
    "5b": Inception(384, 192, 384, 48, 128, 128),
}


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """Images [N,size,size,3] of 0..255 -> logits [N,1000]."""
    with Computation("googlenet") as computation:
        x = layers.pixels("Images", batch, size)
        x = layers.conv_relu(x, weights, "conv1", 64, 7, 2, "SAME")
        x = layers.max_pool(x, "pool1", 3, 2)
        x = layers.conv_relu(x, weights, "conv2.reduce", 64, 1)
        x = layers.conv_relu(x, weights, "conv2", 192, 3, padding=1)
        x = layers.max_pool(x, "pool2", 3, 2)
        x = modules(x, weights, "SAME")
        odla.output(layers.linear(layers.global_mean(x), weights, "logits", 1000), "logits")
    return computation


def modules(x: Value, weights: Weights, padding: layers.Padding) -> Value:
    """The nine inception modules; ``padding`` of the pools before groups 4 and 5."""
    for name, filters in MODULES.items():
        if name in ("4a", "5a"):
            x = layers.max_pool(x, f"pool{int(name[0]) - 1}", 3, 2, padding)
        x = inception(x, weights, f"inception{name}", filters)
    return x


def inception(x: Value, weights: Weights, name: str, filters: Inception) -> Value:
    """Convolutions of three sizes and of the pooled input, side by side."""
    one = layers.conv_relu(x, weights, f"{name}.one", filters.one, 1)
    three = layers.conv_relu(x, weights, f"{name}.reduce3", filters.reduce3, 1)
    three = layers.conv_relu(three, weights, f"{name}.three", filters.three, 3, padding=1)
    five = layers.conv_relu(x, weights, f"{name}.reduce5", filters.reduce5, 1)
    five = layers.conv_relu(five, weights, f"{name}.five", filters.five, 5, padding=2)
    pooled = layers.max_pool(x, f"{name}.pool", 3, padding=1)
    pooled = layers.conv_relu(pooled, weights, f"{name}.pooled", filters.pooled, 1)
    return layers.concat([one, three, five, pooled], name)


EXAMPLE = Example(
    name="googlenet",
    group="CNN_Tensorflow",
    build=build,
    inputs=layers.random_pixels("Images", 224),
    parameters=6_998_552,
    macs=1_582_671_872,
    batches=(16, 32, 64),
)
