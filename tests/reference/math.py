"""Independent numpy reference of the math ops: doubles for floats, the own type for integers."""

import math

import numpy as np


def _wide(x):
    """Doubles, or integers that cannot overflow."""
    x = np.asarray(x)
    return x.astype(np.float64 if x.dtype.kind == "f" else np.int64)


def _like(result, x):
    """Integers back in the type of x, wrapping; floats as they are."""
    dtype = np.asarray(x).dtype
    return result if dtype.kind == "f" else np.asarray(result).astype(dtype)


def _unary(function):
    return lambda x: _like(function(_wide(x)), x)


abs, sign, neg = (_unary(function) for function in (np.abs, np.sign, np.negative))
acos, acosh, asin = (_unary(function) for function in (np.arccos, np.arccosh, np.arcsin))
asinh, atan, atanh = (_unary(function) for function in (np.arcsinh, np.arctan, np.arctanh))
sin, sinh, cos = (_unary(function) for function in (np.sin, np.sinh, np.cos))
cosh, tan, tanh = (_unary(function) for function in (np.cosh, np.tan, np.tanh))
ceil, floor, exp = (_unary(function) for function in (np.ceil, np.floor, np.exp))
log, sqrt = _unary(np.log), _unary(np.sqrt)
erf = _unary(np.vectorize(math.erf, otypes=[float]))
round = _unary(np.vectorize(lambda number: float(f"{number:.0f}"), otypes=[float]))
reciprocal = _unary(lambda x: 1 / x)
rsqrt = _unary(lambda x: 1 / np.sqrt(x))


def not_(x):
    return x == 0


def is_nan(x):
    return x != x


def is_inf(x, detect_pos=True, detect_neg=True):
    found = np.zeros(x.shape, bool)
    if detect_pos:
        found |= x == np.inf
    if detect_neg:
        found |= x == -np.inf
    return found


