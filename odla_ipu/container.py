"""The container of an executable file (``.odla``): a checked header and named sections.

Layout, little-endian::

    bytes 0-7    magic 89 4F 44 4C 41 0D 0A 1A
    bytes 8-11   format version (uint32)
    bytes 12-19  length of the header (uint64)
    bytes 20-35  BLAKE2b-128 of the header
    header       JSON: what the writer put there, and under "sections" the name, offset, size and
                 BLAKE2b-128 of each
    sections     each on a multiple of 4096 bytes, so that it can be mapped

The magic starts with a byte that no text has and holds line ends, so that a file damaged by a text
transfer is recognised.
"""

import contextlib
import hashlib
import json
import os
import shutil
import struct
import tempfile
from typing import Any, BinaryIO, Dict, Iterator, Mapping, NamedTuple, Tuple, Union

from .errors import BadFile, FileMissing, InvalidParameter, OdlaError

MAGIC = b"\x89ODLA\r\n\x1a"
VERSION = 1
_PREFIX = struct.Struct("<8sIQ16s")
_ALIGNMENT = 4096
_CHUNK = 1 << 20


class Section(NamedTuple):
    """Where a section lies in its file, in bytes."""

    offset: int
    size: int


Content = Union[bytes, "FileContent"]


class FileContent(NamedTuple):
    """A section that is copied from a file."""

    path: str


def write(path: str, header: Mapping[str, Any], sections: Mapping[str, Content]) -> None:
    """Write a container; the file appears complete or not at all.

    Raises FileMissing when the folder does not exist, OdlaError when the file cannot be written.
    """
    described: Dict[str, Dict[str, Any]] = {}
    offset = 0
    for name, content in sections.items():
        size, digest = _measure(content)
        described[name] = {"offset": offset, "size": size, "blake2b": digest}
        offset += _aligned(size)
    text = json.dumps({**header, "sections": described}).encode()
    start = _aligned(_PREFIX.size + len(text))
    with _appearing(path) as unfinished, open(unfinished, "wb") as file:
        file.write(_PREFIX.pack(MAGIC, VERSION, len(text), _digest(text)))
        file.write(text)
        for name, content in sections.items():
            file.seek(start + described[name]["offset"])
            _copy(content, file)
        file.truncate(start + offset)


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
    with _appearing(path) as unfinished:
        shutil.copyfile(source, unfinished)


@contextlib.contextmanager
def _appearing(path: str) -> Iterator[str]:
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


def read(path: str) -> Tuple[Dict[str, Any], Dict[str, Section]]:
    """The header and the sections of a container, after checking all hashes.

    Raises FileMissing, or BadFile for a foreign, newer, truncated or tampered file.
    """
    if not os.path.exists(path):
        raise FileMissing(f"{path}: no such file")
    if not os.path.isfile(path):
        raise BadFile(f"{path} is a folder or a device, not an odla_ipu executable")
    try:
        return _read(path)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error


def _read(path: str) -> Tuple[Dict[str, Any], Dict[str, Section]]:
    with open(path, "rb") as file:
        prefix = file.read(_PREFIX.size)
        if prefix[: len(MAGIC)] != MAGIC:
            raise BadFile(
                f"{path} is no odla_ipu executable (it starts with {prefix[:8]!r}); "
                "make one with: odla-ipu compile MODEL -o FILE.odla"
            )
        if len(prefix) < _PREFIX.size:
            raise _truncated(path, _PREFIX.size, len(prefix))
        _, version, length, digest = _PREFIX.unpack(prefix)
        if version > VERSION:
            raise BadFile(
                f"{path} has format version {version}; this odla_ipu reads up to {VERSION}: "
                "update odla_ipu or compile the model again"
            )
        size = os.path.getsize(path)
        if _PREFIX.size + length > size:
            raise _truncated(path, _PREFIX.size + length, size)
        text = file.read(length)
        if _digest(text) != digest:
            raise _tampered(path, "header")
        header = json.loads(text)
        start = _aligned(_PREFIX.size + length)
        sections = {}
        for name, entry in header.pop("sections").items():
            section = Section(start + entry["offset"], entry["size"])
            if section.offset + section.size > size:
                raise _truncated(path, section.offset + section.size, size)
            if _hash_section(file, section) != entry["blake2b"]:
                raise _tampered(path, f"section '{name}'")
            sections[name] = section
    return header, sections


def content(path: str, section: Section) -> bytes:
    """The bytes of a section."""
    with open(path, "rb") as file:
        file.seek(section.offset)
        return file.read(section.size)


def _truncated(path: str, expected: int, found: int) -> BadFile:
    return BadFile(
        f"{path} is truncated: {found} bytes of at least {expected}; copy or compile it again"
    )


def _tampered(path: str, what: str) -> BadFile:
    return BadFile(f"{path} is damaged: the {what} does not match its hash; compile it again")


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _measure(content: Content) -> Tuple[int, str]:
    if isinstance(content, bytes):
        return len(content), _digest(content).hex()
    size = os.path.getsize(content.path)
    with open(content.path, "rb") as file:
        return size, _hash_section(file, Section(0, size))


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


def _copy(content: Content, file: BinaryIO) -> None:
    if isinstance(content, bytes):
        file.write(content)
        return
    with open(content.path, "rb") as source:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            file.write(chunk)
