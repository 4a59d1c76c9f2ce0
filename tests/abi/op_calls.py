"""A C program that calls every op with rows of ``tests/samples``, made from the headers.

Operands are read from a file; what stands in the program are the calls.  ``Row`` says how C passes
what the row means: all parameters, defaults too, as the op's declaration has them after its checks.
"""

import enum
import importlib
import math
from typing import Any, List, NamedTuple

import numpy as np

import odla_ipu as odla
from odla_ipu.abi import build
from odla_ipu.ops import OPS
from odla_ipu.registry import (
    FloatField,
    IntegersField,
    OutputDimsField,
    ResultTypeField,
    ShapeField,
    TensorField,
    TensorsField,
    TextField,
    ValueTypeField,
)
from odla_ipu.types import element_type, known

FAMILIES = ["linalg", "math", "nn", "process", "quantization", "regions", "rnn", "text", "yolo"]
PROTOTYPES = {one.name: one for one in build.op_prototypes()}


class Argument(NamedTuple):
    """One parameter of a call: its C type, and the expression."""

    kind: str
    text: str
    optional: bool = False


class Row:
    """A call of an op, and what it must give."""

    def __init__(self, sample: Any, reference: Any):
        self.sample = sample
        with np.errstate(all="ignore"):
            expected = reference(*sample.operands, **sample.attributes)
        self.expected = expected if isinstance(expected, (tuple, list)) else (expected,)
        self.op = next(op for op in OPS.values() if op.python == sample.op)
        self.name = self.op.name

    def read(self) -> None:
        """Find out what C passes."""
        names = [field.name for field in self.op.fields if field.is_tensor]
        given = [list(one) if isinstance(one, tuple) else one for one in self.sample.operands]
        results = getattr(odla, self.sample.op)(**dict(zip(names, given)), **self.sample.attributes)
        node = (results if isinstance(results, odla.Value) else results[0]).node
        self.operands: List[Any] = []  # (array, whether it is a constant)
        self.constants: List[str] = []  # C arrays
        self.arguments: List[Argument] = []
        place = 0
        for field in self.op.fields:
            if field.is_tensor:
                self._operand(field, place)
                place += 1
            else:
                self._attribute(field, self._given(field, node))

    def _given(self, field: Any, node: Any) -> Any:
        """The value of a parameter: the sample's or the default, before it is normalised."""
        given = self.sample.attributes.get(field.name, field.default)
        if given is None and isinstance(field, (ResultTypeField, ValueTypeField)):
            return getattr(node, field.attribute)
        return None if given is None else field.convert(node, given)

    def _operand(self, field: Any, place: int) -> None:
        operand = self.sample.operands[place] if place < len(self.sample.operands) else None
        known = place in self.sample.constants
        if isinstance(field, TensorsField):
            first = len(self.operands)
            self.operands += [(np.asarray(one), known) for one in operand]
            text = f"several(x, {first}, {len(operand)})"
            self.arguments.append(Argument("values", text))
            return
        assert isinstance(field, TensorField)
        optional = field.default is None
        if operand is None:
            self.arguments.append(Argument("value", "NULL", True))
            return
        self.operands.append((np.asarray(operand), known))
        self.arguments.append(Argument("value", f"x[{len(self.operands) - 1}]", optional))

    def _attribute(self, field: Any, value: Any) -> None:
        kinds = [kind for kind, _ in field.parameters]
        if isinstance(field, OutputDimsField):
            known = not self.sample.sized
            self._add("shape", _shape(np.shape(self.expected[0]) if known else None))
        elif isinstance(field, ShapeField):
            self._add("shape", _shape(value))
        elif isinstance(field, ResultTypeField):
            self._add("type", f"type_of((odla_element_type){int(value)}, undefined_shape())")
        elif isinstance(field, ValueTypeField):
            kind = f"(odla_element_type){int(value.element_type)}"
            self._add("type", f"type_of({kind}, {_shape(value.shape)})")
        elif isinstance(field, IntegersField):
            if field.count:
                self._add("count", str(len(value or ())))
            if value:
                name = f"array_{len(self.constants)}"
                ctype = "odla_" + field.ctype.replace(" *", "")
                numbers = ", ".join(map(str, value))
                self.constants.append(f"static const {ctype} {name}[] = {{{numbers}}};")
                self._add("pointer", name)
            else:
                self._add("pointer", "NULL")
        elif isinstance(field, FloatField):
            self._add("real", _real(value))
        elif isinstance(field, TextField):
            self._add("pointer", '"' + value.replace('"', '\\"') + '"')
        elif isinstance(value, enum.IntEnum):
            self._add("enum", f"(odla_{kinds[0]}){int(value)}")
        else:
            self._add("number", f"{int(value)}")

    def _add(self, kind: str, text: str) -> None:
        self.arguments.append(Argument(kind, text))

    def call(self, *changes: Any) -> str:
        """The call; ``changes`` are (place, expression)."""
        prototype = PROTOTYPES[self.name]
        listed = [argument.text for argument in self.arguments]
        for place, text in changes:
            listed[place] = text
        id_kind = prototype.parameters[-1][0]
        ids = 'ids_of(2, "y0", "y1")' if id_kind == "odla_value_ids" else 'ID("y")'
        assert len(listed) == len(prototype.parameters) - 1, self.name
        return f"{self.name}({', '.join([*listed, ids])})"

    def misuse(self) -> Any:
        """(call, whether it must fail) with one argument that is wrong, each in its turn."""
        kinds = [kind for kind, _ in PROTOTYPES[self.name].parameters]
        for place, argument in enumerate(self.arguments):
            for text, fails in _WRONG[argument.kind]:
                if argument.kind == "value" and argument.optional and text == "NULL":
                    continue
                text = text.replace("KIND", kinds[place])
                yield self.call((place, text)), fails
        if kinds[-1] == "odla_value_ids":
            whole = self.call()
            yield whole.replace('ids_of(2, "y0", "y1")', "many_ids(65)"), True
            yield whole.replace('ids_of(2, "y0", "y1")', "many_ids((odla_size_t)-1)"), True


