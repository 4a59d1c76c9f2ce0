"""Counting n-grams.

Header: ``ODLA/ops/odla_ops_nn.h``.
"""

from typing import Any

import numpy as np

from ..kernels.tf_idf import TfIdf
from ..registry import Op, choice, i32, optional_tensor, output_dims, tensor
from ..types import FLOATS, ElementType, TfIdfMode, Types, ValueType
from .process import _int32

_FLOAT32 = ElementType.FLOAT32
_INDICES: Types = frozenset({ElementType.INT32, ElementType.INT64})


class TFIDFVectorize(Op):
    """How often n-grams of a pool occur in each row of input (ONNX TfIdfVectorizer-9); FLOAT32.

    ``pool`` lists the 1-grams, then the 2-grams, ...; ``gram_counts[n - 1]`` is where the n-grams
    begin.  The k-th n-gram counts in column ``output_indices[k]`` and weighs ``weights[k]`` (1
    without).  The words of an n-gram lie up to ``max_skip_count`` + 1 apart, evenly.  TF gives
    counts, IDF the weights of what occurs, TFIDF counts times weights.  All operands but input are
    constants.
    """

    python = "tf_idf_vectorize"
    form = "kernel"
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
        kind = self.outputs[0].type
        columns, words = kind.dims[-1], self.input.dims[-1]
        rows = b.reshape(_int32(b, self.input), [self.input.type.elements // words, words])
        counts = b.kernel(
            TfIdf,
            [
                rows,
                b.constant(self.pool.data, np.int32),
                b.constant(self.output_indices.data, np.int32),
                None if self.mode is TfIdfMode.TF else self._weights(b, columns),
            ],
            starts=self.gram_counts.data.tolist(),
            shortest=self.min_gram_length,
            longest=self.max_gram_length,
            skips=self.max_skip_count,
            mode=self.mode,
            columns=columns,
        )
        return b.reshape(counts[0], kind.dims) if self.input.rank == 1 else counts

    def _weights(self, b: Any, columns: int) -> Any:
        """The weight of each column; None for 1."""
        if self.weights is None:
            return None
        weights = np.ones(columns, np.float32)
        weights[self.output_indices.data] = self.weights.data
        return b.constant(weights)
