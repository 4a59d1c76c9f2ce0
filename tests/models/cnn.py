"""A small convolution network, and what it gives when every op rounds its result.

An IPU computes each op of a float16 model on float16 operands, sums in float32, and rounds the
result to float16.  ``oracle`` does that in numpy; with ``dtype=np.float32`` it is the plain result.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

INPUT = (2, 3, 12, 12)
CLASSES = 5


def weights(seed=0):
    """Of a size that makes float16 rounding visible in the result (about 1e-3)."""
    rng = np.random.default_rng(seed)
    dims = {
        "kernel1": (8, 3, 3, 3),
        "bias1": (1, 8, 1, 1),
        "kernel2": (16, 8, 3, 3),
        "bias2": (1, 16, 1, 1),
        "matrix": (16, CLASSES),
        "bias3": (CLASSES,),
    }
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in dims.items()}


def image(seed=1):
    return np.random.default_rng(seed).normal(0, 2, INPUT).astype(np.float32)


def model(seed=0):
    """The ModelProto (opset 11): input ``x``, output ``y``, one rounding for each node."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c1", "bias1"], ["b1"]),
        helper.make_node("Relu", ["b1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["m1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["m1", "kernel2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "bias2"], ["b2"]),
        helper.make_node("Relu", ["b2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "matrix"], ["d"]),
        helper.make_node("Add", ["d", "bias3"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, INPUT)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [INPUT[0], CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights(seed).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def oracle(x, dtype, seed=0):
    """``y`` as float32, with operands and the result of every op rounded to ``dtype``."""

    def rounded(array):
        return array.astype(dtype).astype(np.float32)

    w = {name: rounded(array) for name, array in weights(seed).items()}
    h = rounded(_convolve(rounded(x), w["kernel1"], stride=1))
    h = np.maximum(rounded(h + w["bias1"]), 0)
    h = h.reshape(*h.shape[:2], h.shape[2] // 2, 2, h.shape[3] // 2, 2).max(axis=(3, 5))
    h = rounded(_convolve(h, w["kernel2"], stride=2))
    h = np.maximum(rounded(h + w["bias2"]), 0)
    h = rounded(h.mean(axis=(2, 3), dtype=np.float32))
    h = rounded(h @ w["matrix"])
    return rounded(h + w["bias3"])


def _convolve(x, kernel, stride):
    """Convolution with padding 1, summed in float32."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows = range(0, x.shape[2] + 2 - kernel.shape[2] + 1, stride)
    columns = range(0, x.shape[3] + 2 - kernel.shape[3] + 1, stride)
    result = np.empty((x.shape[0], kernel.shape[0], len(rows), len(columns)), np.float32)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            patch = padded[:, :, row : row + kernel.shape[2], column : column + kernel.shape[3]]
            result[:, :, i, j] = np.einsum("nchw,ochw->no", patch, kernel, dtype=np.float32)
    return result
