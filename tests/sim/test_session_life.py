"""Life of a session: order of calls, weights, devices, executables, refusals at construction."""

import numpy as np
import onnx
import pytest
from session_run import session_of

import odla_ipu.sim as popart

X = np.array([1.0, 2.0], np.float32)
W = np.array([3.0, 4.0], np.float32)


def _options(**values):
    options = popart.SessionOptions()
    for name, value in values.items():
        setattr(options, name, value)
    return options


def _model():
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    x = builder.addInputTensor(popart.TensorInfo("FLOAT", [2]), "x")
    w = builder.addInitializedInputTensor(W, "w")
    y = builder.aiOnnxOpset11.mul([x, w])
    return builder, y


def _session(model=None, anchor="y", device=None, prepare=True, **options):
    builder, y = _model()
    session = popart.InferenceSession(
        builder.getModelProto() if model is None else model,
        popart.DataFlow(1, {y if anchor == "y" else anchor: popart.AnchorReturnType("All")}),
        device or popart.DeviceManager().createCpuDevice(),
        userOptions=_options(**options),
    )
    if prepare:
        session.prepareDevice()
    return session, y


def _result(session, y):
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({"x": X}, anchors))
    return anchors[y].tolist()


def test_run_before_prepare():
    session, y = _session(prepare=False)
    with pytest.raises(popart.popart_runtime_error, match=r"prepare\(\) must be called before"):
        _result(session, y)


def test_weights_are_constant_by_default():
    session, y = _session()
    assert _result(session, y) == [3, 8]
    read = np.zeros(2, np.float32)
    session.readWeights(popart.PyWeightsIO({"w": read}))
    assert read.tolist() == W.tolist()
    with pytest.raises(popart.popart_runtime_error, match="constantWeights is set"):
        session.writeWeights(popart.PyWeightsIO({"w": read}))
    builder, _ = _model()
    with pytest.raises(popart.popart_runtime_error, match="constantWeights is set"):
        session.resetHostWeights(builder.getModelProto())


def test_variable_weights():
    session, y = _session(constantWeights=False)
    session.weightsFromHost()
    assert _result(session, y) == [3, 8]
    session.writeWeights(popart.PyWeightsIO({"w": np.array([5, 6], np.float32)}))
    assert _result(session, y) == [3, 8]
    session.weightsFromHost()
    assert _result(session, y) == [5, 12]
    builder, _ = _model()
    session.resetHostWeights(builder.getModelProto())
    session.weightsFromHost()
    assert _result(session, y) == [3, 8]


def test_wrong_weights():
    session, _ = _session(constantWeights=False)
    with pytest.raises(popart.popart_exception, match="No tensor nothing"):
        session.readWeights(popart.PyWeightsIO({"nothing": X}))
    with pytest.raises(popart.popart_runtime_error, match=r"sizes \(in bytes\) of src"):
        session.readWeights(popart.PyWeightsIO({"w": np.zeros(3, np.float32)}))


def test_model_to_host(tmp_path):
    session, y = _session(constantWeights=False)
    session.writeWeights(popart.PyWeightsIO({"w": np.array([7, 8], np.float32)}))
    session.weightsFromHost()
    path = str(tmp_path / "model.onnx")
    session.modelToHost(path)
    again, y = _session(model=path)
    assert _result(again, y) == [7, 16]


def test_external_weights(tmp_path):
    builder, y = _model()
    builder.saveInitializersExternally(["w"], str(tmp_path / "weights.bin"))
    session, y = _session(model=builder.getModelProto())
    assert _result(session, y) == [3, 8]
    (tmp_path / "weights.bin").write_bytes(b"\0")
    with pytest.raises(popart.popart_exception, match="end beyond the end"):
        _session(model=builder.getModelProto())
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(popart.popart_exception, match="Cannot read the data of initializer w"):
        _session(model=builder.getModelProto())


def test_updated_variable_persists():
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    x = builder.addInputTensor(popart.TensorInfo("FLOAT", [2]), "x")
    w = builder.addInitializedInputTensor(W, "w")
    total = builder.aiOnnxOpset11.add([x, w])
    new = builder.aiGraphcore.copyvarupdate([w, total])
    session, _ = _session(builder.getModelProto(), new, constantWeights=False)
    session.weightsFromHost()
    assert [_result(session, new) for _ in range(3)] == [[4, 6], [5, 8], [6, 10]]
    session.weightsToHost()
    read = np.zeros(2, np.float32)
    session.readWeights(popart.PyWeightsIO({"w": read}))
    assert read.tolist() == [6, 10]
    session.weightsFromHost()
    assert _result(session, new) == [7, 12]


