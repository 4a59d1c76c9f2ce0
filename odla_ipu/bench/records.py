"""Files of records: one JSON object a line."""

import json
import os
from typing import Any, Dict, List, Tuple

from ..errors import BadFile, FileMissing

Record = Dict[str, Any]


def read(path: str) -> List[Record]:
    """The records of a file, or of the folder that a suite writes.

    The last of those with the same :func:`key` counts.  A last line that was cut off is dropped.
    Raises FileMissing, or BadFile for a line that is no record.
    """
    if os.path.isdir(path):
        path = os.path.join(path, FILE)
    if not os.path.isfile(path):
        raise FileMissing(f"{path}: no such file of records; odla-ipu bench writes them")
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().split("\n")
    records: Dict[Tuple[Any, ...], Record] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            if number == len(lines):
                break  # written while the process was ended
            record = None
        if not isinstance(record, dict) or "name" not in record:
            raise BadFile(f"{path}, line {number}: no record of odla-ipu bench")
        records[key(record)] = record
    return list(records.values())


FILE = "records.jsonl"
"""In the folder of a suite's results."""


def append(folder: str, record: Record) -> None:
    """Add a record to the folder's file, so that it is there if the next one never ends."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, FILE)
    _end_line(path)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _end_line(path: str) -> None:
    """Cut off what was left of a line that was being written when its process ended."""
    if not os.path.isfile(path):
        return
    with open(path, "rb+") as file:
        data = file.read()
        if data and not data.endswith(b"\n"):
            file.truncate(data.rfind(b"\n") + 1)


def key(record: Record) -> Tuple[Any, ...]:
    """What two measurements have in common that are of the same."""
    return tuple(record.get(name) for name in ("name", "batch", "precision", "device", "quick"))


def failed(record: Record) -> bool:
    """Whether it says why there is no measurement."""
    return "error" in record
