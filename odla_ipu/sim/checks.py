"""What PopART refuses of a single op beyond its shapes and types.

``check`` runs for every op of a model before pruning.
"""

from typing import TYPE_CHECKING, Callable, Dict, NoReturn, Tuple

import numpy as np

from .exceptions import popart_exception
from .nodes import ONNX_TYPES
from .operands import check_operands

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


def check(op: "Op", outputs: int, strided_slices: bool) -> None:
    """Raise popart_exception for a form of ``op`` that PopART does not have.

    ``outputs``: how many the model asks for. ``strided_slices``: the pattern Slice2SliceSubsample
    is enabled.
    """
    check_operands(op)
    if op.type == "MaxPool" and outputs > 1:
        _refuse(op, "the output Indices is not implemented; ask for one output")
    if op.type == "BatchNormalization" and outputs not in (1, 5):
        _refuse(op, f"has 1 output, or 5 with statistics of the batch, not {outputs}")
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
    "ConstantOfShape": ((0, "the shape"),),
    "Slice": ((1, "the starts"), (2, "the ends"), (3, "the axes"), (4, "the steps")),
    "Clip": ((1, "the minimum"), (2, "the maximum")),
    "TopK": ((1, "K"),),
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
def _sort(op: "Op") -> None:
    _top_axis(op)
    _flags(op, "descending", "stable")


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
    for name, accepted in _RESIZE.items():
        _choice(op, name, accepted)


_RESIZE = {
    "mode": ("nearest", "linear", "cubic"),
    "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    "coordinate_transformation_mode": (
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
    ),
}


def _flags(op: "Op", *names: str) -> None:
    for name in names:
        if op.attributes.get(name, 0) not in (0, 1):
            _refuse(op, f"{name} must be 0 or 1, not {op.attributes[name]}")


def _choice(op: "Op", name: str, accepted: Tuple[str, ...]) -> None:
    value = op.attributes.get(name)
    if value is not None and value not in accepted:
        _refuse(op, f"{name} {value!r} is not supported; accepted are {', '.join(accepted)}")


@_checks("CumSum")
def _cumsum(op: "Op") -> None:
    _require_constant(op, 1, "the axis")
    axis, rank = op.constant(1), len(op.operand(0).shape)
    if axis is not None and (axis.size != 1 or not -rank <= int(axis.reshape(())) < rank):
        _refuse(op, f"axis {axis.tolist()}: accepted is one number from {-rank} to {rank - 1}")
    _flags(op, "exclusive", "reverse")


@_checks("Softmax", "LogSoftmax")
def _softmax(op: "Op") -> None:
    axis, rank = op.attributes.get("axis", 1), len(op.operand(0).shape)
    if not -rank <= axis <= rank:
        _refuse(op, f"axis {axis} is out of range: accepted for rank {rank} are {-rank} to {rank}")


@_checks("Pad")
def _pad(op: "Op") -> None:
    _require_constant(op, 1, "the pads")
    _require_constant(op, 2, "the value")
    _choice(op, "mode", ("constant", "edge", "reflect"))
    value = op.constant(2)
    if value is not None and value.size != 1:
        _refuse(op, f"the value must have one element, not shape {list(value.shape)}")
    pads = op.attributes.get("pads") if op.version < 11 else op.constant(1)
    if pads is None or op.attributes.get("mode") != "reflect":
        return
    shape = op.operand(0).shape
    if any(int(pad) >= dim for pad, dim in zip(pads, shape + shape)):
        _refuse(op, f"reflects {list(map(int, pads))} elements of shape {list(shape)}: too many")


@_checks("OneHot")
def _one_hot(op: "Op") -> None:
    _require_constant(op, 1, "the depth")
    if op.attributes.get("axis", -1) < -1:
        _refuse(op, f"axis {op.attributes['axis']}: accepted are -1 and non-negative axes")
    if op.operand(2).shape != (2,):
        _refuse(op, f"the values must be those for off and on, not {op.operand(2)}")


@_checks("Tile")
def _tile(op: "Op") -> None:
    _require_constant(op, 1, "the repeats")
    repeats = op.constant(1)
    if repeats is not None and repeats.dtype != np.int64:
        _refuse(op, f"the repeats must be INT64, not {repeats.dtype}")


@_checks("LRN")
def _lrn(op: "Op") -> None:
    if op.attributes["size"] < 1:
        _refuse(op, f"size must be 1 or more, not {op.attributes['size']}")
    if len(op.operand(0).shape) < 2:
        _refuse(op, f"the input must have rank 2 or more, not {len(op.operand(0).shape)}")


