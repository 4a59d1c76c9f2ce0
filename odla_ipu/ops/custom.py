"""Custom ops that PopART has and ODLA has no function for.

They are called by name, as kernels are; each has a rule like an op of ODLA's own.
"""

from typing import Any, List, Sequence

import numpy as np

from ..custom import CustomOp, fits
from ..errors import UnsupportedType
from ..graph import Value
from ..registry import Op, i32, i64s, tensor, text
from ..types import (
    ANY,
    FLOATS,
    INTEGERS,
    NUMERIC,
    UNSIGNED,
    ElementType,
    ValueType,
    broadcast,
    known,
    product,
)
from .common import axis_of
from .math import ARITHMETIC
from .process import _check_indices, _from_front, _int32

_INT32 = ElementType.INT32


def _same_type(op: Op, name: str, value: Value, other: Value) -> None:
    if value.element_type is not other.element_type:
        raise UnsupportedType(
            f"{op.where}: {name} is {value.type}, the first operand is {other.type}; cast them to "
            "one element type"
        )


def _wide(kind: ElementType) -> ElementType:
    """The type in which PopART computes ``kind``."""
    return kind if kind in ARITHMETIC else _INT32


# Bits.


class _Bitwise(CustomOp, declare=False):
    """PopART computes 32-bit types; narrower integers are widened."""

    elementwise = True
    lhs = tensor(INTEGERS)
    rhs = tensor(INTEGERS)
    method = ""

    def normalise(self) -> None:
        _same_type(self, "rhs", self.rhs, self.lhs)

    def infer(self) -> ValueType:
        dims = broadcast([self.lhs.shape, self.rhs.shape], self.where)
        return ValueType(self.lhs.element_type, dims)

    def lower(self, b: Any) -> Any:
        kind = self.lhs.element_type
        wide = _wide(kind)
        operands = [one if wide is kind else b.cast(one, wide) for one in (self.lhs, self.rhs)]
        y = getattr(b.graphcore, self.method)(operands)
        return y if wide is kind else b.cast(y, kind)


