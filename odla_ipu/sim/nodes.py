"""Graphs as the builder keeps them: nodes, and what is known of each tensor.

Plain Python objects, not protobuf messages, so that adding a node costs the same however many
there are. `proto` turns them into an ONNX model and back.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np

UNDEFINED = "UNDEFINED"
"""Element type of a tensor of which the type is unknown."""

ONNX_TYPES = {
    1: "FLOAT",
    2: "UINT8",
    3: "INT8",
    4: "UINT16",
    5: "INT16",
    6: "INT32",
    7: "INT64",
    8: "STRING",
    9: "BOOL",
    10: "FLOAT16",
    11: "DOUBLE",
    12: "UINT32",
    13: "UINT64",
    14: "COMPLEX64",
    15: "COMPLEX128",
    16: "BFLOAT16",
}
"""PopART's name of each TensorProto.DataType."""

NUMPY_TYPES: Dict[np.dtype, str] = {
    np.dtype(np.float32): "FLOAT",
    np.dtype(np.float16): "FLOAT16",
    np.dtype(np.int8): "INT8",
    np.dtype(np.int16): "INT16",
    np.dtype(np.int32): "INT32",
    np.dtype(np.int64): "INT64",
    np.dtype(np.uint8): "UINT8",
    np.dtype(np.uint16): "UINT16",
    np.dtype(np.uint32): "UINT32",
    np.dtype(np.uint64): "UINT64",
    np.dtype(np.bool_): "BOOL",
}
"""PopART's name of each numpy type that it takes."""

ONNX_NUMBERS = {name: number for number, name in ONNX_TYPES.items()}
"""TensorProto.DataType of each of PopART's names."""


class Info(NamedTuple):
    """Element type, by PopART's name, and shape; None for a shape that is unknown."""

    dtype: str
    shape: Optional[Tuple[int, ...]]


UNKNOWN = Info(UNDEFINED, None)


class Node:
    """One op. An input that is left out is "".

    Values of `attributes` are int, float, str, lists of these, a numpy array for a tensor, or a
    `Graph` for the body of a control-flow op. `domain` is "" for ai.onnx. `name` is for messages.
    """

    __slots__ = ("attributes", "domain", "inputs", "name", "op_type", "outputs")

    def __init__(
        self,
        op_type: str,
        inputs: List[str],
        outputs: List[str],
        attributes: Dict[str, Any],
        domain: str = "",
        name: str = "",
    ) -> None:
        self.op_type = op_type
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
        self.domain = domain
        self.name = name

    def __repr__(self) -> str:
        op_type = f"{self.domain}.{self.op_type}" if self.domain else self.op_type
        return f"{', '.join(self.outputs)} = {op_type}({', '.join(self.inputs)})"


class ExternalData(NamedTuple):
    """Where the data of an initializer lies: `length` bytes at `offset` of the file `location`."""

    location: str
    offset: int
    length: int


class Initializer:
    """A variable's initial value: an array, or its place in a file once it was moved there."""

    __slots__ = ("data", "info")

    def __init__(self, info: Info, data: Union[np.ndarray, ExternalData]) -> None:
        self.info = info
        self.data = data


class Graph:
    """Nodes in topological order with their inputs, initializers and outputs, all by tensor id.

    `infos` has an entry for each tensor of the graph; initializers are also inputs.
    """

    __slots__ = ("infos", "initializers", "inputs", "name", "nodes", "outputs")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.inputs: List[str] = []
        self.outputs: List[str] = []
        self.initializers: Dict[str, Initializer] = {}
        self.nodes: List[Node] = []
        self.infos: Dict[str, Info] = {}
