"""Libraries of the folders here, each built once a process."""

import functools
import pathlib

from odla_ipu.sim import poplar

FOLDER = pathlib.Path(__file__).parent


@functools.lru_cache(maxsize=None)
def library(name, debug):
    path = poplar.build(FOLDER / name, debug=debug)
    assert poplar.load(path)
    return str(path)
