"""Integer products are exact in every precision, far beyond what floats hold."""

import numpy as np
import pytest
from onnx_stack import expected, single

import odla_ipu
from odla_ipu.frontends.onnx import read

_RNG = np.random.default_rng(6)


def images(*dims):
    return _RNG.integers(0, 256, dims).astype(np.uint8)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("op", "operands"),
    [
        ("ConvInteger", [images(1, 40, 9, 8), images(3, 40, 5, 4)]),
        ("MatMulInteger", [images(3, 2000), images(2000, 4)]),
    ],
)
def test_exact(op, operands, precision, device):
    content, feeds = single(op, operands, opset=10)
    (wanted,) = expected(content, feeds).values()
    assert wanted.max() > 2**23
    computation = odla_ipu.Computation(graph=read(content))
    (got,) = computation.compile(device, precision=precision).run(feeds).values()
    np.testing.assert_array_equal(got, wanted)
