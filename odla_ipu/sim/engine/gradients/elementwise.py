"""Arithmetic, functions, activations, casts."""

import math
from typing import Callable, Dict, List

from ..emitter import GRAPHCORE
from .rules import Backward, gradient


@gradient("Identity")
@gradient("PrintTensor", "TensorRemap", domain=GRAPHCORE)
def _identity(b: Backward) -> str:
    return b.g[0]


# Two operands.


@gradient("Add")
def _add(b: Backward) -> List[str]:
    return [_placed(b, 0, b.g[0]), _placed(b, 1, b.g[0])]


@gradient("Sub")
def _sub(b: Backward) -> List[str]:
    return [_placed(b, 0, b.g[0]), _placed(b, 1, b.e("Neg", b.g[0]))]


@gradient("Mul")
def _mul(b: Backward) -> List[str]:
    return [
        _placed(b, 0, b.mul(b.g[0], _second(b))) if b.wanted[0] else "",
        _placed(b, 1, b.mul(b.g[0], b.x[0])) if b.wanted[1] else "",
    ]


@gradient("Div")
def _div(b: Backward) -> List[str]:
    by_first = b.div(b.g[0], _second(b))
    by_second = b.e("Neg", b.div(b.mul(by_first, b.x[0]), _second(b))) if b.wanted[1] else ""
    return [_placed(b, 0, by_first), by_second and _placed(b, 1, by_second)]


@gradient("Pow")
def _pow(b: Backward) -> List[str]:
    """d x = y x^(y - 1); d y = x^y log x, where x is positive."""
    base, exponent = b.x[0], _second(b)
    results = ["", ""]
    if b.wanted[0]:
        slope = b.mul(exponent, b.e("Pow", base, b.sub(exponent, b.const(1))))
        results[0] = _placed(b, 0, b.mul(b.g[0], slope))
    if b.wanted[1]:
        positive = b.e("Greater", base, b.const(0))
        logarithm = b.e("Log", b.where(positive, base, 1.0))
        results[1] = _placed(b, 1, b.mul(b.g[0], b.mul(b.y[0], logarithm)))
    return results


@gradient("Atan2", domain=GRAPHCORE)
def _atan2(b: Backward) -> List[str]:
    y, x = b.x
    square = b.add(b.mul(x, x), b.mul(y, y))
    scaled = b.div(b.g[0], square)
    return [b.to(0, b.mul(scaled, x)), b.to(1, b.e("Neg", b.mul(scaled, y)))]


@gradient("Fmod", "Remainder", domain=GRAPHCORE)
@gradient("Mod")
def _mod(b: Backward) -> List[str]:
    """a - b * n: n is a whole number that stays."""
    count = b.div(b.sub(b.x[0], b.y[0]), b.x[1])
    return [b.to(0, b.g[0]), b.to(1, b.e("Neg", b.mul(b.g[0], b.e("Round", count))))]


def _placed(b: Backward, index: int, name: str) -> str:
    """The gradient of an operand of arithmetic, which opset 6 may align with an axis."""
    if index == 0 or not _is_aligned(b):
        return b.to(index, name)
    return b.reshape(b.summed_to(name, b.result, _aligned_dims(b)), b.dims(1))


def _second(b: Backward) -> str:
    return b.reshape(b.x[1], _aligned_dims(b)) if _is_aligned(b) else b.x[1]


def _is_aligned(b: Backward) -> bool:
    return (
        bool(b.attribute("broadcast"))
        and b.attribute("axis") is not None
        and len(b.dims(1)) < len(b.dims(0))
    )


def _aligned_dims(b: Backward) -> List[int]:
    rank, second = len(b.dims(0)), b.dims(1)
    return [*second, *[1] * (rank - b.attribute("axis") % rank - len(second))]


# Any number of operands.


@gradient("Sum")
def _sum(b: Backward) -> List[str]:
    return [b.to(index, b.g[0]) for index in range(len(b.x))]


