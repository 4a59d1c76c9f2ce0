"""Texts of C."""

from typing import Any

from ._bridge import ffi


def decode(pointer: Any) -> str:
    """A NUL-terminated text; bytes that are no UTF-8 are written as escapes."""
    return ffi.string(ffi.cast("char*", pointer)).decode("utf-8", "backslashreplace")


def text_of(pointer: Any) -> str:
    """As ``decode``; NULL is ""."""
    return "" if pointer == ffi.NULL else decode(pointer)
