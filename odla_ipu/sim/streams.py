"""Moving a step's data between the user's arrays and the engine.

A step has ``batches x replicas`` micro-batches; data are consumed batch by batch and, within a
batch, replica by replica.
"""

import logging
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple, Union

import numpy as np

from .dataflow import AnchorReturnType
from .engine import Engine, Port, Program
from .enums import AnchorReturnTypeId
from .exceptions import popart_exception, popart_runtime_error
from .stepio import IStepIO, PyStepIO, PyStepIOCallback

_log = logging.getLogger("popart.stepio")

COPIED_BYTES = 16384
"""Up to this size copying an array is cheaper than binding its address."""


class Steps(NamedTuple):
    """Micro-batches of a step."""

    batches: int
    replicas: int

    @property
    def total(self) -> int:
        return self.batches * self.replicas


class _Slot:
    """A port with a buffer of its own."""

    __slots__ = ("buffer", "dtype", "flat", "id", "port", "shape", "size", "small")

    def __init__(self, port: Port):
        self.port = port
        self.id = port.tensor
        self.dtype = port.dtype
        self.shape = port.shape
        self.size = port.size
        self.buffer = np.zeros(port.shape, port.dtype)
        self.flat = self.buffer.reshape(-1)
        self.small = self.buffer.nbytes <= COPIED_BYTES


class Input(_Slot):
    """``broadcast``: all replicas read the same data."""

    __slots__ = ("broadcast", "warned")

    def __init__(self, port: Port, broadcast: bool):
        super().__init__(port)
        self.broadcast = broadcast
        self.warned = False

    def needed(self, steps: Steps) -> int:
        """Elements of a step."""
        return self.size * (steps.batches if self.broadcast else steps.total)


class Output(_Slot):
    __slots__ = ("period", "returns")

    def __init__(self, port: Port, returns: AnchorReturnType):
        super().__init__(port)
        self.returns = returns.id()
        self.period = returns.rp()

    def leading(self, steps: Steps) -> List[int]:
        """Dimensions before the tensor's own in the array of a step; those of 1 are dropped."""
        batches = {
            AnchorReturnTypeId.All: steps.batches,
            AnchorReturnTypeId.EveryN: steps.batches // self.period,
        }.get(self.returns, 1)
        return [dim for dim in (batches, steps.replicas) if dim != 1]

    def needed(self, steps: Steps) -> int:
        return self.size * int(np.prod(self.leading(steps), dtype=np.int64))


_SEEN = object()
"""``PyStepIO._bound`` after a first run."""


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


