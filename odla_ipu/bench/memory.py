"""How much memory of the host a measurement needs, and refusing what has not enough."""

import contextlib
import re
from typing import Optional

from ..computation import Computation
from ..errors import OutOfMemory
from ..program import peak_bytes

LIMIT = 16e9
"""What measurements may take where more is free, unless the user says otherwise."""

BASE = 0.6e9
"""An interpreter with this package and its engine, and what it kept of measurements before."""

COPIES = 4
"""Of weights: the user's, folded ones, the engine's, and those packed for its kernels."""

ROUNDS = 2
"""Activations: the engine's, and inputs, outputs and buffers of its kernels."""


def needed(computation: Computation) -> float:
    """Bytes that building, compiling and running it takes at most; its numbers do not matter."""
    graph = computation.graph
    weights = sum(
        value.type.elements * value.element_type.host_bytes for value in graph.constants()
    )
    return BASE + COPIES * weights + ROUNDS * peak_bytes(graph)


def check(name: str, size: float, limit: Optional[float]) -> None:
    """Raise OutOfMemory when ``size`` bytes are more than ``limit``, or than what is free.

    Without ``limit`` it is that of this module.
    """
    allowed = LIMIT if limit is None else limit
    free = available()
    if size > min(allowed, free):
        why = (
            f"{free / 1e9:.1f} GB are free"
            if free < allowed
            else f"the limit is {allowed / 1e9:g} GB"
        )
        raise OutOfMemory(
            f"{name} needs about {size / 1e9:.1f} GB of memory, and {why}; use a smaller batch, or "
            "a machine with more memory and --memory to allow it"
        )


def available() -> float:
    """Bytes that this process can still take: of the machine, or of its control group."""
    free = float("inf")
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = re.search(r"^MemAvailable:\s+(\d+) kB", file.read(), re.MULTILINE)
        if found:
            free = float(found.group(1)) * 1024
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            most = file.read().strip()
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            used = file.read().strip()
        if most != "max":
            free = min(free, float(most) - float(used))
    except (OSError, ValueError):
        pass  # not Linux, or no control group: what is not known does not limit
    return free


def peak() -> Optional[float]:
    """Bytes of memory that this process had at most so far; None where that is not known."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            found = re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.MULTILINE)
    except OSError:
        return None
    return float(found.group(1)) * 1024 if found else None


def reset_peak() -> None:
    """Forget what :func:`peak` saw before, where the system can."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
