"""Control flow, calls, writes to variables, and ops that the host acts on."""

from typing import TYPE_CHECKING, Any, Dict, List, Sequence

import numpy as np

from . import updates
from .emitter import ELEMENT_TYPES, GRAPHCORE, Emitter, compute_type, emits

if TYPE_CHECKING:
    from ..ir import Graph, Op, Tensor


def written_by(op: "Op") -> List["Tensor"]:
    """Inputs that the op overwrites with its results."""
    return [op.operand(index) for index in written_inputs(op)]


def written_inputs(op: "Op") -> Dict[int, int]:
    """The number of the output that each input that the op overwrites takes."""
    if op.instance is not None:
        return {}
    if op.domain == updates.DOMAIN and "writes" in op.attributes:
        operands = op.attributes["operands"]
        return {operands.index(name): place for place, name in enumerate(op.attributes["writes"])}
    if op.type == "CopyVarUpdate":
        return {0: 0}
    if op.type == "BatchNormalization" and len(op.outputs) == 5:
        return {3: 1, 4: 2}
    return {}


# Subgraphs.


@emits("Call", domain=GRAPHCORE, exact=True, native=True)
def _call(e: Emitter, op: "Op", x: List[str]) -> List[str]:
    """The body in place: its names are its own, since values are looked up by emitter."""
    body = op.bodies[0]
    inside = e.subgraph(body, dict(zip((tensor.id for tensor in body.inputs), x)))
    e.nodes.extend(inside.nodes)
    e.produced.update(inside.produced)
    return [inside.value(tensor) for tensor in body.outputs]


@emits("If", exact=True, native=True)
def _if(e: Emitter, op: "Op", x: List[str]) -> List[str]:
    condition = e.reshape(x[0], ())
    branches = {
        name: _body(e, op.attributes[name], name) for name in ("then_branch", "else_branch")
    }
    return e.node("If", [condition], len(op.outputs), **branches)


def _body(e: Emitter, graph: "Graph", name: str) -> Any:
    """A body without inputs."""
    import onnx

    inside = e.subgraph(graph, {})
    proto = onnx.GraphProto(name=name)
    _end(proto, inside, [inside.value(tensor) for tensor in graph.outputs], graph.outputs)
    return proto


def _end(proto: Any, inside: Emitter, names: List[str], tensors: "List[Tensor]") -> None:
    """Add nodes and outputs. What is not made in the body, or leaves it twice, is copied."""
    left = set()
    for name, tensor in zip(names, tensors):
        if name not in inside.produced or name in left:
            name = inside("Identity", name)
        left.add(name)
        proto.output.append(_info(name, tensor))
    proto.node.extend(inside.nodes)


def _info(name: str, tensor: "Tensor") -> Any:
    import onnx

    kind = ELEMENT_TYPES[compute_type(tensor.dtype)]
    return onnx.helper.make_tensor_value_info(name, kind, tensor.shape)


@emits("Loop", exact=True, native=True)
def _loop(e: Emitter, op: "Op", x: List[str]) -> List[str]:
    """At most the constant trip count; scan outputs keep its length after an early stop."""
    from ..ir import trip_count

    trips = trip_count(op)
    body = op.bodies[0]
    carried = len(op.inputs) - 2
    condition = e.reshape(x[1], ()) if x[1] else ""
    results = e.node(
        "Loop",
        [e.const(np.int64(trips)), condition, *x[2:]],
        len(body.outputs) - 1,
        body=_loop_body(e, body),
    )
    stacked = zip(results[carried:], body.outputs[1 + carried :])
    return results[:carried] + [_full_length(e, name, t, trips) for name, t in stacked]


