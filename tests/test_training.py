"""Computations that are trained: variables, loss and optimizer, from Python."""

import pathlib
import re
import threading
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import odla_ipu as odla
from odla_ipu import optimizers, profiler
from odla_ipu.errors import InvalidParameter, OdlaError, UnsupportedOp, UnsupportedType

X = np.float32([[1, 2, 3], [4, 5, 6.5]])
W = np.float32([0.5, -1, 2])


def line(dtype="float32"):
    """The loss is sum(x w)^2 / 2, its gradient by w x^T (x w)."""
    with odla.Computation("line") as c:
        x = odla.argument("x", (2, 3), dtype)
        w = odla.variable((3,), dtype, "w")
        y = odla.reduce_sum(odla.mul(x, w), axes=(1,), keep_dims=False)
        odla.output(y, "y")
        odla.output(odla.mul(odla.reduce_sum(odla.mul(y, y), keep_dims=False), 0.5), "loss")
    w.set(W.astype(w.array.dtype))
    return c, w


def slope(w):
    return X.T @ (X @ w)


def test_a_run_is_a_step(device):
    c, w = line()
    c.differentiate("loss")
    wanted = W.astype("f8")
    with c.compile(device, optimizer=odla.SGD(0.01, momentum=0.5)) as exe:
        velocity = 0
        for _ in range(4):
            got = exe.run(x=X)
            np.testing.assert_allclose(got["y"], X @ wanted, rtol=1e-5)
            np.testing.assert_allclose(got["loss"], 0.5 * ((X @ wanted) ** 2).sum(), rtol=1e-5)
            velocity = 0.5 * velocity + slope(wanted)
            wanted = wanted - 0.01 * velocity
        np.testing.assert_allclose(w.array, wanted, rtol=1e-5)


def test_inference_sees_what_was_trained(device):
    c, _ = line()
    with c.compile(device) as infer, c.compile(device, optimizer=odla.SGD(0.01)) as train:
        y = np.zeros(2, "f4")
        bound = infer.bind([X], [y, None])
        train.run(x=X)
        once = W - 0.01 * slope(W)
        np.testing.assert_allclose(infer.run(x=X)["y"], X @ once, rtol=1e-5)
        train.run(x=X)
        twice = once - 0.01 * slope(once)
        bound.run()
        np.testing.assert_allclose(y, X @ twice, rtol=1e-4)
        np.testing.assert_allclose(c.run(x=X, device=device)["y"], X @ twice, rtol=1e-4)
        copy = odla.Computation.from_bytes(c.to_bytes())
        np.testing.assert_allclose(copy.run(x=X, device=device)["y"], X @ twice, rtol=1e-4)
        assert infer.optimizer is None


def test_the_example_of_the_documentation():
    text = (pathlib.Path(__file__).parents[1] / "docs" / "training.md").read_text()
    rng = np.random.default_rng(5)
    data = rng.normal(size=(32, 4)).astype("f4")
    labels = np.argmax(data[:, :3], axis=1).astype("i4")
    names = {"batches": [(data, labels)] * 60}
    exec(re.search(r"```python\n(.*?)```", text, re.S).group(1), names)
    assert names["loss"] < 0.4
    found = names["c"].run(x=data, labels=labels)
    assert (found["class"] == labels).mean() > 0.9


def test_what_is_set_between_steps_counts(device):
    c, w = line()
    with c.compile(device, optimizer=odla.SGD(0.01)) as exe:
        exe.run(x=X)
        w.set([1, 1, 1])
        exe.run(x=X)
        wanted = 1 - 0.01 * slope(np.ones(3))
        np.testing.assert_allclose(w.array, wanted, rtol=1e-5)
        exe.variables["w"][:] = W
        exe.run(x=X)
        np.testing.assert_allclose(w.array, W - 0.01 * slope(W), rtol=1e-5)


def test_two_programs_train_one_computation(device):
    c, w = line()
    wanted = W.astype("f8")
    rates = (0.01, 0.02)
    one, other = (c.compile(device, optimizer=odla.SGD(rate)) for rate in rates)
    with one, other:
        for place in (0, 1, 1, 0):
            (one, other)[place].run(x=X)
            wanted = wanted - rates[place] * slope(wanted)
    # Closing leaves the numbers on the host.
    np.testing.assert_allclose(w.array, wanted, rtol=1e-4)


