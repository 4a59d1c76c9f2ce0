"""Steps of the host in a program: an op with a body in Python, and control flow around such ops.

A step has the arrays of its inputs and outputs, which others may replace between runs.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..customop import Info, Instance
from ..exceptions import popart_exception, popart_runtime_error, poplar_exception
from ..ir import Op, Tensor, trip_count
from ..watching import floating_point_exception
from .emitter import GRAPHCORE

if TYPE_CHECKING:
    from .planning import HostStep
    from .program import Program

Generator = Optional[np.random.Generator]


class Step:
    """A step of the host; ``run_plain`` is for programs that need nothing but to be run."""

    is_plain = True

    def __init__(self, plan: "HostStep", outputs: List[Info]):
        self.op = plan.op
        self.inputs: List[Optional[np.ndarray]] = [None] * len(plan.inputs)
        self.outputs: List[np.ndarray] = [np.zeros(shape, dtype) for dtype, shape in outputs]

    def run_plain(self) -> None:
        self.run(None)

    def run(self, generator: Generator) -> None:
        raise NotImplementedError


class Custom(Step):
    """An op with a body in Python."""

    def __init__(self, plan: "HostStep", instance: Instance):
        self._instance = instance
        super().__init__(plan, list(instance.outputs))
        self._check_floats = plan.check_floats
        self.is_plain = not self._check_floats

    def run_plain(self) -> None:
        try:
            self._instance.run(tuple(self.inputs), tuple(self.outputs))
        except (popart_exception, poplar_exception):
            raise
        except Exception as error:
            raise popart_runtime_error(f"{self.op.label} failed: {error!r}") from error

    def run(self, generator: Generator) -> None:
        self.run_plain()
        if self._check_floats and not all(
            np.isfinite(array).all() for array in self.outputs if array.dtype.kind == "f"
        ):
            raise floating_point_exception()


class _Flow(Step):
    """Control flow: bodies that are programs."""

    def __init__(self, plan: "HostStep", bodies: "List[Program]"):
        super().__init__(plan, _infos(plan.op))
        self._bodies = bodies
        self._own = len(plan.op.inputs)
        self._captured = [tensor.id for tensor in plan.inputs[self._own :] if tensor is not None]
        self.is_plain = all(body.is_plain for body in bodies)

    def _capture(self, body: "Program") -> None:
        """Show a body the arrays of the values around it."""
        for name, array in zip(self._captured, self.inputs[self._own :]):
            assert array is not None
            body.place(name, array)

    def _given(self, index: int) -> np.ndarray:
        array = self.inputs[index]
        assert array is not None
        return array


class _If(_Flow):
    def run(self, generator: Generator) -> None:
        taken = "then_branch" if self._given(0).any() else "else_branch"
        index = self.op.bodies.index(self.op.attributes[taken])
        _execute(self, self._bodies[index], generator)


class _Call(_Flow):
    def run(self, generator: Generator) -> None:
        for index, tensor in enumerate(self.op.bodies[0].inputs):
            self._bodies[0].place(tensor.id, self._given(index))
        _execute(self, self._bodies[0], generator)


def _execute(step: _Flow, body: "Program", generator: Generator) -> None:
    """Run a body once, into the step's outputs."""
    step._capture(body)
    for port, array in zip(body.translation.outputs, step.outputs):
        body.place(port.name, array)
    body.run(generator)


