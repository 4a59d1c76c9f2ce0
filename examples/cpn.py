"""CPN: the joints of a person (Cascaded Pyramid Network, arXiv:1711.07319, COCO)."""

import dataclasses
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers, residual
from .common.example import Example
from .common.weights import Weights

JOINTS = 17
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""What each joint is in a mirror: left and right change places."""


@dataclasses.dataclass(frozen=True)
class Config:
    """``width`` is the number of filters in the first layer, of which others have multiples."""

    height: int = 384
    width_of_image: int = 288
    blocks: Sequence[int] = (3, 4, 23, 3)
    width: int = 64


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """images [N,384,288,3], BGR less its mean, over 255 -> heat maps [N,96,72,17]."""
    with Computation("cpn") as computation:
        images = odla.argument("images", (batch, config.height, config.width_of_image, 3))
        x = odla.transpose(images, (0, 3, 1, 2))
        x = layers.conv_bn_relu(x, weights, "conv1", config.width, 7, 2, 3, residual.EPSILON)
        x = layers.max_pool(x, "pool1", 3, 2, 1)
        maps = residual.stages(x, weights, config.blocks, config.width, stride_inside=True)
        levels = global_net(maps, weights, 4 * config.width)
        heat = refine_net(levels, weights, config.width)
        odla.output(odla.transpose(heat, (0, 2, 3, 1)), "heatmaps")
    return computation


def global_net(maps: Sequence[Value], weights: Weights, channels: int) -> List[Value]:
    """A pyramid of maps of the same channels, the finest first.

    Each level also makes heat maps of its own when it is trained; inference does without them.
    """
    merged: List[Value] = []
    for place in reversed(range(len(maps))):
        name = f"lateral{place + 2}"
        y = layers.conv(maps[place], weights, name, channels, 1)
        y = layers.bn_relu(y, weights, f"{name}.bn", residual.EPSILON)
        if merged:
            coarse = layers.conv(
                bilinear(merged[0], y.dims[2:]),
                weights,
                f"merge{place + 2}",
                channels,
                1,
                bias=True,
                gain=1,
            )
            y = odla.add(y, coarse, id=f"merged{place + 2}")
        merged.insert(0, y)
    return merged


def refine_net(levels: Sequence[Value], weights: Weights, width: int) -> Value:
    """Heat maps [N,17,H,W] of all levels: the coarser one is, the more blocks it passes."""
    size = levels[0].dims[2:]
    parts = []
    for place, x in enumerate(levels):
        for block in range(place):
            x = residual.bottleneck(
                x, weights, f"refine{place + 2}.block{block}", 4 * width, 2 * width
            )
        parts.append(bilinear(x, size))
    x = layers.concat(parts, "levels")
    x = residual.bottleneck(x, weights, "refine", 4 * width, 2 * width, project=True)
    return layers.conv(x, weights, "heatmaps", JOINTS, 3, padding=1, bias=True, gain=1)


def bilinear(x: Value, size: Tuple[int, ...]) -> Value:
    """TensorFlow 1's resize: pixel i is at i * old / new."""
    if x.dims[2:] == size:
        return x
    dims = (*x.dims[:2], *size)
    return odla.resize(x, dims, "linear", "assymmetric")


def prepared(image: np.ndarray, config: Config = Config()) -> np.ndarray:
    """A person's pixels [H,W,3], BGR of 0..255 and the network's size, and their mirror image.

    Half of the original's batches are mirror images: [2,H,W,3].
    """
    mean = np.array([102.98, 115.95, 122.77], np.float32)
    scaled = (image.astype(np.float32) - mean) / np.float32(255)
    return np.stack([scaled, scaled[:, ::-1]])


def keypoints(heatmaps: np.ndarray) -> np.ndarray:
    """x, y and score of each joint [N,17,3] for maps of people and then of their mirror images.

    Maps are means of both, smoothed; a joint lies a quarter of the way from the highest pixel to
    the second highest.  x and y are in pixels of the maps.
    """
    people, mirrors = np.split(heatmaps, 2)
    mean = (people + mirrors[:, :, ::-1, MIRRORED]) / 2
    smooth = _blurred(mean.transpose(0, 3, 1, 2))
    count, joints, height, width = smooth.shape
    flat = smooth.reshape(count, joints, height * width)
    order = np.argpartition(-flat, 1, axis=2)[:, :, :2]
    values = np.take_along_axis(flat, order, axis=2)
    first = np.where(values[..., 0] >= values[..., 1], order[..., 0], order[..., 1])
    second = order.sum(2) - first
    best = np.stack([first % width, first // width], axis=-1).astype(np.float64)
    way = np.stack([second % width, second // width], axis=-1) - best
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    best += np.where(length > 1e-3, 0.25 * way / np.maximum(length, 1e-3), 0)
    score = np.take_along_axis(
        mean.transpose(0, 3, 1, 2).reshape(flat.shape), first[..., None], axis=2
    )
    return np.concatenate([best, score], axis=2)


def _blurred(maps: np.ndarray, size: int = 21) -> np.ndarray:
    """Gaussian means over size x size pixels, with zeros around the maps."""
    deviation = 0.3 * ((size - 1) / 2 - 1) + 0.8  # as OpenCV chooses it
    places = np.arange(size) - size // 2
    kernel = np.exp(-(places**2) / (2 * deviation**2))
    kernel /= kernel.sum()
    for axis in (2, 3):
        around = [(0, 0)] * 4
        around[axis] = (size // 2, size // 2)
        padded = np.pad(maps, around)
        length = maps.shape[axis]
        maps = sum(  # type: ignore[assignment]
            share * np.take(padded, range(place, place + length), axis=axis)
            for place, share in enumerate(kernel)
        )
    return maps


def joints(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """:func:`keypoints` of a run; a batch of one has no mirror images and is its own."""
    maps = outputs["heatmaps"]
    if len(maps) % 2:
        maps = np.concatenate([maps, maps[:, :, ::-1, MIRRORED]])
    return keypoints(maps)


def images(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn people; as many of the batch as can be are mirror images of others."""
    dims = (batch - batch // 2, config.height, config.width_of_image, 3)
    people = generator.standard_normal(dims, np.float32) * np.float32(0.3)
    return {"images": np.concatenate([people, people[: batch // 2, :, ::-1]])}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="cpn",
        group="CPN",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: images(batch, generator, config),
        batches=(4, 8, 16),
        finish=joints,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=45_580_881,
    macs=23_489_740_800,
    small=_example(Config(96, 64, (1, 2, 2, 1), 4), parameters=53_685, macs=4_005_504),
)
