"""One measurement: how fast a subject ran, how right it was, and under which conditions."""

import dataclasses
import gc
import math
import os
import platform
import time
from typing import Any, Callable, Dict, List, Optional

import numpy as np

from ..computation import Computation
from ..device import open_device
from ..errors import InvalidParameter
from ..version import VERSION
from . import accuracy, memory
from .subject import Reference, Subject

Record = Dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Conditions:
    """How to measure: ``runs`` timed ones (None: as many as the subject has), after ``warm_up``.

    From ``seconds`` on no further run is started, but three are made, unless a single one takes
    that long.  ``limit`` are the bytes of memory that may be needed.
    """

    device: Optional[str] = None
    precision: str = "fp32"
    runs: Optional[int] = None
    seconds: float = math.inf
    warm_up: int = 5
    limit: Optional[float] = None
    quick: bool = False


def measure(subject: Subject, how: Conditions, tell: Callable[[str], None]) -> Record:
    """Build, compile, run and check ``subject``; ``tell`` is called with what is under way.

    Raises OutOfMemory before any work when that would take too much memory, and what building,
    compiling and running raise.
    """
    memory.check(subject.name, subject.size, how.limit)
    gc.collect()  # what the measurement before left in cycles
    memory.reset_peak()
    began = time.perf_counter()
    tell("building")
    built = subject.build()
    at_built = time.perf_counter()
    tell("compiling")
    executable = subject.compile(built, how.device, how.precision)
    compiled = time.perf_counter()
    feeds = subject.feeds(executable)
    fed = time.perf_counter()
    tell("running")
    results, latencies, warmed = _run(executable, feeds, subject, how)
    host = _time_of_host(subject, results)
    ended = time.perf_counter()
    record = {
        **_what(subject),
        "device": executable.device,
        "precision": executable.precision,
        "inputs": {name: str(kind) for name, kind in executable.arguments.items()},
        **_speed(subject, latencies, host),
        **_system(subject, warmed + len(latencies), ended - began),
        "seconds": {
            "build": round(at_built - began, 3),
            "compile": round(compiled - at_built, 3),
            "inputs": round(fed - compiled, 3),
            "total": round(ended - began, 3),
        },
        "quick": how.quick,
        **conditions(executable.device),
    }
    own = (executable.device, executable.precision) == ("sim", "fp32")
    del executable
    gc.collect()  # or the reference would need memory beside it
    tell("checking")
    record.update(_accuracy(subject, built, feeds, results, own))
    record["memory"] = {"expected": round(subject.size), "peak": memory.peak()}
    return record


def _run(executable: Any, feeds: Any, subject: Subject, how: Conditions) -> Any:
    """The results, milliseconds of each timed run, and the number of those before."""
    wanted = subject.runs if how.runs is None else how.runs
    start = time.perf_counter()
    results = executable.run(feeds)
    warmed = 1
    while warmed < how.warm_up and time.perf_counter() - start < how.seconds:
        executable.run(feeds)
        warmed += 1
    latencies: List[float] = []
    while len(latencies) < wanted and _may_go_on(latencies, how.seconds):
        start = time.perf_counter()
        results = executable.run(feeds)
        latencies.append((time.perf_counter() - start) * 1e3)
        if subject.settles and _settled(latencies, subject.settles):
            break
    return results, latencies, warmed


def _may_go_on(latencies: List[float], seconds: float) -> bool:
    """Whether there is time for another run; for the first three there is, unless one takes all."""
    spent = sum(latencies) / 1e3
    return not latencies or spent < seconds or (len(latencies) < 3 and latencies[0] / 1e3 < seconds)


def _settled(latencies: List[float], milliseconds: float) -> bool:
    """Whether the last two differ by no more."""
    return len(latencies) > 1 and abs(latencies[-1] - latencies[-2]) <= milliseconds


def _time_of_host(subject: Subject, results: Any) -> Optional[float]:
    """Milliseconds that the host takes for the outputs of a run."""
    if subject.finish is None:
        return None
    start = time.perf_counter()
    subject.finish(results)
    return (time.perf_counter() - start) * 1e3


def _what(subject: Subject) -> Record:
    record: Record = {"name": subject.name, "kind": subject.kind}
    if subject.group:
        record["aimatrix"] = {"group": subject.group, "model": subject.model}
    if subject.cells:
        record["row"] = dict(subject.cells)
    if subject.batch is not None:
        record["batch"] = subject.batch
    return record


def _speed(subject: Subject, latencies: List[float], host: Optional[float]) -> Record:
    """Latencies with their spread, and rates made of their mean."""
    array = np.array(latencies)
    mean = float(array.mean())
    record: Record = {
        "runs": len(latencies),
        "items": subject.items,
        "items_per_run": subject.per_run,
        "latency_ms": {
            "median": round(float(np.median(array)), 4),
            "mean": round(mean, 4),
            "deviation": round(float(array.std()), 4),
            "min": round(float(array.min()), 4),
            "p90": round(float(np.percentile(array, 90)), 4),
            "p99": round(float(np.percentile(array, 99)), 4),
            "max": round(float(array.max()), 4),
        },
        "throughput_per_second": round(subject.per_run * 1e3 / mean, 2),
    }
    if host is not None:
        record["host_ms"] = round(host, 4)
    if subject.macs:
        record["macs_per_item"] = subject.macs
        rate = 2 * subject.macs * subject.per_run / (mean * 1e-3)
        record["tera_operations_per_second"] = round(rate / 1e12, 6)
    return record


def _system(subject: Subject, runs: int, seconds: float) -> Record:
    """What AI Matrix calls the system's performance: over everything from the start on."""
    items = runs * subject.per_run
    milliseconds = max(int(seconds * 1e3), 1)
    return {
        "system": {
            "items": items,
            "milliseconds": milliseconds,
            "per_second": 1000 * items // milliseconds,
        }
    }


def _accuracy(subject: Subject, built: Any, feeds: Any, results: Any, own: bool) -> Record:
    """The largest deviation of an output from the reference, None where there is none.

    What only PopART can express is compared with the simulator's fp32; ``own`` says that this is
    where the results are from.
    """
    if subject.reference is None:
        return {}
    try:
        found = subject.reference(built, feeds)
    except InvalidParameter as error:
        if own or not isinstance(built, Computation):
            return {"deviation": None, "reference": str(error)}
        found = Reference("simulator, fp32", built.run(feeds, device="sim"))
    deviations = [
        accuracy.deviation(results[name], wanted) for name, wanted in found.outputs.items()
    ]
    return {"deviation": max(deviations, default=0.0), "reference": found.name}


def conditions(device: str) -> Record:
    """Versions, device and host: what one needs to know to measure the same again."""
    import onnxruntime

    known = open_device(device).information()
    return {
        "simulated": device != "ipu",
        "machine": known.type,
        "version": VERSION,
        "versions": {
            "popart": known.sdk_version,
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "cpu": _cpu(),
        "cpus": _cpus(),
        "threads": _threads() if device == "sim" else None,
        "platform": platform.platform(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _threads() -> int:
    from ..sim.engine.runtime import thread_count

    return thread_count()


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
