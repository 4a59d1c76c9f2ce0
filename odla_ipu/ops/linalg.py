"""Einstein sums, determinants and inverses, composed of what PopART has.

Header: ``ODLA/ops/odla_ops_math.h``.
"""

import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from ..errors import UnsupportedType
from ..kernels.determinant import Determinant
from ..kernels.matrix_inverse import MatrixInverse
from ..registry import Op, output_dims, tensor, tensors, text
from ..types import FLOATS, NUMERIC, UNKNOWN, Dim, ElementType, ValueType, known, product
from .math import ARITHMETIC

_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32

# Einstein sums.

Label = Union[str, int]
"""A letter of an equation, or a dimension under an ellipsis: -1 the last one, -2 before it..."""

Labels = Tuple[Label, ...]

_TERM = re.compile(r"[a-zA-Z]*(\.\.\.)?[a-zA-Z]*")


class _Part(NamedTuple):
    """A tensor on its way to the result; each axis has a label of its own."""

    tensor: Any
    labels: Labels


class Einsum(Op):
    """ONNX Einsum-12: products of the operands, summed over the letters that the result lacks.

    Letters name axes; a letter twice in a term takes the diagonal; ``...`` stands for the axes that
    have no letter, which broadcast.  Without ``->`` the result has the axes of the ellipsis, then
    the letters that occur once, in alphabetical order.  An axis of size 1 broadcasts.
    """

    form = "composed"
    inputs = tensors(NUMERIC)
    equation = text()
    output_dims = output_dims(checked=False)

    def normalise(self) -> None:
        kind = self.inputs[0].element_type
        for one in self.inputs:
            if one.element_type is not kind:
                raise UnsupportedType(
                    f"{self.where}: inputs are {self.inputs[0].type} and {one.type}; cast them to "
                    "one element type"
                )
        left, arrow, right = self.equation.replace(" ", "").partition("->")
        terms = left.split(",")
        if len(terms) != len(self.inputs):
            raise self._wrong(f"it has {len(terms)} terms for {len(self.inputs)} inputs")
        self.terms = [self._term(term, one.rank) for term, one in zip(terms, self.inputs)]
        self.result = self._result(right) if arrow else self._implicit_result()
        self.sizes = self._sizes()

    def _wrong(self, what: str) -> Exception:
        return self.error(
            f"equation is {self.equation[:200]!r}: {what[:200]}; accepted: terms of letters and at "
            "most one '...', separated by commas, then '->' and the letters of the result"
        )

    def _term(self, term: str, rank: int) -> Labels:
        if not _TERM.fullmatch(term):
            raise self._wrong(f"{term!r} is no term")
        front, dots, back = term.partition("...")
        hidden = rank - len(front) - len(back)
        if hidden < 0 or (hidden and not dots):
            raise self._wrong(f"{term!r} does not name the {rank} axes of its input")
        return (*front, *range(-hidden, 0), *back)

    def _hidden(self) -> Labels:
        """The axes under an ellipsis, of the longest of them."""
        return tuple(sorted({one for term in self.terms for one in term if isinstance(one, int)}))

    def _implicit_result(self) -> Labels:
        letters = [one for term in self.terms for one in term if isinstance(one, str)]
        return (*self._hidden(), *sorted(one for one in letters if letters.count(one) == 1))

    def _result(self, term: str) -> Labels:
        if not _TERM.fullmatch(term):
            raise self._wrong(f"{term!r} is no result")
        front, dots, back = term.partition("...")
        if self._hidden() and not dots:
            raise self._wrong("the result lacks the '...' of the inputs")
        for letter in front + back:
            if (front + back).count(letter) > 1:
                raise self._wrong(f"the result has {letter!r} twice")
            if not any(letter in labels for labels in self.terms):
                raise self._wrong(f"no input has the {letter!r} of the result")
        return (*front, *self._hidden(), *back)

    def _sizes(self) -> Dict[Label, Dim]:
        found: Dict[Label, List[Dim]] = {}
        for labels, one in zip(self.terms, self.inputs):
            own: Dict[Label, Dim] = {}
            for label, dim in zip(labels, one.shape):
                other = own.setdefault(label, dim)
                if known(dim) and known(other) and dim != other:
                    raise self._wrong(f"no diagonal {label!r} has the sizes {other} and {dim}")
                found.setdefault(label, []).append(dim)
        return {label: self._merged(label, dims) for label, dims in found.items()}

    def _merged(self, label: Label, dims: Sequence[Dim]) -> Dim:
        sizes = {dim for dim in dims if dim != 1}
        fixed = {dim for dim in sizes if known(dim)}
        if len(fixed) > 1:
            axis = "an axis under '...'" if isinstance(label, int) else repr(label)
            raise self.error(
                f"equation is {self.equation!r}: {axis} has the sizes {sorted(fixed, key=str)}; "
                "accepted: one size, or 1"
            )
        if fixed or len(sizes) == 1:
            return (fixed or sizes).pop()
        return UNKNOWN if sizes else 1

    def infer(self) -> ValueType:
        dims = tuple(self.sizes[label] for label in self.result)
        return ValueType(self.inputs[0].element_type, dims)

    def fold(self, *arrays: np.ndarray) -> np.ndarray:
        is_half = self.inputs[0].element_type is ElementType.FLOAT16
        wide = [one.astype(np.float32) if is_half else one for one in arrays]
        return np.einsum(self.equation, *wide)

    def lower(self, b: Any) -> Any:
        kind = self.inputs[0].element_type
        if any(one.type.elements == 0 for one in self.inputs):  # a sum of nothing
            return b.constant(np.zeros(self.outputs[0].dims, kind.dtype))
        wide = kind if kind in ARITHMETIC else _INT32
        parts = []
        for labels, one in zip(self.terms, self.inputs):
            x = b.tensor(one) if wide is kind else b.cast(one, wide)
            part = _diagonals(b, x, labels, one.dims)
            parts.append(self._broadcasting(b, part, dict(zip(labels, one.dims))))
        total = parts[0]
        for position, part in enumerate(parts[1:], 2):
            needed = {label for later in parts[position:] for label in later.labels}
            total = self._product(b, total, part, needed | set(self.result))
        total = self._summed(b, total, set(self.result))
        y = b.transpose(total.tensor, [total.labels.index(label) for label in self.result])
        return y if wide is kind else b.cast(y, kind)

    def _dims(self, labels: Sequence[Label]) -> List[int]:
        return [int(self.sizes[label]) for label in labels]

    def _broadcasting(self, b: Any, part: _Part, sizes: Dict[Label, int]) -> _Part:
        """Without the axes of size 1 that are larger elsewhere: they broadcast by their absence."""
        kept = tuple(label for label in part.labels if sizes[label] == self.sizes[label])
        if kept == part.labels:
            return part
        return _Part(b.reshape(part.tensor, self._dims(kept)), kept)

    def _summed(self, b: Any, part: _Part, needed: Any) -> _Part:
        axes = [axis for axis, label in enumerate(part.labels) if label not in needed]
        if not axes:
            return part
        kept = tuple(label for label in part.labels if label in needed)
        return _Part(b.onnx.reducesum([part.tensor], axes=axes, keepdims=0), kept)

    def _product(self, b: Any, left: _Part, right: _Part, needed: Any) -> _Part:
        """The product of two parts, summed over what nothing needs later: a batch of matmuls."""
        left = self._summed(b, left, needed | set(right.labels))
        right = self._summed(b, right, needed | set(left.labels))
        common = [label for label in left.labels if label in right.labels]
        batch = [label for label in common if label in needed]
        inner = [label for label in common if label not in needed]
        rows = [label for label in left.labels if label not in common]
        columns = [label for label in right.labels if label not in common]
        x = self._grouped(b, left, batch, rows, inner)
        y = self._grouped(b, right, batch, inner, columns)
        z = b.onnx.matmul([x, y]) if inner else b.onnx.mul([x, y])
        labels = (*batch, *rows, *columns)
        return _Part(b.reshape(z, self._dims(labels)), labels)

    def _grouped(self, b: Any, part: _Part, *groups: Sequence[Label]) -> Any:
        """The part with its axes put together to one axis for each group."""
        order = [part.labels.index(label) for group in groups for label in group]
        x = b.transpose(part.tensor, order)
        return b.reshape(x, [product(self._dims(group)) for group in groups])


