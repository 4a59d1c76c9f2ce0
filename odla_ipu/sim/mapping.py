"""Data of initializers that lie in files: mapped into memory, never read as a whole."""

import mmap
import os
from typing import Any, NamedTuple, Optional

import numpy as np

from .exceptions import popart_exception


class Place(NamedTuple):
    """Where in a file an array's bytes are."""

    path: str
    offset: int


class _Pages(mmap.mmap):
    """A part of a file that knows which."""

    place: Place


def map_array(tensor: str, path: str, offset: int, dtype: np.dtype, shape: Any) -> np.ndarray:
    """The array at ``offset`` of a file, read-only.

    Raises popart_exception, naming ``tensor``, for a file that is missing or too short.
    """
    length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if length == 0:
        return np.zeros(shape, dtype)
    start = offset - offset % mmap.ALLOCATIONGRANULARITY
    try:
        if offset + length > os.path.getsize(path):
            raise popart_exception(
                f"The data of initializer {tensor} end beyond the end of {path!r}"
            )
        with open(path, "rb") as file:
            pages = _Pages(
                file.fileno(), offset + length - start, offset=start, access=mmap.ACCESS_READ
            )
    except OSError as error:
        raise popart_exception(
            f"Cannot read the data of initializer {tensor} from {path!r}: {error.strerror}"
        ) from None
    pages.place = Place(os.path.realpath(path), offset)
    count = length // dtype.itemsize
    return np.frombuffer(pages, dtype, count, offset - start).reshape(shape)


def place_of(array: np.ndarray) -> Optional[Place]:
    """The place of an array of ``map_array``, None for any other and for a part of one."""
    base: Any = array
    while isinstance(base, (np.ndarray, memoryview)):
        if base.nbytes != array.nbytes:
            return None
        base = base.base if isinstance(base, np.ndarray) else base.obj
        if isinstance(base, memoryview):
            base = base.obj
    return base.place if isinstance(base, _Pages) else None


def release_pages(array: np.ndarray) -> None:
    """Give back the memory of a mapped array; what is read again comes from the file."""
    base: Any = array
    while isinstance(base, (np.ndarray, memoryview)):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    if isinstance(base, _Pages) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
