"""VGG16's convolutions (arXiv:1409.1556)."""

from typing import Tuple

from odla_ipu import Value

from . import layers
from .weights import Weights

COUNTS = (2, 2, 3, 3, 3)


def conv5(
    x: Value, weights: Weights, width: int = 64, padding: layers.Padding = 0
) -> Tuple[Value, Value]:
    """The results of conv4_3 and conv5_3; ``width`` filters in the first layer.

    ``padding`` is that of the four pools before conv5: "CEIL" in Caffe, "SAME" in TensorFlow.
    """
    fourth = x
    for group, count in enumerate(COUNTS, 1):
        filters = min(width * 2 ** (group - 1), 8 * width)
        for place in range(1, count + 1):
            x = layers.conv_relu(x, weights, f"conv{group}_{place}", filters, 3, padding=1)
        if group == 4:
            fourth = x
        if group < 5:
            x = layers.max_pool(x, f"pool{group}", 2, 2, padding)
    return fourth, x
