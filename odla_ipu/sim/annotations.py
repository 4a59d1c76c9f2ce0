"""Attributes of nodes that place and schedule them, set on given nodes or by a `with` statement."""

from typing import Any, Dict, Iterable, List, Optional, Union

from .binding import BOOL, FLOAT, INT, STR, Argument, dict_of, instance_of, overload, resolve
from .binding import list_of as _list_of
from .binding import set_of as _set_of
from .enums import RecomputeType
from .exceptions import popart_exception
from .nodes import Node
from .options import TensorLocation

VIRTUAL_GRAPH = "__ipu_number"
PIPELINE_STAGE = "__pipeline_stage"
EXECUTION_PHASE = "__execution_phase"
RECOMPUTE = "__recompute_output_in_backward_pass"
MEMORY = "__available_memory"
PARTIALS = "__partials_type"
PRIORITY = "__schedule_priority"
LOCATION = "__output_tensor_location"
SERIALIZE = "__serialize_matmul_"
DITHERING = "__enable_conv_dithering"
EXCLUDED = "__exclude_patterns"
INPLACE_NAMES = "__inplace_op_names"
INPLACE_PRIORITIES = "__inplace_op_priorities"
OUTLINE = "__outline"
COMM_GROUP = "__comm_group"

_NAME = Argument("nodeOutputNames", STR)
_NAMES = Argument("nodeOutputNames", _set_of(STR))
_NAME_LIST = Argument("nodeOutputNames", _list_of(STR))
_RECOMPUTE_TYPE = instance_of(RecomputeType)
_SERIALIZE_MODES = ("none", "input_channels", "reducing_dim", "output_channels")

_FORMS = {
    "virtualGraph": (
        overload(_NAME, Argument("value", INT, 0)),
        overload(_NAMES, Argument("value", INT, 0)),
        overload(_NAME_LIST, Argument("value", INT, 0)),
        overload(Argument("value", INT)),
    ),
    "executionPhase": (
        overload(_NAME, Argument("value", INT, 0)),
        overload(_NAMES, Argument("value", INT, 0)),
        overload(Argument("value", INT, 0)),
    ),
    "pipelineStage": (
        overload(_NAME, Argument("value", INT, 0)),
        overload(Argument("value", INT)),
    ),
    "recomputeOutput": (
        overload(_NAME, Argument("value", _RECOMPUTE_TYPE, RecomputeType.Undefined)),
        overload(Argument("value", _RECOMPUTE_TYPE, RecomputeType.Undefined)),
    ),
    "outputTensorLocation": (
        overload(_NAME, Argument("value", instance_of(TensorLocation), TensorLocation())),
        overload(Argument("value", instance_of(TensorLocation), TensorLocation())),
    ),
}
_RECOMPUTE_FORMS = (
    overload(
        Argument("nodeOutputName", STR),
        Argument("value", _RECOMPUTE_TYPE, RecomputeType.Recompute),
    ),
    overload(_NAMES, Argument("value", _RECOMPUTE_TYPE, RecomputeType.Recompute)),
)
_OUTPUT_FORMS = (overload(Argument("nodeOutputName", STR)), overload(_NAMES))
_MEMORY_FORMS = (
    overload(Argument("nodeOutputName", STR), Argument("availableMemoryProportion", FLOAT)),
    overload(_NAMES, Argument("availableMemoryProportion", FLOAT)),
)
_ATTRIBUTE_FORMS = tuple(
    overload(Argument("attributeName", STR), Argument("attributeValue", kind), _NAMES)
    for kind in (INT, _list_of(INT), FLOAT, _list_of(FLOAT), STR, _list_of(STR))
)


def _location_values(location: TensorLocation) -> List[int]:
    return [
        location.storage.value,
        location.loadTileSet.value,
        location.storageTileSet.value,
        location.replicatedTensorSharding.value,
        location.shardingDomain.type.value,
        location.shardingDomain.replicaGroupSize,
    ]


