"""Building and running programs that use the C library."""

import os
import pathlib
import re
import subprocess

import odla_ipu

PACKAGE = pathlib.Path(odla_ipu.__file__).parent
LIBRARY = PACKAGE / "abi"
INCLUDE = PACKAGE / "include"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def build(folder, source, *, language="c", name="program", flags=None):
    """Compile a program from source text; gives its path."""
    path = folder / f"{name}.{'cpp' if language == 'c++' else 'c'}"
    path.write_text(source)
    if flags is None:
        flags = [f"-I{INCLUDE}", f"-L{LIBRARY}", "-lodla_ipu", f"-Wl,-rpath,{LIBRARY}"]
    compiler = ["g++", "-std=c++11"] if language == "c++" else ["gcc", "-std=c99"]
    command = [*compiler, *WARNINGS, "-g", "-o", str(folder / name), str(path), *flags, "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / name


def run(program, *arguments, cwd=None, **environment):
    """Run a program on the simulator, in an environment without this Python's; it must succeed."""
    names = ("HOME", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS")
    given = {name: os.environ[name] for name in names if name in os.environ}
    given.update(ODLA_IPU_DEVICE="sim", OMP_NUM_THREADS="1")
    given.update(environment)
    given = {name: str(text) for name, text in given.items() if text is not None}
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=given,
        cwd=cwd,
        timeout=240,
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-4000:])
    return done


def exports():
    """The names that libodla_ipu.so exports."""
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(LIBRARY / "libodla_ipu.so")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(re.findall(r"^\S+ T (\S+)$", listed, re.M))
