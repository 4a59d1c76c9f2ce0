"""What the inputs and attributes of an op must be: their number, element types, types that must
agree, kinds of attributes.

PopART takes most types that an op does not list and leaves the refusal to Poplar; refused here is
what neither can run.
"""

from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Iterable, Optional, Tuple

import numpy as np

from .binding import REQUIRED
from .exceptions import popart_exception
from .operators import Operator, lookup

if TYPE_CHECKING:
    from .ir import Op, Tensor

GRAPHCORE = "ai.graphcore"

_BOOL = frozenset(["BOOL"])
_WORDS = frozenset(["INT32", "UINT32"])
_INTEGERS = frozenset(["INT8", "INT16", "INT32", "UINT8", "UINT16", "UINT32"])
_FLOATS = frozenset(["FLOAT", "FLOAT16"])
_REDUCED = frozenset([*_FLOATS, *_WORDS])

_TYPES: Dict[Tuple[str, str], Dict[int, FrozenSet[str]]] = {
    ("", "And"): {0: _BOOL, 1: _BOOL},
    ("", "Or"): {0: _BOOL, 1: _BOOL},
    ("", "Not"): {0: _BOOL},
    ("", "Where"): {0: _BOOL},
    ("", "Gather"): {1: _INTEGERS},
    ("", "Scatter"): {1: _INTEGERS},
    ("", "ScatterElements"): {1: _INTEGERS},
    (GRAPHCORE, "GroupedGather"): {1: _INTEGERS},
    (GRAPHCORE, "ScatterReduce"): {1: _INTEGERS},
    (GRAPHCORE, "BitwiseAnd"): {0: _WORDS, 1: _WORDS},
    (GRAPHCORE, "BitwiseOr"): {0: _WORDS, 1: _WORDS},
    (GRAPHCORE, "BitwiseXor"): {0: _WORDS, 1: _WORDS},
    (GRAPHCORE, "BitwiseXnor"): {0: _WORDS, 1: _WORDS},
    (GRAPHCORE, "BitwiseNot"): {0: _WORDS},
    (GRAPHCORE, "Ctc"): {0: _FLOATS, 1: _WORDS, 2: _WORDS, 3: _WORDS},
    (GRAPHCORE, "CtcBeamSearchDecoder"): {0: _FLOATS, 1: _WORDS},
    (GRAPHCORE, "Nll"): {1: _WORDS},
}
"""Element types of inputs."""

_ALIKE: Dict[Tuple[str, str], Tuple[int, ...]] = {
    ("", "PRelu"): (0, 1),
    ("", "Scatter"): (0, 2),
    ("", "ScatterElements"): (0, 2),
    ("", "Where"): (1, 2),
    (GRAPHCORE, "Bucketize"): (0, 1),
    (GRAPHCORE, "CopyVarUpdate"): (0, 1),
    (GRAPHCORE, "DynamicAdd"): (0, 2),
    (GRAPHCORE, "DynamicUpdate"): (0, 2),
    (GRAPHCORE, "ScaledAdd"): (0, 1),
    (GRAPHCORE, "ScatterReduce"): (0, 2),
    (GRAPHCORE, "SequenceSlice"): (0, 1),
}
"""Inputs that have one element type."""


def check_numbers(operator: Operator, node: Any) -> None:
    """Raises popart_exception for a node with too few or too many inputs or outputs."""
    shown = f"{operator.domain}.{operator.op_type}:{operator.since} {node.name}".rstrip()
    least, most = operator.inputs
    given = len(node.input)
    if given < least or (most is not None and given > most):
        accepted = f"{least} or more" if most is None else f"{least} to {most}"
        raise popart_exception(
            f"{shown} has invalid number of inputs: {given} given, accepted are {accepted}"
        )
    for index, name in enumerate(node.input[:least]):
        if not name and (operator.op_type, index) not in _MAY_BE_LEFT_OUT:
            raise popart_exception(f"{shown} lacks input {index}, which cannot be left out")
    least, most = (1 if operator.variadic else operator.outputs[0]), operator.outputs[1]
    given = len(node.output)
    if given < min(least, operator.outputs[0]) or (most is not None and given > most):
        raise popart_exception(
            f"{shown} has invalid number of outputs: {given}, accepted are "
            f"{operator.outputs[0]} to {'any number' if most is None else most}"
        )


