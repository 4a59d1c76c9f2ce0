"""Neural-network and recurrent ops: refused calls, open shapes, and the forms used in training."""

import numpy as np
import pytest
from reference import nn as nn_reference
from reference import rnn as rnn_reference
from samples import random

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter, UnsupportedType
from odla_ipu.lowering import lower
from odla_ipu.passes import prepare


def zeros(*shape, dtype="float32"):
    return np.zeros(shape, dtype)


_IMAGE = (1, 4, 8, 8)
_SERIES = (2, 3, 4)
REFUSED = [
    ("conv", _IMAGE, [zeros(4, 4, 9, 3)], {}, "covers 9 elements .* which has 8"),
    ("conv", _IMAGE, [zeros(4, 3, 3, 3)], {}, "3 input channels; accepted: 4"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"group": 2}, "4 input channels; accepted: 2"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"group": 3}, "group is 3; .*divisor of the 4 channels"),
    ("conv", _IMAGE, [zeros(3, 2, 3, 3)], {"group": 2}, "group is 2; .*divisor of the 3 channels"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"group": 0}, "group is 0"),
    (
        "conv",
        _IMAGE,
        [zeros(4, 4, 3, 3)],
        {"strides": (0, 1)},
        r"strides is \[0, 1\]; .*1 and more",
    ),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"strides": (1,)}, r"strides is \[1\]; accepted: 2 num"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"dilations": (1, 0)}, "dilations is"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"paddings_front": (1,)}, "paddings_front is"),
    ("conv", _IMAGE, [zeros(4, 4, 3)], {}, "same rank"),
    ("conv", (2, 4), [zeros(4, 4)], {}, "accepted: rank 3 to 5"),
    ("conv", (1, 1, 2, 2, 2, 2), [zeros(1, 1, 1, 1, 1, 1)], {}, "accepted: rank 3 to 5"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"bias": zeros(3)}, "bias is .*accepted: 4 elements"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"output_dims": (1, 4, 5, 5)}, "output_dims is"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"input_layout": "sio"}, "input_layout is SIO"),
    ("conv", _IMAGE, [zeros(4, 4, 3, 3)], {"kernel_layout": 1}, "kernel_layout is CHANNELS_LAST"),
    ("deconv", _IMAGE, [zeros(3, 4, 2, 2)], {}, "3 input channels; accepted: 4"),
    ("deconv", (1, 4, 2, 2), [zeros(4, 1, 2, 2)], {"paddings_front": (3, 0)}, "crop all"),
    ("deconv", _IMAGE, [zeros(4, 1, 2, 2)], {"output_dims": (1, 1, 8, 8)}, "output_dims is"),
    ("max_pool", _IMAGE, [], {"window_dims": (9, 1)}, "covers 9 elements"),
    ("max_pool", _IMAGE, [], {"window_dims": (0, 1)}, "window_dims is"),
    ("average_pool", _IMAGE, [], {"window_dims": (2,)}, "window_dims is"),
    ("group_normalization", _IMAGE, [], {"groups": 3}, "groups is 3"),
    ("group_normalization", _IMAGE, [], {"groups": 2, "scale": zeros(3)}, "4 or 2 elements"),
    ("batch_normalization", _IMAGE, [zeros(3), zeros(4)], {}, "mean is .*accepted: 4 elements"),
    ("batch_normalization", (4,), [zeros(4), zeros(4)], {}, "rank 2 to 10"),
    ("lrn", _IMAGE, [], {"window_size": 0}, "window_size is 0"),
    ("lp_normalize", _IMAGE, [], {"p": 3}, "p is 3; accepted: 1, 2"),
    ("lp_normalize", _IMAGE, [], {"axes": [4]}, "axes is 4; accepted: -4 to 3"),
    ("lp_normalize", _IMAGE, [], {"axes": []}, "axes is empty"),
    ("lp_normalize", _IMAGE, [], {"scale": zeros(2, 4, 1, 1)}, "scale is .*must broadcast"),
    ("softmax", (2, 3), [], {"axis": 2}, "axis is 2; accepted: -2 to 1"),
    ("celu", (2,), [], {"alpha": 0}, "alpha is 0"),
    ("prelu", (2, 3), [zeros(4)], {}, "do not broadcast"),
    ("prelu", (2, 3), [zeros(1, 2, 3)], {}, "slope is .*must broadcast"),
    ("top_k", (2, 3), [], {"K": 4}, "K is 4; accepted: 0 to 3"),
    ("top_k", (2, 3), [], {"K": 1, "axis": 2}, "axis is 2; accepted: -2 to 1"),
    ("lstm", _SERIES, [zeros(1, 20, 4), zeros(1, 24, 6)], {}, r"W has the shape \[1,20,4\]"),
    ("lstm", _SERIES, [zeros(1, 24, 4), zeros(1, 24, 6)], {"hidden_size": 5}, r"\[1,20,4\]"),
    ("lstm", _SERIES, [zeros(1, 24, 4), zeros(1, 24, 6)], {"direction": 2}, r"\[2,24,4\]"),
    ("lstm", _SERIES, [zeros(1, 24, 4), zeros(1, 24, 6)], {"gate_order": "uro"}, "gate_order is"),
    ("lstm", _SERIES, [zeros(1, 24, 4), zeros(1, 24, 6)], {"P": zeros(1, 24)}, r"\[1,18\]"),
    ("gru", _SERIES, [zeros(1, 18, 4), zeros(1, 18, 6)], {"gate_order": 0}, "accepted: URO"),
    ("gru", _SERIES, [zeros(1, 18, 4), zeros(1, 18, 6)], {"outputs": 2}, "outputs is CELL_STATE"),
    ("gru", _SERIES, [zeros(1, 18, 4), zeros(1, 18, 6)], {"B": zeros(1, 17)}, r"B has .*\[1,18\]"),
    (
        "gru",
        _SERIES,
        [zeros(1, 18, 4), zeros(1, 18, 6)],
        {"sequence_lens": np.array([1, 2, 3], "int32")},
        "sequence_lens holds 1 to 3; accepted: 0 to 2",
    ),
    (
        "gru",
        _SERIES,
        [zeros(1, 18, 4), zeros(1, 18, 6)],
        {"weight_dims": (1, 18, 5)},
        "weight_dims is",
    ),
    ("gru", (0, 3, 4), [zeros(1, 18, 4), zeros(1, 18, 6)], {}, "one time step or more"),
    ("rnn", (2, 3), [zeros(1, 6, 4), zeros(1, 6, 6)], {}, "accepted: rank 3"),
    ("rnn", _SERIES, [zeros(1, 6, 4), zeros(1, 6, 6)], {"initial_h": zeros(1, 2, 6)}, "initial_h"),
]


