"""Step IO: shapes, return types, order, types, refusals."""

import numpy as np
import pytest
from session_run import run, session_of

import odla_ipu.sim as popart

X = np.array([1.0, 2.0], np.float32)


def _double(b, o, i):
    return o.add([i[0], i[0]])


def _step(bps, returns, replicas=1):
    options = popart.SessionOptions()
    device = popart.DeviceManager().acquireAvailableDevice(replicas)
    options.enableReplicatedGraphs = replicas > 1
    options.replicatedGraphCount = replicas
    with device:
        session, ids, outputs = session_of(
            _double, {"x": X}, options=options, bps=bps, returns=returns, device=device
        )
        anchors = session.initAnchorArrays()
        data = np.arange(bps * replicas * 2, dtype=np.float32)
        session.run(popart.PyStepIO({ids[0]: data}, anchors))
        first = anchors[outputs[0]].copy()
        session.run(popart.PyStepIO({ids[0]: data}, anchors))
        np.testing.assert_array_equal(first, anchors[outputs[0]])
    return data.reshape(bps, replicas, 2) * 2, first


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("bps", [1, 4])
def test_all(bps, replicas):
    expected, result = _step(bps, "All", replicas)
    assert result.shape == tuple(d for d in (bps, replicas) if d > 1) + (2,)
    np.testing.assert_array_equal(result.ravel(), expected.ravel())


@pytest.mark.parametrize("replicas", [1, 2])
def test_final_sum_and_every_n(replicas):
    expected, result = _step(4, "Final", replicas)
    np.testing.assert_array_equal(result, expected[-1].reshape(result.shape))
    expected, result = _step(4, "Sum", replicas)
    np.testing.assert_array_equal(result, expected.sum(0).reshape(result.shape))
    expected, result = _step(4, ("EveryN", 2), replicas)
    assert result.shape == (2, *([replicas] if replicas > 1 else []), 2)
    np.testing.assert_array_equal(result.ravel(), expected[1::2].ravel())


def test_scalar_anchor():
    (y,) = run(lambda b, o, i: o.reducesum([i[0]], keepdims=0), {"x": X})
    assert y.shape == ()
    assert y == 3


def test_shape_of_arrays_is_free_but_count_is_not():
    session, ids, outputs = session_of(_double, {"x": np.zeros((2, 3), np.float32)})
    data = np.arange(6, dtype=np.float32)
    for shape in ((3, 2), (6,), (2, 3)):
        out = np.zeros(6, np.float32)
        session.run(popart.PyStepIO({ids[0]: data.reshape(shape)}, {outputs[0]: out}))
        np.testing.assert_array_equal(out, data * 2)
    session, ids, outputs = session_of(_double, {"x": np.zeros((2, 3), np.float32)})
    step = popart.PyStepIO({ids[0]: data[:4]}, {outputs[0]: np.zeros(6, np.float32)})
    with pytest.raises(popart.popart_runtime_error, match="Unexpected number of input elements"):
        session.run(step)
    step = popart.PyStepIO({ids[0]: data}, {outputs[0]: np.zeros(7, np.float32)})
    with pytest.raises(popart.popart_runtime_error, match="Unexpected number of output elements"):
        session.run(step)


def test_wrong_count_after_the_first_run_writes_nothing_outside():
    session, ids, outputs = session_of(_double, {"x": np.zeros(4, np.float32)})
    data = np.arange(4, dtype=np.float32)
    session.run(popart.PyStepIO({ids[0]: data}, {outputs[0]: np.zeros(4, np.float32)}))
    guarded = np.full(6, -1, np.float32)
    with pytest.raises(popart.popart_runtime_error):
        session.run(popart.PyStepIO({ids[0]: data}, {outputs[0]: guarded[:3].copy()}))
    with pytest.raises(popart.popart_runtime_error):
        session.run(popart.PyStepIO({ids[0]: data[:2]}, {outputs[0]: guarded[:4].copy()}))


@pytest.mark.parametrize("size", [4, 100000])
def test_outputs_go_to_the_arrays_of_each_run(size):
    session, ids, outputs = session_of(_double, {"x": np.zeros(size, np.float32)})
    results = []
    for value in range(5):
        data = np.full(size, value, np.float32)
        out = np.empty(size, np.float32)
        session.run(popart.PyStepIO({ids[0]: data}, {outputs[0]: out}))
        results.append(out)
    for value, out in enumerate(results):
        assert (out == 2 * value).all()


def test_output_over_its_own_input():
    session, ids, outputs = session_of(
        lambda b, o, i: o.add([b.aiGraphcore.reverse(i, [0]), i[0]]),
        {"x": np.zeros(20000, np.float32)},
    )
    data = np.arange(20000, dtype=np.float32)
    expected = data[::-1] + data
    for _ in range(2):
        buffer = data.copy()
        session.run(popart.PyStepIO({ids[0]: buffer}, {outputs[0]: buffer}))
        np.testing.assert_array_equal(buffer, expected)


