"""Element types of the graph become those that the device computes.

64-bit types shrink to 32 bits, FLOAT64 and BFLOAT16 become FLOAT32; in fp16 all floats become
FLOAT16.  Values are converted where they enter and leave the device, constants here; a Cast to
BFLOAT16 rounds on the device.
"""

from typing import Any, Dict, List, Mapping, Union

import numpy as np

from ..errors import InvalidParameter, UnsupportedType
from ..graph import Carried, Graph, Node, Value, rewrite, walk
from ..ops.process import Cast, RoundToBfloat16
from ..registry import ElementTypeField, Field, ResultTypeField, TensorField, ValueTypeField
from ..types import ElementType, ValueType

_E = ElementType
_FP32: Mapping[ElementType, ElementType] = {
    _E.INT64: _E.INT32,
    _E.UINT64: _E.UINT32,
    _E.FLOAT64: _E.FLOAT32,
    _E.BFLOAT16: _E.FLOAT32,
}
PRECISIONS: Dict[str, Mapping[ElementType, ElementType]] = {
    "fp32": _FP32,
    "fp16": {
        **_FP32,
        _E.FLOAT64: _E.FLOAT16,
        _E.FLOAT32: _E.FLOAT16,
        _E.BFLOAT16: _E.FLOAT16,
    },
}
"""Types that change, by the name of the precision."""


def device_type(kind: ElementType, precision: str) -> ElementType:
    """The type by which the device computes ``kind``; raises UnsupportedType without one."""
    changed = PRECISIONS[precision].get(kind, kind)
    changed.popart  # noqa: B018  raises for types that PopART does not know
    return changed


def to_device_types(graph: Graph, precision: str) -> Graph:
    """Requires nothing; ensures that every value has a type that PopART computes."""

    def rule(new: Graph, node: Node, values: Carried) -> Any:
        if isinstance(node, Cast) and _rounds(node):
            rounded = _rounded(new, values[node.input], node.id)
            return [_as_type(new, rounded, device_type(_E.BFLOAT16, precision))]
        changes = {
            field.name: _attribute(node.__dict__[field.name], precision)
            for field in _type_fields(node)
        }
        changes.update(_widened(new, node, values))
        results = node.copy_to(new, values, **changes)  # type: ignore[call-arg]
        wanted = [device_type(result.element_type, precision) for result in node.outputs]
        return [_as_type(new, result, kind) for result, kind in zip(results, wanted)]

    if not _needed(graph, precision):
        return graph
    return rewrite(
        graph,
        rule,
        argument_type=lambda value: ValueType(_typed(value, precision), value.shape),
        constant=lambda value: convert(
            _data(value), _typed(value, precision), f"constant '{value.id}'"
        ),
    )


def _widened(new: Graph, node: Any, values: Carried) -> Dict[str, Value]:
    """Operands in FLOAT32 again, where the op takes no FLOAT16."""
    changes = {}
    for field in node.fields:
        if not isinstance(field, TensorField) or _E.FLOAT16 in field.types:
            continue
        given = node.__dict__[field.attribute]
        if given is None or not given.element_type.is_float:
            continue
        if values[given].element_type is _E.FLOAT16:
            changes[field.name] = _as_type(new, values[given], _E.FLOAT32)
    return changes


def _rounds(node: Cast) -> bool:
    """Whether a Cast to BFLOAT16 changes numbers: 8 bits hold those of the types left out."""
    exact = (_E.BFLOAT16, _E.BOOL, _E.INT8, _E.UINT8)
    return node.target_type is _E.BFLOAT16 and node.input.element_type not in exact


def _rounded(graph: Graph, value: Value, id: str) -> Value:
    wide = _as_type(graph, value, _E.FLOAT32)
    return RoundToBfloat16.add(graph, {"input": wide}, id)[0]


def _as_type(graph: Graph, value: Value, kind: ElementType) -> Value:
    """``value`` itself, or cast."""
    if value.element_type is kind:
        return value
    return Cast.add(graph, {"input": value, "target_type": kind}, f"{value.id}_{kind.name}")[0]


def convert(data: np.ndarray, kind: ElementType, what: str) -> np.ndarray:
    """``data`` as ``kind``: integers that fit, finite floats held within FLOAT16's range.

    Returns ``data`` itself when it has that type.  Raises InvalidParameter for integers out of
    range, naming ``what``.
    """
    dtype = kind.dtype
    if data.dtype == dtype:
        return data
    if kind.is_integer and data.dtype.kind in "iu":
        narrow = data.astype(dtype)
        if not (narrow == data).all():
            raise _out_of_range(data, kind, what)
        return narrow
    if kind is ElementType.FLOAT16:
        return _saturated(data)
    with np.errstate(over="ignore", invalid="ignore"):
        return data.astype(dtype)


def _out_of_range(data: np.ndarray, kind: ElementType, what: str) -> InvalidParameter:
    limits = np.iinfo(kind.dtype)
    low, high = int(data.min()), int(data.max())
    return InvalidParameter(
        f"{what} holds {low if low < limits.min else high}; the device computes "
        f"{kind.name}, which holds {limits.min} to {limits.max}"
    )


def _saturated(data: np.ndarray) -> np.ndarray:
    """FLOAT16, where finite values stay finite, as on the IPU."""
    with np.errstate(over="ignore"):
        half = data.astype(np.float16)
    overflown = np.isinf(half) & np.isfinite(data)
    if overflown.any():
        limit = np.finfo(np.float16).max
        half[overflown] = np.where(data[overflown] > 0, limit, -limit)
    return half


def _needed(graph: Graph, precision: str) -> bool:
    changed = PRECISIONS[precision]
    seen = {argument.element_type for argument in graph.arguments}
    for node in walk(graph.used_nodes()):
        seen.update(operand.element_type for operand in node.operands())
        seen.update(result.element_type for result in node.outputs)
    for kind in seen:
        device_type(kind, precision)
    return any(kind in changed for kind in seen) or any(
        node.__dict__[field.name] in changed
        for node in walk(graph.used_nodes())
        for field in _type_fields(node)
    )


def _type_fields(node: Node) -> List[Field]:
    """The attributes of a node that name an element type."""
    return [
        field
        for field in node.fields  # type: ignore[attr-defined]
        if isinstance(field, (ElementTypeField, ResultTypeField, ValueTypeField))
        and node.__dict__[field.name] is not None
    ]


def _attribute(given: Union[ElementType, ValueType], precision: str) -> Any:
    if isinstance(given, ValueType):
        return ValueType(device_type(given.element_type, precision), given.shape)
    return device_type(given, precision)


def _typed(value: Value, precision: str) -> ElementType:
    try:
        return device_type(value.element_type, precision)
    except UnsupportedType as error:
        raise UnsupportedType(f"'{value.id}': {error}") from None


def _data(value: Value) -> np.ndarray:
    if value.data is None:
        raise InvalidParameter(f"'{value.id}' is no constant")
    return value.data
