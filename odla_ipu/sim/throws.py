"""Functions that raise the exception they are named after, for testing a program's handling."""

from . import exceptions


def _throw_popart_error(msg: str) -> None:
    raise exceptions.popart_exception(msg)


def _throw_popart_internal_error(msg: str) -> None:
    raise exceptions.popart_internal_exception(msg)


def _throw_popart_runtime_error(msg: str) -> None:
    raise exceptions.popart_runtime_error(msg)


def _throw_poplibs_error(msg: str) -> None:
    raise exceptions.poplibs_exception(msg)


def _throw_poplar_error(msg: str) -> None:
    raise exceptions.poplar_exception(msg)


def _throw_poplar_runtime_error(msg: str) -> None:
    raise exceptions.poplar_runtime_error(msg)


def _throw_application_runtime_error(msg: str) -> None:
    raise exceptions.poplar_application_runtime_error(msg)


def _throw_system_runtime_error(msg: str) -> None:
    raise exceptions.poplar_system_runtime_error(msg)


def _throw_recoverable_runtime_error(msg: str) -> None:
    raise exceptions.poplar_recoverable_runtime_error(msg)


def _throw_unrecoverable_runtime_error(msg: str) -> None:
    raise exceptions.poplar_unrecoverable_runtime_error(msg)


def _throw_unknown_runtime_error(msg: str) -> None:
    raise exceptions.poplar_unknown_runtime_error(msg)
