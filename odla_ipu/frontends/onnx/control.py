"""Converters of operators that carry sub-graphs."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ... import scopes
from ...errors import InvalidParameter
from ...graph import Value
from ...ops.control_flow import MAX_TRIPS, MAX_UNROLLED
from ...types import ElementType, LoopOutputMode
from .convert import Results, Step, Unsupported, converter
from .model import Subgraph

# If.


@converter("If")
def _if(step: Step, condition: Value) -> Results:
    """The branch that a constant condition chooses; else an If of which one branch runs."""
    then, other = step.get("then_branch"), step.get("else_branch")
    if condition.data is not None:
        return step.inline(then if condition.data.all() else other)
    with scopes.if_(step.reshape(condition, []), step.id) as branches:
        with branches.then():
            left = _branch(step, then)
        with branches.otherwise():
            right = _branch(step, other)
        for a, b in zip(left, right):
            if a.type != b.type:
                raise Unsupported(
                    f"the branches give {a.type} and {b.type}, and the condition is computed at "
                    "run time; accepted: the same type and shape"
                )
    return branches.results


def _branch(step: Step, branch: Subgraph) -> List[Value]:
    outputs = step.inline(branch)
    for one in outputs:
        step.graph.set_output(one)
    return outputs


# Loop.


@converter("Loop")
def _loop(
    step: Step,
    trip_count: Optional[Value] = None,
    condition: Optional[Value] = None,
    *states: Value,
) -> Results:
    """A Loop of ODLA, or copies of the body where iterations differ in shapes.

    Copies need a constant number of iterations: in them the iteration number is a constant.
    """
    body = step.get("body")
    if len(body.inputs) != 2 + len(states) or len(body.outputs) < 1 + len(states):
        raise step.error(
            f"its body has {len(body.inputs)} inputs and {len(body.outputs)} outputs; accepted for "
            f"{len(states)} values: {2 + len(states)} inputs, {1 + len(states)} or more outputs"
        )
    count = _count(step, trip_count, condition)

    def as_loop() -> Results:
        return _as_loop(step, body, count, states)

    if count.data is None or count.data > MAX_UNROLLED:
        return as_loop()
    return step.attempt(as_loop) or _unrolled(step, body, int(count.data), states) or as_loop()


def _as_loop(step: Step, body: Subgraph, count: Value, states: Sequence[Value]) -> Results:
    """Where the condition decides how much is stacked, a first loop counts the iterations.

    ONNX stacks no more than were run, and a Loop of ODLA has a row for each that may run.
    """
    if len(body.outputs) > 1 + len(states):
        count = _counted(step, body, count, states)
    return _looped(step, body, count, states)


def _unrolled(step: Step, body: Subgraph, count: int, states: Sequence[Value]) -> Optional[Results]:
    """The body so many times; None where its condition is computed."""
    stacked: List[List[Value]] = [[] for _ in body.outputs[1 + len(states) :]]
    for index in range(count):
        shown = step.constant(np.full(_number_dims(body), index, np.int64))
        go, *outputs = step.inline(body, _named(body, [shown, step.constant(True), *states]))
        if go.data is None:
            return None
        for rows, row in zip(stacked, outputs[len(states) :]):
            rows.append(step.reshape(row, [1, *row.dims]))
        states = outputs[: len(states)]
        if not go.data.all():
            break
    if stacked and not all(stacked):
        return None
    return [*states, *(step.concat(rows, 0) for rows in stacked)]


def _number_dims(body: Subgraph) -> List[int]:
    """The shape in which a body takes the iteration number: a scalar unless it says otherwise."""
    shape = body.inputs[0].shape
    return [1] if shape is not None and len(shape) == 1 else []


def _count(step: Step, trip_count: Optional[Value], condition: Optional[Value]) -> Value:
    """How often the body may run: not at all where the first condition is false."""
    count = step.constant(MAX_TRIPS, np.int64)
    if trip_count is not None:
        count = step.reshape(trip_count, [])
    if condition is None:
        return count
    return step.op("Select", step.reshape(condition, []), count, step.constant(0, np.int64))


def _counted(step: Step, body: Subgraph, count: Value, states: Sequence[Value]) -> Value:
    """The number of iterations: ``count``, unless the condition in the body is computed."""
    states_only = body._replace(outputs=body.outputs[: 1 + len(states)])
    with scopes.loop(count, f"{step.id}_count") as loop:
        go, *_ = _iteration(step, loop, states_only, states)
        loop.proceed(go)
    goes_on = go.data is not None and go.data.all()
    return count if goes_on else loop.results[0]


def _looped(step: Step, body: Subgraph, count: Value, states: Sequence[Value]) -> Results:
    """The last values of the states, then what is stacked."""
    with scopes.loop(count, step.id) as loop:
        go, *rows = _iteration(step, loop, body, states)
        for row in rows:
            _stack(step, loop, row)
        if not rows:
            loop.proceed(go)
    _check_shapes(loop)
    last = 1 + len(states)
    return [*loop.results[1:last], *loop.results[last + len(rows) :]]


def _check_shapes(loop: scopes.loop) -> None:
    """Refuse shapes that differ between iterations."""
    made_by = loop.results[0].node
    if made_by is None:
        return
    try:
        made_by.shaped_by()
    except InvalidParameter as error:
        raise Unsupported(f"a shape in its body is computed at run time: {error}") from error


def _iteration(
    step: Step, loop: scopes.loop, body: Subgraph, states: Sequence[Value]
) -> List[Value]:
    """Add the body; what it gives but the states.  Variables: the iteration number, the states."""
    number = _counter(step, loop)
    variables = [loop.variable(one, f"{step.id}_state") for one in states]
    shown = step.reshape(number, _number_dims(body))
    # An iteration runs only where the condition before it was true.
    given = [shown, step.constant(True), *variables]
    go, *outputs = step.inline(body, _named(body, given))
    if go.element_type is not ElementType.BOOL or go.rank > 1:
        raise step.error(f"the condition is {go.type}; accepted: one BOOL")
    _continue(loop, variables, outputs)
    return [go, *outputs[len(states) :]]


def _named(body: Subgraph, values: Sequence[Value]) -> Dict[str, Value]:
    return {one.name: value for one, value in zip(body.inputs, values)}


def _counter(step: Step, loop: scopes.loop) -> Value:
    """A variable that is the number of the iteration."""
    number = loop.variable(step.constant(0, np.int64), f"{step.id}_iteration")
    loop.next(number, step.op("Add", number, step.constant(1, np.int64)))
    return number


def _continue(loop: scopes.loop, variables: Sequence[Value], outputs: Sequence[Value]) -> None:
    """Set the next values of the states; their types cannot change."""
    for variable, following in zip(variables, outputs):
        if variable.type != following.type:
            raise Unsupported(
                f"an iteration turns the value {variable.type} into {following.type}; accepted: "
                "the same type and shape in all iterations, or a number of iterations that is not "
                "computed at run time"
            )
        loop.next(variable, following)


def _stack(step: Step, loop: scopes.loop, row: Value, is_reversed: bool = False) -> None:
    """Make the values of ``row`` a result of the loop: by a variable that no iteration reads."""
    if not row.type.is_static:
        raise Unsupported(
            f"iterations give {row.type}, a shape computed at run time; accepted where they are "
            "stacked: known shapes, or a constant number of iterations"
        )
    start = step.constant(np.zeros(row.dims, row.element_type.dtype))
    mode = LoopOutputMode.REV_AFTER if is_reversed else LoopOutputMode.FWD_AFTER
    loop.next(loop.variable(start, f"{step.id}_row"), row, mode)


# Scan.


@converter("Scan")
def _scan(step: Step, *operands: Optional[Value]) -> Results:
    if step.opset < 9:
        return _scan_of_batches(step, *operands)
    given = [one for one in operands if one is not None]
    scanned = step.get("num_scan_inputs")
    states, inputs = _states(step, given, scanned)
    ranks = [one.rank for one in inputs]
    axes = [step.axis(*pair) for pair in zip(_listed(step, "scan_input_axes", scanned), ranks)]
    backward = _listed(step, "scan_input_directions", scanned)
    stacked = len(step.get("body").outputs) - len(states)
    reverse = _listed(step, "scan_output_directions", stacked)
    results = _scanned(step, states, inputs, axes, backward, reverse)
    rows = [
        _moved(step, row, step.axis(axis, row.rank))
        for row, axis in zip(results[len(states) :], _listed(step, "scan_output_axes", stacked))
    ]
    return [*results[: len(states)], *rows]


def _scan_of_batches(
    step: Step, lengths: Optional[Value] = None, *operands: Optional[Value]
) -> Results:
    """Scan of opset 8: each element of the batch, the first axis, by itself.

    Rows beyond the length of a sequence, which ONNX leaves undefined, are 0.
    """
    scanned = step.get("num_scan_inputs")
    states, inputs = _states(step, [one for one in operands if one is not None], scanned)
    batches = {one.dims[0] for one in [*states, *inputs] if one.rank}
    if len(batches) != 1 or any(one.rank < 2 for one in inputs):
        raise step.error("inputs differ in their first size; accepted: one batch, then sequences")
    (batch,) = batches
    longest = inputs[0].dims[1]
    sizes = [longest] * batch
    if lengths is not None:
        sizes = step.integers(lengths, "sequence_lens")
    if len(sizes) != batch or not all(0 <= size <= longest for size in sizes):
        raise step.error(f"sequence_lens are {sizes}; accepted: {batch} numbers, 0 to {longest}")
    backward = _listed(step, "directions", scanned)
    stacked = len(step.get("body").outputs) - len(states)
    made = []
    for index, size in enumerate(sizes):
        one_of = [step.gather(one, np.array(index), 0) for one in states]
        rows = [step.slice(step.gather(one, np.array(index), 0), 0, 0, size) for one in inputs]
        results = _scanned(step, one_of, rows, [0] * scanned, backward, [0] * stacked)
        made.append(
            [
                one if at < len(states) else _lengthened(step, one, longest)
                for at, one in enumerate(results)
            ]
        )
    return [step.op("Stack", list(parts), axis=0) for parts in zip(*made)]


def _lengthened(step: Step, rows: Value, count: int) -> Value:
    missing = count - rows.dims[0]
    if not missing:
        return rows
    nothing = [0] * rows.rank
    return step.op("Pad", rows, padding_front=nothing, padding_back=[missing, *nothing[1:]])


def _states(
    step: Step, operands: Sequence[Value], scanned: int
) -> Tuple[Sequence[Value], Sequence[Value]]:
    """The initial states, and the inputs that are scanned."""
    body, count = step.get("body"), len(operands) - scanned
    if count < 0 or scanned < 1 or len(body.inputs) != len(operands):
        raise step.error(
            f"{len(operands)} inputs, {scanned} of them scanned, for a body with "
            f"{len(body.inputs)}; accepted: as many as the body has, at least one scanned"
        )
    return operands[:count], operands[count:]


def _scanned(
    step: Step,
    states: Sequence[Value],
    inputs: Sequence[Value],
    axes: Sequence[int],
    backward: Sequence[int],
    reverse: Sequence[int],
) -> List[Value]:
    """The last states, and the rows stacked: a Loop that gathers its inputs by its number."""
    body, count = step.get("body"), len(states)
    lengths = {one.dims[axis] for one, axis in zip(inputs, axes)}
    if len(lengths) != 1:
        raise step.error(f"the scanned inputs have lengths {sorted(lengths)}; accepted: the same")
    length = lengths.pop()
    with scopes.loop(step.constant(length, np.int64), step.id) as loop:
        number = _counter(step, loop)
        variables = [loop.variable(one, f"{step.id}_state") for one in states]
        places = [number, step.op("Sub", step.constant(length - 1, np.int64), number)]
        slices = [
            step.op("Gather", one, places[bool(back)], axis=axis)
            for one, axis, back in zip(inputs, axes, backward)
        ]
        outputs = step.inline(body, _named(body, [*variables, *slices]))
        _continue(loop, variables, outputs)
        for row, is_reversed in zip(outputs[count:], reverse):
            _stack(step, loop, row, bool(is_reversed))
    _check_shapes(loop)
    return [*loop.results[1 : 1 + count], *loop.results[1 + count + len(reverse) :]]


def _listed(step: Step, name: str, count: int) -> List[int]:
    return step.entries(name, [0] * count)


def _moved(step: Step, rows: Value, axis: int) -> Value:
    """``rows`` with the first axis at ``axis``."""
    order = list(range(1, rows.rank))
    return step.transpose(rows, [*order[:axis], 0, *order[axis:]])
