"""The container of executables and computations: a checked header and named sections.

Layout, little-endian::

    bytes 0-7    magic 89 4F 44 4C 41 0D 0A 1A
    bytes 8-11   format version (uint32)
    bytes 12-19  length of the header (uint64)
    bytes 20-35  BLAKE2b-128 of the header
    header       JSON: what the writer put there, and under "sections" the name, offset, size and
                 BLAKE2b-128 of each
    sections     each on a multiple of 4096 bytes, so that it can be mapped

"kind" in the header says what it holds: "executable" (a file ``.odla``) or "computation".  What is
read is a file or its bytes in memory.

The magic starts with a byte that no text has and holds line ends, so that a file damaged by a text
transfer is recognised.
"""

import contextlib
import hashlib
import io
import json
import mmap
import os
import shutil
import struct
import tempfile
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, NamedTuple, Tuple, Union

import numpy as np

from .errors import BadFile, FileMissing, InvalidParameter, OdlaError

MAGIC = b"\x89ODLA\r\n\x1a"
VERSION = 1
_PREFIX = struct.Struct("<8sIQ16s")
_ALIGNMENT = 4096
_ARRAY_ALIGNMENT = 64
_CHUNK = 1 << 20


class Section(NamedTuple):
    """Where a section lies in its file, in bytes."""

    offset: int
    size: int


Source = Union[str, bytes]
"""A path, or what a file would hold."""


class FileContent(NamedTuple):
    """A section that is copied from a file: all of it, or ``size`` bytes from ``offset`` on."""

    path: str
    offset: int = 0
    size: int = -1


