"""Inferred shapes and types against onnxruntime's outputs, and by hand where it has no such op."""

import numpy as np
import onnx
import onnxruntime
import pytest

from odla_ipu.sim import operators, shapes
from odla_ipu.sim.exceptions import popart_exception
from odla_ipu.sim.nodes import NUMPY_TYPES, UNKNOWN, Info, Node
from odla_ipu.sim.shapes.linear import convolutions
from odla_ipu.sim.shapes.rules import RULES


def f(*shape):
    """A run-time input of float32."""
    return Info("FLOAT", shape)


def typed(dtype, *shape):
    return Info(dtype, shape)


def i(*values):
    """A constant of int64."""
    return np.array(values, np.int64)


def info_of(value):
    return Info(NUMPY_TYPES[value.dtype], value.shape) if isinstance(value, np.ndarray) else value


def infer(op_type, inputs, attributes=None, count=1, opset=11, domain=""):
    """The infos of a node with the given inputs: infos, arrays for constants, None for absent."""
    node = Node(
        op_type,
        [f"i{k}" if value is not None else "" for k, value in enumerate(inputs)],
        [f"o{k}" for k in range(count)],
        attributes or {},
        domain,
    )

    def constant(index):
        if index < len(inputs) and isinstance(inputs[index], np.ndarray):
            return inputs[index]
        return None

    return shapes.infer(node, opset, [info_of(value) for value in inputs], constant)


def graphcore(op_type, inputs, attributes=None, count=1):
    return infer(op_type, inputs, attributes, count, 1, "ai.graphcore")


