"""What PopART and Poplar raise, as errors of odla_ipu.

Exceptions are told apart by class name: the classes of the SDK and of the simulator are different
objects of the same names.
"""

from typing import Callable, Dict, Optional

from odla_ipu.errors import (
    DeviceTimeout,
    DeviceUnavailable,
    InternalError,
    InvalidParameter,
    OdlaError,
    OutOfMemory,
    RecoverableDeviceError,
    Status,
    UnrecoverableDeviceError,
    UnsupportedOp,
)


def translate(error: BaseException, where: str) -> OdlaError:
    """The odla_ipu error for ``error``; ``where`` says what was being done ("running 'm'").

    Errors of odla_ipu come back unchanged.
    """
    if isinstance(error, OdlaError):
        return error
    for base in type(error).__mro__:
        make = _BY_NAME.get(base.__name__)
        if make is not None:
            return make(error, f"{where}: {_text(error)}")
    return InternalError(f"{where}: {type(error).__name__}: {_text(error)}")


def _text(error: BaseException) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def _out_of_memory(error: BaseException, message: str) -> OdlaError:
    return OutOfMemory(f"{message}. Use more IPUs, a smaller batch or float16")


def _recoverable(error: BaseException, message: str) -> OdlaError:
    """IPU_RESET and LINK_RESET: the next load of an engine resets; the others take the operator."""
    action = getattr(getattr(error, "recoveryAction", None), "name", "")
    if action == "PARTITION_RESET":
        status, repair = Status.PARTITION_RESET, "reset the partition, then run again"
    elif action == "FULL_RESET":
        status, repair = Status.FULL_RESET, "power-cycle the IPU machine, then run again"
    else:
        status, repair = Status.RECOVERABLE_ERR, "run again"
    result = RecoverableDeviceError(f"{message}. {repair.capitalize()}")
    result.status = status
    return result


def _unrecoverable(error: BaseException, message: str) -> OdlaError:
    return UnrecoverableDeviceError(f"{message}. Restart the program on another device")


def _refusal(error: BaseException, message: str) -> OdlaError:
    """popart_exception: the class does not tell, so the text has to."""
    if "No class for" in message:
        return UnsupportedOp(f"{message}. PopART has no implementation of this op")
    if "Failed to attach to device" in message:
        return DeviceTimeout(f"{message}. Stop the program that holds it, or use fewer IPUs")
    if "Failed to acquire device" in message:
        return DeviceUnavailable(f"{message}. Stop the program that holds it, or use fewer IPUs")
    return InvalidParameter(f"{message} (refused by PopART)")


def _poplar(error: BaseException, message: str) -> OdlaError:
    return _of_the_engine(error, message) or InternalError(f"{message} ({type(error).__name__})")


def _run_time(error: BaseException, message: str) -> OdlaError:
    if "Failed to attach to device" in message:
        return _refusal(error, message)
    return _of_the_engine(error, message) or InternalError(f"{message} ({type(error).__name__})")


def _of_the_engine(error: BaseException, message: str) -> Optional[OdlaError]:
    """What a text tells of memory and of numbers, while running or where constants are folded.

    The simulator looks at the numbers; an IPU goes on with whatever comes of them.
    """
    beyond = ("Failed to allocate memory", "SafeIntOnOverflow")  # of memory, or of its addresses
    if "out of memory" in message.lower() or any(text in message for text in beyond):
        return _out_of_memory(error, message)
    if "out of data bounds" in message:
        return InvalidParameter(f"{message}. An index is out of range")
    if "Integer division by zero" in message or "Integer modulo by zero" in message:
        return InvalidParameter(f"{message}. A divisor is 0")
    return None


_BY_NAME: Dict[str, Callable[[BaseException, str], OdlaError]] = {
    "OutOfMemoryException": _out_of_memory,
    "MemoryError": _out_of_memory,
    "popart_internal_exception": _poplar,
    "popart_runtime_error": _run_time,
    "popart_exception": _refusal,
    "poplibs_exception": _poplar,
    "poplar_recoverable_runtime_error": _recoverable,
    "poplar_unrecoverable_runtime_error": _unrecoverable,
    "poplar_unknown_runtime_error": _unrecoverable,
    "poplar_exception": _poplar,
}
