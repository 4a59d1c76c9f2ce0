"""Another batch size: parameters that name the old one follow."""

import numpy as np
import pytest

import odla_ipu as odla


def _computation(build):
    with odla.Computation() as c:
        odla.output(build(odla.argument("x", (2, 3, 4))), "y")
    return c


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda x: odla.reshape(x, (2, 12)), lambda x: x.reshape(-1, 12)),
        (lambda x: odla.resize(x, (2, 6, 4)), lambda x: x.repeat(2, 1)),
        (lambda x: odla.slice(x, (0, 1, 0), (2, 3, 4)), lambda x: x[:, 1:]),
        (lambda x: odla.slice(x, (0, 0, 0), (1, 3, 4)), lambda x: x[:1]),
        (lambda x: odla.broadcast(x, (2, 3, 4)), lambda x: x),
        (
            lambda x: odla.expand_dims(odla.slice(x, (0, 0, 0), (2, 1, 4)), (2, 5, 4)),
            lambda x: x[:, :1].repeat(5, 1),
        ),
        (
            lambda x: odla.expand_dims(x, (3, 4)),
            lambda x: x,
        ),
    ],
)
def test_batch_of_five(build, expected, device):
    x = np.arange(60, dtype="float32").reshape(5, 3, 4)
    executable = _computation(build).compile(device=device, batch=5)
    np.testing.assert_array_equal(executable.run(x=x)["y"], expected(x))
