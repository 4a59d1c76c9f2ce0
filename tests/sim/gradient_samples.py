"""Ops to differentiate: how each is built, and what it is given.

A row is (name, build, inputs): ``build(o, g, x)`` calls the builders of ai.onnx and ai.graphcore on
tensors and returns the results that are summed to a loss.  Integer inputs have no gradient.
"""

import numpy as np


def draw(*shape, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng(seed).uniform(low, high, shape)


def apart(*shape, seed=0):
    """Numbers no two of which are near each other, and none near a half."""
    count = int(np.prod(shape))
    steps = np.random.default_rng(seed).permutation(count) - count / 2
    return (steps * 0.37 + 0.11).reshape(shape)


def positive(*shape, seed=0):
    return draw(*shape, seed=seed, low=0.2, high=2.0)


def unit(*shape, seed=0):
    return draw(*shape, seed=seed, low=-0.9, high=0.9)


def ints(*values):
    return np.array(values, np.int32)


def _call(name, **attributes):
    return lambda o, g, x: getattr(o, name)(x, **attributes)


def _graphcore(name, **attributes):
    return lambda o, g, x: getattr(g, name)(x, **attributes)


def _constant(o, values, dtype=np.int64):
    return o.constant(np.array(values, dtype), False)


ROWS = []


def row(name, build, *inputs):
    ROWS.append((name, build, inputs))


for _name in [
    "abs",
    "erf",
    "exp",
    "neg",
    "relu",
    "sigmoid",
    "sin",
    "cos",
    "sinh",
    "cosh",
    "tan",
    "tanh",
    "softplus",
    "softsign",
    "identity",
    "atan",
    "asinh",
    "ceil",
    "floor",
    "sign",
]:
    row(_name, _call(_name), apart(3, 5) / 4 if _name in ("tan", "sinh", "cosh") else apart(3, 5))
for _name in ["log", "sqrt", "reciprocal"]:
    row(_name, _call(_name), positive(7))
for _name in ["acos", "asin", "atanh"]:
    row(_name, _call(_name), unit(2, 3))
row("acosh", _call("acosh"), 1.1 + positive(5))
row("round", _call("round"), apart(5))
row("elu", _call("elu", alpha=0.7), apart(9))
row("selu", _call("selu"), apart(9))
row("leakyrelu", _call("leakyrelu", alpha=0.2), apart(9))
row("hardsigmoid", _call("hardsigmoid", alpha=0.3, beta=0.4), apart(9))
row("thresholdedrelu", _call("thresholdedrelu", alpha=0.5), apart(9))
row("shrink", _call("shrink", lambd=0.6, bias=0.2), apart(9))
row("clip", lambda o, g, x: o.clip([x[0], _constant(o, -1, "f4"), _constant(o, 1, "f4")]), apart(9))
row("cast", lambda o, g, x: o.cast([o.cast(x, "FLOAT16")], "FLOAT"), ints(1, 2).astype("f8"))

for _left, _right in [
    ((3, 4), (3, 4)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 3, 4)),
    ((3, 1), (1, 4)),
    ((), (2, 3)),
    ((2, 0), (1, 0)),
]:
    for _name in ["add", "sub", "mul", "div"]:
        row(f"{_name} {_left} {_right}", _call(_name), draw(*_left), positive(*_right, seed=1))
row("pow", _call("pow"), positive(2, 3), draw(3, seed=1))
row("one value twice", lambda o, g, x: o.mul([x[0], o.add([x[0], x[0]])]), draw(3))
row("sum", _call("sum"), draw(3, 4), draw(4, seed=1), draw(3, 1, seed=2))
row("mean", _call("mean"), draw(3, 4), draw(4, seed=1), draw(3, 1, seed=2))
row("max", _call("max"), apart(3, 4), apart(4, seed=1) + 0.1)
row("min", _call("min"), apart(3, 4), apart(4, seed=1) + 0.1, apart(1, seed=2) + 0.05)
row("mod", _call("mod", fmod=1), apart(3, 4), positive(4, seed=1) + 0.3)
row(
    "where",
    lambda o, g, x: o.where([o.greater([x[0], x[1]]), x[0], x[1]]),
    apart(3, 4),
    apart(4, seed=1) + 0.1,
)

row("reshape", lambda o, g, x: o.reshape([x[0], _constant(o, [4, -1])]), draw(2, 6))
row("flatten", _call("flatten", axis=2), draw(2, 3, 4))
row("squeeze", _call("squeeze", axes=[1]), draw(2, 1, 3))
row("unsqueeze", _call("unsqueeze", axes=[0, 2]), draw(2, 3))
row("transpose", _call("transpose", perm=[2, 0, 1]), draw(2, 3, 4))
row("transpose back", _call("transpose"), draw(2, 3, 4))
row("concat", _call("concat", axis=-1), draw(2, 3), draw(2, 1, seed=1), draw(2, 0))
row("split", _call("split", num_outputs=2, axis=1, split=[1, 3]), draw(2, 4))
row(
    "split, one part read",
    lambda o, g, x: o.split(x, num_outputs=3, axis=0)[1],
    draw(6, 2),
)


