"""Options, optimizers and patterns: types of attributes, copies, and refused values."""

import copy

import numpy as np
import pytest

import odla_ipu.sim as popart


def test_unknown_attributes_are_refused():
    options = popart.SessionOptions()
    with pytest.raises(AttributeError):
        options.enablePipelinning = True
    with pytest.raises(AttributeError):
        options.batchSerializationSettings.factors = 2
    with pytest.raises(AttributeError, match="updatableNamedBuffers"):
        options.updatableBuffers  # noqa: B018


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accumulationFactor", 1.5),
        ("accumulationFactor", "2"),
        ("enablePipelining", "yes"),
        ("virtualGraphMode", 1),
        ("virtualGraphMode", popart.AdamMode.Adam),
        ("cachePath", 3),
        ("customCodelets", "one.cpp"),
        ("customCodelets", [1]),
        ("dotChecks", ["ALL"]),
        ("engineOptions", {"a": 1}),
        ("weightTensorLocationSettings", popart.TensorLocation()),
        ("prefetchBufferingDepthMap", {"a": "b"}),
    ],
)
def test_wrong_types_are_refused(name, value):
    with pytest.raises(TypeError, match=name):
        setattr(popart.SessionOptions(), name, value)


def test_conversions_of_the_native_module():
    options = popart.SessionOptions()
    options.accumulationFactor = np.int64(4)
    options.enablePipelining = np.bool_(True)
    options.timeLimitScheduler = 3
    options.customCodelets = ("a.cpp", "b.cpp")
    assert (options.accumulationFactor, options.enablePipelining) == (4, True)
    assert type(options.timeLimitScheduler) is float
    assert options.customCodelets == ["a.cpp", "b.cpp"]


def test_containers_are_copies_and_settings_are_references():
    options = popart.SessionOptions()
    options.customCodelets.append("a.cpp")
    options.hardwareInstrumentations.clear()
    options.batchSerializationSettings.factor = 4
    options.weightTensorLocationSettings.location.storage = popart.TensorStorage.OffChip
    assert options.customCodelets == []
    assert options.hardwareInstrumentations == {popart.Instrumentation.Outer}
    assert options.batchSerializationSettings.factor == 4
    storage = options.weightTensorLocationSettings.location.storage
    assert storage is popart.TensorStorage.OffChip
    assert popart.SessionOptions().batchSerializationSettings.factor == 0


def test_dict_options_are_written_back_by_item():
    options = popart.SessionOptions()
    options.engineOptions["debug.allowOutOfMemory"] = "true"
    options.engineOptions.update({"lost": "true"})
    assert options.engineOptions == {"debug.allowOutOfMemory": "true"}
    assert options._engineOptions == {"debug.allowOutOfMemory": "true"}
    options.engineOptions = {"a": "b"}
    assert options.engineOptions == {"a": "b"}


def test_options_can_be_copied():
    options = popart.SessionOptions()
    options.engineOptions = {"a": "b"}
    taken = copy.deepcopy(options)
    options.engineOptions["c"] = "d"
    options.batchSerializationSettings.factor = 4
    assert taken.engineOptions == {"a": "b"}
    assert taken.batchSerializationSettings.factor == 0


def test_explicit_ir_and_replication_factor():
    options = popart.SessionOptions()
    options.enableExplicitIR(True)
    assert options.useHostCopyOps and options.enableExplicitMainLoops
    assert options.explicitRecomputation
    options.replicatedGraphCount, options.globalReplicationFactor = 2, 8
    options.enableReplicatedGraphs = True
    assert options.getGlobalReplicationFactor() == 2
    options.enableDistributedReplicatedGraphs = True
    assert options.getGlobalReplicationFactor() == 8


def test_cache_directory_of_the_environment(monkeypatch):
    monkeypatch.setenv("POPART_CACHE_DIR", "/one")
    options = popart.SessionOptions()
    assert (options.enableEngineCaching, options.cachePath) == (True, "/one")
    monkeypatch.setenv("POPXL_CACHE_DIR", "/two")
    assert popart.SessionOptions().cachePath == "/two"


