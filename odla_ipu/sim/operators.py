"""The operators of the builder and what PopART implements of them, from the table operators.json.

A row is one version of an operator: it holds from opset `since` until the next version. An opset
of ai.onnx is 6 to 11, of ai.graphcore 1.
"""

import functools
import json
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from .binding import REQUIRED

AI_ONNX = "ai.onnx"
AI_GRAPHCORE = "ai.graphcore"
OPSETS = {AI_ONNX: range(6, 12), AI_GRAPHCORE: range(1, 2)}


class Attribute(NamedTuple):
    """An attribute, which is also a keyword argument of the builder's method.

    `default` is REQUIRED where it must be given.

    `kind`: int, ints, float, floats, string, strings, bool, tensor, graph, element_type, ints_list
    (one list a convolution), reduction, scatter_reduction, collective or comm_group.
    """

    name: str
    kind: str
    default: Any


class Operator(NamedTuple):
    """One version of an operator.

    `inputs`, `outputs`: least and greatest number, None for no upper bound. `variadic`: the
    method takes `num_outputs`. `returns_list`: it returns a list of ids. `gradient` is "yes",
    "no" (nothing flows) or "refused". Types are by input and output; empty where not stated.
    """

    domain: str
    op_type: str
    since: int
    method: str
    inputs: Tuple[int, Optional[int]]
    outputs: Tuple[int, Optional[int]]
    variadic: bool
    returns_list: bool
    implemented: bool
    gradient: str
    attributes: Tuple[Attribute, ...]
    input_types: Tuple[Tuple[str, FrozenSet[str]], ...]
    output_types: Tuple[Tuple[str, FrozenSet[str]], ...]
    restrictions: Tuple[str, ...]
    args_optional: bool
    context: str
    context_after: str


def _bounds(pair: List[int]) -> Tuple[int, Optional[int]]:
    return pair[0], None if pair[1] < 0 else pair[1]


def _operator(domain: str, row: Dict[str, Any], sets: Dict[str, List[str]]) -> Operator:
    def types(key: str) -> Tuple[Tuple[str, FrozenSet[str]], ...]:
        return tuple(
            (name, frozenset(sets[kind] if isinstance(kind, str) else kind))
            for name, kind in row.get(key, ())
        )

    return Operator(
        domain,
        row["op_type"],
        row["since"],
        row["method"],
        _bounds(row["inputs"]),
        _bounds(row["outputs"]),
        row["variadic"],
        row["list"],
        row["implemented"],
        row["gradient"],
        tuple(Attribute(a[0], a[1], a[2] if len(a) > 2 else REQUIRED) for a in row["attributes"]),
        types("input_types"),
        types("output_types"),
        tuple(row.get("restrictions", ())),
        row.get("args_optional", False),
        row.get("context", "debugContext"),
        row.get("context_after", ""),
    )


@functools.lru_cache(maxsize=None)
def table() -> Dict[str, List[Operator]]:
    """All operators by domain, in the order of the table."""
    path = Path(__file__).with_name("operators.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        domain: [_operator(domain, row, content["type_sets"]) for row in rows.values()]
        for domain, rows in content["operators"].items()
    }


@functools.lru_cache(maxsize=None)
def methods(domain: str, opset: int) -> Dict[str, Operator]:
    """The operators of an opset by the builder's method name."""
    found: Dict[str, Operator] = {}
    for operator in table()[domain]:
        current = found.get(operator.method)
        if operator.since <= opset and (current is None or current.since < operator.since):
            found[operator.method] = operator
    return found


@functools.lru_cache(maxsize=None)
def _by_type(domain: str, opset: int) -> Dict[str, Operator]:
    return {operator.op_type: operator for operator in methods(domain, opset).values()}


def lookup(domain: str, op_type: str, opset: int) -> Optional[Operator]:
    """The version of an operator that an opset prescribes, or None if the opset lacks it.

    `domain` is "ai.onnx" (or "") or "ai.graphcore". The row says whether PopART implements that
    version.
    """
    domain = domain or AI_ONNX
    if domain not in OPSETS:
        return None
    return _by_type(domain, opset).get(op_type)


def implemented_versions(domain: str, op_type: str) -> List[int]:
    """The versions of an operator that PopART implements, ascending; [] if none."""
    return sorted(
        {
            operator.since
            for operator in table().get(domain or AI_ONNX, ())
            if operator.op_type == op_type and operator.implemented
        }
    )
