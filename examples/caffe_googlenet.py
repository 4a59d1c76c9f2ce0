"""BVLC GoogLeNet of CNN_Caffe: with LRN and pools that round up."""

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights
from .googlenet import modules


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """data [N,3,size,size] -> prob [N,1000]."""
    with Computation("caffe_googlenet") as computation:
        x = odla.argument("data", (batch, 3, size, size))
        x = layers.conv_relu(x, weights, "conv1", 64, 7, 2, padding=3)
        x = lrn(layers.max_pool(x, "pool1", 3, 2, "CEIL"), "norm1")
        x = layers.conv_relu(x, weights, "conv2.reduce", 64, 1)
        x = layers.conv_relu(x, weights, "conv2", 192, 3, padding=1)
        x = layers.max_pool(lrn(x, "norm2"), "pool2", 3, 2, "CEIL")
        x = layers.global_mean(modules(x, weights, "CEIL"))
        odla.output(odla.softmax(layers.linear(x, weights, "classifier", 1000)), "prob")
    return computation


def lrn(x: Value, name: str) -> Value:
    """Over five channels."""
    return odla.lrn(x, window_size=5, alpha=1e-4, beta=0.75, bias=1.0, id=name)


EXAMPLE = Example(
    name="caffe_googlenet",
    group="CNN_Caffe",
    model="googlenet_bvlc",
    build=build,
    inputs=layers.random_data("data", 224),
    parameters=6_998_552,
    macs=1_582_671_872,
    batches=(16, 32, 64),
)
