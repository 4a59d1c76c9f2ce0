"""What programs rely on that were made for ``odla_popart``, the ODLA library for IPUs before.

A config file in JSON (``ODLA_POPART_CONFIG``), two items with numbers of their own, ``.popart``
files of compiled programs, and ``ENGINE_CACHE_PATH``.  What of it means nothing here is named in a
warning.
"""

import ctypes
import json
import os
import re
import struct
import tempfile
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from odla_ipu.computation import Computation
from odla_ipu.custom import kernel
from odla_ipu.device import open_device
from odla_ipu.errors import (
    BadFile,
    FileMissing,
    InvalidParameter,
    OdlaError,
    UnrecoverableDeviceError,
    UnsupportedType,
)
from odla_ipu.types import ElementType, ValueType

from .items import Items
from .text import decode

if TYPE_CHECKING:
    from odla_ipu.executable import Executable

    from .programs import Program

_UNMATCHED = "^__all_unmatched__$"
_MODES = ("sequence", "parallel", "pipeline", "pipeline_async")
_QUEUES = ("LockFreeQueue", "ContextQueues")
_AMP = 0.6
"""PopART's own available-memory proportion."""

SUFFIX = ".popart"


def environment(name: str) -> str:
    """A variable as C sees it now: a program may have set it after Python started."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    found = getenv(name.encode())
    return "" if found is None else found.decode("utf-8", "surrogateescape")


def cache_folder() -> Optional[str]:
    """``ENGINE_CACHE_PATH``, which turns the engine cache on."""
    return environment("ENGINE_CACHE_PATH") or None


# The config file.


class Config(NamedTuple):
    """The keys that mean something here."""

    source: str = ""
    batches_per_step: int = 1
    ipu_num: int = 1
    execution_mode: str = "sequence"
    pipeline: Tuple[Tuple[str, int, int], ...] = ()
    """Patterns of names with an IPU and a stage, in alphabetical order."""
    save_model: bool = False
    save_model_path: str = "odla_popart_saved.onnx"
    load_onnx: bool = False
    load_onnx_path: str = "not_set.onnx"
    debug: bool = False
    kernels: Tuple[str, ...] = ()
    """Folders of kernels of the user's own, which have been made known."""

    @property
    def is_asynchronous(self) -> bool:
        """Whether odla_ExecuteComputation only queues a run, where a callback is set."""
        return self.execution_mode == "pipeline_async"

    def amounts(self, items: Items, usual: int) -> Tuple[int, int]:
        """IPUs, and batches that the memory bound for one run holds.

        ``usual`` is the number of IPUs where no item says one.  Items decide unless the config has
        ``debug``, or a pipeline: it decides on the batches then.
        Raises OdlaError where the two contradict each other.
        """
        num_ipus, batches = items.num_ipus or usual, items.batches_per_step
        if self.debug:
            num_ipus, batches = self.ipu_num, self.batches_per_step
        elif self.pipeline:
            if self.ipu_num != num_ipus:
                raise OdlaError(
                    f"{self.source}: ipu_num is {self.ipu_num}, but ODLA_PROCESSOR_NUM {num_ipus}; "
                    "with a pipeline both must be the same"
                )
            batches = self.batches_per_step
        elif self.source:
            self._warn_ignored("ipu_num", self.ipu_num, num_ipus)
            self._warn_ignored("batches_per_step", self.batches_per_step, batches)
        # In the other modes a context always holds one batch.
        return num_ipus, batches if self.execution_mode == "sequence" else 1

    def _warn_ignored(self, key: str, given: int, used: int) -> None:
        if given not in (1, used):
            _warn(
                f"{self.source}: {key} {given} is ignored, {used} is used: without debug, the "
                "program's items decide"
            )

    def make_kernels_known(self) -> None:
        """Load the folders of ``kernels``; relative ones lie beside the config file.

        Raises FileMissing or BadFile, naming the file and the key, for what is no kernel's folder.
        """
        beside = os.path.dirname(self.source)
        for folder in self.kernels:
            try:
                kernel(os.path.join(beside, folder))
            except OdlaError as error:
                raise type(error)(f"{self.source}: kernels: {error}") from error

    def check_pipeline(self, computation: Computation) -> None:
        """Raise UnrecoverableDeviceError for an op that no pattern of the pipeline matches."""
        patterns = [one for one, _, _ in self.pipeline]
        if not patterns or _UNMATCHED in patterns:
            return
        for node in computation.graph.nodes:
            if not any(re.search(one, node.id or "", re.IGNORECASE) for one in patterns):
                raise UnrecoverableDeviceError(
                    f"{self.source}: no pattern of pipeline matches {node.where}; add one, or "
                    f"'{_UNMATCHED}' for all others"
                )

    def replaced(self, computation: Computation) -> Computation:
        """The computation to compile: that of ``load_onnx_path``, where ``load_onnx`` is set."""
        if not self.load_onnx:
            return computation
        from odla_ipu import load

        found = load(self.load_onnx_path, _shapes_for(computation, self.load_onnx_path))
        for what, built, other in (
            ("arguments", computation.arguments, found.arguments),
            ("outputs", computation.outputs, found.outputs),
        ):
            _check_fit(self.load_onnx_path, what, list(built.values()), list(other.values()))
        return found

    def save(self, executable: Any) -> None:
        """Write the model that PopART runs, where ``save_model`` is set."""
        if not self.save_model:
            return
        if not hasattr(executable, "content"):
            _warn(f"{self.source}: save_model: a program whose shapes data decide is not one model")
            return
        _save_model(executable, self.save_model_path)