def _names(value: Union[str, Iterable[str]]) -> List[str]:
    return [value] if isinstance(value, str) else list(value)


class _Scope:
    """Context manager: `value` is on top of `stack` inside the `with` statement."""

    __slots__ = ("_stack", "_value")

    def __init__(self, stack: List[Any], value: Any) -> None:
        self._stack = stack
        self._value = value

    def __enter__(self) -> None:
        self._stack.append(self._value)

    def __exit__(self, *exception: object) -> None:
        self._stack.pop()


class NameContextManager(_Scope):
    """Prefixes the ids and names of what is added inside (Builder.nameScope)."""

    __slots__ = ()


class AttributeContextManager(_Scope):
    """Gives the nodes added inside an attribute (Builder.virtualGraph, pipelineStage, ...)."""

    __slots__ = ()


class KeyValueContextManager(_Scope):
    """Gives the nodes added inside keys with values (Builder.outlineAttributes)."""

    __slots__ = ()


class Annotations:
    """The methods of a builder that annotate nodes.

    A node is found by the ids of all its outputs; popart_exception is raised where no node has
    exactly these, and where the node has the attribute already.
    """

    _scopes: Dict[str, List[Any]]
    _producers: Dict[str, Node]

    # Attributes of nodes.

    def _node(self, names: Iterable[str]) -> Node:
        wanted = set(names)
        node = self._producers.get(next(iter(wanted), ""))
        if node is None or set(node.outputs) != wanted:
            raise popart_exception(
                f"Could not find a node with outputs {', '.join(sorted(wanted))}. "
                "Give the ids of all outputs of the node"
            )
        return node

    def _annotate(self, name: str, value: Any, outputs: Iterable[str]) -> None:
        node = self._node(outputs)
        if name in node.attributes:
            raise popart_exception(
                f"Node already has attribute {name}: {node!r}. "
                "Remove it with removeNodeAttribute() first"
            )
        node.attributes[name] = value

    def addNodeAttribute(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("addNodeAttribute", _ATTRIBUTE_FORMS, args, kwargs)
        self._annotate(values["attributeName"], values["attributeValue"], values["nodeOutputNames"])

    def nodeHasAttribute(self, attributeName: str, nodeOutputNames: Iterable[str]) -> bool:
        return attributeName in self._node(_names(nodeOutputNames)).attributes

    def _attribute(self, name: str, outputs: Any, kind: type, element: Optional[type]) -> Any:
        node = self._node(_names(outputs))
        if name not in node.attributes:
            raise popart_exception(f"Node does not have an attribute {name}: {node!r}")
        value = node.attributes[name]
        items: Any = value if element is not None else ()
        if not isinstance(value, kind) or not all(
            isinstance(item, element or kind) for item in items
        ):
            raise popart_exception(
                f"Attribute {name} of {node!r} has another type: its value is {value!r}"
            )
        return value

    def getInt64NodeAttribute(self, attributeName: str, nodeOutputNames: Iterable[str]) -> int:
        return self._attribute(attributeName, nodeOutputNames, int, None)

    def getInt64VectorNodeAttribute(
        self, attributeName: str, nodeOutputNames: Iterable[str]
    ) -> List[int]:
        return list(self._attribute(attributeName, nodeOutputNames, list, int))

    def getFloatNodeAttribute(self, attributeName: str, nodeOutputNames: Iterable[str]) -> float:
        return self._attribute(attributeName, nodeOutputNames, float, None)

    def getFloatVectorNodeAttribute(
        self, attributeName: str, nodeOutputNames: Iterable[str]
    ) -> List[float]:
        return list(self._attribute(attributeName, nodeOutputNames, list, float))

    def getStringNodeAttribute(self, attributeName: str, nodeOutputNames: Iterable[str]) -> str:
        return self._attribute(attributeName, nodeOutputNames, str, None)

    def getStringVectorNodeAttribute(
        self, attributeName: str, nodeOutputNames: Iterable[str]
    ) -> List[str]:
        return list(self._attribute(attributeName, nodeOutputNames, list, str))

    def getAllNodeAttributeNames(self, nodeOutputNames: Iterable[str]) -> List[str]:
        return sorted(self._node(_names(nodeOutputNames)).attributes)

    def removeNodeAttribute(self, attributeName: str, nodeOutputNames: Iterable[str]) -> None:
        node = self._node(_names(nodeOutputNames))
        if node.attributes.pop(attributeName, None) is None:
            raise popart_exception(f"Node does not have an attribute {attributeName}: {node!r}")

    # Attributes with methods of their own.

    def _place(self, method: str, name: str, args: Any, kwargs: Any) -> Any:
        """Annotate the node of the given outputs, or return the context manager."""
        _, values = resolve(method, _FORMS[method], args, kwargs)
        value = values["value"]
        if isinstance(value, TensorLocation):
            value = _location_values(value)
        elif isinstance(value, RecomputeType):
            value = value.value
        if "nodeOutputNames" not in values:
            return self._scope(name, value)
        self._annotate(name, value, _names(values["nodeOutputNames"]))
        return None

    def virtualGraph(self, *args: Any, **kwargs: Any) -> Any:
        """`(ids, value)` places a node; `(value)` is a context manager."""
        return self._place("virtualGraph", VIRTUAL_GRAPH, args, kwargs)

    def executionPhase(self, *args: Any, **kwargs: Any) -> Any:
        """`(ids, value)` annotates a node; `(value)` is a context manager."""
        return self._place("executionPhase", EXECUTION_PHASE, args, kwargs)

    def pipelineStage(self, *args: Any, **kwargs: Any) -> Any:
        """`(id, value)` annotates a node; `(value)` is a context manager."""
        return self._place("pipelineStage", PIPELINE_STAGE, args, kwargs)

    def recomputeOutput(self, *args: Any, **kwargs: Any) -> Any:
        """`(id, RecomputeType)` annotates a node; `(RecomputeType)` is a context manager."""
        return self._place("recomputeOutput", RECOMPUTE, args, kwargs)

    def outputTensorLocation(self, *args: Any, **kwargs: Any) -> Any:
        """`(id, TensorLocation)` annotates a node; `(TensorLocation)` is a context manager."""
        return self._place("outputTensorLocation", LOCATION, args, kwargs)

    def recomputeOutputInBackwardPass(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("recomputeOutputInBackwardPass", _RECOMPUTE_FORMS, args, kwargs)
        names = values.get("nodeOutputName") or values["nodeOutputNames"]
        self._annotate(RECOMPUTE, values["value"].value, _names(names))

    def getRecomputeOutputInBackwardPass(self, *args: Any, **kwargs: Any) -> bool:
        _, values = resolve("getRecomputeOutputInBackwardPass", _OUTPUT_FORMS, args, kwargs)
        node = self._node(_names(next(iter(values.values()))))
        return node.attributes.get(RECOMPUTE) == RecomputeType.Recompute.value

    def schedulePriority(self, value: float) -> AttributeContextManager:
        return self._scope(PRIORITY, FLOAT.convert(value))

    def commGroup(self, type: int = 0, groupSize: int = 0) -> AttributeContextManager:
        return self._scope(COMM_GROUP, [INT.convert(type), INT.convert(groupSize)])

    def outlineAttributes(self, pyd: Dict[Any, Any], /) -> KeyValueContextManager:
        pairs = [str(item) for pair in pyd.items() for item in pair]
        return KeyValueContextManager(self._scopes.setdefault(OUTLINE, []), pairs)

    def _scope(self, name: str, value: Any) -> AttributeContextManager:
        return AttributeContextManager(self._scopes.setdefault(name, []), value)

    def _scoped(self) -> Dict[str, Any]:
        """The attributes that the open `with` statements give a new node."""
        return {
            name: [item for value in values for item in value] if name == OUTLINE else values[-1]
            for name, values in self._scopes.items()
            if values
        }

    def _current(self, name: str) -> int:
        if not self._scopes.get(name):
            raise popart_exception(f"The attribute {name} is not set in the current scope")
        return self._scopes[name][-1]

    def hasVirtualGraph(self) -> bool:
        return bool(self._scopes.get(VIRTUAL_GRAPH))

    def hasPipelineStage(self) -> bool:
        return bool(self._scopes.get(PIPELINE_STAGE))

    def hasExecutionPhase(self) -> bool:
        return bool(self._scopes.get(EXECUTION_PHASE))

    def getVirtualGraph(self, nodeOutputNames: Any = None) -> int:
        """Virtual graph of the current scope, or of the node with the given outputs."""
        if nodeOutputNames is None:
            return self._current(VIRTUAL_GRAPH)
        return self._attribute(VIRTUAL_GRAPH, nodeOutputNames, int, None)

    def getPipelineStage(self) -> int:
        return self._current(PIPELINE_STAGE)

    def getExecutionPhase(self) -> int:
        return self._current(EXECUTION_PHASE)

    def setAvailableMemoryProportion(self, *args: Any, **kwargs: Any) -> None:
        """Share of the tiles' memory for the temporaries of a node, above 0 and up to 1."""
        _, values = resolve("setAvailableMemoryProportion", _MEMORY_FORMS, args, kwargs)
        proportion = values["availableMemoryProportion"]
        if not 0 < proportion <= 1:
            raise popart_exception(
                f"availableMemoryProportion must be in (0, 1], but was set to {proportion}"
            )
        names = values.get("nodeOutputName") or values["nodeOutputNames"]
        self._annotate(MEMORY, proportion, _names(names))

    def setPartialsType(self, nodeOutputName: str, partialsType: str) -> None:
        """Type of partial sums, "FLOAT" or "HALF"."""
        if partialsType not in ("FLOAT", "HALF"):
            raise popart_exception(
                f'No support for partials type "{partialsType}": accepted are FLOAT and HALF'
            )
        self._annotate(PARTIALS, partialsType, [nodeOutputName])

    def getPartialsType(self, nodeOutputName: str) -> str:
        return self._node([nodeOutputName]).attributes.get(PARTIALS, "FLOAT")

    def setEnableConvDithering(self, nodeOutputName: str, enableConvDithering: int) -> None:
        self._annotate(DITHERING, int(enableConvDithering), [nodeOutputName])

    def setInplacePreferences(self, nodeOutputName: str, prefs: Dict[str, float]) -> None:
        dict_of(STR, FLOAT).convert(prefs)
        self._annotate(INPLACE_NAMES, list(prefs), [nodeOutputName])
        values = [float(value) for value in prefs.values()]
        self._annotate(INPLACE_PRIORITIES, values, [nodeOutputName])

    def excludePatterns(self, nodeOutputName: str, patternNames: List[str]) -> None:
        self._annotate(EXCLUDED, list(patternNames), [nodeOutputName])

    def setSerializeMatMul(
        self, nodeOutputName: Any, mode: str, factor: int = 0, keep_precision: bool = False
    ) -> None:
        """Cut a MatMul in `factor` parts: none, input_channels, reducing_dim, output_channels."""
        if mode not in _SERIALIZE_MODES:
            raise popart_exception(
                f'Unsupported mode of serialising a MatMul "{mode}": '
                f"accepted are {', '.join(_SERIALIZE_MODES)}"
            )
        names = _names(nodeOutputName)
        if self._node(names).op_type != "MatMul":
            raise popart_exception("Builder::setSerializeMatMul should be called on a MatMul only")
        self._annotate(SERIALIZE + "mode", mode, names)
        if mode != "none":
            self._annotate(SERIALIZE + "factor", int(factor), names)
            self._annotate(SERIALIZE + "precision", int(BOOL.convert(keep_precision)), names)