@gradient("Mean")
def _mean(b: Backward) -> List[str]:
    return [b.to(index, b.scaled(b.g[0], 1 / len(b.x))) for index in range(len(b.x))]


@gradient("Max", "Min")
def _extremes(b: Backward) -> List[str]:
    """Every operand that is the extreme has the full gradient."""
    return [b.to(index, b.where(b.e("Equal", x, b.y[0]), b.g[0])) for index, x in enumerate(b.x)]


@gradient("Where")
def _where(b: Backward) -> List[str]:
    zero = b.const(0)
    return [
        "",
        b.to(1, b.e("Where", b.x[0], b.g[0], zero)),
        b.to(2, b.e("Where", b.x[0], zero, b.g[0])),
    ]


@gradient("Clip")
def _clip(b: Backward) -> str:
    """Zero also at the bounds."""
    result = b.g[0]
    for index, name in ((1, "min"), (2, "max")):
        value = b.op.constant(index)
        bound = b.attribute(name) if value is None else float(value.reshape(()))
        if bound is not None:
            result = b.where(b.e("Equal", b.y[0], b.const(bound)), b.const(0), result)
    return result


@gradient("Cast")
def _cast(b: Backward) -> str:
    """Between floats; nothing passes through integers, which have no gradient."""
    return b.g[0]


# One operand: the slope by its value x, or by the result y.

Slope = Callable[[Backward, str, str], str]


def _one(b: Backward) -> str:
    return b.const(1)


def _root(b: Backward, value: str) -> str:
    return b.e("Sqrt", value)


_SLOPES: Dict[str, Slope] = {
    "Abs": lambda b, x, y: b.e("Sign", x),
    "Acos": lambda b, x, y: b.div(b.const(-1), _root(b, b.sub(_one(b), b.mul(x, x)))),
    "Acosh": lambda b, x, y: b.div(_one(b), _root(b, b.sub(b.mul(x, x), _one(b)))),
    "Asin": lambda b, x, y: b.div(_one(b), _root(b, b.sub(_one(b), b.mul(x, x)))),
    "Asinh": lambda b, x, y: b.div(_one(b), _root(b, b.add(b.mul(x, x), _one(b)))),
    "Atan": lambda b, x, y: b.div(_one(b), b.add(b.mul(x, x), _one(b))),
    "Atanh": lambda b, x, y: b.div(_one(b), b.sub(_one(b), b.mul(x, x))),
    "Cos": lambda b, x, y: b.e("Neg", b.e("Sin", x)),
    "Cosh": lambda b, x, y: b.e("Sinh", x),
    "Elu": lambda b, x, y: b.where(
        _above(b, x), _one(b), b.add(y, b.const(b.attribute("alpha", 1.0)))
    ),
    "Erf": lambda b, x, y: b.scaled(b.e("Exp", b.e("Neg", b.mul(x, x))), 2 / math.sqrt(math.pi)),
    "Exp": lambda b, x, y: y,
    "HardSigmoid": lambda b, x, y: b.where(
        b.e("And", _above(b, y), b.e("Less", y, _one(b))), b.const(b.attribute("alpha", 0.2))
    ),
    "LeakyRelu": lambda b, x, y: b.where(
        _above(b, x), _one(b), b.const(b.attribute("alpha", 0.01))
    ),
    "Log": lambda b, x, y: b.e("Reciprocal", x),
    "Neg": lambda b, x, y: b.const(-1),
    "Reciprocal": lambda b, x, y: b.e("Neg", b.mul(y, y)),
    "Relu": lambda b, x, y: b.where(_above(b, y), _one(b)),
    "Selu": lambda b, x, y: b.where(
        _above(b, x), b.const(_gamma(b)), b.add(y, b.const(_gamma(b) * _selu_alpha(b)))
    ),
    "Shrink": lambda b, x, y: b.where(
        b.e("Greater", b.e("Abs", x), b.const(b.attribute("lambd", 0.5))), _one(b)
    ),
    "Sigmoid": lambda b, x, y: b.mul(y, b.sub(_one(b), y)),
    "Sin": lambda b, x, y: b.e("Cos", x),
    "Sinh": lambda b, x, y: b.e("Cosh", x),
    "Softplus": lambda b, x, y: b.e("Sigmoid", x),
    "Softsign": lambda b, x, y: b.e("Reciprocal", _square(b, b.add(_one(b), b.e("Abs", x)))),
    "Sqrt": lambda b, x, y: b.div(b.const(0.5), y),
    "Tan": lambda b, x, y: b.add(_one(b), b.mul(y, y)),
    "Tanh": lambda b, x, y: b.sub(_one(b), b.mul(y, y)),
    "ThresholdedRelu": lambda b, x, y: b.where(
        b.e("Greater", x, b.const(b.attribute("alpha", 1.0))), _one(b)
    ),
}

