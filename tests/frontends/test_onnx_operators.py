"""Every converter family against onnxruntime on the same model, in the forms of several opsets."""

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnx_stack import build, compare, single

_RNG = np.random.default_rng(11)


def f(*shape, low=-2.0, high=2.0, dtype=np.float32):
    return _RNG.uniform(low, high, shape).astype(dtype)


def ints(*shape, low=-9, high=10, dtype=np.int32):
    return _RNG.integers(low, high, shape).astype(dtype)


def i64(*numbers):
    return np.array(numbers, np.int64)


def scalar(number, dtype=np.float32):
    return np.array(number, dtype)


CASES = {}


def case(name, op, operands, **options):
    assert name not in CASES
    CASES[name] = (op, operands, options)


# Elementwise.

for _op in [
    "Abs",
    "Ceil",
    "Cos",
    "Cosh",
    "Erf",
    "Exp",
    "Floor",
    "Neg",
    "Relu",
    "Round",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Tan",
    "Tanh",
]:
    case(_op, _op, [f(2, 3)])
for _op in ["Acos", "Asin", "Atanh"]:
    case(_op, _op, [f(5, low=-0.9, high=0.9)])
for _op in ["Acosh", "Log", "Reciprocal", "Sqrt"]:
    case(_op, _op, [f(5, low=1.1, high=4)])
for _op in [
    "Asinh",
    "Atan",
    "Elu",
    "HardSigmoid",
    "LeakyRelu",
    "Selu",
    "ThresholdedRelu",
    "Celu",
    "Shrink",
    "Identity",
]:
    case(_op, _op, [f(3, 4)])
case("Elu alpha", "Elu", [f(3, 4)], alpha=0.3)
case("HardSigmoid alpha beta", "HardSigmoid", [f(3, 4)], alpha=0.1667, beta=0.4)
case("Selu alpha gamma", "Selu", [f(3, 4)], alpha=1.1, gamma=0.9)
case("Shrink bias lambd", "Shrink", [f(3, 4)], bias=0.2, lambd=0.7)
case("HardSwish", "HardSwish", [f(3, 4, low=-5, high=5)], opset=14)
case("Mish", "Mish", [f(3, 4)], opset=18)
case("Gelu", "Gelu", [f(3, 4)], opset=20)
case("Gelu tanh", "Gelu", [f(3, 4)], opset=20, approximate="tanh")
case("Gelu microsoft", "Gelu", [f(3, 4)], domain="com.microsoft")
case("QuickGelu microsoft", "QuickGelu", [f(3, 4)], domain="com.microsoft", alpha=1.5)
case("BiasGelu microsoft", "BiasGelu", [f(3, 4), f(4)], domain="com.microsoft")
case("FastGelu microsoft", "FastGelu", [f(3, 4), f(4)], domain="com.microsoft")
case("Round halves", "Round", [np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)])
case("Abs int", "Abs", [ints(3, 4)])
case("Neg int64", "Neg", [ints(3, dtype=np.int64)])
case("Relu half", "Relu", [f(7, dtype=np.float16)])
case("IsNaN", "IsNaN", [np.array([1, np.nan, np.inf], np.float32)])
case("IsInf", "IsInf", [np.array([1, np.nan, np.inf, -np.inf], np.float32)])
case("IsInf negative", "IsInf", [np.array([1, np.inf, -np.inf], np.float32)], detect_positive=0)
case("Not", "Not", [np.array([True, False])])
case("PRelu", "PRelu", [f(2, 3, 4), f(3, 1)], constants=[1])
case("PRelu computed", "PRelu", [f(2, 3, 4), f(4)])
case("Dropout 7", "Dropout", [f(2, 3)], opset=7, ratio=0.3)
case("Dropout 13", "Dropout", [f(2, 3), scalar(0.3)], constants=[1])
case("Clip 6", "Clip", [f(3, 4)], opset=7, min=-0.5, max=0.7)
case("Clip 6 min", "Clip", [f(3, 4)], opset=10, min=-0.5)
case("Clip 6 none", "Clip", [f(3, 4)], opset=10)
case("Clip 11", "Clip", [f(3, 4), scalar(-1), scalar(1)], opset=11, constants=[1, 2])
case("Clip 11 max", "Clip", [f(3, 4), None, scalar(1)], opset=11, constants=[2])
case("Clip 13 computed", "Clip", [f(3, 4), scalar(-1), scalar(1)])
case("Clip 13 int", "Clip", [ints(3, 4), scalar(-3, np.int32)], constants=[1])
case("Clip 13 half", "Clip", [f(3, 4, dtype=np.float16), scalar(0, np.float16)], constants=[1])
for _op in ["Add", "Sub", "Mul", "Div"]:
    case(_op, _op, [f(2, 1, 4), f(3, 1)], opset=7)
    case(f"{_op} int", _op, [ints(2, 3), ints(2, 3, low=1)])
    case(f"{_op} int64", _op, [ints(2, 3, dtype=np.int64), ints(3, low=1, dtype=np.int64)])
case("Add scalar", "Add", [f(2, 3), scalar(2)], constants=[1])
case("Add half", "Add", [f(2, 3, dtype=np.float16), f(3, dtype=np.float16)])
case("Pow", "Pow", [f(2, 3, low=0.1), scalar(2.5)], constants=[1])
case("Pow int exponent", "Pow", [f(2, 3), scalar(2, np.int64)], constants=[1])
case("Mod int", "Mod", [ints(2, 5), ints(2, 5, low=1)])
case("Mod float", "Mod", [f(2, 5), f(2, 5, low=0.5)], fmod=1)
for _op in ["And", "Or", "Xor"]:
    case(_op, _op, [np.array([[True], [False]]), np.array([True, False])])
for _op in ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"]:
    _opset = 12 if _op.endswith("OrEqual") else 9
    case(_op, _op, [np.float32([[1, 2, 3]]), np.float32([[1], [2]])], opset=max(_opset, 11))
    case(f"{_op} int64", _op, [i64(1, 2, 3), i64(3, 2, 1)], opset=max(_opset, 11))
