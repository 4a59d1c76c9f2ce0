"""Temporary folders go with their executable, or with their process."""

import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu import folders


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A folder of temporary files for this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders._swept.clear()
    yield tmp_path
    folders._swept.set()


def test_a_folder_goes_with_its_executable(alone):
    with odla.Computation() as c:
        x = odla.argument("x", (2, 300))
        odla.output(odla.gemm(x, B=np.ones((300, 2000), "f4")), "y")
    with c.compile("sim"):
        assert len(list(alone.iterdir())) == 1
    assert not list(alone.iterdir())


LEAVES = """
import os, sys
from odla_ipu import folders
folder = folders.make()
open(os.path.join(folder, "weights"), "w").close()
print(folder, flush=True)
if sys.argv[1] == "waits":
    sys.stdin.read()
os._exit(0)
"""


def process(alone, how):
    given = dict(os.environ, TMPDIR=str(alone))
    return subprocess.Popen(
        [sys.executable, "-c", LEAVES, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=given,
        text=True,
    )


def test_what_others_left_is_removed_and_what_they_use_is_not(alone):
    with process(alone, "ends") as ended:
        left = ended.stdout.readline().strip()
        ended.wait()
    assert os.listdir(left)
    with process(alone, "waits") as running:
        used = running.stdout.readline().strip()
        assert not os.path.exists(left)  # the second one has removed it
        own = folders.make()
        assert os.listdir(used) and os.listdir(own)
        folders.remove(own)
        running.communicate()
    other = alone / "odla_ipu-no-lock"
    other.mkdir()
    folders._swept.clear()
    folders.remove(folders.make())
    assert not os.path.exists(used) and other.exists() and not os.path.exists(own)
