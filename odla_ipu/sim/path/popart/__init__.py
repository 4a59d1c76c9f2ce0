"""The stand-in under PopART's own name, for programs that say `import popart`.

Put this folder's parent first on PYTHONPATH. Like the real module it has to be imported before
onnx.
"""

import importlib
import sys

if "onnx" in sys.modules:
    raise ImportError(
        "It looks like onnx has already been imported. popart must be imported before onnx: "
        "move `import popart` to the top of the program"
    )

import odla_ipu.sim as _sim
from odla_ipu.sim import *  # noqa: F403
from odla_ipu.sim.versions import __version__  # noqa: F401

__odla_ipu_sim__ = True

for _name in ("builder", "session", "tensorinfo"):
    _module = importlib.import_module(f"odla_ipu.sim.{_name}")
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = _module
for _name in _sim.UNDERSCORED:
    globals()[_name] = getattr(_sim, _name)
