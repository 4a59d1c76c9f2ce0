"""Recording the ops that run on devices of a kind.

The simulator tells the ops one by one; the SDK writes PopART's and Poplar's own reports of what is
compiled while recording.
"""

import contextlib
from typing import Dict, Iterator, List, Tuple

from .devices import all_devices

OpEvent = Tuple[List[Tuple[str, str]], str, int, int, int]
"""Names and types of PopART ops, the engine's kernel, start, duration (ns), thread."""


def start(kind: str) -> None:
    """Record; waits until nothing runs on devices of the kind."""
    if kind == "sim":
        from odla_ipu.sim import profiling

        with _idle(kind):
            profiling.start()


def stop(kind: str) -> List[OpEvent]:
    """End recording, when nothing runs; what was seen, in order of time."""
    if kind != "sim":
        return []
    from odla_ipu.sim import profiling

    with _idle(kind):
        found = profiling.stop()
    return [
        ([(one.name, one.type) for one in event.operations], *event[1:])  # type: ignore[misc]
        for event in found
    ]


def report_options(kind: str, folder: str) -> Dict[str, str]:
    """PopART's engine options for a report in ``folder``; the simulator writes none."""
    if kind == "sim":
        return {}
    return {"autoReport.all": "true", "autoReport.directory": folder}


@contextlib.contextmanager
def _idle(kind: str) -> Iterator[None]:
    """Holds the locks of all devices of the kind, in one order for all threads."""
    with contextlib.ExitStack() as stack:
        for device in all_devices(kind):
            stack.enter_context(device.lock)
        yield
