"""DeviceManager and DeviceInfo: finding, attaching and detaching simulated devices.

A device of type Ipu is a configuration of the simulated machine's IPUs. Which IPUs are in use is
one account for the whole process: an IPU belongs to the DeviceInfo that is attached to it, until
this is detached or no longer referenced. The other types (CPU, IPU Model, simulator, offline)
are made on request, without limit.
"""

import random
import threading
import time
import weakref
from typing import Any, Dict, List, Optional, Sequence

from .enums import (
    DeviceConnectionType,
    DeviceSelectionCriterion,
    DeviceType,
    SyncPattern,
)
from .exceptions import popart_exception, popart_runtime_error
from .machine import (
    Generation,
    configurations,
    generation_of,
    is_power_of_two,
    simulated_machine,
)

_MODEL_TILES = 4
_RETRY_SECONDS = 0.01

_lock = threading.Lock()
_owners: "Dict[int, weakref.ref[DeviceInfo]]" = {}
_attach_timeout = 0.0


def _in_use(ipu: int) -> bool:
    owner = _owners.get(ipu)
    return owner is not None and owner() is not None


class DeviceInfo:
    """A device. Made by DeviceManager; leaving it as a context manager detaches it."""

    __slots__ = (
        "__weakref__",
        "_attached",
        "_connection",
        "_generation",
        "_id",
        "_ipus",
        "_loaded_session",
        "_num_ipus",
        "_pattern",
        "_tiles",
        "_type",
    )

    def __init__(
        self,
        kind: DeviceType,
        connection: DeviceConnectionType,
        generation: Generation,
        num_ipus: int,
        tiles: int,
        id: int = 0,
        ipus: Sequence[int] = (),
        pattern: SyncPattern = SyncPattern.Full,
    ) -> None:
        self._type = kind
        self._connection = connection
        self._generation = generation
        self._num_ipus = num_ipus
        self._tiles = tiles
        self._id = id
        self._ipus = tuple(ipus)
        self._pattern = pattern
        self._attached = False
        # The session whose engine is on the device; loading another one evicts it.
        self._loaded_session: Any = None

    def attach(self) -> bool:
        """Attach the device. False where one of its IPUs belongs to another device."""
        with _lock:
            if self._attached:
                return True
            if self._connection is DeviceConnectionType.Never:
                return False
            if any(_in_use(ipu) for ipu in self._ipus):
                return False
            for ipu in self._ipus:
                _owners[ipu] = weakref.ref(self)
            self._attached = True
            return True

    def tryAttachUntilTimeout(self) -> bool:
        """Attach, trying again until DeviceManager.setOnDemandAttachTimeout's seconds are over."""
        deadline = time.monotonic() + _attach_timeout
        while not self.attach():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_SECONDS)
        return True

    def detach(self) -> None:
        """Release the device; the engine loaded on it is lost. Without effect when detached."""
        with _lock:
            if self._attached:
                for ipu in self._ipus:
                    del _owners[ipu]
            self._attached = False
            self._loaded_session = None

    def _require_attached(self) -> None:
        """Attach an OnDemand device for loading an engine.

        Raises popart_runtime_error where the device cannot be attached in time or was detached,
        popart_exception for a device that only compiles.
        """
        if self._attached:
            return
        if self._connection is DeviceConnectionType.Never:
            raise popart_exception(
                f"Cannot load an engine on {self!r}: an offline device only compiles. "
                "Acquire an IPU to run"
            )
        if self._connection is DeviceConnectionType.Always:
            raise popart_runtime_error(
                f"Cannot run on {self!r}: the device is not attached. Call attach() first"
            )
        if not self.tryAttachUntilTimeout():
            raise popart_runtime_error(
                f"Failed to attach to device {self!r} within {_attach_timeout:g} s: its IPUs are "
                "in use. Detach the other device, or wait longer with "
                "DeviceManager.setOnDemandAttachTimeout"
            )

    @property
    def type(self) -> DeviceType:
        return self._type

    @property
    def connectionType(self) -> DeviceConnectionType:
        return self._connection

    @property
    def id(self) -> int:
        """Number of the device on its machine: single IPUs first, then pairs and so on."""
        return self._id

    @property
    def numIpus(self) -> int:
        return self._num_ipus

    @property
    def tilesPerIPU(self) -> int:
        return self._tiles

    tilesPerIpu = tilesPerIPU

    @property
    def driverIds(self) -> List[int]:
        """Numbers of the IPUs that the device consists of."""
        return list(self._ipus)

    @property
    def numWorkerContexts(self) -> int:
        return 1 if self._type is DeviceType.Cpu else self._generation.worker_contexts

    @property
    def ipuVersion(self) -> str:
        """Poplar's name of the architecture, for example "ipu2"; "" for a CPU."""
        return "" if self._type is DeviceType.Cpu else self._generation.arch

    version = ipuVersion

    @property
    def isAttached(self) -> bool:
        return self._attached

    def __enter__(self) -> "DeviceInfo":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        return (
            f"<DeviceInfo: Device Type: {self._type} Connection Type: {self._connection.name} "
            f"Id: {self._id} IPUs: {self._num_ipus} Tiles per IPU: {self._tiles} "
            f"Attached: {self._attached}>"
        )


