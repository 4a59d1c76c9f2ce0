"""A small model for every operator of PopART, with what numpy gives for it.

``SAMPLES[domain, type]`` is a list of samples.  A sample's ``call(t)`` adds the op in a `Test`
and returns its outputs; ``expect`` takes the arrays of the inputs.  ``since`` limits a sample to
versions of the op.
"""

import math
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

import odla_ipu.sim as popart

RNG = np.random.RandomState(2)


class Test:
    """What a sample's call works with: a builder, the accessor of its opset, ids of the inputs."""

    __test__ = False

    def __init__(self, builder: Any, ops: Any, ids: Sequence[str], since: int, opset: int):
        self.b, self.o, self.x, self.since, self.opset = builder, ops, list(ids), since, opset
        self.g = builder.aiGraphcore

    def const(self, value: Any, dtype: Any = np.int64) -> str:
        value = np.asarray(value, dtype)
        return self.o.constant(value, False) if self.opset == 11 else self.o.constant(value)


class Sample(NamedTuple):
    inputs: List[np.ndarray]
    call: Callable[[Test], Any]
    expect: Callable[..., Any]
    since: Tuple[int, ...] = ()
    tolerance: float = 1e-5


SAMPLES: Dict[Tuple[str, str], List[Sample]] = {}
GRAPHCORE = "ai.graphcore"


def f(*shape, low=-2.0, high=2.0, dtype=np.float32):
    return RNG.uniform(low, high, shape).astype(dtype)


def n(*shape, low=-9, high=9, dtype=np.int32):
    return RNG.randint(low, high, shape).astype(dtype)


def add(op_type, inputs, call, expect, since=(), domain="", tolerance=1e-5):
    """Add a sample; ``call`` may be the name of a method that takes the inputs alone."""
    if isinstance(call, str):
        name = call

        def call(t):
            return getattr(t.g if domain else t.o, name)(t.x)

    sample = Sample(inputs, call, expect, since, tolerance)
    SAMPLES.setdefault((domain, op_type), []).append(sample)


def g(op_type, inputs, call, expect, tolerance=1e-5):
    add(op_type, inputs, call, expect, domain=GRAPHCORE, tolerance=tolerance)


erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# One input, elementwise.

for _type, _function, _low, _high in [
    ("Abs", np.abs, -2, 2),
    ("Acos", np.arccos, -0.9, 0.9),
    ("Acosh", np.arccosh, 1.1, 4),
    ("Asin", np.arcsin, -0.9, 0.9),
    ("Asinh", np.arcsinh, -2, 2),
    ("Atan", np.arctan, -2, 2),
    ("Atanh", np.arctanh, -0.9, 0.9),
    ("Ceil", np.ceil, -2, 2),
    ("Cos", np.cos, -2, 2),
    ("Cosh", np.cosh, -2, 2),
    ("Elu", lambda x: np.where(x > 0, x, np.expm1(x)), -2, 2),
    ("Erf", erf, -2, 2),
    ("Exp", np.exp, -2, 2),
    ("Floor", np.floor, -2, 2),
    ("HardSigmoid", lambda x: np.clip(0.2 * x + 0.5, 0, 1), -4, 4),
    ("Identity", lambda x: x, -2, 2),
    ("LeakyRelu", lambda x: np.where(x > 0, x, 0.01 * x), -2, 2),
    ("Log", np.log, 0.1, 3),
    ("Neg", np.negative, -2, 2),
    ("Reciprocal", np.reciprocal, 0.5, 2),
    ("Relu", lambda x: np.maximum(x, 0), -2, 2),
    ("Round", lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5), -3, 3),
    ("Selu", lambda x: 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(x)), -2, 2),
    ("Shrink", lambda x: np.where(np.abs(x) > 0.5, x, 0), -2, 2),
    ("Sigmoid", sigmoid, -2, 2),
    ("Sign", np.sign, -2, 2),
    ("Sin", np.sin, -2, 2),
    ("Sinh", np.sinh, -2, 2),
    ("Softplus", lambda x: np.log1p(np.exp(x)), -2, 2),
    ("Softsign", lambda x: x / (1 + np.abs(x)), -2, 2),
    ("Sqrt", np.sqrt, 0, 3),
    ("Tan", np.tan, -1, 1),
    ("Tanh", np.tanh, -2, 2),
    ("ThresholdedRelu", lambda x: np.where(x > 1, x, 0), -2, 2),
]:
    add(_type, [f(3, 5, low=_low, high=_high)], _type.lower(), _function)

