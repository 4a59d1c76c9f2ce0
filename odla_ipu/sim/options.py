"""SessionOptions, the settings nested in it, and the settings of tensors and variables.

Every attribute has PopART's name, type and default. Assigning a value of another type raises
TypeError, assigning an attribute that does not exist raises AttributeError.
"""

import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .binding import (
    BOOL,
    FLOAT,
    INT,
    STR,
    Argument,
    Field,
    Overload,
    Settings,
    dict_of,
    instance_of,
    list_of,
    optional,
    overload,
    resolve,
    set_of,
)
from .enums import (
    AccumulateOuterFragmentSchedule,
    AutodiffStitchStrategy,
    BatchSerializationBatchSchedule,
    BatchSerializationMethod,
    BatchSerializationTransformContext,
    CommGroupType,
    ExecutionPhaseIOSchedule,
    ExecutionPhaseSchedule,
    GradientTensorTrackingMethod,
    Instrumentation,
    MeanReductionStrategy,
    MergeVarUpdateType,
    RecomputationType,
    ReductionType,
    ReplicatedTensorSharding,
    SubgraphCopyingStrategy,
    SyntheticDataMode,
    TensorStorage,
    TileSet,
    VariableRetrievalMode,
    VirtualGraphMode,
)
from .exceptions import popart_exception


class ReplicaGrouping(NamedTuple):
    """Replicas in groups of `groupSize`, neighbours in a group being `stride` apart."""

    numReplicas: int
    stride: int
    groupSize: int


