"""What PopART refuses of a single op beyond its shapes and types.

``check`` runs for every op of a model before pruning.
"""

from typing import TYPE_CHECKING, Callable, Dict, NoReturn, Tuple

import numpy as np

from .exceptions import popart_exception

if TYPE_CHECKING:
    from .ir import Op

GRAPHCORE = "ai.graphcore"

Check = Callable[["Op"], None]

_CHECKS: Dict[Tuple[str, str], Check] = {}


def _checks(*op_types: str, domain: str = "") -> Callable[[Check], Check]:
    def register(function: Check) -> Check:
        for op_type in op_types:
            _CHECKS[domain, op_type] = function
        return function

    return register


def check(op: "Op", strided_slices: bool) -> None:
    """Raise popart_exception for a form of ``op`` that PopART does not have.

    ``strided_slices``: the pattern Slice2SliceSubsample is enabled.
    """
    if op.type == "Slice" and not op.domain and not strided_slices:
        _slice_steps(op)
    function = _CHECKS.get((op.domain, op.type))
    if function is not None:
        function(op)


def _refuse(op: "Op", reason: str) -> NoReturn:
    raise popart_exception(f"{op.label}: {reason}")


def _require_constant(op: "Op", index: int, what: str) -> None:
    if index < len(op.inputs) and op.inputs[index] is not None and op.constant(index) is None:
        _refuse(
            op,
            f"needs the data of {what} (input {index}, {op.operand(index).id}) at construction "
            "but was unable because it is computed at run time; it must be of type Constant",
        )


_PARAMETERS = {
    "Reshape": ((1, "the shape"),),
    "Expand": ((1, "the shape"),),
    "Tile": ((1, "the repeats"),),
    "ConstantOfShape": ((0, "the shape"),),
    "Slice": ((1, "the starts"), (2, "the ends"), (3, "the axes"), (4, "the steps")),
    "Pad": ((1, "the pads"), (2, "the value")),
    "Clip": ((1, "the minimum"), (2, "the maximum")),
    "TopK": ((1, "K"),),
    "OneHot": ((1, "the depth"),),
    "CumSum": ((1, "the axis"),),
    "Upsample": ((1, "the scales"),),
}


@_checks(*_PARAMETERS)
def _parameters(op: "Op") -> None:
    for index, what in _PARAMETERS[op.type]:
        _require_constant(op, index, what)
    if op.type == "Upsample" and op.attributes.get("mode", "nearest") != "nearest":
        _refuse(op, f"mode {op.attributes['mode']!r} is not supported; only nearest is")
    if op.type == "TopK":
        _top_axis(op)


def _slice_steps(op: "Op") -> None:
    steps = op.constant(4)
    if steps is not None and np.any(np.abs(steps) > 1):
        _refuse(
            op,
            f"steps {steps.tolist()} other than 1 and -1. Please enable pattern "
            "Slice2SliceSubsample, or use ai.graphcore subsample",
        )


@_checks("Sort", domain=GRAPHCORE)
def _top_axis(op: "Op") -> None:
    axis = op.attributes.get("axis", -1)
    if axis < 0:
        _refuse(op, f"axis {axis} is out of range: give it as a non-negative number")


@_checks("Resize")
def _resize(op: "Op") -> None:
    for index in range(1, len(op.inputs)):
        _require_constant(op, index, "scales or sizes")
    if op.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        _refuse(op, "coordinate_transformation_mode tf_crop_and_resize is not supported")
    if op.attributes.get("exclude_outside"):
        _refuse(op, "exclude_outside must be 0")


@_checks("MaxPool")
def _max_pool(op: "Op") -> None:
    if any(step != 1 for step in op.attributes.get("dilations") or []):
        _refuse(op, f"dilations {op.attributes['dilations']} are not supported; only 1 is")
    if op.attributes.get("storage_order"):
        _refuse(op, "storage_order must be 0")


@_checks("AveragePool")
def _average_pool(op: "Op") -> None:
    if op.attributes.get("count_include_pad"):
        _refuse(op, "count_include_pad is not supported; it must be 0")


@_checks("ConvTranspose")
def _conv_transpose(op: "Op") -> None:
    if any(step != 1 for step in op.attributes.get("dilations") or []):
        _refuse(op, f"dilations {op.attributes['dilations']} are not supported; only 1 is")


@_checks("BatchNormalization")
@_checks("BatchNormalization", domain=GRAPHCORE)
def _batch_normalization(op: "Op") -> None:
    if len(op.operand(0).shape) < 3:
        _refuse(op, f"the input must have rank 3 or more, not {len(op.operand(0).shape)}")


@_checks("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
def _random(op: "Op") -> None:
    if "seed" in op.attributes:
        _refuse(op, "the seed attribute is not supported: use Session.setRandomSeed")


_LSTM_ACTIVATIONS = frozenset(
    ["sigmoid", "relu", "tanh", "gelu", "swish", "softmax", "softmaxstable", "softmaxscaled"]
)


@_checks("LSTM", "GRU", "RNN")
def _recurrent(op: "Op") -> None:
    direction = op.attributes.get("direction", "forward")
    if direction != "forward":
        _refuse(op, f"direction {direction!r} is not supported; only forward is")
    for name in ("activation_alpha", "activation_beta"):
        if op.attributes.get(name):
            _refuse(op, f"{name} is not supported")
    if "clip" in op.attributes:
        _refuse(op, "clip is not supported")
    if op.attributes.get("input_forget"):
        _refuse(op, "input_forget must be 0")
    if op.type == "LSTM" and len(op.inputs) > 7 and op.inputs[7] is not None:
        _refuse(op, "peephole input P is not supported")
    activations = [name.lower() for name in op.attributes.get("activations") or []]
    if op.type == "GRU" and activations and activations != ["sigmoid", "tanh"]:
        _refuse(op, "activations are not supported")
    if op.type == "RNN" and len(activations) > 1:
        _refuse(op, f"takes one activation, not {len(activations)}")
    unknown = sorted(set(activations) - _LSTM_ACTIVATIONS)
    if unknown:
        _refuse(op, f"activations {unknown} are not supported")
    if op.type == "LSTM" and len(activations) > 2 and activations[1] != activations[2]:
        _refuse(op, f"the second and third activation must be equal, not {activations[1:]}")
