"""The builder's opset accessors: a class an opset with one method an operator.

The methods are made from the table of operators when a class is first used. They take arguments
by position or name like the native ones and refuse wrong types with a TypeError. What they write
into the model are attributes under the names of their arguments:

- reductions of losses as "Sum", "Mean" or "None", those of scatterings as the enumeration's number;
- element types as numbers of TensorProto.DataType;
- booleans and enumerations as integers, a communication group as [type, size];
- the lists of MultiConv joined, with `numInputs` listing the inputs of each convolution.

Attributes with a default are always written, except those of which the default is None or [].
"""

import functools
import inspect
import keyword
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from .binding import (
    BOOL,
    FLOAT,
    INT,
    REQUIRED,
    STR,
    Argument,
    Mismatch,
    Overload,
    Type,
    list_of,
    optional,
    resolve,
)
from .debug import DEBUG_CONTEXT
from .enums import DataType, NativeEnum, ReductionType, ScatterReduction
from .exceptions import popart_exception
from .nodes import NUMPY_TYPES, ONNX_NUMBERS
from .operators import AI_GRAPHCORE, AI_ONNX, OPSETS, Attribute, Operator, methods
from .options import CommGroup

if TYPE_CHECKING:
    from .builder import Builder

_LOSS_REDUCTIONS = {
    ReductionType.Sum: "Sum",
    ReductionType.Mean: "Mean",
    ReductionType.NoReduction: "None",
}


def _to_int(value: Any) -> int:
    return value.value if isinstance(value, NativeEnum) else INT.convert(value)


def _to_element_type(value: Any) -> int:
    if not isinstance(value, DataType):
        return INT.convert(value)
    return ONNX_NUMBERS[value.name]


def _to_array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype == object:
        raise Mismatch
    return array


def _to_reduction(value: Any) -> str:
    if not isinstance(value, ReductionType):
        raise Mismatch
    return _LOSS_REDUCTIONS[value]


def _to_scatter_reduction(value: Any) -> int:
    if not isinstance(value, ScatterReduction):
        raise Mismatch
    return value.value


def _to_comm_group(value: Any) -> List[int]:
    if isinstance(value, CommGroup):
        return [value.type.value, value.replicaGroupSize]
    return list_of(INT).convert(value)


def _to_body(value: Any) -> Any:
    from .builder import Builder

    if not isinstance(value, Builder):
        raise Mismatch
    return value._graph


_INTEGER = Type("int", _to_int)
_KINDS = {
    "int": _INTEGER,
    "ints": list_of(INT),
    "float": FLOAT,
    "floats": list_of(FLOAT),
    "string": STR,
    "strings": list_of(STR),
    "bool": BOOL,
    "tensor": Type("numpy.ndarray", _to_array),
    "graph": Type("Builder", _to_body),
    "element_type": Type("int", _to_element_type),
    "ints_list": list_of(list_of(INT)),
    "reduction": Type("ReductionType", _to_reduction),
    "scatter_reduction": Type("ScatterReduction", _to_scatter_reduction),
    "collective": _INTEGER,
    "comm_group": Type("CommGroup", _to_comm_group),
}
_DEFAULTS: Dict[str, Callable[[Any], Any]] = {
    "reduction": lambda name: ReductionType[name],
    "scatter_reduction": lambda name: ScatterReduction[name],
}


def _argument(attribute: Attribute) -> Argument:
    kind = _KINDS[attribute.kind]
    if attribute.default is None:
        kind = optional(kind)
    return Argument(attribute.name, kind, attribute.default)


def _arguments(operator: Operator) -> List[Argument]:
    """The arguments of an operator's method in order."""
    arguments = []
    if operator.inputs != (0, 0):
        ids = list_of(STR)
        kind = list_of(ids) if operator.op_type == "MultiConv" else ids
        arguments.append(Argument("args", kind, [] if operator.args_optional else REQUIRED))
    if operator.variadic:
        arguments.append(Argument("num_outputs", INT))
    arguments += [_argument(attribute) for attribute in operator.attributes]
    context = Argument(_context_name(operator), DEBUG_CONTEXT, "")
    if operator.context_after:
        names = [argument.name for argument in arguments]
        arguments.insert(names.index(operator.context_after) + 1, context)
    else:
        arguments.append(context)
    return arguments


def _context_name(operator: Operator) -> str:
    # The Python layer around the native If has its own name for the argument.
    return "name" if operator.method == "logical_if" else operator.context


def _overloads(operator: Operator, arguments: List[Argument]) -> Sequence[Overload]:
    """Init is overloaded with and without batch_axis, so a name may be its fourth argument."""
    if operator.op_type == "Init":
        return [tuple(arguments), tuple(a for a in arguments if a.name != "batch_axis")]
    return [tuple(arguments)]


def _signature(arguments: List[Argument], operator: Operator) -> inspect.Signature:
    """Signature for readers; a name that is a Python keyword gets an underscore."""
    kinds = {attribute.name: attribute.kind for attribute in operator.attributes}
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for argument in arguments:
        default = argument.default
        if default is REQUIRED:
            default = inspect.Parameter.empty
        elif kinds.get(argument.name) in _DEFAULTS:
            default = _DEFAULTS[kinds[argument.name]](default)
        name = argument.name + "_" if keyword.iskeyword(argument.name) else argument.name
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        )
    return inspect.Signature(_in_order(parameters))


def _in_order(parameters: List[inspect.Parameter]) -> List[inspect.Parameter]:
    """Native functions may have a required argument after an optional one, signatures may not."""
    empty = inspect.Parameter.empty
    last = max(index for index, item in enumerate(parameters) if item.default is empty)
    return [item.replace(default=empty) for item in parameters[:last]] + parameters[last:]