def _sliced(starts, ends, axes, steps=None):
    def build(o, g, x):
        rest = [starts, ends, axes] + ([steps] if steps else [])
        return o.slice([x[0], *(_constant(o, one) for one in rest)])

    return build


row("slice", _sliced([1, -3], [2**31, -1], [0, 2]), draw(3, 2, 5))
row("slice backwards", _sliced([-1], [-(2**31)], [1], [-1]), draw(3, 5))
row("slice a part backwards", _sliced([3], [0], [1], [-1]), draw(3, 5))
row("subsample", _graphcore("subsample", strides=[2, 1]), draw(5, 3))
row("reverse", _graphcore("reverse", dimensions=[0, 1]), draw(2, 3, 2))
row("expand", lambda o, g, x: o.expand([x[0], _constant(o, [2, 3, 4])]), draw(3, 1))
row("tile", lambda o, g, x: o.tile([x[0], _constant(o, [2, 1, 3])]), draw(2, 3, 2))
row("pad", lambda o, g, x: o.pad([x[0], _constant(o, [1, 0, 0, 2])]), draw(3, 2))
row("gather", lambda o, g, x: o.gather([x[0], x[1]], axis=1), draw(3, 4, 2), ints([0, 3], [3, 1]))
row(
    "gather scalar",
    lambda o, g, x: o.gather([x[0], x[1]], axis=0),
    draw(3, 4),
    np.array(2, np.int32),
)
row(
    "scatterelements",
    lambda o, g, x: o.scatterelements([x[0], x[1], x[2]], axis=1),
    draw(2, 5),
    ints([1, 3], [0, 4]),
    draw(2, 2, seed=1),
)
row(
    "onehot",
    lambda o, g, x: o.onehot([x[0], _constant(o, 4), x[1]], axis=0),
    ints(1, 3, 0),
    draw(2),
)
row(
    "topk",
    lambda o, g, x: o.topk([x[0], _constant(o, [2])], axis=1)[0],
    apart(3, 5),
)
row("depthtospace", _call("depthtospace", blocksize=2, mode="DCR"), draw(1, 8, 2, 3))
row("depthtospace crd", _call("depthtospace", blocksize=2, mode="CRD"), draw(1, 8, 2, 3))
row("spacetodepth", _call("spacetodepth", blocksize=2), draw(1, 2, 4, 6))
row("cumsum", lambda o, g, x: o.cumsum([x[0], _constant(o, 1)], exclusive=1), draw(2, 4))
row("cumsum back", lambda o, g, x: o.cumsum([x[0], _constant(o, 0)], reverse=1), draw(2, 4))
row(
    "dynamicslice",
    lambda o, g, x: g.dynamicslice([x[0], x[1]], axes=[1], sizes=[2], noOverlap=0),
    draw(2, 5),
    np.array([3], np.uint32),
)
row(
    "dynamicupdate",
    lambda o, g, x: g.dynamicupdate([x[0], x[1], x[2]], axes=[1], sizes=[2], noOverlap=0),
    draw(2, 5),
    np.array([1], np.uint32),
    draw(2, 2, seed=1),
)
row(
    "dynamicadd",
    lambda o, g, x: g.dynamicadd([x[0], x[1], x[2]], axes=[0], sizes=[1]),
    draw(2, 5),
    np.array([1], np.uint32),
    draw(1, 5, seed=1),
)
row(
    "dynamiczero",
    lambda o, g, x: g.dynamiczero([x[0], x[1]], axes=[0], sizes=[1]),
    draw(2, 5),
    np.array([1], np.uint32),
)

for _name in [
    "reducel1",
    "reducel2",
    "reducelogsum",
    "reducelogsumexp",
    "reducemax",
    "reducemean",
    "reducemin",
    "reduceprod",
    "reducesum",
    "reducesumsquare",
]:
    _data = positive(2, 3, 4) if "log" in _name else apart(2, 3, 4)
    row(_name, _call(_name, axes=[0, -1], keepdims=0), _data)
    row(f"{_name} of all", _call(_name), _data)

