"""Elementwise arithmetic, comparisons, logic, reductions and matrix products.

Headers: ``ODLA/ops/odla_ops_math.h``.
"""

from typing import Any, Sequence, Tuple

import numpy as np

from ..errors import UnsupportedType
from ..registry import (
    Op,
    f32,
    flag,
    i32,
    i64,
    optional_tensor,
    output_dims,
    result_type,
    tensor,
    tensors,
    uints,
)
from ..types import (
    ANY,
    BOOLS,
    FLOATS,
    INTEGERS,
    NUMERIC,
    SIGNED,
    UNSIGNED,
    ElementType,
    Shape,
    Types,
    ValueType,
    broadcast,
    known,
    product,
)
from .common import axis_of, axis_or_none, in_range, shape_without

_BOOL = ElementType.BOOL
ARITHMETIC: Types = FLOATS | {
    ElementType.INT32,
    ElementType.UINT32,
    ElementType.INT64,
    ElementType.UINT64,
}
"""What PopART adds, multiplies, reduces and accumulates; other integers are widened to INT32."""


# One operand.


class _Unary(Op, declare=False):
    """Result type and shape are those of the operand; ``popart`` names the builder's method."""

    popart = ""
    elementwise = True

    def infer(self) -> ValueType:
        return self.operands()[0].type

    def lower(self, b: Any) -> Any:
        return getattr(b.onnx, self.popart)(self.operands())


class Abs(_Unary):
    """|x|."""

    input = tensor(NUMERIC)
    popart, fold = "abs", np.abs


class ACos(_Unary):
    """Inverse cosine in radians; NaN outside [-1, 1]."""

    x = tensor(FLOATS)
    popart, python = "acos", "acos"


class ACosh(_Unary):
    """Inverse hyperbolic cosine."""

    x = tensor(FLOATS)
    popart, python = "acosh", "acosh"


class ASin(_Unary):
    """Inverse sine in radians; NaN outside [-1, 1]."""

    x = tensor(FLOATS)
    popart, python = "asin", "asin"


class ASinh(_Unary):
    """Inverse hyperbolic sine."""

    x = tensor(FLOATS)
    popart, python = "asinh", "asinh"


class ATan(_Unary):
    """Inverse tangent in radians."""

    x = tensor(FLOATS)
    popart, python = "atan", "atan"


class ATanh(_Unary):
    """Inverse hyperbolic tangent."""

    x = tensor(FLOATS)
    popart, python = "atanh", "atanh"


class Sin(_Unary):
    """Sine of radians."""

    x = tensor(FLOATS)
    popart = "sin"


class Sinh(_Unary):
    """Hyperbolic sine."""

    x = tensor(FLOATS)
    popart = "sinh"


class Cos(_Unary):
    """Cosine of radians."""

    x = tensor(FLOATS)
    popart = "cos"


class Cosh(_Unary):
    """Hyperbolic cosine."""

    x = tensor(FLOATS)
    popart = "cosh"


class Tan(_Unary):
    """Tangent of radians."""

    x = tensor(FLOATS)
    popart = "tan"


class Tanh(_Unary):
    """Hyperbolic tangent."""

    x = tensor(FLOATS)
    popart = "tanh"


class Ceil(_Unary):
    """The smallest integer that is not below x."""

    input = tensor(FLOATS)
    popart, fold = "ceil", np.ceil


class Floor(_Unary):
    """The largest integer that is not above x."""

    input = tensor(FLOATS)
    popart, fold = "floor", np.floor


class Round(_Unary):
    """The nearest integer, halves to even (as ONNX Round-11)."""

    input = tensor(FLOATS)
    fold = np.rint

    def lower(self, b: Any) -> Any:
        # PopART's own Round takes halves away from zero.
        return b.graphcore.nearbyint([self.input])


class Erf(_Unary):
    """The error function."""

    input = tensor(FLOATS)
    popart = "erf"


class Exp(_Unary):
    """e to the power of x."""

    input = tensor(FLOATS)
    popart = "exp"


class Log(_Unary):
    """Natural logarithm."""

    input = tensor(FLOATS)
    popart = "log"


class Neg(_Unary):
    """-x."""

    input = tensor(FLOATS | SIGNED)
    popart, fold = "neg", np.negative


