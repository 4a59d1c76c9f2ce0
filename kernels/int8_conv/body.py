"""Int8Conv in numpy."""

from typing import Any

import numpy as np


def run(op: Any, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    top, left, bottom, right = op.pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right))).astype(np.float32)
    batch, outputs, height, width = op.outputs[0].dims
    parts = np.split(kernel.astype(np.float32), op.group)
    total = np.zeros((batch, outputs, height, width), np.int32)
    for part, channels in enumerate(np.split(x, op.group, 1)):
        own = total[:, part * len(parts[part]) : (part + 1) * len(parts[part])]
        for row in range(kernel.shape[2]):
            for column in range(kernel.shape[3]):
                y, z = row * op.dilations[0], column * op.dilations[1]
                taken = channels[
                    :,
                    :,
                    y : y + (height - 1) * op.strides[0] + 1 : op.strides[0],
                    z : z + (width - 1) * op.strides[1] + 1 : op.strides[1],
                ]
                # So many products of bytes add up exactly in float32.
                for start in range(0, taken.shape[1], 512):
                    some = slice(start, start + 512)
                    product = np.einsum(
                        "nchw,oc->nohw",
                        taken[:, some],
                        parts[part][:, some, row, column],
                        optimize=True,
                    )
                    own += product.astype(np.int32)
    return total