_WRONG = {
    "value": [
        ("NULL", True),
        ("freed_value", True),
        ("(odla_value)&something", True),
        ("(odla_value)freed_computation", True),
        ("(odla_value)1", True),
    ],
    "values": [
        ("values_of(0)", True),
        ("values_of(1, (odla_value)NULL)", True),
        ("values_of(1, freed_value)", True),
        ("many_values(65)", True),
        ("many_values((odla_size_t)-1)", True),
    ],
    "shape": [
        ("sized_shape(11)", True),
        ("sized_shape(-5)", True),
        ("sized_shape(0x7fffffff)", True),
        ("shape_of(2, -2, 3)", False),
        ("sized_shape(10)", False),
    ],
    "type": [
        ("type_of((odla_element_type)22, shape_of(0))", True),
        ("type_of((odla_element_type)-1, shape_of(0))", True),
        ("type_of(ODLA_FLOAT32, sized_shape(11))", True),
        ("type_of(ODLA_FLOAT32, sized_shape(-5))", True),
    ],
    "enum": [("(KIND)99", True), ("(KIND)-1", True), ("(KIND)0x7fffffff", True)],
    "count": [("11", True), ("(odla_size_t)-1", True), ("(odla_size_t)1 << 62", True)],
    "pointer": [("NULL", False)],
    "real": [("NAN", False), ("INFINITY", False)],
    "number": [("0x7fffffff", False), ("-1", False), ("0x7ffffffe + 1u", False)],
}


def _shape(dims: Any) -> str:
    if dims is None:
        return "undefined_shape()"
    numbers = [len(dims), *(dim if known(dim) else -1 for dim in dims)]
    return f"shape_of({', '.join(map(str, numbers))})"


def _real(number: float) -> str:
    if math.isnan(number):
        return "NAN"
    if math.isinf(number):
        return "-INFINITY" if number < 0 else "INFINITY"
    return float(np.float32(number)).hex()


def rows(most: int) -> List[Row]:
    """At most so many of each op, spread over its samples; with arguments rather than without."""
    listed: dict = {}
    for family in FAMILIES:
        samples = importlib.import_module(f"samples.{family}").SAMPLES
        references = importlib.import_module(f"reference.{family}")
        for sample in samples:
            listed.setdefault(sample.op, []).append((sample, getattr(references, sample.op)))
    found = []
    for several in listed.values():
        fed = [one for one in several if len(one[0].constants) < len(one[0].operands)] or several
        step = max(1, len(fed) // most)
        # The later ones have more of their parameters set.
        for sample, reference in fed[::-step][:most]:
            row = Row(sample, reference)
            row.read()
            found.append(row)
    return found


# The program and its files.


def source(listed: List[Row]) -> str:
    lines = ['#include "op_calls.h"', ""]
    for number, row in enumerate(listed):
        lines.append(f"static void call_{number}(const odla_value* x, odla_values* results) {{")
        lines += [f"  {one}" for one in row.constants]
        many = PROTOTYPES[row.name].returns == "odla_values"
        lines.append("  (void)x;")
        lines.append(f"  *results = {row.call()};" if many else f"  one(results, {row.call()});")
        lines += ["}", ""]
    seen = set()
    for number, row in enumerate(listed):
        lines.append(f"static void misuse_{number}(const odla_value* x) {{")
        lines.append("  (void)x;")
        if row.name not in seen:
            seen.add(row.name)
            lines += [f"  {one}" for one in row.constants]
            lines += [f"  (void){one.split('[')[0].split()[-1]};" for one in row.constants]
            many = "many" if PROTOTYPES[row.name].returns == "odla_values" else "one"
            for call, fails in row.misuse():
                lines.append(f'  refuses_{many}("{row.name}", __LINE__, {int(fails)}, {call});')
        lines += ["}", ""]
    lines += ["const struct call calls[] = {"]
    lines += [
        f'    {{"{row.name}", call_{number}, misuse_{number}}},'
        for number, row in enumerate(listed)
    ]
    return "\n".join([*lines, "};", f"const int num_calls = {len(listed)};", ""])


def operands(listed: List[Row]) -> bytes:
    """For each row the number of operands, then each: constant, type, rank, dims, bytes, data."""
    parts = []
    for row in listed:
        parts.append(np.int64(len(row.operands)).tobytes())
        for array, is_constant in row.operands:
            array = np.asarray(array, order="C")
            head = [int(is_constant), int(element_type(array.dtype)), array.ndim, *array.shape]
            parts.append(np.array([*head, array.nbytes], "i8").tobytes())
            parts.append(array.tobytes())
    return b"".join(parts)


def results(data: bytes, listed: List[Row]) -> List[Any]:
    """Of each row the arrays, or the message of its failure."""
    place = 0

    def numbers(count: int) -> List[int]:
        nonlocal place
        found = np.frombuffer(data, "i8", count, place).tolist()
        place += 8 * count
        return found

    found = []
    for _ in listed:
        (count,) = numbers(1)
        if count < 0:
            found.append(data[place : place - count].decode())
            place -= count
            continue
        arrays = []
        while len(arrays) < count:
            kind, rank = numbers(2)
            dims = numbers(rank)
            dtype = odla.ElementType(kind).dtype
            size = math.prod(dims)
            arrays.append(np.frombuffer(data, dtype, size, place).reshape(dims))
            place += size * dtype.itemsize
        found.append(arrays)
    assert place == len(data)
    return found
