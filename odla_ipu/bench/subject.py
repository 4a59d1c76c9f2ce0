"""What can be measured: examples, rows of tables, and what the command line makes of files."""

import dataclasses
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

import numpy as np

from ..computation import Computation
from ..errors import InvalidParameter
from . import accuracy, count, memory

Arrays = Dict[str, np.ndarray]

MODES = {"fp32": "FP32", "fp16": "FP16"}
"""What AI Matrix's tables of matrix products call a precision."""


class Reference(NamedTuple):
    """Who computed ``outputs``; only those that are there are compared."""

    name: str
    outputs: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Subject:
    """Something to measure with one batch size.

    ``build()`` makes what ``compile(built, device, precision)`` makes an executable of;
    ``feeds(executable)`` are arrays for its arguments.  ``reference(built, feeds)`` computes what
    should come out; it raises InvalidParameter where nothing can.  ``size`` is the memory that all
    this needs, 0 where it is not known before.

    A run computes ``per_run`` of ``items``.  ``kind`` is ``macro``, ``layers``, ``gemm`` or
    ``model``; ``group`` and ``model`` are what AI Matrix calls it.  ``runs`` are measured unless
    the user says otherwise, and fewer where two that follow each other differ by ``settles``
    milliseconds at most.
    """

    name: str
    kind: str
    build: Callable[[], Any]
    compile: Callable[[Any, Optional[str], str], Any]
    feeds: Callable[[Any], Arrays]
    reference: Optional[Callable[[Any, Arrays], Reference]]
    group: str = ""
    model: str = ""
    batch: Optional[int] = None
    items: str = "runs"
    per_run: int = 1
    runs: int = 50
    settles: float = 0.0
    size: float = 0.0
    macs: int = 0
    cells: Mapping[str, str] = dataclasses.field(default_factory=dict)
    finish: Optional[Callable[[Arrays], Any]] = None


def of_example(name: str, batch: Optional[int], quick: bool = False) -> Subject:
    """The example of that name; ``quick``: in its small configuration where it has one."""
    from odla_ipu import examples

    example = examples.find(name)
    if quick and example.small is not None:
        example = example.small
    batch = example.batches[0] if batch is None else batch
    if batch < 1:
        raise InvalidParameter(f"the batch is {batch}; accepted: 1 and more")
    weights = examples.Weights(seed=0)
    outline = example.build(batch, examples.Weights(seed=None))

    return Subject(
        name=name,
        kind="macro",
        build=lambda: example.build(batch, weights),
        compile=_compile,
        feeds=lambda executable: example.inputs(batch, np.random.default_rng(0)),
        reference=_reference,
        group=example.group,
        model=example.model or example.name,
        batch=batch,
        items=example.items,
        per_run=batch,
        size=memory.needed(outline),
        macs=count.macs(outline) // batch,
        finish=example.finish,
    )


def of_row(name: str, number: int) -> Subject:
    """A row of a table, counted from 1."""
    from odla_ipu.examples import Weights
    from odla_ipu.examples.tables import TABLES

    table = TABLES[name]
    row = table.row(number)
    outline = table.build(row, Weights(seed=None))
    return Subject(
        name=f"{name}:{number}",
        kind=table.kind,
        build=lambda: table.build(row, Weights(seed=0)),
        compile=_compile,
        feeds=lambda executable: random_feeds(executable.arguments),
        reference=_reference,
        group="layer-based" if table.kind == "layers" else "micro",
        model=name,
        runs=table.runs,
        settles=table.settles,
        size=memory.needed(outline),
        macs=count.macs(outline),
        cells=row,
    )


def table_rows(name: str) -> Optional[List[int]]:
    """Numbers of rows that ``conv`` or ``conv:17`` names; None where it is neither."""
    from odla_ipu.examples.tables import TABLES

    table, colon, number = name.partition(":")
    if table not in TABLES:
        return None
    if not colon:
        return list(range(1, len(TABLES[table].rows()) + 1))
    if not number.isdecimal():
        raise InvalidParameter(f"{name}: accepted: {table}, or {table}: and the number of a row")
    TABLES[table].row(int(number))
    return [int(number)]


def random_feeds(
    arguments: Mapping[str, Any], given: Optional[Mapping[str, np.ndarray]] = None
) -> Arrays:
    """Given arrays, and reproducible random numbers for the other arguments."""
    generator = np.random.default_rng(0)
    feeds = dict(given or {})
    for name, kind in arguments.items():
        if name in feeds:
            continue
        dtype = kind.element_type.dtype
        if kind.element_type.is_float:
            feeds[name] = generator.standard_normal(kind.dims, np.float32).astype(dtype, copy=False)
        else:
            feeds[name] = generator.integers(0, 2, kind.dims).astype(dtype)
    return feeds


def _reference(built: Computation, feeds: Arrays) -> Reference:
    return Reference("onnxruntime", accuracy.run_lowered(built.graph, feeds))


def _compile(built: Computation, device: Optional[str], precision: str) -> Any:
    return built.compile(device, precision)
