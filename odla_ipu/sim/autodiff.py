"""Reverse-mode differentiation of a typed graph.

For each op on a way from what is wanted to the loss one gradient op is added, behind all others.
Its operands are the op's operands and results and the gradients of the results, its results are
gradients of the operands; ``sim.engine.gradients`` has a rule for each.  A tensor that several ops
read has the sum of what they give.
"""

from typing import Any, Dict, Iterable, List, Optional, Set

import numpy as np

from .engine.emitter import RULES
from .engine.gradients import DOMAIN, differentiable, has_gradient
from .exceptions import popart_exception
from .ir import Graph, Op, Tensor, reads

PREFIX = "Gradient___"

_STOPS = {
    "": [
        "And",
        "ArgMax",
        "ArgMin",
        "Equal",
        "Greater",
        "IsInf",
        "IsNaN",
        "Less",
        "Loop",
        "Not",
        "Or",
        "PRelu",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Scan",
    ],
    "ai.graphcore": [
        "Abort",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXnor",
        "BitwiseXor",
        "Bucketize",
        "CopyVarUpdate",
        "CtcBeamSearchDecoder",
        "Detach",
        "IncrementMod",
        "Init",
        "Nop",
        "NormalizeImage",
        "ReplicatedAllReduce",
        "ScaledAdd",
        "SplineBasis",
        "SplineWeighting",
    ],
}
"""Ops that PopART has no gradient op of: nothing passes, without a word."""


def differentiate(graph: Graph, loss: Tensor, wanted: Iterable[Tensor], seed: Tensor) -> None:
    """Add the gradients of ``loss`` by ``wanted`` to the graph, as ``Gradient___`` and their ids.

    ``seed`` is the gradient of the loss itself.  What does not lead to the loss has none.  Raises
    popart_exception for an op on the way that PopART refuses to differentiate.
    """
    _Backward(graph, loss, list(wanted), seed).run()


