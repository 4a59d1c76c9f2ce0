"""Gradients in training sessions, against central differences of ONNX's reference in float64."""

import math

import custom_ops
import numpy as np
import onnx
import pytest
from gradient_samples import ROWS
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import odla_ipu.sim as popart

STEP = 1e-5


# ai.graphcore in numpy.


def _window(offset, attributes, shape):
    places = [slice(None)] * len(shape)
    for axis, size, first in zip(attributes["axes"], attributes["sizes"], offset):
        places[axis] = slice(int(first), int(first) + size)
    return tuple(places)


def _updated(x, offset, given, attributes, adds=False):
    result = x.copy()
    window = _window(offset, attributes, x.shape)
    result[window] = given + (x[window] if adds else 0)
    return result


def _group_norm(x, scale, bias, num_groups, epsilon, **_):
    groups = x.reshape(x.shape[0], num_groups, -1)
    less = groups - groups.mean(-1, keepdims=True)
    normal = (less / np.sqrt((less**2).mean(-1, keepdims=True) + epsilon)).reshape(x.shape)
    column = (-1,) + (1,) * (x.ndim - 2)
    result = normal * scale.reshape(column) + bias.reshape(column)
    return result, np.zeros(1), np.zeros(1)


GRAPHCORE = {
    "Subsample": lambda x, strides: x[tuple(slice(None, None, step) for step in strides)],
    "Reverse": lambda x, dimensions: np.flip(x, dimensions).copy(),
    "DynamicSlice": lambda x, at, **more: x[_window(at, more, x.shape)].copy(),
    "DynamicUpdate": lambda x, at, given, **more: _updated(x, at, given, more),
    "DynamicAdd": lambda x, at, given, **more: _updated(x, at, given, more, True),
    "DynamicZero": lambda x, at, **more: _updated(x, at, 0, more),
    "GroupNormalization": _group_norm,
    "Gelu": lambda x, **_: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "GeluErf": lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "Swish": lambda x, **_: x / (1 + np.exp(-x)),
    "Expm1": np.expm1,
    "Log1p": np.log1p,
    "Scale": lambda x, scale: x * scale,
    "Atan2": np.arctan2,
    "Remainder": np.mod,
    "L1": lambda x, reduction, **more: np.abs(x).mean() * more["lambda"],
    "IdentityLoss": lambda x, reduction: x.mean(),
}


ONNX = {"Erf": np.vectorize(math.erf)}
"""What the reference evaluator computes in float32."""


def _reference_op(domain, name, function):
    def run(self, *inputs, **attributes):
        named = {key: value for key, value in attributes.items() if value is not None}
        result = function(*inputs, **named)
        return result if isinstance(result, tuple) else (np.asarray(result),)

    return type(name, (OpRun,), {"op_domain": domain, "_run": run})


def wide(proto):
    """The model with float64 in place of float32."""
    double, single = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
    model = onnx.ModelProto.FromString(proto)
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if value.type.tensor_type.elem_type == single:
            value.type.tensor_type.elem_type = double
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and attribute.t.data_type == single:
                data = onnx.numpy_helper.to_array(attribute.t).astype("f8")
                attribute.t.CopyFrom(onnx.numpy_helper.from_array(data))
            elif attribute.name == "to" and attribute.i in (single, onnx.TensorProto.FLOAT16):
                attribute.i = double
    tables = {"": ONNX, "ai.graphcore": GRAPHCORE}
    own = {
        (node.domain, node.op_type)
        for node in model.graph.node
        if node.op_type in tables[node.domain]
    }
    ops = [_reference_op(domain, name, tables[domain][name]) for domain, name in own]
    return ReferenceEvaluator(model, new_ops=ops)


