"""Which ops the host runs: custom ops, ops with a numpy body, and control flow around those."""

from typing import TYPE_CHECKING, Callable, Dict, List, Tuple

from ..customop import Info, Instance
from ..exceptions import popart_exception
from .emitter import GRAPHCORE, RULES

if TYPE_CHECKING:
    from ..ir import Graph, Op
    from .translation import Settings

Make = Callable[["Op", "Settings"], Instance]

HOSTED: Dict[Tuple[str, str], Make] = {}
"""PopART's own ops that onnxruntime cannot express."""

_ONCE = frozenset(
    [
        ("", "RandomNormal"),
        ("", "RandomNormalLike"),
        ("", "RandomUniform"),
        ("", "RandomUniformLike"),
        (GRAPHCORE, "Abort"),
        (GRAPHCORE, "PrintTensor"),
    ]
)
"""Ops for which the host does something each time that they are executed."""


ALWAYS_HOSTED = frozenset([(GRAPHCORE, "PackedDataBlock")])
"""Control flow that the host runs whatever the body."""


DEEPEST = 8
"""Levels of control flow in one graph: onnxruntime up to 1.19 takes 2**levels to load one."""


def hosted(*op_types: str, domain: str = GRAPHCORE) -> Callable[[Make], Make]:
    """Register the decorated class or function, which makes the object that runs an op."""

    def register(make: Make) -> Make:
        for op_type in op_types:
            HOSTED[domain, op_type] = make
        return make

    return register


def is_implemented(op: "Op") -> bool:
    """Whether the engine or the host has the op."""
    key = (op.domain, op.type)
    return op.instance is not None or key in RULES or key in HOSTED or key in ALWAYS_HOSTED


def output_infos(op: "Op") -> List[Info]:
    """Type and shape of its outputs. Raises popart_exception for an output without a name."""
    infos = []
    for index, tensor in enumerate(op.outputs):
        if tensor is None:
            raise popart_exception(f"Output {index} of {op.label} has no name: give it one")
        infos.append(Info(tensor.dtype, tensor.shape))
    return infos


def instance_of(op: "Op", settings: "Settings") -> Instance:
    return op.instance or HOSTED[op.domain, op.type](op, settings)


def is_hosted(op: "Op") -> bool:
    """Whether the host runs the op: onnxruntime's graphs cannot be left from inside a body."""
    key = (op.domain, op.type)
    if op.instance is not None or key in HOSTED or key in ALWAYS_HOSTED:
        return True
    return _depth(op) > DEEPEST or any(_needs_host(body) for body in op.bodies)


def _depth(op: "Op") -> int:
    """How many levels of control flow it is."""
    return max((1 + max(map(_depth, body.ops), default=0) for body in op.bodies), default=0)


def _needs_host(body: "Graph") -> bool:
    return any(is_hosted(op) or acts_each_time(op) for op in body.ops)


def acts_each_time(op: "Op") -> bool:
    """Whether an op of the engine has the host do something before or after each run."""
    return (op.domain, op.type) in _ONCE