class Arrays:
    """A section of arrays, each on a multiple of 64 bytes; ``add`` gives the place of one."""

    def __init__(self) -> None:
        self.arrays: List[np.ndarray] = []
        self.size = 0

    def add(self, array: np.ndarray) -> int:
        offset = -(-self.size // _ARRAY_ALIGNMENT) * _ARRAY_ALIGNMENT
        self.arrays.append(array)
        self.size = offset + array.nbytes
        return offset

    def chunks(self) -> Iterator[Any]:
        """The bytes of the section, piece by piece."""
        written = 0
        for array in self.arrays:
            padding = -written % _ARRAY_ALIGNMENT
            if padding:
                yield bytes(padding)
            if array.nbytes:
                yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            written += padding + array.nbytes


Content = Union[bytes, FileContent, Arrays]


def write(path: str, header: Mapping[str, Any], sections: Mapping[str, Content]) -> None:
    """Write a container; the file appears complete or not at all.

    Raises FileMissing when the folder does not exist, OdlaError when the file cannot be written.
    """
    front = _front(header, sections)
    with appearing(path) as unfinished, open(unfinished, "wb") as file:
        _write(file, front, sections)


def pack(header: Mapping[str, Any], sections: Mapping[str, Content]) -> bytes:
    """What ``write`` would write."""
    file = io.BytesIO()
    _write(file, _front(header, sections), sections)
    return file.getvalue()


def _front(header: Mapping[str, Any], sections: Mapping[str, Content]) -> bytes:
    """What comes before the sections."""
    described: Dict[str, Dict[str, Any]] = {}
    offset = 0
    for name, content in sections.items():
        size, digest = _measure(content)
        described[name] = {"offset": offset, "size": size, "blake2b": digest}
        offset += _aligned(size)
    text = json.dumps({**header, "sections": described}).encode()
    return _PREFIX.pack(MAGIC, VERSION, len(text), _digest(text)) + text


def _write(file: BinaryIO, front: bytes, sections: Mapping[str, Content]) -> None:
    file.write(front)
    for content in sections.values():
        file.write(bytes(-file.tell() % _ALIGNMENT))
        for chunk in _chunks(content):
            file.write(chunk)
    file.write(bytes(-file.tell() % _ALIGNMENT))


Stamp = Tuple[int, int, int, int]
"""What tells a file from one that took its name: device, inode, bytes, time of change in ns."""


def stamp(path: str) -> Stamp:
    """The stamp of a file; raises FileMissing without one."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        raise FileMissing(f"{path}: no such file") from None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def copy(source: str, expected: Stamp, path: str) -> None:
    """Copy a container; the copy appears complete or not at all.

    Raises BadFile when ``source`` is no longer the file with the stamp ``expected``, and as
    ``write`` does.
    """
    if stamp(source) != expected:
        raise BadFile(f"{source} has changed since it was loaded; load it again")
    if os.path.exists(path) and os.path.samefile(source, path):
        return
    with appearing(path) as unfinished:
        shutil.copyfile(source, unfinished)


@contextlib.contextmanager
def appearing(path: str) -> Iterator[str]:
    """A file to write, which takes the name ``path`` when all went well and else disappears."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileMissing(f"cannot write {path}: the folder {folder} does not exist")
    if not path or (os.path.exists(path) and not os.path.isfile(path)):
        raise InvalidParameter(f"cannot write '{path}': that is a folder, a device or no name")
    try:
        handle, unfinished = tempfile.mkstemp(dir=folder, prefix=".odla-")
        os.close(handle)
        try:
            yield unfinished
            os.chmod(unfinished, 0o644)
            os.replace(unfinished, path)
        except BaseException:
            os.unlink(unfinished)
            raise
    except OSError as error:
        raise OdlaError(f"cannot write {path}: {error.strerror or error}") from error


def read(source: Source, kind: str = "") -> Tuple[Dict[str, Any], Dict[str, Section]]:
    """The header and the sections of a container, after checking all hashes.

    Raises FileMissing, or BadFile for a foreign, newer, truncated or tampered file, and for one
    that holds something else than ``kind``.
    """
    name = described(source)
    if isinstance(source, str):
        if not os.path.exists(source):
            raise FileMissing(f"{source}: no such file")
        if not os.path.isfile(source):
            raise BadFile(f"{source} is a folder or a device, not a file of odla_ipu")
    try:
        with opened(source) as file:
            header, sections = _read(file, name)
    except OSError as error:
        raise BadFile(f"{name} cannot be read: {error.strerror or error}") from error
    found = header.get("kind", "executable")
    if kind and found != kind:
        raise BadFile(f"{name} holds: {found}; wanted: {kind}. Load it as what it is")
    return header, sections


def described(source: Source) -> str:
    """The source in messages."""
    return source if isinstance(source, str) else f"the data of {len(source)} bytes"


def opened(source: Source) -> BinaryIO:
    """A binary file to read the source from."""
    return open(source, "rb") if isinstance(source, str) else io.BytesIO(source)


def _read(file: BinaryIO, name: str) -> Tuple[Dict[str, Any], Dict[str, Section]]:
    prefix = file.read(_PREFIX.size)
    if prefix[: len(MAGIC)] != MAGIC:
        raise BadFile(
            f"{name} is not of odla_ipu (it starts with {prefix[:8]!r}); "
            "make one with: odla-ipu compile MODEL -o FILE.odla"
        )
    if len(prefix) < _PREFIX.size:
        raise _truncated(name, _PREFIX.size, len(prefix))
    _, version, length, digest = _PREFIX.unpack(prefix)
    if version > VERSION:
        raise BadFile(
            f"{name} has format version {version}; this odla_ipu reads up to {VERSION}: "
            "update odla_ipu or make the file again"
        )
    size = file.seek(0, os.SEEK_END)
    if _PREFIX.size + length > size:
        raise _truncated(name, _PREFIX.size + length, size)
    file.seek(_PREFIX.size)
    text = file.read(length)
    if _digest(text) != digest:
        raise _tampered(name, "header")
    sections = {}
    try:
        header = json.loads(text)
        entries = [
            (str(key), int(one["offset"]), int(one["size"]), one["blake2b"])
            for key, one in header.pop("sections").items()
        ]
        if any(min(offset, length) < 0 for _, offset, length, _ in entries):
            raise ValueError("a negative size")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise malformed(name, error) from None
    start = _aligned(_PREFIX.size + length)
    for key, offset, length, wanted in entries:
        section = Section(start + offset, length)
        if section.offset + section.size > size:
            raise _truncated(name, section.offset + section.size, size)
        if _hash_section(file, section) != wanted:
            raise _tampered(name, f"section '{key}'")
        sections[key] = section
    return header, sections


def content(source: Source, section: Section) -> bytes:
    """The bytes of a section."""
    with opened(source) as file:
        file.seek(section.offset)
        return file.read(section.size)


def mapped(source: Source, section: Section) -> Any:
    """A read-only buffer of a section: a part of the bytes, or pages of the file."""
    if not isinstance(source, str):
        return memoryview(source)[section.offset : section.offset + section.size]
    if section.size == 0:
        return b""
    start = section.offset - section.offset % mmap.ALLOCATIONGRANULARITY
    with open(source, "rb") as file:
        pages = mmap.mmap(
            file.fileno(),
            section.offset + section.size - start,
            offset=start,
            access=mmap.ACCESS_READ,
        )
    return memoryview(pages)[section.offset - start :] if start < section.offset else pages


def malformed(name: str, error: BaseException) -> BadFile:
    """For a header that has what this package does not write."""
    found = f"{type(error).__name__}: {error}"
    return BadFile(f"{name}: the header lacks or misspells something ({found}); make it again")


def _truncated(name: str, expected: int, found: int) -> BadFile:
    return BadFile(
        f"{name} is truncated: {found} bytes of at least {expected}; copy or make it again"
    )


def _tampered(name: str, what: str) -> BadFile:
    return BadFile(f"{name} is damaged: the {what} does not match its hash; make it again")


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _measure(content: Content) -> Tuple[int, str]:
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    for chunk in _chunks(content):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _hash_section(file: BinaryIO, section: Section) -> str:
    digest = hashlib.blake2b(digest_size=16)
    file.seek(section.offset)
    left = section.size
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            break
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()


def _chunks(content: Content) -> Iterator[Any]:
    if isinstance(content, bytes):
        yield content
    elif isinstance(content, Arrays):
        yield from content.chunks()
    else:
        with open(content.path, "rb") as source:
            source.seek(content.offset)
            left = content.size
            while left:
                chunk = source.read(_CHUNK if left < 0 else min(left, _CHUNK))
                if not chunk:
                    return
                left -= len(chunk) if left > 0 else 0
                yield chunk
