"""Recurrent networks, resizing, pooling and transposed convolution against onnxruntime's.

All combinations of attributes; a fixed part of them is not slow.
"""

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

import odla_ipu as odla

EVERY = 29
"""Each twenty-ninth combination is not slow."""


def grid(**choices):
    """Test parameters for all combinations of ``choices``."""
    combinations = list(itertools.product(*choices.values()))
    return pytest.mark.parametrize(
        tuple(choices),
        [
            pytest.param(*one, marks=[pytest.mark.slow] if index % EVERY else [])
            for index, one in enumerate(combinations)
        ],
    )


def f(*shape):
    return np.random.RandomState(sum(shape)).uniform(-1, 1, shape).astype(np.float32)


def onnx_run(op, operands, outputs=1, opset=13, **attributes):
    """What onnxruntime computes for one node."""
    names = ["" if one is None else f"x{index}" for index, one in enumerate(operands)]
    feeds = {name: one for name, one in zip(names, operands) if one is not None}
    results = [f"y{index}" for index in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, **attributes)],
        "g",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(one.dtype), one.shape
            )
            for name, one in feeds.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def odla_run(op, device, operands, **attributes):
    """What the package computes for one op; operands by name."""
    given = {name: one for name, one in operands.items() if one is not None}
    with odla.Computation() as c:
        values = {name: odla.argument(name, one.shape, one.dtype) for name, one in given.items()}
        results = getattr(odla, op)(**values, **attributes)
        for index, one in enumerate(results if isinstance(results, tuple) else (results,)):
            odla.output(one, f"result {index}")
    return list(c.run(given, device=device).values())


def agree(got, wanted, tolerance=1e-5):
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=10 * tolerance, atol=tolerance)


# Recurrent networks.

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 2
_DIRECTIONS = ["forward", "reverse", "bidirectional"]
_LENGTHS = [None, [5, 2, 4]]


def _gates(array, order, wanted):
    """The gates along axis 1, from one order to another."""
    parts = dict(zip(order, np.split(array, len(order), 1)))
    return np.concatenate([parts[gate] for gate in wanted], 1)


def _stored(array, weight_format):
    return array if weight_format == "LDGOI" else np.ascontiguousarray(array.transpose(0, 2, 1))


def _common(direction, lengths, has_state):
    count = 2 if direction == "bidirectional" else 1
    return (
        count,
        f(STEPS, BATCH, INPUTS),
        None if lengths is None else np.array(lengths, np.int32),
        f(count, BATCH, HIDDEN) if has_state else None,
    )


@grid(
    direction=_DIRECTIONS,
    weight_format=["LDGOI", "LDIGO"],
    order=["iofc", "ifco", "ifoc", "icof"],
    lengths=_LENGTHS,
    bias=[0, 4, 8],
    peepholes=[False, True],
    has_state=[False, True],
)
def test_lstm(direction, weight_format, order, lengths, bias, peepholes, has_state, device):
    count, x, sizes, h = _common(direction, lengths, has_state)
    c = f(count, BATCH, HIDDEN) * 2 if has_state else None
    w, r = f(count, 4 * HIDDEN, INPUTS), f(count, 4 * HIDDEN, HIDDEN)
    b = f(count, bias * HIDDEN) if bias else None
    p = f(count, 3 * HIDDEN) if peepholes else None
    halves = None
    if bias:
        whole = b if bias == 8 else np.concatenate([b, np.zeros_like(b)], 1)
        halves = np.concatenate([_gates(one, order, "iofc") for one in np.split(whole, 2, 1)], 1)
    wanted = onnx_run(
        "LSTM",
        [x, _gates(w, order, "iofc"), _gates(r, order, "iofc"), halves, sizes, h, c, p],
        3,
        hidden_size=HIDDEN,
        direction=direction,
    )
    weights = {"W": _stored(w, weight_format), "R": _stored(r, weight_format), "B": b, "P": p}
    got = odla_run(
        "lstm",
        device,
        {"input": x, **weights, "sequence_lens": sizes, "initial_h": h, "initial_c": c},
        weight_format=weight_format,
        gate_order=order,
        direction=direction,
    )
    agree(got, wanted)


@grid(
    direction=_DIRECTIONS,
    weight_format=["LDGOI", "LDIGO"],
    lengths=_LENGTHS,
    bias=[0, 3, 6],
    linear=[False, True],
    has_state=[False, True],
)
def test_gru(direction, weight_format, lengths, bias, linear, has_state, device):
    count, x, sizes, h = _common(direction, lengths, has_state)
    w, r = f(count, 3 * HIDDEN, INPUTS), f(count, 3 * HIDDEN, HIDDEN)
    b = f(count, bias * HIDDEN) if bias else None
    whole = np.concatenate([b, np.zeros_like(b)], 1) if bias == 3 else b
    wanted = onnx_run(
        "GRU",
        [x, w, r, whole, sizes, h],
        2,
        hidden_size=HIDDEN,
        direction=direction,
        linear_before_reset=int(linear),
    )
    weights = {"W": _stored(w, weight_format), "R": _stored(r, weight_format), "B": b}
    got = odla_run(
        "gru",
        device,
        {"input": x, **weights, "sequence_lens": sizes, "initial_h": h},
        weight_format=weight_format,
        direction=direction,
        linear_before_reset=linear,
    )
    agree(got, wanted)