class Streams:
    """The inputs and anchors of one engine."""

    def __init__(
        self,
        engine: Union[Engine, Program],
        steps: Steps,
        anchors: Dict[str, AnchorReturnType],
        broadcast: Set[str],
        tensors: Set[str],
        unused: Set[str],
    ):
        """``tensors``: ids of the graph; ``unused``: inputs that were optimised away."""
        self._engine = engine
        self._steps = steps
        self._tensors = tensors
        self._unused = unused
        self._checked = False
        translation = engine.translation
        self.inputs = [Input(port, port.tensor in broadcast) for port in translation.inputs]
        self.outputs = [Output(port, anchors[port.tensor]) for port in translation.outputs]
        self._bound: Any = None
        """What a step holds as its ``_bound`` while the engine reads and writes its arrays."""
        self._rebind()

    def _rebind(self) -> None:
        self._bound = None
        for slot in self.inputs:
            self._engine.bind_input(slot.port, _address(slot.buffer))
        for output in self.outputs:
            self._engine.bind_output(output.port, _address(output.buffer))

    # One micro-batch in one step: addresses go straight to the engine.

    def run_whole(self, step: PyStepIO) -> bool:
        """Run a step of one micro-batch whose arrays fit as they are; False if they do not.

        A step that comes again is bound: from then on a run of it moves nothing.
        """
        if step._bound is not None:
            if step._bound is self._bound or self._bind(step):
                self._engine.run_plain()
                return True
        else:
            step._bound = _SEEN
        if self._bound is not None:
            self._rebind()
        given, wanted = step._inputs, step._outputs
        moved = []
        for slot in self.inputs:
            array = given.get(slot.id)
            if array is None or array.dtype != slot.dtype or array.size != slot.size:
                return False
            if slot.small:
                if array.shape != slot.shape:
                    array = array.reshape(slot.shape)
                np.copyto(slot.buffer, array)
            else:
                moved.append((slot, _address(array)))
        targets = []
        for output in self.outputs:
            array = wanted.get(output.id)
            if array is None or array.dtype != output.dtype or array.size != output.size:
                return False
            targets.append(array)
        engine = self._engine
        sources = set()
        for slot, address in moved:
            engine.bind_input(slot.port, address)
            sources.add(address)
        copied = []
        for output, array in zip(self.outputs, targets):
            if not output.small:
                address = _address(array)
                if address not in sources:
                    engine.bind_output(output.port, address)
                    continue
                # The engine may still read the input when it writes the output.
                engine.bind_output(output.port, _address(output.buffer))
            copied.append((output, array))
        engine.run_plain()
        for output, array in copied:
            if array.shape == output.shape:
                np.copyto(array, output.buffer)
            else:
                array.reshape(-1)[...] = output.flat
        return True

    def _bind(self, step: PyStepIO) -> bool:
        """Have the engine work on the step's own arrays; False where they do not fit or overlap."""
        places = self.places(step)
        if places is None:
            return False
        for method, port, address in places:
            getattr(self._engine, method)(port, address)
        self._bound = step._bound = object()
        return True

    def places(self, step: PyStepIO) -> Optional[List[Tuple[str, Port, int]]]:
        """Where a step of one micro-batch has its data: for each port the method that binds it,
        and the address; None where arrays do not fit as they are or overlap.
        """
        sources: List[Tuple[Port, np.ndarray]] = []
        targets: List[Tuple[Port, np.ndarray]] = []
        for slots, arrays, found in (
            (self.inputs, step._inputs, sources),
            (self.outputs, step._outputs, targets),
        ):
            for slot in slots:
                array = arrays.get(slot.id)
                if array is None or array.dtype != slot.dtype or array.size != slot.size:
                    return None
                found.append((slot.port, array))
        for _, target in targets:
            if any(np.may_share_memory(target, array) for _, array in sources):
                return None
        return [
            *(("bind_input", port, _address(array)) for port, array in sources),
            *(("bind_output", port, _address(array)) for port, array in targets),
        ]

    # Any step.

    def check(self, step: PyStepIO) -> None:
        """Raises popart_runtime_error for unknown keys and wrong counts; once a session."""
        if self._checked or not step._runtime_asserts:
            return
        self._check_names(step)
        for kind, slots, arrays in (
            ("input", self.inputs, step._inputs),
            ("output", self.outputs, step._outputs),
        ):
            for slot in slots:
                array = arrays.get(slot.id)
                needed = slot.needed(self._steps)
                if array is not None and array.size != needed:
                    raise popart_runtime_error(
                        f"Unexpected number of {kind} elements for tensor {slot.id}. "
                        f"Expected {needed} ({self._steps.batches} batches per step, "
                        f"{self._steps.replicas} replicas, {slot.size} elements of shape "
                        f"{list(slot.shape)}), got {array.size} (shape {list(array.shape)})"
                    )
        self._checked = True

    def _check_names(self, step: PyStepIO) -> None:
        known = {slot.id for slot in self.inputs}
        for name in step._inputs:
            if name in known:
                continue
            if name in self._unused:
                _log.warning("Input %s was optimised away; its data are not read", name)
            elif name in self._tensors:
                raise popart_runtime_error(
                    f"Tensor {name} is not registered as one of the inputs: it is computed or "
                    "constant"
                )
            else:
                raise popart_runtime_error(
                    f"there is no Tensor named {name}, the key of an array in PyStepIO's inputs"
                )
        anchors = {slot.id for slot in self.outputs}
        for name in step._outputs:
            if name not in anchors and name not in self._tensors:
                raise popart_runtime_error(
                    f"there is no Tensor named {name}, the key of an array in PyStepIO's outputs"
                )

    def run(self, step: IStepIO, generator: Any) -> None:
        """Run a step, one micro-batch after the other."""
        self._rebind()
        feeder: Any
        if isinstance(step, PyStepIO):
            self.check(step)
            feeder = _Arrays(step, self)
        elif isinstance(step, PyStepIOCallback):
            feeder = _Callbacks(step)
        else:
            raise popart_exception(
                f"run takes a PyStepIO or a PyStepIOCallback, not {type(step).__name__}"
            )
        for batch in range(self._steps.batches):
            for replica in range(self._steps.replicas):
                for slot in self.inputs:
                    if replica == 0 or not slot.broadcast:
                        slot.flat[...] = feeder.read(slot)
                self._engine.run(generator)
                for output in self.outputs:
                    self._collect(feeder, output, batch, replica)
        feeder.finish()

    def _collect(self, feeder: Any, output: Output, batch: int, replica: int) -> None:
        last = batch == self._steps.batches - 1
        if output.returns is AnchorReturnTypeId.Sum:
            total = feeder.add(output, replica)
            if last:
                feeder.write(output, total)
        elif {
            AnchorReturnTypeId.All: True,
            AnchorReturnTypeId.EveryN: (batch + 1) % output.period == 0,
            AnchorReturnTypeId.Final: last,
        }[output.returns]:
            feeder.write(output, output.flat)


