"""A translation loaded into onnxruntime: buffers are bound once, a run only swaps pointers."""

import os
import re
from typing import Any, Dict, List, Optional

import numpy as np

from ..exceptions import popart_exception, popart_internal_exception, popart_runtime_error
from ..mapping import release_pages
from ..watching import act
from .translation import Port, Translation

THREADS_VARIABLE = "ODLA_IPU_SIM_THREADS"
MAX_THREADS = 1024
"""More threads than any host has CPUs only make onnxruntime start for minutes."""


def thread_count() -> int:
    """Threads of an op: ``ODLA_IPU_SIM_THREADS``, or the physical CPUs that the process may use.

    Raises popart_exception where the variable holds no such number.
    """
    text = os.environ.get(THREADS_VARIABLE)
    if text is None:
        return _physical_cpus()
    if not text.isdecimal() or not 1 <= int(text) <= MAX_THREADS:
        raise popart_exception(
            f"{THREADS_VARIABLE} is {text!r}: it must be a number of 1 to {MAX_THREADS}"
        )
    return int(text)


def _physical_cpus() -> int:
    """CPUs of the process, hyper-threads of one core counted once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = set()
    for cpu in os.sched_getaffinity(0):
        path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        try:
            with open(path, encoding="ascii") as file:
                cores.add(file.read())
        except OSError:
            cores.add(str(cpu))
    return len(cores)


class Engine:
    """A model in onnxruntime.  Not thread-safe.

    ``inputs`` and ``outputs`` are in the translation's order.  Everything is bound by address:
    the caller keeps the memory alive until it binds something else.
    """

    def __init__(self, translation: Translation, is_part: bool = False):
        """``is_part``: one of several, so its threads do not spin while others work."""
        import onnxruntime

        self.translation = translation
        self._kept: List[Any] = []
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count()
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 4
        if is_part:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        names = list(translation.references)
        if names:
            values = [
                onnxruntime.OrtValue.ortvalue_from_numpy(translation.references[name])
                for name in names
            ]
            self._kept += values
            options.add_external_initializers(names, values)
        if translation.folder:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", translation.folder
            )
        try:
            session = onnxruntime.InferenceSession(
                translation.model,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=_unwanted_optimizers(onnxruntime.__version__),
            )
        except Exception as error:
            raise _internal("load the model", error, translation) from error
        for array in translation.references.values():
            release_pages(array)
        self._session = session
        self._native = session._sess
        self._binding = session.io_binding()._iobinding
        self._device = onnxruntime.OrtDevice.make("cpu", 0)._get_c_device()
        self._buffers: Dict[str, np.ndarray] = {}
        for state in translation.states:
            self._buffers[state.tensor] = np.zeros(state.input.shape, state.input.dtype)
            self._bind_state(state.input, self._buffers[state.tensor])
            new = np.zeros(state.output.shape, state.output.dtype)
            self._buffers[state.output.name] = new
            self.bind_output(state.output, new.ctypes.data)
        self._draws = [np.empty(draw.port.shape, np.float32) for draw in translation.random]
        for draw, array in zip(translation.random, self._draws):
            self.bind_input(draw.port, array.ctypes.data)
        self._watched = []
        for watch in translation.watches:
            array = np.empty(watch.port.shape, watch.port.dtype)
            self._watched.append(array)
            self.bind_output(watch.port, array.ctypes.data)
        self._flag: Optional[np.ndarray] = None
        if translation.flag is not None:
            self._flag = np.zeros((), np.float32)
            self.bind_output(translation.flag, self._flag.ctypes.data)

    def bind_input(self, port: Port, address: int) -> None:
        self._binding.bind_input(port.name, self._device, port.dtype.type, port.shape, address)

    def bind_output(self, port: Port, address: int) -> None:
        self._binding.bind_output(port.name, self._device, port.dtype.type, port.shape, address)

    def _bind_state(self, port: Port, array: np.ndarray) -> None:
        self.bind_input(port, array.ctypes.data)

    @property
    def is_plain(self) -> bool:
        """Whether a run is nothing but the engine's: no state, random input or watch."""
        t = self.translation
        return not (t.states or t.random or t.watches or t.flag)

    def run_plain(self) -> None:
        """Run what is bound.  Raises popart_runtime_error."""
        try:
            self._native.run_with_iobinding(self._binding, None)
        except Exception as error:
            raise popart_runtime_error(f"The stand-in failed to run: {_reason(error)}") from error

    def run(self, generator: Optional[np.random.Generator]) -> None:
        """Draw, run, keep the new values of variables, act on watched values.

        Raises popart_runtime_error, and poplar_application_runtime_error for an abort or a
        floating-point exception.
        """
        for draw, array in zip(self.translation.random, self._draws):
            assert generator is not None
            draw.fill(generator, array)
        self.run_plain()
        for state in self.translation.states:
            np.copyto(self._buffers[state.tensor], self._buffers[state.output.name])
        act(self)

    @property
    def overflowed(self) -> bool:
        """Whether a float result of the last run was not finite (with ``check_floats``)."""
        return self._flag is not None and bool(np.isnan(self._flag))

    def watched(self) -> "List[np.ndarray]":
        """Values of the translation's watches after a run."""
        return self._watched

    def write_state(self, tensor: str, array: np.ndarray) -> None:
        np.copyto(self._buffers[tensor], array)

    def read_state(self, tensor: str) -> np.ndarray:
        return self._buffers[tensor]


def _unwanted_optimizers(version: str) -> List[str]:
    """Optimizers of that onnxruntime that change what a model computes, or make it slower."""
    # MatMul and Add of rank 3 become Gemm between two Reshapes, which cost more than they save; the
    # fused sum and normalisation runs slower than the two ops.
    unwanted = ["MatMulAddFusion", "SkipLayerNormFusion"]
    if tuple(map(int, version.split(".")[:2])) < (1, 20):
        # A Pad before a pool becomes the pool's own padding, which counts differently.
        unwanted.append("Pad_Fusion")
    return unwanted


def _reason(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()


def _internal(what: str, error: Exception, translation: Translation) -> Exception:
    """onnxruntime's messages name the node, which bears the op's label."""
    return popart_internal_exception(f"The stand-in failed to {what}: {_reason(error)}")
