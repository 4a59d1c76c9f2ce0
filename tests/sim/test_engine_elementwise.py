"""Elementwise ops of the stand-in against numpy."""

import math

import numpy as np
import pytest
from session_run import constant, run

RNG = np.random.RandomState(3)
SHAPES = [(), (1,), (3, 5), (2, 3, 1, 4), (0, 3)]


def _floats(*shape, low=-3.0, high=3.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


ERF = np.vectorize(math.erf, otypes=[float])
CORE = {
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": ERF,
    "exp": np.exp,
    "floor": np.floor,
    "neg": np.negative,
    "reciprocal": np.reciprocal,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tan": np.tan,
    "tanh": np.tanh,
    "identity": lambda x: x,
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "leakyrelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "hardsigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "thresholdedrelu": lambda x: np.where(x > 1, x, 0),
}
UNIT = {"acos", "asin", "atanh"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CORE)
def test_functions(name, shape):
    bound = 0.95 if name in UNIT else 3.0
    x = np.asarray(_floats(*shape, low=-bound, high=bound))
    (y,) = run(lambda b, o, i: getattr(o, name)([i[0]]), {"x": x})
    np.testing.assert_allclose(y, CORE[name](x.astype(np.float64)), rtol=2e-5, atol=2e-6)
    assert y.shape == x.shape


@pytest.mark.parametrize("name", ["log", "sqrt"])
def test_positive_functions(name):
    x = _floats(4, 3, low=0.01)
    (y,) = run(lambda b, o, i: getattr(o, name)([i[0]]), {"x": x})
    np.testing.assert_allclose(y, getattr(np, name)(x), rtol=1e-5, atol=1e-6)


GRAPHCORE = {
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "geluerf": lambda x: 0.5 * x * (1 + ERF(x / math.sqrt(2))),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "expm1": np.expm1,
    "nearbyint": np.rint,
    "round": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "detach": lambda x: x,
    "nop": lambda x: x,
}


# 1 + tanh cancels for negative x; the sigmoid is 0 below -18.
ATOL = {"gelu": 5e-7, "geluerf": 5e-7, "swish": 5e-7}


@pytest.mark.parametrize("name", GRAPHCORE)
def test_graphcore_functions(name):
    x = np.concatenate([_floats(60), [0, -0.5, 0.5, 1.5, 2.5, -2.5, 1e-6, -1e-7, 10, -20, 40]])
    x = x.astype(np.float32)
    (y,) = run(lambda b, o, i: getattr(b.aiGraphcore, name)([i[0]]), {"x": x})
    np.testing.assert_allclose(
        y, GRAPHCORE[name](x.astype(np.float64)), rtol=1e-5, atol=ATOL.get(name, 1e-12)
    )


def test_round_just_below_a_half():
    x = np.array([np.nextafter(np.float32(0.5), np.float32(0)), 8388609.0, -0.5], np.float32)
    (y,) = run(lambda b, o, i: b.aiGraphcore.round([i[0]]), {"x": x})
    assert y.tolist() == [0, 8388609, -1]


def test_log1p_near_zero():
    x = np.array([1e-8, -1e-7, 0, 1e-3, 0.7, 5, 1e10, -0.9], np.float32)
    (y,) = run(lambda b, o, i: b.aiGraphcore.log1p([i[0]]), {"x": x})
    np.testing.assert_allclose(y, np.log1p(x.astype(np.float64)), rtol=1e-5)


def test_atan2_in_all_octants():
    values = np.array([-np.inf, -2, -1, -0.5, -0.0, 0.0, 0.5, 1, 2, np.inf], np.float32)
    y = np.repeat(values, len(values))
    x = np.tile(values, len(values))
    (angle,) = run(lambda b, o, i: b.aiGraphcore.atan2(i), {"y": y, "x": x})
    np.testing.assert_allclose(angle, np.arctan2(y, x), rtol=1e-6, atol=1e-7)


BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
PAIRS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 3), (4, 1)), ((), (2, 2)), ((0, 2), (1, 2))]