add("Not", [n(4, low=0, high=2, dtype=bool)], "logical_not", np.logical_not)
add("IsNaN", [np.array([1, np.nan, np.inf], "f4")], "isnan", np.isnan)
add("IsInf", [np.array([1, np.nan, np.inf, -np.inf], "f4")], "isinf", np.isinf)
add("Cast", [f(3, 4, low=-9, high=9)], lambda t: t.o.cast(t.x, "INT32"), lambda x: x.astype("i4"))
add("Clip", [f(9)], lambda t: t.o.clip(t.x, 1.5, -0.5), lambda x: np.clip(x, -0.5, 1.5), (6,))
add(
    "Clip",
    [f(9)],
    lambda t: t.o.clip([t.x[0], t.const(-0.5, "f4"), t.const(1.5, "f4")]),
    lambda x: np.clip(x, -0.5, 1.5),
    (11,),
)

# Several inputs, elementwise.

_ARITHMETIC = [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide)]
for _type, _function in [*_ARITHMETIC, ("Pow", np.power)]:
    _name = _type.lower()
    _inputs = [f(2, 3, 4, low=0.5), f(3, 4, low=0.5)]
    add(_type, _inputs, _type.lower(), _function)
    add(
        _type,
        [f(2, 3, 4, low=0.5), f(3, low=0.5)],
        lambda t, name=_name: getattr(t.o, name)(t.x, axis=1, broadcast=1),
        lambda x, y, function=_function: function(x, y[:, None]),
        (1, 6),
    )
for _type, _method, _function in [
    ("And", "logical_and", np.logical_and),
    ("Or", "logical_or", np.logical_or),
]:
    add(_type, [n(2, 4, low=0, high=2, dtype=bool) for _ in "ab"], _method, _function)
for _type, _function in [("Equal", np.equal), ("Greater", np.greater), ("Less", np.less)]:
    add(_type, [n(3, 4, low=0, high=3).astype("f4") for _ in "ab"], _type.lower(), _function)
add("Equal", [n(3, 4, low=0, high=3) for _ in "ab"], "equal", np.equal)
for _type, _function in [
    ("Max", lambda *x: np.maximum(np.maximum(x[0], x[1]), x[2])),
    ("Min", lambda *x: np.minimum(np.minimum(x[0], x[1]), x[2])),
    ("Sum", lambda *x: x[0] + x[1] + x[2]),
    ("Mean", lambda *x: (x[0] + x[1] + x[2]) / 3),
]:
    add(_type, [f(2, 3) for _ in "abc"], _type.lower(), _function)
add("Mod", [n(9), n(9, low=1)], "mod", np.mod)
add("Mod", [f(9), f(9, low=1)], lambda t: t.o.mod(t.x, fmod=1), np.fmod)
add("PRelu", [f(2, 3), f(3)], "prelu", lambda x, s: np.where(x > 0, x, s * x))
add("Where", [n(3, 1, low=0, high=2, dtype=bool), f(3, 2), f(2)], "where", np.where)

# Shapes and movement.


