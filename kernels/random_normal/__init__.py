"""RandomNormal: numbers of a normal distribution, out of counters."""

from odla_ipu.custom import Kernel, fits
from odla_ipu.registry import f32, flag, i64s, tensor
from odla_ipu.types import ElementType, ValueType


class RandomNormal(Kernel):
    """Numbers of ``dims``, normally distributed with ``mean`` and deviation ``scale``.

    They come of Philox 4x32-10: number i of the i-th counter's words under the key ``seed``, UINT32
    [2].  The same seed gives the same numbers on every device and number of tiles.  FLOAT32, or
    FLOAT16 with ``half``.
    """

    seed = tensor(frozenset({ElementType.UINT32, ElementType.UINT64}))
    dims = i64s()
    mean = f32(0.0)
    scale = f32(1.0)
    half = flag(False)

    def normalise(self) -> None:
        if not fits(self.seed.shape, 2):
            raise self.error(f"seed is {self.seed.type}; accepted: UINT32 [2]")
        if any(size < 0 for size in self.dims):
            raise self.error(f"dims are {self.dims}; accepted: sizes of 0 and more")

    def infer(self) -> ValueType:
        kind = ElementType.FLOAT16 if self.half else ElementType.FLOAT32
        return ValueType(kind, tuple(self.dims))
