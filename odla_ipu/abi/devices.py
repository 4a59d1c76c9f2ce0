"""Devices as the library hands them out."""

import threading
from typing import Any, Dict, Optional, Union

from odla_ipu import device as devices
from odla_ipu.errors import InvalidParameter, UnsupportedOp
from odla_ipu.version import VERSION

GRAPHCORE_IPU = 5
"""ODLA_DEVICE_GRAPHCORE_IPU."""


class DeviceHandle:
    """A device by its ODLA name and index; ``key`` tells two of them apart.

    ODLA_DEVICE_GRAPHCORE_IPU asks for an attached IPU and gets nothing else, unless
    ``ODLA_IPU_DEVICE`` says which of the three kinds of IPU (attached, modelled, simulated) is meant.
    """

    _default: Optional["DeviceHandle"] = None
    _lock = threading.Lock()

    def __init__(self, name: int, index: int):
        self._name = name
        self._index = index
        self._options: Dict[str, str] = {}
        opened = devices.open_device(self.name(False))
        if index != 0:
            raise InvalidParameter(f"device_idx is {index}; accepted: 0")
        self.key = (opened.kind, index)

    @classmethod
    def default(cls) -> "DeviceHandle":
        """The device of computations for which none was chosen."""
        with cls._lock:
            if cls._default is None:
                cls._default = cls(0, 0)
            return cls._default

    def name(self, sim_mode: bool) -> Optional[str]:
        """The name for ``open_device``: ODLA_USE_SIM_MODE asks for a simulation."""
        if sim_mode:
            return devices.use_sim_mode(True)
        return None

    def sdk(self) -> str:
        return f"popart {devices.open_device(self.name(False)).popart.versionString()}"

    def info(self, item: int) -> Union[bytes, float, int]:
        raise UnsupportedOp(f"device info {item}")

    def initialise(self, options: Dict[str, str]) -> None:
        self._options.update(options)

    def start_profiler(self) -> None:
        raise UnsupportedOp("profiler")

    def stop_profiler(self) -> None:
        raise UnsupportedOp("profiler")

    def trace(self) -> Any:
        raise UnsupportedOp("profiler")


__all__ = ["VERSION", "DeviceHandle"]
