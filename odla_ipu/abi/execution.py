"""Runs: what is bound in a context, as arrays of an executable."""

import itertools
import os
import threading
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from odla_ipu.computation import Computation
from odla_ipu.errors import FileMissing, InvalidParameter
from odla_ipu.graph import rewrite
from odla_ipu.types import ElementType, Shape, ValueType, element_type, product

from . import locations
from ._bridge import ffi
from .devices import DeviceHandle
from .objects import OBJECTS
from .programs import Program

_TRAINING = 2


class _Run:
    """A run as it was prepared for a stamp of its context: the arrays are on the caller's memory.

    ``step`` gives the true shapes of outputs by their place, or None.
    """

    __slots__ = ("found", "program", "runner", "shapes", "stamp", "step", "unbound")

    def __init__(self, job: Any):
        self.program = job.program
        self.stamp = job.stamp
        program = OBJECTS.get(job.program, Program, "computation")
        device = OBJECTS.get(job.device, DeviceHandle, "device") if job.device else None
        constants = OBJECTS.get(job.constants, Constants, "constants") if job.constants else None
        shapes = locations.read_shapes(job.shapes, job.num_inputs)
        trains = job.mode == _TRAINING
        executable = program.executable(job.batch, shapes, device, constants, trains)
        ports = len(executable.arguments), len(executable.outputs)
        if ports != (job.num_inputs, job.num_outputs):
            raise InvalidParameter(
                "the computation got more arguments or outputs after the run was asked for; run it "
                "again"
            )
        self.unbound: Dict[int, np.ndarray] = {}
        """Outputs that nobody bound, by their place."""
        self.found: Dict[int, Tuple[int, ...]] = {}
        """True shapes of outputs in the last run, by their place, where data decide them."""
        self.shapes: List[Shape] = [fetch.type.shape for fetch in executable.fetches]
        self.runner = getattr(executable, "runner", None)
        self.step: Callable[[], Any] = (
            self._fixed(job, executable)
            if self.runner is not None
            else self._dynamic(job, executable, program.types_at(job.batch, shapes)[0])
        )

    def _fixed(self, job: Any, executable: Any) -> Callable[[], Any]:
        """A run of one program, which reads and writes in place where it can."""
        before: List[Tuple[np.ndarray, np.ndarray]] = []
        after: List[Tuple[np.ndarray, np.ndarray]] = []
        counted: List[Tuple[int, np.ndarray, Any]] = []
        inputs = [
            _input(job, place, feed.name, feed.dims, feed.type.element_type, before)
            for place, feed in enumerate(executable.feeds)
        ]
        outputs = []
        for place, fetch in enumerate(executable.fetches):
            pointer, kind = job.outputs[place], fetch.type.element_type
            _check_room(fetch.name, job.output_bytes[place], fetch.dims, kind)
            if pointer == ffi.NULL:
                array = self.unbound[place] = np.zeros(fetch.dims, kind.dtype)
            elif fetch.counter:
                # Of what data decide the size of, only what there is is written.
                array = np.empty(fetch.dims, kind.dtype)
                counted.append((place, array, pointer))
            else:
                array = locations.view(pointer, fetch.dims, kind)
                if not array.flags.aligned:
                    after.append((array, np.empty(fetch.dims, kind.dtype)))
                    array = after[-1][1]
            outputs.append(array)
        binding = executable.bind(inputs, outputs)
        if not (before or after or counted):
            return binding.run

        def step() -> Any:
            _stage(before)
            shapes = binding.run()
            for target, staged in after:
                np.copyto(target, staged)
            for place, array, pointer in counted:
                _move(pointer, array, (shapes or {}).get(place, array.shape))
            return shapes

        return step

    def _dynamic(self, job: Any, executable: Any, kinds: List[ValueType]) -> Callable[[], Any]:
        """A run in rounds, with inputs of ``kinds``: it tells the outputs' sizes in the end."""
        before: List[Tuple[np.ndarray, np.ndarray]] = []
        names = list(executable.arguments)
        inputs = {
            name: _input(job, place, name, kind.dims, kind.element_type, before)
            for place, (name, kind) in enumerate(zip(names, kinds))
        }
        pointers = [job.outputs[place] for place in range(job.num_outputs)]
        room = [job.output_bytes[place] for place in range(job.num_outputs)]

        def step() -> Dict[int, Tuple[int, ...]]:
            _stage(before)
            found: Dict[int, Tuple[int, ...]] = {}
            for place, (name, array) in enumerate(executable.run(inputs).items()):
                found[place] = array.shape
                _check_room(name, room[place], array.shape, element_type(array.dtype))
                if pointers[place] == ffi.NULL:
                    self.unbound[place] = array
                else:
                    _move(pointers[place], array, array.shape)
            return found

        return step


def _check_room(name: str, bytes: int, dims: Any, kind: ElementType) -> None:
    """Raise InvalidParameter for a value in place of memory that is too small."""
    needed = product(dims) * kind.dtype.itemsize
    if 0 <= bytes < needed:
        raise InvalidParameter(
            f"the value that is bound to '{name}' has {bytes} bytes; {needed} are needed"
        )


