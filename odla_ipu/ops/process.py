"""Data movement: shapes, slices, gathers, joins, casts and resizing.

Header: ``ODLA/ops/odla_ops_process.h``.
"""

import math
from fractions import Fraction
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import UnsupportedType
from ..graph import Capacity, Graph, Value
from ..kernels.compress import Compress as CompressKernel
from ..registry import (
    Op,
    choice,
    f32,
    i32,
    ints,
    optional_tensor,
    output_dims,
    shape,
    target_type,
    tensor,
    tensors,
    u32,
    uints,
    value_type,
)
from ..types import (
    ANY,
    BOOLS,
    FLOATS,
    INTEGERS,
    NUMERIC,
    UNKNOWN,
    UNSIGNED,
    Dim,
    ElementType,
    FillMethod,
    InterpolationMode,
    ResizeCoordinateMode,
    Types,
    ValueType,
    broadcast,
    format_shape,
    known,
    product,
)
from .common import axis_of

_Dims = Tuple[Dim, ...]
_INT32 = ElementType.INT32
_INDICES: Types = frozenset({ElementType.INT32, ElementType.INT64})


def _numbers(value: Any) -> Optional[List[int]]:
    """The integers of an operand that the program of the device depends on; None while it is open.

    It is open while arguments have open dimensions, and when it is computed at run time.
    """
    return None if value.data is None else [int(number) for number in value.data.reshape(-1)]


def _merged(op: Op, left: Dim, right: Dim, accepted: str) -> Dim:
    """One dimension of operands that must agree; raises the op's error when they do not."""
    if known(left) and known(right) and left != right:
        raise op.error(f"inputs have the sizes {left} and {right}; accepted: {accepted}")
    return left if known(left) else right


def _merged_element_type(op: Any) -> ElementType:
    """The element type of all ``inputs``."""
    first = op.inputs[0]
    for one in op.inputs[1:]:
        if one.element_type is not first.element_type:
            raise UnsupportedType(
                f"{op.where}: inputs are {first.type} and {one.type}; cast them to one element type"
            )
        if one.rank != first.rank:
            raise op.error(f"inputs are {first.type} and {one.type}; accepted: one rank")
    return first.element_type


# Types and copies.


class Cast(Op):
    """input as ``target_type``: floats truncate to integers, BOOL is x != 0, integers wrap.

    BFLOAT16 is rounded to the nearest even from FLOAT32.
    """

    elementwise = True
    input = tensor(ANY)
    target_type = target_type()

    def infer(self) -> ValueType:
        if self.target_type not in ANY:
            raise UnsupportedType(
                f"{self.where}: target_type is {self.target_type.name}; accepted: "
                + ", ".join(kind.name for kind in sorted(ANY))
            )
        return ValueType(self.target_type, self.input.shape)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x.astype(self.target_type.dtype)

    def lower(self, b: Any) -> Any:
        source, target = self.input.element_type, self.target_type
        if source is target:
            return b.tensor(self.input)
        if target in BOOLS:
            return b.onnx.logical_not([b.onnx.equal([self.input, b.scalar(0, source)])])
        return b.cast(self.input, target)


class RoundToBfloat16(Op, declare=False):
    """FLOAT32 numbers rounded to those of BFLOAT16, halves to even; not a function of ODLA.

    A sum with a power of two that is 2**16 times as large as that of x drops the bits to drop.  Of
    a number scaled to within 2**64 of 1, Rump's (2**23 + 1) x gives that power exactly.
    """

    name = "bfloat16 rounding"
    input = tensor(frozenset({ElementType.FLOAT32}))

    def infer(self) -> ValueType:
        return self.input.type

    def lower(self, b: Any) -> Any:
        def number(value: float) -> Any:
            return b.scalar(value, ElementType.FLOAT32)

        x, zero = self.input, number(0)
        size = b.onnx.abs([x])
        is_small = b.onnx.less([size, number(1)])
        near = b.onnx.mul([size, b.onnx.where([is_small, number(2.0**64), number(2.0**-64)])])
        q = b.onnx.mul([near, number(2.0**23 + 1)])
        power = b.onnx.sub([q, b.onnx.mul([q, number(1 - 2.0**-24)])])
        # Numbers below 2**-126 have the spacing of those from there on.
        least = b.onnx.where([is_small, number(2.0**-62), zero])
        power = b.onnx.where([b.onnx.less([power, least]), least, power])
        shift = b.onnx.mul([power, number(1.5 * 2.0**16)])
        rounded = b.onnx.sub([b.onnx.add([near, shift]), shift])
        back = b.onnx.where([is_small, number(2.0**-64), number(2.0**64)])
        rounded = b.onnx.mul([rounded, back])
        signed = b.onnx.where([b.onnx.less([x, zero]), b.onnx.neg([rounded]), rounded])
        # Zeros keep their sign, infinities and NaN what they are.
        is_plain = b.onnx.logical_and(
            [b.onnx.less([zero, size]), b.onnx.less([size, number(np.inf)])]
        )
        return b.onnx.where([is_plain, signed, x])


class _Expand(Op, declare=False):
    input: Any

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, self.target().dims)

    def infer(self) -> ValueType:
        return self.target()

    def target(self) -> ValueType:
        raise NotImplementedError

    def lower(self, b: Any) -> Any:
        dims = self.outputs[0].dims
        if dims == self.input.dims:
            return b.tensor(self.input)
        return b.onnx.expand([self.input, b.ints(dims)])


class Broadcast(_Expand):
    """input, broadcast by numpy's rules to exactly ``output_shape``."""

    input = tensor(ANY)
    output_shape = shape()

    def target(self) -> ValueType:
        target = self.output_shape
        full = broadcast([self.input.shape, target], self.where)
        if len(full) != len(target) or any(
            known(a) and known(b) and a != b for a, b in zip(full, target)
        ):
            raise self.error(
                f"input is {self.input.type} and does not broadcast to {format_shape(target)}; "
                "aligned from the last dimension, its sizes must be equal to these or 1"
            )
        return ValueType(self.input.element_type, full)


class ExpandDims(_Expand):
    """The numpy broadcast of input with ``output_dims`` (ONNX Expand-13; not an unsqueeze)."""

    input = tensor(ANY)
    output_dims = shape()

    def target(self) -> ValueType:
        dims = broadcast([self.input.shape, self.output_dims], self.where)
        return ValueType(self.input.element_type, dims)