def _stored(attribute: Attribute, value: Any) -> Any:
    """What the model holds for an argument's value."""
    if attribute.kind == "bool":
        return int(value)
    if attribute.kind in _DEFAULTS and value == attribute.default:
        return _KINDS[attribute.kind].convert(_DEFAULTS[attribute.kind](value))
    return value


def _attributes(operator: Operator, values: Dict[str, Any]) -> Dict[str, Any]:
    attributes = {}
    for attribute in operator.attributes:
        value = values.get(attribute.name, attribute.default)
        if value is None or (attribute.default == [] and not len(value)):
            continue
        attributes[attribute.name] = _stored(attribute, value)
    return attributes


def _special_attributes(operator: Operator, attributes: Dict[str, Any]) -> None:
    """Conversions that some operators do in the builder."""
    if operator.op_type == "Cast":
        target = attributes["to"]
        if target not in ONNX_NUMBERS:
            raise popart_exception(
                f'Cast has the unknown element type "{target}". '
                f"Element types are {', '.join(sorted(ONNX_NUMBERS))}"
            )
        attributes["to"] = ONNX_NUMBERS[target]
    elif operator.op_type in ("Constant", "ConstantOfShape"):
        value = attributes["value"]
        if value.dtype not in NUMPY_TYPES:
            raise popart_exception(
                f"Unsupported data type {value.dtype} of the value of {operator.op_type}. "
                f"Accepted are {', '.join(str(dtype) for dtype in NUMPY_TYPES)}"
            )
        attributes["value"] = np.array(value, order="C")
        attributes.pop("is_value_sparse", None)


def _multi_conv(inputs: List[List[str]], attributes: Dict[str, Any]) -> List[str]:
    """Join the lists of a MultiConv and note the number of inputs of each convolution."""
    for ids in inputs:
        if not 2 <= len(ids) <= 3:
            raise popart_exception(
                f"MultiConv has invalid number of inputs: convolution {inputs.index(ids)} has "
                f"{len(ids)}, accepted are data, weights and optionally a bias"
            )
    if not inputs:
        raise popart_exception("MultiConv has invalid number of inputs: it needs a convolution")
    for name in ("dilations", "inDilations", "pads", "outPads", "strides"):
        lists = attributes.get(name)
        if not lists:
            continue
        if len(lists) != len(inputs):
            raise popart_exception(
                f"MultiConv has {len(lists)} lists of {name} for {len(inputs)} convolutions"
            )
        attributes[name] = [value for values in lists for value in values]
    attributes["numInputs"] = [len(ids) for ids in inputs]
    return [name for ids in inputs for name in ids]


def _method(operator: Operator) -> Callable[..., Any]:
    arguments = _arguments(operator)
    overloads = _overloads(operator, arguments)
    context = _context_name(operator)

    def method(self: "_Opset", *args: Any, **kwargs: Any) -> Any:
        _, values = resolve(operator.method, overloads, args, kwargs)
        attributes = _attributes(operator, values)
        _special_attributes(operator, attributes)
        inputs = values.get("args", [])
        count = values.get("num_outputs", operator.outputs[0])
        if operator.op_type == "MultiConv":
            count = len(inputs)
            inputs = _multi_conv(inputs, attributes)
        name = values[context] if isinstance(values[context], str) else values[context]._name
        outputs = self._builder._add_operator(
            operator, self.version, inputs, attributes, count, name
        )
        if operator.returns_list:
            return outputs
        return outputs[0] if outputs else None

    method.__name__ = operator.method
    method.__qualname__ = operator.method
    method.__doc__ = _documentation(operator)
    method.__signature__ = _signature(arguments, operator)  # type: ignore[attr-defined]
    return method


def _documentation(operator: Operator) -> str:
    lines = [f"Add {operator.domain}.{operator.op_type}, version {operator.since}."]
    if not operator.implemented:
        lines.append("PopART has no implementation of this version: no session takes it.")
    lines += [f"- {restriction}" for restriction in operator.restrictions]
    result = "a list of tensor ids" if operator.returns_list else "a tensor id"
    return "\n\n".join([lines[0], "\n".join([*lines[1:], f"Returns {result}."])])


class _Opset:
    """Base of the accessors. `version` is the opset."""

    domain = AI_ONNX
    version = 0

    def __init__(self, builder: "Builder") -> None:
        self._builder = builder


@functools.lru_cache(maxsize=None)
def opset_class(domain: str, version: int) -> type:
    """The accessor class of an opset, for example AiOnnx11."""
    prefix = {AI_ONNX: "AiOnnx", AI_GRAPHCORE: "AiGraphcoreOpset"}[domain]
    body: Dict[str, Any] = {
        name: _method(operator) for name, operator in methods(domain, version).items()
    }
    body.update(domain=domain, version=version, __doc__=f"The operators of {domain} {version}.")
    return type(f"{prefix}{version}", (_Opset,), body)


class AiOnnxMl(_Opset):
    """Opset 1 of ai.onnx.ml, of which PopART has no operator."""

    domain = "ai.onnx.ml"
    version = 1


def accessor_names() -> Dict[str, Tuple[str, int]]:
    """Domain and opset of each `aiOnnxOpsetN` and `aiGraphcoreOpsetN`."""
    names = {f"aiOnnxOpset{version}": (AI_ONNX, version) for version in OPSETS[AI_ONNX]}
    names["aiGraphcoreOpset1"] = (AI_GRAPHCORE, 1)
    return names
