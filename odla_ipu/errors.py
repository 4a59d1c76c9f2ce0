"""The exceptions of odla_ipu.

Every exception carries the ``odla_status`` that a C caller gets for it.  A message says what
happened, where (op name and id), what was given, what is accepted and the way out.
"""

import enum


class Status(enum.IntEnum):
    """``odla_status`` of the ODLA 0.5 headers (``ODLA/odla_common.h``)."""

    SUCCESS = 0
    DL_ERROR = 1
    FILE_NOT_EXIST = 2
    INVALID_PARAM = 3
    MEM_ERROR = 4
    UNSUPPORTED_DATATYPE = 5
    UNSUPPORTED_DEVICE_TYPE = 6
    UNSUPPORTED_OP = 7
    TIMEOUT = 8
    INTERNAL_LOGIC_ERR = 9
    RECOVERABLE_ERR = 10
    PARTITION_RESET = 11
    FULL_RESET = 12
    UNRECOVERABLE_ERR = 13
    FAILURE = 14


class OdlaError(Exception):
    """Base of all errors that odla_ipu raises on purpose.

    Catch it to handle any of them; ``error.status`` is the :class:`Status` a C caller would see.
    """

    status = Status.FAILURE


class InvalidParameter(OdlaError, ValueError):
    """An argument is wrong: a shape, an axis, a name, a value of the wrong computation.

    Repair: the message names the argument, what came and what is accepted.
    """

    status = Status.INVALID_PARAM


class UnsupportedType(OdlaError, TypeError):
    """An element type that the op, the device or the bound buffer cannot take.

    Repair: cast to one of the types that the message lists.
    """

    status = Status.UNSUPPORTED_DATATYPE


class UnsupportedOp(OdlaError):
    """A model uses operators that have no ODLA equivalent here.

    Repair: the message lists all of them with the names of their nodes.
    """

    status = Status.UNSUPPORTED_OP


class FileMissing(OdlaError, FileNotFoundError):
    """A model, image or executable file does not exist.

    Repair: check the path in the message.
    """

    status = Status.FILE_NOT_EXIST


class BadFile(OdlaError, ValueError):
    """A file exists but is not what it should be: foreign, truncated, tampered or too new.

    Repair: the message says what was found; write the file again with the tool it names.
    """

    status = Status.INVALID_PARAM


class LibraryMissing(OdlaError, OSError):
    """A shared library that the device needs is missing or cannot be loaded.

    Repair: the message names the file and the command that builds it.
    """

    status = Status.DL_ERROR


class DeviceUnavailable(OdlaError, RuntimeError):
    """A named device cannot be used: no SDK, no IPU, none free.

    Repair: ``odla-ipu devices`` shows the state of each; ``device="sim"`` needs nothing.
    """

    status = Status.UNSUPPORTED_DEVICE_TYPE


class DeviceTimeout(OdlaError, TimeoutError):
    """A device did not become free within the attach time-out.

    Repair: stop the program that holds it, or ask for fewer IPUs.
    """

    status = Status.TIMEOUT


class OutOfMemory(OdlaError, MemoryError):
    """A model does not fit the memory of the device or of the host.

    Repair: use more IPUs, a smaller batch or float16.
    """

    status = Status.MEM_ERROR


class RecoverableDeviceError(OdlaError, RuntimeError):
    """The device failed in a way that a reset repairs; ``status`` says which reset.

    Repair: RECOVERABLE_ERR: run again; PARTITION_RESET, FULL_RESET: reset that much first.
    """

    status = Status.RECOVERABLE_ERR


class UnrecoverableDeviceError(OdlaError, RuntimeError):
    """The device failed and stays unusable for this process.

    Repair: restart the program on another device.
    """

    status = Status.UNRECOVERABLE_ERR


class InternalError(OdlaError, RuntimeError):
    """odla_ipu contradicted itself.

    Repair: none on your side; please report the message.
    """

    status = Status.INTERNAL_LOGIC_ERR
