"""The folder that makes `import popart` the stand-in, from programs of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import odla_ipu.sim

ROOT = Path(odla_ipu.sim.__file__).resolve().parent
FOLDER = ROOT / "path"


def run(program, path=FOLDER):
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(path), str(ROOT.parents[1])])
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def succeeds(program):
    finished = run(program)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_popart_is_the_stand_in():
    shown = succeeds(
        "import popart, odla_ipu.sim as sim\n"
        "assert popart.__odla_ipu_sim__\n"
        "assert popart.SessionOptions is sim.SessionOptions\n"
        "assert set(sim.__all__) <= set(dir(popart))\n"
        "assert popart._TensorInfoCore is sim._TensorInfoCore\n"
        "assert not hasattr(popart, 'noSuchName')\n"
        "print(popart.versionString(), popart.__version__)"
    )
    assert shown.split() == ["3.4.0", "(odla_ipu)", "3.4.0"]


def test_submodules_and_native_modules():
    succeeds(
        "import popart\n"
        "import popart.session, popart.builder, popart.tensorinfo\n"
        "from popart.session import OutOfMemoryException, InferenceSession\n"
        "from popart import TensorInfo, DataFlow, PyStepIO\n"
        "import popart_core, popart_opset6, popart_opset11\n"
        "assert popart.session.InferenceSession is popart.InferenceSession\n"
        "assert OutOfMemoryException is popart.OutOfMemoryException\n"
        "assert popart_core.DeviceManager is popart.DeviceManager\n"
    )


def test_onnx_must_not_come_first():
    finished = run("import onnx\nimport popart")
    assert finished.returncode != 0
    assert "ImportError" in finished.stderr and "before onnx" in finished.stderr


def test_onnx_may_come_later():
    succeeds("import popart\nimport onnx\nimport popart")


@pytest.mark.parametrize("module", ["odla_ipu", "odla_ipu.sim"])
def test_imports_are_light(module):
    shown = succeeds(
        f"import sys, {module}\nprint([m for m in ('onnx', 'onnxruntime', 'cffi', "
        "'odla_ipu.sim.engine') if m in sys.modules])"
    )
    assert shown.strip() == "[]"


def test_stand_in_may_follow_onnx():
    succeeds("import onnx\nimport odla_ipu.sim as popart\npopart.SessionOptions()")


@pytest.mark.parametrize(("level", "shown"), [(None, True), ("OFF", False), ("info", True)])
def test_log_level_of_the_environment(monkeypatch, level, shown):
    if level is None:
        monkeypatch.delenv("POPART_LOG_LEVEL", raising=False)
    else:
        monkeypatch.setenv("POPART_LOG_LEVEL", level)
    finished = run("import odla_ipu.sim as p\np.getLogger().warn('attention')")
    assert ("attention" in finished.stderr) == shown
