"""Executables: a program in a PopART session, run with numpy arrays, saved and loaded."""

import os
import re
import tempfile
import threading
import weakref
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from . import cache, container, folders
from .binding import RECORDERS, Binding, Runner, Shapes
from .container import Content, FileContent
from .custom import find_kernel
from .device import Device, open_device, recording, translate
from .errors import BadFile, InvalidParameter, UnsupportedType
from .graph import Graph, Storage
from .memory import release_pages
from .optimizers import Optimizer
from .parallel import ParallelRunner
from .passes.known import as_fed, known_outputs, with_constants
from .passes.precision import convert
from .program import KIND, Port, Program, from_file, make_program, to_file, variable_sections
from .trainer import Trainer
from .types import ValueType, product

_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a header raises that this package did not write."""

SMALL = 1 << 14
"""Where no input and output has more bytes than this, copying all costs less than binding them."""


class Settings(NamedTuple):
    """How a graph is compiled: see ``Computation.compile``."""

    device: Union[str, Device, None] = None
    precision: str = "fp32"
    num_ipus: int = 1
    batches_per_step: int = 1
    cache: Optional[str] = None
    optimizer: Optional[Optimizer] = None


def compile_graph(graph: Graph, settings: Settings) -> "Executable":
    """Lower ``graph`` (shapes known) and load it, or take what the cache has of it."""
    device = open_device(settings.device, settings.num_ipus)
    if settings.cache is None:
        return _compile(graph, device, settings)
    path = cache.path(settings.cache, graph, device, settings)
    kept: Optional[Executable] = cache.load(
        path, lambda: Executable.of_file(path, device, graph, settings.cache)
    )
    if kept is None:
        kept = _compile(graph, device, settings)
        cache.store(path, *kept.content())
    return kept


def _compile(graph: Graph, device: Device, settings: Settings) -> "Executable":
    """Raises InvalidParameter when an op's result still has an open shape."""
    for node in graph.used_nodes():
        for result in node.outputs:
            capacity = node.capacity() if result is node.outputs[0] else None
            kind = result.type if capacity is None else capacity.type(result.type)
            if not kind.is_static:
                raise node.error(
                    f"the result is {result.type}, whose shape is open; accepted: shapes that "
                    "arguments and parameters fix"
                )
    known = known_outputs(graph)
    if known:
        fed, feeds = as_fed(graph, known)
        with compile_graph(fed, Settings(device.kind, settings.precision)) as once:
            graph = with_constants(graph, once.run(feeds))
    folder = folders.make()
    try:
        weights = os.path.join(folder, "weights")
        program = make_program(
            graph,
            settings.precision,
            device,
            settings.batches_per_step,
            weights,
            settings.optimizer,
        )
        release_pages(one.data for one in graph.constants() if one.data is not None)
        return Executable(program, device, folder, cache=settings.cache)
    except BaseException:
        folders.remove(folder)
        raise