class Sample:
    """A row, built: the loss is the sum of its results times fixed numbers."""

    def __init__(self, build, inputs, dtype="f4"):
        b = self.builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
        self.dtype = dtype
        self.inputs = [one.astype(dtype) if one.dtype.kind == "f" else one for one in inputs]
        self.ids = [
            b.addInputTensor(popart.TensorInfo(one.dtype, one.shape)) for one in self.inputs
        ]
        made = build(b.aiOnnx, b.aiGraphcore, self.ids)
        self.results = [made] if isinstance(made, str) else list(made)
        self.model = b.getModelProto()
        self.shapes = [tuple(b.getTensorShape(one)) for one in self.results]
        rng = np.random.default_rng(9)
        self.factors = [rng.normal(size=shape).astype(dtype) for shape in self.shapes]

    def gradients(self, options=None):
        b, o, g = self.builder, self.builder.aiOnnx, self.builder.aiGraphcore
        weight = b.addInitializedInputTensor(np.ones(1, self.dtype))
        parts = [
            g.identityloss([o.mul([one, o.constant(factor, False)])], popart.ReductionType.Sum)
            for one, factor in zip(self.results, self.factors)
        ]
        loss = g.identityloss([o.mul([o.sum(parts), weight])], popart.ReductionType.Sum)
        names = [
            f"Gradient___{one}" for one, x in zip(self.ids, self.inputs) if x.dtype.kind == "f"
        ]
        session = popart.TrainingSession(
            b.getModelProto(),
            popart.DataFlow(1, [loss, *names]),
            loss,
            popart.ConstSGD(0.1),
            popart.DeviceManager().createCpuDevice(),
            userOptions=options or popart.SessionOptions(),
        )
        session.prepareDevice()
        session.weightsFromHost()
        anchors = session.initAnchorArrays()
        session.run(popart.PyStepIO(dict(zip(self.ids, self.inputs)), anchors))
        return [anchors[name] for name in names]

    def differences(self):
        evaluator = wide(self.model)
        names = [one.name for one in evaluator.proto_.graph.input]
        arrays = [one.astype("f8") if one.dtype.kind == "f" else one for one in self.inputs]

        def loss():
            found = evaluator.run(self.results, dict(zip(names, arrays)))
            return sum((one * factor).sum() for one, factor in zip(found, self.factors))

        slopes = []
        for array in arrays:
            if array.dtype.kind != "f":
                continue
            slope = np.zeros(array.shape)
            for place in np.ndindex(array.shape):
                kept = array[place]
                ends = []
                for sign in (1, -1):
                    array[place] = kept + sign * STEP
                    ends.append(loss())
                array[place] = kept
                slope[place] = (ends[0] - ends[1]) / (2 * STEP)
            slopes.append(slope)
        return slopes


@pytest.mark.parametrize("name, build, inputs", ROWS, ids=[one[0] for one in ROWS])
def test_gradients(name, build, inputs):
    sample = Sample(build, inputs)
    wanted = sample.differences()
    found = sample.gradients()
    assert len(found) == len(wanted) > 0
    for one, other in zip(found, wanted):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


# Forms that ONNX's reference does not have.


def trained(make, arrays, options=None, factor=None):
    """Gradients by all arrays of the sum of ``make(b, ids)`` times ``factor``, which is drawn."""
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    ids = [b.addInitializedInputTensor(one) for one in arrays]
    made = make(b, ids)
    if factor is not None:
        made = b.aiOnnx.mul([made, b.aiOnnx.constant(factor, False)])
    loss = b.aiGraphcore.identityloss([made], popart.ReductionType.Sum)
    names = [f"Gradient___{one}" for one, x in zip(ids, arrays) if x.dtype.kind == "f"]
    session = popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(1, [loss, *names]),
        loss,
        popart.ConstSGD(0.1),
        popart.DeviceManager().createCpuDevice(),
        userOptions=options or popart.SessionOptions(),
    )
    session.prepareDevice()
    session.weightsFromHost()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({}, anchors))
    return [anchors[name] for name in names]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


