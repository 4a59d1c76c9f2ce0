"""Data movement: shapes, slices, gathers, joins, casts and resizing.

Header: ``ODLA/ops/odla_ops_process.h``.
"""

from typing import Any, List, Optional, Sequence

import numpy as np

from ..errors import UnsupportedType
from ..registry import (
    Op,
    choice,
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
)
from ..types import (
    ANY,
    BOOLS,
    FLOATS,
    INTEGERS,
    NUMERIC,
    UNKNOWN,
    ElementType,
    InterpolationMode,
    ResizeCoordinateMode,
    ValueType,
    broadcast,
    format_shape,
    known,
    product,
)
from .common import axis_of

_INDICES = frozenset({ElementType.INT32, ElementType.INT64})


class Broadcast(Op):
    """The numpy broadcast of input to exactly ``output_shape``."""

    input = tensor(ANY)
    output_shape = shape()

    def infer(self) -> ValueType:
        target = self.output_shape
        full = broadcast([self.input.shape, target], self.where)
        if len(full) != len(target) or any(
            known(a) and known(b) and a != b for a, b in zip(full, target)
        ):
            raise self.error(
                f"input is {self.input.type} and does not broadcast to {format_shape(target)}"
            )
        return ValueType(self.input.element_type, full)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, self.output_shape)

    def lower(self, b: Any) -> Any:
        return b.onnx.expand([self.input, b.ints(self.infer().dims)])


class ExpandDims(Op):
    """The numpy broadcast of input with ``output_dims`` (ONNX Expand; not an unsqueeze)."""

    input = tensor(ANY)
    output_dims = shape()

    def infer(self) -> ValueType:
        dims = broadcast([self.input.shape, self.output_dims], self.where)
        return ValueType(self.input.element_type, dims)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, self.infer().dims)

    def lower(self, b: Any) -> Any:
        return b.onnx.expand([self.input, b.ints(self.infer().dims)])


class Cast(Op):
    """input as ``target_type``: floats truncate to integers, BOOL is x != 0, integers wrap."""

    input = tensor(ANY)
    target_type = target_type()

    def infer(self) -> ValueType:
        return ValueType(self.target_type, self.input.shape)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x.astype(self.target_type.dtype)

    def lower(self, b: Any) -> Any:
        source, target = self.input.element_type, self.target_type
        if source is target:
            return b.tensor(self.input)
        if target in BOOLS:
            is_zero = b.onnx.equal([self.input, b.scalar(0, source)])
            return b.onnx.logical_not([is_zero])
        return b.cast(self.input, target)


# Shapes.


class Reshape(Op):
    """The elements of input in the same order under other dimensions; one may be -1."""

    input = tensor(ANY)
    output_dims = shape()

    def normalise(self) -> None:
        target = list(self.output_dims)
        if target.count(UNKNOWN) == 1 and self.input.type.is_static:
            rest = product([int(dim) for dim in target if known(dim)])
            if rest and self.input.type.elements % rest == 0:
                target[target.index(UNKNOWN)] = self.input.type.elements // rest
                self.output_dims = tuple(target)

    def infer(self) -> ValueType:
        kind = ValueType(self.input.element_type, self.output_dims)
        if self.input.type.is_static and (
            not kind.is_static or kind.elements != self.input.type.elements
        ):
            raise self.error(
                f"input is {self.input.type} with {self.input.type.elements} elements; they do "
                f"not fill {format_shape(self.output_dims)}"
            )
        return kind

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.output_dims)

    def lower(self, b: Any) -> Any:
        return b.reshape(self.input, self.output_dims)


def _static(op: Op, value: Any, name: str) -> List[int]:
    """The integers of a constant operand that a device program depends on."""
    if value.data is None:
        raise op.error(
            f"{name} is computed at run time ({value.type}); accepted: a constant, since shapes "
            "are part of the program of the device; fix the shapes of the arguments"
        )
    return [int(number) for number in value.data.reshape(-1)]


