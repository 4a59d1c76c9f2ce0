"""Samples of Einstein sums, determinants and inverses."""

import numpy as np

from . import Sample, random

_HALF = {"rtol": 2e-3, "atol": 2e-3}
_MATRIX = {"rtol": 2e-4, "atol": 2e-5}


def _einsum(equation, *shapes, dtype="float32", **more):
    operands = tuple(random(*shape, dtype=dtype, low=0, high=5) for shape in shapes)
    return Sample("einsum", (operands,), {"equation": equation}, name=equation, **more)


SAMPLES = [
    _einsum("i->i", (3,)),
    _einsum("ij->ji", (3, 4)),
    _einsum("ij->", (3, 4)),
    _einsum("ij", (3, 4)),
    _einsum("ba", (3, 4)),
    _einsum("Ab", (2, 3)),
    _einsum("bA", (2, 3)),
    _einsum("->", ()),
    _einsum("ii->i", (3, 3)),
    _einsum("ii", (3, 3)),
    _einsum("iji->j", (3, 4, 3)),
    _einsum("iiii->i", (3, 3, 3, 3)),
    _einsum("ijij->ji", (2, 3, 2, 3)),
    _einsum("ii->i", (1, 1)),
    _einsum("...ii->...i", (2, 5, 3, 3)),
    _einsum("ij,jk->ik", (2, 3), (3, 4)),
    _einsum(" i j , j k -> i k ", (2, 3), (3, 4)),
    _einsum("ij,jk", (2, 3), (3, 4)),
    _einsum("ij,kj->ki", (2, 3), (4, 3)),
    _einsum("i,i", (5,), (5,)),
    _einsum("i,j", (3,), (4,)),
    _einsum("i,j->ji", (3,), (4,)),
    _einsum("i,->i", (3,), ()),
    _einsum(",->", (), ()),
    _einsum("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    _einsum("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    _einsum("bhqk,bkhd->bqhd", (2, 3, 4, 5), (2, 5, 3, 6)),
    _einsum("...ij,...jk->...ik", (5, 2, 3), (5, 3, 4)),
    _einsum("...ij,...jk->...ik", (7, 1, 2, 3), (5, 3, 4)),
    _einsum("...ij,jk->...ik", (7, 5, 2, 3), (3, 4)),
    _einsum("...ij,...jk", (2, 2, 3), (3, 4)),
    _einsum("i...,i...->...", (3, 4), (3, 1)),
    _einsum("...,...", (2, 3), (3,)),
    _einsum("ij,ij->ij", (1, 3), (4, 1)),
    _einsum("ij,jk->ik", (2, 1), (3, 4)),
    _einsum("ab,bc,cd->ad", (2, 3), (3, 4), (4, 5)),
    _einsum("ab,ab,b->a", (2, 3), (2, 3), (3,)),
    _einsum("ij,kl,jl->ik", (2, 3), (4, 5), (3, 5)),
    _einsum("ii,ij->j", (3, 3), (3, 4)),
    _einsum("ij,jk->ik", (2, 0), (0, 4)),
    _einsum("ij,jk->ik", (0, 3), (3, 4)),
    _einsum("ij->", (0, 3)),
    _einsum("ij,jk->ik", (2, 3), (3, 4), dtype="float16", **_HALF),
    _einsum("ij,jk->ik", (2, 3), (3, 4), dtype="float64"),
]
SAMPLES += [
    _einsum(equation, (3, 3), (3, 4), dtype=dtype)
    for equation in ("ij,jk->ik", "ii,ij->ij", "ij,kl->i")
    for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
]


def _matrices(*shape, dtype="float32", condition=0.0):
    """Random matrices, with ``condition`` added on the diagonal."""
    return (random(*shape) + condition * np.eye(shape[-1])).astype(dtype)


_permutation = np.eye(4, dtype="float32")[[2, 0, 3, 1]]
_singular = np.array([[1, 2, 3], [2, 4, 6], [1, 0, 1]], "float32")
_zero_pivot = np.array([[[0, 2], [3, 0]], [[0, 1], [1, 5]]], "float32")

SAMPLES += [
    Sample("det", (x,), {}, **_MATRIX)
    for x in [
        *(_matrices(size, size) for size in (1, 2, 3, 4, 5, 7, 16)),
        *(_matrices(3, size, size) / 4 for size in (17, 33)),
        _matrices(3, 2, 2),
        _matrices(2, 1, 3, 4, 4),
        _matrices(3, 3, dtype="float64"),
        _permutation,
        _singular,
        _zero_pivot,
        np.zeros((4, 4), "float32"),
        np.zeros((0, 3, 3), "float32"),
        np.zeros((2, 0, 0), "float32"),
    ]
]
SAMPLES.append(Sample("det", (_matrices(2, 3, 3, dtype="float16"),), **_HALF))
SAMPLES += [
    Sample("inverse", (x,), {}, **_MATRIX)
    for x in [
        *(_matrices(size, size, condition=3) for size in (1, 2, 3, 4, 5, 7)),
        _matrices(16, 16, condition=8),
        _matrices(2, 17, 17, condition=8),
        _matrices(50, 50, condition=30),
        _matrices(3, 2, 2),
        _matrices(2, 1, 3, 4, 4, condition=1),
        _matrices(3, 3, dtype="float64"),
        _permutation,
        _zero_pivot,
        np.zeros((0, 3, 3), "float32"),
        np.zeros((2, 0, 0), "float32"),
    ]
]
SAMPLES.append(Sample("inverse", (_matrices(2, 3, 3, dtype="float16", condition=3),), **_HALF))
