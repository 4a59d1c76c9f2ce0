"""Names and source locations that ops, tensors and optimizers carry for debugging."""

import itertools
from typing import Any, Dict

from .binding import INT, STR, Argument, Mismatch, Type, instance_of, overload, resolve

_ids = itertools.count(1)


class SourceLocation:
    """A place in a program: function, file and line."""

    __slots__ = ("_file", "_function", "_line")
    _overloads = (
        overload(
            Argument("functionName", STR), Argument("fileName", STR), Argument("lineNumber", INT)
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("SourceLocation", self._overloads, args, kwargs)
        self._function: str = values["functionName"]
        self._file: str = values["fileName"]
        self._line: int = values["lineNumber"]


class DebugInfo:
    """Key-value pairs about one object, under an id of its own."""

    __slots__ = ("_id", "_layer", "_name", "_values")

    def __init__(self, debugContext: Any, layer: str) -> None:
        if isinstance(debugContext, str):
            debugContext = DebugContext(debugContext)
        if not isinstance(debugContext, DebugContext) or not isinstance(layer, str):
            raise TypeError(
                "DebugInfo takes a DebugContext or str, and the layer as str, "
                f"not {type(debugContext).__name__} and {type(layer).__name__}"
            )
        self._name = debugContext._name
        self._layer = layer
        self._id = next(_ids)
        self._values: Dict[str, Any] = {}

    def getId(self) -> int:
        return self._id

    def setValue(self, name: str, value: Any) -> bool:
        """Note a value. False where `name` has one already, which then stays."""
        return self._values.setdefault(name, value) is value


class DebugContext:
    """A name, with the location and the parent it has. A str converts where one is expected."""

    __slots__ = ("_info", "_location", "_name")
    _overloads = (
        overload(Argument("name", STR), Argument("loc", instance_of(SourceLocation))),
        overload(
            Argument("debugInfo", instance_of(DebugInfo)),
            Argument("name", STR),
            Argument("loc", instance_of(SourceLocation)),
        ),
        overload(),
        overload(Argument("name", STR)),
        overload(Argument("debugInfo", instance_of(DebugInfo)), Argument("name", STR)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("DebugContext", self._overloads, args, kwargs)
        self._name: str = values.get("name", "")
        self._location = values.get("loc")
        self._info = values.get("debugInfo")


def _to_context(value: Any) -> DebugContext:
    if isinstance(value, DebugContext):
        return value
    if isinstance(value, str):
        return DebugContext(value)
    raise Mismatch


DEBUG_CONTEXT = Type("Union[DebugContext, str]", _to_context)


def initializePoplarDebugInfo(filename: str, format: str = "json") -> None:
    """Start writing debug information; the stand-in has none to write, so nothing is opened."""


def closePoplarDebugInfo() -> None:
    """End what initializePoplarDebugInfo began."""
