"""Reading ONNX files: names, shapes, branches, weights, speed, and what is refused how."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_stack import actual, build, compare, single, value_info

from odla_ipu.errors import (
    BadFile,
    FileMissing,
    InvalidParameter,
    UnsupportedOp,
    UnsupportedType,
)
from odla_ipu.frontends.onnx import read
from odla_ipu.types import ElementType

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def relu_chain(count, source="x"):
    names = [source] + [f"a{index}" for index in range(count - 1)] + ["y"]
    return [helper.make_node("Relu", [a], [b]) for a, b in zip(names, names[1:])]


# Names.


def test_arguments_and_outputs_keep_their_names(device):
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"]),
        helper.make_node("Mul", ["sum", "x"], ["x.1:0"]),
        helper.make_node("Identity", ["sum"], ["copy"]),
        helper.make_node("Identity", ["x"], ["input copy"]),
        helper.make_node("Identity", ["w"], ["constant"]),
    ]
    outputs = ("x.1:0", "sum", "copy", "input copy", "constant")
    model = build(nodes, {"x": X, "unused": X}, {"w": X}, outputs)
    graph = read(model)
    assert [argument.id for argument in graph.arguments] == ["x", "unused"]
    assert tuple(output.name for output in graph.outputs) == outputs
    compare(model, {"x": X, "unused": X}, device)


def test_node_names_that_are_taken():
    nodes = [helper.make_node("Abs", ["x"], ["a"], name="x")]
    nodes += [helper.make_node("Abs", ["a"], [name], name="same") for name in ("b", "y")]
    graph = read(build(nodes, {"x": X}))
    assert graph.arguments[0].id == "x"
    assert len({"x"} | {node.id for node in graph.nodes}) == 3


def test_errors_of_ops_name_the_onnx_node():
    model, _ = single("Add", [X, np.zeros((4, 5), np.float32)])
    with pytest.raises(InvalidParameter, match=r"node 'the_node' \(Add\)"):
        read(model)


def test_initializers_that_are_inputs_are_constants():
    model = onnx.load_from_string(
        build([helper.make_node("Add", ["x", "w"], ["y"])], {"x": X, "w": X}, {"w": X})
    )
    model.ir_version = 3
    assert [one.id for one in read(model.SerializeToString()).arguments] == ["x"]


# Shapes.


OPEN = build(
    [helper.make_node("Add", ["x", "z"], ["y"])],
    {"x": X, "z": X},
    shapes={"x": ("batch", 3), "z": ("batch", "width")},
)


def test_a_named_dimension_is_fixed_everywhere():
    graph = read(OPEN, {"x": (5, 3), "z": (5, 1)})
    assert [argument.dims for argument in graph.arguments] == [(5, 3), (5, 1)]
    same = build(
        [helper.make_node("Add", ["x", "z"], ["y"])],
        {"x": X, "z": X},
        shapes={"x": ("batch", 3), "z": ("batch", 3)},
    )
    assert read(same, {"x": (7, 3)}).arguments[1].dims == (7, 3)


def test_open_dimensions_are_listed_with_the_repair():
    with pytest.raises(InvalidParameter) as error:
        read(OPEN)
    text = str(error.value)
    assert "x [batch,3]" in text and "z [batch,width]" in text
    assert "shapes={'x': (1, 3), 'z': (1, 1)}" in text
    assert "--shape x=1,3" in text


def test_question_marks_are_not_one_dimension():
    model = build([helper.make_node("Relu", ["x"], ["y"])], {"x": X}, shapes={"x": ("?", "?")})
    assert read(model, {"x": (4, 5)}).outputs[0].value.dims == (4, 5)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"q": (1,)}, r"'q'.*its inputs are x \[batch,3\], z \[batch,width\]"),
        ({"x": (2, 3, 4)}, "rank 3"),
        ({"x": (2, 4)}, "contradicts"),
        ({"x": (2, 3), "z": (3, 3)}, "makes 'batch' 3"),
        ({"x": (-2, 3)}, "negative"),
    ],
)
def test_wrong_shapes(shapes, message):
    with pytest.raises(InvalidParameter, match=message):
        read(OPEN, shapes)


def test_input_without_a_rank():
    model = onnx.load_from_string(build([helper.make_node("Relu", ["x"], ["y"])], {"x": X}))
    model.graph.input[0].type.tensor_type.ClearField("shape")
    data = model.SerializeToString()
    with pytest.raises(InvalidParameter, match="x of any rank"):
        read(data)
    assert read(data, {"x": (2, 3, 4)}).arguments[0].dims == (2, 3, 4)


def test_scalar_and_empty_inputs(device):
    node = helper.make_node("Exp", ["x"], ["y"])
    scalar = np.array(0.5, np.float32)
    compare(build([node], {"x": scalar}), {"x": scalar}, device)
    empty = np.zeros((0, 3), np.float32)
    graph = read(build([node], {"x": empty}))
    assert graph.outputs[0].value.dims == (0, 3)


# Branches.


def branch(name, nodes, outputs, initializers=()):
    return helper.make_graph(
        nodes, name, [], [onnx.ValueInfoProto(name=one) for one in outputs], initializers
    )


@pytest.mark.parametrize("chosen", [True, False])
def test_if_with_a_constant_condition_takes_one_branch(chosen, device):
    """Branches read outer values and reuse each other's names."""
    w = numpy_helper.from_array(np.float32([2, 3, 4]), "w")
    then = branch("then", [helper.make_node("Mul", ["x", "w"], ["r"])], ["r"], [w])
    other = branch("else", [helper.make_node("Sub", ["x", "outer"], ["r"])], ["r"])
    nodes = [
        helper.make_node("Add", ["x", "x"], ["outer"]),
        helper.make_node("If", ["c"], ["first"], then_branch=then, else_branch=other),
        helper.make_node("If", ["c"], ["second"], then_branch=then, else_branch=other),
        helper.make_node("Add", ["first", "second"], ["y"]),
    ]
    compare(build(nodes, {"x": X}, {"c": np.array(chosen)}), {"x": X}, device)