def config() -> Config:
    """The config for a new computation.

    Raises InvalidParameter for a file that is no JSON or has a key of a wrong type.
    """
    if _precompiled is not None and os.path.exists(_precompiled):
        return parse(_read_precompiled(_precompiled)[0], _precompiled)
    path = environment("ODLA_POPART_CONFIG")
    if not path:
        return Config()
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        _warn(f"ODLA_POPART_CONFIG is {path}, but there is no such file; defaults are used")
        return Config()
    except (OSError, ValueError) as error:
        raise InvalidParameter(
            f"ODLA_POPART_CONFIG is {path}, which cannot be read: {error}"
        ) from None
    return parse(text, path)


def parse(text: str, source: str) -> Config:
    """The config of a JSON text; ``source`` says where it is from."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"{source} is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise InvalidParameter(f'{source} is no object of JSON; accepted: {{"key": value, ...}}')
    found: Dict[str, Any] = {}
    unknown = []
    for key, value in given.items():
        read = _KEYS.get(key)
        if read is None:
            unknown.append(key)
            continue
        made = read(value, f"{source}: {key}")
        if key in Config._fields:
            found[key] = made
    if unknown:
        _warn(f"{source}: ignored keys: {', '.join(unknown)}; known: {', '.join(_KEYS)}")
    result = Config(source, **found)
    result.make_kernels_known()
    if result.execution_mode != "sequence":
        _warn(
            f"{source}: execution_mode {result.execution_mode}: a context holds one batch, and "
            "runs follow one another"
        )
    if result.pipeline:
        _warn(f"{source}: pipeline: PopART chooses the IPU of each op; the stages are ignored")
    return result


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidParameter(f"{where} is {value!r}; accepted: a text")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidParameter(f"{where} is {value!r}; accepted: true, false")
    return value


def _number(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidParameter(f"{where} is {value!r}; accepted: integers of 1 and more")
    return value


def _amp(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidParameter(f"{where} is {value!r}; accepted: 0 to 1")
    if value != _AMP:
        _warn(f"{where} {value} has no effect: PopART's own proportion of memory is used, {_AMP}")


def _mode(value: Any, where: str) -> str:
    if _text(value, where) not in _MODES:
        _warn(f"{where} is {value!r}, taken as sequence; accepted: {', '.join(_MODES)}")
        return "sequence"
    return value


def _queue_type(value: Any, where: str) -> None:
    if _text(value, where) not in _QUEUES:
        raise InvalidParameter(f"{where} is {value!r}; accepted: {', '.join(_QUEUES)}")
    if value != _QUEUES[0]:
        _warn(f"{where} {value} has no effect: each computation has one queue, without a bound")


def _queue_capacity(value: Any, where: str) -> None:
    if _number(value, where) != 1 << 20:
        _warn(f"{where} {value} has no effect: queues have no bound")


def _pipeline(value: Any, where: str) -> Tuple[Tuple[str, int, int], ...]:
    if not isinstance(value, dict):
        raise InvalidParameter(f'{where} is {value!r}; accepted: {{"pattern": [ipu, stage], ...}}')
    found: List[Tuple[str, int, int]] = []
    for pattern, place in sorted(value.items()):
        numbers = place if isinstance(place, list) else []
        if len(numbers) != 2 or not all(type(one) is int and one >= 0 for one in numbers):
            raise InvalidParameter(
                f"{where}: '{pattern}' leads to {place!r}; accepted: [ipu, stage], from 0"
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise InvalidParameter(
                f"{where}: '{pattern}' is no regular expression: {error}"
            ) from None
        found.append((pattern, *numbers))
    return tuple(found)


def _kernels(value: Any, where: str) -> Tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidParameter(f'{where} is {value!r}; accepted: ["folder", ...]')
    return tuple(value)


_KEYS: Dict[str, Callable[[Any, str], Any]] = {
    "version": _text,
    "sdk_version": _text,
    "amp": _amp,
    "batches_per_step": _number,
    "ipu_num": _number,
    "execution_mode": _mode,
    "pipeline": _pipeline,
    "queue_type": _queue_type,
    "queue_capacity": _queue_capacity,
    "save_model": _flag,
    "save_model_path": _text,
    "load_onnx": _flag,
    "load_onnx_path": _text,
    "debug": _flag,
    "kernels": _kernels,
}


# Items of its own.

_precompiled: Optional[str] = None
"""Item 1001: the file that programs are taken from, for the whole process."""


def _set_precompiled(items: Items, pointer: Any) -> None:
    global _precompiled
    path = decode(pointer)
    if not path.endswith(SUFFIX):
        raise InvalidParameter(f"item 1001 is {path!r}; accepted: the path of a {SUFFIX} file")
    _precompiled = path
    items.version += 1  # what was compiled before does not count


def _set_log_level(items: Items, pointer: Any) -> None:
    os.environ["POPART_LOG_LEVEL"] = "INFO"
    raise UnsupportedType("item 1002 is no option; it has set POPART_LOG_LEVEL to INFO")


ITEMS: Dict[int, Callable[[Items, Any], None]] = {1001: _set_precompiled, 1002: _set_log_level}


# Files of compiled programs: the length of a JSON text, that text, an executable file.

_LENGTH = struct.Struct("=i")


def export(program: "Program") -> None:
    """Compile and write the file of item 1001, with the config of the ``.json`` file beside it."""
    if _precompiled is None:
        raise InvalidParameter(
            f"no file is named; set item 1001 of a computation to the path of a {SUFFIX} file"
        )
    beside = _precompiled[: -len(SUFFIX)] + ".json"
    given: Mapping[str, Any] = {}
    if os.path.exists(beside):
        with open(beside, encoding="utf-8") as file:
            text = file.read()
        parse(text, beside)
        given = json.loads(text)
    executable = program.compile_anew()
    text = json.dumps({"sdk_version": _sdk(), **given})
    data = text.encode()
    try:
        with open(_precompiled, "wb") as file:
            file.write(_LENGTH.pack(len(data)) + data + executable.to_bytes())
    except FileNotFoundError:
        raise FileMissing(f"{_precompiled}: there is no such folder") from None
    except OSError as error:
        raise OdlaError(f"{_precompiled} cannot be written: {error}") from None


def precompiled(program: "Program", device: Any) -> "Optional[Executable]":
    """What the file of item 1001 holds, where the item is set; it must fit the program."""
    if _precompiled is None:
        return None
    from odla_ipu.executable import Executable

    text, data = _read_precompiled(_precompiled)
    made_with = json.loads(text).get("sdk_version")
    if made_with != _sdk():
        raise OdlaError(
            f"{_precompiled} was made with the SDK {made_with}, this is {_sdk()}; make it again"
        )
    executable = Executable.from_bytes(data, device)
    batches = executable.batches_per_step
    for what, built, found in (
        ("arguments", program.arguments, executable.arguments),
        ("outputs", program.outputs, executable.outputs),
    ):
        kinds = [_times(value.type, batches) for _, value in built]
        _check_fit(_precompiled, what, kinds, list(found.values()))
    return executable


def _read_precompiled(path: str) -> Tuple[str, bytes]:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileMissing(f"{path}, which item 1001 names: no such file") from None
    start = _LENGTH.size
    length = _LENGTH.unpack(data[:start])[0] if len(data) >= start else -1
    try:
        if not 0 <= length <= len(data) - start:
            raise ValueError("its length of a JSON text is wrong")
        text = data[start : start + length].decode()
        if not isinstance(json.loads(text), dict):
            raise ValueError("its JSON text is no object")
    except ValueError as error:
        raise BadFile(f"{path} is no {SUFFIX} file: {error}") from None
    return text, data[start + length :]


def _sdk() -> str:
    return str(open_device().popart.packageHash())


# What both sorts of files share.


def _times(kind: ValueType, batches: int) -> ValueType:
    """The type for several batches: dimension 0 grows."""
    if not kind.rank or batches == 1:
        return kind
    first = kind.shape[0]
    return ValueType(kind.element_type, (first * batches, *kind.shape[1:]))  # type: ignore[operator]


def _shapes_for(computation: Computation, path: str) -> Dict[str, Any]:
    """Shapes by the file's names of inputs, for those that it leaves open."""
    from odla_ipu import load

    found = load(path)
    return {
        name: kind.shape
        for (name, declared), kind in zip(found.arguments.items(), computation.arguments.values())
        if not declared.is_static and kind.is_static
    }


