"""What the native module does on every call: overloads, conversion of arguments, typed attributes.

The real classes are C++ objects. They take the arguments of one of a few overloads, convert each
to its C++ type or refuse the call with a TypeError, have a fixed set of attributes, and hand out
containers by copy. The declarations here give the stand-in's classes the same behaviour:
`overload(...)` describes one signature, `resolve` picks the first that fits, and `Field` is a
typed attribute of a `Settings` class.
"""

import copy
import enum
import operator
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

Convert = Callable[[Any], Any]


class Mismatch(TypeError):
    """The value has no conversion to the type asked for."""


class Type:
    """A C++ parameter type: its name as it appears in messages, and the conversion to it."""

    __slots__ = ("convert", "name")

    def __init__(self, name: str, convert: Convert) -> None:
        self.name = name
        self.convert = convert


def _to_bool(value: Any) -> bool:
    if value is None or hasattr(type(value), "__bool__"):
        return bool(value)
    raise Mismatch


def _to_int(value: Any) -> int:
    if isinstance(value, (float, enum.Enum)):
        raise Mismatch
    try:
        return operator.index(value)
    except TypeError as error:
        raise Mismatch from error


def _to_float(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise Mismatch
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise Mismatch from error


def _to_str(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    raise Mismatch


BOOL = Type("bool", _to_bool)
INT = Type("int", _to_int)
FLOAT = Type("float", _to_float)
STR = Type("str", _to_str)
ANY = Type("object", lambda value: value)


def instance_of(cls: type) -> Type:
    """Exactly the objects of `cls`: no conversion."""

    def convert(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        raise Mismatch

    return Type(cls.__name__, convert)


def list_of(item: Type) -> Type:
    """Any sequence but a string; the result is a new list."""

    def convert(value: Any) -> List[Any]:
        if isinstance(value, (str, bytes)) or not hasattr(type(value), "__getitem__"):
            raise Mismatch
        if isinstance(value, dict):
            raise Mismatch
        return [item.convert(element) for element in value]

    return Type(f"List[{item.name}]", convert)


def dict_of(key: Type, item: Type) -> Type:
    def convert(value: Any) -> Dict[Any, Any]:
        if not isinstance(value, dict):
            raise Mismatch
        return {key.convert(k): item.convert(v) for k, v in value.items()}

    return Type(f"Dict[{key.name}, {item.name}]", convert)


def set_of(item: Type) -> Type:
    def convert(value: Any) -> set:
        if not isinstance(value, (set, frozenset)):
            raise Mismatch
        return {item.convert(element) for element in value}

    return Type(f"Set[{item.name}]", convert)


def optional(item: Type) -> Type:
    def convert(value: Any) -> Any:
        return None if value is None else item.convert(value)

    return Type(f"Optional[{item.name}]", convert)


REQUIRED: Any = object()


class Argument:
    """A named argument of an overload; `default` is REQUIRED where it must be given."""

    __slots__ = ("default", "name", "type")

    def __init__(self, name: str, kind: Type, default: Any = REQUIRED) -> None:
        self.name = name
        self.type = kind
        self.default = default

    def __str__(self) -> str:
        text = f"{self.name}: {self.type.name}"
        return text if self.default is REQUIRED else f"{text} = {self.default!r}"


Overload = Tuple[Argument, ...]


def _bind(overload: Overload, args: Sequence[Any], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    if len(args) > len(overload):
        raise Mismatch
    given = dict(zip((argument.name for argument in overload), args))
    for name, value in kwargs.items():
        if name in given:
            raise Mismatch
        given[name] = value
    values = {}
    for argument in overload:
        if argument.name in given:
            values[argument.name] = argument.type.convert(given.pop(argument.name))
        elif argument.default is REQUIRED:
            raise Mismatch
        else:
            values[argument.name] = copy.copy(argument.default)
    if given:
        raise Mismatch
    return values


def resolve(
    function: str, overloads: Sequence[Overload], args: Sequence[Any], kwargs: Dict[str, Any]
) -> Tuple[int, Dict[str, Any]]:
    """Index of the first overload that takes the arguments, and its arguments by name.

    Raises TypeError, listing the overloads, where none does.
    """
    for index, overload in enumerate(overloads):
        try:
            return index, _bind(overload, args, kwargs)
        except Mismatch:
            continue
    lines = [f"{function}(): incompatible arguments. The following forms are supported:"]
    for number, overload in enumerate(overloads, 1):
        lines.append(f"    {number}. {function}({', '.join(map(str, overload))})")
    shown = [repr(value) for value in args]
    shown += [f"{name}={value!r}" for name, value in kwargs.items()]
    lines.append(f"Invoked with: {', '.join(shown)}")
    raise TypeError("\n".join(lines))


class Field:
    """A typed attribute of a `Settings` class.

    Assigning converts or raises TypeError. Lists, dicts and sets are read as copies, so only an
    assignment of the whole value changes them; nested settings are read by reference.
    """

    __slots__ = ("_default", "_name", "type")

    def __init__(self, kind: Type, default: Any = None) -> None:
        self.type = kind
        self._default = default
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def initial(self) -> Any:
        """A fresh default; a class as default means its default-constructed object."""
        default = self._default
        if isinstance(default, type):
            return default()
        return copy.copy(default)

    def __get__(self, instance: Optional["Settings"], owner: Optional[type] = None) -> Any:
        if instance is None:
            return self
        value = instance._values[self._name]
        if isinstance(value, (list, dict, set)):
            return type(value)(value)
        return value

    def __set__(self, instance: "Settings", value: Any) -> None:
        try:
            instance._values[self._name] = self.type.convert(value)
        except Mismatch:
            raise TypeError(
                f"{type(instance).__name__}.{self._name}: incompatible value. "
                f"Accepted: {self.type.name}. Given: {value!r}"
            ) from None


class Settings:
    """Base of the settings classes: `Field` attributes, and `_overloads` for the constructor.

    The first overload takes nothing and gives the defaults of the fields. An attribute that is
    not declared cannot be set.
    """

    __slots__ = ("_values",)
    _values: Dict[str, Any]
    _overloads: Sequence[Overload] = ((),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve(type(self).__name__, self._overloads, args, kwargs)
        object.__setattr__(
            self, "_values", {name: field.initial() for name, field in self._fields().items()}
        )
        for name, value in values.items():
            self._values[name] = value

    @classmethod
    def _fields(cls) -> Dict[str, Field]:
        return {name: value for name, value in vars(cls).items() if isinstance(value, Field)}

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({inner})"


def overload(*arguments: Argument) -> Overload:
    return arguments
