"""Random calls of every function, with random and hostile arguments.

``fuzz.py LIBRARY SEED COUNT`` runs in a process of its own, in an empty folder.  Beyond the
contract, and so left out, are only pointers that are not valid for the size they are declared with,
and texts without an end.  The call that is being made stands in the file ``call``.  Prints
"survived" at the end.
"""

import ctypes
import faulthandler
import mmap
import os
import random
import resource
import sys
import threading
import traceback

import numpy as np

from odla_ipu import errors, kernel
from odla_ipu.abi import arguments, build, entries

HANG = 120
"""Seconds after which a call hangs."""
ROOM = 1 << 24
"""Bytes of each area that inputs are read from."""
LARGE = 1 << 20
"""Values above this are no operands any more."""


class Shape(ctypes.Structure):
    _fields_ = [("size", ctypes.c_int32), ("dims", ctypes.c_int64 * 10)]


class Type(ctypes.Structure):
    _fields_ = [("element_type", ctypes.c_int32), ("shape", Shape)]


class Values(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("values", ctypes.c_void_p * 64)]


class Location(ctypes.Structure):
    _fields_ = [
        ("location_type", ctypes.c_int32),
        ("location", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
    ]


class Task(ctypes.Structure):
    _fields_ = [("func", ctypes.c_void_p), ("inputs", Values), ("outputs", Values)]


class Scalar(ctypes.Structure):
    _fields_ = [("data_type", ctypes.c_int32), ("data", ctypes.c_int64)]


class Item(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("value", ctypes.c_char_p)]


LOGGER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, Values, Values)
EXECUTOR = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, Task)

HANDLES = [
    "odla_value",
    "odla_computation",
    "odla_executable",
    "odla_context",
    "odla_device",
    "odla_vendor",
    "odla_device_config",
    "odla_constants_array",
    "odla_device_trace",
]
PLAIN = {
    "odla_int32": ctypes.c_int32,
    "odla_uint32": ctypes.c_uint32,
    "odla_int64": ctypes.c_int64,
    "odla_size_t": ctypes.c_size_t,
    "odla_bool": ctypes.c_uint32,
    "odla_float32": ctypes.c_float,
    "odla_float64": ctypes.c_double,
    "odla_value_shape": Shape,
    "odla_value_type": Type,
    "odla_values": Values,
    "odla_value_ids": Values,
    "odla_resource_location": Location,
    "odla_task": Task,
    "odla_status": ctypes.c_int32,
    "void": None,
}
WIDTHS = [1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 1, 8]
NUMPY = {0: "i1", 1: "i2", 2: "i4", 3: "i8", 4: "u1", 5: "u2", 6: "u4", 7: "u8"}
NUMPY.update({16: "f2", 18: "f4", 19: "f8", 20: "u1"})
TEXTS = [b"x", b"y", b"i,i->i", b"ij,jk->ik", b"...i->i", b"tanh", b"relu", b"", b"\xff\xfe", b"0"]
EQUATION_CHARACTERS = "ij,->. Z9"


def ctype(kind):
    if kind in PLAIN:
        return PLAIN[kind]
    is_pointer = "*" in kind or kind in HANDLES
    is_pointer |= kind in ("odla_value_id", "odla_item_value", "odla_logging_func")
    is_pointer |= kind in ("odla_device_config_item", "odla_device_trace_item")
    is_pointer |= kind == "odla_async_executor"
    return ctypes.c_void_p if is_pointer else ctypes.c_int32


