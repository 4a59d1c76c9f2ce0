"""Values that are known when a session is constructed: shapes, and what is computed from constants.

PopART folds such ops, and takes shapes, axes and sizes from the result.  Only small values are
folded here; large constant expressions are left to the engine, which folds them just as well.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

import numpy as np

if TYPE_CHECKING:
    from .ir import Op

MAX_ELEMENTS = 65536

Fold = Callable[["Op", List[Any]], Any]

_FOLDS: Dict[str, Fold] = {}


def _folds(*op_types: str) -> Callable[[Fold], Fold]:
    def register(function: Fold) -> Fold:
        for op_type in op_types:
            _FOLDS[op_type] = function
        return function

    return register


def fold(op: "Op") -> Optional[np.ndarray]:
    """The value of the op's only output, or None for an op that is not folded.

    All inputs have data, but that of Shape, which needs none.
    """
    if op.type == "Shape":
        return np.array(op.operand(0).shape, np.int64)
    if op.type == "Constant":
        return np.asarray(op.attributes["value"])
    function = _FOLDS.get(op.type)
    inputs = [None if tensor is None else tensor.data for tensor in op.inputs]
    if function is None or any(data is not None and data.size > MAX_ELEMENTS for data in inputs):
        return None
    with np.errstate(all="ignore"):
        value = function(op, inputs)
    if value is None or value.size > MAX_ELEMENTS:
        return None
    return np.asarray(value)


@_folds("Identity")
def _identity(op: "Op", x: List[Any]) -> Any:
    return x[0]


@_folds("Cast")
def _cast(op: "Op", x: List[Any]) -> Any:
    import onnx

    target = op.attributes["to"]
    if isinstance(target, str):
        target = onnx.TensorProto.DataType.Value(target)
    return x[0].astype(onnx.helper.tensor_dtype_to_np_dtype(target))


@_folds("ConstantOfShape")
def _constant_of_shape(op: "Op", x: List[Any]) -> Any:
    shape = [int(dim) for dim in x[0]]
    if np.prod(shape, dtype=np.float64) > MAX_ELEMENTS:
        return None
    value = op.attributes.get("value")
    fill = np.zeros((), np.float32) if value is None else np.asarray(value).reshape(())
    return np.full(shape, fill)


@_folds("Gather")
def _gather(op: "Op", x: List[Any]) -> Any:
    axis = op.attributes.get("axis", 0)
    size = x[0].shape[axis]
    if x[1].size and not (x[1].min() >= 0 and x[1].max() < size):
        return None
    return np.take(x[0], x[1].astype(np.int64), axis)


@_folds("Concat")
def _concat(op: "Op", x: List[Any]) -> Any:
    return np.concatenate(x, op.attributes.get("axis", 1))


@_folds("Slice")
def _slice(op: "Op", x: List[Any]) -> Any:
    data = x[0]
    if len(x) == 1:
        starts, ends = op.attributes["starts"], op.attributes["ends"]
        axes, steps = op.attributes.get("axes"), None
    else:
        starts, ends = x[1], x[2]
        axes = x[3] if len(x) > 3 else None
        steps = x[4] if len(x) > 4 else None
    axes = range(len(starts)) if axes is None or not len(axes) else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        backward = step < 0 and end < -data.shape[axis]
        index[axis] = slice(int(start), None if backward else int(end), int(step))
    return data[tuple(index)]


@_folds("Squeeze")
def _squeeze(op: "Op", x: List[Any]) -> Any:
    axes = op.attributes.get("axes")
    return np.squeeze(x[0], tuple(axes) if axes else None)


@_folds("Unsqueeze")
def _unsqueeze(op: "Op", x: List[Any]) -> Any:
    axes = op.attributes["axes"]
    rank = x[0].ndim + len(axes)
    shape = list(x[0].shape)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return x[0].reshape(shape)


@_folds("Reshape")
def _reshape(op: "Op", x: List[Any]) -> Any:
    shape = op.attributes["shape"] if len(x) == 1 else x[1]
    dims = [x[0].shape[i] if dim == 0 else int(dim) for i, dim in enumerate(shape)]
    return x[0].reshape(dims)


@_folds("Transpose")
def _transpose(op: "Op", x: List[Any]) -> Any:
    return np.transpose(x[0], op.attributes.get("perm") or None)


@_folds("Expand")
def _expand(op: "Op", x: List[Any]) -> Any:
    shape = np.broadcast_shapes(x[0].shape, tuple(int(dim) for dim in x[1]))
    if np.prod(shape, dtype=np.float64) > MAX_ELEMENTS:
        return None
    return np.broadcast_to(x[0], shape).copy()


@_folds("Add", "Sub", "Mul", "Div")
def _arithmetic(op: "Op", x: List[Any]) -> Any:
    a, b = x
    if a.dtype != b.dtype or op.attributes.get("broadcast"):
        return None
    if op.type == "Add":
        return a + b
    if op.type == "Sub":
        return a - b
    if op.type == "Mul":
        return a * b
    return _divided(a, b)


def _divided(a: np.ndarray, b: np.ndarray) -> Optional[np.ndarray]:
    """Truncated for integers."""
    if a.dtype.kind not in "iu":
        return a / b
    if not np.all(b):
        return None
    quotient = np.abs(a) // np.abs(b)
    return (np.sign(a) * np.sign(b) * quotient).astype(a.dtype)


@_folds("Neg")
def _neg(op: "Op", x: List[Any]) -> Any:
    return -x[0]


@_folds("Floor", "Ceil")
def _rounded(op: "Op", x: List[Any]) -> Any:
    return np.floor(x[0]) if op.type == "Floor" else np.ceil(x[0])


@_folds("Max", "Min")
def _extreme(op: "Op", x: List[Any]) -> Any:
    function = np.maximum if op.type == "Max" else np.minimum
    value = x[0]
    for other in x[1:]:
        value = function(value, other)
    return value


@_folds("Equal", "Greater", "Less")
def _compared(op: "Op", x: List[Any]) -> Any:
    a, b = x
    if op.type == "Equal":
        return np.equal(a, b)
    return np.greater(a, b) if op.type == "Greater" else np.less(a, b)


@_folds("Where")
def _where(op: "Op", x: List[Any]) -> Any:
    return np.where(*x)


@_folds("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def _reduced(op: "Op", x: List[Any]) -> Any:
    functions: Dict[str, Callable[..., Any]] = {
        "ReduceProd": np.prod,
        "ReduceSum": np.sum,
        "ReduceMax": np.max,
        "ReduceMin": np.min,
    }
    function = functions[op.type]
    axes = op.attributes.get("axes")
    keep = bool(op.attributes.get("keepdims", 1))
    return np.asarray(function(x[0], tuple(axes) if axes else None, keepdims=keep), x[0].dtype)