class _Arrays:
    """Reads and writes arrays from where the step's former run stopped."""

    def __init__(self, step: PyStepIO, streams: Streams):
        self._step = step
        if step._state is None:
            step._state = {}
        self._cursors: Dict[Any, int] = step._state
        self._sums: Dict[Any, np.ndarray] = {}
        self._flat: Dict[Any, np.ndarray] = {}

    def _next(self, arrays: Dict[str, np.ndarray], slot: _Slot, kind: str) -> np.ndarray:
        key = (kind, slot.id)
        flat = self._flat.get(key)
        if flat is None:
            array = arrays.get(slot.id)
            if array is None:
                raise popart_runtime_error(f"No tensor {slot.id} provided in PyStepIO's {kind}s")
            flat = self._flat[key] = array.reshape(-1)
        start = self._cursors.get(key, 0)
        if start >= flat.size:
            start = 0
        if flat.size - start < slot.size:
            raise popart_runtime_error(
                f"Unexpected number of {kind} elements for tensor {slot.id}: a micro-batch takes "
                f"{slot.size}, the array has {flat.size - start} left"
            )
        self._cursors[key] = start + slot.size
        return flat[start : start + slot.size]

    def read(self, slot: Input) -> np.ndarray:
        return _converted(self._next(self._step._inputs, slot, "input"), slot)

    def write(self, slot: Output, values: np.ndarray) -> None:
        _store(self._next(self._step._outputs, slot, "output"), slot, values)

    def add(self, slot: Output, replica: int) -> np.ndarray:
        return _added(self._sums, slot, replica)

    def finish(self) -> None:
        pass


class _Callbacks:
    """One call a micro-batch and replica; a completion call after each."""

    def __init__(self, step: PyStepIOCallback):
        self._step = step
        self._sums: Dict[Any, np.ndarray] = {}

    def read(self, slot: Input) -> np.ndarray:
        array = self._step._input_callback(slot.id, False)
        if array is None:
            raise popart_runtime_error(
                f"The input callback returned None for tensor {slot.id}: only a prefetch may have "
                "no data"
            )
        values = _converted(_exactly(array, slot, "input"), slot)
        slot.flat[...] = values
        self._step._input_complete_callback(slot.id)
        return slot.flat

    def write(self, slot: Output, values: np.ndarray) -> None:
        array = self._step._output_callback(slot.id)
        _store(_exactly(array, slot, "output"), slot, values)
        self._step._output_complete_callback(slot.id)

    def add(self, slot: Output, replica: int) -> np.ndarray:
        return _added(self._sums, slot, replica)

    def finish(self) -> None:
        pass


def _exactly(array: np.ndarray, slot: _Slot, kind: str) -> np.ndarray:
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
        raise popart_exception(
            f"The {kind} callback must return a c-contiguous numpy array for tensor {slot.id}; "
            f"what it returned is not c-contiguous or no array ({type(array).__name__})"
        )
    if array.size < slot.size:
        raise popart_runtime_error(
            f"The array of the {kind} callback for tensor {slot.id} has {array.size} elements; "
            f"a micro-batch takes {slot.size}"
        )
    return array.reshape(-1)[: slot.size]


def _added(sums: Dict[Any, np.ndarray], slot: Output, replica: int) -> np.ndarray:
    key = (slot.id, replica)
    if key in sums:
        sums[key] += slot.flat
    else:
        sums[key] = slot.flat.copy()
    return sums[key]


def _converted(values: np.ndarray, slot: Input) -> np.ndarray:
    """The data in the tensor's type.  Only INT64 for an INT32 tensor is converted."""
    if values.dtype == slot.dtype:
        return values
    if values.dtype == np.int64 and slot.dtype == np.int32:
        if not slot.warned:
            _log.warning("Narrowing the INT64 data of tensor %s to INT32", slot.id)
            slot.warned = True
        return values.astype(np.int32)
    raise popart_runtime_error(
        f"Type discrepancy for tensor {slot.id}: the user provided {values.dtype}, "
        f"expected {slot.dtype}"
    )


def _store(target: np.ndarray, slot: Output, values: np.ndarray) -> None:
    """Copy bytes: the type of the user's array is not looked at, only its size."""
    if target.dtype == slot.dtype:
        target[...] = values
        return
    if target.nbytes != values.nbytes:
        raise popart_runtime_error(
            f"The output array of tensor {slot.id} has {target.nbytes} bytes ({target.dtype}), "
            f"the tensor {values.nbytes} ({slot.dtype})"
        )
    target.view(np.uint8)[...] = values.view(np.uint8)


def anchor_arrays(
    infos: Dict[str, Any], anchors: Dict[str, AnchorReturnType], steps: Steps
) -> Dict[str, np.ndarray]:
    """Uninitialised arrays of the shapes that a step writes."""
    arrays = {}
    for name, returns in anchors.items():
        tensor = infos[name]
        output: Optional[Output] = Output(Port(name, "", tensor.dtype, ()), returns)
        assert output is not None
        arrays[name] = np.empty([*output.leading(steps), *tensor.shape], tensor.dtype)
    return arrays
