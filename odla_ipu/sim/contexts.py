"""Context managers that a Builder hands out; each undoes on leaving what it did on entering."""

from typing import Callable


class _Scope:
    """Runs `enter` on entering and `leave` on leaving."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *exc_info: object) -> None:
        self._leave()


class NameContextManager(_Scope):
    """Prefixes the names of what is added inside (Builder.nameScope)."""

    __slots__ = ()


class AttributeContextManager(_Scope):
    """Gives the ops added inside an attribute (Builder.virtualGraph, pipelineStage, ...)."""

    __slots__ = ()


class KeyValueContextManager(_Scope):
    """Gives the ops added inside key-value attributes (Builder.outlineAttributes)."""

    __slots__ = ()
