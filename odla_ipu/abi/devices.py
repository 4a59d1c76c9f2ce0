"""Devices as the library hands them out."""

import dataclasses
import json
import os
import threading
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Callable, Dict, Mapping, Optional, Tuple, Union

from odla_ipu import device as devices
from odla_ipu import profiler
from odla_ipu.device import Device
from odla_ipu.device.devices import MODEL_TILES, configurations
from odla_ipu.errors import InvalidParameter

if TYPE_CHECKING:
    from .programs import Program

_GRAPHCORE_IPU = 5
"""ODLA_DEVICE_GRAPHCORE_IPU."""


_MEMORY_UTIL, _USED_MEMORY = 6, 8

_MOMENT = 0.1
"""Seconds in which what is told stays the same: all that is asked at once fits together."""


class DeviceHandle:
    """A device by its ODLA name and index.

    ODLA_DEVICE_GRAPHCORE_IPU is an attached IPU and nothing else, unless ``ODLA_IPU_DEVICE`` says
    which of the three kinds of IPU (attached, modelled, simulated) is meant.  Index 0 is any free
    IPU, the one that computations without a device use too; another index is that of the machine.
    """

    _default: Optional["DeviceHandle"] = None
    _lock = threading.Lock()

    def __init__(self, name: int, index: int):
        self._kind: Optional[str] = None
        if name == _GRAPHCORE_IPU and _environment() is None:
            self._kind = "ipu"
        self._index = index
        self._num_ipus = 1
        self._held: Optional[Device] = None
        self._told: Optional[Tuple[float, devices.Information]] = None
        self._programs: weakref.WeakSet[Program] = weakref.WeakSet()

    @classmethod
    def allocate(cls, name: int, index: int) -> "DeviceHandle":
        """Raises DeviceUnavailable, or InvalidParameter for an index that the machine lacks."""
        handle = cls(name, index)
        handle.device()
        return handle

    @classmethod
    def default(cls) -> "DeviceHandle":
        """The device of computations for which none was chosen."""
        with cls._lock:
            if cls._default is None:
                cls._default = cls(0, 0)
            return cls._default

    def device(self, sim_mode: bool = False) -> Device:
        """The device to compile for; ``sim_mode`` is ODLA_USE_SIM_MODE of the computation.

        A kind of device that was chosen by name or by ``InitDevice`` prevails over that.
        """
        kind = self._kind
        if sim_mode:
            wanted = devices.use_sim_mode(True)
            if kind is None:
                kind = wanted
            elif kind == "ipu":
                warnings.warn(
                    "ODLA_USE_SIM_MODE is ignored: the computation is for an attached IPU by "
                    "name (ODLA_DEVICE_GRAPHCORE_IPU, or __device_type ipu)",
                    RuntimeWarning,
                    stacklevel=2,
                )
        return devices.open_device(kind, self._num_ipus, self._index or None)

    # InitDevice.

    def initialise(self, options: Dict[str, str]) -> None:
        """Apply options and attach, unless they say that it is done on demand.

        Raises InvalidParameter for what is unknown or cannot be had; nothing has changed then.
        """
        before = self._kind, self._num_ipus
        try:
            for key, text in options.items():
                apply = _OPTIONS.get(key)
                if apply is None:
                    raise InvalidParameter(
                        f"the option {key!r} is not known; accepted: {', '.join(_OPTIONS)}"
                    )
                apply(self, text)
            opened = self.device()
            self._check_tiles(opened, options.get("__tiles_per_ipu"))
            held = None
            if options.get("__connection_type") != "OnDemand":
                opened.acquire()
                held = opened
        except BaseException:
            self._kind, self._num_ipus = before
            raise
        self._let_go()
        self._held = held

    def _choose_kind(self, text: str) -> None:
        if text not in devices.KINDS:
            raise InvalidParameter(
                f"__device_type is {text!r}; accepted: {', '.join(devices.KINDS)}"
            )
        named = _environment()
        if named not in (None, text):
            warnings.warn(
                f"__device_type {text} is ignored: ODLA_IPU_DEVICE is {named}",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        self._kind = text

    def _choose_amount(self, text: str) -> None:
        self._num_ipus = _number("__num_ipus", text)

    def _check_tiles(self, opened: Device, text: Optional[str]) -> None:
        """The tiles of an IPU are what they are: an option can only agree."""
        if text is None:
            return
        tiles = _tiles(opened)
        if _number("__tiles_per_ipu", text) != tiles:
            raise InvalidParameter(
                f"__tiles_per_ipu is {text}, but an IPU of device '{opened.kind}' has {tiles}"
            )

    def _check_pattern(self, text: str) -> None:
        if text not in ("full", "SinglePipeline", "PingPong"):
            raise InvalidParameter(
                f"__sync_pattern is {text!r}; accepted: full, SinglePipeline, PingPong"
            )
        if text != "full":
            warnings.warn(
                f"__sync_pattern {text} has no effect: it is for pipelines, and the device is "
                "attached with the pattern full",
                RuntimeWarning,
                stacklevel=2,
            )

    def _check_connection(self, text: str) -> None:
        if text == "Never":
            raise InvalidParameter(
                "__connection_type is Never: programs are compiled on the device they run on; "
                "accepted: Always, OnDemand"
            )
        if text not in ("Always", "OnDemand"):
            raise InvalidParameter(
                f"__connection_type is {text!r}; accepted: Always (attach now), OnDemand (attach "
                "when something is compiled)"
            )

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None

    # Its end.

    def used_by(self, program: "Program") -> None:
        """Note who has executables on it."""
        self._programs.add(program)

    def close(self) -> None:
        """Detach: executables on it are closed, and their computations compiled anew elsewhere."""
        for program in list(self._programs):
            program.leave(self)
        self._let_go()

    # What it tells.

    def sdk(self) -> str:
        return f"popart {self.device().popart.versionString()}"

    def info(self, item: int) -> Union[bytes, float, int]:
        """What odla_GetDeviceInfo tells, by the number of the item."""
        opened = self.device()
        if self._told is None or time.monotonic() - self._told[0] >= _MOMENT:
            self._told = time.monotonic(), opened.information()
        told = self._told[1]
        used = opened.usage.memory
        if item == _MEMORY_UTIL:
            return min(used / told.total_memory, 1.0) if told.total_memory else 0.0
        if item == _USED_MEMORY:
            return used
        found = dataclasses.astuple(told)[item]
        return found.encode() if isinstance(found, str) else found

    # Profiling.

    def start_profiler(self) -> None:
        profiler.start(self.device())

    def stop_profiler(self) -> None:
        """Raises InvalidParameter where nothing was ever recorded; stopping again is allowed."""
        opened = self.device()
        try:
            _traces[opened.kind] = profiler.stop(opened)
        except InvalidParameter:
            if opened.kind not in _traces:
                raise

    def trace(self) -> profiler.Trace:
        """What was recorded last on devices of its kind; raises InvalidParameter before."""
        kind = self.device().kind
        if kind not in _traces:
            raise InvalidParameter(
                "nothing was recorded; call odla_StartDeviceProfiler, run something and call "
                "odla_StopDeviceProfiler"
            )
        return _traces[kind]


_traces: Dict[str, profiler.Trace] = {}
"""What was recorded last, by kind of device."""


def trace_json(trace: profiler.Trace, items: Mapping[str, str]) -> str:
    """The trace in Chrome's format, with ``items`` as its ``otherData``."""
    text = trace.to_json()
    return json.dumps({**json.loads(text), "otherData": dict(items)}) if items else text


def _environment() -> Optional[str]:
    """The kind that ``ODLA_IPU_DEVICE`` names; None where it leaves the choice."""
    named = os.environ.get("ODLA_IPU_DEVICE") or "auto"
    return None if named == "auto" else named


def _tiles(opened: Device) -> int:
    """Tiles of an IPU."""
    if opened.kind == "ipu_model":
        return MODEL_TILES
    return configurations(opened.popart, opened.num_ipus)[0].tilesPerIPU


def _number(key: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise InvalidParameter(f"{key} is {text!r}; accepted: a number of 1 and more")
    return number


_OPTIONS: Dict[str, Callable[[DeviceHandle, str], None]] = {
    "__device_type": DeviceHandle._choose_kind,
    "__num_ipus": DeviceHandle._choose_amount,
    "__tiles_per_ipu": lambda handle, text: None,  # checked when the device is known
    "__sync_pattern": DeviceHandle._check_pattern,
    "__connection_type": DeviceHandle._check_connection,
}
