"""AI Matrix's layers and matrix products: the tables, and rows against numpy."""

import numpy as np
import pytest
from odla_ipu.examples import Weights
from odla_ipu.examples.tables import TABLES

from odla_ipu.bench import count
from odla_ipu.errors import InvalidParameter

ROWS = {
    "conv": 109,
    "fc": 9,
    "max_pool": 24,
    "avg_pool": 24,
    "bn": 77,
    "relu": 96,
    "sigmoid": 96,
    "softmax": 96,
    "tanh": 96,
    "lstm": 40,
    "gru": 40,
    "rnn": 40,
    "gemm": 30,
    "gemm_pressure": 4,
    "gemm_int8": 35,
}


def test_every_table_has_the_rows_of_the_original():
    assert {name: len(table.rows()) for name, table in TABLES.items()} == ROWS


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_a_computation(name):
    table = TABLES[name]
    for row in table.rows():
        computation = table.build(row, Weights(seed=None))
        assert all(kind.is_static for kind in computation.outputs.values())


def test_products_have_the_multiplications_of_the_original():
    table = TABLES["gemm"]
    giga = {
        (row["m"], row["k"]): 2 * count.macs(table.build(row, Weights(seed=None))) / 1e9
        for row in table.rows()
    }
    assert giga["1024", "1024"] == pytest.approx(2.147, abs=1e-3)
    assert giga["21504", "17408"] == pytest.approx(16099.7, abs=0.05)


def compute(name, row, device, **inputs):
    """Inputs (random ones where none are given), weights and results of a row."""
    weights = Weights(seed=4)
    computation = TABLES[name].build(row, weights)
    rng = np.random.default_rng(0)
    for argument, kind in computation.arguments.items():
        if argument not in inputs:
            inputs[argument] = rng.standard_normal(kind.dims, np.float32)
    return inputs, weights.given, computation.run(inputs, device=device)


def windows(x, size, stride):
    """[N,OH,OW,C,window,window] of an image [N,H,W,C], without padding."""
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return view[:, :: stride[0], :: stride[1]]


def close(got, wanted):
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("number", [63, 69, 109])
def test_convolutions(number, device):
    row = TABLES["conv"].row(number)
    inputs, weights, results = compute("conv", row, device)
    kernel, stride = weights["kernel"], int(row["stride"])
    patches = windows(inputs["x"], kernel.shape[:2], (stride, stride))
    close(results["y"], np.einsum("nhwcij,ijco->nhwo", patches, kernel, optimize=True))


def test_fully_connected(device):
    inputs, weights, results = compute("fc", TABLES["fc"].row(8), device)
    close(results["y"], inputs["x"].reshape(len(inputs["x"]), -1) @ weights["matrix"])


@pytest.mark.parametrize("number", [20, 24])
def test_pools(number, device):
    for name, reduce in (("max_pool", np.max), ("avg_pool", np.mean)):
        row = TABLES[name].row(number)
        inputs, _, results = compute(name, row, device)
        size, stride = int(row["window"]), (int(row["stride_height"]), int(row["stride_width"]))
        close(results["y"], reduce(windows(inputs["x"], (size, size), stride), axis=(-2, -1)))


def test_batch_normalization(device):
    inputs, _, results = compute("bn", TABLES["bn"].row(77), device)
    close(results["y"], (inputs["x"] - 0.35) / np.sqrt(0.55 + 0.03) * 8.6 + 2.3)


def test_activations(device):
    functions = {
        "relu": lambda x: np.maximum(x, 0),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
        "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    }
    for name, function in functions.items():
        inputs, _, results = compute(name, TABLES[name].row(96), device)
        close(results["y"], function(inputs["x"]))


def test_recurrent_networks(device):
    """The first row's shape, made narrow."""
    row = {"batch": "2", "steps": "5", "features": "3", "hidden": "4"}

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def rnn(x, h, c, w, r, b):
        return np.tanh(x @ w.T + h @ r.T + b), c

    def lstm(x, h, c, w, r, b):
        i, o, f, g = np.split(x @ w.T + h @ r.T + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def gru(x, h, c, w, r, b):
        z, s, n = (np.split(of, 3, axis=axis) for of, axis in ((x @ w.T + b, 1), (r, 0), (r, 0)))
        update = sigmoid(z[0] + h @ s[0].T)
        reset = sigmoid(z[1] + h @ s[1].T)
        new = np.tanh(z[2] + (reset * h) @ n[2].T)
        return update * h + (1 - update) * new, c

    for name, step in (("rnn", rnn), ("lstm", lstm), ("gru", gru)):
        inputs, weights, results = compute(name, row, device)
        w, r, b = weights["W"][0], weights["R"][0], weights["B"][0]
        h, c, states = np.zeros((2, 4)), np.zeros((2, 4)), []
        for x in inputs["x"]:
            h, c = step(x, h, c, w, r, b)
            states.append(h)
        close(results["states"], np.array(states)[:, None])
        close(results["last"], h[None])


def test_products(device):
    row = {"m": "33", "n": "17", "k": "65"}
    inputs, weights, results = compute("gemm", row, device)
    close(results["c"], inputs["a"] @ weights["b"].T)
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, (rows, 65)).astype("i1") for rows in (33, 17))
    _, _, results = compute("gemm_int8", row, device, a=a, b=b)
    assert results["c"].dtype == np.int32
    np.testing.assert_array_equal(results["c"], a.astype("i4") @ b.astype("i4").T)


def test_rows_that_are_not_there():
    with pytest.raises(InvalidParameter, match="table conv has no row 110; accepted: 1 to 109"):
        TABLES["conv"].row(110)