class ReshapeDynamic(Op):
    """Reshape to a constant vector; 0 copies the dimension of input, one -1 is inferred."""

    input = tensor(ANY)
    output_shape = tensor(_INDICES)

    def infer(self) -> ValueType:
        target: List[Any] = _static(self, self.output_shape, "output_shape")
        for axis, dim in enumerate(target):
            if dim == 0:
                if axis >= self.input.rank:
                    raise self.error(f"output_shape is {target}; its 0 copies no dimension")
                target[axis] = self.input.shape[axis]
        if self.input.type.is_static and target.count(-1) == 1:
            rest = product([dim for dim in target if dim != -1])
            if rest and self.input.type.elements % rest == 0:
                target[target.index(-1)] = self.input.type.elements // rest
        if self.input.type.is_static and (
            -1 in target or product(target) != self.input.type.elements
        ):
            raise self.error(f"input is {self.input.type}; it does not fill {target}")
        return ValueType(self.input.element_type, tuple(target))

    def fold(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        return x.reshape(self.infer().dims)

    def lower(self, b: Any) -> Any:
        return b.reshape(self.input, self.infer().dims)


class Shape(Op):
    """The dimensions of input as INT64; known as soon as they are fixed."""

    input = tensor(ANY)
    output_dims = output_dims()
    folds_from_types = True

    def infer(self) -> ValueType:
        return ValueType(ElementType.INT64, (self.input.rank,))

    def fold(self) -> Optional[np.ndarray]:
        return np.array(self.input.dims, np.int64) if self.input.type.is_static else None

    def lower(self, b: Any) -> Any:
        return b.constant(self.input.dims, np.int32)


class Squeeze(Op):
    """input without the listed dimensions of size 1; without all of them when none is listed."""

    input = tensor(ANY)
    axes = uints((), count="num_of_axes")
    output_dims = output_dims()

    def infer(self) -> ValueType:
        dims = self.input.shape
        dropped = {axis_of(self, axis, len(dims), "axes") for axis in self.axes}
        if not self.axes:
            dropped = {axis for axis, dim in enumerate(dims) if dim == 1}
        for axis in dropped:
            if known(dims[axis]) and dims[axis] != 1:
                raise self.error(f"axes has {axis}, whose size is {dims[axis]}; accepted: size 1")
        kept = tuple(dim for axis, dim in enumerate(dims) if axis not in dropped)
        return ValueType(self.input.element_type, kept)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.infer().dims)

    def lower(self, b: Any) -> Any:
        return b.reshape(self.input, self.infer().dims)


class Transpose(Op):
    """Dimension i of the result is dimension ``permutations[i]`` of input."""

    input = tensor(ANY)
    permutations = shape()
    output_dims = output_dims()

    def infer(self) -> ValueType:
        if sorted(self.permutations) != list(range(self.input.rank)):
            raise self.error(
                f"permutations is {list(self.permutations)}; accepted: each of 0 to "
                f"{self.input.rank - 1} once"
            )
        dims = tuple(self.input.shape[axis] for axis in self.permutations)
        return ValueType(self.input.element_type, dims)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.permutations)

    def lower(self, b: Any) -> Any:
        return b.transpose(self.input, self.permutations)


class DimsExpand(Op):
    """A copy of input where element ``axes[k]`` is ``original[k]``.

    A negative ``original[k]`` is added to the old element.  Made for computing slices at run time,
    so all operands are short vectors; the result is INT32.
    """

    input = tensor(_INDICES)
    original = tensor(_INDICES)
    axes = tensor(_INDICES)
    output_dims = output_dims()

    def infer(self) -> ValueType:
        _static(self, self.axes, "axes")
        return ValueType(ElementType.INT32, self.input.shape)

    def fold(self, x: np.ndarray, original: np.ndarray, axes: np.ndarray) -> np.ndarray:
        out = x.copy()
        for new, axis in zip(original.tolist(), axes.tolist()):
            out[axis] = new if new >= 0 else new + out[axis]
        return out

    def lower(self, b: Any) -> Any:
        x = b.cast(self.input, ElementType.INT32)
        original = b.cast(self.original, ElementType.INT32)
        zero = b.scalar(0, ElementType.INT32)
        length = self.input.dims[0]
        parts = [b.slice(x, 0, index, index + 1) for index in range(length)]
        for position, axis in enumerate(_static(self, self.axes, "axes")):
            new = b.slice(original, 0, position, position + 1)
            moved = b.onnx.add([new, parts[axis]])
            parts[axis] = b.onnx.where([b.onnx.less([new, zero]), moved, new])
        return b.onnx.concat(parts, axis=0)


