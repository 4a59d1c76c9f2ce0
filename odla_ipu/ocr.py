"""Reading the text of images with the PP-OCRv4 models: what comes before and after the network.

Two networks of :mod:`odla_ipu.pretrained` take part: ``ppocr_det`` gives a map of where text is,
``ppocr_rec`` reads one line.  Images are PIL images throughout.
"""

import math
import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from odla_ipu.errors import BadFile, FileMissing, InvalidParameter

LINE_HEIGHT = 48
LINE_WIDTH = 320
"""Height, and least width, in pixels of the line that ``ppocr_rec`` reads."""

DETECTION_MULTIPLE = 32
"""``ppocr_det`` takes sides that are multiples of this many pixels."""

_MAP_THRESHOLD = 0.3
_BOX_THRESHOLD = 0.5
_UNCLIP_RATIO = 2.0
"""PP-OCR's own for large images: in tighter lines the recogniser does not see the spaces."""
_LEAST_SIDE = 3


class Box(NamedTuple):
    """A piece of text in an image: pixels, right and bottom exclusive; mean probability."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


def open_image(path: Union[str, "os.PathLike[str]"]) -> Image.Image:
    """An image file as RGB.  Raises FileMissing, or BadFile when it is no image."""
    try:
        with Image.open(os.fspath(path)) as image:
            return image.convert("RGB")
    except FileNotFoundError as error:
        raise FileMissing(f"there is no image {os.fspath(path)}") from error
    except (UnidentifiedImageError, OSError) as error:
        raise BadFile(f"{os.fspath(path)} cannot be read as an image: {error}") from error


def render(text: str, size: int = 40) -> Image.Image:
    """One line of black text on white, in Pillow's own font at ``size`` pixels.

    The margins are as tight as around a line that the detector has cut out.
    """
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    margin = size // 8
    extent = (math.ceil(right - left) + 2 * margin, math.ceil(bottom - top) + 2 * margin)
    image = Image.new("RGB", extent, "white")
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill="black", font=font)
    return image


def preprocess(image: Image.Image, width: Optional[int] = None) -> np.ndarray:
    """A line of text for ``ppocr_rec``: float32 [1, 3, 48, W], BGR, -1 to 1, 0 to the right.

    W is ``width`` (a longer line is squeezed into it), or by default what the line needs at 48
    pixels of height, rounded up to a multiple of 32 and at least 320.
    """
    needed = math.ceil(LINE_HEIGHT * image.width / image.height)
    if width is None:
        width = max(LINE_WIDTH, math.ceil(needed / 32) * 32)
    resized = image.convert("RGB").resize(
        (min(needed, width), LINE_HEIGHT), resample=Image.Resampling.BILINEAR
    )
    line = np.zeros((1, 3, LINE_HEIGHT, width), np.float32)
    line[0, :, :, : resized.width] = _planes(resized)
    return line


def preprocess_page(image: Image.Image, longest: int = 960) -> np.ndarray:
    """An image for ``ppocr_det``: float32 [1, 3, H, W], BGR, sides multiples of 32.

    The longer side is scaled down to ``longest`` pixels where it exceeds it.
    """
    scale = min(1.0, longest / max(image.size))
    width, height = (
        max(DETECTION_MULTIPLE, round(side * scale / DETECTION_MULTIPLE) * DETECTION_MULTIPLE)
        for side in image.size
    )
    resized = image.convert("RGB").resize((width, height), resample=Image.Resampling.BILINEAR)
    return _planes(resized)[np.newaxis]


def _planes(image: Image.Image) -> np.ndarray:
    """float32 [3, height, width] in BGR order, -1 to 1: what both networks were trained on."""
    pixels = np.asarray(image, np.float32)[:, :, ::-1] / 127.5 - 1
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def text_boxes(probabilities: np.ndarray, image_size: Tuple[int, int]) -> List[Box]:
    """Where ``ppocr_det``'s map [1, 1, H, W] sees text, from top to bottom.

    ``image_size`` is (width, height) of the image that the boxes refer to.  Boxes are upright: the
    bounds of each connected region of probability over 0.3 whose mean is over 0.5, grown by
    area * 2 / perimeter, as DBNet shrinks its regions by that much (arXiv:1911.08947, 3.4).
    """
    scores = probabilities[0, 0]
    height, width = scores.shape
    across, down = image_size[0] / width, image_size[1] / height
    found = []
    for runs in _regions(scores > _MAP_THRESHOLD):
        left, right = min(run.start for run in runs), max(run.end for run in runs)
        top, bottom = runs[0].row, runs[-1].row + 1
        inside = np.concatenate([scores[run.row, run.start : run.end] for run in runs])
        score = float(inside.mean())
        extent = (right - left, bottom - top)
        if min(extent) < _LEAST_SIDE or score < _BOX_THRESHOLD:
            continue
        grow = extent[0] * extent[1] * _UNCLIP_RATIO / (2 * (extent[0] + extent[1]))
        found.append(
            Box(
                max(0, round((left - grow) * across)),
                max(0, round((top - grow) * down)),
                min(image_size[0], round((right + grow) * across)),
                min(image_size[1], round((bottom + grow) * down)),
                score,
            )
        )
    return sorted(found, key=lambda box: (box.top, box.left))


class _Run(NamedTuple):
    """Set pixels in one row, ``end`` exclusive."""

    row: int
    start: int
    end: int


def _regions(mask: np.ndarray) -> List[List[_Run]]:
    """The 8-connected regions of a mask [height, width], as the runs they consist of."""
    runs: List[_Run] = []
    parents: List[int] = []

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    above = range(0)
    for row, pixels in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], pixels.astype(np.int8), [0]))))
        first = len(runs)
        for start, end in edges.reshape(-1, 2).tolist():
            index = len(runs)
            runs.append(_Run(row, start, end))
            parents.append(index)
            for other in above:
                if runs[other].start <= end and runs[other].end >= start:
                    parents[root(other)] = root(index)
        above = range(first, len(runs))
    regions: Dict[int, List[_Run]] = {}
    for index, run in enumerate(runs):
        regions.setdefault(root(index), []).append(run)
    return list(regions.values())


def lines(image: Image.Image, boxes: Sequence[Box]) -> List[Image.Image]:
    """The lines that boxes show pieces of, in the order of reading.

    Boxes whose middle lies within the height of the one before are on a row with it. On a row, what
    is less than its height apart is one line; more is another column.
    """
    rows: List[List[Box]] = []
    for box in sorted(boxes, key=lambda box: box.top + box.bottom):
        middle = (box.top + box.bottom) / 2
        if rows and rows[-1][0].top < middle < rows[-1][0].bottom:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [image.crop(line) for row in rows for line in _joined(row)]


def _joined(row: Sequence[Box]) -> List[Tuple[int, int, int, int]]:
    """The bounds of the lines of a row, from left to right."""
    joined: List[Tuple[int, int, int, int]] = []
    for left, top, right, bottom, _ in sorted(row):
        if joined and left - joined[-1][2] < bottom - top:
            before = joined.pop()
            left, top = before[0], min(top, before[1])
            right, bottom = max(right, before[2]), max(bottom, before[3])
        joined.append((left, top, right, bottom))
    return joined


def width_of(pieces: Sequence[Image.Image]) -> int:
    """The least width for :func:`preprocess` that squeezes none of some lines."""
    return max((preprocess(piece).shape[-1] for piece in pieces), default=LINE_WIDTH)


def characters(path: Union[str, "os.PathLike[str]"]) -> List[str]:
    """The classes of a recognition network: index 0 is CTC's blank "", the last one the space.

    ``path`` is the network's ONNX file, whose metadata has them under ``character``, or a text
    file with one character a line.  Raises FileMissing, or BadFile when the metadata has none.
    """
    file = Path(path)
    if not file.is_file():
        raise FileMissing(f"there is no model or dictionary {file}")
    text = _metadata(file, "character") if file.suffix == ".onnx" else file.read_text("utf-8")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return ["", *(line.rstrip("\r") for line in lines), " "]


def _metadata(file: Path, key: str) -> str:
    from odla_ipu.device import load_any_popart

    load_any_popart()  # the SDK's popart refuses to load after onnx
    import onnx

    model = onnx.load(str(file))
    values = {entry.key: entry.value for entry in model.metadata_props}
    if key not in values:
        raise BadFile(
            f"{file} has no metadata '{key}' with the characters that it reads; use the model of "
            "pretrained.path('ppocr_rec') or give a dictionary file"
        )
    return values[key]


def decode(probabilities: np.ndarray, classes: Sequence[str]) -> Tuple[str, float]:
    """The text of class probabilities [1, T, C], and how sure the network is of it (0 to 1).

    Greedy CTC: the best class of each of the T steps, repeats merged, blanks (index 0) dropped
    (Graves et al. 2006, section 3.2).  Confidence is the mean probability of the steps kept; 0.0
    for an empty text.
    """
    if probabilities.ndim != 3 or probabilities.shape[0] != 1:
        raise InvalidParameter(
            f"decode takes probabilities [1, T, C], not {list(probabilities.shape)}"
        )
    if probabilities.shape[2] != len(classes):
        raise InvalidParameter(
            f"the network has {probabilities.shape[2]} classes, the dictionary {len(classes)}; "
            "they must be of the same model"
        )
    best = probabilities[0].argmax(axis=1)
    kept = [
        step
        for step, name in enumerate(best)
        if name != 0 and (step == 0 or name != best[step - 1])
    ]
    if not kept:
        return "", 0.0
    sure = probabilities[0, kept, best[kept]].astype(np.float64)
    return "".join(classes[best[step]] for step in kept), float(sure.mean())
