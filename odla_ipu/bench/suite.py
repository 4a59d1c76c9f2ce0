"""Suites: many measurements, kept one by one, and taken up where they were interrupted."""

import contextlib
import dataclasses
import functools
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence

from ..device import open_device
from ..errors import FileMissing, InvalidParameter, OdlaError, Status
from . import records
from .measure import Conditions, Record, measure
from .subject import Subject, of_example, of_row, table_rows

QUICK_SECONDS = 2.0
"""Of timed runs for one subject in a quick suite."""


class Task(NamedTuple):
    """A measurement to make: ``subject()`` is only made when its turn comes."""

    name: str
    batch: Optional[int]
    subject: Callable[[], Subject]


def suites() -> List[str]:
    """Names that :func:`suite` takes."""
    from odla_ipu import examples

    groups = {examples.find(name).group for name in examples.names()}
    return ["aimatrix", "layers", "gemm", *sorted(groups)]


def suite(name: str, batches: Sequence[int], quick: bool) -> List[Task]:
    """All models of AI Matrix or of one of its folders, all layers, or all matrix products."""
    from odla_ipu import examples
    from odla_ipu.examples.tables import TABLES

    if name not in suites():
        raise InvalidParameter(f"no suite is named {name!r}; the names are {', '.join(suites())}")
    tables = [table.name for table in TABLES.values() if table.kind == name]
    models = [one for one in examples.names() if name in ("aimatrix", examples.find(one).group)]
    return [task for one in [*models, *tables] for task in tasks(one, batches, quick) or ()]


def tasks(name: str, batches: Sequence[int], quick: bool) -> Optional[List[Task]]:
    """What there is to measure under the name of an example, a table or a row; else None.

    An example is measured with the batch sizes of the original, when quick with 1 image; a quick
    table is its first row.
    """
    from odla_ipu import examples

    rows = table_rows(name)
    if rows is not None:
        if batches:
            raise InvalidParameter(f"{name}: the batch belongs to the rows; leave --batch away")
        table = name.partition(":")[0]
        rows = rows[:1] if quick else rows
        return [Task(f"{table}:{row}", None, functools.partial(of_row, table, row)) for row in rows]
    if name not in examples.names():
        return None
    sizes = batches or ((1,) if quick else examples.find(name).batches)
    return [Task(name, size, functools.partial(of_example, name, size, quick)) for size in sizes]


def run(
    todo: Sequence[Task],
    how: Conditions,
    folder: Optional[str],
    tell: Callable[[str], None],
    resume: bool = False,
) -> Iterator[Record]:
    """The records of ``todo`` in order, each kept in ``folder`` as soon as it is made.

    With ``resume`` those that are there already are taken from there.  What cannot be measured
    makes a record with an ``error``, and is tried again the next time.
    """
    device = open_device(how.device).kind
    kept = {}
    if folder is not None and resume:
        with contextlib.suppress(FileMissing):
            kept = {records.key(one): one for one in records.read(folder)}
    for place, task in enumerate(todo, 1):
        wanted = {"name": task.name, "batch": task.batch, "precision": how.precision}
        wanted.update(device=device, quick=how.quick)
        found = kept.get(records.key(wanted))
        if found is not None and not records.failed(found):
            yield found
            continue
        size = "" if task.batch is None else f", batch {task.batch}"
        title = f"{place} of {len(todo)}: {task.name}{size}"
        try:
            record = measure(task.subject(), how, functools.partial(_tell, tell, title))
        except (OdlaError, MemoryError) as error:
            if folder is None and len(todo) == 1:
                raise
            status = error.status if isinstance(error, OdlaError) else Status.MEM_ERROR
            record = {**wanted, "error": str(error), "status": int(status)}
        if folder is not None:
            records.append(folder, record)
        yield record


def _tell(tell: Callable[[str], None], title: str, what: str) -> None:
    tell(f"{title}: {what}")


def quickly(how: Conditions) -> Conditions:
    """The same, but short."""
    return dataclasses.replace(how, seconds=min(how.seconds, QUICK_SECONDS), warm_up=1, quick=True)
