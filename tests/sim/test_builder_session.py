"""Models of the builder run by a session: what the builder writes is what the session reads."""

import numpy as np
import onnx
import onnxruntime
import pytest

import odla_ipu.sim as popart

OPSETS = {"ai.onnx": 11, "ai.graphcore": 1}


@pytest.fixture
def builder():
    return popart.Builder(opsets=OPSETS)


@pytest.fixture
def generator():
    return np.random.default_rng(7)


def run(builder, outputs, feeds):
    """The values of `outputs`, one micro-batch."""
    flow = popart.DataFlow(1, {name: popart.AnchorReturnType("All") for name in outputs})
    device = popart.DeviceManager().createCpuDevice()
    session = popart.InferenceSession(builder.getModelProto(), flow, device)
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(feeds, anchors))
    return [anchors[name] for name in outputs]


def convolution(data, weights, bias, **attributes):
    """The same by onnxruntime."""
    inputs = {"x": data, "w": weights, "b": bias}
    values = [onnx.helper.make_tensor_value_info(k, 1, v.shape) for k, v in inputs.items()]
    node = onnx.helper.make_node("Conv", list(inputs), ["y"], **attributes)
    output = onnx.helper.make_tensor_value_info("y", 1, None)
    graph = onnx.helper.make_graph([node], "g", values, [output])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=6
    )
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


def test_multiconv(builder, generator):
    data = generator.standard_normal((1, 4, 5, 5)).astype(np.float32)
    filters = [
        generator.standard_normal(shape).astype(np.float32)
        for shape in ((6, 4, 3, 3), (4, 1, 3, 3))
    ]
    bias = generator.standard_normal(4).astype(np.float32)
    x = builder.addInputTensor("FLOAT", data.shape)
    first, second = (builder.addInitializedInputTensor(array) for array in filters)
    outputs = builder.aiGraphcore.multiconv(
        [[x, first], [x, second, builder.addInitializedInputTensor(bias)]],
        pads=[[0, 0, 0, 0], [1, 1, 1, 0]],
        strides=[[1, 1], [2, 2]],
    )
    got = run(builder, outputs, {x: data})
    expected = [
        convolution(data, filters[0], np.zeros(6, np.float32)),
        convolution(data, filters[1], bias, group=4, pads=[1, 1, 1, 0], strides=[2, 2]),
    ]
    for result, reference in zip(got, expected):
        assert list(result.shape) == list(reference.shape)
        np.testing.assert_allclose(result, reference, atol=1e-5)


@pytest.mark.parametrize(
    "reduction, start, ufunc",
    [("Sum", 0, np.add), ("Max", -np.inf, np.maximum), ("Mul", 1, np.multiply)],
)
def test_scatter_reductions(builder, generator, reduction, start, ufunc):
    data = generator.standard_normal((4, 3)).astype(np.float32)
    indices = np.array([2, 0, 2, 1], np.int32)
    x = builder.addInputTensor("FLOAT", [4, 3])
    index = builder.addInputTensor("INT32", [4])
    kind = popart.ScatterReduction[reduction]
    y = builder.aiGraphcore.scatterreduce([x, index], 3, axis=0, reduction=kind)
    (got,) = run(builder, [y], {x: data, index: indices})
    expected = np.full((3, 3), start, np.float32)
    ufunc.at(expected, indices, data)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_losses(builder, generator):
    data = generator.uniform(0.1, 1, (4, 3)).astype(np.float32)
    labels = np.array([2, 0, 1, 2], np.int32)
    x = builder.addInputTensor("FLOAT", [4, 3])
    label = builder.addInputTensor("INT32", [4])
    opset = builder.aiGraphcore
    outputs = [
        opset.l1loss([x], 0.5, popart.ReductionType.Sum),
        opset.identityloss([x]),
        opset.nllloss([x, label], popart.ReductionType.NoReduction, ignoreIndex=0),
        opset.nllloss([x, label], inputIsLogProbability=True),
    ]
    got = run(builder, outputs, {x: data, label: labels})
    picked = data[np.arange(4), labels]
    expected = [
        0.5 * np.abs(data).sum(),
        data.mean(),
        np.where(labels == 0, 0, -np.log(picked)),
        -picked.mean(),
    ]
    for result, reference in zip(got, expected):
        np.testing.assert_allclose(result, reference, rtol=1e-5)


