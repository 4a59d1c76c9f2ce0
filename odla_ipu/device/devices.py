"""Devices by name.

===========  ==================================================================
``ipu``      attached hardware, through the SDK's DeviceManager
``ipu_model``  Poplar's IPU Model; needs the SDK, no hardware
``sim``      the simulator that odla_ipu carries; needs neither
``auto``     the first of ``ipu`` and ``sim`` that works
===========  ==================================================================

Environment: ``ODLA_IPU_DEVICE`` is the default name; ``ODLA_IPU_ATTACH_TIMEOUT`` the seconds to
wait for IPUs that other programs hold (default 0: do not wait).
"""

import contextlib
import math
import os
import threading
import time
import warnings
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Type, Union

from odla_ipu.custom import Kernel
from odla_ipu.errors import (
    DeviceTimeout,
    DeviceUnavailable,
    InternalError,
    InvalidParameter,
    OdlaError,
)

from .failures import translate
from .information import Information, Usage, describe
from .kernels import provide
from .loading import load_popart

KINDS = ("ipu", "ipu_model", "sim")
_NAMES = KINDS + ("auto",)

# Poplar's IPU Model has 4 tiles unless told otherwise; these are a GC200's.
MODEL_TILES = 1472
MODEL_VERSION = "ipu2"

_POLL_SECONDS = 0.1

_lock = threading.RLock()
_devices: Dict[Tuple[str, int, Optional[int]], "Device"] = {}
_automatic: Dict[int, str] = {}
_announced: Set[str] = set()


class Device:
    """A device of ``num_ipus`` IPUs, attached while someone has acquired it.

    ``kind`` is 'ipu', 'ipu_model' or 'sim', ``popart`` the module that drives it, ``index`` its
    place among those of as many IPUs (None: any that is free).  ``lock`` is for the sessions on it:
    they take turns.
    """

    def __init__(self, kind: str, num_ipus: int, popart: Any, index: Optional[int] = None):
        self.kind = kind
        self.num_ipus = num_ipus
        self.popart = popart
        self.index = index
        self.usage = Usage()
        self.lock = threading.RLock()
        self._count = 0
        self._info: Any = None
        self._provided: Set[Type[Kernel]] = set()
        # Re-entrant: the garbage collector may release the last user while another acquires.
        self._count_lock = threading.RLock()

    def __repr__(self) -> str:
        state = "attached" if self._info is not None else "detached"
        return f"<Device {self.kind} num_ipus={self.num_ipus} {state}>"

    @property
    def info(self) -> Any:
        """popart's DeviceInfo, the same for all who have acquired the device now."""
        if self._info is None:
            raise InternalError(f"device '{self.kind}' is used without having been acquired")
        return self._info

    @property
    def is_attached(self) -> bool:
        """Whether someone has acquired it."""
        return self._info is not None

    def information(self) -> Information:
        """What is known of it now; see :class:`~odla_ipu.device.information.Information`."""
        return describe(self)

    @property
    def can_export(self) -> bool:
        """Whether sessions on it can write PopART's executables: hardware only."""
        return self.kind == "ipu"

    def provide(self, kernel: Type[Kernel]) -> None:
        """Have sessions on the device know a kernel; see ``kernels.provide``."""
        if kernel not in self._provided:
            provide(self.kind, kernel)
            self._provided.add(kernel)

    def beside(self, session: Any) -> Any:
        """What runs steps of a prepared session at the same time as that; None where nothing can.

        The SDK's sessions run one step at a time.
        """
        if self.kind != "sim":
            return None
        from odla_ipu.sim.beside import Beside

        return Beside(session) if Beside.fits(session) else None

    def acquire(self) -> Any:
        """Attach if nobody has yet; returns the DeviceInfo.  Pair it with :meth:`release`.

        Raises DeviceUnavailable when all IPUs are taken, DeviceTimeout when they still are after
        ``ODLA_IPU_ATTACH_TIMEOUT`` seconds.
        """
        with self._count_lock:
            if self._info is None:
                self._info = self._attach()
            self._count += 1
            return self._info

    def release(self) -> None:
        """Undo one :meth:`acquire`; the last one detaches."""
        with self._count_lock:
            if self._count == 0:
                raise InternalError(f"device '{self.kind}' is released more often than acquired")
            self._count -= 1
            if self._count == 0:
                info, self._info = self._info, None
                if info.isAttached:
                    info.detach()

    @contextlib.contextmanager
    def attached(self) -> Iterator[Any]:
        """The DeviceInfo, acquired for the duration of a ``with`` block."""
        info = self.acquire()
        try:
            yield info
        finally:
            self.release()

    def _attach(self) -> Any:
        timeout = _attach_timeout()
        end = time.monotonic() + timeout
        try:
            manager = self.popart.DeviceManager()
            if self.kind == "ipu_model":
                return self._model(manager)
            while True:
                info = self._free(manager)
                if info is not None:
                    return info
                remaining = end - time.monotonic()
                if remaining <= 0:
                    break
                time.sleep(min(_POLL_SECONDS, remaining))
        except Exception as error:
            raise translate(
                error, f"attaching {_amount(self.num_ipus)} of '{self.kind}'"
            ) from error
        raise self._none_free(timeout)

    def _free(self, manager: Any) -> Any:
        """An IPU configuration that nobody has, attached; None without one."""
        if self.index is None:
            return manager.tryAcquireAvailableDevice(numIpus=self.num_ipus)
        return manager.tryAcquireDeviceById(
            configurations(self.popart, self.num_ipus)[self.index].id
        )

    def _model(self, manager: Any) -> Any:
        info = manager.createIpuModelDevice(
            {
                "numIPUs": self.num_ipus,
                "tilesPerIPU": MODEL_TILES,
                "ipuVersion": MODEL_VERSION,
            }
        )
        if not info.isAttached:
            info.attach()
        return info

    def _none_free(self, timeout: float) -> Exception:
        which = "" if self.index is None else f" number {self.index}"
        wanted = f"device '{self.kind}'{which}: {_amount(self.num_ipus)} wanted, but none free"
        if timeout > 0:
            return DeviceTimeout(
                f"{wanted} within {timeout:g} s (ODLA_IPU_ATTACH_TIMEOUT); stop what holds them, "
                "wait longer or use fewer"
            )
        return DeviceUnavailable(
            f"{wanted}; stop what holds them, use fewer, or set ODLA_IPU_ATTACH_TIMEOUT to the "
            "seconds to wait"
        )


