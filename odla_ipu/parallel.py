"""Running a program from many threads at once.

Runs on a device take turns, on the SDK always.  The simulator splits each op of a run among threads
of its engine, which lose their CPUs to callers that wait for a turn; where many threads run one
program, computing each run in one thread, side by side, uses the CPUs better.  It costs the model's
weights once more, so it begins when threads have waited as long as loading them takes.
"""

import threading
from time import perf_counter_ns as _clock
from time import thread_time_ns
from typing import Any, Optional

from .binding import RECORDERS, Runner
from .device import Device, translate
from .program import Program

LONG_NS = 500_000
"""Shorter runs take turns: what they could gain, they would lose on the way."""

MAX_BYTES = 256 << 20
"""What runs side by side may take beyond what the session has: weights, and values of each run."""

RUNS_PER_CPU = 4
"""That many are under way at a time: one that waits for its thread leaves no CPU idle."""

TRIES = 64
"""Runs side by side before they are judged: the first ones touch new memory, and the least time of
a few is more than that of many."""

COST_OF_TURNS = 1.05
"""Runs of many threads that take turns, against those of one thread; measured with convolutions of
4 ms and matrix products of 1 ms on 2 CPUs, 1.03 to 1.08."""


class ParallelRunner(Runner):
    """The session of a program and, where the device can do that, the same program beside it."""

    __slots__ = (
        "_alone_ns",
        "_beside",
        "_callers",
        "_changed",
        "_cpu_ns",
        "_cpus",
        "_device",
        "_ended",
        "_is_taken",
        "_most",
        "_places",
        "_running",
        "_size",
        "_tries",
        "_waited_ns",
    )

    def __init__(self, program: Program, device: Device):
        super().__init__(program.name, program.ops, device)
        self._device = device
        self._size = program.size
        self._beside: Any = None
        self._cpus = self._most = 1
        self._alone_ns = 0
        """The shortest run that took its turn, with all threads of the engine; 0: none yet."""
        self._cpu_ns = 0
        """The least processor time of a run side by side; 0: none yet."""
        self._tries = 0
        self._waited_ns = 0
        self._changed = threading.Condition(threading.Lock())
        self._callers = 0
        """Threads that are in ``run`` now."""
        self._running = 0
        """Those of them that run side by side."""
        self._is_taken = False
        """Whether a run that takes its turn is under way."""
        self._ended = 0
        """Count of such runs."""
        self._places = threading.Semaphore(0)
        """For runs side by side."""

    def open(self, session: Any) -> None:
        super().open(session)
        beside = self._device.beside(session)
        if beside is None:
            return
        self._cpus = beside.cpus
        values = max(self._size - beside.weight_bytes, 1)
        room = max(MAX_BYTES - beside.weight_bytes, 0) // values
        self._most = min(RUNS_PER_CPU * self._cpus, room)
        if self._most > 1:
            self._places = threading.Semaphore(self._most)
            self._beside = beside

    @property
    def side_by_side(self) -> bool:
        return self._alone_ns >= LONG_NS and self._beside is not None and self._gains(self._most)

    def _gains(self, callers: int) -> bool:
        """Whether so many runs at a time are done sooner side by side, as far as is known."""
        at_a_time = min(callers, self._most, self._cpus)
        return self._tries < TRIES or self._cpu_ns <= self._alone_ns * at_a_time * COST_OF_TURNS

    # Who waits for the device holds no lock of this, and who has locked the device takes none: the
    # device is also locked to free what garbage collection finds, which may begin anywhere.

    def run(self, step: Any) -> int:
        """As ``Runner.run``; where ``side_by_side``, the device must not be locked."""
        if not self.side_by_side:
            return self._measured(step)
        with self._changed:
            self._callers += 1
            callers = self._callers
        try:
            beside = self._beside
            if callers == 1 or beside is None or RECORDERS or not self._gains(callers):
                return self._take_turn(step)
            if beside.is_loaded:
                taken = self._run_beside(beside, step)
                return self._take_turn(step) if taken is None else taken
            return self._wait_and_load(beside, step)
        finally:
            with self._changed:
                self._callers -= 1
                self._changed.notify_all()

    def _take_turn(self, step: Any) -> int:
        with self.lock:
            self._is_taken = True
            try:
                return self._measured(step)
            finally:
                self._is_taken = False
                self._ended += 1

    def _measured(self, step: Any) -> int:
        taken = super().run(step)
        if not self._alone_ns or taken < self._alone_ns:
            self._alone_ns = taken
        return taken

    def _wait_and_load(self, beside: Any, step: Any) -> int:
        """Take a turn, and load what runs side by side if threads have waited long enough."""
        arrived = _clock()
        with self.lock:
            self._waited_ns += _clock() - arrived
            if self._waited_ns >= beside.load_ns and self.session is not None:
                self._load(beside)
            return self._take_turn(step)

    def _load(self, beside: Any) -> None:
        if beside.is_loaded:
            return
        try:
            beside.load()
        except Exception:
            # Without it, most likely for want of memory, runs take turns as before.
            self._beside = None

    def _run_beside(self, beside: Any, step: Any) -> Optional[int]:
        """The nanoseconds that the run took; None where the step has to take its turn."""
        with self._places:
            with self._changed:
                self._let_end()
                if self.session is None:
                    raise self.closed()
                self._running += 1
            try:
                start, cpu = _clock(), thread_time_ns()
                if not beside.run(step):
                    return None
                cpu, taken = thread_time_ns() - cpu, _clock() - start
            except Exception as error:
                raise translate(error, f"running '{self.name}'") from error
            finally:
                with self._changed:
                    self._running -= 1
        if not self._cpu_ns or cpu < self._cpu_ns:
            self._cpu_ns = cpu
        self._tries += 1
        self.usage.run_beside(taken)
        return taken

    def _let_end(self) -> None:
        """Wait for the run that has its turn: it has all CPUs, and would lose time without one."""
        ended = self._ended
        self._changed.wait_for(lambda: not self._is_taken or self._ended != ended)

    def close(self) -> None:
        super().close()
        with self._changed:
            self._changed.wait_for(lambda: not self._running)
        self._beside = None