def _loop_body(e: Emitter, body: "Graph") -> Any:
    import onnx

    proto = onnx.GraphProto(name=body.name or "body")
    names: Dict[str, str] = {}
    iteration = e.fresh()
    proto.input.append(onnx.helper.make_tensor_value_info(iteration, 7, ()))
    for tensor in body.inputs[1:]:
        names[tensor.id] = e.fresh()
        proto.input.append(_info(names[tensor.id], tensor))
    count = body.inputs[0]
    if count.used:
        cast = names[count.id] = e.fresh()
        kind = ELEMENT_TYPES[count.dtype]
        proto.node.append(onnx.helper.make_node("Cast", [iteration], [cast], to=kind))
    inside = e.subgraph(body, names)
    results = [inside.value(tensor) for tensor in body.outputs]
    results[0] = inside.reshaped(results[0], body.outputs[0].shape, ())
    _end(proto, inside, results, body.outputs)
    return proto


def _full_length(e: Emitter, name: str, tensor: "Tensor", trips: int) -> str:
    """Pad the rows of iterations that did not run: undefined on the device, zero here."""
    rank = len(tensor.shape) + 1
    rows = e("Gather", e("Shape", name), e.ints([0]), axis=0)
    missing = e("Sub", e.ints([trips]), rows)
    shape = e("Concat", missing, e.ints(tensor.shape), axis=0)
    zeros = e("Expand", e.const(np.zeros((1,) * rank, compute_type(tensor.dtype))), shape)
    return e("Concat", name, zeros, axis=0)


@emits("Scan", exact=True, native=True)
def _scan(e: Emitter, op: "Op", x: List[str]) -> List[str]:
    import onnx

    body = op.bodies[0]
    proto = onnx.GraphProto(name=body.name or "body")
    names = {tensor.id: e.fresh() for tensor in body.inputs}
    for tensor in body.inputs:
        proto.input.append(_info(names[tensor.id], tensor))
    inside = e.subgraph(body, names)
    _end(proto, inside, [inside.value(tensor) for tensor in body.outputs], body.outputs)
    lists = [
        "scan_input_axes",
        "scan_input_directions",
        "scan_output_axes",
        "scan_output_directions",
    ]
    given = {name: op.attributes[name] for name in lists if op.attributes.get(name)}
    return e.node(
        "Scan",
        x,
        len(op.outputs),
        body=proto,
        num_scan_inputs=op.attributes["num_scan_inputs"],
        **given,
    )


# Variables.


@emits("CopyVarUpdate", domain=GRAPHCORE, exact=True, native=True)
def _copy_var_update(e: Emitter, op: "Op", x: List[str]) -> str:
    e.root.updates[op.operand(0).id] = x[1]
    return e("Identity", x[1])


# Collectives.


@emits("ReplicatedAllReduce", domain=GRAPHCORE)
def _all_reduce(e: Emitter, op: "Op", x: List[str]) -> str:
    return _reduced_alone(e, op, x[0])


@emits("ReplicatedReduceScatter", domain=GRAPHCORE)
def _reduce_scatter(e: Emitter, op: "Op", x: List[str]) -> str:
    return e.reshape(_reduced_alone(e, op, x[0]), op.result.shape)


_SQUARE_ADD = 7


def _reduced_alone(e: Emitter, op: "Op", name: str) -> str:
    """With one replica a reduction is the tensor itself, or its square."""
    if op.attributes.get("collectiveOperator") == _SQUARE_ADD:
        return e("Mul", name, name)
    return e("Identity", name)


# The host's business.


@emits("PrintTensor", domain=GRAPHCORE, exact=True, native=True)
def _print(e: Emitter, op: "Op", x: List[str]) -> str:
    _watch(e, "print", op)
    return e("Identity", x[0])


@emits("Abort", domain=GRAPHCORE, exact=True, native=True)
def _abort(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
    _watch(e, "abort", op)
    return []


def _watch(e: Emitter, kind: str, op: "Op") -> None:
    from ..ir import Tensor

    given = op.inputs[0] if op.inputs else None
    tensor = given or Tensor("", np.dtype(np.bool_), (), np.array(True))
    e.watched.append((kind, op, tensor))
