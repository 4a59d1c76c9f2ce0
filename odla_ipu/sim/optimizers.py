"""Optimizers: their hyper-parameters, defaults and the checks of their constructors.

A hyper-parameter is a pair (value, is constant). Constants are compiled into the program; the
others can be replaced between runs. Values are kept in single precision, as the IPU has them.
The update rules are the business of the session.
"""

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from .binding import (
    BOOL,
    FLOAT,
    STR,
    Argument,
    Mismatch,
    Overload,
    Type,
    instance_of,
    list_of,
    overload,
    resolve,
)
from .debug import DEBUG_CONTEXT
from .enums import (
    AdamMode,
    AdaptiveMode,
    DataType,
    SGDAccumulatorAndMomentum,
    WeightDecayMode,
)
from .exceptions import popart_exception


def _to_pair(value: Any) -> Tuple[float, bool]:
    if isinstance(value, tuple) and len(value) == 2:
        return FLOAT.convert(value[0]), BOOL.convert(value[1])
    raise Mismatch


_PAIR = Type("Tuple[float, bool]", _to_pair)


class OptimizerValue:
    """A hyper-parameter's value and whether it is constant; 0 and constant by default."""

    __slots__ = ("_is_const", "_val")
    _overloads = (
        overload(Argument("val", FLOAT), Argument("isConst", BOOL)),
        overload(Argument("val", FLOAT)),
        overload(),
        overload(Argument("pair", _PAIR)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("OptimizerValue", self._overloads, args, kwargs)
        val, is_const = values.get("pair", (values.get("val", 0.0), values.get("isConst", True)))
        self._val = float(np.float32(val))
        self._is_const: bool = is_const

    def val(self) -> float:
        return self._val

    def isConst(self) -> bool:
        return self._is_const

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OptimizerValue):
            return NotImplemented
        return (self._val, self._is_const) == (other._val, other._is_const)

    def __hash__(self) -> int:
        return hash((self._val, self._is_const))

    def __repr__(self) -> str:
        return f"OptimizerValue({self._val}, {self._is_const})"


class OptimizerValueMap:
    """One hyper-parameter of all tensors: the default, and the values of specific tensors."""

    __slots__ = ("_default", "_specific")

    def __init__(self, default: OptimizerValue, specific: Dict[str, OptimizerValue]) -> None:
        self._default = default
        self._specific = specific

    def getDefault(self) -> OptimizerValue:
        return self._default

    def _get(self, id: str) -> OptimizerValue:
        return self._specific.get(id, self._default)


class ClipNormSettings:
    """Gradient clipping: the norm of the gradients of `weightIds` together is at most `maxNorm`."""

    __slots__ = ("_clips_all", "_max_norm", "_weight_ids")
    _overloads = (overload(Argument("weightIds", list_of(STR)), Argument("maxNorm", FLOAT)),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("ClipNormSettings", self._overloads, args, kwargs)
        self.weightIds = values["weightIds"]
        self.maxNorm = values["maxNorm"]
        self._clips_all = False

    @staticmethod
    def clipWeights(weightIds: List[str], maxNorm: float) -> "ClipNormSettings":
        return ClipNormSettings(weightIds, maxNorm)

    @staticmethod
    def clipAllWeights(maxNorm: float) -> "ClipNormSettings":
        settings = ClipNormSettings([], maxNorm)
        settings._clips_all = True
        return settings

    @property
    def weightIds(self) -> List[str]:
        return list(self._weight_ids)

    @weightIds.setter
    def weightIds(self, value: Sequence[str]) -> None:
        self._weight_ids = list(value)

    @property
    def maxNorm(self) -> float:
        return self._max_norm

    @maxNorm.setter
    def maxNorm(self, value: float) -> None:
        self._max_norm = float(np.float32(value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClipNormSettings):
            return NotImplemented
        return (self._clips_all, self._weight_ids, self._max_norm) == (
            other._clips_all,
            other._weight_ids,
            other._max_norm,
        )

    def __hash__(self) -> int:
        return hash((self._clips_all, tuple(self._weight_ids), self._max_norm))


_POSITIVE = ("eps", "velocityScaling", "lossScaling")


def _check_value(owner: str, name: str, value: OptimizerValue, tensor: str = "") -> None:
    where = f' of tensor "{tensor}"' if tensor else ""
    if name in _POSITIVE:
        if not value.val() > 0:
            raise popart_exception(
                f"{owner}: non-positive {name}{where}, {value.val()}: it must be greater than zero"
            )
    elif not value.val() >= 0:
        raise popart_exception(
            f"{owner}: negative {name}{where}, {value.val()}: it must not be less than zero"
        )
    if name == "learningRate" and value.isConst() and value.val() == 0:
        raise popart_exception(
            f"{owner}: constant, zero learningRate{where}: nothing would be trained. "
            "Make it non-constant, (0.0, False), to change it later"
        )


def _read_values(owner: str, given: Any, accepted: Sequence[str]) -> Dict[str, OptimizerValue]:
    """The dict that a user gave, checked for keys and form."""
    if not isinstance(given, dict):
        raise TypeError(f"{owner} takes a dict of (value, is constant), not {type(given).__name__}")
    values = {}
    for key, pair in given.items():
        if not isinstance(key, str):
            raise popart_exception(f"{owner}: a key must be a str, not {key!r}")
        if not isinstance(pair, tuple):
            raise popart_exception(
                f'{owner}: the value of "{key}" must be a tuple (value, is constant), not {pair!r}'
            )
        if key not in accepted:
            raise popart_exception(
                f'{owner}: unexpected key "{key}". Keys are {", ".join(accepted)}'
            )
        try:
            values[key] = OptimizerValue(*_to_pair(pair))
        except Mismatch:
            raise popart_exception(
                f'{owner}: the value of "{key}" must be (number, bool), not {pair!r}'
            ) from None
    return values


class Optimizer:
    """Base of the optimizers.

    `_defaults` has the default of each hyper-parameter under its specific name ("learningRate"),
    `_specific` the values of single tensors: tensor id -> hyper-parameter -> value.
    """

    # key of the constructor's dict -> (hyper-parameter, default)
    _keys: Dict[str, Tuple[str, float]] = {}
    _aliases: Dict[str, str] = {}
    _specific_names: Tuple[str, ...] = ()

    def __init__(self) -> None:
        raise TypeError("Optimizer: No constructor defined! Use SGD, Adam or Adaptive")

    def _set_defaults(self, given: Any) -> None:
        owner = type(self).__name__
        read = _read_values(owner, given, [*self._keys, *self._aliases])
        for alias, key in self._aliases.items():
            if alias in read:
                read.setdefault(key, read.pop(alias))
        self._defaults: Dict[str, OptimizerValue] = {}
        for key, (name, default) in self._keys.items():
            self._defaults[name] = read.get(key, OptimizerValue(default, True))
            _check_value(owner, name, self._defaults[name])
        self._specific: Dict[str, Dict[str, OptimizerValue]] = {}

    def _insert_specific(self, id: str, given: Any) -> None:
        owner = type(self).__name__
        if not isinstance(id, str):
            raise TypeError(f"{owner}.insertSpecific takes a tensor id, not {type(id).__name__}")
        values = _read_values(f"{owner}.insertSpecific", given, self._specific_names)
        for name, value in values.items():
            _check_value(owner, name, value, id)
        self._specific.setdefault(id, {}).update(values)

    def _map(self, name: str) -> OptimizerValueMap:
        specific = {
            tensor: values[name] for tensor, values in self._specific.items() if name in values
        }
        return OptimizerValueMap(self._defaults[name], specific)

    def _value(self, name: str, id: str) -> OptimizerValue:
        """Hyper-parameter `name` of tensor `id`."""
        return self._specific.get(id, {}).get(name, self._defaults[name])

    def getLossScalingVal(self) -> float:
        return self._defaults["lossScaling"].val()


_DATA_TYPE = instance_of(DataType)
_CLIP = Argument("clip_norm_settings", list_of(instance_of(ClipNormSettings)), [])


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, dampening and Nesterov's variant.

    Raises popart_exception for unknown keys, negative values, a constant learning rate of zero,
    and dampening together with Nesterov momentum.
    """

    _keys = {
        "defaultLearningRate": ("learningRate", 0.1),
        "defaultWeightDecay": ("weightDecay", 0.0),
        "defaultMomentum": ("momentum", 0.0),
        "defaultDampening": ("dampening", 0.0),
        "defaultVelocityScaling": ("velocityScaling", 1.0),
        "lossScaling": ("lossScaling", 1.0),
        "nesterov": ("nesterov", 0.0),
    }
    _specific_names = (
        "learningRate",
        "weightDecay",
        "momentum",
        "dampening",
        "velocityScaling",
        "nesterov",
    )
    _overloads: Tuple[Overload, ...] = (
        overload(
            Argument("pyd", Type("dict", lambda value: value)),
            _CLIP,
            Argument(
                "accumulatorAndMomentum",
                instance_of(SGDAccumulatorAndMomentum),
                SGDAccumulatorAndMomentum.Combined,
            ),
            Argument("accumType", _DATA_TYPE, DataType.UNDEFINED),
            Argument("accl1Type", _DATA_TYPE, DataType.UNDEFINED),
            Argument("debugContext", DEBUG_CONTEXT, "sgd"),
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("SGD", self._overloads, args, kwargs)
        self._set_defaults(values["pyd"])
        self._clip_norm_settings: List[ClipNormSettings] = values["clip_norm_settings"]
        self._accumulator_and_momentum: SGDAccumulatorAndMomentum = values["accumulatorAndMomentum"]
        self._accum_type: DataType = values["accumType"]
        self._accl1_type: DataType = values["accl1Type"]
        self._check_nesterov("")

    def _check_nesterov(self, id: str) -> None:
        if self._value("nesterov", id).val() != 0 and self._value("dampening", id).val() != 0:
            where = f' of tensor "{id}"' if id else ""
            raise popart_exception(
                f"SGD: Nesterov momentum needs a dampening{where} of zero, "
                f"not {self._value('dampening', id).val()}"
            )

    def insertSpecific(self, id: str, pyd: Dict[str, Tuple[float, bool]], /) -> None:
        self._insert_specific(id, pyd)
        self._check_nesterov(id)

    def learningRates(self) -> OptimizerValueMap:
        return self._map("learningRate")

    def weightDecays(self) -> OptimizerValueMap:
        return self._map("weightDecay")

    def momentums(self) -> OptimizerValueMap:
        return self._map("momentum")

    def dampenings(self) -> OptimizerValueMap:
        return self._map("dampening")

    def velocityScalings(self) -> OptimizerValueMap:
        return self._map("velocityScaling")

    def nesterov(self) -> OptimizerValueMap:
        return self._map("nesterov")


class ConstSGD(SGD):
    """SGD without momentum whose hyper-parameters are all constant."""

    _overloads = (
        overload(
            Argument("learning_rate", FLOAT),
            Argument("weight_decay", FLOAT, 0.0),
            Argument("loss_scaling", FLOAT, 1.0),
            _CLIP,
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("ConstSGD", self._overloads, args, kwargs)
        self._set_defaults(
            {
                "defaultLearningRate": (values["learning_rate"], True),
                "defaultWeightDecay": (values["weight_decay"], True),
                "lossScaling": (values["loss_scaling"], True),
            }
        )
        self._clip_norm_settings = values["clip_norm_settings"]
        self._accumulator_and_momentum = SGDAccumulatorAndMomentum.Combined
        self._accum_type = DataType.UNDEFINED
        self._accl1_type = DataType.UNDEFINED


class Adam(Optimizer):
    """Adam, AdaMax and Lamb, with or without bias correction."""

    _keys = {
        "defaultLearningRate": ("learningRate", 0.1),
        "defaultWeightDecay": ("weightDecay", 0.0),
        "defaultBeta1": ("beta1", 0.9),
        "defaultBeta2": ("beta2", 0.999),
        "defaultEps": ("eps", 1e-6),
        "lossScaling": ("lossScaling", 1.0),
        "defaultMaxWeightNorm": ("maxWeightNorm", 10.0),
    }
    _aliases = {"maxWeightNorm": "defaultMaxWeightNorm"}
    _specific_names = ("learningRate", "weightDecay", "beta1", "beta2", "eps", "maxWeightNorm")
    _overloads = (
        overload(
            Argument("values", Type("dict", lambda value: value)),
            Argument("mode", instance_of(AdamMode), AdamMode.Adam),
            Argument("weight_decay_mode", instance_of(WeightDecayMode), WeightDecayMode.Decay),
            Argument("accum_type", _DATA_TYPE, DataType.UNDEFINED),
            Argument("accl1_type", _DATA_TYPE, DataType.FLOAT),
            Argument("accl2_type", _DATA_TYPE, DataType.FLOAT),
            _CLIP,
            Argument("scaled_optimizer_state", BOOL, False),
            Argument("debugContext", DEBUG_CONTEXT, "adam"),
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("Adam", self._overloads, args, kwargs)
        self._set_defaults(values["values"])
        self._mode: AdamMode = values["mode"]
        self._weight_decay_mode: WeightDecayMode = values["weight_decay_mode"]
        self._accum_type: DataType = values["accum_type"]
        self._accl1_type: DataType = values["accl1_type"]
        self._accl2_type: DataType = values["accl2_type"]
        self._clip_norm_settings: List[ClipNormSettings] = values["clip_norm_settings"]
        self._scaled_optimizer_state: bool = values["scaled_optimizer_state"]

    def insertSpecific(self, id: str, pyd: Dict[str, Tuple[float, bool]], /) -> None:
        self._insert_specific(id, pyd)

    def learningRates(self) -> OptimizerValueMap:
        return self._map("learningRate")

    def weightDecays(self) -> OptimizerValueMap:
        return self._map("weightDecay")

    def beta1s(self) -> OptimizerValueMap:
        return self._map("beta1")

    def beta2s(self) -> OptimizerValueMap:
        """PopART binds this name to beta1s(), so it gives the values of beta1."""
        return self.beta1s()

    def epss(self) -> OptimizerValueMap:
        return self._map("eps")

    def maxWeightNorms(self) -> OptimizerValueMap:
        return self._map("maxWeightNorm")


class Adaptive(Optimizer):
    """AdaGrad, RMSProp, centered RMSProp and AdaDelta.

    Raises popart_exception for TensorFlow's variant of a mode other than the RMSProp ones.
    """

    _keys = {
        "defaultLearningRate": ("learningRate", 0.01),
        "defaultWeightDecay": ("weightDecay", 0.0),
        "defaultAlpha": ("alpha", 0.99),
        "defaultMomentum": ("momentum", 0.0),
        "defaultEps": ("eps", 1e-6),
        "lossScaling": ("lossScaling", 1.0),
    }
    _specific_names = ("learningRate", "weightDecay", "alpha", "momentum", "eps")
    _overloads = (
        overload(
            Argument("values", Type("dict", lambda value: value)),
            Argument("mode", instance_of(AdaptiveMode), AdaptiveMode.RMSProp),
            Argument("weight_decay_mode", instance_of(WeightDecayMode), WeightDecayMode.Decay),
            Argument("accum_type", _DATA_TYPE, DataType.UNDEFINED),
            Argument("accl1_type", _DATA_TYPE, DataType.FLOAT),
            Argument("accl2_type", _DATA_TYPE, DataType.FLOAT),
            Argument("accl3_type", _DATA_TYPE, DataType.UNDEFINED),
            Argument("rmsprop_tf_variant", BOOL, False),
            Argument("debugContext", DEBUG_CONTEXT, "adaptive"),
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("Adaptive", self._overloads, args, kwargs)
        self._set_defaults(values["values"])
        self._mode: AdaptiveMode = values["mode"]
        self._weight_decay_mode: WeightDecayMode = values["weight_decay_mode"]
        self._accum_type: DataType = values["accum_type"]
        self._accl1_type: DataType = values["accl1_type"]
        self._accl2_type: DataType = values["accl2_type"]
        self._accl3_type: DataType = values["accl3_type"]
        self._rmsprop_tf_variant: bool = values["rmsprop_tf_variant"]
        self._clip_norm_settings: List[ClipNormSettings] = []
        centered_or_plain = (AdaptiveMode.RMSProp, AdaptiveMode.CenteredRMSProp)
        if self._rmsprop_tf_variant and self._mode not in centered_or_plain:
            raise popart_exception(
                "Adaptive: rmsprop_tf_variant is only for the modes RMSProp and CenteredRMSProp, "
                f"not {self._mode.name}"
            )

    def insertSpecific(self, id: str, pyd: Dict[str, Tuple[float, bool]], /) -> None:
        self._insert_specific(id, pyd)

    def learningRates(self) -> OptimizerValueMap:
        return self._map("learningRate")

    def weightDecays(self) -> OptimizerValueMap:
        return self._map("weightDecay")

    def alphas(self) -> OptimizerValueMap:
        return self._map("alpha")

    def momentums(self) -> OptimizerValueMap:
        return self._map("momentum")

    def epss(self) -> OptimizerValueMap:
        return self._map("eps")
