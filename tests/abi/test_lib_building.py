"""What builds find: ``odla-ipu config``, the pkg-config file, the CMake package, the exports."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import venv

import lib_programs as programs
import pytest
from click.testing import CliRunner

from odla_ipu.cli import main
from odla_ipu.version import VERSION

RELU = r"""
#include <ODLA/odla.h>
#include <stdio.h>

int main(void) {
  odla_value_type type = {ODLA_FLOAT32, {1, {3}}};
  odla_computation computation;
  odla_context context;
  float x[3] = {-1, 0.5f, 2}, y[3] = {9, 9, 9};
  odla_CreateComputation(&computation);
  odla_SetValueAsOutput(odla_Relu(odla_CreateArgument(type, (odla_value_id) "x"),
                                  (odla_value_id) "y"));
  odla_CreateContext(&context);
  odla_BindToArgumentById((odla_value_id) "x", x, context);
  odla_BindToOutputById((odla_value_id) "y", y, context);
  odla_status status =
      odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, NULL);
  printf("%g %g %g\n", y[0], y[1], y[2]);
  return status;
}
"""


def config(*options):
    done = CliRunner().invoke(main, ["config", *options])
    assert done.exit_code == 0, done.output
    return done.output.rstrip("\n")


def tool(name):
    found = shutil.which(name, path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    assert found, f"the tests of builds need {name}"
    return found


def check(program):
    assert programs.run(program, LD_LIBRARY_PATH=None).stdout == "0 0.5 2\n"


def test_flags(tmp_path):
    flags = shlex.split(config("--cflags", "--ldflags"))
    assert pathlib.Path(config("--include"), "ODLA", "odla.h").is_file()
    assert pathlib.Path(config("--libdir"), "libodla_ipu.so").is_file()
    check(programs.build(tmp_path, RELU, flags=flags))


def pkg_config(*arguments):
    environment = {**os.environ, "PKG_CONFIG_PATH": config("--pkgconfig-dir")}
    return subprocess.run(
        [tool("pkg-config"), *arguments, "odla_ipu"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout.strip()


def test_pkg_config(tmp_path):
    assert pkg_config("--modversion") == VERSION
    check(programs.build(tmp_path, RELU, flags=shlex.split(pkg_config("--cflags", "--libs"))))


LISTS = """
cmake_minimum_required(VERSION 3.10)
project(user C)
find_package(ODLA_IPU 0.1 REQUIRED)
if(NOT ODLA_IPU_VERSION STREQUAL "%s")
  message(FATAL_ERROR "version ${ODLA_IPU_VERSION}")
endif()
add_executable(user user.c)
target_link_libraries(user ODLA_IPU::odla_ipu)
"""


def cmake(folder, *arguments):
    return subprocess.run([tool("cmake"), *arguments], cwd=folder, capture_output=True, text=True)


def test_cmake(tmp_path):
    (tmp_path / "user.c").write_text(RELU)
    (tmp_path / "CMakeLists.txt").write_text(LISTS % VERSION)
    made = cmake(tmp_path, "-S", ".", "-B", "build", f"-DODLA_IPU_DIR={config('--cmake-dir')}")
    assert made.returncode == 0, made.stdout + made.stderr
    made = cmake(tmp_path, "--build", "build")
    assert made.returncode == 0, made.stdout + made.stderr
    check(tmp_path / "build" / "user")
    (tmp_path / "CMakeLists.txt").write_text((LISTS % VERSION).replace(" 0.1 ", " 99 "))
    made = cmake(tmp_path, "-S", ".", "-B", "other", f"-DODLA_IPU_DIR={config('--cmake-dir')}")
    assert made.returncode != 0 and "99" in made.stderr


def test_exports():
    """The functions of the headers, those of C++ that the predecessor has, and nothing else."""
    declared = set()
    for path in programs.INCLUDE.rglob("*.h"):
        declared |= set(re.findall(r"ODLA_API_CALL\s+(\w+)\s*\(", path.read_text()))
    found = programs.exports()
    mangled = {name for name in found if name.startswith("_Z")}
    assert found - mangled == declared
    plain = subprocess.run(
        ["c++filt", *mangled], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert sorted(name.partition("(")[0] for name in plain if name) == [
        "odla_CreateExecutable",
        "odla_LoadExecutable",
        "odla_StoreExecutable",
    ]


@pytest.mark.slow
def test_an_installed_wheel(tmp_path):
    """Built, installed into a fresh environment, and used with an empty PATH."""
    root = programs.PACKAGE.parent
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(root)],
        check=True,
    )
    (wheel,) = tmp_path.glob("odla_ipu-*.whl")
    venv.create(tmp_path / "new", with_pip=True)
    python = tmp_path / "new" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", str(wheel)], check=True)

    def asked(*options):
        command = [str(tmp_path / "new" / "bin" / "odla-ipu"), "config", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    for option in ("--include", "--libdir", "--pkgconfig-dir", "--cmake-dir"):
        assert asked(option).startswith(str(tmp_path)), option
        assert os.listdir(asked(option)), option
    flags = shlex.split(asked("--cflags", "--ldflags"))
    program = programs.build(tmp_path, RELU, flags=flags)
    assert programs.run(program, PATH="").stdout == "0 0.5 2\n"
