"""Builds and runs the ops of this folder."""

import numpy as np
import pytest
from built import library

from odla_ipu.sim import poplar
from odla_ipu.sim.customop import Info


@pytest.fixture
def run():
    """Runs an op of a folder here, ``domain.type`` with one output for the given inputs."""

    def call(folder, op, *inputs, attributes=None, tiles=4, memory=1 << 20, debug=False):
        inputs = [None if x is None else np.ascontiguousarray(x) for x in inputs]
        domain, _, name = op.rpartition(".")
        kernel = poplar.create(
            domain,
            name,
            1,
            [None if x is None else Info(x.dtype, x.shape) for x in inputs],
            attributes or {},
            library=library(folder, debug),
            target=poplar.Target(tiles, 6, memory, 1e9, "ipu2"),
            debug=debug,
        )
        outputs = [np.ones(info.shape, info.dtype) for info in kernel.outputs]
        kernel.run(inputs, outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    return call