def test_forms_of_tensor_location():
    off, on = popart.TensorStorage.OffChip, popart.ReplicatedTensorSharding.On
    io, compute = popart.TileSet.IO, popart.TileSet.Compute
    assert popart.TensorLocation(off, on).replicatedTensorSharding is on
    location = popart.TensorLocation(off, io, compute, on)
    assert (location.loadTileSet, location.storageTileSet) == (io, compute)
    settings = popart.TensorLocationSettings(off, 0)
    assert settings.location.storage is off
    assert settings.minElementsForOffChip == 0
    assert settings.minElementsForReplicatedTensorSharding == 8192


@pytest.mark.parametrize(
    ("kind", "size", "groups"),
    [
        ("All", 0, [[0, 1, 2, 3]]),
        ("Consecutive", 2, [[0, 1], [2, 3]]),
        ("Orthogonal", 2, [[0, 2], [1, 3]]),
        ("Ungrouped", 0, [[0], [1], [2], [3]]),
    ],
)
def test_groups_of_replicas(kind, size, groups):
    group = popart.CommGroup(getattr(popart.CommGroupType, kind), size)
    settings = popart.VariableSettings(group)
    assert settings.groups(4) == groups
    assert settings.getGroupCount(4) == len(groups)
    representatives = [settings.getGroupRepresentative(i) for i in range(len(groups))]
    assert representatives == [members[0] for members in groups]
    count = len(groups)
    shape = [5] if count == 1 else [count, 5]
    assert settings.shapeOnHost([5], 4) == shape
    assert settings.shapeOnReplica(shape, 4, "w") == [5]
    assert popart.CommGroup(group.toReplicaGrouping(4)).type is group.type


def test_group_sizes_must_divide():
    group = popart.CommGroup(popart.CommGroupType.Consecutive, 3)
    with pytest.raises(popart.popart_exception, match="does not divide 4"):
        group.toReplicaGrouping(4)


@pytest.mark.parametrize(
    ("cls", "values", "text"),
    [
        ("SGD", {"learningRate": (0.1, True)}, "unexpected key"),
        ("SGD", {1: (0.1, True)}, "must be a str"),
        ("SGD", {"defaultLearningRate": 0.1}, "must be a tuple"),
        ("SGD", {"defaultLearningRate": [0.1, True]}, "must be a tuple"),
        ("SGD", {"defaultLearningRate": (0.0, True)}, "constant, zero"),
        ("SGD", {"defaultLearningRate": (-0.1, False)}, "negative learningRate"),
        ("SGD", {"defaultMomentum": (-0.1, True)}, "negative momentum"),
        ("SGD", {"defaultWeightDecay": (-0.1, True)}, "negative weightDecay"),
        ("SGD", {"defaultVelocityScaling": (0.0, True)}, "non-positive velocityScaling"),
        ("SGD", {"defaultWeightDecay": (float("nan"), True)}, "weightDecay"),
        ("Adam", {"defaultEps": (0.0, True)}, "non-positive eps"),
        ("Adam", {"defaultBeta1": (-1.0, True)}, "negative beta1"),
        ("Adaptive", {"defaultAlpha": (-1.0, True)}, "negative alpha"),
        ("Adaptive", {"defaultBeta1": (0.9, True)}, "unexpected key"),
    ],
)
def test_refused_hyper_parameters(cls, values, text):
    with pytest.raises(popart.popart_exception, match=text):
        getattr(popart, cls)(values)


def test_nesterov_excludes_dampening():
    values = {"nesterov": (1.0, True), "defaultDampening": (0.5, True)}
    with pytest.raises(popart.popart_exception, match="Nesterov"):
        popart.SGD(values)
    assert popart.SGD({"nesterov": (1.0, True), "defaultMomentum": (0.9, True)})


def test_zero_learning_rate_may_vary():
    rate = popart.SGD({"defaultLearningRate": (0.0, False)}).learningRates().getDefault()
    assert (rate.val(), rate.isConst()) == (0.0, False)


def test_specific_values():
    adam = popart.Adam({"defaultLearningRate": (0.5, False)})
    adam.insertSpecific("w", {"learningRate": (0.25, True)})
    assert adam._value("learningRate", "w") == popart.OptimizerValue(0.25, True)
    assert adam._value("learningRate", "v") == popart.OptimizerValue(0.5, False)
    assert adam._value("beta1", "w").val() == np.float32(0.9)
    with pytest.raises(popart.popart_exception, match="unexpected key"):
        adam.insertSpecific("w", {"momentum": (0.25, True)})
    with pytest.raises(popart.popart_exception, match='constant, zero learningRate of tensor "w"'):
        adam.insertSpecific("w", {"learningRate": (0.0, True)})


