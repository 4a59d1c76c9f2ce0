"""Outputs that no argument reaches, although no numpy fold knows them.

PopART folds such ops away and refuses to compile what is left of nothing, so they are computed
once, by a graph of their own that is fed their constants.
"""

import copy
from typing import Dict, List, Mapping, Set, Tuple

import numpy as np

from ..graph import Carried, Graph, Output, Value


def known_outputs(graph: Graph) -> List[Output]:
    """The outputs of ``graph`` that nodes compute from constants alone."""
    reached: Set[Value] = set(graph.fed)
    for node in graph.used_nodes():
        if any(operand in reached for operand in node.operands()):
            reached.update(node.outputs)
    return [one for one in graph.outputs if one.value.node and one.value not in reached]


def as_fed(graph: Graph, outputs: List[Output]) -> Tuple[Graph, Dict[str, np.ndarray]]:
    """A graph that computes ``outputs``, with arguments in place of constants, and what to feed.

    Of a node that reads constants only, the first operand becomes an argument: no op needs that
    one to be constant.
    """
    source = copy.copy(graph)
    source.outputs = outputs
    fed, feeds = Graph(graph.name), {}
    values = Carried(fed)
    for node in source.used_nodes():
        operands = node.operands()
        replaced: Dict[Value, Value] = {}
        if operands and all(operand.data is not None for operand in operands):
            argument = fed.add_argument(f"{node.id} operand", operands[0].type)
            replaced[operands[0]] = argument
            feeds[argument.id] = operands[0].data
        known = {one: replaced[one] if one in replaced else values[one] for one in operands}
        values.update(zip(node.outputs, node.copy_to(fed, known)))
    fed.outputs = [Output(one.name, values[one.value]) for one in outputs]
    return fed, feeds  # type: ignore[return-value]


def with_constants(graph: Graph, found: Mapping[str, np.ndarray]) -> Graph:
    """``graph`` with the outputs in ``found`` replaced by constants."""
    rest = copy.copy(graph)
    rest.outputs = [
        Output(one.name, graph.add_constant(found[one.name])) if one.name in found else one
        for one in graph.outputs
    ]
    return rest
