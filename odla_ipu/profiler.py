"""What ran on a device and for how long, op by op.

::

    odla_ipu.profiler.start("sim")
    executable.run(x=array)
    trace = odla_ipu.profiler.stop("sim")
    trace.save("trace.json")  # for chrome://tracing

On the simulator every op is recorded, also of executables that were compiled before.  Where its
engine computes several ops in one go, they share an event.  On the SDK runs are recorded, and what
is compiled while recording writes PopVision's report to the folder ``reports``.
"""

import json
import os
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Union

from .binding import RECORDERS, Runner
from .device import Device, open_device, recording
from .errors import InvalidParameter

RUN = "run"
"""``Event.op`` of the run of a whole executable."""


class Event(NamedTuple):
    """Something that ran; times in microseconds, ``start`` since recording began.

    ``name`` are the ids of ODLA ops, ``op`` their names (``odla_Conv``), joined by ``+`` where they
    were computed in one go.  What the simulator's engine does besides has its own name as ``op``.
    """

    name: str
    op: str
    start: float
    duration: float
    thread: int


class Trace:
    """``events`` in order of their start; those of a run follow it."""

    def __init__(self, device: str, events: List[Event]):
        self.device = device
        self.events = events

    def to_json(self) -> str:
        """The events in Chrome's trace event format."""
        process = os.getpid()
        entries: List[Dict[str, Any]] = [
            {
                "name": "process_name",
                "ph": "M",
                "pid": process,
                "tid": 0,
                "args": {"name": f"odla_ipu {self.device}"},
            }
        ]
        entries += [
            {
                "name": event.name or event.op,
                "cat": "run" if event.op == RUN else "op",
                "ph": "X",
                "ts": round(event.start, 3),
                "dur": round(event.duration, 3),
                "pid": process,
                "tid": event.thread,
                "args": {"op": event.op},
            }
            for event in self.events
        ]
        return json.dumps({"traceEvents": entries, "displayTimeUnit": "ms"})

    def save(self, path: "Union[str, os.PathLike[str]]") -> None:
        """Write ``to_json`` to a file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.to_json())


class _Run(NamedTuple):
    runner: Runner
    start: int
    end: int
    thread: int


class _Recorder:
    """The runs of executables on devices of one kind."""

    def __init__(self, kind: str, reports: Optional[str]):
        self.kind = kind
        self.reports = reports
        self.began = time.perf_counter_ns()
        self.runs: List[_Run] = []

    def add(self, runner: Runner, start: int, end: int) -> None:
        if runner.kind == self.kind:
            self.runs.append(_Run(runner, start, end, threading.get_ident()))

    def trace(self, ops: List[recording.OpEvent]) -> Trace:
        events: List[Event] = []
        by_thread: Dict[int, List[recording.OpEvent]] = {}
        for op in ops:
            by_thread.setdefault(op[4], []).append(op)
        for run in self.runs:
            # Runs of a thread come one after the other, and so do its ops.
            mine = by_thread.get(run.thread, [])
            count = sum(1 for _ in _before(mine, run.end))
            inside, by_thread[run.thread] = mine[:count], mine[count:]
            ready = sum(op[3] for op in inside if not op[0])
            taken = run.end - run.start - ready
            events.append(
                Event(run.runner.name, RUN, self._us(run.start + ready), taken / 1e3, run.thread)
            )
            events += [self._event(op, run.runner.ops) for op in inside if op[0]]
        return Trace(self.kind, sorted(events, key=lambda one: (one.start, -one.duration)))

    def _event(self, found: recording.OpEvent, ops: Dict[str, str]) -> Event:
        operations, kernel, start, duration, thread = found
        names = dict.fromkeys(name for name, _ in operations if name)
        if kernel.startswith("Reorder"):
            kinds = {kernel: None}
        else:
            kinds = dict.fromkeys(ops.get(name, type) for name, type in operations)
        return Event("+".join(names), "+".join(kinds), self._us(start), duration / 1e3, thread)

    def _us(self, time_ns: int) -> float:
        return (time_ns - self.began) / 1e3


def _before(ops: List[recording.OpEvent], end: int) -> Any:
    for op in ops:
        if op[2] >= end:
            return
        yield op


_lock = threading.Lock()


def start(
    device: Union[str, Device, None] = None,
    reports: "Union[str, os.PathLike[str], None]" = None,
) -> None:
    """Record what runs on devices of this kind from now on.

    Waits for a run that is under way.  Raises InvalidParameter while they are recorded already.
    """
    kind = open_device(device).kind
    with _lock:
        if _recorder(kind) is not None:
            raise InvalidParameter(f"device '{kind}' is being recorded; call profiler.stop first")
        recording.start(kind)
        folder = None if reports is None else os.path.abspath(os.fsdecode(reports))
        RECORDERS.append(_Recorder(kind, folder))


def stop(device: Union[str, Device, None] = None) -> Trace:
    """End recording and return what ran; raises InvalidParameter where nothing is recorded."""
    kind = open_device(device).kind
    with _lock:
        recorder = _recorder(kind)
        if recorder is None:
            raise InvalidParameter(f"device '{kind}' is not recorded; call profiler.start first")
        ops = recording.stop(kind)
        RECORDERS.remove(recorder)
    return recorder.trace(ops)


def _recorder(kind: str) -> Optional[_Recorder]:
    return next((one for one in RECORDERS if one.kind == kind), None)
