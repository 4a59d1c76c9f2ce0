"""A folder of compiled programs, by the content of what they were compiled from.

A file is an executable file named by a hash of the graph with its constants, how it is compiled,
the device, PopART and this package.  What cannot be read or written is left out with a warning.
"""

import hashlib
import importlib
import os
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, TypeVar

from . import container, serialise
from .device import Device
from .errors import BadFile, FileMissing, OdlaError
from .graph import Graph
from .version import VERSION

if TYPE_CHECKING:
    from .executable import Settings

_Loaded = TypeVar("_Loaded")
_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def path(folder: str, graph: Graph, device: Device, settings: "Settings") -> str:
    """The file for ``graph``, whether it exists or not."""
    digest = hashlib.blake2b(digest_size=16)
    described = (
        VERSION,
        _sources(),
        device.kind,
        device.popart.versionString(),
        settings.precision,
        settings.batches_per_step,
        device.num_ipus,
        settings.optimizer,
    )
    digest.update(repr(described).encode())
    serialise.digest(graph, digest)
    return os.path.join(folder, f"{digest.hexdigest()}.odla")


def _sources() -> str:
    """What changes when a module of the package does, as in an editable installation."""
    digest = hashlib.blake2b(digest_size=16)
    kernels = importlib.import_module("odla_ipu.kernels").__path__
    for root in (_PACKAGE, *kernels):
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(set(folders) - {"__pycache__", "include", "sim"})
            for name in sorted(files):
                if name.endswith((".py", ".cpp")):
                    found = os.stat(os.path.join(folder, name))
                    digest.update(f"{name} {found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()


def load(path: str, read: Callable[[], _Loaded]) -> Optional[_Loaded]:
    """What ``read`` makes of the file at ``path``; None without one, or with a damaged one."""
    try:
        return read()
    except FileMissing:
        return None
    except BadFile as error:
        warnings.warn(f"ignored in the cache: {error}", RuntimeWarning, stacklevel=4)
        return None


def store(path: str, header: Mapping[str, Any], sections: Dict[str, container.Content]) -> None:
    """Write a file of the cache; the folder is made if need be."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        container.write(path, header, sections)
    except (OdlaError, OSError) as error:
        warnings.warn(f"nothing is cached: {error}", RuntimeWarning, stacklevel=4)
