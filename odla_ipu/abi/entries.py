"""What libodla_ipu.so calls: graphs, programs and devices, by number.

The library hands over plain slots (``bridge.h``) and keeps handles, bindings and threads to itself.
Every function here takes the slots and fills the reply; what it raises becomes the status.
"""

import atexit
import os
import threading
import warnings
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from odla_ipu import interpreter, scopes
from odla_ipu.computation import Computation
from odla_ipu.errors import (
    InternalError,
    InvalidParameter,
    OdlaError,
    Status,
    UnsupportedType,
)
from odla_ipu.graph import Graph, Value, Variable
from odla_ipu.ops import OPS
from odla_ipu.profiler import Trace
from odla_ipu.registry import graph_of
from odla_ipu.types import ElementType
from odla_ipu.version import VERSION

from . import arguments, execution, locations, predecessor
from ._bridge import ffi, lib
from .devices import DeviceHandle, trace_json
from .objects import OBJECTS, Program, ValueEntry
from .text import decode, text_of

_WARN = 3
"""ODLA_LOG_LEVEL_WARN."""

Slots = Any
Reply = Any


# Replies.

_kept = threading.local()


def _fail(error: BaseException, reply: Reply) -> None:
    if isinstance(error, OdlaError):
        status: int = error.status
        message = str(error)
    elif isinstance(error, MemoryError):
        status, message = Status.MEM_ERROR, "the host's memory is exhausted"
    elif isinstance(error, OSError):
        missing = isinstance(error, FileNotFoundError)
        status = Status.FILE_NOT_EXIST if missing else Status.FAILURE
        message = str(error)
    else:
        status, message = Status.INTERNAL_LOGIC_ERR, f"{type(error).__name__}: {error}"
    _kept.message = ffi.new("char[]", message.encode("utf-8", "replace").replace(b"\0", b"?"))
    reply.status = int(status)
    reply.message = _kept.message


def _give_bytes(reply: Reply, data: bytes) -> None:
    """Bytes that are valid until the thread calls again."""
    _kept.data = ffi.new("char[]", data)
    reply.address, reply.size = _kept.data, len(data)


def _give_array(reply: Reply, array: np.ndarray) -> None:
    reply.address, reply.size = ffi.cast("void*", array.ctypes.data), array.nbytes


def _give_values(reply: Reply, values: Sequence[Value], program: Optional[Program]) -> None:
    """The values as results, with keys of their own."""
    if len(values) > 64:
        raise InvalidParameter(f"{len(values)} results; accepted: at most 64 (ODLA_MAX_OUTPUTS)")
    reply.results_size = len(values)
    reply.number = 0 if program is None else program.key
    for index, value in enumerate(values):
        result = reply.results[index]
        result.key = OBJECTS.add_value(value, program)
        locations.write_type(result.type, value.type)


# What slots hold.


def _program(key: int) -> Program:
    return OBJECTS.get(key, Program, "computation")


def _entry(key: int) -> ValueEntry:
    return OBJECTS.get(key, ValueEntry, "value")


def _value(key: int) -> Value:
    return _entry(key).value


def _chosen_device(key: int) -> Optional[DeviceHandle]:
    return OBJECTS.get(key, DeviceHandle, "device") if key else None


def _device(key: int) -> DeviceHandle:
    return _chosen_device(key) or DeviceHandle.default()


def _graph(key: int) -> Graph:
    """Where ops go: the innermost open scope of a computation, or the interpreter."""
    return interpreter.GRAPH if key == 0 else _program(key).graph


# Computations and values.


def _create_computation(slots: Slots, reply: Reply) -> None:
    program = Program(Computation(), _chosen_device(slots[0].number))
    program.config = predecessor.config()
    reply.number = OBJECTS.add(program)
    program.key = reply.number
    reply.size = program.config.is_asynchronous


def _export(slots: Slots, reply: Reply) -> None:
    predecessor.export(_program(slots[0].number))


def _release(slots: Slots, reply: Reply) -> None:
    OBJECTS.remove(slots[0].number)