def _depth_to_space(x, block, mode):
    b, c, h, w = x.shape
    if mode == "DCR":
        x = x.reshape(b, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        x = x.reshape(b, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(b, c // block**2, h * block, w * block)


def _space_to_depth(x, block):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // block, block, w // block, block).transpose(0, 3, 5, 1, 2, 4)
    return x.reshape(b, c * block**2, h // block, w // block)


def _scatter(x, index, updates):
    x = x.copy()
    np.put_along_axis(x, index.astype(int), updates, 1)
    return x


add("Concat", [f(2, 3), f(2, 1)], lambda t: t.o.concat(t.x, 1), lambda *x: np.concatenate(x, 1))
add("Constant", [f(2)], lambda t: t.o.add([t.x[0], t.const([3, 4], "f4")]), lambda x: x + [3, 4])
add(
    "ConstantOfShape",
    [f(2, 3)],
    lambda t: t.o.add([t.x[0], t.o.constantofshape([t.const([2, 3])], np.array([7], "f4"))]),
    lambda x: x + 7,
)
add(
    "DepthToSpace",
    [f(1, 8, 2, 3)],
    lambda t: t.o.depthtospace(t.x, 2),
    lambda x: _depth_to_space(x, 2, "DCR"),
)
add(
    "DepthToSpace",
    [f(1, 8, 2, 3)],
    lambda t: t.o.depthtospace(t.x, 2, mode="CRD"),
    lambda x: _depth_to_space(x, 2, "CRD"),
    (11,),
)
add(
    "SpaceToDepth",
    [f(1, 2, 4, 6)],
    lambda t: t.o.spacetodepth(t.x, 2),
    lambda x: _space_to_depth(x, 2),
)
add(
    "Expand",
    [f(3, 1)],
    lambda t: t.o.expand([t.x[0], t.const([2, 1, 4])]),
    lambda x: np.broadcast_to(x, (2, 3, 4)),
)
add("Flatten", [f(2, 3, 4)], lambda t: t.o.flatten(t.x, 2), lambda x: x.reshape(6, 4))
add("Gather", [f(3, 4), n(2, low=0, high=4)], lambda t: t.o.gather(t.x, 1), lambda x, i: x[:, i])
add(
    "OneHot",
    [n(4, low=0, high=3), f(2)],
    lambda t: t.o.onehot([t.x[0], t.const(3), t.x[1]]),
    lambda i, v: np.where(np.arange(3) == i[:, None], v[1], v[0]),
)
for _mode in ("constant", "edge", "reflect"):
    add(
        "Pad",
        [f(2, 3)],
        lambda t, mode=_mode: t.o.pad(t.x, [1, 0, 1, 2], mode),
        lambda x, mode=_mode: np.pad(x, [(1, 1), (0, 2)], mode),
        (2,),
    )
    add(
        "Pad",
        [f(2, 3)],
        lambda t, mode=_mode: t.o.pad([t.x[0], t.const([1, 0, 1, 2])], mode),
        lambda x, mode=_mode: np.pad(x, [(1, 1), (0, 2)], mode),
        (11,),
    )
add(
    "Reshape",
    [f(2, 3, 4)],
    lambda t: t.o.reshape([t.x[0], t.const([0, -1])]),
    lambda x: x.reshape(2, 12),
)
for _type in ("Scatter", "ScatterElements"):
    _name = _type.lower()
    add(
        _type,
        [f(2, 5), np.array([[4, 1], [0, 3]], np.int32), f(2, 2)],
        lambda t, name=_name: getattr(t.o, name)(t.x, 1),
        _scatter,
    )
add("Shape", [f(2, 3)], lambda t: t.o.reshape([t.x[0], t.o.shape(t.x)]), lambda x: x)
add(
    "Slice",
    [f(4, 5)],
    lambda t: t.o.slice(t.x, [4, 3], [-3, 0], [0, 1]),
    lambda x: x[1:4, :3],
    (1,),
)
add(
    "Slice",
    [f(4, 5)],
    lambda t: t.o.slice([t.x[0], *(t.const(v) for v in ([3, 0], [-9, 3], [0, 1], [-1, 1]))]),
    lambda x: x[::-1, :3],
    (10, 11),
)
add("Split", [f(2, 5)], lambda t: t.o.split(t.x, 2, 1, [2, 3]), lambda x: (x[:, :2], x[:, 2:]))
add("Squeeze", [f(1, 2, 1)], lambda t: t.o.squeeze(t.x, [0]), lambda x: x[0])
add("Unsqueeze", [f(2, 3)], lambda t: t.o.unsqueeze(t.x, [0, 3]), lambda x: x[None, ..., None])
add("Tile", [f(2, 3)], lambda t: t.o.tile([t.x[0], t.const([2, 1])]), lambda x: np.tile(x, (2, 1)))
add(
    "Transpose",
    [f(2, 3, 4)],
    lambda t: t.o.transpose(t.x, [2, 0, 1]),
    lambda x: x.transpose(2, 0, 1),
)

# Reductions and searches.

for _type, _function in [
    ("ReduceL1", lambda x, a, k: np.abs(x).sum(a, keepdims=k)),
    ("ReduceL2", lambda x, a, k: np.sqrt((x * x).sum(a, keepdims=k))),
    ("ReduceLogSum", lambda x, a, k: np.log(x.sum(a, keepdims=k))),
    ("ReduceLogSumExp", lambda x, a, k: np.log(np.exp(x).sum(a, keepdims=k))),
    ("ReduceMax", lambda x, a, k: x.max(a, keepdims=k)),
    ("ReduceMean", lambda x, a, k: x.mean(a, keepdims=k)),
    ("ReduceMin", lambda x, a, k: x.min(a, keepdims=k)),
    ("ReduceProd", lambda x, a, k: x.prod(a, keepdims=k)),
    ("ReduceSum", lambda x, a, k: x.sum(a, keepdims=k)),
    ("ReduceSumSquare", lambda x, a, k: (x * x).sum(a, keepdims=k)),
]:
    _name = _type.lower()
    for _axes, _keep in [([1], 1), ([0, 2], 0), (None, 1)]:
        add(
            _type,
            [f(2, 3, 4, low=0.1)],
            lambda t, name=_name, a=_axes, k=_keep: getattr(t.o, name)(t.x, a, k),
            lambda x, function=_function, a=_axes, k=_keep: function(
                x, tuple(a) if a else None, bool(k)
            ),
        )
for _type, _function in [("ArgMax", np.argmax), ("ArgMin", np.argmin)]:
    _name = _type.lower()
    add(
        _type,
        [f(3, 4)],
        lambda t, name=_name: getattr(t.o, name)(t.x, 1, 0),
        lambda x, function=_function: function(x, 1).astype("i4"),
    )
add("CumSum", [f(3, 4)], lambda t: t.o.cumsum([t.x[0], t.const(1, "i4")]), lambda x: x.cumsum(1))


def _largest(x):
    order = np.argsort(-x, 1)[:, :2]
    return np.take_along_axis(x, order, 1), order.astype("i4")


def _smallest(x):
    order = np.argsort(x, 1)[:, :2]
    return np.take_along_axis(x, order, 1), order.astype("i4")


add("TopK", [f(3, 5)], lambda t: t.o.topk(t.x, 2, axis=1), _largest, (1,))
add("TopK", [f(3, 5)], lambda t: t.o.topk([t.x[0], t.const([2])], axis=1), _largest, (10, 11))
add(
    "TopK",
    [f(3, 5)],
    lambda t: t.o.topk([t.x[0], t.const([2])], axis=1, largest=0),
    _smallest,
    (11,),
)

# Linear algebra and neural layers.


def _windows(x, kernel, stride, pads, fill):
    """[N, C, OH, OW, KH, KW] of a padded image."""
    x = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def _conv(x, w, b=None, stride=(1, 1), pads=(0, 0, 0, 0), group=1):
    view = _windows(x, w.shape[2:], stride, pads, 0)
    size = w.shape[1]
    parts = [
        np.einsum("nchwij,ocij->nohw", view[:, k * size : k * size + size], part)
        for k, part in enumerate(np.split(w, group))
    ]
    y = np.concatenate(parts, 1)
    return y if b is None else y + b[:, None, None]


def _transposed(x, w, stride=2):
    """Without padding: each element adds its weighted kernel."""
    (batch, _, h, width), (_, out, kh, kw) = x.shape, w.shape
    y = np.zeros((batch, out, (h - 1) * stride + kh, (width - 1) * stride + kw))
    for i, j in np.ndindex(h, width):
        y[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw] += np.einsum(
            "nc,coij->noij", x[:, :, i, j], w
        )
    return y


add(
    "Conv",
    [f(2, 4, 5, 6), f(6, 2, 3, 2), f(6)],
    lambda t: t.o.conv(t.x, group=2, strides=[2, 1], pads=[1, 0, 1, 1]),
    lambda x, w, b: _conv(x, w, b, (2, 1), (1, 0, 1, 1), 2),
)
add(
    "ConvTranspose",
    [f(1, 2, 3, 2), f(2, 3, 3, 2)],
    lambda t: t.o.convtranspose(t.x, strides=[2, 2]),
    _transposed,
)
_POOL = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}


def _average(x):
    ones = _windows(np.ones_like(x), (3, 2), (2, 2), (1, 0, 1, 0), 0).sum((4, 5))
    return _windows(x, (3, 2), (2, 2), (1, 0, 1, 0), 0).sum((4, 5)) / ones


add("AveragePool", [f(1, 2, 6, 4)], lambda t: t.o.averagepool(t.x, **_POOL), _average)
add(
    "MaxPool",
    [f(1, 2, 6, 4)],
    lambda t: t.o.maxpool(t.x, **_POOL) if t.since == 1 else t.o.maxpool(t.x, 1, **_POOL)[0],
    lambda x: _windows(x, (3, 2), (2, 2), (1, 0, 1, 0), -np.inf).max((4, 5)),
)
add("GlobalAveragePool", [f(1, 2, 3, 4)], "globalaveragepool", lambda x: x.mean((2, 3), keepdims=1))
add("GlobalMaxPool", [f(1, 2, 3, 4)], "globalmaxpool", lambda x: x.max((2, 3), keepdims=True))
add(
    "Gemm",
    [f(4, 3), f(4, 5), f(3, 5)],
    lambda t: t.o.gemm(t.x, alpha=0.5, beta=2.0, transA=1),
    lambda a, b, c: 0.5 * a.T @ b + 2 * c,
)
add("Gemm", [f(4, 3), f(3, 5)], "gemm", np.matmul, (11,))
add("MatMul", [f(2, 3, 4), f(4, 5)], "matmul", np.matmul)


def _normalised(x, scale, bias, mean, variance):
    shape = (-1, *[1] * (x.ndim - 2))
    unit = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-5)
    return unit * scale.reshape(shape) + bias.reshape(shape)


def _trained(x, scale, bias, mean, variance):
    m, v = x.mean((0, 2, 3)), x.var((0, 2, 3))
    y = _normalised(x, scale, bias, m, v)
    return y, 0.9 * mean + 0.1 * m, 0.9 * variance + 0.1 * v, m, v


def _statistics():
    return [f(2, 3, 4, 5), f(3), f(3), f(3), f(3, low=0.5)]


add("BatchNormalization", _statistics(), lambda t: t.o.batchnormalization(t.x, 1)[0], _normalised)
add("BatchNormalization", _statistics(), lambda t: t.o.batchnormalization(t.x, 5), _trained)


def _per_feature(x, scale, bias, mean, variance):
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + bias


add(
    "BatchNormalization",
    [f(2, 3, 4), *(f(3, 4) for _ in "sbm"), f(3, 4, low=0.5)],
    lambda t: t.o.batchnormalization(t.x, 1, spatial=0)[0],
    _per_feature,
    (6, 7),
)
add(
    "InstanceNormalization",
    [f(2, 3, 4), f(3), f(3)],
    "instancenormalization",
    lambda x, s, b: (
        (x - x.mean(2, keepdims=True)) / np.sqrt(x.var(2, keepdims=True) + 1e-5) * s[:, None]
        + b[:, None]
    ),
)


def _lrn(x):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        y[:, c] = x[:, c] / (2 + 0.5 / 3 * (x[:, max(0, c - 1) : c + 2] ** 2).sum(1)) ** 0.75
    return y


add("LRN", [f(2, 5, 3)], lambda t: t.o.lrn(t.x, 3, alpha=0.5, bias=2.0), _lrn)
add("Dropout", [f(3, 4)], lambda t: t.o.dropout(t.x, 1)[0], lambda x: x)
add("Dropout", [f(3, 4)], lambda t: t.o.dropout(t.x, 2), lambda x: (x, np.ones(x.shape, bool)))


def _softmax(x):
    flat = np.exp(x.reshape(2, 12))
    return (flat / flat.sum(1, keepdims=True)).reshape(x.shape)


add("Softmax", [f(2, 3, 4)], "softmax", _softmax)
add("LogSoftmax", [f(2, 3, 4)], "logsoftmax", lambda x: np.log(_softmax(x)))


def _repeated(x):
    return x.repeat(2, 2).repeat(3, 3)


_SCALES = [1.0, 1.0, 2.0, 3.0]
add(
    "Resize",
    [f(1, 1, 2, 2)],
    lambda t: t.o.resize([t.x[0], t.const(_SCALES, "f4")]),
    _repeated,
    (10,),
)
add(
    "Resize",
    [f(1, 1, 2, 2)],
    lambda t: t.o.resize([t.x[0], t.const([], "f4"), t.const(_SCALES, "f4")]),
    _repeated,
    (11,),
)
add(
    "Upsample", [f(1, 1, 2, 2)], lambda t: t.o.upsample([t.x[0], t.const(_SCALES, "f4")]), _repeated
)
add(
    "RoiAlign",
    [f(1, 2, 6, 6), np.array([[1, 1, 3, 3]], "f4"), np.array([0], np.int32)],
    lambda t: t.o.roialign(t.x, output_height=2, output_width=2, sampling_ratio=1),
    # One sample in the middle of each bin of a unit square: halfway between four elements.
    lambda x, r, i: (
        (x[:, :, 1:3, 1:3] + x[:, :, 2:4, 1:3] + x[:, :, 1:3, 2:4] + x[:, :, 2:4, 2:4]) / 4
    ),
)

# Recurrent layers.


def _lstm(x, w, r, b):
    h = c = np.zeros((x.shape[1], r.shape[-1]))
    rows = []
    for step in x:
        i, o, fg, cell = np.split(step @ w[0].T + h @ r[0].T + b[0, :12] + b[0, 12:], 4, 1)
        c = sigmoid(fg) * c + sigmoid(i) * np.tanh(cell)
        h = sigmoid(o) * np.tanh(c)
        rows.append(h)
    return np.stack(rows)[:, None], h[None], c[None]


def _gru(x, w, r, b):
    h = np.zeros((x.shape[1], r.shape[-1]))
    (wz, wr, wh), (rz, rr, rh) = np.split(w[0], 3), np.split(r[0], 3)
    bias = np.split(b[0], 6)
    rows = []
    for step in x:
        z = sigmoid(step @ wz.T + h @ rz.T + bias[0] + bias[3])
        reset = sigmoid(step @ wr.T + h @ rr.T + bias[1] + bias[4])
        candidate = np.tanh(step @ wh.T + (reset * h) @ rh.T + bias[2] + bias[5])
        h = (1 - z) * candidate + z * h
        rows.append(h)
    return np.stack(rows)[:, None], h[None]


def _rnn(x, w, r, b):
    h = np.zeros((x.shape[1], r.shape[-1]))
    rows = []
    for step in x:
        h = np.tanh(step @ w[0].T + h @ r[0].T + b[0, :3] + b[0, 3:])
        rows.append(h)
    return np.stack(rows)[:, None], h[None]


for _type, _gates, _outputs, _function in [
    ("LSTM", 4, 3, _lstm),
    ("GRU", 3, 2, _gru),
    ("RNN", 1, 2, _rnn),
]:
    _name = _type.lower()
    add(
        _type,
        [f(4, 2, 5), f(1, 3 * _gates, 5), f(1, 3 * _gates, 3), f(1, 6 * _gates)],
        lambda t, name=_name, outputs=_outputs: getattr(t.o, name)(t.x, outputs),
        _function,
    )

# Random ops: only what is certain of them.

for _type, _arguments in [
    ("RandomNormal", lambda t: [[3, 4]]),
    ("RandomUniform", lambda t: [[3, 4]]),
    ("RandomNormalLike", lambda t: [t.x]),
    ("RandomUniformLike", lambda t: [t.x]),
]:
    _name = _type.lower()

    def _call(t, name=_name, arguments=_arguments):
        y = getattr(t.o, name)(*arguments(t))
        return t.o.add([t.x[0], t.o.sub([y, y])])

    add(_type, [f(3, 4)], _call, lambda x: x)

# Control flow.


def _if(t):
    bodies = []
    for name in ("neg", "exp"):
        body = t.b.createSubgraphBuilder()
        ops = getattr(body, f"aiOnnxOpset{t.opset}")
        body.addInputTensorFromParentGraph(t.x[1])
        body.addOutputTensor(getattr(ops, name)([t.x[1]]))
        bodies.append(body)
    return t.o.logical_if([t.x[0]], 1, *bodies)[0]


add("If", [np.array(True), f(3)], _if, lambda c, x: np.exp(x))
add("If", [np.array(False), f(3)], _if, lambda c, x: -x)


def _loop(t):
    body = t.b.createSubgraphBuilder()
    ops = getattr(body, f"aiOnnxOpset{t.opset}")
    body.addUntypedInputTensor()
    keep = body.addUntypedInputTensor()
    total = ops.add([body.addUntypedInputTensor(), t.x[0]])
    for tensor in (keep, total, ops.neg([total])):
        body.addOutputTensor(tensor)
    return t.o.loop([t.const(3), t.const(True, bool), t.x[0]], 2, body)


add("Loop", [f(2)], _loop, lambda x: (4 * x, np.stack([-2 * x, -3 * x, -4 * x])))


def _scan(t):
    body = t.b.createSubgraphBuilder()
    ops = getattr(body, f"aiOnnxOpset{t.opset}")
    total = ops.add([body.addUntypedInputTensor(), body.addUntypedInputTensor()])
    body.addOutputTensor(total)
    body.addOutputTensor(ops.neg([total]))
    return t.o.scan(t.x, 2, body, 1)


add("Scan", [f(3), f(4, 3)], _scan, lambda s, x: (s + x.sum(0), -(s + x.cumsum(0))))

# ai.graphcore.

for _type, _method, _function in [
    ("Detach", "detach", lambda x: x),
    ("Expm1", "expm1", np.expm1),
    ("Gelu", "gelu", lambda x: 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))),
    ("GeluErf", "geluerf", lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2)))),
    ("Log1p", "log1p", np.log1p),
    ("NearbyInt", "nearbyint", np.rint),
    ("Nop", "nop", lambda x: x),
    ("PrintTensor", "printtensor", lambda x: x),
    ("Round", "round", lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5)),
    ("Swish", "swish", lambda x: x * sigmoid(x)),
    ("TensorRemap", "tensorremap", lambda x: x),
    ("ReplicatedAllReduce", "replicatedallreduce", lambda x: x),
    ("ReplicatedReduceScatter", "replicatedreducescatter", lambda x: x.reshape(-1)),
]:
    g(_type, [f(3, 4, low=-0.9)], _method, _function)

