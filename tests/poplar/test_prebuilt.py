"""What is built at installation serves where there is no compiler."""

import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import types

import pytest

ROOT = pathlib.Path(__file__).parents[2]

CHECK = """
import numpy as np
from odla_ipu.sim import poplar
from odla_ipu.sim.customop import Info
from odla_ipu.sim.poplar import builds
from pathlib import Path
builds.PREBUILT = Path({prebuilt!r})
library = poplar.load_kernel({kernel!r})
assert Path(library).parent == builds.PREBUILT
x = np.array([0.25, 4], np.float32)
kernel = poplar.create("odla.ipu", "IpuRsqrt", 1, [Info(x.dtype, x.shape)], {{}})
y = np.empty_like(x)
kernel.run([x], [y])
assert y.tolist() == [2.0, 0.5]
source = Path({kernel!r}) / "codelet.cpp"
source.write_text(source.read_text() + "\\n// changed\\n")
try:
    poplar.load_kernel({kernel!r})
except poplar.BuildError as error:
    print(error)
"""


@pytest.mark.slow
def test_prebuilt_set(tmp_path):
    kernels, prebuilt = tmp_path / "kernels", tmp_path / "prebuilt"
    for name in ("include", "rsqrt"):
        shutil.copytree(str(ROOT / "kernels" / name), str(kernels / name))
    # As setup.py does, which has only the standard library.
    package = types.ModuleType("host_poplar")
    package.__path__ = [str(ROOT / "odla_ipu" / "sim" / "poplar")]
    sys.modules["host_poplar"] = package
    builds = importlib.import_module("host_poplar.builds")
    assert builds.build_all(prebuilt, kernels) == ["rsqrt"]
    moved = tmp_path / "elsewhere"
    shutil.move(str(prebuilt), str(moved))
    script = CHECK.format(prebuilt=str(moved), kernel=str(kernels / "rsqrt"))
    environment = {**os.environ, "CXX": "none", "ODLA_IPU_CACHE": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "kernel rsqrt has to be compiled, and there is no C++ compiler" in done.stdout
