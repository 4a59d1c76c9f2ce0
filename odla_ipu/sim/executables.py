"""Executable files of the stand-in.

They are named ``.popef`` as PopART's are, and say in their first line that they are something else.
An executable holds what identifies the compiled model; the engine is rebuilt from the session's own
model in a fraction of a second, so nothing of it is stored.
"""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any, Dict

import numpy as np

from .devices import DeviceInfo
from .enums import DeviceType
from .exceptions import popart_exception

MAGIC = b"odla_ipu.sim executable: made by the stand-in for PopART, not a PopEF file\n"
VARIABLES_MAGIC = b"odla_ipu.sim variables: made by the stand-in for PopART, not a PopEF file\n"
FORMAT = 1

_log = logging.getLogger("popart.session")

_OFFLINE_TYPES = (DeviceType.Ipu, DeviceType.OfflineIpu)


def _target(path: str, name: str) -> Path:
    """The file meant by ``path``, which may be a folder; parents are created."""
    target = Path(path)
    if target.is_dir() or path.endswith("/"):
        target = target / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def write_executable(
    path: str, device: DeviceInfo, identity: str, description: Dict[str, Any]
) -> Path:
    """Write an executable and return its file.

    Raises popart_exception for a device that cannot compile offline.
    """
    if device.type not in _OFFLINE_TYPES:
        raise popart_exception(
            f"Executables for device type {device.type} cannot be saved: use an IPU or an offline "
            "IPU"
        )
    content = {"format": FORMAT, "identity": identity, "metadata": description}
    target = _target(path, "executable.popef")
    target.write_bytes(MAGIC + json.dumps(content).encode())
    return target


def read_executable(path: str, identity: str) -> None:
    """Check that the file is the executable of the session with this identity.

    Raises popart_exception for a missing, damaged or foreign file, and for another model.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise popart_exception(f"Could not open file {path}: {error.strerror}") from None
    if not data.startswith(MAGIC):
        raise popart_exception(
            f"{path} is no executable of this stand-in for PopART: files made by the Poplar SDK "
            "run on its own devices only"
        )
    try:
        content = json.loads(data[len(MAGIC) :].decode())
        version, found = content["format"], content["identity"]
    except (ValueError, KeyError, TypeError):
        raise popart_exception(f"{path} is damaged: export it again") from None
    if version != FORMAT:
        raise popart_exception(f"{path} has format {version}; this stand-in reads {FORMAT}")
    if found != identity:
        raise popart_exception(
            f"{path} was compiled from another model or with other options than this session has"
        )


def find_or_write(
    folder: str, device: DeviceInfo, identity: str, description: Dict[str, Any]
) -> bool:
    """Whether the engine cache has the executable; where it has none, write it.

    IPUs and offline IPUs only.  A damaged file is replaced; what cannot be written is left out.
    """
    if device.type not in _OFFLINE_TYPES:
        return False
    key = hashlib.sha256(
        json.dumps([identity, description], default=str, sort_keys=True).encode()
    ).hexdigest()
    path = os.path.join(folder, f"{key[:32]}.popef")
    try:
        if os.path.exists(path):
            read_executable(path, identity)
            return True
    except popart_exception as error:
        _log.warning("The engine cache has an unusable file: %s", error)
    try:
        unfinished = f"{path}.{os.getpid()}"
        write_executable(unfinished, device, identity, description)
        os.replace(unfinished, path)
    except OSError as error:
        _log.warning("The engine cache %s cannot be written: %s", folder, error)
    return False


def write_variables(path: str, variables: Dict[str, np.ndarray]) -> None:
    """Write the variables' data: a line of JSON with names, types and shapes, then the bytes."""
    entries = [
        {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
        for name, array in variables.items()
    ]
    with open(_target(path, "variables.popef"), "wb") as file:
        file.write(VARIABLES_MAGIC + json.dumps(entries).encode() + b"\n")
        for array in variables.values():
            file.write(np.ascontiguousarray(array).view(np.uint8).data)