g("Atan2", [f(3, 4), f(4)], "atan2", np.arctan2)
g("Fmod", [n(9), n(9, low=1)], "fmod", np.fmod)
g("Remainder", [f(9), f(9, low=0.5)], "remainder", np.mod)
for _type, _function in [
    ("BitwiseAnd", np.bitwise_and),
    ("BitwiseOr", np.bitwise_or),
    ("BitwiseXor", np.bitwise_xor),
    ("BitwiseXnor", lambda x, y: ~(x ^ y)),
]:
    g(_type, [n(9), n(9)], _type.lower(), _function)
g("BitwiseNot", [n(9)], "bitwisenot", np.invert)
g("Scale", [f(3)], lambda t: t.g.scale(t.x, 2.5), lambda x: 2.5 * x)
g("ScaledAdd", [f(3), f(3)], lambda t: t.g.scaledadd(t.x, 2.0, -1.0), lambda x, y: 2 * x - y)
g("ScaledAdd", [n(3), n(3)], lambda t: t.g.scaledadd(t.x, 2.0, -1.0), lambda x, y: 2 * x - y)
g("ScaledAdd", [f(3), f(3), f(1), f(1)], "scaledadd", lambda x, y, a, b: a * x + b * y)
g("IncrementMod", [n(5, low=0)], lambda t: t.g.incrementmod(t.x, 2.0, 5.0), lambda x: (x + 2) % 5)
g("Reverse", [f(3, 4)], lambda t: t.g.reverse(t.x, [1]), lambda x: x[:, ::-1])
g("Reshape", [f(3, 4)], lambda t: t.g.reshape(t.x, [2, -1]), lambda x: x.reshape(2, 6))
g("Slice", [f(4, 5)], lambda t: t.g.slice(t.x, [3, 5], [1, -2], [0, 1]), lambda x: x[1:3, 3:])
g("Subsample", [f(5, 4)], lambda t: t.g.subsample(t.x, [2, 3]), lambda x: x[::2, ::3])
g(
    "DepthToSpace",
    [f(1, 8, 2, 3)],
    lambda t: t.g.depthtospace(t.x, 2, "CRD"),
    lambda x: _depth_to_space(x, 2, "CRD"),
)
g(
    "Init",
    [f(2, 3)],
    lambda t: t.o.add([t.x[0], t.g.init([2, 3], 1, 1, -1)]),
    lambda x: x,
)
_OFFSET = np.array([1], np.uint32)


