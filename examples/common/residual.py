"""Residual blocks: the detectors' trunks are made of them."""

from typing import List, Sequence

import odla_ipu as odla
from odla_ipu import Value

from . import layers
from .weights import Weights

EPSILON = 1e-5


def basic(x: Value, weights: Weights, name: str, filters: int, stride: int, project: bool) -> Value:
    """Two 3x3 convolutions, and the input or its projection added."""
    y = layers.conv_bn_relu(x, weights, f"{name}.conv0", filters, 3, stride, 1, EPSILON)
    y = layers.conv(y, weights, f"{name}.conv1", filters, 3, padding=1)
    return _joined(x, y, weights, name, stride, project)


def bottleneck(
    x: Value,
    weights: Weights,
    name: str,
    outputs: int,
    inner: int,
    stride: int = 1,
    project: bool = False,
    dilation: int = 1,
    stride_inside: bool = False,
    bias: bool = False,
    epsilon: float = EPSILON,
) -> Value:
    """1x1, 3x3, 1x1, and the input or its projection added.

    The stride is that of the first convolution, or with ``stride_inside`` of the second.
    """
    first, second = (1, stride) if stride_inside else (stride, 1)
    y = layers.conv(x, weights, f"{name}.conv0", inner, 1, first, bias=bias)
    y = layers.bn_relu(y, weights, f"{name}.conv0.bn", epsilon)
    y = layers.conv(
        y, weights, f"{name}.conv1", inner, 3, second, dilation, bias=bias, dilation=dilation
    )
    y = layers.bn_relu(y, weights, f"{name}.conv1.bn", epsilon)
    y = layers.conv(y, weights, f"{name}.conv2", outputs, 1, bias=bias)
    return _joined(x, y, weights, name, stride, project, bias, epsilon)


def stages(
    x: Value,
    weights: Weights,
    blocks: Sequence[int],
    width: int = 64,
    stride_inside: bool = False,
    bias: bool = False,
    epsilon: float = EPSILON,
) -> List[Value]:
    """The results of the stages of a ResNet of bottlenecks; ``width`` inside the first one."""
    results = []
    for stage, count in enumerate(blocks, 1):
        inner = width * 2 ** (stage - 1)
        for block in range(count):
            x = bottleneck(
                x,
                weights,
                f"stage{stage}.block{block}",
                4 * inner,
                inner,
                2 if block == 0 and stage > 1 else 1,
                project=block == 0,
                stride_inside=stride_inside,
                bias=bias,
                epsilon=epsilon,
            )
        results.append(x)
    return results


def _joined(
    x: Value,
    y: Value,
    weights: Weights,
    name: str,
    stride: int,
    project: bool,
    bias: bool = False,
    epsilon: float = EPSILON,
) -> Value:
    # Small, or sums of so many blocks would leave float16's range.
    y = layers.batch_norm(y, weights, f"{name}.last.bn", epsilon, scale=(0.1, 0.3))
    if project:
        x = layers.conv(x, weights, f"{name}.project", y.dims[1], 1, stride, bias=bias, gain=1)
        x = layers.batch_norm(x, weights, f"{name}.project.bn", epsilon)
    return odla.relu(odla.add(y, x, id=f"{name}.sum"), id=f"{name}.relu")
