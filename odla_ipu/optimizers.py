"""Optimizers: how each batch of a training program changes the variables.

An optimizer is numbers with names; ``repr`` gives a text that :func:`read` takes.
"""

import dataclasses
import math
import re
from typing import Any, Dict, Tuple

from .errors import InvalidParameter

Pair = Tuple[float, bool]
"""A number of PopART's optimizers, and whether it is compiled into the program."""


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Base of the optimizers.  Raises InvalidParameter for numbers that are out of range."""

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, bool) is not (name == "nesterov") or not isinstance(
                value, (int, float)
            ):
                accepted = "True or False" if name == "nesterov" else "a number"
                raise self._wrong(name, value, accepted)
            object.__setattr__(self, name, value if name == "nesterov" else float(value))
            if not math.isfinite(value) or value < 0 or (name in _POSITIVE and value == 0):
                raise self._wrong(
                    name, value, "finite numbers above 0" if name in _POSITIVE else "0 and more"
                )

    def _wrong(self, name: str, value: Any, accepted: str) -> InvalidParameter:
        return InvalidParameter(f"{type(self).__name__}: {name} is {value!r}; accepted: {accepted}")

    def made(self, popart: Any) -> Any:
        """The same of PopART's, all of whose numbers can be replaced between runs."""
        raise NotImplementedError


_POSITIVE = ("epsilon", "loss_scaling")


@dataclasses.dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum v + (1 - dampening) (g + weight_decay w),
    w = w - learning_rate v; with ``nesterov``, g + weight_decay w + momentum v in place of v.

    ``loss_scaling`` multiplies the loss, for small gradients, and is divided out again.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    loss_scaling: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.dampening:
            raise self._wrong("dampening", self.dampening, "0 with nesterov")

    def made(self, popart: Any) -> Any:
        values: Dict[str, Pair] = {
            "defaultLearningRate": (self.learning_rate, False),
            # A momentum of zero is compiled in: it needs no velocity.
            "defaultMomentum": (self.momentum, self.momentum == 0),
            "defaultWeightDecay": (self.weight_decay, False),
            "defaultDampening": (self.dampening, self.nesterov),
            "nesterov": (float(self.nesterov), True),
            "lossScaling": (self.loss_scaling, False),
        }
        separate = popart.SGDAccumulatorAndMomentum.Separate
        return popart.SGD(values, accumulatorAndMomentum=separate)


@dataclasses.dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (arXiv:1412.6980) with decoupled weight decay (AdamW, arXiv:1711.05101).

    ``loss_scaling`` multiplies the loss, for small gradients, and is divided out again.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    weight_decay: float = 0.0
    loss_scaling: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2"):
            if getattr(self, name) >= 1:
                raise self._wrong(name, getattr(self, name), "0 to below 1")

    def made(self, popart: Any) -> Any:
        values: Dict[str, Pair] = {
            "defaultLearningRate": (self.learning_rate, False),
            "defaultBeta1": (self.beta1, False),
            "defaultBeta2": (self.beta2, False),
            "defaultEps": (self.epsilon, False),
            "defaultWeightDecay": (self.weight_decay, False),
            "lossScaling": (self.loss_scaling, False),
        }
        return popart.Adam(values, mode=popart.AdamMode.Adam)


KINDS: Dict[str, Any] = {"SGD": SGD, "Adam": Adam}


def read(text: str) -> Optimizer:
    """The optimizer of a text such as ``SGD(learning_rate=0.1, momentum=0.9)``.

    Raises InvalidParameter for any other text.
    """
    found = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
    if found is None or found.group(1) not in KINDS:
        raise InvalidParameter(
            f"the optimizer {text!r}; accepted: SGD(learning_rate=0.1), Adam(), with other numbers "
            "by their names"
        )
    kind = KINDS[found.group(1)]
    names = [field.name for field in dataclasses.fields(kind)]
    values: Dict[str, Any] = {}
    for part in filter(None, (one.strip() for one in found.group(2).split(","))):
        name, _, number = (one.strip() for one in part.partition("="))
        if name not in names:
            raise InvalidParameter(
                f"the optimizer {text!r} has the number {name!r}; accepted: {', '.join(names)}"
            )
        values[name] = _number(text, name, number)
    return kind(**values)


_FLAGS: Dict[str, bool] = {"True": True, "False": False}


def _number(text: str, name: str, given: str) -> Any:
    if name == "nesterov" and given in _FLAGS:
        return _FLAGS[given]
    try:
        return float(given)
    except ValueError:
        raise InvalidParameter(
            f"the optimizer {text!r}: {name} is {given!r}; accepted: a number"
        ) from None
