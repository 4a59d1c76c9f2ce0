"""Control flow as users write it.

The functions from :func:`begin_if` to :func:`end_loop` are ODLA's calls, on the scopes that are
open in a computation::

    with odla_ipu.if_(condition) as branches:
        with branches.then():
            odla_ipu.output(odla_ipu.relu(x))
        with branches.otherwise():
            odla_ipu.output(odla_ipu.neg(x))
    (y,) = branches.results

    with odla_ipu.loop(10) as loop:
        total = loop.variable(x)
        loop.next(total, odla_ipu.add(total, y), "fwd_after")
        loop.proceed(odla_ipu.less(odla_ipu.reduce_sum(total), 100.0))
    last, rows = loop.results

Ops inside read values from outside; what leaves a scope are its results.
"""

from typing import Any, Dict, Optional, Sequence, Tuple, Type, TypeVar

from .computation import current
from .errors import InvalidParameter
from .graph import Graph, Value
from .ops.control_flow import If, Loop
from .types import LoopOutputMode

_Scope = TypeVar("_Scope", If, Loop)

# ODLA's calls.


def begin_if(graph: Graph, condition: Any, id: Optional[str] = None) -> If:
    """``odla_BeginIf``: condition is BOOL, one element."""
    return _begin(If, graph, {"condition": condition}, id)


def enter_branch_body(graph: Graph, true_branch: bool) -> None:
    """``odla_EnterBranchBody``: ops and outputs belong to that branch from here on."""
    _innermost(If, graph, "odla_EnterBranchBody").enter(bool(true_branch))


def end_if(graph: Graph) -> Tuple[Value, ...]:
    """``odla_EndIf``: the results, one for each pair of branch outputs."""
    node = _innermost(If, graph, "odla_EndIf")
    results = node.end()
    graph.root.scopes.pop()
    return results


def begin_loop(graph: Graph, trip_count: Any, id: Optional[str] = None) -> Loop:
    """``odla_BeginLoop``: trip_count is INT32 or INT64, one element; below 0 it counts as 0."""
    return _begin(Loop, graph, {"trip_count": trip_count}, id)


def create_loop_variable(graph: Graph, init_value: Any, id: Optional[str] = None) -> Value:
    """``odla_CreateLoopVariable``: a value of the body, in the first iteration init_value."""
    return _innermost(Loop, graph, "odla_CreateLoopVariable").variable(init_value, id)


def end_loop(
    graph: Graph,
    condition: Optional[Value],
    output_values: Sequence[Value],
    flags: Sequence[Any],
) -> Tuple[Value, ...]:
    """``odla_EndLoop``: ``output_values[i]`` is the next value of the i-th loop variable.

    The loop goes on while ``condition`` (None: always) is true.  Returns all last values, then the
    stacked values of the variables with another flag than LAST_VALUE; see
    :class:`~odla_ipu.ops.control_flow.Loop`.
    """
    node = _innermost(Loop, graph, "odla_EndLoop")
    results = node.end(condition, output_values, flags)
    graph.root.scopes.pop()
    return results


def _begin(kind: Type[_Scope], graph: Graph, arguments: Dict[str, Any], id: Optional[str]) -> Any:
    node = kind.begin(graph.innermost, arguments, id)
    graph.root.scopes.append(node)
    return node


def _innermost(kind: Type[_Scope], graph: Graph, call: str) -> _Scope:
    """The open scope that ``call`` refers to."""
    scopes = graph.root.scopes
    begin = "odla_BeginIf" if kind is If else "odla_BeginLoop"
    if not scopes:
        raise InvalidParameter(f"{call}: nothing is open; call {begin} first")
    if not isinstance(scopes[-1], kind):
        raise InvalidParameter(f"{call}: {scopes[-1].where} is open; end it first")
    return scopes[-1]


# In Python.


class _Context:
    """A scope that the end of a ``with`` closes.

    When building fails, the computation is as if the scope had not been begun.
    """

    results: Tuple[Value, ...]
    _node: Any

    def _begin(self) -> Any:
        raise NotImplementedError

    def _end(self) -> Tuple[Value, ...]:
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._node = self._begin()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        scopes = self._node.graph.root.scopes
        depth = scopes.index(self._node)
        try:
            if kind is None:
                self.results = self._end()
        finally:
            del scopes[depth:]


class if_(_Context):
    """Branches of which one runs, by ``condition`` (BOOL, one element), at run time.

    Both declare the same outputs with ``odla_ipu.output``; ``results`` holds a value for each pair.
    """

    _node: If

    def __init__(self, condition: Any, id: Optional[str] = None):
        self._given = condition, id

    def _begin(self) -> If:
        condition, id = self._given
        return begin_if(_graph_of(condition), condition, id)

    def _end(self) -> Tuple[Value, ...]:
        return end_if(self._node.graph)

    def then(self) -> "_Branch":
        """The ops for a true condition."""
        return _Branch(self._node, True)

    def otherwise(self) -> "_Branch":
        """The ops for a false condition."""
        return _Branch(self._node, False)


class _Branch:
    def __init__(self, node: If, which: bool):
        self.node, self.which = node, which

    def __enter__(self) -> None:
        enter_branch_body(self.node.graph, self.which)

    def __exit__(self, *exception: Any) -> None:
        self.node.branch = None


class loop(_Context):
    """Ops that run ``trip_count`` times, an integer or a value (INT32 or INT64, one element).

    ``results`` holds all last values, then what is stacked, in order of the variables.
    """

    _node: Loop

    def __init__(self, trip_count: Any, id: Optional[str] = None):
        self._given = trip_count, id
        self._next: Dict[Value, Tuple[Value, Any]] = {}
        self._condition: Optional[Value] = None

    def _begin(self) -> Loop:
        trip_count, id = self._given
        return begin_loop(_graph_of(trip_count), trip_count, id)

    def variable(self, init: Any, id: Optional[str] = None) -> Value:
        """A value that an iteration takes from the one before, the first one from ``init``."""
        return create_loop_variable(self._node.graph, init, id)

    def next(self, variable: Value, value: Value, output: Any = LoopOutputMode.LAST_VALUE) -> None:
        """What ``variable`` is in the next iteration, and which of its values to stack."""
        if not isinstance(variable, Value) or variable not in self._node.variables:
            given = repr(variable.id if isinstance(variable, Value) else variable)
            raise self._node.error(
                f"{given} is no variable of this loop; accepted: what loop.variable gave"
            )
        if variable in self._next:
            raise self._node.error(f"'{variable.id}' has a next value already; accepted: one")
        self._next[variable] = (value, output)

    def proceed(self, condition: Value) -> None:
        """Go on after this iteration only while ``condition`` (BOOL, one element) is true."""
        self._condition = condition

    def _end(self) -> Tuple[Value, ...]:
        node = self._node
        for variable in node.variables:
            if variable not in self._next:
                raise node.error(
                    f"'{variable.id}' has no next value; write: loop.next(variable, value)"
                )
        pairs = [self._next[variable] for variable in node.variables]
        values, flags = [value for value, _ in pairs], [flag for _, flag in pairs]
        return end_loop(node.graph, self._condition, values, flags)


def _graph_of(given: Any) -> Graph:
    """The computation of a value; constants and interpreted values need one that is open."""
    is_computed = isinstance(given, Value) and given.graph.folds
    return given.graph if is_computed else current().graph
