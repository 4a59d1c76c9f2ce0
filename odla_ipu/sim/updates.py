"""From an optimizer to the ops that update the weights, and what they keep from step to step."""

from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from .autodiff import PREFIX
from .engine.updates import DOMAIN
from .enums import AdamMode, SGDAccumulatorAndMomentum, WeightDecayMode
from .exceptions import popart_exception
from .ir import Graph, Op, Tensor
from .optimizers import SGD, Adam, Adaptive, Optimizer, OptimizerValue


class Form(NamedTuple):
    """How an optimizer updates one weight.

    ``values`` are its hyper-parameters by the names of ``engine.updates``, ``kept`` what the step
    reads and writes, by name: the prefix of its id, and its first value (None: that of Combined).
    """

    type: str
    values: Dict[str, str]
    kept: Dict[str, str]
    options: Dict[str, Any]


_COMBINED = "Accl___"
"""What SGD keeps where accumulator and momentum are combined."""


def form_of(optimizer: Optimizer, id: str) -> Form:
    """The form for the weight ``id``."""
    if isinstance(optimizer, SGD):
        return _sgd(optimizer, id)
    if isinstance(optimizer, Adam):
        return _adam(optimizer)
    if isinstance(optimizer, Adaptive):
        return _adaptive(optimizer)
    raise popart_exception(f"{type(optimizer).__name__} is no optimizer: use SGD, Adam or Adaptive")


def _sgd(optimizer: SGD, id: str) -> Form:
    values = {"lr": "learningRate", "wd": "weightDecay", "dp": "dampening"}
    momentum = optimizer._value("momentum", id)
    if momentum.isConst() and momentum.val() == 0:
        return Form("SGD0", values, {}, {})
    values.update(mm="momentum", vs="velocityScaling")
    separate = optimizer._accumulator_and_momentum is SGDAccumulatorAndMomentum.Separate
    options = {"nesterov": optimizer._value("nesterov", id).val() != 0}
    kind, prefix = ("SGD2", "Accl1___") if separate else ("SGD1", _COMBINED)
    return Form(kind, values, {"v": prefix}, options)


def _adam(optimizer: Adam) -> Form:
    values = {"lr": "learningRate", "wd": "weightDecay", "b1": "beta1", "b2": "beta2", "eps": "eps"}
    if optimizer._mode in (AdamMode.Lamb, AdamMode.LambNoBias):
        values["norm_limit"] = "maxWeightNorm"
    kept = {"m": "Accl1___", "v": "Accl2___", "step": "Step___"}
    options = {"mode": optimizer._mode.name, "l2": _is_l2(optimizer)}
    return Form(optimizer._mode.name, values, kept, options)


def _adaptive(optimizer: Adaptive) -> Form:
    mode = optimizer._mode.name
    values = {
        "lr": "learningRate",
        "wd": "weightDecay",
        "alpha": "alpha",
        "mm": "momentum",
        "eps": "eps",
    }
    kept = {"v": "Accl1___", "buffer": "Accl3___"}
    if mode == "CenteredRMSProp":
        kept["mean"] = "Accl2___"
    elif mode == "AdaDelta":
        kept["u"] = "Accl2___"
    options = {"mode": mode, "l2": _is_l2(optimizer), "tf": optimizer._rmsprop_tf_variant}
    return Form(mode, values, kept, options)


def _is_l2(optimizer: Any) -> bool:
    return optimizer._weight_decay_mode is WeightDecayMode.L2Regularization