@pytest.mark.parametrize(
    "op, shape, operands, attributes, message",
    REFUSED,
    ids=[f"{row[0]}-{index}" for index, row in enumerate(REFUSED)],
)
def test_refused(op, shape, operands, attributes, message):
    with odla.Computation():
        x = odla.argument("x", shape)
        with pytest.raises(InvalidParameter, match=message) as error:
            getattr(odla, op)(x, *operands, **attributes)
    assert "odla_" in str(error.value)


@pytest.mark.parametrize(
    "op, operands, attributes",
    [
        ("conv", [zeros(4, 4, 3, 3, dtype="float16")], {}),
        ("prelu", [zeros(8, dtype="float16")], {}),
        ("top_k", [], {"K": 1, "output_value_index_type": "float32"}),
        ("batch_normalization", [zeros(4, dtype="float16"), zeros(4)], {}),
    ],
)
def test_refused_types(op, operands, attributes):
    with odla.Computation():
        x = odla.argument("x", _IMAGE)
        with pytest.raises(UnsupportedType):
            getattr(odla, op)(x, *operands, **attributes)


def test_open_shapes_are_inferred_when_they_are_fixed(device):
    kernel = random(5, 3, 3, 3)
    with odla.Computation() as c:
        x = odla.argument("x", ("batch", 3, -1, -1))
        y = odla.conv(x, kernel, strides=(2, 2), paddings_front=(1, 1), paddings_back=(1, 1))
        assert y.shape == ("batch", 5, -1, -1)
        y = odla.softmax(odla.max_pool(y, (2, 2)), axis=1)
        odla.output(y, "y")
    x = random(2, 3, 9, 8)
    got = c.specialise({"x": x.shape}).run(x=x, device=device)["y"]
    expected = nn_reference.conv(
        x, kernel, strides=[2, 2], paddings_front=[1, 1], paddings_back=[1, 1]
    )
    expected = nn_reference.softmax(nn_reference.max_pool(expected, [2, 2]), 1)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_a_ceil_mode_hint_survives_copies(device):
    with odla.Computation() as c:
        x = odla.argument("x", (1, 6, 6, 2))
        y = odla.average_pool(
            x,
            (3, 3),
            strides=(2, 2),
            padding_included=True,
            paddings_front=(1, 1),
            input_layout="channels_last",
            output_dims=(1, 4, 4, 2),
        )
        odla.output(odla.relu(y), "y")
    x = random(1, 6, 6, 2)
    got = c.run(x=x, device=device, precision="fp16")["y"]
    expected = nn_reference.average_pool(
        x, [3, 3], "channels_last", [2, 2], [1, 1], None, True, (1, 4, 4, 2)
    )
    np.testing.assert_allclose(got, np.maximum(expected, 0), rtol=5e-3, atol=5e-3)