class CommGroup(Settings):
    """Which replicas communicate: all, runs of consecutive ones, or orthogonal to these."""

    __slots__ = ()
    type = Field(instance_of(CommGroupType), CommGroupType.All)
    replicaGroupSize = Field(INT, 0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        _, values = resolve("CommGroup", _COMM_GROUP_OVERLOADS, args, kwargs)
        if "grouping" in values:
            values = _comm_group_of(values["grouping"])
        self._values.update(values)

    def toReplicaGrouping(self, numReplicas: int) -> ReplicaGrouping:
        """Stride and size of the groups among `numReplicas` replicas.

        Raises popart_exception where the group size does not divide the number of replicas.
        """
        size = self.replicaGroupSize
        if self.type in (CommGroupType.Consecutive, CommGroupType.Orthogonal) and (
            size <= 0 or numReplicas % size != 0
        ):
            raise popart_exception(
                f"A group of {size} replicas does not divide {numReplicas} replicas: "
                "choose a positive divisor as replicaGroupSize"
            )
        if self.type is CommGroupType.Consecutive:
            return ReplicaGrouping(numReplicas, 1, size)
        if self.type is CommGroupType.Orthogonal:
            return ReplicaGrouping(numReplicas, numReplicas // size, size)
        if self.type is CommGroupType.Ungrouped:
            return ReplicaGrouping(numReplicas, 1, 1)
        return ReplicaGrouping(numReplicas, 1, numReplicas)


_COMM_GROUP_OVERLOADS = (
    overload(),
    overload(Argument("type", instance_of(CommGroupType)), Argument("replicaGroupSize", INT)),
    overload(Argument("grouping", instance_of(ReplicaGrouping))),
)


def _comm_group_of(grouping: ReplicaGrouping) -> Dict[str, Any]:
    replicas, stride, size = grouping
    if size == 1:
        return {"type": CommGroupType.Ungrouped, "replicaGroupSize": 0}
    if size == replicas:
        return {"type": CommGroupType.All, "replicaGroupSize": 0}
    if stride == 1:
        return {"type": CommGroupType.Consecutive, "replicaGroupSize": size}
    if stride * size == replicas:
        return {"type": CommGroupType.Orthogonal, "replicaGroupSize": size}
    raise popart_exception(
        f"No CommGroup describes {replicas} replicas in groups of {size} with stride {stride}"
    )


class TensorLocation(Settings):
    """Where a tensor is stored, on which tiles, and whether it is sharded over replicas."""

    __slots__ = ()
    storage = Field(instance_of(TensorStorage), TensorStorage.OnChip)
    loadTileSet = Field(instance_of(TileSet), TileSet.Compute)
    storageTileSet = Field(instance_of(TileSet), TileSet.Compute)
    replicatedTensorSharding = Field(
        instance_of(ReplicatedTensorSharding), ReplicatedTensorSharding.Off
    )
    shardingDomain = Field(instance_of(CommGroup), CommGroup)


_STORAGE = Argument("storage", instance_of(TensorStorage))
_LOAD_TILES = Argument("loadTileSet", instance_of(TileSet))
_STORAGE_TILES = Argument("storageTileSet", instance_of(TileSet))
_SHARDING = Argument("replicatedTensorSharding", instance_of(ReplicatedTensorSharding))
_DOMAIN = Argument("shardingDomain", instance_of(CommGroup))
TensorLocation._overloads = (
    overload(),
    overload(_STORAGE),
    overload(_STORAGE, _SHARDING),
    overload(_STORAGE, _SHARDING, _DOMAIN),
    overload(_STORAGE, _LOAD_TILES, _STORAGE_TILES, _SHARDING),
    overload(_STORAGE, _LOAD_TILES, _STORAGE_TILES, _SHARDING, _DOMAIN),
)


class TensorLocationSettings(Settings):
    """Location of one kind of tensors, and how many elements make it worth the while."""

    __slots__ = ()
    location = Field(instance_of(TensorLocation), TensorLocation)
    minElementsForOffChip = Field(INT, 2)
    minElementsForReplicatedTensorSharding = Field(INT, 8192)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        _, values = resolve("TensorLocationSettings", _LOCATION_OVERLOADS, args, kwargs)
        if "storage" in values:
            values["location"] = TensorLocation(values.pop("storage"))
        self._values.update(values)


_MIN_OFF_CHIP = Argument("minElementsForOffChip", INT, 2)
_MIN_SHARDED = Argument("minElementsForReplicatedTensorSharding", INT, 8192)
_LOCATION_OVERLOADS = (
    overload(),
    overload(Argument("location", instance_of(TensorLocation)), _MIN_OFF_CHIP, _MIN_SHARDED),
    overload(_STORAGE, _MIN_OFF_CHIP, _MIN_SHARDED),
)


class AccumulateOuterFragmentSettings(Settings):
    """Order of the ops that run once after gradient accumulation."""

    __slots__ = ()
    schedule = Field(
        instance_of(AccumulateOuterFragmentSchedule), AccumulateOuterFragmentSchedule.Serial
    )
    excludedVirtualGraphs = Field(list_of(INT), [])
    _overloads = (
        overload(),
        overload(
            Argument("schedule", instance_of(AccumulateOuterFragmentSchedule)),
            Argument("excludedVirtualGraphs", list_of(INT), []),
        ),
    )


class AutodiffSettings(Settings):
    """How backward graphs get tensors of the forward graph."""

    __slots__ = ()
    stitchStrategy = Field(
        instance_of(AutodiffStitchStrategy), AutodiffStitchStrategy.RecomputeAllNonInputs
    )
    _overloads = (
        overload(),
        overload(
            Argument(
                "stitchStrategy",
                instance_of(AutodiffStitchStrategy),
                AutodiffStitchStrategy.RecomputeAllNonInputs,
            )
        ),
    )


class AutomaticLossScalingSettings(Settings):
    """Automatic loss scaling: which gradients are watched and how the scale follows them."""

    __slots__ = ()
    enabled = Field(BOOL, False)
    toTrackTensors = Field(optional(list_of(STR)), [])
    binEdgeLocation = Field(FLOAT, 0.125)
    thresholdUpperCountProportion = Field(FLOAT, 1e-7)
    updatePeriod = Field(INT, 1)
    gradientTensorTrackingMethod = Field(
        instance_of(GradientTensorTrackingMethod),
        GradientTensorTrackingMethod.AllNonViewChangingGradientTensors,
    )
    _overloads = (
        overload(),
        overload(
            Argument("enabled", BOOL, False),
            Argument("toTrackTensors", optional(list_of(STR)), None),
            Argument("binEdgeLocation", FLOAT, 0.125),
            Argument("thresholdUpperCountProportion", FLOAT, 1e-7),
            Argument("updatePeriod", INT, 1),
            Argument(
                "gradientTensorTrackingMethod",
                instance_of(GradientTensorTrackingMethod),
                GradientTensorTrackingMethod.AllNonViewChangingGradientTensors,
            ),
        ),
    )


class BatchSerializationSettings(Settings):
    """Splitting of the compute batch into parts that run one after the other."""

    __slots__ = ()
    factor = Field(INT, 0)
    concatOnVirtualGraphChange = Field(BOOL, True)
    concatOnExecutionPhaseChange = Field(BOOL, True)
    concatOnPipelineStageChange = Field(BOOL, True)
    transformContext = Field(
        instance_of(BatchSerializationTransformContext), BatchSerializationTransformContext.Fwd
    )
    method = Field(instance_of(BatchSerializationMethod), BatchSerializationMethod.UnrollDynamic)
    batchSchedule = Field(
        instance_of(BatchSerializationBatchSchedule), BatchSerializationBatchSchedule.Isomorphic
    )
    _overloads = (
        overload(),
        overload(
            Argument("factor", INT),
            Argument("concatOnVirtualGraphChange", BOOL),
            Argument("concatOnExecutionPhaseChange", BOOL),
            Argument("concatOnPipelineStageChange", BOOL),
            Argument(
                "transformContext",
                instance_of(BatchSerializationTransformContext),
                BatchSerializationTransformContext.Fwd,
            ),
            Argument(
                "method",
                instance_of(BatchSerializationMethod),
                BatchSerializationMethod.UnrollDynamic,
            ),
            Argument(
                "batchSchedule",
                instance_of(BatchSerializationBatchSchedule),
                BatchSerializationBatchSchedule.Isomorphic,
            ),
        ),
    )


_IO_SCHEDULE = instance_of(ExecutionPhaseIOSchedule)


class ExecutionPhaseSettings(Settings):
    """Phased execution: tensors move to and from streaming memory between phases."""

    __slots__ = ()
    phases = Field(INT, 0)
    stages = Field(INT, 2)
    weightIOSchedule = Field(_IO_SCHEDULE, ExecutionPhaseIOSchedule.Preload)
    activationIOSchedule = Field(_IO_SCHEDULE, ExecutionPhaseIOSchedule.Preload)
    optimizerStateIOSchedule = Field(_IO_SCHEDULE, ExecutionPhaseIOSchedule.OnDemand)
    accumulatorIOSchedule = Field(_IO_SCHEDULE, ExecutionPhaseIOSchedule.Preload)
    schedule = Field(instance_of(ExecutionPhaseSchedule), ExecutionPhaseSchedule.Interleaving)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        _, values = resolve("ExecutionPhaseSettings", _PHASE_OVERLOADS, args, kwargs)
        if "optimizerSchedule" in values:
            values["schedule"] = values.pop("optimizerSchedule")
        self._values.update(values)


_PHASE_OVERLOADS = (
    overload(),
    overload(
        Argument("phases", INT),
        Argument("stages", INT),
        Argument("weightIOSchedule", _IO_SCHEDULE),
        Argument("activationIOSchedule", _IO_SCHEDULE),
        Argument("optimizerStateIOSchedule", _IO_SCHEDULE),
        Argument("accumulatorIOSchedule", _IO_SCHEDULE),
        Argument("optimizerSchedule", instance_of(ExecutionPhaseSchedule)),
    ),
)


class ExperimentalSettings(Settings):
    """Switches that PopART does not promise to keep."""

    __slots__ = ()
    _customTransformApplierSettings = Field(dict_of(STR, list_of(STR)), {})
    createHostTransferableTensorWithOffset = Field(BOOL, False)

    @property
    def customTransformApplierSettings(self) -> Dict[str, List[str]]:
        return _WrittenBack(self, "_customTransformApplierSettings")

    @customTransformApplierSettings.setter
    def customTransformApplierSettings(self, value: Dict[str, List[str]]) -> None:
        self._customTransformApplierSettings = value


class ReplicatedCollectivesSettings(Settings):
    """Which collectives over replicas are merged."""

    __slots__ = ()
    prepareScheduleForMergingCollectives = Field(BOOL, False)
    mergeAllReduceCollectives = Field(BOOL, False)
    mergeReduceScatterCollectives = Field(BOOL, False)
    mergeAllGatherCollectives = Field(BOOL, False)
    _overloads = (
        overload(),
        overload(
            Argument("prepareScheduleForMergingCollectives", BOOL, False),
            Argument("mergeAllReduceCollectives", BOOL, False),
            Argument("mergeReduceScatterCollectives", BOOL, False),
            Argument("mergeAllGatherCollectives", BOOL, False),
        ),
    )


class NumIOTiles(Settings):
    """Number of tiles set apart for host IO."""

    __slots__ = ()
    arg0 = Field(INT, 0)
    _overloads: Tuple[Overload, ...] = (overload(), overload(Argument("arg0", INT)))

    def __int__(self) -> int:
        return self.arg0

    def __index__(self) -> int:
        return self.arg0


class _WrittenBack(dict):
    """Copy of a dict option; assigning an item assigns the option, other changes are lost.

    PopART's Python layer works the same way: only `options.engineOptions[key] = value` or an
    assignment of the whole dict has an effect on the session.
    """

    def __init__(self, owner: Settings, attribute: str) -> None:
        super().__init__(getattr(owner, attribute))
        self._owner = owner
        self._attribute = attribute

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        setattr(self._owner, self._attribute, dict(self))


class _DictOption:
    """A dict attribute of the Python layer over the native attribute of the same name with "_"."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._native = f"_{name}"

    def __get__(self, instance: Optional[Settings], owner: Optional[type] = None) -> Any:
        return self if instance is None else _WrittenBack(instance, self._native)

    def __set__(self, instance: Settings, value: Any) -> None:
        setattr(instance, self._native, value)


class SessionOptions(Settings):
    """Options of a session.

    The environment variable POPXL_CACHE_DIR, or else POPART_CACHE_DIR, turns engine caching on.
    """

    __slots__ = ()
    _convolutionOptions = Field(dict_of(STR, STR), {})
    _enableRngStateManagement = Field(BOOL, False)
    _engineOptions = Field(dict_of(STR, STR), {})
    _gclOptions = Field(dict_of(STR, STR), {})
    _lstmOptions = Field(dict_of(STR, STR), {})
    _matmulOptions = Field(dict_of(STR, STR), {})
    _reportOptions = Field(dict_of(STR, STR), {})
    _tensorLocationSettingsOverride = Field(dict_of(STR, instance_of(TensorLocation)), {})
    accumulateOuterFragmentSettings = Field(
        instance_of(AccumulateOuterFragmentSettings), AccumulateOuterFragmentSettings
    )
    accumulationAndReplicationReductionType = Field(instance_of(ReductionType), ReductionType.Sum)
    accumulationFactor = Field(INT, 1)
    accumulatorTensorLocationSettings = Field(
        instance_of(TensorLocationSettings), TensorLocationSettings
    )
    activationTensorLocationSettings = Field(
        instance_of(TensorLocationSettings), TensorLocationSettings
    )
    aliasZeroCopy = Field(BOOL, False)
    autoRecomputation = Field(instance_of(RecomputationType), RecomputationType.NoRecompute)
    automaticLossScalingSettings = Field(
        instance_of(AutomaticLossScalingSettings), AutomaticLossScalingSettings
    )
    batchSerializationSettings = Field(
        instance_of(BatchSerializationSettings), BatchSerializationSettings
    )
    bufferingDepthMap = Field(dict_of(STR, INT), {})
    cachePath = Field(STR, "session_cache")
    compileEngine = Field(BOOL, True)
    constantWeights = Field(BOOL, True)
    createImplicitPipeliningFwdOnlyProgram = Field(BOOL, False)
    customCodeletCompileFlags = Field(STR, "")
    customCodelets = Field(list_of(STR), [])
    decomposeGradSum = Field(BOOL, False)
    defaultBufferingDepth = Field(INT, 1)
    defaultPrefetchBufferingDepth = Field(INT, 111122)
    delayVarUpdates = Field(BOOL, True)
    disableGradAccumulationTensorStreams = Field(BOOL, False)
    disableOptimizerStateTensorStreams = Field(BOOL, False)
    dotChecks = Field(set_of(STR), set())
    dotOpNames = Field(BOOL, False)
    enableConstantFoldingOfMultipleConsumers = Field(BOOL, True)
    enableDistributedReplicatedGraphs = Field(BOOL, False)
    enableEfficientOverlapIOTopoCons = Field(BOOL, False)
    enableEngineCaching = Field(BOOL, False)
    enableExplicitMainLoops = Field(BOOL, False)
    enableFloatingPointChecks = Field(BOOL, False)
    enableFullyConnectedPass = Field(BOOL, True)
    enableGradientAccumulation = Field(BOOL, False)
    enableInplaceAmbiguityChecking = Field(BOOL, False)
    enableLoadAndOffloadRNGState = Field(BOOL, False)
    enableMergeExchange = Field(BOOL, True)
    enableNonStableSoftmax = Field(BOOL, False)
    enableOutlining = Field(BOOL, True)
    enableOutliningCopyCostPruning = Field(BOOL, True)
    enablePipelining = Field(BOOL, False)
    enablePrefetchDatastreams = Field(BOOL, True)
    enableReplicatedGraphs = Field(BOOL, False)
    enableStableNorm = Field(BOOL, False)
    enableStochasticRounding = Field(BOOL, False)
    enableSupportedDataTypeCasting = Field(BOOL, True)
    enableVariablesCaching = Field(BOOL, True)
    ensureFp32LossScaleTensor = Field(BOOL, False)
    executionPhaseSettings = Field(instance_of(ExecutionPhaseSettings), ExecutionPhaseSettings)
    experimentalSettings = Field(instance_of(ExperimentalSettings), ExperimentalSettings)
    explicitRecomputation = Field(BOOL, False)
    exportPoplarComputationGraph = Field(BOOL, False)
    exportPoplarVertexGraph = Field(BOOL, False)
    finalDotOp = Field(INT, 10000)
    firstDotOp = Field(INT, 0)
    globalReplicaOffset = Field(INT, 0)
    globalReplicationFactor = Field(INT, 1)
    groupHostSync = Field(BOOL, False)
    groupNormStridedChannelGrouping = Field(BOOL, False)
    hardwareInstrumentations = Field(set_of(instance_of(Instrumentation)), {Instrumentation.Outer})
    instrumentWithHardwareCycleCounter = Field(BOOL, False)
    kahnTieBreaker = Field(STR, "greedy")
    logDir = Field(STR, "")
    meanAccumulationAndReplicationReductionStrategy = Field(
        instance_of(MeanReductionStrategy), MeanReductionStrategy.Post
    )
    mergeVarUpdate = Field(instance_of(MergeVarUpdateType), MergeVarUpdateType.Off)
    mergeVarUpdateMemThreshold = Field(INT, 1000000)
    numIOTiles = Field(INT, 0)
    optimizerStateTensorLocationSettings = Field(
        instance_of(TensorLocationSettings), TensorLocationSettings
    )
    opxAliasChecking = Field(BOOL, False)
    opxModifyChecking = Field(BOOL, False)
    outlineSequenceBreakCost = Field(FLOAT, 10000.0)
    outlineThreshold = Field(FLOAT, 1.0)
    partialsTypeMatMuls = Field(STR, "")
    prefetchBufferingDepthMap = Field(dict_of(STR, INT), {})
    rearrangeAnchorsOnHost = Field(BOOL, True)
    rearrangeStreamsOnHost = Field(BOOL, False)
    replicatedCollectivesSettings = Field(
        instance_of(ReplicatedCollectivesSettings), ReplicatedCollectivesSettings
    )
    replicatedGraphCount = Field(INT, 1)
    scheduleNonWeightUpdateGradientConsumersEarly = Field(BOOL, False)
    separateCallOpPdfs = Field(BOOL, True)
    serializedPoprithmsAnnealGraphsDir = Field(STR, "")
    serializedPoprithmsShiftGraphsDir = Field(STR, "")
    stashAllTensorsInferencePipeline = Field(BOOL, False)
    strictOpVersions = Field(BOOL, True)
    subgraphCopyingStrategy = Field(
        instance_of(SubgraphCopyingStrategy), SubgraphCopyingStrategy.OnEnterAndExit
    )
    swapLimitScheduler = Field(INT, 1000000000)
    syntheticDataMode = Field(instance_of(SyntheticDataMode), SyntheticDataMode.Off)
    throwIfLog2ScaleTensorNotInRange = Field(BOOL, True)
    timeLimitScheduler = Field(FLOAT, 1e9)
    transitiveClosureOptimizationThreshold = Field(INT, 100000)
    updatableNamedBuffers = Field(list_of(STR), [])
    useHostCopyOps = Field(BOOL, False)
    useLoopCandidateCreator = Field(BOOL, False)
    virtualGraphMode = Field(instance_of(VirtualGraphMode), VirtualGraphMode.Off)
    virtualGraphSplitRatios = Field(list_of(FLOAT), [])
    weightTensorLocationSettings = Field(
        instance_of(TensorLocationSettings), TensorLocationSettings
    )
    engineOptions = _DictOption()
    convolutionOptions = _DictOption()
    lstmOptions = _DictOption()
    matmulOptions = _DictOption()
    reportOptions = _DictOption()
    gclOptions = _DictOption()
    tensorLocationSettingsOverride = _DictOption()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cache = os.environ.get("POPXL_CACHE_DIR") or os.environ.get("POPART_CACHE_DIR")
        if cache:
            self.enableEngineCaching = True
            self.cachePath = cache

    @property
    def updatableBuffers(self) -> Any:
        raise AttributeError(
            "SessionOptions.updatableBuffers has no native attribute behind it: "
            "use updatableNamedBuffers"
        )

    def enableExplicitIR(self, enable: bool) -> None:
        """Set useHostCopyOps, enableExplicitMainLoops and explicitRecomputation together."""
        self.useHostCopyOps = enable
        self.enableExplicitMainLoops = enable
        self.explicitRecomputation = enable

    def getGlobalReplicationFactor(self) -> int:
        """Replicas over all processes; the local ones without distributed replication."""
        if self.enableDistributedReplicatedGraphs:
            return self.globalReplicationFactor
        return self.replicatedGraphCount if self.enableReplicatedGraphs else 1


_GROUP = Argument("sharedVariableDomain_", instance_of(CommGroup))
_MODE = Argument("retrievalMode_", instance_of(VariableRetrievalMode))


class VariableSettings:
    """How a variable is shared between replicas, and which of them return it.

    Without arguments all replicas share it and one returns it. Groups that do not share a
    variable each have their own value, so the host array has a leading axis of groups.
    """

    __slots__ = ("_group", "_grouping", "_mode")
    _overloads = (
        overload(),
        overload(_GROUP),
        overload(_MODE),
        overload(_GROUP, _MODE),
        overload(
            Argument("stride", INT),
            Argument("groupSize", INT),
            Argument("mode", instance_of(VariableRetrievalMode)),
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("VariableSettings", self._overloads, args, kwargs)
        self._group: CommGroup = values.get("sharedVariableDomain_", CommGroup())
        default_mode = values.get("retrievalMode_", VariableRetrievalMode.OnePerGroup)
        self._mode: VariableRetrievalMode = values.get("mode", default_mode)
        self._grouping: Optional[Tuple[int, int]] = None
        if "stride" in values:
            self._grouping = (values["stride"], values["groupSize"])
        self.verify()

    def verify(self) -> None:
        """Raises popart_exception where stride or group size is not positive."""
        if self._grouping is not None and min(self._grouping) < 1:
            raise popart_exception(
                f"Stride and group size of a variable must be positive, not {self._grouping}"
            )

    def isUsingCommGroup(self) -> bool:
        return self._grouping is None

    def getSharedVariableDomain(self) -> CommGroup:
        return self._group

    def getCommGroupType(self) -> CommGroupType:
        return self._group.type

    def getGroupSize(self) -> int:
        """The group size as given; 0 for a CommGroup without one."""
        return self._group.replicaGroupSize if self._grouping is None else self._grouping[1]

    def getStride(self) -> int:
        return 1 if self._grouping is None else self._grouping[0]

    def getRetrievalMode(self) -> VariableRetrievalMode:
        return self._mode

    def getReplicaGrouping(self, numReplicas: int) -> ReplicaGrouping:
        if self._grouping is None:
            return self._group.toReplicaGrouping(numReplicas)
        stride, size = self._grouping
        if numReplicas % (stride * size) != 0:
            raise popart_exception(
                f"Groups of {size} replicas with stride {stride} do not divide "
                f"{numReplicas} replicas"
            )
        return ReplicaGrouping(numReplicas, stride, size)

    def getRealGroupSize(self, numReplicas: int) -> int:
        """Replicas in a group among `numReplicas`."""
        return self.getReplicaGrouping(numReplicas).groupSize

    def getGroupCount(self, numReplicas: int) -> int:
        return numReplicas // self.getRealGroupSize(numReplicas)

    def getGroupRepresentative(self, group: int) -> int:
        """The first replica of a group."""
        if self._grouping is not None:
            stride, size = self._grouping
            return group // stride * stride * size + group % stride
        if self._group.type is CommGroupType.All:
            return 0
        if self._group.type is CommGroupType.Consecutive:
            return group * self._group.replicaGroupSize
        return group

    def groups(self, numReplicas: int) -> List[List[int]]:
        """The replicas of each group."""
        _, stride, size = self.getReplicaGrouping(numReplicas)
        block = stride * size
        return [
            [start + offset + step * stride for step in range(size)]
            for start in range(0, numReplicas, block)
            for offset in range(stride)
        ]

    def numReplicasReturningVariable(self, numReplicas: int) -> int:
        """Replicas whose value reaches the host."""
        if self._mode is VariableRetrievalMode.AllReplicas:
            return numReplicas
        return self.getGroupCount(numReplicas)

    def shapeOnReplica(self, shape: List[int], numReplicas: int, name: str = "") -> List[int]:
        """Shape on a replica of a host array of `shape`: without the axis of groups."""
        count = self.numReplicasReturningVariable(numReplicas)
        if count == 1:
            return list(shape)
        if not shape or shape[0] != count:
            raise popart_exception(
                f'The host array of variable "{name}" has shape {list(shape)}: its first '
                f"dimension must be the number of values that return, {count}"
            )
        return list(shape[1:])

    def shapeOnHost(self, shape: List[int], numReplicas: int) -> List[int]:
        """Shape on the host of a variable of `shape` on a replica."""
        count = self.numReplicasReturningVariable(numReplicas)
        return list(shape) if count == 1 else [count, *shape]