class _Tile(Op, declare=False):
    input: Any

    def counts(self) -> Optional[Sequence[int]]:
        """How often each dimension is repeated; None while that is open."""
        raise NotImplementedError

    def infer(self) -> ValueType:
        dims, counts = self.input.shape, self.counts()
        if counts is None:
            return ValueType(self.input.element_type, (UNKNOWN,) * len(dims))
        if len(counts) != len(dims) or any(count < 0 for count in counts):
            raise self.error(
                f"repeat is {list(counts)}; accepted: {len(dims)} counts of 0 or more for "
                f"{self.input.type}"
            )
        tiled = tuple(_times(dim, count) for dim, count in zip(dims, counts))
        return ValueType(self.input.element_type, tiled)

    def lower(self, b: Any) -> Any:
        counts = self.counts() or ()
        if all(count == 1 for count in counts):
            return b.tensor(self.input)
        return b.onnx.tile([self.input, b.ints(counts)])


def _times(dim: Dim, count: int) -> Dim:
    if isinstance(dim, int) and dim >= 0:
        return dim * count
    return dim if count == 1 else 0 if count == 0 else UNKNOWN


class Tile(_Tile):
    """``repeat[i]`` copies of input along dimension i."""

    input = tensor(ANY)
    repeat = uints()
    output_dims = output_dims()

    def counts(self) -> Optional[Sequence[int]]:
        return self.repeat

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.tile(x, self.repeat)


class TileDynamic(_Tile):
    """Tile with the counts in a constant vector."""

    input = tensor(ANY)
    repeat = tensor(_INDICES, shaping=True)
    output_dims = output_dims()

    def counts(self) -> Optional[Sequence[int]]:
        return _numbers(self.repeat)

    def fold(self, x: np.ndarray, repeat: np.ndarray) -> np.ndarray:
        return np.tile(x, repeat)


class Pad(Op):
    """Zeros before and after each dimension, N and C included."""

    input = tensor(ANY)
    padding_front = uints()
    padding_back = uints()
    output_dims = output_dims()

    def infer(self) -> ValueType:
        rank = self.input.rank
        if len(self.padding_front) != rank or len(self.padding_back) != rank:
            raise self.error(
                f"padding_front and padding_back have {len(self.padding_front)} and "
                f"{len(self.padding_back)} entries; accepted: one for each of {rank} dimensions"
            )
        added = [sum(sides) for sides in zip(self.padding_front, self.padding_back)]
        dims = tuple(
            dim + more if isinstance(dim, int) and dim >= 0 else UNKNOWN if more else dim
            for dim, more in zip(self.input.shape, added)
        )
        return ValueType(self.input.element_type, dims)

    def fold(self, x: np.ndarray) -> np.ndarray:
        result = np.zeros(self.infer().dims, x.dtype)
        result[tuple(slice(at, at + dim) for at, dim in zip(self.padding_front, x.shape))] = x
        return result

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        if self.input.type.elements == 0:
            return b.constant(np.zeros(self.outputs[0].dims, kind.dtype))
        if self.outputs[0].dims == self.input.dims:
            return b.tensor(self.input)
        if kind not in BOOLS:
            return self._padded(b, self.input, kind)
        return b.cast(self._padded(b, b.cast(self.input, _INT32), _INT32), kind)

    def _padded(self, b: Any, x: Any, kind: ElementType) -> Any:
        pads = b.ints([*self.padding_front, *self.padding_back])
        return b.onnx.pad([x, pads, b.scalar(0, kind)], mode="constant")


FILL_LIMIT = 1 << 28
"""Most elements of a Fill: 1 GiB of FLOAT32, more than an IPU holds."""


class Fill(Op):
    """A constant of shape and element type ``type``.

    EYE_LIKE (rank 2): ones on the main diagonal.  RANDOM_NORMAL: mean ``p0``, standard deviation
    ``p1``; RANDOM_UNIFORM: [``p0``, ``p1``).  Random numbers are drawn once, on the host, as the op
    is added: the same ``seed`` gives the same numbers on every device.
    """

    form = "constant"
    type = value_type()
    method = choice(FillMethod, FillMethod.EYE_LIKE, "fill_method")
    p0 = f32(0.0)
    p1 = f32(1.0)
    seed = f32(0.0)
    folds_from_types = True

    def infer(self) -> ValueType:
        kind, is_eye = self.type.element_type, self.method is FillMethod.EYE_LIKE
        if kind not in (ANY if is_eye else FLOATS):
            raise UnsupportedType(
                f"{self.where}: type is {self.type}; accepted for {self.method.name}: "
                f"{'numbers and BOOL' if is_eye else 'FLOAT16, BFLOAT16, FLOAT32, FLOAT64'}"
            )
        if not self.type.is_static or (is_eye and self.type.rank != 2):
            raise self.error(
                f"type is {self.type}; accepted: known sizes, for EYE_LIKE two of them"
            )
        if self.type.elements > FILL_LIMIT:
            raise self.error(
                f"type is {self.type}, {self.type.elements} elements; accepted: up to "
                f"{FILL_LIMIT}, since the host makes them"
            )
        return self.type

    def fold(self) -> np.ndarray:
        kind, dims = self.type.element_type, self.type.dims
        if self.method is FillMethod.EYE_LIKE:
            return np.eye(dims[0], dims[1], dtype=kind.dtype)
        # The seed is a float: its bits tell apart all of them.
        generator = np.random.RandomState(int(np.float32(self.seed).view(np.uint32)))
        if self.method is FillMethod.RANDOM_NORMAL:
            return self.p0 + self.p1 * generator.standard_normal(dims)
        return self.p0 + (self.p1 - self.p0) * generator.random_sample(dims)


# The same elements under another shape.


class _Reshape(Op, declare=False):
    input: Any

    def target(self) -> _Dims:
        """The result's shape."""
        raise NotImplementedError

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, self.target())

    def fold(self, x: np.ndarray, *wanted: np.ndarray) -> np.ndarray:
        return x.reshape(self.infer().dims)

    def lower(self, b: Any) -> Any:
        dims = self.outputs[0].dims
        return b.tensor(self.input) if dims == self.input.dims else b.reshape(self.input, dims)

    def filled(self, wanted: Sequence[Dim]) -> _Dims:
        """``wanted`` with its -1 replaced; checks the number of elements where that is known."""
        dims, kind = list(wanted), self.input.type
        if not kind.is_static:
            return tuple(dims)
        if dims.count(UNKNOWN) == 1:
            rest = _product(dims)
            dims[dims.index(UNKNOWN)] = kind.elements // rest if rest else UNKNOWN
        if not all(map(known, dims)) or _product(dims) != kind.elements:
            raise self.error(
                f"input is {kind} with {kind.elements} elements, which do not fill "
                f"{format_shape(wanted)}; accepted: sizes whose product is that, one of them -1"
            )
        return tuple(dims)


