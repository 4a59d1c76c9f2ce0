"""Two files of records side by side."""

import math
from typing import Any, List, Sequence, Tuple

from ..errors import InvalidParameter
from .records import Record, failed

HEADER = ["model", "batch", "precision", "A /s", "B /s", "B / A", "A deviation", "B deviation"]


def rows(first: Sequence[Record], second: Sequence[Record]) -> List[List[str]]:
    """A row for what both measured, by name, batch and precision; the last one is the mean ratio.

    Devices may differ, and so may everything else that :func:`differences` tells.  Raises
    InvalidParameter when they have nothing in common.
    """
    others = {_what(one): one for one in second if not failed(one)}
    pairs = [(one, others[_what(one)]) for one in first if not failed(one) and _what(one) in others]
    if not pairs:
        raise InvalidParameter(
            "the two have no measurement in common; they need records of the same models with the "
            "same batch and precision"
        )
    table, ratios = [], []
    for a, b in pairs:
        before, after = a["throughput_per_second"], b["throughput_per_second"]
        ratios.append(after / before)
        table.append(
            [
                a["name"],
                str(a.get("batch", "")),
                a["precision"],
                f"{before:g}",
                f"{after:g}",
                f"{ratios[-1]:.3f}",
                _deviation(a),
                _deviation(b),
            ]
        )
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return [*table, ["geometric mean", "", "", "", "", f"{mean:.3f}", "", ""]]


def differences(first: Sequence[Record], second: Sequence[Record]) -> List[str]:
    """The conditions that are not the same in both, as lines of text."""
    result = []
    for name in ("device", "machine", "cpu", "cpus", "threads", "version", "versions", "quick"):
        a, b = _all(first, name), _all(second, name)
        if a != b:
            result.append(f"{name}: {', '.join(a)} / {', '.join(b)}")
    return result


def _what(record: Record) -> Tuple[Any, ...]:
    return record["name"], record.get("batch"), record["precision"]


def _all(records: Sequence[Record], name: str) -> List[str]:
    found = []
    for one in records:
        value = one.get(name, "")
        if isinstance(value, dict):
            value = " ".join(f"{key} {of}" for key, of in value.items())
        found.append(str(value))
    return sorted({one for one in found if one})


def _deviation(record: Record) -> str:
    found = record.get("deviation")
    return "" if found is None else f"{found:.1e}"