def _window(x, change):
    x = x.copy()
    x[1:3] = change(x[1:3])
    return x


g(
    "DynamicSlice",
    [f(4, 2), _OFFSET],
    lambda t: t.g.dynamicslice(t.x, [0], [2]),
    lambda x, i: x[1:3],
)
g(
    "DynamicUpdate",
    [f(4, 2), _OFFSET, f(2, 2)],
    lambda t: t.g.dynamicupdate(t.x, [0], [2]),
    lambda x, i, s: _window(x, lambda old: s),
)
g(
    "DynamicAdd",
    [f(4, 2), _OFFSET, f(2, 2)],
    lambda t: t.g.dynamicadd(t.x, [0], [2]),
    lambda x, i, s: _window(x, lambda old: old + s),
)
g(
    "DynamicZero",
    [f(4, 2), _OFFSET],
    lambda t: t.g.dynamiczero(t.x, [0], [2]),
    lambda x, i: _window(x, lambda old: 0),
)
_U = np.uint32


def _sequence_slice(source, target, count, start, place):
    target = target.copy()
    for c, s, p in zip(count, start, place):
        target[p : p + c] = source[s : s + c]
    return target


g(
    "SequenceSlice",
    [f(5, 2), f(6, 2), *(np.array(v, _U) for v in ([2, 1], [0, 4], [3, 0]))],
    "sequenceslice",
    _sequence_slice,
)
g(
    "GroupedGather",
    [f(2, 3, 4), n(2, 5, low=0, high=3)],
    lambda t: t.g.groupedgather(t.x, 1, 2),
    lambda x, i: np.stack([x[k][i[k]] for k in range(2)]),
)