class Fuzzer:
    def __init__(self, library, seed):
        self.random = random.Random(seed)
        self.lib = ctypes.CDLL(library)
        self.functions = {}
        for header in build.headers():
            for one in build.prototypes(header):
                function = getattr(self.lib, one.name)
                function.restype = ctype(one.returns)
                function.argtypes = [ctype(kind) for kind, _ in one.parameters]
                if one.name == "odla_CustomOp":
                    function.argtypes = None
                self.functions[one.name] = (function, one)
        self.ops = [one.name for one in build.op_prototypes()]
        self.others = [name for name in self.functions if name not in self.ops]
        self.live = {kind: [] for kind in HANDLES}
        self.dead = []
        self.host, self.device = [], []
        self.areas = {kind: self._area(dtype) for kind, dtype in NUMPY.items()}
        self.output = self._room(1 << 32)
        self.kept = []
        self.file = open("call", "wb")  # noqa: SIM115  as long as the process
        self.thread_calls = 0
        self.logger = LOGGER(lambda *_: None)
        self.callback = CALLBACK(lambda *_: 0)
        self.function = FUNCTION(self._task)
        self.executor = EXECUTOR(lambda *_: self.random.choice([0, 14]))
        self.counts = [0, 0]

    def _task(self, device, inputs, outputs):
        self.thread_calls += 1

    def _room(self, size):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        memory = mmap.mmap(-1, size, flags=flags)
        return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))

    def _area(self, dtype):
        """Numbers from -2 to 3, or 0 and 1."""
        memory, address = self._room(ROOM)
        array = np.frombuffer(memory, dtype)
        some = np.arange(1 << 12)
        numbers = some % 2 if dtype[0] == "u" else some % 6 - 2
        array[: len(numbers)] = numbers.astype(dtype)
        return memory, address

    # Arguments.

    def hostile(self, share=0.06):
        return self.random.random() < share

    def keep(self, one):
        self.kept.append(one)
        return one

    def handle(self, kind):
        pick = self.random
        pool = self.live[kind]
        if self.hostile():
            others = [one for listed in self.live.values() for one in listed]
            return pick.choice(
                [
                    None,
                    None,
                    pick.choice(self.dead or [1]),
                    pick.choice(others or [2]),
                    pick.choice([1, 8, 4095, 1 << 63, (1 << 64) - 1, self.output[1]]),
                    pick.choice(pool or [0]) ^ (1 << pick.randrange(64)) or None,
                ]
            )
        return pick.choice(pool[-12:]) if pool else None

    def operand(self):
        for _ in range(8):
            value = self.handle("odla_value")
            if not value or 0 <= self.bytes_of(value) <= LARGE:
                return value
        return None

    def type_of(self, value):
        kind = Type()
        status = self.lib.odla_GetValueType(value, ctypes.byref(kind))
        return kind if status == 0 else None

    def bytes_of(self, value):
        kind = self.type_of(value)
        if kind is None:
            return 0
        size = WIDTHS[kind.element_type]
        for axis in range(kind.shape.size):
            size *= max(kind.shape.dims[axis], 1)
        return size

    def text(self):
        pick = self.random
        return pick.choice(
            [
                *TEXTS,
                b"x%d" % pick.randrange(20),
                b"long" * 500,
                "".join(pick.choice(EQUATION_CHARACTERS) for _ in range(8)).encode(),
            ]
        )

    def pointer_to(self, data):
        return ctypes.cast(self.keep(ctypes.create_string_buffer(data)), ctypes.c_void_p).value

    def id(self):
        pick = self.random
        kind = pick.random()
        if kind < 0.7:
            return self.pointer_to(b"x%d" % pick.randrange(12))
        if kind < 0.8:
            return None
        if kind < 0.9:
            return pick.randrange(1, 4096)
        return self.pointer_to(self.text())

    def dim(self, moderate):
        pick = self.random
        if not moderate and self.hostile(0.02):
            return pick.choice([-2, -1, -(1 << 63), (1 << 63) - 1, 1 << 40, 1 << 62])
        return pick.choice(
            [1, 2, 2, 3, 3, 4, 0 if self.hostile() else 1, -1 if self.hostile() else 2]
        )

    def shape(self, moderate=False):
        pick = self.random
        shape = Shape()
        shape.size = pick.choice([0, 1, 1, 2, 2, 2, 3, 4, 4, 5])
        for axis in range(10):
            shape.dims[axis] = self.dim(moderate)
        if self.hostile():
            shape.size = pick.choice([-1, -1, -5, 10, 11, 1 << 30, -(1 << 31)])
        return shape

    def type(self):
        pick = self.random
        kind = pick.choice([18, 18, 18, 18, 16, 2, 3, 20, pick.randrange(22)])
        if self.hostile(0.03):
            kind = pick.choice([-1, 22, 99, (1 << 31) - 1, -(1 << 31)])
        return Type(kind, self.shape())

    def values(self):
        values = Values(size=self.random.choice([0, 1, 2, 2, 2, 3]))
        for index in range(4):
            values.values[index] = self.operand()
        if self.hostile(0.03):
            values.size = self.random.choice([5, 64, 65, (1 << 64) - 1])
        return values

    def ids(self):
        ids = Values(size=self.random.choice([0, 1, 2, 3]))
        for index in range(4):
            ids.values[index] = self.id()
        if self.hostile(0.03):
            ids.size = self.random.choice([64, 65, (1 << 64) - 1])
        return ids

    def number(self, kind):
        pick = self.random
        if kind == "odla_bool" and not self.hostile():
            return pick.randrange(2)
        if self.hostile():
            number = pick.choice(
                [-1, 11, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 40, -(1 << 63)]
            )
        else:
            number = pick.choice([0, 0, 1, 1, 2, 3, -1])
        bits = {"odla_int64": 64, "odla_size_t": 64}.get(kind, 32)
        return number & ((1 << bits) - 1)

    def real(self):
        return self.random.choice(
            [0.0, 1.0, 0.5, -1.0, 2.0, 1e-5, 1e38, float("nan"), float("inf")]
        )

    def numbers(self, kind):
        """An array long enough for each rank."""
        pick = self.random
        if self.hostile():
            return None
        listed = [pick.choice([0, 0, 1, 1, 2, 3]) for _ in range(64)]
        if self.hostile():
            listed[pick.randrange(4)] = pick.choice([(1 << 31) - 1, 1 << 31, (1 << 32) - 1])
        array = np.array(listed, "u4")
        return self.pointer_to(array.tobytes())

    def data(self, kind):
        """Elements of a type, or NULL where there are too many."""
        pick = self.random
        size = 1
        for axis in range(max(0, min(kind.shape.size, 10))):
            size *= max(kind.shape.dims[axis], 1)
        if self.hostile(0.03) or size * 8 > ROOM or kind.element_type not in self.areas:
            return None
        return self.areas[kind.element_type][1] + 8 * pick.randrange(8)

    def data_of(self, value):
        kind = self.type_of(value) if value else None
        return self.areas[18][1] if kind is None else self.data(kind)

    def argument(self, one, name, kind, parameter):
        if kind in HANDLES:
            return self.operand() if kind == "odla_value" else self.handle(kind)
        if kind == "odla_value_id":
            return self.id()
        if kind in ("odla_value_shape", "odla_value_type", "odla_values", "odla_value_ids"):
            return getattr(self, kind.replace("odla_value_", "").replace("odla_", ""))()
        if kind in ("odla_float32", "odla_float64"):
            return self.real()
        if kind == "odla_char*":
            return None if self.hostile() else self.pointer_to(self.text())
        if kind in ("odla_uint32*", "odla_int32*", "odla_loop_output_mode*"):
            return self.numbers(kind)
        if kind == "odla_resource_location":
            return self.location()
        if "*" in kind:
            return None if self.hostile() else self.pointer_to(bytes(4096))
        if kind in PLAIN:
            return self.number(kind)
        # An enumeration.
        if self.hostile():
            return self.random.choice([-1, 99, (1 << 31) - 1, -(1 << 31)])
        return self.random.randrange(9)

    def location(self):
        pick = self.random
        kind = pick.randrange(3)
        names = [b"a.odla", b"b.odla", b"none/such", b".", b"", b"/proc/self/exe"]
        if kind == 1:
            size = pick.choice([0, 1, 100, 5000, ROOM])
            return Location(1, pick.choice([None, self.output[1]]), size)
        if kind == 2:
            base = b"file://" + os.fsencode(os.getcwd()) + b"/"
            name = pick.choice([base + pick.choice(names), b"http://x/y", b"%", b"file:"])
            return Location(2, self.pointer_to(name), 0)
        if self.hostile():
            kind = pick.choice([-1, 3, 99])
        return Location(kind, pick.choice([None, *map(self.pointer_to, names)]), 0)

    # Calls.

    def call(self, name):
        function, one = self.functions[name]
        special = getattr(self, "_" + name, None)
        if special:
            given = special()
            if given is None:
                return None
        else:
            given = [self.argument(one, name, *both) for both in one.parameters]
        self.file.seek(0)
        self.file.write(f"{name}({', '.join(map(_show, given))})".encode()[:4000] + b"\n" * 200)
        self.file.flush()
        result = function(*given)
        self.check(one, result)
        self.note(one, given, result)
        return result

    def check(self, one, result):
        error = None
        if one.returns == "odla_status":
            assert 0 <= result <= 14, result
            self.counts[result != 0] += 1
            if result:
                error = ctypes.string_at(self.lib_last_error())
        elif one.returns == "odla_value":
            self.counts[not result] += 1
            if not result:
                error = ctypes.string_at(self.lib_last_error())
        elif one.returns == "odla_values":
            assert result.size <= 64
            for index in range(result.size):
                assert result.values[index]
        if error is not None:
            assert error.startswith(b"odla_"), (one.name, error)

    def lib_last_error(self):
        self.lib.odla_ipu_LastError.restype = ctypes.c_void_p
        return self.lib.odla_ipu_LastError()

    def note(self, one, given, result):
        """Keeps the handles that there are now."""
        if one.returns == "odla_value" and result:
            self.live["odla_value"].append(result)
        if one.returns == "odla_values":
            self.live["odla_value"] += [result.values[index] for index in range(result.size)]
        made = [(k, g) for (k, _), g in zip(one.parameters, given) if k[-1] == "*" and g]
        if one.returns == "odla_status" and result == 0:
            for kind, pointer in made:
                if kind[:-1] in HANDLES:
                    handle = ctypes.c_void_p.from_address(pointer).value
                    if handle and handle not in self.live[kind[:-1]]:
                        self.live[kind[:-1]].append(handle)
            if "Destroy" in one.name or one.name == "odla_ReleaseDeviceTrace":
                for pool in self.live.values():
                    if given[0] in pool:
                        pool.remove(given[0])
                        self.dead.append(given[0])
        for kind, most in (("odla_value", 60), ("odla_context", 12), ("odla_vendor", 2)):
            while len(self.live[kind]) > most:
                handle = self.live[kind].pop(0)
                self.dead.append(handle)
                if kind == "odla_context":
                    self.lib.odla_DestroyContext(ctypes.c_void_p(handle))
        for kind, destroy in (
            ("odla_computation", "odla_DestroyComputation"),
            ("odla_executable", "odla_DestroyExecutable"),
            ("odla_device", "odla_DestroyDevice"),
            ("odla_device_config", "odla_DestroyDeviceConfig"),
            ("odla_constants_array", "odla_DestroyConstantsArray"),
            ("odla_device_trace", "odla_ReleaseDeviceTrace"),
        ):
            while len(self.live[kind]) > 6:
                handle = self.live[kind].pop(0)
                self.dead.append(handle)
                self.functions[destroy][0](handle)
        del self.dead[:-200]
        del self.kept[:-400]

    # Functions with rules of their own.

    def _odla_CreateConstant(self):
        kind = self.type()
        return [kind, self.data(kind), self.id()]

    def _odla_ipu_SetConstant(self):
        kind = self.type()
        return [self.handle("odla_constants_array"), self.id_text(), kind, self.data(kind)]

    def id_text(self):
        return None if self.hostile() else self.pointer_to(b"x%d" % self.random.randrange(12))

    def found(self, id):
        """The value of an id."""
        found = ctypes.c_void_p()
        self.lib.odla_FindValueById(ctypes.c_void_p(id), ctypes.byref(found))
        return found.value

    def _odla_SetValueData(self):
        value = self.handle("odla_value")
        return [value, self.data_of(value)]

    def _odla_SetValueDataById(self):
        id = self.id()
        return [id, self.data_of(self.found(id))]

    def readable(self, value):
        return not value or self.bytes_of(value) < 1 << 28

    def _odla_GetValueData(self):
        value = self.handle("odla_value")
        context = self.random.choice([None, self.handle("odla_context")])
        return [value, self.output[1], context] if self.readable(value) else None

    def _odla_GetValueDataById(self):
        id = self.id()
        return [id, self.output[1]] if self.readable(self.found(id)) else None

    def _odla_Dump(self):
        value = self.operand()
        return [value] if not value or self.bytes_of(value) < 1 << 12 else None

    def _odla_SetValueAsOutput(self):
        value = self.handle("odla_value")
        return [value] if self.readable(value) else None

    def _odla_SetValueAsOutputById(self):
        id = self.id()
        return [id] if self.readable(self.found(id)) else None

    def _odla_BindToArgument(self):
        value = self.handle("odla_value")
        return [value, self.data_of(value), self.handle("odla_context")]

    def _odla_BindToArgumentById(self):
        """Numbers that are few in every type, since other computations have the id too."""
        data = None if self.hostile() else self.areas[4][1]
        return [self.id(), data, self.handle("odla_context")]

    def _odla_BindToOutput(self):
        data = None if self.hostile() else self.output[1] + self.random.randrange(16)
        return [self.handle("odla_value"), data, self.handle("odla_context")]

    def _odla_BindToOutputById(self):
        data = None if self.hostile() else self.output[1]
        return [self.id(), data, self.handle("odla_context")]

    def _odla_SetRuntimeShape(self):
        return [self.handle("odla_context"), self.handle("odla_value"), self.shape(True)]

    def _odla_SetRuntimeValueType(self):
        kind = Type(self.random.choice([18, 18, 3, 99]), self.shape(True))
        return [self.handle("odla_context"), self.handle("odla_value"), kind]

    def _odla_SetValueShapeInfo(self):
        item = self.random.choice([6, 7, 8, 6, 7, 8, 0, 99])
        return [self.handle("odla_value"), item, self.shape(True)]

    def item_value(self):
        number = self.random.choice([0, 1, 1, 2, 3, 4, -1])
        return self.pointer_to(np.array([number, 0, 0, 0], "i4").tobytes())

    def _odla_SetComputationItem(self):
        item = self.random.choice([*range(28), 1002, 28, -1, 1 << 30])
        value = None if self.hostile() else self.item_value()
        if item == 25:
            value = self.pointer_to(b"cache")
        return [self.handle("odla_computation"), item, value]

    def _odla_SetContextItem(self):
        item = self.random.choice([4, 4, 4, 23, 26, 27, 0, 17, 28, -1])
        value = None if self.hostile() else self.item_value()
        if item == 26:
            value = self.random.choice([None, ctypes.cast(self.callback, ctypes.c_void_p).value])
        return [self.handle("odla_context"), item, value]

    def _odla_SetInputValueInfo(self):
        value = None if self.hostile() else self.item_value()
        return [self.handle("odla_value"), self.random.randrange(13), value]

    def _odla_SetLogger(self):
        return [self.random.choice([None, ctypes.cast(self.logger, ctypes.c_void_p).value])]

    def _odla_SetLogLevel(self):
        return [self.random.choice([0, 0, 7, -1])]

    def _odla_SetAsyncExecutor(self):
        executor = ctypes.cast(self.executor, ctypes.c_void_p).value
        return [self.random.choice([None, None, executor])]

    def task(self):
        function = None if self.hostile() else ctypes.cast(self.function, ctypes.c_void_p).value
        return Task(function, self.values(), self.values())

    def _odla_RunTask(self):
        return [self.random.choice([None, self.handle("odla_device")]), self.task()]

    _odla_RunTaskAsync = _odla_RunTask

    def _odla_GetVendorInfo(self):
        size = self.random.choice([0, 1, 2, 64, 4096])
        buffer = None if self.hostile() else self.pointer_to(bytes(4096))
        vendor, item = self.handle("odla_vendor"), self.random.randrange(-1, 3)
        return [vendor, item, size, buffer, self.random.choice([None, self.pointer_to(bytes(8))])]

    def _odla_AllocateHostMemory(self):
        size = self.random.choice([0, 1, 64, 4096, 1 << 62, (1 << 64) - 1])
        return [None if self.hostile() else self.pointer_to(bytes(8)), size]

    _odla_AllocateDeviceMemory = _odla_AllocateHostMemory

    def _odla_FreeHostMemory(self):
        return [self.random.choice([None, 1, self.output[1], self.areas[2][1]])]

    _odla_FreeDeviceMemory = _odla_FreeHostMemory

    def _odla_CopyMemory(self):
        memory = ctypes.c_void_p()
        self.lib.odla_AllocateHostMemory(ctypes.byref(memory), 64)
        size = self.random.choice([0, 1, 64, 65, 4096, (1 << 64) - 1])
        given = [memory.value, self.output[1] if size <= 4096 else memory.value]
        self.random.shuffle(given)
        if self.hostile():
            given[0] = None
        self.kept.append(_Freed(self.lib, memory))
        return [*given, size, self.random.randrange(-1, 5)]

    def item(self):
        item = Item(*(self.random.choice([None, b"key", b"\xff", b"1"]) for _ in range(2)))
        self.keep(item)
        return None if self.hostile() else ctypes.addressof(item)

    def _odla_SetDeviceConfigItem(self):
        return [self.handle("odla_device_config"), self.item()]

    def _odla_SetDeviceTraceItem(self):
        return [self.handle("odla_device_trace"), self.item()]

    def _odla_AllocateDevice(self):
        pick = self.random
        vendor = pick.choice([None, self.handle("odla_vendor")])
        return [
            vendor,
            pick.choice([0, 0, 0, 5, 99]),
            pick.choice([0, 0, 0, 1, -1]),
            self.pointer_to(bytes(8)),
        ]

    def _odla_ExecuteComputation(self):
        pick = self.random
        device = pick.choice([None, None, None, self.handle("odla_device")])
        mode = pick.choice([0, 1, 1, 1, 2, 3])
        return [self.handle("odla_computation"), self.handle("odla_context"), mode, device]

    _odla_AsyncExecuteComputation = _odla_ExecuteComputation

    def _odla_AsyncLaunchExecutable(self):
        constants = self.random.choice([None, self.handle("odla_constants_array")])
        context = self.handle("odla_context")
        return [self.handle("odla_executable"), constants, context, 1, None]

    def _odla_CompileComputation(self):
        return [self.handle("odla_computation"), None, self.pointer_to(bytes(8))]

    def constants_file(self):
        return self.pointer_to(self.random.choice([b"c.npz", b"none/x", b"", b"a.odla"]))

    def _odla_LoadConstantsArray(self):
        return [self.constants_file(), self.pointer_to(bytes(8))]

    def _odla_StoreConstantsArray(self):
        return [self.constants_file(), self.handle("odla_constants_array")]

    def _odla_CustomOp(self):
        pick = self.random
        names = [*kernel.CUSTOM_OPS, *kernel.KERNELS]
        name = pick.choice([*names, "Unknown", "", "\u00e9"])
        given = [self.values(), self.pointer_to(name.encode()), self.id_text(), self.ids()]
        given[1:3] = [ctypes.c_void_p(one) for one in given[1:3]]
        if self.hostile():
            given[1] = None
        try:
            layout = arguments.custom_layout(name)
        except Exception:
            return given
        for kind in layout:
            small = pick.choice([0, 1, 1, 2, 3, -1])
            if kind in "iu":
                given.append(ctypes.c_int(small))
            elif kind == "l":
                given.append(ctypes.c_int64(small))
            elif kind == "d":
                given.append(ctypes.c_double(self.real()))
            elif kind == "s":
                given.append(ctypes.c_void_p(self.id_text()))
            elif kind == "n":
                given.append(ctypes.c_size_t(pick.choice([0, 1, 2, 4, 1 << 40, (1 << 64) - 1])))
            else:
                zeros = self.pointer_to(np.array([1, 0, 2, 1] * 64, "i8").tobytes())
                given.append(ctypes.c_void_p(pick.choice([None, zeros])))
        return given

    # Sequences.

    def model(self):
        """A computation that is likely to run, and a context in which it does."""
        pick = self.random
        self.call("odla_CreateComputation")
        before = len(self.live["odla_value"])
        for _ in range(pick.randrange(1, 4)):
            self.call(
                pick.choice(["odla_CreateArgument", "odla_CreateArgument", "odla_CreateConstant"])
            )
        for _ in range(pick.randrange(0, 8)):
            self.call(pick.choice(self.ops))
        for value in self.live["odla_value"][min(before, 40) :][-2:]:
            if self.readable(value):
                self.lib.odla_SetValueAsOutput(ctypes.c_void_p(value))
        self.call("odla_CreateContext")
        computation = self.live["odla_computation"][-1:] or [None]
        context = self.live["odla_context"][-1:] or [None]
        count = ctypes.c_uint32()
        self.lib.odla_GetNumOfArgsFromComputation(
            ctypes.c_void_p(computation[0]), ctypes.byref(count)
        )
        for index in range(count.value):
            value = ctypes.c_void_p()
            self.lib.odla_GetArgFromComputationByIdx(
                ctypes.c_void_p(computation[0]), index, ctypes.byref(value)
            )
            self.lib.odla_BindToArgument(
                value, ctypes.c_void_p(self.data_of(value.value)), ctypes.c_void_p(context[0])
            )
        run = pick.choice(["odla_ExecuteComputation", "odla_AsyncExecuteComputation"])
        self.functions[run][0](computation[0], context[0], 1, None)

    def conditional(self):
        self.call("odla_BeginIf")
        for branch in (1, 0):
            self.functions["odla_EnterBranchBody"][0](branch)
            self.call(self.random.choice(self.ops))
            self.call("odla_SetValueAsOutput")
        self.call("odla_EndIf")

    def loop(self):
        self.call("odla_BeginLoop")
        self.call("odla_CreateLoopVariable")
        self.call(self.random.choice(self.ops))
        self.call("odla_EndLoop")

    def step(self):
        kind = self.random.random()
        if kind < 0.04:
            self.model()
        elif kind < 0.05:
            self.conditional()
        elif kind < 0.06:
            self.loop()
        elif kind < 0.45:
            self.call(self.random.choice(self.ops))
        else:
            self.call(self.random.choice(self.others))

    def end(self):
        """Destroys what is left; nothing else may stay."""
        for kind in HANDLES:
            for handle in self.live[kind]:
                for name in ("Computation", "Executable", "Context", "Device"):
                    if kind == "odla_" + name.lower():
                        self.functions["odla_Destroy" + name][0](handle)