def _product(dims: Sequence[Dim]) -> int:
    """The product of the sizes that are known."""
    return product([dim for dim in dims if isinstance(dim, int) and dim >= 0])


class Reshape(_Reshape):
    """The elements of input in the same order under other dimensions; one may be -1."""

    input = tensor(ANY)
    output_dims = shape()

    def target(self) -> _Dims:
        return self.filled(self.output_dims)


class ReshapeDynamic(_Reshape):
    """Reshape to a constant vector: 0 copies the dimension of input, one -1 is inferred."""

    input = tensor(ANY)
    output_shape = tensor(_INDICES, shaping=True)

    def normalise(self) -> None:
        if self.output_shape.rank != 1 or not known(self.output_shape.shape[0]):
            raise self.error(
                f"output_shape is {self.output_shape.type}; accepted: a vector of known length"
            )

    def target(self) -> _Dims:
        wanted = _numbers(self.output_shape)
        if wanted is None:
            return (UNKNOWN,) * int(self.output_shape.shape[0])
        if min(wanted, default=0) < UNKNOWN:
            raise self.error(f"output_shape is {wanted}; accepted: sizes, 0 to copy, one -1")
        if 0 in wanted[self.input.rank :]:
            raise self.error(
                f"output_shape is {wanted}: a 0 copies a dimension that {self.input.type} lacks"
            )
        return self.filled(
            [self.input.shape[axis] if dim == 0 else dim for axis, dim in enumerate(wanted)]
        )


class Squeeze(_Reshape):
    """input without the listed dimensions of size 1; without all of them when none is listed."""

    input = tensor(ANY)
    axes = uints((), count="num_of_axes")
    output_dims = output_dims()

    def target(self) -> _Dims:
        dims = self.input.shape
        dropped = {axis_of(self, axis, len(dims), "axes") for axis in self.axes}
        if not self.axes:
            dropped = {axis for axis, dim in enumerate(dims) if dim == 1}
        for axis in dropped:
            if known(dims[axis]) and dims[axis] != 1:
                raise self.error(f"axes has {axis}, whose size is {dims[axis]}; accepted: size 1")
        return tuple(dim for axis, dim in enumerate(dims) if axis not in dropped)


class Transpose(Op):
    """Dimension i of the result is dimension ``permutations[i]`` of input."""

    input = tensor(ANY)
    permutations = shape()
    output_dims = output_dims()

    def infer(self) -> ValueType:
        rank = self.input.rank
        if len(self.permutations) != rank or set(self.permutations) != set(range(rank)):
            raise self.error(
                f"permutations is {format_shape(self.permutations)}; accepted: each of the "
                f"{rank} axes of {self.input.type} once, counted from 0"
            )
        dims = tuple(self.input.shape[axis] for axis in self.permutations)
        return ValueType(self.input.element_type, dims)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.permutations)

    def lower(self, b: Any) -> Any:
        return b.transpose(self.input, self.permutations)


# Joining and splitting.


class Concat(Op):
    """The operands one after the other along ``axis``."""

    inputs = tensors(ANY)
    axis = i32(0)
    output_shape = output_dims()

    def infer(self) -> ValueType:
        kind = _merged_element_type(self)
        axis = axis_of(self, self.axis, self.inputs[0].rank)
        dims: List[Dim] = list(self.inputs[0].shape)
        for one in self.inputs[1:]:
            for position, dim in enumerate(one.shape):
                if position == axis:
                    dims[axis] = _sum(dims[axis], dim)
                else:
                    dims[position] = _merged(
                        self, dims[position], dim, f"one size except along axis {axis}"
                    )
        return ValueType(kind, tuple(dims))

    def fold(self, *arrays: np.ndarray) -> np.ndarray:
        return np.concatenate(arrays, self.axis)

    def lower(self, b: Any) -> Any:
        parts = [one for one in self.inputs if one.type.elements]
        if len(parts) == 1:
            return b.tensor(parts[0])
        return b.onnx.concat(parts, axis=axis_of(self, self.axis, self.inputs[0].rank))


def _sum(left: Dim, right: Dim) -> Dim:
    if left == 0 or right == 0:
        return right if left == 0 else left
    if isinstance(left, int) and isinstance(right, int) and left > 0 and right > 0:
        return left + right
    return UNKNOWN


class Stack(Op):
    """Operands of one shape along a new dimension ``axis`` of the result."""

    inputs = tensors(ANY)
    axis = i32(0)
    output_shape = output_dims()

    def infer(self) -> ValueType:
        kind = _merged_element_type(self)
        axis = axis_of(self, self.axis, self.inputs[0].rank + 1)
        dims = list(self.inputs[0].shape)
        for one in self.inputs[1:]:
            dims = [_merged(self, left, right, "one shape") for left, right in zip(dims, one.shape)]
        return ValueType(kind, (*dims[:axis], len(self.inputs), *dims[axis:]))

    def fold(self, *arrays: np.ndarray) -> np.ndarray:
        return np.stack(arrays, self.axis)

    def lower(self, b: Any) -> Any:
        axis = axis_of(self, self.axis, self.inputs[0].rank + 1)
        parts = [b.onnx.unsqueeze([one], axes=[axis]) for one in self.inputs]
        return parts[0] if len(parts) == 1 else b.onnx.concat(parts, axis=axis)


