"""PopART's enumerations.

Members behave like those of the native module: they have `name` and `value`, convert with int(),
and compare only with members of their own enumeration. Two names of one value are one member.
"""

import enum


class NativeEnum(enum.Enum):
    """Base of the enumerations; the class can be called with a member's value."""

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value


class InitType(NativeEnum):
    """Contents of a tensor made by the op Init."""

    NoInit = 0
    Zero = 1


class TensorRemapType(NativeEnum):
    """Passes in which TensorRemap rearranges its tensor."""

    FwdBwdReverse = 0
    FwdBwd = 1
    Fwd = 2


class TileSet(NativeEnum):
    """Tiles for compute or for host IO."""

    Compute = 0
    IO = 1


class ExchangeStrategy(NativeEnum):
    """When a stream's host exchange happens relative to compute."""

    JustInTime = 0
    OverlapInnerLoop = 1
    OverlapLoops = 2
    OverlapStep = 3


class ReplicatedStreamMode(NativeEnum):
    """Whether each replica reads its own data or all the same."""

    Replicate = 1
    Broadcast = 0


class AnchorReturnTypeId(NativeEnum):
    """Which micro-batches of a step an anchor returns."""

    Final = 0
    EveryN = 1
    All = 2
    Sum = 3


class ReductionType(NativeEnum):
    """How a loss, or gradients over replicas, are reduced."""

    Mean = 1
    NoReduction = 2
    Sum = 0


class MeanReductionStrategy(NativeEnum):
    """When accumulated gradients are divided."""

    Running = 0
    Post = 1


class ScatterReduction(NativeEnum):
    """How ScatterReduce combines values of one index."""

    Sum = 0
    Max = 1
    Min = 2
    Mul = 3
    NoReduction = 4


class WeightDecayMode(NativeEnum):
    """Decoupled weight decay, or an L2 term in the gradient."""

    Decay = 0
    L2Regularization = 1


class SGDAccumulatorAndMomentum(NativeEnum):
    """One tensor for accumulator and velocity, or two."""

    Combined = 0
    Separate = 1


class AdamMode(NativeEnum):
    """Members of Adam's family."""

    Adam = 0
    AdamNoBias = 1
    Lamb = 3
    LambNoBias = 4
    AdaMax = 2


class AdaptiveMode(NativeEnum):
    """Optimizers of the Adaptive class."""

    AdaGrad = 0
    RMSProp = 1
    CenteredRMSProp = 2
    AdaDelta = 3


class GradientTensorTrackingMethod(NativeEnum):
    """Gradients that automatic loss scaling watches."""

    ConvAndMatmulGradients = 1
    AllNonViewChangingGradientTensors = 0
    GradientsOfUserSpecifiedTensors = 2


class BatchSerializationTransformContext(NativeEnum):
    """When batch serialization is applied."""

    Forward = 0
    Backward = 1
    Fwd = 0
    Bwd = 1


class BatchSerializationMethod(NativeEnum):
    """How the serialized batch is written out."""

    UnrollDynamic = 0
    UnrollStatic = 1
    Loop = 2


class BatchSerializationBatchSchedule(NativeEnum):
    """Order of a serialized batch's parts."""

    Scheduler = 0
    Isomorphic = 1
    OverlapOnIo = 2
    OverlapOnCompute = 3


class AutodiffStitchStrategy(NativeEnum):
    """Where a backward graph gets forward tensors from."""

    RecomputeMinimal = 0
    RecomputeAllNonInputs = 1
    AddFwdOutputs = 2
    SafeAddFwdOutputs = 3


class SubgraphCopyingStrategy(NativeEnum):
    """When a subgraph's inputs and outputs are copied."""

    OnEnterAndExit = 0
    JustInTime = 1


class PatternsLevel(NativeEnum):
    """Sets of patterns, from none to all."""

    All = 3
    Default = 2
    Minimal = 1
    NoPatterns = 0


class RecomputationType(NativeEnum):
    """Which forward ops are recomputed in the backward pass."""

    NoRecompute = 0
    Standard = 1
    NormOnly = 2
    RecomputeAll = 4
    Pipeline = 3


class RecomputeType(NativeEnum):
    """One op's part in recomputation."""

    Undefined = 0
    Checkpoint = 1
    Recompute = 2
    Recomputed = 3


class TensorStorage(NativeEnum):
    """In tile memory or in streaming memory."""

    OnChip = 0
    OffChip = 1


class ReplicatedTensorSharding(NativeEnum):
    """Whether a tensor is split over replicas."""

    Off = 0
    On = 1


