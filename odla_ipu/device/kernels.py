"""Kernels, made known to the popart that runs them.

The SDK finds them in a shared library that ``make`` builds of the folders of ``odla_ipu.kernels``.
The simulator gets them one by one: from the host Poplar, which runs the same sources, or a body in
numpy where a folder has only that.
"""

import ctypes
import importlib
import os
import sys
import threading
from typing import Any, List, Mapping, Optional, Sequence, Set, Type

import numpy as np

from odla_ipu.custom import Kernel
from odla_ipu.errors import LibraryMissing
from odla_ipu.graph import Graph
from odla_ipu.types import ValueType, element_type

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


def _is_own(folder: str) -> bool:
    """Whether the kernel comes with the package."""
    own = importlib.import_module("odla_ipu.kernels").__path__[0]
    return os.path.dirname(folder) == os.path.abspath(own)


def _load(kernel: Type[Kernel]) -> None:
    folder = _folder(kernel)
    if _is_own(folder):
        folder = os.path.dirname(folder)  # one library for all of them
    path = os.path.join(folder, LIBRARY)
    if path in _loaded:
        return
    repair = f"build it with 'make -C {folder}' where the Poplar SDK is enabled"
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
    folder = _folder(kernel)
    if os.path.exists(os.path.join(folder, "op.cpp")):
        _load_on_host(kernel, folder)
        return
    body = importlib.import_module(f"{kernel.__module__}.body")

    def create(inputs: Sequence[Optional[Any]], attributes: Mapping[str, Any]) -> "_NumpyKernel":
        return _NumpyKernel(kernel, body.run, inputs, attributes)

    customop.register(kernel.domain, kernel.__name__, kernel.version, create)


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


class _NumpyKernel:
    """A kernel whose body is a function of the declared node and the arrays of its inputs."""

    def __init__(
        self,
        kernel: Type[Kernel],
        body: Any,
        inputs: Sequence[Optional[Any]],
        attributes: Mapping[str, Any],
    ):
        info = importlib.import_module("odla_ipu.sim.customop").Info
        self._body = body
        self._node = _node(kernel, inputs, attributes)
        self.outputs = [info(one.element_type.dtype, one.type.dims) for one in self._node.outputs]

    def run(self, inputs: Sequence[Optional[np.ndarray]], outputs: Sequence[np.ndarray]) -> None:
        with np.errstate(all="ignore"):
            results = self._body(self._node, *inputs)
        results = results if isinstance(results, (tuple, list)) else [results]
        for output, result in zip(outputs, results):
            output[...] = result


def _node(
    kernel: Type[Kernel], inputs: Sequence[Optional[Any]], attributes: Mapping[str, Any]
) -> Any:
    """The declaration, checked and inferred for these inputs; raises its ValueError."""
    graph = Graph(kernel.called)
    graph.folds = False
    graph.origin = ""
    values: List[Any] = [
        None
        if info is None
        else graph.add_input(
            f"input {index}", ValueType(element_type(info.dtype), tuple(info.shape))
        )
        for index, info in enumerate(inputs)
    ]
    return kernel.add(graph, kernel.arguments(values, attributes))[0].node
