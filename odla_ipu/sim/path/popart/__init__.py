"""The stand-in under PopART's own name, for programs that say `import popart`.

Put this folder's parent first on PYTHONPATH. Like the real module it has to be imported before
onnx.
"""

import sys

if "onnx" in sys.modules:
    raise ImportError(
        "It looks like onnx has already been imported. popart must be imported before onnx: "
        "move `import popart` to the top of the program"
    )

import odla_ipu.sim as _sim
from odla_ipu.sim import *  # noqa: F403
from odla_ipu.sim import builder, session, tensorinfo

for _name in ("builder", "session", "tensorinfo"):
    sys.modules[f"{__name__}.{_name}"] = sys.modules[f"odla_ipu.sim.{_name}"]
for _name in _sim.UNDERSCORED:
    globals()[_name] = getattr(_sim, _name)

__version__ = _sim.__version__
__odla_ipu_sim__ = True
