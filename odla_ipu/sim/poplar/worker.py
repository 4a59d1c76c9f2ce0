"""Kernels in a process of their own: a crash or an endless loop there is an error here.

Each library has a worker process, started when its first op is made.  Arrays pass through shared
memory, commands through a socket: a letter, a number, and for all but runs a JSON text.  A worker
that has died is started again by the next call.
"""

import atexit
import json
import mmap
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..customop import Info
from . import runtime

_HEAD = struct.Struct("<cII")  # command, number, length of the text
_ALIGN = 64
_SECONDS = 60.0

_workers: Dict[str, "_Worker"] = {}
_lock = threading.Lock()


def load(library: str) -> List[Tuple[str, str, int]]:
    """Load a built library in its worker; the domain, name and version of the ops it registers.

    Raises RuntimeError when it cannot be loaded, or crashes.
    """
    path = str(Path(library).absolute())
    answer = _worker(path).call(_Caller(path, _SECONDS), b"L", 0, json.dumps(path))
    return [(domain, type, version) for domain, type, version in json.loads(answer)]


def create(
    library: str,
    domain: str,
    type: str,
    version: int,
    inputs: Sequence[Optional[Any]],
    attributes: Mapping[str, Any],
    *,
    name: str = "",
    target: Optional[runtime.Target] = None,
    debug: Optional[bool] = None,
    seed: int = 1,
    seconds: float = _SECONDS,
) -> "IsolatedKernel":
    """As :func:`runtime.create`, in the worker of ``library``.

    A call may take ``seconds``.  Raises RuntimeError, naming the op, also when the worker crashes.
    """
    wanted = {
        "library": library,
        "domain": domain,
        "type": type,
        "version": version,
        "inputs": [
            None if one is None else [np.dtype(one.dtype).name, list(one.shape)] for one in inputs
        ],
        "attributes": dict(attributes),
        "name": name,
        "target": list(target or runtime.default_target()),
        "debug": runtime.is_debug() if debug is None else debug,
        "seed": seed,
    }
    return IsolatedKernel(wanted, seconds)


class _Caller:
    """Who calls a worker: how it is named in errors, and how long a call may take."""

    def __init__(self, where: str, seconds: float):
        self.where, self.seconds = where, seconds

    def fail(self, reason: str) -> RuntimeError:
        return RuntimeError(f"{self.where}: {reason}")


class IsolatedKernel(_Caller):
    """An op in a worker; its arrays are copied to and from memory that both share."""

    def __init__(self, wanted: Dict[str, Any], seconds: float):
        super().__init__("{domain}.{type}:{version}".format(**wanted), seconds)
        self._wanted = wanted
        self._inputs = [
            None if one is None else Info(np.dtype(one[0]), tuple(one[1]))
            for one in wanted["inputs"]
        ]
        self._worker: Optional[_Worker] = None
        self._make()

    def _make(self) -> None:
        worker = _worker(self._wanted["library"])
        answer = json.loads(worker.call(self, b"C", 0, json.dumps(self._wanted)))
        self.outputs = [Info(np.dtype(one[0]), tuple(one[1])) for one in answer["outputs"]]
        places, size = _layout([*self._inputs, *self.outputs])
        folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
        with tempfile.NamedTemporaryFile(dir=folder, prefix="odla_ipu-") as file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)
            worker.call(self, b"M", answer["number"], json.dumps({"path": file.name, "size": size}))
        arrays = _arrays(self._memory, [*self._inputs, *self.outputs], places)
        self._given, self._results = arrays[: len(self._inputs)], arrays[len(self._inputs) :]
        self._worker, self._number = worker, answer["number"]

    def run(self, inputs: Sequence[Optional[np.ndarray]], outputs: Sequence[np.ndarray]) -> None:
        """Compute; raises RuntimeError for a failed check, a crash, or too long a time."""
        if self._worker is None or not self._worker.is_alive():
            self._make()
        assert self._worker is not None
        for shared, array in zip(self._given, inputs):
            if shared is not None and array is not None:
                shared[...] = array
        self._worker.call(self, b"R", self._number)
        for array, shared in zip(outputs, self._results):
            if shared is not None:
                array[...] = shared

    def __del__(self) -> None:
        worker = getattr(self, "_worker", None)
        if worker is not None and worker.is_alive():
            worker.forget(self._number)


def _layout(infos: Sequence[Optional[Info]]) -> Tuple[List[int], int]:
    """Where each array begins, and the size of all."""
    places, size = [], 0
    for info in infos:
        places.append(size)
        if info is not None:
            count = int(np.prod(info.shape, dtype=np.int64)) * info.dtype.itemsize
            size += (count + _ALIGN - 1) // _ALIGN * _ALIGN
    return places, max(size, _ALIGN)


def _arrays(
    memory: mmap.mmap, infos: Sequence[Optional[Info]], places: Sequence[int]
) -> List[Optional[np.ndarray]]:
    return [
        None if info is None else np.ndarray(info.shape, info.dtype, memory, place)
        for info, place in zip(infos, places)
    ]