def _read_options(function: str, given: Any, accepted: Sequence[str]) -> Dict[str, str]:
    """An option dict with keys and values as str. Raises popart_exception for an unknown key."""
    if not isinstance(given, dict):
        raise TypeError(f"{function}(): the options must be a dict, not {type(given).__name__}")
    options = {str(key): str(value) for key, value in given.items()}
    for key in options:
        if key not in accepted:
            raise popart_exception(
                f'{function}: Invalid option "{key}". Options are {", ".join(accepted)}'
            )
    return options


def _count(function: str, options: Dict[str, str], key: str, default: int) -> int:
    text = options.get(key, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise popart_exception(f'{function}: {key} must be a positive integer, not "{text}"')
    return int(text)


def _check_flag(function: str, options: Dict[str, str], key: str) -> None:
    if options.get(key, "true").lower() not in ("true", "false", "1", "0"):
        raise popart_exception(f'{function}: {key} must be true or false, not "{options[key]}"')


class DeviceManager:
    """Finds and makes devices. All managers share the machine and its account."""

    __slots__ = ()

    def enumerateDevices(
        self,
        pattern: SyncPattern = SyncPattern.Full,
        numIpus: int = 1,
        deviceType: DeviceType = DeviceType.Ipu,
        connectionType: DeviceConnectionType = DeviceConnectionType.Always,
        tilesPerIPU: int = 0,
    ) -> List[DeviceInfo]:
        """The machine's devices of exactly `numIpus` IPUs, in use or not; none is attached.

        0 tiles stand for any number.
        """
        if deviceType is DeviceType.Cpu:
            return [self.createCpuDevice()]
        if deviceType is not DeviceType.Ipu:
            return []
        machine = simulated_machine()
        generation = machine.generation
        if tilesPerIPU not in (0, generation.tiles):
            return []
        return [
            DeviceInfo(
                DeviceType.Ipu,
                connectionType,
                generation,
                numIpus,
                generation.tiles,
                id,
                ipus,
                pattern,
            )
            for id, ipus in enumerate(configurations(machine.ipus))
            if len(ipus) == numIpus
        ]

    def acquireAvailableDevice(
        self,
        numIpus: int = 1,
        tilesPerIpu: int = 0,
        pattern: SyncPattern = SyncPattern.Full,
        connectionType: DeviceConnectionType = DeviceConnectionType.Always,
        selectionCriterion: DeviceSelectionCriterion = DeviceSelectionCriterion.First,
    ) -> DeviceInfo:
        """A free device, attached unless `connectionType` is OnDemand.

        Raises popart_exception where `numIpus` is not a power of two, none is free, or
        `connectionType` is Never.
        """
        device = self.tryAcquireAvailableDevice(
            numIpus, tilesPerIpu, pattern, connectionType, selectionCriterion
        )
        if device is None:
            machine = simulated_machine()
            free = sum(not _in_use(ipu) for ipu in range(machine.ipus))
            raise popart_exception(
                f"Failed to acquire device with {numIpus} IPUs. The machine has {machine.ipus} "
                f"IPUs of {machine.generation.tiles} tiles, {free} of them free"
            )
        return device

    def tryAcquireAvailableDevice(
        self,
        numIpus: int = 1,
        tilesPerIpu: int = 0,
        pattern: SyncPattern = SyncPattern.Full,
        connectionType: DeviceConnectionType = DeviceConnectionType.Always,
        selectionCriterion: DeviceSelectionCriterion = DeviceSelectionCriterion.First,
    ) -> Optional[DeviceInfo]:
        """As acquireAvailableDevice, but None where no device is free."""
        if not is_power_of_two(numIpus):
            raise popart_exception(
                f"You have attempted to acquire a device with {numIpus} IPUs: the number must be "
                "a power of two"
            )
        _refuse_never(connectionType)
        candidates = self.enumerateDevices(
            pattern, numIpus, DeviceType.Ipu, connectionType, tilesPerIpu
        )
        if selectionCriterion is DeviceSelectionCriterion.Random:
            random.shuffle(candidates)
        for device in candidates:
            if _take(device):
                return device
        return None

    def acquireDeviceById(
        self,
        id: int,
        pattern: SyncPattern = SyncPattern.Full,
        connectionType: DeviceConnectionType = DeviceConnectionType.Always,
    ) -> DeviceInfo:
        """The device of a number. Raises popart_exception where it is in use or does not exist."""
        device = self.tryAcquireDeviceById(id, pattern, connectionType)
        if device is None:
            raise popart_exception(
                f"Failed to acquire device with id {id}: it is in use, or the machine has none "
                f"(ids are 0 to {len(configurations(simulated_machine().ipus)) - 1})"
            )
        return device

    def tryAcquireDeviceById(
        self,
        id: int,
        pattern: SyncPattern = SyncPattern.Full,
        connectionType: DeviceConnectionType = DeviceConnectionType.Always,
    ) -> Optional[DeviceInfo]:
        """As acquireDeviceById, but None where the device is in use or does not exist."""
        _refuse_never(connectionType)
        machine = simulated_machine()
        found = configurations(machine.ipus)
        if not 0 <= id < len(found):
            return None
        generation = machine.generation
        device = DeviceInfo(
            DeviceType.Ipu,
            connectionType,
            generation,
            len(found[id]),
            generation.tiles,
            id,
            found[id],
            pattern,
        )
        return device if _take(device) else None

    def createCpuDevice(self) -> DeviceInfo:
        return _made(DeviceType.Cpu, simulated_machine().generation, 1, 1)

    def createIpuModelDevice(self, e: Dict[str, Any], /) -> DeviceInfo:
        """Poplar's IPU Model. Options: numIPUs, tilesPerIPU (4), compileIPUCode, ipuVersion.

        Raises popart_exception for an unknown option or a value that it cannot have.
        """
        function = "createIpuModelDevice"
        options = _read_options(
            function, e, ("numIPUs", "tilesPerIPU", "compileIPUCode", "ipuVersion")
        )
        _check_flag(function, options, "compileIPUCode")
        arch = options.get("ipuVersion", simulated_machine().generation.arch)
        if arch.startswith("ipu:"):
            raise popart_exception(
                f'{function}: ipuVersion "{arch}" names a configuration file of Poplar, which the '
                "simulator does not read: choose ipu1, ipu2 or ipu21"
            )
        return _made(
            DeviceType.IpuModel,
            generation_of(arch),
            _count(function, options, "numIPUs", 1),
            _count(function, options, "tilesPerIPU", _MODEL_TILES),
        )

    def createSimDevice(self, e: Dict[str, Any], /) -> DeviceInfo:
        """Poplar's simulator. Options: numIPUs, tilesPerIPU (4)."""
        function = "createSimDevice"
        options = _read_options(function, e, ("numIPUs", "tilesPerIPU"))
        return _made(
            DeviceType.Sim,
            simulated_machine().generation,
            _count(function, options, "numIPUs", 1),
            _count(function, options, "tilesPerIPU", _MODEL_TILES),
        )

    def createOfflineIPUDevice(self, opts: Dict[str, Any]) -> DeviceInfo:
        """A device to compile for; it never runs.

        Options: numIPUs, tilesPerIPU, ipuVersion ("ipu2"), syncPattern, gatewayMode.
        """
        function = "createOfflineIPUDevice"
        options = _read_options(
            function, opts, ("numIPUs", "tilesPerIPU", "ipuVersion", "syncPattern", "gatewayMode")
        )
        _check_flag(function, options, "gatewayMode")
        generation = generation_of(options.get("ipuVersion", "ipu2"))
        return DeviceInfo(
            DeviceType.OfflineIpu,
            DeviceConnectionType.Never,
            generation,
            _count(function, options, "numIPUs", 1),
            _count(function, options, "tilesPerIPU", generation.tiles),
            pattern=syncPatternFromString(options.get("syncPattern", "full")),
        )

    def createOfflineIpuFromDeviceInfo(self, deviceInfo: DeviceInfo) -> DeviceInfo:
        """A device to compile for that is like `deviceInfo`."""
        return DeviceInfo(
            DeviceType.OfflineIpu,
            DeviceConnectionType.Never,
            deviceInfo._generation,
            deviceInfo.numIpus,
            deviceInfo.tilesPerIPU,
            pattern=deviceInfo._pattern,
        )

    def createOfflineIpuFromSystemString(self, system: str, numIpus: int) -> DeviceInfo:
        """A device to compile for, of `numIpus` IPUs of the architecture `system` ("ipu2")."""
        return self.createOfflineIPUDevice({"numIPUs": numIpus, "ipuVersion": system})

    def setOnDemandAttachTimeout(self, attachTimeout: int) -> None:
        """Seconds for which an OnDemand device tries to attach; 0 means one attempt."""
        global _attach_timeout
        if attachTimeout < 0:
            raise popart_exception(f"The attach time-out must not be negative: {attachTimeout}")
        _attach_timeout = attachTimeout


def _refuse_never(connection: DeviceConnectionType) -> None:
    if connection is DeviceConnectionType.Never:
        raise popart_exception(
            "A device with connection type Never cannot be acquired: "
            "use createOfflineIPUDevice() to compile without hardware"
        )


def _take(device: DeviceInfo) -> bool:
    """Attach an Always device; an OnDemand one only has to be free now."""
    if device.connectionType is DeviceConnectionType.Always:
        return device.attach()
    with _lock:
        return not any(_in_use(ipu) for ipu in device.driverIds)


def _made(kind: DeviceType, generation: Generation, num_ipus: int, tiles: int) -> DeviceInfo:
    device = DeviceInfo(kind, DeviceConnectionType.Always, generation, num_ipus, tiles)
    device.attach()
    return device


def syncPatternFromString(pattern: str) -> SyncPattern:
    """The pattern of a name, in any case. Raises popart_exception for any other."""
    for member in SyncPattern:
        if str(member).lower() == pattern.lower():
            return member
    raise popart_exception(
        f'Unknown sync pattern "{pattern}": choose {", ".join(str(m) for m in SyncPattern)}'
    )


def syncPatternToString(pattern: SyncPattern) -> str:
    return str(pattern)