def test_names_of_arrays():
    _, ids, outputs = session_of(_double, {"x": X})
    out = {outputs[0]: np.zeros(2, np.float32)}
    cases = [
        ({}, out, "No tensor .* provided in PyStepIO's inputs"),
        ({ids[0]: X}, {}, "No tensor .* provided in PyStepIO's outputs"),
        ({ids[0]: X, "nothing": X}, out, "there is no Tensor named nothing"),
        ({ids[0]: X, outputs[0]: X}, out, "not registered as one of the inputs"),
    ]
    for inputs, results, message in cases:
        session, _, _ = session_of(_double, {"x": X})
        with pytest.raises(popart.popart_runtime_error, match=message):
            session.run(popart.PyStepIO(inputs, results))


def test_input_that_was_pruned_only_warns(capsys):
    session, ids, _ = session_of(_double, {"x": X, "unused": X})
    step = popart.PyStepIO(dict.fromkeys(ids, X), session.initAnchorArrays())
    session.run(step)
    assert "optimised away" in capsys.readouterr().err


def test_types_are_not_converted():
    session, ids, _ = session_of(_double, {"x": X})
    step = popart.PyStepIO({ids[0]: X.astype(np.float64)}, session.initAnchorArrays())
    with pytest.raises(popart.popart_runtime_error, match="Type discrepancy for tensor"):
        session.run(step)


def test_int64_is_narrowed_with_one_warning(capsys):
    session, ids, outputs = session_of(_double, {"x": np.zeros(2, np.int32)})
    anchors = session.initAnchorArrays()
    data = np.array([5, 2**32 + 7], np.int64)
    for _ in range(3):
        session.run(popart.PyStepIO({ids[0]: data}, anchors))
    assert anchors[outputs[0]].tolist() == [10, 14]
    assert capsys.readouterr().err.count("Narrowing") == 1


def test_output_types_are_bytes():
    session, ids, outputs = session_of(_double, {"x": X})
    out = np.zeros(2, np.int32)
    session.run(popart.PyStepIO({ids[0]: X}, {outputs[0]: out}))
    assert out.view(np.float32).tolist() == [2, 4]
    short = np.zeros(2, np.float16)
    with pytest.raises(popart.popart_runtime_error, match="bytes"):
        session.run(popart.PyStepIO({ids[0]: X}, {outputs[0]: short}))


def test_one_step_is_consumed_over_several_runs():
    session, ids, outputs = session_of(_double, {"x": X})
    data = np.arange(6, dtype=np.float32)
    out = np.zeros(6, np.float32)
    step = popart.PyStepIO({ids[0]: data}, {outputs[0]: out})
    step.enableRuntimeAsserts(False)
    for _ in range(3):
        session.run(step)
    np.testing.assert_array_equal(out, data * 2)
    data[:2] = 50
    session.run(step)
    assert out[:2].tolist() == [100, 100]


def test_callbacks():
    session, ids, outputs = session_of(_double, {"x": X}, bps=3)
    seen, result = [], np.zeros((3, 2), np.float32)
    rows = iter(result)
    calls = iter(range(3))

    def give(name, prefetch):
        return np.full(2, next(calls), np.float32)

    step = popart.PyStepIOCallback(
        give,
        lambda name: seen.append(("in", name)),
        lambda name: next(rows),
        lambda name: seen.append(("out", name)),
    )
    session.run(step)
    assert result.tolist() == [[0, 0], [2, 2], [4, 4]]
    assert seen == [("in", ids[0]), ("out", outputs[0])] * 3


def test_callback_without_data():
    session, _, _ = session_of(_double, {"x": X})
    step = popart.PyStepIOCallback(
        lambda name, prefetch: None, lambda name: None, lambda name: X, lambda name: None
    )
    with pytest.raises(popart.popart_runtime_error, match="returned None"):
        session.run(step)


def test_broadcast_input():
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    info = popart.TensorInfo("FLOAT", [2])
    mode = popart.InputSettings(popart.ReplicatedStreamMode.Broadcast)
    x = builder.addInputTensor(info, "x")
    shared = builder.addInputTensor(info, mode, "shared")
    y = builder.aiOnnxOpset11.add([x, shared])
    options = popart.SessionOptions()
    options.enableReplicatedGraphs = True
    options.replicatedGraphCount = 2
    with popart.DeviceManager().acquireAvailableDevice(2) as device:
        session = popart.InferenceSession(
            builder.getModelProto(),
            popart.DataFlow(1, {y: popart.AnchorReturnType("All")}),
            device,
            userOptions=options,
        )
        session.prepareDevice()
        anchors = session.initAnchorArrays()
        feeds = {x: np.arange(4, dtype=np.float32), shared: np.array([10, 20], np.float32)}
        session.run(popart.PyStepIO(feeds, anchors))
    assert anchors[y].tolist() == [[10, 21], [12, 23]]
