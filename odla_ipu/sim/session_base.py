"""What sessions have in common: a model checked, compiled, loaded on a device and run.

A session is not thread-safe, as in PopART: calls on one session, and on sessions that share a
device, must take turns.
"""

import hashlib
import json
import logging
import time
import weakref
from typing import Any, Dict, List, Optional, Set, Tuple, Union

import numpy as np

from . import ir
from .annotations import RECOMPUTE
from .dataflow import DataFlow, InputShapeInfo
from .devices import DeviceInfo
from .engine import Engine, Program, Settings, load, translate
from .enums import (
    AnchorReturnTypeId,
    DataType,
    DeviceType,
    RecomputationType,
    RecomputeType,
    ReplicatedStreamMode,
    VirtualGraphMode,
)
from .exceptions import (
    popart_exception,
    popart_internal_exception,
    popart_runtime_error,
)
from .executables import find_or_write, read_executable, write_executable, write_variables
from .operands import unlisted_type
from .options import SessionOptions
from .patterns import Patterns
from .settings import check_engine_options, float16_rounding
from .stepio import IStepIO, PyStepIO, PyWeightsIO
from .streams import Steps, Streams, anchor_arrays
from .tensorinfo import _TensorInfoCore
from .weights import HostWeights, moved_model, updated_model

_log = logging.getLogger("popart.session")

# One shared object each, as in PopART.
NO_SHAPES = InputShapeInfo()
DEFAULT_OPTIONS = SessionOptions()

_SEED_BITS = 64
_STREAM_MODE = "replicatedStreamMode/"


def require(function: str, name: str, value: Any, *accepted: type) -> None:
    if not isinstance(value, accepted):
        names = " or ".join(cls.__name__ for cls in accepted)
        raise TypeError(
            f"{function}(): incompatible argument {name}. Accepted: {names}. "
            f"Given: {type(value).__name__}"
        )