class Executable:
    """A computation compiled for one device.

    ``arguments`` and ``outputs`` give names and types, ``feeds`` and ``fetches`` the same in
    order.  Safe to use from many threads: runs on one device take turns, but on the simulator those
    of one executable go side by side where that is sooner done.  The device stays attached until
    ``close`` or the end of the object's life.
    """

    def __init__(
        self,
        program: Program,
        device: Device,
        folder: str = "",
        popef: str = "",
        cache: Optional[str] = None,
    ):
        """``folder`` is removed at the end; ``cache`` is where PopART keeps what it compiles."""
        self.device = device.kind
        self.precision = program.precision
        self.num_ipus = program.num_ipus
        self.batches_per_step = program.batches
        self.runner = _runner(program, device)
        self._program = program
        self._device = device
        self._file = ""
        self._stamp: Optional[container.Stamp] = None
        self.feeds = [Feed(port, program.batches) for port in program.arguments]
        self.variable_feeds = [Feed(port, program.batches, True) for port in program.variables]
        self.fetches = [Fetch(port, program.batches) for port in program.outputs]
        if program.batches > 1:
            self._refuse_counts()
        self._names = frozenset(feed.name for feed in self.feeds)
        self._places = {feed.name: place for place, feed in enumerate(self.feeds)}
        self._computes = any(fetch.tensor for fetch in self.fetches)
        if self._computes:
            device.acquire()
            device.usage.load(program.size)
        # Not a method: a reference to self would keep it alive for ever.
        size = program.size if self._computes else 0
        self._finalizer = weakref.finalize(
            self, _release, self.runner, device, self._computes, size, folder
        )
        if self._computes:
            with device.lock, _translated(device, f"compiling '{program.name}'"):
                self.runner.open(self._load(popef, cache))
        self._of_thread = threading.local()
        self._staged = _Staged(self) if _is_small([*self.feeds, *self.fetches]) else None

    def _load(self, popef: str, cache: Optional[str]) -> Any:
        popart = self._device.popart
        options = popart.SessionOptions()
        if self.num_ipus > 1:
            options.virtualGraphMode = popart.VirtualGraphMode.Auto
        if cache is not None and self._device.can_export:
            options.enableEngineCaching, options.cachePath = True, cache
        for recorder in RECORDERS:
            if recorder.kind == self.device and recorder.reports:
                name = re.sub(r"\W", "_", self._program.name)
                folder = os.path.join(recorder.reports, name)
                options.engineOptions = recording.report_options(self.device, folder)
        anchors = {
            tensor: popart.AnchorReturnType("All" if fetch.dims else "Final")
            for fetch in self.fetches
            for tensor in fetch.tensors
        }
        given = {
            "fnModel": self._program.model,
            "dataFlow": popart.DataFlow(self.batches_per_step, anchors),
            "deviceInfo": self._device.info,
            "userOptions": options,
        }
        training = self._program.training
        if training is None:
            session = popart.InferenceSession(**given)
        else:
            optimizer = training.optimizer.made(popart)
            session = popart.TrainingSession(loss=training.loss, optimizer=optimizer, **given)
        if popef:
            session.loadExecutable(popef)
        session.prepareDevice()
        return session

    def _refuse_counts(self) -> None:
        for fetch in self.fetches:
            if fetch.counter:
                raise InvalidParameter(
                    f"batches_per_step is {self.batches_per_step}, but data decide the size of "
                    f"output '{fetch.name}'; accepted: 1"
                )

    @property
    def arguments(self) -> Dict[str, ValueType]:
        """Names and types of the inputs of a run, in order."""
        return {feed.name: feed.type for feed in self.feeds}

    @property
    def outputs(self) -> Dict[str, ValueType]:
        """Names and types of the results of a run, in order.

        Where data decide the size of one, its type has room for all of it; what ``run`` returns
        has the size that it turned out to have.
        """
        return {fetch.name: fetch.type for fetch in self.fetches}

    @property
    def variables(self) -> Dict[str, np.ndarray]:
        """What the variables hold, by name: arrays that are read at each run and may be written.

        A program that trains sees what is written into arrays that were taken after its last run.
        """
        return {name: value.array for name, value in self.values.items()}

    @property
    def values(self) -> Dict[str, Storage]:
        """Where the variables' numbers are, by name."""
        return self._program.values

    @property
    def optimizer(self) -> Optional[Optimizer]:
        """What changes the variables at each run; None for a program that does not train.

        Can be replaced by one of the same kind, whose numbers count from the next run on; what it
        keeps from step to step, such as momentum, stays.  Raises InvalidParameter for another
        kind, and for a momentum that was zero when the program was compiled.
        """
        return self.runner.optimizer if isinstance(self.runner, Trainer) else None

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer) -> None:
        if not isinstance(self.runner, Trainer):
            raise InvalidParameter(
                f"'{self._program.name}' does not train; compile it with optimizer="
            )
        self.runner.replace(optimizer)

    def run(
        self, inputs: Optional[Mapping[str, Any]] = None, **named: Any
    ) -> Dict[str, np.ndarray]:
        """Run once; inputs by keyword, or in one dict for names that are no identifiers.

        Arrays must have the declared shape and type; any byte order and memory layout will do.
        Returns new arrays by output name.  Raises InvalidParameter for names and shapes,
        UnsupportedType for types, and the device's errors.
        """
        results = self.results(self.accepted(merged_inputs(inputs, named)))
        return {fetch.name: array for fetch, array in zip(self.fetches, results)}

    def accepted(self, given: Mapping[str, Any]) -> List[np.ndarray]:
        """Inputs of ``run`` as ``run_into`` takes them, in order; raises as ``run`` does."""
        if given.keys() != self._names:
            self._check_names(given)
        return [feed.accept(given[feed.name]) for feed in self.feeds]

    def results(self, inputs: Sequence[np.ndarray]) -> List[np.ndarray]:
        """New arrays for inputs that are as ``run_into`` takes them, which is not checked."""
        results = [np.empty(fetch.dims, fetch.dtype) for fetch in self.fetches]
        shapes = self._run(inputs, results)
        for place, shape in (shapes or {}).items():
            results[place] = results[place].reshape(-1)[: product(shape)].reshape(shape).copy()
        return results

    def run_into(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> Optional[Shapes]:
        """Run once, reading and writing arrays of the caller, in the order of the declarations.

        They have the declared shapes and types, native and C-contiguous; None for an output that
        is not wanted.  An output may be an input, but must not overlap one in part.  Returns the
        shapes by place of outputs whose size data decide, None without such; these hold their
        elements from the first one on.  Raises InvalidParameter for other arrays, and the device's
        errors.
        """
        self._check(inputs, outputs)
        return self._run(inputs, outputs)

    def bind(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> Binding:
        """As ``run_into``, for many runs on the same arrays: ``bind(...).run()``."""
        self._check(inputs, outputs)
        binding = Binding(self, inputs, outputs)
        binding.owner = self
        return binding

    def _run(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> Optional[Shapes]:
        if self._staged is None:
            return Binding(self, inputs, outputs).run()
        if self.runner.side_by_side:
            return self._staged_by_thread().run(inputs, outputs)
        with self.runner.lock:
            return self._staged.run(inputs, outputs)

    def _staged_by_thread(self) -> "_Staged":
        staged: Optional[_Staged] = getattr(self._of_thread, "staged", None)
        if staged is None:
            staged = self._of_thread.staged = _Staged(self)
        return staged

    def _check(self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]) -> None:
        self.check_inputs(inputs)
        if len(outputs) != len(self.fetches):
            raise InvalidParameter(
                f"'{self._program.name}': {len(outputs)} outputs; accepted: {len(self.fetches)}"
            )
        for fetch, target in zip(self.fetches, outputs):
            if target is not None and (
                target.__class__ is not np.ndarray
                or target.shape != fetch.dims
                or target.dtype != fetch.dtype
                or not target.flags.c_contiguous
                or not target.flags.writeable
            ):
                raise _unfit("output", fetch, target)

    def check_inputs(self, inputs: Sequence[np.ndarray]) -> None:
        """Raises InvalidParameter for inputs that ``run_into`` does not take."""
        if len(inputs) != len(self.feeds):
            raise InvalidParameter(
                f"'{self._program.name}': {len(inputs)} inputs; accepted: {len(self.feeds)}"
            )
        for feed, array in zip(self.feeds, inputs):
            if (
                array.__class__ is not np.ndarray
                or array.shape != feed.dims
                or array.dtype != feed.dtype
                or not array.flags.c_contiguous
            ):
                raise _unfit("input", feed, array)

    def known(self, fetch: "Fetch", inputs: Sequence[np.ndarray]) -> np.ndarray:
        """An output that is not computed: the input or variable that it equals, or a constant."""
        if not fetch.source:
            return fetch.repeated(self._program.constants[fetch.name])
        if fetch.source in self._places:
            return inputs[self._places[fetch.source]]
        return self._program.values[fetch.source].fetch()

    def _check_names(self, given: Mapping[str, Any]) -> None:
        expected = ", ".join(f"{feed.name}: {feed.type}" for feed in self.feeds)
        unknown = sorted(set(given) - self._names, key=str)
        missing = [feed.name for feed in self.feeds if feed.name not in given]
        problems = []
        if unknown:
            problems.append(f"unknown input {', '.join(map(repr, unknown))}")
        if missing:
            problems.append(f"missing input {', '.join(map(repr, missing))}")
        raise InvalidParameter(
            f"'{self._program.name}': {'; '.join(problems)}; it takes {expected or 'no inputs'}"
        )

    def close(self) -> None:
        """Free the session and give the device back; running afterwards is an error."""
        self._finalizer()

    def __enter__(self) -> "Executable":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    # Files.

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write an executable file (``.odla``) that :meth:`load` runs without compiling ops.

        For an IPU it carries PopART's exported executable too.  One that was loaded is copied.
        Raises InvalidParameter when closed, FileMissing without the folder of ``path``, BadFile
        when the file it was loaded from has changed, OdlaError for what cannot be written.
        """
        path = os.fsdecode(path)
        if not self._finalizer.alive:
            raise self.runner.closed()
        if self._stamp and not self.values:
            container.copy(self._file, self._stamp, path)
            return
        with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
            container.write(path, *(self._reloaded() if self._stamp else self._exported(folder)))

    def to_bytes(self) -> bytes:
        """What :meth:`save` would write."""
        with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
            path = os.path.join(folder, "executable.odla")
            self.save(path)
            with open(path, "rb") as file:
                return file.read()

    def content(self) -> Tuple[Dict[str, Any], Dict[str, Content]]:
        """Header and sections of an executable file, without what PopART compiled."""
        return to_file(self._program, self.device, self._device.popart.versionString())

    def _exported(self, folder: str) -> Tuple[Dict[str, Any], Dict[str, Content]]:
        """The same with what PopART exports, which is put into ``folder``."""
        header, sections = self.content()
        if self.runner.session is not None and self._device.can_export:
            exported = os.path.join(folder, "executable.popef")
            with self.runner.lock, _translated(self._device, f"exporting '{self._program.name}'"):
                self.runner.session.compileAndExport(exported)
            sections["popef"] = FileContent(exported)
        return header, sections

    def _reloaded(self) -> Tuple[Dict[str, Any], Dict[str, Content]]:
        """The content of the file that it was loaded from, with what the variables hold now."""
        if container.stamp(self._file) != self._stamp:
            raise BadFile(f"{self._file} has changed since it was loaded; load it again")
        header, places = container.read(self._file, KIND)
        sections: Dict[str, Content] = {
            name: FileContent(self._file, *place) for name, place in places.items()
        }
        sections.update(variable_sections(self.values))
        return header, sections

    @classmethod
    def load(
        cls, path: Union[str, "os.PathLike[str]"], device: Union[str, Device, None] = None
    ) -> "Executable":
        """Load an executable file on ``device`` (as for ``compile``).

        Raises FileMissing, or BadFile for a truncated, tampered, newer or foreign file.
        """
        return cls._load_file(os.path.abspath(os.fsdecode(path)), device)

    @classmethod
    def from_bytes(cls, data: bytes, device: Union[str, Device, None] = None) -> "Executable":
        """As :meth:`load`, of the bytes of a file."""
        data = bytes(data)
        container.read(data, KIND)
        folder = folders.make()
        try:
            path = os.path.join(folder, "executable.odla")
            with open(path, "wb") as file:
                file.write(data)
            return cls._load_file(path, device, folder)
        except BaseException:
            folders.remove(folder)
            raise

    @classmethod
    def _load_file(cls, path: str, device: Union[str, Device, None], own: str = "") -> "Executable":
        """``own`` is a folder to remove when the executable is closed."""
        stamp = container.stamp(path)
        header, sections = container.read(path, KIND)
        try:
            num_ipus = int(header["num_ipus"])
            program = from_file(path, header, sections)
            target = (header["target"], header["engine"])
        except _WRONG as error:
            raise container.malformed(path, error) from None
        opened = open_device(device, num_ipus)
        for name in program.kernels:
            opened.provide(find_kernel(name))
        with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
            popef = ""
            if "popef" in sections and target == (opened.kind, opened.popart.versionString()):
                popef = os.path.join(folder, "executable.popef")
                with open(popef, "wb") as file:
                    file.write(container.content(path, sections["popef"]))
            executable = cls(program, opened, own, popef)
        executable._file, executable._stamp = path, stamp
        return executable

    @classmethod
    def of_file(cls, path: str, device: Device, graph: Graph, cache: Optional[str]) -> "Executable":
        """The executable of ``graph`` from a file of the cache; it has the graph's variables."""
        stamp = container.stamp(path)
        header, sections = container.read(path, KIND)
        try:
            program = from_file(path, header, sections)
        except _WRONG as error:
            raise container.malformed(path, error) from None
        for name in program.kernels:
            device.provide(find_kernel(name))
        values = {variable.id: variable.storage for variable in graph.variables}
        executable = cls(program._replace(values=values), device, cache=cache)
        executable._file, executable._stamp = path, stamp
        return executable


def merged_inputs(
    inputs: Optional[Mapping[str, Any]], named: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The two ways to pass inputs as one dict; raises InvalidParameter for anything else."""
    if inputs is None:
        return named
    if not isinstance(inputs, Mapping):
        raise InvalidParameter(
            f"inputs is of type {type(inputs).__name__}; accepted: arrays by keyword (x=array), "
            "or one dict of names and arrays"
        )
    return {**inputs, **named}


class _Staged:
    """A program's own small arrays, bound once; the caller's are copied to and from them."""

    def __init__(self, executable: Executable):
        self._inputs = [np.zeros(feed.dims, feed.dtype) for feed in executable.feeds]
        self._outputs = [np.zeros(fetch.dims, fetch.dtype) for fetch in executable.fetches]
        self._binding = Binding(executable, self._inputs, self._outputs)

    def run(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[Optional[np.ndarray]]
    ) -> Optional[Shapes]:
        for mine, given in zip(self._inputs, inputs):
            np.copyto(mine, given)
        shapes = self._binding.run()
        for mine, target in zip(self._outputs, outputs):
            if target is not None:
                np.copyto(target, mine)
        return shapes


def _is_small(ports: "Sequence[Union[Feed, Fetch]]") -> bool:
    return all(port.dtype.itemsize * product(port.dims) <= SMALL for port in ports)


def _unfit(kind: str, port: "Union[Feed, Fetch]", given: Any) -> InvalidParameter:
    found = f"of type {type(given).__name__}"
    if isinstance(given, np.ndarray):
        found = f"{given.dtype}{list(given.shape)}"
        if not given.flags.c_contiguous:
            found += ", not C-contiguous"
        elif not given.flags.writeable:
            found += ", read-only"
    return InvalidParameter(
        f"{kind} '{port.name}' is {found}; accepted: a C-contiguous array of {port.type}"
    )


class Fetch:
    """One output at the door; without a ``tensor`` it is an argument or a constant.

    With a ``counter``, ``dims`` have room for all, and that says how many are there along ``axis``.
    """

    def __init__(self, port: Port, batches: int):
        self.name = port.name
        self.type = _of_step(port.type, batches)
        self.tensor = port.tensor
        self.tensors = [one for one in (port.tensor, port.counter) if one]
        self.counter = port.counter
        self.axis = port.axis
        self.source = port.source
        self.dims = self.type.dims
        self.dtype = port.type.element_type.dtype
        self.device_dtype = port.device_type.dtype
        self.converts = self.device_dtype != self.dtype
        self._batches = batches

    def repeated(self, batch: np.ndarray) -> np.ndarray:
        """The array of a step for what is the same in every batch."""
        return batch if batch.shape == self.dims else np.concatenate([batch] * self._batches)


def _of_step(kind: ValueType, batches: int) -> ValueType:
    """The type of an array for all batches of a step: they follow each other in dimension 0."""
    if not kind.shape:
        return kind
    return ValueType(kind.element_type, (batches * kind.dims[0], *kind.dims[1:]))


class Feed:
    """One argument at the door: what arrives is checked and converted for the device."""

    def __init__(self, port: Port, batches: int, is_variable: bool = False):
        self.name = port.name
        self.type = port.type if is_variable else _of_step(port.type, batches)
        self.tensor = port.tensor
        self.dims = self.type.dims
        self.dtype = port.type.element_type.dtype
        self.device_type = port.device_type
        converts = port.device_type is not port.type.element_type
        repeats = batches > 1 and (is_variable or not self.dims)
        self.staged: Optional[Tuple[int, ...]] = None
        """The shape of what is fed, where it is not the array itself."""
        if self.tensor and (converts or repeats):
            self.staged = (batches, *self.dims) if repeats else self.dims

    def accept(self, given: Any) -> np.ndarray:
        """``given`` as an array of the declared type; itself when nothing has to change."""
        array = given
        if (
            type(array) is not np.ndarray
            or array.dtype != self.dtype
            or not array.flags.c_contiguous
        ):
            array = self._as_array(given)
        if array.shape != self.dims:
            raise InvalidParameter(
                f"input '{self.name}' has the shape {list(array.shape)}; "
                f"accepted: {list(self.dims)}"
            )
        return array

    def converted(self, array: np.ndarray) -> np.ndarray:
        """``array`` in the device's type; raises InvalidParameter for integers out of range."""
        return convert(array, self.device_type, f"input '{self.name}'")

    def _as_array(self, given: Any) -> np.ndarray:
        if not isinstance(given, (np.ndarray, np.generic)):
            given = self._from_numbers(given)
        array = np.asarray(given)
        if array.dtype.newbyteorder("=") != self.dtype:
            raise UnsupportedType(f"{self._wanted()}, not {array.dtype}; use .astype to convert it")
        # ascontiguousarray makes rank 0 rank 1, so the shape is restored.
        return np.ascontiguousarray(array, self.dtype).reshape(array.shape)

    def _from_numbers(self, given: Any) -> np.ndarray:
        """An array of plain numbers, whose type is but numpy's guess."""
        try:
            array = np.asarray(given)
        except (TypeError, ValueError):
            raise UnsupportedType(f"{self._wanted()}, not {type(given).__name__}") from None
        kind = self.type.element_type
        if array.dtype.kind in _NUMBERS["f" if kind.is_float else self.dtype.kind]:
            return convert(array, kind, f"input '{self.name}'")
        return array

    def _wanted(self) -> str:
        return f"input '{self.name}' takes {self.type}"


_NUMBERS = {"b": "b", "i": "biu", "u": "biu", "f": "biuf"}
"""Kinds of numpy types whose plain numbers become those of a kind, if they fit."""


def _runner(program: Program, device: Device) -> Runner:
    if program.training is not None:
        return Trainer(program, device)
    if program.values:
        # They may be written while the device is not locked.
        return Runner(program.name, program.ops, device)
    return ParallelRunner(program, device)


class _translated:
    """Turns what PopART raises inside into odla_ipu's errors."""

    def __init__(self, device: Device, where: str):
        self.device, self.where = device, where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception):
            raise translate(error, self.where) from error


def _release(runner: Runner, device: Device, attached: bool, size: int, folder: str) -> None:
    runner.close()
    if attached:
        device.usage.load(-size)
        device.release()
    if folder:
        folders.remove(folder)
