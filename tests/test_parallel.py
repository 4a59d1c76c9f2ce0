"""Runs of one executable on many threads at once, side by side on the simulator."""

import threading

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu import parallel
from odla_ipu.errors import InvalidParameter
from odla_ipu.sim.beside import Beside

THREADS = 8
RUNS = 25


@pytest.fixture
def eager(monkeypatch):
    """Runs of any length go side by side as soon as two threads want one."""
    monkeypatch.setattr(parallel, "LONG_NS", 0)
    monkeypatch.setattr(parallel, "TRIES", 1 << 60)
    monkeypatch.setattr(Beside, "load_ns", 0)


def at_once(work, threads=THREADS):
    """``work(number)`` on threads that begin together; what they raised."""
    ready, raised = threading.Barrier(threads), []

    def body(number):
        ready.wait()
        try:
            work(number)
        except Exception as error:
            raised.append(error)

    all_ = [threading.Thread(target=body, args=(number,)) for number in range(threads)]
    for thread in all_:
        thread.start()
    for thread in all_:
        thread.join()
    return raised


def gemm():
    w = np.arange(256 * 256, dtype="f4").reshape(256, 256) % 5 - 2
    with odla.Computation() as c:
        odla.output(odla.gemm(odla.argument("x", (64, 256)), w), "y")
    return c, (64, 256), lambda x: x @ w


def small():
    with odla.Computation() as c:
        x = odla.argument("x", (2, 3))
        odla.output(odla.add(x, x), "y")
    return c, (2, 3), lambda x: 2 * x


def conv():
    w = np.arange(8 * 8 * 9, dtype="f4").reshape(8, 8, 3, 3) % 3 - 1
    with odla.Computation() as c:
        odla.output(odla.conv(odla.argument("x", (1, 8, 34, 31)), w), "y")

    def expected(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, w)

    return c, (1, 8, 34, 31), expected


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("make", [gemm, small, conv])
@pytest.mark.parametrize("way", ["bind", "run_into", "run"])
def test_results(eager, make, way, precision):
    """Small integers, so that every order of summing gives the same, in fp16 too."""
    computation, shape, expected = make()
    with computation.compile("sim", precision=precision) as executable:

        def work(number):
            x = np.empty(shape, "f4")
            y = np.empty(executable.outputs["y"].dims, "f4")
            bound = executable.bind([x], [y])
            for run in range(RUNS):
                x[:] = np.arange(x.size).reshape(shape) % 3 - 1
                x.reshape(-1)[0] = number + run
                if way == "run":
                    y = executable.run(x=x)["y"]
                elif way == "run_into":
                    executable.run_into([x], [y])
                else:
                    bound.run()
                np.testing.assert_array_equal(y, expected(x))

        # Who is alone has nobody beside it: threads of short runs may miss each other.
        for _ in range(20):
            assert at_once(work) == []
            if executable.runner._tries:
                break
        assert executable.runner.side_by_side and executable.runner._tries


def test_failing_run_fails_alone(eager):
    with odla.Computation() as c:
        data = odla.argument("data", (500, 300))
        rows = odla.argument("rows", (400,), "int32")
        odla.output(odla.gather(data, rows, axis=0), "y")
    with c.compile("sim") as executable:
        data = np.random.default_rng(0).normal(size=(500, 300)).astype("f4")

        def work(number):
            rows = np.full(400, number, "i4")
            bad = number % 2 == 1
            if bad:
                rows[7] = 1000 + number
            for _ in range(RUNS):
                if bad:
                    with pytest.raises(InvalidParameter, match="An index is out of range"):
                        executable.run(data=data, rows=rows)
                else:
                    got = executable.run(data=data, rows=rows)["y"]
                    np.testing.assert_array_equal(got, data[rows])

        assert at_once(work) == []


def test_output_on_an_input_takes_its_turn(eager):
    shape = 64, 256
    with odla.Computation() as c:
        x = odla.argument("x", shape)
        odla.output(odla.neg(odla.add(x, np.float32(1))), "y")
    with c.compile("sim") as executable:

        def work(number):
            x = np.full(shape, number, "f4")
            bound = executable.bind([x], [x])
            for _ in range(2 * RUNS):
                bound.run()
                bound.run()  # -(-(x + 1) + 1) is x
            np.testing.assert_array_equal(x, np.full(shape, number, "f4"))

        assert at_once(work) == []
        assert executable.runner._tries == 0


