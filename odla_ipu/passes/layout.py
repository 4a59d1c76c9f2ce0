"""Channels-last activations and all kernel layouts become PopART's own.

A channels-last op becomes Transpose, the op on channels-first, Transpose.  The second Transpose is
put off until something asks for the channels-last value: elementwise ops and Concat in between work
on the channels-first form, so that a network transposes once at its start and once at its end.
"""

from typing import Any, Dict, List, Optional, Sequence

from ..graph import Carried, Graph, Node, Value, rewrite, walk
from ..ops.nn import Conv, DeConv, LpNormalize, canonical_kernel
from ..ops.process import Concat, Reshape, Transpose
from ..registry import Op
from ..types import MemoryLayout

_FIRST, _LAST = MemoryLayout.CHANNELS_FIRST, MemoryLayout.CHANNELS_LAST


def channels_first(graph: Graph) -> Graph:
    """Requires known shapes; ensures CHANNELS_FIRST everywhere, OIS (Conv), IOS (DeConv)."""
    return _ChannelsFirst().run(graph) if any(map(_concerned, walk(graph.nodes))) else graph


def _concerned(node: Node) -> bool:
    return _is_channels_last(node) or (
        isinstance(node, (Conv, DeConv)) and node.kernel_layout is not _canonical(node)
    )


def _is_channels_last(node: Node) -> bool:
    # LpNormalize names its axes itself; its layout says nothing more.
    return node.__dict__.get("input_layout") is _LAST and not isinstance(node, LpNormalize)


def _canonical(node: Op) -> MemoryLayout:
    return MemoryLayout.OIS if isinstance(node, Conv) else MemoryLayout.IOS


class _ChannelsFirst:
    """``first`` maps channels-last values of the old graph to channels-first ones of the new."""

    def __init__(self) -> None:
        self.first: Dict[Value, Value] = {}

    def run(self, graph: Graph) -> Graph:
        return rewrite(graph, self._rule)

    def _rule(self, new: Graph, node: Any, values: Carried) -> Optional[Sequence[Value]]:
        changes: Dict[str, Any] = {}
        if isinstance(node, (Conv, DeConv)) and node.kernel_layout is not _canonical(node):
            kernel = canonical_kernel(new, node, values[node.kernel])
            changes = {"kernel": kernel, "kernel_layout": _canonical(node)}
        if _is_channels_last(node):
            changes["input"] = self._to_first(node.input, values)
            changes["input_layout"] = _FIRST
            return self._put_off(new, node, values, node.copy_to(new, values, **changes))
        if changes:
            return node.copy_to(new, values, **changes)
        if isinstance(node, Concat):
            return self._concat(new, node, values)
        if node.elementwise:
            return self._elementwise(new, node, values)
        return None

    def _elementwise(self, new: Graph, node: Any, values: Carried) -> Optional[Sequence[Value]]:
        operands = node.operands()
        rank = node.outputs[0].rank
        if not any(operand in self.first and operand.rank == rank for operand in operands):
            return None
        changes: Dict[Value, Value] = {}
        for operand in operands:
            if operand in self.first and operand.rank == rank:
                changes[operand] = self.first[operand]
            elif operand.data is not None:
                changes[operand] = _constant_to_first(new, values[operand], rank)
            else:
                return None
        return self._put_off(new, node, values, node.copy_to(new, changes))

    def _concat(self, new: Graph, node: Any, values: Carried) -> Optional[Sequence[Value]]:
        if not all(operand in self.first for operand in node.inputs):
            return None
        rank = node.outputs[0].rank
        axis = _to_first(rank).index(node.axis % rank)
        changes = {operand: self.first[operand] for operand in node.inputs}
        return self._put_off(new, node, values, node.copy_to(new, changes, axis=axis))

    def _to_first(self, value: Value, values: Carried) -> Value:
        if value not in self.first:
            last = values[value]
            # Beside the value itself, where all see it that see the value.
            self.first[value] = _transpose(last.graph, last, _to_first(value.rank))
        return self.first[value]

    def _put_off(
        self, new: Graph, node: Node, values: Carried, results: Sequence[Value]
    ) -> Sequence[Value]:
        for old, first in zip(node.outputs, results):
            self.first[old] = first
            values.later[old] = lambda first=first: _transpose(  # type: ignore[misc]
                new, first, _to_last(first.rank)
            )
        return []


def _to_first(rank: int) -> List[int]:
    return [0, rank - 1, *range(1, rank - 1)]


def _to_last(rank: int) -> List[int]:
    return [0, *range(2, rank), 1]


def _transpose(new: Graph, value: Value, permutation: Sequence[int]) -> Value:
    return Transpose.add(
        new, {"input": value, "permutations": permutation}, f"{value.id}_transposed"
    )[0]


def _constant_to_first(new: Graph, value: Value, rank: int) -> Value:
    """A constant operand of a broadcast, as it broadcasts against the channels-first form."""
    if value.rank == 0:
        return value
    dims = (1,) * (rank - value.rank) + value.dims
    full = Reshape.add(new, {"input": value, "output_dims": dims}, value.id)[0]
    return _transpose(new, full, _to_first(rank))
