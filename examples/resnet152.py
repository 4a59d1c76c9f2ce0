"""ResNet-152 of CNN_Tensorflow: ResNet-50 with more blocks."""

from odla_ipu import Computation

from .common import layers
from .common.example import Example
from .common.weights import Weights
from .resnet50 import network

BLOCKS = (3, 8, 36, 3)


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """Images [N,size,size,3] of 0..255 -> logits [N,1000]."""
    return network(batch, weights, BLOCKS, size)


EXAMPLE = Example(
    name="resnet152",
    group="CNN_Tensorflow",
    build=build,
    inputs=layers.random_pixels("Images", 224),
    parameters=60_192_808,
    macs=11_282_415_616,
    batches=(16, 32, 64),
)