class DeviceStatus(NamedTuple):
    """One line of ``odla-ipu devices``: ``reason`` describes the device or says what it lacks."""

    name: str
    available: bool
    reason: str


def open_device(
    name: "Union[str, Device, None]" = None, num_ipus: int = 1, index: Optional[int] = None
) -> Device:
    """The device ``name`` with ``num_ipus`` IPUs, not yet attached; the same object each time.

    A Device stands for itself, or for its kind where it has another number of IPUs.  ``name`` is
    'ipu', 'ipu_model', 'sim' or 'auto'; None means ``ODLA_IPU_DEVICE``, else 'auto'.  Only
    'auto' falls back, and says so once in a warning.  ``index`` chooses one of the machine's
    devices of that many IPUs; None takes any that is free.

    Raises InvalidParameter for an unknown name, a number of IPUs that is not a power of two or an
    index that no device has, DeviceUnavailable when the named device cannot be used.
    """
    if not isinstance(num_ipus, int) or num_ipus < 1 or num_ipus & (num_ipus - 1):
        raise InvalidParameter(
            f"the number of IPUs is {num_ipus!r}; IPUs come in powers of two: 1, 2, 4, ..."
        )
    if isinstance(name, Device):
        if num_ipus in (1, name.num_ipus):
            return name
        name = name.kind
    kind = _checked_name(name)
    with _lock:
        if kind == "auto":
            kind = _first_that_works(num_ipus)
        key = (kind, num_ipus, index)
        # 1.0 equals the key 1, but is no index.
        if key not in _devices or not isinstance(index, (int, type(None))):
            _devices[key] = _indexed(_usable(kind, num_ipus), index)
        return _devices[key]


def all_devices(kind: str) -> List[Device]:
    """The devices of a kind that were opened, in the order in which they were."""
    with _lock:
        return [device for device in _devices.values() if device.kind == kind]


def use_sim_mode(flag: bool) -> str:
    """The device name for ODLA's ``ODLA_USE_SIM_MODE`` item.

    True asks for a simulation: 'ipu_model' where the SDK is, else 'sim'; False for 'auto'.
    ``ODLA_IPU_DEVICE``, when it names one kind, has the last word.
    """
    default = _checked_name(None)
    if default != "auto" or not flag:
        return default
    try:
        load_popart("ipu_model")
    except DeviceUnavailable:
        return "sim"
    return "ipu_model"