for _op in ["Max", "Min", "Sum", "Mean"]:
    case(f"{_op} one", _op, [f(2, 3)])
    case(f"{_op} three", _op, [f(2, 3), f(3), f(2, 1)], opset=8)
case("Max int", "Max", [ints(2, 3), ints(3)])
case("Where", "Where", [np.array([[True], [False]]), f(2, 3), f(3)])
case("Where int", "Where", [np.array([True, False, True]), ints(2, 3), ints(2, 3)])
for _name, _dtype in (("int32", np.int32), ("int64", np.int64), ("bool", np.bool_)):
    _to = helper.np_dtype_to_tensor_dtype(np.dtype(_dtype))
    case(f"Cast to {_name}", "Cast", [np.float32([-1.7, 0, 0.4, 2.9])], to=_to)
case("Cast to half", "Cast", [f(5)], to=10)
case("Cast from bool", "Cast", [np.array([True, False])], to=1)
case("Cast same", "Cast", [f(2)], to=1)
case("CastLike", "CastLike", [f(4), ints(1)], opset=15)

# Along axes.

case("Softmax 11 default", "Softmax", [f(2, 3, 4)], opset=11)
case("Softmax 11 last", "Softmax", [f(2, 3, 4)], opset=11, axis=2)
case("Softmax 11 axis 0", "Softmax", [f(2, 3)], opset=7, axis=0)
case("Softmax 13", "Softmax", [f(2, 3, 4)], axis=1)
case("LogSoftmax 12", "LogSoftmax", [f(2, 3, 4)], opset=12)
case("LogSoftmax 13", "LogSoftmax", [f(2, 3, 4)], axis=-2)
case("Hardmax 13", "Hardmax", [f(2, 3, 4)], axis=1)
for _op in [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
]:
    _new = [f(2, 3, 4), i64(0, -1)]
    case(f"{_op} 11", _op, [f(2, 3, 4)], opset=11, axes=[1], keepdims=0)
    case(f"{_op} all", _op, [f(2, 3, 4)], opset=11)
    case(f"{_op} 18", _op, _new, opset=18, constants=[1])
case("ReduceLogSum", "ReduceLogSum", [f(2, 3, 4, low=0.1)], opset=11, axes=[-1])
case("ReduceSum 13", "ReduceSum", [f(2, 3, 4), i64(1)], constants=[1], keepdims=0)
case("ReduceSum 13 none", "ReduceSum", [f(2, 3)], keepdims=0)
case("ReduceSum 13 noop", "ReduceSum", [f(2, 3)], noop_with_empty_axes=1)
case("ReduceMean int", "ReduceMean", [ints(2, 3, 4)], opset=11, axes=[2])
case("ReduceMax int", "ReduceMax", [ints(2, 3, 4)], opset=12, axes=[1])
case("ReduceMax of nothing", "ReduceMax", [f(2, 0, 3), i64(1)], opset=20, constants=[1])
case("ReduceMin of nothing", "ReduceMin", [ints(2, 0), i64(1)], opset=20, constants=[1])
case("ReduceSum scalar", "ReduceSum", [scalar(3.5)])
case("ArgMax", "ArgMax", [f(2, 3, 4)], axis=1)
case("ArgMin flat", "ArgMin", [f(2, 3, 4)], axis=-1, keepdims=0)
case("ArgMax last", "ArgMax", [np.float32([[1, 3, 3, 0]])], axis=1, select_last_index=1)
case("CumSum", "CumSum", [f(2, 5), scalar(1, np.int32)], constants=[1])
case("CumSum reverse", "CumSum", [f(2, 5), i64(0)], constants=[1], exclusive=1, reverse=1)
case("TopK 7", "TopK", [f(3, 7)], opset=9, k=3, outputs=2)
case("TopK 10", "TopK", [f(3, 7), i64(2)], opset=10, constants=[1], axis=0, outputs=2)
case("TopK 11", "TopK", [f(3, 7), i64(4)], constants=[1], largest=0, outputs=2)

# Products, convolutions, pooling.

for _a, _b in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((4,), (4, 5)), ((2, 3, 4), (4,))):
    case(f"MatMul {_a} {_b}", "MatMul", [f(*_a), f(*_b)])
case("MatMul batched", "MatMul", [f(2, 1, 3, 4), f(5, 4, 2)])
case("MatMul vectors", "MatMul", [f(4), f(4)])
case("Gemm", "Gemm", [f(3, 4), f(4, 5), f(5)], constants=[1, 2])
case(
    "Gemm transposed", "Gemm", [f(4, 3), f(5, 4), f(3, 1)], transA=1, transB=1, alpha=0.5, beta=2.0
)
case("Gemm 11 without C", "Gemm", [f(3, 4), f(4, 5)], opset=11)
case("Einsum", "Einsum", [f(2, 3, 4), f(2, 4, 5)], equation="bij,bjk->bik")
case(
    "FusedMatMul",
    "FusedMatMul",
    [f(2, 4, 3), f(2, 5, 4)],
    domain="com.microsoft",
    transA=1,
    transB=1,
    alpha=0.5,
)
case("Conv 1d", "Conv", [f(2, 3, 9), f(4, 3, 3), f(4)], constants=[1, 2], pads=[1, 0], strides=[2])
case("Conv 2d", "Conv", [f(2, 3, 7, 8), f(4, 3, 3, 2)], constants=[1], dilations=[2, 1])
case("Conv asymmetric", "Conv", [f(1, 2, 5, 6), f(4, 2, 3, 3)], pads=[1, 0, 2, 1])
case("Conv group", "Conv", [f(1, 4, 5, 6), f(6, 2, 3, 3), f(6)], group=2, pads=[1, 1, 1, 1])
case("Conv depthwise", "Conv", [f(1, 4, 5, 6), f(8, 1, 3, 3)], group=4, constants=[1])
case("Conv 3d", "Conv", [f(1, 2, 4, 5, 6), f(3, 2, 2, 2, 2)], constants=[1])
for _auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    case(f"Conv {_auto}", "Conv", [f(1, 2, 6, 7), f(3, 2, 3, 2)], auto_pad=_auto, strides=[2, 3])
    case(
        f"MaxPool {_auto}",
        "MaxPool",
        [f(1, 2, 6, 7)],
        auto_pad=_auto,
        kernel_shape=[3, 2],
        strides=[2, 2],
    )
    case(
        f"AveragePool {_auto}",
        "AveragePool",
        [f(1, 2, 6, 7)],
        auto_pad=_auto,
        kernel_shape=[3, 2],
        strides=[2, 2],
    )
    case(
        f"ConvTranspose {_auto}",
        "ConvTranspose",
        [f(1, 2, 4, 5), f(2, 3, 3, 3)],
        auto_pad=_auto,
        strides=[2, 2],
    )
