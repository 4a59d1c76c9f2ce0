"""Training sessions: optimizers against their formulas, whole trajectories, what is refused."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

import odla_ipu.sim as popart

W = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]], np.float32)
X = np.array([[0.5, -1.0, 2.0], [1.5, 1.0, -0.5]], np.float32)


def session_of(optimizer, arrays=None, loss=None, bps=1, options=None, prepared=True, **anchors):
    """The loss is sum(w x^2 w / 2 + w): its gradient is w x^2 + 1."""
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    o = b.aiOnnx
    w = b.addInitializedInputTensor(W, "w")
    x = b.addInputTensor(popart.TensorInfo("FLOAT", [2, 3]), "x")
    product = o.mul([w, x])
    square = b.aiGraphcore.scale([o.mul([product, product])], 0.5)
    made = b.aiGraphcore.identityloss([o.add([square, w])], popart.ReductionType.Sum)
    session = popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(bps, {loss or made: popart.AnchorReturnType("All"), **anchors}),
        loss or made,
        optimizer,
        popart.DeviceManager().createCpuDevice(),
        userOptions=options or popart.SessionOptions(),
    )
    if prepared:
        session.prepareDevice()
        session.weightsFromHost()
    return session


def step(session, x=X):
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({"x": x}, anchors))
    return anchors


def weight(session, id="w", shape=(2, 3)):
    session.weightsToHost()
    found = np.empty(shape, np.float32)
    session.readWeights(popart.PyWeightsIO({id: found}))
    return found


def slope(w):
    return w * X**2 + 1


# Optimizers, in float64.


def sgd(lr, wd=0.0, mm=0.0, dp=0.0, nesterov=False):
    w, v = W.astype("f8"), None
    while True:
        g = slope(w) + wd * w
        v = (1 - dp) * g if v is None else mm * v + (1 - dp) * g
        w = w - lr * (g + mm * v if nesterov else v)
        yield w


def adam(lr, wd=0.0, b1=0.9, b2=0.999, eps=1e-6, mode="Adam", l2=False, limit=10.0):
    w, m, v, t = W.astype("f8"), 0, 0, 0
    while True:
        g, t = slope(w) + (wd * w if l2 else 0), t + 1
        m = b1 * m + (1 - b1) * g
        v = np.maximum(b2 * v, abs(g)) if mode == "AdaMax" else b2 * v + (1 - b2) * g * g
        biased = "NoBias" in mode
        root = v if mode == "AdaMax" else np.sqrt(v if biased else v / (1 - b2**t))
        update = (m if biased else m / (1 - b1**t)) / (root + eps) + (0 if l2 else wd * w)
        rate = lr
        if mode.startswith("Lamb"):
            rate *= min(np.linalg.norm(w), limit) / np.linalg.norm(update)
        w = w - rate * update
        yield w


def adaptive(lr, mode, wd=0.0, alpha=0.99, mm=0.0, eps=1e-6, tf=False):
    w, v, mean, u, buffer = W.astype("f8"), 0, 0, 0, 0
    while True:
        g = slope(w)
        v = v + g * g if mode == "AdaGrad" else alpha * v + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        spread = v - mean**2 if mode == "CenteredRMSProp" else v
        if mode == "AdaDelta":
            update = np.sqrt((u + eps) / (v + eps)) * g
            u = alpha * u + (1 - alpha) * update**2
        else:
            update = g / (np.sqrt(spread + eps) if tf else np.sqrt(spread) + eps)
        update = update + wd * w
        buffer = mm * buffer + (lr * update if tf else update)
        w = w - (buffer if tf else lr * buffer)
        yield w


def values(prefix="default", **numbers):
    names = {
        "lr": "LearningRate",
        "wd": "WeightDecay",
        "mm": "Momentum",
        "dp": "Dampening",
        "vs": "VelocityScaling",
        "b1": "Beta1",
        "b2": "Beta2",
        "alpha": "Alpha",
        "eps": "Eps",
    }
    made = {
        f"{prefix}{names[key]}": (number, True) for key, number in numbers.items() if key in names
    }
    for key in ("lossScaling", "nesterov", "maxWeightNorm"):
        if key in numbers:
            made[key] = (float(numbers[key]), True)
    return made


SEPARATE = popart.SGDAccumulatorAndMomentum.Separate
L2 = popart.WeightDecayMode.L2Regularization
CASES = {
    "SGD": (popart.SGD(values(lr=0.1)), sgd(0.1)),
    "SGD, decay": (
        popart.SGD(values(lr=0.1, wd=0.2, dp=0.5, lossScaling=8.0)),
        sgd(0.1, 0.2, 0, 0.5),
    ),
    "SGD, momentum": (
        popart.SGD(values(lr=0.05, wd=0.1, mm=0.9, vs=4.0, lossScaling=2.0)),
        sgd(0.05, 0.1, 0.9),
    ),
    "SGD, apart": (
        popart.SGD(
            values(lr=0.05, wd=0.1, mm=0.8, dp=0.3, vs=2.0), accumulatorAndMomentum=SEPARATE
        ),
        sgd(0.05, 0.1, 0.8, 0.3),
    ),
    "SGD, Nesterov": (
        popart.SGD(values(lr=0.05, wd=0.1, mm=0.9, nesterov=True)),
        sgd(0.05, 0.1, 0.9, 0, True),
    ),
    "Adam": (popart.Adam(values(lr=0.1, wd=0.1, lossScaling=4.0)), adam(0.1, 0.1)),
    "Adam, L2": (
        popart.Adam(values(lr=0.1, wd=0.1), weight_decay_mode=L2),
        adam(0.1, 0.1, l2=True),
    ),
    "RMSProp of TensorFlow": (
        popart.Adaptive(values(lr=0.02, mm=0.5), rmsprop_tf_variant=True),
        adaptive(0.02, "RMSProp", mm=0.5, tf=True),
    ),
}
for _mode in ["AdamNoBias", "AdaMax", "Lamb", "LambNoBias"]:
    _optimizer = popart.Adam(
        values(lr=0.1, wd=0.05, maxWeightNorm=2.0), getattr(popart.AdamMode, _mode)
    )
    CASES[_mode] = (_optimizer, adam(0.1, 0.05, mode=_mode, limit=2.0))
for _mode in ["AdaGrad", "RMSProp", "CenteredRMSProp", "AdaDelta"]:
    _optimizer = popart.Adaptive(
        values(lr=0.1, wd=0.05, alpha=0.9, mm=0.3), getattr(popart.AdaptiveMode, _mode)
    )
    CASES[_mode] = (_optimizer, adaptive(0.1, _mode, 0.05, 0.9, 0.3))


@pytest.mark.parametrize("name", sorted(CASES))
def test_optimizers(name):
    optimizer, wanted = CASES[name]
    session = session_of(optimizer)
    for _ in range(6):
        step(session)
        np.testing.assert_allclose(weight(session), next(wanted), rtol=2e-5, atol=2e-5)


def test_batches_of_a_step_are_steps():
    session, wanted = session_of(popart.ConstSGD(0.1), bps=3), sgd(0.1)
    step(session, np.stack([X] * 3))
    for _ in range(2):
        next(wanted)
    np.testing.assert_allclose(weight(session), next(wanted), rtol=1e-5)


def test_clipping():
    """The gradients together have the norm; the loss scaling does not count."""
    norm = popart.ClipNormSettings.clipAllWeights(0.5)
    optimizer = popart.SGD(
        {"defaultLearningRate": (1.0, True), "lossScaling": (16.0, True)}, [norm]
    )
    session = session_of(optimizer)
    step(session)
    g = slope(W)
    np.testing.assert_allclose(weight(session), W - 0.5 * g / np.linalg.norm(g), rtol=1e-5)
    loose = popart.SGD(
        {"defaultLearningRate": (1.0, True)}, [popart.ClipNormSettings.clipWeights(["w"], 1e3)]
    )
    session = session_of(loose)
    step(session)
    np.testing.assert_allclose(weight(session), W - g, rtol=1e-5)
    other = popart.SGD({}, [popart.ClipNormSettings.clipWeights(["x"], 1.0)])
    with pytest.raises(popart.popart_exception, match="'x', which is not trained"):
        session_of(other)


def test_values_of_single_weights():
    optimizer = popart.SGD({"defaultLearningRate": (0.1, False)})
    optimizer.insertSpecific("w", {"learningRate": (0.5, False)})
    session = session_of(optimizer)
    step(session)
    np.testing.assert_allclose(weight(session), W - 0.5 * slope(W), rtol=1e-5)


def test_the_optimizer_can_be_replaced_between_steps():
    session = session_of(popart.SGD({"defaultLearningRate": (0.1, False)}))
    step(session)
    first = W - 0.1 * slope(W)
    session.updateOptimizerFromHost(popart.SGD({"defaultLearningRate": (0.3, False)}))
    step(session)
    np.testing.assert_allclose(weight(session), first - 0.3 * slope(first), rtol=1e-5)


@pytest.mark.parametrize(
    "new, message",
    [
        (popart.Adam({}), "of type SGD by Adam"),
        (popart.SGD({"defaultLearningRate": (0.1, True)}), "constant value of learningRate"),
        (
            popart.SGD({"defaultLearningRate": (0.1, False), "lossScaling": (2.0, True)}),
            "do not match: lossScaling",
        ),
        (
            popart.SGD(
                {"defaultLearningRate": (0.1, False)}, [popart.ClipNormSettings.clipAllWeights(1.0)]
            ),
            "clip norm settings",
        ),
    ],
)
def test_what_an_optimizer_cannot_be_replaced_by(new, message):
    session = session_of(popart.SGD({"defaultLearningRate": (0.1, False)}))
    with pytest.raises(popart.popart_exception, match=message):
        session.updateOptimizerFromHost(new)
    specific = popart.SGD({"defaultLearningRate": (0.1, False)})
    specific.insertSpecific("w", {"learningRate": (0.5, False)})
    with pytest.raises(popart.popart_exception, match="different number of specific tensors"):
        session.updateOptimizerFromHost(specific)
    with pytest.raises(TypeError, match="optimizer"):
        session.updateOptimizerFromHost(0.1)


def test_gradients_bear_the_loss_scaling():
    optimizer = popart.SGD({"defaultLearningRate": (0.1, False), "lossScaling": (4.0, False)})
    session = session_of(optimizer, Gradient___w=popart.AnchorReturnType("All"))
    np.testing.assert_allclose(step(session)["Gradient___w"], 4 * slope(W), rtol=1e-5)
    assert {"w", "x", "Gradient___w"} <= session.getTensorIds()


def test_weights_and_what_the_optimizer_keeps_are_read_and_written():
    session = session_of(popart.Adam(values(lr=0.1)))
    step(session)
    np.testing.assert_allclose(weight(session, "Accl1___w"), 0.1 * slope(W), rtol=1e-5)
    assert weight(session, "Step___w", ()) == 1
    session.writeWeights(popart.PyWeightsIO({"w": X}))
    step(session)  # the device has not been told
    assert (weight(session) != X).any()
    session.writeWeights(popart.PyWeightsIO({"w": X}))
    session.weightsFromHost()
    np.testing.assert_array_equal(weight(session), X)


def test_the_order_of_calls():
    session = session_of(popart.ConstSGD(0.1), prepared=False)
    with pytest.raises(popart.popart_runtime_error, match="prepare"):
        session.updateOptimizerFromHost(popart.ConstSGD(0.1))
    session.prepareDevice()
    with pytest.raises(popart.popart_runtime_error, match="Must call weightsFromHost before run"):
        step(session)
    session.weightsFromHost()
    step(session)


def test_refused_sessions():
    with pytest.raises(popart.popart_exception, match="must be a scalar tensor"):
        session_of(popart.ConstSGD(0.1), loss="Mul:0")
    with pytest.raises(popart.popart_exception, match="nothing"):
        session_of(popart.ConstSGD(0.1), loss="nothing")
    with pytest.raises(popart.popart_exception, match="Gradient___y"):
        session_of(popart.ConstSGD(0.1), Gradient___y=popart.AnchorReturnType("All"))
    with pytest.raises(TypeError, match="optimizer"):
        session_of(0.1)
    options = popart.SessionOptions()
    options.enableGradientAccumulation, options.accumulationFactor = True, 2
    with pytest.raises(popart.popart_exception, match="does not accumulate"):
        session_of(popart.ConstSGD(0.1), options=options)


def on_the_way(make, *shapes):
    """A training session of a loss behind an op; weights of the shapes."""
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    ids = [b.addInitializedInputTensor(np.ones(shape, "f4")) for shape in shapes]
    loss = b.aiGraphcore.identityloss([make(b, ids)])
    return popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(1, [loss]),
        loss,
        popart.ConstSGD(0.1),
        popart.DeviceManager().createCpuDevice(),
    )


REFUSED = {
    "must have 5 outputs": (
        lambda b, x: b.aiOnnx.batchnormalization(x, num_outputs=1)[0],
        [(2, 3, 4), (3,), (3,), (3,), (3,)],
    ),
    "linear resizing": (
        lambda b, x: b.aiOnnx.resize(
            [
                x[0],
                b.aiOnnx.constant(np.zeros(0, "f4"), False),
                b.aiOnnx.constant(np.float32([1, 1, 2, 2]), False),
            ],
            mode="linear",
        ),
        [(1, 1, 2, 2)],
    ),
    "mode constant only": (
        lambda b, x: b.aiOnnx.pad(
            [x[0], b.aiOnnx.constant(np.array([1, 1]), False)], mode="reflect"
        ),
        [(5,)],
    ),
    "has no gradient of it": (
        lambda b, x: b.aiGraphcore.lstm(x, outputFullSequence=1)[0],
        [(3, 2, 4), (4, 9, 5)],
    ),
}


@pytest.mark.parametrize("message", sorted(REFUSED))
def test_ops_that_are_not_differentiated(message):
    make, shapes = REFUSED[message]
    with pytest.raises(popart.popart_exception, match=message):
        on_the_way(make, *shapes)


def test_what_the_loss_does_not_depend_on_stays():
    """Comparisons stop gradients without a word."""
    session = on_the_way(lambda b, x: b.aiOnnx.cast([b.aiOnnx.greater(x)], "FLOAT"), (2, 3), (2, 3))
    session.prepareDevice()
    session.weightsFromHost()
    session.run(popart.PyStepIO({}, session.initAnchorArrays()))
    np.testing.assert_array_equal(weight(session, "init_input"), np.ones((2, 3)))


@pytest.mark.parametrize("shaped", [False, True])
def test_dropout_is_active(shaped):
    """The mask of forward and backward is one; kept elements are scaled."""
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    w = b.addInitializedInputTensor(np.ones((400, 50), "f4"), "w")
    if shaped:
        y = b.aiGraphcore.shapeddropout([w], shape=[400, 1], ratio=0.25)
    else:
        y = b.aiOnnx.dropout([w], num_outputs=1, ratio=0.25)[0]
    loss = b.aiGraphcore.identityloss([y], popart.ReductionType.Sum)
    session = popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(1, [y, loss, "Gradient___w"]),
        loss,
        popart.ConstSGD(1e-6),
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    session.setRandomSeed(7)
    session.weightsFromHost()
    seen = []
    for _ in range(2):
        anchors = session.initAnchorArrays()
        session.run(popart.PyStepIO({}, anchors))
        kept = anchors["Gradient___w"] != 0
        np.testing.assert_allclose(anchors["Gradient___w"][kept], 1 / 0.75, rtol=1e-6)
        assert ((anchors[y] != 0) == kept).all()
        assert abs(kept.mean() - 0.75) < (0.1 if shaped else 0.02)
        assert not shaped or (kept == kept[:, :1]).all()
        seen.append(kept)
    assert (seen[0] != seen[1]).any()


def test_running_statistics_are_updated():
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    x = b.addInputTensor(popart.TensorInfo("FLOAT", [8, 2, 1]), "x")
    arrays = {"scale": np.ones(2), "bias": np.zeros(2), "mean": np.zeros(2), "var": np.ones(2)}
    ids = [b.addInitializedInputTensor(one.astype("f4"), name) for name, one in arrays.items()]
    y = b.aiOnnx.batchnormalization([x, *ids], num_outputs=5, momentum=0.75)[0]
    loss = b.aiGraphcore.l1loss([y], 1.0)
    session = popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(1, [loss]),
        loss,
        popart.ConstSGD(0.1),
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    session.weightsFromHost()
    data = np.random.default_rng(0).normal(3, 2, (8, 2, 1)).astype("f4")
    session.run(popart.PyStepIO({"x": data}, session.initAnchorArrays()))
    np.testing.assert_allclose(weight(session, "mean", (2,)), 0.25 * data.mean((0, 2)), rtol=1e-5)
    wanted = 0.75 + 0.25 * data.var((0, 2))
    np.testing.assert_allclose(weight(session, "var", (2,)), wanted, rtol=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_network_is_trained_as_scikit_learn_trains_it(solver):
    """Full batches from the same start: the losses of 20 steps, and the weights.

    Its Adam adds epsilon before the correction of the bias, so that must not count.
    """
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=40)
    network = MLPRegressor(
        hidden_layer_sizes=(9,),
        activation="tanh",
        solver=solver,
        alpha=0,
        batch_size=40,
        learning_rate_init=0.05,
        momentum=0.9,
        nesterovs_momentum=True,
        shuffle=False,
        random_state=0,
        max_iter=1,
    )
    network.partial_fit(x, y)  # makes the weights, and is a step of its own
    start = [one.astype("f4") for one in [*network.coefs_, *network.intercepts_]]
    network._optimizer.__init__(
        network.coefs_ + network.intercepts_,
        0.05,
        **({"momentum": 0.9, "nesterov": True} if solver == "sgd" else {"epsilon": 1e-12}),
    )
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    o = b.aiOnnx
    data = b.addInputTensor(popart.TensorInfo("FLOAT", [40, 6]), "x")
    wanted = b.addInputTensor(popart.TensorInfo("FLOAT", [40, 1]), "y")
    w0, w1, b0, b1 = (b.addInitializedInputTensor(one) for one in start)
    hidden = o.tanh([o.add([o.matmul([data, w0]), b0])])
    error = o.sub([o.add([o.matmul([hidden, w1]), b1]), wanted])
    square = b.aiGraphcore.scale([o.mul([error, error])], 0.5)
    loss = b.aiGraphcore.identityloss([square])
    rate = {"defaultLearningRate": (0.05, True)}
    optimizer = (
        popart.SGD({**rate, "defaultMomentum": (0.9, True), "nesterov": (1.0, True)})
        if solver == "sgd"
        else popart.Adam({**rate, "defaultEps": (1e-12, True)})
    )
    session = popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(1, [loss]),
        loss,
        optimizer,
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    session.weightsFromHost()
    anchors = session.initAnchorArrays()
    for _ in range(20):
        network.partial_fit(x, y)
        session.run(popart.PyStepIO({"x": x.astype("f4"), "y": y.astype("f4")[:, None]}, anchors))
        assert anchors[loss] == pytest.approx(network.loss_, rel=1e-4)
    np.testing.assert_allclose(weight(session, w0, (6, 9)), network.coefs_[0], rtol=1e-3, atol=1e-4)


def test_float16():
    """Weights and gradients are rounded; a loss scaling keeps small gradients."""

    def gradient(scaling):
        b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
        w = b.addInitializedInputTensor(np.ones(4, np.float16), "w")
        small = b.aiOnnx.constant(np.full(4, 1e-4, np.float16), False)
        y = b.aiOnnx.mul([b.aiOnnx.mul([w, small]), small])
        loss = b.aiGraphcore.identityloss([y], popart.ReductionType.Sum)
        session = popart.TrainingSession(
            b.getModelProto(),
            popart.DataFlow(1, [loss, "Gradient___w"]),
            loss,
            popart.SGD({"lossScaling": (scaling, True)}),
            popart.DeviceManager().createCpuDevice(),
        )
        session.prepareDevice()
        session.weightsFromHost()
        anchors = session.initAnchorArrays()
        session.run(popart.PyStepIO({}, anchors))
        assert anchors["Gradient___w"].dtype == np.float16
        return anchors["Gradient___w"].astype("f8") / scaling

    assert (gradient(1.0) == 0).all()
    np.testing.assert_allclose(gradient(4096.0), 1e-8, rtol=0.01)