def test_forms_of_optimizer_value():
    forms = [popart.OptimizerValue(0.5, True), popart.OptimizerValue(0.5)]
    forms.append(popart.OptimizerValue((0.5, True)))
    assert {(value.val(), value.isConst()) for value in forms} == {(0.5, True)}
    assert popart.OptimizerValue(0.1, False).val() == np.float32(0.1)


def test_quirks_of_the_optimizers():
    adam = popart.Adam({"defaultBeta1": (0.5, True), "defaultBeta2": (0.75, True)})
    assert adam.beta2s().getDefault().val() == 0.5
    limited = popart.Adam({"maxWeightNorm": (3.0, True)})
    assert limited.maxWeightNorms().getDefault().val() == 3.0
    for mode in (popart.AdaptiveMode.AdaGrad, popart.AdaptiveMode.AdaDelta):
        with pytest.raises(popart.popart_exception, match="rmsprop_tf_variant"):
            popart.Adaptive({}, mode, rmsprop_tf_variant=True)
    const = popart.ConstSGD(0.5, 0.25, 8.0)
    assert const.weightDecays().getDefault() == popart.OptimizerValue(0.25, True)
    assert const.getLossScalingVal() == 8.0
    with pytest.raises(TypeError, match="No constructor"):
        popart.Optimizer()


def test_clip_norms():
    some = popart.ClipNormSettings.clipWeights(["a"], 0.5)
    every = popart.ClipNormSettings.clipAllWeights(0.5)
    assert (some.weightIds, some.maxNorm) == (["a"], 0.5)
    assert some == popart.ClipNormSettings(["a"], 0.5)
    assert some != every
    with pytest.raises(TypeError):
        popart.SGD({}, clip_norm_settings=[0.5])


def test_patterns():
    patterns = popart.Patterns(popart.PatternsLevel.NoPatterns).enablePattern("OpToIdentity", True)
    assert patterns.OpToIdentity and patterns.isPatternEnabled("OpToIdentity")
    assert not patterns.InPlace
    assert popart.Patterns(["InPlace"]).InPlace
    assert not popart.Patterns(["InPlace"]).OpToIdentity
    default = popart.Patterns()
    default.InPlace = False
    assert default.OpToIdentity and not default.InPlace
    assert not default.isPatternEnabled("Slice2SliceSubsample")
    assert default.enableRuntimeAsserts(False) is default


def test_out_of_memory_error():
    error = popart.OutOfMemoryError._failed("Out of memory: tile 7")
    raised = popart.OutOfMemoryException(error)
    assert str(raised).startswith("Out of memory")
    assert not error.isSuccessful() and popart.OutOfMemoryError().isSuccessful()
    assert raised.getProfilePath() == ""
    with pytest.raises(popart.popart_exception, match="debug.allowOutOfMemory"):
        raised.getSummaryReport()
    kept = popart.OutOfMemoryException(popart.OutOfMemoryError._failed("Out", "summary", "p"))
    assert (kept.getSummaryReport(), kept.getProfilePath()) == ("summary", "p")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("_throw_popart_error", "popart_exception"),
        ("_throw_popart_internal_error", "popart_internal_exception"),
        ("_throw_popart_runtime_error", "popart_runtime_error"),
        ("_throw_poplibs_error", "poplibs_exception"),
        ("_throw_poplar_error", "poplar_exception"),
        ("_throw_recoverable_runtime_error", "poplar_recoverable_runtime_error"),
        ("_throw_unknown_runtime_error", "poplar_unknown_runtime_error"),
    ],
)
def test_throwing_functions(function, error):
    with pytest.raises(getattr(popart, error), match="why") as raised:
        getattr(popart, function)("why")
    assert type(raised.value) is getattr(popart, error)


def test_logger_levels(capsys):
    logger = popart.getLogger("session")
    logger.setLevel("ERR")
    logger.warn("quiet")
    logger.error("loud")
    logger.setLevel("OFF")
    logger.critical("off")
    shown = capsys.readouterr().err
    assert "loud" in shown and "quiet" not in shown and "off" not in shown
    with pytest.raises(popart.popart_exception, match="TRACE"):
        logger.setLevel("VERBOSE")
    logger.setLevel("WARN")