def _input(
    job: Any,
    place: int,
    name: str,
    dims: Any,
    kind: ElementType,
    before: List[Tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """The array of an input; ``before`` gets what is to be copied at each run."""
    pointer = job.inputs[place]
    _check_room(name, job.input_bytes[place], dims, kind)
    if pointer == ffi.NULL and 0 not in dims:
        raise InvalidParameter(f"NULL is bound to the argument '{name}'")
    if kind is ElementType.BOOL:
        # Only 0 and 1 are BOOL, and C may have other bytes.
        source = locations.view(pointer, dims, ElementType.UINT8)
    else:
        source = locations.view(pointer, dims, kind)
        if source.flags.aligned:
            return source
    staged = np.empty(dims, kind.dtype)
    before.append((staged, source))
    return staged


def _stage(before: List[Tuple[np.ndarray, np.ndarray]]) -> None:
    """Copy what cannot be read in place; bytes become BOOL."""
    for staged, source in before:
        np.copyto(staged, source != 0 if staged.dtype == bool else source)


def _move(pointer: Any, array: np.ndarray, shape: Any) -> None:
    """The elements that there are, packed from the first on."""
    count = product(shape) * array.itemsize
    if count:
        data = array.reshape(-1).view(np.uint8)[:count] if array.ndim else array
        ffi.memmove(ffi.cast("char*", pointer), np.ascontiguousarray(data), count)


_runs: Dict[int, _Run] = {}
"""What was prepared last for each context, by its number."""


def run(job: Any) -> bool:
    """Run a job; ``output_shapes`` get the true shapes.  Raises OdlaError.

    Returns whether runs of many threads are done sooner when they do not wait for each other.
    """
    prepared = _runs.get(job.context)
    if prepared is None or prepared.stamp != job.stamp or prepared.program != job.program:
        prepared = _runs[job.context] = _Run(job)
    shapes = prepared.step()
    prepared.found = shapes or {}
    if shapes:
        for place in range(job.num_outputs):
            shape = shapes.get(place, prepared.shapes[place])
            locations.write_shape(job.output_shapes[place], shape)
    return prepared.runner is not None and prepared.runner.side_by_side


def release(context: int) -> None:
    """The context is destroyed."""
    _runs.pop(context, None)


def forget(program: int) -> None:
    """The program is released, or its device: its memory goes though contexts live on."""
    for context, prepared in list(_runs.items()):
        if prepared.program == program:
            _runs.pop(context, None)


def unbound_output(context: int, place: int) -> np.ndarray:
    """What the last run of a context gave for an output that nobody bound."""
    prepared = _runs.get(context)
    if prepared is None or place not in prepared.unbound:
        raise InvalidParameter("the context has not run, or the output is bound to memory")
    array = prepared.unbound[place]
    # Of what data decide the size of, the elements that there are come first.
    shape: Any = prepared.found.get(place, array.shape)
    count = product(shape)
    return np.ascontiguousarray(array.reshape(-1)[:count])


# Constants apart from their computation.


class Constants:
    """Constants by id, which replace those of a computation; stored as an ``.npz`` file."""

    _stamps = itertools.count(1)

    def __init__(self) -> None:
        self._arrays: Dict[str, np.ndarray] = {}
        self._lock = threading.Lock()
        self.stamp = next(self._stamps)
        """Changes whenever one of them does."""

    def set(self, name: str, array: np.ndarray) -> None:
        with self._lock:
            self._arrays[name] = array
            self.stamp = next(self._stamps)

    def store(self, path: str) -> None:
        """Write a file; raises FileMissing without its folder."""
        if not os.path.isdir(os.path.dirname(path) or "."):
            raise FileMissing(f"{path}: there is no such folder")
        with open(path, "wb") as file:
            np.savez(file, **self._arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str) -> "Constants":
        """Read a file; raises FileMissing, or InvalidParameter for what is no such file."""
        if not os.path.isfile(path):
            raise FileMissing(f"{path}: no such file")
        constants = cls()
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            for array in arrays.values():
                element_type(array.dtype)
        except Exception as error:
            raise InvalidParameter(f"{path} is no .npz file of numbers: {error}") from None
        constants._arrays.update(arrays)
        return constants

    def applied(self, computation: Computation) -> Computation:
        """The computation with its constants of these ids replaced.

        Raises InvalidParameter for another type or shape, or an id that it has not.
        """
        found = {value.id: value for value in computation.graph.constants()}
        for name, array in self._arrays.items():
            value = found.get(name)
            if value is None:
                raise InvalidParameter(
                    f"the computation has no constant '{name}'; it has "
                    f"{', '.join(sorted(found)) or 'none'}"
                )
            if (array.shape, array.dtype) != (value.dims, value.element_type.dtype):
                raise InvalidParameter(
                    f"constant '{name}' is {value.type}; it cannot be replaced by "
                    f"{array.dtype}{list(array.shape)}"
                )

        def replaced(value: Any) -> np.ndarray:
            return self._arrays.get(value.id, value.data)

        return Computation(graph=rewrite(computation.graph, constant=replaced))
