"""Reverse-mode differentiation of a typed graph.

For each op on a way from what is wanted to the loss one gradient op is added, behind all others.
Its operands are the op's operands and results and the gradients of the results, its results are
gradients of the operands; ``sim.engine.gradients`` has a rule for each.  A tensor that several ops
read has the sum of what they give.
"""

import contextlib
import itertools
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

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
    _Backward(graph, [(loss, seed)], list(wanted), itertools.count(1)).run()


class _Backward:
    """The way back through one graph, from ``seeds``: its tensors and their gradients."""

    def __init__(
        self,
        graph: Graph,
        seeds: Sequence[Tuple[Tensor, Tensor]],
        wanted: List[Tensor],
        numbers: Iterator[int],
    ):
        self._graph = graph
        self._wanted = wanted
        self._numbers = numbers
        self._parts: Dict[int, List[Tensor]] = {}
        """The gradients of each tensor from the ops that read it."""
        self._totals: Dict[int, Tensor] = {}
        self._custom_gradients: Dict[int, List[Any]] = {}
        self._leads = self._led_from(wanted)
        for tensor, seed in seeds:
            self._parts.setdefault(id(tensor), []).append(seed)

    def _led_from(self, wanted: List[Tensor]) -> Set[int]:
        """What depends on the wanted tensors in a way that can be differentiated."""
        leads = {id(tensor) for tensor in wanted}
        for op in self._graph.ops:
            if any(id(tensor) in leads for tensor in reads(op)) and not self._stops(op):
                leads.update(
                    id(tensor)
                    for tensor in op.outputs
                    if tensor is not None and tensor.dtype.kind == "f"
                )
        return leads

    def run(self) -> List[Optional[Tensor]]:
        """The gradients of what is wanted; None for what does not lead to the seeds."""
        for op in list(reversed(self._graph.ops)):
            given = [
                None if tensor is None or id(tensor) not in self._leads else self._total(tensor)
                for tensor in op.outputs
            ]
            if any(given) and any(id(tensor) in self._leads for tensor in reads(op)):
                self._differentiate(op, given)
        return [self._total(tensor) for tensor in self._wanted]

    def _total(self, tensor: Tensor) -> Optional[Tensor]:
        """The gradient of a tensor, all of whose readers are done; None without one."""
        if id(tensor) in self._totals or not self._parts.get(id(tensor)):
            return self._totals.get(id(tensor))
        parts = self._parts[id(tensor)]
        total = parts[0]
        if len(parts) > 1 or total.producer is None:
            total = self._sum(tensor, parts)
        self._totals[id(tensor)] = total
        if self._graph.parent is None:
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
            name = f"{PREFIX}{tensor.id}/{next(self._numbers)}"
            result = Tensor(name, tensor.dtype, tensor.shape)
            result.producer, result.used = op, True
            if self._graph.parent is not None:
                self._graph.tensors[name] = result  # else it would count as one from around it
            made.append(result)
        op.outputs += made
        self._graph.ops.append(op)
        return made

    def _differentiate(self, op: Op, given: List[Optional[Tensor]]) -> None:
        if op.instance is not None:
            self._custom(op, given)
            return
        if op.type == "If" and not op.domain:
            self._branches(op, given)
            return
        _refuse(op, given)
        static = RULES[op.domain, op.type].static if (op.domain, op.type) in RULES else ()
        inputs = [None if index in static else one for index, one in enumerate(op.inputs)]
        if (op.domain, op.type) == ("ai.graphcore", "Ctc"):
            assert op.outputs[1] is not None
            op.outputs[1].used = True  # the gradient by each sample's loss
        if op.outputs[0] is not None:
            op.outputs[0].used = True
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
        sources: Dict[str, List[Optional[Tensor]]] = {
            "input": op.inputs,
            "output": op.outputs,
            "gradient": list(total),
        }
        for number, gradient in enumerate(self._gradients_of(op)):
            inputs = [sources[kind][place] for kind, place in gradient.inputs]
            name = f"gradient {number} of {op.name}"
            backward = Op(op.domain, f"{op.type}Grad", op.version, name, {}, inputs)
            backward.instance = gradient.kernel
            self._give(backward, op, list(gradient.outputs))

    def _stops(self, op: Op) -> bool:
        if op.instance is not None:
            with contextlib.suppress(popart_exception):
                return not self._gradients_of(op)
            return False  # an error only where the way leads through it
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

    def _branches(self, op: Op, given: List[Optional[Tensor]]) -> None:
        """An If of which each branch runs forward once more, and then back."""
        wanted = list({id(one): one for one in reads(op) if self._takes(one)}.values())
        attributes = {
            name: self._branch(body, given, wanted)
            for name, body in op.attributes.items()
            if isinstance(body, Graph)
        }
        backward = Op("", "If", op.version, f"gradient of {op.name}", attributes, [op.operand(0)])
        for tensor, result in zip(wanted, self._add(backward, wanted)):
            self._parts.setdefault(id(tensor), []).append(result)

    def _branch(self, body: Graph, given: List[Optional[Tensor]], wanted: List[Tensor]) -> Graph:
        graph = Graph(body.name, self._graph)
        graph.ops, graph.tensors = list(body.ops), dict(body.tensors)
        seeds = [(tensor, seed) for tensor, seed in zip(body.outputs, given) if seed is not None]
        totals = _Backward(graph, seeds, wanted, self._numbers).run()
        for tensor, total in zip(wanted, totals):
            if total is None:
                data = np.zeros(tensor.shape, tensor.dtype)
                name = f"{PREFIX}{tensor.id}/{next(self._numbers)}"
                total = graph.tensors[name] = Tensor(name, tensor.dtype, tensor.shape, data)
            graph.outputs.append(total)
        return graph

    def _zeros(self, op: Op, place: int) -> Tensor:
        tensor = op.outputs[place]
        assert tensor is not None
        data = np.zeros(tensor.shape, tensor.dtype)
        return Tensor(f"{PREFIX}{tensor.id}", tensor.dtype, tensor.shape, data)


def _refuse(op: Op, given: List[Optional[Tensor]]) -> None:
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
