"""Runs of one session side by side, each on the CPU of the thread that asks for it.

PopART's sessions run one step at a time, and so do those of the stand-in.  Threads that run the
same model at the same time get more of the CPUs when each computes alone, without the threads that
an op is otherwise split among: this is for them, and not part of PopART.
"""

import threading
import weakref
from typing import Any, Tuple

from .engine import Engine, physical_cpus
from .session_base import Session
from .stepio import PyStepIO


class Beside:
    """A session's model, loaded once more.  Safe to use from many threads.

    It must not outlive the session, nor be used where that gets other weights.
    """

    def __init__(self, session: Session):
        """``session`` is prepared and ``fits``."""
        self._streams = session._streams
        self._engine: Any = session._engine
        self._bindings: weakref.WeakKeyDictionary[PyStepIO, Tuple[Any, Any]] = (
            weakref.WeakKeyDictionary()
        )
        self._session: Any = None

    @staticmethod
    def fits(session: Session) -> bool:
        """Whether a step is nothing but one run of one model without a state."""
        engine = session._engine
        return type(engine) is Engine and engine.is_plain and session._steps.total == 1

    @property
    def cpus(self) -> int:
        """So many runs can be computed at a time."""
        return physical_cpus()

    @property
    def load_ns(self) -> int:
        """About what ``load`` takes."""
        return int(self._engine.load_ns)

    @property
    def weight_bytes(self) -> int:
        """What a loaded model takes at least."""
        return int(self._engine.weight_bytes)

    @property
    def is_loaded(self) -> bool:
        return self._session is not None

    def load(self) -> None:
        """Get ready to run; raises popart_internal_exception."""
        self._session = self._engine.one_thread_session()

    def run(self, step: PyStepIO) -> bool:
        """Run a step whose arrays fit as they are; False, and nothing is done, if they do not.

        Raises popart_runtime_error.
        """
        found = self._bindings.get(step)
        if found is None:
            places = self._streams.places(step)
            if places is None:
                return False
            binding = self._session.io_binding()._iobinding
            for place in places:
                self._engine.bind_in(binding, *place)
            found = self._bindings[step] = binding, threading.Lock()
        binding, lock = found
        with lock:
            self._engine.run_bound(self._session._sess, binding)
        return True