def run(op_type, inputs, attributes, count, opset):
    """The outputs' types and shapes when onnxruntime runs the node on ones."""
    names = [f"i{k}" if value is not None else "" for k, value in enumerate(inputs)]
    outputs = [f"o{k}" for k in range(count)]
    node = onnx.helper.make_node(op_type, names, outputs, **attributes)
    values, constants, feeds = [], [], {}
    numpy_types = {name: dtype for dtype, name in NUMPY_TYPES.items()}
    for name, value in zip(names, inputs):
        if isinstance(value, np.ndarray):
            constants.append(onnx.numpy_helper.from_array(value, name))
        elif value is not None:
            dtype = numpy_types[value.dtype]
            number = onnx.helper.np_dtype_to_tensor_dtype(dtype)
            values.append(onnx.helper.make_tensor_value_info(name, number, value.shape))
            feeds[name] = np.zeros(value.shape, dtype)
    graph = onnx.helper.make_graph(
        [node], "g", values, [onnx.ValueInfoProto(name=name) for name in outputs], constants
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=6
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [info_of(result) for result in session.run(None, feeds)]


CONV = (f(2, 4, 9, 8), f(6, 4, 3, 3))
CASES = [
    ("Add", [f(2, 1, 3), f(4, 1)]),
    ("Sub", [f(), f(0, 3)]),
    ("Mul", [f(1), f()]),
    ("Pow", [f(3), f(1)]),
    ("Mod", [typed("INT32", 3), i(2).astype(np.int32)]),
    ("Max", [f(2, 1), f(3), f()]),
    ("Mean", [f(2, 1), f(1, 3)]),
    ("Equal", [f(2, 1), f(3)]),
    ("And", [typed("BOOL", 2, 1), typed("BOOL", 3)]),
    ("Not", [typed("BOOL", 2)]),
    ("IsNaN", [f(2, 2)]),
    ("Relu", [f(0, 2)]),
    ("Clip", [f(3), np.array(0, np.float32), None]),
    ("Softmax", [f(2, 3, 4)], {"axis": 2}),
    ("Cast", [f(2, 3)], {"to": 10}),
    ("PRelu", [f(2, 3, 4), f(3, 1)]),
    ("Where", [typed("BOOL", 2, 1), f(3), f(1, 1)]),
    ("Reshape", [f(2, 3, 4), i(0, -1)]),
    ("Reshape", [f(2, 3, 4), i(-1, 0, 2)]),
    ("Reshape", [f(1, 1), np.zeros(0, np.int64)]),
    ("Reshape", [f(0, 3), i(0, 3)]),
    ("Flatten", [f(2, 3, 4)]),
    ("Flatten", [f(2, 3, 4)], {"axis": 0}),
    ("Flatten", [f(2, 3, 4)], {"axis": -1}),
    ("Squeeze", [f(1, 3, 1)]),
    ("Squeeze", [f(1, 3, 1)], {"axes": [-1]}),
    ("Unsqueeze", [f(3, 2)], {"axes": [0, -1]}),
    ("Unsqueeze", [f()], {"axes": [0]}),
    ("Transpose", [f(2, 3, 4)]),
    ("Transpose", [f(2, 3, 4)], {"perm": [1, 2, 0]}),
    ("Concat", [f(2, 3), f(0, 3), f(1, 3)], {"axis": -2}),
    ("Split", [f(2, 6)], {"axis": 1}, 3),
    ("Split", [f(2, 6)], {"axis": -1, "split": [1, 5]}, 2),
    ("Slice", [f(5, 6), i(1), i(4)]),
    ("Slice", [f(5, 6), i(-3, 0), i(100, -1), i(1, 0)]),
    ("Slice", [f(5, 6), i(-1), i(-100), i(0), i(-1)]),
    ("Slice", [f(5, 6), i(-1), i(-6), i(0), i(-2)]),
    ("Slice", [f(5, 6), i(3), i(1)]),
    ("Slice", [f(5, 6), i(0), i(2**62), i(0), i(3)]),
    ("Pad", [f(2, 3), i(1, 0, 0, 2)]),
    ("Pad", [f(2, 5), i(0, -1, 0, -2)]),
    ("Tile", [f(2, 3), i(2, 0)]),
    ("Expand", [f(3, 1), i(2, 1, 4)]),
    ("Expand", [f(3, 1), i(1)]),
    ("Gather", [f(4, 5), i(1, 2).reshape(1, 2)], {"axis": -1}),
    ("Gather", [f(4, 5), np.array(1)]),
    ("ScatterElements", [f(4, 5), typed("INT64", 2, 5), f(2, 5)]),
    ("OneHot", [typed("INT64", 2, 3), i(7), f(2)]),
    ("OneHot", [typed("INT64", 2, 3), i(7), f(2)], {"axis": 1}),
    ("DepthToSpace", [f(1, 8, 2, 3)], {"blocksize": 2}),
    ("SpaceToDepth", [f(1, 2, 4, 6)], {"blocksize": 2}),
    ("ConstantOfShape", [i(2, 0, 3)]),
    ("Shape", [f(2, 3)]),
    ("CumSum", [f(2, 3), np.array(1, np.int32)]),
    ("Resize", [f(1, 1, 3, 5), np.zeros(0, np.float32), np.array([1, 1, 1.7, 0.6], np.float32)]),
    ("Resize", [f(1, 1, 3, 5), np.zeros(0, np.float32), np.zeros(0, np.float32), i(1, 1, 7, 2)]),
    ("MatMul", [f(2, 3), f(3, 4)]),
    ("MatMul", [f(3), f(3, 4)]),
    ("MatMul", [f(2, 3), f(3)]),
    ("MatMul", [f(3), f(3)]),
    ("MatMul", [f(5, 1, 2, 3), f(4, 3, 2)]),
    ("MatMul", [f(0, 3), f(3, 2)]),
    ("Gemm", [f(3, 2), f(4, 3), f(4)], {"transA": 1, "transB": 1}),
    ("Conv", [*CONV]),
    ("Conv", [*CONV, f(6)], {"pads": [1, 0, 2, 1], "strides": [2, 3], "dilations": [1, 2]}),
    ("Conv", [*CONV], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", [*CONV], {"auto_pad": "SAME_LOWER", "strides": [3, 2]}),
    ("Conv", [*CONV], {"auto_pad": "VALID"}),
    ("Conv", [f(1, 4, 7), f(4, 1, 3)], {"group": 4}),
    ("ConvTranspose", [f(1, 4, 5, 5), f(4, 3, 3, 3)], {"strides": [2, 2]}),
    (
        "ConvTranspose",
        [f(1, 4, 5, 5), f(4, 3, 3, 3)],
        {"strides": [2, 2], "pads": [1, 1, 0, 1], "output_padding": [1, 0], "group": 2},
    ),
    ("ConvTranspose", [f(1, 4, 5), f(4, 3, 3)], {"strides": [2], "output_shape": [10]}),
    ("MaxPool", [f(1, 2, 7, 8)], {"kernel_shape": [3, 2], "strides": [2, 2]}),
    ("MaxPool", [f(1, 2, 7, 8)], {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1}),
    ("AveragePool", [f(1, 2, 7)], {"kernel_shape": [3], "pads": [1, 1]}),
    ("GlobalAveragePool", [f(1, 2, 7, 3)]),
    ("BatchNormalization", [f(2, 3, 4), f(3), f(3), f(3), f(3)]),
    ("InstanceNormalization", [f(2, 3, 4), f(3), f(3)]),
    ("LRN", [f(1, 3, 2, 2)], {"size": 3}),
    ("Dropout", [f(2, 3)], {}, 2),
    ("ReduceSum", [f(2, 3, 4)], {"axes": [-1, 0]}),
    ("ReduceMax", [f(2, 3, 4)], {"axes": [1], "keepdims": 0}),
    ("ReduceMean", [f(2, 3)], {"keepdims": 0}),
    ("ArgMax", [f(2, 3)], {"axis": -1}),
    ("ArgMin", [f(2, 3)], {"keepdims": 0}),
    ("TopK", [f(2, 5), i(3)], {"axis": 1}, 2),
    ("LSTM", [f(5, 2, 3), f(1, 16, 3), f(1, 16, 4)], {"hidden_size": 4}, 3),
    ("GRU", [f(5, 2, 3), f(1, 12, 3), f(1, 12, 4), f(1, 24)], {"hidden_size": 4}, 2),
    ("RNN", [f(5, 2, 3), f(1, 4, 3), f(1, 4, 4), None, None, f(1, 2, 4)], {"hidden_size": 4}, 2),
    (
        "RoiAlign",
        [f(1, 2, 6, 6), f(3, 4), i(0, 0, 0)],
        {"output_height": 2, "output_width": 3},
    ),
    ("RandomNormal", [], {"shape": [2, 3], "dtype": 1}),
    ("RandomUniformLike", [f(2, 3)], {}),
]
OLD_CASES = [
    (7, "Add", [f(2, 3), f(3)]),
    (7, "Dropout", [f(2, 3)], {}),
    (9, "Slice", [f(5, 6)], {"starts": [1, -2], "ends": [3, 100]}),
    (9, "Slice", [f(5, 6)], {"starts": [1], "ends": [-1], "axes": [1]}),
    (9, "TopK", [f(2, 5)], {"k": 2}, 2),
    (9, "Pad", [f(2, 3)], {"pads": [0, 1, 1, 0]}),
    (9, "Upsample", [f(1, 1, 2, 3), np.array([1, 1, 2, 3], np.float32)]),
    (10, "Resize", [f(1, 1, 2, 3), np.array([1, 1, 2.5, 0.5], np.float32)]),
    (10, "Dropout", [f(2, 3)], {}, 2),
]


def case_id(case):
    return "-".join(str(part) for part in case if isinstance(part, (str, int)))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_as_onnxruntime(case):
    op_type, inputs, attributes, count = (*case, *({}, 1)[len(case) - 2 :])
    expected = run(op_type, inputs, attributes, count, 11)
    assert infer(op_type, inputs, attributes, count) == expected


@pytest.mark.parametrize("case", OLD_CASES, ids=case_id)
def test_older_opsets_as_onnxruntime(case):
    opset, op_type, inputs, attributes, count = (*case, *({}, 1)[len(case) - 3 :])
    expected = run(op_type, inputs, attributes, count, opset)
    assert infer(op_type, inputs, attributes, count, opset) == expected


def test_legacy_broadcast_along_an_axis():
    attributes = {"broadcast": 1, "axis": 1}
    assert infer("Add", [f(2, 3, 4, 5), f(3, 4)], attributes, opset=6) == [f(2, 3, 4, 5)]


def test_ai_onnx_softmax_keeps_float16():
    assert infer("Softmax", [typed("FLOAT16", 2, 3)]) == [typed("FLOAT16", 2, 3)]


def test_half_times_float_scalar():
    half = typed("FLOAT16", 2, 3)
    assert infer("Mul", [half, f()]) == [half]
    assert infer("Mul", [f(1), half]) == [half]
    with pytest.raises(popart_exception, match="different types"):
        infer("Mul", [half, f(3)])
    with pytest.raises(popart_exception, match="different types"):
        infer("Add", [half, f()])


GRAPHCORE = [
    ("Gelu", [f(2, 3)], {}, [f(2, 3)]),
    ("Atan2", [f(2, 1), f(3)], {}, [f(2, 3)]),
    ("Reshape", [f(2, 3)], {"shape": [-1]}, [f(6)]),
    ("Slice", [f(5, 6)], {"starts": [-2], "ends": [100], "axes": [1]}, [f(5, 2)]),
    ("Subsample", [f(5, 6)], {"strides": [2, 4]}, [f(3, 2)]),
    ("Reverse", [f(5, 6)], {"dimensions": [1]}, [f(5, 6)]),
    ("DepthToSpace", [f(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}, [f(1, 2, 4, 6)]),
    (
        "Init",
        [],
        {"shape": [2], "data_type": 12, "init_type": 1},
        [typed("UINT32", 2)],
    ),
    (
        "DynamicSlice",
        [f(5, 6), typed("UINT32", 1)],
        {"axes": [0], "sizes": [1]},
        [f(1, 6)],
    ),
    ("DynamicUpdate", [f(5, 6), typed("UINT32", 1), f(1, 6)], {"axes": [0]}, [f(5, 6)]),
    ("GroupedGather", [f(4, 5), typed("INT32", 2, 3)], {"axis": 1}, [f(4, 2, 3)]),
    (
        "GroupedGather",
        [f(2, 4, 5), typed("INT32", 2, 3)],
        {"axis": 1, "group_size": 2},
        [f(2, 3, 5)],
    ),
    ("ScatterReduce", [f(4, 5), typed("INT32", 4)], {"axis": 0, "axis_size": 9}, [f(9, 5)]),
    (
        "ScatterReduce",
        [f(4, 5), typed("INT32", 4), f(7, 5)],
        {"axis": 0, "axis_size": 7},
        [f(7, 5)],
    ),
    (
        "ScatterReduce",
        [f(4, 5), typed("INT32", 3, 2)],
        {"axis": -1, "axis_size": 9, "enable_index_broadcast": 0},
        [f(3, 9)],
    ),
    ("Sort", [f(2, 3)], {"axis": 1}, [f(2, 3), typed("INT64", 2, 3)]),
    ("ReduceMedian", [f(2, 3)], {"axes": [1]}, [f(2, 1), typed("INT32", 2, 1)]),
    ("Bucketize", [f(2, 3), f(4)], {}, [typed("INT32", 2, 3)]),
    ("GroupNormalization", [f(2, 6, 3), f(6), f(6)], {"num_groups": 3}, [f(2, 6, 3), f(6), f(6)]),
    ("IdentityLoss", [f(2, 3)], {"reduction": "Mean"}, [f()]),
    ("IdentityLoss", [f(2, 3)], {"reduction": "None"}, [f(2, 3)]),
    ("L1", [f(2, 3)], {"lambda": 1.0, "reduction": "Sum"}, [f()]),
    ("Nll", [f(2, 5, 3), typed("INT32", 2, 5)], {"reduction": "None"}, [f(2, 5)]),
    (
        "Ctc",
        [
            typed("FLOAT16", 9, 2, 4),
            typed("UINT32", 2, 3),
            typed("UINT32", 2),
            typed("UINT32", 2),
        ],
        {"reduction": "None", "outDataType": "FLOAT"},
        [f(2), typed("FLOAT16", 9, 2, 4)],
    ),
    (
        "CtcBeamSearchDecoder",
        [f(9, 2, 4), typed("UINT32", 2)],
        {"top_paths": 3},
        [f(2, 3), typed("UINT32", 2, 3), typed("UINT32", 2, 3, 9)],
    ),
    ("LSTM", [f(5, 2, 3), f(4, 7, 4)], {}, [f(5, 2, 4), f(2, 4)]),
    ("LSTM", [f(5, 2, 3), f(4, 7, 4)], {"outputFullSequence": 0}, [f(2, 4), f(2, 4)]),
    (
        "NormalizeImage",
        [typed("UINT8", 2, 4, 4, 3), typed("FLOAT16", 3), typed("FLOAT16", 3)],
        {},
        [typed("FLOAT16", 2, 4, 4, 4)],
    ),
    (
        "SplineBasis",
        [f(6, 2), typed("INT32", 2), typed("UINT8", 2)],
        {"degree": 2},
        [f(6, 9), typed("INT32", 6, 9)],
    ),
    ("SplineWeighting", [f(6, 3), f(8, 3, 5), f(6, 4), typed("INT32", 6, 4)], {}, [f(6, 5)]),
    ("ReplicatedReduceScatter", [f(2, 3)], {}, [f(6)]),
    ("SequenceSlice", [f(4, 2), f(7, 2)] + [typed("UINT32", 3)] * 3, {}, [f(7, 2)]),
    ("ShapedDropout", [f(2, 3)], {"shape": [2, 1], "ratio": 0.2}, [f(2, 3)]),
]


@pytest.mark.parametrize("case", GRAPHCORE, ids=case_id)
def test_graphcore(case):
    op_type, inputs, attributes, expected = case
    assert graphcore(op_type, inputs, attributes, len(expected)) == expected


def test_multi_conv_forms():
    attributes = {"numInputs": [2, 3], "strides": [2, 2, 3, 3], "inDilations": [1, 1, 2, 2]}
    inputs = [f(1, 4, 9, 9), f(6, 4, 3, 3), f(1, 4, 5, 5), f(4, 1, 3, 3), f(4)]
    first, second = convolutions(attributes, [info.shape for info in inputs])
    assert (first.group, first.strides, first.pads) == (1, [2, 2], [0, 0, 0, 0])
    assert (second.group, second.strides, second.in_dilations) == (4, [3, 3], [2, 2])
    # 5 spread by 2 is 9 wide; (9 - 3) / 3 + 1 = 3.
    assert graphcore("MultiConv", inputs, attributes, 2) == [f(1, 6, 4, 4), f(1, 4, 3, 3)]


REFUSED = [
    ("Add", [f(2), f(3)], {}, "np broadcasting failed"),
    ("Add", [f(2), f(3)], {}, "are not aligned"),
    ("MatMul", [f(2, 3), f(4, 2)], {}, "are not aligned"),
    ("MatMul", [f(), f(2)], {}, "rank 0"),
    ("Reshape", [f(2, 3), i(4)], {}, "6 elements"),
    ("Reshape", [f(2, 3), i(-1, -1)], {}, "more than one -1"),
    ("Reshape", [f(2, 3), i(-2)], {}, "-2"),
    ("Squeeze", [f(2, 1)], {"axes": [0]}, "size 2"),
    ("Transpose", [f(2, 1)], {"perm": [0, 0]}, "permutation"),
    ("Concat", [f(2, 3), f(2, 4)], {"axis": 0}, "agree"),
    ("Concat", [f(2, 3)], {"axis": 2}, "axis 2"),
    ("Split", [f(5)], {"split": [2, 2]}, "add up"),
    ("Slice", [f(5), i(0), i(2), i(0), i(0)], {}, "step 0"),
    ("Tile", [f(2, 3), i(2)], {}, "repeats"),
    ("Resize", [f(2, 3), np.zeros(0, np.float32), np.ones(2, np.float32), i(2, 3)], {}, "both"),
    ("Conv", [f(1, 3, 5, 5), f(4, 2, 3, 3)], {}, "channels"),
    ("Conv", [f(1, 3, 5, 5), f(4, 3, 3)], {}, "ranks"),
    ("BatchNormalization", [f(2, 3), f(3), f(3), f(3), f(3)], {}, "rank 2"),
    ("BatchNormalization", [f(2, 3, 1), f(3), f(4), f(3), f(3)], {}, "B of shape"),
    ("Dropout", [f(2)], {"ratio": 1.0}, "ratio"),
    ("TopK", [f(3), i(4)], {"axis": 0}, "4 elements"),
    ("ArgMax", [f()], {}, "rank 0"),
    ("LSTM", [f(5, 2, 3), f(2, 16, 3), f(2, 16, 4)], {"direction": "bidirectional"}, "forward"),
    ("Scatter", [f(2, 3), typed("INT32", 2), f(2)], {}, "rank of data"),
]


@pytest.mark.parametrize("case", REFUSED, ids=case_id)
def test_refusals(case):
    op_type, inputs, attributes, message = case
    with pytest.raises(popart_exception, match=message):
        infer(op_type, inputs, attributes, 2 if op_type == "Split" else 1)


GRAPHCORE_REFUSED = [
    ("Reverse", [f(2, 3)], {"dimensions": [-1]}, "dimensions"),
    ("Reverse", [f(2, 3)], {"dimensions": [1, 1]}, "dimensions"),
    ("Subsample", [f(2, 3)], {"strides": [1, 0]}, "strides"),
    ("Sort", [f(2, 3)], {"axis": -1}, "axis -1"),
    ("Nll", [f(2, 3), typed("INT32", 3)], {}, "labels"),
    ("L1", [f()], {}, "rank 0"),
    ("GroupedGather", [f(2, 4), typed("INT32", 2, 3)], {"group_size": 2}, "axis of the groups"),
    ("ScatterReduce", [f(2), typed("INT32", 2)], {"axis_size": 0}, "positive"),
    ("ShapedDropout", [f(2, 3)], {"shape": [3, 3]}, "np broadcasting failed"),
    ("ShapedDropout", [f(2, 1)], {"shape": [2, 3]}, "does not broadcast"),
    ("Abort", [f(2)], {}, "one element"),
    ("NormalizeImage", [f(2, 4), f(3), f(3)], {}, r"\[..., 3\]"),
    ("DepthToSpace", [f(1, 4, 1, 1)], {"blocksize": 2, "mode": "X"}, "DCR"),
]


@pytest.mark.parametrize("case", GRAPHCORE_REFUSED, ids=case_id)
def test_graphcore_refusals(case):
    op_type, inputs, attributes, message = case
    with pytest.raises(popart_exception, match=message):
        graphcore(op_type, inputs, attributes)


@pytest.mark.parametrize(
    "op_type, inputs, attributes",
    [
        ("Conv", [f(1, 1, 2, 2), f(1, 1, 3, 3)], {}),
        ("MaxPool", [f(1, 1, 2, 2)], {"kernel_shape": [5, 5]}),
        ("AveragePool", [f(1, 1, 2, 2)], {"kernel_shape": [5, 5], "strides": [4, 4]}),
        ("Pad", [f(2), i(-2, -1)], {}),
    ],
    ids=case_id,
)
def test_negative_dimensions(op_type, inputs, attributes):
    with pytest.raises(shapes.InvalidShape, match="has invalid shape"):
        infer(op_type, inputs, attributes)


def test_unknown_inputs_give_unknown_shapes():
    assert infer("Relu", [Info("FLOAT", None)]) == [Info("FLOAT", None)]
    assert infer("Equal", [UNKNOWN, f(2)]) == [Info("BOOL", None)]
    assert infer("Reshape", [f(2, 3), typed("INT64", 2)]) == [Info("FLOAT", None)]
    assert infer("Cube", [f(2)], domain="com.acme") == [UNKNOWN]


def test_every_implemented_op_has_a_rule():
    for domain, rows in operators.table().items():
        for row in rows:
            if row.implemented:
                assert ("" if domain == "ai.onnx" else domain, row.op_type) in RULES