class _Freed:
    """Memory of the library that is freed when this goes."""

    def __init__(self, lib, memory):
        self.lib, self.memory = lib, memory

    def __del__(self):
        self.lib.odla_FreeHostMemory(self.memory)


def _show(given):
    if isinstance(given, Shape):
        return f"shape {given.size} {list(given.dims)}"
    if isinstance(given, Type):
        return f"type {given.element_type} {_show(given.shape)}"
    if isinstance(given, Values):
        return f"{given.size} of {[one or 0 for one in given.values[:4]]}"
    return hex(given) if isinstance(given, int) else str(given)


def healthy(lib):
    """The library still computes what it should."""
    shape = Shape(1, (ctypes.c_int64 * 10)(3))
    computation, context = ctypes.c_void_p(), ctypes.c_void_p()
    source, target = (ctypes.c_float * 3)(-1, 2, 3), (ctypes.c_float * 3)()
    assert lib.odla_CreateComputation(ctypes.byref(computation)) == 0
    value = ctypes.c_void_p(lib.odla_CreateArgument(Type(18, shape), None))
    result = ctypes.c_void_p(lib.odla_Relu(value, None))
    assert lib.odla_SetValueAsOutput(result) == 0
    assert lib.odla_CreateContext(ctypes.byref(context)) == 0
    assert lib.odla_BindToArgument(value, source, context) == 0
    assert lib.odla_BindToOutput(result, target, context) == 0
    assert lib.odla_ExecuteComputation(computation, context, 1, None) == 0
    assert list(target) == [0, 2, 3], list(target)
    assert lib.odla_DestroyContext(context) == 0
    assert lib.odla_DestroyComputation(computation) == 0


