"""What the session's constructor refuses, by the fragment of the message that PopART's users know,
or by what is wrong."""

import numpy as np
import pytest
from session_run import constant as c

import odla_ipu.sim as popart


def f(*shape, dtype="f4"):
    return np.ones(shape, dtype)


def i(*shape, dtype="i4"):
    return np.zeros(shape, dtype)


def i64(b, o, *values):
    return c(b, o, list(values), np.int64)


def g(name, *args, **kwargs):
    """An op of ai.graphcore on all inputs."""
    return lambda b, o, x: getattr(b.aiGraphcore, name)(x, *args, **kwargs)


def n(name, *args, **kwargs):
    """An op of ai.onnx on all inputs."""
    return lambda b, o, x: getattr(o, name)(x, *args, **kwargs)


def with_weight(shape, dtype="f4"):
    def make(b, o, x):
        weight = b.addInitializedInputTensor(np.zeros(shape, dtype))
        return b.aiGraphcore.copyvarupdate([weight, x[0]])

    return make


def with_call(shape, *arguments):
    def make(b, o, x):
        body = b.createSubgraphBuilder()
        body.setGraphName("callee")
        inner = body.addInputTensor(popart.TensorInfo("FLOAT", shape))
        body.addOutputTensor(body.aiOnnxOpset11.neg([inner]))
        return b.aiGraphcore.call([x[index] for index in arguments], 1, body)[0]

    return make


def with_abort(b, o, x):
    b.aiGraphcore.abort([x[1]])
    return o.neg([x[0]])


def with_resize(*scales, **kwargs):
    return lambda b, o, x: o.resize(
        [x[0], c(b, o, [], "f4"), c(b, o, list(scales), "f4")], **kwargs
    )


def with_loop(b, o, x):
    body = b.createSubgraphBuilder()
    body.addUntypedInputTensor()
    keep, state = body.addUntypedInputTensor(), body.addUntypedInputTensor()
    body.addOutputTensor(keep)
    body.addOutputTensor(body.aiOnnxOpset11.neg([state]))
    return o.loop([x[1], c(b, o, True), x[0]], 1, body)[0]


IMAGE = f(1, 1, 4, 4)
RNN = [f(2, 1, 3), f(1, 8, 3), f(1, 8, 2)]
GRU = [f(2, 1, 3), f(1, 6, 3), f(1, 6, 2)]
BATCH_NORM = [f(2, 2, 2), *(f(2) for _ in range(4))]
CTC = [f(3, 1, 2), i(1, 2), i(1), i(1)]

