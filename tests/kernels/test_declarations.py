"""What the declarations say agrees with the C++ code, and the SDK's build with the folders."""

import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from cases import CASES

from odla_ipu.custom import KERNELS, all_custom_ops, popart_attributes
from odla_ipu.graph import Graph
from odla_ipu.types import ValueType, element_type

ROOT = pathlib.Path(__file__).parents[2] / "kernels"
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/op.cpp"))


def _declaration(name):
    all_custom_ops()
    return next(kernel for kernel in KERNELS.values() if kernel.__name__ == name)


def test_every_kernel_has_cases():
    all_custom_ops()
    assert {case.folder for case in CASES} == set(FOLDERS)
    names = {
        re.search(r"^ODLA_KERNEL\((\w+),", (ROOT / folder / "op.cpp").read_text(), re.M).group(1)
        for folder in FOLDERS
    }
    ours = {kernel.__name__ for kernel in KERNELS.values() if kernel.domain == "odla.ipu"}
    assert names == {case.name for case in CASES} == ours & names


@pytest.mark.parametrize("folder", FOLDERS)
def test_types_agree(kernel, folder):
    for case in CASES:
        if case.folder != folder:
            continue
        declared = _declaration(case.name)
        graph = Graph("test")
        graph.folds = False
        values = [
            graph.add_input(f"x{i}", ValueType(element_type(x.dtype), x.shape))
            for i, x in enumerate(case.inputs)
        ]
        node = declared.add(graph, declared.arguments(values, case.attributes))[0].node
        attributes = popart_attributes(declared, node.attributes())
        results = kernel(folder, case.name, case.inputs, attributes)
        assert [(r.dtype, r.shape) for r in results] == [
            (one.element_type.dtype, one.type.dims) for one in node.outputs
        ], case.label


# The SDK's build, as far as it can be seen without one.


@pytest.fixture
def make(tmp_path):
    def run(*arguments):
        command = ["make", "-n", "-C", str(ROOT), f"OUT={tmp_path}", *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "CXX": "g++"}
        ).stdout

    if shutil.which("make") is None:
        pytest.fail("these tests need make")
    return run


def test_makefile_builds_every_kernel(make, tmp_path):
    commands = make()
    for folder in FOLDERS:
        assert re.search(rf"-c {folder}/op\.cpp -o {tmp_path}/objects/{folder}\.o", commands)
        program = rf"-Iinclude --target cpu,ipu1,ipu2,ipu21 {folder}/codelet\.cpp -o {tmp_path}/"
        assert re.search(program + rf"{folder}\.gp", commands)
    (link,) = (line for line in commands.splitlines() if "-shared" in line)
    assert link.count(".o ") == len(FOLDERS)
    assert "-lpopart -lpoplar -lpopops -lpoputil" in link
    assert link.endswith(f"-o {tmp_path}/libodla_ipu_kernels.so")
    assert "optional_CONFIG_SELECT_OPTIONAL=optional_OPTIONAL_NONSTD" in commands


def test_makefile_variables(make):
    commands = make("TARGETS=cpu,ipu2", "POPC=my-popc", "CXX=my-cxx")
    assert "my-popc -O3 -Iinclude --target cpu,ipu2 " in commands and "my-cxx -shared" in commands


@pytest.mark.parametrize("folder", FOLDERS)
def test_sources_keep_to_the_sdk(folder):
    """Only names that the SDK has: nothing of the host Poplar, no code for one of the two only."""
    for name in ("op.cpp", "codelet.cpp"):
        text = (ROOT / folder / name).read_text()
        assert "__IPU__" not in text and "host/" not in text and "ODLA_POPLAR" not in text
    codelet = (ROOT / folder / "codelet.cpp").read_text()
    assert not re.search(r"\b(new|throw|virtual|std::vector|std::string|double)\b", codelet)
    assert np.all([ord(c) < 128 for c in codelet])
