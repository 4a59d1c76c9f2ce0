"""A typed graph becomes an internal ONNX model."""

import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ..exceptions import popart_exception, popart_internal_exception
from ..ir import Graph, Op, Tensor
from ..mapping import Place, place_of
from . import (
    control,
    ctc,
    elementwise,
    gradients,
    nn,
    rand,
    recurrent,
    reductions,
    shaping,
    splines,
    updates,
)
from .emitter import ELEMENT_TYPES, IR_VERSION, OPSET, Emitter, Rounding, compute_type

MAPPING_VERSION = (1, 23)
"""First version of onnxruntime that is known to map initializers of a model given as bytes; for
older ones the stand-in maps them."""

FAMILIES = (
    control,
    ctc,
    elementwise,
    gradients,
    nn,
    rand,
    recurrent,
    reductions,
    shaping,
    splines,
    updates,
)
"""Importing a family fills the tables of rules and of hosted ops."""


class Settings(NamedTuple):
    """What changes how ops are computed."""

    rounding: str = Rounding.SATURATE
    strided_groups: bool = False
    """Group normalisation takes channels g, g + G, ... into group g instead of a run of them."""
    check_floats: bool = False
    """A result that is infinite or NaN is an error of the run."""
    training: bool = False
    """Dropout is active."""
    variables: bool = False
    """Initializers may be written by ops, and keep what was written until the next run."""


class Port(NamedTuple):
    """A value that enters or leaves the model: the tensor's id and its name in the model."""

    tensor: str
    name: str
    dtype: np.dtype
    shape: Tuple[int, ...]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class State(NamedTuple):
    """A variable that ops write: fed at ``input``, its new value leaves at ``output``."""

    tensor: str
    input: Port
    output: Port


class Watch(NamedTuple):
    """A value that the host acts on after a run: ``kind`` is "abort" or "print"."""

    kind: str
    port: Port
    op: Op


class Translation(NamedTuple):
    """The model, and what to bind to it.

    ``model`` is a serialized ModelProto.  Large initializers lie in files of ``folder``, or are
    ``references`` by name to the graph's own data.  ``random`` are inputs that are
    drawn before each run.  ``flag`` is NaN after a run in which a float result was not finite.
    """

    model: bytes
    references: Dict[str, np.ndarray]
    folder: str
    inputs: List[Port]
    outputs: List[Port]
    states: List[State]
    random: List["rand.Draw"]
    watches: List[Watch]
    flag: Optional[Port]


def translate_whole(graph: Graph, settings: Settings) -> Translation:
    """One model for a graph of which the host runs no op.

    Raises popart_exception for an op that the stand-in does not implement.
    """
    return _Translator(graph, settings, written_variables(graph, settings)).result()


def translate_part(graph: Graph, settings: Settings) -> Translation:
    """A model of some ops of a graph; the variables that they write are its inputs and outputs."""
    return _Translator(graph, settings, {}).result()


def written_variables(graph: Graph, settings: Settings) -> Dict[str, Tensor]:
    """Variables that ops write, by id.

    Raises popart_exception for an update of a weight that is a constant.
    """
    written: Dict[str, Tensor] = {}
    for op in graph.ops:
        for tensor in control.written_by(op):
            if tensor.variable and settings.variables:
                written[tensor.id] = tensor
            elif op.type == "CopyVarUpdate":
                raise popart_exception(
                    f"{op.label} writes to {tensor.id}, which is not a variable: only "
                    "initializers are, and only with SessionOptions.constantWeights = False"
                )
    return written