CASES = [
    # PopART's own words.
    ("nothing to compute", lambda b, o, x: x[0], [f(2)]),
    ("Could not work out tensor data", with_loop, [f(2), i(dtype="i8")]),
    ("does not match callee input tensor", with_call([5], 0), [f(3)]),
    ("does not match callee input tensor", with_call([3], 0), [f(3, dtype="f2")]),
    ("np broadcasting failed.* are not aligned", n("add"), [f(2), f(3)]),
    ("np broadcasting failed.* are not aligned", n("prelu"), [f(1, 2, 3), f(2)]),
    ("but was unable because.* must be of type Constant", n("reshape"), [f(4), i(1, dtype="i8")]),
    ("but was unable because.* must be of type Constant", n("tile"), [f(4), i(1, dtype="i8")]),
    ("but was unable because.* must be of type Constant", n("expand"), [f(4), i(1, dtype="i8")]),
    ("but was unable because", n("cumsum"), [f(4), i()]),
    (
        "Please enable pattern",
        lambda b, o, x: o.slice([x[0], *(i64(b, o, k) for k in (0, 4, 0, 2))]),
        [f(4)],
    ),
    ("No class for ai.onnx.Hardmax:11", n("hardmax"), [f(2, 3)]),
    ("No class for ai.onnx.Xor:7", n("logical_xor"), [i(2, dtype="?"), i(2, dtype="?")]),
    # Types.
    ("accepted are BOOL", n("logical_and"), [f(2), f(2)]),
    ("accepted are BOOL", n("logical_not"), [i(2)]),
    ("accepted are BOOL", n("where"), [f(2), f(2), f(2)]),
    ("accepted are INT32, UINT32", g("bitwiseand"), [f(2), f(2)]),
    ("accepted are INT32, UINT32", g("bitwisenot"), [i(2, dtype="i1")]),
    ("accepted are INT32, UINT32", g("ctcloss"), [CTC[0], i(1, 2, dtype="i1"), *CTC[2:]]),
    ("accepted are FLOAT, FLOAT16", g("ctcloss"), [i(3, 1, 2), *CTC[1:]]),
    ("accepted are INT32, UINT32", g("nllloss"), [f(3, 2), f(3)]),
    ("accepted are INT16", n("gather"), [f(2, 2), f(2)]),
    (
        "accepted are FLOAT, FLOAT16, INT32, UINT32",
        g("scatterreduce", 3, 0, popart.ScatterReduction.Max),
        [i(2, dtype="i1"), i(2)],
    ),
    ("different types", n("concat", 0), [f(2), i(2)]),
    ("different types", g("bucketize"), [f(2), i(2)]),
    ("different types", g("dynamicupdate", [0], [1]), [f(2), i(1, dtype="u4"), i(1)]),
    ("different types", with_weight((3,), "f2"), [f(3)]),
    ("must be 3 values of type float16", g("normalize_image"), [i(2, 3, dtype="u1"), f(3), f(3)]),
    ("draws FLOAT or FLOAT16, not INT32", n("randomnormallike"), [i(2)]),
    ("draws FLOAT or FLOAT16, not INT32", lambda b, o, x: o.randomuniform([2], 6), [i(2)]),
    ("draws FLOAT or FLOAT16, not DOUBLE", lambda b, o, x: o.randomuniform([2], 11), [i(2)]),
    ("not supported in Poplar", n("cast", "DOUBLE"), [f(2)]),
    (
        "makes FLOAT, FLOAT16, INT32 and UINT32 only",
        lambda b, o, x: b.aiGraphcore.init([2], 3, 1, -1),
        [f(2)],
    ),
    ("repeats must be INT64", lambda b, o, x: o.tile([x[0], c(b, o, [2], "i4")]), [f(4)]),
    # Forms.
    ("Indices is not implemented", lambda b, o, x: o.maxpool(x, 2, [2, 2])[0], [IMAGE]),
    ("1 output, or 5", lambda b, o, x: o.batchnormalization(x, 3)[0], BATCH_NORM),
    (
        "rank 2: accepted are 3",
        lambda b, o, x: o.batchnormalization(x, 1)[0],
        [f(2, 2), *BATCH_NORM[1:]],
    ),
    ("count_include_pad", n("averagepool", [2, 2], count_include_pad=1), [IMAGE]),
    ("axis -2", lambda b, o, x: o.onehot([x[0], i64(b, o, 3), x[1]], -2), [i(2), f(2)]),
    ("seed attribute", lambda b, o, x: o.randomnormal([2], seed=1.0), [f(2)]),
    ("mode 'bicubic' is not supported", with_resize(1, 1, 2, 2, mode="bicubic"), [IMAGE]),
    ("nearest_mode 'up'", with_resize(1, 1, 2, 2, nearest_mode="up"), [IMAGE]),
    (
        "coordinate_transformation_mode 'none'",
        with_resize(1, 1, 2, 2, coordinate_transformation_mode="none"),
        [IMAGE],
    ),
    (
        "tf_crop_and_resize",
        with_resize(1, 1, 2, 2, coordinate_transformation_mode="tf_crop_and_resize"),
        [IMAGE],
    ),
    ("exclude_outside must be 0", with_resize(1, 1, 2, 2, exclude_outside=1), [IMAGE]),
    (
        "mode 'wrap' is not supported",
        lambda b, o, x: o.pad([x[0], i64(b, o, 1, 1)], "wrap"),
        [f(4)],
    ),
    ("too many", lambda b, o, x: o.pad([x[0], i64(b, o, 4, 0)], "reflect"), [f(4)]),
    ("axis 5", lambda b, o, x: o.cumsum([x[0], c(b, o, 5, "i4")]), [f(4, 4)]),
    ("one number", lambda b, o, x: o.cumsum([x[0], c(b, o, [0, 1], "i4")]), [f(4, 4)]),
    ("axis 5 is out of range", n("softmax", 5), [f(2, 3)]),
    ("at most 3 activations", lambda b, o, x: o.lstm(x, 1, activations=["Tanh"] * 4)[0], RNN),
    ("'affine'", lambda b, o, x: o.lstm(x, 1, activations=["Affine", "Tanh", "Tanh"])[0], RNN),
    ("clip is not supported", lambda b, o, x: o.gru(x, 1, clip=1.0)[0], GRU),
    (
        "activations are not supported",
        lambda b, o, x: o.gru(x, 1, activations=["Sigmoid", "Tanh"])[0],
        GRU,
    ),
    ("size must be 1 or more", n("lrn", 0), [f(1, 2, 2, 2)]),
    ("scale of shape", n("instancenormalization"), [f(1, 2, 3), f(3), f(2)]),
    ("repeated axis", n("reducesum", [0, -2]), [f(2, 2)]),
    ("repeated axis", lambda b, o, x: b.aiGraphcore.reducemedian(x, [0, 0])[0], [f(2, 2)]),
    ("beyond data", n("scatterelements", 1), [f(2, 2), i(3, 2), f(3, 2)]),
    ("one element", with_abort, [f(3), i(2, dtype="?")]),
    ("different shapes", with_weight((2,)), [f(3)]),
    ("different shapes", g("scaledadd"), [f(2, 2), f(2)]),
    ("as an attribute only", g("scaledadd"), [f(2), f(2), f(1)]),
    (
        "needs scale0 to be 1",
        lambda b, o, x: b.aiGraphcore.scaledadd([x[0], x[1], "", x[2]], 2.0),
        [f(2), f(2), f(1)],
    ),
    ("offsets of shape", g("dynamicslice", [0, 1], [1, 1]), [f(2, 2), i(1, dtype="u4")]),
    ("into a window of shape", g("dynamicupdate", [0], [1]), [f(2, 2), i(1, dtype="u4"), f(2, 2)]),
    ("boundaries must have rank 1", g("bucketize"), [f(2), f(2, 2)]),
    ("no partial broadcast", g("scatterreduce", 3, 0), [f(2, 3), i(2, 1)]),
    ("descending must be 0 or 1", lambda b, o, x: b.aiGraphcore.sort(x, 1, 2)[0], [f(2, 3)]),
    ("init_type must be", lambda b, o, x: b.aiGraphcore.init([2], 1, 5, -1), [f(2)]),
    ("scale must not be 0", g("normalize_image", 0.0), [f(2, 2, 3), f(3), f(3)]),
    ("collectiveOperator 12", g("replicatedallreduce", 12), [f(2)]),
]