class BitwiseAnd(_Bitwise):
    """lhs & rhs, bit by bit."""

    method = "bitwiseand"

    def fold(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x & y


class BitwiseOr(_Bitwise):
    """lhs | rhs, bit by bit."""

    method = "bitwiseor"

    def fold(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x | y


class BitwiseXor(_Bitwise):
    """lhs ^ rhs, bit by bit."""

    method = "bitwisexor"

    def fold(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x ^ y


class BitwiseNot(CustomOp):
    """~input, bit by bit."""

    elementwise = True
    input = tensor(INTEGERS)

    def normalise(self) -> None:
        if self.input.element_type is ElementType.UINT64:
            raise UnsupportedType(
                f"{self.where}: input is UINT64, of which the device has 32 bits; cast it to UINT32"
            )

    def infer(self) -> ValueType:
        return self.input.type

    def fold(self, x: np.ndarray) -> np.ndarray:
        return ~x

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        wide = _wide(kind)
        if wide is kind:
            return b.graphcore.bitwisenot([self.input])
        x = b.cast(self.input, wide)
        if kind in UNSIGNED:  # not negative in the end
            ones = b.scalar(np.iinfo(kind.dtype).max, wide)
            return b.cast(b.graphcore.bitwisexor([x, ones]), kind)
        return b.cast(b.graphcore.bitwisenot([x]), kind)


# Writing into a tensor at given places.

_REDUCTIONS = {
    "none": ("NoReduction", None),
    "add": ("Sum", np.add),
    "mul": ("Mul", np.multiply),
    "max": ("Max", np.maximum),
    "min": ("Min", np.minimum),
}


class _Scatter(CustomOp, declare=False):
    reduction: Any

    def check_reduction(self) -> None:
        if self.reduction not in _REDUCTIONS:
            raise self.error(
                f"reduction is '{self.reduction}'; accepted: {', '.join(sorted(_REDUCTIONS))}"
            )

    def written(self, x: np.ndarray, places: Any, updates: np.ndarray) -> np.ndarray:
        """A copy of ``x`` with the updates at ``places``, one after the other."""
        y, combine = x.copy(), _REDUCTIONS[self.reduction][1]
        if combine is None:
            y[places] = updates
        else:
            combine.at(y, places, updates)
        return y

    def scattered(
        self, b: Any, x: Any, indices: Any, updates: Any, size: int, axis: int, **more: Any
    ) -> Any:
        """PopART's scatter into ``x``, whose size along ``axis`` is given."""
        kind = self.outputs[0].element_type
        wide = _wide(kind)
        if wide is not kind:
            x, updates = b.cast(x, wide), b.cast(updates, wide)
        reduction = getattr(b.popart.ScatterReduction, _REDUCTIONS[self.reduction][0])
        y = b.graphcore.scatterreduce(
            [updates, indices, x], axis_size=size, axis=axis, reduction=reduction, **more
        )
        if wide is kind:
            return y
        if kind is ElementType.BOOL:
            return b.onnx.logical_not([b.onnx.equal([y, b.scalar(0, wide)])])
        return b.cast(y, kind)

    def places(self, b: Any, indices: Value, dim: int) -> Any:
        """INT32 indices counted from the front."""
        if indices.data is not None:
            given = indices.data.astype(np.int64)
            return b.constant(np.where(given < 0, given + dim, given), np.int32)
        return _from_front(b, _int32(b, indices), dim)


class ScatterElements(_Scatter):
    """data with ``updates[..]`` at ``[.., indices[..], ..]`` along ``axis`` (ONNX, opset 18).

    ``reduction`` add, mul, max or min combines updates with each other and data; without it (none)
    no place may occur twice.  indices and updates have one shape, which along the other axes is
    no larger than that of data.  Negative indices count from the end.
    """

    data = tensor(ANY)
    indices = tensor(INTEGERS)
    updates = tensor(ANY)
    axis = i32(0)
    reduction = text("none")

    def normalise(self) -> None:
        self.check_reduction()
        _same_type(self, "updates", self.updates, self.data)
        self.axis = axis_of(self, self.axis, self.data.rank)
        if self.indices.rank != self.data.rank or not fits(self.indices.shape, *self.updates.shape):
            raise self.error(
                f"data is {self.data.type}, indices are {self.indices.type}, updates "
                f"{self.updates.type}; accepted: one rank, and indices and updates of one shape"
            )
        for at, (taken, dim) in enumerate(zip(self.indices.shape, self.data.shape)):
            if at == self.axis:
                _check_indices(self, self.indices.type, self.indices.data, dim, at)
            elif known(taken) and known(dim) and taken > dim:  # type: ignore[operator]
                raise self.error(
                    f"indices are {self.indices.type}; accepted: no more than the data, "
                    f"{self.data.type}, along other axes than {self.axis}"
                )

    def infer(self) -> ValueType:
        return self.data.type

    def fold(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        places: List[Any] = list(np.indices(indices.shape, sparse=True))
        places[self.axis] = indices.astype(np.int64)
        return self.written(x, tuple(places), updates)

    def lower(self, b: Any) -> Any:
        if self.updates.type.elements == 0:
            return b.tensor(self.data)
        size = self.data.dims[self.axis]
        places = self.places(b, self.indices, size)
        more = {"enable_index_broadcast": 0}
        return self.scattered(b, self.data, places, self.updates, size, self.axis, **more)


class ScatterND(_Scatter):
    """data with slices ``updates[i, ..]`` at ``indices[i, :]`` (ONNX, opset 18).

    The last axis of indices holds index tuples into the first dimensions of data; ``reduction`` is
    that of ScatterElements.
    """

    data = tensor(ANY)
    indices = tensor(INTEGERS)
    updates = tensor(ANY)
    reduction = text("none")

    def normalise(self) -> None:
        self.check_reduction()
        _same_type(self, "updates", self.updates, self.data)
        dims = self.data.shape
        length = self.indices.shape[-1] if self.indices.rank else 0
        if not isinstance(length, int) or not 1 <= length <= len(dims):
            raise self.error(
                f"indices are {self.indices.type}; accepted: 1 to {len(dims)} in the last "
                f"dimension for the data {self.data.type}"
            )
        wanted = [*self.indices.shape[:-1], *dims[length:]]
        if not fits(self.updates.shape, *wanted):
            raise self.error(
                f"updates are {self.updates.type}; accepted: {wanted} for the indices "
                f"{self.indices.type} of the data {self.data.type}"
            )
        for place, dim in enumerate(dims[:length]):
            given = None if self.indices.data is None else self.indices.data[..., place]
            _check_indices(self, self.indices.type, given, dim, place)

    def infer(self) -> ValueType:
        return self.data.type

    def fold(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        return self.written(x, tuple(np.moveaxis(indices.astype(np.int64), -1, 0)), updates)

    def lower(self, b: Any) -> Any:
        if self.updates.type.elements == 0:
            return b.tensor(self.data)
        dims, length = self.data.dims, self.indices.dims[-1]
        rows, row = product(dims[:length]), product(dims[length:])
        y = self.scattered(
            b,
            b.reshape(self.data, [rows, row]),
            self._rows(b, dims[:length]),
            b.reshape(self.updates, [self.updates.type.elements // row, row]),
            rows,
            0,
        )
        return b.reshape(y, dims)

    def _rows(self, b: Any, dims: Sequence[int]) -> Any:
        """[index tuple]: the row that each names, when the dimensions are made one."""
        count = product(self.indices.dims[:-1])
        if self.indices.data is not None:
            table = self.indices.data.astype(np.int64).reshape(count, len(dims))
            table = np.where(table < 0, table + np.array(dims), table)
            return b.constant(np.ravel_multi_index(tuple(table.T), dims), np.int32)
        table = b.reshape(_int32(b, self.indices), [count, len(dims)])
        total = None
        for axis, dim in enumerate(dims):
            column = b.reshape(b.slice(table, 1, axis, axis + 1), [count])
            column = _from_front(b, column, dim)
            stride = product(dims[axis + 1 :])
            if stride != 1:
                column = b.onnx.mul([column, b.scalar(stride, _INT32)])
            total = column if total is None else b.onnx.add([total, column])
        return total


class MaxUnpool(CustomOp):
    """The elements of input at ``indices`` of a tensor of ``output_shape`` that is 0 elsewhere.

    Indices count in the flat result, as those of ONNX MaxPool do; they have the shape of input.
    """

    input = tensor(NUMERIC)
    indices = tensor(INTEGERS)
    output_shape = i64s()

    def normalise(self) -> None:
        if not fits(self.indices.shape, *self.input.shape):
            raise self.error(
                f"indices are {self.indices.type}, input is {self.input.type}; accepted: one shape"
            )
        if min(self.output_shape, default=1) < 0:
            raise self.error(f"output_shape is {self.output_shape}; accepted: 0 and more")
        size = product(self.output_shape)
        _check_indices(self, self.indices.type, self.indices.data, size, 0)

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, self.output_shape)

    def fold(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        y = np.zeros(product(self.output_shape), x.dtype)
        y[indices.astype(np.int64).reshape(-1)] = x.reshape(-1)
        return y.reshape(self.output_shape)

    def lower(self, b: Any) -> Any:
        kind, count = self.input.element_type, self.input.type.elements
        wide, size = _wide(kind), product(self.output_shape)
        if count == 0:
            return b.constant(np.zeros(self.output_shape, kind.dtype))
        x = b.reshape(self.input if wide is kind else b.cast(self.input, wide), [count])
        indices = _from_front(b, b.reshape(_int32(b, self.indices), [count]), size)
        y = b.graphcore.scatterreduce(
            [x, indices], axis_size=size, axis=0, reduction=b.popart.ScatterReduction.NoReduction
        )
        y = b.reshape(y, self.output_shape)
        return y if wide is kind else b.cast(y, kind)


# Order.


class Sort(CustomOp):
    """input in rising order along ``axis`` (falling with ``descending``), and INT32 positions.

    Equal elements keep their order.
    """

    input = tensor(NUMERIC)
    axis = i32(-1)
    descending = i32(0)

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)
        if self.descending not in (0, 1):
            raise self.error(f"descending is {self.descending}; accepted: 0 and 1")

    def infer(self) -> List[ValueType]:
        return [self.input.type, ValueType(_INT32, self.input.shape)]

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        wide = _wide(kind)
        x = self.input if wide is kind else b.cast(self.input, wide)
        # PopART refuses axes counted from the end.
        values, places = b.graphcore.sort([x], axis=self.axis, descending=self.descending, stable=1)
        return [values if wide is kind else b.cast(values, kind), b.cast(places, _INT32)]


class Bucketize(CustomOp):
    """Into which interval of rising ``boundaries`` each element falls; INT32.

    The number of boundaries below it, with ``right`` of those not above it.
    """

    input = tensor(FLOATS)
    boundaries = tensor(FLOATS)
    right = i32(0)

    def normalise(self) -> None:
        _same_type(self, "boundaries", self.boundaries, self.input)
        if self.boundaries.rank != 1 or self.right not in (0, 1):
            raise self.error(
                f"boundaries are {self.boundaries.type}, right is {self.right}; accepted: a "
                "vector, and 0 or 1"
            )

    def infer(self) -> ValueType:
        return ValueType(_INT32, self.input.shape)

    def lower(self, b: Any) -> Any:
        return b.graphcore.bucketize([self.input, self.boundaries], right=self.right)
