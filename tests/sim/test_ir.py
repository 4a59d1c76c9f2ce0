"""Building the typed graph: types, folding, pruning, refusals by text."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from session_run import constant

import odla_ipu.sim as popart
from odla_ipu.sim import ir


def model(nodes, inputs, initializers=None, opset=11, domains=()):
    """Bytes of a model; ``inputs`` maps a name to (type, shape)."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, *info) for name, info in inputs.items()],
        [],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (initializers or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, version) for domain, version in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=6).SerializeToString()


def node(op_type, inputs, outputs=("y",), **attributes):
    return helper.make_node(op_type, list(inputs), list(outputs), **attributes)


F = (TensorProto.FLOAT, [2, 3])


def refuse(message, nodes, inputs=None, initializers=None, anchors=("y",), **rest):
    data = model(nodes, inputs or {"x": F}, initializers, **rest)
    with pytest.raises(popart.popart_exception, match=message):
        ir.build(data, anchors)


def test_types_are_those_of_the_device():
    data = model(
        [node("ArgMax", ["x"], ["i"]), node("Cast", ["i"], to=TensorProto.INT64)], {"x": F}
    )
    graph = ir.build(data, ["i", "y"])
    assert [str(t) for t in graph.outputs] == ["i:INT32[1, 3]", "y:INT32[1, 3]"]


def test_shape_chain_is_folded():
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["last"]),
        node("Unsqueeze", ["last"], ["column"], axes=[0]),
        node("Concat", ["minus", "column"], ["target"], axis=0),
        node("Transpose", ["x"], ["t"]),
        node("Reshape", ["t", "target"]),
    ]
    constants = {"one": np.int64(1), "minus": np.array([-1], np.int64)}
    graph = ir.build(model(nodes, {"x": F}, constants), ["y"])
    assert [op.type for op in graph.ops] == ["Transpose", "Reshape"]
    assert graph.tensors["y"].shape == (2, 3)
    np.testing.assert_array_equal(graph.tensors["target"].data, [-1, 3])


def test_pruning():
    nodes = [node("Relu", ["x"]), node("Neg", ["x"], ["unused"])]
    graph = ir.build(model(nodes, {"x": F, "z": F}), ["y"])
    assert [op.type for op in graph.ops] == ["Relu"]
    assert not graph.tensors["z"].used


def test_nothing_left():
    refuse("All operations in the main graph were pruned", [node("Relu", ["x"])], anchors=["x"])


def test_unknown_anchor():
    refuse("Anchor tensor `z' not in Ir Tensors", [node("Relu", ["x"])], anchors=["z"])


def test_no_anchor():
    refuse("at least one anchor", [node("Relu", ["x"])], anchors=[])


@pytest.mark.parametrize(
    ("op_type", "opset", "message"),
    [
        ("Hardmax", 11, "No class for ai.onnx.Hardmax:11"),
        ("NonZero", 11, "No class for ai.onnx.NonZero:9"),
        ("Celu", 11, "No class for ai.onnx.Celu:11"),
        ("GlobalLpPool", 11, "No class for ai.onnx.GlobalLpPool"),
    ],
)
def test_op_without_implementation(op_type, opset, message):
    refuse(message, [node(op_type, ["x"])], opset=opset)


def test_version_that_the_opset_does_not_prescribe():
    nodes = [node("Upsample", ["x", "s"])]
    scales = {"s": np.array([2, 1], np.float32)}
    refuse("For an opset 10 Model, the ONNX spec stipulates", nodes, None, scales, opset=10)


def test_custom_op_is_unknown():
    nodes = [helper.make_node("Mine", ["x"], ["y"], domain="my.domain")]
    refuse("No class for my.domain.Mine", nodes, domains=[("my.domain", 1)])


@pytest.mark.parametrize("opset", [5, 12, 17])
def test_opsets(opset):
    refuse(f"Encountered ONNX opset version {opset}", [node("Relu", ["x"])], opset=opset)


@pytest.mark.parametrize("kind", ["DOUBLE", "BFLOAT16", "COMPLEX64", "STRING"])
def test_types_that_poplar_lacks(kind):
    inputs = {"x": (getattr(TensorProto, kind), [2])}
    refuse(f"{kind} .*is not supported in Poplar", [node("Identity", ["x"])], inputs)


def test_mixed_types():
    inputs = {"x": F, "z": (TensorProto.INT32, [2, 3])}
    refuse("different types", [node("Add", ["x", "z"])], inputs)


def test_broadcast_mismatch():
    inputs = {"x": F, "z": (TensorProto.FLOAT, [2])}
    refuse("np broadcasting failed", [node("Add", ["x", "z"])], inputs)


@pytest.mark.parametrize("op_type", ["Reshape", "Expand", "Tile"])
def test_parameters_must_be_constant(op_type):
    inputs = {"x": F, "s": (TensorProto.INT64, [2])}
    refuse("but was unable because|must be of type Constant", [node(op_type, ["x", "s"])], inputs)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("MaxPool", ["x"], kernel_shape=[2], dilations=[2])], "dilations"),
        ([node("AveragePool", ["x"], kernel_shape=[2], count_include_pad=1)], "count_include_pad"),
        ([node("TopK", ["x", "k"], ["y", "i"])], "axis -1 is out of range"),
        ([node("Slice", ["x", "k", "e", "a", "s"])], "Please enable pattern"),
        ([node("RandomNormal", [], shape=[2], dtype=1, seed=1.0)], "seed"),
    ],
)
def test_restrictions(nodes, message):
    inputs = {"x": (TensorProto.FLOAT, [1, 2, 6])}
    ints = {"k": [1], "e": [5], "a": [2], "s": [2]}
    constants = {name: np.array(values, np.int64) for name, values in ints.items()}
    refuse(message, nodes, inputs, constants)


