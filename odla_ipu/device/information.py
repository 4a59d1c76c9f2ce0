"""What is known of a device: the items that ODLA's ``odla_GetDeviceInfo`` asks for."""

import dataclasses
import os
import platform
import re
import threading
import time
import uuid
from typing import TYPE_CHECKING, Tuple

from odla_ipu.version import VERSION

if TYPE_CHECKING:
    from .devices import Device

BYTES_PER_TILE = {"ipu1": 262144, "ipu2": 638976, "ipu21": 638976}
"""Memory of a tile by Poplar's name of the architecture."""

POWER_LIMITS = {"c600": 185.0}
"""Watts of an IPU of a simulated generation, where its data sheet gives them."""

_DRIVER = "/sys/module/ipu_driver/version"


@dataclasses.dataclass(frozen=True)
class Information:
    """What ``Device.information`` returns.

    ``count`` is the number of such devices on the machine, ``index`` the place of this one among
    them.  Utilisations are shares from 0 to 1: that of the processor is the time that runs of this
    process took since it was last asked for, that of the memory ``used_memory / total_memory``
    (bytes).  Power is in watts, 0.0 where it is not known.  ``uuid`` has 16 bytes.
    """

    library_version: str
    count: int
    index: int
    type: str
    uuid: bytes
    processor_utilisation: float
    memory_utilisation: float
    total_memory: int
    used_memory: int
    power_usage: float
    power_limit: float
    driver_version: str
    sdk_version: str


class Usage:
    """What runs and programs of this process take of a device."""

    def __init__(self) -> None:
        self.busy_ns = 0
        """Time of runs that took their turn; written under the device's lock."""
        self._beside_ns = 0
        self._memory = 0
        # A program may be freed, and its memory counted off, wherever Python collects garbage.
        self._lock = threading.RLock()
        self._asked = (time.perf_counter_ns(), 0)

    @property
    def memory(self) -> int:
        """Bytes of the loaded programs."""
        return self._memory

    def load(self, size: int) -> None:
        """Count a program of ``size`` bytes; a negative size takes it away."""
        with self._lock:
            self._memory += size

    def run_beside(self, taken_ns: int) -> None:
        """Count a run that did not take its turn; the device must not be locked."""
        with self._lock:
            self._beside_ns += taken_ns

    def share(self) -> float:
        """Busy time in proportion to the time since this was last asked, 1 at most."""
        with self._lock:
            now, busy = time.perf_counter_ns(), self.busy_ns + self._beside_ns
            since, before = self._asked
            self._asked = now, busy
        return min((busy - before) / max(now - since, 1), 1.0)


def describe(device: "Device") -> Information:
    """Raises DeviceUnavailable where the device is no longer there."""
    count, index, id, architecture, tiles = _place(device)
    total = device.num_ipus * tiles * BYTES_PER_TILE.get(architecture, 0)
    used = device.usage.memory
    version = device.popart.versionString()
    sdk = _major_minor(version)
    generation, limit = architecture, 0.0
    if device.kind == "sim":
        from odla_ipu.sim.machine import simulated_machine

        generation = simulated_machine().generation.name
        limit = POWER_LIMITS.get(generation, 0.0) * device.num_ipus
    ipus = "1 IPU" if device.num_ipus == 1 else f"{device.num_ipus} IPUs"
    return Information(
        library_version=f"odla_ipu {VERSION}, popart {version}",
        count=count,
        index=index,
        type=f"{device.kind}: {ipus}, {generation}, {tiles} tiles each",
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, f"{_machine(device.kind)}/{device.kind}/{id}").bytes,
        processor_utilisation=device.usage.share(),
        memory_utilisation=min(used / total, 1.0) if total else 0.0,
        total_memory=total,
        used_memory=used,
        power_usage=0.0,
        power_limit=limit,
        driver_version=_driver_version() if device.kind == "ipu" else _major_minor(VERSION),
        sdk_version=sdk,
    )


def _place(device: "Device") -> Tuple[int, int, str, str, int]:
    """Count, index, id that does not change, architecture, tiles of an IPU."""
    from .devices import MODEL_TILES, MODEL_VERSION, configurations

    if device.kind == "ipu_model":
        return 1, 0, f"{device.num_ipus} IPUs", MODEL_VERSION, MODEL_TILES
    found = configurations(device.popart, device.num_ipus)
    ids = [info.id for info in found]
    index = device.index or 0
    if device.index is None and device.is_attached and device.info.id in ids:
        index = ids.index(device.info.id)
    info = found[index]
    place = ",".join(str(number) for number in info.driverIds)
    return len(found), index, f"{info.ipuVersion} {place}", info.ipuVersion, info.tilesPerIPU


def _machine(kind: str) -> str:
    """The machine that the device is in; a simulated one is the same everywhere."""
    if kind == "sim":
        from odla_ipu.sim.machine import simulated_machine

        return f"simulated {simulated_machine().generation.name}"
    return platform.node()


def _major_minor(version: str) -> str:
    """``3.4`` of ``3.4.0+123 (hash)``; 0.0 without numbers."""
    match = re.search(r"(\d+)\.(\d+)", version)
    return f"{match.group(1)}.{match.group(2)}" if match else "0.0"


def _driver_version() -> str:
    """That of the loaded kernel module; 0.0 where it cannot be seen."""
    if not os.path.exists(_DRIVER):
        return "0.0"
    with open(_DRIVER, encoding="ascii", errors="replace") as file:
        return _major_minor(file.read())
