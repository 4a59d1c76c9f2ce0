"""Custom ops of the stand-in: ops of other domains, which the host runs.

PopART takes custom ops from C++ libraries that link Poplar.  So does the stand-in, from libraries
that link the host Poplar (``sim.poplar``).  Besides, a program may register a function that makes
the op of one model, PopART's ``setup()``, and the object that it returns runs it, PopART's
``grow()``:

    register("com.acme", "Cube", 1, create)
    builder.customOp("Cube", 1, "com.acme", [x], {})
"""

import importlib
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

import numpy as np

from .exceptions import popart_exception


class Info(NamedTuple):
    """What a custom op knows of a tensor: its numpy type on the device, and its shape."""

    dtype: np.dtype
    shape: Tuple[int, ...]


class Instance(Protocol):
    """One op of a model, made once a session."""

    @property
    def outputs(self) -> Sequence[Info]:
        """Type and shape of each output."""

    def run(self, inputs: Sequence[Optional[np.ndarray]], outputs: Sequence[np.ndarray]) -> None:
        """Write into ``outputs``.  Arrays are C-contiguous; an input that is left out is None.

        The inputs must not be written to.  An exception is a run-time error of the session.
        """


Create = Callable[[Sequence[Optional[Info]], Mapping[str, Any]], Instance]
"""Makes the op for inputs and attributes (str, int, float, lists of int or float).

It raises ValueError or RuntimeError, with the reason, for inputs or attributes that it refuses.
"""

Provider = Callable[[str, str, int], Optional[Create]]

_BUILT_IN = ("", "ai.onnx", "ai.graphcore")

_creates: Dict[Tuple[str, str, int], Create] = {}
_providers: List[Provider] = []


def register(domain: str, type: str, version: int, create: Create) -> None:
    """Make an op known; one with the same domain, type and version is replaced.

    Raises popart_exception for the domains of PopART's own ops.
    """
    if domain in _BUILT_IN:
        raise popart_exception(
            f"Cannot register custom op {type} in domain {domain!r}: ai.onnx and ai.graphcore are "
            "PopART's own; use another domain"
        )
    _creates[domain, type, version] = create


def lookup(domain: str, type: str, version: int) -> Optional[Create]:
    """What makes the op: the one that was registered, else the first that a provider knows."""
    if (domain, type, version) in _creates:
        return _creates[domain, type, version]
    importlib.import_module(".poplar", __package__)  # which adds its provider
    for provider in _providers:
        create = provider(domain, type, version)
        if create is not None:
            return create
    return None


def add_provider(provider: Provider) -> None:
    """Ask ``provider(domain, type, version)`` for ops that are not registered.

    It returns what makes the op, or None.  A provider that was added before is not added again.
    """
    if provider not in _providers:
        _providers.append(provider)


def find(domain: str, type: str, opset: int) -> Optional[Tuple[int, Create]]:
    """The highest version that a model with this opset of the domain can have, and its maker."""
    for version in range(opset, 0, -1):
        create = lookup(domain, type, version)
        if create is not None:
            return version, create
    return None
