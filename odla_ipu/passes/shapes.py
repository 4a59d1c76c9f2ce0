"""Another batch size for a graph that was made for one."""

from typing import Any, Optional, Sequence

from ..errors import InvalidParameter
from ..graph import Carried, Graph, Node, Value, rewrite
from ..ops.process import Reshape
from ..types import Dim, ValueType, known


def with_batch(graph: Graph, batch: int) -> Graph:
    """The graph with the first dimension of its arguments replaced by ``batch``.

    The batch is the first dimension that all arguments of rank >= 1 share, or any open one.
    Reshape ops whose operand and target both start with the old batch follow.  Raises
    InvalidParameter when the arguments have no common batch or ``batch`` is not positive.
    """
    if batch < 1:
        raise InvalidParameter(f"batch is {batch}; accepted: 1 and more")
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
        if not isinstance(node, Reshape) or old is None:
            return None
        target, before = node.outputs[0].shape, node.input.shape
        if target[:1] != (old,) or before[:1] != (old,) or values[node.input].shape[0] != batch:
            return None
        changes: Any = {"output_dims": (batch, *target[1:])}
        return node.copy_to(new, values, **changes)

    return rewrite(graph, rule, argument_type=batched)
