"""The stand-in's typed graph, made from a ModelProto.

Every tensor has the type and shape that it has on the device: 64-bit integers are 32 bits wide
there.  Values that are known at construction are folded, everything that no anchor needs is pruned,
and a model that PopART would refuse is refused with ``popart_exception``.
"""

import importlib
import os
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

import numpy as np

from . import customop, folding
from .checks import check
from .exceptions import popart_exception
from .mapping import map_array
from .nodes import Info, Node
from .operands import check_attributes, check_numbers
from .operators import OPSETS, implemented_versions, lookup
from .prefixes import RESERVED
from .shapes import infer

_RESERVED = tuple(RESERVED.values())
"""Beginnings of the names that PopART gives to tensors of its own."""

_NARROWED = {np.dtype(np.int64): np.dtype(np.int32), np.dtype(np.uint64): np.dtype(np.uint32)}
"""What 64-bit integers are on the device."""

_DEVICE_TYPES: Dict[str, np.dtype] = {
    "FLOAT": np.dtype(np.float32),
    "FLOAT16": np.dtype(np.float16),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int32),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint32),
    "BOOL": np.dtype(np.bool_),
}
"""Types of the device by PopART's names."""


class Tensor:
    """A tensor: an id, its type on the device, its shape, and its data where they are known.

    ``data`` keep the model's own type (int64 for a shape); :meth:`device_data` narrows them.
    ``variable`` marks initializers; ``used`` is set by pruning when an op or an anchor reads it.
    """

    __slots__ = ("data", "dtype", "id", "producer", "shape", "used", "variable")

    def __init__(
        self,
        id: str,
        dtype: np.dtype,
        shape: Tuple[int, ...],
        data: Optional[np.ndarray] = None,
        variable: bool = False,
    ):
        self.id = id
        self.dtype = dtype
        self.shape = shape
        self.data = data
        self.variable = variable
        self.producer: Optional[Op] = None
        self.used = False

    @property
    def info(self) -> Info:
        return Info(_NAMES[self.dtype], self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def device_data(self) -> np.ndarray:
        """The data in the device's type.

        Raises popart_exception for an integer that 32 bits do not hold.
        """
        assert self.data is not None
        if self.data.dtype == self.dtype:
            return self.data
        narrow = self.data.astype(self.dtype)
        if self.dtype.kind in "iu" and not np.array_equal(narrow, self.data):
            raise popart_exception(
                f"Constant {self.id} holds {self.data.dtype} values that do not fit "
                f"{_NAMES[self.dtype]}, its type on the device: make them smaller"
            )
        return narrow

    def __repr__(self) -> str:
        return f"{self.id}:{_NAMES[self.dtype]}{list(self.shape)}"


_NAMES = {dtype: name for name, dtype in _DEVICE_TYPES.items() if name not in ("INT64", "UINT64")}


class Op:
    """An op with its attributes as Python values; a graph attribute is a :class:`Graph`.

    Inputs that are left out are None; so are outputs that nothing reads.  ``instance`` is what a
    custom op runs.
    """

    __slots__ = (
        "attributes",
        "domain",
        "inputs",
        "instance",
        "name",
        "outputs",
        "pipeline_stage",
        "type",
        "version",
        "virtual_graph",
    )

    def __init__(
        self,
        domain: str,
        type: str,
        version: int,
        name: str,
        attributes: Dict[str, Any],
        inputs: List[Optional[Tensor]],
    ):
        self.domain = domain
        self.type = type
        self.version = version
        self.name = name
        self.attributes = attributes
        self.inputs = inputs
        self.outputs: List[Optional[Tensor]] = []
        self.instance: Optional[customop.Instance] = None
        self.virtual_graph: Optional[int] = attributes.pop("__ipu_number", None)
        self.pipeline_stage: Optional[int] = attributes.pop("__pipeline_stage", None)

    def operand(self, index: int) -> Tensor:
        tensor = self.inputs[index]
        assert tensor is not None
        return tensor

    def constant(self, index: int) -> Optional[np.ndarray]:
        """The data of an input; None for one that is left out or is not known."""
        if index >= len(self.inputs):
            return None
        tensor = self.inputs[index]
        return None if tensor is None else tensor.data

    @property
    def result(self) -> Tensor:
        tensor = self.outputs[0]
        assert tensor is not None
        return tensor

    @property
    def label(self) -> str:
        """``name (domain.Type:version)`` for messages."""
        kind = f"{self.domain or 'ai.onnx'}.{self.type}:{self.version}"
        return f"{self.name} ({kind})" if self.name else kind

    @property
    def bodies(self) -> List["Graph"]:
        return [value for value in self.attributes.values() if isinstance(value, Graph)]

    def __repr__(self) -> str:
        return f"{self.label}({self.inputs}) -> {self.outputs}"


class Graph:
    """Ops in an order in which they can run, and the tensors by id.

    ``inputs`` are the streamed inputs (of a body: its formal inputs), ``outputs`` the anchors (of a
    body: its outputs).
    """

    def __init__(self, name: str = "", parent: Optional["Graph"] = None):
        self.name = name
        self.parent = parent
        self.ops: List[Op] = []
        self.tensors: Dict[str, Tensor] = {}
        self.inputs: List[Tensor] = []
        self.outputs: List[Tensor] = []
        self.metadata: Dict[str, str] = {}
        """The model's metadata_props."""

    def find(self, id: str) -> Optional[Tensor]:
        """A tensor of this graph or of one around it."""
        scope: Optional[Graph] = self
        while scope is not None:
            if id in scope.tensors:
                return scope.tensors[id]
            scope = scope.parent
        return None

    @property
    def variables(self) -> List[Tensor]:
        return [tensor for tensor in self.tensors.values() if tensor.variable]

    def __str__(self) -> str:
        return "\n".join(map(repr, self.ops))


def all_ops(graph: Graph) -> Iterator[Op]:
    """The ops of a graph and of the bodies in it."""
    for op in graph.ops:
        yield op
        for body in op.bodies:
            yield from all_ops(body)


def outer_values(graph: Graph) -> Iterator[Tensor]:
    """The tensors of graphs around it that a body reads."""
    for op in graph.ops:
        for tensor in reads(op):
            if graph.tensors.get(tensor.id) is not tensor:
                yield tensor
    for tensor in graph.outputs:
        if graph.tensors.get(tensor.id) is not tensor:
            yield tensor


def reads(op: Op) -> Iterator[Tensor]:
    """The tensors that an op, or a body of it, reads; some more than once."""
    for tensor in op.inputs:
        if tensor is not None:
            yield tensor
    for body in op.bodies:
        yield from outer_values(body)


class Limits(NamedTuple):
    """What the session options and the device allow."""

    virtual_graphs: bool = False
    manual: bool = False
    ipus_per_replica: int = 1
    pipelining: bool = False
    batches_per_step: int = 1
    constant_weights: bool = True
    strict_versions: bool = True
    strided_slices: bool = False
    """Whether the pattern that makes slices with large steps possible is enabled."""


DEFAULT_LIMITS = Limits()


_MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What Python raises where the parts of a node do not fit together."""


# Reading models.


def read_model(model: Union[bytes, str]) -> Tuple[Any, str]:
    """A ModelProto and the folder that relative paths of its external data start from.

    ``model`` is a serialized ModelProto or the name of a file with one.  Raises popart_exception
    where there is none.
    """
    import onnx

    folder = ""
    try:
        if isinstance(model, str):
            folder = os.path.dirname(os.path.abspath(model))
            with open(model, "rb") as file:
                model = file.read()
        proto = onnx.ModelProto.FromString(model)
    except OSError as error:
        raise popart_exception(f"Failed to load a model from {model!r}: {error.strerror}") from None
    except _decode_error():
        raise popart_exception(
            "Failed to parse a ModelProto: pass what Builder.getModelProto() returns, "
            "or the name of an ONNX file"
        ) from None
    _check_opsets(proto)
    return proto, folder


def _decode_error() -> Any:
    """The exception that protobuf raises for bytes that are no message."""
    return importlib.import_module("google.protobuf.message").DecodeError


def _check_opsets(proto: Any) -> None:
    for entry in proto.opset_import:
        if entry.domain in ("", "ai.onnx") and not 6 <= entry.version <= 11:
            raise popart_exception(
                f"Encountered ONNX opset version {entry.version}: supported are 6 to 11"
            )
        if entry.domain == "ai.graphcore" and entry.version != 1:
            raise popart_exception(
                f"Encountered ai.graphcore opset version {entry.version}: only 1 exists"
            )


def initializer_data(proto: Any, folder: str) -> np.ndarray:
    """The data of a TensorProto; external data are mapped, not read."""
    import onnx

    _device_type(onnx.TensorProto.DataType.Name(proto.data_type), proto.name)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(proto.data_type)
    shape = tuple(proto.dims)
    if proto.data_location != onnx.TensorProto.EXTERNAL:
        if proto.HasField("raw_data"):
            return np.frombuffer(proto.raw_data, dtype).reshape(shape)
        return onnx.numpy_helper.to_array(proto)
    entries = {entry.key: entry.value for entry in proto.external_data}
    path = os.path.join(folder, entries["location"])
    return map_array(proto.name, path, int(entries.get("offset", 0)), dtype, shape)


def _device_type(name: str, tensor: str) -> np.dtype:
    if name not in _DEVICE_TYPES:
        raise popart_exception(
            f"The data type {name} of tensor {tensor} is not supported in Poplar; "
            f"supported are {', '.join(_DEVICE_TYPES)}"
        )
    return _DEVICE_TYPES[name]


# Building.


def build(
    model: Union[bytes, str],
    anchors: Iterable[str],
    shapes: Callable[[str], Optional[Tuple[str, Tuple[int, ...]]]] = lambda name: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Graph:
    """The typed graph of a model, pruned to what the anchors need.

    ``shapes`` gives the type name and shape of an input whose dimensions the model leaves open, or
    None.  Raises popart_exception for everything that PopART refuses.
    """
    proto, folder = read_model(model)
    graph = _Builder(proto, folder, shapes, limits).graph
    anchors = list(anchors)
    for anchor in anchors:
        if anchor not in graph.tensors:
            raise popart_exception(
                f"Anchor tensor `{anchor}' not in Ir Tensors. The model has no tensor of that name"
            )
        graph.outputs.append(graph.tensors[anchor])
    if not anchors:
        raise popart_exception("User must specify at least one anchor for an inference session")
    _prune(graph)
    _check_placement(graph, limits)
    return graph


class _Builder:
    def __init__(self, proto: Any, folder: str, shapes: Callable, limits: Limits):
        self._folder = folder
        self._shapes = shapes
        self._limits = limits
        self._opsets = {entry.domain: entry.version for entry in proto.opset_import}
        self._opsets.setdefault("", self._opsets.pop("ai.onnx", 11))
        self._opsets.setdefault("ai.graphcore", 1)
        self.graph = Graph()
        self.graph.metadata = {entry.key: entry.value for entry in proto.metadata_props}
        self._main(proto.graph)

    def _main(self, proto: Any) -> None:
        graph = self.graph
        for initializer in proto.initializer:
            data = initializer_data(initializer, self._folder)
            self._add(
                graph,
                Tensor(
                    initializer.name,
                    _NARROWED.get(data.dtype, data.dtype),
                    tuple(data.shape),
                    data,
                    variable=True,
                ),
            )
        declared: Set[str] = set()
        for value in proto.input:
            if value.name in declared:
                raise popart_exception(f"Invalid ONNX Model : repeated name {value.name!r}")
            declared.add(value.name)
            if value.name not in graph.tensors:
                tensor = self._input(value)
                self._add(graph, tensor)
                graph.inputs.append(tensor)
        for node in proto.node:
            self._op(graph, node)

    def _input(self, value: Any) -> Tensor:
        import onnx

        kind = value.type.tensor_type
        name = onnx.TensorProto.DataType.Name(kind.elem_type)
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        if None in dims or name == "UNDEFINED" or not kind.HasField("shape"):
            given = self._shapes(value.name)
            if given is None:
                raise popart_exception(
                    f"The shape of input {value.name} has dimensions without a value: "
                    "it must be specified in InputShapeInfo"
                )
            name, shape = given
        else:
            shape = tuple(int(dim) for dim in dims)  # type: ignore[arg-type]
        return Tensor(value.name, _device_type(name, value.name), tuple(shape))

    def _add(self, graph: Graph, tensor: Tensor) -> None:
        if tensor.id.startswith(_RESERVED):
            raise popart_exception(
                "Names of tensors must not clash with reserved prefix "
                f"{tensor.id.split('___')[0]}___: rename {tensor.id}"
            )
        if tensor.id in graph.tensors:
            raise popart_exception(f"Invalid ONNX Model : repeated name {tensor.id!r}")
        graph.tensors[tensor.id] = tensor

    def _op(self, graph: Graph, node: Any) -> None:
        domain = "" if node.domain == "ai.onnx" else node.domain
        inputs = [self._tensor(graph, node, name) for name in node.input]
        if domain and domain not in OPSETS:
            self._custom_op(graph, domain, node, inputs)
            return
        version = self._version(domain, node)
        shown = f"{domain or 'ai.onnx'}.{node.op_type}:{version} {node.name}".rstrip()
        try:
            operator = lookup(domain, node.op_type, self._opsets.get(domain, 1))
            assert operator is not None, "it has a version"
            check_numbers(operator, node)
            attributes = self._attributes(graph, node, inputs)
            check_attributes(operator, attributes, shown)
            op = Op(domain, node.op_type, version, node.name, attributes, inputs)
            infos = _body_infos(op) if op.bodies else self._infer(op, list(node.output))
            check(op, len(node.output), self._limits.strided_slices)
            value = folding.fold(op) if self._foldable(op) else None
        except _MISFITS as error:
            given = ", ".join(repr(tensor) if tensor else "none" for tensor in inputs)
            raise popart_exception(
                f"{shown}: its inputs ({given}) and attributes do not fit together "
                f"({type(error).__name__}: {error})"
            ) from error
        if len(infos) < len(node.output) or (op.bodies and len(infos) != len(node.output)):
            raise popart_exception(
                f"{shown} has {len(infos)} outputs, the model asks for {len(node.output)}"
            )
        for name, info in zip(node.output, infos):
            op.outputs.append(self._output(graph, op, name, info, value) if name else None)
        if value is None:
            graph.ops.append(op)

    def _custom_op(
        self, graph: Graph, domain: str, node: Any, inputs: List[Optional[Tensor]]
    ) -> None:
        """An op of a library: its instance says what its outputs are."""
        opset = self._opsets.get(domain, 1)
        found = customop.find(domain, node.op_type, opset)
        if found is None:
            raise popart_exception(
                f"No class for {domain}.{node.op_type}:{opset}: load the library of this custom op "
                "first"
            )
        version, create = found
        op = Op(
            domain,
            node.op_type,
            version,
            node.name,
            self._attributes(graph, node, inputs),
            inputs,
        )
        op.instance = _instance(op, create)
        if len(op.instance.outputs) != len(node.output):
            raise popart_exception(
                f"{op.label} has {len(op.instance.outputs)} outputs, the model asks for "
                f"{len(node.output)}"
            )
        for name, (dtype, shape) in zip(node.output, op.instance.outputs):
            info = Info(_device_type_name(op, np.dtype(dtype)), tuple(map(int, shape)))
            op.outputs.append(self._output(graph, op, name, info, None) if name else None)
        graph.ops.append(op)

    def _infer(self, op: Op, outputs: List[str]) -> List[Info]:
        names = [tensor.id if tensor else "" for tensor in op.inputs]
        node = Node(op.type, names, outputs, op.attributes, op.domain, op.name)
        given = [tensor.info if tensor else None for tensor in op.inputs]
        return infer(node, self._opsets.get(op.domain, 1), given, op.constant)

    def _output(
        self, graph: Graph, op: Op, name: str, info: Info, value: Optional[np.ndarray]
    ) -> Tensor:
        if info.shape is None:
            raise popart_exception(
                f"The shape of {name}, an output of {op.label}, cannot be known at construction: "
                "inputs that give shapes, axes and sizes must be of type Constant"
            )
        tensor = Tensor(name, _device_type(_device_name(op, info, name), name), info.shape, value)
        if value is None:
            tensor.producer = op
        self._add(graph, tensor)
        return tensor

    def _foldable(self, op: Op) -> bool:
        """Whether the value is known: variables may change between runs, shapes do not."""
        return op.type == "Shape" or all(
            tensor is None
            or (tensor.data is not None and (self._limits.constant_weights or not tensor.variable))
            for tensor in op.inputs
        )

    def _version(self, domain: str, node: Any) -> int:
        """The version of the op that the opset prescribes; PopART must implement exactly that."""
        opset = self._opsets.get(domain, 1)
        operator = lookup(domain, node.op_type, opset)
        shown = f"{domain or 'ai.onnx'}.{node.op_type}"
        if operator is None:
            raise popart_exception(f"No class for {shown}:{opset}")
        if operator.implemented:
            return operator.since
        versions = implemented_versions(domain, node.op_type)
        older = [version for version in versions if version < operator.since]
        if older and not self._limits.strict_versions:
            return older[-1]
        if older:
            raise popart_exception(
                f"For an opset {opset} Model, the ONNX spec stipulates that a {node.op_type} op "
                f"must be version {operator.since}. The highest version implemented is {older[-1]}"
            )
        raise popart_exception(f"No class for {shown}:{operator.since}")

    def _tensor(self, graph: Graph, node: Any, name: str) -> Optional[Tensor]:
        if not name:
            return None
        tensor = graph.find(name)
        if tensor is None:
            raise popart_exception(
                f"Unknown tensor '{name}', an input of op {node.name or node.op_type}"
            )
        return tensor

    def _attributes(
        self, graph: Graph, node: Any, inputs: List[Optional[Tensor]]
    ) -> Dict[str, Any]:
        import onnx

        attributes: Dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                attributes[attribute.name] = self._body(graph, node, attribute.g, inputs)
                continue
            value = onnx.helper.get_attribute_value(attribute)
            if isinstance(value, bytes):
                value = value.decode()
            elif attribute.type == onnx.AttributeProto.TENSOR:
                value = initializer_data(value, self._folder)
            elif isinstance(value, list) and value and isinstance(value[0], bytes):
                value = [item.decode() for item in value]
            elif not isinstance(value, (int, float, str, np.ndarray)):
                value = list(value)
            attributes[attribute.name] = value
        return attributes

    def _body(self, graph: Graph, node: Any, proto: Any, inputs: List[Optional[Tensor]]) -> Graph:
        """A body; its inputs have the types and shapes of the op's own inputs."""
        body = Graph(proto.name, parent=graph)
        formals = _formal_inputs(node, proto, inputs)
        if len(formals) != len(proto.input):
            raise popart_exception(
                f"Op {node.name or node.op_type} passes {len(formals)} inputs to subgraph "
                f"{proto.name!r}, which takes {len(proto.input)}"
            )
        for value, formal in zip(proto.input, formals):
            dtype, shape = formal
            tensor = Tensor(value.name, dtype, shape)
            body.tensors[value.name] = tensor
            body.inputs.append(tensor)
        for initializer in proto.initializer:
            data = initializer_data(initializer, self._folder)
            dtype = _NARROWED.get(data.dtype, data.dtype)
            body.tensors[initializer.name] = Tensor(
                initializer.name, dtype, tuple(data.shape), data
            )
        for child in proto.node:
            self._op(body, child)
        for value in proto.output:
            tensor_ = body.find(value.name)
            if tensor_ is None:
                raise popart_exception(
                    f"Unknown tensor '{value.name}', an output of subgraph {proto.name!r}"
                )
            body.outputs.append(tensor_)
        return body


def _device_name(op: Op, info: Info, tensor: str) -> str:
    if info.dtype != "UNDEFINED":
        return info.dtype
    raise popart_exception(f"The data type of {tensor}, an output of {op.label}, is not known")


def _instance(op: Op, create: customop.Create) -> customop.Instance:
    """The custom op's own object. Raises popart_exception for what it refuses."""
    infos = [None if t is None else customop.Info(t.dtype, t.shape) for t in op.inputs]
    attributes = {name: value for name, value in op.attributes.items() if not name.startswith("__")}
    for name, value in attributes.items():
        if isinstance(value, (Graph, np.ndarray)):
            raise popart_exception(
                f"{op.label}: attribute {name} is a {type(value).__name__}; accepted are str, "
                "int, float and lists of int or float"
            )
    try:
        return create(infos, attributes)
    except popart_exception:
        raise
    except Exception as error:
        raise popart_exception(f"{op.label}: {error}") from error


def _device_type_name(op: Op, dtype: np.dtype) -> str:
    if dtype not in _NAMES:
        raise popart_exception(
            f"The data type {dtype} of an output of {op.label} is not supported in Poplar; "
            f"supported are {', '.join(map(str, _NAMES))}"
        )
    return _NAMES[dtype]


def _formal_inputs(
    node: Any, proto: Any, inputs: List[Optional[Tensor]]
) -> List[Tuple[np.dtype, Tuple[int, ...]]]:
    """Types and shapes of a body's inputs."""
    if node.op_type == "If":
        return []
    if node.op_type == "Loop":
        trips = inputs[0].dtype if inputs[0] is not None else np.dtype(np.int32)
        fixed = [(trips, ()), (np.dtype(np.bool_), ())]
        return fixed + [(t.dtype, t.shape) for t in inputs[2:] if t is not None]
    if node.op_type == "Scan":
        return _scan_inputs(node, inputs)
    if node.op_type == "PackedDataBlock":
        return _packed_inputs(node, inputs)
    for argument, value in zip(inputs, proto.input):
        if argument is not None:
            _check_argument(node, argument, value)
    return [(t.dtype, t.shape) for t in inputs if t is not None]


def _check_argument(node: Any, argument: Tensor, value: Any) -> None:
    """Refuse an argument of a Call of another type or shape than its callee declares."""
    import onnx

    kind = value.type.tensor_type
    if not kind.elem_type or not kind.HasField("shape"):
        return
    dtype = _device_type(onnx.TensorProto.DataType.Name(kind.elem_type), value.name)
    shape = tuple(dim.dim_value for dim in kind.shape.dim)
    if (dtype, shape) != (argument.dtype, argument.shape):
        raise popart_exception(
            f"The argument {argument} of {node.name or node.op_type} does not match callee input "
            f"tensor {value.name}, of type {_NAMES[dtype]} and shape {list(shape)}"
        )


def _scan_inputs(
    node: Any, inputs: List[Optional[Tensor]]
) -> List[Tuple[np.dtype, Tuple[int, ...]]]:
    scanned = next(a.i for a in node.attribute if a.name == "num_scan_inputs")
    axes: List[int] = []
    for attribute in node.attribute:
        if attribute.name == "scan_input_axes":
            axes = list(attribute.ints)
    axes = axes or [0] * scanned
    formals = []
    states = len(inputs) - scanned
    for position, tensor in enumerate(inputs):
        assert tensor is not None
        shape = list(tensor.shape)
        if position >= states:
            del shape[axes[position - states]]
        formals.append((tensor.dtype, tuple(shape)))
    return formals


def _packed_inputs(
    node: Any, inputs: List[Optional[Tensor]]
) -> List[Tuple[np.dtype, Tuple[int, ...]]]:
    """Inputs of the callback: a batch of sequences of each of the packed tensors."""
    values = {attribute.name: attribute for attribute in node.attribute}
    longest = list(values["maxSequenceLengths"].ints)
    batch = values["callbackBatchSize"].i
    shown = f"Op {node.name or node.op_type}"
    if len(inputs) != 3 * len(longest) + 2 or None in inputs:
        raise popart_exception(
            f"{shown} has {len(inputs)} inputs and {len(longest)} maxSequenceLengths: accepted are "
            "data, offsets and lengths for each of these, then offsets and lengths of the result"
        )
    tensors = [tensor for tensor in inputs if tensor is not None]
    tables = [t for index, t in enumerate(tensors) if index % 3 or index == 3 * len(longest)]
    shapes = {table.shape for table in tables}
    count = tables[0].size
    if shapes != {(count,)} or batch < 1 or count % batch:
        raise popart_exception(
            f"{shown} has offsets and lengths of shapes {sorted(shapes)}: accepted are vectors of "
            f"one length, a multiple of callbackBatchSize {batch}"
        )
    return [
        (data.dtype, (batch, length, *data.shape[1:]))
        for data, length in zip(tensors[::3], longest)
    ]


def _body_infos(op: Op) -> List[Info]:
    """Infos of an op's outputs from those of its bodies' outputs."""
    body = op.bodies[0]
    infos = [tensor.info for tensor in body.outputs]
    if op.type == "If":
        return _branch_infos(op)
    if op.type == "Loop":
        carried = len(op.inputs) - 2
        trips = trip_count(op)
        _check_carried(op, op.inputs[2:], body.outputs[1 : 1 + carried])
        return infos[1 : 1 + carried] + [
            Info(tensor.info.dtype, (trips, *tensor.shape))
            for tensor in body.outputs[1 + carried :]
        ]
    if op.type == "Scan":
        return _scan_infos(op, infos)
    if op.type == "PackedDataBlock":
        rows = op.attributes["resultSize"]
        return [Info(info.dtype, (rows, *(info.shape or ())[2:])) for info in infos[:1]]
    return infos


def _check_carried(op: Op, given: Sequence[Optional[Tensor]], values: List[Tensor]) -> None:
    """Refuse a Loop or Scan of which a carried value changes its type or shape."""
    if len(values) != len(given):
        raise popart_exception(f"{op.label} carries {len(given)} values, its body {len(values)}")
    for index, (before, after) in enumerate(zip(given, values)):
        assert before is not None
        if before.info != after.info:
            raise popart_exception(
                f"Carried value {index} of {op.label} enters the body as {before} and leaves it as "
                f"{after}: type and shape must stay the same"
            )


def _branch_infos(op: Op) -> List[Info]:
    then, other = op.attributes["then_branch"], op.attributes["else_branch"]
    first = [tensor.info for tensor in then.outputs]
    second = [tensor.info for tensor in other.outputs]
    if first != second:
        raise popart_exception(
            f"The branches of {op.label} must return the same number of outputs with the same "
            f"types and shapes: then {first}, else {second}"
        )
    condition = op.operand(0)
    if condition.dtype != np.bool_ or condition.size != 1:
        raise popart_exception(
            f"The condition of {op.label} must be a BOOL scalar, not {condition}"
        )
    return first


def trip_count(op: Op) -> int:
    """The constant trip count of a Loop, as PopART cuts it to 32 bits; 0 where there is none."""
    if op.inputs[0] is None:
        return 0
    data = op.constant(0)
    if data is None:
        raise popart_exception(
            f"Could not work out tensor data for input 0 (M) of {op.label}: "
            "the trip count must be constant"
        )
    return int(data.reshape(()).astype(np.int64).astype(np.int32))


def _scan_infos(op: Op, infos: List[Info]) -> List[Info]:
    scanned = op.attributes["num_scan_inputs"]
    states = len(op.inputs) - scanned
    length = scan_length(op)
    _check_carried(op, op.inputs[:states], op.bodies[0].outputs[:states])
    axes = op.attributes.get("scan_output_axes") or [0] * (len(infos) - states)
    results = infos[:states]
    for tensor, axis in zip(op.bodies[0].outputs[states:], axes):
        shape = list(tensor.shape)
        shape.insert(axis if axis >= 0 else axis + len(shape) + 1, length)
        results.append(Info(tensor.info.dtype, tuple(shape)))
    return results


def scan_length(op: Op) -> int:
    """Number of iterations of a Scan. Raises popart_exception where its inputs differ in it."""
    scanned = op.attributes["num_scan_inputs"]
    states = len(op.inputs) - scanned
    axes = op.attributes.get("scan_input_axes") or [0] * scanned
    lengths = {op.operand(states + index).shape[axis] for index, axis in enumerate(axes)}
    if len(lengths) != 1:
        raise popart_exception(
            f"The scan inputs of {op.label} have different lengths: {sorted(lengths)}"
        )
    return lengths.pop()


# Pruning.

_SIDE_EFFECTS = frozenset(["Abort", "PrintTensor", "CopyVarUpdate"])


def _prune(graph: Graph) -> None:
    """Drop every op that neither an anchor nor an op with a side effect needs."""
    needed: Set[int] = set()
    for tensor in graph.outputs:
        tensor.used = True
    kept = []
    for op in reversed(graph.ops):
        if not (
            (op.domain == "ai.graphcore" and op.type in _SIDE_EFFECTS)
            or any(tensor is not None and tensor.used for tensor in op.outputs)
            or _updates_statistics(op)
        ):
            continue
        needed.add(id(op))
        kept.append(op)
        _mark_inputs(op)
    if not kept:
        raise popart_exception("All operations in the main graph were pruned, nothing to compute")
    graph.ops = kept[::-1]


def _updates_statistics(op: Op) -> bool:
    return (
        op.instance is None
        and op.type == "BatchNormalization"
        and len(op.outputs) == 5
        and all(op.operand(index).variable for index in (3, 4))
    )


def _mark_inputs(op: Op) -> None:
    for tensor in op.inputs:
        if tensor is not None:
            tensor.used = True
    for body in op.bodies:
        for tensor_ in body.outputs:
            tensor_.used = True
        for child in body.ops:
            for output in child.outputs:
                if output is not None:
                    output.used = True
            _mark_inputs(child)


# Placement.


def _check_placement(graph: Graph, limits: Limits) -> None:
    placed = [op for op in graph.ops if op.virtual_graph is not None]
    if not limits.virtual_graphs:
        if placed:
            raise popart_exception(
                "SessionOptions flag virtualGraphMode is Off, but at least one op "
                f"({placed[0].label}) has virtualGraphId set to {placed[0].virtual_graph}"
            )
        return
    if not limits.manual and not placed:
        return
    if len(placed) != len(graph.ops):
        missing = next(op for op in graph.ops if op.virtual_graph is None)
        raise popart_exception(
            "Either all Ops must have their virtual graph ids set, or none must. "
            f"{len(placed)} of {len(graph.ops)} have one; {missing.label} has none"
        )
    for op in placed:
        assert op.virtual_graph is not None
        if not 0 <= op.virtual_graph < limits.ipus_per_replica:
            raise popart_exception(
                f"{op.label} has an invalid virtual graph {op.virtual_graph}: "
                f"there are {limits.ipus_per_replica} IPUs per replica"
            )
    if limits.pipelining:
        _check_pipeline(graph, limits)


def _check_pipeline(graph: Graph, limits: Limits) -> None:
    staged = [op for op in graph.ops if op.pipeline_stage is not None]
    if staged and len(staged) != len(graph.ops):
        raise popart_exception(
            "Only some ops have had their pipeline stage set: "
            f"{len(staged)} of {len(graph.ops)}; set it on all or on none"
        )
    stages: Dict[int, int] = {}
    for op in graph.ops:
        assert op.virtual_graph is not None
        stage = op.virtual_graph if op.pipeline_stage is None else op.pipeline_stage
        if stages.setdefault(stage, op.virtual_graph) != op.virtual_graph:
            raise popart_exception(
                f"The ops of pipeline stage {stage} are on different virtual graphs "
                f"({stages[stage]} and {op.virtual_graph}): a stage must be on one"
            )
    if len(set(stages.values())) < 2:
        raise popart_exception("Pipelining requires more than 1 virtual graph")
    if limits.batches_per_step < len(stages):
        raise popart_exception(
            "For pipelining, depth (batchesPerStep) must be at least the number of pipeline "
            f"stages: it is {limits.batches_per_step}, there are {len(stages)} stages"
        )
    _check_direction(graph)


def _check_direction(graph: Graph) -> None:
    for op in graph.ops:
        for tensor in op.inputs:
            if tensor is None or tensor.producer is None:
                continue
            stage = tensor.producer.pipeline_stage
            if stage is not None and op.pipeline_stage is not None and stage > op.pipeline_stage:
                raise popart_exception(
                    f"Tensor {tensor.id} flows from pipeline stage {stage} to an earlier one, "
                    f"{op.pipeline_stage} ({op.label})"
                )
    _check_streams(graph)


def _check_streams(graph: Graph) -> None:
    for tensor in graph.inputs:
        users = {op.virtual_graph for op in graph.ops if tensor in op.inputs}
        if len(users) > 1:
            raise popart_exception(
                f"Tensor {tensor.id} is read on the virtual graphs {sorted(map(str, users))}: "
                "when pipelining, stream tensors can only be streamed to one IPU"
            )
