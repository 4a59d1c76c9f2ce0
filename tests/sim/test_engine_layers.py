"""Where PopART differs from ONNX, and the ai.graphcore ops, against numpy."""

import numpy as np
import pytest
from session_run import constant, run

RNG = np.random.RandomState(5)


def f(*shape):
    return RNG.uniform(-2, 2, shape).astype(np.float32)


def test_lrn_of_even_size():
    x = f(2, 7, 3, 2)
    (y,) = run(lambda b, o, i: o.lrn(i, alpha=0.3, beta=0.6, bias=1.5, size=4), {"x": x})
    expected = np.empty_like(x)
    for c in range(7):
        window = x[:, max(0, c - 1) : c + 3]
        expected[:, c] = x[:, c] / (1.5 + 0.3 / 4 * (window**2).sum(1)) ** 0.6
    np.testing.assert_allclose(y, expected, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_hot_does_not_wrap(axis):
    x = np.array([[0, 2, -1], [3, 1, 7]], np.int32)
    values = np.array([0.5, 2], np.float32)

    def one_hot(b, o, i):
        depth = constant(b, o, 3, np.int32)
        return o.onehot([i[0], depth, constant(b, o, values)], axis=axis)

    (y,) = run(one_hot, {"x": x})
    hot = np.moveaxis(x[..., None] == np.arange(3), -1, axis)
    np.testing.assert_array_equal(y, np.where(hot, np.float32(2), np.float32(0.5)))


def test_align_corners_counts_the_unrounded_size():
    x = f(1, 1, 1, 6)
    scales = np.array([1, 1, 1, 2.3], np.float32)

    def resize(b, o, i):
        empty = constant(b, o, np.zeros(0, np.float32))
        return o.resize(
            [i[0], empty, constant(b, o, scales)],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )

    (y,) = run(resize, {"x": x})
    at = np.arange(13) * 5 / (6 * np.float64(scales[3]) - 1)
    expected = np.interp(at, np.arange(6), x[0, 0, 0])
    np.testing.assert_allclose(y[0, 0, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_resize_of_any_axes(mode):
    x = f(2, 3, 4)

    def resize(b, o, i):
        empty = constant(b, o, np.zeros(0, np.float32))
        scales = constant(b, o, [2, 1, 1.5], np.float32)
        return o.resize(
            [i[0], empty, scales],
            mode=mode,
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    (y,) = run(resize, {"x": x})
    assert y.shape == (4, 3, 6)
    rows, columns = np.arange(4) / 2, np.arange(6) / 1.5
    if mode == "nearest":
        expected = x[np.floor(rows).astype(int)][:, :, np.floor(columns + 1e-6).astype(int)]
    else:
        across = np.stack([[np.interp(columns, range(4), row) for row in page] for page in x])
        low = np.floor(rows).astype(int)
        high = np.minimum(low + 1, 1)
        part = (rows - low)[:, None, None]
        expected = across[low] * (1 - part) + across[high] * part
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("momentum", [0.9, 0.25])
@pytest.mark.parametrize("domain", ["onnx", "graphcore"])
def test_batch_normalization_with_statistics(domain, momentum):
    x, scale, bias, mean, variance = f(3, 4, 5), f(4), f(4), f(4), np.abs(f(4))

    def make(b, o, i):
        rest = [b.addInitializedInputTensor(a) for a in (scale, bias, mean, variance)]
        ops = o if domain == "onnx" else b.aiGraphcore
        return ops.batchnormalization([i[0], *rest], 5, momentum=momentum)

    y, new_mean, new_variance, saved_mean, saved_variance = run(make, {"x": x})
    batch_mean, batch_variance = x.mean((0, 2)), x.var((0, 2))
    normal = (x - batch_mean[:, None]) / np.sqrt(batch_variance + 1e-5)[:, None]
    np.testing.assert_allclose(y, normal * scale[:, None] + bias[:, None], rtol=1e-4, atol=1e-5)
    if domain == "graphcore":
        batch_variance = (batch_variance + 1e-5) * 15 / 14 - 1e-5
    np.testing.assert_allclose(saved_mean, batch_mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(saved_variance, batch_variance, rtol=1e-4)
    np.testing.assert_allclose(
        new_mean, momentum * mean + (1 - momentum) * batch_mean, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        new_variance, momentum * variance + (1 - momentum) * batch_variance, rtol=1e-4
    )


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize(("shape", "groups"), [((3, 8), 1), ((2, 6, 4), 2), ((2, 6, 2, 3), 6)])
def test_group_normalization(shape, groups, strided):
    from odla_ipu import sim as popart

    x, scale, bias = f(*shape), f(shape[1]), f(shape[1])

    def make(b, o, i):
        return b.aiGraphcore.groupnormalization(i, groups, 1e-3)

    options = popart.SessionOptions()
    options.groupNormStridedChannelGrouping = strided
    y, mean, inverse = run(make, {"x": x, "scale": scale, "bias": bias}, options=options)
    n, c = shape[:2]
    split = x.reshape(n, c, -1).astype(np.float64)
    member = np.arange(c) % groups if strided else np.arange(c) // (c // groups)
    expected = np.empty_like(split)
    means, roots = np.empty((n, groups)), np.empty((n, groups))
    for g in range(groups):
        part = split[:, member == g]
        means[:, g] = part.mean((1, 2))
        roots[:, g] = 1 / np.sqrt(part.var((1, 2)) + 1e-3)
        expected[:, member == g] = (part - means[:, g, None, None]) * roots[:, g, None, None]
    expected = expected * scale[:, None] + bias[:, None]
    np.testing.assert_allclose(y, expected.reshape(shape), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean, means.reshape(-1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(inverse, roots.reshape(-1), rtol=1e-4)


def _lstm(x, w, bias, h, c):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    outputs = []
    for step in x:
        z = np.einsum("ni,gih->gnh", np.concatenate([step, h], 1), w) + bias[:, None]
        c = sigmoid(z[0]) * c + sigmoid(z[1]) * np.tanh(z[2])
        h = sigmoid(z[3]) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), c


@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("initial", [False, True])
def test_graphcore_lstm(full, initial):
    x, w, bias, state = f(5, 2, 3), f(4, 7, 4), f(4, 4), f(2, 2, 4)
    inputs = {"x": x, "w": w, "bias": bias}
    if initial:
        inputs["state"] = state
    output, cell = run(lambda b, o, i: b.aiGraphcore.lstm(i, outputFullSequence=full), inputs)
    h, c = state if initial else np.zeros((2, 2, 4))
    sequence, last = _lstm(x, w, bias, h, c)
    expected = sequence if full else sequence[-1]
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cell, last, rtol=1e-4, atol=1e-5)


def test_lstm_with_lengths_gives_the_last_time_step():
    x, w, r = f(4, 2, 3), f(1, 16, 3), f(1, 16, 4)
    lengths = np.array([4, 2], np.int32)

    def make(b, o, i):
        return o.lstm([i[0], i[1], i[2], "", i[3]], 3)

    y, y_h, _ = run(make, {"x": x, "w": w, "r": r, "lengths": lengths})
    assert y.shape == (4, 1, 2, 4)
    np.testing.assert_array_equal(y_h, y[3])
    assert not y[2:, :, 1].any()


def test_dynamic_windows():
    x, s = f(4, 5, 3), f(4, 2, 3)
    offset = np.array([2], np.uint32)
    inputs = {"x": x, "offset": offset, "s": s}

    def make(b, o, i):
        g = b.aiGraphcore
        keys = {"axes": [1], "sizes": [2]}
        return [
            g.dynamicslice(i[:2], **keys),
            g.dynamicupdate(i, **keys),
            g.dynamicadd(i, **keys),
            g.dynamiczero(i[:2], **keys),
        ]

    sliced, updated, added, zeroed = run(make, inputs)
    np.testing.assert_array_equal(sliced, x[:, 2:4])
    for result, window in ((updated, s), (added, x[:, 2:4] + s), (zeroed, 0)):
        expected = x.copy()
        expected[:, 2:4] = window
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("zero", [0, 1])
def test_sequence_slice(zero):
    source, target = f(6, 2), f(5, 2)
    u32 = {"n": [2, 1], "src": [3, 0], "dst": [1, 4]}
    inputs = {"s": source, "t": target, **{k: np.array(v, np.uint32) for k, v in u32.items()}}
    (y,) = run(lambda b, o, i: b.aiGraphcore.sequenceslice(i, zeroUnused=zero), inputs)
    expected = np.zeros_like(target) if zero else target.copy()
    expected[1:3], expected[4] = source[3:5], source[0]
    np.testing.assert_array_equal(y, expected)


def test_moving_ops_of_graphcore():
    x = f(4, 6)

    def make(b, o, i):
        g = b.aiGraphcore
        return [
            g.reverse(i, [1]),
            g.subsample(i, [3, 2]),
            g.slice(i, [3, 2**31 - 1], [1, -2], [0, 1]),
            g.reshape(i, [0, 2, -1]),
        ]

    flipped, sampled, sliced, shaped = run(make, {"x": x})
    np.testing.assert_array_equal(flipped, x[:, ::-1])
    np.testing.assert_array_equal(sampled, x[::3, ::2])
    np.testing.assert_array_equal(sliced, x[1:3, -2:])
    np.testing.assert_array_equal(shaped, x.reshape(4, 2, 3))


REDUCE = {"Sum": np.add, "Max": np.maximum, "Min": np.minimum, "Mul": np.multiply}


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("kind", REDUCE)
def test_scatter_reduce(kind, initial):
    from odla_ipu import sim as popart

    x, start = f(3, 6), f(3, 5)
    index = np.array([0, 3, 3, 1, 0, 3], np.int32)
    inputs = {"x": x, "index": index}
    if initial:
        inputs["start"] = start

    def make(b, o, i):
        return b.aiGraphcore.scatterreduce(
            i, axis_size=5, axis=-1, reduction=getattr(popart.ScatterReduction, kind)
        )

    (y,) = run(make, inputs)
    neutral = {"Sum": 0, "Max": -np.inf, "Min": np.inf, "Mul": 1}[kind]
    expected = start.copy() if initial else np.full((3, 5), neutral, np.float32)
    for position, slot in enumerate(index):
        expected[:, slot] = REDUCE[kind](expected[:, slot], x[:, position])
    expected[np.isinf(expected)] = 0
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_sort_median_bucketize():
    x = f(3, 7)
    bounds = np.array([-1, 0, 1.5], np.float32)

    def make(b, o, i):
        g = b.aiGraphcore
        return [
            *g.sort([i[0]], axis=1, descending=1),
            *g.reducemedian([i[0]], axes=[1], keepdims=0),
            *g.reducemedian([i[0]]),
            g.bucketize(i),
        ]

    values, indices, median, at, overall, _, buckets = run(make, {"x": x, "bounds": bounds})
    np.testing.assert_array_equal(values, -np.sort(-x, 1))
    np.testing.assert_array_equal(indices, np.argsort(-x, 1, kind="stable"))
    np.testing.assert_array_equal(median, np.sort(x, 1)[:, 3])
    np.testing.assert_array_equal(x[np.arange(3), at], median)
    assert overall.item() == np.sort(x.reshape(-1))[10]
    np.testing.assert_array_equal(buckets, np.searchsorted(bounds, x, side="left"))


def test_losses():
    from odla_ipu import sim as popart

    logits = f(4, 5)
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([0, 4, 2, 2], np.int32)

    def make(b, o, i):
        g = b.aiGraphcore
        none = popart.ReductionType.NoReduction
        return [
            g.nllloss(i),
            g.nllloss(i, popart.ReductionType.Sum, ignoreIndex=2),
            g.nllloss(i, none),
            g.l1loss([i[0]], 0.5),
            g.identityloss([i[0]], popart.ReductionType.Sum),
        ]

    mean, ignoring, each, l1, total = run(make, {"probs": probs, "labels": labels})
    losses = -np.log(probs[np.arange(4), labels])
    np.testing.assert_allclose(mean, losses.mean(), rtol=1e-5)
    np.testing.assert_allclose(ignoring, losses[:2].sum(), rtol=1e-5)
    np.testing.assert_allclose(each, losses, rtol=1e-5)
    np.testing.assert_allclose(l1, 0.5 * np.abs(probs).mean(), rtol=1e-5)
    np.testing.assert_allclose(total, probs.sum(), rtol=1e-5)


def test_multi_conv():
    x, w, bias = f(1, 4, 6, 5), f(6, 2, 3, 3), f(6)
    z, v = f(2, 1, 7), f(3, 1, 2)

    def make(b, o, i):
        joined = b.aiGraphcore.multiconv(
            [[i[0], i[1], i[2]], [i[3], i[4]]],
            strides=[[2, 1], [1]],
            pads=[[1, 0, 0, 1], [0, 0]],
            dilations=[[1, 1], [2]],
            outPads=[[0, 1, 0, 0], [0, 0]],
            inDilations=[[1, 1], [3]],
        )
        spread = np.zeros((2, 1, 19), np.float32)
        spread[:, :, ::3] = z
        first = o.conv(
            [i[0], i[1], i[2]], strides=[2, 1], pads=[1, 0, 0, 1], dilations=[1, 1], group=2
        )
        second = o.conv([constant(b, o, spread), i[4]], dilations=[2])
        return [*joined, first, second]

    inputs = {"x": x, "w": w, "bias": bias, "z": z, "v": v}
    a, b, first, second = run(make, inputs)
    np.testing.assert_allclose(a[..., 1:], first, rtol=1e-5, atol=1e-5)
    # The bias is added after the padding of the output.
    np.testing.assert_allclose(a[..., 0], np.broadcast_to(bias[None, :, None], a[..., 0].shape))
    np.testing.assert_allclose(b, second, rtol=1e-5, atol=1e-5)


def product(o, ids):
    return o.matmul([ids[0], ids[1]])


SUMS = {
    "a row": ((4,), lambda o, i: o.add([product(o, i), i[2]]), lambda y, c: y + c),
    "before": ((4,), lambda o, i: o.add([i[2], product(o, i)]), lambda y, c: y + c),
    "a column": ((3, 1), lambda o, i: o.add([product(o, i), i[2]]), lambda y, c: y + c),
    "a scalar": ((), lambda o, i: o.add([product(o, i), i[2]]), lambda y, c: y + c),
    "more": ((2, 3, 4), lambda o, i: o.add([product(o, i), i[2]]), lambda y, c: y + c),
    "two": (
        (3, 4),
        lambda o, i: o.add([o.add([product(o, i), product(o, i)]), i[2]]),
        lambda y, c: y + y + c,
    ),
    "itself": (
        (3, 4),
        lambda o, i: o.add([o.add([product(o, i)] * 2), i[2]]),
        lambda y, c: y + y + c,
    ),
}


@pytest.mark.parametrize("name", sorted(SUMS))
def test_sums_of_products(name):
    shape, make, wanted = SUMS[name]
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(3, 5)).astype("f4"), rng.normal(size=(5, 4)).astype("f4")
    c = np.asarray(rng.normal(size=shape), "f4")
    (got,) = run(lambda _, o, i: make(o, i), {"a": a, "b": b, "c": c})
    np.testing.assert_allclose(got, wanted(a @ b, c), rtol=1e-5, atol=1e-5)


def test_a_product_that_is_read_twice():
    def make(b, o, i):
        y = product(o, i)
        return [o.add([y, i[2]]), o.relu([y]), y]

    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(3, 5)).astype("f4"), rng.normal(size=(5, 4)).astype("f4")
    c = np.float32([1, 2, 3, 4])
    got = run(make, {"a": a, "b": b, "c": c})
    for one, wanted in zip(got, [a @ b + c, np.maximum(a @ b, 0), a @ b]):
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-5)


def test_a_product_that_only_a_branch_reads():
    """It is computed outside; so is what a loop around the sum would compute again and again."""

    def make(b, o, i):
        y = product(o, i)
        then, other = b.createSubgraphBuilder(), b.createSubgraphBuilder()
        for body in (then, other):
            body.addInputTensorFromParentGraph(y)
            body.addInputTensorFromParentGraph(i[2])
        then.addOutputTensor(then.aiOnnxOpset11.add([y, i[2]]))
        other.addOutputTensor(other.aiOnnxOpset11.neg([i[2]]))
        return o.logical_if([i[3]], 1, other, then)[0]

    a, b, c = np.float32([[1, 2]]), np.float32([[3], [4]]), np.float32([[5]])
    for go, wanted in ((True, 16), (False, -5)):
        (got,) = run(make, {"a": a, "b": b, "c": c, "go": np.array(go)})
        assert got.tolist() == [[wanted]]


def test_a_sum_of_a_product_without_rows_or_terms():
    for shapes in (((0, 5), (5, 4)), ((3, 0), (0, 4)), ((3, 5), (5, 0))):
        a, b = (np.ones(shape, "f4") for shape in shapes)
        c = np.ones((1, b.shape[1]), "f4")
        (got,) = run(lambda _, o, i: o.add([product(o, i), i[2]]), {"a": a, "b": b, "c": c})
        np.testing.assert_array_equal(got, a @ b + c)
