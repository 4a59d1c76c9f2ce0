"""The simulated machine: which IPUs this host appears to have.

`ODLA_IPU_SIM_GENERATION` (gc2, gc200, bow, c600; default gc200) and `ODLA_IPU_SIM_IPUS` (a power
of two; default 16) describe it. They are read whenever devices are looked for.
"""

import os
from typing import Dict, List, NamedTuple

from .exceptions import popart_exception

_GENERATION_VARIABLE = "ODLA_IPU_SIM_GENERATION"
_COUNT_VARIABLE = "ODLA_IPU_SIM_IPUS"


class Generation(NamedTuple):
    """Constants of one hardware generation.

    `arch` is Poplar's name of the architecture; memory is in bytes, the clock in Hz.
    """

    name: str
    arch: str
    tiles: int
    bytes_per_tile: int
    clock_hz: float
    worker_contexts: int


GENERATIONS: Dict[str, Generation] = {
    "gc2": Generation("gc2", "ipu1", 1216, 262144, 1.6e9, 6),
    "gc200": Generation("gc200", "ipu2", 1472, 638976, 1.33e9, 6),
    "bow": Generation("bow", "ipu2", 1472, 638976, 1.85e9, 6),
    "c600": Generation("c600", "ipu21", 1472, 638976, 1.5e9, 6),
}


class Machine(NamedTuple):
    """A generation and a number of IPUs."""

    generation: Generation
    ipus: int


def simulated_machine() -> Machine:
    """The machine that the environment describes. Raises popart_exception for a wrong value."""
    name = os.environ.get(_GENERATION_VARIABLE, "gc200")
    if name not in GENERATIONS:
        raise popart_exception(
            f'{_GENERATION_VARIABLE} is "{name}": it must be one of {", ".join(GENERATIONS)}'
        )
    text = os.environ.get(_COUNT_VARIABLE, "16")
    count = int(text) if text.isdecimal() else 0
    if not is_power_of_two(count):
        raise popart_exception(
            f'{_COUNT_VARIABLE} is "{text}": the number of IPUs must be a power of two'
        )
    return Machine(GENERATIONS[name], count)


def generation_of(arch: str) -> Generation:
    """The generation for an architecture name; the simulated machine's own where it fits.

    Raises popart_exception for an unknown architecture.
    """
    own = simulated_machine().generation
    if own.arch == arch:
        return own
    for generation in GENERATIONS.values():
        if generation.arch == arch:
            return generation
    known = sorted({generation.arch for generation in GENERATIONS.values()})
    raise popart_exception(f'Unknown IPU version "{arch}": it must be one of {", ".join(known)}')


def is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def configurations(ipus: int) -> List[range]:
    """All devices of a machine by id: single IPUs, then pairs, fours and so on."""
    found: List[range] = []
    size = 1
    while size <= ipus:
        found += [range(start, start + size) for start in range(0, ipus, size)]
        size *= 2
    return found
