"""Builder: makes an ONNX model op by op, inferring shapes as it goes."""

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Union

import numpy as np

from .annotations import RECOMPUTE, Annotations, NameContextManager
from .binding import INT, STR, Argument, instance_of, list_of, overload, resolve
from .dataflow import InputSettings
from .debug import DEBUG_CONTEXT
from .enums import ExchangeStrategy, RecomputeType, ReplicatedStreamMode, TileSet
from .exceptions import popart_exception
from .nodes import (
    NUMPY_TYPES,
    ONNX_NUMBERS,
    UNDEFINED,
    UNKNOWN,
    ExternalData,
    Graph,
    Info,
    Initializer,
    Node,
)
from .operators import AI_GRAPHCORE, AI_ONNX, OPSETS, Operator, lookup
from .opsets import AiOnnxMl, accessor_names, opset_class
from .options import VariableSettings
from .shapes import InvalidShape, infer
from .tensorinfo import TensorInfo, _TensorInfoCore

AiOnnx6, AiOnnx7, AiOnnx8, AiOnnx9, AiOnnx10, AiOnnx11 = (
    opset_class(AI_ONNX, version) for version in OPSETS[AI_ONNX]
)
AiGraphcore = AiGraphcoreOpset1 = opset_class(AI_GRAPHCORE, 1)

DEFAULT_OPSETS = {AI_ONNX: 10, "ai.onnx.ml": 1, AI_GRAPHCORE: 1}
ALIGNMENT = 4096
"""Offsets of initializers in an external file are multiples of this, so that they can be mapped."""

_INFO = Argument("tensorInfo", instance_of(_TensorInfoCore))
_TYPE = Argument("dataType", STR)
_SHAPE = Argument("shape", list_of(INT))
_CONTEXT = Argument("debugContext", DEBUG_CONTEXT, "")
_SETTINGS = Argument("settings", instance_of(InputSettings), InputSettings())
_INPUT_FORMS = (
    overload(_INFO, _CONTEXT),
    overload(_TYPE, _SHAPE, _CONTEXT),
    overload(_INFO, _SETTINGS, _CONTEXT),
    overload(_TYPE, _SHAPE, _SETTINGS, _CONTEXT),
)
_ARRAY = Argument("initVal", instance_of(np.ndarray))
_INITIALIZER_FORMS = (
    overload(_ARRAY, _CONTEXT),
    overload(_ARRAY, Argument("variableSettings", instance_of(VariableSettings)), _CONTEXT),
)


class _Ids:
    """The tensor ids of a builder and its children, which are all different."""

    def __init__(self) -> None:
        self._used: Set[str] = set()
        self._clashes: Dict[str, int] = {}

    def reserve(self, wanted: str) -> str:
        """`wanted`, or with "/1", "/2", ... where it is taken."""
        name = wanted
        while name in self._used:
            count = self._clashes.get(wanted, 0) + 1
            self._clashes[wanted] = count
            name = f"{wanted}/{count}"
        self._used.add(name)
        return name


def _context_name(context: Any) -> str:
    return context if isinstance(context, str) else DEBUG_CONTEXT.convert(context)._name