class Session:
    """Base of the sessions; ``_trains`` tells them apart."""

    def __init__(
        self,
        fnModel: Union[bytes, str],
        dataFlow: DataFlow,
        deviceInfo: DeviceInfo,
        inputShapeInfo: InputShapeInfo = NO_SHAPES,
        patterns: Optional[Patterns] = None,
        userOptions: SessionOptions = DEFAULT_OPTIONS,
        name: str = "session",
    ) -> None:
        kind = type(self).__name__
        require(kind, "fnModel", fnModel, bytes, str)
        require(kind, "dataFlow", dataFlow, DataFlow)
        require(kind, "deviceInfo", deviceInfo, DeviceInfo)
        require(kind, "inputShapeInfo", inputShapeInfo, InputShapeInfo)
        require(kind, "patterns", patterns, Patterns, type(None))
        require(kind, "userOptions", userOptions, SessionOptions)
        self.name = name
        self._model = fnModel
        self._data_flow = dataFlow
        self._device = deviceInfo
        self._options = userOptions
        self._patterns = Patterns() if patterns is None else patterns
        self._reference = weakref.ref(self)
        self._steps = Steps(dataFlow.batchesPerStep(), self._replicas())
        self._graph = self._built(_input_shapes(inputShapeInfo))
        self._settings = Settings(
            rounding=float16_rounding(userOptions.enableFloatingPointChecks),
            strided_groups=userOptions.groupNormStridedChannelGrouping,
            check_floats=userOptions.enableFloatingPointChecks,
            training=self._trains,
            variables=self._trains or not userOptions.constantWeights,
        )
        self._check_collectives()
        self._check_recomputation()
        self._translation: Any = translate(self._graph, self._settings)
        self._weights = HostWeights(self._graph)
        self._random = bool(self._translation.random) or userOptions.enableStochasticRounding
        self._seed = 0
        self._generator: Optional[np.random.Generator] = None
        self._engine: Union[Engine, Program, None] = None
        self._streams: Any = None
        self._whole = False
        self._from_file = False
        self._executable = b""

    _trains = False

    def _built(self, shapes: Any) -> ir.Graph:
        return ir.build(self._model, self._data_flow.anchors(), shapes, self._limits())

    # Checks.

    def _replicas(self) -> int:
        options, device = self._options, self._device
        count = options.replicatedGraphCount
        self._check_accumulation()
        if not options.enableReplicatedGraphs:
            if count > 1:
                raise popart_exception(
                    f"replicatedGraphCount is {count} but enableReplicatedGraphs is False: "
                    "set it to True"
                )
            return 1
        if device.numIpus % count != 0:
            raise popart_exception(
                f"For replicated graphs, the number of IPUs ({device.numIpus}) must be divisible "
                f"by the replication factor ({count})"
            )
        if count > 1 and device.type in (DeviceType.Cpu, DeviceType.IpuModel):
            raise popart_exception(
                f"Replicated graphs are not supported on device type {device.type}: use an IPU"
            )
        return count

    def _check_accumulation(self) -> None:
        if self._options.enableGradientAccumulation:
            raise popart_exception(
                "Gradient Accumulation only available when training: set "
                "enableGradientAccumulation to False in an InferenceSession"
            )

    def _limits(self) -> ir.Limits:
        options = self._options
        mode = options.virtualGraphMode
        per_replica = self._device.numIpus // self._steps.replicas
        if mode is VirtualGraphMode.Off:
            if per_replica > 1:
                raise popart_exception(
                    "If virtual graphs are disabled, the replication factor "
                    f"({self._steps.replicas}) must equal the number of IPUs "
                    f"({self._device.numIpus})"
                )
            if options.enablePipelining:
                raise popart_exception(
                    "Pipelining requires more than 1 IPU and a virtualGraphMode other than Off"
                )
        if options.enablePipelining:
            periodic = [
                name
                for name, returns in self._data_flow.anchors().items()
                if returns.id() is AnchorReturnTypeId.EveryN
            ]
            if periodic:
                raise popart_exception(
                    f"Anchor return type EveryN (tensor {periodic[0]}) cannot be used with "
                    "pipelining: use All, Final or Sum"
                )
        return ir.Limits(
            virtual_graphs=mode is not VirtualGraphMode.Off,
            manual=mode is VirtualGraphMode.Manual,
            ipus_per_replica=per_replica,
            pipelining=options.enablePipelining,
            batches_per_step=self._steps.batches,
            constant_weights=options.constantWeights and not self._trains,
            strict_versions=options.strictOpVersions,
            strided_slices=self._patterns.isPatternEnabled("Slice2SliceSubsample"),
        )

    def _check_collectives(self) -> None:
        if self._steps.replicas == 1:
            return
        for op in ir.all_ops(self._graph):
            if op.domain == "ai.graphcore" and op.type.startswith("Replicated"):
                raise popart_exception(
                    f"{op.label}: the stand-in runs replicas one after the other and has no "
                    "collectives between them: set replicatedGraphCount to 1"
                )

    def _check_recomputation(self) -> None:
        options = self._options
        automatic = options.autoRecomputation is not RecomputationType.NoRecompute
        if not automatic and not options.enablePipelining:
            return
        for op in ir.all_ops(self._graph):
            if op.attributes.get(RECOMPUTE) == RecomputeType.Recompute.value:
                raise popart_exception(
                    f"A mixture of auto and manual recomputation is not supported: {op.label} has "
                    "an annotation, and autoRecomputation or pipelining decides for all ops"
                )

    # What the session knows of itself.

    @property
    def dataFlow(self) -> DataFlow:
        return self._data_flow

    @property
    def replicationFactor(self) -> int:
        return self._steps.replicas

    @property
    def accumulationFactor(self) -> int:
        return 1

    def _getDataFlow(self) -> DataFlow:
        return self._data_flow

    def _replicationFactor(self) -> int:
        return self._steps.replicas

    def _accumulationFactor(self) -> int:
        return 1

    def getInfo(self, id: str) -> _TensorInfoCore:
        """Type and shape of a tensor on the device. Raises popart_exception for an unknown id."""
        tensor = self._graph.tensors.get(id)
        if tensor is None:
            raise popart_exception(f"No tensor {id} in the graph of this session")
        return _TensorInfoCore(DataType[tensor.info.dtype], list(tensor.shape))

    def initAnchorArrays(self) -> Dict[str, np.ndarray]:
        """Uninitialised arrays for all anchors, of the shapes that a step writes."""
        return anchor_arrays(self._graph.tensors, self._data_flow.anchors(), self._steps)

    # Compiling and loading.

    def prepareDevice(self, loadEngine: bool = True) -> None:
        """Build the engine and, unless told otherwise, load it on the device.

        With ``enableEngineCaching`` an executable of ``cachePath`` counts as loaded from a file.
        Raises poplar_exception for an unknown engine option, popart_runtime_error where the device
        cannot be attached.
        """
        check_engine_options(self._options.engineOptions)
        if self._device.type is DeviceType.OfflineIpu and loadEngine:
            self._device._require_attached()
        self._build()
        if self._options.enableEngineCaching and not self._from_file:
            self._from_file = find_or_write(
                self._options.cachePath, self._device, self._identity(), self._description()
            )
        if self._random and self._generator is None:
            self._set_seed(time.time_ns())
        if loadEngine and self._options.compileEngine:
            self.loadEngineAndConnectStreams()

    def _build(self) -> None:
        self._engine = None
        self._streams = None
        try:
            engine = load(self._translation)
        except popart_internal_exception as error:
            refusal = unlisted_type(ir.all_ops(self._graph))
            if refusal is None:
                raise
            raise refusal from error
        for state in self._translation.states:
            engine.write_state(state.tensor, self._weights.array(state.tensor))
        unused = {tensor.id for tensor in self._graph.inputs if not tensor.used}
        self._streams = Streams(
            engine,
            self._steps,
            self._data_flow.anchors(),
            self._broadcast_inputs(),
            set(self._graph.tensors),
            unused,
        )
        self._engine = engine

    def _broadcast_inputs(self) -> Set[str]:
        """Inputs of which all replicas read the same data: metadata of the model."""
        broadcast = str(ReplicatedStreamMode.Broadcast.value)
        return {
            key[len(_STREAM_MODE) :]
            for key, value in self._graph.metadata.items()
            if key.startswith(_STREAM_MODE) and value == broadcast
        }

    def loadEngineAndConnectStreams(self) -> None:
        """Load the engine, which evicts that of another session. Attaches an OnDemand device."""
        if self._engine is None:
            raise popart_runtime_error(
                "prepare() must be called before the engine is loaded: call prepareDevice()"
            )
        self._device._require_attached()
        self._device._loaded_session = self._reference
        # The first step is checked in full, and so is every step of a session that has more to do
        # than to run the engine once.
        self._whole = False

    # Running.

    def run(
        self,
        stepio: Union[IStepIO, str],
        debugName: Union[str, IStepIO] = "",
        *rest: str,
        programHandle: str = "",
    ) -> None:
        """Run one step: ``run(stepio, debugName="")`` or ``run(programHandle, stepio, ...)``.

        Raises popart_runtime_error for a wrong order of calls or wrong step IO.
        """
        if self._whole and self._device._loaded_session is self._reference:
            if type(stepio) is PyStepIO and self._streams.run_whole(stepio):
                return
        elif self._engine is None:
            raise popart_runtime_error(
                "prepare() must be called before run(): call prepareDevice() first"
            )
        elif self._device._loaded_session is not self._reference:
            self.loadEngineAndConnectStreams()
        if isinstance(stepio, str):
            require("run", "stepio", debugName, IStepIO)
            stepio = debugName  # type: ignore[assignment]
        require("run", "stepio", stepio, IStepIO)
        self._streams.run(stepio, self._generator)
        self._whole = self._steps.total == 1 and self._engine.is_plain  # type: ignore[union-attr]

    # Weights.

    def weightsFromHost(self) -> None:
        """Copy the host's weights to the device."""
        if self._engine is None:
            raise popart_runtime_error(
                "prepare() must be called before weightsFromHost(): call prepareDevice() first"
            )
        states = {state.tensor for state in self._translation.states}
        for id in states:
            self._engine.write_state(id, self._weights.array(id))
        if not self._weights.changed <= states:
            self._weights.apply(self._graph)
            self._translation = translate(self._graph, self._settings)
            self._build()
            self._whole = False
        self._weights.changed.clear()

    def weightsToHost(self) -> None:
        """Copy the device's weights to the host's buffers."""
        if self._engine is None:
            raise popart_runtime_error(
                "prepare() must be called before weightsToHost(): call prepareDevice() first"
            )
        for state in self._translation.states:
            self._weights.store(state.tensor, self._engine.read_state(state.tensor))

    def readWeights(self, weightsIo: PyWeightsIO) -> None:
        """Fill the arrays from the host's buffers.

        Raises popart_exception for an unknown id, popart_runtime_error for a wrong size.
        """
        require("readWeights", "weightsIo", weightsIo, PyWeightsIO)
        self._weights.read(weightsIo._weights)

    def writeWeights(self, weightsIo: PyWeightsIO) -> None:
        """Fill the host's buffers; ``weightsFromHost`` uploads them. Raises as readWeights does."""
        require("writeWeights", "weightsIo", weightsIo, PyWeightsIO)
        self._refuse_constant_weights("writeWeights")
        self._weights.write(weightsIo._weights)

    def resetHostWeights(
        self,
        modelProtoOrFilename: Union[bytes, str],
        ignoreWeightsInModelWithoutCorrespondingHostWeight: bool = False,
    ) -> None:
        """Fill the host's buffers from the initializers of a model.

        Raises popart_runtime_error for an initializer that this session does not have, unless told
        to ignore it.
        """
        self._refuse_constant_weights("resetHostWeights")
        proto, folder = ir.read_model(modelProtoOrFilename)
        arrays = {item.name: ir.initializer_data(item, folder) for item in proto.graph.initializer}
        unknown = sorted(set(arrays) - set(self._weights.ids))
        if unknown and not ignoreWeightsInModelWithoutCorrespondingHostWeight:
            raise popart_runtime_error(
                f"resetHostWeights, no tensor '{unknown[0]}' in the session's graph: pass "
                "ignoreWeightsInModelWithoutCorrespondingHostWeight=True to skip such weights"
            )
        self._weights.write({name: a for name, a in arrays.items() if name not in unknown})

    def _refuse_constant_weights(self, function: str) -> None:
        if self._options.constantWeights and not self._trains:
            raise popart_runtime_error(
                f"Cannot call {function} when constantWeights is set: "
                "set SessionOptions.constantWeights to False"
            )

    def modelToHost(self, fn: str) -> None:
        """Write the model with the device's weights to an ONNX file.

        Initializers with external data are rewritten in the files that hold them.
        """
        self.weightsToHost()
        with open(fn, "wb") as file:
            file.write(updated_model(self._model, self._weights))

    # Randomness.

    def setRandomSeed(self, seedValue: int) -> None:
        """Start the random stream anew. Without random ops it only warns."""
        if self._engine is None:
            raise popart_runtime_error(
                "prepare() must be called before setRandomSeed(): call prepareDevice() first"
            )
        if not self._random:
            _log.warning("setRandomSeed has no effect: the session has no random behaviour")
            return
        self._set_seed(seedValue)

    def _set_seed(self, seed: int) -> None:
        self._seed = int(seed) % 2**_SEED_BITS
        self._generator = np.random.Generator(np.random.Philox(key=self._seed))

    def getRandomSeed(self) -> int:
        """The seed; 0 for a session without random behaviour."""
        return self._seed if self._random else 0

    def getRNGState(self) -> List[int]:
        """State of the random stream as 32-bit words."""
        self._require_rng_state("getRNGState")
        return self._rng_words()

    def setRNGState(self, rngValue: List[int]) -> None:
        """Restore what ``getRNGState`` gave. Raises popart_runtime_error for anything else."""
        self._require_rng_state("setRNGState")
        if len(rngValue) != len(self._rng_words()):
            raise popart_runtime_error(
                f"Devices require {len(self._rng_words())} RNG state values, got {len(rngValue)}"
            )
        words = np.asarray(rngValue, np.uint32)
        values = words.view(np.uint64)
        self._set_seed(int(values[0]))
        assert self._generator is not None
        state = self._generator.bit_generator.state
        state["state"]["counter"] = values[1:5]
        self._generator.bit_generator.state = state

    def _require_rng_state(self, function: str) -> None:
        if not self._options.enableLoadAndOffloadRNGState:
            raise popart_runtime_error(
                f"{function} needs SessionOptions.enableLoadAndOffloadRNGState to be True"
            )

    def _rng_words(self) -> List[int]:
        if self._generator is None:
            self._set_seed(0)
        assert self._generator is not None
        counter = self._generator.bit_generator.state["state"]["counter"]
        return np.array([self._seed, *counter], np.uint64).view(np.uint32).tolist()

    # Executables.

    def compileAndExport(self, filename: str) -> None:
        """Write an executable file without loading it; a folder gets ``executable.popef``.

        Raises popart_exception for a device that cannot compile offline, OSError where the file
        cannot be written.
        """
        check_engine_options(self._options.engineOptions)
        write_executable(filename, self._device, self._identity(), self._description())

    def saveExecutable(
        self, path: str, savePopartMetadata: bool = True, saveVariables: bool = True
    ) -> None:
        """Write the executable of a prepared session; variables go to ``variables.popef``."""
        if self._engine is None:
            raise popart_runtime_error("prepareDevice() must be called before saveExecutable()")
        target = write_executable(path, self._device, self._identity(), self._description())
        if saveVariables:
            self.saveVariables(str(target.parent))

    def saveVariables(self, path: str) -> None:
        """Write the variables' data; a folder gets ``variables.popef``."""
        write_variables(path, {id: self._weights.array(id) for id in self._weights.ids})

    def loadExecutable(self, filename: str) -> None:
        """Take the executable of a session with the same model and options.

        Raises popart_exception for a missing, damaged or foreign file.
        """
        read_executable(filename, self._identity())
        self._from_file = True

    def _identity(self) -> str:
        """Hash of what the executable depends on."""
        digest = hashlib.sha256()
        read = {tensor.id: tensor for tensor in self._graph.outputs if tensor.data is not None}
        for op in ir.all_ops(self._graph):
            digest.update(
                repr((op, sorted(map(_described_attribute, op.attributes.items())))).encode()
            )
            read.update((tensor.id, tensor) for tensor in ir.reads(op) if tensor.data is not None)
        for id, tensor in read.items():
            digest.update(id.encode())
            digest.update(np.ascontiguousarray(tensor.data).reshape(-1).view(np.uint8).data)
        anchors = sorted((id, repr(art)) for id, art in self._data_flow.anchors().items())
        digest.update(repr((self._steps, anchors, self._settings)).encode())
        return digest.hexdigest()

    def _description(self) -> Dict[str, Any]:
        return {
            "replicationFactor": self._steps.replicas,
            "numIpus": self._device.numIpus,
            "ipuVersion": self._device.ipuVersion,
            "isInference": not self._trains,
            "engineOptions": dict(self._options.engineOptions),
            "deviceIterations": self._steps.batches,
            "inputs": [_described(port) for port in self._translation.inputs],
            "anchors": [_described(port) for port in self._translation.outputs],
        }

    def updateExternallySavedTensorLocations(self, fromLocation: str, toLocation: str) -> None:
        """Look for the external data of one file in another one."""
        self._model = moved_model(self._model, fromLocation, toLocation)

    # Inside.

    def getIr(self) -> Any:
        raise popart_exception("The stand-in has no popart.Ir object: its graph is its own")

    def _serializeIr(self, format: Any) -> str:
        """Names, types and tensors of the ops as JSON."""
        return json.dumps([_serialized(op) for op in self._graph.ops])

    # Reports.

    def getSummaryReport(self, resetProfile: bool = True) -> str:
        raise self._no_report()

    def getReport(self) -> Any:
        raise self._no_report()

    def getSerializedGraph(self) -> bytes:
        raise self._no_report()

    def getCycleCount(self, id: str = "") -> int:
        if not self._options.instrumentWithHardwareCycleCounter:
            raise popart_runtime_error(
                "getCycleCount needs SessionOptions.instrumentWithHardwareCycleCounter to be True"
            )
        raise popart_exception("The stand-in counts no cycles: it is not a model of the tiles")

    def _no_report(self) -> Exception:
        if self._engine is None:
            return popart_runtime_error(
                "The session must have been prepared before a report: call prepareDevice()"
            )
        if self._from_file:
            return popart_runtime_error(
                "There is no report of an executable that was loaded from a file"
            )
        return popart_exception(
            "The stand-in compiles no Poplar graph and so has no Poplar report of it"
        )


def _serialized(op: ir.Op) -> Dict[str, Any]:
    return {
        "type": op.type,
        "domain": op.domain or "ai.onnx",
        "version": op.version,
        "name": op.name,
        "inputs": [tensor.id if tensor else "" for tensor in op.inputs],
        "outputs": [repr(tensor) if tensor else "" for tensor in op.outputs],
    }


def _described_attribute(item: Tuple[str, Any]) -> Tuple[str, str]:
    """Name and value of an attribute; a body is told by its outputs."""
    name, value = item
    if isinstance(value, ir.Graph):
        return name, repr(value.outputs)
    return name, repr(value.tolist() if isinstance(value, np.ndarray) else value)


def _described(port: Any) -> Tuple[str, str, List[int]]:
    return port.tensor, str(port.dtype), list(port.shape)


def _input_shapes(infos: InputShapeInfo) -> Any:
    def shapes(name: str) -> Optional[Tuple[str, Tuple[int, ...]]]:
        if not infos.has(name):
            return None
        info = infos.get(name)
        return info.data_type(), tuple(info.shape())

    return shapes