class Split(Op):
    """``num_split`` equal parts along the axis ``split_dim``, one number."""

    input = tensor(ANY)
    split_dim = tensor(_INDICES, shaping=True)
    num_split = i32()

    def normalise(self) -> None:
        if self.split_dim.type.is_static and self.split_dim.type.elements != 1:
            raise self.error(f"split_dim is {self.split_dim.type}; accepted: one element")
        # Parts without elements are as many as ODLA has results.
        most = max([64, *(dim for dim in self.input.shape if isinstance(dim, int))])
        if not 1 <= self.num_split <= most:
            raise self.error(f"num_split is {self.num_split}; accepted: 1 to {most}")
        numbers, rank = _numbers(self.split_dim), self.input.rank
        self.axis: Any = None  # until split_dim is known
        if numbers is not None:
            self.axis = axis_of(self, numbers[0], rank, "split_dim")

    def infer(self) -> Sequence[ValueType]:
        dims, count = self.input.shape, self.num_split
        if self.axis is None:
            return [ValueType(self.input.element_type, (UNKNOWN,) * len(dims))] * count
        size = dims[self.axis]
        if isinstance(size, int) and size >= 0 and size % count:
            raise self.error(
                f"num_split is {count}; accepted: a divisor of {size}, the size of axis {self.axis}"
            )
        part = size // count if isinstance(size, int) and size >= 0 else UNKNOWN
        part_dims = (*dims[: self.axis], part, *dims[self.axis + 1 :])
        return [ValueType(self.input.element_type, part_dims)] * count

    def fold(self, x: np.ndarray, axis: np.ndarray) -> Sequence[np.ndarray]:
        return np.split(x, self.num_split, self.axis)

    def lower(self, b: Any) -> Any:
        if self.num_split == 1:
            return b.tensor(self.input)
        part = self.outputs[0].dims[self.axis]
        return b.onnx.split(
            [self.input],
            num_outputs=self.num_split,
            axis=self.axis,
            split=[part] * self.num_split,
        )


# Shape arithmetic.


class Shape(Op):
    """The dimensions of input as INT64: a constant as soon as they are known."""

    form = "constant"
    input = tensor(ANY)
    output_dims = output_dims()
    folds_from_types = True

    def infer(self) -> ValueType:
        return ValueType(ElementType.INT64, (self.input.rank,))

    def fold(self) -> Optional[np.ndarray]:
        return np.array(self.input.dims, np.int64) if self.input.type.is_static else None


class DimsExpand(Op):
    """A copy of input where element ``axes[k]`` is ``original[k]``; the result is INT32.

    A negative ``original[k]`` is added to the old element, negative axes count from the end.
    Compilers compute the bounds of SliceDynamic with it, so all operands are short vectors.
    """

    form = "composed"
    input = tensor(_INDICES)
    original = tensor(_INDICES)
    axes = tensor(_INDICES, shaping=True)
    output_dims = output_dims()

    def infer(self) -> ValueType:
        for name in ("input", "original", "axes"):
            if getattr(self, name).rank != 1:
                raise self.error(f"{name} is {getattr(self, name).type}; accepted: a vector")
        axes, length = _numbers(self.axes), self.input.shape[0]
        count = self.original.shape[0]
        if axes is not None and known(count) and count != len(axes):
            raise self.error(f"original has {count} and axes {len(axes)} entries; accepted: equal")
        if axes is not None and isinstance(length, int) and length >= 0:
            self._places(axes, length)
        return ValueType(_INT32, self.input.shape)

    def _places(self, axes: Sequence[int], length: int) -> List[int]:
        return [axis_of(self, axis, length, "axes") for axis in axes]

    def fold(self, x: np.ndarray, original: np.ndarray, axes: np.ndarray) -> np.ndarray:
        out = x.astype(np.int64)
        for new, axis in zip(original.tolist(), self._places(axes.tolist(), len(x))):
            out[axis] = new if new >= 0 else new + out[axis]
        # "To the end" is often written as the largest INT64.
        limits = np.iinfo(np.int32)
        return np.clip(out, limits.min, limits.max)

    def lower(self, b: Any) -> Any:
        x, original = _int32(b, self.input), _int32(b, self.original)
        length = self.input.dims[0]
        parts = [b.slice(x, 0, index, index + 1) for index in range(length)]
        axes = _numbers(self.axes) or []
        for position, axis in enumerate(self._places(axes, length)):
            new = b.slice(original, 0, position, position + 1)
            moved = b.onnx.add([new, parts[axis]])
            parts[axis] = b.onnx.where([_is_negative(b, new), moved, new])
        return parts[0] if length == 1 else b.onnx.concat(parts, axis=0)


def _int32(b: Any, value: Any) -> Any:
    return b.tensor(value) if value.element_type is _INT32 else b.cast(value, _INT32)


def _is_negative(b: Any, x: Any) -> Any:
    return b.onnx.less([x, b.scalar(0, _INT32)])


# Slices.


class _Range(NamedTuple):
    """What a slice takes of one dimension: ``size`` elements from ``first`` on."""

    first: int
    size: int
    stride: int


