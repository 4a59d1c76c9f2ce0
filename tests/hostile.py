"""Wrong and extreme arguments for any op, made from its declaration and a valid sample."""

import math

import numpy as np

import odla_ipu as odla
from odla_ipu import registry
from odla_ipu.types import ElementType, ValueType, element_type

LARGE = 2**31 - 1
_FOREIGN = odla.Computation("another")
FOREIGN = _FOREIGN.argument("foreign", (2, 3))

_ANYTHING = [None, "text", object(), b"bytes", {"a": 1}, [[1], [2, 3]], math.nan, 1j, FOREIGN]
_INTEGERS = [-(2**63), -(2**31), -5, -1, 0, 1, 2, 7, LARGE, 2**32 - 1, 2**63, 10**30, 1.5, True]
_NUMBERS = [math.nan, math.inf, -math.inf, 1e39, -1e39, 0.0, -1.0, 1e-40, 10**400]
_DIMS = [
    (),
    (-1,),
    (-2, 3),
    (0,),
    (1,) * 11,
    (1,) * 1000,
    (LARGE, LARGE),
    (2**16, 2**16),
    (LARGE,),
    ("n",),
    (1.5,),
    (None,),
    (FOREIGN,),
    5,
    np.zeros((2, 2)),
]


def arguments_for(field, given):
    """Values for a parameter that is ``given`` in the sample."""
    yield from _ANYTHING
    if isinstance(field, registry.TensorField):
        yield from _operands(given)
    elif isinstance(field, registry.TensorsField):
        yield from _several(given)
    elif isinstance(field, registry.IntegerField):
        yield from _INTEGERS
    elif isinstance(field, registry.FloatField):
        yield from _NUMBERS
        yield from _INTEGERS
    elif isinstance(field, registry.BoolField):
        yield from [True, False, 2, -1, 0.5, "yes", np.bool_(True)]
    elif isinstance(field, registry.TextField):
        yield from ["", "\0", "->", "ij,jk->ik", "...", "é", "a" * 10000]
    elif isinstance(field, registry.EnumField):
        yield from [*field.kind, -1, 99, "bogus", 1.5, 2**70]
    elif isinstance(field, registry.IntegersField):
        yield from _lists(given)
    elif isinstance(field, registry.ShapeField):
        yield from _lists(given)
        yield from _DIMS
    elif isinstance(field, registry.ElementTypeField):
        yield from [*ElementType, -1, 99, "bogus", "float128", np.complex64, object]
    else:
        for kind in ElementType:
            yield ValueType(kind, (2, 2))
        yield from [("float32", dims) for dims in _DIMS]
        yield from [("bogus", (2,)), (None, (2,)), ("float32",), ("float32", (2,), 1), "float32"]


def _lists(given):
    listed = [2, 3] if given is None else list(given)
    yield ()
    yield [*listed, 1]
    yield listed[:-1]
    yield listed[::-1]
    yield np.array(listed, np.int64)
    for index in range(len(listed)):
        for number in (-1, 0, 1, 2, 9, LARGE, 2**32 - 1, 2**32, -(2**31), 10**30, 1.5, None, "1"):
            yield [*listed[:index], number, *listed[index + 1 :]]
    yield [LARGE] * len(listed)
    yield [2**32 - 1] * len(listed)
    yield [0] * len(listed)
    yield [1] * 1000


def _operands(given):
    array = np.ones((2, 3), np.float32) if given is None else np.asarray(given)
    kind = element_type(array.dtype)
    for other in ElementType:
        if other is kind:
            continue
        try:
            with np.errstate(all="ignore"):
                yield array.astype(other.dtype)
        except odla.OdlaError:
            pass
    yield np.array(["a", "b"])
    yield np.array([None])
    yield array.astype(np.complex64)
    yield array.astype(">f4")
    yield array.reshape(-1)
    yield array[None]
    yield array.reshape(array.shape + (1,))
    yield np.zeros((), array.dtype)
    yield np.zeros((1,) * 10, array.dtype)
    yield np.zeros((0,), array.dtype)
    for axis in range(array.ndim):
        yield np.concatenate([array, array], axis)
        yield np.take(array, range(array.shape[axis] - 1), axis) if array.shape[axis] else array
        yield np.take(array, [], axis)
        if array.shape[axis]:
            yield np.take(array, [0], axis)
            yield array.take(0, axis)
    with np.errstate(all="ignore"):
        for number in (-1, -100, 100, LARGE, 0):
            yield np.full_like(array, np.array(number).astype(array.dtype))
    if kind.is_float:
        yield np.full_like(array, np.nan)
        yield np.full_like(array, np.inf)


def _several(given):
    given = tuple(given)
    yield ()
    yield given[0]
    yield given + given[:1]
    yield given[:-1]
    yield (None,)
    yield (FOREIGN,)
    yield (*given, None)
    yield (*given, FOREIGN)
    yield (*given, "text")
    for one in _operands(given[0]):
        yield (one, *given[1:])
