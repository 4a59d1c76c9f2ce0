"""Interpreted execution: values without a computation, computed when they are asked for.

::

    x = odla_ipu.constant(array)            # no computation is open
    y = odla_ipu.relu(odla_ipu.add(x, 1))   # noted, not computed
    np.asarray(y)                           # computed now, and kept

Each op is lowered and run like a computation of one node, on the default device.  What was compiled
is kept: a second op of the same kind, attributes and shapes only runs.
"""

import collections
import threading
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from .errors import InternalError, InvalidParameter
from .graph import Graph, Node, Output, Value
from .types import ValueType

CACHED_EXECUTABLES = 256
"""So many compiled ops are kept, the ones used last."""


class InterpretedValue(Value):
    """A value with an array, or with the node that will give it.

    ``np.asarray(value)`` is its array, computed when it is first asked for.
    """

    __slots__ = ("_array",)

    def __init__(
        self,
        graph: "InterpretedGraph",
        id: str,
        type: ValueType,
        node: Optional[Node] = None,
        data: Optional[np.ndarray] = None,
    ):
        self._array: Optional[np.ndarray] = None
        super().__init__(graph, id, type, node, data)

    @property
    def data(self) -> np.ndarray:  # type: ignore[override]
        """For declarations: an op that reads it while it is added depends on the numbers."""
        self.graph.read.add(self)  # type: ignore[attr-defined]
        return self.array

    @data.setter
    def data(self, data: Optional[np.ndarray]) -> None:
        self._array = data

    @property
    def array(self) -> np.ndarray:
        """The numbers; computes them, and all that they depend on, when they are not known yet."""
        if self._array is None:
            _evaluate(self)
        if self._array is None:
            raise InternalError(f"'{self.id}' was evaluated without a result")
        return self._array

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def release(self) -> None:
        """Forget how it was computed; its operands may go."""
        self.node = None

    @property
    def is_known(self) -> bool:
        return self._array is not None

    def pending(self) -> List[Node]:
        """The node that is to be run for it; none when its elements are known.

        Raises InvalidParameter when they are released.
        """
        node = self.node  # first: another thread may be about to set the array and forget the node
        if self._array is not None:
            return []
        if node is None:
            raise InvalidParameter(f"'{self.id}' is released; it has no elements any more")
        return [node]


class InterpretedGraph(Graph):
    """Where interpreted values belong.  It keeps no nodes: each value keeps the one that it needs.

    ``read`` are the values whose numbers the declaration of the op being added has looked at.
    """

    folds = False

    def __init__(self) -> None:
        super().__init__("interpreted")
        self._local = threading.local()

    @property
    def read(self) -> Set[Value]:
        if not hasattr(self._local, "read"):
            self._local.read = set()
        return self._local.read

    def add_constant(self, data: np.ndarray, id: Optional[str] = None) -> Value:
        known = super().add_constant(data, id)
        return InterpretedValue(self, known.id, known.type, data=known.data)

    def add_node(self, node: Node, types: Sequence[ValueType]) -> Tuple[Value, ...]:
        # Numbers that shaped the result are part of the program; others are fed.
        operands = node.operands()
        node.__dict__["shaping"] = {one for one in operands if one in self.read}
        self.read.clear()
        node.outputs = tuple(InterpretedValue(self, node.id, kind, node) for kind in types)
        if node.sized_by():  # what reads it has to know its size
            first: Any = node.outputs[0]
            first.type = ValueType(first.element_type, first.array.shape)
        return node.outputs

    def set_output(self, value: Value, name: Optional[str] = None) -> None:
        raise InvalidParameter(
            f"'{value.id}' belongs to no computation; numpy.asarray(value) gives its array, and an "
            "argument of a computation makes what depends on it part of that"
        )

    def unique_id(self, wanted: str) -> str:
        return wanted  # nothing is looked up by id here, and a dict of ids would grow for ever


GRAPH = InterpretedGraph()
"""The graph of all interpreted values of the process."""

_executables: "collections.OrderedDict[Any, Any]" = collections.OrderedDict()
_lock = threading.Lock()


def _evaluate(wanted: InterpretedValue) -> None:
    """Compute what ``wanted`` depends on, operands first; without recursion, chains are long."""
    stack: List[Any] = wanted.pending()
    while stack:
        node = stack[-1]
        missing = [found for one in node.operands() for found in one.pending()]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if not node.outputs[0].is_known:
            _run(node)


def _run(node: Any) -> None:
    operands: List[Any] = list(dict.fromkeys(node.operands()))
    fed = {f"x{index}": one for index, one in enumerate(operands) if one not in node.shaping}
    executable = _executable(node, operands, fed)
    results = executable.run({name: one.array for name, one in fed.items()})
    for output, result in zip(node.outputs, results.values()):
        output.data = result
    for output in node.outputs:
        output.release()


def _executable(node: Any, operands: List[Any], fed: Dict[str, Any]) -> Any:
    key = _key(node, operands)
    with _lock:
        if key in _executables:
            _executables.move_to_end(key)
            return _executables[key]
    from .executable import Settings, compile_graph

    graph = Graph(node.id)
    graph.origin = node.origin
    values: Dict[Value, Value] = {one: graph.add_argument(id, one.type) for id, one in fed.items()}
    for one in operands:
        if one not in values:
            values[one] = graph.add_constant(one.array, one.id)
    results = node.copy_to(graph, values)
    graph.outputs = [Output(f"y{index}", result) for index, result in enumerate(results)]
    made = compile_graph(graph, Settings())
    with _lock:
        _executables[key] = made
        while len(_executables) > CACHED_EXECUTABLES:
            _executables.popitem(last=False)
    return made


def _key(node: Any, operands: List[Any]) -> Any:
    """Equal for nodes that the same executable serves."""
    places = tuple(operands.index(one) for one in node.operands())
    kinds = tuple(
        (one.type, one.array.tobytes() if one in node.shaping else None) for one in operands
    )
    present = tuple(node.__dict__[field.name] is not None for field in node.fields)
    return type(node), places, kinds, present, tuple(node.attributes().items())
