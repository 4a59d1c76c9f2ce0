"""Memory that mapped files take."""

import mmap
from typing import Any, Iterable

import numpy as np


def release_pages(arrays: Iterable[np.ndarray]) -> None:
    """Give back the memory of the files that ``arrays`` are mapped from.

    The arrays stay valid: what is read again comes from the file.  Arrays in plain memory, mappings
    that can be written (a private one would lose what was written), and systems that cannot (all
    but Linux), are left alone.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    for mapping in {id(found): found for found in map(_mapping, arrays) if found}.values():
        mapping.madvise(mmap.MADV_DONTNEED)


def _mapping(array: np.ndarray) -> Any:
    base: Any = array
    while isinstance(base, (np.ndarray, memoryview)):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) and memoryview(base).readonly else None
