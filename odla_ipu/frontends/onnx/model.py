"""An ONNX file as plain records: with ``functions`` the only module that touches its messages.

The message is given up as soon as the records exist.  Weights, in the file or in external ones, are
mapped, not read; small ones are taken over as they are.
"""

import mmap
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import onnx
from onnx import numpy_helper

from ...errors import BadFile, FileMissing, UnsupportedType
from ...types import UNKNOWN, ElementType, Shape, product
from .wire import without_weights

MAPPED_WEIGHTS = 4096
"""From this many bytes on, a weight stays in its file."""

OLDEST_OPSET, NEWEST_OPSET = 7, 28
"""Opsets of the default domain that the converters know."""

_T = onnx.TensorProto
_ELEMENT_TYPES: Dict[int, ElementType] = {
    _T.FLOAT: ElementType.FLOAT32,
    _T.FLOAT16: ElementType.FLOAT16,
    _T.BFLOAT16: ElementType.BFLOAT16,
    _T.DOUBLE: ElementType.FLOAT64,
    _T.INT8: ElementType.INT8,
    _T.INT16: ElementType.INT16,
    _T.INT32: ElementType.INT32,
    _T.INT64: ElementType.INT64,
    _T.UINT8: ElementType.UINT8,
    _T.UINT16: ElementType.UINT16,
    _T.UINT32: ElementType.UINT32,
    _T.UINT64: ElementType.UINT64,
    _T.BOOL: ElementType.BOOL,
}

Tensor = Union[np.ndarray, UnsupportedType]
"""The array of a tensor, or the error to raise when something reads it."""


class Input(NamedTuple):
    """A declared graph input; ``shape`` is None when the file does not even give a rank.

    ``element_type`` is the error to raise where the type has no ODLA equivalent.
    """

    name: str
    element_type: Union[ElementType, UnsupportedType]
    shape: Optional[Shape]


class Node(NamedTuple):
    """A node: names of what it reads and makes ("" = absent), attributes as Python values."""

    op: str
    domain: str
    name: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attributes: Dict[str, Any]

    @property
    def label(self) -> str:
        """The node as messages call it."""
        named = self.name or next((output for output in self.outputs if output), "")
        operator = f"{self.domain}.{self.op}" if self.domain else self.op
        return f"node '{named}' ({operator})"


class Subgraph(NamedTuple):
    """A graph of nodes: the model's own one, or a branch or body that a node carries."""

    nodes: List[Node]
    initializers: Dict[str, Tensor]
    inputs: List[Input]
    outputs: List[str]


class Reference(NamedTuple):
    """The value of an attribute in a function: the caller's attribute ``name``."""

    name: str


class Function(NamedTuple):
    """An operator defined by others; ``opset`` is None where that of the model holds."""

    parameters: List[str]
    body: Subgraph
    defaults: Dict[str, Any]
    opset: Optional[int]


class Model(NamedTuple):
    """A parsed model; ``opsets`` maps domains to versions ("" is ai.onnx).

    ``functions`` are those of the model, by domain and operator type.
    """

    name: str
    graph: Subgraph
    opsets: Dict[str, int]
    functions: Dict[Tuple[str, str], Function]


def onnx_type(kind: ElementType) -> int:
    """ONNX's data type for an element type."""
    return next(number for number, one in _ELEMENT_TYPES.items() if one is kind)


def element_type_of(number: int, what: str) -> ElementType:
    """ElementType of an ONNX data type; raises UnsupportedType, naming ``what``."""
    if number in _ELEMENT_TYPES:
        return _ELEMENT_TYPES[number]
    names = {value: name for name, value in _T.DataType.items()}
    accepted = ", ".join(names[known] for known in sorted(_ELEMENT_TYPES))
    raise UnsupportedType(
        f"{what}: element type {names.get(number, number)} has no ODLA equivalent that IPUs "
        f"compute; accepted: {accepted}"
    )