def _scatter_sum(x, i):
    y = np.zeros((4, *x.shape[1:]))
    np.add.at(y, i, x)
    return y


_SUM = [f(5, 2), n(5, low=0, high=4)]
g("ScatterReduce", _SUM, lambda t: t.g.scatterreduce(t.x, 4, 0), _scatter_sum)
g(
    "ScatterReduce",
    [f(2, 5, 3), n(2, 5, low=0, high=4)],
    lambda t: t.g.groupedscatterreduce(t.x, 4, 1, group_size=2),
    lambda x, i: np.stack([_scatter_sum(x[k], i[k]) for k in range(2)]),
)
g(
    "Sort",
    [f(3, 5)],
    lambda t: t.g.sort(t.x, 1),
    lambda x: (np.sort(x, 1), np.argsort(x, 1).astype("i4")),
)
g(
    "ReduceMedian",
    [f(3, 4)],
    lambda t: t.g.reducemedian(t.x, [1], 0),
    lambda x: (np.sort(x, 1)[:, 1], np.argsort(x, 1)[:, 1].astype("i4")),
)
g(
    "Bucketize",
    [f(3, 4), np.array([-1, 0, 1], "f4")],
    "bucketize",
    lambda x, b: np.searchsorted(b, x).astype("i4"),
)


