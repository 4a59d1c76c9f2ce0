"""Programs in C and C++ against the library: built once a session, run once, asked case by case."""

import os
import pathlib
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from lib_programs import PACKAGE

HERE = pathlib.Path(__file__).parent
SOURCES = HERE / "programs"
TIME = 300
"""Seconds after which a program hangs."""


def cases(*names):
    """(program, case) of the programs, for ``parametrize``."""
    for name in names:
        for case in re.findall(r"^CASE\((\w+)\)", source_of(name).read_text(), re.MULTILINE):
            yield pytest.param(name, case, id=f"{name}-{case}")


def source_of(name):
    (found,) = (path for path in SOURCES.glob(f"{name}.c*"))
    return found


def compiler(name, default):
    found = shutil.which(os.environ.get(name, default))
    if found is None:
        assert "CI" not in os.environ, "CI has no compiler"
        pytest.skip("there is no compiler")
    return found


def environment(**more):
    """Ours, on the simulator, less what others have set for Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept = {name: value for name, value in kept.items() if not name.startswith("ODLA_")}
    return {**kept, "ODLA_IPU_DEVICE": "sim", **more}


class Outcome:
    """What a run of a program told: failures by case."""

    def __init__(self, done):
        self.done = done
        self.failures = {}
        self.cases = set(re.findall(r"^done (\w+)$", done.stdout, re.MULTILINE))
        for case, what in re.findall(r"^fail (\w+): (.*)$", done.stdout, re.MULTILINE):
            self.failures.setdefault(case, []).append(what)

    def check(self, case):
        assert not self.failures.get(case), "\n".join(self.failures[case])
        assert case in self.cases, (
            f"no end of the case; exit status {self.done.returncode}\n"
            f"{self.done.stdout[-1000:]}\n{self.done.stderr[-4000:]}"
        )

    def check_all(self):
        """Every case, and how the program ended."""
        told = "\n".join(what for listed in self.failures.values() for what in listed)
        assert not self.failures, told
        assert self.done.returncode == 0, f"{self.done.returncode}\n{self.done.stderr[-4000:]}"


class Programs:
    def __init__(self, folder):
        self.folder = folder
        self._built = {}
        self._outcomes = {}

    def build(self, name, source=None, link=True, flags=()):
        """The path of a program, compiled without a warning."""
        if name in self._built:
            return self._built[name]
        source = pathlib.Path(source or source_of(name))
        target = self.folder / name
        is_c = source.suffix == ".c"
        command = [compiler("CC", "cc") if is_c else compiler("CXX", "c++")]
        command += ["-std=c99" if is_c else "-std=c++11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra"]
        command += ["-Werror", f"-I{PACKAGE / 'include'}", f"-I{SOURCES}", str(source)]
        command += ["-o", str(target), "-pthread", "-lm", "-ldl", *flags]
        if link:
            command += [f"-L{PACKAGE / 'abi'}", "-lodla_ipu", f"-Wl,-rpath,{PACKAGE / 'abi'}"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self._built[name] = target
        return target

    def build_all(self, names):
        """Several at once."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self.build, names))

    def run(self, path, *arguments, before=(), cwd=None, env=None, **more):
        """Run a program; ``more`` is for its environment."""
        return subprocess.run(
            [*before, str(path), *map(str, arguments)],
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TIME,
            cwd=cwd or self.folder,
            env=environment(**more) if env is None else env,
        )

    def outcome(self, name):
        """The one run of all the cases of a program."""
        if name not in self._outcomes:
            self._outcomes[name] = self.run_cases(self.build(name))
        return self._outcomes[name]

    def run_cases(self, path, *names, **options):
        return Outcome(self.run(path, *names, **options))
