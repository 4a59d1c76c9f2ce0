"""The stand-in offers PopART's names, arguments and defaults: the table popart_surface.json."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import odla_ipu.sim as popart

SURFACE = json.loads(Path(__file__).with_name("popart_surface.json").read_text())
CLASSES = SURFACE["classes"]
FROM_MODELS = {"AiGraphcoreOpset1", "Builder", "InferenceSession", "TrainingSession"}
VALUES = [name for name in CLASSES if name not in FROM_MODELS]


def evaluate(expression):
    """The value of a default of the table."""
    return eval(expression, {name: getattr(popart, name) for name in [*SURFACE["enums"], *VALUES]})


def comparable(value):
    """Settings objects as their attributes, so that two of them can be compared."""
    attributes = CLASSES.get(type(value).__name__, {}).get("attributes", {})
    if attributes and not isinstance(value, (int, float, str)):
        names = [name for name in attributes if name != "updatableBuffers"]
        return {name: comparable(getattr(value, name)) for name in names}
    if isinstance(value, popart.InputShapeInfo):
        return dict(value._infos)
    return value


class Samples:
    """A value that an argument of each type accepts."""

    BY_TYPE = {
        "int": 2,
        "float": 0.5,
        "bool": True,
        "str": "text",
        "dict": {},
        "list[str]": ["a"],
        "list[int]": [1],
        "list[str]|None": ["a"],
        "list[float]": [0.5],
        "Shape": [1, 2],
        "DebugContext|str": "name",
        "dict[str, numpy.ndarray]": {"x": np.zeros(3, np.float32)},
        "list[ClipNormSettings]": [],
        "tuple[float,bool]": (0.5, False),
        "AnchorReturnTypeMap": {},
    }


def sample(owner, argument):
    by_name = {
        ("AnchorReturnType", "anchorReturnTypeString"): "All",
        ("CommGroup", "grouping"): popart.CommGroup().toReplicaGrouping(4),
        ("SGD", "clip_norm_settings"): [popart.ClipNormSettings(["w"], 1.0)],
        ("DataFlow", "anchorReturnType"): popart.AnchorReturnType("Final"),
        ("DataFlow", "anchorTensors"): {"a": popart.AnchorReturnType("All")},
        ("Adaptive", "mode"): popart.AdaptiveMode.RMSProp,
        ("DeviceInfo", "numIpus"): 1,
        ("_TensorInfoCore", "dataType", "str"): "FLOAT",
        ("_TensorInfoCore", "shape", "str"): "(1,2)",
        ("VariableSettings", "stride"): 1,
    }
    kind = argument.get("type")
    if (owner, argument["name"], kind) in by_name:
        return by_name[owner, argument["name"], kind]
    if (owner, argument["name"]) in by_name:
        return by_name[owner, argument["name"]]
    if kind in SURFACE["enums"]:
        return next(iter(getattr(popart, kind)))
    if kind in Samples.BY_TYPE:
        return Samples.BY_TYPE[kind]
    if kind == "SourceLocation":
        return popart.SourceLocation("f", "f.py", 1)
    if kind == "DebugInfo":
        return popart.DebugInfo("name", "layer")
    if kind in CLASSES:
        return getattr(popart, kind)()
    if owner == "PyStepIOCallback":
        return print
    raise AssertionError(f"no sample for {owner}, {argument}")


# Made by the library only, or from models and devices: their constructors have tests of their own.
NOT_CONSTRUCTED = {"Builder", "InferenceSession", "TrainingSession"}
NOT_CONSTRUCTED |= {"GraphTransformer", "NumericsReport"}
FORMS = [
    pytest.param(name, form, id=f"{name}-{index}")
    for name, entry in CLASSES.items()
    if name not in NOT_CONSTRUCTED
    for index, form in enumerate(entry.get("constructors", ()))
]


def required(form):
    return [argument for argument in form if "default" not in argument]


def adjusted(name, form):
    """EveryN is the only return type that takes a period."""
    values = [sample(name, argument) for argument in form]
    if name == "AnchorReturnType" and any(a["name"] == "returnPeriod" for a in form):
        values[0] = "EveryN"
    return values


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_constructor_takes_every_argument_by_name_and_position(name, form):
    cls = getattr(popart, name)
    values = adjusted(name, form)
    if not any(argument.get("positional_only") for argument in form):
        cls(**{argument["name"]: value for argument, value in zip(form, values)})
    cls(*values)
    cls(*values[: len(required(form))])


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_constructor_refuses_other_arguments(name, form):
    cls = getattr(popart, name)
    with pytest.raises(TypeError):
        cls(*adjusted(name, form), noSuchArgument=1)


CONSTRUCTORS = {name: CLASSES[name]["constructors"][0] for name in sorted(NOT_CONSTRUCTED)}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructor_signature(name):
    check_signature(getattr(popart, name), CONSTRUCTORS[name])


def check_signature(function, arguments):
    """Names in order and defaults; `self` is not counted."""
    found = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    assert len(found) == len(arguments)
    for parameter, argument in zip(found, arguments):
        if "default" in argument:
            assert comparable(parameter.default) == comparable(evaluate(argument["default"]))
        else:
            assert parameter.default is inspect.Parameter.empty
        if argument.get("positional_only"):
            assert parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        else:
            assert parameter.name == argument["name"]


METHODS = [
    pytest.param(name, method, overloads, id=f"{name}.{method}")
    for name, entry in CLASSES.items()
    for method, overloads in entry.get("methods", {}).items()
]


@pytest.mark.parametrize(("name", "method", "overloads"), METHODS)
def test_method(name, method, overloads):
    function = getattr(getattr(popart, name), method)
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    names = {parameter.name for parameter in parameters}
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    if len(overloads) == 1 and overloads[0] and not takes_any:
        check_signature(function, overloads[0])
    for overload in overloads:
        wanted = {a["name"] for a in overload if not a.get("positional_only")}
        assert takes_any or wanted <= names


def test_enumerations():
    for name, members in SURFACE["enums"].items():
        found = {key: int(member) for key, member in getattr(popart, name).__members__.items()}
        expected = {key: found.get(key) if v is None else v for key, v in members.items()}
        assert found == expected, name


def test_enumerations_compare_only_with_themselves():
    assert popart.InitType.NoInit != 0
    assert popart.InitType.NoInit != popart.TileSet.Compute
    assert popart.AdamMode(3) is popart.AdamMode.Lamb
    assert repr(popart.AdamMode.Lamb) == "<AdamMode.Lamb: 3>"
    assert str(popart.DeviceType.IpuModel) == "ipu-model"
    assert [str(pattern) for pattern in popart.SyncPattern] == [
        "full",
        "singlePipeline",
        "replicaAndLadder",
    ]


@pytest.mark.parametrize("name", SURFACE["exceptions"])
def test_exception(name):
    base = SURFACE["exceptions"][name]
    expected = getattr(popart, base) if base != "Exception" else Exception
    assert getattr(popart, name).__bases__ == (expected,)


def test_names_of_older_releases_do_not_exist():
    for name in ("PrepareDeviceException", "PopartRuntimeError", "noSuchName"):
        assert not hasattr(popart, name)


@pytest.mark.parametrize("name", SURFACE["functions"])
def test_function(name):
    check_signature(getattr(popart, name), SURFACE["functions"][name])


def test_reserved_prefixes():
    assert {n: getattr(popart, n)() for n in SURFACE["prefixes"]} == SURFACE["prefixes"]


def test_module_attributes():
    assert {n: getattr(popart, n) for n in SURFACE["attributes"]} == SURFACE["attributes"]
    assert popart.versionNumber() == (3, 4, 0)
    assert popart.versionString() == f"3.4.0 ({popart.packageHash()})"


@pytest.mark.parametrize("name", [n for n in CLASSES if "attributes" in CLASSES[n]])
def test_attributes(name):
    attributes = CLASSES[name]["attributes"]
    cls = getattr(popart, name)
    assert all(attribute in dir(cls) for attribute in attributes)
    if any("default" in attribute for attribute in attributes.values()):
        instance = cls()
        for attribute, entry in attributes.items():
            if "default" in entry:
                value = getattr(instance, attribute)
                assert comparable(value) == comparable(evaluate(entry["default"])), attribute


@pytest.mark.parametrize("name", [n for n in CLASSES if CLASSES[n].get("base")])
def test_base(name):
    base = CLASSES[name]["base"]
    assert base in [cls.__name__ for cls in getattr(popart, name).__mro__]


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adaptive"])
def test_optimizer_defaults_and_keys(name):
    cls = getattr(popart, name)
    readers = {
        "defaultLearningRate": "learningRates",
        "defaultWeightDecay": "weightDecays",
        "defaultMomentum": "momentums",
        "defaultDampening": "dampenings",
        "defaultVelocityScaling": "velocityScalings",
        "defaultBeta1": "beta1s",
        "defaultEps": "epss",
        "defaultAlpha": "alphas",
        "defaultMaxWeightNorm": "maxWeightNorms",
        "nesterov": "nesterov",
    }
    for key, default in CLASSES[name]["map_keys"].items():
        cls({key: (0.25, False)})
        if key in readers:
            value = getattr(cls({}), readers[key])().getDefault()
            assert (value.val(), value.isConst()) == (np.float32(default[0]), default[1])
            changed = getattr(cls({key: (0.25, False)}), readers[key])().getDefault()
            assert (changed.val(), changed.isConst()) == (0.25, False)
    for key in CLASSES[name]["specific_keys"]:
        cls({}).insertSpecific("w", {key: (0.25, False)})
    assert cls({"lossScaling": (8.0, True)}).getLossScalingVal() == 8.0


def test_builder_accessors():
    for name in CLASSES["Builder"]["accessors"]:
        assert getattr(popart.Builder(), name) is not None
