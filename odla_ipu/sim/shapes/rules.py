"""How shape rules are declared, and what a rule sees of its node.

A rule is a function of `Context` that gives the shape of each output; its decorator names the
ops and says where the element types come from. A rule asks for the inputs' shapes and for
constants as it needs them; where one is unknown the outputs' shapes are unknown.
"""

from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Sequence, Tuple, Union

import numpy as np

from ..exceptions import popart_exception
from ..nodes import UNDEFINED, Info, Node

Shape = Tuple[int, ...]
Constant = Callable[[int], Optional[np.ndarray]]
Result = List[Optional[Shape]]
Types = Union[int, str, Sequence[Union[int, str]], Callable[["Context"], List[str]]]

GRAPHCORE = "ai.graphcore"


class Unknown(Exception):
    """Something that the rule needs is unknown."""


class Rule(NamedTuple):
    function: Callable[["Context"], Result]
    types: Types


RULES: Dict[Tuple[str, str], Rule] = {}


def rule(
    *op_types: str, domain: str = "", types: Types = 0
) -> Callable[[Callable[["Context"], Result]], Callable[["Context"], Result]]:
    """Declare the shapes of `op_types`, of which each may be several separated by spaces.

    `types`: the number of the input of which the outputs have the type, the name of a type, a
    list of these with one entry an output, or a function.
    """

    def register(function: Callable[["Context"], Result]) -> Callable[["Context"], Result]:
        for op_type in " ".join(op_types).split():
            if (domain, op_type) in RULES:
                raise ValueError(f"{domain}.{op_type} has a shape rule already")
            RULES[domain, op_type] = Rule(function, types)
        return function

    return register


def describe(node: Node) -> str:
    """The node as messages name it."""
    name = f' "{node.name}"' if node.name else ""
    inputs = ", ".join(node.inputs)
    return f"{node.domain or 'ai.onnx'}.{node.op_type}{name} of ({inputs})"


class Context:
    """A node with what is known of its inputs."""

    __slots__ = ("_constant", "inputs", "node", "opset")

    def __init__(
        self, node: Node, opset: int, inputs: Sequence[Optional[Info]], constant: Constant
    ) -> None:
        self.node = node
        self.opset = opset
        self.inputs = inputs
        self._constant = constant

    def has(self, index: int) -> bool:
        """Whether the input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def dtype(self, index: int) -> str:
        info = self.inputs[index] if index < len(self.inputs) else None
        return UNDEFINED if info is None else info.dtype

    def shape(self, index: int) -> Shape:
        """Shape of an input. Raises Unknown where it is not known."""
        info = self.inputs[index] if index < len(self.inputs) else None
        if info is None or info.shape is None:
            raise Unknown
        return info.shape

    def rank(self, index: int) -> int:
        return len(self.shape(index))

    def constant(self, index: int) -> np.ndarray:
        """Data of an input. Raises Unknown where it is not a constant."""
        data = self._constant(index)
        if data is None:
            raise Unknown
        return data

    def integers(self, index: int) -> List[int]:
        """Data of an input as a flat list of integers."""
        return [int(value) for value in self.constant(index).reshape(-1)]

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.node.attributes.get(name, default)

    def required(self, name: str) -> Any:
        if name not in self.node.attributes:
            self.refuse(f'lacks the attribute "{name}"')
        return self.node.attributes[name]

    def axis(self, value: int, rank: int) -> int:
        """`value` counted from 0. Refuses one out of range."""
        if not -rank <= value < rank:
            self.refuse(f"has axis {value}: accepted for rank {rank} are {-rank} to {rank - 1}")
        return value % rank

    def axes(self, values: Sequence[int], rank: int) -> List[int]:
        """``values`` counted from 0. Refuses one that is out of range or repeated."""
        found = [self.axis(value, rank) for value in values]
        if len(set(found)) != len(found):
            self.refuse(f"has a repeated axis in {list(values)}")
        return found

    def refuse(self, reason: str) -> NoReturn:
        raise popart_exception(f"{describe(self.node)} {reason}")


def element_types(context: Context, types: Types, count: int) -> List[str]:
    """Element type of each of `count` outputs by the declaration of the rule."""
    if callable(types):
        return types(context)
    if isinstance(types, (int, str)):
        types = [types] * count
    return [context.dtype(kind) if isinstance(kind, int) else kind for kind in types]


def same_shape(context: Context) -> Result:
    """Every output has the shape of the first input."""
    return [context.shape(0)] * len(context.node.outputs)


def broadcast(context: Context, shapes: Sequence[Shape]) -> Shape:
    """numpy's broadcasting of `shapes`."""
    rank = max(len(shape) for shape in shapes)
    result = []
    for axis in range(-rank, 0):
        dims = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(dims) > 1:
            listed = " and ".join(str(list(shape)) for shape in shapes)
            context.refuse(
                f"np broadcasting failed: shapes {listed} are not aligned. Aligned from the last "
                "axis on, sizes must be equal or 1"
            )
        result.append(dims.pop() if dims else 1)
    return tuple(result)


def product(dims: Sequence[int]) -> int:
    count = 1
    for dim in dims:
        count *= dim
    return count
