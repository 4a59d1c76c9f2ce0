"""What the library exports, and that each function is called by one of the programs."""

import json
import re
import subprocess

import op_calls
from case_programs import HERE, SOURCES

from odla_ipu.abi import build

EXTRAS = {
    "odla_SetActiveComputation",
    "odla_BatchMatmul",
    "odla_ipu_LastError",
    "odla_ipu_StoredSize",
    "odla_ipu_TraceToJSON",
    "odla_ipu_SetConstant",
}


def published():
    functions = json.loads((HERE / "odla_table.json").read_text())["functions"]
    ops = json.loads((HERE.parent / "odla_signatures.json").read_text())
    return {*functions, *ops}


def test_exports(library):
    """The 229 functions, the extras of odla_ipu.h and C++ functions of the predecessor's."""
    done = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True)
    names = {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}
    mangled = {name for name in names if name.startswith("_Z")}
    assert len(published()) == 229
    assert names - mangled == published() | EXTRAS
    called = [re.match(r"_Z\d+odla_(Create|Store|Load)Executable", name) for name in mangled]
    assert len(called) == 3 and all(called)


def test_it_needs_no_python_to_be_linked(library):
    done = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True)
    assert not re.findall(r"\b_?Py\w+", done.stdout)


def test_every_function_is_called_by_a_program():
    called = set(op_calls.PROTOTYPES)  # test_op_calls.py calls each with samples, and misused
    for path in SOURCES.iterdir():
        called |= set(re.findall(r"\b(odla_\w+)\(", path.read_text()))
    declared = {one.name for name in build.headers() for one in build.prototypes(name)}
    assert declared == published() | EXTRAS
    assert not declared - called