_MAY_BE_LEFT_OUT = frozenset([("Loop", 0), ("Loop", 1), ("Resize", 1), ("Resize", 2)])
"""Inputs that have a place before others but need not be given."""


def check_attributes(operator: Operator, attributes: Dict[str, Any], shown: str) -> None:
    """Raises popart_exception for an attribute that is missing or of another kind."""
    for name, kind, default in operator.attributes:
        if name not in attributes:
            if default is REQUIRED:
                raise popart_exception(f'{shown} lacks the attribute "{name}"')
            continue
        value = attributes[name]
        accepted = _KINDS[kind]
        values = value if isinstance(value, list) else [value]
        if isinstance(value, list) != (kind in _LISTS) or not all(
            isinstance(item, accepted) for item in values
        ):
            raise popart_exception(
                f'{shown}: the attribute "{name}" must be of kind {kind}, not {value!r}'
            )


_LISTS = frozenset(["ints", "floats", "strings", "ints_list", "comm_group"])
_KINDS: Dict[str, Any] = {
    "int": int,
    "bool": int,
    "element_type": int,
    "scatter_reduction": int,
    "collective": int,
    "float": float,
    # Cast names its type in the builder's call and numbers it in the model.
    "string": (str, int),
    "reduction": str,
    "tensor": np.ndarray,
    "graph": object,
    "ints": int,
    "ints_list": int,
    "comm_group": int,
    "floats": float,
    "strings": str,
}
"""Python types of an attribute's value, or of the items of a list, by kind."""


def check_operands(op: "Op") -> None:
    """Raises popart_exception for inputs that the op cannot have."""
    key = (op.domain, op.type)
    for index, accepted in _TYPES.get(key, {}).items():
        _check_type(op, index, accepted)
    # Max, Min and Mul.
    if op.type == "ScatterReduce" and op.attributes.get("reduction") in (1, 2, 3):
        _check_type(op, 0, _REDUCED)
    alike = range(len(op.inputs)) if key == ("", "Concat") else _ALIKE.get(key, ())
    given = [op.inputs[index] for index in alike if index < len(op.inputs)]
    types = {tensor.dtype: tensor for tensor in given if tensor is not None}
    if len(types) > 1:
        raise popart_exception(
            f"{op.label} has inputs of different types: "
            f"{' and '.join(map(repr, types.values()))}. Cast them to one type first"
        )


def _check_type(op: "Op", index: int, accepted: FrozenSet[str]) -> None:
    tensor = op.inputs[index] if index < len(op.inputs) else None
    if tensor is not None and tensor.info.dtype not in accepted:
        raise _refused(op, index, tensor, accepted)


def _refused(op: "Op", index: int, tensor: "Tensor", accepted: FrozenSet[str]) -> Exception:
    return popart_exception(
        f"{op.label}: input {index}, {tensor}, has a data type that is not supported; accepted "
        f"are {', '.join(sorted(accepted))}"
    )


def unlisted_type(ops: "Iterable[Op]") -> Optional[Exception]:
    """The refusal of the first op with an input of a type that its definition does not list.

    For a model that could not be compiled: the type is why.
    """
    for op in ops:
        operator = lookup(op.domain, op.type, 11 if not op.domain else 1)
        rows = operator.input_types if operator is not None else ()
        for index, tensor in enumerate(op.inputs):
            if tensor is None or not rows:
                continue
            _, accepted = rows[min(index, len(rows) - 1)]
            if tensor.info.dtype not in accepted:
                return _refused(op, index, tensor, accepted)
    return None
