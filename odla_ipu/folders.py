"""Temporary folders of executables, removed also where a process ends without a word.

A folder in use holds a locked file; the lock goes with the process.  The first folder that a
process makes has it remove those whose lock is free.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from typing import Dict

PREFIX = "odla_ipu-"

_LOCK = "in-use"

_held: Dict[str, int] = {}
"""File descriptors of locks, by folder."""

_swept = threading.Event()


def make() -> str:
    """The path of a new folder, which stays until :func:`remove`, or the end of the process."""
    if not _swept.is_set():
        _swept.set()
        _remove_left()
    folder = tempfile.mkdtemp(prefix=PREFIX)
    # Locked before it has its name: nobody ever finds it free.
    unnamed = os.path.join(folder, "new")
    handle = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.rename(unnamed, os.path.join(folder, _LOCK))
    _held[folder] = handle
    return folder


def remove(folder: str) -> None:
    """Remove a folder of :func:`make`; what cannot be removed stays."""
    handle = _held.pop(folder, None)
    shutil.rmtree(folder, ignore_errors=True)
    if handle is not None:
        os.close(handle)


def _remove_left() -> None:
    """Remove what processes of this user left behind."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_free(entry.path)


def _remove_free(folder: str) -> None:
    """Raises OSError for a folder that is in use, or not one of this user's."""
    if os.stat(folder).st_uid != os.getuid():
        raise PermissionError(folder)
    handle = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