class _Backward:
    def __init__(self, graph: Graph, loss: Tensor, wanted: List[Tensor], seed: Tensor):
        self._graph = graph
        self._loss = loss
        self._wanted = wanted
        self._parts: Dict[int, List[Tensor]] = {id(loss): [seed]}
        """The gradients of each tensor from the ops that read it."""
        self._custom_gradients: Dict[int, List[Any]] = {}
        self._count = 0
        self._leads = self._led_from(wanted)

    def _led_from(self, wanted: List[Tensor]) -> Set[int]:
        """What depends on the wanted tensors in a way that can be differentiated."""
        leads = {id(tensor) for tensor in wanted}
        for op in self._graph.ops:
            if not self._stops(op) and any(id(tensor) in leads for tensor in reads(op)):
                leads.update(
                    id(tensor)
                    for tensor in op.outputs
                    if tensor is not None and tensor.dtype.kind == "f"
                )
        return leads

    def run(self) -> None:
        for op in list(reversed(self._graph.ops)):
            given = [
                None if tensor is None or id(tensor) not in self._leads else self._total(tensor)
                for tensor in op.outputs
            ]
            if any(given) and any(id(tensor) in self._leads for tensor in reads(op)):
                self._differentiate(op, given)
        for tensor in self._wanted:
            self._total(tensor)

    def _total(self, tensor: Tensor) -> Optional[Tensor]:
        """The gradient of a tensor, all of whose readers are done; None without one."""
        parts = self._parts.get(id(tensor))
        if not parts:
            return None
        known = self._graph.tensors.get(PREFIX + tensor.id)
        if known is not None:
            return known
        if len(parts) == 1 and parts[0].producer is not None:
            total = parts[0]
        else:
            total = self._sum(tensor, parts)
        total.id = PREFIX + tensor.id
        self._graph.tensors[total.id] = total
        return total

    def _sum(self, tensor: Tensor, parts: List[Tensor]) -> Tensor:
        kind = "Identity" if len(parts) == 1 else "Sum"
        op = Op("", kind, 8, "", {}, list(parts))
        return self._add(op, [tensor])[0]

    def _add(self, op: Op, like: List[Tensor]) -> List[Tensor]:
        """Append an op whose results are gradients of ``like``."""
        made = []
        for tensor in like:
            self._count += 1
            result = Tensor(f"{PREFIX}{tensor.id}/{self._count}", tensor.dtype, tensor.shape)
            result.producer, result.used = op, True
            made.append(result)
        op.outputs += made
        self._graph.ops.append(op)
        return made

    def _differentiate(self, op: Op, given: List[Optional[Tensor]]) -> None:
        if op.instance is not None:
            self._custom(op, given)
            return
        _refuse(op, given, self._leads)
        static = RULES[op.domain, op.type].static if (op.domain, op.type) in RULES else ()
        inputs = [None if index in static else one for index, one in enumerate(op.inputs)]
        if (op.domain, op.type) == ("ai.graphcore", "Ctc"):
            assert op.outputs[1] is not None
            op.outputs[1].used = True  # the gradient by each sample's loss
        op.result.used = True
        results = [one if one is not None and one.used else None for one in op.outputs]
        wanted = [index for index in differentiable(op) if self._takes(op.inputs[index])]
        attributes: Dict[str, Any] = {"forward": op, "operands": wanted}
        name = f"gradient of {op.name}" if op.name else ""
        operands = [*inputs, *results, *given]
        self._give(
            Op(DOMAIN + op.domain, op.type, op.version, name, attributes, operands), op, wanted
        )

    def _give(self, backward: Op, op: Op, places: List[int]) -> None:
        """Append a gradient op whose results are gradients of those operands."""
        like = [op.operand(place) for place in places]
        for tensor, result in zip(like, self._add(backward, like)):
            if self._takes(tensor):
                self._parts.setdefault(id(tensor), []).append(result)

    def _takes(self, tensor: Optional[Tensor]) -> bool:
        return tensor is not None and id(tensor) in self._leads

    def _custom(self, op: Op, given: List[Optional[Tensor]]) -> None:
        """The gradient ops that a custom op brings along."""
        total = [self._zeros(op, place) if one is None else one for place, one in enumerate(given)]
        sources = {"input": op.inputs, "output": op.outputs, "gradient": total}
        for number, gradient in enumerate(self._gradients_of(op)):
            inputs: List[Optional[Tensor]] = [
                sources[kind][place]  # type: ignore[index]
                for kind, place in gradient.inputs
            ]
            name = f"gradient {number} of {op.name}"
            backward = Op(op.domain, f"{op.type}Grad", op.version, name, {}, inputs)
            backward.instance = gradient.kernel
            self._give(backward, op, list(gradient.outputs))

    def _stops(self, op: Op) -> bool:
        if op.instance is not None:
            return not self._gradients_of(op)
        return op.type in _STOPS.get(op.domain, ())

    def _gradients_of(self, op: Op) -> List[Any]:
        """The gradient ops of a custom op; none where it has no gradient."""
        if id(op) not in self._custom_gradients:
            find = getattr(op.instance, "gradients", None)
            try:
                self._custom_gradients[id(op)] = list(find()) if find is not None else []
            except (RuntimeError, ValueError) as error:
                raise popart_exception(f"The gradient of {op.label}: {error}") from error
        return self._custom_gradients[id(op)]

    def _zeros(self, op: Op, place: int) -> Tensor:
        tensor = op.outputs[place]
        assert tensor is not None
        data = np.zeros(tensor.shape, tensor.dtype)
        return Tensor(f"{PREFIX}{tensor.id}", tensor.dtype, tensor.shape, data)


def _refuse(op: Op, given: List[Optional[Tensor]], leads: Set[int]) -> None:
    """Raise popart_exception for what PopART refuses, and what the stand-in has no rule for."""
    problem = ""
    if op.type == "BatchNormalization" and len(op.outputs) != 5:
        problem = "in training it must have 5 outputs, or be detached"
    elif op.type == "Resize" and op.attributes.get("mode") == "linear":
        problem = "linear resizing has no gradient"
    elif op.type == "Pad" and op.attributes.get("mode", "constant") != "constant":
        problem = f"training supports the mode constant only, not {op.attributes['mode']}"
    elif op.type == "LSTM" and not op.domain and _has_lengths(op) and given[2:] and given[2]:
        problem = "there is no gradient of Y_c with sequence_lens"
    elif not has_gradient(op):
        problem = "the stand-in has no gradient of it"
    if problem:
        raise popart_exception(f"{op.label}: {problem}")


def _has_lengths(op: Op) -> bool:
    return len(op.inputs) > 4 and op.inputs[4] is not None