def _range(start: int, end: int, stride: int, dim: int) -> _Range:
    """ONNX Slice-13: negative bounds count from the end, then both are held within the dimension.

    An end before the first element, for a negative stride, is written as -dim - 1 or less.
    """
    start, end = (bound + dim if bound < 0 else bound for bound in (start, end))
    if stride > 0:
        start, end = min(max(start, 0), dim), min(max(end, 0), dim)
    else:
        start, end = min(max(start, 0), dim - 1), min(max(end, -1), dim - 1)
    return _Range(start, max(0, -((start - end) // stride)), stride)


class _Slice(Op, declare=False):
    input: Any

    def bounds(self) -> Optional[Sequence[Tuple[int, int, int]]]:
        """Start, end and stride of each dimension; None while they are open."""
        raise NotImplementedError

    def infer(self) -> ValueType:
        dims, bounds = self.input.shape, self.bounds()
        if bounds is None:
            return ValueType(self.input.element_type, (UNKNOWN,) * len(dims))
        sliced = tuple(self._count(axis, dim, *bounds[axis]) for axis, dim in enumerate(dims))
        return ValueType(self.input.element_type, sliced)

    def _count(self, axis: int, dim: Dim, start: int, end: int, stride: int) -> Dim:
        if stride == 0:
            raise self.error(f"stride is 0 along axis {axis}; accepted: any other number")
        if isinstance(dim, int) and dim >= 0:
            return _range(start, end, stride, dim).size
        is_whole = start == 0 and stride == 1 and end >= 2**31 - 1
        return dim if is_whole else UNKNOWN

    def ranges(self) -> List[_Range]:
        return [_range(*bounds, dim) for bounds, dim in zip(self.bounds() or (), self.input.dims)]

    def fold(self, x: np.ndarray, *bounds: np.ndarray) -> np.ndarray:
        taken = []
        for first, count, stride in self.ranges():
            end = first + count * stride
            taken.append(slice(first, end if end >= 0 else None, stride))
        return x[tuple(taken)]

    def lower(self, b: Any) -> Any:
        cuts, steps, backwards = [], [], []
        for axis, (dim, (first, size, stride)) in enumerate(zip(self.input.dims, self.ranges())):
            step = abs(stride) if size > 1 else 1
            low = first if stride > 0 else first - (size - 1) * step
            high = low + (size - 1) * step + 1
            if (low, high) != (0, dim):
                cuts.append((axis, low, high))
            if stride < 0 and size > 1:
                backwards.append(axis)
            steps.append(step)
        x = b.tensor(self.input)
        if cuts:
            axes, lows, highs = (b.ints(numbers) for numbers in zip(*cuts))
            x = b.onnx.slice([x, lows, highs, axes, b.ints([1] * len(cuts))])
        if max(steps, default=1) > 1:
            x = self._every(b, x, steps)
        return b.graphcore.reverse([x], dimensions=backwards) if backwards else x

    def _every(self, b: Any, x: Any, steps: Sequence[int]) -> Any:
        """Each step-th element along every dimension.

        PopART's own Slice takes such steps only under a pattern that is off by default.
        """
        if self.input.element_type.is_float:
            return b.graphcore.subsample([x], strides=list(steps))
        for axis, (size, step) in enumerate(zip(self.outputs[0].dims, steps)):
            if step > 1:
                x = b.onnx.gather([x, b.constant(np.arange(size) * step, np.int32)], axis=axis)
        return x


class Slice(_Slice):
    """Elements ``start``, ``start + stride``, ... before ``end``, along every dimension.

    As ONNX Slice-13: ends beyond the dimension are cut, a negative stride walks down.
    ``output_dims``, where it asks for fewer elements, decides.
    """

    input = tensor(ANY)
    start = ints()
    end = ints()
    stride = ints(None)
    output_dims = output_dims()

    def normalise(self) -> None:
        rank = self.input.rank
        if self.stride is None:
            self.stride = (1,) * rank
        for name in ("start", "end", "stride"):
            if len(getattr(self, name)) != rank:
                raise self.error(
                    f"{name} has {len(getattr(self, name))} entries; accepted: one for each of "
                    f"{rank} dimensions"
                )
        if self.output_dims is not None and len(self.output_dims) == rank:
            self.end = tuple(map(self._end, range(rank)))

    def _end(self, axis: int) -> int:
        """The end that leaves as many elements as ``output_dims`` says."""
        dim, wanted = self.input.shape[axis], self.output_dims[axis]
        start, end, stride = self.start[axis], self.end[axis], self.stride[axis]
        if not (known(dim) and known(wanted) and stride):
            return end
        first, count, _ = _range(start, end, stride, dim)
        return first + wanted * stride if wanted < count else end

    def bounds(self) -> Optional[Sequence[Tuple[int, int, int]]]:
        return list(zip(self.start, self.end, self.stride))


class SliceDynamic(_Slice):
    """Slice with start, size and stride in constant vectors.

    ``size`` is end - start (the number of elements when the stride is 1); end is then held within
    the dimension as in ONNX Slice-13.
    """

    input = tensor(ANY)
    start = tensor(_INDICES, shaping=True)
    size = tensor(_INDICES, shaping=True)
    stride = optional_tensor(_INDICES, shaping=True)
    output_dims = output_dims()

    def bounds(self) -> Optional[Sequence[Tuple[int, int, int]]]:
        rank = self.input.rank
        starts = _numbers(self.start)
        sizes = _numbers(self.size)
        strides: Optional[List[int]] = [1] * rank
        if self.stride is not None:
            strides = _numbers(self.stride)
        if starts is None or sizes is None or strides is None:
            return None
        if not len(starts) == len(sizes) == len(strides) == rank:
            raise self.error(
                f"start, size and stride have {len(starts)}, {len(sizes)} and {len(strides)} "
                f"entries; accepted: one for each of {rank} dimensions"
            )
        found = []
        for start, size, stride, dim in zip(starts, sizes, strides, self.input.shape):
            if start < 0 and isinstance(dim, int) and dim >= 0:
                start += dim
            found.append((start, start + size, stride))
        return found


# Gathers.


def _check_indices(op: Op, kind: ValueType, data: Any, dim: Dim, axis: int) -> None:
    """Refuse indices known to be outside the axis, and any into an axis without elements."""
    if not isinstance(dim, int) or dim < 0 or 0 in kind.shape:
        return
    if dim == 0:
        raise op.error(f"indices are {kind}; accepted: none, since axis {axis} has no elements")
    if data is not None and (data.min() < -dim or data.max() >= dim):
        raise op.error(
            f"indices hold {data.min()} to {data.max()}; accepted: {-dim} to {dim - 1} for axis "
            f"{axis} of size {dim}"
        )


def _from_front(b: Any, x: Any, dim: int) -> Any:
    """INT32 indices counted from the front: Poplar does not count from the end."""
    shifted = b.onnx.add([x, b.scalar(dim, _INT32)])
    return b.onnx.where([_is_negative(b, x), shifted, x])


class Gather(Op):
    """Slices of input at ``indices`` along ``axis``; negative indices count from the end."""

    input = tensor(ANY)
    indices = tensor(INTEGERS)
    axis = i32(0)
    output_dims = output_dims()

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)
        dim = self.input.shape[self.axis]
        _check_indices(self, self.indices.type, self.indices.data, dim, self.axis)

    def infer(self) -> ValueType:
        dims, axis = self.input.shape, self.axis
        return ValueType(
            self.input.element_type, (*dims[:axis], *self.indices.shape, *dims[axis + 1 :])
        )

    def fold(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        return np.take(x, indices.astype(np.int64), self.axis)

    def lower(self, b: Any) -> Any:
        dim, given = self.input.dims[self.axis], self.indices.data
        if given is not None:
            indices = b.constant(np.where(given < 0, given + dim, given), np.int32)
        else:
            indices = _from_front(b, _int32(b, self.indices), dim)
        return b.onnx.gather([self.input, indices], axis=self.axis)


class GatherElements(Op):
    """``input[.., indices[..], ..]`` along ``axis``: one element for each index.

    The result has the shape of indices; negative indices count from the end.
    """

    form = "composed"
    input = tensor(ANY)
    indices = tensor(INTEGERS)
    axis = i32(0)
    output_dims = output_dims()

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)
        if self.indices.rank != self.input.rank:
            raise self.error(
                f"indices are {self.indices.type}, input is {self.input.type}; accepted: one rank"
            )
        for axis, (taken, dim) in enumerate(zip(self.indices.shape, self.input.shape)):
            if axis == self.axis:
                _check_indices(self, self.indices.type, self.indices.data, dim, axis)
            elif known(taken) and known(dim) and taken > dim:  # type: ignore[operator]
                raise self.error(
                    f"indices have the size {taken} along axis {axis}; accepted: up to {dim}, "
                    "that of input"
                )

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, self.indices.shape)

    def fold(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        cut = tuple(
            slice(None) if axis == self.axis else slice(0, size)
            for axis, size in enumerate(indices.shape)
        )
        return np.take_along_axis(x[cut], indices.astype(np.int64), self.axis)

    def lower(self, b: Any) -> Any:
        # PopART has no such op: gather from the flat input by linear indices.
        dims = self.input.dims
        flat = b.reshape(self.input, [product(dims)])
        return b.onnx.gather([flat, self._linear(b, dims)], axis=0)

    def _linear(self, b: Any, dims: Sequence[int]) -> Any:
        if self.indices.data is not None:
            return b.constant(self.fold(_positions(dims), self.indices.data), np.int32)
        others = [0 if axis == self.axis else size for axis, size in enumerate(self.indices.dims)]
        offsets = np.zeros([1] * len(dims), np.int32)
        for axis, size in enumerate(others):
            if size:
                steps = np.arange(size, dtype=np.int32) * product(dims[axis + 1 :])
                offsets = offsets + _along(steps, axis, len(dims))
        taken = _from_front(b, _int32(b, self.indices), dims[self.axis])
        stride = b.scalar(product(dims[self.axis + 1 :]), _INT32)
        return b.onnx.add([b.onnx.mul([taken, stride]), b.constant(offsets, np.int32)])


def _positions(dims: Sequence[int]) -> np.ndarray:
    """The linear index of every element of a tensor."""
    return np.arange(product(dims), dtype=np.int32).reshape(dims)


def _along(vector: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """A vector as a tensor that broadcasts along all axes but one."""
    return vector.reshape([-1 if position == axis else 1 for position in range(rank)])


class GatherND(Op):
    """``input[batch.., indices[batch.., i, :]]``: the last axis of indices holds index tuples.

    The first ``num_batch_dims`` dimensions are common; negative indices count from the end.
    """

    form = "composed"
    python = "gather_nd"
    input = tensor(ANY)
    indices = tensor(INTEGERS)
    num_batch_dims = i32(0)
    output_dims = output_dims()

    def normalise(self) -> None:
        batch, dims, taken = self.num_batch_dims, self.input.shape, self.indices.shape
        if not 0 <= batch < min(len(dims), len(taken)):
            raise self.error(
                f"num_batch_dims is {batch}; accepted: 0 and more, below the ranks of input "
                f"{self.input.type} and indices {self.indices.type}"
            )
        for left, right in zip(dims[:batch], taken[:batch]):
            if known(left) and known(right) and left != right:
                raise self.error(
                    f"input {self.input.type} and indices {self.indices.type} differ in their "
                    f"first {batch} dimensions, num_batch_dims"
                )
        length = taken[-1]
        if not isinstance(length, int) or not 1 <= length <= len(dims) - batch:
            raise self.error(
                f"indices are {self.indices.type}; accepted: 1 to {len(dims) - batch} in the last "
                f"dimension for input {self.input.type}"
            )
        for place, dim in enumerate(dims[batch : batch + length]):
            data = None if self.indices.data is None else self.indices.data[..., place]
            _check_indices(self, self.indices.type, data, dim, batch + place)

    def infer(self) -> ValueType:
        tail = self.input.shape[self.num_batch_dims + int(self.indices.shape[-1]) :]
        return ValueType(self.input.element_type, (*self.indices.shape[:-1], *tail))

    def fold(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        batch = self.num_batch_dims
        heads = np.indices((*x.shape[:batch], *[1] * (indices.ndim - 1 - batch)), sparse=True)
        return x[(*heads[:batch], *np.moveaxis(indices.astype(np.int64), -1, 0))]

    def lower(self, b: Any) -> Any:
        # PopART has no such op: gather from an input whose indexed dimensions are made one.
        dims, indexed = self.input.dims, self.num_batch_dims + self.indices.dims[-1]
        flat = b.reshape(self.input, [product(dims[:indexed]), *dims[indexed:]])
        return b.onnx.gather([flat, self._linear(b, dims[:indexed])], axis=0)

    def _linear(self, b: Any, dims: Sequence[int]) -> Any:
        if self.indices.data is not None:
            return b.constant(self.fold(_positions(dims), self.indices.data), np.int32)
        x, last, batch = _int32(b, self.indices), self.indices.rank - 1, self.num_batch_dims
        offsets = np.zeros([1] * last, np.int32)
        for axis, size in enumerate(dims[:batch]):
            steps = np.arange(size, dtype=np.int32) * product(dims[axis + 1 :])
            offsets = offsets + _along(steps, axis, last)
        linear = b.constant(offsets, np.int32)
        for place, dim in enumerate(dims[batch:]):
            part = b.onnx.squeeze([b.slice(x, last, place, place + 1)], axes=[last])
            stride = b.scalar(product(dims[batch + place + 1 :]), _INT32)
            linear = b.onnx.add([linear, b.onnx.mul([_from_front(b, part, dim), stride])])
        return linear


NO_AXIS = 2**31 - 1
"""The axis of Compress that stands for the flat input."""


class Compress(Op):
    """The slices of input along ``axis`` where ``condition`` is true.

    Without an axis input is flat.  What lies beyond the end of condition is left out.
    """

    form = "kernel"
    input = tensor(ANY)
    condition = tensor(BOOLS, shaping=True)
    axis = i32(NO_AXIS)
    max_output_shape = output_dims(checked=False)

    def normalise(self) -> None:
        if self.condition.rank != 1:
            raise self.error(f"condition is {self.condition.type}; accepted: a vector")
        if self.axis != NO_AXIS:
            self.axis = axis_of(self, self.axis, self.input.rank)
        indices = self._indices()
        size = self._whole()[self._axis()]
        if indices is not None and isinstance(size, int) and 0 <= size <= max(indices, default=-1):
            raise self.error(
                f"condition is true at {max(indices)}; accepted: below {size}, the size of the "
                "axis that it selects from"
            )

    def _indices(self) -> Optional[List[int]]:
        """What is selected; None while condition is open."""
        return None if self.condition.data is None else np.flatnonzero(self.condition.data).tolist()

    def _axis(self) -> int:
        return 0 if self.axis == NO_AXIS else self.axis

    def _whole(self) -> _Dims:
        """The dimensions that are selected from."""
        kind = self.input.type
        if self.axis != NO_AXIS:
            return kind.shape
        return (kind.elements if kind.is_static else UNKNOWN,)

    def _room(self) -> Dim:
        """How much a condition can select."""
        sizes = (self._whole()[self._axis()], self.condition.shape[0])
        if 0 in sizes:
            return 0
        return min(int(size) for size in sizes) if all(map(known, sizes)) else UNKNOWN

    def infer(self) -> ValueType:
        indices, dims = self._indices(), list(self._whole())
        if indices is not None:
            dims[self._axis()] = len(indices)
        else:
            dims[self._axis()] = 0 if self._room() == 0 else UNKNOWN
        return ValueType(self.input.element_type, tuple(dims))

    def _is_counted(self) -> bool:
        """Whether the kernel selects: devices have no tensors without elements."""
        return self.condition.data is None and 0 not in self.input.shape

    def shaped_by(self) -> List[Value]:
        # Of an input without elements only the shape counts.
        return [] if self._is_counted() or self.outputs[0].type.is_static else [self.condition]

    def sized_by(self) -> List[Value]:
        return [self.condition] if self._is_counted() else []

    def capacity(self) -> Optional[Capacity]:
        room = self._room()
        if not self._is_counted() or not isinstance(room, int) or room < 1:
            return None
        return Capacity(self._axis(), room)

    def fold(self, x: np.ndarray, condition: np.ndarray) -> np.ndarray:
        whole = x.reshape(-1) if self.axis == NO_AXIS else x
        return np.take(whole, np.flatnonzero(condition), self._axis())

    def lower(self, b: Any) -> Any:
        x: Any = self.input
        if self.axis == NO_AXIS and self.input.rank != 1:
            x = b.reshape(x, self._whole())
        if self.condition.data is None:
            return b.kernel(CompressKernel, [x, self.condition], axis=self._axis())
        return b.onnx.gather([x, b.constant(self._indices(), np.int32)], axis=self._axis())


class OneHot(Op):
    """``values[1]`` at position ``indices`` of a new dimension of size ``depth``, else values[0].

    ``values`` holds [off, on]; the new dimension is at ``axis`` of the result (-1: the last).
    Indices in [-depth, -1] count from the end; others out of range give all off.
    """

    indices = tensor(NUMERIC)
    depth = i32()
    values = tensor(ANY)
    axis = i32(-1)
    output_dims = output_dims()

    def normalise(self) -> None:
        if self.depth < 1:
            raise self.error(f"depth is {self.depth}; accepted: 1 and more")
        if self.values.rank != 1 or (known(self.values.shape[0]) and self.values.shape != (2,)):
            raise self.error(f"values are {self.values.type}; accepted: two, [off, on]")
        self.axis = axis_of(self, self.axis, self.indices.rank + 1)

    def infer(self) -> ValueType:
        dims = self.indices.shape
        return ValueType(
            self.values.element_type, (*dims[: self.axis], self.depth, *dims[self.axis :])
        )

    def fold(self, indices: np.ndarray, values: np.ndarray) -> np.ndarray:
        rows = np.expand_dims(indices.astype(np.int64), self.axis)
        rows = np.where(rows < 0, rows + self.depth, rows)
        positions = _along(np.arange(self.depth), self.axis, rows.ndim)
        return np.where(rows == positions, values[1], values[0])

    def lower(self, b: Any) -> Any:
        x = self.indices
        if x.element_type not in UNSIGNED:
            x = _from_front(b, _int32(b, x), self.depth)
        depth = b.scalar(self.depth, _INT32)
        return b.onnx.onehot([x, depth, self.values], axis=self.axis)


# Resizing.

_MODES = {
    InterpolationMode.NEAREST: "nearest",
    InterpolationMode.LINEAR: "linear",
    InterpolationMode.CUBIC: "cubic",
}
_COORDINATES = {
    ResizeCoordinateMode.ASSYMMETRIC: "asymmetric",
    ResizeCoordinateMode.HALF_PIXEL: "half_pixel",
    ResizeCoordinateMode.HALF_PIXEL_TF: "half_pixel",
    ResizeCoordinateMode.ALIGN_CORNERS: "align_corners",
}


class _Resize(Op, declare=False):
    input: Any
    interpolation: Any
    mode: Any

    def target(self) -> _Dims:
        """The result's shape."""
        raise NotImplementedError

    def scale(self, axis: int) -> Fraction:
        """Output size over input size, as the coordinates of the mode take it."""
        return Fraction(self.outputs[0].dims[axis], self.input.dims[axis])

    def infer(self) -> ValueType:
        kind, dims = self.input.element_type, self.target()
        if self.interpolation is not InterpolationMode.NEAREST and not kind.is_float:
            raise UnsupportedType(
                f"{self.where}: input is {kind.name}; accepted for {self.interpolation.name}: "
                "floats; cast it to FLOAT32 and the result back"
            )
        if 0 in self.input.shape and 0 not in dims:
            raise self.error(f"input is {self.input.type}; {format_shape(dims)} needs elements")
        return ValueType(kind, dims)

    def lower(self, b: Any) -> Any:
        axes = self._resized()
        if not axes:
            return b.tensor(self.input)
        is_nearest = self.interpolation is InterpolationMode.NEAREST
        if is_nearest and not self._repeats(axes):
            return self._gathered(b, axes)
        # The region of interest is ignored, but cannot be left out.
        region = b.constant([0] * self.input.rank + [1] * self.input.rank, np.float32)
        return b.onnx.resize(
            [self.input, region, b.constant(self._scales())],
            coordinate_transformation_mode=_COORDINATES[self.mode],
            mode=_MODES[self.interpolation],
        )

    def lower_training(self, b: Any) -> Any:
        # PopART's linear form has no gradient: interpolate by a matrix for each axis.
        if self.interpolation is not InterpolationMode.LINEAR:
            return self.lower(b)
        x, rank = self.input, self.input.rank
        for axis in self._resized():
            order = [*range(axis), *range(axis + 1, rank), axis]
            back = sorted(range(rank), key=order.__getitem__)
            weights = self._weights(axis).astype(self.input.element_type.dtype)
            x = b.onnx.matmul([b.transpose(x, order), b.constant(weights)])
            x = b.transpose(x, back)
        return b.tensor(x)

    def _resized(self) -> List[int]:
        sides = zip(self.input.dims, self.outputs[0].dims)
        return [axis for axis, (old, new) in enumerate(sides) if old != new]

    def _repeats(self, axes: Sequence[int]) -> bool:
        """Whether each element is repeated a whole number of times, which PopART does exactly."""
        return self.mode is not ResizeCoordinateMode.ALIGN_CORNERS and all(
            self.scale(axis).denominator == 1 for axis in axes
        )

    def _gathered(self, b: Any, axes: Sequence[int]) -> Any:
        """Nearest by exact fractions; unlike PopART's own form its gradient is exact too."""
        x = self.input
        for axis in axes:
            last = self.input.dims[axis] - 1
            nearest = [min(max(self._round(c), 0), last) for c in self._coordinates(axis)]
            x = b.onnx.gather([x, b.constant(nearest, np.int32)], axis=axis)
        return x

    def _round(self, coordinate: Fraction) -> int:
        if self.mode is ResizeCoordinateMode.HALF_PIXEL_TF:
            return math.floor(coordinate + Fraction(1, 2))
        return math.ceil(coordinate - Fraction(1, 2))

    def _coordinates(self, axis: int) -> List[Fraction]:
        """Where each element of the result lies in the input."""
        old, new = self.input.dims[axis], self.outputs[0].dims[axis]
        if self.mode is ResizeCoordinateMode.ALIGN_CORNERS:
            return [Fraction(y * (old - 1), max(new - 1, 1)) for y in range(new)]
        scale, half = self.scale(axis), Fraction(1, 2)
        if self.mode is ResizeCoordinateMode.ASSYMMETRIC:
            return [y / scale for y in range(new)]
        return [(y + half) / scale - half for y in range(new)]

    def _weights(self, axis: int) -> np.ndarray:
        """The matrix [input, result] of linear interpolation; the edges go on outside."""
        old, new = self.input.dims[axis], self.outputs[0].dims[axis]
        where = np.clip([float(one) for one in self._coordinates(axis)], 0, old - 1)
        distance = np.abs(np.arange(old)[:, None] - where[None, :new])
        return np.maximum(1 - distance, 0)

    def _scales(self) -> np.ndarray:
        """FLOAT32 scales from which PopART computes the sizes of the result."""
        old, new = np.array(self.input.dims), np.array(self.outputs[0].dims)
        by_sizes = self.mode is ResizeCoordinateMode.ALIGN_CORNERS
        axes = range(len(old))
        exact = [Fraction(int(new[i]), int(old[i])) if by_sizes else self.scale(i) for i in axes]
        scales = np.array([float(one) for one in exact], np.float32)
        # A size is floor(old * scale): the next larger float where rounding fell short.
        short = np.floor(old * scales.astype(np.float64)) < new
        scales[short] = np.nextafter(scales[short], np.float32(np.inf))
        return scales


class Resize(_Resize):
    """input resampled to ``output_dims``; ``axes_mask`` has a bit for each dimension, last first.

    NEAREST rounds halves down (ONNX round_prefer_floor), but with HALF_PIXEL_TF up, as TensorFlow
    does: element floor((y + 0.5) * in / out).  CUBIC is Keys' with a = -0.75; LINEAR and CUBIC
    continue the edges, and take HALF_PIXEL_TF as HALF_PIXEL.
    """

    input = tensor(NUMERIC)
    interpolation = choice(InterpolationMode, InterpolationMode.NEAREST, "interpolation_mode")
    mode = choice(ResizeCoordinateMode, ResizeCoordinateMode.HALF_PIXEL, "resize_coordinate_mode")
    axes_mask = u32(2**32 - 1)
    output_dims = shape()

    def target(self) -> _Dims:
        rank, target = self.input.rank, self.output_dims
        if len(target) != rank:
            raise self.error(
                f"output_dims is {format_shape(target)}; accepted: {rank} dimensions for "
                f"{self.input.type}"
            )
        for axis, (old, new) in enumerate(zip(self.input.shape, target)):
            is_kept = not self.axes_mask >> (rank - 1 - axis) & 1
            if is_kept and known(old) and known(new) and old != new:
                raise self.error(
                    f"output_dims is {format_shape(target)}, but axes_mask {self.axes_mask:#x} "
                    f"keeps axis {axis} of {self.input.type}"
                )
        return target


class ResizeDynamic(_Resize):
    """Resize by constant ``scales`` or to constant ``sizes``, one entry for each dimension.

    Exactly one of them is given.  With scales the sizes are floor(in * scale).
    """

    input = tensor(NUMERIC)
    scales = optional_tensor(FLOATS, shaping=True)
    sizes = optional_tensor(_INDICES, shaping=True)
    interpolation = choice(InterpolationMode, InterpolationMode.NEAREST, "interpolation_mode")
    mode = choice(ResizeCoordinateMode, ResizeCoordinateMode.HALF_PIXEL, "resize_coordinate_mode")
    output_dims = output_dims()

    def target(self) -> _Dims:
        rank = self.input.rank
        if (self.scales is None) == (self.sizes is None):
            raise self.error("accepted: exactly one of scales and sizes")
        name = "sizes" if self.scales is None else "scales"
        given = getattr(self, name)
        if given.data is None:
            return (UNKNOWN,) * rank
        entries = given.data.reshape(-1).tolist()
        if len(entries) != rank or not all(
            entry >= 0 and math.isfinite(entry) for entry in entries
        ):
            raise self.error(
                f"{name} is {entries}; accepted: {rank} numbers of 0 and more for {self.input.type}"
            )
        if self.scales is None:
            return tuple(entries)
        return tuple(
            math.floor(np.float32(dim) * np.float32(scale))
            if isinstance(dim, int) and dim >= 0
            else dim
            if scale == 1
            else UNKNOWN
            for dim, scale in zip(self.input.shape, entries)
        )

    def copy_to(
        self, graph: Graph, values: Mapping[Value, Value], **changes: Any
    ) -> Tuple[Value, ...]:
        # Scales decide shapes: they are not rounded to the precision of the device.
        if self.scales is not None and self.scales.data is not None:
            changes["scales"] = self.scales.data
        return super().copy_to(graph, values, **changes)

    def scale(self, axis: int) -> Fraction:
        if self.scales is None:
            return super().scale(axis)
        return Fraction(float(self.scales.data.reshape(-1)[axis]))