class _Translator:
    def __init__(self, graph: Graph, settings: Settings, written: Dict[str, Tensor]):
        self._graph = graph
        self._written = written
        self._settings = settings
        self._emitter = Emitter(settings.rounding)
        self._emitter.strided_groups = settings.strided_groups
        self._emitter.training = settings.training
        if not settings.check_floats:  # which looks at each product
            self._emitter.summed = nn.summed_products(graph)
        self._inputs: List[Port] = []
        self._entries: List[Port] = []

    def result(self) -> Translation:
        e = self._emitter
        for tensor in self._graph.inputs:
            if tensor.used:
                self._inputs.append(self._enter(tensor))
        written = self._written
        entered = {id: self._enter(tensor) for id, tensor in written.items()}
        for op in self._graph.ops:
            try:
                e.emit(op)
            except popart_exception:
                raise
            except Exception as error:
                raise popart_internal_exception(
                    f"The stand-in failed to translate {op!r}: {error!r}"
                ) from error
        outputs = [self._leave(tensor) for tensor in self._graph.outputs]
        states = [
            State(id, port, self._leave(written[id], e.updates.get(id)))
            for id, port in entered.items()
        ]
        watches = [Watch(kind, self._leave(tensor), op) for kind, op, tensor in e.watched]
        flag = self._flag() if self._settings.check_floats else None
        leaving = outputs + [state.output for state in states] + [w.port for w in watches]
        self._entries += [draw.port for draw in e.draws]
        places = _places(e.references)
        model = _model(e, places, self._entries, leaving + ([flag] if flag else []))
        references = {name: a for name, a in e.references.items() if name not in places}
        folder = os.path.dirname(next(iter(places.values())).path) if places else ""
        return Translation(
            model, references, folder, self._inputs, outputs, states, list(e.draws), watches, flag
        )

    def _enter(self, tensor: Tensor) -> Port:
        e = self._emitter
        port = Port(tensor.id, e.fresh(), tensor.dtype, tensor.shape)
        self._entries.append(port)
        wide = compute_type(tensor.dtype) != tensor.dtype
        e.values[tensor.id] = e.cast(port.name, np.float32) if wide else port.name
        return port

    def _leave(self, tensor: Tensor, name: Optional[str] = None) -> Port:
        """A graph output of its own: inputs, constants and other outputs are copied."""
        e = self._emitter
        name = e.value(tensor) if name is None else name
        if tensor.dtype == np.float16:
            name = e("Cast", name, to=ELEMENT_TYPES[tensor.dtype])
        elif name not in e.produced or name in e.leaving:
            name = e("Identity", name)
        e.leaving.add(name)
        return Port(tensor.id, name, tensor.dtype, tensor.shape)

    def _flag(self) -> Port:
        """x - x is NaN where x is infinite or NaN, else 0; so is the sum of all of them."""
        e = self._emitter
        parts = []
        for op in self._graph.ops:
            for tensor in op.outputs:
                if tensor is not None and tensor.dtype.kind == "f":
                    name = e.values[tensor.id]
                    parts.append(e("ReduceSum", e("Sub", name, name), keepdims=0))
        total = e("Sum", *parts) if parts else e("Identity", e.const(np.float32(0)))
        return Port("", total, np.dtype(np.float32), ())


def _model(e: Emitter, places: Dict[str, Place], inputs: List[Port], outputs: List[Port]) -> bytes:
    import onnx

    model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="odla_ipu.sim")
    model.opset_import.append(onnx.OperatorSetIdProto(domain="", version=OPSET))
    graph = model.graph
    graph.name = "graph"
    graph.node.extend(_without_idle_reshapes(e.nodes, [port.name for port in outputs]))
    graph.input.extend(map(_value_info, inputs))
    graph.output.extend(map(_value_info, outputs))
    for name, array in e.inline:
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for name, array in e.references.items():
        graph.initializer.append(_declared(name, array, places.get(name)))
    return model.SerializeToString()


def _without_idle_reshapes(nodes: List[Any], outputs: List[str]) -> List[Any]:
    """``nodes`` without each Reshape that nothing reads any more; onnxruntime would run it."""
    read = set(outputs)
    kept = []
    for node in reversed(nodes):
        if node.op_type == "Reshape" and node.output[0] not in read:
            continue
        read.update(_reads(node))
        kept.append(node)
    return kept[::-1]


def _reads(node: Any) -> Iterator[str]:
    """Names that a node, or a node of a body of its, takes in."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from _reads(inner)
            for output in attribute.g.output:
                yield output.name


def _places(references: Dict[str, np.ndarray]) -> Dict[str, Place]:
    """Where the references are that lie in files of one folder: onnxruntime maps these itself, and
    unmaps what it has packed or folded while it loads."""
    places: Dict[str, Place] = {}
    if not _maps_files():
        return places
    folder = None
    for name, array in references.items():
        place = place_of(array)
        if place is None:
            continue
        folder = folder or os.path.dirname(place.path)
        if os.path.dirname(place.path) == folder:
            places[name] = place
    return places


def _maps_files() -> bool:
    """Whether onnxruntime finds external data of a model that has no file itself."""
    import onnxruntime

    major, minor = onnxruntime.__version__.split(".")[:2]
    return (int(major), int(minor)) >= MAPPING_VERSION


def _value_info(port: Port) -> Any:
    import onnx

    return onnx.helper.make_tensor_value_info(port.name, ELEMENT_TYPES[port.dtype], port.shape)


def _declared(name: str, array: np.ndarray, place: Optional[Place]) -> Any:
    """An initializer whose data lie in a file, or are handed over by reference."""
    import onnx

    tensor = onnx.TensorProto(
        name=name,
        data_type=ELEMENT_TYPES[array.dtype],
        dims=array.shape,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    location, offset = (os.path.basename(place.path), place.offset) if place else ("memory", 0)
    for key, value in (("location", location), ("offset", offset), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
