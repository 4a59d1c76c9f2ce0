"""Elementwise ops: one input, or several that are broadcast."""

from typing import List

from .rules import GRAPHCORE, Context, Result, broadcast, rule, same_shape

_UNARY = (
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Clip Cos Cosh Elu Erf Exp Floor HardSigmoid Identity "
    "LRN LeakyRelu Log LogSoftmax Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh "
    "Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu CumSum InstanceNormalization "
    "Hardmax LpNormalization MeanVarianceNormalization BitShift ReverseSequence"
).split()
_GRAPHCORE_UNARY = (
    "BitwiseNot Detach Expm1 Gelu GeluErf IncrementMod Log1p NearbyInt Nop PrintTensor Round "
    "Scale Swish TensorRemap ReplicatedAllReduce ScaledAdd CopyVarUpdate DynamicUpdate "
    "DynamicZero DynamicAdd ShapedDropout"
).split()

rule(*_UNARY)(same_shape)
rule(*_GRAPHCORE_UNARY, domain=GRAPHCORE)(same_shape)
rule("IsInf", "IsNaN", "Not", types="BOOL")(same_shape)


def _same_type(context: Context, indices: List[int]) -> None:
    types = [context.dtype(index) for index in indices]
    narrowed = {{"INT64": "INT32", "UINT64": "UINT32"}.get(name, name) for name in types}
    if len(narrowed - {"UNDEFINED"}) > 1:
        context.refuse(
            f"has inputs of different types {', '.join(types)}: PopART does not convert types. "
            "Cast them to one type first"
        )


def _all_inputs(context: Context) -> List[int]:
    return list(range(len(context.inputs)))


def _broadcast_all(context: Context) -> Result:
    return [broadcast(context, [context.shape(i) for i in _all_inputs(context)])]


def _binary_type(context: Context) -> List[str]:
    _same_type(context, _all_inputs(context))
    return [context.dtype(0)]


def _product_type(context: Context) -> List[str]:
    """FLOAT16 times a FLOAT of one element is FLOAT16, the only mixed arithmetic."""
    types = [context.dtype(0), context.dtype(1)]
    if sorted(types) == ["FLOAT", "FLOAT16"]:
        scalar = context.inputs[types.index("FLOAT")]
        if scalar is not None and scalar.shape is not None and set(scalar.shape) <= {1}:
            return ["FLOAT16"]
    return _binary_type(context)


def _comparison_type(context: Context) -> List[str]:
    _same_type(context, _all_inputs(context))
    return ["BOOL"]


rule("Add", "Sub", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", types=_binary_type)(
    _broadcast_all
)
rule("Mul", types=_product_type)(_broadcast_all)
rule("And", "Or", "Xor", "Equal", "Greater", "Less", types=_comparison_type)(_broadcast_all)
rule(
    *("Atan2", "Fmod", "Remainder", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseXnor"),
    domain=GRAPHCORE,
    types=_binary_type,
)(_broadcast_all)
