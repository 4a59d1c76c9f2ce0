"""AI Matrix's single layers and matrix products: tables of shapes, and a computation for each row.

``odla-ipu bench conv`` measures a whole table, ``odla-ipu bench conv:17`` its 17th row.  Rows are
in the order, and with the oddities, of the original: some are no layers of any network, and some
come twice.
"""

import csv
import dataclasses
import math
import os
from typing import Callable, Dict, List, Mapping, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value
from odla_ipu.errors import InvalidParameter

from ..common.weights import Weights

Row = Dict[str, str]
"""The cells by the names of their columns."""


@dataclasses.dataclass(frozen=True)
class Table:
    """``rows`` to measure; ``build(row, weights)`` makes the computation of one.

    A measurement is the mean of ``runs``; where ``settles`` (milliseconds) is set, it ends as soon
    as two successive runs are that close.
    """

    name: str
    kind: str
    file: str
    build: Callable[[Row, Weights], Computation]
    runs: int
    settles: float = 0.0

    def rows(self) -> List[Row]:
        """All rows of the table, in order."""
        with open(os.path.join(os.path.dirname(__file__), f"{self.file}.csv"), newline="") as file:
            return list(csv.DictReader(file))

    def row(self, number: int) -> Row:
        """Counted from 1; raises InvalidParameter beyond the last."""
        rows = self.rows()
        if not 1 <= number <= len(rows):
            raise InvalidParameter(
                f"table {self.name} has no row {number}; accepted: 1 to {len(rows)}"
            )
        return rows[number - 1]


def _dims(text: str) -> Tuple[int, ...]:
    return tuple(map(int, text.split("x")))


def _numbers(row: Row) -> Mapping[str, int]:
    return {name: int(cell) for name, cell in row.items()}


def _image(row: Row) -> Value:
    cells = _numbers(row)
    dims = (cells["batch"], cells["height"], cells["width"], cells["channels"])
    return odla.argument("x", dims)


def _conv(row: Row, weights: Weights) -> Computation:
    cells = _numbers(row)
    shape = tuple(cells[one] for one in ("window_height", "window_width", "channels", "filters"))
    with Computation("conv") as computation:
        kernel = weights.normal("kernel", shape, math.sqrt(2 / math.prod(shape[:3])))
        y = odla.conv(
            _image(row),
            kernel=kernel,
            input_layout=odla.MemoryLayout.CHANNELS_LAST,
            kernel_layout=odla.MemoryLayout.SIO,
            strides=(cells["stride"], cells["stride"]),
        )
        odla.output(y, "y")
    return computation


def _fc(row: Row, weights: Weights) -> Computation:
    dims, units = _dims(row["input"]), int(row["units"])
    features = math.prod(dims[1:])
    with Computation("fc") as computation:
        x = odla.reshape(odla.argument("x", dims), (dims[0], features))
        matrix = weights.normal("matrix", (features, units), math.sqrt(1 / features))
        odla.output(odla.gemm(x, B=matrix), "y")
    return computation


def _pool(op: str) -> Callable[[Row, Weights], Computation]:
    def build(row: Row, weights: Weights) -> Computation:
        cells = _numbers(row)
        with Computation(op) as computation:
            y = getattr(odla, op)(
                _image(row),
                input_layout=odla.MemoryLayout.CHANNELS_LAST,
                window_dims=(cells["window"], cells["window"]),
                strides=(cells["stride_height"], cells["stride_width"]),
            )
            odla.output(y, "y")
        return computation

    return build


def _bn(row: Row, weights: Weights) -> Computation:
    """With the original's numbers, which are the same for all channels."""
    dims = _dims(row["input"])
    with Computation("bn") as computation:
        y = odla.batch_normalization(
            odla.argument("x", dims),
            input_layout=odla.MemoryLayout.CHANNELS_LAST,
            mean=np.full(dims[-1], 0.35, np.float32),
            var=np.full(dims[-1], 0.55, np.float32),
            epsilon=0.03,
            scale=np.full(dims[-1], 8.6, np.float32),
            offset=np.full(dims[-1], 2.3, np.float32),
        )
        odla.output(y, "y")
    return computation


def _activation(op: str) -> Callable[[Row, Weights], Computation]:
    def build(row: Row, weights: Weights) -> Computation:
        with Computation(op) as computation:
            odla.output(getattr(odla, op)(odla.argument("x", _dims(row["input"]))), "y")
        return computation

    return build


def _recurrent(op: str, gates: int) -> Callable[[Row, Weights], Computation]:
    """One layer, forward: all states and the last one."""

    def build(row: Row, weights: Weights) -> Computation:
        cells = _numbers(row)
        features, hidden = cells["features"], cells["hidden"]
        deviation = math.sqrt(1 / hidden)
        with Computation(op) as computation:
            results = getattr(odla, op)(
                odla.argument("x", (cells["steps"], cells["batch"], features)),
                W=weights.normal("W", (1, gates * hidden, features), deviation),
                R=weights.normal("R", (1, gates * hidden, hidden), deviation),
                B=weights.normal("B", (1, gates * hidden), 0.1),
                hidden_size=hidden,
                outputs=odla.RnnOutputs.HIDDEN_STATE,
            )
            for name, value in zip(("states", "last"), results):
                odla.output(value, name)
        return computation

    return build


def _gemm(row: Row, weights: Weights) -> Computation:
    """A [m,k] B^T, B [n,k]."""
    m, n, k = (int(row[name]) for name in "mnk")
    with Computation("gemm") as computation:
        b = weights.normal("b", (n, k), math.sqrt(1 / k))
        odla.output(odla.gemm(odla.argument("a", (m, k)), B=b, B_transpose=True), "c")
    return computation


def _gemm_int8(row: Row, weights: Weights) -> Computation:
    """INT8 operands, INT32 sums: ODLA's product has the type of its operands, so these are cast."""
    m, n, k = (int(row[name]) for name in "mnk")
    with Computation("gemm_int8") as computation:
        a, b = odla.argument("a", (m, k), "int8"), odla.argument("b", (n, k), "int8")
        wide = odla.ElementType.INT32
        product = odla.gemm(odla.cast(a, wide), B=odla.cast(b, wide), B_transpose=True)
        odla.output(product, "c")
    return computation


_ALL = [
    Table("conv", "layers", "conv", _conv, 10),
    Table("fc", "layers", "fc", _fc, 10),
    Table("max_pool", "layers", "pool", _pool("max_pool"), 10),
    Table("avg_pool", "layers", "pool", _pool("average_pool"), 10),
    Table("bn", "layers", "bn", _bn, 10),
    *(
        Table(op, "layers", "activation", _activation(op), 100)
        for op in ("relu", "sigmoid", "softmax", "tanh")
    ),
    Table("lstm", "layers", "rnn", _recurrent("lstm", 4), 50, 0.1),
    Table("gru", "layers", "rnn", _recurrent("gru", 3), 50, 0.1),
    Table("rnn", "layers", "rnn", _recurrent("rnn", 1), 50, 0.1),
    Table("gemm", "gemm", "gemm", _gemm, 10),
    Table("gemm_pressure", "gemm", "gemm_pressure", _gemm, 2000),
    Table("gemm_int8", "gemm", "gemm_int8", _gemm_int8, 10),
]
TABLES = {table.name: table for table in _ALL}
"""By name; ``kind`` is the suite they belong to."""
