"""Another batch size for a graph that was made for one."""

from typing import Any, Dict, Optional, Sequence

import numpy as np

from ..errors import InvalidParameter
from ..graph import Carried, Graph, Node, Value, rewrite
from ..ops.process import Broadcast, ExpandDims, Reshape, Resize, Slice
from ..types import Dim, Shape, ValueType, known


def with_batch(graph: Graph, batch: int) -> Graph:
    """The graph with the first dimension of its arguments replaced by ``batch``.

    The batch is the first dimension that all arguments of rank >= 1 share, or any open one.
    Parameters of ops whose operand and result both start with the old batch follow: targets of
    Reshape, Resize and broadcasts, ends of slices.  Raises InvalidParameter when the arguments
    have no common batch or ``batch`` is not positive.
    """
    if not isinstance(batch, (int, np.integer)) or isinstance(batch, bool) or batch < 1:
        raise InvalidParameter(f"batch is {batch!r}; accepted: integers of 1 and more")
    batch = int(batch)
    firsts = {argument.shape[0] for argument in graph.arguments if argument.rank}
    fixed = {dim for dim in firsts if known(dim)}
    if len(fixed) > 1 or not firsts:
        found = ", ".join(f"{a.id}: {a.type}" for a in graph.arguments)
        raise InvalidParameter(
            f"batch={batch}: the arguments have no common first dimension ({found}); "
            "fix the shapes one by one"
        )
    old: Optional[Dim] = next(iter(fixed), None)

    def batched(argument: Value) -> ValueType:
        shape = (batch, *argument.shape[1:]) if argument.rank else ()
        return ValueType(argument.element_type, shape)

    def rule(new: Graph, node: Node, values: Carried) -> Optional[Sequence[Value]]:
        if old is None or not node.operands():
            return None
        first = node.operands()[0]
        before, after = first.shape[:1], node.outputs[0].shape
        if not before == after[:1] == (old,) or values[first].shape[:1] != (batch,):
            return None
        changes = _following(node, (batch, *after[1:]))
        return node.copy_to(new, values, **changes) if changes else None  # type: ignore[call-arg]

    return rewrite(graph, rule, argument_type=batched)


def _following(node: Node, result: Shape) -> Dict[str, Any]:
    """The parameters that must change for ``node`` to have a result of shape ``result``."""
    if isinstance(node, (Reshape, Resize, ExpandDims)):
        return {"output_dims": result}
    if isinstance(node, Broadcast):
        return {"output_shape": result}
    if isinstance(node, Slice) and node.stride[0] == 1:
        return {"end": (result[0], *node.end[1:])}
    return {}
