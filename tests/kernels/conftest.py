"""Runs kernels on the host Poplar: compiled from their folders, on any number of tiles."""

import pathlib

import numpy as np
import pytest

from odla_ipu.sim import poplar
from odla_ipu.sim.customop import Info

ROOT = pathlib.Path(__file__).parents[2] / "kernels"


def run(folder, name, inputs, attributes, tiles=1472, debug=False):
    """The results of kernel ``name`` in ``folder``; unlimited memory on few tiles."""
    library = poplar.load_kernel(ROOT / folder, debug=debug)
    target = poplar.Target(tiles, 6, 638976 if tiles > 1000 else 1 << 30, 1.33e9, "ipu2")
    infos = [None if x is None else Info(x.dtype, x.shape) for x in inputs]
    kernel = poplar.create(
        "odla.ipu", name, 1, infos, attributes, library=library, target=target, debug=debug
    )
    outputs = [np.ones(info.shape, info.dtype) for info in kernel.outputs]
    for _ in range(2):  # the second run finds what the first left
        kernel.run(inputs, outputs)
    return outputs


@pytest.fixture
def kernel():
    return run


@pytest.fixture
def root():
    return ROOT
