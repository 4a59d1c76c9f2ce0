"""The version that the stand-in stands in for, and numbers of the opsets."""

from typing import Tuple

__version__ = "3.4.0"
defaultAiOnnxOpset = 10
defaultAiOnnxMlOpset = 1
defaultAiGraphcoreOpset = 1


def versionNumber() -> Tuple[int, int, int]:
    """(major, minor, point)."""
    major, minor, point = (int(part) for part in __version__.split("."))
    return major, minor, point


def packageHash() -> str:
    """In place of the hash of a build: the name of this package."""
    return "odla_ipu"


def versionString() -> str:
    return f"{__version__} ({packageHash()})"