def _diagonals(b: Any, x: Any, labels: Labels, dims: Sequence[int]) -> _Part:
    """``x`` with the axes of a repeated label made one, along their diagonal."""
    sizes = dict(zip(labels, dims))
    order = list(labels)
    for label, size in sizes.items():
        axes = [axis for axis, other in enumerate(order) if other == label]
        if len(axes) == 1:
            continue
        rest = [axis for axis in range(len(order)) if axis not in axes]
        x = b.transpose(x, [*rest, *axes])
        order = [order[axis] for axis in rest]
        x = b.reshape(x, [*(sizes[other] for other in order), size ** len(axes)])
        step = sum(size**power for power in range(len(axes)))
        x = b.onnx.gather([x, b.constant(np.arange(size) * step, np.int32)], axis=len(order))
        order.append(label)
    return _Part(x, tuple(order))


# Square matrices.

COMPOSED_SIZE = 16
"""Up to this size Det and Inverse are composed: each row is a step of the device's program."""


class _Square(Op, declare=False):
    """Gaussian elimination with row pivoting in FLOAT32.

    Unrolled over the rows of small matrices, which training can differentiate; else a kernel.
    """

    input = tensor(FLOATS)

    def normalise(self) -> None:
        shape = self.input.shape
        if len(shape) < 2 or (known(shape[-1]) and known(shape[-2]) and shape[-1] != shape[-2]):
            raise self.error(
                f"input is {self.input.type}; accepted: rank 2 and more, the last two sizes equal"
            )

    def is_large(self) -> bool:
        return self.input.dims[-1] > COMPOSED_SIZE

    def matrices(self, b: Any) -> Any:
        """input as FLOAT32 [matrix, row, column]."""
        size = self.input.dims[-1]
        x = self.input
        if x.element_type is not _FLOAT32:
            x = b.cast(x, _FLOAT32)
        return b.reshape(x, [product(self.input.dims[:-2]), size, size])

    def finished(self, b: Any, y: Any) -> Any:
        """The result in its own shape and type."""
        kind = self.outputs[0].type
        y = b.reshape(y, kind.dims)
        return y if kind.element_type is _FLOAT32 else b.cast(y, kind.element_type)