@pytest.mark.parametrize("shapes", PAIRS)
@pytest.mark.parametrize("name", BINARY)
def test_arithmetic(name, shapes):
    a, b = (np.asarray(_floats(*shape, low=0.5)) for shape in shapes)
    (y,) = run(lambda _, o, i: getattr(o, name)(i), {"a": a, "b": b})
    np.testing.assert_allclose(y, BINARY[name](a, b), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_integers_wrap(name, dtype):
    top = np.iinfo(dtype)
    a = np.array([top.max, top.min, 7, top.max], dtype)
    b = np.array([1, 1, 3, top.max], dtype)
    (y,) = run(lambda _, o, i: getattr(o, name)(i), {"a": a, "b": b})
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(y, BINARY[name](a, b))
    assert y.dtype == dtype


def test_integer_division_truncates():
    a = np.array([7, -7, 7, -7, 0], np.int32)
    b = np.array([2, 2, -2, -2, 3], np.int32)
    (y,) = run(lambda _, o, i: o.div(i), {"a": a, "b": b})
    assert y.tolist() == [3, -3, -3, 3, 0]


def test_unsigned_division():
    a = np.array([2**32 - 1, 2**31, 5], np.uint32)
    b = np.array([2, 3, 2**32 - 1], np.uint32)
    (y,) = run(lambda _, o, i: o.div(i), {"a": a, "b": b})
    np.testing.assert_array_equal(y, a // b)


@pytest.mark.parametrize("name", ["fmod", "remainder"])
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_remainders(name, dtype):
    a = np.array([-3, 3, 7, -7, 5], dtype)
    b = np.array([2, -2, 4, 4, -5], dtype)
    (y,) = run(lambda g, o, i: getattr(g.aiGraphcore, name)(i), {"a": a, "b": b})
    np.testing.assert_array_equal(y, getattr(np, name)(a, b))


@pytest.mark.parametrize("fmod", [0, 1])
def test_mod(fmod):
    a, b = np.array([-3, 3, 7], np.int32), np.array([2, -2, 4], np.int32)
    (y,) = run(lambda _, o, i: o.mod(i, fmod=fmod), {"a": a, "b": b})
    np.testing.assert_array_equal(y, (np.fmod if fmod else np.remainder)(a, b))


BITS = {
    "bitwiseand": np.bitwise_and,
    "bitwiseor": np.bitwise_or,
    "bitwisexor": np.bitwise_xor,
    "bitwisexnor": lambda a, b: ~(a ^ b),
}


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("name", BITS)
def test_bits(name, dtype):
    a = RNG.randint(0, 2**32, (3, 1), np.uint64).astype(np.uint32).view(dtype)
    b = RNG.randint(0, 2**32, (4,), np.uint64).astype(np.uint32).view(dtype)
    (y,) = run(lambda g, o, i: getattr(g.aiGraphcore, name)(i), {"a": a, "b": b})
    np.testing.assert_array_equal(y, BITS[name](a, b))


def test_bitwise_not():
    a = np.array([0, 1, -1, 2**31 - 1, -(2**31)], np.int32)
    (y,) = run(lambda g, o, i: g.aiGraphcore.bitwisenot(i), {"a": a})
    np.testing.assert_array_equal(y, ~a)


@pytest.mark.parametrize("name", ["equal", "greater", "less"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint32])
def test_comparisons(name, dtype):
    a, b = np.array([[1, 2, 3]], dtype), np.array([[2], [3]], dtype)
    (y,) = run(lambda _, o, i: getattr(o, name)(i), {"a": a, "b": b})
    np.testing.assert_array_equal(y, getattr(np, name)(a, b))
    assert y.dtype == np.bool_


@pytest.mark.parametrize("name", ["logical_and", "logical_or"])
def test_logic(name):
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    (y,) = run(lambda _, o, i: getattr(o, name)(i), {"a": a, "b": b})
    np.testing.assert_array_equal(y, getattr(np, name)(a, b))


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_, np.uint8])
def test_where(dtype):
    c = np.array([[True], [False]])
    a, b = np.array([1, 0, 1]).astype(dtype), np.array([[0, 1, 0]]).astype(dtype)
    (y,) = run(lambda _, o, i: o.where(i), {"c": c, "a": a, "b": b})
    np.testing.assert_array_equal(y, np.where(c, a, b))