def status() -> List[DeviceStatus]:
    """Each kind of device, whether it can be used now, and what it is or why not."""
    found = []
    for kind in KINDS:
        try:
            found.append(DeviceStatus(kind, True, _describe(_usable(kind, 1))))
        except OdlaError as error:
            found.append(DeviceStatus(kind, False, str(error)))
    return found


def _checked_name(name: Optional[str]) -> str:
    source = "device"
    if name is None:
        name = os.environ.get("ODLA_IPU_DEVICE") or "auto"
        source = "ODLA_IPU_DEVICE"
    if not isinstance(name, str) or name not in _NAMES:
        raise InvalidParameter(f"{source} is {name!r}; accepted: {', '.join(_NAMES)}")
    return name


def _first_that_works(num_ipus: int) -> str:
    if num_ipus not in _automatic:
        try:
            _usable("ipu", num_ipus)
            _automatic[num_ipus] = "ipu"
        except DeviceUnavailable as error:
            _automatic[num_ipus] = "sim"
            _announce(str(error))
    return _automatic[num_ipus]


def _announce(reason: str) -> None:
    if reason not in _announced:
        _announced.add(reason)
        warnings.warn(
            f"odla_ipu computes on its simulator, because device 'ipu' cannot be used: {reason}. "
            "ODLA_IPU_DEVICE=sim chooses the simulator without this warning",
            RuntimeWarning,
            stacklevel=4,
        )


def _usable(kind: str, num_ipus: int) -> Device:
    """The device, if its software is there and, for all but the IPU Model, that many IPUs."""
    popart = load_popart(kind)
    if kind != "ipu_model" and not configurations(popart, num_ipus):
        present = _machine_size(popart)
        if present == 0:
            raise DeviceUnavailable(
                f"device '{kind}': popart {popart.versionString()} sees no IPU on this machine; "
                "check it with gc-info -l, or use device 'ipu_model' or 'sim'"
            )
        raise DeviceUnavailable(
            f"device '{kind}': {_amount(num_ipus)} wanted, but this machine has "
            f"{_amount(present)} to give"
        )
    return Device(kind, num_ipus, popart)


def _indexed(device: Device, index: Optional[int]) -> Device:
    if index is None:
        return device
    count = 1
    if device.kind != "ipu_model":
        count = len(configurations(device.popart, device.num_ipus))
    if not isinstance(index, int) or not 0 <= index < count:
        raise InvalidParameter(
            f"device '{device.kind}': the index is {index!r}; this machine has {count} of "
            f"{_amount(device.num_ipus)}: accepted: 0 to {count - 1}"
        )
    return Device(device.kind, device.num_ipus, device.popart, index)


def configurations(popart: Any, num_ipus: int) -> List[Any]:
    """popart's DeviceInfo of each device of so many IPUs that the machine has, in use or not."""
    try:
        return popart.DeviceManager().enumerateDevices(numIpus=num_ipus)
    except Exception as error:
        raise translate(error, "listing the IPUs of this machine") from error


def _machine_size(popart: Any) -> int:
    """The largest number of IPUs that can be had as one device."""
    size = 0
    while configurations(popart, 2 * size or 1):
        size = 2 * size or 1
    return size


def _describe(device: Device) -> str:
    popart = device.popart
    version = f"popart {popart.versionString()}"
    if device.kind == "ipu_model":
        return f"{MODEL_VERSION}, {MODEL_TILES} tiles; {version}"
    info = configurations(popart, 1)[0]
    return (
        f"{_amount(_machine_size(popart))}, {info.ipuVersion}, {info.tilesPerIPU} tiles each; "
        f"{version}"
    )


def _amount(num_ipus: int) -> str:
    return "1 IPU" if num_ipus == 1 else f"{num_ipus} IPUs"


def _attach_timeout() -> float:
    """``ODLA_IPU_ATTACH_TIMEOUT`` in seconds."""
    given = os.environ.get("ODLA_IPU_ATTACH_TIMEOUT") or "0"
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise InvalidParameter(
            f"ODLA_IPU_ATTACH_TIMEOUT is {given!r}; accepted: a number of seconds, 0 or more"
        )
    return seconds