# In training some rules lower to forms that PopART can differentiate: same results.


def _bidirectional(gates):
    return (
        random(4, 2, 3),
        random(2, gates * 5, 3, low=-1, high=1),
        random(2, gates * 5, 5, low=-1, high=1),
        random(2, gates * 5),
    )


_VALUES = dict.fromkeys(("lstm", "gru"), ("W", "R", "B"))

TRAINED = [
    ("prelu", nn_reference.prelu, (random(2, 3, 4), random(3, 1)), {}),
    (
        "batch_normalization",
        nn_reference.batch_normalization,
        (random(2, 3, 4), random(3), random(3, low=0.5)),
        {"scalar_scale": 1.5},
    ),
    ("lrn", nn_reference.lrn, (random(2, 5, 3, 2),), {"window_size": 4, "alpha": 0.5}),
    ("lrn", nn_reference.lrn, (random(2, 5),), {"window_size": 3, "alpha": 0.5}),
    (
        "deconv",
        nn_reference.deconv,
        (random(1, 2, 3, 4), random(2, 3, 2, 3)),
        {"dilations": [2, 3]},
    ),
    (
        "lstm",
        rnn_reference.lstm,
        _bidirectional(4),
        {"direction": "bidirectional", "gate_order": "ifco"},
    ),
    ("gru", rnn_reference.gru, _bidirectional(3), {"direction": "bidirectional"}),
]


@pytest.mark.parametrize(
    "op, reference, operands, attributes", TRAINED, ids=[row[0] for row in TRAINED]
)
def test_training_forms(op, reference, operands, attributes):
    from odla_ipu import sim as popart

    with odla.Computation() as c:
        x = odla.argument("x", operands[0].shape)
        weights = [odla.variable(one.shape, one.dtype) for one in operands[1:]]
        for weight, numbers in zip(weights, operands[1:]):
            weight.set(numbers)
        named = dict(zip(_VALUES.get(op, ()), weights))
        rest = () if named else weights
        results = getattr(odla, op)(x, *rest, **named, **attributes)
        odla.output(results if isinstance(results, odla.Value) else results[0], "y")
    lowered = lower(prepare(c.graph, training=True), popart, training=True)
    # Initializers are the weights as they were given: they are what is trained.
    assert set(lowered.initializers) == set(lowered.trained.values())
    assert len(lowered.trained) == len(weights)
    output = lowered.outputs["y"]
    session = popart.InferenceSession(
        fnModel=lowered.builder.getModelProto(),
        dataFlow=popart.DataFlow(1, [output]),
        deviceInfo=popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({lowered.arguments["x"]: operands[0]}, anchors))
    expected = reference(*operands, **attributes)
    expected = expected[0] if isinstance(expected, tuple) else expected
    # Anchors leave out leading dimensions of size 1.
    got = anchors[output].reshape(expected.shape)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
