"""The C++ code in docs/adding-a-kernel.md compiles and computes what it says."""

import pathlib
import re
import shutil

import numpy as np
import pytest

from odla_ipu.sim import poplar
from odla_ipu.sim.customop import Info

REPOSITORY = pathlib.Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "adding-a-kernel.md"


def write(folder):
    """The documented kernel's C++ files, beside the headers that kernels share."""
    codelet, op = re.findall(r"```cpp\n(.*?)```", DOCUMENT.read_text(), re.S)
    folder.mkdir()
    (folder / "codelet.cpp").write_text(codelet)
    (folder / "op.cpp").write_text(op)
    shutil.copytree(str(REPOSITORY / "kernels" / "include"), str(folder.parent / "include"))


@pytest.mark.parametrize("debug", [False, True])
def test_the_documented_kernel(tmp_path, debug):
    folder = tmp_path / "scaled_softsign"
    write(folder)
    library = poplar.load_kernel(folder, debug=debug)
    for dtype in (np.float32, np.float16):
        x = np.linspace(-9, 9, 1001).astype(dtype)
        kernel = poplar.create(
            "odla.ipu",
            "ScaledSoftsign",
            1,
            [Info(x.dtype, x.shape)],
            {"scale": 2.0},
            library=library,
            debug=debug,
        )
        y = np.empty_like(x)
        kernel.run([x], [y])
        wanted = 2 * x.astype(np.float64) / (1 + np.abs(x.astype(np.float64)))
        np.testing.assert_allclose(y, wanted, rtol=1e-6 if dtype is np.float32 else 1e-3)