def _unbiased(x, scale, bias, mean, variance):
    y, *_ = _trained(x, scale, bias, mean, variance)
    count = x.size // x.shape[1]
    m, v = x.mean((0, 2, 3)), (x.var((0, 2, 3)) + 1e-5) * count / (count - 1) - 1e-5
    return y, 0.9 * mean + 0.1 * m, 0.9 * variance + 0.1 * v, m, v


g("BatchNormalization", _statistics(), lambda t: t.g.batchnormalization(t.x, 5), _unbiased)


def _group_norm(x, scale, bias):
    groups = x.reshape(2, 2, 12).astype(float)
    mean, spread = groups.mean(2), 1 / np.sqrt(groups.var(2) + 1e-5)
    unit = ((groups - mean[..., None]) * spread[..., None]).reshape(x.shape)
    return unit * scale[:, None] + bias[:, None], mean.reshape(-1), spread.reshape(-1)


g(
    "GroupNormalization",
    [f(2, 4, 6), f(4), f(4)],
    lambda t: t.g.groupnormalization(t.x, 2),
    _group_norm,
)
g("IdentityLoss", [f(3, 4)], "identityloss", np.mean)
g(
    "L1",
    [n(3, low=0).astype(np.uint32)],
    lambda t: t.g.l1loss(t.x, 2.0, popart.ReductionType.Sum),
    lambda x: 2 * x.sum(dtype=np.uint32),
)
g("L1", [f(3, 4)], lambda t: t.g.l1loss(t.x, 0.5), lambda x: 0.5 * np.abs(x).mean())
g(
    "Nll",
    [f(4, 3, low=0.1, high=1), n(4, low=0, high=3)],
    "nllloss",
    lambda p, i: -np.log(p[np.arange(4), i]).mean(),
)