@_checks("RoiAlign")
def _roi_align(op: "Op") -> None:
    if op.attributes.get("sampling_ratio", 1) < 0:
        _refuse(op, f"sampling_ratio must be 0 or more, not {op.attributes['sampling_ratio']}")


@_checks("InstanceNormalization")
def _instance_normalization(op: "Op") -> None:
    shape = op.operand(0).shape
    for index, name in ((1, "scale"), (2, "B")):
        if op.operand(index).shape != shape[1:2]:
            _refuse(
                op, f"has {name} of shape {list(op.operand(index).shape)}, not {list(shape[1:2])}"
            )


@_checks("PRelu")
def _prelu(op: "Op") -> None:
    shapes = [op.operand(index).shape for index in range(2)]
    aligned = shapes[0][len(shapes[0]) - len(shapes[1]) :]
    if len(shapes[1]) > len(shapes[0]) or any(
        size not in (1, dim) for size, dim in zip(shapes[1], aligned)
    ):
        _refuse(
            op,
            f"np broadcasting failed: slope of shape {list(shapes[1])} and input of shape "
            f"{list(shapes[0])} are not aligned",
        )


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
    group, channels = op.attributes.get("group", 1), op.operand(0).shape[1]
    if group < 1 or channels % group:
        _refuse(op, f"cannot divide {channels} channels into {group} groups")


@_checks("BatchNormalization")
@_checks("BatchNormalization", domain=GRAPHCORE)
def _batch_normalization(op: "Op") -> None:
    if len(op.operand(0).shape) < 3:
        _refuse(op, f"the input must have rank 3 or more, not {len(op.operand(0).shape)}")


