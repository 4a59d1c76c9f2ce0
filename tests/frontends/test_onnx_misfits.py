"""Nodes whose operands or attributes do not fit together: an error that says what would."""

import numpy as np
import pytest
from onnx_stack import single

from odla_ipu.errors import OdlaError
from odla_ipu.frontends.onnx import read


def f(*dims):
    return np.zeros(dims, np.float32)


def ints(*dims):
    return np.zeros(dims, np.int64)


def bytes_(*dims):
    return np.zeros(dims, np.uint8)


CASES = [
    ("ScatterElements", [f(2, 3), ints(2, 2), f(2, 3)], {}, "of one shape"),
    ("ScatterElements", [f(2, 3), ints(1, 4), f(1, 4)], {}, "no more than the data"),
    ("ScatterElements", [f(2), ints(1) + 2, f(1)], {"constants": [1]}, "accepted: -2 to 1"),
    ("ScatterElements", [f(2), ints(1), f(1)], {"reduction": "mean"}, "reduction is 'mean'"),
    ("ScatterND", [f(2, 3), ints(4, 3), f(4)], {}, "1 to 2 in the last dimension"),
    ("ScatterND", [f(2, 3), ints(4, 1), f(4, 2)], {}, r"accepted: \[4, 3\]"),
    ("MaxUnpool", [f(1, 1, 2), ints(1, 1, 3)], {"kernel_shape": [2]}, "equal shapes of rank 3"),
    (
        "MaxUnpool",
        [f(1, 1, 2), ints(1, 1, 2)],
        {"kernel_shape": [2], "strides": [1, 2]},
        "strides is",
    ),
    ("RoiAlign", [f(1, 2, 3, 3), f(4, 5), ints(4)], {"opset": 13}, r"NCHW, \[R,4\] and \[R\]"),
    (
        "RoiAlign",
        [f(1, 2, 3, 3), f(4, 4), ints(4) + 1],
        {"constants": [2], "opset": 13},
        "accepted: 0 to 0",
    ),
    ("MaxRoiPool", [f(1, 2, 3, 3), f(4, 4)], {"pooled_shape": [1, 1]}, "image, x1, y1"),
    ("MaxRoiPool", [f(1, 2, 3, 3), f(4, 5)], {"pooled_shape": [1]}, "height and width"),
    ("ConvInteger", [bytes_(1, 3, 5), bytes_(2, 2, 3)], {}, "group is 1"),
    ("ConvInteger", [bytes_(1, 2, 5), bytes_(2, 2)], {}, "does not fit 1 spatial"),
    ("ConvInteger", [bytes_(1, 2, 2), bytes_(2, 2, 3)], {}, "larger than the padded input"),
    (
        "NegativeLogLikelihoodLoss",
        [f(2, 3), ints(2)],
        {"reduction": "median"},
        "accepted: none, mean, sum",
    ),
    ("GridSample", [f(1, 2, 3, 3), f(2, 2, 2, 2)], {"opset": 16}, "rank 4, first 1, last 2"),
    (
        "GridSample",
        [f(1, 2, 3, 3), f(1, 2, 2, 2)],
        {"opset": 16, "padding_mode": "wrap"},
        "accepted: zeros, border, reflection",
    ),
    (
        "Col2Im",
        [f(1, 5, 4), ints(2) + 3, ints(2) + 2],
        {"opset": 18, "constants": [1, 2]},
        "a multiple of 4, 4",
    ),
    ("DFT", [f(2, 4, 3)], {"opset": 17}, "1 or 2 numbers last"),
    ("DFT", [f(2, 4, 2)], {"opset": 17, "onesided": 1}, "accepted: 1 last"),
    ("DFT", [f(2, 4, 1)], {"opset": 17, "axis": 2}, "the last one"),
    ("DFT", [f(2, 4, 1), ints() * 0], {"opset": 17, "constants": [1]}, "transform is 0"),
    ("STFT", [f(1, 8, 1), ints() * 0 + 2], {"opset": 17, "constants": [1]}, "neither window nor"),
    (
        "STFT",
        [f(1, 8, 1), ints() * 0 + 2, None, ints() * 0 + 9],
        {"opset": 17, "constants": [1, 3]},
        "frames that fit",
    ),
    (
        "MelWeightMatrix",
        [np.array(8), np.array(16), np.array(100), np.array(0.0), np.array(80.0)],
        {"opset": 17, "constants": range(5)},
        "beyond the last of 9 bins",
    ),
    ("TensorScatter", [f(2, 3, 4), f(2, 4, 4)], {"opset": 24}, "no more of it in the update"),
    (
        "DequantizeLinear",
        [bytes_(4, 6), f(4, 2)],
        {"opset": 21, "block_size": 2, "constants": [1]},
        r"accepted: \[4, 3\]",
    ),
    ("BitCast", [bytes_(4)], {"opset": 26, "to": 5}, "as long as INT16"),
    ("HannWindow", [ints() - 1], {"opset": 17, "constants": [0]}, "the size is -1"),
]


@pytest.mark.parametrize(("op", "operands", "options", "message"), CASES)
def test_error(op, operands, options, message):
    content, _ = single(op, operands, **{"opset": 18, **options})
    with pytest.raises(OdlaError, match=message) as caught:
        read(content)
    assert "the_node" in str(caught.value)
