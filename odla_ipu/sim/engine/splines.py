"""B-spline bases of graph convolutions and their weighting."""

from typing import TYPE_CHECKING, Dict, List

import numpy as np

from .emitter import GRAPHCORE, Emitter, emits

if TYPE_CHECKING:
    from ..ir import Op

_PIECES: Dict[int, List[List[float]]] = {
    0: [[1]],
    1: [[1, -1], [0, 1]],
    2: [[0.5, -1, 0.5], [0.5, 1, -1], [0, 0, 0.5]],
    3: [
        [1 / 6, -1 / 2, 1 / 2, -1 / 6],
        [4 / 6, 0, -1, 1 / 2],
        [1 / 6, 1 / 2, 1 / 2, -1 / 2],
        [0, 0, 0, 1 / 6],
    ],
}
"""By degree: the coefficients, of ascending powers, of each piece of the basis."""


@emits("SplineBasis", domain=GRAPHCORE)
def _spline_basis(e: Emitter, op: "Op", x: List[str]) -> List[str]:
    """The k-th digit of s, in base degree + 1, is the piece along dimension k."""
    degree = op.attributes["degree"]
    dims = op.operand(0).shape[1]
    sizes = e.cast(x[1], np.int32)
    closing = e("Mul", e.cast(x[2], np.int32), e.const(np.int32(degree)))
    places = e("Mul", x[0], e.cast(e("Sub", sizes, closing), np.float32))
    whole = e("Floor", places)
    pieces = [_polynomial(e, e("Sub", places, whole), row) for row in _PIECES[degree]]
    first = e.cast(whole, np.int32)
    knots = [
        e("Mod", e("Add", first, e.const(np.int32(piece))), sizes) for piece in range(degree + 1)
    ]
    basis, index, stride = "", "", e.const(np.ones(1, np.int32))
    for dim in range(dims):
        digits = np.arange((degree + 1) ** dims) // (degree + 1) ** dim % (degree + 1)
        weights = _columns(e, pieces, dim, digits)
        position = e("Mul", _columns(e, knots, dim, digits), stride)
        basis = e("Mul", basis, weights) if basis else weights
        index = e("Add", index, position) if index else position
        stride = e("Mul", stride, e.slice(sizes, [dim], [dim + 1], [0]))
    return [basis, index]


def _polynomial(e: Emitter, f: str, coefficients: List[float]) -> str:
    """Horner's scheme."""
    result = e("Mul", f, e.const(np.float32(0)))
    for value in reversed(coefficients):
        result = e("Add", e("Mul", result, f), e.const(np.float32(value)))
    return result


def _columns(e: Emitter, pieces: List[str], dim: int, digits: np.ndarray) -> str:
    """For each digit the column ``dim`` of that piece, [E, S]."""
    columns = [e.slice(piece, [dim], [dim + 1], [1]) for piece in pieces]
    return e("Gather", e("Concat", *columns, axis=1), e.ints(digits), axis=1)


@emits("SplineWeighting", domain=GRAPHCORE)
def _spline_weighting(e: Emitter, op: "Op", x: List[str]) -> str:
    """Every input times every kernel at once, then the kernels that each input takes."""
    edges = op.operand(0).shape[0]
    kernels, width, results = op.operand(1).shape
    table = e.reshape(e("Transpose", x[1], perm=[1, 0, 2]), [width, kernels * results])
    products = e.reshape(e("MatMul", x[0], table), [edges * kernels, results])
    rows = e.const((np.arange(edges) * kernels).astype(np.int64)[:, None])
    index = e("Add", e.cast(x[3], np.int64), rows)
    taken = e("Gather", products, index, axis=0)
    weighted = e("Mul", taken, e("Unsqueeze", x[2], e.ints([2])))
    return e("ReduceSum", weighted, e.ints([1]), keepdims=0)
