"""synNet of CNN_Tensorflow: a synthetic chain of 62 convolutions; AI Matrix only trains it."""

import odla_ipu as odla
from odla_ipu import Computation

from .common import layers
from .common.example import Example
from .common.weights import Weights

GROUPS = (
    "42@5 40@3 48@3",
    "4@5 93@5 2@5 52@5 46@5 54@5 2@5 22@5 2@3 46@3 206@3",
    "23@5 273@3 25@3 299@3 449@3 49@3 406@3 12@3 48@3 209@3 39@3 309@3",
    "192@5 90@5 88@5 663@5 23@3 139@3 91@3 580@3 310@3 188@3 55@3 252@3 25@3 49@3 862@3",
    "147@5 177@5 82@5 517@4 307@3 182@3 367@3 131@3 291@3 456@2 345@1",
    "150@5 298@5 48@4 48@4 48@3 48@3 48@2 48@2 40@1 43@1",
)
"""Channels@window of the convolutions of each group."""


def build(batch: int, weights: Weights, size: int = 224) -> Computation:
    """Images [N,size,size,3] of 0..255 -> logits [N,1000]."""
    with Computation("synnet") as computation:
        x = layers.pixels("Images", batch, size)
        for number, group in enumerate(GROUPS, 1):
            for place, layer in enumerate(group.split()):
                filters, window = map(int, layer.split("@"))
                name = f"group{number}.conv{place}"
                x = layers.conv_bn_relu(x, weights, name, filters, window, padding="SAME")
            x = layers.max_pool(x, f"group{number}.pool", 2, 2, padding=0)
        flat = odla.reshape(x, (batch, x.type.elements // batch), id="flat")
        odla.output(layers.linear(flat, weights, "logits", 1000), "logits")
    return computation


EXAMPLE = Example(
    name="synnet",
    group="CNN_Tensorflow",
    model="synNet",
    build=build,
    inputs=layers.random_pixels("Images", 224),
    parameters=21_619_109,
    macs=19_108_730_114,
    batches=(16, 32, 64),
)
