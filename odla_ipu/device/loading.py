"""Importing popart: the SDK's, or the simulator that stands in for it.

PyPI has an unrelated package of the same name, a folder on PYTHONPATH can put the simulator under
it, and the SDK's refuses to load after ``onnx``; so what was imported is checked before use.
"""

import importlib
import importlib.util
import sys
import threading
from typing import Any, Dict, Optional

from odla_ipu.errors import DeviceUnavailable

SIM_MARKER = "__odla_ipu_sim__"

_lock = threading.RLock()
_loaded: Dict[str, Any] = {}


def load_popart(kind: str) -> Any:
    """The popart module that drives devices of ``kind``: ``sim``, or ``ipu`` and ``ipu_model``.

    Raises DeviceUnavailable when the Poplar SDK's popart is not there or cannot be used; the
    message says why and how to repair it.
    """
    source = "sim" if kind == "sim" else "sdk"
    with _lock:
        if source not in _loaded:
            _loaded[source] = _load_sim() if source == "sim" else _load_sdk()
        return _loaded[source]


def load_any_popart() -> Any:
    """The SDK's popart where there is one, else the simulator.

    Call it before the first ``import onnx``: the SDK's popart cannot be imported after it.
    """
    try:
        return load_popart("ipu")
    except DeviceUnavailable:
        return load_popart("sim")


def _load_sim() -> Any:
    return importlib.import_module("odla_ipu.sim")


def _load_sdk() -> Any:
    if "popart" not in sys.modules and _specification() is None:
        raise DeviceUnavailable(
            "the Poplar SDK's popart is not installed for this Python "
            f"({sys.version_info.major}.{sys.version_info.minor}); source the enable.sh scripts "
            "of the SDK's poplar and popart folders, with the Python that the SDK is made for "
            "(device 'sim' needs no SDK)"
        )
    try:
        module = importlib.import_module("popart")
    except Exception as error:  # whatever an import may raise: the SDK has its own reasons
        raise DeviceUnavailable(_why_import_failed(error)) from error
    _verify(module)
    return module


def _specification() -> Optional[Any]:
    try:
        return importlib.util.find_spec("popart")
    except (ImportError, ValueError):
        return None


def _why_import_failed(error: Exception) -> str:
    foreign = _pypi_version()
    if foreign:
        return _foreign(foreign)
    if isinstance(error, ImportError) and "onnx" in sys.modules:
        return (
            f"popart refuses to load because onnx was imported before it ({error}); import popart "
            "or call odla_ipu.device.load_popart('ipu') before the program's first 'import onnx'"
        )
    found = _specification()
    return (
        f"popart was found at {getattr(found, 'origin', None)} but cannot be imported: "
        f"{type(error).__name__}: {error}; check that the enable.sh scripts of both poplar and "
        "popart were sourced and that this Python "
        f"({sys.version_info.major}.{sys.version_info.minor}) is the one that the SDK is made for"
    )


def _verify(module: Any) -> None:
    if hasattr(module, SIM_MARKER):
        raise DeviceUnavailable(
            f"the popart that Python finds ({_location(module)}) is odla_ipu's simulator, not the "
            "Poplar SDK; take its folder off PYTHONPATH to use the SDK, or name the device 'sim'"
        )
    missing = [name for name in ("DeviceManager", "versionString") if not hasattr(module, name)]
    if missing:
        foreign = _pypi_version()
        raise DeviceUnavailable(
            _foreign(foreign)
            if foreign
            else f"the popart that Python finds ({_location(module)}) is not Graphcore's: it has "
            f"no {' and no '.join(missing)}; remove it from sys.path and source the SDK's "
            "enable.sh scripts"
        )


def _foreign(version: str) -> str:
    return (
        f"the installed popart {version} is PyPI's package of that name, which has nothing to do "
        "with Graphcore's; run 'pip uninstall popart' and source the SDK's enable.sh scripts"
    )


def _pypi_version() -> Optional[str]:
    """Version of a pip-installed ``popart``; the SDK's comes as a folder, not through pip."""
    from importlib import metadata

    try:
        return metadata.version("popart")
    except metadata.PackageNotFoundError:
        return None


def _location(module: Any) -> str:
    return str(getattr(module, "__file__", None) or list(getattr(module, "__path__", [])))
