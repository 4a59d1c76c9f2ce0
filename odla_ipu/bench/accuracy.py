"""How far results are from a reference, and the reference that needs no writing."""

import os
import tempfile
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from ..device import open_device
from ..graph import Graph
from ..program import Port, Program, make_program
from . import plain

Arrays = Mapping[str, np.ndarray]


def deviation(result: np.ndarray, wanted: np.ndarray) -> float:
    """max|a-b| / max|b|, infinite for another shape.

    b's maximum is that of its finite elements; NaN agrees with NaN and infinity with itself.
    """
    wanted = np.asarray(wanted)
    if result.shape != wanted.shape:
        return float("inf")
    worst = scale = 0.0
    a, b = result.reshape(-1), wanted.reshape(-1)
    for start in range(0, b.size, _BLOCK):
        found, expected = (array[start : start + _BLOCK].astype(np.float64) for array in (a, b))
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        with np.errstate(invalid="ignore"):
            apart = np.abs(np.where(same, 0, found - expected)).max(initial=0)
        # max() of Python would drop a NaN
        worst = float(np.maximum(worst, apart))
        scale = max(scale, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    return worst / scale if scale else worst


_BLOCK = 1 << 20
"""So many elements are compared at a time: results may be large."""


def run_lowered(graph: Graph, feeds: Arrays) -> Dict[str, np.ndarray]:
    """The outputs of what ``graph`` is lowered to in fp32, in plain onnxruntime and numpy.

    Raises InvalidParameter where that has ops that neither has: some of PopART's own, some kernels.
    """
    with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
        model, program = _standard(graph, folder)
        inputs = {
            port.tensor: feeds[port.name].astype(port.device_type.dtype, copy=False)
            for port in program.arguments
            if port.tensor
        }
        outputs = [port for port in program.outputs if port.tensor]
        tensors = {name for port in outputs for name in (port.tensor, port.counter) if name}
        found = plain.run_model(model, folder, inputs, sorted(tensors))
        return {port.name: _used(port, found) for port in outputs}


def _used(port: Port, found: Arrays) -> np.ndarray:
    """An output, of whose room data may use a part."""
    array = found[port.tensor]
    if not port.counter:
        return array
    return array.take(range(int(found[port.counter][0])), port.axis)


def export(graph: Graph, folder: str) -> Tuple[str, Program]:
    """Write what ``graph`` is lowered to in fp32 as an ONNX file for onnxruntime.

    Returns its path and the program, whose ports name its tensors.  PopART's own ops are standard
    ones in it, where they can be.
    """
    model, program = _standard(graph, folder)
    path = os.path.join(folder, "model.onnx")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    return path, program


def _standard(graph: Graph, folder: str) -> Tuple[Any, Program]:
    """The ModelProto for onnxruntime, whose weights lie in ``folder``, and the program."""
    program = make_program(graph, "fp32", open_device("sim"), 1, os.path.join(folder, "weights"))
    import onnx

    model = onnx.load_from_string(program.model)
    constants = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    outputs = [port.tensor for port in program.outputs if port.tensor]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in outputs)
    plain.standardise(model.graph)
    _clear_names(model.graph)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = os.path.basename(program.weights)
    return model, program


def _clear_names(graph: Any) -> None:
    """PopART gives many nodes the same name, which onnxruntime refuses."""
    for node in graph.node:
        node.name = ""
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _clear_names(attribute.g)
