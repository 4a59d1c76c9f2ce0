"""Arguments without elements become constants: nothing can be fed, so all is known.

So do variables.
"""

import numpy as np

from ..graph import Carried, Graph, Node, rewrite


def replace_empty_arguments(graph: Graph) -> Graph:
    """Requires known shapes; ensures that no node reads an argument of zero elements."""
    empty = [argument for argument in graph.fed if 0 in argument.shape]
    if not empty:
        return graph

    def rule(new: Graph, node: Node, values: Carried) -> None:
        for argument in empty:
            if values[argument].data is None:
                data = np.empty(argument.dims, argument.element_type.dtype)
                values[argument] = new.add_constant(data, f"{argument.id}_empty")

    return rewrite(graph, rule)
