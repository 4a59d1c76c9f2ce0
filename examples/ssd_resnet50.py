"""SSD300 of SSD_ResNet50_PyTorch: objects of 80 kinds (COCO)."""

import odla_ipu as odla
from odla_ipu import Computation

from .common import layers, residual, ssd
from .common.example import Example
from .common.weights import Weights
from .ssd_resnet34 import EXTRAS, SIZE, predict


def network(batch: int, weights: Weights, width: int = 64) -> Computation:
    """data [N,3,300,300], normalised RGB -> the outputs of :func:`ssd.detect`.

    ResNet-50 with the stride on the 3x3 convolutions, up to its third stage, which has none.
    ``width`` is the number of filters in the first layer, of which the others have multiples.
    """
    with Computation("ssd_resnet50") as computation:
        x = odla.argument("data", (batch, 3, SIZE, SIZE))
        x = layers.conv_bn_relu(x, weights, "conv1", width, 7, 2, 3, residual.EPSILON)
        x = layers.max_pool(x, "pool1", 3, 2, 1)
        for stage, (count, stride) in enumerate(zip((3, 4, 6), (1, 2, 1)), 1):
            inner = width * 2 ** (stage - 1)
            for block in range(count):
                x = residual.bottleneck(
                    x,
                    weights,
                    f"layer{stage}.block{block}",
                    4 * inner,
                    inner,
                    1 if block else stride,
                    project=block == 0,
                    stride_inside=True,
                )
        sources = [x]
        for place, (inner, filters, stride, padding) in enumerate(EXTRAS, 1):
            name = f"extra{place}"
            x = layers.conv_bn_relu(
                x, weights, f"{name}.conv0", inner * width, 1, epsilon=residual.EPSILON
            )
            x = layers.conv_bn_relu(
                x,
                weights,
                f"{name}.conv1",
                filters * width,
                3,
                stride,
                padding,
                residual.EPSILON,
            )
            sources.append(x)
        predict(sources, weights)
    return computation


EXAMPLE = Example(
    name="ssd_resnet50",
    group="SSD_ResNet50_PyTorch",
    build=network,
    inputs=layers.random_data("data", SIZE),
    parameters=22_894_902,
    macs=20_150_906_112,
    batches=(32, 64, 128),
    finish=ssd.objects,
    small=Example(
        name="ssd_resnet50",
        group="SSD_ResNet50_PyTorch",
        build=lambda batch, weights: network(batch, weights, width=4),
        inputs=layers.random_data("data", SIZE),
        parameters=714_282,
        macs=421_895_952,
        batches=(1, 2),
        finish=ssd.objects,
    ),
)
