"""BatchNormalization after a convolution becomes part of its kernel and bias.

With s = scale / sqrt(var + epsilon): kernel' = s kernel, bias' = s (bias - mean) + offset, per
output channel.  Exact up to rounding; done in double precision.
"""

from typing import Any, Dict, Optional, Sequence

import numpy as np

from ..graph import Carried, Graph, Node, Value, rewrite, walk
from ..ops.nn import BatchNormalization, Conv


def fold_batch_normalization(graph: Graph) -> Graph:
    """Requires channels-first activations and OIS kernels (the layout pass), inference.

    Ensures that no BatchNormalization follows a convolution that nothing else reads and whose
    constants are known.
    """
    folded = _foldable(graph)
    if not folded:
        return graph
    convolutions = set(folded.values())

    def rule(new: Graph, node: Node, values: Carried) -> Optional[Sequence[Value]]:
        if node in convolutions:
            return []
        if node not in folded:
            return None
        convolution: Any = folded[node]
        kernel, bias = _scaled(node, convolution)
        values[convolution.kernel] = new.add_constant(kernel, convolution.kernel.id)
        results = convolution.copy_to(new, values, bias=new.add_constant(bias, f"{node.id}_bias"))
        # The kernel may serve other convolutions: each makes its own.
        del values[convolution.kernel]
        return results

    return rewrite(graph, rule)


def _foldable(graph: Graph) -> Dict[Node, Node]:
    """BatchNormalization nodes and the convolution that takes each in."""
    reads = graph.consumers()
    found: Dict[Node, Node] = {}
    for node in walk(graph.used_nodes()):
        if not isinstance(node, BatchNormalization):
            continue
        before: Any = node.input.node
        if isinstance(before, Conv) and before.graph is node.graph and reads[node.input] == 1:
            statistics = [node.mean, node.var, node.scale, node.offset, before.kernel, before.bias]
            if all(value is None or value.data is not None for value in statistics):
                found[node] = before
    return found


def _scaled(norm: Any, convolution: Any) -> Any:
    kernel = convolution.kernel.data
    channels = kernel.shape[0]

    def vector(value: Optional[Value], default: float) -> np.ndarray:
        data = np.float64(default) if value is None else value.data.astype(np.float64)  # type: ignore[union-attr]
        return np.broadcast_to(data.reshape(-1), (channels,))

    scale = vector(norm.scale, norm.scalar_scale) / np.sqrt(vector(norm.var, 1) + norm.epsilon)
    bias = (vector(convolution.bias, 0) - vector(norm.mean, 0)) * scale
    bias = bias + vector(norm.offset, norm.scalar_offset)
    column = scale.reshape((channels,) + (1,) * (kernel.ndim - 1))
    # Multiplied in the kernel's own type: a copy in double precision would triple the memory.
    return kernel * column.astype(kernel.dtype), bias.astype(kernel.dtype)