def test_same_padding():
    def same(b, ids):
        y = b.aiOnnx.conv(ids, strides=[2, 2])
        b.addNodeAttribute("auto_pad", "SAME_UPPER", {y})
        return y

    arrays = [normal(1, 2, 5, 6), normal(3, 2, 3, 3, seed=1)]
    wanted = trained(lambda b, ids: b.aiOnnx.conv(ids, strides=[2, 2], pads=[1, 0, 1, 1]), arrays)
    for one, other in zip(trained(same, arrays), wanted):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_transposed_convolutions_in_groups():
    def apart(b, ids):
        o = b.aiOnnx
        x = o.split([ids[0]], num_outputs=2, axis=1)
        w = o.split([ids[1]], num_outputs=2, axis=0)
        parts = [o.convtranspose(list(pair), strides=[2]) for pair in zip(x, w)]
        return o.concat(parts, axis=1)

    arrays, factor = [normal(2, 4, 3), normal(4, 2, 2, seed=1)], normal(2, 4, 6, seed=2)
    found = trained(
        lambda b, ids: b.aiOnnx.convtranspose(ids, group=2, strides=[2]), arrays, factor=factor
    )
    for one, other in zip(found, trained(apart, arrays, factor=factor)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_detach_stops():
    x = normal(5)
    (found,) = trained(lambda b, ids: b.aiOnnx.mul([ids[0], b.aiGraphcore.detach(ids)]), [x])
    np.testing.assert_array_equal(found, x)


def test_cropping():
    def crop(b, ids):
        return b.aiOnnx.pad([ids[0], b.aiOnnx.constant(np.array([-1, 0, 1, -2]), False)])

    factor = normal(3, 2)
    (found,) = trained(crop, [normal(3, 4)], factor=factor)
    wanted = np.zeros((3, 4))
    wanted[1:, :2] = factor[:2]
    np.testing.assert_array_equal(found, wanted)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, w, r, bias, h, c, lengths):
    """Y of the gates i, o, f, c; what has ended keeps its state and gives zeros."""
    rows, hidden = [], h.shape[-1]
    h, c = h[0], c[0]
    for t in range(len(x)):
        gates = x[t] @ w[0].T + h @ r[0].T + bias[0, : 4 * hidden] + bias[0, 4 * hidden :]
        i, o, f, g = np.split(gates, 4, axis=1)
        on = (t < lengths)[:, None]
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        out = sigmoid(o) * np.tanh(new)
        c, h = np.where(on, new, c), np.where(on, out, h)
        rows.append(np.where(on, out, 0))
    return np.stack(rows)[:, None]


@pytest.mark.parametrize("lengths", [None, [3, 1], [0, 2]])
def test_lstm_from_a_state(lengths):
    arrays = [normal(3, 2, 2), normal(1, 12, 2, seed=1), normal(1, 12, 3, seed=2)]
    arrays += [normal(1, 24, seed=3), normal(1, 2, 3, seed=4), normal(1, 2, 3, seed=5)]
    factor = normal(3, 1, 2, 3, seed=6)

    def make(b, ids):
        given = "" if lengths is None else b.aiOnnx.constant(np.array(lengths, np.int32), False)
        return b.aiOnnx.lstm([*ids[:4], given, *ids[4:]], num_outputs=3, clip=None)[0]

    known = np.array([3, 3] if lengths is None else lengths)
    wide = [one.astype("f8") for one in arrays]
    for one, found in zip(wide, trained(make, arrays, factor=factor)):
        wanted = np.zeros(one.shape)
        for place in np.ndindex(one.shape):
            kept, ends = one[place], []
            for sign in (1, -1):
                one[place] = kept + sign * STEP
                ends.append((lstm(*wide, known) * factor).sum())
            one[place] = kept
            wanted[place] = (ends[0] - ends[1]) / (2 * STEP)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("domain", ["ai.onnx", "ai.graphcore"])
def test_batch_normalization(domain):
    """ai.graphcore's goes back with the unbiased variance."""
    x, scale, bias = normal(4, 3, 2), normal(3, seed=1), normal(3, seed=2)
    factor, zero, one = normal(4, 3, 2, seed=3), np.zeros(3, "f4"), np.ones(3, "f4")

    def make(b, ids):
        ops = b.aiOnnx if domain == "ai.onnx" else b.aiGraphcore
        running = [b.addInitializedInputTensor(each) for each in (zero, one)]
        return ops.batchnormalization([*ids, *running], num_outputs=5, epsilon=1e-2)[0]

    found = trained(make, [x, scale, bias], factor=factor)

    def loss(x, scale, bias):
        less = x - x.mean((0, 2), keepdims=True)
        normal = less / np.sqrt((less**2).mean((0, 2), keepdims=True) + 1e-2)
        return ((normal * scale[:, None] + bias[:, None]) * factor).sum()

    wide = [one.astype("f8") for one in (x, scale, bias)]
    share = np.sqrt(7 / 8) if domain == "ai.graphcore" else 1
    for number, one in enumerate(wide):
        wanted = np.zeros(one.shape)
        for place in np.ndindex(one.shape):
            kept = one[place]
            one[place] = kept + STEP
            above = loss(*wide)
            one[place] = kept - STEP
            wanted[place] = (above - loss(*wide)) / (2 * STEP)
            one[place] = kept
        if number == 1:
            wanted *= share
        if number or domain == "ai.onnx":
            np.testing.assert_allclose(found[number], wanted, rtol=1e-3, atol=1e-3)


