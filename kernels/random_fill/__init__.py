"""RandomFill: random numbers from a counter and a seed."""

from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import f32, flag, i64s, tensor
from odla_ipu.types import ElementType, ValueType, product


class RandomFill(Kernel):
    """FLOAT32 numbers of ``shape``, the same for the same ``seed``, UINT32 [2].

    Uniform in [``first``, ``second``), or with ``normal`` of mean ``first`` and standard deviation
    ``second``.  Element i comes from word w = i % 4 of the Philox4x32-10 block of counter
    (i // 4, 0, 0, 0) and key ``seed``: u = (w >> 8) / 2**24 is uniform.  Of words 0 and 1, and of 2
    and 3, normal numbers are r * cos(t) and r * sin(t), with r = sqrt(-2 * ln(u + 2**-24)) of the
    first and t = 2 * pi * u of the second.
    """

    seed = tensor(frozenset({ElementType.UINT32}))
    shape = i64s(())
    normal = flag(False)
    first = f32(0.0)
    second = f32(1.0)

    def normalise(self) -> None:
        if not fits(self.seed.shape, 2):
            raise self.error(f"seed is {self.seed.type}; accepted: two numbers")
        if min(self.shape, default=1) < 0 or product(self.shape) >= 2**31:
            raise self.error(f"shape is {list(self.shape)}; accepted: less than 2**31 elements")

    def infer(self) -> ValueType:
        return ValueType(ElementType.FLOAT32, self.shape)
