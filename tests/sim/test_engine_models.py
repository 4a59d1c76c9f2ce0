"""One-op ONNX models of opset 6 to 11: the stand-in against onnxruntime on the model as given."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from odla_ipu import sim as popart

RNG = np.random.RandomState(11)


def f(*shape):
    return RNG.uniform(-2, 2, shape).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


def i32(*values):
    return np.array(values, np.int32)


# (op type, opset, inputs, initializers, attributes, number of outputs)
CASES = [
    ("Conv", 11, [f(2, 3, 9, 8)], [f(4, 3, 3, 3), f(4)], {"pads": [1, 0, 1, 2]}, 1),
    ("Conv", 11, [f(1, 4, 7, 7)], [f(4, 1, 3, 3)], {"group": 4, "strides": [2, 2]}, 1),
    ("Conv", 11, [f(1, 2, 9)], [f(3, 2, 3)], {"dilations": [2]}, 1),
    ("Conv", 11, [f(1, 1, 5, 6, 4)], [f(2, 1, 2, 3, 2)], {}, 1),
    ("Conv", 11, [f(1, 2, 7, 5)], [f(3, 2, 4, 3)], {"auto_pad": "SAME_UPPER"}, 1),
    ("Conv", 11, [f(1, 2, 7, 5)], [f(3, 2, 4, 3)], {"auto_pad": "SAME_LOWER"}, 1),
    ("ConvTranspose", 11, [f(1, 3, 5, 4)], [f(3, 2, 3, 3)], {"strides": [2, 2]}, 1),
    (
        "ConvTranspose",
        11,
        [f(1, 4, 5, 4)],
        [f(4, 2, 3, 3), f(4)],
        {"strides": [2, 1], "pads": [1, 0, 1, 1], "output_padding": [1, 0], "group": 2},
        1,
    ),
    ("MaxPool", 11, [f(1, 2, 7, 8)], [], {"kernel_shape": [3, 2], "strides": [2, 2]}, 1),
    (
        "MaxPool",
        11,
        [f(1, 2, 7, 8)],
        [],
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]},
        1,
    ),
    ("AveragePool", 11, [f(1, 2, 7, 8)], [], {"kernel_shape": [3, 3], "pads": [1, 1, 0, 1]}, 1),
    ("AveragePool", 7, [f(1, 2, 7)], [], {"kernel_shape": [2], "strides": [3]}, 1),
    ("GlobalAveragePool", 11, [f(2, 3, 4, 5)], [], {}, 1),
    ("GlobalMaxPool", 11, [f(2, 3, 4, 5)], [], {}, 1),
    ("BatchNormalization", 9, [f(2, 3, 4, 5)], [f(3), f(3), f(3), np.abs(f(3))], {}, 1),
    ("BatchNormalization", 9, [f(2, 3, 4)], [f(3), f(3), f(3), np.abs(f(3))], {}, 1),
    ("InstanceNormalization", 11, [f(2, 3, 4, 5)], [f(3), f(3)], {"epsilon": 1e-3}, 1),
    ("LRN", 11, [f(2, 7, 4, 5)], [], {"size": 5, "alpha": 0.1, "beta": 0.6, "bias": 1.5}, 1),
    ("Gemm", 11, [f(3, 4)], [f(4, 5), f(5)], {"alpha": 0.5, "beta": 2.0}, 1),
    ("Gemm", 11, [f(4, 3)], [f(5, 4)], {"transA": 1, "transB": 1}, 1),
    ("MatMul", 11, [f(2, 3, 4), f(4, 5)], [], {}, 1),
    ("MatMul", 11, [f(4), f(4)], [], {}, 1),
    ("Softmax", 11, [f(2, 3, 4)], [], {}, 1),
    ("Softmax", 11, [f(2, 3, 4)], [], {"axis": 2}, 1),
    ("Softmax", 11, [f(2, 3, 4)], [], {"axis": -1}, 1),
    ("LogSoftmax", 11, [f(2, 3, 4)], [], {"axis": 0}, 1),
    ("Flatten", 11, [f(2, 3, 4)], [], {"axis": 2}, 1),
    ("Squeeze", 11, [f(2, 1, 3, 1)], [], {"axes": [1, -1]}, 1),
    ("Unsqueeze", 11, [f(2, 3)], [], {"axes": [0, 3]}, 1),
    ("Transpose", 11, [f(2, 3, 4)], [], {"perm": [2, 0, 1]}, 1),
    ("Transpose", 11, [f(2, 3, 4)], [], {}, 1),
    ("Concat", 11, [f(2, 3), f(2, 1)], [], {"axis": -1}, 1),
    ("Split", 11, [f(6, 2)], [], {"axis": 0, "split": [1, 2, 3]}, 3),
    ("Split", 11, [f(2, 6)], [], {"axis": -1}, 2),
    ("Slice", 11, [f(5, 6)], [i64(1, -4), i64(4, 2**62), i64(0, 1)], {}, 1),
    ("Slice", 11, [f(5, 6)], [i64(-1), i64(-(2**62)), i64(0), i64(-1)], {}, 1),
    ("Slice", 9, [f(5, 6)], [], {"starts": [1, 0], "ends": [4, -1], "axes": [0, 1]}, 1),
    ("Pad", 11, [f(3, 4)], [i64(1, 0, 2, 3), np.float32(1.5)], {}, 1),
    ("Pad", 11, [f(3, 4)], [i64(1, 0, 2, 3)], {"mode": "reflect"}, 1),
    ("Pad", 10, [f(3, 4)], [], {"pads": [0, 1, 0, -2], "value": 2.0}, 1),
    ("Pad", 10, [f(3, 4)], [], {"pads": [0, 1, 0, 2], "mode": "edge"}, 1),
    ("Expand", 11, [f(3, 1)], [i64(2, 1, 6)], {}, 1),
    ("Tile", 11, [f(3, 2)], [i64(2, 3)], {}, 1),
    ("Gather", 11, [f(5, 3), i32(4, 0, 2)], [], {"axis": 0}, 1),
    ("Gather", 11, [f(5, 3), np.array([[1], [2]], np.int32)], [], {"axis": -1}, 1),
    ("ScatterElements", 11, [f(3, 3), i32(1, 0, 2).reshape(1, 3), f(1, 3)], [], {}, 1),
    ("DepthToSpace", 11, [f(1, 8, 2, 3)], [], {"blocksize": 2}, 1),
    ("DepthToSpace", 11, [f(1, 8, 2, 3)], [], {"blocksize": 2, "mode": "CRD"}, 1),
    ("SpaceToDepth", 11, [f(1, 2, 4, 6)], [], {"blocksize": 2}, 1),
    ("Reshape", 11, [f(2, 3, 4)], [i64(0, -1, 2)], {}, 1),
    ("Reshape", 11, [f(0, 3)], [i64(0, 3)], {}, 1),
    ("ArgMax", 11, [f(3, 5)], [], {"axis": 1}, 1),
    ("ArgMin", 11, [f(3, 5)], [], {"axis": -1, "keepdims": 0}, 1),
    ("TopK", 11, [f(3, 7)], [i64(3)], {"axis": 1}, 2),
    ("TopK", 11, [f(7, 2)], [i64(2)], {"axis": 0, "largest": 0}, 2),
    ("CumSum", 11, [f(3, 4)], [np.int32(1)], {"exclusive": 1}, 1),
    ("CumSum", 11, [f(3, 4)], [np.int32(0)], {"reverse": 1}, 1),
    ("Resize", 10, [f(1, 2, 3, 4)], [np.array([1, 1, 2, 3], np.float32)], {"mode": "nearest"}, 1),
    ("Upsample", 9, [f(1, 2, 3, 4)], [np.array([1, 1, 2, 2], np.float32)], {}, 1),
    (
        "RoiAlign",
        11,
        [f(1, 2, 9, 9), np.array([[0, 0, 6, 5], [1, 2, 8, 8]], np.float32)],
        [i64(0, 0)],
        {"output_height": 3, "output_width": 2, "sampling_ratio": 2, "spatial_scale": 0.9},
        1,
    ),
    ("LSTM", 11, [f(5, 2, 3)], [f(1, 16, 3), f(1, 16, 4), f(1, 32)], {"hidden_size": 4}, 3),
    ("GRU", 11, [f(5, 2, 3)], [f(1, 12, 3), f(1, 12, 4), f(1, 24)], {"hidden_size": 4}, 2),
    (
        "GRU",
        11,
        [f(5, 2, 3)],
        [f(1, 12, 3), f(1, 12, 4), f(1, 24)],
        {"hidden_size": 4, "linear_before_reset": 1},
        2,
    ),
    ("RNN", 11, [f(5, 2, 3)], [f(1, 4, 3), f(1, 4, 4)], {"hidden_size": 4}, 2),
    (
        "RNN",
        11,
        [f(5, 2, 3)],
        [f(1, 4, 3), f(1, 4, 4), f(1, 8)],
        {"hidden_size": 4, "activations": ["Relu"]},
        2,
    ),
]
REDUCTIONS = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
]
for _name in REDUCTIONS:
    CASES.append((_name, 11, [f(2, 3, 4)], [], {"axes": [1]}, 1))
    CASES.append((_name, 11, [f(2, 3, 4)], [], {"axes": [-1, 0], "keepdims": 0}, 1))
    CASES.append((_name, 11, [f(2, 3)], [], {"keepdims": 0}, 1))
CASES.append(("ReduceLogSum", 11, [np.abs(f(2, 3))], [], {"axes": [1]}, 1))
CASES.append(("ReduceSum", 11, [i32(3, 4)], [], {}, 1))
CASES.append(("ReduceMax", 11, [i32(3, 4)], [], {}, 1))
for _mode in ("linear", "cubic"):
    for _coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
        # onnxruntime's align_corners rounds the output's size first, PopART's does not.
        _integral = _coordinates == "align_corners"
        _scales = np.array([1, 1, 2, 2.5] if _integral else [1, 1, 1.7, 2.3], np.float32)
        _attributes = {"mode": _mode, "coordinate_transformation_mode": _coordinates}
        _roi = np.zeros(0, np.float32)
        CASES.append(("Resize", 11, [f(1, 2, 5, 6)], [_roi, _scales], _attributes, 1))
for _nearest in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
    _attributes = {"mode": "nearest", "nearest_mode": _nearest}
    CASES.append(("Resize", 11, [f(1, 2, 5, 6)], [_roi, _scales], _attributes, 1))


def model_of(case):
    op_type, opset, inputs, initializers, attributes, outputs = case
    feeds = {f"x{index}": array for index, array in enumerate(inputs)}
    constants = {f"c{index}": np.asarray(array) for index, array in enumerate(initializers)}
    names = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, [*feeds, *constants], names, **attributes)
    graph = helper.make_graph(
        [node],
        "graph",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in feeds.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in names],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=6), feeds, names


IDS = [f"{case[0]}-{case[1]}-{index}" for index, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_one_op(case):
    model, feeds, names = model_of(case)
    reference = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(names, feeds)
    session = popart.InferenceSession(
        model.SerializeToString(),
        popart.DataFlow(1, dict.fromkeys(names, popart.AnchorReturnType("All"))),
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(feeds, anchors))
    for name, expected in zip(names, reference):
        result = anchors[name]
        assert result.dtype == (np.int32 if expected.dtype == np.int64 else expected.dtype)
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
