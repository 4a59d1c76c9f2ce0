"""DetectionOutput: the objects that an SSD network found."""

from typing import List

from odla_ipu.custom import Kernel
from odla_ipu.registry import f32, i32, tensor
from odla_ipu.types import FLOATS, ElementType, ValueType


class DetectionOutput(Kernel):
    """Caffe's layer of that name: boxes decoded, suppressed class by class, the best ones kept.

    ``loc`` [N,priors*4] (times ``num_classes`` unless ``share_location``), ``conf``
    [N,priors*num_classes], ``priorbox`` [1,2,priors*4]: the boxes xmin, ymin, xmax, ymax and their
    variances.  ``code_type`` says how loc changes a prior box: 1 adds to its corners, 2 to its
    centre and the logarithm of its size, 3 to its corners in units of its size.  Of each class but
    ``background_label`` the ``nms_top_k`` best boxes (-1: all) of more than
    ``confidence_threshold`` go on without those that overlap a better one by more than
    ``nms_threshold``; below an ``nms_eta`` of 1 each box that stays multiplies a threshold above
    0.5 by that.

    Results: the number of objects in each image, INT32 [N], and FLOAT32 [N,keep_top_k,7] of image,
    label, confidence, xmin, ymin, xmax, ymax, by label, then falling confidence.  Unused rows hold
    -1 everywhere.  The detections are at index 1, where Caffe programs made for ODLA read them.
    """

    results = 2
    loc = tensor(FLOATS)
    conf = tensor(FLOATS)
    priorbox = tensor(FLOATS)
    background_label = i32(0)
    confidence_threshold = f32(0.0)
    keep_top_k = i32()
    num_classes = i32()
    share_location = i32(1)
    code_type = i32(1)
    nms_threshold = f32(0.3)
    nms_top_k = i32(-1)
    nms_eta = f32(1.0)

    def normalise(self) -> None:
        if self.keep_top_k < 1 or self.num_classes < 1:
            raise self.error(
                f"keep_top_k is {self.keep_top_k}, num_classes {self.num_classes}; accepted: 1 and "
                "more, since the result has a row for each"
            )
        if self.code_type not in (1, 2, 3):
            raise self.error(
                f"code_type is {self.code_type}; accepted: 1 (corner), 2 (center size), 3 (corner "
                "size)"
            )
        if not all(value.type.is_static for value in (self.loc, self.conf, self.priorbox)):
            return
        batch = self.conf.dims[0] if self.conf.rank else 0
        priors = self.priorbox.type.elements // 8
        locations = 4 * priors * (1 if self.share_location else self.num_classes)
        if (
            self.priorbox.type.elements != 8 * priors
            or self.conf.type.elements != batch * priors * self.num_classes
            or self.loc.type.elements != batch * locations
        ):
            raise self.error(
                f"loc is {self.loc.type}, conf {self.conf.type}, priorbox {self.priorbox.type}; "
                f"accepted for {self.num_classes} classes and share_location "
                f"{self.share_location}: [{batch},{locations}], [{batch},"
                f"{priors * self.num_classes}], [1,2,{priors * 4}]"
            )

    def infer(self) -> List[ValueType]:
        batch = self.conf.shape[0] if self.conf.rank else 0
        return [
            ValueType(ElementType.INT32, (batch,)),
            ValueType(ElementType.FLOAT32, (batch, self.keep_top_k, 7)),
        ]
