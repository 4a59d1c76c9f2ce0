"""Programs: a graph lowered for a device, and how it is kept in an executable file.

A :class:`Program` is what an executable file holds: the ModelProto, its weights, and how names,
shapes and types of the user map to tensors of the device.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import container
from .container import FileContent
from .device import Device
from .errors import InvalidParameter
from .graph import Capacity, Graph, Storage, Value, walk
from .lowering import Lowering, lower
from .optimizers import Optimizer
from .passes import device_type, prepare
from .training import Training, loss_of
from .types import ElementType, ValueType, element_type
from .version import VERSION

KIND = "executable"

EXTERNAL_WEIGHTS = 1 << 20
"""From this many bytes of weights on, they travel in a file of their own beside the model."""

LARGE_WEIGHT = 1 << 16
"""Weights of fewer bytes stay in the model: each on pages of its own they would be slow to read."""


class Port(NamedTuple):
    """An argument or output: the user's name and type, and the device's.

    ``tensor`` is the id on the device; "" for an argument that the device does not read and for an
    output that it does not compute: then ``source`` is the name of what is fed and it equals, or
    "" for a constant (kept in ``Program.constants`` under the output's name).

    Where data decide the size of an output, ``type`` has room for all of it, and ``counter`` is the
    tensor with the number of entries along ``axis`` that a run made.
    """

    name: str
    type: ValueType
    device_type: ElementType
    tensor: str
    source: str = ""
    counter: str = ""
    axis: int = 0


class Program(NamedTuple):
    name: str
    precision: str
    num_ipus: int
    batches: int
    """A step of the device runs so many batches, of which the types are for one."""
    arguments: List[Port]
    variables: List[Port]
    outputs: List[Port]
    values: Dict[str, Storage]
    """What the variables hold."""
    constants: Dict[str, np.ndarray]
    model: bytes
    weights: str
    """The file with the weights that the model refers to; "" when it carries them itself."""
    kernels: List[str]
    """The kernels that the model uses, by the names that callers use."""
    size: int
    """Bytes of its weights, and of the values that are alive at one time."""
    training: Optional[Training]
    """How it is trained, if it is."""
    ops: Dict[str, str]
    """Names of the ODLA ops (``odla_Conv``) by id, for the profiler."""


def make_program(
    graph: Graph,
    precision: str,
    device: Device,
    batches: int,
    weights: str,
    optimizer: Optional[Optimizer] = None,
) -> Program:
    """Lower ``graph``, of known shapes; many weights go to the file ``weights``.

    With an ``optimizer`` it is a program that trains.
    """
    trains = optimizer is not None
    prepared = prepare(graph, precision, trains)
    lowered = lower(prepared, device.popart, trains, device.provide)
    fed = [variable for variable in graph.variables if variable.id not in lowered.trained]
    sizes = lowered.initializers
    large = [tensor for tensor, size in sizes.items() if size >= LARGE_WEIGHT]
    external = sum(sizes[tensor] for tensor in large) >= EXTERNAL_WEIGHTS
    if external:
        lowered.builder.saveInitializersExternally(large, weights)
    return Program(
        name=graph.name,
        precision=precision,
        num_ipus=device.num_ipus,
        batches=batches,
        arguments=_inputs(graph.arguments, lowered, precision),
        variables=_inputs(fed, lowered, precision),
        outputs=_outputs(graph, prepared, lowered, precision),
        values={variable.id: variable.storage for variable in graph.variables},
        constants=_constants(graph, prepared),
        model=lowered.builder.getModelProto(),
        weights=weights if external else "",
        kernels=sorted(lowered.kernels),
        size=sum(sizes.values()) + peak_bytes(prepared),
        training=None if optimizer is None else _training(graph, lowered, optimizer),
        ops={node.id: node.name for node in walk(prepared.used_nodes())},
    )


def peak_bytes(graph: Graph) -> int:
    """The most bytes that values which are not constants take at one time, in order of the nodes.

    While control flow runs, those of its largest body count, too.
    """
    nodes = graph.used_nodes()
    last = {value: index for index, node in enumerate(nodes) for value in node.operands()}
    last.update((output.value, len(nodes)) for output in graph.outputs)
    ends: List[int] = [0] * (len(nodes) + 1)
    alive = 0
    for value in graph.fed:
        alive += _bytes(value)
        ends[last.get(value, 0)] += _bytes(value)
    most = alive
    for index, node in enumerate(nodes):
        for value in node.outputs:
            alive += _bytes(value)
            ends[last.get(value, index)] += _bytes(value)
        most = max(most, alive + max(map(peak_bytes, node.bodies), default=0))
        alive -= ends[index]
    return most


def _bytes(value: Value) -> int:
    kind = value.type
    return kind.elements * kind.element_type.host_bytes if kind.is_static else 0


def _training(graph: Graph, lowered: Lowering, optimizer: Optimizer) -> Training:
    name = loss_of(graph)
    if not lowered.trained:
        raise InvalidParameter(
            f"'{graph.name}' has no variable of floats that is read; training changes variables: "
            "odla_ipu.variable, odla_CreateVariable"
        )
    if name not in lowered.outputs:
        raise InvalidParameter(f"the loss '{name}' is not computed: it is an argument or constant")
    return Training(lowered.outputs[name], dict(lowered.trained), optimizer)


def _inputs(values: Sequence[Value], lowered: Lowering, precision: str) -> List[Port]:
    return [
        Port(
            value.id,
            value.type,
            device_type(value.element_type, precision),
            lowered.arguments.get(value.id, ""),
        )
        for value in values
    ]


def _outputs(graph: Graph, prepared: Graph, lowered: Lowering, precision: str) -> List[Port]:
    fed = {value.id for value in graph.fed}
    ports = []
    for output, made in zip(graph.outputs, prepared.outputs):
        source = made.value.id if made.value.node is None and made.value.data is None else ""
        tensor, kind = lowered.outputs.get(output.name, ""), output.value.type
        capacity = _capacity(made.value)
        ports.append(
            Port(
                output.name,
                kind if capacity is None else capacity.type(kind),
                device_type(output.value.element_type, precision),
                tensor,
                source if source in fed else "",
                lowered.counts.get(tensor, ""),
                0 if capacity is None else capacity.axis,
            )
        )
    return ports


def _capacity(value: Value) -> Optional[Capacity]:
    """How much room ``value`` has, if it is a result whose size data decide."""
    node = value.node
    return node.capacity() if node is not None and value is node.outputs[0] else None


def _constants(graph: Graph, prepared: Graph) -> Dict[str, np.ndarray]:
    """Outputs that are known before running: as the user wrote them, or as passes found them."""
    found = {}
    for output, made in zip(graph.outputs, prepared.outputs):
        data = output.value.data if output.value.data is not None else made.value.data
        if data is not None:
            found[output.name] = data
    return found


def _port_to_json(port: Port) -> Dict[str, Any]:
    return {
        "name": port.name,
        "type": port.type.element_type.name,
        "dims": list(port.type.dims),
        "device_type": port.device_type.name,
        "tensor": port.tensor,
        "source": port.source,
        "counter": port.counter,
        "axis": port.axis,
    }


def _port_of(entry: Mapping[str, Any]) -> Port:
    return Port(
        entry["name"],
        ValueType(ElementType[entry["type"]], tuple(int(dim) for dim in entry["dims"])),
        ElementType[entry["device_type"]],
        entry["tensor"],
        entry["source"],
        entry["counter"],
        entry["axis"],
    )


def to_file(
    program: Program, target: str, engine: str
) -> Tuple[Dict[str, Any], Dict[str, container.Content]]:
    """Header and sections of the executable file of a program that was made here.

    ``target`` and ``engine`` say what compiled it: a kind of device and a version of PopART.
    """
    header = {
        "kind": KIND,
        "package": VERSION,
        "target": target,
        "engine": engine,
        "name": program.name,
        "precision": program.precision,
        "num_ipus": program.num_ipus,
        "batches": program.batches,
        "kernels": program.kernels,
        "size": program.size,
        "ops": program.ops,
        "training": program.training and program.training.to_json(),
        "arguments": [_port_to_json(port) for port in program.arguments],
        "variables": [_port_to_json(port) for port in program.variables],
        "values": {
            name: {"type": element_type(one.dtype).name, "dims": list(one.shape)}
            for name, one in program.values.items()
        },
        "outputs": [_port_to_json(port) for port in program.outputs],
        "constants": {
            name: {"type": element_type(data.dtype).name, "dims": list(data.shape)}
            for name, data in program.constants.items()
        },
    }
    sections: Dict[str, container.Content] = {"model": program.model}
    if program.weights:
        sections["weights"] = FileContent(program.weights)
    for name, data in program.constants.items():
        sections[f"constant {name}"] = data.tobytes()
    sections.update(variable_sections(program.values))
    return header, sections


def variable_sections(values: Mapping[str, Storage]) -> Dict[str, bytes]:
    """What variables hold, as sections of an executable file."""
    return {f"variable {name}": one.fetch().tobytes() for name, one in values.items()}


def from_file(
    path: str, header: Mapping[str, Any], sections: Mapping[str, container.Section]
) -> Program:
    """The program of an executable file; raises what a wrong header leads to."""
    constants = {}
    for name, entry in header["constants"].items():
        data = container.content(path, sections[f"constant {name}"])
        dtype = ElementType[entry["type"]].dtype
        constants[name] = np.frombuffer(data, dtype).reshape(entry["dims"])
    variables = [_port_of(entry) for entry in header["variables"]]
    values = {}
    for name, entry in header["values"].items():
        data = container.content(path, sections[f"variable {name}"])
        flat = np.frombuffer(bytearray(data), ElementType[entry["type"]].dtype)
        values[name] = Storage(flat.reshape(entry["dims"]))
    return Program(
        name=header["name"],
        precision=header["precision"],
        num_ipus=int(header["num_ipus"]),
        batches=int(header["batches"]),
        arguments=[_port_of(entry) for entry in header["arguments"]],
        variables=variables,
        outputs=[_port_of(entry) for entry in header["outputs"]],
        values=values,
        constants=constants,
        model=_model_of(path, sections),
        weights="",
        kernels=[str(name) for name in header["kernels"]],
        size=int(header["size"]),
        training=Training.of_json(header["training"]),
        ops=dict(header["ops"]),
    )


def _model_of(path: str, sections: Mapping[str, container.Section]) -> bytes:
    """The ModelProto, with its weights where they lie in the executable file."""
    model = container.content(path, sections["model"])
    if "weights" not in sections:
        return model
    import onnx  # after popart, which refuses to load the other way round

    proto = onnx.ModelProto.FromString(model)
    for initializer in proto.graph.initializer:
        if initializer.data_location == onnx.TensorProto.EXTERNAL:
            for entry in initializer.external_data:
                if entry.key == "location":
                    entry.value = path
                elif entry.key == "offset":
                    entry.value = str(int(entry.value) + sections["weights"].offset)
    return proto.SerializeToString()
