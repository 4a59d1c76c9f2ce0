"""A plan loaded: parts of the graph in onnxruntime, and steps of the host between them.

Every value that passes between steps has one array, which all of them have bound: a run moves no
data but what onnxruntime and the steps themselves write.
"""

import ctypes
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np

from ..ir import Tensor
from .planning import Copy, HostStep, Plan
from .runtime import Engine
from .steps import FLOWS, Custom, Step
from .translation import Port, Translation


def load(translation: Union[Translation, Plan]) -> "Union[Engine, Program]":
    return Program(translation) if isinstance(translation, Plan) else Engine(translation)


class _CopyStep:
    """Copies its input to its output."""

    is_plain = True

    def __init__(self) -> None:
        self.arrays: List[Any] = [None, None]

    def run_plain(self) -> None:
        np.copyto(self.arrays[1], self.arrays[0])

    def run(self, generator: Optional[np.random.Generator]) -> None:
        self.run_plain()


class Program:
    """A plan in memory, used as an :class:`Engine` is.  Not thread-safe."""

    overflowed = False
    """Steps raise on their own."""

    def __init__(self, plan: Plan):
        self.translation = plan
        self._steps: List[Any] = []
        self._engines: Dict[str, List[Tuple[Callable[[Port, int], None], Port]]] = {}
        """Where each value enters or leaves a part, by its name."""
        self._hosts: Dict[str, List[Tuple[List[Any], int]]] = {}
        """Where steps of the host keep the array of each value."""
        self._arrays: Dict[str, np.ndarray] = {}
        self._addresses: Dict[str, int] = {}
        self._entering = {port.tensor for port in plan.inputs}
        self._entering.update(state.tensor for state in plan.states)
        constants = _computed(plan.known)
        for step in plan.steps:
            if isinstance(step, Translation):
                self._add_part(step)
            elif isinstance(step, Copy):
                self._add_copy(step, constants)
            else:
                self._add_host_step(step, constants)
        self._place_values()
        self._states = [
            (self._arrays[state.input.name], self._arrays[state.output.name])
            for state in plan.states
        ]
        self.is_plain = not self._states and all(step.is_plain for step in self._steps)

    # Building.

    def _add_part(self, translation: Translation) -> None:
        engine = Engine(translation, is_part=True)
        for port in translation.inputs:
            self._engines.setdefault(port.tensor, []).append((engine.bind_input, port))
        for port in translation.outputs:
            self._engines.setdefault(port.tensor, []).append((engine.bind_output, port))
        self._steps.append(engine)

    def _add_copy(self, copy: Copy, constants: Dict[str, np.ndarray]) -> None:
        step = _CopyStep()
        self._connect(copy.source, step.arrays, 0, constants)
        self._hosts.setdefault(copy.target, []).append((step.arrays, 1))
        self._steps.append(step)

    def _add_host_step(self, plan: HostStep, constants: Dict[str, np.ndarray]) -> None:
        op = plan.op
        step: Step
        if plan.instance is not None:
            step = Custom(plan, plan.instance)
        else:
            step = FLOWS[op.domain, op.type](plan, [Program(body) for body in plan.bodies])
        for index, tensor in enumerate(plan.inputs):
            if tensor is not None:
                self._connect(tensor, step.inputs, index, constants)
        for index, tensor in enumerate(op.outputs):
            if tensor is not None:
                self._hosts.setdefault(tensor.id, []).append((step.outputs, index))
        self._steps.append(step)

    def _connect(
        self, tensor: Tensor, arrays: List[Any], index: int, constants: Dict[str, np.ndarray]
    ) -> None:
        """Have the step read the tensor's array, which is fixed for a constant."""
        if tensor.id in constants:
            arrays[index] = constants[tensor.id]
        elif tensor.data is not None and tensor.id not in self._entering:
            data = tensor.device_data()
            arrays[index] = np.ascontiguousarray(data).reshape(data.shape)
        else:
            self._hosts.setdefault(tensor.id, []).append((arrays, index))

    def _place_values(self) -> None:
        """An array for each value that the program makes, and for its variables."""
        plan = self.translation
        for step in plan.steps:
            if isinstance(step, Translation):
                for port in step.outputs:
                    self.place(port.tensor, np.zeros(port.shape, port.dtype))
            elif isinstance(step, HostStep):
                for tensor in step.op.outputs:
                    if tensor is not None:
                        self.place(tensor.id, np.zeros(tensor.shape, tensor.dtype))
        for state in plan.states:
            for port in (state.input, state.output):
                self.place(port.name, np.zeros(port.shape, port.dtype))

    # Binding.

    def place(self, name: str, array: np.ndarray) -> None:
        """Keep the value of that name in a C-contiguous array."""
        if self._arrays.get(name) is array:
            return
        self._arrays[name] = array
        for arrays, index in self._hosts.get(name, ()):
            arrays[index] = array
        engines = self._engines.get(name)
        if engines is not None:
            address = array.__array_interface__["data"][0]
            for bind, port in engines:
                bind(port, address)

    def bind_input(self, port: Port, address: int) -> None:
        self._bind(port, address)

    def bind_output(self, port: Port, address: int) -> None:
        self._bind(port, address)

    def _bind(self, port: Port, address: int) -> None:
        """Keep a value in memory that the caller keeps alive."""
        for bind, inner in self._engines.get(port.name, ()):
            bind(inner, address)
        hosts = self._hosts.get(port.name)
        if hosts is None:
            self._arrays.pop(port.name, None)
            return
        array = _array_at(address, port)
        self._arrays[port.name] = array
        for arrays, index in hosts:
            arrays[index] = array

    # Running.

    def run_plain(self) -> None:
        """Run what is bound.  Raises popart_runtime_error."""
        for step in self._steps:
            step.run_plain()

    def run(self, generator: Optional[np.random.Generator]) -> None:
        """Draw, run, act on watched values step by step; then keep the new values of variables."""
        if self.is_plain:
            self.run_plain()
            return
        for step in self._steps:
            step.run(generator)
        for variable, value in self._states:
            np.copyto(variable, value)

    def write_state(self, tensor: str, array: np.ndarray) -> None:
        np.copyto(self._arrays[tensor], array)

    def read_state(self, tensor: str) -> np.ndarray:
        return self._arrays[tensor]


def _computed(translation: Optional[Translation]) -> Dict[str, np.ndarray]:
    """Values that depend on constants only, by tensor id."""
    if translation is None:
        return {}
    engine = Engine(translation, is_part=True)
    values = {port.tensor: np.zeros(port.shape, port.dtype) for port in translation.outputs}
    for port in translation.outputs:
        engine.bind_output(port, values[port.tensor].ctypes.data)
    engine.run_plain()
    return values


def _array_at(address: int, port: Port) -> np.ndarray:
    memory: Any = (ctypes.c_char * (port.size * port.dtype.itemsize)).from_address(address)
    return np.ndarray(port.shape, port.dtype, memory)
