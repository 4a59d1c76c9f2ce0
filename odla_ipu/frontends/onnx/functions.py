"""Operators that are defined by functions of other operators: the model's own, and ONNX's.

ONNX defines many operators so (CenterCropPad, RotaryEmbedding, Attention, ...); those without a
converter become the nodes of their definition.
"""

from typing import Any, Dict, List, Optional, Sequence, Set

import onnx
from onnx import defs, helper, numpy_helper

from ...errors import BadFile
from ...graph import Value
from .model import Function, Node, Reference, Subgraph, function_record, onnx_type, plain_attribute


def body(function: Function, node: Node, operands: Sequence[Optional[Value]]) -> Subgraph:
    """The nodes and the wanted outputs of a call, whose attributes are those of the caller."""
    if len(operands) > len(function.parameters):
        raise BadFile(
            f"{node.label} has {len(operands)} operands, its function has "
            f"{len(function.parameters)}"
        )
    if len(node.outputs) > len(function.body.outputs):
        raise BadFile(
            f"{node.label} has {len(node.outputs)} outputs, its function has "
            f"{len(function.body.outputs)}"
        )
    given = {name for name, one in zip(function.parameters, operands) if one is not None}
    absent = set(function.parameters) - given
    whole = _bound(function.body, {**function.defaults, **node.attributes}, absent)
    wanted = [inner for inner, outer in zip(whole.outputs, node.outputs) if outer]
    return whole._replace(outputs=wanted)


def _bound(graph: Subgraph, attributes: Dict[str, Any], absent: Set[str]) -> Subgraph:
    """``graph`` with the caller's attributes and without reads of absent operands."""
    nodes = []
    for node in graph.nodes:
        own = {}
        for name, value in node.attributes.items():
            if isinstance(value, Reference):
                value = attributes.get(value.name)
            elif isinstance(value, Subgraph):
                value = _bound(value, attributes, absent)
            if value is not None:
                own[name] = value
        inputs = tuple("" if name in absent else name for name in node.inputs)
        nodes.append(node._replace(inputs=inputs, attributes=own))
    return graph._replace(nodes=nodes)


def is_defined(node: Node, opset: int) -> bool:
    """Whether ONNX defines the operator by a function."""
    schema = _schema(node, opset)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def definition(node: Node, opset: int, operands: Sequence[Optional[Value]]) -> Optional[Function]:
    """ONNX's function for a node of the default domain, which may depend on its operands' types."""
    schema = _schema(node, opset)
    if schema is None:
        return None
    content = b""
    if schema.has_function:
        content = schema.get_function_with_opset_version(opset)
    elif schema.has_context_dependent_function:
        message = _message(node)
        if message is not None:
            content = schema.get_context_dependent_function_with_opset_version(
                opset, message, _types(operands)
            )
    if not content:
        return None
    function = function_record(onnx.FunctionProto.FromString(content))
    defaults = {
        name: plain_attribute(one.default_value)
        for name, one in schema.attributes.items()
        if one.default_value.type
    }
    return function._replace(defaults={**defaults, **function.defaults})


def _schema(node: Node, opset: int) -> Any:
    if node.domain:
        return None
    try:
        return defs.get_schema(node.op, opset, "")
    except defs.SchemaError:
        return None


def _message(node: Node) -> Optional[bytes]:
    """The node as ONNX reads it; None for nodes with sub-graphs."""
    attributes: Dict[str, Any] = {}
    for name, value in node.attributes.items():
        if isinstance(value, (int, float, str, list)):
            attributes[name] = value
        elif hasattr(value, "dtype"):
            attributes[name] = numpy_helper.from_array(value)
        else:
            return None
    message = helper.make_node(node.op, node.inputs, node.outputs, node.name, **attributes)
    return message.SerializeToString()  # type: ignore[no-any-return]


def _types(operands: Sequence[Optional[Value]]) -> List[bytes]:
    types = []
    for one in operands:
        if one is None:
            made = onnx.TypeProto()
        else:
            made = helper.make_tensor_type_proto(onnx_type(one.element_type), one.dims)
        types.append(made.SerializeToString())
    return types