def test_one_binding_on_two_threads(eager):
    """Not meant, but only the numbers may suffer."""
    computation, shape, _ = gemm()
    with computation.compile("sim") as executable:
        x = np.ones(shape, "f4")
        bound = executable.bind([x], [np.empty(shape, "f4")])
        assert at_once(lambda number: [bound.run() for _ in range(RUNS)]) == []


def test_closed_while_it_runs(eager):
    computation, shape, expected = gemm()
    for _ in range(5):
        executable = computation.compile("sim")
        x = np.ones(shape, "f4")
        started = threading.Semaphore(0)

        def work(number, executable=executable, x=x, started=started):
            if number == 0:
                for _ in range(40):
                    started.acquire()
                executable.close()
                return
            y = np.empty(shape, "f4")
            bound = executable.bind([x], [y])
            while True:
                bound.run()
                np.testing.assert_array_equal(y, expected(x))
                started.release()

        raised = at_once(work)
        assert [type(error) for error in raised] == [InvalidParameter] * (THREADS - 1)
        assert all("is closed; compile it again" in str(error) for error in raised)


def test_too_large_for_a_second_time(eager, monkeypatch):
    monkeypatch.setattr(parallel, "MAX_BYTES", 1 << 18)  # the weights are as large
    computation, shape, expected = gemm()
    with computation.compile("sim") as executable:
        check_turns(executable, shape, expected)


def test_that_cannot_be_loaded_a_second_time(eager, monkeypatch):
    def load(self):
        raise MemoryError

    monkeypatch.setattr(Beside, "load", load)
    computation, shape, expected = gemm()
    with computation.compile("sim") as executable:
        check_turns(executable, shape, expected)


def check_turns(executable, shape, expected):
    x = np.ones(shape, "f4")
    y = expected(x)

    def work(number):
        for _ in range(RUNS):
            np.testing.assert_array_equal(executable.run(x=x)["y"], y)

    assert at_once(work) == []
    assert executable.runner._tries == 0 and not executable.runner.side_by_side


def test_that_gains_nothing(eager, monkeypatch):
    """Side by side is slower, so after some tries threads take turns."""
    monkeypatch.setattr(parallel, "TRIES", 4)
    monkeypatch.setattr(parallel, "COST_OF_TURNS", 0)
    computation, shape, expected = gemm()
    with computation.compile("sim") as executable:
        x = np.ones(shape, "f4")
        assert at_once(lambda number: [executable.run(x=x) for _ in range(RUNS)]) == []
        assert executable.runner._tries <= 4 + THREADS
        np.testing.assert_array_equal(executable.run(x=x)["y"], expected(x))


def test_short_runs_take_turns():
    computation, shape, _ = small()
    with computation.compile("sim") as executable:
        x = np.ones(shape, "f4")
        assert at_once(lambda number: [executable.run(x=x) for _ in range(RUNS)]) == []
        assert executable.runner._tries == 0 and not executable.runner.side_by_side


def test_programs_with_variables_take_turns(eager):
    with odla.Computation() as c:
        v = odla.variable((2, 3))
        odla.output(odla.add(odla.argument("x", (2, 3)), v), "y")
    with c.compile("sim") as executable:
        v.set(np.full((2, 3), 2, "f4"))

        def work(number):
            x = np.full((2, 3), number, "f4")
            for _ in range(RUNS):
                assert (executable.run(x=x)["y"] == number + 2).all()

        assert at_once(work) == []
        assert not executable.runner.side_by_side


def test_all_runs_are_recorded(eager):
    computation, shape, _ = gemm()
    with computation.compile("sim") as executable:
        x = np.ones(shape, "f4")
        assert at_once(lambda number: [executable.run(x=x) for _ in range(RUNS)]) == []
        odla.profiler.start("sim")
        try:
            assert at_once(lambda number: [executable.run(x=x) for _ in range(3)]) == []
        finally:
            trace = odla.profiler.stop("sim")
    assert sum(event.op == "run" for event in trace.events) == 3 * THREADS


def test_busy_time_counts_all_runs(eager):
    computation, shape, _ = gemm()
    with computation.compile("sim") as executable:
        x = np.ones(shape, "f4")
        device = executable._device
        device.information()
        assert at_once(lambda number: [executable.run(x=x) for _ in range(RUNS)]) == []
        assert 0 < device.information().processor_utilisation <= 1
