"""Stand-in for the `popart` module: PopART's names, arguments, defaults and refusals.

Importing it imports numpy only; onnx and onnxruntime are loaded by the first model.
"""

from .dataflow import (
    AnchorReturnType,
    DataFlow,
    InputSettings,
    InputShapeInfo,
)
from .debug import (
    DebugContext,
    DebugInfo,
    SourceLocation,
    closePoplarDebugInfo,
    initializePoplarDebugInfo,
)
from .devices import DeviceInfo, DeviceManager, syncPatternFromString, syncPatternToString
from .enums import (
    AccumulateOuterFragmentSchedule,
    AdamMode,
    AdaptiveMode,
    AnchorReturnTypeId,
    AutodiffStitchStrategy,
    BatchSerializationBatchSchedule,
    BatchSerializationMethod,
    BatchSerializationTransformContext,
    CommGroupType,
    DataType,
    DeviceConnectionType,
    DeviceSelectionCriterion,
    DeviceType,
    ExchangeStrategy,
    ExecutionPhaseIOSchedule,
    ExecutionPhaseSchedule,
    GradientTensorTrackingMethod,
    InitType,
    Instrumentation,
    IrSerializationFormat,
    MeanReductionStrategy,
    MergeVarUpdateType,
    PatternsLevel,
    RecomputationType,
    RecomputeType,
    RecoveryAction,
    ReductionType,
    ReplicatedStreamMode,
    ReplicatedTensorSharding,
    ScatterReduction,
    SGDAccumulatorAndMomentum,
    SubgraphCopyingStrategy,
    SyncPattern,
    SyntheticDataMode,
    TensorRemapType,
    TensorStorage,
    TileSet,
    VariableRetrievalMode,
    VirtualGraphMode,
    WeightDecayMode,
)
from .exceptions import (
    OutOfMemoryError,
    OutOfMemoryException,
    popart_exception,
    popart_internal_exception,
    popart_runtime_error,
    poplar_application_runtime_error,
    poplar_exception,
    poplar_recoverable_runtime_error,
    poplar_runtime_error,
    poplar_system_runtime_error,
    poplar_unknown_runtime_error,
    poplar_unrecoverable_runtime_error,
    poplibs_exception,
)
from .logger import Logger, getLogger
from .optimizers import (
    SGD,
    Adam,
    Adaptive,
    ClipNormSettings,
    ConstSGD,
    Optimizer,
    OptimizerValue,
    OptimizerValueMap,
)
from .options import (
    AccumulateOuterFragmentSettings,
    AutodiffSettings,
    AutomaticLossScalingSettings,
    BatchSerializationSettings,
    CommGroup,
    ExecutionPhaseSettings,
    ExperimentalSettings,
    NumIOTiles,
    ReplicatedCollectivesSettings,
    SessionOptions,
    TensorLocation,
    TensorLocationSettings,
    VariableSettings,
)
from .patterns import Patterns
from .prefixes import FUNCTIONS as _PREFIX_FUNCTIONS
from .stepio import (
    IStepIO,
    IWeightsIO,
    PyStepIO,
    PyStepIOCallback,
    PyWeightsIO,
)
from .tensorinfo import (
    TensorInfo,
    _TensorInfoCore,
    getTensorInfo,
)
from .throws import *
from .versions import (
    __version__,
    defaultAiGraphcoreOpset,
    defaultAiOnnxMlOpset,
    defaultAiOnnxOpset,
    packageHash,
    versionNumber,
    versionString,
)

__odla_ipu_sim__ = True
globals().update(_PREFIX_FUNCTIONS)