@_checks("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
def _random(op: "Op") -> None:
    if "seed" in op.attributes:
        _refuse(op, "the seed attribute is not supported: use Session.setRandomSeed")
    like = op.operand(0).info.dtype if op.inputs else "FLOAT"
    target = op.attributes.get("dtype")
    name = like if target is None else ONNX_TYPES.get(target, str(target))
    if name not in ("FLOAT", "FLOAT16"):
        _refuse(op, f"draws FLOAT or FLOAT16, not {name}")


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
    if op.type == "GRU" and activations:
        _refuse(op, "activations are not supported")
    if len(activations) > 3:
        _refuse(op, f"takes at most 3 activations, not {len(activations)}")
    if op.type == "RNN" and len(activations) > 1:
        _refuse(op, f"takes one activation, not {len(activations)}")
    unknown = sorted(set(activations) - _LSTM_ACTIVATIONS)
    if unknown:
        _refuse(op, f"activations {unknown} are not supported")
    if op.type == "LSTM" and len(activations) > 2 and activations[1] != activations[2]:
        _refuse(op, f"the second and third activation must be equal, not {activations[1:]}")


# ai.graphcore.


@_checks("CopyVarUpdate", "ScaledAdd", domain=GRAPHCORE)
def _same_shapes(op: "Op") -> None:
    first, second = op.operand(0), op.operand(1)
    if first.shape != second.shape:
        _refuse(op, f"has inputs of different shapes: {first} and {second}")
    if op.type != "ScaledAdd" or len(op.inputs) == 2:
        return
    given = [index < len(op.inputs) and op.inputs[index] is not None for index in (2, 3)]
    if given == [True, False]:
        _refuse(op, "takes the scale of the first input alone as an attribute only")
    if given == [False, True] and op.attributes.get("scale0", 1.0) != 1:
        _refuse(op, "the scale of the second input as a tensor needs scale0 to be 1")


@_checks("DynamicSlice", "DynamicUpdate", "DynamicAdd", "DynamicZero", domain=GRAPHCORE)
def _dynamic(op: "Op") -> None:
    shape, offset = op.operand(0).shape, op.operand(1)
    axes, sizes = op.attributes["axes"], op.attributes["sizes"]
    if len(axes) != len(sizes) or not all(0 <= axis < len(shape) for axis in axes):
        _refuse(op, f"has axes {list(axes)} and sizes {list(sizes)} for rank {len(shape)}")
    if offset.shape != (len(axes),):
        _refuse(op, f"has offsets of shape {list(offset.shape)} for {len(axes)} axes")
    if any(not 0 <= size <= shape[axis] for axis, size in zip(axes, sizes)):
        _refuse(op, f"has sizes {list(sizes)} on axes {list(axes)} of shape {list(shape)}")
    window = list(shape)
    for axis, size in zip(axes, sizes):
        window[axis] = size
    if op.type in ("DynamicUpdate", "DynamicAdd") and list(op.operand(2).shape) != window:
        _refuse(op, f"writes {op.operand(2)} into a window of shape {window}")


@_checks("Bucketize", domain=GRAPHCORE)
def _bucketize(op: "Op") -> None:
    if len(op.operand(1).shape) != 1:
        _refuse(op, f"the boundaries must have rank 1, not {len(op.operand(1).shape)}")


@_checks("ScatterReduce", domain=GRAPHCORE)
def _scatter_reduce(op: "Op") -> None:
    shape, indices = op.operand(0).shape, op.operand(1).shape
    axis = op.attributes.get("axis", -1) % len(shape)
    if op.attributes.get("enable_index_broadcast", 1):
        leading = shape[:1] if op.attributes.get("group_size", 1) > 1 else ()
        fits = indices in (shape, (*leading, shape[axis]))
    else:
        fits = len(indices) == len(shape) and all(a <= b for a, b in zip(indices, shape))
    if not fits:
        _refuse(
            op,
            f"has indices of shape {list(indices)} for data of shape {list(shape)}: accepted are "
            "those of the data, or one index for each element of the axis; no partial broadcast",
        )


@_checks("Init", domain=GRAPHCORE)
def _init(op: "Op") -> None:
    name = ONNX_TYPES.get(op.attributes["data_type"], "")
    if name not in ("FLOAT", "FLOAT16", "INT32", "UINT32"):
        _refuse(op, f"makes FLOAT, FLOAT16, INT32 and UINT32 only, not {name}")
    if op.attributes["init_type"] not in (0, 1):
        _refuse(op, f"init_type must be 0 or 1, not {op.attributes['init_type']}")


@_checks("NormalizeImage", domain=GRAPHCORE)
def _normalize_image(op: "Op") -> None:
    image = op.operand(0)
    result = np.dtype(np.float16) if image.dtype == np.uint8 else image.dtype
    for index, name in ((1, "offsets"), (2, "scales")):
        tensor = op.operand(index)
        if tensor.dtype != result or tensor.shape != (3,):
            _refuse(op, f"the {name} must be 3 values of type {result}, not {tensor}")
    if abs(op.attributes.get("scale", 1.0)) < 1e-12:
        _refuse(op, "scale must not be 0")


@_checks("ReplicatedAllReduce", "ReplicatedReduceScatter", domain=GRAPHCORE)
def _collective(op: "Op") -> None:
    operator = op.attributes.get("collectiveOperator", 0)
    if not 0 <= operator <= 8:
        _refuse(op, f"has collectiveOperator {operator}: accepted are 0 to 8")


@_checks("SequenceSlice", domain=GRAPHCORE)
def _sequence_slice(op: "Op") -> None:
    tables = [op.operand(index).shape for index in (2, 3, 4)]
    if len(set(tables)) != 1 or len(tables[0]) != 1:
        _refuse(op, f"has lengths and offsets of shapes {tables}: accepted are vectors of one size")


@_checks("IncrementMod", domain=GRAPHCORE)
def _increment_mod(op: "Op") -> None:
    modulus = op.attributes["modulus"]
    if op.operand(0).dtype.kind in "iu" and int(modulus) == 0:
        _refuse(op, f"the modulus {modulus} is 0 as an integer")


@_checks("PackedDataBlock", domain=GRAPHCORE)
def _packed_data_block(op: "Op") -> None:
    if any(not op.operand(index).shape for index in range(0, len(op.inputs) - 2, 3)):
        _refuse(op, "data of rank 0 have no rows")
    if op.attributes["resultSize"] < 0:
        _refuse(op, f"resultSize must be 0 or more, not {op.attributes['resultSize']}")
    longest = op.bodies[0].outputs[0].shape
    if len(op.bodies[0].outputs) != 1 or longest[:1] != (op.attributes["callbackBatchSize"],):
        _refuse(op, f"the callback must return one batch, not {op.bodies[0].outputs}")


@_checks("PrintTensor", domain=GRAPHCORE)
def _print_tensor(op: "Op") -> None:
    for name in ("summariseThreshold", "edgeItems", "maxLineWidth", "digits"):
        if op.attributes.get(name, 0) < 0:
            _refuse(op, f"{name} must be 0 or more, not {op.attributes[name]}")
    if not 0 <= op.attributes.get("floatFormat", 0) <= 3:
        _refuse(op, f"floatFormat must be 0 to 3, not {op.attributes['floatFormat']}")
    for name in ("separator", "openBracket", "closeBracket"):
        if len(op.attributes.get(name, " ")) != 1:
            _refuse(op, f"{name} must be one character, not {op.attributes[name]!r}")
