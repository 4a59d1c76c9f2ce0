"""Layers on channels-first images, each named and with weights of its own."""

import math
from typing import Any, Callable, Dict, Optional, Sequence, Tuple, Union

import numpy as np

import odla_ipu as odla
from odla_ipu import Value

from .weights import Weights

Pair = Union[int, Tuple[int, int]]
Padding = Union[int, str, Sequence[Sequence[int]]]
"""On all sides; "SAME" as TensorFlow has it, "CEIL" as Caffe's pools; or (front, back)."""


def pair(sizes: Pair) -> Tuple[int, int]:
    """Height and width."""
    return (sizes, sizes) if isinstance(sizes, int) else sizes


def pads(x: Value, window: Pair, stride: Pair, padding: Padding) -> Any:
    """Paddings (front, back) of a window that slides over the image ``x``.

    "SAME" gives ceil(size / stride) positions and pads the end by one more than the front where the
    sum is odd.
    """
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    if not isinstance(padding, str):
        front, back = padding
        return tuple(front), tuple(back)
    fronts, backs = [], []
    for size, reach, step in zip(x.dims[2:], pair(window), pair(stride)):
        if padding == "SAME":
            total = max((math.ceil(size / step) - 1) * step + reach - size, 0)
            fronts.append(total // 2)
        else:  # CEIL: windows start inside the image, the last one may hang over
            total = (math.ceil((size - reach) / step)) * step + reach - size
            fronts.append(0)
        backs.append(total - fronts[-1])
    return tuple(fronts), tuple(backs)


def conv(
    x: Value,
    weights: Weights,
    name: str,
    filters: int,
    window: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    bias: bool = False,
    dilation: int = 1,
    gain: float = 2.0,
) -> Value:
    """A convolution; ``gain`` / fan-in is the variance of its weights."""
    shape = (filters, x.dims[1], *pair(window))
    kernel = weights.normal(f"{name}.weight", shape, math.sqrt(gain / math.prod(shape[1:])))
    height, width = ((size - 1) * dilation + 1 for size in pair(window))
    front, back = pads(x, (height, width), stride, padding)
    return odla.conv(
        x,
        kernel,
        strides=pair(stride),
        dilations=pair(dilation),
        paddings_front=front,
        paddings_back=back,
        bias=weights.normal(f"{name}.bias", (filters,), 0.1) if bias else None,
        id=name,
    )


def batch_norm(
    x: Value,
    weights: Weights,
    name: str,
    epsilon: float,
    scale: Tuple[float, float] = (0.5, 1.5),
) -> Value:
    """With stored statistics; scales lie between those of ``scale``."""
    channels = (x.dims[1],)
    return odla.batch_normalization(
        x,
        mean=weights.normal(f"{name}.mean", channels, 0.1, trained=False),
        var=weights.uniform(f"{name}.var", channels, 0.5, 1.5, trained=False),
        epsilon=epsilon,
        scale=weights.uniform(f"{name}.scale", channels, *scale),
        offset=weights.normal(f"{name}.offset", channels, 0.1),
        id=name,
    )


def conv_bn_relu(
    x: Value,
    weights: Weights,
    name: str,
    filters: int,
    window: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    epsilon: float = 1e-4,
    dilation: int = 1,
) -> Value:
    """A convolution without bias, batch normalization, ReLU."""
    x = conv(x, weights, name, filters, window, stride, padding, dilation=dilation)
    return odla.relu(batch_norm(x, weights, f"{name}.bn", epsilon), id=f"{name}.relu")


def conv_relu(
    x: Value,
    weights: Weights,
    name: str,
    filters: int,
    window: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
) -> Value:
    """A convolution with bias, ReLU."""
    return odla.relu(
        conv(x, weights, name, filters, window, stride, padding, bias=True), id=f"{name}.relu"
    )


def bn_relu(x: Value, weights: Weights, name: str, epsilon: float) -> Value:
    """Batch normalization, ReLU."""
    return odla.relu(batch_norm(x, weights, name, epsilon), id=f"{name}.relu")


def linear(
    x: Value, weights: Weights, name: str, units: int, bias: bool = True, gain: float = 1.0
) -> Value:
    """x [N, inputs] times a matrix [inputs, units], of variance ``gain`` / inputs."""
    inputs = x.dims[1]
    matrix = weights.normal(f"{name}.weight", (inputs, units), math.sqrt(gain / inputs))
    offset: Optional[Any] = weights.normal(f"{name}.bias", (units,), 0.1) if bias else None
    return odla.gemm(x, B=matrix, C=offset, id=name)


def max_pool(
    x: Value, name: str, window: Pair, stride: Pair = 1, padding: Padding = "SAME"
) -> Value:
    """The largest of each window; padding never wins."""
    return _pool(odla.max_pool, x, name, window, stride, padding)


def average_pool(
    x: Value, name: str, window: Pair, stride: Pair = 1, padding: Padding = 0
) -> Value:
    """The mean of the real elements of each window."""
    return _pool(odla.average_pool, x, name, window, stride, padding)


def _pool(op: Any, x: Value, name: str, window: Pair, stride: Pair, padding: Padding) -> Value:
    front, back = pads(x, window, stride, padding)
    return op(
        x,
        window_dims=pair(window),
        strides=pair(stride),
        paddings_front=front,
        paddings_back=back,
        id=name,
    )


def global_mean(x: Value, name: str = "mean") -> Value:
    """[N, C] of an image [N, C, H, W]."""
    return odla.reduce_mean(x, axes=(2, 3), keep_dims=False, id=name)


def concat(values: Sequence[Value], name: str, axis: int = 1) -> Value:
    return odla.concat(list(values), axis=axis, id=name)


def pixels(name: str, batch: int, size: int) -> Value:
    """CNN_Tensorflow's input: pixels of 0 to 255, channels last; the graph turns and scales them.

    The result is channels first, between -1 and 1.
    """
    x = odla.argument(name, (batch, size, size, 3))
    x = odla.transpose(x, (0, 3, 1, 2), id="channels_first")
    return odla.sub(odla.mul(x, 1 / 127.5), 1.0, id="scaled")


def random_pixels(
    name: str, size: int
) -> Callable[[int, np.random.Generator], Dict[str, np.ndarray]]:
    """Inputs for :func:`pixels`, random as in the originals' synthetic mode."""

    def inputs(batch: int, generator: np.random.Generator) -> Dict[str, np.ndarray]:
        return {name: generator.integers(0, 256, (batch, size, size, 3)).astype(np.float32)}

    return inputs


def random_data(
    name: str, size: int
) -> Callable[[int, np.random.Generator], Dict[str, np.ndarray]]:
    """Images [N,3,size,size] of standard normal numbers, as after a mean was subtracted."""

    def inputs(batch: int, generator: np.random.Generator) -> Dict[str, np.ndarray]:
        return {name: generator.standard_normal((batch, 3, size, size), np.float32)}

    return inputs


def deconv(
    x: Value,
    weights: Weights,
    name: str,
    filters: int,
    window: Pair,
    stride: Pair = 1,
    bias: bool = False,
) -> Value:
    """The transpose of a convolution: each pixel adds a window to the result."""
    shape = (x.dims[1], filters, *pair(window))
    # So many pixels reach one of the result.
    reached = math.prod(pair(window)) / math.prod(pair(stride))
    kernel = weights.normal(f"{name}.weight", shape, math.sqrt(1 / (x.dims[1] * reached)))
    return odla.deconv(
        x,
        kernel,
        strides=pair(stride),
        bias=weights.normal(f"{name}.bias", (filters,), 0.1) if bias else None,
        id=name,
    )
