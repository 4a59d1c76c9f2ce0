"""What a computation takes: multiplications."""

from typing import Iterable, Iterator, Tuple

from ..computation import Computation
from ..graph import Node


def macs(computation: Computation) -> int:
    """Multiplications (with an addition each) of all matrix products and convolutions."""
    nodes = _repeated(computation.graph.used_nodes())
    return sum(times * _node_macs(node) for node, times in nodes)


def _repeated(nodes: Iterable[Node], times: int = 1) -> Iterator[Tuple[Node, int]]:
    """``nodes`` and those inside them, each with how often it may run.

    A loop whose count is computed counts as one round.
    """
    for node in nodes:
        yield node, times
        trips = getattr(node, "trips", None)
        for body in node.bodies:
            yield from _repeated(body.used_nodes(), times * (1 if trips is None else trips))


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