def _create_argument(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    kind = locations.read_type(slots[1].pointer)
    if kind.element_type is ElementType.STRING:
        raise UnsupportedType("a STRING argument; accepted: numbers and BOOL")
    kind.element_type.dtype  # noqa: B018  raises for types without numbers
    value = program.add_argument(text_of(slots[2].pointer), kind)
    _give_values(reply, [value], program)


def _create_constant(slots: Slots, reply: Reply) -> None:
    kind = locations.read_type(slots[1].pointer)
    graph = _graph(slots[0].number)
    name = text_of(slots[3].pointer) or "constant"
    if kind.element_type is ElementType.STRING:
        raise UnsupportedType(f"constant '{name}' is STRING; accepted: numbers and BOOL")
    array = locations.copied(slots[2].pointer, kind)
    value = graph.innermost.add_constant(array, name)
    _give_values(reply, [value], _program(slots[0].number) if slots[0].number else None)


def _create_value(slots: Slots, reply: Reply) -> None:
    kind = locations.read_type(slots[0].pointer)
    kind.element_type.dtype  # noqa: B018
    if not kind.is_static:
        raise InvalidParameter(f"a value of {kind}; accepted: known sizes")
    name = text_of(slots[1].pointer) or "value"
    # Without data it reads as zeros, as a variable does.
    value = interpreter.InterpretedValue(
        interpreter.GRAPH, name, kind, data=np.zeros(kind.dims, kind.element_type.dtype)
    )
    _give_values(reply, [value], None)


def _create_variable(slots: Slots, reply: Reply) -> None:
    if slots[0].number == 0:
        slots = [slots[1], slots[2]]
        return _create_value(slots, reply)
    program = _program(slots[0].number)
    kind = locations.read_type(slots[1].pointer)
    name = text_of(slots[2].pointer) or "variable"
    value = program.computation.variable(kind.dims, kind.element_type, name)
    program.changed()
    return _give_values(reply, [value], program)


def _clone_value(slots: Slots, reply: Reply) -> None:
    entry = _entry(slots[0].number)
    _give_values(reply, [entry.value], entry.program)


def _set_value_data(slots: Slots, reply: Reply) -> None:
    value = _value(slots[0].number)
    array = locations.view(slots[1].pointer, value.type.dims, value.element_type)
    if slots[2].number:  # memory that goes with the handle
        array = array.copy()
    if isinstance(value, Variable):
        value.set(array)
    elif isinstance(value, interpreter.InterpretedValue) and value.node is None:
        value.data = array
    else:
        raise InvalidParameter(
            f"the value '{value.id}' is no place for data; accepted: one of odla_CreateValue or "
            "odla_CreateVariable"
        )


def _array_of(value: Value) -> np.ndarray:
    if isinstance(value, Variable):
        return value.storage.fetch()
    if isinstance(value, interpreter.InterpretedValue):
        return value.array
    if value.data is None:
        raise InvalidParameter(
            f"the value '{value.id}' is computed by runs; make it an output, and pass the context "
            "of a run"
        )
    return value.data


def _value_data(slots: Slots, reply: Reply) -> None:
    entry = _entry(slots[0].number)
    array = np.ascontiguousarray(_array_of(entry.value))
    entry.shown = array  # lives as long as the value
    _give_array(reply, array)


def _release_value(slots: Slots, reply: Reply) -> None:
    entry = _entry(slots[0].number)
    entry.shown = None
    value = entry.value
    if isinstance(value, interpreter.InterpretedValue):
        # Its elements live on as long as a result that is still to be computed needs them.
        entry.value = interpreter.InterpretedValue(interpreter.GRAPH, value.id, value.type)


def _set_output(slots: Slots, reply: Reply) -> None:
    entry = _entry(slots[0].number)
    if entry.program is None:
        raise InternalError("an interpreted value as output")
    graph = entry.program.graph
    if graph.innermost is not graph.root:
        graph.innermost.set_output(entry.value)
        return
    entry.program.add_output(entry.value, text_of(slots[1].pointer))
    reply.number = 1


def _set_item(slots: Slots, reply: Reply) -> None:
    items, item = _program(slots[0].number).items, slots[1].number
    if item in predecessor.ITEMS:
        predecessor.ITEMS[item](items, slots[2].pointer)
    else:
        items.set(item, slots[2].pointer)


def _set_shape_info(slots: Slots, reply: Reply) -> None:
    entry = _entry(slots[0].number)
    assert entry.program is not None
    shape = locations.read_shape(slots[2].pointer)
    entry.program.set_range(entry.value, slots[1].number, shape)


def _set_value_info(slots: Slots, reply: Reply) -> None:
    entry = _entry(slots[0].number)
    if not entry.value.element_type.is_integer:
        raise UnsupportedType(
            f"the argument '{entry.value.id}' is {entry.value.element_type.name}; accepted: "
            "integers"
        )


def _dump(slots: Slots, reply: Reply) -> None:
    value = _value(slots[0].number)
    try:
        array = _array_of(value)
    except InvalidParameter:
        text = f"{value.graph.root}\n"
    else:
        text = "".join(f"{float(one):.3f}\n" for one in array.reshape(-1))
    _give_bytes(reply, text.encode())


# Programs.


def _compile(slots: Slots, reply: Reply) -> None:
    _program(slots[0].number).compile(_chosen_device(slots[1].number))


def _differentiate(slots: Slots, reply: Reply) -> None:
    _program(slots[0].number).computation.differentiate()


def _runtime_shapes(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    shapes = locations.read_shapes(slots[2].pointer, len(program.arguments))
    inputs, outputs = program.types_at(slots[1].number, shapes)
    kind = outputs[slots[3].number] if slots[3].number >= 0 else inputs[slots[4].number]
    locations.write_type(reply.results[0].type, kind)
    reply.results_size = 1


def _release_context(slots: Slots, reply: Reply) -> None:
    execution.release(slots[0].number)


def _context_output(slots: Slots, reply: Reply) -> None:
    _give_array(reply, execution.unbound_output(slots[0].number, slots[1].number))


def _store(slots: Slots, reply: Reply) -> None:
    program, is_executable = _program(slots[0].number), bool(slots[1].number)
    location = locations.Location(slots[2].number, slots[3].pointer, slots[4].number)
    reply.number = program.store(location, is_executable)


def _load(slots: Slots, reply: Reply) -> None:
    location = locations.Location(slots[1].number, slots[2].pointer, slots[3].number)
    load = Program.load_executable if slots[0].number else Program.load_computation
    program = load(location, _chosen_device(slots[4].number))
    reply.number = OBJECTS.add(program)
    program.key = reply.number


def _ports(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    listed = [*program.arguments, *program.outputs]
    ports = ffi.new("odla_ipu_port[]", max(len(listed), 1))
    texts = []
    for port, (name, value) in zip(ports, listed):
        texts.append(ffi.new("char[]", name.encode()))
        port.id = texts[-1]
        port.key = OBJECTS.add_value(value, program)
        locations.write_type(port.type, value.type)
    _kept.data = ports, texts
    reply.address, reply.size, reply.number = ports, len(listed), len(program.arguments)


# Control flow and custom ops.


def _begin_if(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    scopes.begin_if(program.graph, _value(slots[1].number), text_of(slots[2].pointer) or None)


def _enter_branch(slots: Slots, reply: Reply) -> None:
    scopes.enter_branch_body(_program(slots[0].number).graph, bool(slots[1].number))


def _end_if(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    _give_values(reply, scopes.end_if(program.graph), program)


def _begin_loop(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    scopes.begin_loop(program.graph, _value(slots[1].number), text_of(slots[2].pointer) or None)


def _loop_variable(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    name = text_of(slots[2].pointer) or None
    value = scopes.create_loop_variable(program.graph, _value(slots[1].number), name)
    _give_values(reply, [value], program)


def _end_loop(slots: Slots, reply: Reply) -> None:
    program = _program(slots[0].number)
    condition = _value(slots[1].number) if slots[1].number else None
    values = [_value(key) for key in locations.read_keys(slots[2].pointer)]
    flags = list(ffi.cast("int32_t*", slots[3].pointer)[0 : len(values)]) if values else []
    _give_values(reply, scopes.end_loop(program.graph, condition, values, flags), program)


def _custom_layout(slots: Slots, reply: Reply) -> None:
    _give_bytes(reply, arguments.custom_layout(decode(slots[0].pointer)).encode())


def _custom_op(slots: Slots, reply: Reply) -> None:
    name = decode(slots[1].pointer)
    inner = ffi.cast("odla_ipu_slot*", slots[2].pointer)
    inputs = [_value(key) for key in locations.read_keys(inner[0].pointer)]
    op, found = arguments.read_custom(name, inner, inputs)
    ids = ffi.cast("odla_ipu_ids*", slots[3].pointer)
    graph = graph_of(found) or _graph(slots[0].number)
    results = op.add(graph.innermost, found, _first_id(ids))
    _give_values(reply, results, _program_of(graph, slots[0].number))


def _first_id(ids: Any) -> Optional[str]:
    return (text_of(ids.texts[0]) or None) if ids.size else None


def _program_of(graph: Graph, current: int) -> Optional[Program]:
    """The computation of a graph; None for the interpreter's."""
    if not graph.folds:
        return None
    if current:
        program = _program(current)
        if program.graph.root is graph.root:
            return program
    return OBJECTS.program_of(graph.root)


# Constants apart from their computation.


def _constants_create(slots: Slots, reply: Reply) -> None:
    reply.number = OBJECTS.add(execution.Constants())


def _constants_load(slots: Slots, reply: Reply) -> None:
    reply.number = OBJECTS.add(execution.Constants.load(locations.path_of(slots[0].pointer)))


def _constants_store(slots: Slots, reply: Reply) -> None:
    OBJECTS.get(slots[0].number, execution.Constants, "constants array").store(
        locations.path_of(slots[1].pointer)
    )


def _constants_set(slots: Slots, reply: Reply) -> None:
    constants = OBJECTS.get(slots[0].number, execution.Constants, "constants array")
    kind = locations.read_type(slots[2].pointer)
    constants.set(decode(slots[1].pointer), locations.copied(slots[3].pointer, kind))


# Devices.


def _allocate_device(slots: Slots, reply: Reply) -> None:
    reply.number = OBJECTS.add(DeviceHandle.allocate(slots[0].number, slots[1].number))


def _device_info(slots: Slots, reply: Reply) -> None:
    found = _device(slots[0].number).info(slots[1].number)
    if isinstance(found, bytes):
        _give_bytes(reply, found)
    elif isinstance(found, float):
        reply.real = found
    else:
        reply.number = found


def _init_device(slots: Slots, reply: Reply) -> None:
    _device(slots[0].number).initialise(_options(slots[1], slots[2].number))


def _profiler_start(slots: Slots, reply: Reply) -> None:
    _device(slots[0].number).start_profiler()


def _profiler_stop(slots: Slots, reply: Reply) -> None:
    _device(slots[0].number).stop_profiler()


def _profiler_trace(slots: Slots, reply: Reply) -> None:
    reply.number = OBJECTS.add(_device(slots[0].number).trace())


def _trace_json(slots: Slots, reply: Reply) -> None:
    trace = OBJECTS.get(slots[0].number, Trace, "trace")
    _give_bytes(reply, trace_json(trace, _options(slots[1], slots[2].number)).encode())


def _options(slot: Any, count: int) -> Dict[str, str]:
    pairs = ffi.cast("odla_ipu_pair*", slot.pointer)
    return {decode(pair.key): decode(pair.value) for pair in pairs[0:count]}


def _version_text(slots: Slots, reply: Reply) -> None:
    import platform

    lines = [
        f"odla_ipu {VERSION}",
        "ODLA 0.5.0",
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        DeviceHandle.default().sdk(),
    ]
    _give_bytes(reply, "\n".join(lines).encode())


# The bridge.

_started_here = False


def _shut_down(slots: Slots, reply: Reply) -> None:
    """The C program ends: what Python does at its own end, where it was started for the program."""
    if _started_here:
        atexit._run_exitfuncs()


_FUNCTIONS: Dict[int, Callable[[Slots, Reply], None]] = {
    getattr(lib, name): globals()[name[len("ODLA_IPU") :].lower()]
    for name in dir(lib)
    if name.startswith("ODLA_IPU_") and name != "ODLA_IPU_FUNCTIONS"
}


@ffi.def_extern()
def odla_ipu_call(function: int, slots: Slots, reply: Reply) -> None:
    """One of the functions above."""
    reply.status = reply.number = reply.size = reply.results_size = 0
    try:
        _FUNCTIONS[function](slots, reply)
    except BaseException as error:
        _fail(error, reply)


_ops: List[arguments.Reader] = []


@ffi.def_extern()
def odla_ipu_op(op: int, current: int, slots: Slots, ids: Any, reply: Reply) -> None:
    """Add an op of the table that the library gave to ``connect``.

    reply.number is the computation's key, 0 for interpreted values; -1 on failure says that an
    operand is NULL that must not be.
    """
    reply.status = reply.number = reply.results_size = 0
    try:
        found = _ops[op].read(slots)
        graph = graph_of(found) or _graph(current)
        results = _ops[op].op.add(graph.innermost, found, _first_id(ids))
        _give_values(reply, results, _program_of(graph, current))
    except arguments.NullOperand as error:
        _fail(error, reply)
        reply.number = -1
    except BaseException as error:
        _fail(error, reply)


@ffi.def_extern()
def odla_ipu_run(job: Any, reply: Reply) -> None:
    """Run a program with what is bound; number: whether threads should not line up for it."""
    reply.status = 0
    try:
        reply.number = execution.run(job)
    except BaseException as error:
        _fail(error, reply)


def connect(package_path: str, started: bool) -> None:
    """Get ready for the library's calls; ``started`` when Python was started for it.

    Raises InternalError where this is another installation's package.
    """
    global _started_here
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    if here != os.path.realpath(package_path):
        raise InternalError(
            f"odla_ipu is imported from {here}, but the library belongs to {package_path}; use one "
            "of them"
        )
    _started_here = started
    host = lib.odla_ipu_the_host
    _ops[:] = [arguments.Reader(OPS[decode(host.ops[number])]) for number in range(host.num_ops)]
    if started:
        _show_warnings_through_logger()
    else:
        atexit.register(lib.odla_ipu_shut_down)


def _show_warnings_through_logger() -> None:
    """Warnings go to the program's logger, where it has set one."""
    show = warnings.showwarning

    def log(message: Any, category: Any, filename: str, lineno: int, *rest: Any) -> None:
        if lib.odla_ipu_has_logger():
            lib.odla_ipu_log(_WARN, str(message).encode())
        else:
            show(message, category, filename, lineno, *rest)

    warnings.showwarning = log  # type: ignore[assignment]
