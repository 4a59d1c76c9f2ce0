"""Element types and shapes of the ops' outputs, by PopART's rules.

The builder infers each op as it is added, the session each op of the model it is given.
"""

from typing import List, Optional, Sequence

from ..exceptions import popart_exception
from ..nodes import UNKNOWN, Info, Node
from . import control, elementwise, layers, linear, movement, reductions
from .rules import RULES, Constant, Context, Unknown, describe, element_types

__all__ = ["InvalidShape", "infer"]

FAMILIES = (control, elementwise, layers, linear, movement, reductions)


class InvalidShape(popart_exception):
    """An output would have a negative dimension."""


def infer(
    node: Node, opset: int, inputs: Sequence[Optional[Info]], constant: Constant
) -> List[Info]:
    """Element type and shape of each output of `node`.

    `opset` is the opset of the node's domain. `inputs` has one entry an input, None for one that
    is left out. `constant(i)` gives the data of input i, or None if it is not a constant. Types
    are those of the ONNX model: indices are INT64 there, which the device holds as INT32.

    An output of which the shape cannot be known, because an input's is not or a parameter is not
    a constant, has the shape None; ops without a rule (custom ops) give unknown outputs.

    Raises popart_exception for shapes, types and attributes that the op refuses, InvalidShape
    for a negative dimension.
    """
    rule = RULES.get((node.domain, node.op_type))
    count = len(node.outputs)
    if rule is None:
        return [UNKNOWN] * count
    context = Context(node, opset, inputs, constant)
    types = element_types(context, rule.types, count)
    try:
        shapes = rule.function(context)
    except Unknown:
        shapes = [None] * count
    for output, shape in zip(node.outputs, shapes):
        if shape is not None and any(dim < 0 for dim in shape):
            raise InvalidShape(
                f"{describe(node)}: output {output} has invalid shape {list(shape)}. "
                "The inputs are too small for the attributes"
            )
    return [Info(dtype, shape) for dtype, shape in zip(types[:count], shapes)]
