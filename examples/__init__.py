"""AI Matrix's models, written with ODLA ops: one module a network, one ``EXAMPLE`` in each.

::

    from odla_ipu import examples

    example = examples.find("resnet50")
    computation = example.build(4, examples.Weights(seed=0))

``odla-ipu bench NAME`` measures them.
"""

import importlib
import pkgutil
from typing import List

from odla_ipu.errors import InvalidParameter

from .common.example import Example
from .common.weights import Weights

__all__ = ["Example", "Weights", "find", "names"]


def names() -> List[str]:
    """The modules of this folder: what :func:`find` takes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def find(name: str) -> Example:
    """The example of that name; raises InvalidParameter where there is none."""
    if name not in names():
        raise InvalidParameter(f"no example is named {name!r}; the names are {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return module.EXAMPLE  # type: ignore[no-any-return]