def _one_label_loss(log_probs, targets, steps, counts):
    """One label: blanks, then the label, then blanks."""
    p, label, total = np.exp(log_probs[:, 0].astype(float)), targets[0, 0], 0.0
    for first in range(4):
        for last in range(first, 4):
            run = p[first : last + 1, label].prod()
            total += p[:first, 0].prod() * run * p[last + 1 :, 0].prod()
    return -np.log(total)


_LOGITS = f(4, 1, 3)
_LOG_PROBS = (_LOGITS - np.log(np.exp(_LOGITS).sum(2, keepdims=True))).astype("f4")
g(
    "Ctc",
    [_LOG_PROBS, np.array([[2]], "i4"), np.array([4], "i4"), np.array([1], "i4")],
    "ctcloss",
    _one_label_loss,
)


def _best_of_one_step(log_probs, steps):
    best = log_probs[0, 0].argmax()
    labels = [[[best] if best else [0]]]
    return log_probs[0].max(1, keepdims=True), np.array([[int(best > 0)]], _U), np.array(labels, _U)


g(
    "CtcBeamSearchDecoder",
    [_LOG_PROBS[:1], np.array([1], _U)],
    "ctcbeamsearchdecoder",
    _best_of_one_step,
)
g(
    "ShapedDropout",
    [f(3, 4)],
    lambda t: t.g.shapeddropout(t.x, [3, 1], ratio=0.3),
    lambda x: x,
)


def _graphcore_lstm(x, w, b):
    h = c = np.zeros((x.shape[1], 3))
    rows = []
    for step in x:
        both = np.concatenate([step, h], 1)
        fg, i, cell, o = (both @ w[k] + b[k] for k in range(4))
        c = sigmoid(fg) * c + sigmoid(i) * np.tanh(cell)
        h = sigmoid(o) * np.tanh(c)
        rows.append(h)
    return np.stack(rows), c


g("LSTM", [f(4, 2, 5), f(4, 8, 3), f(4, 3)], "lstm", _graphcore_lstm)
g(
    "MultiConv",
    [f(1, 2, 5, 5), f(3, 2, 3, 3), f(1, 4, 4, 4), f(2, 4, 2, 2), f(2)],
    lambda t: t.g.multiconv([t.x[:2], t.x[2:]], strides=[[1, 1], [2, 2]]),
    lambda x, w, y, v, b: (_conv(x, w), _conv(y, v, b, (2, 2))),
)
g(
    "NormalizeImage",
    [f(2, 2, 3), f(3), f(3)],
    lambda t: t.g.normalize_image(t.x, 2.0),
    lambda x, o, s: np.concatenate([(2 * x - o) * s, np.zeros((2, 2, 1))], 2),
)
g(
    "SplineBasis",
    [f(5, 1, low=0, high=1), np.array([4], "i4"), np.array([1], "u1")],
    lambda t: t.g.splinebasis(t.x, 1),
    lambda p, k, o: (
        np.concatenate([1 - 3 * p + np.floor(3 * p), 3 * p - np.floor(3 * p)], 1),
        np.concatenate([np.floor(3 * p), np.floor(3 * p) + 1], 1).astype("i4") % 4,
    ),
)
g(
    "SplineWeighting",
    [f(3, 2), f(4, 2, 5), f(3, 1), n(3, 1, low=0, high=4)],
    "splineweighting",
    lambda x, w, b, i: np.stack([b[e] * (x[e] @ w[i[e, 0]]) for e in range(3)]),
)


def _call(t):
    body = t.b.createSubgraphBuilder()
    body.setGraphName("doubled")
    x = body.addUntypedInputTensor()
    body.addOutputTensor(getattr(body, f"aiOnnxOpset{t.opset}").add([x, x]))
    return t.g.call(t.x, 1, body)[0]


g("Call", [f(3)], _call, lambda x: 2 * x)


def _packed(t):
    body = t.b.createSubgraphBuilder()
    body.setGraphName("negated")
    x = body.addUntypedInputTensor()
    body.addOutputTensor(getattr(body, f"aiOnnxOpset{t.opset}").neg([x]))
    return t.g.packedDataBlock(
        [t.x[0], t.x[1], t.x[2], t.x[1], t.x[2]],
        maxSequenceLengths=[3],
        resultSize=5,
        callbackBatchSize=2,
        callback=body,
    )


g(
    "PackedDataBlock",
    [f(5, 2), np.array([0, 2], _U), np.array([2, 3], _U)],
    _packed,
    lambda x, *_: -x,
)


def _abort(t):
    t.g.abort([t.x[1]])
    return t.o.neg([t.x[0]])


g("Abort", [f(3), np.array(False)], _abort, lambda x, c: -x)


def _update(t):
    weight = t.b.addInitializedInputTensor(np.zeros(3, np.float32), "weight")
    return t.g.copyvarupdate([weight, t.x[0]])


g("CopyVarUpdate", [f(3)], _update, lambda x: x)
