"""Graph to graph: what lowering requires, made step by step.

``prepare`` runs the passes in order.  Each says what it requires and what it ensures.
"""

from ..graph import Graph
from .batchnorm import fold_batch_normalization
from .empty import replace_empty_arguments
from .layout import channels_first
from .precision import PRECISIONS, device_type, to_device_types

__all__ = ["PRECISIONS", "device_type", "prepare"]


def prepare(graph: Graph, precision: str = "fp32", training: bool = False) -> Graph:
    """``graph`` in the form that lowering rules expect.

    Requires known shapes.  Ensures channels-first activations, canonical kernels, no tensor
    without elements, and PopART's element types, with floats of ``precision``.
    Raises InvalidParameter or UnsupportedType where a constant or type has no such form.
    """
    graph = replace_empty_arguments(graph)
    graph = channels_first(graph)
    if not training:
        graph = fold_batch_normalization(graph)
    return to_device_types(graph, precision)
