"""From the arguments of a C call to those of an op, by its declaration."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type

from odla_ipu import custom
from odla_ipu.errors import InvalidParameter
from odla_ipu.graph import Value
from odla_ipu.registry import (
    REQUIRED,
    Field,
    FloatField,
    FloatsField,
    IntegerField,
    IntegersField,
    Op,
    ResultTypeField,
    ShapeField,
    TensorField,
    TensorsField,
    TextField,
    ValueTypeField,
)
from odla_ipu.types import MAX_RANK

from . import locations
from ._bridge import ffi
from .objects import OBJECTS
from .text import decode

Read = Callable[[Any, int, Dict[str, Any]], Any]
"""Reads the slots at a place; the arguments that are read already are given too."""


class NullOperand(InvalidParameter):
    """A value is NULL that must not be: what should have made it may have failed."""


class Reader:
    """Reads the slots of calls of one op."""

    def __init__(self, op: Type[Op]):
        self.op = op
        self._fields: List[Tuple[str, int, Read]] = []
        place = 0
        values = [field for field in op.fields if field.is_tensor]
        first = values[0].name if values else ""
        for field in op.fields:
            self._fields.append((field.name, place, _read_of(op, field, first)))
            place += len(field.parameters)
        # Values first: the lengths of arrays follow from them.
        self._fields.sort(key=lambda one: one[0] not in {field.name for field in values})

    def read(self, slots: Any) -> Dict[str, Any]:
        """The op's arguments by name.

        Raises InvalidParameter for NULL where something is needed (NullOperand for a value).
        """
        found: Dict[str, Any] = {}
        for name, place, read in self._fields:
            found[name] = read(slots, place, found)
        return found


def _read_of(op: Type[Op], field: Field, first: str) -> Read:
    if isinstance(field, TensorField):
        return _read_value(op, field)
    if isinstance(field, TensorsField):
        return _read_values
    if isinstance(field, FloatField):
        return lambda slots, place, found: slots[place].real
    if isinstance(field, TextField):
        return _read_text(op, field)
    if isinstance(field, IntegersField):
        return _read_integers(op, field, first)
    if isinstance(field, ShapeField):
        return lambda slots, place, found: locations.read_optional_shape(slots[place].pointer)
    if isinstance(field, (ResultTypeField, ValueTypeField)):
        return lambda slots, place, found: locations.read_optional_type(slots[place].pointer)
    if isinstance(field, IntegerField) and _wraps(field, field.ctype):
        return _read_signed
    return lambda slots, place, found: slots[place].number


def _wraps(field: IntegerField, ctype: str) -> bool:
    return ctype.startswith("uint32") and field.low < 0


def _read_signed(slots: Any, place: int, found: Dict[str, Any]) -> int:
    """An axis that may be negative, in an unsigned parameter."""
    number = slots[place].number
    return number - (1 << 32) if number >= 1 << 31 else number


def _read_value(op: Type[Op], field: Field) -> Read:
    def read(slots: Any, place: int, found: Dict[str, Any]) -> Optional[Value]:
        key = slots[place].number
        if key:
            return OBJECTS.value(key)
        if field.default is REQUIRED:
            raise NullOperand(f"{op.name}: {field.name} is NULL; accepted: a value")
        return None

    return read


def _read_values(slots: Any, place: int, found: Dict[str, Any]) -> List[Value]:
    return [OBJECTS.value(key) for key in locations.read_keys(slots[place].pointer)]


def _read_text(op: Type[Op], field: Field) -> Read:
    def read(slots: Any, place: int, found: Dict[str, Any]) -> str:
        if slots[place].pointer == ffi.NULL:
            raise InvalidParameter(f"{op.name}: {field.name} is NULL; accepted: a text")
        return decode(slots[place].pointer)

    return read


def _read_integers(op: Type[Op], field: IntegersField, first: str) -> Read:
    """An array whose length is another parameter, or follows from the rank of the first value."""
    # Numbers that may be negative come in unsigned parameters, too.
    ctype = "int32_t*" if _wraps(field.element, field.ctype) else field.ctype.replace(" *", "_t*")
    spatial = field.each == "spatial"

    def read(slots: Any, place: int, found: Dict[str, Any]) -> Optional[Sequence[int]]:
        if field.count:
            length = slots[place].number
            place += 1
            if not 0 <= length <= MAX_RANK:
                raise InvalidParameter(
                    f"{op.name}: {field.count} is {length}; accepted: 0 to {MAX_RANK}"
                )
        else:
            length = max(found[first].rank - (2 if spatial else 0), 0)
        pointer = slots[place].pointer
        if pointer == ffi.NULL and (length or not field.count):
            if field.default is None:
                return None
            if length:
                raise InvalidParameter(
                    f"{op.name}: {field.name} is NULL; accepted: {length} numbers"
                )
        return list(ffi.cast(ctype, pointer)[0:length]) if length else ()

    return read


# Custom ops.

_KINDS = {
    "int": "i",
    "unsigned int": "u",
    "int64_t": "l",
    "double": "d",
    "const char *": "s",
    "size_t": "n",
    "const int64_t *": "p",
    "const double *": "p",
}
MAX_LIST = 1 << 24
"""Longest list that is read: a length beyond is a mistake."""


def custom_layout(name: str) -> str:
    """The variable arguments of ``odla_CustomOp``, a letter each; raises UnsupportedOp."""
    listed = custom.variadic_layout(custom.find(name))
    return "".join(_KINDS[ctype] for one in listed for ctype in one.ctypes)


def read_custom(
    name: str, slots: Any, inputs: Sequence[Value]
) -> Tuple[Type[custom.CustomOp], Dict[str, Any]]:
    """The op and its arguments by name; the first slot holds ``inputs``."""
    op = custom.find(name)
    attributes: Dict[str, Any] = {}
    place = 1
    fields = {field.name: field for field in op.fields}
    for one in custom.variadic_layout(op):
        attributes[one.name] = _custom_attribute(op, fields[one.name], slots, place)
        place += len(one.ctypes)
    return op, op.arguments(list(inputs), attributes)


def _custom_attribute(op: Type[Op], field: Field, slots: Any, place: int) -> Any:
    if isinstance(field, FloatField):
        return slots[place].real
    if isinstance(field, TextField):
        return _read_text(op, field)(slots, place, {})
    if isinstance(field, (IntegersField, FloatsField)):
        length, pointer = slots[place].number, slots[place + 1].pointer
        if not 0 <= length <= MAX_LIST:
            raise InvalidParameter(f"{op.name}: {field.name} has {length} numbers")
        if length and pointer == ffi.NULL:
            raise InvalidParameter(f"{op.name}: {field.name} is NULL; accepted: {length} numbers")
        ctype = "double*" if isinstance(field, FloatsField) else "int64_t*"
        return list(ffi.cast(ctype, pointer)[0:length]) if length else ()
    return slots[place].number
