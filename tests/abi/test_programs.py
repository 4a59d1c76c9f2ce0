"""Every function, used as meant and misused, by programs with one source file for each header."""

import pytest
from case_programs import cases

NAMES = [
    "compute",
    "value",
    "device",
    "log",
    "memory",
    "handles",
    "profiler",
    "task",
    "training",
    "ops_basic",
    "ops_control_flow",
    "habits",
    "stress",
]


@pytest.mark.parametrize("name, case", list(cases(*NAMES)))
def test_case(programs, name, case):
    programs.outcome(name).check(case)


@pytest.mark.parametrize("name", NAMES)
def test_program_ends_well(programs, name):
    programs.outcome(name).check_all()