for _left, _right in [
    ((3, 4), (4, 5)),
    ((2, 3, 4), (4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((4,), (4,)),
]:
    row(f"matmul {_left} {_right}", _call("matmul"), draw(*_left), draw(*_right, seed=1))
for _a, _b in [(0, 0), (0, 1), (1, 0), (1, 1)]:
    row(
        f"gemm {_a}{_b}",
        _call("gemm", transA=_a, transB=_b, alpha=0.5, beta=2.0),
        draw(*((4, 3) if _a else (3, 4))),
        draw(*((5, 4) if _b else (4, 5)), seed=1),
        draw(5, seed=2),
    )
row("conv", _call("conv"), draw(2, 3, 6, 5), draw(4, 3, 3, 2, seed=1), draw(4, seed=2))
row(
    "conv strided",
    _call("conv", strides=[2, 3], pads=[1, 0, 2, 1], dilations=[1, 2]),
    draw(2, 2, 8, 9),
    draw(3, 2, 3, 2, seed=1),
)
row("conv that leaves a rest", _call("conv", strides=[3]), draw(1, 2, 9), draw(2, 2, 2, seed=1))
row("conv in groups", _call("conv", group=2, pads=[1, 1]), draw(2, 4, 5), draw(6, 2, 3, seed=1))
row("conv in depth", _call("conv", group=3), draw(1, 3, 4, 4), draw(3, 1, 2, 2, seed=1))
row("conv in space", _call("conv"), draw(1, 2, 3, 3, 3), draw(2, 2, 2, 2, 2, seed=1))
row(
    "convtranspose",
    _call("convtranspose", strides=[2, 2], pads=[1, 0, 0, 1]),
    draw(2, 3, 3, 4),
    draw(3, 2, 3, 3, seed=1),
    draw(2, seed=2),
)
row(
    "averagepool",
    _call("averagepool", kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1]),
    draw(2, 2, 6, 5),
)
row("averagepool of a rest", _call("averagepool", kernel_shape=[2], strides=[3]), draw(1, 2, 9))
row(
    "maxpool",
    _call("maxpool", num_outputs=1, kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1]),
    apart(2, 2, 6, 5),
)
row(
    "maxpool of a rest",
    _call("maxpool", num_outputs=1, kernel_shape=[2], strides=[3]),
    apart(1, 2, 9),
)
row("globalaveragepool", _call("globalaveragepool"), draw(2, 3, 4, 2))
row("globalmaxpool", _call("globalmaxpool"), apart(2, 3, 4, 2))
row(
    "instancenormalization",
    _call("instancenormalization", epsilon=1e-2),
    draw(2, 3, 4, 2),
    draw(3, seed=1),
    draw(3, seed=2),
)
row(
    "groupnormalization",
    lambda o, g, x: g.groupnormalization(x, num_groups=2, epsilon=1e-2)[0],
    draw(2, 4, 3),
    draw(4, seed=1),
    draw(4, seed=2),
)
row(
    "groupnormalization of rows",
    lambda o, g, x: g.groupnormalization(x, num_groups=1, epsilon=1e-2)[0],
    draw(3, 5),
    draw(5, seed=1),
    draw(5, seed=2),
)
row("softmax", _call("softmax", axis=1), draw(3, 5))
row("logsoftmax", _call("logsoftmax", axis=1), draw(3, 5))
row(
    "resize",
    lambda o, g, x: o.resize(
        [x[0], _constant(o, [], "f4"), _constant(o, [1, 1, 2, 3], "f4")], mode="nearest"
    ),
    draw(1, 2, 2, 3),
)

for _name, _count in [("rnn", 1), ("gru", 3), ("lstm", 4)]:
    _hidden, _width = 3, 2
    _weights = [
        draw(1, _count * _hidden, _width, seed=1) / 2,
        draw(1, _count * _hidden, _hidden, seed=2) / 2,
        draw(1, 2 * _count * _hidden, seed=3) / 2,
    ]
    _outputs = 3 if _name == "lstm" else 2
    row(_name, _call(_name, num_outputs=_outputs, clip=None), draw(4, 2, _width), *_weights)
row(
    "gru, reset behind",
    _call("gru", num_outputs=2, clip=None, linear_before_reset=1),
    draw(3, 2, 2),
    draw(1, 9, 2, seed=1),
    draw(1, 9, 3, seed=2),
    draw(1, 18, seed=3),
)

row("gelu", _graphcore("gelu"), draw(9))
row("geluerf", _graphcore("geluerf"), draw(9))
row("swish", _graphcore("swish"), draw(9))
row("expm1", _graphcore("expm1"), draw(9))
row("log1p", _graphcore("log1p"), positive(9))
row("scale", _graphcore("scale", scale=-0.7), draw(2, 3))
row("atan2", _graphcore("atan2"), draw(3, 4), draw(4, seed=1))
row("remainder", _graphcore("remainder"), apart(3, 4), positive(4, seed=1) + 0.3)
row("l1loss", _graphcore("l1loss", **{"lambda": 0.3}), apart(3, 4))
row("identityloss", _graphcore("identityloss"), draw(3, 4))
