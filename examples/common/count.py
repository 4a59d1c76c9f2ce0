"""What a computation takes: multiplications, and memory.

Neither needs its numbers: build with ``Weights(seed=None)`` to look at a network.
"""

from typing import Dict, Iterator, Tuple

import numpy as np

from odla_ipu import Computation, Value
from odla_ipu.graph import Graph, Node


def macs(computation: Computation) -> int:
    """Multiplications (with an addition each) of all matrix products and convolutions."""
    return sum(times * _node_macs(node) for node, times in _nodes(computation.graph))


def weight_bytes(computation: Computation) -> int:
    """Bytes of all constants."""
    return sum(value.type.elements * _width(value) for value in computation.graph.constants())


def peak_bytes(computation: Computation) -> int:
    """The most that arguments and results of ops take while they are needed, op after op."""
    graph = computation.graph
    last: Dict[int, int] = {}
    for place, node in enumerate(graph.nodes):
        for value in node.operands():
            last[id(value)] = place
    for output in graph.outputs:
        last[id(output.value)] = len(graph.nodes)
    held = sum(_bytes(argument) for argument in graph.arguments)
    most = held
    for place, node in enumerate(graph.nodes):
        held += sum(_bytes(result) for result in node.outputs)
        most = max(most, held)
        for value in {id(one): one for one in [*node.operands(), *node.outputs]}.values():
            if value.data is None and last.get(id(value), place) == place:
                held -= _bytes(value)
    return most


def _nodes(graph: Graph, times: int = 1) -> Iterator[Tuple[Node, int]]:
    """All nodes, with how often each runs: those of a loop as often as it may go round."""
    for node in graph.nodes:
        yield node, times
        trips = getattr(node, "trips", None)  # None where it is computed, too
        for body in node.bodies:
            yield from _nodes(body, times * (1 if trips is None else trips))


def _node_macs(node: Node) -> int:
    elements = node.outputs[0].type.elements if node.outputs else 0
    if node.name == "odla_Conv":
        kernel = node.kernel  # type: ignore[attr-defined]
        return elements * (kernel.type.elements // node.filters)  # type: ignore[attr-defined]
    if node.name == "odla_DeConv":
        kernel = node.kernel  # type: ignore[attr-defined]
        channels = int(node.channels)  # type: ignore[attr-defined]
        positions = node.operands()[0].type.elements
        return positions * (kernel.type.elements // channels)
    if node.name in ("odla_Gemm", "odla_BatchMatMul"):
        a = node.operands()[0].dims
        return elements * a[-2 if node.attributes().get("A_transpose") else -1]
    if node.name in ("odla_LSTM", "odla_GRU", "odla_RNN"):
        steps, samples, features = node.input.dims  # type: ignore[attr-defined]
        hidden, gates = node.hidden_size, node.gates  # type: ignore[attr-defined]
        directions = node.directions  # type: ignore[attr-defined]
        return steps * samples * directions * gates * hidden * (features + hidden)
    return 0


def _bytes(value: Value) -> int:
    return value.type.elements * _width(value) if value.type.is_static else 0


def _width(value: Value) -> int:
    return np.dtype(value.element_type.dtype).itemsize
