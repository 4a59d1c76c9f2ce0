"""RoiMaxPool: the largest elements in the cells of regions."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import f32, i64, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType


class RoiMaxPool(Kernel):
    """The largest elements in the ``height`` x ``width`` cells of regions (ONNX MaxRoiPool-1).

    ``input`` [N,C,H,W]; ``rois`` FLOAT32 [R,4] of x1, y1, x2, y2, times ``scale``; ``images`` INT32
    [R], the image of each region.  Corners round to whole pixels, halves away from zero; both
    corners belong to the region, which has one pixel at least.  Cell i of n of a side of s pixels
    reaches from floor(i * s / n) to ceil((i + 1) * s / n).  Cells outside the image give 0.
    """

    has_gradient = True
    input = tensor(FLOATS)
    rois = tensor(frozenset({ElementType.FLOAT32}))
    images = tensor(frozenset({ElementType.INT32}))
    height = i64()
    width = i64()
    scale = f32(1.0)

    def normalise(self) -> None:
        rois = self.rois.shape
        if self.input.rank != 4 or not fits(rois, None, 4) or not fits(self.images.shape, rois[0]):
            raise self.error(
                f"input is {self.input.type}, rois {self.rois.type}, images {self.images.type}; "
                "accepted: [N,C,H,W], [R,4] and [R]"
            )
        if self.height < 1 or self.width < 1:
            raise self.error(f"{self.height} x {self.width} cells; accepted: 1 x 1 and more")

    def infer(self) -> ValueType:
        dims = (self.rois.shape[0], self.input.shape[1], self.height, self.width)
        return ValueType(self.input.element_type, dims)
