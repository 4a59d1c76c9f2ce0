"""Executables: a lowered computation in a PopART session, run with numpy arrays, saved and loaded.

A :class:`Program` is what an executable file holds: the ModelProto, its weights, and how names,
shapes and types of the user map to tensors of the device.
"""

import os
import shutil
import tempfile
import weakref
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np

from . import container
from .container import FileContent
from .device import Device, open_device, translate
from .errors import BadFile, InvalidParameter, UnsupportedType
from .graph import Capacity, Graph, Value
from .kernel import find_kernel
from .lowering import Lowering, lower
from .memory import release_pages
from .passes import device_type, prepare
from .passes.known import as_fed, known_outputs, with_constants
from .passes.precision import convert
from .types import ElementType, ValueType, element_type
from .version import VERSION

EXTERNAL_WEIGHTS = 1 << 20
"""From this many bytes of weights on, they travel in a file of their own beside the model."""

LARGE_WEIGHT = 1 << 16
"""Weights of fewer bytes stay in the model: each on pages of its own they would be slow to read."""


class Port(NamedTuple):
    """An argument or output: the user's name and type, and the device's.

    ``tensor`` is the id on the device; "" for an argument that the device does not read and for an
    output that it does not compute: then ``source`` is the name of the argument that it equals, or
    "" for a constant (kept in ``Program.constants`` under the output's name).

    Where data decide the size of an output, ``type`` has room for all of it, and ``counter`` is the
    tensor with the number of entries along ``axis`` that a run made.
    """

    name: str
    type: ValueType
    device_type: ElementType
    tensor: str
    source: str = ""
    counter: str = ""
    axis: int = 0


class Program(NamedTuple):
    name: str
    precision: str
    arguments: List[Port]
    outputs: List[Port]
    constants: Dict[str, np.ndarray]
    model: bytes
    weights: str
    """The file with the weights that the model refers to; "" when it carries them itself."""
    kernels: List[str]
    """The kernels that the model uses, by the names that callers use."""