case("ConvTranspose", "ConvTranspose", [f(1, 2, 4, 5), f(2, 3, 2, 2), f(3)], strides=[2, 2])
case(
    "ConvTranspose pads",
    "ConvTranspose",
    [f(1, 2, 4, 5), f(2, 3, 3, 3)],
    strides=[2, 3],
    pads=[1, 0, 0, 1],
)
case(
    "ConvTranspose output_padding",
    "ConvTranspose",
    [f(1, 2, 4, 5), f(2, 3, 3, 3), f(3)],
    strides=[2, 2],
    pads=[1, 1, 1, 1],
    output_padding=[1, 1],
)
case(
    "ConvTranspose beyond",
    "ConvTranspose",
    [f(1, 2, 4, 5), f(2, 3, 3, 3), f(3)],
    strides=[3, 2],
    output_padding=[1, 0],
)
case(
    "ConvTranspose output_shape",
    "ConvTranspose",
    [f(1, 2, 4, 5), f(2, 3, 3, 3)],
    strides=[3, 2],
    output_shape=[10, 8],
)
case("ConvTranspose group", "ConvTranspose", [f(1, 4, 4, 5), f(4, 3, 3, 3)], group=2)
case("ConvTranspose 1d", "ConvTranspose", [f(1, 2, 4), f(2, 3, 3)], strides=[2])
case("ConvTranspose dilated", "ConvTranspose", [f(1, 2, 4, 5), f(2, 3, 2, 2)], dilations=[2, 2])
case("MaxPool", "MaxPool", [f(2, 3, 7, 8)], kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1])
case("MaxPool 1d", "MaxPool", [f(2, 3, 7)], kernel_shape=[3])
case("MaxPool 3d", "MaxPool", [f(1, 2, 4, 5, 4)], kernel_shape=[2, 2, 2], strides=[2, 2, 2])
case("MaxPool ceil", "MaxPool", [f(1, 2, 6, 7)], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
case(
    "MaxPool ceil pads",
    "MaxPool",
    [f(1, 2, 5, 6)],
    kernel_shape=[2, 2],
    strides=[3, 2],
    pads=[1, 1, 1, 1],
    ceil_mode=1,
)
case(
    "MaxPool dilated",
    "MaxPool",
    [f(1, 2, 8, 9)],
    kernel_shape=[3, 2],
    dilations=[2, 3],
    pads=[1, 1, 1, 0],
    strides=[2, 1],
)
case(
    "AveragePool",
    "AveragePool",
    [f(2, 3, 7, 8)],
    kernel_shape=[3, 2],
    pads=[1, 0, 1, 1],
    strides=[2, 1],
)
case(
    "AveragePool counted",
    "AveragePool",
    [f(2, 3, 7, 8)],
    kernel_shape=[3, 2],
    pads=[1, 0, 1, 1],
    strides=[2, 1],
    count_include_pad=1,
)
case(
    "AveragePool ceil",
    "AveragePool",
    [f(1, 2, 6, 7)],
    kernel_shape=[3, 3],
    strides=[2, 2],
    ceil_mode=1,
)
case(
    "AveragePool ceil counted",
    "AveragePool",
    [f(1, 2, 6, 6)],
    kernel_shape=[3, 3],
    strides=[2, 2],
    pads=[1, 1, 0, 0],
    ceil_mode=1,
    count_include_pad=1,
    opset=19,
)
case("LpPool", "LpPool", [f(1, 2, 6, 7)], kernel_shape=[3, 2], strides=[2, 2])
case("LpPool 3", "LpPool", [f(1, 2, 6, 7)], kernel_shape=[3, 2], p=3)
_dilated = {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 1, 1, 0], "strides": [2, 1]}
case("AveragePool dilated", "AveragePool", [f(1, 2, 8, 9)], opset=19, **_dilated)
case(
    "AveragePool dilated counted",
    "AveragePool",
    [f(1, 2, 8, 9)],
    opset=19,
    count_include_pad=1,
    ceil_mode=1,
    **_dilated,
)
case("LpPool dilated", "LpPool", [f(1, 2, 8, 9)], opset=18, **_dilated)
case("GlobalLpPool", "GlobalLpPool", [f(1, 2, 4, 5)])
case("GlobalAveragePool", "GlobalAveragePool", [f(2, 3, 4, 5)])
case("GlobalAveragePool 1d", "GlobalAveragePool", [f(2, 3, 4)])
case("GlobalMaxPool", "GlobalMaxPool", [f(2, 3, 4, 5)])

# Normalisation.

_stats = [f(3), f(3), f(3), f(3, low=0.5)]
for _shape in ((2, 3), (2, 3, 5), (2, 3, 4, 5), (1, 3, 2, 3, 2)):
    case(
        f"BatchNormalization {_shape}",
        "BatchNormalization",
        [f(*_shape), *_stats],
        constants=[1, 2, 3, 4],
        opset=9,
        epsilon=1e-3,
    )