def test_external_weights(builder, generator, tmp_path):
    weights = generator.standard_normal((3, 2)).astype(np.float32)
    data = generator.standard_normal((4, 3)).astype(np.float32)
    x = builder.addInputTensor("FLOAT", [4, 3])
    w = builder.addInitializedInputTensor(weights)
    shape = builder.addInitializedInputTensor(np.array([2, 4], np.int64))
    y = builder.aiOnnx.reshape([builder.aiOnnx.matmul([x, w]), shape])
    builder.saveInitializersExternally([shape, w], str(tmp_path / "weights.bin"))
    (got,) = run(builder, [y], {x: data})
    np.testing.assert_allclose(got, (data @ weights).reshape(2, 4), rtol=1e-5, atol=1e-6)


def test_call_and_if(builder):
    x = builder.addInputTensor("FLOAT", [3])
    condition = builder.addInputTensor("BOOL", [])
    callee = builder.createSubgraphBuilder()
    callee.setGraphName("negation")
    callee.addOutputTensor(callee.aiOnnx.neg([callee.addInputTensor("FLOAT", [3])]))
    (negated,) = builder.aiGraphcore.call([x], 1, callee)
    branches = []
    for tensor in (x, negated):
        branch = builder.createSubgraphBuilder()
        branch.addOutputTensor(branch.aiOnnx.add([tensor, tensor]))
        branches.append(branch)
    (y,) = builder.aiOnnx.logical_if([condition], 1, branches[0], branches[1])
    data = np.array([1, -2, 3], np.float32)
    for value, factor in ((True, -2), (False, 2)):
        (got,) = run(builder, [y], {x: data, condition: np.array(value)})
        np.testing.assert_array_equal(got, factor * data)


def test_loop(builder):
    x = builder.addInputTensor("FLOAT", [3])
    trips = builder.aiOnnx.constant(np.array(4, np.int64))
    start = builder.aiOnnx.constant(np.array(True))
    body = builder.createSubgraphBuilder()
    body.addInputTensor("INT64", [])
    proceed = body.addInputTensor("BOOL", [])
    value = body.addUntypedInputTensor()
    kept = body.aiOnnx.identity([proceed])
    result = body.aiOnnx.add([value, x])
    for output in (kept, result):
        body.addOutputTensor(output)
    (y,) = builder.aiOnnx.loop([trips, start, x], 1, body)
    data = np.array([1, -2, 3], np.float32)
    (got,) = run(builder, [y], {x: data})
    np.testing.assert_array_equal(got, 5 * data)


def test_mistakes_surface_in_the_session(builder):
    x = builder.addInputTensor("FLOAT", [4])
    y = builder.addInputTensor("FLOAT", [3])
    z = builder.aiOnnx.add([x, y])
    data = {x: np.zeros(4, np.float32), y: np.zeros(3, np.float32)}
    with pytest.raises(popart.popart_exception, match="np broadcasting failed"):
        run(builder, [z], data)


def test_ops_without_implementation_surface_in_the_session(builder):
    x = builder.addInputTensor("FLOAT", [4])
    y = builder.aiOnnx.nonzero([x])
    with pytest.raises(popart.popart_exception, match="No class for"):
        run(builder, [y], {x: np.zeros(4, np.float32)})


def test_model_from_a_file(builder, tmp_path):
    x = builder.addInputTensor("FLOAT16", [4])
    y = builder.aiGraphcore.scale([x], 0.5)
    builder.addOutputTensor(y)
    path = str(tmp_path / "model.onnx")
    builder.saveModelProto(path)
    data = np.array([1, 2, 3, 4], np.float16)
    (got,) = run(popart.Builder(path), [y], {x: data})
    np.testing.assert_array_equal(got, data / 2)
