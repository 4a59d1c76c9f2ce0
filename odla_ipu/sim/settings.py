"""Options of a session that the stand-in reads itself: engine options and float16 rounding."""

import os
from typing import Mapping

from .engine import Rounding
from .exceptions import popart_exception, poplar_exception

FLOAT16_VARIABLE = "ODLA_IPU_SIM_FP16"

_GROUPS = (
    "autoReport",
    "debug",
    "exchange",
    "opt",
    "prng",
    "profiler",
    "streamCallbacks",
    "target",
)
"""Groups of Poplar's engine options; an option is written ``group.name``."""


def check_engine_options(options: Mapping[str, str]) -> None:
    """Raises poplar_exception for a name of no group that Poplar has."""
    for name in options:
        group, dot, rest = name.partition(".")
        if group not in _GROUPS or not dot or not rest:
            raise poplar_exception(
                f"Unrecognised option '{name}' in SessionOptions.engineOptions: names begin with "
                f"{', '.join(f'{group}.' for group in _GROUPS)}"
            )


def float16_rounding(check_floats: bool) -> str:
    """How FLOAT16 results are rounded.

    ``ODLA_IPU_SIM_FP16``: "saturate" (the default; what overflows is the largest float16), "nan"
    (it is NaN), "unrounded" (faster; intermediate results keep float32's range and precision).
    Floating-point checks see what overflows, so they go without saturation.
    Raises popart_exception for another value.
    """
    modes = {
        "": Rounding.SATURATE,
        Rounding.SATURATE: Rounding.SATURATE,
        Rounding.NAN: Rounding.NAN,
        Rounding.NONE: Rounding.NONE,
    }
    text = os.environ.get(FLOAT16_VARIABLE, "")
    if text not in modes:
        raise popart_exception(
            f"{FLOAT16_VARIABLE} is {text!r}: it must be one of "
            f"{', '.join(mode for mode in modes if mode)}"
        )
    if check_floats and modes[text] == Rounding.SATURATE:
        return Rounding.OVERFLOW
    return modes[text]
