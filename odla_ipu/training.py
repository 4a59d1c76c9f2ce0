"""What a computation is trained by: its loss and its variables."""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from . import optimizers
from .errors import InvalidParameter, UnsupportedType
from .graph import Graph, Variable
from .optimizers import Optimizer


class Training(NamedTuple):
    """How a program is trained: tensors of PopART's, and the optimizer to begin with."""

    loss: str
    weights: Dict[str, str]
    """Tensors by the names of their variables."""
    optimizer: Optimizer

    def to_json(self) -> Dict[str, Any]:
        return {"loss": self.loss, "weights": self.weights, "optimizer": repr(self.optimizer)}

    @classmethod
    def of_json(cls, entry: Optional[Mapping[str, Any]]) -> "Optional[Training]":
        if entry is None:
            return None
        weights = {str(name): str(tensor) for name, tensor in entry["weights"].items()}
        return cls(str(entry["loss"]), weights, optimizers.read(str(entry["optimizer"])))


def loss_of(graph: Graph, name: Optional[str] = None) -> str:
    """The name of the output that is the loss: ``name``, else the graph's own, else the first of
    one element of floats.

    Raises InvalidParameter where it is none.
    """
    name = name or graph.loss
    losses = [
        output.name
        for output in graph.outputs
        if output.value.type.is_static
        and output.value.type.elements == 1
        and output.value.element_type.is_float
    ]
    if name and name in losses:
        return name
    if name or not losses:
        given = f"the loss '{name}' is none" if name else f"'{graph.name}' has no loss"
        outputs = ", ".join(f"{one.name}: {one.value.type}" for one in graph.outputs) or "none"
        raise InvalidParameter(
            f"{given}: accepted is an output of one element of floats; the outputs are {outputs}"
        )
    return losses[0]


def trainable(graph: Graph) -> List[Variable]:
    """The variables that training changes; raises InvalidParameter where there are none."""
    found = [one for one in graph.variables if one.element_type.is_float]
    if not found:
        raise InvalidParameter(
            f"'{graph.name}' has no variables of floats, which training changes; make some: "
            "odla_ipu.variable, odla_CreateVariable"
        )
    return found


def check_training(graph: Graph, optimizer: Any, precision: str) -> None:
    """Raise InvalidParameter or UnsupportedType for what cannot be trained."""
    if not isinstance(optimizer, Optimizer):
        raise InvalidParameter(
            f"optimizer is {optimizer!r}; accepted: odla_ipu.SGD(...), odla_ipu.Adam(...)"
        )
    if precision != "fp32":
        raise UnsupportedType(f"precision is {precision}; training computes in fp32")
    trainable(graph)
    loss_of(graph)