def construct(make, arrays, options=None, opset=11):
    builder = popart.Builder(opsets={"ai.onnx": opset, "ai.graphcore": 1})
    ids = [builder.addInputTensor(popart.TensorInfo(a.dtype, a.shape)) for a in arrays]
    output = make(builder, getattr(builder, f"aiOnnxOpset{opset}"), ids)
    options = options or popart.SessionOptions()
    options.constantWeights = False
    return popart.InferenceSession(
        builder.getModelProto(),
        popart.DataFlow(1, [output]),
        popart.DeviceManager().createCpuDevice(),
        userOptions=options,
    )


@pytest.mark.parametrize(("fragment", "make", "arrays"), CASES)
def test_refused(fragment, make, arrays):
    with pytest.raises(popart.popart_exception, match=fragment) as caught:
        construct(make, arrays)
    assert not isinstance(caught.value, popart.popart_internal_exception)


@pytest.mark.parametrize("scales", [[2], [1, 2, 3]])
def test_upsample_takes_one_scale_an_axis(scales):
    def make(b, o, x):
        return o.upsample([x[0], o.constant(np.array(scales, "f4"))])

    with pytest.raises(popart.popart_exception, match="one an axis"):
        construct(make, [f(1, 4)], opset=9)


def test_upsample_is_nearest():
    def make(b, o, x):
        return o.upsample([x[0], o.constant(np.array([1, 2], "f4"))], mode="linear")

    with pytest.raises(popart.popart_exception, match="only nearest"):
        construct(make, [f(1, 4)], opset=9)


@pytest.mark.parametrize("name", ["exp", "sin", "sqrt"])
def test_types_that_nothing_computes_are_named_when_compiling(name):
    """PopART's graph takes them, Poplar does not."""
    session = construct(n(name), [i(3)])
    with pytest.raises(popart.popart_exception, match="INT32.* accepted are FLOAT") as caught:
        session.prepareDevice()
    assert not isinstance(caught.value, popart.popart_internal_exception)


def test_recomputation_by_hand_and_automatically():
    def make(b, o, x):
        y = o.relu(x)
        b.recomputeOutputInBackwardPass(y)
        return y

    construct(make, [f(2)])
    options = popart.SessionOptions()
    options.autoRecomputation = popart.RecomputationType.Standard
    with pytest.raises(popart.popart_exception, match="A mixture of auto and manual recomputation"):
        construct(make, [f(2)], options)


def test_square_add_alone_squares():
    session = construct(g("replicatedallreduce", 7), [f(2)])
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    (name,) = anchors
    session.run(popart.PyStepIO({"input": np.array([3, -2], "f4")}, anchors))
    assert anchors[name].tolist() == [9, 4]
