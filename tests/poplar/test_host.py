"""Views, fields, programs and library functions against numpy."""

import numpy as np
import pytest

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

VIEWS = {
    "index": X[1, 2],
    "index list": X[1, 2],
    "slice": X[:, :, 1:3],
    "slice two": X[:1, 1:3],
    "slices": X[:, [2, 0, 1]],
    "flatten": X.reshape(-1),
    "flatten part": X.reshape(2, 12),
    "reshape": X.reshape(4, 6),
    "reshape part": X.reshape(2, 3, 2, 2),
    "shuffle": X.transpose(2, 0, 1),
    "shuffle then reshape": X.transpose(2, 0, 1).reshape(3, 8),
    "shuffle part": X.transpose(1, 2, 0),
    "roll": X.transpose(2, 0, 1),
    "roll to": X.transpose(1, 0, 2),
    "transpose": X.T,
    "expand": X.reshape(1, 2, 3, 1, 4),
    "squeeze": X[1],
    "broadcast one": np.repeat(X[:, :1], 5, 1),
    "broadcast many": np.tile(X, (1, 2, 1)),
    "sub-sample": X[:, ::2],
    "upsample": np.repeat(X, 2, 2),
    "reverse": X[::-1, :, ::-1],
    "concat": np.concatenate([X, X[::-1]], 2),
    "concat of views": np.concatenate([X[..., :2], X[..., 2:]], 1).transpose(1, 0, 2).reshape(3, 8),
    "append": np.concatenate([X[0], X[1, :1]]),
    "copy to a view": X.T,
    "copy within a tensor": np.concatenate([X.reshape(-1)[:4], X.reshape(-1)[:20]]),
    "constants": np.array([1.5, 2.5, 7, 3, 4]),
    "initial value": np.array([2.0, 5, 2]),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("which", sorted(VIEWS))
def test_view(run, which, debug):
    wanted = VIEWS[which]
    a = {"which": which, "shape": list(wanted.shape)}
    y = run("views", "test.ops.View", X, attributes=a, debug=debug)
    np.testing.assert_array_equal(y, wanted)


def test_reinterpreted_view(run):
    a = {"which": "reinterpret", "shape": [2, 3, 4], "type": "INT32"}
    y = run("views", "test.ops.View", X, attributes=a)
    np.testing.assert_array_equal(y, X.view(np.int32))


@pytest.mark.parametrize("debug", [False, True])
def test_fields(run, debug):
    for name, dtype, sign, factor in (("float", np.float32, -1, 3), ("int", np.int32, 1, 1)):
        x = np.array([3, -1, 4, 1, -5], dtype)
        out = sign * factor * (x[::-1] * 2 + np.array([1, 2, 3, 1, 2]) + x[0] - x[1])
        a = {"which": name, "shape": [9], "type": "FLOAT" if name == "float" else "INT32"}
        y = run("fields", "test.ops.Fields", x, attributes=a, debug=debug)
        np.testing.assert_array_equal(y, [*out, out.sum(), 13, 10, 10])


@pytest.mark.parametrize("debug", [False, True])
def test_lists(run, debug):
    x, n = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 20, 300, 4000], np.int32)
    a = {"which": "lists", "shape": [7]}
    y = run("fields", "test.ops.Fields", x, n, attributes=a, debug=debug)
    np.testing.assert_array_equal(y[:6], 2 * x.reshape(-1))
    assert y[6:].view(np.int32) == 4321 + 4300


@pytest.mark.parametrize("debug", [False, True])
def test_workers(run, debug):
    x = np.arange(64, dtype=np.float16)
    a = {"which": "workers", "shape": [64], "type": "FLOAT16"}
    y = run("fields", "test.ops.Fields", x, attributes=a, debug=debug)
    np.testing.assert_array_equal(y, 2 * x)
    y = run("fields", "test.ops.Fields", np.arange(65, dtype=np.float16)[1:], attributes=a)
    np.testing.assert_array_equal(y, 2 * (x + 1))  # memory that is not aligned as fields want


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("case, counted", [(3, 1), (4, 2), (5, 9)])
def test_control_programs(run, debug, case, counted, capfd):
    flags = np.array([True, False])
    a = {"which": "control", "shape": [7], "type": "UINT32"}
    y = run(
        "fields",
        "test.ops.Fields",
        flags,
        np.array([case], np.int32),
        attributes=a,
        debug=debug,
    )
    np.testing.assert_array_equal(y, [1, 5, counted, 4, 1, 0, 6])
    assert "counter: [1]" in capfd.readouterr().err


def _cases():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4)).astype(np.float32)
    i = np.array([[5, -6], [7, 123456789]], np.int32)
    j = np.array([[1, 2], [-3, 4]], np.int32)
    rows, at = rng.normal(size=(4, 3)).astype(np.float32), np.array([3, 0, 3, 1], np.uint32)
    index = np.array([[0, 1, 3]], np.int32)
    total = np.ones((5, 3))
    np.add.at(total, at, 2 * rows.astype(np.float64))
    order = np.argsort(-a, 1, kind="stable")[:, :2]
    zeroed = a.copy()
    zeroed[:, ::2] = 0
    apart = np.abs(index[:, None, :, None] - index[:, None, None, :]).astype(float)
    with np.errstate(over="ignore"):
        shifted = (i << 2) ^ j
    return {
        "expression": ([a, b], np.where(a > b, np.abs(a) + 1, b * 2)),
        "broadcast": ([a, b[:, :1]], a + b[:, :1]),
        "named": ([a, b], np.exp(-a) * b - 0.5),
        "compare": ([a, a[:1]], a <= a[:1]),
        "clamp and cast": ([a * 3], np.round(np.clip(a * 3, -1, 1)).astype(np.int32)),
        "integers": ([i, j], np.fmod(shifted, 7)),
        "attention mask": ([index], -10000 * np.tanh(apart)),
        "sum": ([a], a.sum(1)),
        "max": ([a], a.max()),
        "multi slice": ([rows, at], rows[at][:, None]),
        "gather": ([rows, at[:2].reshape(1, 2) % 3], rows[:, at[:2].reshape(1, 2) % 3]),
        "update add": ([rows, at], total),
        "top k": ([a], np.concatenate([np.take_along_axis(a, order, 1), order], 1)),
        "gelu": ([a], a / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))),
        "softmax": ([a], np.exp(a) / np.exp(a).sum(1, keepdims=True)),
        "swish in place": ([a], a / (1 + np.exp(-a))),
        "sort": ([a], np.sort(a, 0)),
        "one hot": ([at], np.eye(4)[at][:, :3]),
        "iota": ([a], np.arange(-2, 3, dtype=np.int32)),
        "zero part": ([a], zeroed),
    }


CASES = _cases()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("which", sorted(CASES))
def test_library(run, which, debug):
    inputs, wanted = CASES[which]
    kind = {"i": "INT32", "b": "BOOL"}.get(np.asarray(wanted).dtype.kind, "FLOAT")
    a = {"which": which, "shape": list(np.shape(wanted)), "type": kind}
    if not a["shape"]:
        del a["shape"]
    y = run("library", "test.ops.Library", *inputs, attributes=a, debug=debug)
    np.testing.assert_allclose(y, wanted, rtol=2e-6, atol=1e-6)
