"""Fourier transforms, mel weights, and further operators that no ODLA op stands for alone."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_stack import actual, build, compare, single

import odla_ipu as odla

_RNG = np.random.default_rng(5)

NEW = pytest.mark.skipif(
    onnx.defs.onnx_opset_version() < 24, reason="the installed onnx has no such operator yet"
)


def f(*shape, dtype=np.float32):
    return _RNG.uniform(-2, 2, shape).astype(dtype)


def scalar(number, dtype=np.int64):
    return np.array(number, dtype)


def run(op, operands, device, **options):
    model, feeds = single(op, operands, **options)
    return next(iter(actual(model, feeds, device).values()))


def _complex(pairs):
    return pairs[..., 0] + 1j * pairs[..., 1] if pairs.shape[-1] == 2 else pairs[..., 0]


def _pairs(numbers):
    return np.stack([numbers.real, numbers.imag], -1)


# DFT, against numpy's.


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("length", [None, 4, 7, 12])
@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("parts", [1, 2])
def test_dft(parts, inverse, axis, length, opset, device):
    if opset < 20 and onnx.defs.onnx_opset_version() < 17:
        pytest.skip("the installed onnx has no such operator yet")
    x = f(6, 7, 3, parts)
    count = None if length is None else scalar(length)
    operands, options = [x, count], {"axis": axis}
    if opset == 20:
        operands, options = [x, count, scalar(axis)], {}
    got = run("DFT", operands, device, opset=opset, constants=[1, 2], inverse=inverse, **options)
    function = np.fft.ifft if inverse else np.fft.fft
    wanted = function(_complex(x), length, axis=axis % 4)
    np.testing.assert_allclose(got, _pairs(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [None, 5, 8, 9, 16])
def test_one_sided_dft(length, device):
    x = f(2, 9, 1)
    operands = [x, None if length is None else scalar(length)]
    got = run("DFT", operands, device, opset=20, constants=[1], onesided=1)
    wanted = np.fft.rfft(x[..., 0], length, axis=1)
    np.testing.assert_allclose(got, _pairs(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [None, 6, 7, 11, 8])
def test_one_sided_inverse_dft(length, device):
    x = f(2, 5, 2)
    operands = [x, None if length is None else scalar(length)]
    got = run("DFT", operands, device, opset=20, constants=[1], onesided=1, inverse=1)
    wanted = np.fft.irfft(_complex(x), length, axis=1)[..., None]
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


# STFT and MelWeightMatrix, against onnxruntime's.


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("hop", [3, 8])
@pytest.mark.parametrize("given", ["window", "length", "both"])
def test_stft(given, hop, onesided, device):
    window = None if given == "length" else f(8)
    length = None if given == "window" else scalar(8)
    operands = [f(2, 30, 1), scalar(hop), window, length]
    model, feeds = single("STFT", operands, opset=17, constants=[1, 3], onesided=onesided)
    compare(model, feeds, device)


@pytest.mark.parametrize(
    ("bands", "length", "rate", "low", "high"),
    [(8, 16, 8192, 0.0, 4096.0), (20, 512, 16000, 20.0, 8000.0), (3, 31, 100, 5.0, 40.0)],
)
def test_mel_weights(bands, length, rate, low, high, device):
    operands = [*map(scalar, (bands, length, rate)), np.float32(low), np.float32(high)]
    model, feeds = single(
        "MelWeightMatrix", operands, opset=17, constants=range(5), output_datatype=1
    )
    compare(model, feeds, device)


# Blocks of quantised numbers.


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16])
@pytest.mark.parametrize(("axis", "size"), [(1, 2), (0, 3), (-1, 4)])
def test_quantisation_in_blocks(axis, size, kind, device):
    x = f(4, 6, dtype=np.float32) * 20
    dims = [4, 6]
    dims[axis] = -(-dims[axis] // size)
    scale = _RNG.uniform(0.1, 0.5, dims).astype(np.float32)
    zero = _RNG.integers(0, 9, dims).astype(kind)
    spread = [np.repeat(one, size, axis) for one in (scale, zero)]
    spread = [one.take(range(x.shape[axis]), axis) for one in spread]
    limits = np.iinfo(kind)
    quantised = np.clip(np.rint(x / spread[0]) + spread[1], limits.min, limits.max).astype(kind)
    options = {"opset": 21, "axis": axis, "block_size": size}
    for constants in ([], [1, 2]):
        got = run("QuantizeLinear", [x, scale, zero], device, constants=constants, **options)
        np.testing.assert_array_equal(got, quantised)
        got = run(
            "DequantizeLinear", [quantised, scale, zero], device, constants=constants, **options
        )
        wanted = (quantised.astype(np.float32) - spread[1]) * spread[0]
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


# Bits of signed integers.


@NEW
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("kind", ["int8", "int16", "int32"])
def test_signed_shift(kind, direction, device):
    width = 8 * np.dtype(kind).itemsize
    limits = np.iinfo(kind)
    numbers = [limits.min, limits.min + 1, -3, -1, 0, 1, 5, limits.max - 1, limits.max]
    x = np.array(numbers, kind)[:, None]
    amounts = np.array([0, 1, 2, width - 2, width - 1, width, 100, -1], kind)
    wanted = np.empty((len(numbers), len(amounts)), kind)
    for place in np.ndindex(*wanted.shape):
        number, amount = int(x[place[0], 0]), int(amounts[place[1]])
        if direction == "RIGHT":
            shifted = number >> (amount if 0 <= amount < width else width)
        else:
            shifted = number << amount if 0 <= amount < width else 0
        wanted[place] = (shifted + 2 ** (width - 1)) % 2**width - 2 ** (width - 1)
    got = run(
        "BitShift", [x, amounts], device, opset=onnx.defs.onnx_opset_version(), direction=direction
    )
    np.testing.assert_array_equal(got, wanted)


# TensorScatter, against the text of the operator.


@NEW
@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("axis", [1, -2, 3])
@pytest.mark.parametrize("constant", [False, True])
def test_tensor_scatter(constant, axis, mode, device):
    x = f(2, 5, 6, 4)
    dims = list(x.shape)
    dims[axis] = 3
    updates = f(*dims)
    places = np.array([0, 1] if mode == "linear" else [2, 9], np.int64)
    wanted = x.copy()
    for batch, start in enumerate(places):
        for row in range(3):
            place = (start + row) % x.shape[axis] if mode == "circular" else start + row
            target, source = np.moveaxis(wanted[batch], axis % 4 - 1, 0), updates[batch]
            target[place] = np.moveaxis(source, axis % 4 - 1, 0)[row]
    constants = [2] if constant else []
    got = run(
        "TensorScatter",
        [x, updates, places],
        device,
        opset=24,
        constants=constants,
        axis=axis,
        mode=mode,
    )
    np.testing.assert_array_equal(got, wanted)


# Scan of opset 8.


@pytest.mark.parametrize("lengths", [None, [3, 4]])
@pytest.mark.parametrize("backward", [0, 1])
def test_scan_of_batches(backward, lengths, device):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "x"], ["next"]),
            helper.make_node("Mul", ["next", "x"], ["row"]),
        ],
        "body",
        [info(name, TensorProto.FLOAT, [3]) for name in ("state", "x")],
        [info(name, TensorProto.FLOAT, [3]) for name in ("next", "row")],
    )
    node = helper.make_node(
        "Scan",
        ["lengths" if lengths else "", "start", "x"],
        ["last", "rows"],
        num_scan_inputs=1,
        body=body,
        directions=[backward],
    )
    feeds = {"start": f(2, 3), "x": f(2, 4, 3)}
    weights = {"lengths": np.array(lengths, np.int64)} if lengths else {}
    model = build([node], feeds, weights, outputs=["last", "rows"], opset=8)
    got = actual(model, feeds, device)
    for batch, count in enumerate(lengths or [4, 4]):
        state, rows = feeds["start"][batch], []
        taken = feeds["x"][batch, :count]
        for x in taken[::-1] if backward else taken:
            state = state + x
            rows.append(state * x)
        np.testing.assert_allclose(got["last"][batch], state, rtol=1e-5)
        np.testing.assert_allclose(got["rows"][batch, :count], rows, rtol=1e-5)
        assert not got["rows"][batch, count:].any()


# Divisions by infinity.


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_division_by_infinity(kind, device):
    """odla_Mod as numpy's; ONNX converts both remainders to it."""
    x = np.array([-2, -0.0, 0, 3, np.inf, np.nan], kind)[:, None]
    y = np.array([np.inf, -np.inf, 2, -2], kind)
    for fmod, function in ((0, np.mod), (1, np.fmod)):
        with odla.Computation() as c:
            a, b = odla.argument("a", x.shape, kind), odla.argument("b", y.shape, kind)
            odla.output(odla.mod(a, b, fmod=fmod), "y")
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(c.run(a=x, b=y, device=device)["y"], function(x, y))
