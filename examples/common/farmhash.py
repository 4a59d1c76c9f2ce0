"""TensorFlow's numbers of hashed columns: FarmHash's Fingerprint64, and how crosses join them.

Constants and steps are those of Google's FarmHash (``farmhashna``), of 64 bytes at most, and of
TensorFlow's ``FingerprintCat64``.
"""

from typing import Sequence, Union

from odla_ipu.errors import InvalidParameter

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CROSS_MULTIPLIER = 0xC6A4A7935BD1E995
_CROSS_KEY = 0xDECAFCAFFE
"""Where the hash of a cross begins, unless a column has a key of its own."""


def bucket(text: str, buckets: int) -> int:
    """The number that ``categorical_column_with_hash_bucket`` gives a text."""
    return fingerprint(text.encode()) % buckets


def cross(values: Sequence[Union[str, int]], buckets: int) -> int:
    """The number that ``crossed_column`` gives a row: texts, and the numbers of bucketized columns.

    Texts count by their fingerprints, numbers as they are.
    """
    joined = _CROSS_KEY
    for value in values:
        number = fingerprint(value.encode()) if isinstance(value, str) else int(value)
        joined = _joined(joined, number)
    return joined % buckets


def fingerprint(data: bytes) -> int:
    """Fingerprint64 of up to 64 bytes; raises InvalidParameter for more."""
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    if size <= 32:
        return _up_to_32(data)
    if size <= 64:
        return _up_to_64(data)
    raise InvalidParameter(f"{data!r} has {size} bytes; accepted: 64 at most")


def _joined(one: int, other: int) -> int:
    result = one ^ _CROSS_MULTIPLIER
    result ^= _shifted(other * _CROSS_MULTIPLIER & _MASK) * _CROSS_MULTIPLIER & _MASK
    result = result * _CROSS_MULTIPLIER & _MASK
    result = _shifted(result) * _CROSS_MULTIPLIER & _MASK
    return _shifted(result)


def _up_to_16(data: bytes) -> int:
    size = len(data)
    multiplier = _K2 + 2 * size
    if size >= 8:
        a, b = _word(data, 0) + _K2 & _MASK, _word(data, size - 8)
        c = _turned(b, 37) * multiplier + a
        return _mixed(c, (_turned(a, 25) + b) * multiplier, multiplier)
    if size >= 4:
        first, last = _word(data, 0, 4), _word(data, size - 4, 4)
        return _mixed(size + (first << 3), last, multiplier)
    if size:
        y, z = data[0] + (data[size // 2] << 8), size + (data[-1] << 2)
        return _shifted((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes) -> int:
    multiplier = _K2 + 2 * len(data)
    a, b, y, c = _ends(data, _K1, multiplier)
    return _mixed(y, a + _turned(b + _K2, 18) + c, multiplier)


def _up_to_64(data: bytes) -> int:
    size = len(data)
    multiplier = _K2 + 2 * size
    a, b, y, c = _ends(data, _K2, multiplier)
    z = _mixed(y, a + _turned(b + _K2, 18) + c, multiplier)
    e, f = _word(data, 16) * multiplier & _MASK, _word(data, 24)
    g = (y + _word(data, size - 32)) * multiplier & _MASK
    h = (z + _word(data, size - 24)) * multiplier & _MASK
    ends = _turned(e + f, 43) + _turned(g, 30) + h
    return _mixed(ends, e + _turned(f + a, 18) + g, multiplier)


def _ends(data: bytes, first: int, multiplier: int) -> Sequence[int]:
    """What the first and the last 16 bytes give."""
    size = len(data)
    a, b = _word(data, 0) * first & _MASK, _word(data, 8)
    c = _word(data, size - 8) * multiplier & _MASK
    d = _word(data, size - 16) * _K2 & _MASK
    return a, b, _turned(a + b, 43) + _turned(c, 30) + d & _MASK, c


def _mixed(u: int, v: int, multiplier: int) -> int:
    u, v = u & _MASK, v & _MASK
    a = _shifted((u ^ v) * multiplier & _MASK)
    b = _shifted((v ^ a) * multiplier & _MASK)
    return b * multiplier & _MASK


def _shifted(value: int) -> int:
    return value ^ value >> 47


def _turned(value: int, bits: int) -> int:
    value &= _MASK
    return (value >> bits | value << 64 - bits) & _MASK


def _word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")
