"""How gradient rules are declared, and what they are given."""

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

import numpy as np

from ..emitter import RULES, Emitter, Rule
from ..hosting import HOSTED

if TYPE_CHECKING:
    from ...ir import Op, Tensor

DOMAIN = "gradient/"
"""What precedes the domain of the differentiated op."""

Dims = Sequence[int]


class Backward:
    """One op being differentiated.

    ``x`` and ``y`` are the names of its operands and results ("" for what is left out), ``g``
    those of the gradients of its results ("" for one that the loss does not depend on), and
    ``wanted`` says which operands need a gradient.  ``e`` emits; the rest are shorthands.
    """

    def __init__(self, e: Emitter, op: "Op", names: List[str]):
        forward: Op = op.attributes["forward"]
        inputs, outputs = len(forward.inputs), len(forward.outputs)
        self.e = e
        self.op = forward
        self.x = names[:inputs]
        self.y = names[inputs : inputs + outputs]
        self.g = names[inputs + outputs :]
        self.wanted = [place in op.attributes["operands"] for place in range(inputs)]

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.op.attributes.get(name, default)

    def dims(self, index: int = 0) -> Tuple[int, ...]:
        """The shape of an operand."""
        return self.op.operand(index).shape

    @property
    def result(self) -> Tuple[int, ...]:
        """The shape of the first result."""
        return self.op.result.shape

    def given(self, index: int = 0) -> str:
        """The gradient of a result; zeros where the loss does not depend on it."""
        if self.g[index]:
            return self.g[index]
        tensor = self.op.outputs[index]
        assert tensor is not None
        return self.zeros(tensor.shape)

    # Shorthands.

    def const(self, value: Any) -> str:
        return self.e.const(np.asarray(value, np.float32))

    def zeros(self, dims: Dims) -> str:
        return self.e("Expand", self.const(0), self.e.ints(dims))

    def add(self, a: str, b: str) -> str:
        return self.e("Add", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.e("Sub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.e("Mul", a, b)

    def div(self, a: str, b: str) -> str:
        return self.e("Div", a, b)

    def scaled(self, a: str, factor: float) -> str:
        return a if factor == 1 else self.e("Mul", a, self.const(factor))

    def where(self, condition: str, a: str, b: Union[str, float] = 0.0) -> str:
        return self.e("Where", condition, a, b if isinstance(b, str) else self.const(b))

    def sum(self, name: str, axes: Sequence[int], keep: int = 1) -> str:
        return self.e("ReduceSum", name, self.e.ints(axes), keepdims=keep) if axes else name

    def transpose(self, name: str, order: Sequence[int]) -> str:
        return self.e("Transpose", name, perm=list(order))

    def reshape(self, name: str, dims: Dims) -> str:
        return self.e.reshape(name, dims)

    def expand(self, name: str, dims: Dims) -> str:
        return self.e("Expand", name, self.e.ints(dims))

    def summed_to(self, name: str, given: Dims, dims: Dims) -> str:
        """``name`` of the shape ``given``, summed over what was broadcast from ``dims``."""
        given, dims = list(given), list(dims)
        if given == dims:
            return name
        lead = len(given) - len(dims)
        axes = [
            axis
            for axis, size in enumerate(given)
            if axis < lead or (dims[axis - lead] == 1 and size != 1)
        ]
        return self.reshape(self.sum(name, axes), dims)

    def to(self, index: int, name: str) -> str:
        """A gradient of the result's shape, summed to that of an operand."""
        return self.summed_to(name, self.result, self.dims(index))

    def as_int64(self, index: int) -> str:
        tensor: Tensor = self.op.operand(index)
        name = self.x[index]
        return name if tensor.dtype == np.int64 else self.e.cast(name, np.int64)


Gradients = Sequence[str]
R = TypeVar("R", bound=Callable[[Backward], Union[str, Gradients]])


_OPERANDS: Dict[Tuple[str, str], Sequence[int]] = {}


def gradient(
    *op_types: str, domain: str = "", operands: Optional[Sequence[int]] = None
) -> Callable[[R], R]:
    """Register the decorated function for ops of ``domain`` ("" is ai.onnx).

    It returns the gradients of the operands in order; "" for one of zeros, as what is left out at
    the end.  ``operands`` are those that have a gradient, where some of floats have none.
    """

    def register(function: R) -> R:
        def emit(e: Emitter, op: "Op", x: List[str]) -> List[str]:
            backward = Backward(e, op, x)
            given = function(backward)
            found = dict(enumerate([given] if isinstance(given, str) else given))
            return [
                found.get(place) or backward.zeros(backward.dims(place))
                for place in op.attributes["operands"]
            ]

        for op_type in op_types:
            RULES[DOMAIN + domain, op_type] = Rule(emit, exact=False, native=True, static=())
            if operands is not None:
                restrict(op_type, operands, domain)
        return function

    return register


def restrict(op_type: str, operands: Sequence[int], domain: str = "") -> None:
    """Only these operands of floats have a gradient."""
    _OPERANDS[domain, op_type] = operands


def has_gradient(op: "Op") -> bool:
    """Whether the engine or the host has a rule for it."""
    key = (DOMAIN + op.domain, op.type)
    return key in RULES or key in HOSTED


def differentiable(op: "Op") -> Sequence[int]:
    """The operands by which the op has a gradient."""
    return _OPERANDS.get((op.domain, op.type), range(len(op.inputs)))
