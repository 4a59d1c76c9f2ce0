"""Arrays bound to an executable: what a run moves is settled once, when they are bound."""

from time import perf_counter_ns as _clock
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .device import Device, translate
from .errors import InvalidParameter

if TYPE_CHECKING:
    from .executable import Executable, Feed, Fetch
    from .graph import Storage


Shapes = Dict[int, Tuple[int, ...]]
"""Shapes of outputs by their place."""


RECORDERS: List[Any] = []
"""Those of the profiler that record now: ``add`` takes each run."""


class Runner:
    """What runs steps of one program: its session, under the lock of the device.

    ``kind`` is that of the device, ``ops`` the names of ODLA ops by id.
    """

    __slots__ = ("kind", "lock", "name", "ops", "popart", "session", "usage")

    def __init__(self, name: str, ops: Dict[str, str], device: Device):
        self.name = name
        self.ops = ops
        self.kind = device.kind
        self.popart = device.popart
        self.lock = device.lock
        self.usage = device.usage
        self.session: Any = None

    def open(self, session: Any) -> None:
        """Run steps in a session, which is prepared; the device is locked."""
        self.session = session

    def refresh(self, values: "List[Storage]") -> None:
        """Have host memory hold the newest numbers of variables before they are fed."""
        for value in values:
            if value.newer is not None:
                value.fetch()

    def step(self, read: Dict[str, np.ndarray], written: Dict[str, np.ndarray]) -> Any:
        """PopART's step IO of arrays by tensor id."""
        return self.popart.PyStepIO(read, written)

    @property
    def side_by_side(self) -> bool:
        """Whether threads gain when they all call ``run`` and do not wait for each other."""
        return False

    def run(self, step: Any) -> int:
        """Run a step when it is its turn; the nanoseconds that it took, without waiting."""
        with self.lock:
            session = self.session
            start = _clock()
            try:
                session.run(step)
            except Exception as error:
                if session is None:
                    raise self.closed() from None
                raise translate(error, f"running '{self.name}'") from error
            end = _clock()
            self.usage.busy_ns += end - start
            for recorder in RECORDERS:
                recorder.add(self, start, end)
            return end - start

    def close(self) -> None:
        """Free the session, when nothing runs in it."""
        with self.lock:
            self.session = None

    def closed(self) -> InvalidParameter:
        return InvalidParameter(f"'{self.name}' is closed; compile it again")


class Binding:
    """The arrays that an executable reads and writes at every run; ``Executable.bind`` makes it.

    Arrays of the device's type are read and written in place, others converted at each run.  Not
    for several threads at once.
    """

    __slots__ = ("_after", "_before", "_counts", "_runner", "_shown", "_step", "_values", "owner")

    def __init__(
        self,
        executable: "Executable",
        inputs: Sequence[np.ndarray],
        outputs: Sequence[Optional[np.ndarray]],
    ):
        self._runner = executable.runner
        self.owner: Optional[Executable] = None
        """What must live as long as this."""
        self._before: List[Tuple[Feed, np.ndarray, np.ndarray]] = []
        """Conversions: from the second to the third."""
        self._after: List[Tuple[np.ndarray, np.ndarray]] = []
        """Copies: to the first, from the second."""
        self._counts: List[Tuple[int, Fetch, np.ndarray, Optional[np.ndarray]]] = []
        """Outputs with their place, where their size is written, and their array."""
        read: Dict[str, np.ndarray] = {}
        written: Dict[str, np.ndarray] = {}
        self._values = list(executable.values.values())
        """What a training program may have newer numbers of."""
        self._shown = bool(self._values) and any(
            fetch.source in executable.values for fetch in executable.fetches
        )
        fed = [(feed, executable.values[feed.name].fetch()) for feed in executable.variable_feeds]
        for feed, array in [*zip(executable.feeds, inputs), *fed]:
            if feed.staged is not None:
                staged = np.empty(feed.staged, feed.device_type.dtype)
                self._before.append((feed, array, staged))
                read[feed.tensor] = staged
            elif feed.tensor:
                read[feed.tensor] = array
        for place, (fetch, target) in enumerate(zip(executable.fetches, outputs)):
            if not fetch.tensor:
                if target is not None:
                    self._after.append((target, executable.known(fetch, inputs)))
                continue
            staged = written.get(fetch.tensor)  # type: ignore[assignment]
            if staged is None:
                in_place = target is not None and not fetch.converts
                staged = target if in_place else np.empty(fetch.dims, fetch.device_dtype)  # type: ignore[assignment]
                written[fetch.tensor] = staged
            if fetch.counter:
                if fetch.counter not in written:
                    written[fetch.counter] = np.empty(1, np.int32)
                self._counts.append((place, fetch, written[fetch.counter], target))
            if target is not None and target is not staged:
                self._after.append((target, staged))
        self._step: Any = executable.runner.step(read, written) if written else None

    def run(self) -> Optional[Shapes]:
        """Run once; returns what ``run_into`` does.

        Raises InvalidParameter when the executable is closed, and the device's errors.
        """
        if self._values:
            self._runner.refresh(self._values)
        for feed, array, staged in self._before:
            np.copyto(staged, feed.converted(array))
        if self._step is not None:
            self._runner.run(self._step)
        if self._shown:
            for value in self._values:
                value.fetch()
        if self._after:
            with np.errstate(all="ignore"):
                for target, source in self._after:
                    np.copyto(target, source, casting="unsafe")
        return self._sized() if self._counts else None

    def _sized(self) -> Shapes:
        """The shapes of counted outputs, after their elements are moved together."""
        shapes = {}
        for place, fetch, counter, target in self._counts:
            before, after = fetch.dims[: fetch.axis], fetch.dims[fetch.axis + 1 :]
            count = int(counter[0])
            shape = shapes[place] = (*before, count, *after)
            if target is not None and fetch.axis:
                kept = target[(*(slice(None) for _ in before), slice(count))].copy()
                target.reshape(-1)[: kept.size].reshape(shape)[...] = kept
        return shapes