# Joining and splitting.


class Concat(Op):
    """The operands one after the other along ``axis``."""

    inputs = tensors(ANY)
    axis = i32(0)
    output_shape = output_dims()

    def infer(self) -> ValueType:
        first = self.inputs[0]
        axis = axis_of(self, self.axis, first.rank)
        dims: List[Any] = list(first.shape)
        for one in self.inputs[1:]:
            if one.element_type is not first.element_type or one.rank != first.rank:
                raise self.error(
                    f"inputs are {first.type} and {one.type}; accepted: one element type and rank"
                )
            for position, (left, right) in enumerate(zip(dims, one.shape)):
                if position == axis:
                    known_sizes = known(left) and known(right)
                    dims[axis] = left + right if known_sizes else UNKNOWN  # type: ignore[operator]
                elif known(left) and known(right) and left != right:
                    raise self.error(
                        f"inputs are {first.type} and {one.type}; they may differ along axis "
                        f"{axis} only"
                    )
                elif not known(left):
                    dims[position] = right
        return ValueType(first.element_type, tuple(dims))

    def fold(self, *arrays: np.ndarray) -> np.ndarray:
        return np.concatenate(arrays, self.axis)

    def lower(self, b: Any) -> Any:
        parts = [one for one in self.inputs if one.type.elements]
        if len(parts) == 1:
            return b.tensor(parts[0])
        return b.onnx.concat(parts, axis=axis_of(self, self.axis, self.inputs[0].rank))


class Stack(Op):
    """Operands of one shape along a new dimension ``axis`` of the result."""

    inputs = tensors(ANY)
    axis = i32(0)
    output_shape = output_dims()

    def infer(self) -> ValueType:
        first = self.inputs[0]
        for one in self.inputs[1:]:
            if one.type != first.type:
                raise self.error(f"inputs are {first.type} and {one.type}; accepted: one type")
        axis = axis_of(self, self.axis, first.rank + 1)
        dims = (*first.shape[:axis], len(self.inputs), *first.shape[axis:])
        return ValueType(first.element_type, dims)

    def fold(self, *arrays: np.ndarray) -> np.ndarray:
        return np.stack(arrays, self.axis)

    def lower(self, b: Any) -> Any:
        axis = axis_of(self, self.axis, self.inputs[0].rank + 1)
        parts = [b.onnx.unsqueeze([one], axes=[axis]) for one in self.inputs]
        return parts[0] if len(parts) == 1 else b.onnx.concat(parts, axis=axis)