def compile_graph(graph: Graph, device: Optional[str], precision: str) -> "Executable":
    """Lower ``graph`` and load it on the named device.

    Raises InvalidParameter when an op's result still has an open shape.
    """
    for node in graph.used_nodes():
        for result in node.outputs:
            capacity = _capacity(result)
            kind = result.type if capacity is None else capacity.type(result.type)
            if not kind.is_static:
                raise node.error(
                    f"the result is {result.type}, whose shape is open; accepted: shapes that "
                    "arguments and parameters fix"
                )
    known = known_outputs(graph)
    if known:
        fed, feeds = as_fed(graph, known)
        with compile_graph(fed, device, precision) as once:
            graph = with_constants(graph, once.run(feeds))
    opened = open_device(device)
    folder = tempfile.mkdtemp(prefix="odla_ipu-")
    try:
        program = _program(graph, precision, opened, os.path.join(folder, "weights"))
        release_pages(one.data for one in graph.constants() if one.data is not None)
        return Executable(program, opened, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _program(graph: Graph, precision: str, device: Device, weights: str) -> Program:
    prepared = prepare(graph, precision)
    lowered = lower(prepared, device.popart, provide=device.provide)
    sizes = lowered.initializers
    large = [tensor for tensor, size in sizes.items() if size >= LARGE_WEIGHT]
    external = sum(sizes[tensor] for tensor in large) >= EXTERNAL_WEIGHTS
    if external:
        lowered.builder.saveInitializersExternally(large, weights)
    return Program(
        name=graph.name,
        precision=precision,
        arguments=_arguments(graph, lowered, precision),
        outputs=_outputs(graph, prepared, lowered, precision),
        constants=_constants(graph, prepared),
        model=lowered.builder.getModelProto(),
        weights=weights if external else "",
        kernels=sorted(lowered.kernels),
    )


def _arguments(graph: Graph, lowered: Lowering, precision: str) -> List[Port]:
    return [
        Port(
            argument.id,
            argument.type,
            device_type(argument.element_type, precision),
            lowered.arguments.get(argument.id, ""),
        )
        for argument in graph.arguments
    ]


def _outputs(graph: Graph, prepared: Graph, lowered: Lowering, precision: str) -> List[Port]:
    arguments = {argument.id for argument in graph.arguments}
    ports = []
    for output, made in zip(graph.outputs, prepared.outputs):
        source = made.value.id if made.value.node is None and made.value.data is None else ""
        tensor, kind = lowered.outputs.get(output.name, ""), output.value.type
        capacity = _capacity(made.value)
        ports.append(
            Port(
                output.name,
                kind if capacity is None else capacity.type(kind),
                device_type(output.value.element_type, precision),
                tensor,
                source if source in arguments else "",
                lowered.counts.get(tensor, ""),
                0 if capacity is None else capacity.axis,
            )
        )
    return ports


def _capacity(value: Value) -> Optional[Capacity]:
    """How much room ``value`` has, if it is a result whose size data decide."""
    node = value.node
    return node.capacity() if node is not None and value is node.outputs[0] else None


def _constants(graph: Graph, prepared: Graph) -> Dict[str, np.ndarray]:
    """Outputs that are known before running: as the user wrote them, or as passes found them."""
    found = {}
    for output, made in zip(graph.outputs, prepared.outputs):
        data = output.value.data if output.value.data is not None else made.value.data
        if data is not None:
            found[output.name] = data
    return found


class Executable:
    """A computation compiled for one device.

    ``arguments`` and ``outputs`` give names and types.  Safe to use from many threads: runs on one
    device take turns.  The device stays attached until ``close`` or the end of the object's life.
    """

    def __init__(self, program: Program, device: Device, folder: str, popef: str = ""):
        self.device = device.kind
        self.precision = program.precision
        self._program = program
        self._device = device
        self._lock = device.lock
        self._session: Any = None
        self._file = ""
        self._stamp: Optional[container.Stamp] = None
        self._feeds = [_Feed(port) for port in program.arguments]
        self._names = frozenset(feed.name for feed in self._feeds)
        self._fetches = _fetches(program.outputs)
        if self._fetches:
            device.acquire()
        # Not a method: a reference to self would keep it alive for ever.
        self._finalizer = weakref.finalize(self, _release, device, bool(self._fetches), folder)
        if self._fetches:
            with self._lock, _translated(device, f"compiling '{program.name}'"):
                self._session = self._load(popef)

    def _load(self, popef: str) -> Any:
        popart = self._device.popart
        anchors = {fetch.tensor: popart.AnchorReturnType("All") for fetch in self._fetches}
        session = popart.InferenceSession(
            fnModel=self._program.model,
            dataFlow=popart.DataFlow(1, anchors),
            deviceInfo=self._device.info,
            userOptions=popart.SessionOptions(),
        )
        if popef:
            session.loadExecutable(popef)
        session.prepareDevice()
        return session

    @property
    def arguments(self) -> Dict[str, ValueType]:
        """Names and types of the inputs, in order."""
        return {port.name: port.type for port in self._program.arguments}

    @property
    def outputs(self) -> Dict[str, ValueType]:
        """Names and types of the results, in order.

        Where data decide the size of one, its type has room for all of it; what ``run`` returns
        has the size that it turned out to have.
        """
        return {port.name: port.type for port in self._program.outputs}

    def run(
        self, inputs: Optional[Mapping[str, Any]] = None, **named: Any
    ) -> Dict[str, np.ndarray]:
        """Run once; inputs by keyword, or in one dict for names that are no identifiers.

        Arrays must have the declared shape and type; any byte order and memory layout will do.
        Returns new arrays by output name.  Raises InvalidParameter for names and shapes,
        UnsupportedType for types, and the device's errors.
        """
        given = merged_inputs(inputs, named)
        if given.keys() != self._names:
            self._check_names(given)
        feeds = {}
        for feed in self._feeds:
            array = feed.accept(given[feed.name])
            if feed.tensor:
                feeds[feed.tensor] = array
        results = {
            fetch.tensor: np.empty(fetch.dims, fetch.device_dtype) for fetch in self._fetches
        }
        if self._fetches:
            self._run(feeds, results)
        return {port.name: self._result(port, given, results) for port in self._program.outputs}

    def _run(self, feeds: Dict[str, np.ndarray], results: Dict[str, np.ndarray]) -> None:
        step = self._device.popart.PyStepIO(feeds, results)
        with self._lock:
            session = self._session
            if session is None:
                raise self._closed()
            try:
                session.run(step)
            except Exception as error:
                raise translate(error, f"running '{self._program.name}'") from error

    def _result(
        self, port: Port, given: Mapping[str, Any], results: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        if port.tensor:
            array = results[port.tensor]
            if port.counter:
                array = _first(array, int(results[port.counter][0]), port.axis)
            dtype = port.type.element_type.dtype
            if array.dtype == dtype:
                return array
            with np.errstate(all="ignore"):
                return array.astype(dtype)
        source = given[port.source] if port.source else self._program.constants[port.name]
        return np.array(source, port.type.element_type.dtype)

    def _check_names(self, given: Mapping[str, Any]) -> None:
        expected = ", ".join(f"{port.name}: {port.type}" for port in self._program.arguments)
        unknown = sorted(set(given) - self._names, key=str)
        missing = [feed.name for feed in self._feeds if feed.name not in given]
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
        with self._lock:
            self._session = None
        self._finalizer()

    def _closed(self) -> InvalidParameter:
        return InvalidParameter(f"'{self._program.name}' is closed; compile it again")

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
            raise self._closed()
        if self._stamp:
            container.copy(self._file, self._stamp, path)
            return
        program = self._program
        header = {
            "package": VERSION,
            "target": self.device,
            "engine": self._device.popart.versionString(),
            "name": program.name,
            "precision": program.precision,
            "kernels": program.kernels,
            "arguments": [_port_to_json(port) for port in program.arguments],
            "outputs": [_port_to_json(port) for port in program.outputs],
            "constants": {
                name: {"type": element_type(data.dtype).name, "dims": list(data.shape)}
                for name, data in program.constants.items()
            },
        }
        sections: Dict[str, container.Content] = {"model": program.model}
        if program.weights:
            sections["weights"] = FileContent(program.weights)
        for name, data in program.constants.items():
            sections[f"constant {name}"] = data.tobytes()
        with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
            if self._session is not None and self._device.can_export:
                exported = os.path.join(folder, "executable.popef")
                with self._lock, _translated(self._device, f"exporting '{program.name}'"):
                    self._session.compileAndExport(exported)
                sections["popef"] = FileContent(exported)
            container.write(path, header, sections)

    @classmethod
    def load(
        cls, path: Union[str, "os.PathLike[str]"], device: Optional[str] = None
    ) -> "Executable":
        """Load an executable file on ``device`` (as for ``compile``).

        Raises FileMissing, or BadFile for a truncated, tampered, newer or foreign file.
        """
        path = os.path.abspath(os.fsdecode(path))
        stamp = container.stamp(path)
        header, sections = container.read(path)
        opened = open_device(device)
        try:
            program = _program_of(path, header, sections)
            compiled_here = (header["target"], header["engine"]) == (
                opened.kind,
                opened.popart.versionString(),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadFile(f"{path}: the header lacks or misspells {error}; compile again") from None
        for name in program.kernels:
            opened.provide(find_kernel(name))
        with tempfile.TemporaryDirectory(prefix="odla_ipu-") as folder:
            popef = ""
            if compiled_here and "popef" in sections:
                popef = os.path.join(folder, "executable.popef")
                with open(popef, "wb") as file:
                    file.write(container.content(path, sections["popef"]))
            executable = cls(program, opened, "", popef)
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


class _Feed:
    """One argument at the door: what arrives is checked and converted for the device."""

    def __init__(self, port: Port):
        self.name = port.name
        self.type = port.type
        self.tensor = port.tensor
        self.dims = port.type.dims
        self.dtype = port.type.element_type.dtype
        self.device_type = port.device_type
        self.converts = bool(port.tensor) and port.device_type is not port.type.element_type

    def accept(self, given: Any) -> np.ndarray:
        """``given`` itself when nothing has to change."""
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
        if self.converts:
            return convert(array, self.device_type, f"input '{self.name}'")
        return array

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


def _first(array: np.ndarray, count: int, axis: int) -> np.ndarray:
    """The first ``count`` entries along ``axis``."""
    return np.ascontiguousarray(array[(slice(None),) * axis + (slice(count),)])


class _Fetch(NamedTuple):
    tensor: str
    dims: Tuple[int, ...]
    device_dtype: np.dtype


def _fetches(outputs: List[Port]) -> List[_Fetch]:
    found = {
        port.tensor: _Fetch(port.tensor, port.type.dims, port.device_type.dtype)
        for port in outputs
        if port.tensor
    }
    counts = {
        port.counter: _Fetch(port.counter, (1,), ElementType.INT32.dtype)
        for port in outputs
        if port.counter
    }
    return [*found.values(), *counts.values()]


class _translated:
    """Turns what PopART raises inside into odla_ipu's errors."""

    def __init__(self, device: Device, where: str):
        self.device, self.where = device, where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception):
            raise translate(error, self.where) from error


def _release(device: Device, attached: bool, folder: str) -> None:
    if attached:
        device.release()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _port_to_json(port: Port) -> Dict[str, Any]:
    return {
        "name": port.name,
        "type": port.type.element_type.name,
        "dims": list(port.type.dims),
        "device_type": port.device_type.name,
        "tensor": port.tensor,
        "source": port.source,
        "counter": port.counter,
        "axis": port.axis,
    }


def _port_of(entry: Mapping[str, Any]) -> Port:
    return Port(
        entry["name"],
        ValueType(ElementType[entry["type"]], tuple(int(dim) for dim in entry["dims"])),
        ElementType[entry["device_type"]],
        entry["tensor"],
        entry["source"],
        entry["counter"],
        entry["axis"],
    )


def _program_of(
    path: str, header: Mapping[str, Any], sections: Mapping[str, container.Section]
) -> Program:
    constants = {}
    for name, entry in header["constants"].items():
        data = container.content(path, sections[f"constant {name}"])
        dtype = ElementType[entry["type"]].dtype
        constants[name] = np.frombuffer(data, dtype).reshape(entry["dims"])
    return Program(
        name=header["name"],
        precision=header["precision"],
        arguments=[_port_of(entry) for entry in header["arguments"]],
        outputs=[_port_of(entry) for entry in header["outputs"]],
        constants=constants,
        model=_model_of(path, sections),
        weights="",
        kernels=[str(name) for name in header["kernels"]],
    )


def _model_of(path: str, sections: Mapping[str, container.Section]) -> bytes:
    """The ModelProto, with its weights where they lie in the executable file."""
    model = container.content(path, sections["model"])
    if "weights" not in sections:
        return model
    import onnx  # after popart, which refuses to load the other way round

    proto = onnx.ModelProto.FromString(model)
    for initializer in proto.graph.initializer:
        if initializer.data_location == onnx.TensorProto.EXTERNAL:
            for entry in initializer.external_data:
                if entry.key == "location":
                    entry.value = path
                elif entry.key == "offset":
                    entry.value = str(int(entry.value) + sections["weights"].offset)
    return proto.SerializeToString()