def parse(source: Union[str, "os.PathLike[str]", bytes]) -> Model:
    """The records of an ONNX file (a path) or of its content (bytes).

    Raises FileMissing, BadFile (not ONNX, truncated, missing external data, too old or too new).
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _records(_message(source, "the model"), "model", None)
    path = Path(source)
    if path.is_dir():
        raise FileMissing(f"'{path}' is a folder; give the .onnx file in it")
    if not path.exists():
        raise FileMissing(f"no file '{path}'; check the path (the current folder is {os.getcwd()})")
    if path.stat().st_size == 0:
        raise BadFile(f"'{path}' is empty; write or copy the model again")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        message = _mapped_message(data, path)
    return _records(message, path.stem, path)


def _mapped_message(data: mmap.mmap, path: Path) -> onnx.ModelProto:
    """The message in a file, its large weights as references to that file."""
    with memoryview(data) as view:
        slim = without_weights(view, path.name, MAPPED_WEIGHTS)
        return _message(view if slim is None else slim, f"'{path}'")


def _message(data: Any, what: str) -> onnx.ModelProto:
    if len(data) == 0:
        raise BadFile(f"{what} is empty; an ONNX model has at least a graph")
    message = onnx.ModelProto()
    try:
        message.ParseFromString(data)
    except Exception:  # protobuf's own DecodeError, whose module depends on its version
        raise BadFile(
            f"{what} is not an ONNX model, or it is truncated ({len(data)} bytes); "
            "write or copy it again"
        ) from None
    if not message.HasField("graph") or message.ir_version < 1:
        raise BadFile(f"{what} has no graph: it is not an ONNX model, or it is truncated")
    if message.ir_version > onnx.IR_VERSION:
        raise BadFile(
            f"{what} has IR version {message.ir_version}; the installed onnx {onnx.__version__} "
            f"reads up to {onnx.IR_VERSION}: upgrade onnx, or export for an older one"
        )
    return message


def _records(message: onnx.ModelProto, name: str, path: Optional[Path]) -> Model:
    what = f"'{path}'" if path else "the model"
    opsets = {_domain(entry.domain): entry.version for entry in message.opset_import}
    opset = opsets.get("")
    if opset is None and message.ir_version < 3:
        opset = opsets[""] = 1
    if opset is None:
        raise BadFile(f"{what} names no opset of the domain ai.onnx; export it again")
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise BadFile(
            f"{what} uses opset {opset}; accepted: {OLDEST_OPSET} to {NEWEST_OPSET}.  "
            "Convert it with onnx.version_converter.convert_version or export it again"
        )
    reader = _Reader(what, path)
    functions = {(_domain(one.domain), one.name): reader.function(one) for one in message.functions}
    return Model(message.graph.name or name, reader.subgraph(message.graph), opsets, functions)


def function_record(message: onnx.FunctionProto) -> Function:
    """The record of a function that no file holds."""
    return _Reader(f"the function {message.name}", None).function(message)


def plain_attribute(message: onnx.AttributeProto) -> Any:
    """The value of an attribute that no file holds."""
    return _Reader(f"the attribute {message.name}", None).attribute(message)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


class _Reader:
    """Turns messages into records; keeps the maps of external files."""

    def __init__(self, what: str, path: Optional[Path]):
        self.what = what
        self.folder = path.resolve().parent if path else None
        self.maps: Dict[Path, np.ndarray] = {}

    def subgraph(self, graph: onnx.GraphProto) -> Subgraph:
        initializers = {one.name: self.tensor(one) for one in graph.initializer}
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            initializers[name] = UnsupportedType(
                f"initializer '{name}' is sparse; store it as a dense tensor"
            )
        return Subgraph(
            [self.node(one) for one in graph.node],
            initializers,
            [_input(one) for one in graph.input if one.name not in initializers],
            [one.name for one in graph.output],
        )

    def node(self, node: onnx.NodeProto) -> Node:
        attributes = {one.name: self.attribute(one) for one in node.attribute}
        return Node(
            node.op_type,
            _domain(node.domain),
            node.name,
            tuple(node.input),
            tuple(node.output),
            attributes,
        )

    def function(self, function: onnx.FunctionProto) -> Function:
        opsets = {_domain(entry.domain): entry.version for entry in function.opset_import}
        return Function(
            list(function.input),
            Subgraph([self.node(one) for one in function.node], {}, [], list(function.output)),
            {one.name: self.attribute(one) for one in function.attribute_proto},
            opsets.get(""),
        )

    def attribute(self, attribute: onnx.AttributeProto) -> Any:
        kind = attribute.type
        if attribute.ref_attr_name:
            return Reference(attribute.ref_attr_name)
        if kind == attribute.INT:
            return attribute.i
        if kind == attribute.INTS:
            return list(attribute.ints)
        if kind == attribute.FLOAT:
            return attribute.f
        if kind == attribute.FLOATS:
            return list(attribute.floats)
        if kind == attribute.STRING:
            return attribute.s.decode("utf-8", "replace")
        if kind == attribute.STRINGS:
            return [one.decode("utf-8", "replace") for one in attribute.strings]
        if kind == attribute.TENSOR:
            return self.tensor(attribute.t)
        if kind == attribute.GRAPH:
            return self.subgraph(attribute.g)
        return None

    def tensor(self, tensor: onnx.TensorProto) -> Tensor:
        what = f"{self.what}: tensor '{tensor.name}'"
        try:
            dtype = element_type_of(tensor.data_type, what).dtype.newbyteorder("<")
        except UnsupportedType as error:
            return error
        dims = tuple(tensor.dims)
        if any(dim < 0 for dim in dims):
            raise BadFile(f"{what} has the shape {list(dims)}; the file is damaged")
        if tensor.data_location == tensor.EXTERNAL:
            return self.external(tensor, dtype, dims, what)
        if tensor.HasField("raw_data"):
            raw = tensor.raw_data
            tensor.ClearField("raw_data")
            expected = product(dims) * dtype.itemsize
            if len(raw) != expected:
                raise BadFile(
                    f"{what} has {len(raw)} bytes of data, its shape {list(dims)} needs "
                    f"{expected}; the file is damaged"
                )
            return np.frombuffer(raw, dtype).reshape(dims)
        try:
            return np.asarray(numpy_helper.to_array(tensor), dtype).reshape(dims)
        except ValueError as error:
            raise BadFile(f"{what} does not fill its shape {list(dims)}: {error}") from None

    def external(
        self, tensor: onnx.TensorProto, dtype: np.dtype, dims: Tuple[int, ...], what: str
    ) -> np.ndarray:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if self.folder is None:
            raise BadFile(
                f"{what} is kept in the external file '{location}'; load the model by its path"
            )
        path = (self.folder / location).resolve()
        if not location or self.folder not in path.parents:
            raise BadFile(
                f"{what} names the external file '{location}', which is outside the model's folder "
                f"{self.folder}; external data must lie in it"
            )
        if not path.is_file():
            raise BadFile(
                f"{what} is kept in the external file '{path}', which is missing; "
                "copy it next to the model"
            )
        expected = product(dims) * dtype.itemsize
        try:
            offset = int(entries.get("offset") or 0)
            length = int(entries.get("length") or expected)
        except ValueError:
            raise BadFile(f"{what}: offset or length of its external data is no number") from None
        if length != expected or offset < 0:
            raise BadFile(
                f"{what} has {length} bytes at offset {offset} of '{path}', its shape {list(dims)} "
                f"needs {expected}; the file is damaged"
            )
        if expected == 0:
            return np.empty(dims, dtype)
        if path not in self.maps:
            size = path.stat().st_size
            self.maps[path] = np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
        data = self.maps[path][offset : offset + expected]
        if data.nbytes != expected:
            raise BadFile(
                f"{what} needs bytes {offset} to {offset + expected} of '{path}', which has "
                f"{self.maps[path].nbytes}; copy that file again"
            )
        return np.frombuffer(data, dtype).reshape(dims)


def _input(value: onnx.ValueInfoProto) -> Input:
    kind = value.type.WhichOneof("value") or "unset"
    what = f"input '{value.name}'"
    if kind != "tensor_type":
        error = UnsupportedType(
            f"{what} is a {kind.replace('_type', '')}; accepted: tensors.  "
            "Export the model with tensor inputs"
        )
        return Input(value.name, error, None)
    tensor = value.type.tensor_type
    element: Union[ElementType, UnsupportedType]
    try:
        element = element_type_of(tensor.elem_type, what)
    except UnsupportedType as unsupported:
        element = unsupported
    if not tensor.HasField("shape"):
        return Input(value.name, element, None)
    return Input(value.name, element, tuple(_dim(dim) for dim in tensor.shape.dim))


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Union[int, str]:
    """A size, or the name of an open dimension; ``?``, ``None`` and ``-1`` name nothing."""
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else UNKNOWN
    name = dim.dim_param
    if name == "None" or not any(character.isalpha() for character in name):
        return UNKNOWN
    return name


def reads(nodes: Sequence[Node]) -> List[Tuple[str, ...]]:
    """For each node the names it reads, those of its branches and bodies included."""
    return [node.inputs + _captured(node.attributes) for node in nodes]


def _captured(attributes: Mapping[str, Any]) -> Tuple[str, ...]:
    names: Tuple[str, ...] = ()
    for value in attributes.values():
        if isinstance(value, Subgraph):
            for inner in reads(value.nodes):
                names += inner
            names += tuple(value.outputs)
    return names
