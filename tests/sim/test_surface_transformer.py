"""GraphTransformer and NumericsReport, compared with onnx and numpy."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import odla_ipu.sim as popart


def model(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in initializers],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    made.ir_version = 6
    return made


def transformed(source, change):
    transformer = popart.GraphTransformer(source.SerializeToString())
    change(transformer)
    return onnx.load_model_from_string(transformer.getModelProto())


def run(made, inputs):
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


WEIGHT = np.array([[1.5, -2.25], [0.1, 3.0], [7.0, 0.5]], np.float32)


def matmul():
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, [2, 3]), ("w", TensorProto.FLOAT, [3, 2])],
        [("y", TensorProto.FLOAT, [2, 2])],
        [("w", WEIGHT)],
    )


def test_floats_to_halves():
    result = transformed(matmul(), lambda t: t.convertFloatsToHalfs())
    onnx.checker.check_model(result)
    x = np.arange(6).reshape(2, 3).astype(np.float16)
    (y,) = run(result, {"x": x})
    assert y.dtype == np.float16
    expected = x.astype(np.float32) @ WEIGHT.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(y, expected, rtol=2e-3)


def test_casts_and_constants_are_converted():
    source = model(
        [
            helper.make_node("Cast", ["x"], ["c"], to=TensorProto.DOUBLE),
            helper.make_node(
                "Constant", [], ["k"], value=numpy_helper.from_array(np.array([0.1, 2.0]))
            ),
            helper.make_node("Add", ["c", "k"], ["y"]),
        ],
        [("x", TensorProto.FLOAT, [2])],
        [("y", TensorProto.DOUBLE, [2])],
    )
    result = transformed(source, lambda t: t.convertDoublesToFloats())
    (y,) = run(result, {"x": np.ones(2, np.float32)})
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [1.1, 3.0], rtol=1e-6)
    assert result.graph.node[0].attribute[0].i == TensorProto.FLOAT


BIG = np.array([5, -(2**40), 2**40], np.int64)


def adder(values):
    return model(
        [helper.make_node("Add", ["x", "k"], ["y"])],
        [("x", TensorProto.INT64, [3]), ("k", TensorProto.INT64, [3])],
        [("y", TensorProto.INT64, [3])],
        [("k", values)],
    )


def test_int64_to_int32():
    result = transformed(adder(np.array([1, -2, 3])), lambda t: t.convertINT64ToINT32())
    (y,) = run(result, {"x": np.array([1, 2, 3], np.int32)})
    assert y.dtype == np.int32 and y.tolist() == [2, 0, 6]


def test_int64_beyond_int32():
    with pytest.raises(popart.popart_exception, match='"k".*clip=True'):
        transformed(adder(BIG), lambda t: t.convertINT64ToINT32())
    result = transformed(adder(BIG), lambda t: t.convertINT64ToINT32(clip=True))
    values = numpy_helper.to_array(result.graph.initializer[0])
    assert values.tolist() == [5, -(2**31), 2**31 - 1]


@pytest.mark.parametrize(
    ("method", "numpy_type"),
    [
        ("convertUINT8ToINT32", np.uint8),
        ("convertUINT16ToINT32", np.uint16),
        ("convertINT8ToINT32", np.int8),
        ("convertINT16ToINT32", np.int16),
    ],
)
def test_small_integers(method, numpy_type):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(numpy_type))
    source = model(
        [helper.make_node("Concat", ["x", "k"], ["y"], axis=0)],
        [("x", kind, [0]), ("k", kind, [2])],
        [("y", kind, [2])],
        [("k", np.array([7, 100], numpy_type))],
    )
    result = transformed(source, lambda t: getattr(t, method)())
    (y,) = run(result, {"x": np.zeros(0, np.int32)})
    assert y.dtype == np.int32 and y.tolist() == [7, 100]


def test_bodies_of_control_flow_are_converted():
    def branch(name, value):
        constant = numpy_helper.from_array(np.array([value]))
        node = helper.make_node("Constant", [], [name], value=constant)
        info = helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1])
        return helper.make_graph([node], name, [], [info])

    source = model(
        [
            helper.make_node(
                "If", ["c"], ["y"], then_branch=branch("t", 1.5), else_branch=branch("e", 2.5)
            )
        ],
        [("c", TensorProto.BOOL, [])],
        [("y", TensorProto.DOUBLE, [1])],
    )
    result = transformed(source, lambda t: t.convertDoublesToFloats())
    (y,) = run(result, {"c": np.array(False)})
    assert y.dtype == np.float32 and y.tolist() == [2.5]


def test_initializers_to_constants():
    result = transformed(matmul(), lambda t: t.convertInitializersToConstants(["w"]))
    onnx.checker.check_model(result)
    assert [value.name for value in result.graph.input] == ["x"]
    assert not result.graph.initializer
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(run(result, {"x": x})[0], x @ WEIGHT)
    with pytest.raises(popart.popart_exception, match='"z" is not an initializer'):
        transformed(matmul(), lambda t: t.convertInitializersToConstants(["z"]))


def test_only_integers_become_constants():
    source = matmul()
    source.graph.initializer.append(numpy_helper.from_array(np.array([2], np.int32), "n"))
    result = transformed(source, lambda t: t.convertAllFixedPointInitializersToConstants())
    assert [node.op_type for node in result.graph.node] == ["Constant", "MatMul"]
    assert [tensor.name for tensor in result.graph.initializer] == ["w"]


def test_unused_inputs():
    source = matmul()
    source.graph.input.append(helper.make_tensor_value_info("u", TensorProto.FLOAT, [1]))
    source.graph.initializer.append(numpy_helper.from_array(np.ones(2, np.float32), "v"))
    result = transformed(source, lambda t: t.removeUnusedInputs())
    assert [value.name for value in result.graph.input] == ["x", "w"]
    assert [tensor.name for tensor in result.graph.initializer] == ["w"]


def test_batch_normalization_for_training():
    source = model(
        [helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])],
        [("x", TensorProto.FLOAT, [1, 2, 3])]
        + [(name, TensorProto.FLOAT, [2]) for name in ("s", "b", "m", "v")],
        [("y", TensorProto.FLOAT, [1, 2, 3])],
    )
    outputs = transformed(source, lambda t: t.prepareNodesForTraining()).graph.node[0].output
    assert len(outputs) == 5 and len(set(outputs)) == 5 and outputs[0] == "y"


def test_external_initializers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = matmul()
    source.graph.initializer.append(numpy_helper.from_array(np.arange(3), "n"))
    result = transformed(source, lambda t: t.saveInitializersExternally(["n", "w"], "data.bin"))
    assert (tmp_path / "data.bin").stat().st_size == 3 * 8 + WEIGHT.nbytes
    onnx.save(result, "model.onnx")
    loaded = onnx.load("model.onnx")
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in loaded.graph.initializer}
    np.testing.assert_array_equal(values["w"], WEIGHT)
    np.testing.assert_array_equal(values["n"], np.arange(3))
    with pytest.raises(popart.popart_exception, match="another file"):
        transformed(result, lambda t: t.convertFloatsToHalfs())


def test_models_that_cannot_be_loaded(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no model at all")
    for given in (str(tmp_path / "none.onnx"), str(tmp_path / "bad.onnx"), b"\xff\xff\xff", b""):
        with pytest.raises(popart.popart_exception):
            popart.GraphTransformer(given)
    with pytest.raises(TypeError):
        popart.GraphTransformer(matmul())
    onnx.save(matmul(), str(tmp_path / "good.onnx"))
    assert popart.GraphTransformer(str(tmp_path / "good.onnx")).getModelProto()


def test_numerics_report():
    def trained(scale):
        changed = matmul()
        changed.graph.initializer[0].CopyFrom(numpy_helper.from_array(WEIGHT + scale, "w"))
        return changed.SerializeToString()

    start = trained(np.float32(0))
    report = popart.NumericsReport(start, trained(np.float32(1)), start, trained(np.float32(3)))
    assert report.getRelativeErrors()["w"] == pytest.approx(2 / 4, rel=1e-6)
    assert report.report("w") in report.fullReport()
    same = popart.NumericsReport(start, start, start, start)
    assert same.getRelativeErrors() == {"w": 0.0}


def test_supported_operations():
    found = popart.getSupportedOperations(False)
    assert popart.OperatorIdentifier("ai.onnx", "MatMul", 9) in found or any(
        op.type == "MatMul" for op in found
    )
    missing = {op.type for op in popart.getUnsupportedOperations(11)}
    assert {"NonZero", "GatherND", "Range", "Hardmax"} <= missing
    assert "Conv" not in missing
    definitions = popart.getSupportedOperationsDefinition(False)
    assert set(definitions) == set(found)
    conv = next(d for op, d in definitions.items() if op.type == "Conv" and op.version == 11)
    assert {"X", "W", "B"} == set(conv.inputs) and "strides" in conv.attributes
    with pytest.raises(popart.popart_exception, match="6 to 11"):
        popart.getUnsupportedOperations(12)