def clamp(x, lo, hi):
    if x.dtype.kind == "f":
        return np.minimum(np.maximum(_wide(x), lo), hi)
    limits = np.iinfo(x.dtype)
    lo = limits.min if lo < limits.min else int(lo)
    hi = limits.max if hi > limits.max else int(hi // 1)
    return np.array([min(max(int(one), lo), hi) for one in x.flat], x.dtype).reshape(x.shape)


# Two operands.


def _binary(function):
    return lambda a, b: _like(function(_wide(a), _wide(b)), a)


add = _binary(lambda a, b: a + b)
sub = _binary(lambda a, b: a - b)
mul = _binary(lambda a, b: a * b)
max = _binary(lambda a, b: np.where(a > b, a, b))
min = _binary(lambda a, b: np.where(a < b, a, b))
squared_difference = _binary(lambda a, b: (a - b) ** 2)


def div(a, b):
    quotient = _wide(a) / _wide(b)
    return quotient if a.dtype.kind == "f" else _like(np.trunc(quotient), a)


def mod(a, b, fmod=0):
    a_wide, b_wide = _wide(a), _wide(b)
    round_quotient = np.trunc if fmod else np.floor
    return _like(a_wide - b_wide * round_quotient(a_wide / b_wide), a)


def pow(base, exponent):
    return (
        _like(np.trunc(_as_double(base) ** _as_double(exponent)), base)
        if (base.dtype.kind != "f")
        else _as_double(base) ** _as_double(exponent)
    )


def _as_double(x):
    return np.asarray(x, np.float64)


def mean(inputs):
    return sum(_wide(one) for one in inputs) / len(inputs)


def equal(a, b):
    return np.asarray(a == b)


def not_equal(a, b):
    return ~np.asarray(a == b)


def less(a, b):
    return np.asarray(a < b)


def greater(a, b):
    return np.asarray(a > b)


def less_or_equal(a, b):
    return np.asarray(a <= b)


def greater_or_equal(a, b):
    return np.asarray(a >= b)


def and_(a, b):
    return a & b


def or_(a, b):
    return a | b


def xor(a, b):
    return a ^ b


def select(condition, a, b):
    if condition.ndim == 1 and a.ndim > 1 and len(condition) != a.shape[-1]:
        condition = condition.reshape(-1, *[1] * (a.ndim - 1))
    return np.where(condition, a, b)


# Reductions.


def _reduction(function):
    """``function`` takes rows of all that is reduced and gives one number for each."""

    def reduce(x, axes=(), keep_dims=True, **attributes):
        rank = x.ndim
        reduced = [axis for axis in sorted(axes) if axis < rank] if axes else list(range(rank))
        kept = [axis for axis in range(rank) if axis not in reduced]
        rows = _wide(x).transpose(kept + reduced)
        rows = (
            rows.reshape([x.shape[axis] for axis in kept] + [-1])
            if x.size
            else np.zeros(
                [x.shape[axis] for axis in kept] + [int(np.prod([x.shape[a] for a in reduced]))]
            )
        )
        result = function(rows, **attributes)
        if keep_dims:
            result = result.reshape([1 if axis in reduced else n for axis, n in enumerate(x.shape)])
        return _like(result, x)

    return reduce


def _log_sum_exp(rows):
    top = rows.max(-1, keepdims=True) if rows.shape[-1] else np.zeros((*rows.shape[:-1], 1))
    return np.log(np.exp(rows - top).sum(-1)) + top[..., 0]


reduce_sum = _reduction(lambda rows: rows.sum(-1))
reduce_prod = _reduction(lambda rows: rows.prod(-1))
reduce_mean = _reduction(
    lambda rows: rows.mean(-1) if rows.dtype.kind == "f" else np.trunc(rows.mean(-1))
)
reduce_max = _reduction(lambda rows: rows.max(-1, initial=_lowest(rows)))
reduce_min = _reduction(lambda rows: rows.min(-1, initial=-_lowest(rows)))
reduce_sum_square = _reduction(lambda rows: (rows * rows).sum(-1))
reduce_log_sum = _reduction(lambda rows: np.log(rows.sum(-1)))
reduce_log_sum_exp = _reduction(_log_sum_exp)
reduce_l1 = _reduction(lambda rows, epsilon=0.0: np.abs(rows).sum(-1) + epsilon)
reduce_l2 = _reduction(lambda rows, epsilon=0.0: np.sqrt((rows * rows).sum(-1) + epsilon))


def _lowest(rows):
    return -np.inf if rows.dtype.kind == "f" else -(2**62)


def _extreme(better):
    def index(x, axis=0, keep_dims=True, return_last_index=False, output_value_type="int64"):
        rows = np.moveaxis(x, axis, -1)
        result = np.zeros(rows.shape[:-1], np.int64)
        for place in np.ndindex(*result.shape):
            best = 0
            for position, number in enumerate(rows[place]):
                tie = number == rows[place][best] and return_last_index
                best = position if better(number, rows[place][best]) or tie else best
            result[place] = best
        return np.expand_dims(result, axis) if keep_dims else result

    return index


arg_max = _extreme(lambda one, other: one > other)
arg_min = _extreme(lambda one, other: one < other)


def cum_sum(x, axis, exclusion=False, reverse=False):
    rows = np.moveaxis(_wide(x), int(np.reshape(axis, -1)[0]), -1)
    result = np.zeros(rows.shape, rows.dtype)
    for i in range(rows.shape[-1]):
        for j in range(rows.shape[-1]):
            before = j > i if reverse else j < i
            if before or (i == j and not exclusion):
                result[..., i] += rows[..., j]
    return _like(np.moveaxis(result, -1, int(np.reshape(axis, -1)[0])), x)


# Matrix products.


def batch_matmul(a, b, A_transpose=False, B_transpose=False):
    return _like(_product(a, b, A_transpose, B_transpose), a)


def gemm(a, b, c=None, A_transpose=False, B_transpose=False, alpha=1.0, beta=1.0):
    result = alpha * _product(a, b, A_transpose, B_transpose)
    if c is not None:
        result = result + beta * _wide(c)
    return _like(result, a)


def _product(a, b, a_transpose, b_transpose):
    a, b = _wide(a), _wide(b)
    left = a[None] if a.ndim == 1 else np.swapaxes(a, -1, -2) if a_transpose else a
    right = b[:, None] if b.ndim == 1 else np.swapaxes(b, -1, -2) if b_transpose else b
    result = (left[..., :, :, None] * right[..., None, :, :]).sum(-2)
    if b.ndim == 1:
        result = result[..., 0]
    return (
        result[..., 0, :]
        if a.ndim == 1 and b.ndim > 1
        else result[..., 0]
        if (a.ndim == 1)
        else result
    )


def shift(x, amount, is_left_shift):
    width = 8 * x.dtype.itemsize
    mask = 2**width - 1

    def one(number, bits):
        moved = int(number) << int(bits) if is_left_shift else int(number) >> int(bits)
        return moved & mask

    return np.vectorize(one, otypes=[x.dtype])(x, amount)
