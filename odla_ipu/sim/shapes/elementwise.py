"""Elementwise ops: one input, or several that are broadcast."""

from typing import List

from .rules import GRAPHCORE, Context, Result, broadcast, rule, same_shape

rule(
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Clip Cos Cosh CumSum Elu Erf Exp Floor HardSigmoid",
    "Hardmax Identity InstanceNormalization LRN LeakyRelu Log LogSoftmax LpNormalization",
    "MeanVarianceNormalization Neg PRelu Reciprocal Relu ReverseSequence Round Selu Shrink",
    "Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu",
)(same_shape)
rule(
    "BitwiseNot CopyVarUpdate Detach DynamicAdd DynamicUpdate DynamicZero Expm1 Gelu GeluErf",
    "IncrementMod Log1p NearbyInt Nop PrintTensor ReplicatedAllReduce Round Scale ScaledAdd",
    "Swish TensorRemap",
    domain=GRAPHCORE,
)(same_shape)
rule("IsInf", "IsNaN", "Not", types="BOOL")(same_shape)


def equal_types(context: Context, indices: List[int]) -> None:
    """Refuse inputs of different types; INT64 is INT32 on the device."""
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
    shapes = [context.shape(i) for i in _all_inputs(context)]
    axis = context.attribute("axis")
    if context.opset < 7 and context.attribute("broadcast", 0) and axis is not None:
        # Opset 6 aligns the second operand with this axis of the first.
        shapes[1] += (1,) * (len(shapes[0]) - context.axis(axis, len(shapes[0])) - len(shapes[1]))
    return [broadcast(context, shapes)]


def _binary_type(context: Context) -> List[str]:
    equal_types(context, _all_inputs(context))
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
    equal_types(context, _all_inputs(context))
    return ["BOOL"]


rule("Add", "Sub", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", types=_binary_type)(
    _broadcast_all
)
rule("Mul", types=_product_type)(_broadcast_all)
rule("And", "Or", "Xor", "Equal", "Greater", "Less", types=_comparison_type)(_broadcast_all)
rule(
    "Atan2 BitwiseAnd BitwiseOr BitwiseXnor BitwiseXor Fmod Remainder",
    domain=GRAPHCORE,
    types=_binary_type,
)(_broadcast_all)


@rule("ShapedDropout", domain=GRAPHCORE)
def _shaped_dropout(context: Context) -> Result:
    ratio = context.attribute("ratio", 0.5)
    if not 0 <= ratio < 1:
        context.refuse(f"has ratio {ratio}: accepted is 0 up to, not including, 1")
    shape = context.shape(0)
    mask = tuple(context.required("shape"))
    if broadcast(context, [shape, mask]) != shape:
        context.refuse(
            f"has a mask of shape {list(mask)}, which does not broadcast to {list(shape)}"
        )
    return [shape]
