"""Memory of C: types and shapes, tensors, and where programs are stored."""

import contextlib
import os
import tempfile
import urllib.parse
import urllib.request
from typing import Any, Iterator, List, NamedTuple, Optional

import numpy as np

from odla_ipu.errors import FileMissing, InvalidParameter, OutOfMemory, UnsupportedType
from odla_ipu.types import UNKNOWN, ElementType, Shape, ValueType, check_shape, known, product

from ._bridge import ffi
from .text import decode

# Types and shapes.


def read_shape(pointer: Any) -> Shape:
    """``odla_value_shape``, which the library has checked for its rank."""
    given = ffi.cast("odla_value_shape*", pointer)
    return check_shape(tuple(given.dims[0 : given.size]), "the shape")


def read_optional_shape(pointer: Any) -> Optional[Shape]:
    """As ``read_shape``; None for an undefined one."""
    given = ffi.cast("odla_value_shape*", pointer)
    return None if given.size < 0 else tuple(given.dims[0 : given.size])


def read_type(pointer: Any) -> ValueType:
    """``odla_value_type``."""
    given = ffi.cast("odla_value_type*", pointer)
    return ValueType(ElementType(given.element_type), read_shape(ffi.addressof(given, "shape")))


def read_optional_type(pointer: Any) -> Optional[ValueType]:
    """As ``read_type``; one of an undefined shape has an open one of rank 0."""
    given = ffi.cast("odla_value_type*", pointer)
    kind = given.element_type
    if kind not in ElementType._value2member_map_:
        raise UnsupportedType(f"{kind} is no element type; accepted: a member of odla_element_type")
    dims = tuple(given.shape.dims[0 : max(given.shape.size, 0)])
    return ValueType(ElementType(kind), dims)


def write_type(target: Any, kind: ValueType) -> None:
    """Fill an ``odla_value_type``; open dimensions are -1."""
    target.element_type = int(kind.element_type)
    write_shape(target.shape, kind.shape)


def write_shape(target: Any, shape: Shape) -> None:
    target.size = len(shape)
    for axis, dim in enumerate(shape):
        target.dims[axis] = dim if known(dim) else UNKNOWN


def read_shapes(pointer: Any, count: int) -> Optional[List[Optional[Shape]]]:
    """``count`` shapes, None for those that are undefined; None without any."""
    if pointer == ffi.NULL:
        return None
    shapes = ffi.cast("odla_value_shape*", pointer)
    return [read_optional_shape(shapes + index) for index in range(count)]


def read_keys(pointer: Any) -> List[int]:
    """``odla_ipu_values``."""
    values = ffi.cast("odla_ipu_values*", pointer)
    return list(values.keys[0 : values.size])


# Tensors.


def view(pointer: Any, dims: Any, kind: ElementType) -> np.ndarray:
    """The elements at an address, not copied; the caller keeps them alive."""
    dtype = kind.dtype
    size = product(dims) * dtype.itemsize
    if size == 0:
        return np.empty(dims, dtype)
    return np.frombuffer(ffi.buffer(ffi.cast("char*", pointer), size), dtype).reshape(dims)


def copied(pointer: Any, kind: ValueType) -> np.ndarray:
    """As ``view``, copied; BOOL is 0 or 1 whatever the bytes are."""
    if kind.element_type is ElementType.BOOL:
        return view(pointer, kind.dims, ElementType.UINT8) != 0
    return view(pointer, kind.dims, kind.element_type).copy()


# Where programs are stored.

PATH, MEMORY = 0, 1
"""Kinds of location; the third is a URI."""


def path_of(pointer: Any) -> str:
    return os.fsdecode(ffi.string(ffi.cast("char*", pointer)))


class Location(NamedTuple):
    """``odla_resource_location``: a path, a ``file://`` URI, or ``size`` bytes of memory."""

    kind: int
    pointer: Any
    size: int

    def path(self) -> Optional[str]:
        """The file; None for memory."""
        if self.kind == MEMORY:
            return None
        if self.kind == PATH:
            return path_of(self.pointer)
        uri = decode(self.pointer)
        parts = urllib.parse.urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
            raise InvalidParameter(
                f"the URI {uri} is not one of a file here; accepted: file:///..."
            )
        return urllib.request.url2pathname(parts.path)

    def read(self) -> bytes:
        """The bytes at a location in memory."""
        return bytes(ffi.buffer(ffi.cast("char*", self.pointer), self.size))

    def write(self, data: bytes) -> None:
        """Write to memory that is large enough, or raise OutOfMemory and write nothing.

        NULL with size 0 asks for the size alone.
        """
        if self.pointer == ffi.NULL and self.size == 0:
            return
        if self.size < len(data):
            raise OutOfMemory(
                f"the location has {self.size} bytes; {len(data)} are needed "
                "(odla_ipu_StoredSize tells)"
            )
        ffi.memmove(ffi.cast("char*", self.pointer), data, len(data))

    @contextlib.contextmanager
    def file(self) -> Iterator[str]:
        """The file to load, made of memory where that is the location; raises FileMissing."""
        path = self.path()
        if path is not None:
            if not os.path.exists(path):
                raise FileMissing(f"{path}: no such file")
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
            path = os.path.join(folder, "model")
            with open(path, "wb") as file:
                file.write(self.read())
            yield path