class Faults:
    """Exceptions that are no errors of ours: whatever the arguments are, there are none."""

    def __init__(self):
        self.fail = entries._fail
        self.seen = []
        entries._fail = self

    def __call__(self, error, reply):
        if not isinstance(error, (errors.OdlaError, MemoryError, OSError)):
            self.seen.append(
                "".join(traceback.format_exception(type(error), error, error.__traceback__))
            )
        self.fail(error, reply)


def main():
    library, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    faulthandler.enable()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # no pools of threads
    faults = Faults()
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    fuzzer = Fuzzer(library, seed)
    healthy(fuzzer.lib)
    threads = len(os.listdir("/proc/self/task"))
    for number in range(count):
        if number % 50 == 0:
            faulthandler.dump_traceback_later(HANG, exit=True)
        if number % 500 == 499:
            healthy(fuzzer.lib)
        fuzzer.step()
        if faults.seen and "--go-on" not in sys.argv:
            sys.exit(f"step {number}\n{faults.seen[0]}")
    faulthandler.cancel_dump_traceback_later()
    fuzzer.end()
    healthy(fuzzer.lib)
    for one in sorted(set(faults.seen)):
        sys.stderr.write(f"{faults.seen.count(one)} times: {one}\n")
    left = len(os.listdir("/proc/self/task")) - threads
    # The queues of tasks and of the profiler stay.
    assert left <= 2, f"{left} threads are left, {threading.enumerate()}"
    succeeded, failed = fuzzer.counts
    sys.stderr.write(f"survived: {succeeded} calls succeeded, {failed} failed\n")


if __name__ == "__main__":
    main()