def test_large_steps_with_the_pattern():
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    ops = builder.aiOnnxOpset11
    x = builder.addInputTensor(popart.TensorInfo("FLOAT", [7]), "x")
    parameters = [constant(builder, ops, [value], np.int64) for value in (0, 7, 0, 3)]
    y = ops.slice([x, *parameters])
    patterns = popart.Patterns()
    patterns.enablePattern("Slice2SliceSubsample", True)
    session = popart.InferenceSession(
        builder.getModelProto(),
        popart.DataFlow(1, [y]),
        popart.DeviceManager().createCpuDevice(),
        patterns=patterns,
    )
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({x: np.arange(7, dtype=np.float32)}, anchors))
    assert anchors[y].tolist() == [0, 3, 6]


def test_open_dimensions():
    data = model([node("Relu", ["x"])], {"x": (TensorProto.FLOAT, ["n", 3])})
    with pytest.raises(popart.popart_exception, match="must be specified in InputShapeInfo"):
        ir.build(data, ["y"])
    graph = ir.build(data, ["y"], {"x": ("FLOAT", (5, 3))}.get)
    assert graph.tensors["y"].shape == (5, 3)


def test_reserved_prefix():
    refuse("clash with reserved prefix", [node("Relu", ["x"], ["Gradient___x"])])


def test_repeated_name():
    refuse("Invalid ONNX Model : repeated name", [node("Relu", ["x"]), node("Neg", ["x"])])


def test_no_model():
    with pytest.raises(popart.popart_exception, match="Failed to parse"):
        ir.build(b"\xff\xff\xff", ["y"])
    with pytest.raises(popart.popart_exception, match="Failed to load"):
        ir.build("/nowhere/model.onnx", ["y"])


def test_constant_beyond_32_bits():
    data = model(
        [node("Add", ["x", "c"])],
        {"x": (TensorProto.INT64, [1])},
        {"c": np.array([2**40], np.int64)},
    )
    session = lambda: popart.InferenceSession(  # noqa: E731
        data, popart.DataFlow(1, ["y"]), popart.DeviceManager().createCpuDevice()
    )
    with pytest.raises(popart.popart_exception, match="do not fit INT32"):
        session()


def _placed(graphs, stages=None):
    nodes, last = [], "x"
    for index, graph in enumerate(graphs):
        attributes = {} if graph is None else {"__ipu_number": graph}
        if stages:
            attributes["__pipeline_stage"] = stages[index]
        name = "y" if index == len(graphs) - 1 else f"t{index}"
        nodes.append(node("Relu", [last], [name]))
        for key, value in attributes.items():
            nodes[-1].attribute.append(helper.make_attribute(key, value))
        last = name
    return model(nodes, {"x": F})


ON = {"virtual_graphs": True, "manual": True, "ipus_per_replica": 2}


@pytest.mark.parametrize(
    ("graphs", "stages", "limits", "message"),
    [
        ([0], None, {}, "SessionOptions flag virtualGraphMode is Off, but at least one op"),
        ([0, None], None, ON, "Either all Ops must have their virtual graph ids set"),
        ([0, 2], None, ON, "invalid virtual graph"),
        ([0, 0], None, {**ON, "pipelining": True}, "Pipelining requires more than"),
        ([0, 1], None, {**ON, "pipelining": True}, "For pipelining, depth"),
        (
            [0, 1],
            [1, 0],
            {**ON, "pipelining": True, "batches_per_step": 2},
            "flows from pipeline stage 1",
        ),
        (
            [0, 1],
            [0, 0],
            {**ON, "pipelining": True, "batches_per_step": 2},
            "different virtual graphs",
        ),
    ],
)
def test_placement(graphs, stages, limits, message):
    with pytest.raises(popart.popart_exception, match=message):
        ir.build(_placed(graphs, stages), ["y"], limits=ir.Limits(**limits))


def test_good_pipeline():
    limits = ir.Limits(**ON, pipelining=True, batches_per_step=2)
    graph = ir.build(_placed([0, 1], [0, 1]), ["y"], limits=limits)
    assert [op.virtual_graph for op in graph.ops] == [0, 1]


def test_large_models_are_mapped(tmp_path):
    weights = np.arange(10000, dtype=np.float32)
    path = tmp_path / "model.onnx"
    proto = onnx.ModelProto.FromString(
        model([node("Add", ["x", "w"])], {"x": (TensorProto.FLOAT, [1])}, {"w": weights})
    )
    onnx.save(proto, str(path), save_as_external_data=True, location="w.bin")
    graph = ir.build(str(path), ["y"])
    data = graph.tensors["w"].data
    np.testing.assert_array_equal(data, weights)
    assert not data.flags.owndata
    assert not data.flags.writeable


def test_large_constants():
    weights = np.arange(100000, dtype=np.float32)
    nodes = [
        node("Constant", [], ["w"], value=numpy_helper.from_array(weights)),
        node("Add", ["x", "w"]),
    ]
    graph = ir.build(model(nodes, {"x": (TensorProto.FLOAT, [1])}), ["y"])
    assert [op.type for op in graph.ops] == ["Add"]
