"""Graphs to ONNX models and back.

A model has IR version 6 (that of ONNX 1.6) and imports the opsets that its nodes use; ai.onnx is
written as "". Initializers are graph inputs too. Each function imports onnx when called.
"""

from typing import Any, Dict, Mapping

import numpy as np

from .exceptions import popart_exception
from .nodes import (
    NUMPY_TYPES,
    ONNX_NUMBERS,
    ONNX_TYPES,
    UNDEFINED,
    UNKNOWN,
    ExternalData,
    Graph,
    Info,
    Initializer,
    Node,
)

IR_VERSION = 6
NUMPY_OF = {name: dtype for dtype, name in NUMPY_TYPES.items()}


def to_model(graph: Graph, opsets: Mapping[str, int], metadata: Mapping[str, str]) -> Any:
    """The ModelProto of `graph`. `opsets` has "ai.onnx" and the other domains in use."""
    import onnx

    model = onnx.ModelProto()
    model.ir_version = IR_VERSION
    model.producer_name = "odla_ipu.sim"
    for domain, version in opsets.items():
        entry = model.opset_import.add()
        entry.domain = "" if domain == "ai.onnx" else domain
        entry.version = version
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    _fill_graph(model.graph, graph)
    return model


def _fill_graph(proto: Any, graph: Graph) -> None:
    proto.name = graph.name or "graph"
    for name in graph.inputs:
        _fill_value(proto.input.add(), name, graph.infos.get(name, UNKNOWN))
    for name in graph.outputs:
        _fill_value(proto.output.add(), name, graph.infos.get(name, UNKNOWN))
    for name, initializer in graph.initializers.items():
        _fill_initializer(proto.initializer.add(), name, initializer)
    for node in graph.nodes:
        _fill_node(proto.node.add(), node)


def _fill_value(proto: Any, name: str, info: Info) -> None:
    proto.name = name
    if info.dtype == UNDEFINED:
        return
    proto.type.tensor_type.elem_type = ONNX_NUMBERS[info.dtype]
    if info.shape is None:
        return
    shape = proto.type.tensor_type.shape
    shape.SetInParent()
    for dim in info.shape:
        shape.dim.add().dim_value = dim


def _fill_initializer(proto: Any, name: str, initializer: Initializer) -> None:
    if isinstance(initializer.data, np.ndarray):
        _fill_tensor(proto, initializer.data)
        proto.name = name
        return
    import onnx

    proto.name = name
    proto.data_type = ONNX_NUMBERS[initializer.info.dtype]
    proto.dims.extend(initializer.info.shape or ())
    proto.data_location = onnx.TensorProto.EXTERNAL
    for key, value in initializer.data._asdict().items():
        entry = proto.external_data.add()
        entry.key, entry.value = key, str(value)


def _fill_tensor(proto: Any, array: np.ndarray) -> None:
    proto.data_type = ONNX_NUMBERS[NUMPY_TYPES[array.dtype]]
    proto.dims.extend(array.shape)
    proto.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _fill_node(proto: Any, node: Node) -> None:
    proto.op_type = node.op_type
    proto.domain = node.domain
    proto.name = node.name
    proto.input.extend(node.inputs)
    proto.output.extend(node.outputs)
    for name, value in node.attributes.items():
        _fill_attribute(proto.attribute.add(), name, value)


def _fill_attribute(proto: Any, name: str, value: Any) -> None:
    import onnx

    types = onnx.AttributeProto
    proto.name = name
    if isinstance(value, Graph):
        proto.type = types.GRAPH
        _fill_graph(proto.g, value)
    elif isinstance(value, np.ndarray):
        proto.type = types.TENSOR
        _fill_tensor(proto.t, value)
    elif isinstance(value, str):
        proto.type = types.STRING
        proto.s = value.encode()
    elif isinstance(value, float):
        proto.type = types.FLOAT
        proto.f = value
    elif isinstance(value, int):
        proto.type = types.INT
        proto.i = value
    elif value and isinstance(value[0], str):
        proto.type = types.STRINGS
        proto.strings.extend(item.encode() for item in value)
    elif value and isinstance(value[0], float):
        proto.type = types.FLOATS
        proto.floats.extend(value)
    else:
        proto.type = types.INTS
        proto.ints.extend(value)


def from_graph(proto: Any) -> Graph:
    """The graph of a GraphProto, without infos of the tensors between nodes."""
    graph = Graph(proto.name)
    for value in proto.input:
        graph.inputs.append(value.name)
        graph.infos[value.name] = _info(value)
    for value in proto.output:
        graph.outputs.append(value.name)
    for tensor in proto.initializer:
        graph.initializers[tensor.name] = _initializer(tensor)
        graph.infos[tensor.name] = graph.initializers[tensor.name].info
        if tensor.name not in graph.inputs:
            graph.inputs.append(tensor.name)
    for node in proto.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        attributes = {item.name: _attribute(item) for item in node.attribute}
        graph.nodes.append(
            Node(node.op_type, list(node.input), list(node.output), attributes, domain, node.name)
        )
    return graph


def _info(value: Any) -> Info:
    tensor = value.type.tensor_type
    dtype = ONNX_TYPES.get(tensor.elem_type, UNDEFINED)
    dims = tensor.shape.dim
    if not tensor.HasField("shape") or any(not dim.HasField("dim_value") for dim in dims):
        return Info(dtype, None)
    return Info(dtype, tuple(dim.dim_value for dim in dims))


def _initializer(tensor: Any) -> Initializer:
    import onnx

    info = Info(ONNX_TYPES.get(tensor.data_type, UNDEFINED), tuple(tensor.dims))
    if info.dtype not in NUMPY_OF:
        raise popart_exception(f"Unsupported data type {info.dtype} of initializer {tensor.name}")
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return Initializer(info, onnx.numpy_helper.to_array(tensor))
    entries: Dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    length = int(np.prod(tensor.dims, dtype=np.int64)) * NUMPY_OF[info.dtype].itemsize
    return Initializer(
        info, ExternalData(entries["location"], int(entries.get("offset", 0)), length)
    )


def _attribute(attribute: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.GRAPH:
        return from_graph(value)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (int, float)):
        return value
    return [item.decode() if isinstance(item, bytes) else item for item in value]
