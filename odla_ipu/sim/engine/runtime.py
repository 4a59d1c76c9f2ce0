"""A translation loaded into onnxruntime: buffers are bound once, a run only swaps pointers."""

import os
import re
import time
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..exceptions import popart_exception, popart_internal_exception, popart_runtime_error
from ..mapping import release_pages
from ..profiling import EngineRecorder, enroll
from ..watching import act
from .translation import Port, Translation

THREADS_VARIABLE = "ODLA_IPU_SIM_THREADS"
MAX_THREADS = 1024
"""More threads than any host has CPUs only make onnxruntime start for minutes."""

SPIN_US = "1000"
"""How long onnxruntime's threads look for work before they sleep.

Back-to-back runs lose nothing by it; by default they would keep a CPU from others for about 30 ms.
"""


def thread_count() -> int:
    """Threads of an op: ``ODLA_IPU_SIM_THREADS``, or the physical CPUs that the process may use.

    Raises popart_exception where the variable holds no such number.
    """
    text = os.environ.get(THREADS_VARIABLE)
    if text is None:
        return physical_cpus()
    if not text.isdecimal() or not 1 <= int(text) <= MAX_THREADS:
        raise popart_exception(
            f"{THREADS_VARIABLE} is {text!r}: it must be a number of 1 to {MAX_THREADS}"
        )
    return int(text)


def physical_cpus() -> int:
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
        self._is_part = is_part
        self.references = [
            onnxruntime.OrtValue.ortvalue_from_numpy(array)
            for array in translation.references.values()
        ]
        """Weights, which must live as long as a session of the model."""
        self._threads = thread_count()
        start = time.perf_counter_ns()
        self._session = self.session(self.options())
        self.load_ns = time.perf_counter_ns() - start
        """What loading the model took."""
        self._native = self._session._sess
        self._binding = self._session.io_binding()._iobinding
        self._device = onnxruntime.OrtDevice.make("cpu", 0)._get_c_device()
        self._bound: Dict[str, Tuple[str, Port, int]] = {}
        """What is bound: by name, the method of a binding, and its arguments."""
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
        enroll(self)

    def options(self) -> Any:
        """onnxruntime's options for the model."""
        import onnxruntime

        translation = self.translation
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_US)
        if self._is_part:
            options.add_session_config_entry("session.force_spinning_stop", "1")
        if self.references:
            options.add_external_initializers(list(translation.references), self.references)
        if translation.folder:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", translation.folder
            )
        return options

    def session(self, options: Any) -> Any:
        """The model in onnxruntime.  Raises popart_internal_exception."""
        import onnxruntime

        try:
            session = onnxruntime.InferenceSession(
                self.translation.model,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=_unwanted_optimizers(onnxruntime.__version__),
            )
        except Exception as error:
            raise _internal("load the model", error, self.translation) from error
        for array in self.translation.references.values():
            release_pages(array)
        return session

    def one_thread_session(self) -> Any:
        """The model in onnxruntime without threads of its own: runs of it may overlap.

        Raises popart_internal_exception.
        """
        if self._threads == 1:
            return self._session
        options = self.options()
        options.intra_op_num_threads = 1
        return self.session(options)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the model, with its weights."""
        references = self.translation.references.values()
        return len(self.translation.model) + sum(array.nbytes for array in references)

    def bind_input(self, port: Port, address: int) -> None:
        self._bound[port.name] = ("bind_input", port, address)
        self._binding.bind_input(port.name, self._device, port.dtype.type, port.shape, address)

    def bind_output(self, port: Port, address: int) -> None:
        self._bound[port.name] = ("bind_output", port, address)
        self._binding.bind_output(port.name, self._device, port.dtype.type, port.shape, address)

    def bind_all(self, binding: Any) -> None:
        """Bind the same to another session's binding."""
        for method, port, address in self._bound.values():
            self.bind_in(binding, method, port, address)

    def bind_in(self, binding: Any, method: str, port: Port, address: int) -> None:
        """Bind a port in another session's binding; ``method`` is ``bind_input`` or ``_output``."""
        getattr(binding, method)(port.name, self._device, port.dtype.type, port.shape, address)

    def _bind_state(self, port: Port, array: np.ndarray) -> None:
        self.bind_input(port, array.ctypes.data)

    @property
    def is_plain(self) -> bool:
        """Whether a run is nothing but the engine's: no state, random input or watch."""
        t = self.translation
        return not (t.states or t.random or t.watches or t.flag)

    def run_plain(self) -> None:
        """Run what is bound.  Raises popart_runtime_error."""
        self.run_bound(self._native, self._binding)

    @staticmethod
    def run_bound(native: Any, binding: Any) -> None:
        """Run what is bound in a session of onnxruntime.  Raises popart_runtime_error."""
        try:
            native.run_with_iobinding(binding, None)
        except Exception as error:
            raise popart_runtime_error(f"The stand-in failed to run: {_reason(error)}") from error

    def recorder(self) -> EngineRecorder:
        """What runs in place of ``run_plain`` while runs are recorded."""
        return EngineRecorder(self)

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
