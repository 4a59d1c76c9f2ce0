"""The package works on the oldest Python, that of the SDK, and on the newest here."""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
OLDEST, NEWEST = (3, 8), (3, 13)

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

FIXED_PART = [
    "test_graph.py",
    "test_infer.py",
    "test_registry.py",
    "test_control_flow.py",
    "test_custom_ops.py",
    "test_interpreter.py",
    "test_container.py",
    "test_dynamic.py",
    "test_bind.py",
    "frontends/test_onnx_operators.py",
]
"""What of the tests runs on these Pythons, too."""

COPIED = ("odla_ipu", "kernels", "examples", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def interpreters():
    """Paths of the Pythons on this machine that start, by version."""
    places = [
        *os.environ["PATH"].split(os.pathsep),
        *glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin")),
    ]
    found = {}
    for place in places:
        for path in glob.glob(os.path.join(place, "python3.*")):
            version = re.fullmatch(r"python3\.(\d+)", os.path.basename(path))
            if version is None or (3, int(version[1])) in found:
                continue
            done = subprocess.run([path, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                found[(3, int(version[1]))] = path
    return found


def others():
    """The oldest and the newest Python, where they are there and are not this one."""
    found = interpreters()
    newest = max((one for one in found if one <= NEWEST), default=None)
    for version in (OLDEST, newest):
        if version != sys.version_info[:2]:
            name = "newest" if version is None else "{}.{}".format(*version)
            reason = f"there is no Python {name} here"
            yield pytest.param(
                found.get(version),
                id=name,
                marks=pytest.mark.skipif(found.get(version) is None, reason=reason),
            )


def run(*command, **arguments):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **arguments)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("interpreter", list(others()))
def test_other_python(interpreter, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__", "prebuilt")
            shutil.copytree(str(ROOT / name), str(tree / name), ignore=ignored)
        else:
            shutil.copy(str(ROOT / name), str(tree / name))
    run(interpreter, "-m", "venv", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    run(python, "-m", "pip", "install", "-q", "-e", str(tree), "pytest", "hypothesis")
    run(python, "-c", SMOKE, cwd=str(tmp_path))
    command = str(tmp_path / "venv" / "bin" / "odla-ipu")
    assert "sim" in run(command, "devices") and "odla_Conv" in run(command, "ops")
    tests = [str(ROOT / "tests" / name) for name in FIXED_PART]
    said = run(str(tmp_path / "venv" / "bin" / "pytest"), "-q", "-p", "no:cacheprovider", *tests)
    assert re.search(r"\d{3,} passed", said) and "failed" not in said