class Builder(Annotations):
    """Makes a model for a session.

    `modelProtoOrFilename`: a model to continue, serialized or the name of its file.
    `opsets`: versions of both "ai.onnx" (6 to 11) and "ai.graphcore" (1).

    Ops come from the accessors `aiOnnx`, `aiOnnxOpset6` to `aiOnnxOpset11` and `aiGraphcore`. The
    first op fixes the opset of its domain. An op of which the shape cannot be inferred, or which
    no session will take, can be added: its outputs have no shape, and the session refuses it.
    """

    def __init__(
        self,
        modelProtoOrFilename: Optional[Union[str, bytes]] = None,
        opsets: Optional[Mapping[str, int]] = None,
        builderCore: Optional["Builder"] = None,
    ) -> None:
        self._parent = builderCore
        self._graph = Graph("" if builderCore else "BuilderGraph")
        self._producers: Dict[str, Node] = {}
        self._constants: Dict[str, np.ndarray] = {}
        self._scopes: Dict[str, List[Any]] = {}
        self._names: List[str] = []
        self._metadata: Dict[str, str] = {}
        self._accessors: Dict[Tuple[str, int], Any] = {}
        if builderCore is not None:
            self._ids: _Ids = builderCore._ids
            self._opsets: Dict[str, int] = builderCore._opsets
            self._selected: Dict[str, int] = builderCore._selected
            return
        self._ids = _Ids()
        self._opsets = {}
        self._selected = {}
        if opsets is not None:
            self._select(opsets)
        if modelProtoOrFilename is not None:
            self._load(modelProtoOrFilename)

    # Opsets.

    def _select(self, opsets: Mapping[str, int]) -> None:
        for domain in (AI_ONNX, AI_GRAPHCORE):
            if domain not in opsets:
                raise KeyError(
                    f'"{domain}" is missing in opsets {dict(opsets)}: '
                    'give versions of both "ai.onnx" and "ai.graphcore"'
                )
            self._check_version(domain, opsets[domain])
        self._selected = dict(opsets)

    @staticmethod
    def _check_version(domain: str, version: int) -> None:
        if version not in OPSETS[domain]:
            first, last = OPSETS[domain][0], OPSETS[domain][-1]
            raise AttributeError(
                f"There is no opset {version} of {domain}: the opsets are {first} to {last}"
            )

    def aiOnnxOpsetVersion(self, version: int) -> None:
        """Choose the opset of `aiOnnx`."""
        self._check_version(AI_ONNX, version)
        self._selected[AI_ONNX] = version

    def _accessor(self, domain: str, version: int) -> Any:
        key = (domain, version)
        if key not in self._accessors:
            self._accessors[key] = opset_class(domain, version)(self)
        return self._accessors[key]

    @property
    def aiOnnx(self) -> Any:
        """Operators of the chosen opset of ai.onnx; of 10 where none was chosen."""
        return self._accessor(AI_ONNX, self._selected.get(AI_ONNX, DEFAULT_OPSETS[AI_ONNX]))

    @property
    def aiGraphcore(self) -> Any:
        """Operators of ai.graphcore."""
        return self._accessor(AI_GRAPHCORE, 1)

    @property
    def aiOnnxMl(self) -> Any:
        return AiOnnxMl(self)

    aiOnnxMlOpset1 = aiOnnxMl

    def __getattr__(self, name: str) -> Any:
        accessor = accessor_names().get(name)
        if accessor is None:
            raise AttributeError(f"Builder has no attribute {name!r}")
        domain, version = accessor
        selected = self._selected.setdefault(domain, version)
        if selected != version:
            raise RuntimeError(
                f"Cannot use {name}: opset {selected} of {domain} was chosen before. "
                "A model has one opset of a domain"
            )
        return self._accessor(domain, version)

    def _require_opset(self, domain: str, version: int) -> None:
        used = self._opsets.setdefault(domain, version)
        if used != version:
            raise popart_exception(
                f"Invalid opset {version} used to add an operation of {domain}: "
                f"the model has operations of opset {used}"
            )

    # Inputs and outputs.

    def _new_id(self, name: str) -> str:
        return self._ids.reserve(self.getNameScope(name))

    def _add_input(self, name: str, info: Info) -> str:
        tensor = self._new_id(name)
        self._graph.inputs.append(tensor)
        self._graph.infos[tensor] = info
        return tensor

    def addInputTensor(self, *args: Any, **kwargs: Any) -> str:
        """Add an input: `(TensorInfo[, settings][, debugContext])` or `(type, shape, ...)`.

        The id is the debug name or "input". Raises popart_exception for a type that models
        do not have.
        """
        _, values = resolve("addInputTensor", _INPUT_FORMS, args, kwargs)
        info = values.get("tensorInfo")
        if info is None:
            info = TensorInfo(values["dataType"], values["shape"])
        if info.data_type() not in ONNX_NUMBERS:
            raise popart_exception(
                f"Unsupported data type {info.data_type()} of an input. "
                f"Accepted are {', '.join(ONNX_NUMBERS)}"
            )
        shape = tuple(info.shape())
        name = _context_name(values["debugContext"]) or "input"
        tensor = self._add_input(name, Info(info.data_type(), shape))
        self._note_settings(tensor, values.get("settings", _SETTINGS.default))
        return tensor

    def _note_settings(self, tensor: str, settings: InputSettings) -> None:
        """Settings that differ from the default are metadata of the model: setting/id."""
        noted = {
            "tileSet": (settings.tileSet(), TileSet.Compute),
            "exchangeStrategy": (settings.exchangeStrategy(), ExchangeStrategy.JustInTime),
            "replicatedStreamMode": (
                settings.replicatedStreamMode(),
                ReplicatedStreamMode.Replicate,
            ),
        }
        for key, (value, default) in noted.items():
            if value is not default:
                self._metadata[f"{key}/{tensor}"] = str(value.value)

    def addUntypedInputTensor(self, debugContext: Any = "") -> str:
        """Add an input of a subgraph, with the type and shape of what it is called with."""
        if self._parent is None:
            raise popart_exception(
                "addUntypedInputTensor() is for subgraphs: the inputs of the main graph have a type"
            )
        return self._add_input(_context_name(debugContext) or "input", UNKNOWN)

    def addInputTensorFromParentGraph(self, tensorId: str) -> None:
        """Use a tensor of an enclosing builder in this subgraph."""
        if self._parent is None or self._parent._find(tensorId) is None:
            raise popart_exception(
                f"Tensor '{tensorId}' does not exist in an enclosing graph of this builder"
            )

    def addInitializedInputTensor(self, *args: Any, **kwargs: Any) -> str:
        """Add a variable with its initial value: `(array[, variableSettings][, debugContext])`.

        The id is the debug name or "init_input". The data are copied, unless the array is
        read-only. Raises popart_exception for types that PopART does not have, such as float64.
        """
        _, values = resolve("addInitializedInputTensor", _INITIALIZER_FORMS, args, kwargs)
        array = values["initVal"]
        if array.dtype.newbyteorder("=") not in NUMPY_TYPES:
            raise popart_exception(
                f"Unsupported data type {array.dtype} of an initializer. "
                f"Accepted are {', '.join(dtype.name for dtype in NUMPY_TYPES)}"
            )
        if array.flags.writeable or not array.flags.c_contiguous or not array.dtype.isnative:
            array = np.array(array, array.dtype.newbyteorder("="), order="C")
        info = Info(NUMPY_TYPES[array.dtype], array.shape)
        tensor = self._add_input(_context_name(values["debugContext"]) or "init_input", info)
        self._graph.initializers[tensor] = Initializer(info, array)
        settings = values.get("variableSettings")
        if settings is not None:
            self._note_variable(tensor, settings)
        return tensor

    def _note_variable(self, tensor: str, settings: VariableSettings) -> None:
        values = [
            settings.getCommGroupType().value,
            settings.getGroupSize(),
            settings.getStride(),
            settings.getRetrievalMode().value,
        ]
        self._metadata[f"variableSettings/{tensor}"] = " ".join(map(str, values))

    def addOutputTensor(self, outputName: str) -> None:
        """Make a tensor an output of the graph; anchors need not be outputs."""
        if self._find(outputName) is None:
            raise popart_exception(f"Unknown tensor '{outputName}' as an output of the graph")
        self._graph.outputs.append(outputName)

    # Ops.

    def _find(self, tensor: str) -> Optional[Info]:
        """What is known of a tensor of this graph or of an enclosing one."""
        builder: Optional[Builder] = self
        while builder is not None:
            if tensor in builder._graph.infos:
                return builder._graph.infos[tensor]
            builder = builder._parent
        return None

    def _constant(self, tensor: str) -> Optional[np.ndarray]:
        """The data of a constant or an initializer."""
        builder: Optional[Builder] = self
        while builder is not None:
            if tensor in builder._constants:
                return builder._constants[tensor]
            if tensor in builder._graph.initializers:
                return _data(builder._graph.initializers[tensor])
            builder = builder._parent
        return None

    def _check_inputs(self, operator: Operator, inputs: Sequence[str]) -> None:
        least, most = operator.inputs
        if len(inputs) < least or (most is not None and len(inputs) > most):
            accepted = f"{least} or more" if most is None else f"{least} to {most}"
            raise popart_exception(
                f"{operator.domain}.{operator.op_type}:{operator.since} has invalid number of "
                f"inputs: {len(inputs)} given, accepted are {accepted}"
            )
        for index, tensor in enumerate(inputs):
            # Resize of opset 11 takes sizes in place of scales.
            optional = index >= least or (operator.op_type, operator.since, index) == (
                "Resize",
                11,
                2,
            )
            if not (tensor == "" and optional):
                self._check_tensor(tensor, operator.op_type)

    def _check_tensor(self, tensor: str, op_type: str) -> None:
        if self._find(tensor) is None:
            raise popart_exception(f"Unknown tensor '{tensor}' as an input of {op_type}")

    def _add_operator(
        self,
        operator: Operator,
        opset: int,
        inputs: List[str],
        attributes: Dict[str, Any],
        count: int,
        name: str,
    ) -> List[str]:
        """Add a node with `count` outputs and return their ids."""
        self._require_opset(operator.domain, opset)
        self._check_inputs(operator, inputs)
        most = operator.outputs[1]
        if operator.variadic and (count < 1 or (most is not None and count > most)):
            raise popart_exception(
                f"{operator.domain}.{operator.op_type}:{operator.since} has invalid number of "
                f"outputs: {count} asked for, accepted are 1 to {most}"
            )
        if operator.op_type == "Call" and not attributes["callee"].name:
            raise popart_exception(
                "The callee of a Call has no name: name its builder with setGraphName()"
            )
        domain = "" if operator.domain == AI_ONNX else operator.domain
        return self._add_node(operator.op_type, domain, opset, inputs, attributes, count, name)

    def _add_node(
        self,
        op_type: str,
        domain: str,
        opset: int,
        inputs: List[str],
        attributes: Dict[str, Any],
        count: int,
        name: str,
    ) -> List[str]:
        outputs = [self._new_id(f"{op_type}:{index}") for index in range(count)]
        attributes.update(self._scoped())
        scoped_name = self.getNameScope(name) if name else ""
        node = Node(op_type, list(inputs), outputs, attributes, domain, scoped_name)
        infos = self._infer(node, opset)
        self._graph.nodes.append(node)
        self._register(node, infos)
        return list(outputs)

    def _infer(self, node: Node, opset: int) -> List[Info]:
        def constant(index: int) -> Optional[np.ndarray]:
            return self._constant(node.inputs[index]) if index < len(node.inputs) else None

        try:
            return infer(node, opset, [self._find(name) for name in node.inputs], constant)
        except InvalidShape:
            raise
        except popart_exception:
            # The session reports what is wrong with the node.
            return [UNKNOWN] * len(node.outputs)

    def _register(self, node: Node, infos: List[Info]) -> None:
        for output, info in zip(node.outputs, infos):
            self._graph.infos[output] = info
            self._producers[output] = node
        if node.op_type == "Constant" and not node.domain:
            self._constants[node.outputs[0]] = node.attributes["value"]

    def customOp(
        self,
        opName: str,
        opVersion: int,
        domain: str,
        inputs: List[str],
        attributes: Dict[str, Any],
        numOutputs: int = 1,
        name: str = "",
    ) -> List[str]:
        """Add an op of a library, or any op by its type. Returns a list of ids.

        Attributes are str, int, float or a list of int or of float; popart_exception is raised
        for others.
        """
        for tensor in inputs:
            if tensor:
                self._check_tensor(tensor, opName)
        domain = "" if domain == AI_ONNX else domain
        if domain:
            self._require_opset(domain, 1)
        stored = {key: _custom_attribute(opName, key, value) for key, value in attributes.items()}
        opset = self._opsets.get(AI_ONNX, DEFAULT_OPSETS[AI_ONNX]) if not domain else 1
        return self._add_node(
            opName, domain, opset, list(inputs), stored, INT.convert(numOutputs), name
        )

    def checkpointOutput(self, nodeOutputNames: Iterable[str]) -> List[str]:
        """Identities of tensors, kept for the backward pass. Returns their ids."""
        opset = self._opsets.get(AI_ONNX, self.aiOnnx.version)
        identity = lookup(AI_ONNX, "Identity", opset)
        assert identity is not None, "every opset has Identity"
        checkpoint = {RECOMPUTE: RecomputeType.Checkpoint.value}
        return [
            self._add_operator(identity, opset, [name], dict(checkpoint), 1, "")[0]
            for name in nodeOutputNames
        ]

    def reshape_const(
        self, aiOnnx: Any, args: List[str], shape: Sequence[int], debugContext: Any = ""
    ) -> str:
        """Reshape to `shape`, which becomes a constant."""
        constant = aiOnnx.constant(np.array(shape, np.int64), debugContext)
        return aiOnnx.reshape([args[0], constant], debugContext)

    # Subgraphs, names and scopes.

    def createSubgraphBuilder(self) -> "Builder":
        """A builder for the body of a call, if, loop or scan, which sees this one's tensors."""
        return Builder(builderCore=self)

    _createSubgraphBuilder = createSubgraphBuilder

    def setGraphName(self, name: str) -> None:
        self._graph.name = name

    def nameScope(self, name: str) -> NameContextManager:
        """Context manager that prefixes ids and names with "name/"."""
        return NameContextManager(self._names, STR.convert(name))

    def getNameScope(self, name: str = "") -> str:
        """The prefix of the open scopes, with `name` after it."""
        return "".join(f"{scope}/" for scope in self._names) + name

    def embedReplicationFactor(self, replicationFactor: int) -> None:
        """Note the number of replicas in the model."""
        self._metadata["replicationFactor"] = str(INT.convert(replicationFactor))

    # Questions.

    def _info(self, id: str) -> Info:
        info = self._find(id)
        if info is None:
            raise popart_exception(f"Unknown tensor '{id}'")
        return info

    def getTensorShape(self, id: str) -> List[int]:
        """Shape of a tensor. Raises popart_exception where it is unknown."""
        shape = self._info(id).shape
        if shape is None:
            raise popart_exception(
                f"The shape of tensor '{id}' is unknown: it could not be inferred"
            )
        return list(shape)

    def getTensorDtypeString(self, id: str) -> str:
        """Element type, for example "float32". Raises popart_exception where it is unknown."""
        dtype = self._info(id).dtype
        if dtype == UNDEFINED:
            raise popart_exception(f"The element type of tensor '{id}' is unknown")
        return TensorInfo(dtype, []).data_type_lcase()

    def isInitializer(self, id: str) -> bool:
        return id in self._graph.initializers

    def getInputTensorIds(self) -> List[str]:
        return list(self._graph.inputs)

    def getOutputTensorIds(self) -> List[str]:
        return list(self._graph.outputs)

    def getValueTensorIds(self) -> List[str]:
        """The tensors that are neither inputs nor outputs of the graph."""
        outside = {*self._graph.inputs, *self._graph.outputs}
        return [tensor for tensor in self._graph.infos if tensor not in outside]

    def getTrainableTensorIds(self) -> List[str]:
        return list(self._graph.initializers)

    # Models.

    def _model(self) -> Any:
        from .proto import to_model

        default = self._selected.get(AI_ONNX, DEFAULT_OPSETS[AI_ONNX])
        return to_model(self._graph, {AI_ONNX: default, **self._opsets}, self._metadata)

    def _serialized(self) -> bytes:
        from google.protobuf.message import EncodeError  # type: ignore[import-untyped]

        try:
            return self._model().SerializeToString()
        except (EncodeError, ValueError) as error:
            raise popart_exception(
                f"Cannot serialize the model ({error}). A model is limited to 2 GB: move its "
                "initializers to a file with saveInitializersExternally()"
            ) from None

    def getModelProto(self) -> bytes:
        """The serialized ModelProto, with the initializers that were not saved externally."""
        return self._serialized()

    def saveModelProto(self, filename: str) -> None:
        """Check the model with ONNX's checker and write it to a file."""
        content = self._serialized()
        _check_model(content)
        with open(filename, "wb") as file:
            file.write(content)

    def saveInitializersExternally(self, ids: Sequence[str], filename: str) -> None:
        """Move the data of initializers to a file, raw and little-endian, and free their arrays.

        The model then refers to the file by the name given here, which ONNX takes relative to
        the folder of the model, sessions relative to the working directory. Offsets are
        multiples of 4096. Further calls with the same name append.

        Raises popart_exception for ids that are no initializers or were saved before.
        """
        for tensor in ids:
            if tensor not in self._graph.initializers:
                raise popart_exception(
                    f"Tensor '{tensor}' is not an initializer: only those can be saved externally"
                )
            if isinstance(self._graph.initializers[tensor].data, ExternalData):
                raise popart_exception(f"Initializer '{tensor}' was saved externally before")
        if len(set(ids)) != len(ids):
            raise popart_exception("An initializer occurs more than once in the list to be saved")
        mode = "ab" if self._refers_to(filename) else "wb"
        with open(filename, mode) as file:
            for tensor in ids:
                initializer = self._graph.initializers[tensor]
                array = initializer.data
                assert isinstance(array, np.ndarray), "checked above"
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                place = ExternalData(filename, file.tell(), array.nbytes)
                array.astype(array.dtype.newbyteorder("<"), copy=False).tofile(file)
                initializer.data = place

    def _refers_to(self, filename: str) -> bool:
        return any(
            isinstance(initializer.data, ExternalData) and initializer.data.location == filename
            for initializer in self._graph.initializers.values()
        )

    def _load(self, source: Union[str, bytes]) -> None:
        """Take over a model, checked by ONNX's checker."""
        import onnx

        from .proto import from_graph

        if isinstance(source, str):
            source = _read(source)
        _check_model(source)
        model = onnx.ModelProto.FromString(source)
        for entry in model.opset_import:
            domain = entry.domain or AI_ONNX
            if domain == AI_ONNX and entry.version not in OPSETS[AI_ONNX]:
                raise popart_exception(
                    f"Encountered ONNX opset version {entry.version}: supported are 6 to 11"
                )
            self._opsets[domain] = entry.version
            self._selected.setdefault(domain, entry.version)
        self._metadata = {entry.key: entry.value for entry in model.metadata_props}
        self._graph = from_graph(model.graph)
        self._adopt(self._graph)

    def _adopt(self, graph: Graph) -> None:
        """Reserve the ids of a loaded graph and infer its nodes."""
        for tensor in graph.inputs:
            self._ids.reserve(tensor)
        for node in graph.nodes:
            for value in node.attributes.values():
                if isinstance(value, Graph):
                    body = Builder(builderCore=self)
                    body._graph = value
                    body._adopt(value)
            for output in node.outputs:
                self._ids.reserve(output)
            opset = self._opsets.get(node.domain or AI_ONNX, 1)
            self._register(node, self._infer(node, opset))


