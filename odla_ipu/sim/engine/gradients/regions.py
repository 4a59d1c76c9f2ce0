"""Regions of images: the host adds gradients to the pixels that were sampled."""

import math
from typing import TYPE_CHECKING, Iterator, Optional, Sequence, Tuple

import numpy as np

from ..emitter import rounded16
from ..hosting import hosted, output_infos
from .rules import DOMAIN, restrict

if TYPE_CHECKING:
    from ...ir import Op
    from ..translation import Settings

restrict("RoiAlign", [0])


@hosted("RoiAlign", domain=DOMAIN)
class _RoiAlign:
    """Each cell is an average of bilinear samples: its gradient goes to their pixels."""

    def __init__(self, op: "Op", settings: "Settings"):
        self.outputs = output_infos(op)
        self._rounding = settings.rounding
        attributes = op.attributes["forward"].attributes
        self._ratio = attributes.get("sampling_ratio", 1)
        self._scale = attributes.get("spatial_scale", 1.0)

    def run(self, inputs: Sequence[Optional[np.ndarray]], outputs: Sequence[np.ndarray]) -> None:
        x, rois, images, _, g = inputs
        assert x is not None
        assert rois is not None
        assert images is not None
        assert g is not None
        found = np.zeros(x.shape, np.float32)
        height, width = x.shape[2:]
        for roi, image, given in zip(rois.astype(np.float64), images, g.astype(np.float32)):
            left, top, right, bottom = roi * self._scale
            rows = list(self._samples(top, bottom, g.shape[2], height))
            columns = list(self._samples(left, right, g.shape[3], width))
            for place, row, share in rows:
                for other, column, part in columns:
                    found[image, :, row, column] += share * part * given[:, place, other]
        target = outputs[0]
        target[...] = rounded16(found, self._rounding) if target.dtype == np.float16 else found

    def _samples(
        self, start: float, end: float, cells: int, size: int
    ) -> Iterator[Tuple[int, int, float]]:
        """Cell, pixel and share of each sample along an axis; outside by more than 1 is nothing."""
        length = max(end - start, 1.0)
        count = self._ratio or math.ceil(length / cells)
        for cell in range(cells):
            for sample in range(count):
                at = start + length / cells * (cell + (sample + 0.5) / count)
                if not -1 <= at <= size:
                    continue
                at = max(at, 0.0)
                low = min(int(at), size - 1)
                rest = at - low if low < size - 1 else 0.0
                yield cell, low, (1 - rest) / count
                if rest:
                    yield cell, low + 1, rest / count
