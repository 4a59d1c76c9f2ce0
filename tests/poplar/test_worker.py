"""Kernels in a process of their own."""

import os
import pathlib
import signal
import time

import numpy as np
import pytest
from built import FOLDER, library

from odla_ipu.sim import customop, poplar
from odla_ipu.sim.customop import Info
from odla_ipu.sim.poplar import worker

X = np.arange(8, dtype=np.float32)
TARGET = poplar.Target(4, 6, 1 << 20, 1e9, "ipu2")


def _mistake(which, **kwargs):
    return worker.create(
        library("mistakes", False),
        "test.ops",
        "Mistake",
        1,
        [Info(X.dtype, X.shape)],
        {"which": which},
        target=TARGET,
        **kwargs,
    )


def _run(kernel):
    y = np.ones_like(X)
    kernel.run([X], [y])
    return y


def test_results_and_errors():
    kernel = _mistake("none")
    assert kernel.outputs == [Info(X.dtype, X.shape)]
    np.testing.assert_array_equal(_run(kernel), X)
    with pytest.raises(RuntimeError, match="takes FLOAT16 only, not FLOAT"):
        _mistake("setup throws")
    with pytest.raises(RuntimeError, match="no convergence"):
        _run(_mistake("aborts"))
    np.testing.assert_array_equal(_run(kernel), X)


def test_crash_is_an_error_and_others_go_on():
    kernel, other = _mistake("crashes"), _mistake("none")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="test.ops.Mistake:1: its code crashed with SIGSEGV"):
            _run(kernel)
    np.testing.assert_array_equal(_run(other), X)


def test_endless_loop_is_stopped():
    kernel, other = _mistake("never ends", seconds=2), _mistake("none")
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="no result within 2 s; it was stopped"):
        _run(kernel)
    assert time.monotonic() - start < 30
    np.testing.assert_array_equal(_run(other), X)


def test_worker_that_was_killed_comes_back():
    kernel = _mistake("none")
    os.kill(kernel._worker._process.pid, signal.SIGKILL)
    kernel._worker._process.wait()
    np.testing.assert_array_equal(_run(kernel), X)


def test_left_out_input_and_float16():
    x = np.array([-2, 4], np.float16)
    kernel = worker.create(
        library("leaky_relu", False),
        "acme.ops",
        "LeakyRelu",
        1,
        [Info(x.dtype, x.shape), None],
        {"alpha": 0.5},
        target=TARGET,
    )
    y = np.ones_like(x)
    kernel.run([x, None], [y])
    np.testing.assert_array_equal(y, [-1, 4])


def test_a_library_that_is_loaded_isolated_serves_the_session(tmp_path):
    """Its ops are registered here, but its code is not in this process."""
    path = poplar.build(FOLDER / "leaky_relu", flags=["-DISOLATED"])
    assert poplar.load_isolated(path, seconds=30) == [("acme.ops", "LeakyRelu", 1)]
    try:
        create = customop.lookup("acme.ops", "LeakyRelu", 1)
        kernel = create([Info(X.dtype, X.shape)], {"alpha": 0.5})
        y = np.empty_like(X)
        kernel.run([-X], [y])
        np.testing.assert_array_equal(y, -X / 2)
        assert str(path) not in pathlib.Path("/proc/self/maps").read_text()
    finally:
        del customop._creates["acme.ops", "LeakyRelu", 1]
    (tmp_path / "no.so").write_bytes(b"not a library")
    with pytest.raises(RuntimeError, match="no.so cannot be loaded"):
        poplar.load_isolated(tmp_path / "no.so")