class Split(Op):
    """``num_split`` equal parts along the constant axis ``split_dim``."""

    input = tensor(ANY)
    split_dim = tensor(_INDICES)
    num_split = i32()

    def _axis(self) -> int:
        numbers = _static(self, self.split_dim, "split_dim")
        if len(numbers) != 1:
            raise self.error(f"split_dim is {numbers}; accepted: one axis")
        return axis_of(self, numbers[0], self.input.rank, "split_dim")

    def infer(self) -> Sequence[ValueType]:
        axis = self._axis()
        size = self.input.shape[axis]
        if self.num_split < 1 or (known(size) and int(size) % self.num_split):
            raise self.error(
                f"num_split is {self.num_split}; accepted: a divisor of the size {size} of axis "
                f"{axis}"
            )
        part = int(size) // self.num_split if known(size) else UNKNOWN
        dims = (*self.input.shape[:axis], part, *self.input.shape[axis + 1 :])
        return [ValueType(self.input.element_type, dims)] * self.num_split

    def fold(self, x: np.ndarray, axis: np.ndarray) -> Sequence[np.ndarray]:
        return np.split(x, self.num_split, self._axis())

    def lower(self, b: Any) -> Any:
        if self.num_split == 1:
            return [b.tensor(self.input)]
        part = self.input.dims[self._axis()] // self.num_split
        return b.onnx.split(
            [self.input],
            num_outputs=self.num_split,
            axis=self._axis(),
            split=[part] * self.num_split,
        )


class Tile(Op):
    """``repeat[i]`` copies of input along dimension i."""

    input = tensor(ANY)
    repeat = uints()
    output_dims = output_dims()

    def infer(self) -> ValueType:
        return _tiled(self, self.input, self.repeat)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.tile(x, self.repeat)

    def lower(self, b: Any) -> Any:
        return b.onnx.tile([self.input, b.ints(self.repeat)])


class TileDynamic(Op):
    """Tile with the counts in a constant vector."""

    input = tensor(ANY)
    repeat = tensor(_INDICES)
    output_dims = output_dims()

    def infer(self) -> ValueType:
        return _tiled(self, self.input, _static(self, self.repeat, "repeat"))

    def fold(self, x: np.ndarray, repeat: np.ndarray) -> np.ndarray:
        return np.tile(x, repeat)

    def lower(self, b: Any) -> Any:
        return b.onnx.tile([self.input, b.ints(_static(self, self.repeat, "repeat"))])


def _tiled(op: Op, x: Any, repeat: Sequence[int]) -> ValueType:
    if len(repeat) != x.rank or any(count < 0 for count in repeat):
        raise op.error(f"repeat is {list(repeat)}; accepted: {x.rank} counts of 0 or more")
    dims = tuple(
        int(dim) * count if known(dim) else (dim if count == 1 else UNKNOWN)
        for dim, count in zip(x.shape, repeat)
    )
    return ValueType(x.element_type, dims)


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
        sides = zip(self.input.shape, self.padding_front, self.padding_back)
        dims = tuple(
            int(dim) + front + back if known(dim) else (UNKNOWN if front + back else dim)
            for dim, front, back in sides
        )
        return ValueType(self.input.element_type, dims)

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.pad(x, list(zip(self.padding_front, self.padding_back)))

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        pads = b.ints([*self.padding_front, *self.padding_back])
        if kind not in BOOLS:
            return b.onnx.pad([self.input, pads, b.scalar(0, kind)], mode="constant")
        wide = b.cast(self.input, ElementType.INT32)
        padded = b.onnx.pad([wide, pads, b.scalar(0, ElementType.INT32)], mode="constant")
        return b.cast(padded, kind)


# Slicing and gathering.


