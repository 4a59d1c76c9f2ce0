"""Counting n-grams.

Header: ``ODLA/ops/odla_ops_nn.h``.
"""

from typing import Any, List, NamedTuple

import numpy as np

from ..registry import Op, choice, i32, optional_tensor, output_dims, tensor
from ..types import FLOATS, ElementType, TfIdfMode, Types, ValueType
from .process import _int32

_FLOAT32, _INT32 = ElementType.FLOAT32, ElementType.INT32
_INDICES: Types = frozenset({ElementType.INT32, ElementType.INT64})


class _Grams(NamedTuple):
    """The n-grams of one length, [count, length], and the columns they count in."""

    words: np.ndarray
    columns: np.ndarray


class TFIDFVectorize(Op):
    """How often n-grams of a pool occur in each row of input (ONNX TfIdfVectorizer-9); FLOAT32.

    ``pool`` lists the 1-grams, then the 2-grams, ...; ``gram_counts[n - 1]`` is where the n-grams
    begin.  The k-th n-gram counts in column ``output_indices[k]`` and weighs ``weights[k]`` (1
    without).  The words of an n-gram lie up to ``max_skip_count`` + 1 apart, evenly.  TF gives
    counts, IDF the weights of what occurs, TFIDF counts times weights.  All operands but input are
    constants.
    """

    python = "tf_idf_vectorize"
    input = tensor(_INDICES)
    min_gram_length = i32(1)
    max_gram_length = i32(1)
    max_skip_count = i32(0)
    mode = choice(TfIdfMode, TfIdfMode.TF, "tf_idf_mode")
    pool = tensor(_INDICES)
    gram_counts = tensor(_INDICES)
    output_indices = tensor(_INDICES)
    weights = optional_tensor(FLOATS)
    output_shape = output_dims(checked=False)

    def normalise(self) -> None:
        if self.input.rank not in (1, 2):
            raise self.error(f"input is {self.input.type}; accepted: rank 1 and 2")
        if not 1 <= self.min_gram_length <= self.max_gram_length:
            raise self.error(
                f"min_gram_length is {self.min_gram_length}, max_gram_length is "
                f"{self.max_gram_length}; accepted: 1 and more, in this order"
            )
        if self.max_skip_count < 0:
            raise self.error(f"max_skip_count is {self.max_skip_count}; accepted: 0 and more")
        for name in ("pool", "gram_counts", "output_indices", "weights"):
            value = getattr(self, name)
            if value is not None and (value.data is None or value.rank != 1):
                raise self.error(
                    f"{name} is {value.type}{'' if value.data is None else ', a constant'}; "
                    "accepted: a constant vector, since the n-grams are part of the device's "
                    "program"
                )
        self._check_pool()

    def _check_pool(self) -> None:
        starts = self.gram_counts.data.tolist()
        ends = [*starts[1:], self.pool.data.size]
        if len(starts) < self.max_gram_length or starts[0] != 0:
            raise self.error(
                f"gram_counts is {starts}; accepted: 0, then where each length up to "
                f"max_gram_length, {self.max_gram_length}, begins in pool"
            )
        sizes = [end - start for start, end in zip(starts, ends)]
        if any(size < 0 or size % length for length, size in enumerate(sizes, 1)):
            raise self.error(
                f"gram_counts is {starts} for a pool of {self.pool.data.size}; accepted: rising "
                "numbers with whole n-grams in between"
            )
        count = sum(size // length for length, size in enumerate(sizes, 1))
        for name in ("output_indices", "weights"):
            value = getattr(self, name)
            if value is not None and value.data.size != count:
                raise self.error(
                    f"{name} has {value.data.size} entries; accepted: {count}, one for each "
                    "n-gram of pool"
                )
        if count and self.output_indices.data.min() < 0:
            raise self.error(
                f"output_indices has {self.output_indices.data.min()}; accepted: 0 and more"
            )

    def infer(self) -> ValueType:
        columns = int(self.output_indices.data.max(initial=-1)) + 1
        return ValueType(_FLOAT32, (*self.input.shape[:-1], columns))

    def fold(self, x: np.ndarray, *constants: np.ndarray) -> Any:
        return np.zeros(self.infer().dims) if x.size == 0 else None

    def lower(self, b: Any) -> Any:
        columns = self.outputs[0].dims[-1]
        x = b.reshape(_int32(b, self.input), [self._rows(), self.input.dims[-1]])
        total = None
        for grams in self._grams():
            count = self._count(b, x, grams)
            if count is None:
                continue
            spread = (grams.columns[:, None] == np.arange(columns)).astype(np.float32)
            count = b.onnx.matmul([count, b.constant(spread)])
            total = count if total is None else b.onnx.add([total, count])
        if total is None:  # input is shorter than all of them
            return b.constant(np.zeros(self.outputs[0].dims, np.float32))
        return b.reshape(self._weighted(b, total), self.outputs[0].dims)

    def _rows(self) -> int:
        return self.input.dims[0] if self.input.rank == 2 else 1

    def _grams(self) -> List[_Grams]:
        """The n-grams to look for, by length."""
        starts, found, first = self.gram_counts.data.tolist(), [], 0
        ends = [*starts[1:], self.pool.data.size]
        for length, (start, end) in enumerate(zip(starts, ends), 1):
            words = self.pool.data[start:end].reshape(-1, length)
            columns = self.output_indices.data[first : first + len(words)]
            first += len(words)
            if self.min_gram_length <= length <= self.max_gram_length and len(words):
                found.append(_Grams(words, columns))
        return found

    def _count(self, b: Any, x: Any, grams: _Grams) -> Any:
        """[row, n-gram]: occurrences as FLOAT32; None where no row is long enough."""
        rows, size, (count, length) = self._rows(), self.input.dims[-1], grams.words.shape
        total = None
        for step in range(1, self.max_skip_count + 2 if length > 1 else 2):
            places = size - step * (length - 1)
            if places < 1:
                break
            matches = []
            for index in range(length):
                words = b.slice(x, 1, index * step, index * step + places)
                wanted = b.constant(grams.words[:, index].reshape(1, 1, count), np.int32)
                matches.append(b.onnx.equal([b.reshape(words, [rows, places, 1]), wanted]))
            match = matches[0]
            for other in matches[1:]:
                match = b.onnx.logical_and([match, other])
            found = b.onnx.reducesum([b.cast(match, _FLOAT32)], axes=[1], keepdims=0)
            total = found if total is None else b.onnx.add([total, found])
        return total

    def _weighted(self, b: Any, counts: Any) -> Any:
        if self.mode is TfIdfMode.TF:
            return counts
        weights = np.ones(self.outputs[0].dims[-1], np.float32)
        if self.weights is not None:
            weights[self.output_indices.data] = self.weights.data
        weight = b.constant(weights.reshape(1, -1))
        if self.mode is TfIdfMode.TFIDF:
            return b.onnx.mul([counts, weight])
        zero = b.scalar(0, _FLOAT32)
        return b.onnx.where([b.onnx.greater([counts, zero]), weight, zero])
