"""DenseNet-121 of CNN_Caffe: the standard network; the classifier is a 1x1 convolution."""

import odla_ipu as odla
from odla_ipu import Computation

from .common import layers
from .common.example import Example
from .common.weights import Weights
from .densenet121 import features


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """data [N,3,size,size] -> prob [N,1000]."""
    with Computation("caffe_densenet121") as computation:
        x = features(odla.argument("data", (batch, 3, size, size)), weights)
        x = odla.reduce_mean(x, axes=(2, 3), id="mean")
        x = layers.conv(x, weights, "classifier", 1000, 1, bias=True, gain=1.0)
        odla.output(odla.softmax(odla.reshape(x, (batch, 1000))), "prob")
    return computation


EXAMPLE = Example(
    name="caffe_densenet121",
    group="CNN_Caffe",
    model="densenet121",
    build=build,
    inputs=layers.random_data("data", 224),
    parameters=7_978_856,
    macs=2_834_161_664,
    batches=(16, 32, 64),
)