class Updates:
    """The update ops of a graph, with the tensors of what they keep and of hyper-parameters."""

    def __init__(self, graph: Graph, optimizer: Optimizer):
        self._graph = graph
        self._optimizer = optimizer
        self._hyper: Dict[str, Tensor] = {}

    def add(self, weights: List[Tensor]) -> None:
        """Update those of the weights that have gradients in the graph."""
        trained = [one for one in weights if PREFIX + one.id in self._graph.tensors]
        gradients = {one.id: self._graph.tensors[PREFIX + one.id] for one in trained}
        self._clip(gradients)
        for weight in trained:
            self._update(weight, gradients[weight.id])

    def scaling(self) -> Tensor:
        return self._value("lossScaling", "")

    def _clip(self, gradients: Dict[str, Tensor]) -> None:
        for number, settings in enumerate(self._optimizer._clip_norm_settings):  # type: ignore[attr-defined]
            ids = list(gradients) if settings._clips_all else settings.weightIds
            unknown = [id for id in ids if id not in gradients]
            if unknown:
                raise popart_exception(
                    f"ClipNormSettings name the weight {unknown[0]!r}, which is not trained"
                )
            operands: List[Optional[Tensor]] = [self.scaling(), *(gradients[id] for id in ids)]
            op = Op(DOMAIN, "ClipFactor", 1, "", {"limit": settings.maxNorm}, operands)
            factor = self._add(op, f"ClipFactor___{number}", np.dtype(np.float32), ())
            for id in ids:
                scale = Op("", "Mul", 7, "", {}, [gradients[id], factor])
                like = gradients[id]
                gradients[id] = self._add(scale, f"Clipped{like.id}", like.dtype, like.shape)

    def _update(self, weight: Tensor, gradient: Tensor) -> None:
        form = form_of(self._optimizer, weight.id)
        operands: Dict[str, Tensor] = {"w": weight, "g": gradient, "ls": self.scaling()}
        for name, value in form.values.items():
            operands[name] = self._value(value, weight.id)
        for name, prefix in form.kept.items():
            operands[name] = self._kept(prefix, name, weight)
        writes = ["w", *form.kept]
        attributes = {"operands": list(operands), "writes": writes, "options": form.options}
        op = Op(DOMAIN, form.type, 1, f"update of {weight.id}", attributes, [*operands.values()])
        self._graph.ops.append(op)
        for name in writes:
            old = operands[name]
            op.outputs.append(_made(op, f"Updated___{old.id}", old.dtype, old.shape))

    def _kept(self, prefix: str, name: str, weight: Tensor) -> Tensor:
        shape = () if name == "step" else weight.shape
        data = np.zeros(shape, np.float32)
        if prefix == _COMBINED:
            data += self._first_decay(weight)
        return self._variable(prefix + weight.id, data)

    def _first_decay(self, weight: Tensor) -> np.ndarray:
        """What Combined keeps of a step before the first."""
        decay, damping, scale = (
            self._optimizer._value(name, weight.id).val()
            for name in ("weightDecay", "dampening", "velocityScaling")
        )
        return np.float32((1 - damping) * decay * scale) * weight.device_data()

    def _value(self, name: str, id: str) -> Tensor:
        """A hyper-parameter: a constant, or a scalar that can be replaced."""
        value: OptimizerValue = self._optimizer._value(name, id)
        data = np.array(value.val(), np.float32)
        if value.isConst():
            return Tensor(f"{name}___const", data.dtype, (), data)
        key = _key(self._optimizer, name, id)
        if key not in self._hyper:
            tensor = self._hyper[key] = self._variable(key, data)
            attributes = {"operands": ["value"], "writes": ["value"], "options": {}}
            self._add(
                Op(DOMAIN, "Keep", 1, "", attributes, [tensor]), f"Kept___{key}", data.dtype, ()
            )
        return self._hyper[key]

    def _variable(self, id: str, data: np.ndarray) -> Tensor:
        tensor = Tensor(id, data.dtype, data.shape, data, variable=True)
        tensor.used = True
        self._graph.tensors[id] = tensor
        return tensor

    def _add(self, op: Op, id: str, dtype: np.dtype, shape: Any) -> Tensor:
        self._graph.ops.append(op)
        tensor = _made(op, id, dtype, shape)
        op.outputs.append(tensor)
        return tensor


def _made(op: Op, id: str, dtype: np.dtype, shape: Any) -> Tensor:
    tensor = Tensor(id, dtype, tuple(shape))
    tensor.producer, tensor.used = op, True
    return tensor


def _key(optimizer: Optimizer, name: str, id: str) -> str:
    specific = name in optimizer._specific.get(id, {})
    return f"{name}___specific___{id}" if specific else f"{name}___default___FLOAT"


def replaced(old: Optimizer, new: Any) -> Dict[str, np.ndarray]:
    """What ``new`` changes, by the ids of hyper-parameters.

    Raises popart_exception where it differs from ``old`` in more than values that may change.
    """
    if type(new) is not type(old):
        raise popart_exception(
            f"Can not replace an optimizer of type {type(old).__name__} by "
            f"{type(new).__name__}: use the same type"
        )
    if new._clip_norm_settings != old._clip_norm_settings:  # type: ignore[attr-defined]
        raise popart_exception("Can not replace the clip norm settings of an optimizer")
    if set(new._specific) != set(old._specific):
        raise popart_exception(
            "Can not replace an optimizer by one with a different number of specific tensors: "
            f"{sorted(old._specific)} and {sorted(new._specific)}"
        )
    changed = {}
    for name, id in [(name, "") for name in old._defaults] + [
        (name, id) for id, values in old._specific.items() for name in values
    ]:
        before, after = old._value(name, id), new._value(name, id)
        if before.isConst() != after.isConst():
            raise popart_exception(f"Can not replace a constant value of {name} by another kind")
        if before.isConst() and before != after:
            raise popart_exception(
                f"Values are constant but do not match: {name} is {before.val()}, not "
                f"{after.val()}; make it (value, False) from the start"
            )
        if not after.isConst():
            changed[_key(old, name, id)] = np.array(after.val(), np.float32)
    return changed
