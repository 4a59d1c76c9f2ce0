"""MSRA's ResNet-152 of CNN_Caffe."""

from odla_ipu import Computation

from .caffe_resnet50 import network
from .common import layers
from .common.example import Example
from .common.weights import Weights
from .resnet152 import BLOCKS


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """data [N,3,size,size] -> prob [N,1000]."""
    return network(batch, weights, BLOCKS, size)


EXAMPLE = Example(
    name="caffe_resnet152",
    group="CNN_Caffe",
    model="resnet152",
    build=build,
    inputs=layers.random_data("data", 224),
    parameters=60_192_808,
    macs=11_282_415_616,
    batches=(16, 32, 64),
)