def _is_row(b: Any, index: Any, size: int) -> Any:
    """[matrix, size, 1]: true in the row ``index``, which is [matrix, 1, 1]."""
    return b.onnx.equal([index, b.constant(np.arange(size).reshape(1, size, 1), np.int32)])


def _largest_row(b: Any, column: Any) -> Any:
    """[matrix, 1, 1]: the row of the largest magnitude of a column [matrix, row, 1]."""
    index = b.onnx.argmax([b.onnx.abs([column])], axis=1, keepdims=1)
    return b.cast(index, _INT32)


def _row(b: Any, x: Any, is_row: Any) -> Any:
    """[matrix, 1, column]: the row that is marked."""
    zero = b.scalar(0, _FLOAT32)
    return b.onnx.reducesum([b.onnx.where([is_row, x, zero])], axes=[1], keepdims=1)


class Det(_Square):
    """Determinants of the matrices in the last two dimensions; FLOAT32 inside."""

    form = "composed"
    output_shape = output_dims(checked=False)

    def infer(self) -> ValueType:
        return ValueType(self.input.element_type, self.input.shape[:-2])

    def fold(self, x: np.ndarray) -> np.ndarray:
        return np.linalg.det(x.astype(np.float64))

    def lower(self, b: Any) -> Any:
        if self.is_large():
            return self.finished(b, b.kernel(Determinant, [self.matrices(b)])[0])
        x, zero, one = self.matrices(b), b.scalar(0, _FLOAT32), b.scalar(1, _FLOAT32)
        pivots = []
        for size in range(self.input.dims[-1], 1, -1):
            index = _largest_row(b, b.slice(x, 2, 0, 1))
            is_pivot = _is_row(b, index, size)
            row = _row(b, x, is_pivot)
            is_first = b.onnx.equal([index, b.scalar(0, _INT32)])
            x = b.onnx.where([is_pivot, b.slice(x, 1, 0, 1), x])
            pivot = b.slice(row, 2, 0, 1)
            pivots.append(b.onnx.where([is_first, pivot, b.onnx.neg([pivot])]))
            # All of the column is 0 with its pivot: there is nothing to eliminate.
            divisor = b.onnx.where([b.onnx.equal([pivot, zero]), one, pivot])
            below = b.slice(x, 1, 1, size)
            factor = b.onnx.div([b.slice(below, 2, 0, 1), divisor])
            eliminated = b.onnx.mul([factor, b.slice(row, 2, 1, size)])
            x = b.onnx.sub([b.slice(below, 2, 1, size), eliminated])
        total = x
        for pivot in reversed(pivots):
            total = b.onnx.mul([pivot, total])
        return self.finished(b, total)


class Inverse(_Square):
    """Inverses of the matrices in the last two dimensions; FLOAT32 inside.

    A matrix that is exactly singular gives infinities and NaN.
    """

    form = "composed"

    def infer(self) -> ValueType:
        return self.input.type

    def lower(self, b: Any) -> Any:
        if self.is_large():
            return self.finished(b, b.kernel(MatrixInverse, [self.matrices(b)])[0])
        size, count = self.input.dims[-1], product(self.input.dims[:-2])
        identity = np.broadcast_to(np.eye(size, dtype=np.float32), (count, size, size))
        x = b.onnx.concat([self.matrices(b), b.constant(identity)], axis=2)
        for step in range(size):
            column = b.slice(b.slice(x, 1, step, size), 2, step, step + 1)
            index = b.onnx.add([_largest_row(b, column), b.scalar(step, _INT32)])
            is_pivot = _is_row(b, index, size)
            is_step = b.constant(np.arange(size).reshape(1, size, 1) == step)
            row = _row(b, x, is_pivot)
            row = b.onnx.div([row, b.slice(row, 2, step, step + 1)])
            x = b.onnx.where([is_pivot, b.slice(x, 1, step, step + 1), x])
            eliminated = b.onnx.mul([b.slice(x, 2, step, step + 1), row])
            x = b.onnx.where([is_step, row, b.onnx.sub([x, eliminated])])
        return self.finished(b, b.slice(x, 2, size, 2 * size))
