"""The code path of the SDK: the tests of executables again, on `ipu` and `ipu_model`.

A child process finds the stand-in under the name popart, without its marker.
"""

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parents[1]


@pytest.mark.parametrize("kind", ["ipu", "ipu_model"])
def test_executables_on(kind):
    sdk = str(TESTS / "device" / "sdk")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sdk, str(TESTS.parent)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", kind]
    files = [str(TESTS / name) for name in ("test_executable.py", "test_passes.py")]
    done = subprocess.run(
        command + files, env=environment, cwd=str(TESTS), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_an_executable_file_carries_what_popart_exports(tmp_path):
    sdk = str(TESTS / "device" / "sdk")
    script = f"""
import numpy as np, odla_ipu as odla
from odla_ipu import container
with odla.Computation() as c:
    odla.output(odla.relu(odla.argument("x", (3,))), "y")
exe = c.compile("ipu")
exe.save({str(tmp_path / "a.odla")!r})
exe.close()
header, sections = container.read({str(tmp_path / "a.odla")!r})
assert header["target"] == "ipu" and sections["popef"].size > 0
again = odla.Executable.load({str(tmp_path / "a.odla")!r}, "ipu")
assert again.run(x=np.float32([-1, 0, 2]))["y"].tolist() == [0, 0, 2]
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sdk, str(TESTS.parent)])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