class _Worker:
    """The process of one library, as the caller sees it."""

    def __init__(self, library: str):
        self._lock = threading.Lock()
        own, other = socket.socketpair()
        self._socket = own
        serve = f"from {__name__} import main; main({other.fileno()})"
        command = [_python(), "-c", serve]
        with other:
            self._process = subprocess.Popen(
                command,
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": _python_path()},
            )
        self._forgotten: List[int] = []

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def forget(self, number: int) -> None:
        """Have kernel ``number`` go with the next call."""
        self._forgotten.append(number)

    def call(self, kernel: _Caller, command: bytes, number: int, text: str = "") -> str:
        """The answer to a command; raises RuntimeError that names the kernel."""
        with self._lock:
            try:
                while self._forgotten:
                    self._exchange(b"D", self._forgotten.pop(), "", kernel.seconds)
                status, answer = self._exchange(command, number, text, kernel.seconds)
            except TimeoutError:
                self.stop()
                raise kernel.fail(
                    f"no result within {kernel.seconds:g} s; it was stopped"
                ) from None
            except OSError:
                raise kernel.fail(self._death()) from None
        if status != b"k":
            raise RuntimeError(answer)
        return answer

    def _exchange(
        self, command: bytes, number: int, text: str, seconds: float
    ) -> Tuple[bytes, str]:
        data = text.encode()
        self._socket.sendall(_HEAD.pack(command, number, len(data)) + data)
        if not select.select([self._socket], [], [], seconds)[0]:
            raise TimeoutError
        status, _, length = _HEAD.unpack(_receive(self._socket, _HEAD.size))
        return status, _receive(self._socket, length).decode(errors="replace")

    def _death(self) -> str:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.stop()
            return "its process does not answer; it was stopped"
        if code < 0:
            return f"its code crashed with {signal.Signals(-code).name}"
        return f"its process ended with code {code}"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()


def _receive(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def _worker(library: str) -> _Worker:
    with _lock:
        found = _workers.get(library)
        if found is None or not found.is_alive():
            found = _workers[library] = _Worker(library)
        return found


@atexit.register
def _stop_all() -> None:
    for one in _workers.values():
        if one.is_alive():
            one.stop()


def _python() -> str:
    """This interpreter; in a program that embeds Python, the one beside its library."""
    if os.path.basename(sys.executable or "").startswith("python"):
        return sys.executable
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for folder in (sys.prefix, sys.base_prefix):
        path = os.path.join(folder, "bin", version)
        if os.path.exists(path):
            return path
    return shutil.which(version) or shutil.which("python3") or "python3"


def _python_path() -> str:
    root = str(Path(__file__).resolve().parents[3])
    return os.pathsep.join([root, *(path for path in sys.path if path and path != root)])


# The other side.


def main(descriptor: int) -> None:
    """Serve commands from a socket until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernels: Dict[int, Tuple[runtime.Kernel, List[Any], List[Any]]] = {}
    with socket.socket(fileno=descriptor) as caller:
        while True:
            try:
                command, number, length = _HEAD.unpack(_receive(caller, _HEAD.size))
                text = _receive(caller, length).decode()
            except OSError:
                return
            try:
                status, answer = b"k", _serve(kernels, command, number, text)
            except Exception as error:
                status, answer = b"e", str(error)
            data = answer.encode()
            caller.sendall(_HEAD.pack(status, 0, len(data)) + data)


def _serve(kernels: Dict[int, Any], command: bytes, number: int, text: str) -> str:
    if command == b"R":
        kernel, inputs, outputs = kernels[number]
        kernel.run(inputs, outputs)
        return ""
    if command == b"D":
        kernels.pop(number, None)
        return ""
    wanted = json.loads(text)
    if command == b"L":
        return json.dumps(runtime.load(wanted))
    if command == b"M":
        kernel, infos, _ = kernels[number]
        with open(wanted["path"], "r+b") as file:
            memory = mmap.mmap(file.fileno(), wanted["size"])
        every = [*infos, *kernel.outputs]
        arrays = _arrays(memory, every, _layout(every)[0])
        kernels[number] = kernel, arrays[: len(infos)], arrays[len(infos) :]
        return ""
    return _make(kernels, wanted)


def _make(kernels: Dict[int, Any], wanted: Dict[str, Any]) -> str:
    runtime.load(wanted["library"])
    infos = [
        None if one is None else Info(np.dtype(one[0]), tuple(one[1])) for one in wanted["inputs"]
    ]
    kernel = runtime.create(
        wanted["domain"],
        wanted["type"],
        wanted["version"],
        infos,
        wanted["attributes"],
        library=wanted["library"],
        name=wanted["name"],
        target=runtime.Target(*wanted["target"]),
        debug=wanted["debug"],
        seed=wanted["seed"],
    )
    number = max(kernels, default=0) + 1
    kernels[number] = kernel, infos, []
    outputs = [[info.dtype.name, list(info.shape)] for info in kernel.outputs]
    return json.dumps({"number": number, "outputs": outputs})