case("BatchNormalization 15", "BatchNormalization", [f(2, 3, 4), *_stats], opset=15)
case("InstanceNormalization", "InstanceNormalization", [f(2, 3, 4, 5), f(3), f(3)], epsilon=1e-2)
case(
    "LayerNormalization",
    "LayerNormalization",
    [f(2, 3, 8), f(8), f(8)],
    opset=17,
    constants=[1, 2],
    epsilon=1e-5,
)
case("LayerNormalization no bias", "LayerNormalization", [f(2, 3, 8), f(8)], opset=17)
case(
    "LayerNormalization axis",
    "LayerNormalization",
    [f(2, 3, 8), f(3, 8), f(3, 8)],
    opset=17,
    axis=1,
)
case("LayerNormalization mean", "LayerNormalization", [f(2, 8), f(8), f(8)], opset=17, outputs=3)
case("LRN", "LRN", [f(1, 7, 3, 4)], size=5, alpha=0.01, beta=0.6, bias=1.5)
case("LpNormalization", "LpNormalization", [f(3, 4)])
case("LpNormalization 1", "LpNormalization", [np.float32([[0, 0], [1, -3]])], p=1, axis=1)
case("MeanVarianceNormalization", "MeanVarianceNormalization", [f(2, 3, 4, 5)])

# Data movement.

case("Reshape", "Reshape", [f(2, 3, 4), i64(0, -1, 2)], constants=[1])
case("Reshape scalar", "Reshape", [f(1, 1), np.zeros(0, np.int64)], constants=[1])
case("Reshape allowzero", "Reshape", [f(0, 3), i64(3, 0)], opset=14, constants=[1], allowzero=1)
for _axis in (0, 1, 2, 3, -1):
    case(f"Flatten {_axis}", "Flatten", [f(2, 3, 4)], axis=_axis)
case("Squeeze 11", "Squeeze", [f(1, 3, 1)], opset=11, axes=[-1])
case("Squeeze 13", "Squeeze", [f(1, 3, 1), i64(0)], constants=[1])
case("Squeeze all", "Squeeze", [f(1, 3, 1)])
case("Unsqueeze 11", "Unsqueeze", [f(3, 4)], opset=11, axes=[0, 3])
case("Unsqueeze 13", "Unsqueeze", [f(3, 4), i64(-1, 1)], constants=[1])
case("Transpose", "Transpose", [f(2, 3, 4)])
case("Transpose perm", "Transpose", [f(2, 3, 4)], perm=[1, 2, 0])
case("DepthToSpace", "DepthToSpace", [f(1, 8, 2, 3)], blocksize=2)
case("DepthToSpace CRD", "DepthToSpace", [f(1, 8, 2, 3)], blocksize=2, mode="CRD")
case("SpaceToDepth", "SpaceToDepth", [f(1, 2, 4, 6)], blocksize=2)
case("Expand", "Expand", [f(3, 1), i64(2, 1, 4)], constants=[1])
case("Tile", "Tile", [f(2, 3), i64(2, 3)], constants=[1])
case("Concat", "Concat", [f(2, 3), f(2, 1), f(2, 2)], axis=-1)
case("Concat empty", "Concat", [f(2, 3), f(2, 0)], axis=1)
case("Concat one", "Concat", [f(2, 3)], axis=0)
case("Pad 2", "Pad", [f(2, 3)], opset=7, pads=[1, 0, 2, 1])
case("Pad 2 value", "Pad", [f(2, 3)], opset=7, pads=[1, 0, 2, 1], value=1.5)
case("Pad 11", "Pad", [f(2, 3), i64(0, 1, 1, 0), scalar(-2)], opset=11, constants=[1, 2])
case("Pad crop", "Pad", [f(3, 4), i64(-1, 1, 0, -2)], constants=[1])
case("Pad 18 axes", "Pad", [f(2, 3, 4), i64(1, 2), None, i64(-1)], opset=18, constants=[1, 3])
case("Pad reflect", "Pad", [f(3, 4), i64(1, 2, 2, 3)], constants=[1], mode="reflect")
case("Pad edge", "Pad", [f(3, 4), i64(1, 2, 2, 3)], constants=[1], mode="edge")
case("Pad wrap", "Pad", [f(3, 4), i64(1, 2, 2, 3)], opset=19, constants=[1], mode="wrap")
case("Pad int", "Pad", [ints(2, 3), i64(0, 1, 1, 0), scalar(7, np.int32)], constants=[1, 2])
case("Split 11", "Split", [f(6, 2)], opset=11, split=[1, 3, 2], outputs=3)
case("Split 13 equal", "Split", [f(2, 6)], axis=1, outputs=3)
case("Split 13", "Split", [f(2, 6), i64(4, 2)], constants=[1], axis=-1, outputs=2)
case("Split 18", "Split", [f(7)], opset=18, num_outputs=3, outputs=3)
case("Split unused", "Split", [f(6, 2)], opset=11, split=[1, 3, 2], outputs=["a", "b", "c"])
case("Slice 9", "Slice", [f(4, 5)], opset=9, axes=[1], starts=[1], ends=[-1])
case("Slice 10", "Slice", [f(4, 5), i64(0, 1), i64(99, 4)], opset=10, constants=[1, 2])
case("Slice steps", "Slice", [f(4, 9), i64(1), i64(9), i64(1), i64(3)], constants=[1, 2, 3, 4])
case(
    "Slice backwards",
    "Slice",
    [f(4, 9), i64(-1), i64(-99), i64(1), i64(-2)],
    constants=[1, 2, 3, 4],
)
case(
    "Slice mixed",
    "Slice",
    [f(4, 9, 2), i64(3, -7), i64(-9, 2**62), i64(0, -2), i64(-1, 2)],
    constants=[1, 2, 3, 4],
)
case("Slice empty", "Slice", [f(4, 5), i64(3), i64(1)], constants=[1, 2])
case("Gather", "Gather", [f(4, 5), i64(0, 2, -1)], axis=1)
case("Gather scalar", "Gather", [f(4, 5), scalar(2, np.int64)], constants=[1])
case("Gather matrix", "Gather", [f(3, 4, 5), np.int32([[0, 3], [1, 1]])], axis=1)
case("GatherElements", "GatherElements", [f(3, 4), ints(2, 4, low=0, high=3)], axis=0)
case("GatherND", "GatherND", [f(3, 4, 5), np.int64([[0, 1], [2, 3]])])
case("GatherND batch", "GatherND", [f(2, 4, 5), np.int64([[1], [3]])], batch_dims=1)
case("Compress", "Compress", [f(3, 4), np.array([True, False, True])], constants=[1], axis=0)
case("Compress flat", "Compress", [f(2, 2), np.array([False, True, True, False])], constants=[1])
case("ReverseSequence", "ReverseSequence", [f(4, 3, 2), i64(1, 4, 2)], constants=[1])
case(
    "ReverseSequence batch major",
    "ReverseSequence",
    [f(3, 4), i64(1, 4, 2)],
    constants=[1],
    batch_axis=0,
    time_axis=1,
)
case(
    "OneHot",
    "OneHot",
    [ints(2, 3, low=-5, high=5, dtype=np.int64), scalar(5, np.int64), f(2)],
    constants=[1, 2],
)
case("OneHot axis", "OneHot", [i64(0, 2, 7), scalar(5), np.int32([3, 9])], constants=[1, 2], axis=0)
case("Trilu", "Trilu", [f(2, 4, 5)], opset=14)
case("Trilu lower", "Trilu", [f(4, 5), scalar(1, np.int64)], opset=14, constants=[1], upper=0)
case("Trilu int", "Trilu", [ints(4, 4), scalar(-1, np.int64)], opset=14, constants=[1])
case("EyeLike", "EyeLike", [f(3, 4)], k=1)
case("Shape", "Shape", [f(3, 4)])
case("Shape part", "Shape", [f(3, 4, 5)], opset=15, start=-2, end=-1)
case("Size", "Size", [f(3, 4)])
case(
    "Range",
    "Range",
    [scalar(3, np.int64), scalar(-4, np.int64), scalar(-2, np.int64)],
    constants=[0, 1, 2],
)
case("Range float", "Range", [scalar(0.5), scalar(2.3), scalar(0.4)], constants=[0, 1, 2])
case("ConstantOfShape", "ConstantOfShape", [i64(2, 3)], constants=[0])
case("NonZero", "NonZero", [np.float32([[1, 0], [2, 3]])], constants=[0])

