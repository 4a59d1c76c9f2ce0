"""Running a program on the simulator from many threads at once.

Runs on a device take turns.  The simulator splits each op of a run among threads, which threads
that take turns interrupt each time the turn changes; where one model is run by many threads,
computing each run in one thread, side by side, uses the CPUs better.  It costs the model's weights
once more, so it begins when threads have waited as long as loading them takes.
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

TRIES = 16
"""Runs side by side before they are judged: the first ones touch new memory."""

COST_OF_TURNS = 1.03
"""Runs of many threads that take turns, against those of one thread; measured with convolutions of
4 ms on 2 CPUs, 1.03 to 1.06."""


class ParallelRunner(Runner):
    """The session of a program on the simulator, and the same program beside it."""

    __slots__ = (
        "_alone_ns",
        "_beside",
        "_callers",
        "_changed",
        "_cpu_ns",
        "_cpus",
        "_ended",
        "_is_taken",
        "_most",
        "_mutex",
        "_places",
        "_running",
        "_size",
        "_tries",
        "_waited_ns",
    )

    def __init__(self, program: Program, device: Device):
        super().__init__(program.name, program.ops, device)
        self._size = program.size
        self._beside: Any = None
        self._cpus = self._most = 1
        self._alone_ns = 0
        """The shortest run that took its turn, with all threads of the engine; 0: none yet."""
        self._cpu_ns = 0
        """The least processor time of a run side by side; 0: none yet."""
        self._tries = 0
        self._waited_ns = 0
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
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
        from .sim.beside import Beside
        from .sim.engine import physical_cpus

        if not Beside.fits(session):
            return
        beside = Beside(session)
        self._cpus = physical_cpus()
        values = max(self._size - beside.weight_bytes, 1)
        room = max(MAX_BYTES - beside.weight_bytes, 0) // values
        self._most = min(RUNS_PER_CPU * self._cpus, room)
        if self._most > 1:
            self._places = threading.Semaphore(self._most)
            self._beside = beside

    @property
    def side_by_side(self) -> bool:
        return self._gains(self._most)

    def _gains(self, callers: int) -> bool:
        """Whether so many runs at a time are done sooner side by side."""
        return (
            self._beside is not None
            and self._alone_ns >= LONG_NS
            and (
                self._tries < TRIES
                or self._cpu_ns
                <= self._alone_ns * min(callers, self._most, self._cpus) * COST_OF_TURNS
            )
        )

    def run(self, step: Any) -> int:
        if self._alone_ns < LONG_NS or self._beside is None:
            return self._measured(step)
        with self._mutex:
            self._callers += 1
            callers = self._callers
        try:
            if callers > 1 and not RECORDERS and self._gains(callers):
                return self._run_among(step)
            return self._take_turn(step)
        finally:
            with self._mutex:
                self._callers -= 1

    def _take_turn(self, step: Any) -> int:
        with self.lock:
            self._is_taken = True
            try:
                return self._measured(step)
            finally:
                with self._mutex:
                    self._is_taken = False
                    self._ended += 1
                    self._changed.notify_all()

    def _measured(self, step: Any) -> int:
        taken = super().run(step)
        if not self._alone_ns or taken < self._alone_ns:
            self._alone_ns = taken
        return taken

    def _run_among(self, step: Any) -> int:
        beside = self._beside
        if beside.is_loaded:
            taken = self._run_beside(beside, step)
            return self._take_turn(step) if taken is None else taken
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
            with self._mutex:
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
                with self._mutex:
                    self._running -= 1
                    if not self._running:
                        self._changed.notify_all()
        if not self._cpu_ns or cpu < self._cpu_ns:
            self._cpu_ns = cpu
        self._tries += 1
        self.usage.run(taken)
        return taken

    def _let_end(self) -> None:
        """Wait for the run that has its turn: it has all CPUs, and would lose time without one."""
        ended = self._ended
        self._changed.wait_for(lambda: not self._is_taken or self._ended != ended)

    def close(self) -> None:
        """Free the sessions, when nothing runs in them."""
        with self._mutex:
            self.session = None
            self._changed.wait_for(lambda: not self._running)
        self._beside = None
