"""Devices: their names, the popart module behind each, attaching, and errors made ODLA's own.

Nothing else in odla_ipu knows whether the SDK's popart or the simulator is loaded.
"""

from .devices import KINDS, Device, DeviceStatus, open_device, status, use_sim_mode
from .failures import translate
from .information import Information
from .loading import load_any_popart, load_popart

__all__ = [
    "KINDS",
    "Device",
    "DeviceStatus",
    "Information",
    "load_any_popart",
    "load_popart",
    "open_device",
    "status",
    "translate",
    "use_sim_mode",
]