# Resize.

_EMPTY = np.zeros(0, np.float32)
_image = f(1, 2, 4, 5)


def resize(name, by, opset=13, image=_image, **attributes):
    """``by`` are scales when they are floats, sizes when they are integers."""
    by = np.asarray(by)
    if by.dtype.kind == "f":
        operands = [image, _EMPTY, by.astype(np.float32)]
    else:
        operands = [image, None, None, by.astype(np.int64)]
    case(f"Resize {name}", "Resize", operands, opset=opset, constants=[1, 2, 3], **attributes)


_UP, _DOWN, _ODD = [1.0, 1.0, 2.0, 3.0], [1.0, 1.0, 0.5, 0.6], [1.0, 1.0, 1.7, 1.3]
for _coordinates in [
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
]:
    for _name, _by in (("up", _UP), ("down", _DOWN), ("odd", _ODD)):
        for _mode in ("nearest", "linear", "cubic"):
            if _coordinates == "tf_half_pixel_for_nn" and _mode != "nearest":
                continue
            resize(
                f"{_mode} {_coordinates} {_name}",
                _by,
                mode=_mode,
                coordinate_transformation_mode=_coordinates,
            )
for _rounding in ("round_prefer_ceil", "floor", "ceil"):
    for _name, _by in (("up", _UP), ("down", _DOWN)):
        resize(f"{_rounding} {_name}", _by, nearest_mode=_rounding)
        resize(
            f"{_rounding} asymmetric {_name}",
            _by,
            nearest_mode=_rounding,
            coordinate_transformation_mode="asymmetric",
        )
