"""The Makefile and the CMake project, with a compiler for codelets that only checks them.

The host Poplar's headers and library stand for the SDK's.
"""

import ctypes
import pathlib
import shutil
import subprocess
import sys

import pytest
import test_documented

from odla_ipu.sim import poplar

KERNELS = pathlib.Path(__file__).parents[2] / "kernels"
NAMES = sorted(path.parent.name for path in KERNELS.glob("*/op.cpp"))

POPC = """#!{python}
import pathlib, subprocess, sys
*flags, source, o, result = sys.argv[1:]
assert o == "-o" and flags[flags.index("--target") + 1], sys.argv
includes = [one for one in flags if one.startswith("-I")]
subprocess.run(
    ["g++", "-std=c++17", "-fsyntax-only", "-isystem", {include!r}, *includes, source], check=True
)
pathlib.Path(result).write_text(source)
"""


@pytest.fixture
def sdk(tmp_path):
    """What make is given in place of an SDK that is enabled."""
    popc = tmp_path / "popc"
    popc.write_text(POPC.format(python=sys.executable, include=str(poplar.include_folder())))
    popc.chmod(0o755)
    return [
        f"POPC={popc}",
        f"CXXFLAGS=-O0 -isystem {poplar.include_folder()}",
        f"LDFLAGS=-L{poplar.library_folder()} -Wl,-z,defs",
    ]


def _make(*arguments):
    done = subprocess.run(
        ["make", "-s", "-C", str(KERNELS), *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr


def _check(folder, kernels):
    assert sorted(path.stem for path in folder.glob("*.gp")) == kernels
    ctypes.CDLL(str(folder / "libodla_ipu_kernels.so"))


def test_a_kernel_of_a_user(tmp_path, sdk):
    folder = tmp_path / "scaled_softsign"
    test_documented.write(folder)
    _make(f"FOLDER={folder}", *sdk)
    _check(folder, ["scaled_softsign"])


@pytest.mark.slow
def test_make(tmp_path, sdk):
    _make(f"OUT={tmp_path / 'out'}", *sdk)
    _check(tmp_path / "out", NAMES)


PACKAGE = """
add_library({name} INTERFACE IMPORTED GLOBAL)
target_include_directories({name} SYSTEM INTERFACE {include})
target_link_directories({name} INTERFACE {library})
"""


@pytest.mark.slow
def test_cmake(tmp_path, sdk):
    assert shutil.which("cmake")
    for name in ("popart", "poplar"):
        (tmp_path / f"{name}Config.cmake").write_text(
            PACKAGE.format(
                name=name, include=poplar.include_folder(), library=poplar.library_folder()
            )
        )
    build = str(tmp_path / "build")
    flags = [f"-DPOPC={tmp_path / 'popc'}", "-DCMAKE_CXX_FLAGS=-O0"]
    flags += [f"-D{name}_DIR={tmp_path}" for name in ("popart", "poplar")]
    for command in (["-S", str(KERNELS), "-B", build, *flags], ["--build", build, "-j2"]):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    _check(tmp_path / "build", NAMES)
