"""What the host does after a run: print tensors, abort, raise floating-point exceptions."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from .exceptions import poplar_application_runtime_error

if TYPE_CHECKING:
    from .engine import Engine

_FORMATS = {1: "fixed", 2: "scientific"}


def act(engine: "Engine") -> None:
    """Raises poplar_application_runtime_error for an abort or a result that is not finite."""
    for watch, value in zip(engine.translation.watches, engine.watched()):
        if watch.kind == "print":
            print(_printed(watch.op, value), file=sys.stderr, flush=True)
        elif np.any(value):
            raise poplar_application_runtime_error(
                f"Abort program: {watch.op.label} was executed with a condition that holds"
            )
    if engine.overflowed:
        raise floating_point_exception()


def floating_point_exception() -> poplar_application_runtime_error:
    return poplar_application_runtime_error(
        "Floating-point exception: a result is infinite or NaN "
        "(SessionOptions.enableFloatingPointChecks is set)"
    )


def _printed(op: Any, value: np.ndarray) -> str:
    title = op.attributes.get("title") or op.operand(0).id
    digits = op.attributes.get("digits", 8)
    kind = _FORMATS.get(op.attributes.get("floatFormat", 0))
    formatter: Any = None
    if kind == "fixed":
        formatter = {"float_kind": lambda x: f"{x:.{digits}f}"}
    elif kind == "scientific":
        formatter = {"float_kind": lambda x: f"{x:.{digits}e}"}
    text = np.array2string(
        value,
        max_line_width=op.attributes.get("maxLineWidth", 75),
        precision=digits,
        threshold=op.attributes.get("summariseThreshold", 1000),
        edgeitems=op.attributes.get("edgeItems", 3),
        separator=op.attributes.get("separator", " "),
        formatter=formatter,
    )
    opening, closing = (
        op.attributes.get(name, default)
        for name, default in (("openBracket", "["), ("closeBracket", "]"))
    )
    return f"{title}: {text.replace('[', opening).replace(']', closing)}"
