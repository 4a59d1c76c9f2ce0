"""Stand-in for the `popart` module: PopART's names, arguments, defaults and refusals.

Importing it imports numpy only. The builder and the sessions, with shape rules and engine behind
them, are loaded on first use; onnx and onnxruntime by the first model.
"""

import importlib
from typing import Any, List

from . import customop  # noqa: F401  what the stand-in has in place of C++ custom ops
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
from .devices import (
    DeviceInfo,
    DeviceManager,
    syncPatternFromString,
    syncPatternToString,
)
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
from .logger import (
    Logger,
    getLogger,
)
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
from .patterns import (
    Patterns,
)
from .prefixes import FUNCTIONS as _PREFIX_FUNCTIONS
from .stepio import (
    IStepIO,
    IWeightsIO,
    PyStepIO,
    PyStepIOCallback,
    PyWeightsIO,
)
from .supported import (
    OpDefinition,
    OperatorIdentifier,
    getSupportedOperations,
    getSupportedOperationsDefinition,
    getUnsupportedOperations,
)
from .tensorinfo import TensorInfo, _TensorInfoCore, getTensorInfo  # noqa: F401
from .throws import (  # noqa: F401
    _throw_application_runtime_error,
    _throw_popart_error,
    _throw_popart_internal_error,
    _throw_popart_runtime_error,
    _throw_poplar_error,
    _throw_poplar_runtime_error,
    _throw_poplibs_error,
    _throw_recoverable_runtime_error,
    _throw_system_runtime_error,
    _throw_unknown_runtime_error,
    _throw_unrecoverable_runtime_error,
)
from .transformer import (
    GraphTransformer,
    NumericsReport,
)
from .versions import (  # noqa: F401
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

_LAZY = {
    "AiOnnxMl": "opsets",
    "AttributeContextManager": "annotations",
    "Builder": "builder",
    "InferenceSession": "session",
    "KeyValueContextManager": "annotations",
    "NameContextManager": "annotations",
    "TrainingSession": "session",
}

# The accessor classes of the opsets, by domain and version.
_OPSETS = {
    "AiGraphcore": ("ai.graphcore", 1),
    "AiGraphcoreOpset1": ("ai.graphcore", 1),
    "AiOnnx6": ("ai.onnx", 6),
    "AiOnnx7": ("ai.onnx", 7),
    "AiOnnx8": ("ai.onnx", 8),
    "AiOnnx9": ("ai.onnx", 9),
    "AiOnnx10": ("ai.onnx", 10),
    "AiOnnx11": ("ai.onnx", 11),
}

# Names of the native module that a star import leaves out.
UNDERSCORED = (
    "_TensorInfoCore",
    "_throw_application_runtime_error",
    "_throw_popart_error",
    "_throw_popart_internal_error",
    "_throw_popart_runtime_error",
    "_throw_poplar_error",
    "_throw_poplar_runtime_error",
    "_throw_poplibs_error",
    "_throw_recoverable_runtime_error",
    "_throw_system_runtime_error",
    "_throw_unknown_runtime_error",
    "_throw_unrecoverable_runtime_error",
)

__all__ = [
    "AccumulateOuterFragmentSchedule",
    "AccumulateOuterFragmentSettings",
    "Adam",
    "AdamMode",
    "Adaptive",
    "AdaptiveMode",
    "AiGraphcore",
    "AiGraphcoreOpset1",
    "AiOnnx10",
    "AiOnnx11",
    "AiOnnx6",
    "AiOnnx7",
    "AiOnnx8",
    "AiOnnx9",
    "AiOnnxMl",
    "AnchorReturnType",
    "AnchorReturnTypeId",
    "AttributeContextManager",
    "AutodiffSettings",
    "AutodiffStitchStrategy",
    "AutomaticLossScalingSettings",
    "BatchSerializationBatchSchedule",
    "BatchSerializationMethod",
    "BatchSerializationSettings",
    "BatchSerializationTransformContext",
    "Builder",
    "ClipNormSettings",
    "CommGroup",
    "CommGroupType",
    "ConstSGD",
    "DataFlow",
    "DataType",
    "DebugContext",
    "DebugInfo",
    "DeviceConnectionType",
    "DeviceInfo",
    "DeviceManager",
    "DeviceSelectionCriterion",
    "DeviceType",
    "ExchangeStrategy",
    "ExecutionPhaseIOSchedule",
    "ExecutionPhaseSchedule",
    "ExecutionPhaseSettings",
    "ExperimentalSettings",
    "GradientTensorTrackingMethod",
    "GraphTransformer",
    "IStepIO",
    "IWeightsIO",
    "InferenceSession",
    "InitType",
    "InputSettings",
    "InputShapeInfo",
    "Instrumentation",
    "IrSerializationFormat",
    "KeyValueContextManager",
    "Logger",
    "MeanReductionStrategy",
    "MergeVarUpdateType",
    "NameContextManager",
    "NumIOTiles",
    "NumericsReport",
    "OpDefinition",
    "OperatorIdentifier",
    "Optimizer",
    "OptimizerValue",
    "OptimizerValueMap",
    "OutOfMemoryError",
    "OutOfMemoryException",
    "Patterns",
    "PatternsLevel",
    "PyStepIO",
    "PyStepIOCallback",
    "PyWeightsIO",
    "RecomputationType",
    "RecomputeType",
    "RecoveryAction",
    "ReductionType",
    "ReplicatedCollectivesSettings",
    "ReplicatedStreamMode",
    "ReplicatedTensorSharding",
    "SGD",
    "SGDAccumulatorAndMomentum",
    "ScatterReduction",
    "SessionOptions",
    "SourceLocation",
    "SubgraphCopyingStrategy",
    "SyncPattern",
    "SyntheticDataMode",
    "TensorInfo",
    "TensorLocation",
    "TensorLocationSettings",
    "TensorRemapType",
    "TensorStorage",
    "TileSet",
    "TrainingSession",
    "VariableRetrievalMode",
    "VariableSettings",
    "VirtualGraphMode",
    "WeightDecayMode",
    "closePoplarDebugInfo",
    "defaultAiGraphcoreOpset",
    "defaultAiOnnxMlOpset",
    "defaultAiOnnxOpset",
    "getLogger",
    "getSupportedOperations",
    "getSupportedOperationsDefinition",
    "getTensorInfo",
    "getUnsupportedOperations",
    "initializePoplarDebugInfo",
    "packageHash",
    "popart_exception",
    "popart_internal_exception",
    "popart_runtime_error",
    "poplar_application_runtime_error",
    "poplar_exception",
    "poplar_recoverable_runtime_error",
    "poplar_runtime_error",
    "poplar_system_runtime_error",
    "poplar_unknown_runtime_error",
    "poplar_unrecoverable_runtime_error",
    "poplibs_exception",
    "syncPatternFromString",
    "syncPatternToString",
    "versionNumber",
    "versionString",
    *_PREFIX_FUNCTIONS,
]


def __getattr__(name: str) -> Any:
    if name in _OPSETS:
        value = importlib.import_module(".opsets", __name__).opset_class(*_OPSETS[name])
    elif name in _LAZY:
        value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    else:
        raise AttributeError(f"module 'popart' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *_LAZY, *_OPSETS})
