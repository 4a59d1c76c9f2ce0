"""Control flow: the outputs are those of the body, a `Graph` among the attributes."""

from typing import List, Optional

from ..nodes import UNKNOWN, Graph, Info
from .rules import GRAPHCORE, Context, Result, Shape, rule


def _outputs(body: Graph) -> List[Info]:
    return [body.infos.get(name, UNKNOWN) for name in body.outputs]


def _branches(context: Context) -> List[Info]:
    """Outputs of the branches of an If, which must agree where both are known."""
    results = []
    then, other = context.required("then_branch"), context.required("else_branch")
    if not len(then.outputs) == len(other.outputs) == len(context.node.outputs):
        context.refuse(
            f"has {len(context.node.outputs)} outputs, its branches "
            f"{len(then.outputs)} and {len(other.outputs)}"
        )
    for left, right in zip(_outputs(then), _outputs(other)):
        if None not in (left.shape, right.shape) and left != right:
            context.refuse(f"has branches with different outputs: {left} and {right}")
        results.append(right if left.shape is None else left)
    return results


@rule("If", types=lambda context: [info.dtype for info in _branches(context)])
def _if(context: Context) -> Result:
    return [info.shape for info in _branches(context)]


def _loop_outputs(context: Context) -> List[Info]:
    """Carried values have the type and shape of the loop's own inputs."""
    body = _outputs(context.required("body"))[1:]
    carried = len(context.inputs) - 2
    results = []
    for index in range(carried):
        info = context.inputs[2 + index]
        results.append(UNKNOWN if info is None else info)
    return results + body[carried:]


@rule("Loop", types=lambda context: [info.dtype for info in _loop_outputs(context)])
def _loop(context: Context) -> Result:
    carried = len(context.inputs) - 2
    infos = _loop_outputs(context)
    return [info.shape for info in infos[:carried]] + [
        _stacked(context, info.shape) for info in infos[carried:]
    ]


def _stacked(context: Context, shape: Optional[Shape]) -> Optional[Shape]:
    if shape is None:
        return None
    return (context.integers(0)[0], *shape)


def _scan_outputs(context: Context) -> List[Info]:
    return _outputs(context.required("body"))


@rule("Scan", types=lambda context: [info.dtype for info in _scan_outputs(context)])
def _scan(context: Context) -> Result:
    infos = _scan_outputs(context)
    scanned = context.required("num_scan_inputs")
    states = len(context.inputs) - scanned
    input_axes = context.attribute("scan_input_axes") or [0] * scanned
    output_axes = context.attribute("scan_output_axes") or [0] * (len(infos) - states)
    first = context.shape(states)
    length = first[context.axis(input_axes[0], len(first))]
    result: Result = [info.shape for info in infos[:states]]
    for info, axis in zip(infos[states:], output_axes):
        if info.shape is None:
            result.append(None)
            continue
        shape = list(info.shape)
        shape.insert(context.axis(axis, len(shape) + 1), length)
        result.append(tuple(shape))
    return result


@rule(
    "Call",
    domain=GRAPHCORE,
    types=lambda context: [info.dtype for info in _outputs(context.required("callee"))],
)
def _call(context: Context) -> Result:
    return [info.shape for info in _outputs(context.required("callee"))]
