"""A small host Poplar: custom ops written for PopART run on the CPU.

``op.cpp`` (PopART Op and Opx) and ``codelet.cpp`` (vertices) of a kernel are compiled unchanged
against our own headers in ``include`` and linked with the library in ``runtime``, which calls the
op's ``setup()`` and ``grow()`` with the simulated machine and runs the program that comes of it.

    path = build("my_kernel")               # a folder, or files
    load(path)                              # its ops are known now, to the session too
    op = create("my.domain", "MyOp", 1, [Info(np.dtype("float32"), (4,))], {"alpha": 0.1})
    op.run([x], [y])

With ``ODLA_IPU_POPLAR_DEBUG=1`` memory starts as NaN, accesses are checked, and races, unwritten
outputs and full tiles are errors that name the vertex.
"""

import functools
import os
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from .. import customop
from . import builds, worker
from .builds import BuildError, build_all, kernel_folders
from .runtime import (
    Gradient,
    Kernel,
    Target,
    create,
    default_target,
    has,
    is_debug,
    is_loaded,
    load,
)

__all__ = [
    "BuildError",
    "Gradient",
    "Kernel",
    "Target",
    "build",
    "build_all",
    "build_kernel",
    "create",
    "default_target",
    "include_folder",
    "is_debug",
    "kernel_folders",
    "kernel_headers",
    "library_folder",
    "load",
    "load_isolated",
    "load_kernel",
    "provider",
]

_Path = builds.AnyPath


def build(
    sources: Union[_Path, Sequence[_Path]],
    name: Optional[str] = None,
    *,
    includes: Sequence[_Path] = (),
    flags: Sequence[str] = (),
    debug: Optional[bool] = None,
) -> Path:
    """Compile a kernel folder, or files, to a shared object; returns its path in the cache.

    Raises BuildError, naming the kernel, for what does not compile, and without a compiler.
    """
    checked = is_debug() if debug is None else debug
    return builds.build(builds.unit(sources, name, includes, flags, checked))


def build_kernel(folder: _Path, debug: Optional[bool] = None) -> Path:
    """Compile one folder of this package's kernels, unless it came built."""
    return builds.build(builds.kernel_unit(folder, is_debug() if debug is None else debug))


def load_kernel(folder: _Path, debug: Optional[bool] = None) -> str:
    """Compile and load one of this package's kernels; returns its library's path."""
    path = build_kernel(folder, debug)
    load(path)
    return str(path)


def load_isolated(path: _Path, seconds: float = 60.0) -> List[Tuple[str, str, int]]:
    """Have a built library's ops known to the session, and run in a process of their own.

    A crash there, or a call that takes longer than ``seconds``, is an error that names the op.
    Returns domain, name and version of each.  Raises RuntimeError when it cannot be loaded.
    """
    library = str(Path(os.fspath(path)).absolute())
    found = worker.load(library)
    for key in found:
        make = functools.partial(worker.create, library, *key, seconds=seconds)
        customop.register(*key, make)
    return found


def kernel_headers() -> Path:
    """Where the headers are that this package's kernels share."""
    return builds.own_kernels() / "include"


def include_folder() -> Path:
    """Where the headers are: ``-I`` for whoever compiles by himself."""
    return builds.INCLUDE


def library_folder() -> Path:
    """Where the runtime library is, also under the names that the SDK's have: ``-L``."""
    return builds.runtime().parent


def provider(domain: str, type: str, version: int) -> Optional[Callable[..., Any]]:
    """What makes the op, if a loaded library registered it."""
    if not is_loaded() or not has(domain, type, version):
        return None
    return functools.partial(create, domain, type, version)


customop.add_provider(provider)
