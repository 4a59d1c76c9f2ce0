"""PopART's loggers: one for each module of the library, writing to standard error.

`POPART_LOG_LEVEL` sets the level of all of them at import; without it warnings are shown.
"""

import logging
import os
import sys
from typing import Any, Dict

from .exceptions import popart_exception

_LEVELS: Dict[str, int] = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 10,
}
_ROOT = "popart"


class _StandardError(logging.StreamHandler):
    """Writes to what sys.stderr is at the time of the message."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        pass


def _level(name: str) -> int:
    if name.upper() not in _LEVELS:
        raise popart_exception(f'Unknown log level "{name}": levels are {", ".join(_LEVELS)}')
    return _LEVELS[name.upper()]


class Logger:
    """Logger of one module; that of the module "all" stands for every module."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def setLevel(self, level: str) -> None:
        """TRACE, DEBUG, INFO, WARN, ERR, CRITICAL or OFF. Raises popart_exception otherwise."""
        self._logger.setLevel(_level(level))

    def debug(self, message: str) -> None:
        self._logger.debug("%s", message)

    def info(self, message: str) -> None:
        self._logger.info("%s", message)

    def warn(self, message: str) -> None:
        self._logger.warning("%s", message)

    def error(self, message: str) -> None:
        self._logger.error("%s", message)

    def critical(self, message: str) -> None:
        self._logger.critical("%s", message)


def getLogger(name: str = "all") -> Logger:
    """The logger of a module of the library: "session", "ir", "devicex", "popart"..."""
    return Logger(logging.getLogger(_ROOT if name == "all" else f"{_ROOT}.{name}"))


def _configure() -> None:
    root = logging.getLogger(_ROOT)
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s [%(levelname)s] %(message)s"))
    root.addHandler(handler)
    root.propagate = False
    root.setLevel(_level(os.environ.get("POPART_LOG_LEVEL", "WARN")))


_configure()
