"""Exceptions of PopART, Poplar and PopLibs, with PopART's class hierarchy.

`popart_exception` reports a wrong graph, option or shape, `popart_runtime_error` a wrong call at
run time (step IO, order of calls); `poplar_*` come from the layers below.
"""

from typing import Optional

from .enums import RecoveryAction


class popart_exception(Exception):
    """A wrong graph, option, shape or argument."""


class popart_internal_exception(popart_exception):
    """A state that the library itself should have prevented."""


class popart_runtime_error(popart_exception):
    """Misuse at run time: missing or wrong step IO, calls in the wrong order."""


class poplibs_exception(Exception):
    """A refusal by PopLibs."""


class poplar_exception(Exception):
    """A refusal by Poplar, for example an engine option that it does not know."""


class poplar_runtime_error(poplar_exception):
    """A failure while a program runs."""


class poplar_application_runtime_error(poplar_runtime_error):
    """The running program failed: floating-point exception, abort, bad index."""


class poplar_system_runtime_error(poplar_runtime_error):
    """The machine failed."""


class poplar_recoverable_runtime_error(poplar_system_runtime_error):
    """A machine failure that `recoveryAction` repairs."""

    def __init__(
        self, message: str = "", recoveryAction: RecoveryAction = RecoveryAction.IPU_RESET
    ) -> None:
        super().__init__(message)
        self.recoveryAction = recoveryAction


class poplar_unrecoverable_runtime_error(poplar_system_runtime_error):
    """A machine failure that only an operator repairs."""


class poplar_unknown_runtime_error(poplar_system_runtime_error):
    """A machine failure of unknown cause."""


class OutOfMemoryError:
    """What is known about a compilation that ran out of tile memory.

    `isSuccessful()` is True while there is no failure; the default object has none.
    """

    __slots__ = ("_message", "_profile_path", "_summary")

    def __init__(self) -> None:
        self._message = ""
        self._summary: Optional[str] = None
        self._profile_path = ""

    @classmethod
    def _failed(
        cls, message: str, summary: Optional[str] = None, profile_path: str = ""
    ) -> "OutOfMemoryError":
        """A failure; `summary` is None unless debug.allowOutOfMemory kept the report."""
        error = cls()
        error._message = message
        error._summary = summary
        error._profile_path = profile_path
        return error

    def isSuccessful(self) -> bool:
        return not self._message

    def getSummaryReport(self) -> str:
        """Text of the memory report. Raises popart_exception where none was kept."""
        if self._summary is None:
            raise popart_exception(
                "No summary report was kept of the failed compilation: set the engine option "
                '"debug.allowOutOfMemory" to "true" before prepareDevice()'
            )
        return self._summary

    def getProfilePath(self) -> str:
        """Path of profile.pop, or "" where no profile was written."""
        return self._profile_path

    def __str__(self) -> str:
        return self._message

    def __repr__(self) -> str:
        return f"<OutOfMemoryError: {self._message or 'no failure'}>"


class OutOfMemoryException(popart_exception):
    """The model does not fit the tiles' memory; raised by prepareDevice and compileAndExport."""

    def __init__(self, error: OutOfMemoryError) -> None:
        super().__init__(str(error))
        self.error = error

    def getSummaryReport(self) -> str:
        """Text of the memory report. Raises popart_exception where none was kept."""
        return self.error.getSummaryReport()

    def getProfilePath(self) -> str:
        """Path of profile.pop, or "" where no profile was written."""
        return self.error.getProfilePath()
