"""What the library knows by numbers: values, programs, devices."""

import itertools
from typing import Any, Dict, Optional, Type, TypeVar

import numpy as np

from odla_ipu.errors import InternalError, InvalidParameter
from odla_ipu.graph import Graph, Value

T = TypeVar("T")


class ValueEntry:
    """A value, the computation it belongs to, and the array whose address was given out."""

    __slots__ = ("program", "shown", "value")

    def __init__(self, value: Value, program: Any):
        self.value = value
        self.program = program
        self.shown: Optional[np.ndarray] = None


class _Objects:
    """Keys are never used twice.  Values of a computation go with it."""

    def __init__(self) -> None:
        self._all: Dict[int, Any] = {}
        self._values: Dict[int, ValueEntry] = {}
        self._keys = itertools.count(1)

    def add(self, one: Any) -> int:
        key = next(self._keys)
        self._all[key] = one
        return key

    def add_value(self, value: Value, program: Any) -> int:
        key = next(self._keys)
        self._values[key] = ValueEntry(value, program)
        if program is not None:
            program.value_keys.append(key)
        return key

    def get(self, key: int, kind: Type[T], what: str) -> T:
        found = self._values.get(key) if kind is ValueEntry else self._all.get(key)
        if not isinstance(found, kind):
            raise InvalidParameter(f"the {what} is destroyed")
        return found

    def value(self, key: int) -> Value:
        """The value of a key."""
        return self.get(key, ValueEntry, "value").value

    def remove(self, key: int) -> None:
        if self._values.pop(key, None) is not None:
            return
        found = self._all.pop(key, None)
        for one in getattr(found, "value_keys", ()):
            self._values.pop(one, None)
        if hasattr(found, "close"):
            found.close()

    def program_of(self, graph: Graph) -> Any:
        """The program of a root graph."""
        for one in list(self._all.values()):
            if isinstance(one, Program) and one.graph.root is graph:
                return one
        raise InternalError("a graph without a program")


OBJECTS = _Objects()

from .programs import Program  # noqa: E402  programs are objects that look up others