@pytest.mark.parametrize("name", ["max", "min", "sum", "mean"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_variadic(name, count):
    arrays = {f"x{i}": _floats(*([3] if i else [2, 3])) for i in range(count)}
    (y,) = run(lambda _, o, i: getattr(o, name)(i), arrays)
    stack = np.stack([np.broadcast_to(a, (2, 3)) for a in arrays.values()])
    np.testing.assert_allclose(y, getattr(np, name)(stack, 0), rtol=1e-6, atol=1e-6)


def test_clip_bounds():
    x = _floats(20)

    def clip(b, o, i):
        return o.clip([i[0], constant(b, o, -1, np.float32), constant(b, o, 0.5, np.float32)])

    (y,) = run(clip, {"x": x})
    np.testing.assert_array_equal(y, np.clip(x, np.float32(-1), np.float32(0.5)))
    (y,) = run(lambda b, o, i: o.clip([i[0]]), {"x": x})
    np.testing.assert_array_equal(y, x)
    (y,) = run(lambda b, o, i: o.clip([i[0]], min=0.0, max=1.0), {"x": x}, opset=10)
    np.testing.assert_array_equal(y, np.clip(x, 0, 1))


CASTS = [
    (np.float32, "INT32"),
    (np.int32, "FLOAT"),
    (np.float32, "BOOL"),
    (np.bool_, "FLOAT"),
    (np.int32, "UINT8"),
    (np.float32, "INT8"),
    (np.uint8, "FLOAT"),
    (np.float32, "FLOAT16"),
    (np.float16, "FLOAT"),
    (np.int32, "INT16"),
    (np.int32, "FLOAT16"),
]


@pytest.mark.parametrize(("source", "target"), CASTS)
def test_cast(source, target):
    x = np.array([0, 1, 2.7, 100, -3.9 if source != np.uint8 else 3]).astype(source)
    (y,) = run(lambda _, o, i: o.cast(i, target), {"x": x})
    names = {"FLOAT": "float32", "BOOL": "bool"}
    expected = x.astype(names.get(target, target.lower()))
    np.testing.assert_array_equal(y, expected)
    assert y.dtype == expected.dtype


def test_scale_and_scaled_add():
    x, z = _floats(3, 4), _floats(3, 4)
    (y,) = run(lambda b, o, i: b.aiGraphcore.scale([i[0]], 2.5), {"x": x})
    np.testing.assert_allclose(y, x * 2.5)
    (y,) = run(lambda b, o, i: b.aiGraphcore.scaledadd(i, 0.5, -2.0), {"x": x, "z": z})
    np.testing.assert_allclose(y, 0.5 * x - 2 * z, rtol=1e-5, atol=1e-6)


def test_prelu_and_selu_and_shrink():
    x, slope = _floats(2, 3), _floats(3, low=0.1)
    (y,) = run(lambda _, o, i: o.prelu(i), {"x": x, "slope": slope})
    np.testing.assert_allclose(y, np.where(x > 0, x, x * slope), rtol=1e-6)
    (y,) = run(lambda _, o, i: o.shrink([i[0]], lambd=1.0, bias=0.25), {"x": x})
    expected = np.where(x < -1, x + 0.25, np.where(x > 1, x - 0.25, 0))
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_isnan_isinf():
    x = np.array([1, np.nan, np.inf, -np.inf], np.float32)
    (y,) = run(lambda _, o, i: o.isnan(i), {"x": x})
    assert y.tolist() == [False, True, False, False]
    (y,) = run(lambda _, o, i: o.isinf(i), {"x": x})
    assert y.tolist() == [False, False, True, True]


def test_increment_mod():
    x = np.array([0, 3, 4], np.int32)
    (y,) = run(lambda b, o, i: b.aiGraphcore.incrementmod(i, 1.0, 5.0), {"x": x})
    assert y.tolist() == [1, 4, 0]