resize("sizes", [1, 2, 7, 3], mode="linear")
resize(
    "sizes nearest",
    [1, 2, 8, 10],
    coordinate_transformation_mode="asymmetric",
    nearest_mode="floor",
)
resize("cubic outside", _UP, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
resize("antialias linear", _DOWN, opset=18, mode="linear", antialias=1, image=f(1, 1, 8, 9))
resize("antialias cubic", _DOWN, opset=18, mode="cubic", antialias=1, image=f(1, 1, 8, 9))
resize("axes", [8, 3], opset=18, axes=[2, 3], mode="linear")
resize("not larger", [7, 6], opset=18, axes=[2, 3], keep_aspect_ratio_policy="not_larger")
resize("not smaller", [7, 6], opset=18, axes=[2, 3], keep_aspect_ratio_policy="not_smaller")
resize(
    "symmetric",
    _ODD,
    opset=19,
    mode="linear",
    coordinate_transformation_mode="half_pixel_symmetric",
)
resize("1d", [1.0, 1.0, 2.0], image=f(1, 2, 4), mode="linear")
resize("channels last", [1.0, 2.0, 2.0, 1.0], image=f(1, 3, 4, 2), mode="linear")
case(
    "Resize crop",
    "Resize",
    [_image, np.float32([0, 0, 0.2, 0.3, 1, 1, 0.9, 1.4]), _EMPTY, i64(1, 2, 3, 4)],
    constants=[1, 2, 3],
    mode="linear",
    extrapolation_value=7.0,
    coordinate_transformation_mode="tf_crop_and_resize",
)
case("Resize 10", "Resize", [_image, np.float32(_UP)], opset=10, constants=[1])
case(
    "Resize 10 linear", "Resize", [_image, np.float32(_UP)], opset=10, constants=[1], mode="linear"
)
case("Resize 10 down", "Resize", [_image, np.float32(_DOWN)], opset=10, constants=[1])
case("Upsample 7", "Upsample", [_image], opset=7, scales=_UP)
case(
    "Upsample 9 linear",
    "Upsample",
    [_image, np.float32(_UP)],
    opset=9,
    constants=[1],
    mode="linear",
)

# Recurrent networks: T 5, N 2, I 3, H 4.

_x = f(5, 2, 3)
for _op, _gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    _results = 3 if _op == "LSTM" else 2
    for _direction in ("forward", "reverse", "bidirectional"):
        _d = 2 if _direction == "bidirectional" else 1
        _w, _r = f(_d, _gates * 4, 3, low=-0.7, high=0.7), f(_d, _gates * 4, 4, low=-0.7, high=0.7)
        _b = f(_d, 2 * _gates * 4, low=-0.5, high=0.5)
        case(
            f"{_op} {_direction}",
            _op,
            [_x, _w, _r, _b],
            constants=[1, 2, 3],
            hidden_size=4,
            direction=_direction,
            outputs=_results,
        )
        case(
            f"{_op} {_direction} lengths",
            _op,
            [_x, _w, _r, _b, np.int32([3, 5]), f(_d, 2, 4)],
            constants=[1, 2, 3, 4],
            hidden_size=4,
            direction=_direction,
            outputs=_results,
        )
    _w, _r = f(1, _gates * 4, 3), f(1, _gates * 4, 4)
    case(f"{_op} plain", _op, [_x, _w, _r], constants=[1, 2], hidden_size=4, outputs=["", "h"])
    case(f"{_op} computed weights", _op, [_x, _w, _r, f(1, 2 * _gates * 4)], hidden_size=4)
case(
    "LSTM states peephole",
    "LSTM",
    [_x, f(1, 16, 3), f(1, 16, 4), f(1, 32), None, f(1, 2, 4), f(1, 2, 4), f(1, 12)],
    constants=[1, 2, 3, 7],
    hidden_size=4,
    outputs=3,
)
case(
    "GRU linear before reset",
    "GRU",
    [_x, f(2, 12, 3), f(2, 12, 4), f(2, 24)],
    constants=[1, 2, 3],
    hidden_size=4,
    direction="bidirectional",
    linear_before_reset=1,
    outputs=2,
)

# Losses.

_LOGS = np.log(f(3, 5, 4, low=0.1, high=1.0))
_LABELS = ints(3, 4, low=0, high=5, dtype=np.int64)
_CLASSES = f(5, low=0.1, high=1.0)
case("NegativeLogLikelihoodLoss", "NegativeLogLikelihoodLoss", [_LOGS, _LABELS])
case(
    "NegativeLogLikelihoodLoss weights ignored",
    "NegativeLogLikelihoodLoss",
    [_LOGS, _LABELS, _CLASSES],
    ignore_index=2,
    reduction="sum",
)
case(
    "SoftmaxCrossEntropyLoss",
    "SoftmaxCrossEntropyLoss",
    [f(3, 5, 2, 3), ints(3, 2, 3, low=0, high=5), _CLASSES],
    outputs=2,
)
case(
    "SoftmaxCrossEntropyLoss none",
    "SoftmaxCrossEntropyLoss",
    [f(3, 5), np.int64([4, -100, 0])],
    reduction="none",
    ignore_index=-100,
)

# Writing at places.

_AT = np.int64([[2, -1, 0, 2], [0, 0, 1, -3]])
for _name, _constants in (("", []), (" constant", [1])):
    case(
        f"ScatterElements{_name}", "ScatterElements", [f(3, 4), _AT, f(2, 4)], constants=_constants
    )
    case(
        f"ScatterElements part{_name}",
        "ScatterElements",
        [f(3, 4, 5), ints(2, 2, 3, low=-5, high=5), f(2, 2, 3)],
        constants=_constants,
        axis=-1,
    )
    case(
        f"ScatterElements int{_name}",
        "ScatterElements",
        [ints(5), ints(3, low=0, high=5, dtype=np.int64), ints(3)],
        constants=_constants,
    )
    for _reduction in ("add", "mul", "max", "min"):
        case(
            f"ScatterElements {_reduction}{_name}",
            "ScatterElements",
            [f(3, 4), _AT, f(2, 4)],
            constants=_constants,
            opset=18,
            reduction=_reduction,
        )
        case(
            f"ScatterND {_reduction}{_name}",
            "ScatterND",
            [f(3, 4, 2), np.int64([[[2], [-1]], [[0], [2]]]), f(2, 2, 4, 2)],
            constants=_constants,
            opset=18,
            reduction=_reduction,
        )
    case(
        f"ScatterND{_name}",
        "ScatterND",
        [f(3, 4, 2), np.int64([[0, 1], [2, -1], [-2, 0]]), f(3, 2)],
        constants=_constants,
    )
    case(
        f"ScatterND whole{_name}",
        "ScatterND",
        [ints(3, 4), np.int64([[0, 1], [2, -1], [0, 0]]), ints(3)],
        constants=_constants,
    )
    case(
        f"ScatterND rows of half{_name}",
        "ScatterND",
        [f(4, 3, dtype=np.float16), np.int64([[3], [1]]), f(2, 3, dtype=np.float16)],
        constants=_constants,
    )
case("ScatterElements nothing", "ScatterElements", [f(3, 4), ints(0, 4), f(0, 4)])
case("Scatter", "Scatter", [f(3, 4), np.int64([[2, 1, 0, 2]]), f(1, 4)], opset=9)
case(
    "MaxUnpool",
    "MaxUnpool",
    [f(1, 2, 2, 2), np.int64([[[[5, 7], [13, 8]], [[21, 22], [24, 31]]]])],
    kernel_shape=[2, 2],
    strides=[2, 2],
)

# MaxPool with indices.

_TIES = ints(2, 3, 7, 6, low=0, high=4).astype(np.float32)
case("MaxPool indices", "MaxPool", [_TIES], kernel_shape=[2, 3], outputs=2)
case(
    "MaxPool indices pads",
    "MaxPool",
    [-_TIES],
    kernel_shape=[3, 2],
    pads=[1, 0, 2, 1],
    strides=[2, 3],
    dilations=[1, 2],
    outputs=2,
)
case(
    "MaxPool indices column major",
    "MaxPool",
    [_TIES],
    kernel_shape=[2, 2],
    storage_order=1,
    outputs=2,
)
case(
    "MaxPool indices ceil 1d",
    "MaxPool",
    [f(2, 2, 8)],
    kernel_shape=[3],
    strides=[2],
    ceil_mode=1,
    outputs=2,
)
case("MaxPool indices 3d", "MaxPool", [f(1, 2, 4, 3, 5)], kernel_shape=[2, 2, 3], outputs=2)
case("MaxPool indices uint8", "MaxPool", [_TIES.astype(np.uint8)], kernel_shape=[2, 2], outputs=2)

# Regions.

_IMAGES = f(3, 2, 9, 8)
_REGIONS = np.float32([[0, 0, 5, 6], [1.5, 2, 7, 8], [3, 1, 4, 3], [0, 4, 7.5, 8], [2, 2, 6, 7]])
for _name, _images in (
    ("", [1, 0, 2, 1, 1]),
    (" in order", [0, 0, 1, 1, 2]),
    (" of one image", [2, 2, 2, 2, 2]),
):
    for _constants in ([], [2]):
        case(
            f"RoiAlign{_name}{' constant' * len(_constants)}",
            "RoiAlign",
            [_IMAGES, _REGIONS, i64(*_images)],
            constants=_constants,
            output_height=3,
            output_width=2,
            sampling_ratio=2,
            spatial_scale=0.9,
        )
    for _constants in ([], [1]):
        case(
            f"MaxRoiPool{_name}{' constant' * len(_constants)}",
            "MaxRoiPool",
            [_IMAGES, np.concatenate([np.float32(_images)[:, None], _REGIONS], 1)],
            constants=_constants,
            pooled_shape=[2, 3],
            spatial_scale=0.75,
        )
case(
    "RoiAlign equal shares",
    "RoiAlign",
    [_IMAGES, np.repeat(_REGIONS, 3, 0)[:6], i64(2, 1, 0, 0, 1, 2)],
    constants=[2],
    output_height=2,
    output_width=2,
)
case(
    "RoiAlign half pixel",
    "RoiAlign",
    [_IMAGES, _REGIONS, i64(1, 0, 2, 1, 1)],
    constants=[1],
    opset=16,
    output_height=3,
    output_width=2,
    sampling_ratio=2,
    spatial_scale=1.25,
)

for _mode in ("bilinear", "nearest"):
    for _padding in ("zeros", "border", "reflection"):
        for _align in (0, 1):
            case(
                f"GridSample {_mode} {_padding} {_align}",
                "GridSample",
                [f(2, 3, 5, 4), f(2, 3, 6, 2, low=-3.3, high=3.3)],
                opset=16,
                mode=_mode,
                padding_mode=_padding,
                align_corners=_align,
            )
for _padding in ("zeros", "border", "reflection"):
    for _align in (0, 1):
        case(
            f"GridSample bicubic {_padding} {_align}",
            "GridSample",
            [f(2, 3, 5, 4), f(2, 3, 6, 2, low=-3.3, high=3.3)],
            opset=16,
            mode="bicubic",
            padding_mode=_padding,
            align_corners=_align,
        )
        for _mode in ("linear", "nearest"):
            case(
                f"GridSample volumetric {_mode} {_padding} {_align}",
                "GridSample",
                [f(2, 2, 3, 5, 4), f(2, 3, 1, 6, 3, low=-3.3, high=3.3)],
                opset=20,
                mode=_mode,
                padding_mode=_padding,
                align_corners=_align,
            )
for _ratio in (0, 1, 3):
    case(
        f"RoiAlign max {_ratio}",
        "RoiAlign",
        [_IMAGES, _REGIONS, i64(1, 0, 2, 1, 1)],
        constants=[1, 2],
        opset=16,
        mode="max",
        output_height=3,
        output_width=2,
        sampling_ratio=_ratio,
        spatial_scale=0.75,
        coordinate_transformation_mode="output_half_pixel",
    )
case(
    "GridSample of one column",
    "GridSample",
    [f(1, 2, 5, 1), np.float32([[[[0.5, 0.25], [-30, 3], [1, -1]]]])],
    opset=16,
    mode="bilinear",
    padding_mode="reflection",
    align_corners=1,
)
case(
    "Col2Im",
    "Col2Im",
    [f(2, 18, 9), i64(5, 7), i64(3, 2)],
    constants=[1, 2],
    opset=18,
    strides=[2, 2],
    pads=[1, 0, 2, 1],
    dilations=[1, 2],
)
case(
    "Col2Im cut",
    "Col2Im",
    [f(1, 4, 6), i64(5, 7), i64(2, 2)],
    constants=[1, 2],
    opset=18,
    strides=[2, 2],
)
for _dtype in (np.int8, np.uint16, np.int64, np.uint32):
    case(
        f"BitwiseNot {np.dtype(_dtype).name}",
        "BitwiseNot",
        [ints(7, low=0, high=100, dtype=_dtype)],
        opset=18,
    )

# Words, windows.

_POOL = {
    "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
    "ngram_counts": [0, 4],
    "ngram_indexes": [0, 1, 4, 3, 5, 6, 2],
    "max_gram_length": 2,
}
for _mode in ("TF", "IDF", "TFIDF"):
    case(
        f"TfIdfVectorizer {_mode}",
        "TfIdfVectorizer",
        [ints(2, 11, low=2, high=9)],
        mode=_mode,
        min_gram_length=1,
        max_skip_count=2,
        weights=[0.5, 2.0, 1.5, 3.0, 0.25, 4.0, 1.25],
        **_POOL,
    )
case(
    "TfIdfVectorizer long",
    "TfIdfVectorizer",
    [ints(9, low=5, high=9, dtype=np.int64)],
    mode="TF",
    min_gram_length=2,
    max_skip_count=0,
    **_POOL,
)
for _name in ("HannWindow", "HammingWindow", "BlackmanWindow"):
    for _periodic in (0, 1):
        case(
            f"{_name} {_periodic}",
            _name,
            [scalar(7, np.int64)],
            constants=[0],
            opset=17,
            periodic=_periodic,
        )

# Quantisation.

_SCALES, _ZEROS = np.float32([0.1, 0.02, 0.3]), np.uint8([3, 128, 200])
case(
    "DequantizeLinear",
    "DequantizeLinear",
    [ints(2, 3, low=0, high=255, dtype=np.uint8), scalar(0.1), scalar(7, np.uint8)],
    constants=[1, 2],
)
case(
    "DequantizeLinear axis",
    "DequantizeLinear",
    [ints(2, 3, 4, low=0, high=255, dtype=np.uint8), _SCALES, _ZEROS],
    constants=[1, 2],
    axis=1,
)
case(
    "QuantizeLinear",
    "QuantizeLinear",
    [f(2, 3, 4, low=-20, high=20), _SCALES, _ZEROS],
    constants=[1, 2],
    axis=1,
)
case(
    "QuantizeLinear signed",
    "QuantizeLinear",
    [f(2, 3), scalar(0.01), scalar(3, np.int8)],
    constants=[1, 2],
)
case("DynamicQuantizeLinear", "DynamicQuantizeLinear", [f(3, 4)], outputs=3)
case(
    "MatMulInteger",
    "MatMulInteger",
    [
        ints(2, 3, low=0, high=255, dtype=np.uint8),
        ints(3, 4, low=0, high=255, dtype=np.uint8),
        scalar(9, np.uint8),
        scalar(100, np.uint8),
    ],
)

_BYTES = {"low": 0, "high": 255, "dtype": np.uint8}
_SIGNED = {"low": -128, "high": 128, "dtype": np.int8}
case(
    "ConvInteger",
    "ConvInteger",
    [ints(2, 3, 6, 5, **_BYTES), ints(4, 3, 3, 2, **_BYTES), scalar(7, np.uint8)],
    pads=[1, 0, 2, 1],
    strides=[2, 1],
)
case(
    "ConvInteger groups",
    "ConvInteger",
    [
        ints(2, 4, 9, **_BYTES),
        ints(6, 2, 3, **_SIGNED),
        scalar(7, np.uint8),
        scalar(-3, np.int8),
    ],
    constants=[1],
    group=2,
    dilations=[2],
    pads=[2, 1],
)
case(
    "QLinearConv",
    "QLinearConv",
    [
        ints(2, 3, 6, 5, **_BYTES),
        scalar(0.02),
        scalar(7, np.uint8),
        ints(4, 3, 3, 2, **_SIGNED),
        np.float32([0.003, 0.001, 0.02, 0.01]),
        np.zeros(4, np.int8),
        scalar(0.05),
        scalar(100, np.uint8),
        ints(4, low=-5000, high=5000),
    ],
    constants=[1, 2, 3, 4, 5, 6, 7, 8],
    pads=[1, 0, 2, 1],
)
case(
    "QLinearMatMul",
    "QLinearMatMul",
    [
        ints(2, 3, 5, **_SIGNED),
        scalar(0.02),
        scalar(7, np.int8),
        ints(5, 4, **_SIGNED),
        np.float32([0.003, 0.001, 0.02, 0.01]),
        np.int8([0, 3, -7, 2]),
        scalar(0.05),
        scalar(-10, np.int8),
    ],
    constants=[1, 2, 4, 5, 6, 7],
)
case(
    "DequantizeLinear int32",
    "DequantizeLinear",
    [ints(2, 3, low=-100000, high=100000), scalar(0.1)],
    constants=[1],
)
for _dtype in (np.int16, np.uint16):
    case(
        f"QuantizeLinear {np.dtype(_dtype).name}",
        "QuantizeLinear",
        [f(2, 3, low=-90, high=90), scalar(0.002), scalar(5, _dtype)],
        opset=21,
    )
    case(
        f"DequantizeLinear {np.dtype(_dtype).name}",
        "DequantizeLinear",
        [ints(2, 3, low=0, high=30000, dtype=_dtype), scalar(0.002), scalar(5, _dtype)],
        opset=21,
    )
case(
    "QuantizeLinear last axis",
    "QuantizeLinear",
    [f(2, 4, 3, low=-20, high=20), _SCALES, _ZEROS],
    axis=-1,
)

# What onnxruntime before 1.20, the last one for Python 3.8, refuses or computes wrongly.
NEWER_ENGINE = {
    "AveragePool dilated counted",
    "Clip 13 half",
    "ConvInteger groups",
    "MaxPool ceil pads",
    "ReduceMax of nothing",
    "ReduceMin of nothing",
    "ReduceSum 13 noop",
    "TfIdfVectorizer IDF",
    "TfIdfVectorizer TFIDF",
    "Trilu int",
}


@pytest.mark.parametrize("name", CASES)
def test_operator(name, device):
    if name in NEWER_ENGINE and onnxruntime.__version__.startswith("1.1"):
        pytest.skip(f"onnxruntime {onnxruntime.__version__} is no reference here")
    op, operands, options = CASES[name]
    model, feeds = single(op, operands, **options)
    compare(model, feeds, device)


def test_shape_arithmetic_folds(device):
    """Gather, Concat, Unsqueeze, Mul and Cast on shapes, as exporters write flattening."""
    x = f(2, 3, 4)
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["rows"]),
        helper.make_node("Slice", ["shape", "one", "three"], ["rest"]),
        helper.make_node("ReduceProd", ["rest"], ["columns"], keepdims=1),
        helper.make_node("Cast", ["columns"], ["as_float"], to=1),
        helper.make_node("Floor", ["as_float"], ["floored"]),
        helper.make_node("Cast", ["floored"], ["again"], to=7),
        helper.make_node("Concat", ["rows", "again"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    weights = {
        "zero": scalar(0, np.int64),
        "axes": i64(0),
        "one": i64(1),
        "three": i64(3),
    }
    compare(build(nodes, {"x": x}, weights), {"x": x}, device)
