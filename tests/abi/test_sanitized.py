"""The C++ side under AddressSanitizer and UBSan, and its handles and memory under valgrind."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from case_programs import Outcome, compiler
from lib_programs import PACKAGE

from odla_ipu.abi import build

# Enumerators that are none come from C, and are found out: GCC takes them as numbers.
FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize=enum", "-fno-sanitize-recover=undefined"]


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """A copy of the package with an instrumented library."""
    folder = tmp_path_factory.mktemp("sanitized")
    package = folder / "odla_ipu"
    ignored = shutil.ignore_patterns("__pycache__", "libodla_ipu.so")
    shutil.copytree(PACKAGE, package, ignore=ignored)
    if not (package / "kernels").exists():
        shutil.copytree(PACKAGE.parent / "kernels", package / "kernels")
    objects = folder / "objects"
    source, linker = build.write_generated(str(objects))
    command = [compiler("CXX", "c++"), "-std=c++17", "-O0", "-g1", "-fPIC", "-pthread", *FLAGS]
    command += ["-fvisibility=hidden"]
    for include in (PACKAGE / "include", PACKAGE / "abi", build.LIBRARY, objects):
        command.append(f"-I{include}")

    def compiled(path):
        target = objects / (os.path.basename(path) + ".o")
        subprocess.run([*command, "-c", path, "-o", target], check=True)
        return str(target)

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(compiled, [*build.sources(), source]))
    library = package / "abi" / "libodla_ipu.so"
    shared = [command[0], "-shared", *FLAGS, *made, "-o", str(library), *linker]
    subprocess.run(shared, check=True)
    return library


def sanitizer_library():
    compiler_path = compiler("CC", "cc")
    done = subprocess.run(
        [compiler_path, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    path = done.stdout.strip()
    if not os.path.isabs(path):
        pytest.skip("the compiler has no AddressSanitizer")
    return path


SANITIZED = [
    "compute",
    "value",
    "task",
    "memory",
    "device",
    "ops_basic",
    "ops_control_flow",
    "habits",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SANITIZED, "log", "handles"])
def test_under_sanitizers(programs, sanitized, tmp_path, name):
    done = programs.run(
        programs.build(name),
        cwd=tmp_path,
        before=["env", f"LD_PRELOAD={sanitizer_library()}"],
        LD_LIBRARY_PATH=sanitized.parent,
        PYTHONPATH=sanitized.parents[2],
        PYTHONMALLOC="malloc",
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:handle_segv=1",
        UBSAN_OPTIONS="print_stacktrace=1",
    )
    told = done.stderr[-6000:]
    assert "ERROR: AddressSanitizer" not in done.stderr, told
    assert "runtime error" not in done.stderr, told
    Outcome(done).check_all()


VALGRIND = {
    "handles": [
        "handles_are_never_used_again",
        "many_at_a_time",
        "threads_share_the_table",
        "other_kinds",
    ],
    "memory": [],
    "log": [
        "loggers_get_all_levels",
        "loggers_may_throw",
        "loggers_may_call_the_library",
        "the_default_logger_is_callable",
        "levels",
        "the_last_error_is_of_the_thread",
    ],
}


@pytest.mark.parametrize("name", sorted(VALGRIND))
def test_under_valgrind(programs, name):
    """What needs no Python: no error, and no leak."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        assert "CI" not in os.environ, "CI has no valgrind"
        pytest.skip("there is no valgrind")
    before = [valgrind, "-q", "--error-exitcode=99", "--leak-check=full"]
    before += ["--errors-for-leak-kinds=definite", "--fair-sched=yes"]
    done = programs.run(programs.build(name), *VALGRIND[name], before=before)
    lines = [line for line in done.stderr.splitlines() if line.startswith("==")]
    assert not lines, "\n".join(lines)
    Outcome(done).check_all()
