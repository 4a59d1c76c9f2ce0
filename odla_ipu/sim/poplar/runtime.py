"""The loaded runtime: what libraries registered, and ops made of it."""

import ctypes
import functools
import os
import re
import threading
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ..customop import Info
from ..machine import simulated_machine
from . import builds

_TYPES = {
    "FLOAT": np.float32,
    "FLOAT16": np.float16,
    "INT32": np.int32,
    "UINT32": np.uint32,
    "INT16": np.int16,
    "UINT16": np.uint16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}
_NAMES = {np.dtype(dtype): name for name, dtype in _TYPES.items()}
_COMPILER = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)

_lock = threading.Lock()
_loaded: Dict[Path, ctypes.CDLL] = {}


class Target(NamedTuple):
    """The IPU that ops are made for."""

    tiles: int
    workers: int
    bytes_per_tile: int
    clock: float
    arch: str


def default_target() -> Target:
    """One IPU of the simulated machine."""
    found = simulated_machine().generation
    return Target(
        found.tiles, found.worker_contexts, found.bytes_per_tile, found.clock_hz, found.arch
    )


def is_debug() -> bool:
    """Whether ``ODLA_IPU_POPLAR_DEBUG`` asks for every check."""
    return os.environ.get("ODLA_IPU_POPLAR_DEBUG", "0") not in ("", "0")