@grid(
    direction=_DIRECTIONS,
    weight_format=["LDGOI", "LDIGO"],
    lengths=_LENGTHS,
    bias=[0, 1, 2],
    has_state=[False, True],
)
def test_rnn(direction, weight_format, lengths, bias, has_state, device):
    count, x, sizes, h = _common(direction, lengths, has_state)
    w, r = f(count, HIDDEN, INPUTS), f(count, HIDDEN, HIDDEN)
    b = f(count, bias * HIDDEN) if bias else None
    whole = np.concatenate([b, np.zeros_like(b)], 1) if bias == 1 else b
    activations = ["Tanh"] * count
    wanted = onnx_run(
        "RNN",
        [x, w, r, whole, sizes, h],
        2,
        hidden_size=HIDDEN,
        direction=direction,
        activations=activations,
    )
    weights = {"W": _stored(w, weight_format), "R": _stored(r, weight_format), "B": b}
    got = odla_run(
        "rnn",
        device,
        {"input": x, **weights, "sequence_lens": sizes, "initial_h": h},
        weight_format=weight_format,
        direction=direction,
    )
    agree(got, wanted)


# Resizing.

_COORDINATES = {
    "ASSYMMETRIC": "asymmetric",
    "HALF_PIXEL": "half_pixel",
    "HALF_PIXEL_TF": "tf_half_pixel_for_nn",
    "ALIGN_CORNERS": "align_corners",
}
_SIZES = [2, 3, 4, 5, 7, 8, 11, 16]


@grid(
    interpolation=["NEAREST", "LINEAR", "CUBIC"],
    mode=list(_COORDINATES),
    old=_SIZES,
    new=_SIZES,
)
def test_resize(interpolation, mode, old, new, device):
    x = f(1, 2, old, new)
    target = (1, 2, new, old)
    coordinates = _COORDINATES[mode]
    if mode == "HALF_PIXEL_TF" and interpolation != "NEAREST":
        coordinates = "half_pixel"
    wanted = onnx_run(
        "Resize",
        [x, None, None, np.array(target, np.int64)],
        mode=interpolation.lower(),
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor" if mode == "HALF_PIXEL_TF" else "round_prefer_floor",
        cubic_coeff_a=-0.75,
    )
    got = odla_run(
        "resize", device, {"input": x}, output_dims=target, interpolation=interpolation, mode=mode
    )
    agree(got, wanted, 1e-4)


# Pooling and transposed convolution.


def _in_layout(x, layout):
    if layout == "CHANNELS_FIRST":
        return x
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def _channels_first(y, layout):
    return y if layout == "CHANNELS_FIRST" else np.moveaxis(y, -1, 1)


@grid(
    op=["max_pool", "average_pool", "average_pool with padding"],
    layout=["CHANNELS_FIRST", "CHANNELS_LAST"],
    window=[(1, 1), (2, 2), (3, 2), (4, 5)],
    strides=[(1, 1), (2, 2), (3, 1)],
    front=[(0, 0), (1, 0), (0, 1)],
    back=[(0, 0), (0, 1), (1, 1)],
)
def test_pool(op, layout, window, strides, front, back, device):
    if any(pad >= size for pad, size in zip((*front, *back), window * 2)):
        window = tuple(size + 1 for size in window)
    x = f(2, 3, 8, 9)
    attributes = {"count_include_pad": int("with" in op)} if op != "max_pool" else {}
    wanted = onnx_run(
        "MaxPool" if op == "max_pool" else "AveragePool",
        [x],
        kernel_shape=window,
        strides=strides,
        pads=[*front, *back],
        **attributes,
    )
    options = {"padding_included": "with" in op} if op != "max_pool" else {}
    (got,) = odla_run(
        op.split()[0],
        device,
        {"input": _in_layout(x, layout)},
        input_layout=layout,
        window_dims=window,
        strides=strides,
        paddings_front=front,
        paddings_back=back,
        **options,
    )
    agree([_channels_first(got, layout)], wanted)


@grid(
    layout=["CHANNELS_FIRST", "CHANNELS_LAST"],
    kernel_layout=["IOS", "SIO"],
    group=[1, 2],
    kernel=[(1, 1), (3, 2)],
    strides=[(1, 1), (2, 3)],
    dilations=[(1, 1), (2, 1), (2, 3)],
    front=[(0, 0), (0, 1)],
    back=[(0, 0), (1, 0)],
    has_bias=[False, True],
)
def test_deconv(
    layout, kernel_layout, group, kernel, strides, dilations, front, back, has_bias, device
):
    if (kernel, strides) == ((1, 1), (1, 1)):
        front = back = (0, 0)
    x, w = f(2, 4, 5, 4), f(4, 3, *kernel)
    bias = f(3 * group) if has_bias else None
    wanted = onnx_run(
        "ConvTranspose",
        [x, w, bias],
        group=group,
        strides=strides,
        dilations=dilations,
        pads=[*front, *back],
    )
    stored = w if kernel_layout == "IOS" else np.ascontiguousarray(w.transpose(2, 3, 0, 1))
    (got,) = odla_run(
        "deconv",
        device,
        {"input": _in_layout(x, layout), "kernel": stored, "bias": bias},
        input_layout=layout,
        group=group,
        kernel_layout=kernel_layout,
        strides=strides,
        dilations=dilations,
        paddings_front=front,
        paddings_back=back,
    )
    agree([_channels_first(got, layout)], wanted)