def test_numbers_outlive_the_program(device):
    c, w = line()
    c.compile(device, optimizer=odla.SGD(0.01)).run(x=X)
    np.testing.assert_allclose(w.array, W - 0.01 * slope(W), rtol=1e-5)


def test_the_optimizer_can_be_replaced(device):
    c, w = line()
    with c.compile(device, optimizer=odla.SGD(0.01)) as exe:
        exe.run(x=X)
        exe.optimizer = odla.SGD(0.03)
        assert exe.optimizer == odla.SGD(0.03)
        exe.run(x=X)
        once = W - 0.01 * slope(W)
        np.testing.assert_allclose(w.array, once - 0.03 * slope(once), rtol=1e-5)
        for other in (odla.Adam(), odla.SGD(0.01, momentum=0.9)):
            with pytest.raises(OdlaError, match="replacing SGD"):
                exe.optimizer = other
        assert exe.optimizer == odla.SGD(0.03)
    with pytest.raises(InvalidParameter, match="is closed"):
        exe.optimizer = odla.SGD(0.1)
    with c.compile(device) as infer, pytest.raises(InvalidParameter, match="does not train"):
        infer.optimizer = odla.SGD(0.1)


def test_batches_of_a_step(device):
    c, w = line()
    with c.compile(device, optimizer=odla.SGD(0.01), batches_per_step=2) as exe:
        got = exe.run(x=np.concatenate([X, X]))
    once = W - 0.01 * slope(W)
    np.testing.assert_allclose(got["y"], np.concatenate([X @ W, X @ once]), rtol=1e-5)
    np.testing.assert_allclose(w.array, once - 0.01 * slope(once), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats(device, dtype):
    c, w = line(dtype)
    with c.compile(device, optimizer=odla.SGD(0.01)) as exe:
        exe.run(x=X.astype(dtype))
    assert w.array.dtype == dtype
    bound = 1e-5 if dtype == "float64" else 2e-2
    np.testing.assert_allclose(w.array, W - 0.01 * slope(W), rtol=bound, atol=bound)


def test_a_variable_that_is_an_output(device):
    c, w = line()
    with c:
        odla.output(w, "w now")
    with c.compile(device, optimizer=odla.SGD(0.01)) as exe:
        for _ in range(2):
            np.testing.assert_allclose(exe.run(x=X)["w now"], w.array)


def test_variables_that_are_not_trained(device):
    """Integers are fed; so are those that nothing reads."""
    with odla.Computation() as c:
        x = odla.argument("x", (2, 3))
        w, count = odla.variable((3,), id="w"), odla.variable((), "int32", "count")
        odla.variable((5,), id="unused")
        y = odla.mul(odla.mul(x, w), odla.cast(count, "float32"))
        odla.output(odla.reduce_sum(y, keep_dims=False), "loss")
    count.set(3)
    with c.compile(device, optimizer=odla.SGD(0.1)) as exe:
        exe.run(x=X)
        count.set(1)
        exe.run(x=X)
    np.testing.assert_allclose(w.array, -0.1 * 4 * X.sum(0), rtol=1e-5)


def test_an_executable_file_goes_on_training(device, tmp_path):
    c, w = line()
    c.compile(device, optimizer=odla.SGD(0.01)).save(tmp_path / "train.odla")
    with odla.Executable.load(tmp_path / "train.odla", device) as exe:
        assert exe.optimizer == odla.SGD(0.01)
        exe.run(x=X)
        exe.save(tmp_path / "trained.odla")
    once = W - 0.01 * slope(W)
    np.testing.assert_allclose(w.array, W)  # a file has numbers of its own
    with odla.Executable.load(tmp_path / "trained.odla", device) as exe:
        np.testing.assert_allclose(exe.run(x=X)["y"], X @ once, rtol=1e-5)


def test_a_cache_keeps_programs_apart(device, tmp_path):
    """By their optimizer, and inference from training; numbers are the computation's."""
    for optimizer in (odla.SGD(0.01), odla.SGD(0.02), odla.SGD(0.01), None):
        c, w = line()
        w.set(2 * W)
        with c.compile(device, optimizer=optimizer, cache=tmp_path) as exe:
            assert exe.optimizer == optimizer
            np.testing.assert_allclose(exe.run(x=X)["y"], X @ (2 * W), rtol=1e-5)
        rate = optimizer.learning_rate if optimizer else 0
        np.testing.assert_allclose(w.array, 2 * W - rate * slope(2 * W), rtol=1e-5)
    assert len(list(tmp_path.glob("*.odla"))) == 3


def test_several_ipus(device):
    c, w = line()
    with c.compile(device, optimizer=odla.SGD(0.01), num_ipus=2) as exe:
        exe.run(x=X)
    np.testing.assert_allclose(w.array, W - 0.01 * slope(W), rtol=1e-5)


def test_the_loss():
    c, _ = line()
    assert c.graph.loss == ""
    with pytest.raises(InvalidParameter, match="'y' is none: accepted is an output of one element"):
        c.differentiate("y")
    c.differentiate()
    assert c.graph.loss == "loss" == odla.Computation.from_bytes(c.to_bytes()).graph.loss
    with odla.Computation() as none:
        odla.output(odla.relu(odla.argument("x", (2,))))
    with pytest.raises(InvalidParameter, match="no variables of floats"):
        none.differentiate()
    with none:
        odla.output(odla.variable((2,)), "v")
    with pytest.raises(InvalidParameter, match="has no loss: accepted is an output of one"):
        none.differentiate()


def test_what_is_not_trained(device):
    c, _ = line()
    with pytest.raises(InvalidParameter, match="optimizer is 0.1; accepted: odla_ipu.SGD"):
        c.compile(device, optimizer=0.1)
    with pytest.raises(UnsupportedType, match="training computes in fp32"):
        c.compile(device, "fp16", optimizer=odla.SGD())
    with odla.Computation() as shaped:
        x, w = odla.argument("x", (4,)), odla.variable((4,))
        y = odla.reshape_dynamic(odla.mul(x, w), odla.argument("shape", (2,), "int64"))
        odla.output(odla.reduce_sum(y, keep_dims=False), "loss")
    with pytest.raises(UnsupportedOp, match="depend on computed values"):
        shaped.compile(device, optimizer=odla.SGD())
    with odla.Computation() as unread:
        odla.variable((4,))
        odla.output(odla.reduce_sum(odla.argument("x", (4,)), keep_dims=False), "loss")
    with pytest.raises(InvalidParameter, match="no variable of floats that is read"):
        unread.compile(device, optimizer=odla.SGD())
    with odla.Computation() as given:
        w = odla.variable((1,))
        odla.output(odla.argument("x", (1,)), "loss")
        odla.output(odla.relu(w), "y")
    with pytest.raises(InvalidParameter, match="'loss' is not computed"):
        given.compile(device, optimizer=odla.SGD())


def powers(trips, stops=False):
    """The loss is w^(trips + 1), or less where the loop stops."""
    with odla.Computation() as c:
        w = odla.variable((), id="w")
        with odla.loop(trips, id="powers") as loop:
            state = loop.variable(w)
            loop.next(state, odla.mul(state, w))
            if stops:
                loop.proceed(odla.less(state, 5.0))
        odla.output(loop.results[0], "loss")
    w.set(2.0)
    return c, w


@pytest.mark.parametrize("stops", [False, True])
def test_loops_are_trained(device, stops):
    """Unrolled, with an If around what a condition may prevent: 2 -> 4 -> 8, and then it stops."""
    c, w = powers(5, stops)
    with c.compile(device, optimizer=odla.SGD(1e-3)) as exe:
        assert exe.run()["loss"] == 2 ** (4 if stops else 6)
    slope = 4 * 2**3 if stops else 6 * 2**5
    np.testing.assert_allclose(w.array, 2 - 1e-3 * slope, rtol=1e-6)


def test_an_op_that_cannot_be_trained_is_named(device):
    with odla.Computation() as c:
        trips = odla.argument("trips", (), "int32")
        w = odla.variable((2,))
        with odla.loop(trips, id="powers") as loop:
            state = loop.variable(w)
            loop.next(state, odla.mul(state, w))
        odla.output(odla.reduce_sum(loop.results[0], keep_dims=False), "loss")
    with pytest.raises(InvalidParameter, match="powers.*run time; accepted in training"):
        c.compile(device, optimizer=odla.SGD())


def test_optimizers_as_text():
    for one in (odla.SGD(), odla.SGD(0.5, nesterov=True, momentum=0.25), odla.Adam(1e-4)):
        assert optimizers.read(repr(one)) == one
    assert optimizers.read(" SGD ( learning_rate = 1e-2 , ) ") == odla.SGD(0.01)
    for text, message in [
        ("", "accepted: SGD"),
        ("Momentum()", "accepted: SGD"),
        ("SGD(lr=1)", "accepted: learning_rate"),
        ("SGD(learning_rate=fast)", "accepted: a number"),
        ("SGD(learning_rate=-1)", "0 and more"),
        ("SGD(learning_rate=nan)", "0 and more"),
        ("Adam(epsilon=0)", "above 0"),
        ("Adam(beta1=1)", "0 to below 1"),
        ("SGD(nesterov=1)", "True or False"),
        ("SGD(nesterov=True, dampening=0.5)", "0 with nesterov"),
    ]:
        with pytest.raises(InvalidParameter, match=message):
            optimizers.read(text)
    with pytest.raises(InvalidParameter, match="accepted: a number"):
        odla.SGD(learning_rate="fast")


def network(sizes, rows, classes):
    """Perceptron with relu; the loss is the mean cross entropy."""
    with odla.Computation() as c:
        y = odla.argument("x", (rows, sizes[0]))
        labels = odla.argument("labels", (rows,), "int32")
        weights = []
        for place, pair in enumerate(zip(sizes, sizes[1:])):
            w, b = odla.variable(pair, id=f"w{place}"), odla.variable(pair[1:], id=f"b{place}")
            y = odla.gemm(y, B=w, C=b)
            weights += [w, b]
            if place < len(sizes) - 2:
                y = odla.relu(y)
        odla.output(odla.arg_max(y, axis=1, keep_dims=False), "class")
        loss = odla.negative_log_likelihood_loss(odla.log_softmax(y, axis=1), labels)
        odla.output(loss, "loss")
    return c, weights


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_iris_is_learnt_as_scikit_learn_learns_it(device, solver):
    data, labels = load_iris(return_X_y=True)
    data = (data - data.mean(0)) / data.std(0)
    shared = {"hidden_layer_sizes": (8, 6), "alpha": 0, "batch_size": 150, "shuffle": False}
    shared.update(random_state=3, tol=0, n_iter_no_change=100)
    momentum = {"momentum": 0.9, "nesterovs_momentum": False} if solver == "sgd" else {}
    model = MLPClassifier(solver=solver, learning_rate_init=0.02, max_iter=60, **momentum, **shared)
    start = MLPClassifier(solver="sgd", learning_rate_init=1e-12, max_iter=1, **shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they have not converged
        start.fit(data, labels)
        model.fit(data, labels)
    c, weights = network((4, 8, 6, 3), 150, 3)
    for variable, given in zip(weights[::2], start.coefs_):
        variable.set(given.astype("f4"))
    for variable, given in zip(weights[1::2], start.intercepts_):
        variable.set(given.astype("f4"))
    optimizer = odla.SGD(0.02, momentum=0.9) if solver == "sgd" else odla.Adam(0.02, epsilon=1e-8)
    feeds = {"x": data.astype("f4"), "labels": labels.astype("i4")}
    with c.compile(device, optimizer=optimizer) as exe:
        losses = [float(exe.run(feeds)["loss"]) for _ in range(60)]
        np.testing.assert_allclose(losses, model.loss_curve_, rtol=1e-3)
        accuracy = (exe.run(feeds)["class"] == labels).mean()
    assert accuracy == pytest.approx(model.score(data, labels), abs=0.01)


def test_many_threads_train_and_read(device):
    """Each step counts once, whatever the others do meanwhile."""
    c, w = line()
    with c.compile(device, optimizer=odla.SGD(0.0)) as exe, c.compile(device) as infer:
        failures = []

        def work(number):
            try:
                for _ in range(25):
                    if number % 2:
                        np.testing.assert_allclose(infer.run(x=X)["y"], X @ W, rtol=1e-5)
                    else:
                        np.testing.assert_allclose(exe.run(x=X)["y"], X @ W, rtol=1e-5)
                    np.testing.assert_allclose(w.array, W)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
            assert not one.is_alive()
        assert not failures


def test_training_is_profiled():
    c, _ = line()
    with c.compile("sim", optimizer=odla.SGD(0.01)) as exe:
        profiler.start("sim")
        exe.run(x=X)
        trace = profiler.stop("sim")
    names = {name for event in trace.events for name in event.op.split("+")}
    assert {"odla_Mul", "odla_ReduceSum"} <= names