def _check_fit(path: str, what: str, built: List[ValueType], found: List[ValueType]) -> None:
    if [str(one) for one in built] != [str(one) for one in found]:
        raise OdlaError(
            f"{path} has the {what} {', '.join(map(str, found)) or 'none'}; the program has "
            f"{', '.join(map(str, built)) or 'none'}"
        )


def _save_model(executable: Any, path: str) -> None:
    """The ONNX model with its outputs, and with weights that lie in a file put into it."""
    import onnx  # after popart, which refuses to load the other way round

    header, sections = executable.content()
    model = onnx.ModelProto.FromString(sections["model"])
    named = {output.name for output in model.graph.output}
    for port in header["outputs"]:
        if port["tensor"] and port["tensor"] not in named:
            dtype = onnx.helper.np_dtype_to_tensor_dtype(ElementType[port["device_type"]].dtype)
            output = onnx.helper.make_tensor_value_info(port["tensor"], dtype, port["dims"])
            model.graph.output.append(output)
            named.add(port["tensor"])
    for initializer in model.graph.initializer:
        if initializer.data_location != onnx.TensorProto.EXTERNAL:
            continue
        place = {entry.key: entry.value for entry in initializer.external_data}
        with open(place["location"], "rb") as file:
            file.seek(int(place.get("offset", 0)))
            initializer.raw_data = file.read(int(place["length"]) if "length" in place else -1)
        initializer.ClearField("external_data")
        initializer.data_location = onnx.TensorProto.DEFAULT
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileMissing(f"save_model_path is {path}: there is no such folder")
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as written:
        written.write(model.SerializeToString())
    os.replace(written.name, path)


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)