def _branched(b, ids):
    """Branches that read other outer values, pass one through, and give two results."""
    o = b.aiOnnx
    square = o.mul([ids[0], ids[0]])
    then, other = b.createSubgraphBuilder(), b.createSubgraphBuilder()
    for body in (then, other):
        for one in (*ids, square):
            body.addInputTensorFromParentGraph(one)
    then.addOutputTensor(then.aiOnnxOpset11.mul([square, ids[1]]))
    then.addOutputTensor(then.aiOnnxOpset11.identity([ids[1]]))
    other.addOutputTensor(other.aiOnnxOpset11.sin([ids[0]]))
    other.addOutputTensor(other.aiOnnxOpset11.add([ids[0], square]))
    return then, other


@pytest.mark.parametrize("go", [True, False])
def test_branches(go):
    x, y = normal(4), normal(4, seed=1)

    def make(b, ids):
        then, other = _branched(b, ids)
        condition = b.aiOnnx.greater(
            [ids[0], b.aiOnnx.constant(np.float32(x.min() - 1 if go else x.max() + 1), False)]
        )
        first = b.aiOnnx.slice(
            [
                b.aiOnnx.cast([condition], "INT32"),
                *(b.aiOnnx.constant(np.array([one]), False) for one in (0, 1, 0)),
            ]
        )
        pair = b.aiOnnx.logical_if([b.aiOnnx.cast([first], "BOOL")], 2, other, then)
        return b.aiOnnx.add([b.aiOnnx.mul([pair[0], ids[0]]), pair[1]])

    found = trained(make, [x, y])
    wanted = (3 * x**2 * y, x**3 + 1) if go else (np.sin(x) + x * np.cos(x) + 1 + 2 * x, 0 * x)
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_custom_ops_without_a_gradient_stop():
    custom_ops.register_all()

    def make(b, ids):
        y = b.customOp("Cube", 1, custom_ops.DOMAIN, ids, {})[0]
        return b.aiOnnx.add([y, ids[0]])

    (found,) = trained(make, [normal(4)])
    np.testing.assert_array_equal(found, np.ones(4))


def test_only_the_last_state_is_read():
    """Of a model whose first output has no name, as those of other tools."""
    arrays = [normal(3, 2, 2), normal(1, 12, 2, seed=1), normal(1, 12, 3, seed=2)]
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    ids = [b.addInitializedInputTensor(one) for one in arrays]
    y, h, _ = b.aiOnnx.lstm(ids, num_outputs=3, clip=None)
    loss = b.aiGraphcore.identityloss([h], popart.ReductionType.Sum)
    model = onnx.ModelProto.FromString(b.getModelProto())
    for node in model.graph.node:
        node.output[:] = ["" if name == y else name for name in node.output]
    found = []
    for proto in (b.getModelProto(), model.SerializeToString()):
        session = popart.TrainingSession(
            proto,
            popart.DataFlow(1, [loss, f"Gradient___{ids[2]}"]),
            loss,
            popart.ConstSGD(0.1),
            popart.DeviceManager().createCpuDevice(),
        )
        session.prepareDevice()
        session.weightsFromHost()
        anchors = session.initAnchorArrays()
        session.run(popart.PyStepIO({}, anchors))
        found.append(anchors[f"Gradient___{ids[2]}"])
    assert found[0].any()
    np.testing.assert_array_equal(*found)
