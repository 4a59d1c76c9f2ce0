"""TfIdf: how often n-grams of a pool occur."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import choice, i64, i64s, optional_tensor, tensor
from odla_ipu.types import ElementType, TfIdfMode, ValueType, known

_FLOAT32 = frozenset({ElementType.FLOAT32})
_INT32 = frozenset({ElementType.INT32})


class TfIdf(Kernel):
    """ONNX TfIdfVectorizer-9 on rows of numbers: FLOAT32 [rows,columns].

    ``input`` INT32 [rows,words]; ``pool`` INT32 lists the 1-grams, the 2-grams, ..., of which the
    n-grams begin at ``starts[n - 1]``; ``places`` INT32 are the columns in which the n-grams count.
    One that is no column counts nothing.  n-grams of ``shortest`` to ``longest`` words count, whose
    words lie up to ``skips`` + 1 apart, evenly.  ``weights`` FLOAT32 [columns] are those of IDF and
    TFIDF, 1 without.
    """

    input = tensor(_INT32)
    pool = tensor(_INT32)
    places = tensor(_INT32)
    weights = optional_tensor(_FLOAT32)
    starts = i64s()
    shortest = i64()
    longest = i64()
    skips = i64()
    mode = choice(TfIdfMode, TfIdfMode.TF, "tf_idf_mode")
    columns = i64()

    def normalise(self) -> None:
        if (self.input.rank, self.pool.rank, self.places.rank) != (2, 1, 1):
            raise self.error(
                f"input is {self.input.type}, pool {self.pool.type}, places {self.places.type}; "
                "accepted: [rows,words] and two vectors"
            )
        self._check_pool()
        if self.weights is not None and not fits(self.weights.shape, self.columns):
            raise self.error(f"weights are {self.weights.type}; accepted: [{self.columns}]")

    def _check_pool(self) -> None:
        (pool,), (places,) = self.pool.shape, self.places.shape
        if not known(pool):
            return
        edges = [0, *self.starts, int(pool)]
        if not self.starts or edges != sorted(edges):
            raise self.error(f"starts are {self.starts}; accepted: rising numbers of 0 to {pool}")
        sizes = [end - begin for begin, end in zip(edges[1:], edges[2:])]
        grams = sum(size // length for length, size in enumerate(sizes, 1))
        if not fits((places,), grams):
            raise self.error(
                f"places are {self.places.type}; accepted: one for each of {grams} n-grams"
            )

    def infer(self) -> ValueType:
        return ValueType(ElementType.FLOAT32, (self.input.shape[0], self.columns))