@functools.lru_cache(maxsize=1)
def _library() -> Any:
    """The runtime library; raises BuildError if it cannot be built."""
    # A library that links the runtime may have brought it: there must be only one.
    library = ctypes.CDLL(_mapped() or str(builds.runtime()), ctypes.RTLD_GLOBAL)
    pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    size, unsigned = ctypes.c_size_t, ctypes.c_uint
    signatures = {
        "error": (text, []),
        "describe": (pointer, []),
        "forget": (None, [pointer]),
        "input": (None, [pointer, integer, text, pointer, integer]),
        "ints": (None, [pointer, text, pointer, size, integer]),
        "floats": (None, [pointer, text, pointer, size, integer]),
        "strings": (None, [pointer, text, pointer, size, integer]),
        "create": (
            pointer,
            [pointer, text, text, integer, text, text, unsigned, unsigned, size]
            + [ctypes.c_double, text, integer, unsigned],
        ),
        "outputs": (integer, [pointer]),
        "output": (integer, [pointer, integer, ctypes.POINTER(text), pointer]),
        "gradients": (integer, [pointer]),
        "gradient": (pointer, [pointer, integer]),
        "gradient_input": (integer, [pointer, integer, ctypes.POINTER(integer)]),
        "gradient_output": (integer, [pointer, integer]),
        "run": (integer, [pointer, pointer, pointer]),
        "destroy": (None, [pointer]),
        "ops": (text, []),
        "compiler": (None, [_COMPILER]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"odla_poplar_{name}")
        function.restype, function.argtypes = result, arguments
    library.odla_poplar_compiler(_compile_codelets)
    return library


_answers: List[Any] = []


@_COMPILER
def _compile_codelets(path: bytes, source: Optional[bytes], flags: bytes) -> int:
    """Serves Graph::addCodelets: the path of a built library, or '!' and what went wrong."""
    try:
        answer = str(_codelets(os.fsdecode(path), source, flags.decode().split())).encode()
    except Exception as error:
        answer = b"!" + str(error).encode()
    _answers[:] = [ctypes.create_string_buffer(answer)]
    return ctypes.addressof(_answers[0])


def _codelets(path: str, source: Optional[bytes], flags: List[str]) -> Path:
    given = [flag for flag in flags if re.match(r"-[DIU]|-std", flag)]
    if source is not None:
        folder = builds.cache_folder() / "streams"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / (builds.digest([source.decode()]) + ".cpp")
        file.write_bytes(source)
    else:
        file = Path(path)
    wanted = builds.Unit(file.stem, (file.absolute(),), (), (), tuple(given), is_debug())
    return builds.build(wanted)


def load(path: Union[str, "os.PathLike[str]"]) -> List[Tuple[str, str, int]]:
    """Load a built library; returns the domain, name and version of the ops that it registers.

    Raises RuntimeError when it cannot be loaded.
    """
    file = Path(os.fspath(path)).absolute()
    with _lock:
        _library()
        if file not in _loaded:
            try:
                _loaded[file] = ctypes.CDLL(str(file))
            except OSError as error:
                raise RuntimeError(f"{file} cannot be loaded: {error}") from None
    return [key for key, library in _ops() if Path(library) == file]


def _ops() -> List[Tuple[Tuple[str, str, int], str]]:
    found = []
    for line in _library().odla_poplar_ops().decode().splitlines():
        domain, type, version, library = line.split("\t")
        found.append(((domain, type, int(version)), library))
    return found


def has(domain: str, type: str, version: int) -> bool:
    """Whether a loaded library registered this op."""
    return any(key == (domain, type, version) for key, _ in _ops())


def is_loaded() -> bool:
    """Whether the runtime library is in the process, by us or by a library that links it."""
    return bool(_library.cache_info().currsize or _mapped())


def _mapped() -> Optional[str]:
    """The path of the runtime library that this process has mapped."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return None
    found = re.search(r"\S*/" + re.escape(builds.RUNTIME_NAME) + "$", maps, re.MULTILINE)
    return found.group() if found else None


def create(
    domain: str,
    type: str,
    version: int,
    inputs: Sequence[Optional[Any]],
    attributes: Mapping[str, Any],
    *,
    library: str = "",
    name: str = "",
    target: Optional[Target] = None,
    debug: Optional[bool] = None,
    seed: int = 1,
) -> "Kernel":
    """The op for inputs of given dtype and shape (None: left out) and attributes, ready to run.

    ``library``, the path of a loaded library, picks among several that register the op.  Raises
    RuntimeError with the message of the C++ exception of setup() or grow(), or of a check of the
    graph; ValueError for a type that Poplar has not.
    """
    runtime, machine = _library(), target or default_target()
    where = f"{domain}.{type}:{version}" + (f" ({name})" if name else "")
    description = runtime.odla_poplar_describe()
    try:
        for index, info in enumerate(inputs):
            if info is None:
                continue
            kind = _NAMES.get(np.dtype(info.dtype))
            if kind is None:
                raise ValueError(
                    f"{where}: input {index} is {np.dtype(info.dtype).name}, which Poplar has "
                    f"not; accepted: {', '.join(sorted(str(one) for one in _NAMES))}"
                )
            dims = np.array(info.shape, np.int64)
            runtime.odla_poplar_input(
                description, index, kind.encode(), dims.ctypes.data, len(dims)
            )
        for key, value in attributes.items():
            _attribute(runtime, description, where, key, value)
        handle = runtime.odla_poplar_create(
            description,
            domain.encode(),
            type.encode(),
            version,
            library.encode(),
            name.encode(),
            machine.tiles,
            machine.workers,
            machine.bytes_per_tile,
            machine.clock,
            machine.arch.encode(),
            is_debug() if debug is None else debug,
            seed,
        )
        if not handle:
            raise RuntimeError(f"{where}: {runtime.odla_poplar_error().decode(errors='replace')}")
    finally:
        runtime.odla_poplar_forget(description)
    return Kernel(runtime, handle, where, len(inputs))


def _attribute(runtime: Any, description: int, where: str, name: str, value: Any) -> None:
    values = value if isinstance(value, (list, tuple)) else [value]
    is_list = isinstance(value, (list, tuple))
    key, count = name.encode(), len(values)
    if all(isinstance(one, (int, np.integer)) for one in values):
        ints = np.array(values, np.int64)
        runtime.odla_poplar_ints(description, key, ints.ctypes.data, count, is_list)
    elif all(isinstance(one, (int, float, np.number)) for one in values):
        floats = np.array(values, np.float32)
        runtime.odla_poplar_floats(description, key, floats.ctypes.data, count, is_list)
    elif all(isinstance(one, str) for one in values):
        texts = (ctypes.c_char_p * max(count, 1))(*(one.encode() for one in values))
        runtime.odla_poplar_strings(description, key, texts, count, is_list)
    else:
        raise ValueError(
            f"{where}: the attribute {name} is {value!r}; accepted: int, float, str and lists of "
            "one of them"
        )


class Kernel:
    """One op with its graph and program; of several threads only one may run it at a time."""

    def __init__(self, runtime: Any, handle: int, where: str, inputs: int):
        self._runtime, self._handle, self._where = runtime, handle, where
        self._run = runtime.odla_poplar_run
        self.outputs: List[Info] = []
        dims = (ctypes.c_int64 * 16)()
        for index in range(runtime.odla_poplar_outputs(handle)):
            kind = ctypes.c_char_p()
            rank = runtime.odla_poplar_output(handle, index, ctypes.byref(kind), dims)
            dtype = np.dtype(_TYPES[(kind.value or b"").decode()])
            self.outputs.append(Info(dtype, tuple(dims[:rank])))
        self._inputs = (ctypes.c_void_p * max(inputs, 1))()
        self._results = (ctypes.c_void_p * max(len(self.outputs), 1))()

    def gradients(self) -> List["Gradient"]:
        """The op's gradient ops for its inputs, ready to run; none where it has no gradient.

        Raises RuntimeError with the message of their setup() or grow().
        """
        count = self._runtime.odla_poplar_gradients(self._handle)
        if count < 0:
            raise self._failure()
        return [self._gradient(number) for number in range(count)]

    def _gradient(self, number: int) -> "Gradient":
        runtime, kind = self._runtime, ctypes.c_int()
        handle = runtime.odla_poplar_gradient(self._handle, number)
        if not handle:
            raise self._failure()
        inputs: List[Tuple[str, int]] = []
        while True:
            place = runtime.odla_poplar_gradient_input(handle, len(inputs), ctypes.byref(kind))
            if place < 0:
                break
            inputs.append((_SOURCES[kind.value], place))
        kernel = Kernel(runtime, handle, f"gradient {number} of {self._where}", len(inputs))
        outputs = [
            runtime.odla_poplar_gradient_output(handle, index)
            for index in range(len(kernel.outputs))
        ]
        return Gradient(kernel, inputs, outputs)

    def _failure(self) -> RuntimeError:
        message = self._runtime.odla_poplar_error().decode(errors="replace")
        return RuntimeError(f"{self._where}: {message}")

    def run(self, inputs: Sequence[Optional[np.ndarray]], outputs: Sequence[np.ndarray]) -> None:
        """Compute; arrays are C-contiguous and of the op's types and shapes.

        Raises RuntimeError with the message of a failed check or of C++ code.
        """
        for index, array in enumerate(inputs):
            if array is not None:
                self._inputs[index] = array.__array_interface__["data"][0]
        for index, array in enumerate(outputs):
            self._results[index] = array.__array_interface__["data"][0]
        if self._run(self._handle, self._inputs, self._results):
            raise self._failure()

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", 0), 0
        if handle:
            self._runtime.odla_poplar_destroy(handle)


_SOURCES = ("input", "output", "gradient")
"""popart::GradOpInType"""


class Gradient(NamedTuple):
    """A gradient op of a kernel."""

    kernel: Kernel
    inputs: List[Tuple[str, int]]
    """What each of its inputs is: the forward op's input or output of this place, or the gradient
    of that output."""
    outputs: List[int]
    """The forward op's input that each of its outputs is the gradient of."""