def _slice_count(start: int, end: int, stride: int) -> int:
    return max(0, -((start - end) // stride)) if stride else 0


def _clamped(start: int, end: int, stride: int, dim: int) -> Sequence[int]:
    """Start and end of ONNX Slice-13 within a dimension of that size."""
    if start < 0:
        start += dim
    if end < 0:
        end += dim
    if stride > 0:
        return min(max(start, 0), dim), min(max(end, 0), dim)
    return min(max(start, 0), dim - 1), min(max(end, -1), dim - 1)


class _Slice(Op, declare=False):
    """Slices by constant starts, ends and strides of full rank."""

    input: Any

    def _bounds(self) -> Sequence[Sequence[int]]:
        raise self.error("a slice without bounds")

    def _sliced(self) -> ValueType:
        dims: List[Any] = []
        for axis, (dim, (start, end, stride)) in enumerate(zip(self.input.shape, self._bounds())):
            if stride == 0:
                raise self.error(f"stride is 0 along axis {axis}; accepted: any other number")
            if known(dim):
                first, last = _clamped(start, end, stride, int(dim))
                dims.append(_slice_count(first, last, stride))
            else:
                whole = start == 0 and stride == 1 and end >= 2**31 - 1
                dims.append(dim if whole else UNKNOWN)
        return ValueType(self.input.element_type, tuple(dims))

    def _indices(self) -> Any:
        found = []
        for dim, (start, end, stride) in zip(self.input.dims, self._bounds()):
            first, last = _clamped(start, end, stride, dim)
            found.append(slice(first, None if last < 0 else last, stride))
        return tuple(found)

    def lower(self, b: Any) -> Any:
        cut, strides = [], []
        for axis, (dim, (start, end, stride)) in enumerate(zip(self.input.dims, self._bounds())):
            first, last = _clamped(start, end, stride, dim)
            strides.append(abs(stride))
            if (first, last, stride) != (0, dim, 1):
                # An end before the first element is written as ONNX wants it.
                step = 1 if stride > 0 else -1
                cut.append((axis, first, last if last >= 0 else -dim - 1, step))
        if not cut:
            return b.tensor(self.input)
        axes, starts, ends, steps = (b.ints(numbers) for numbers in zip(*cut))
        return _every(b, b.onnx.slice([self.input, starts, ends, axes, steps]), self, strides)


def _every(b: Any, x: Any, op: Any, strides: Sequence[int]) -> Any:
    """Each stride-th element of ``x`` along every dimension: PopART slices by steps of 1 only."""
    if max(strides, default=1) == 1:
        return x
    if op.input.element_type.is_float:
        return b.graphcore.subsample([x], strides=list(strides))
    for axis, (count, stride) in enumerate(zip(op.infer().dims, strides)):
        if stride > 1:
            indices = b.constant(np.arange(count) * stride, np.int32)
            x = b.onnx.gather([x, indices], axis=axis)
    return x


class Slice(_Slice):
    """Elements ``start``, ``start + stride``, ... before ``end``, along every dimension.

    Ends beyond the dimension are cut; a negative stride walks down.  ``output_dims``, where given,
    decides how many elements are taken.
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
        """The end that gives ``output_dims``, where fewer elements are asked for than there are."""
        dim, wanted = self.input.shape[axis], self.output_dims[axis]
        start, end, stride = self.start[axis], self.end[axis], self.stride[axis]
        if not (known(dim) and known(wanted) and stride):
            return end
        first, last = _clamped(start, end, stride, int(dim))
        if wanted >= _slice_count(first, last, stride):
            return end
        return first + wanted * stride if stride > 0 or wanted else start

    def _bounds(self) -> Sequence[Sequence[int]]:
        return list(zip(self.start, self.end, self.stride))

    def infer(self) -> ValueType:
        return self._sliced()

    def fold(self, x: np.ndarray) -> np.ndarray:
        return x[self._indices()]


class SliceDynamic(_Slice):
    """Slice with start, size and stride in constant vectors; ``size`` is end - start."""

    input = tensor(ANY)
    start = tensor(_INDICES)
    size = tensor(_INDICES)
    stride = optional_tensor(_INDICES)
    output_dims = output_dims()

    def _bounds(self) -> Sequence[Sequence[int]]:
        starts = _static(self, self.start, "start")
        sizes = _static(self, self.size, "size")
        strides = [1] * len(starts)
        if self.stride is not None:
            strides = _static(self, self.stride, "stride")
        if not len(starts) == len(sizes) == len(strides) == self.input.rank:
            raise self.error(
                f"start, size and stride have {len(starts)}, {len(sizes)} and {len(strides)} "
                f"entries; accepted: one for each of {self.input.rank} dimensions"
            )
        found = []
        for start, size, stride, dim in zip(starts, sizes, strides, self.input.shape):
            if start < 0 and known(dim):
                start += int(dim)
            found.append((start, start + size, stride))
        return found

    def infer(self) -> ValueType:
        return self._sliced()

    def fold(self, x: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        return x[self._indices()]


def _non_negative(b: Any, indices: Any, dim: int) -> Any:
    """Indices counted from the front, as INT32: Poplar does not count from the end."""
    if indices.data is not None:
        data = np.where(indices.data < 0, indices.data + dim, indices.data)
        return b.constant(data.astype(np.int32))
    x = indices
    if indices.element_type is not ElementType.INT32:
        x = b.cast(indices, ElementType.INT32)
    shifted = b.onnx.add([x, b.scalar(dim, ElementType.INT32)])
    return b.onnx.where([b.onnx.less([x, b.scalar(0, ElementType.INT32)]), shifted, x])


def _check_indices(op: Op, indices: Any, dim: Any, what: str) -> None:
    if indices.data is None or not known(dim) or not indices.data.size:
        return
    low, high = int(indices.data.min()), int(indices.data.max())
    if low < -dim or high >= dim:
        raise op.error(f"indices hold {low} to {high}; accepted: {-dim} to {dim - 1}, {what}")


class Gather(Op):
    """Slices of input at ``indices`` along ``axis``; negative indices count from the end."""

    input = tensor(ANY)
    indices = tensor(INTEGERS)
    axis = i32(0)
    output_dims = output_dims()

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)
        size = self.input.shape[self.axis]
        _check_indices(self, self.indices, size, f"the size of axis {self.axis}")

    def infer(self) -> ValueType:
        dims, axis = self.input.shape, self.axis
        return ValueType(
            self.input.element_type, (*dims[:axis], *self.indices.shape, *dims[axis + 1 :])
        )

    def fold(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        return np.take(x, indices, self.axis)

    def lower(self, b: Any) -> Any:
        indices = _non_negative(b, self.indices, self.input.dims[self.axis])
        return b.onnx.gather([self.input, indices], axis=self.axis)


class GatherElements(Op):
    """``input[.., indices[..], ..]`` along ``axis``: one element for each index."""

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
        sides = zip(self.indices.shape, self.input.shape)
        for position, (taken, dim) in enumerate(sides):
            beyond = known(taken) and known(dim) and taken > dim  # type: ignore[operator]
            if position != self.axis and beyond:
                raise self.error(f"indices have the size {taken} along axis {position} of {dim}")
        size = self.input.shape[self.axis]
        _check_indices(self, self.indices, size, f"the size of axis {self.axis}")

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
        dims, taken = self.input.dims, self.indices.dims
        strides = [product(dims[axis + 1 :]) for axis in range(len(dims))]
        grid = np.indices(taken, np.int32)
        fixed = sum(
            (grid[axis] * strides[axis] for axis in range(len(dims)) if axis != self.axis),
            np.zeros(taken, np.int32),
        )
        along = _non_negative(b, self.indices, dims[self.axis])
        stride = b.scalar(strides[self.axis], ElementType.INT32)
        linear = b.onnx.add([b.onnx.mul([along, stride]), b.constant(fixed, np.int32)])
        flat = b.reshape(self.input, [product(dims)])
        return b.onnx.gather([flat, linear], axis=0)


class GatherND(Op):
    """``input[batch.., indices[batch.., i, :]]``: the last axis of indices holds index tuples."""

    python = "gather_nd"
    input = tensor(ANY)
    indices = tensor(INTEGERS)
    num_batch_dims = i32(0)
    output_dims = output_dims()

    def normalise(self) -> None:
        batch = self.num_batch_dims
        if not 0 <= batch < min(self.input.rank, self.indices.rank):
            raise self.error(
                f"num_batch_dims is {batch}; accepted: 0 and more, below the ranks "
                f"{self.input.rank} and {self.indices.rank}"
            )
        length = self.indices.shape[-1]
        if not known(length) or not 1 <= int(length) <= self.input.rank - batch:
            raise self.error(
                f"the last dimension of indices is {length}; accepted: 1 to "
                f"{self.input.rank - batch}"
            )

    def infer(self) -> ValueType:
        tail = self.input.shape[self.num_batch_dims + int(self.indices.shape[-1]) :]
        return ValueType(self.input.element_type, (*self.indices.shape[:-1], *tail))

    def fold(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        batch = self.num_batch_dims
        if not batch:
            return x[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))]
        rows = x.reshape(-1, *x.shape[batch:])
        picks = indices.reshape(-1, *indices.shape[batch:]).astype(np.int64)
        found = [row[tuple(np.moveaxis(pick, -1, 0))] for row, pick in zip(rows, picks)]
        return np.stack(found).reshape(self.infer().dims)

    def lower(self, b: Any) -> Any:
        dims, batch = self.input.dims, self.num_batch_dims
        length = self.indices.dims[-1]
        head, indexed, tail = dims[:batch], dims[batch : batch + length], dims[batch + length :]
        strides = [product(indexed[axis + 1 :]) for axis in range(length)]
        linear: Any = None
        x = b.cast(self.indices, ElementType.INT32)
        last = self.indices.rank - 1
        for axis in range(length):
            part = b.onnx.squeeze([b.slice(x, last, axis, axis + 1)], axes=[last])
            size = b.scalar(indexed[axis], ElementType.INT32)
            wrapped = b.onnx.add([part, size])
            is_negative = b.onnx.less([part, b.scalar(0, ElementType.INT32)])
            part = b.onnx.where([is_negative, wrapped, part])
            part = b.onnx.mul([part, b.scalar(strides[axis], ElementType.INT32)])
            linear = part if linear is None else b.onnx.add([linear, part])
        if batch:
            offsets = np.arange(product(head), dtype=np.int32) * product(indexed)
            shape = [*head, *([1] * (last - batch))]
            linear = b.onnx.add([linear, b.constant(offsets.reshape(shape), np.int32)])
        flat = b.reshape(self.input, [product(head) * product(indexed), *tail])
        return b.onnx.gather([flat, linear], axis=0)


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
        if self.values.shape not in ((2,), (UNKNOWN,)):
            raise self.error(f"values are {self.values.type}; accepted: two, [off, on]")
        self.axis = axis_of(self, self.axis, self.indices.rank + 1)

    def infer(self) -> ValueType:
        dims = self.indices.shape
        return ValueType(
            self.values.element_type, (*dims[: self.axis], self.depth, *dims[self.axis :])
        )

    def lower(self, b: Any) -> Any:
        # Compared with 0 .. depth-1: PopART's OneHot neither wraps nor ignores indices.
        kind = self.indices.element_type
        x = self.indices if kind is ElementType.INT32 else b.cast(self.indices, ElementType.INT32)
        depth = b.scalar(self.depth, ElementType.INT32)
        negative = b.onnx.less([x, b.scalar(0, ElementType.INT32)])
        x = b.onnx.where([negative, b.onnx.add([x, depth]), x])
        x = b.onnx.unsqueeze([x], axes=[self.axis])
        positions = np.arange(self.depth, dtype=np.int32)
        shape = [self.depth] + [1] * (self.indices.rank - self.axis)
        hit = b.onnx.equal([x, b.constant(positions.reshape(shape))])
        off, on = (b.slice(self.values, 0, place, place + 1) for place in (0, 1))
        return b.onnx.where([hit, on, off])


# Resizing.

_COORDINATES = {
    ResizeCoordinateMode.ASSYMMETRIC: "asymmetric",
    ResizeCoordinateMode.HALF_PIXEL: "half_pixel",
    # Named after TensorFlow's nearest half-pixel; for other modes the formula is half_pixel's.
    ResizeCoordinateMode.HALF_PIXEL_TF: "half_pixel",
    ResizeCoordinateMode.ALIGN_CORNERS: "align_corners",
}


class _Resize(Op, declare=False):
    input: Any
    interpolation: Any
    mode: Any

    def target(self) -> Any:
        raise self.error("a resize without a size")

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, tuple(self.target()))

    def lower(self, b: Any) -> Any:
        dims, target = self.input.dims, [int(dim) for dim in self.target()]
        if list(dims) == target:
            return b.tensor(self.input)
        kind = self.input.element_type
        if kind not in FLOATS:
            raise UnsupportedType(f"{self.where}: input is {kind.name}; cast it to FLOAT32")
        names = {
            InterpolationMode.NEAREST: "nearest",
            InterpolationMode.LINEAR: "linear",
            InterpolationMode.CUBIC: "cubic",
        }
        scales = np.array([new / old for new, old in zip(target, dims)], np.float32)
        # The size is floor(old * scale): the next larger float where rounding fell short.
        short = np.floor(np.float32(dims) * scales) < target
        scales[short] = np.nextafter(scales[short], np.float32(np.inf))
        # The region of interest is ignored, but cannot be left out.
        region = b.constant([0] * len(dims) + [1] * len(dims), np.float32)
        return b.onnx.resize(
            [self.input, region, b.constant(scales)],
            coordinate_transformation_mode=_COORDINATES[self.mode],
            mode=names[self.interpolation],
            nearest_mode="round_prefer_floor",
            cubic_coeff_a=-0.75,
        )


class Resize(_Resize):
    """input resampled to ``output_dims``; ``axes_mask`` has a bit for each dimension, last first.

    Nearest rounds halves down (ONNX round_prefer_floor), cubic is Keys' with a = -0.75.
    """

    input = tensor(NUMERIC)
    interpolation = choice(InterpolationMode, InterpolationMode.NEAREST, "interpolation_mode")
    mode = choice(ResizeCoordinateMode, ResizeCoordinateMode.HALF_PIXEL, "resize_coordinate_mode")
    axes_mask = u32(2**32 - 1)
    output_dims = shape()

    def normalise(self) -> None:
        rank = self.input.rank
        if len(self.output_dims) != rank:
            raise self.error(
                f"output_dims is {format_shape(self.output_dims)}; accepted: {rank} dimensions"
            )
        sides = zip(self.input.shape, self.output_dims)
        for axis, (old, new) in enumerate(sides):
            masked = not self.axes_mask >> (rank - 1 - axis) & 1
            if masked and known(old) and known(new) and old != new:
                raise self.error(
                    f"output_dims is {format_shape(self.output_dims)}, but axes_mask "
                    f"{self.axes_mask:#x} leaves axis {axis} of size {old} alone"
                )

    def target(self) -> Any:
        return self.output_dims


class ResizeDynamic(_Resize):
    """Resize by constant ``scales`` or to constant ``sizes``, one entry for each dimension."""

    input = tensor(NUMERIC)
    scales = optional_tensor(FLOATS)
    sizes = optional_tensor(_INDICES)
    interpolation = choice(InterpolationMode, InterpolationMode.NEAREST, "interpolation_mode")
    mode = choice(ResizeCoordinateMode, ResizeCoordinateMode.HALF_PIXEL, "resize_coordinate_mode")
    output_dims = output_dims()

    def target(self) -> Any:
        given = [one for one in (self.scales, self.sizes) if one is not None]
        if len(given) != 1:
            raise self.error("accepted: one of scales and sizes")
        if self.sizes is not None:
            wanted: List[Any] = _static(self, self.sizes, "sizes")
        elif self.scales.data is None:
            wanted = _static(self, self.scales, "scales")
        else:
            factors = self.scales.data.reshape(-1).tolist()
            wanted = [
                int(np.floor(int(dim) * factor)) if known(dim) else UNKNOWN
                for dim, factor in zip(self.input.shape, factors)
            ]
        if len(wanted) != self.input.rank:
            raise self.error(
                f"{len(wanted)} entries; accepted: one for each of {self.input.rank} dimensions"
            )
        return wanted
