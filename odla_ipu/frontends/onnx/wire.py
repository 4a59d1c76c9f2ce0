"""The weights of an ONNX file left where they are: the message without them, and their places.

Parsing a message copies every weight, twice over.  Here the large ``raw_data`` of initializers are
cut out of the serialized message and replaced by references to external data, in the very file they
lie in, so that they can be mapped.  Field numbers are those of onnx.proto; the encoding is
protobuf's (https://protobuf.dev/programming-guides/encoding).
"""

from typing import Iterator, List, NamedTuple, Optional, Tuple

_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_RAW_DATA = 9
_TENSOR_EXTERNAL_DATA = 13
_TENSOR_DATA_LOCATION = 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_EXTERNAL = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Damaged(Exception):
    """The bytes are no protobuf message."""


class _Field(NamedTuple):
    """A field between ``start`` and ``end``; its content starts at ``content``."""

    number: int
    kind: int
    start: int
    content: int
    end: int


def without_weights(data: memoryview, location: str, at_least: int) -> Optional[bytes]:
    """The ModelProto in ``data`` with external references in place of its large weights.

    Weights of ``at_least`` bytes and more refer to the file ``location``, whose content ``data``
    is.  None when ``data`` is no protobuf message, which the caller's parser will explain.
    """
    try:
        return b"".join(_model(data, location, at_least))
    except _Damaged:
        return None


def _model(data: memoryview, location: str, at_least: int) -> Iterator[bytes]:
    for field in _fields(data, 0, len(data)):
        if field.number == _MODEL_GRAPH and field.kind == _BYTES:
            graph = b"".join(_graph(data, field, location, at_least))
            yield _bytes_field(_MODEL_GRAPH, graph)
        else:
            yield bytes(data[field.start : field.end])


def _graph(data: memoryview, graph: _Field, location: str, at_least: int) -> Iterator[bytes]:
    for field in _fields(data, graph.content, graph.end):
        if field.number == _GRAPH_INITIALIZER and field.end - field.content >= at_least:
            tensor = b"".join(_tensor(data, field, location, at_least))
            yield _bytes_field(_GRAPH_INITIALIZER, tensor)
        else:
            yield bytes(data[field.start : field.end])


def _tensor(data: memoryview, tensor: _Field, location: str, at_least: int) -> Iterator[bytes]:
    for field in _fields(data, tensor.content, tensor.end):
        size = field.end - field.content
        if field.number == _TENSOR_RAW_DATA and size >= at_least:
            entries = {"location": location, "offset": field.content, "length": size}
            for key, value in entries.items():
                entry = _bytes_field(_ENTRY_KEY, key.encode())
                entry += _bytes_field(_ENTRY_VALUE, str(value).encode())
                yield _bytes_field(_TENSOR_EXTERNAL_DATA, entry)
            yield _varint(_TENSOR_DATA_LOCATION << 3 | _VARINT) + _varint(_EXTERNAL)
        else:
            yield bytes(data[field.start : field.end])


def _fields(data: memoryview, start: int, end: int) -> Iterator[_Field]:
    position = start
    while position < end:
        tag, content = _read_varint(data, position, end)
        kind = tag & 7
        if kind == _VARINT:
            _, after = _read_varint(data, content, end)
        elif kind == _BYTES:
            size, content = _read_varint(data, content, end)
            after = content + size
        elif kind in (_FIXED32, _FIXED64):
            after = content + (4 if kind == _FIXED32 else 8)
        else:
            raise _Damaged
        if after > end or tag >> 3 == 0:
            raise _Damaged
        yield _Field(tag >> 3, kind, position, content, after)
        position = after


def _read_varint(data: memoryview, position: int, end: int) -> Tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise _Damaged


def _varint(number: int) -> bytes:
    encoded: List[int] = []
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content
