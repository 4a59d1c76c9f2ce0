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
    # Kernels have to be compiled by the SDK's own compiler.
    command += ["-k", "not data_decide and not dynamic_results and not shape_from_data"]
    files = [
        str(TESTS / f"test_{name}.py")
        for name in ("bind", "compile_options", "executable", "passes", "variables")
    ]
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


def test_the_profiler_sees_runs_and_asks_for_reports(tmp_path):
    sdk = str(TESTS / "device" / "sdk")
    script = f"""
import numpy as np, odla_ipu as odla
with odla.Computation("my net") as c:
    odla.output(odla.relu(odla.argument("x", (3,))), "y")
before = c.compile("ipu")
odla.profiler.start("ipu", reports={str(tmp_path)!r})
during = c.compile("ipu")
for exe in (before, during):
    exe.run(x=np.zeros(3, "f4"))
trace = odla.profiler.stop("ipu")
assert [(event.name, event.op) for event in trace.events] == [("my net", "run")] * 2
options = [dict(exe.runner.session._options.engineOptions) for exe in (before, during)]
assert options[0] == {{}}
assert options[1]["autoReport.all"] == "true"
assert options[1]["autoReport.directory"] == {str(tmp_path / "my_net")!r}
cached = c.compile("ipu", cache={str(tmp_path / "cache")!r})
assert cached.run(x=np.ones(3, "f4"))["y"].tolist() == [1, 1, 1]
import os
assert sorted(name[-5:] for name in os.listdir({str(tmp_path / "cache")!r})) == [".odla", "popef"]
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sdk, str(TESTS.parent)])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
