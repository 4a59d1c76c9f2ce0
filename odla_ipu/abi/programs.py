"""Programs of the library: computations, and executables that were loaded."""

import os
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from odla_ipu.computation import Computation
from odla_ipu.device import Device
from odla_ipu.errors import InvalidParameter
from odla_ipu.graph import Graph, Value
from odla_ipu.types import Shape, ValueType, format_shape, known

from . import predecessor
from .devices import DeviceHandle
from .items import Items
from .locations import Location

_MIN_SHAPE, _MAX_SHAPE, _OPT_SHAPE = 6, 7, 8

CACHED_PROGRAMS = 32
"""So many executables of a computation are kept, the ones used last."""


class _Key(NamedTuple):
    """What an executable of a computation was compiled for."""

    changes: int
    items: int
    nodes: int
    batch: int
    shapes: Tuple[Optional[Shape], ...]
    device: Optional[DeviceHandle]
    constants: Optional[int]
    trains: bool


class Program:
    """A computation with its options, and what it was compiled to for each set of shapes.

    ``loaded`` is an executable without a graph.  ``arguments`` and ``outputs`` are ids and values;
    what C names alike or not at all gets names of its own in the graph.
    """

    def __init__(
        self, computation: Computation, device: Optional[DeviceHandle], loaded: Any = None
    ):
        self.key = 0
        self.computation = computation
        computation.graph.origin = ""  # no line of Python makes its ops
        self.device = device
        self.loaded = loaded
        self.items = Items()
        self.config = predecessor.Config()
        self.value_keys: List[int] = []
        self.arguments: List[Tuple[str, Value]] = []
        self.outputs: List[Tuple[str, Value]] = []
        self._ranges: Dict[str, Dict[int, Shape]] = {}
        self._executables: Dict[_Key, Any] = {}
        self._lock = threading.Lock()
        self._changes = 0

    @property
    def graph(self) -> Graph:
        return self.computation.graph

    # Building.

    def changed(self) -> None:
        """What was compiled before is not this computation any more."""
        self._changes += 1

    def add_argument(self, name: str, kind: ValueType) -> Value:
        """A new argument; names that are taken get a number."""
        with self._lock:  # nothing is compiled meanwhile
            value = self.graph.root.add_input(name or "argument", kind)
            self.arguments.append((name, value))
            self.changed()
        return value

    def add_output(self, value: Value, name: str) -> None:
        """A further output; the same value or id may be several."""
        with self._lock:
            taken = {output.name for output in self.graph.outputs}
            unique = name = name or "output"
            number = 1
            while unique in taken:
                unique, number = f"{name}_{number}", number + 1
            self.graph.set_output(value, unique)
            self.outputs.append((name, value))
            self.changed()

    def set_range(self, value: Value, item: int, shape: Shape) -> None:
        """The least, largest or usual shape of an argument."""
        declared = value.shape
        if len(shape) != len(declared) or any(
            known(dim) and dim != size for dim, size in zip(declared, shape)
        ):
            raise InvalidParameter(
                f"the argument '{value.id}' is declared as {format_shape(declared)}; "
                f"{format_shape(shape)} does not fit"
            )
        self._ranges.setdefault(value.id, {})[item] = shape

    # Shapes.

    def shapes_at(
        self, batch: int, shapes: Optional[Sequence[Optional[Shape]]]
    ) -> Dict[str, Shape]:
        """The shapes that a run fixes, by the argument's name in the graph.

        Raises InvalidParameter for what is out of the declared ranges.
        """
        fixed: Dict[str, Shape] = {}
        if batch:
            self.items.check_batch(batch)
        for index, (_, value) in enumerate(self.arguments):
            given = shapes[index] if shapes else None
            if given is None and batch and value.rank and not known(value.shape[0]):
                given = (batch, *value.shape[1:])
            if given is not None and given != value.shape:
                self._check_range(value, given)
                fixed[value.id] = given
        return fixed

    def _usual(self) -> Tuple[int, Optional[List[Optional[Shape]]]]:
        """The batch and shapes to compile for before a run says which."""
        items = self.items
        shapes = [self._ranges.get(value.id, {}).get(_OPT_SHAPE) for _, value in self.arguments]
        return items.opt_batch or items.max_batch or 0, shapes if any(shapes) else None

    def _check_range(self, value: Value, shape: Shape) -> None:
        ranges = self._ranges.get(value.id, {})
        low, high = ranges.get(_MIN_SHAPE), ranges.get(_MAX_SHAPE)
        for axis, dim in enumerate(shape):
            least = low[axis] if low else 0
            most = high[axis] if high else dim
            if isinstance(dim, int) and not least <= dim <= most:  # type: ignore[operator]
                raise InvalidParameter(
                    f"the argument '{value.id}' has the shape {format_shape(shape)}; accepted: "
                    f"{format_shape(low or ())} to {format_shape(high or ())}"
                )

    def _batch_change(self, batch: int) -> Optional[int]:
        """A batch size for arguments whose declared one is known, where it is another."""
        firsts = [value.shape[0] for _, value in self.arguments if value.rank]
        if not batch or not firsts or not all(known(dim) for dim in firsts):
            return None
        return None if all(dim == batch for dim in firsts) else batch

    def types_at(
        self, batch: int, shapes: Optional[Sequence[Optional[Shape]]]
    ) -> Tuple[List[ValueType], List[ValueType]]:
        """Types of arguments and outputs in such a run, as far as they are known before it."""
        if self.loaded is not None:
            return (
                [value.type for _, value in self.arguments],
                [value.type for _, value in self.outputs],
            )
        graph = self._at(batch, shapes).graph
        return (
            [argument.type for argument in graph.arguments],
            [output.value.type for output in graph.outputs],
        )

    def _at(self, batch: int, shapes: Optional[Sequence[Optional[Shape]]]) -> Computation:
        from odla_ipu.passes.shapes import with_batch

        fixed: Dict[str, Any] = self.shapes_at(batch, shapes)
        computation = self.computation.specialise(fixed) if fixed else self.computation
        other = self._batch_change(batch)
        if other is not None:
            computation = Computation(graph=with_batch(computation.graph, other))
        return computation

    # Compiling.

    def compile(self, device: Optional[DeviceHandle]) -> None:
        """Compile for the shapes that are known; those that are open are compiled as they come."""
        if device is not None:
            self.device = device
        batch, shapes = self._usual()
        fixed = self.shapes_at(batch, shapes)
        shaped = [fixed.get(value.id, value.shape) for _, value in self.arguments]
        if all(known(dim) for shape in shaped for dim in shape):
            self.executable(batch, shapes, None, None)

    def executable(
        self,
        batch: int,
        shapes: Optional[Sequence[Optional[Shape]]],
        device: Optional[DeviceHandle],
        constants: Any,
        trains: bool = False,
    ) -> Any:
        """The executable for a run; compiled once for each device, shapes and constants."""
        device = device or self.device
        if self.loaded is not None:
            if trains != (self.loaded.optimizer is not None):
                made = "inference" if trains else "training"
                raise InvalidParameter(
                    f"the executable was compiled for {made}; compile the computation to run it in "
                    "another mode"
                )
            if constants is not None:
                raise InvalidParameter(
                    "the constants of a loaded executable are part of its program; compile the "
                    "computation to replace them"
                )
            self._check_loaded(batch, shapes)
            return self.loaded
        key = _Key(
            self._changes,
            self.items.version,
            len(self.graph.nodes),
            batch,
            tuple(shapes or ()),
            device,
            constants.stamp if constants else None,
            trains,
        )
        with self._lock:
            found = self._executables.pop(key, None)
            if found is None:
                found = self._compiled(self._at(batch, shapes), device, constants, trains)
            elif trains:
                found = self._retrained(found, batch, shapes, device, constants)
            self._executables[key] = found
            while len(self._executables) > CACHED_PROGRAMS:
                del self._executables[next(iter(self._executables))]
        return found

    def _retrained(
        self,
        executable: Any,
        batch: int,
        shapes: Optional[Sequence[Optional[Shape]]],
        device: Optional[DeviceHandle],
        constants: Any,
    ) -> Any:
        """The executable with the optimizer that the items say; another kind is compiled anew."""
        wanted = self.items.optimizer
        if executable.optimizer == wanted:
            return executable
        try:
            executable.optimizer = wanted
        except InvalidParameter:
            executable.close()
            return self._compiled(self._at(batch, shapes), device, constants, True)
        return executable

    def _check_loaded(self, batch: int, shapes: Optional[Sequence[Optional[Shape]]]) -> None:
        """Raise InvalidParameter for other shapes than those of the loaded program."""
        for index, (name, value) in enumerate(self.arguments):
            given = shapes[index] if shapes else None
            if given is None and batch and value.rank:
                given = (batch, *value.shape[1:])
            if given is not None and given != value.shape:
                raise InvalidParameter(
                    f"the executable was compiled for '{name}' of {format_shape(value.shape)}; "
                    f"{format_shape(given)} takes the computation"
                )

    def _compiled(
        self, computation: Computation, device: Optional[DeviceHandle], constants: Any, trains: bool
    ) -> Any:
        where = self._target(device)
        found = None if trains else predecessor.precompiled(self, where)
        if found is not None:
            return found
        if constants is not None:
            computation = constants.applied(computation)
        return self._compiled_on(computation, where, trains)

    def _compiled_on(self, computation: Computation, where: Device, trains: bool = False) -> Any:
        config = self.config
        num_ipus, batches = config.amounts(self.items, where.num_ipus)
        config.check_pipeline(computation)
        executable = config.replaced(computation).compile(
            where,
            self.items.precision,
            num_ipus=num_ipus,
            batches_per_step=batches,
            cache=self.items.cache(predecessor.cache_folder()),
            optimizer=self.items.optimizer if trains else None,
        )
        config.save(executable)
        return executable

    def compile_anew(self) -> Any:
        """An executable for the declared shapes, whatever was compiled or loaded before."""
        return self._compiled_on(self._at(0, None), self._target(self.device))

    def _target(self, handle: Optional[DeviceHandle]) -> Device:
        handle = handle or DeviceHandle.default()
        handle.used_by(self)
        return handle.device(self.items.sim_mode)

    def leave(self, handle: DeviceHandle) -> None:
        """A device is destroyed: what was compiled for it goes, and the default one is next."""
        from . import execution

        with self._lock:
            if self.device is handle:
                self.device = None
            gone = [key for key in self._executables if key.device is handle]
            closed = [self._executables.pop(key) for key in gone]
        execution.forget(self.key)
        for executable in closed:
            executable.close()

    def close(self) -> None:
        """Free the device's memory of all executables, and what contexts keep of them."""
        from . import execution

        execution.forget(self.key)
        for one in [*self._executables.values(), self.loaded]:
            if one is not None:
                one.close()

    # Storing.

    def store(self, location: Location, is_executable: bool) -> int:
        """Write the computation, or its executable for the declared shapes; gives the bytes.

        Raises OutOfMemory for memory that is too small, of which nothing is written then.
        """
        stored: Any = self.computation
        if is_executable:
            stored = self.loaded or self.executable(*self._usual(), None, None)
        path = location.path()
        if path is not None:
            stored.save(path)
            return os.path.getsize(path)
        data = stored.to_bytes()
        location.write(data)
        return len(data)

    @classmethod
    def load_executable(cls, location: Location, device: Optional[DeviceHandle]) -> "Program":
        """A program without a graph; raises FileMissing, or BadFile for what is no executable."""
        from odla_ipu.executable import Executable

        where = (device or DeviceHandle.default()).device()
        if location.path() is None:
            loaded = Executable.from_bytes(location.read(), where)
        else:
            with location.file() as path:
                loaded = Executable.load(path, where)
        graph = Graph("executable")
        program = cls(Computation(graph=graph), device, loaded)
        for name, kind in loaded.arguments.items():
            program.add_argument(name, kind)
        for name, kind in loaded.outputs.items():
            program.outputs.append((name, Value(graph, name, kind)))
        return program

    @classmethod
    def load_computation(cls, location: Location, device: Optional[DeviceHandle]) -> "Program":
        """A computation from a file of ``store``, or from an ONNX file."""
        from odla_ipu import load
        from odla_ipu.container import MAGIC

        with location.file() as path:
            with open(path, "rb") as file:
                is_own = file.read(len(MAGIC)) == MAGIC
            if not is_own:
                computation = load(path)
            elif location.path() is not None:
                computation = Computation.load(path)
            else:
                computation = Computation.from_bytes(location.read())
        program = cls(computation, device)
        graph = computation.graph
        program.arguments = [(argument.id, argument) for argument in graph.arguments]
        program.outputs = [(output.name, output.value) for output in graph.outputs]
        return program
