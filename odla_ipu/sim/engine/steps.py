"""Steps of the host in a program: an op with a body in Python, and control flow around such ops.

A step has the arrays of its inputs and outputs, which others may replace between runs.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..customop import Info, Instance
from ..exceptions import popart_exception, popart_runtime_error, poplar_exception
from ..ir import trip_count
from ..watching import floating_point_exception
from .emitter import GRAPHCORE
from .hosting import output_infos

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
            reason = f"{type(error).__name__}: {error}"
            raise popart_runtime_error(f"{self.op.label} failed: {reason}") from error

    def run(self, generator: Generator) -> None:
        self.run_plain()
        if self._check_floats and not all(
            np.isfinite(array).all() for array in self.outputs if array.dtype.kind == "f"
        ):
            raise floating_point_exception()


class _Flow(Step):
    """Control flow: bodies that are programs."""

    def __init__(self, plan: "HostStep", bodies: "List[Program]"):
        super().__init__(plan, output_infos(plan.op))
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


class _Packed(_Flow):
    """Sequences packed one after the other in the rows of tensors, in batches for the body."""

    def __init__(self, plan: "HostStep", bodies: "List[Program]"):
        super().__init__(plan, bodies)
        body = plan.op.bodies[0]
        self._batches = [np.zeros(tensor.shape, tensor.dtype) for tensor in body.inputs]
        result = body.outputs[0]
        self._result = np.zeros(result.shape, result.dtype)
        for tensor, array in zip(body.inputs, self._batches):
            bodies[0].place(tensor.id, array)
        bodies[0].place(bodies[0].translation.outputs[0].name, self._result)

    def run(self, generator: Generator) -> None:
        body = self._bodies[0]
        self._capture(body)
        count = len(self._batches)
        data = [self._given(3 * index) for index in range(count)]
        spans = [self._spans(3 * index + 1, rows) for index, rows in enumerate(data)]
        targets = self._spans(3 * count, self.outputs[0])
        size = self.op.attributes["callbackBatchSize"]
        self.outputs[0][...] = 0
        for first in range(0, len(targets), size):
            for batch, rows, sources in zip(self._batches, data, spans):
                for slot, (start, length) in zip(batch, sources[first : first + size]):
                    slot[:length] = rows[start : start + length]
                    slot[length:] = 0
            body.run(generator)
            for slot, (start, length) in zip(self._result, targets[first : first + size]):
                self.outputs[0][start : start + length] = slot[:length]

    def _spans(self, index: int, rows: np.ndarray) -> List[Tuple[int, int]]:
        """First row and length of each sequence. Raises popart_runtime_error for one outside."""
        starts, lengths = self._given(index).tolist(), self._given(index + 1).tolist()
        for start, length in zip(starts, lengths):
            if not 0 <= start <= start + length <= len(rows):
                raise popart_runtime_error(
                    f"{self.op.label}: a sequence of {length} rows from row {start} lies outside "
                    f"the {len(rows)} rows of the tensor"
                )
        return list(zip(starts, lengths))


FLOWS: Dict[Tuple[str, str], Callable[[Any, Any], Step]] = {
    ("", "If"): _If,
    ("", "Loop"): _Loop,
    ("", "Scan"): _Scan,
    (GRAPHCORE, "Call"): _Call,
    (GRAPHCORE, "PackedDataBlock"): _Packed,
}
"""The steps of ops with bodies."""
