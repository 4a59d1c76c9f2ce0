"""Throughput over batch size as a picture."""

import os
from typing import Any, Dict, List, Sequence, Tuple

from ..errors import FileMissing, InvalidParameter
from .records import Record, failed

KINDS = (".png", ".svg", ".pdf")


def draw(records: Sequence[Record], path: str) -> None:
    """Write a chart with a line for each model, precision and device.

    Raises InvalidParameter for records without batches and for another kind of file, FileMissing
    where matplotlib is not installed.
    """
    if os.path.splitext(path)[1] not in KINDS:
        raise InvalidParameter(f"{path}: accepted: files named {', '.join(KINDS)}")
    found = curves(records)
    if not found:
        raise InvalidParameter("nothing to draw: no record has a batch size")
    try:
        import matplotlib
    except ImportError:
        raise FileMissing(
            "plots need matplotlib; install it with: pip install 'odla_ipu[plots]'"
        ) from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for label, points in found.items():
        batches, rates, low, high = zip(*points)
        (line,) = axes.plot(batches, rates, "o-", label=label)
        axes.fill_between(batches, low, high, alpha=0.15, color=line.get_color())
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({point[0] for points in found.values() for point in points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("batch size")
    axes.set_ylabel("per second")
    axes.set_title(_title(records))
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(fontsize="small", ncol=1 + len(found) // 20)
    figure.savefig(path)
    pyplot.close(figure)


Point = Tuple[int, float, float, float]


def curves(records: Sequence[Record]) -> Dict[str, List[Point]]:
    """By label: batch, rate, and the rates one standard deviation of the latency away."""
    result: Dict[str, List[Point]] = {}
    for record in records:
        if failed(record) or record.get("batch") is None:
            continue
        latency: Dict[str, Any] = record["latency_ms"]
        mean, spread = latency["mean"], latency["deviation"]
        rate = record["throughput_per_second"]
        low, high = rate * mean / (mean + spread), rate * mean / max(mean - spread, mean / 10)
        label = f"{record['name']} {record['precision']} {record['device']}"
        result.setdefault(label, []).append((record["batch"], rate, low, high))
    return {label: sorted(points) for label, points in sorted(result.items())}


def _title(records: Sequence[Record]) -> str:
    machines = sorted({one["machine"] for one in records if "machine" in one})
    return f"Throughput: {'; '.join(machines)}"