def test_branch_not_taken_may_be_unsupported():
    then = branch("then", [helper.make_node("Relu", ["x"], ["r"])], ["r"])
    other = branch("else", [helper.make_node("Unique", ["x"], ["r"], sorted=0)], ["r"])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    assert len(read(build([node], {"x": X}, {"c": np.array(True)})).nodes) == 1
    with pytest.raises(UnsupportedOp, match="Unique"):
        read(build([node], {"x": X}, {"c": np.array(False)}))


@pytest.mark.parametrize("chosen", [True, False])
def test_if_with_a_computed_condition(chosen, device):
    then = branch("then", [helper.make_node("Neg", ["x"], ["r"])], ["r"])
    other = branch("else", [helper.make_node("Add", ["x", "x"], ["r"])], ["r"])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    feeds = {"x": X, "c": np.array(chosen)}
    compare(build([node], feeds), feeds, device)


def test_branches_of_different_shapes_need_a_constant_condition():
    then = branch("then", [helper.make_node("Relu", ["x"], ["r"])], ["r"])
    other = branch("else", [helper.make_node("ReduceSum", ["x"], ["r"])], ["r"])
    node = helper.make_node("If", ["c"], ["y"], name="choice", then_branch=then, else_branch=other)
    with pytest.raises(UnsupportedOp, match=r"'choice' \(If\): the branches give"):
        read(build([node], {"x": X, "c": np.array(True)}))


# What is refused.


def test_all_unsupported_nodes_are_listed_at_once():
    nodes = [
        helper.make_node("Unique", ["x"], ["a"], sorted=0, name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="reads what is missing"),
        helper.make_node("Bernoulli", ["x"], ["c"], name="second"),
        helper.make_node("Frobnicate", ["x"], ["d"], name="third", domain="my.own"),
        helper.make_node("Scan", ["x"], ["unused"], name="dead"),
        helper.make_node("Concat", ["b", "c", "d"], ["y"], axis=0),
    ]
    with pytest.raises(UnsupportedOp) as error:
        read(build(nodes, {"x": X}))
    text = str(error.value)
    assert text.startswith("3 unsupported in the model 'model'")
    assert "'first' (Unique)" in text
    assert "'second' (Bernoulli)" in text
    assert "'third' (my.own.Frobnicate)" in text
    assert "dead" not in text and "reads what" not in text


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("LSTM", {"activations": ["Relu", "Tanh", "Tanh"]}, "activations relu, tanh, tanh"),
        ("LSTM", {"clip": 1.0}, "clip"),
        ("LSTM", {"input_forget": 1}, "input_forget"),
    ],
)
def test_unsupported_attributes(op, attributes, message):
    weights = np.zeros((1, 16, 3), np.float32), np.zeros((1, 16, 4), np.float32)
    x = np.zeros((5, 2, 3), np.float32)
    model, _ = single(op, [x, *weights], hidden_size=4, **attributes)
    with pytest.raises(UnsupportedOp, match=message):
        read(model)


