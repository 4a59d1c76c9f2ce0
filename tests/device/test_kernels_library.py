"""The shared library by which the SDK's popart knows the kernels.

A child process finds the stand-in under the name popart, without its marker.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parents[1]

SCRIPT = """
import numpy as np, odla_ipu as odla
from odla_ipu.device import kernels
kernels._folder = lambda kernel: {folder!r} + "/gelu"
kernels._own_folder = lambda: {own!r}
with odla.Computation() as c:
    x = odla.argument("x", (3,))
    odla.output(odla.custom_op("custom_IpuGelu", [x], id="gelu"), "y")
with odla.Computation() as plain:
    odla.output(odla.relu(odla.argument("x", (3,))), "y")
assert plain.run(x=np.float32([-1, 0, 2]), device={kind!r})["y"].tolist() == [0, 0, 2]
try:
    c.compile({kind!r})
except odla.OdlaError as error:
    print(type(error).__name__, error.status.name, error)
"""


def run(folder, kind, own=None):
    sdk = str(TESTS / "device" / "sdk")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sdk, str(TESTS.parent)])}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT.format(folder=str(folder), own=str(own or folder), kind=kind),
        ],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["ipu", "ipu_model"])
def test_a_missing_library_is_named_with_what_makes_it(kind, tmp_path):
    said = run(tmp_path, kind)
    assert said.startswith("LibraryMissing DL_ERROR")
    assert f"{tmp_path}/libodla_ipu_kernels.so, which holds the kernel custom_IpuGelu, is" in said
    assert f"'make -C {tmp_path}'" in said


def test_a_missing_library_of_a_user_is_named_with_what_makes_it(tmp_path):
    said = run(tmp_path, "ipu", own="/elsewhere/kernels")
    assert f"{tmp_path}/gelu/libodla_ipu_kernels.so, which" in said
    assert f"'make -C /elsewhere/kernels FOLDER={tmp_path}/gelu'" in said


def test_a_library_that_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "libodla_ipu_kernels.so").write_bytes(b"no library")
    said = run(tmp_path, "ipu")
    assert said.startswith("LibraryMissing DL_ERROR")
    assert "cannot be loaded" in said and "too short" in said and "make -C" in said


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_library_is_loaded_before_the_model_is_compiled(tmp_path):
    """What is loaded says so; then the stand-in, which has no such op, refuses the session."""
    source = tmp_path / "a.c"
    source.write_text(
        '#include <stdio.h>\n__attribute__((constructor)) void f(void) { fputs("loaded ", stdout); '
        "fflush(stdout); }\n"
    )
    library = str(tmp_path / "libodla_ipu_kernels.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, str(source)], check=True)
    said = run(tmp_path, "ipu")
    assert said.startswith("loaded ")
    assert "IpuGelu" in said
