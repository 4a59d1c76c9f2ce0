"""float16 as an IPU computes it: each op rounds, and what overflows saturates."""

import numpy as np
import pytest
from session_run import constant, run

import odla_ipu.sim as popart

RNG = np.random.RandomState(2)
HALF = np.float16


def h(*shape):
    return RNG.uniform(-2, 2, shape).astype(HALF)


def _hundred(b, o, i):
    return o.div([o.mul(i), i[1]])


INPUTS = {"x": np.array([100, -100, 1], HALF), "y": np.array([1000, 1000, 3], HALF)}


def test_products_saturate():
    (y,) = run(_hundred, INPUTS)
    assert y.tolist() == [65.5, -65.5, 1]


def test_nan_on_overflow(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_SIM_FP16", "nan")
    (y,) = run(_hundred, INPUTS)
    assert np.isnan(y[:2]).all()
    assert y[2] == 1


def test_unrounded(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_SIM_FP16", "unrounded")
    (y,) = run(_hundred, INPUTS)
    assert y.tolist() == [100, -100, 1]


def test_unknown_mode_is_refused(monkeypatch):
    monkeypatch.setenv("ODLA_IPU_SIM_FP16", "fast")
    with pytest.raises(popart.popart_exception, match="ODLA_IPU_SIM_FP16"):
        run(_hundred, INPUTS)


def test_floating_point_checks():
    options = popart.SessionOptions()
    options.enableFloatingPointChecks = True
    with pytest.raises(popart.poplar_application_runtime_error, match="Floating-point"):
        run(_hundred, INPUTS, options=options)
    (y,) = run(_hundred, {"x": INPUTS["x"][2:], "y": INPUTS["y"][2:]}, options=options)
    assert y.tolist() == [1]


def test_chain_rounds_after_each_op():
    x, w, b, s = h(5, 300), h(300, 7), h(7), h(7)

    def make(_, o, i):
        return o.mul([o.add([o.matmul(i[:2]), i[2]]), i[3]])

    (y,) = run(make, {"x": x, "w": w, "b": b, "s": s})
    product = (x.astype(np.float64) @ w.astype(np.float64)).astype(HALF)
    expected = ((product + b).astype(HALF) * s).astype(HALF)
    # The product of the engine is accumulated in float32: it may round to the neighbour.
    np.testing.assert_allclose(y, expected, rtol=4e-3, atol=2e-2)
    assert np.mean(y == expected) > 0.9


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_arithmetic_is_exactly_rounded(name):
    a, b = h(1000), h(1000) + HALF(3)
    (y,) = run(lambda _, o, i: getattr(o, name)(i), {"a": a, "b": b})
    function = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[name]
    np.testing.assert_array_equal(y, function(a, b))


def test_moves_keep_infinities():
    x = np.array([[np.inf, -np.inf, 1]], HALF)
    (y,) = run(lambda _, o, i: o.relu([o.transpose(i)]), {"x": x})
    assert y.ravel().tolist() == [np.inf, 0, 1]


def test_weights_and_constants():
    w = h(3, 40)

    def make(b, o, i):
        weight = b.addInitializedInputTensor(w)
        return o.add([o.mul([i[0], weight]), constant(b, o, 0.5, HALF)])

    x = h(3, 40)
    (y,) = run(make, {"x": x})
    np.testing.assert_array_equal(y, x * w + HALF(0.5))


def test_mixed_product_is_float16():
    x = h(6)
    (y,) = run(lambda b, o, i: o.mul([i[0], constant(b, o, 0.1, np.float32)]), {"x": x})
    assert y.dtype == HALF
    np.testing.assert_array_equal(y, (x.astype(np.float32) * np.float32(0.1)).astype(HALF))


def test_clip_to_the_largest():
    x = np.array([60000, -60000], HALF)
    (y,) = run(lambda _, o, i: o.add([i[0], i[0]]), {"x": x})
    assert y.tolist() == [65504, -65504]