class Reciprocal(_Unary):
    """1 / x."""

    input = tensor(FLOATS)
    popart = "reciprocal"

    def fold(self, x: np.ndarray) -> np.ndarray:
        return 1 / x


class Rsqrt(_Unary):
    """1 / sqrt(x)."""

    form = "composed"
    input = tensor(FLOATS)

    def lower(self, b: Any) -> Any:
        return b.onnx.reciprocal([b.onnx.sqrt([self.input])])


class Sqrt(_Unary):
    """Square root."""

    input = tensor(FLOATS)
    popart, fold = "sqrt", np.sqrt


class Sign(_Unary):
    """-1, 0 or 1, of the type of x."""

    input = tensor(NUMERIC)
    popart, fold = "sign", np.sign


class Not(_Unary):
    """Logical not."""

    input = tensor(BOOLS)
    popart, fold = "logical_not", np.logical_not


class IsNaN(Op):
    """Where x is not a number; the result is BOOL."""

    python = "is_nan"
    input = tensor(FLOATS)

    def infer(self) -> ValueType:
        return ValueType(_BOOL, self.input.shape)

    def lower(self, b: Any) -> Any:
        return b.onnx.isnan([self.input])


class IsInf(Op):
    """Where x is infinite with one of the chosen signs; the result is BOOL."""

    python = "is_inf"
    input = tensor(FLOATS)
    detect_pos = flag(True)
    detect_neg = flag(True)

    def infer(self) -> ValueType:
        return ValueType(_BOOL, self.input.shape)

    def lower(self, b: Any) -> Any:
        wide = b.cast(self.input, ElementType.FLOAT32)
        infinite = b.onnx.isinf([wide])
        if self.detect_pos and self.detect_neg:
            return infinite
        # PopART's IsInf has no regard for its attributes: compare with zero for the sign.
        zero = b.scalar(0, ElementType.FLOAT32)
        if self.detect_pos:
            return b.onnx.logical_and([infinite, b.onnx.greater([wide, zero])])
        if self.detect_neg:
            return b.onnx.logical_and([infinite, b.onnx.less([wide, zero])])
        return b.onnx.logical_and([infinite, b.onnx.isnan([wide])])


class Clamp(Op):
    """min(max(x, lo), hi)."""

    elementwise = True
    input = tensor(NUMERIC)
    lo = f32()
    hi = f32()

    def infer(self) -> ValueType:
        return self.input.type

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        if kind.is_float:
            limits = [
                b.scalar(in_range(self.lo, kind), kind),
                b.scalar(in_range(self.hi, kind), kind),
            ]
            return b.onnx.clip([self.input] + limits)
        low = b.scalar(in_range(np.ceil(self.lo), kind), kind)
        high = b.scalar(in_range(np.floor(self.hi), kind), kind)
        return _smaller(b, _larger(b, self.input, low, kind), high, kind)


# Two operands, broadcast both ways.


class _Binary(Op, declare=False):
    """Elementwise over the numpy broadcast of two operands of one element type."""

    lhs = tensor(NUMERIC)
    rhs = tensor(NUMERIC)
    popart = ""
    elementwise = True

    def infer(self) -> ValueType:
        kind = self.lhs.element_type
        if self.rhs.element_type is not kind:
            raise UnsupportedType(
                f"{self.where}: lhs is {kind.name}, rhs is {self.rhs.element_type.name}; "
                "cast one of them, both must have the same element type"
            )
        return ValueType(kind, broadcast([self.lhs.shape, self.rhs.shape], self.where))

    def lower(self, b: Any) -> Any:
        return getattr(b.onnx, self.popart)([self.lhs, self.rhs])


class _Arithmetic(_Binary, declare=False):
    """PopART computes 32-bit types; narrower integers are widened and wrap when they come back."""

    def lower(self, b: Any) -> Any:
        kind = self.lhs.element_type
        if kind in ARITHMETIC:
            return self.compute(b, self.lhs, self.rhs)
        wide = [b.cast(operand, ElementType.INT32) for operand in (self.lhs, self.rhs)]
        return b.cast(self.compute(b, *wide), kind)

    def compute(self, b: Any, lhs: Any, rhs: Any) -> Any:
        return getattr(b.onnx, self.popart)([lhs, rhs])


