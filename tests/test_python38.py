"""The package installs, imports and computes on Python 3.8, the SDK's own."""

import glob
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]

SMOKE = """
import pkgutil, sys
import numpy as np
import odla_ipu as odla
assert not {"onnx", "onnxruntime", "cffi"} & set(sys.modules)
for module in pkgutil.walk_packages(odla.__path__, "odla_ipu."):
    # The C library is a file that could be a module, but is none.
    if ".sim.path" not in module.name and not module.name.endswith(".libodla_ipu"):
        __import__(module.name)
w = np.arange(12, dtype="f4").reshape(1, 3, 2, 2)
with odla.Computation() as c:
    x = odla.argument("x", (1, 3, 4, 4))
    odla.output(odla.reduce_sum(odla.conv(x, w), keep_dims=False), "y")
assert c.run(x=np.ones((1, 3, 4, 4), "f4"), device="sim")["y"] == 9 * 66
"""


def interpreter():
    """A Python 3.8 that starts, or None."""
    found = [shutil.which("python3.8")]
    found += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.8*/bin/python")))
    for path in filter(None, found):
        if subprocess.run([path, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


@pytest.mark.skipif(interpreter() is None, reason="there is no Python 3.8 here")
def test_smoke(tmp_path):
    subprocess.run([interpreter(), "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", str(ROOT)], check=True)
    done = subprocess.run([python, "-c", SMOKE], cwd=str(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