def test_output_that_cannot_be_made_is_refused_only_when_read():
    x = np.zeros((1, 1, 4, 4), np.float32)
    statistics = [np.ones(1, np.float32) for _ in range(4)]
    node = helper.make_node("BatchNormalization", ["x", *"abcd"], ["y", "mean"], name="b")
    inputs = {"x": x, **dict(zip("abcd", statistics))}
    assert read(build([node], inputs)).outputs[0].value.dims == (1, 1, 4, 4)
    with pytest.raises(UnsupportedOp, match="'b'.*output 1"):
        read(build([node], inputs, outputs=("y", "mean")))


def test_string_tensors():
    model = onnx.load_from_string(build([helper.make_node("Identity", ["x"], ["y"])], {"x": X}))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(UnsupportedType, match="input 'x': element type STRING"):
        read(model.SerializeToString())


def test_sequence_inputs():
    model = onnx.load_from_string(build([helper.make_node("Identity", ["x"], ["y"])], {"x": X}))
    model.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    with pytest.raises(UnsupportedType, match="input 'x' is a sequence"):
        read(model.SerializeToString())


def test_weights_of_other_types_matter_only_when_read():
    model = onnx.load_from_string(build([helper.make_node("Add", ["x", "w"], ["y"])], {"x": X}))
    text = helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])
    model.graph.initializer.append(text)
    with pytest.raises(UnsupportedType, match="tensor 'w': element type STRING"):
        read(model.SerializeToString())
    model.graph.node[0].input[1] = "x"
    assert len(read(model.SerializeToString()).nodes) == 1


# Files.


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileMissing, match="no file"):
        read(tmp_path / "none.onnx")
    with pytest.raises(FileMissing, match="is a folder"):
        read(str(tmp_path))


@pytest.mark.parametrize("size", [0, 1, 10, 50, -1])
def test_empty_and_truncated_files(tmp_path, size):
    data = build(relu_chain(20), {"x": X}, {"w": X})
    path = tmp_path / "model.onnx"
    path.write_bytes(data[:size])
    with pytest.raises(BadFile):
        read(path)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + bytes(60), b"not a model at all\n" * 9, bytes(100), b"\x89PNG\r\n"]
)
def test_foreign_files(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"model\.onnx"):
        read(path)


def change(**fields):
    model = onnx.load_from_string(build([helper.make_node("Relu", ["x"], ["y"])], {"x": X}))
    for name, value in fields.items():
        setattr(model, name, value)
    return model


def test_versions_outside_the_known_ones():
    with pytest.raises(BadFile, match="IR version 999.*upgrade onnx"):
        read(change(ir_version=999).SerializeToString())
    for opset in (5, 999):
        model = change()
        model.opset_import[0].version = opset
        with pytest.raises(BadFile, match=f"opset {opset}; accepted: 7 to"):
            read(model.SerializeToString())


def test_nodes_out_of_order_and_names_from_nowhere():
    nodes = [
        helper.make_node("Relu", ["a"], ["y"], name="late"),
        helper.make_node("Abs", ["x"], ["a"], name="early"),
    ]
    with pytest.raises(BadFile, match=r"'late' \(Relu\) reads 'a' before node 'early'"):
        read(build(nodes, {"x": X}))
    with pytest.raises(BadFile, match="reads 'ghost', which no node"):
        read(build([helper.make_node("Relu", ["ghost"], ["y"])], {"x": X}))
    with pytest.raises(BadFile, match="reads 'y', which no node"):
        read(build([], {"x": X}))


