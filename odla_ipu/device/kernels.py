"""Kernels, made known to the popart that runs them.

The SDK finds them in a shared library that ``make`` builds of the folders of ``odla_ipu.kernels``.
The simulator gets them one by one from the host Poplar, which runs the same sources.
"""

import ctypes
import importlib
import os
import sys
import threading
from typing import Set, Type

from odla_ipu.custom import Kernel
from odla_ipu.errors import LibraryMissing

LIBRARY = "libodla_ipu_kernels.so"

_lock = threading.Lock()
_loaded: Set[str] = set()


def provide(kind: str, kernel: Type[Kernel]) -> None:
    """Have the popart of device ``kind`` know ``kernel``.

    Raises LibraryMissing when the SDK lacks the library.
    """
    with _lock:
        if kind == "sim":
            _register(kernel)
        else:
            _load(kernel)


# The SDK.


def _folder(kernel: Type[Kernel]) -> str:
    return os.path.dirname(os.path.abspath(str(sys.modules[kernel.__module__].__file__)))


def _own_folder() -> str:
    """Where the package's kernels are, and the Makefile."""
    return os.path.abspath(importlib.import_module("odla_ipu.kernels").__path__[0])


def _is_own(folder: str) -> bool:
    """Whether the kernel comes with the package."""
    return os.path.dirname(folder) == _own_folder()


def _load(kernel: Type[Kernel]) -> None:
    folder = _folder(kernel)
    command = f"make -C {_own_folder()}"
    if _is_own(folder):
        folder = os.path.dirname(folder)  # one library for all of them
    else:
        command += f" FOLDER={folder}"
    path = os.path.join(folder, LIBRARY)
    if path in _loaded:
        return
    repair = f"build it with '{command}' where the Poplar SDK is enabled"
    if not os.path.exists(path):
        raise LibraryMissing(
            f"{path}, which holds the kernel {kernel.called}, is missing; {repair}"
        )
    try:
        ctypes.CDLL(path)
    except OSError as error:
        raise LibraryMissing(
            f"{path}, which holds the kernel {kernel.called}, cannot be loaded ({error}); {repair}"
        ) from None
    _loaded.add(path)


# The simulator.


def _register(kernel: Type[Kernel]) -> None:
    customop = importlib.import_module("odla_ipu.sim.customop")
    if customop.lookup(kernel.domain, kernel.__name__, kernel.version) is not None:
        return
    _load_on_host(kernel, _folder(kernel))


def _load_on_host(kernel: Type[Kernel], folder: str) -> None:
    poplar = importlib.import_module("odla_ipu.sim.poplar")
    try:
        if _is_own(folder):
            poplar.load_kernel(folder)
            return
        library = poplar.build(folder, includes=[poplar.kernel_headers()])
        load = poplar.load if kernel.is_trusted else poplar.load_isolated
        load(library)
    except poplar.BuildError as error:
        raise LibraryMissing(f"the kernel {kernel.called} cannot be built: {error}") from error
    except RuntimeError as error:
        raise LibraryMissing(f"the kernel {kernel.called} cannot be loaded: {error}") from error