class _Loop(_Flow):
    """At most the constant trip count; rows of iterations that did not run are zero."""

    def __init__(self, plan: "HostStep", bodies: "List[Program]"):
        super().__init__(plan, bodies)
        graph = plan.op.bodies[0]
        self._trips = trip_count(plan.op)
        self._carried = [tensor.id for tensor in graph.inputs[2:]]
        self._outputs = [port.name for port in bodies[0].translation.outputs]
        self._count, self._keep = (np.zeros((), tensor.dtype) for tensor in graph.inputs[:2])
        self._go = np.zeros(graph.outputs[0].shape, np.bool_)
        count = len(self._carried)
        self._spare = [[np.zeros_like(array) for array in self.outputs[:count]] for _ in range(2)]
        body = bodies[0]
        for tensor, array in zip(graph.inputs, (self._count, self._keep)):
            body.place(tensor.id, array)
        body.place(self._outputs[0], self._go)

    def run(self, generator: Generator) -> None:
        body = self._bodies[0]
        self._capture(body)
        count = len(self._carried)
        values = [self._given(2 + index) for index in range(count)]
        stacked = self.outputs[count:]
        condition = self.inputs[1]
        self._keep[...] = True if condition is None else condition.any()
        iteration = 0
        while iteration < self._trips and self._keep:
            self._count[...] = iteration
            for name, value in zip(self._carried, values):
                body.place(name, value)
            values = self._spare[iteration % 2]
            for name, value in zip(self._outputs[1:], values):
                body.place(name, value)
            for name, rows in zip(self._outputs[1 + count :], stacked):
                body.place(name, rows[iteration, ...])
            body.run(generator)
            self._keep[...] = self._go.any()
            iteration += 1
        for output, value in zip(self.outputs, values):
            np.copyto(output, value)
        for rows in stacked:
            rows[iteration:] = 0


class _Scan(_Flow):
    """States, and slices of the scan inputs; results are stacked."""

    def __init__(self, plan: "HostStep", bodies: "List[Program]"):
        super().__init__(plan, bodies)
        op = plan.op
        graph = op.bodies[0]
        scanned = op.attributes["num_scan_inputs"]
        self._states = len(op.inputs) - scanned
        self._formals = [tensor.id for tensor in graph.inputs]
        self._outputs = [port.name for port in bodies[0].translation.outputs]
        stacked = len(graph.outputs) - self._states
        self._input_axes = op.attributes.get("scan_input_axes") or [0] * scanned
        self._output_axes = op.attributes.get("scan_output_axes") or [0] * stacked
        self._input_turned = op.attributes.get("scan_input_directions") or [0] * scanned
        self._output_turned = op.attributes.get("scan_output_directions") or [0] * stacked
        self._spare = [
            [np.zeros_like(array) for array in self.outputs[: self._states]] for _ in range(2)
        ]
        self._rows = [np.zeros(t.shape, t.dtype) for t in graph.outputs[self._states :]]

    def run(self, generator: Generator) -> None:
        body = self._bodies[0]
        self._capture(body)
        states = self._states
        values = [self._given(index) for index in range(states)]
        sources = [
            np.moveaxis(self._given(states + index), axis, 0)[:: -1 if turned else 1]
            for index, (axis, turned) in enumerate(zip(self._input_axes, self._input_turned))
        ]
        targets = [
            np.moveaxis(array, axis, 0)[:: -1 if turned else 1]
            for array, axis, turned in zip(
                self.outputs[states:], self._output_axes, self._output_turned
            )
        ]
        for iteration in range(len(sources[0])):
            for name, value in zip(self._formals, values):
                body.place(name, value)
            for name, source in zip(self._formals[states:], sources):
                body.place(name, np.ascontiguousarray(source[iteration, ...]))
            values = self._spare[iteration % 2]
            for name, value in zip(self._outputs, values):
                body.place(name, value)
            for name, row in zip(self._outputs[states:], self._rows):
                body.place(name, row)
            body.run(generator)
            for target, row in zip(targets, self._rows):
                target[iteration, ...] = row
        for output, value in zip(self.outputs, values):
            np.copyto(output, value)


FLOWS: Dict[Tuple[str, str], Callable[[Any, Any], Step]] = {
    ("", "If"): _If,
    ("", "Loop"): _Loop,
    ("", "Scan"): _Scan,
    (GRAPHCORE, "Call"): _Call,
}
"""The steps of ops with bodies."""


def _infos(op: Op) -> List[Info]:
    """Type and shape of an op's outputs; of those that nothing reads, from the body."""
    results = []
    for index, tensor in enumerate(op.outputs):
        found: Optional[Tensor] = tensor
        if found is None:
            raise popart_exception(f"Output {index} of {op.label} has no name: give it one")
        results.append(Info(found.dtype, found.shape))
    return results