class ExecutionPhaseIOSchedule(NativeEnum):
    """When a phase loads its tensors."""

    Preload = 0
    OnDemand = 1


class ExecutionPhaseSchedule(NativeEnum):
    """Order of the parts of execution phases."""

    Interleaving = 0
    Batch = 1
    BatchClusteredIO = 2


class AccumulateOuterFragmentSchedule(NativeEnum):
    """Order of the ops after gradient accumulation."""

    Scheduler = 0
    Serial = 1
    OverlapCycleOptimized = 2
    OverlapMemoryOptimized = 3


class SyncPattern(NativeEnum):
    """Which IPUs synchronise with each other."""

    Full = 0
    SinglePipeline = 1
    ReplicaAndLadder = 2

    def __str__(self) -> str:
        return self.name[0].lower() + self.name[1:]


class MergeVarUpdateType(NativeEnum):
    """Whether updates of variables are merged."""

    Off = 0
    All = 1
    AutoTight = 3
    AutoLoose = 2


class VirtualGraphMode(NativeEnum):
    """How ops are assigned to IPUs."""

    Off = 0
    Manual = 1
    Auto = 2
    ExecutionPhases = 3


class SyntheticDataMode(NativeEnum):
    """Data that replaces host IO; anything but Off disables it."""

    Off = 0
    Zeros = 1
    RandomNormal = 2
    RandomUniform = 3


class IrSerializationFormat(NativeEnum):
    """Formats of a serialized IR."""

    JSON = 0


class Instrumentation(NativeEnum):
    """Cycle counters put into a program."""

    Outer = 0
    Inner = 1


_DEVICE_TYPE_NAMES = {
    "IpuModel": "ipu-model",
    "Cpu": "cpu",
    "Ipu": "ipu",
    "OfflineIpu": "offline-ipu",
    "Sim": "sim",
}


class DeviceType(NativeEnum):
    """Kinds of devices."""

    IpuModel = 0
    Cpu = 1
    Ipu = 2
    OfflineIpu = 3
    Sim = 4

    def __str__(self) -> str:
        return _DEVICE_TYPE_NAMES[self.name]


class DeviceConnectionType(NativeEnum):
    """When a device is attached: on acquiring, on loading, or never."""

    Always = 0
    OnDemand = 1
    Never = 2


class DeviceSelectionCriterion(NativeEnum):
    """Which of the free devices is taken."""

    First = 0
    Random = 1


class VariableRetrievalMode(NativeEnum):
    """Replicas that return a variable to the host."""

    OnePerGroup = 0
    AllReduceReplicas = 1
    AllReplicas = 2


class RecoveryAction(NativeEnum):
    """What repairs a recoverable machine failure."""

    IPU_RESET = 0
    LINK_RESET = 1
    PARTITION_RESET = 2
    FULL_RESET = 3


class DataType(NativeEnum):
    """Element types."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    UINT32 = 8
    UINT64 = 9
    BOOL = 10
    FLOAT = 11
    FLOAT16 = 12
    BFLOAT16 = 13
    FLOAT8_143 = 2
    FLOAT8_152 = 3
    DOUBLE = 14
    COMPLEX64 = 15
    COMPLEX128 = 16
    STRING = 17
    UNDEFINED = 18


class CommGroupType(NativeEnum):
    """How replicas are grouped for a collective."""

    All = 0
    Consecutive = 1
    Orthogonal = 2
    Ungrouped = 3


ENUMS = (
    InitType,
    TensorRemapType,
    TileSet,
    ExchangeStrategy,
    ReplicatedStreamMode,
    AnchorReturnTypeId,
    ReductionType,
    MeanReductionStrategy,
    ScatterReduction,
    WeightDecayMode,
    SGDAccumulatorAndMomentum,
    AdamMode,
    AdaptiveMode,
    GradientTensorTrackingMethod,
    BatchSerializationTransformContext,
    BatchSerializationMethod,
    BatchSerializationBatchSchedule,
    AutodiffStitchStrategy,
    SubgraphCopyingStrategy,
    PatternsLevel,
    RecomputationType,
    RecomputeType,
    TensorStorage,
    ReplicatedTensorSharding,
    ExecutionPhaseIOSchedule,
    ExecutionPhaseSchedule,
    AccumulateOuterFragmentSchedule,
    SyncPattern,
    MergeVarUpdateType,
    VirtualGraphMode,
    SyntheticDataMode,
    IrSerializationFormat,
    Instrumentation,
    DeviceType,
    DeviceConnectionType,
    DeviceSelectionCriterion,
    VariableRetrievalMode,
    RecoveryAction,
    DataType,
    CommGroupType,
)