def _data(initializer: Initializer) -> np.ndarray:
    """The data of an initializer, read from its file where they were moved there."""
    data = initializer.data
    if isinstance(data, np.ndarray):
        return data
    from .proto import NUMPY_OF

    dtype = NUMPY_OF[initializer.info.dtype]
    shape = initializer.info.shape or ()
    with open(data.location, "rb") as file:
        file.seek(data.offset)
        content = file.read(data.length)
    return np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape)


def _custom_attribute(op_type: str, name: str, value: Any) -> Any:
    """An attribute of a custom op as the model holds it."""
    if isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list) and value:
        for kind in (int, float):
            if all(isinstance(item, kind) for item in value):
                return [kind(item) for item in value]
    raise popart_exception(
        f"Attribute {name} of custom op {op_type} has the value {value!r}: accepted are str, int, "
        "float, and lists, not empty, of only int or only float"
    )


def _read(filename: str) -> bytes:
    if not os.path.isfile(filename):
        raise popart_exception(f"Failed to load a model: there is no file {filename!r}")
    with open(filename, "rb") as file:
        return file.read()


def _check_model(content: bytes) -> None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        onnx.checker.check_model(onnx.ModelProto.FromString(content))
    except DecodeError:
        raise popart_exception("Failed to parse a ModelProto") from None
    except onnx.checker.ValidationError as error:
        raise popart_exception(f"The model is not valid ONNX: {error}") from None