def test_cycles_and_doubled_names():
    cycle = [helper.make_node("Add", ["x", "y"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    with pytest.raises(BadFile, match="topological order"):
        read(build(cycle, {"x": X}))
    twice = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Abs", ["x"], ["b", "a"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    with pytest.raises(BadFile, match="exists already"):
        read(build(twice, {"x": X}))


def test_wrong_number_of_inputs():
    with pytest.raises(BadFile, match=r"\(Add\): 1 inputs.*accepted: 2"):
        read(build([helper.make_node("Add", ["x"], ["y"])], {"x": X}))
    with pytest.raises(BadFile, match=r"\(Gemm\): 2 inputs, 1 of the required ones empty"):
        read(build([helper.make_node("Gemm", ["", "x"], ["y"])], {"x": X}))


def test_damaged_weights():
    model = onnx.load_from_string(
        build([helper.make_node("Add", ["x", "w"], ["y"])], {"x": X}, {"w": X})
    )
    model.graph.initializer[0].raw_data = b"1234"
    with pytest.raises(BadFile, match=r"tensor 'w' has 4 bytes.*\[2, 3\] needs 24"):
        read(model.SerializeToString())


# Weights.


def external(tmp_path, name="weights.bin"):
    w = np.arange(12, dtype=np.float32).reshape(4, 3)
    model = onnx.load_from_string(
        build([helper.make_node("MatMul", ["w", "z"], ["y"])], {"z": X.T.copy()}, {"w": w})
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location=name, size_threshold=0)
    return path, w


def test_external_data(tmp_path, device):
    path, w = external(tmp_path)
    (node,) = read(path).nodes
    weight = node.operands()[0]
    np.testing.assert_array_equal(weight.data, w)
    assert not weight.data.flags.owndata


def test_external_data_missing_or_short(tmp_path):
    path, _ = external(tmp_path)
    data = tmp_path / "weights.bin"
    data.write_bytes(data.read_bytes()[:20])
    with pytest.raises(BadFile, match=r"weights\.bin', which has 20"):
        read(path)
    data.unlink()
    with pytest.raises(BadFile, match=r"weights\.bin', which is missing"):
        read(path)
    with pytest.raises(BadFile, match="load the model by its path"):
        read(path.read_bytes())


def test_external_data_outside_of_the_folder(tmp_path):
    path, _ = external(tmp_path)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../weights.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadFile, match="outside the model's folder"):
        read(path)


def test_weights_are_not_copied():
    """Initializers reach the ops as read-only views, through reshapes too."""
    w = np.ones((50, 40), np.float32)
    nodes = [
        helper.make_node("Reshape", ["w", "dims"], ["again"]),
        helper.make_node("MatMul", ["x", "again"], ["y"]),
    ]
    x = np.ones((2, 40), np.float32)
    (node,) = read(build(nodes, {"x": x}, {"w": w, "dims": np.int64([40, 50])})).nodes
    weight = node.operands()[1]
    assert not weight.data.flags.owndata
    assert not weight.data.flags.writeable


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "bool"])
def test_initializers_with_and_without_raw_data(dtype):
    array = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    raw = numpy_helper.from_array(array, "w")
    typed = helper.make_tensor("w", raw.data_type, array.shape, array.reshape(-1))
    for tensor in (raw, typed):
        graph = helper.make_graph([], "g", [], [value_info("w", array)], [tensor])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        value = read(model.SerializeToString()).outputs[0].value
        assert value.element_type is ElementType[dtype.upper()]
        np.testing.assert_array_equal(value.data, array)


# Size.


def test_ten_thousand_nodes_take_linear_time():
    """Deep chains: no recursion; four times the nodes take far less than 16 times the time."""

    def seconds(count):
        model = build(relu_chain(count), {"x": X})
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            assert len(read(model).nodes) == count
            best = min(best, time.process_time() - start)
        return best

    assert seconds(10000) < 8 * seconds(2500) + 0.1


def test_chain_runs(device):
    model = build(relu_chain(300), {"x": X})
    result = actual(model, {"x": X - 2}, device)
    np.testing.assert_array_equal(result["y"], np.maximum(X - 2, 0))
