"""All ops through C: results against the references of ``tests/reference``, and wrong arguments."""

import numpy as np
import op_calls
import pytest

from odla_ipu.abi import build

ROWS = 3
"""Samples of each op that C calls."""


class Calls:
    def __init__(self, programs, most, name):
        self.rows = op_calls.rows(most)
        folder = programs.folder / name
        folder.mkdir()
        source = folder / "calls.c"
        source.write_text(op_calls.source(self.rows))
        (folder / "operands").write_bytes(op_calls.operands(self.rows))
        self.outcome = programs.run_cases(programs.build(f"{name}/calls", source), cwd=folder)
        self.outcome.check("calls_of_ops")
        self.results = op_calls.results((folder / "results").read_bytes(), self.rows)

    def check(self, names=None):
        for row, got in zip(self.rows, self.results):
            if names is None or row.name in names:
                check(row, got)


def check(row, got):
    told = f"{row.call()} of {row.sample}"
    assert not isinstance(got, str), f"{got}\n{told}"
    assert len(got) == len(row.expected), told
    for result, wanted in zip(got, row.expected):
        assert result.shape == np.shape(wanted), told
        np.testing.assert_allclose(
            result, wanted, rtol=row.sample.rtol, atol=row.sample.atol, err_msg=told
        )


@pytest.fixture(scope="session")
def calls(programs):
    return Calls(programs, ROWS, "ops")


@pytest.mark.parametrize("name", sorted(op_calls.PROTOTYPES))
def test_op(calls, name):
    assert any(row.name == name for row in calls.rows), "there is no sample"
    calls.check({name})


def test_misuse(calls):
    calls.outcome.check("misuse_of_ops")


def test_all_ops_are_called(calls):
    assert {row.name for row in calls.rows} == {one.name for one in build.op_prototypes()}
    assert len(op_calls.PROTOTYPES) == 129


@pytest.mark.slow
def test_all_samples(programs):
    Calls(programs, 10000, "all_ops").check()
