"""SqueezeNet 1.1 of CNN_Caffe, on images of 227 x 227."""

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights

FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192)}
FIRES.update({8: (64, 256), 9: (64, 256)})
"""By number: filters of the squeeze, and of each of the two expansions."""


def build(batch: int, weights: Weights, size: int = 227) -> Computation:
    """data [N,3,size,size] -> prob [N,1000]."""
    with Computation("caffe_squeezenet") as computation:
        x = odla.argument("data", (batch, 3, size, size))
        x = layers.conv_relu(x, weights, "conv1", 64, 3, 2)
        for number, (squeeze, expand) in FIRES.items():
            if number in (2, 4, 6):
                x = layers.max_pool(x, f"pool{number - 1}", 3, 2, "CEIL")
            x = fire(x, weights, f"fire{number}", squeeze, expand)
        x = layers.conv_relu(x, weights, "conv10", 1000, 1)
        odla.output(odla.softmax(layers.global_mean(x)), "prob")
    return computation


def fire(x: Value, weights: Weights, name: str, squeeze: int, expand: int) -> Value:
    """A 1x1 convolution to few channels; of these 1x1 and 3x3, side by side."""
    x = layers.conv_relu(x, weights, f"{name}.squeeze", squeeze, 1)
    one = layers.conv_relu(x, weights, f"{name}.one", expand, 1)
    three = layers.conv_relu(x, weights, f"{name}.three", expand, 3, padding=1)
    return layers.concat([one, three], name)


EXAMPLE = Example(
    name="caffe_squeezenet",
    group="CNN_Caffe",
    model="squeezenet_v1.1",
    build=build,
    inputs=layers.random_data("data", 227),
    parameters=1_235_496,
    macs=387_747_520,
    batches=(16, 32, 64),
)