class Add(_Arithmetic):
    """lhs + rhs; integers wrap."""

    popart, fold = "add", np.add


class Sub(_Arithmetic):
    """lhs - rhs; integers wrap."""

    popart, fold = "sub", np.subtract


class Mul(_Arithmetic):
    """lhs * rhs; integers wrap."""

    popart, fold = "mul", np.multiply


class Div(_Arithmetic):
    """lhs / rhs; integers truncate toward zero."""

    popart = "div"

    def fold(self, lhs: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        if lhs.dtype.kind == "f":
            return lhs / rhs
        safe = np.where(rhs == 0, np.ones_like(rhs), rhs)
        quotient = lhs // safe
        truncated = quotient + ((quotient < 0) & (quotient * safe != lhs)).astype(lhs.dtype)
        return np.where(rhs == 0, np.zeros_like(truncated), truncated)


class Mod(_Arithmetic):
    """The remainder: with the sign of rhs for fmod=0, with the sign of lhs for fmod=1."""

    fmod = i64(0)

    def fold(self, lhs: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        return np.fmod(lhs, rhs) if self.fmod else np.mod(lhs, rhs)

    def compute(self, b: Any, lhs: Any, rhs: Any) -> Any:
        if self.fmod:
            return b.graphcore.fmod([lhs, rhs])
        y = b.graphcore.remainder([lhs, rhs])
        return self._of_infinity(b, lhs, rhs, y) if self.lhs.element_type.is_float else y

    def _of_infinity(self, b: Any, lhs: Any, rhs: Any, y: Any) -> Any:
        """Where rhs is infinite PopART's is NaN, but the quotient is 0 or, rounded down, -1."""
        wide = ElementType.FLOAT32  # in FLOAT16 infinity saturates
        zero, infinity = b.scalar(0, wide), b.scalar(np.inf, wide)
        left, right = (
            one if self.lhs.element_type is wide else b.cast(one, wide) for one in (lhs, rhs)
        )
        is_whole = b.onnx.logical_and(
            [
                b.onnx.equal([b.onnx.abs([right]), infinity]),
                b.onnx.less([b.onnx.abs([left]), infinity]),
            ]
        )
        signs = b.onnx.equal([b.onnx.less([left, zero]), b.onnx.less([right, zero])])
        is_zero = b.onnx.logical_or([signs, b.onnx.equal([left, zero])])
        return b.onnx.where([is_whole, b.onnx.where([is_zero, lhs, rhs]), y])


class Shift(Op):
    """input shifted by ``shift_amount`` bits, zeros coming in; 0 from the type's width on.

    64-bit integers are 32 bits wide on the device.
    """

    form = "composed"
    elementwise = True
    input = tensor(UNSIGNED)
    shift_amount = tensor(UNSIGNED)
    is_left_shift = flag()

    def infer(self) -> ValueType:
        kind = self.input.element_type
        if self.shift_amount.element_type is not kind:
            raise UnsupportedType(
                f"{self.where}: input is {kind.name}, shift_amount is "
                f"{self.shift_amount.element_type.name}; cast one of them to the other's type"
            )
        return ValueType(kind, broadcast([self.input.shape, self.shift_amount.shape], self.where))

    def fold(self, x: np.ndarray, amount: np.ndarray) -> np.ndarray:
        width = 8 * x.dtype.itemsize
        held = np.minimum(amount, np.array(width - 1, x.dtype))
        shifted = np.left_shift(x, held) if self.is_left_shift else np.right_shift(x, held)
        return np.where(amount < width, shifted, np.zeros_like(shifted))

    def lower(self, b: Any) -> Any:
        # PopART has no shifts: multiply or divide by powers of two, looked up.
        kind = self.input.element_type
        width = 8 * kind.dtype.itemsize
        wide = kind if kind in ARITHMETIC else ElementType.INT32
        x, amount = (
            operand if wide is kind else b.cast(operand, wide)
            for operand in (self.input, self.shift_amount)
        )
        fits = b.onnx.less([amount, b.scalar(width, wide)])
        held = b.onnx.where([fits, amount, b.scalar(0, wide)])
        powers = b.constant([2**bit for bit in range(width)], wide.dtype)
        power = b.onnx.gather([powers, b.cast(held, ElementType.INT32)], axis=0)
        shifted = b.binary("mul" if self.is_left_shift else "div", x, power)
        y = b.onnx.where([fits, shifted, b.scalar(0, wide)])
        return y if wide is kind else b.cast(y, kind)


class SquaredDifference(_Arithmetic):
    """(lhs - rhs) squared."""

    form = "composed"

    def compute(self, b: Any, lhs: Any, rhs: Any) -> Any:
        difference = b.onnx.sub([lhs, rhs])
        return b.onnx.mul([difference, difference])


def _larger(b: Any, lhs: Any, rhs: Any, kind: ElementType) -> Any:
    if kind.is_float:
        return b.onnx.max([lhs, rhs])
    return b.onnx.where([b.onnx.greater([lhs, rhs]), lhs, rhs])


def _smaller(b: Any, lhs: Any, rhs: Any, kind: ElementType) -> Any:
    if kind.is_float:
        return b.onnx.min([lhs, rhs])
    return b.onnx.where([b.onnx.less([lhs, rhs]), lhs, rhs])


class Max(_Binary):
    """The larger of both."""

    fold = np.maximum

    def lower(self, b: Any) -> Any:
        return _larger(b, self.lhs, self.rhs, self.lhs.element_type)


class Min(_Binary):
    """The smaller of both."""

    fold = np.minimum

    def lower(self, b: Any) -> Any:
        return _smaller(b, self.lhs, self.rhs, self.lhs.element_type)


class Pow(Op):
    """base to the power of exponent; the result has the type of base."""

    base = tensor(NUMERIC)
    exponent = tensor(NUMERIC)
    _computed: Types = FLOATS | {ElementType.INT32, ElementType.INT64}

    def infer(self) -> ValueType:
        shape = broadcast([self.base.shape, self.exponent.shape], self.where)
        return ValueType(self.base.element_type, shape)

    def fold(self, base: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        return np.power(base.astype(np.float64), exponent)

    def lower(self, b: Any) -> Any:
        kind, other = self.base.element_type, self.exponent.element_type
        carrier = kind if kind in self._computed else ElementType.INT32
        if other.is_float and not carrier.is_float:
            carrier = other
        operands = [
            operand if operand.element_type is carrier else b.cast(operand, carrier)
            for operand in (self.base, self.exponent)
        ]
        power = b.onnx.pow(operands)
        return power if carrier is kind else b.cast(power, kind)


class Mean(Op):
    """Arithmetic mean of the broadcast operands."""

    inputs = tensors(FLOATS)

    def infer(self) -> ValueType:
        kind = self.inputs[0].element_type
        if any(one.element_type is not kind for one in self.inputs):
            raise UnsupportedType(f"{self.where}: inputs differ in element type; cast them to one")
        return ValueType(kind, broadcast([one.shape for one in self.inputs], self.where))

    def lower(self, b: Any) -> Any:
        if len(self.inputs) == 1:
            return b.tensor(self.inputs[0])
        return b.onnx.mean(self.inputs)


class _Comparison(_Binary, declare=False):
    """A BOOL result; comparisons with NaN are false."""

    def infer(self) -> ValueType:
        return ValueType(_BOOL, super().infer().shape)


class Equal(_Comparison):
    """lhs == rhs."""

    lhs = tensor(ANY)
    rhs = tensor(ANY)
    popart, fold = "equal", np.equal


class NotEqual(_Comparison):
    """lhs != rhs; true where one of them is NaN."""

    form = "composed"
    lhs = tensor(ANY)
    rhs = tensor(ANY)
    fold = np.not_equal

    def lower(self, b: Any) -> Any:
        return b.onnx.logical_not([b.onnx.equal([self.lhs, self.rhs])])


class Less(_Comparison):
    """lhs < rhs."""

    popart, fold = "less", np.less


class Greater(_Comparison):
    """lhs > rhs."""

    popart, fold = "greater", np.greater


class LessOrEqual(_Comparison):
    """lhs <= rhs."""

    form = "composed"
    fold = np.less_equal

    def lower(self, b: Any) -> Any:
        operands = [self.lhs, self.rhs]
        return b.onnx.logical_or([b.onnx.less(operands), b.onnx.equal(operands)])


class GreaterOrEqual(_Comparison):
    """lhs >= rhs."""

    form = "composed"
    fold = np.greater_equal

    def lower(self, b: Any) -> Any:
        operands = [self.lhs, self.rhs]
        return b.onnx.logical_or([b.onnx.greater(operands), b.onnx.equal(operands)])


class _Logic(_Comparison, declare=False):
    lhs = tensor(BOOLS)
    rhs = tensor(BOOLS)


class And(_Logic):
    """Logical and."""

    popart, fold = "logical_and", np.logical_and


class Or(_Logic):
    """Logical or."""

    popart, fold = "logical_or", np.logical_or


class Xor(_Logic):
    """Logical exclusive or."""

    form = "composed"
    fold = np.logical_xor

    def lower(self, b: Any) -> Any:
        return b.onnx.logical_not([b.onnx.equal([self.lhs, self.rhs])])


class Select(Op):
    """a where condition is true, else b; all three broadcast.

    A condition of rank 1 that does not broadcast selects along the first axis, as TensorFlow's.
    """

    condition = tensor(BOOLS)
    a = tensor(ANY)
    b = tensor(ANY)
    output_dims = output_dims(checked=False)

    def infer(self) -> ValueType:
        if self.a.element_type is not self.b.element_type:
            raise UnsupportedType(
                f"{self.where}: a is {self.a.element_type.name}, b is {self.b.element_type.name}; "
                "cast one of them"
            )
        branches = broadcast([self.a.shape, self.b.shape], self.where)
        condition = self._condition_shape(branches)
        return ValueType(self.a.element_type, broadcast([condition, branches], self.where))

    def _condition_shape(self, branches: Shape) -> Shape:
        shape = self.condition.shape
        if len(shape) != 1 or not branches or shape[0] in (1, branches[-1]):
            return shape
        if shape[0] == branches[0] and branches[-1] != 1:
            return shape + (1,) * (len(branches) - 1)
        return shape

    def fold(self, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shape = self._condition_shape(np.broadcast(a, b).shape)
        return np.where(condition.reshape(shape), a, b)  # type: ignore[arg-type]

    def lower(self, b: Any) -> Any:
        shape = self._condition_shape(broadcast([self.a.shape, self.b.shape], self.where))
        condition = self.condition
        if shape != condition.shape:
            condition = b.reshape(condition, shape)
        return b.onnx.where([condition, self.a, self.b])


# Reductions.


class _Reduce(Op, declare=False):
    """Over ``axes``, or over all of them when none is given; axes beyond the rank are ignored."""

    input = tensor(NUMERIC)
    axes = uints((), count="num_of_axes")
    keep_dims = flag(True)
    output_dims = output_dims()
    popart = ""

    def normalise(self) -> None:
        axes = {axis_or_none(axis, self.input.rank) for axis in self.axes}
        self.reduced = sorted(axis for axis in axes if axis is not None)
        if not self.axes:
            self.reduced = list(range(self.input.rank))

    def infer(self) -> ValueType:
        return ValueType(
            self.input.element_type,
            shape_without(self.input.shape, self.reduced, bool(self.keep_dims)),
        )

    def lower(self, b: Any) -> Any:
        kind, dims = self.input.element_type, self.input.dims
        wide = kind if kind in ARITHMETIC else ElementType.INT32
        x = self.input if wide is kind else b.cast(self.input, wide)
        axes = self.reduced
        if not axes:  # PopART would reduce all: reduce an axis of size 1 that is put at the end
            x, axes = b.reshape(x, [*dims, 1]), [len(dims)]
        y = self.reduce(b, x, wide, axes=axes, keepdims=int(bool(self.keep_dims and self.reduced)))
        return y if wide is kind else b.cast(y, kind)

    def reduce(self, b: Any, x: Any, kind: ElementType, **attributes: Any) -> Any:
        return getattr(b.onnx, self.popart)([x], **attributes)

    def _numpy(self, function: Any, x: np.ndarray) -> np.ndarray:
        return function(x, axis=tuple(self.reduced), keepdims=bool(self.keep_dims))


class ReduceSum(_Reduce):
    """Sum of the elements."""

    popart = "reducesum"

    def fold(self, x: np.ndarray) -> np.ndarray:
        return self._numpy(np.sum, x)


class ReduceProd(_Reduce):
    """Product of the elements."""

    popart = "reduceprod"

    def fold(self, x: np.ndarray) -> np.ndarray:
        return self._numpy(np.prod, x)


class ReduceMean(_Reduce):
    """Arithmetic mean; integers truncate."""

    popart = "reducemean"

    def fold(self, x: np.ndarray) -> np.ndarray:
        mean = self._numpy(np.mean, x.astype(np.float64))
        return mean if x.dtype.kind == "f" else np.trunc(mean)

    def reduce(self, b: Any, x: Any, kind: ElementType, **attributes: Any) -> Any:
        if kind.is_float:
            return b.onnx.reducemean([x], **attributes)
        count = product([self.input.dims[axis] for axis in self.reduced])
        return b.onnx.div([b.onnx.reducesum([x], **attributes), b.scalar(count, kind)])


class ReduceMax(_Reduce):
    """The largest element."""

    popart = "reducemax"

    def infer(self) -> ValueType:
        _refuse_empty(self)
        return super().infer()

    def fold(self, x: np.ndarray) -> np.ndarray:
        return self._numpy(np.max, x)


class ReduceMin(_Reduce):
    """The smallest element."""

    popart = "reducemin"

    def infer(self) -> ValueType:
        _refuse_empty(self)
        return super().infer()

    def fold(self, x: np.ndarray) -> np.ndarray:
        return self._numpy(np.min, x)


class ReduceSumSquare(_Reduce):
    """Sum of squares."""

    popart = "reducesumsquare"

    def fold(self, x: np.ndarray) -> np.ndarray:
        return self._numpy(np.sum, x * x)


class ReduceLogSum(_Reduce):
    """Natural logarithm of the sum."""

    input = tensor(FLOATS)
    popart = "reducelogsum"


class ReduceLogSumExp(_Reduce):
    """ln of the sum of exponentials, without overflow."""

    input = tensor(FLOATS)
    popart = "reducelogsumexp"


class ReduceL1(_Reduce):
    """Sum of absolute values, plus epsilon."""

    input = tensor(NUMERIC)
    axes = uints((), count="num_of_axes")
    keep_dims = flag(True)
    epsilon = f32(0.0)
    output_dims = output_dims()
    popart = "reducel1"

    def reduce(self, b: Any, x: Any, kind: ElementType, **attributes: Any) -> Any:
        total = b.onnx.reducel1([x], **attributes)
        return b.onnx.add([total, b.scalar(self.epsilon, kind)]) if self.epsilon else total


class ReduceL2(_Reduce):
    """Square root of (the sum of squares plus epsilon)."""

    input = tensor(FLOATS)
    axes = uints((), count="num_of_axes")
    keep_dims = flag(True)
    epsilon = f32(0.0)
    output_dims = output_dims()
    popart = "reducel2"

    def reduce(self, b: Any, x: Any, kind: ElementType, **attributes: Any) -> Any:
        if not self.epsilon:
            return b.onnx.reducel2([x], **attributes)
        total = b.onnx.reducesumsquare([x], **attributes)
        return b.onnx.sqrt([b.onnx.add([total, b.scalar(self.epsilon, kind)])])


def _refuse_empty(op: _Reduce) -> None:
    if any(op.input.shape[axis] == 0 for axis in op.reduced):
        raise op.error(f"input is {op.input.type}; there is no extreme of no elements")


class _ArgExtreme(Op, declare=False):
    """Index of an extreme along one axis: the first one, or the last one on request."""

    input = tensor(NUMERIC)
    axis = i32(0)
    keep_dims = flag(True)
    return_last_index = flag(False)
    output_value_type = result_type(ElementType.INT64)
    popart = ""

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)
        if self.output_value_type not in INTEGERS:
            raise UnsupportedType(
                f"{self.where}: output_value_type is {self.output_value_type.name}; "
                "accepted: an integer type"
            )
        if self.input.shape[self.axis] == 0:
            raise self.error(f"input is {self.input.type}; there is no extreme of no elements")

    def infer(self) -> ValueType:
        shape = shape_without(self.input.shape, [self.axis], bool(self.keep_dims))
        return ValueType(self.output_value_type, shape)

    def lower(self, b: Any) -> Any:
        x = self.input
        if self.return_last_index:
            x = b.graphcore.reverse([x], dimensions=[self.axis])
        index = getattr(b.onnx, self.popart)([x], axis=self.axis, keepdims=int(self.keep_dims))
        index = b.cast(index, ElementType.INT32)
        if self.return_last_index:
            last = b.scalar(self.input.dims[self.axis] - 1, ElementType.INT32)
            index = b.onnx.sub([last, index])
        if self.output_value_type is ElementType.INT32:
            return index
        return b.cast(index, self.output_value_type)


class ArgMax(_ArgExtreme):
    """Index of the largest element along an axis."""

    popart = "argmax"


class ArgMin(_ArgExtreme):
    """Index of the smallest element along an axis."""

    popart = "argmin"


class CumSum(Op):
    """Running sum along ``axis``, one number; see ONNX CumSum-11."""

    input = tensor(NUMERIC)
    axis = tensor(frozenset({ElementType.INT32, ElementType.INT64}), shaping=True)
    exclusion = flag(False)
    reverse = flag(False)

    def normalise(self) -> None:
        if self.axis.type.is_static and self.axis.type.elements != 1:
            raise self.error(f"axis is {self.axis.type}; accepted: one element")
        if self.axis.data is not None:
            self._axis()

    def _axis(self) -> int:
        return axis_of(self, int(self.axis.data.reshape(-1)[0]), self.input.rank)

    def infer(self) -> ValueType:
        return self.input.type

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        wide = kind if kind in ARITHMETIC else ElementType.INT32
        x = self.input if wide is kind else b.cast(self.input, wide)
        total = b.onnx.cumsum(
            [x, b.constant([self._axis()], np.int32)],
            exclusive=int(self.exclusion),
            reverse=int(self.reverse),
        )
        return total if wide is kind else b.cast(total, kind)


# Matrix products.


def _matmul_shape(op: Op, a: Shape, b: Shape) -> Shape:
    """ONNX MatMul-13: a vector on the left is a row, on the right a column, and then dropped."""
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    if known(left[-1]) and known(right[-2]) and left[-1] != right[-2]:
        raise op.error(
            f"A is {list(a)} and B is {list(b)} (after transposition); the inner sizes "
            f"{left[-1]} and {right[-2]} must be equal"
        )
    shape = broadcast([left[:-2], right[:-2]], op.where)
    rows: Tuple[Any, ...] = (left[-2],) if len(a) > 1 else ()
    columns: Tuple[Any, ...] = (right[-1],) if len(b) > 1 else ()
    return shape + rows + columns


def _transposed(shape: Sequence[Any], transpose: bool) -> Shape:
    if transpose and len(shape) > 1:
        return (*shape[:-2], shape[-1], shape[-2])
    return tuple(shape)


def _transpose_last(b: Any, x: Any, rank: int, transpose: bool) -> Any:
    if not transpose or rank < 2:
        return x
    return b.transpose(x, [*range(rank - 2), rank - 1, rank - 2])


class _MatrixProduct(Op, declare=False):
    def product_type(self) -> ValueType:
        for name, operand in (("A", self.A), ("B", self.B)):
            if operand.rank == 0:
                raise self.error(f"{name} is a scalar; accepted: rank 1 and more")
        if self.A.element_type is not self.B.element_type:
            raise UnsupportedType(
                f"{self.where}: A is {self.A.element_type.name}, B is {self.B.element_type.name}; "
                "cast one of them"
            )
        left = _transposed(self.A.shape, self.A_transpose)
        right = _transposed(self.B.shape, self.B_transpose)
        return ValueType(self.A.element_type, _matmul_shape(self, left, right))

    def fold_product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        left = np.swapaxes(a, -1, -2) if self.A_transpose and a.ndim > 1 else a
        right = np.swapaxes(b, -1, -2) if self.B_transpose and b.ndim > 1 else b
        wide = np.float32 if left.dtype == np.float16 else left.dtype
        return np.matmul(left.astype(wide), right.astype(wide))

    def wide(self) -> ElementType:
        """The type that PopART computes the product in."""
        kind = self.A.element_type
        return kind if kind in ARITHMETIC else ElementType.INT32

    def widened(self, b: Any, x: Any) -> Any:
        return x if self.wide() is self.A.element_type else b.cast(x, self.wide())

    def narrowed(self, b: Any, x: Any) -> Any:
        kind = self.A.element_type
        return x if self.wide() is kind else b.cast(x, kind)

    def lower_product(self, b: Any) -> Any:
        """The product in the wide type."""
        if self.A.type.elements == 0:  # an inner size of zero: a sum of nothing
            return b.constant(np.zeros(self.product_type().dims, self.wide().dtype))
        left = _transpose_last(b, self.A, self.A.rank, self.A_transpose)
        right = _transpose_last(b, self.B, self.B.rank, self.B_transpose)
        return b.onnx.matmul([self.widened(b, left), self.widened(b, right)])

    A: Any
    B: Any
    A_transpose: Any
    B_transpose: Any


class BatchMatMul(_MatrixProduct):
    """op(A) op(B) over the last two axes; leading axes broadcast."""

    python = "batch_matmul"
    A = tensor(NUMERIC)
    A_transpose = flag(False)
    B = tensor(NUMERIC)
    B_transpose = flag(False)
    output_dims = output_dims(checked=False)

    def infer(self) -> ValueType:
        return self.product_type()

    def fold(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.fold_product(a, b)

    def lower(self, b: Any) -> Any:
        return self.narrowed(b, self.lower_product(b))


class Gemm(_MatrixProduct):
    """alpha op(A) op(B) + beta C over the last two axes; leading axes and C broadcast.

    For integers alpha and beta must be whole numbers.
    """

    A = tensor(NUMERIC)
    A_transpose = flag(False)
    B = tensor(NUMERIC)
    B_transpose = flag(False)
    alpha = f32(1.0)
    beta = f32(1.0)
    C = optional_tensor(NUMERIC)
    output_dims = output_dims(checked=False)

    def infer(self) -> ValueType:
        kind = self.product_type()
        if not kind.element_type.is_float and not (self.alpha % 1 == self.beta % 1 == 0):
            raise self.error(
                f"alpha is {self.alpha}, beta is {self.beta}; accepted for "
                f"{kind.element_type.name}: whole numbers; cast the operands to FLOAT32"
            )
        if self.C is not None:
            if self.C.element_type is not kind.element_type:
                raise UnsupportedType(
                    f"{self.where}: C is {self.C.element_type.name}, A and B are "
                    f"{kind.element_type.name}; cast it"
                )
            shape = broadcast([kind.shape, self.C.shape], self.where)
            if len(shape) != kind.rank or any(
                known(a) and known(b) and a != b for a, b in zip(shape, kind.shape)
            ):
                raise self.error(f"C is {self.C.type} and must broadcast to the product {kind}")
        return kind

    def fold(self, a: np.ndarray, b: np.ndarray, *c: np.ndarray) -> np.ndarray:
        product = self._numpy_scaled(self.fold_product(a, b), self.alpha)
        return product + self._numpy_scaled(c[0], self.beta) if c and self.beta else product

    def _numpy_scaled(self, x: np.ndarray, factor: float) -> np.ndarray:
        return x if factor == 1 else x * x.dtype.type(factor)

    def lower(self, b: Any) -> Any:
        is_plain = self.A.rank == self.B.rank == 2 and self.A.type.elements
        if self.A.element_type.is_float and is_plain and self.C is not None:
            return b.onnx.gemm(
                [self.A, self.B, self.C],
                alpha=self.alpha,
                beta=self.beta,
                transA=int(self.A_transpose),
                transB=int(self.B_transpose),
            )
        product = self._scaled(b, self.lower_product(b), self.alpha)
        if self.C is None or self.beta == 0:
            return self.narrowed(b, product)
        added = self._scaled(b, self.widened(b, self.C), self.beta)
        return self.narrowed(b, b.onnx.add([product, added]))

    def _scaled(self, b: Any, x: Any, factor: float) -> Any:
        return x if factor == 1 else b.onnx.mul([x, b.scalar(factor, self.wide())])