_GRAPHCORE_SLOPES: Dict[str, Slope] = {
    "Expm1": lambda b, x, y: b.e("Exp", x),
    "Gelu": lambda b, x, y: _gelu_slope(b, x),
    "GeluErf": lambda b, x, y: _gelu_erf_slope(b, x),
    "Log1p": lambda b, x, y: b.e("Reciprocal", b.add(_one(b), x)),
    "Scale": lambda b, x, y: b.const(b.attribute("scale")),
    "Swish": lambda b, x, y: _swish_slope(b, x, y),
}


def _above(b: Backward, value: str) -> str:
    return b.e("Greater", value, b.const(0))


def _square(b: Backward, value: str) -> str:
    return b.mul(value, value)


def _gamma(b: Backward) -> float:
    return b.attribute("gamma", 1.0507010221481323)


def _selu_alpha(b: Backward) -> float:
    return b.attribute("alpha", 1.6732631921768188)


def _gelu_slope(b: Backward, x: str) -> str:
    """0.5 (1 + t) + 0.5 x (1 - t^2) u', t = tanh(u), u = sqrt(2/pi) (x + 0.044715 x^3)."""
    factor = math.sqrt(2 / math.pi)
    square = b.mul(x, x)
    inner = b.scaled(b.mul(x, b.add(_one(b), b.scaled(square, 0.044715))), factor)
    t = b.e("Tanh", inner)
    steep = b.scaled(b.add(_one(b), b.scaled(square, 3 * 0.044715)), factor)
    rest = b.mul(b.mul(x, b.sub(_one(b), b.mul(t, t))), steep)
    return b.scaled(b.add(b.add(_one(b), t), rest), 0.5)


def _gelu_erf_slope(b: Backward, x: str) -> str:
    """The normal distribution and x times its density."""
    below = b.scaled(b.add(_one(b), b.e("Erf", b.scaled(x, math.sqrt(0.5)))), 0.5)
    density = b.scaled(b.e("Exp", b.scaled(b.mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
    return b.add(below, b.mul(x, density))


def _swish_slope(b: Backward, x: str, y: str) -> str:
    s = b.e("Sigmoid", x)
    return b.add(s, b.mul(y, b.sub(_one(b), s)))


def _times(slope: Slope) -> Callable[[Backward], str]:
    return lambda b: b.mul(b.g[0], slope(b, b.x[0], b.y[0]))


for _name, _slope in _SLOPES.items():
    gradient(_name)(_times(_slope))
for _name, _slope in _GRAPHCORE_SLOPES.items():
    gradient(_name, domain=GRAPHCORE)(_times(_slope))


@gradient("Ceil", "Floor", "Round", "Sign")
@gradient("NearbyInt", "Round", domain=GRAPHCORE)
def _steps(b: Backward) -> str:
    return b.zeros(b.dims())


# Dropout.


@gradient("Dropout")
@gradient("ShapedDropout", domain=GRAPHCORE)
def _dropout(b: Backward) -> str:
    """The mask and the scaling of the forward pass."""
    factor = b.e.root.dropped.get(b.op.result.id)
    return b.g[0] if factor is None else b.mul(b.g[0], factor)
