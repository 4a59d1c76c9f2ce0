"""Which ops PopART implements, as a program asks for it: getSupportedOperations and its kin."""

from typing import Any, Dict, List, Tuple

from .binding import INT, STR, Argument, overload, resolve
from .exceptions import popart_exception
from .operators import AI_ONNX, OPSETS, Operator, methods, table


class OperatorIdentifier:
    """Domain, type and version of an op."""

    __slots__ = ("_domain", "_type", "_version")
    _overloads = (
        overload(Argument("domain", STR), Argument("type", STR), Argument("version", INT)),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("OperatorIdentifier", self._overloads, args, kwargs)
        self._domain: str = values["domain"]
        self._type: str = values["type"]
        self._version: int = values["version"]

    @property
    def domain(self) -> str:
        return self._domain

    @property
    def type(self) -> str:
        return self._type

    @property
    def version(self) -> int:
        return self._version

    def _key(self) -> Tuple[str, str, int]:
        return self._domain, self._type, self._version

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OperatorIdentifier):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"OperatorIdentifier({self._domain!r}, {self._type!r}, {self._version})"


class OpDefinition:
    """Names of an op's inputs and outputs with the types each takes, and its attributes."""

    __slots__ = ("_attributes", "_inputs", "_outputs")

    def __init__(self, operator: Operator) -> None:
        self._inputs = {name: sorted(types) for name, types in operator.input_types}
        self._outputs = {name: sorted(types) for name, types in operator.output_types}
        self._attributes = {attribute.name: attribute.kind for attribute in operator.attributes}

    @property
    def inputs(self) -> Dict[str, List[str]]:
        return dict(self._inputs)

    @property
    def outputs(self) -> Dict[str, List[str]]:
        return dict(self._outputs)

    @property
    def attributes(self) -> Dict[str, str]:
        return dict(self._attributes)


def _identifier(operator: Operator) -> OperatorIdentifier:
    return OperatorIdentifier(operator.domain, operator.op_type, operator.since)


def _implemented() -> List[Operator]:
    return [op for operators in table().values() for op in operators if op.implemented]


def getSupportedOperations(includeInternal: bool) -> List[OperatorIdentifier]:
    """The ops with an implementation; the stand-in has no internal ones to add."""
    return [_identifier(operator) for operator in _implemented()]


def getUnsupportedOperations(opsetVersion: int) -> List[OperatorIdentifier]:
    """The ops of an ai.onnx opset without an implementation.

    Raises popart_exception for an opset that PopART does not have.
    """
    if opsetVersion not in OPSETS[AI_ONNX]:
        raise popart_exception(
            f"Unknown ai.onnx opset {opsetVersion}: PopART has "
            f"{OPSETS[AI_ONNX][0]} to {OPSETS[AI_ONNX][-1]}"
        )
    operators = methods(AI_ONNX, opsetVersion).values()
    return [_identifier(operator) for operator in operators if not operator.implemented]


def getSupportedOperationsDefinition(
    includeInternal: bool,
) -> Dict[OperatorIdentifier, OpDefinition]:
    """The definition of each op with an implementation."""
    return {_identifier(operator): OpDefinition(operator) for operator in _implemented()}
