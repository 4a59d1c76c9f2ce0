"""SegLink: lines of text in a picture, however they lie (arXiv:1703.06520, ICDAR 2015)."""

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers, vgg
from .common.example import Example
from .common.weights import Weights
from .ssd_vgg16 import channel_norm

ANCHORS = (11.84210526, 23.68421053, 45, 90, 150, 285)
"""Side of the segments that each level looks for, in pixels."""

VARIANCE = 0.1
NODE_THRESHOLD, LINK_THRESHOLD = 0.9, 0.7
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""Rows and columns away: within a level a segment may be linked to these."""

WITHIN, ACROSS = 16, 8
"""Numbers that say which links there are: no and yes for 8 neighbours, and for 4 cells below."""


@dataclasses.dataclass(frozen=True)
class Config:
    """``width`` is the number of filters in the first layer, of which the others have multiples."""

    height: int = 1280
    width_of_image: int = 768
    width: int = 64


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """images [N,H,W,3], RGB without its mean -> what each level says of its cells.

    Of level i: segments{i} [N,h,w,2], no and yes; links{i} [N,h,w,8,2] within the level, and from
    level 1 on cross{i} [N,h,w,4,2] to the cells of the level before, both no and yes; offsets{i}
    [N,h,w,6] of x, y, w, h, sin, cos.  :func:`boxes` makes lines of text of them.
    """
    with Computation("seglink") as computation:
        images = odla.argument("images", (batch, config.height, config.width_of_image, 3))
        x = odla.transpose(images, (0, 3, 1, 2))
        for place, source in enumerate(levels(x, weights, config.width)):
            for name, y in head(source, weights, place).items():
                odla.output(y, f"{name}{place}")
    return computation


def levels(x: Value, weights: Weights, width: int) -> List[Value]:
    """The maps that segments are looked for in, each half as large as the one before."""
    fourth, x = vgg.conv5(x, weights, width, "SAME")
    sources = [channel_norm(fourth, weights, "conv4_3_norm")]
    x = layers.max_pool(x, "pool5", 3, 1, 1)
    x = odla.relu(layers.conv(x, weights, "fc6", 16 * width, 3, padding=6, bias=True, dilation=6))
    x = layers.conv_relu(x, weights, "fc7", 16 * width, 1)
    sources.append(x)
    for place, inner, filters in ((8, 4, 8), (9, 2, 4), (10, 2, 4)):
        x = layers.conv_relu(x, weights, f"conv{place}_1", inner * width, 1)
        x = layers.conv_relu(x, weights, f"conv{place}_2", filters * width, 3, 2, "SAME")
        sources.append(x)
    sources.append(layers.conv_relu(x, weights, "conv11", 4 * width, 3, 2, "SAME"))
    return sources


def head(x: Value, weights: Weights, place: int) -> Dict[str, Value]:
    """What a level says, channels last; pairs of no and yes add up to 1."""
    batch, _, height, width = x.dims

    def predicted(name: str, numbers: int, gain: float) -> Value:
        y = layers.conv(
            x, weights, f"head{place}.{name}", numbers, 3, padding=1, bias=True, gain=gain
        )
        return odla.transpose(y, (0, 2, 3, 1))

    def chances(y: Value, pairs: int) -> Value:
        return odla.softmax(odla.reshape(y, (batch, height, width, pairs, 2)), axis=-1)

    segments = chances(predicted("segments", 2, 1.0), 1)
    result = {"segments": odla.reshape(segments, (batch, height, width, 2))}
    links = predicted("links", WITHIN + (ACROSS if place else 0), 1.0)
    within = odla.slice(links, (0, 0, 0, 0), (batch, height, width, WITHIN))
    result["links"] = chances(within, 8)
    if place:
        below = odla.slice(links, (0, 0, 0, WITHIN), (batch, height, width, WITHIN + ACROSS))
        result["cross"] = chances(below, 4)
    result["offsets"] = predicted("offsets", 6, 0.1)
    return result


# The host's part.


def boxes(
    outputs: Mapping[str, np.ndarray],
    height: int = Config.height,
    width: int = Config.width_of_image,
) -> List[List[Dict[str, float]]]:
    """Lines of text of each image of a batch: x, y, width, height and angle of rectangles.

    Segments above NODE_THRESHOLD that links above LINK_THRESHOLD join make a line; a link counts if
    both ends are segments.
    """
    return [
        [combined(group) for group in groups(outputs, image, height, width)]
        for image in range(len(outputs["segments0"]))
    ]


def groups(
    outputs: Mapping[str, np.ndarray], image: int, height: int, width: int
) -> List[np.ndarray]:
    """The segments of each line, rows of x, y, width, height, angle."""
    places: Dict[Tuple[int, int, int], int] = {}
    rows: List[np.ndarray] = []
    for level, anchor in enumerate(ANCHORS):
        found = np.argwhere(outputs[f"segments{level}"][image, :, :, 1] > NODE_THRESHOLD)
        shape = outputs[f"segments{level}"].shape[1:3]
        for y, x in found.tolist():
            places[level, y, x] = len(rows)
            offset = outputs[f"offsets{level}"][image, y, x]
            rows.append(_segment(offset, y, x, anchor, (height / shape[0], width / shape[1])))
    above = list(range(len(rows)))  # a forest: each segment's parent, roots their own

    def root(place: int) -> int:
        while above[place] != place:
            above[place] = place = above[above[place]]
        return place

    for (level, y, x), place in places.items():
        for other, chance in _linked(outputs, image, level, y, x):
            if chance > LINK_THRESHOLD and other in places:
                above[root(place)] = root(places[other])
    lines: Dict[int, List[np.ndarray]] = {}
    for place, row in enumerate(rows):
        lines.setdefault(root(place), []).append(row)
    return [np.array(line) for line in lines.values()]


def _segment(
    offset: np.ndarray, y: int, x: int, anchor: float, steps: Tuple[float, float]
) -> np.ndarray:
    move_x, move_y, wider, higher = (float(one) * VARIANCE for one in offset[:4])
    return np.array(
        [
            steps[1] * (x + 0.5) + anchor * move_x,
            steps[0] * (y + 0.5) + anchor * move_y,
            anchor * math.exp(wider),
            anchor * math.exp(higher),
            math.atan2(offset[4], offset[5]),
        ]
    )


def _linked(outputs: Mapping[str, np.ndarray], image: int, level: int, y: int, x: int) -> Any:
    """The cells that a cell may be linked to, and how likely that is."""
    for (down, across), pair in zip(NEIGHBOURS, outputs[f"links{level}"][image, y, x]):
        yield (level, y + down, x + across), pair[1]
    if level:
        below = ((0, 0), (0, 1), (1, 0), (1, 1))
        for (down, across), pair in zip(below, outputs[f"cross{level}"][image, y, x]):
            yield (level - 1, 2 * y + down, 2 * x + across), pair[1]


def combined(segments: np.ndarray) -> Dict[str, float]:
    """The rectangle of a line's segments [n,5].

    It lies along the straight line of their mean angle that fits their centres best, from the first
    to the last of them.
    """
    angle = segments[:, 4].mean()
    way = np.array([math.cos(angle), math.sin(angle)])
    middle = segments[:, :2].mean(0)
    along = (segments[:, :2] - middle) @ way
    first, last = along.argmin(), along.argmax()
    ends = (along[first] - segments[first, 2] / 2, along[last] + segments[last, 2] / 2)
    x, y = middle + way * (ends[0] + ends[1]) / 2
    return {
        "x": float(x),
        "y": float(y),
        "width": float(ends[1] - ends[0]),
        "height": float(segments[:, 3].mean()),
        "angle": float(angle),
    }


def images(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn pixels, less their mean."""
    dims = (batch, config.height, config.width_of_image, 3)
    return {"images": generator.standard_normal(dims, np.float32)}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="seglink",
        group="SegLink",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: images(batch, generator, config),
        batches=(4, 8, 16),
        finish=lambda outputs: boxes(outputs, config.height, config.width_of_image),
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=23_980_280,
    macs=328_117_739_520,
    small=_example(Config(128, 192, 4), parameters=139_820, macs=38_926_848),
)