def test_constants_are_not_updated():
    builder, y = _model()
    new = builder.aiGraphcore.copyvarupdate(["w", y])
    with pytest.raises(popart.popart_exception, match="is not a variable"):
        _session(builder.getModelProto(), new)


def test_running_statistics_are_written():
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    vectors = {name: np.ones(2, np.float32) for name in ("scale", "bias", "mean", "var")}

    def make(b, o, i):
        rest = [b.addInitializedInputTensor(a, name) for name, a in vectors.items()]
        return o.batchnormalization([i[0], *rest], 5)[0]

    session, ids, _ = session_of(make, {"x": x}, options=_options(constantWeights=False))
    session.weightsFromHost()
    session.run(popart.PyStepIO({ids[0]: x}, session.initAnchorArrays()))
    session.weightsToHost()
    mean, variance = np.zeros(2, np.float32), np.zeros(2, np.float32)
    session.readWeights(popart.PyWeightsIO({"mean": mean, "var": variance}))
    np.testing.assert_allclose(mean, 0.9 + 0.1 * x.mean((0, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * x.var((0, 2)), rtol=1e-5)


def test_sessions_on_one_device_evict_each_other():
    with popart.DeviceManager().acquireAvailableDevice(1) as device:
        first, y = _session(device=device)
        second, _ = _session(device=device)
        assert [_result(s, y) for s in (first, second, first)] == [[3, 8]] * 3
    with pytest.raises(popart.popart_runtime_error, match="not attached"):
        _result(first, y)


def test_run_with_a_program_handle():
    session, y = _session()
    anchors = session.initAnchorArrays()
    session.run("main", popart.PyStepIO({"x": X}, anchors))
    assert anchors[y].tolist() == [3, 8]
    with pytest.raises(TypeError, match="stepio"):
        session.run("main")


def test_random_tensors_follow_the_seed():
    def make(b, o, i):
        return o.randomnormal([4, 5], 1, mean=2.0, scale=3.0)

    session, _, outputs = session_of(make, {})

    def draw():
        anchors = session.initAnchorArrays()
        session.run(popart.PyStepIO({}, anchors))
        return anchors[outputs[0]]

    session.setRandomSeed(7)
    first, second = draw(), draw()
    assert not np.array_equal(first, second)
    session.setRandomSeed(7)
    np.testing.assert_array_equal(draw(), first)
    assert session.getRandomSeed() == 7


def test_random_tensors_are_distributed_as_asked():
    def make(b, o, i):
        return [
            o.randomnormal([100000], 1, mean=2.0, scale=3.0),
            o.randomuniform([100000], 1, high=5.0, low=-1.0),
        ]

    session, _, outputs = session_of(make, {})
    session.setRandomSeed(1)
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({}, anchors))
    normal, uniform = (anchors[name] for name in outputs)
    assert abs(normal.mean() - 2) < 0.05
    assert abs(normal.std() - 3) < 0.05
    assert -1 <= uniform.min() < -0.99
    assert 4.99 < uniform.max() <= 5


def test_seed_without_random_ops():
    session, _ = _session()
    session.setRandomSeed(3)
    assert session.getRandomSeed() == 0
    with pytest.raises(popart.popart_runtime_error, match="enableLoadAndOffloadRNGState"):
        session.getRNGState()


def test_info():
    session, y = _session()
    assert session.getInfo(y) == popart.TensorInfo("FLOAT", [2])
    assert {"x", "w", y} <= session.getAllTensorIds()
    with pytest.raises(popart.popart_exception, match="No tensor nothing"):
        session.getInfo("nothing")
    assert (session.replicationFactor, session.accumulationFactor) == (1, 1)


def test_executables(tmp_path):
    with popart.DeviceManager().acquireAvailableDevice(1) as device:
        session, y = _session(device=device, prepare=False)
        session.compileAndExport(str(tmp_path))
        path = tmp_path / "executable.popef"
        assert b"not a PopEF file" in path.read_bytes().splitlines()[0]
        session.loadExecutable(str(path))
        session.prepareDevice()
        assert _result(session, y) == [3, 8]
        with pytest.raises(popart.popart_runtime_error, match="loaded from a file"):
            session.getSummaryReport()
        for content, message in ((b"PopEF...", "no executable"), (b"", "no executable")):
            (tmp_path / "other.popef").write_bytes(content)
            with pytest.raises(popart.popart_exception, match=message):
                session.loadExecutable(str(tmp_path / "other.popef"))
        (tmp_path / "cut.popef").write_bytes(path.read_bytes()[:-5])
        with pytest.raises(popart.popart_exception, match="damaged"):
            session.loadExecutable(str(tmp_path / "cut.popef"))
        with pytest.raises(popart.popart_exception, match="Could not open file"):
            session.loadExecutable(str(tmp_path / "missing.popef"))
        other, _ = _session(device=device, prepare=False, groupNormStridedChannelGrouping=True)
        with pytest.raises(popart.popart_exception, match="another model or with other options"):
            other.loadExecutable(str(path))
    session, _ = _session(prepare=False)
    with pytest.raises(popart.popart_exception, match="Executables for device type cpu"):
        session.compileAndExport(str(tmp_path))


def test_offline_device_compiles_only(tmp_path):
    device = popart.DeviceManager().createOfflineIPUDevice({})
    session, _ = _session(device=device, prepare=False)
    session.compileAndExport(str(tmp_path / "deep" / "file.popef"))
    assert (tmp_path / "deep" / "file.popef").exists()
    with pytest.raises(popart.popart_exception, match="offline device only compiles"):
        session.prepareDevice()


def test_reports():
    session, _ = _session(prepare=False)
    with pytest.raises(popart.popart_runtime_error, match="must have been prepared before a rep"):
        session.getSummaryReport()
    session.prepareDevice()
    with pytest.raises(popart.popart_exception, match="no Poplar report"):
        session.getReport()


def test_engine_options():
    session, _ = _session(prepare=False, engineOptions={"nonsense": "1"})
    with pytest.raises(popart.poplar_exception, match="Unrecognised option"):
        session.prepareDevice()
    _session(engineOptions={"debug.allowOutOfMemory": "true"})


def test_threads(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_SIM_THREADS", "none")
    with pytest.raises(popart.popart_exception, match="ODLA_IPU_SIM_THREADS"):
        _session()


def test_moved_external_weights(tmp_path):
    builder, _ = _model()
    old, new = str(tmp_path / "old.bin"), str(tmp_path / "new.bin")
    builder.saveInitializersExternally(["w"], old)
    session, _ = _session(model=builder.getModelProto(), constantWeights=False)
    (tmp_path / "new.bin").write_bytes((tmp_path / "old.bin").read_bytes())
    session.updateExternallySavedTensorLocations(old, new)
    session.writeWeights(popart.PyWeightsIO({"w": np.array([9, 10], np.float32)}))
    session.modelToHost(str(tmp_path / "model.onnx"))
    assert np.fromfile(new, np.float32).tolist() == [9, 10]
    assert np.fromfile(old, np.float32).tolist() == [3, 4]


def test_argument_types():
    builder, _ = _model()
    with pytest.raises(TypeError, match="deviceInfo"):
        popart.InferenceSession(builder.getModelProto(), popart.DataFlow(1, {}), "cpu")
    with pytest.raises(TypeError, match="fnModel"):
        popart.InferenceSession(1, popart.DataFlow(1, {}), None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"enableGradientAccumulation": True}, "Gradient Accumulation only available when tra"),
        ({"replicatedGraphCount": 2}, "enableReplicatedGraphs is False"),
        ({"replicatedGraphCount": 2, "enableReplicatedGraphs": True}, "must be divisible"),
        ({"enablePipelining": True}, "Pipelining requires more than"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(popart.popart_exception, match=message):
        _session(**options)


def test_many_ipus_need_virtual_graphs():
    with popart.DeviceManager().acquireAvailableDevice(2) as device:
        with pytest.raises(popart.popart_exception, match="If virtual graphs are disabled"):
            _session(device=device)
        with pytest.raises(popart.popart_exception, match="Either all Ops must have"):
            _session(device=device, virtualGraphMode=popart.VirtualGraphMode.Manual)
        _session(device=device, virtualGraphMode=popart.VirtualGraphMode.Auto)


@pytest.mark.parametrize("offset", [0, 4096, 4099, 131])
def test_external_weights_at_any_offset(tmp_path, offset):
    weights = np.random.RandomState(0).standard_normal((70, 60)).astype(np.float32)
    (tmp_path / "weights.bin").write_bytes(b"x" * offset + weights.tobytes() + b"y" * 9)
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    x = builder.addInputTensor(popart.TensorInfo("FLOAT", [4, 70]), "x")
    w = builder.addInitializedInputTensor(weights, "w")
    y = builder.aiOnnxOpset11.matmul([x, w])
    builder.saveInitializersExternally([w], str(tmp_path / "unused.bin"))
    model = onnx.ModelProto.FromString(builder.getModelProto())
    del model.graph.initializer[0].external_data[:]
    for key, value in (("location", tmp_path / "weights.bin"), ("offset", offset)):
        model.graph.initializer[0].external_data.add(key=key, value=str(value))
    session, _ = _session(model.SerializeToString(), y)
    data = np.random.RandomState(1).standard_normal((4, 70)).astype(np.float32)
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({x: data}, anchors))
    np.testing.assert_allclose(anchors[y], data @ weights, rtol=1e-4, atol=1e-4)
    read = np.zeros_like(weights)
    session.readWeights(popart.PyWeightsIO({w: read}))
    np.testing.assert_array_equal(read, weights)


def _cached(tmp_path, scale=1.0, device=None, **options):
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    x = builder.addInputTensor(popart.TensorInfo("FLOAT", [2]), "x")
    y = builder.aiOnnxOpset11.mul([x, builder.addInitializedInputTensor(W * scale, "w")])
    session = popart.InferenceSession(
        builder.getModelProto(),
        popart.DataFlow(1, {y: popart.AnchorReturnType("All")}),
        device or popart.DeviceManager().acquireAvailableDevice(1),
        userOptions=_options(enableEngineCaching=True, cachePath=str(tmp_path), **options),
    )
    session.prepareDevice()
    assert _result(session, y) == (X * W * np.float32(scale)).tolist()
    session._device.detach()
    return session


def _is_from_file(session):
    with pytest.raises(popart.popart_exception) as caught:
        session.getSummaryReport()
    return "loaded from a file" in str(caught.value)


def test_engine_cache(tmp_path, caplog):
    cache = tmp_path / "cache"
    assert not _is_from_file(_cached(cache))
    (file,) = cache.iterdir()
    assert file.suffix == ".popef"
    before = file.read_bytes()
    assert _is_from_file(_cached(cache))
    assert list(cache.iterdir()) == [file]
    assert not caplog.records
    # Another model, and other options, are other files.
    assert not _is_from_file(_cached(cache, scale=2.0))
    assert not _is_from_file(_cached(cache, engineOptions={"debug.allowOutOfMemory": "true"}))
    assert len(list(cache.iterdir())) == 3
    # A damaged file is replaced.
    file.write_bytes(before[:-9])
    assert not _is_from_file(_cached(cache))
    assert "unusable file" in caplog.text and "damaged" in caplog.text
    assert file.read_bytes() == before
    assert _is_from_file(_cached(cache))


def test_engine_cache_is_for_ipus(tmp_path):
    _cached(tmp_path, device=popart.DeviceManager().createCpuDevice())
    assert not list(tmp_path.iterdir())


def test_engine_cache_that_cannot_be_written(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    assert not _is_from_file(_cached(tmp_path / "file" / "cache"))
    assert "cannot be written" in caplog.text


def test_an_executable_knows_attributes_and_constants(tmp_path):
    def session(alpha, shift):
        builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
        x = builder.addInputTensor("FLOAT", [2])
        ops = builder.aiOnnxOpset11
        bound = ops.constant(np.array([shift, 0], np.float32), False)
        y = ops.add([ops.leakyrelu([x], alpha), bound])
        device = popart.DeviceManager().createOfflineIPUDevice({})
        return popart.InferenceSession(builder.getModelProto(), popart.DataFlow(1, [y]), device)

    path = str(tmp_path / "file.popef")
    session(0.1, 1).compileAndExport(path)
    session(0.1, 1).loadExecutable(path)
    for other in (session(0.2, 1), session(0.1, 2)):
        with pytest.raises(popart.popart_exception, match="another model"):
            other.loadExecutable(path)
