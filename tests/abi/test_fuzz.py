"""Random and hostile calls in a process of their own; see ``fuzz.py``."""

import subprocess
import sys

import pytest
from case_programs import HERE, environment

FAILED = {
    1: 1000,
    2: 1500,
}
"""Seeds that found a fault, and calls up to it."""

TIME = 3600


def survives(library, folder, seed, count):
    done = subprocess.run(
        [sys.executable, str(HERE / "fuzz.py"), str(library), str(seed), str(count)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        timeout=TIME,
        env=environment(),
    )
    told = [line for line in done.stderr.splitlines() if not line.startswith("odla_ipu:0")]
    call = (folder / "call").read_bytes().decode().strip() if (folder / "call").exists() else ""
    assert done.returncode == 0, f"{done.returncode} at {call}\n" + "\n".join(told[-60:])
    assert told[-1].startswith("survived"), told[-1]


@pytest.mark.parametrize("seed", sorted(FAILED))
def test_seeds_that_failed(library, tmp_path, seed):
    survives(library, tmp_path, seed, FAILED[seed])


def test_a_thousand_steps(library, tmp_path):
    survives(library, tmp_path, 1000, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2000, 2020))
def test_a_hundred_thousand_steps(library, tmp_path, seed):
    survives(library, tmp_path, seed, 5000)
