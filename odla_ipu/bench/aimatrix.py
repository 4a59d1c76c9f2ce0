"""Records as AI Matrix's own files, with its words, for the scripts that read them.

In the folder of results: ``GROUP/results/result_infer_BATCH.txt`` and ``results_infer.csv`` for
models, ``layer-based/log/OP.log`` for layers, ``micro/log_performance/allgemm_MODE.csv`` and
``log_pressure`` for matrix products.
"""

import collections
import os
from typing import Any, Dict, List, Sequence

from .records import Record, failed
from .subject import MODES


def lines(record: Record) -> List[str]:
    """What the original prints at the end of a run of a model, with this record's numbers.

    The first words are fixed and the last one is the number.
    """
    items, group = record["items"], record["aimatrix"]["group"]
    accelerator = record["throughput_per_second"]
    what = "inference accelerator" if items == "sentences" else "accelerator"
    result = []
    if group == "CNN_Caffe":
        mean = record["latency_ms"]["mean"]
        result.append(f"Average over {record['runs']} runs is {mean} ms")
    result += [
        f"Approximate {what} performance in {items}/second is: {accelerator}",
        f"System performance in {items}/second is: {record['system']['per_second']}",
        f"Total {items} is: {record['system']['items']}",
        f"Total running time in milliseconds is: {record['system']['milliseconds']}",
    ]
    return result


def write(folder: str, records: Sequence[Record]) -> List[str]:
    """Write all files of ``records`` anew; returns their paths."""
    texts: Dict[str, List[str]] = {}
    for precision in sorted({one["precision"] for one in records}):
        done = [
            one
            for one in records
            if not failed(one) and one["precision"] == precision and "aimatrix" in one
        ]
        # The original has one precision a run; others get folders of their own.
        top = "" if precision == "fp32" else precision
        for record in done:
            if record["kind"] == "macro":
                name = f"result_infer_{record['batch']}.txt"
                path = os.path.join(top, record["aimatrix"]["group"], "results", name)
                texts.setdefault(path, []).extend(
                    [f"Model: {record['aimatrix']['model']}", *lines(record)]
                )
        texts.update(_tables(top, [one for one in done if one["kind"] == "macro"]))
        texts.update(_layers(top, [one for one in done if one["kind"] == "layers"]))
        texts.update(_products(top, [one for one in done if one["kind"] == "gemm"], precision))
    paths = []
    for path, text in texts.items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write("\n".join(text) + "\n")
        paths.append(full)
    return paths


def _tables(top: str, records: Sequence[Record]) -> Dict[str, List[str]]:
    """For each group two tables of models by batch sizes: of the system, of the accelerator."""
    groups: Dict[str, List[Record]] = collections.defaultdict(list)
    for record in records:
        groups[record["aimatrix"]["group"]].append(record)
    result = {}
    for group, members in groups.items():
        batches = sorted({one["batch"] for one in members})
        models = list(dict.fromkeys(one["aimatrix"]["model"] for one in members))
        text: List[str] = []
        for title, of in (("System performance", _system), ("Accelerator performance", _device)):
            found = {(one["aimatrix"]["model"], one["batch"]): of(one) for one in members}
            text.append(f"{title} in {members[0]['items']}/second")
            text.append(",".join(["Model", *(f"batch {batch}" for batch in batches)]))
            for model in models:
                cells = [str(found.get((model, batch), "")) for batch in batches]
                text.append(",".join([model, *cells]))
            text.append("")
        result[os.path.join(top, group, "results", "results_infer.csv")] = text[:-1]
    return result


def _system(record: Record) -> Any:
    return record["system"]["per_second"]


def _device(record: Record) -> Any:
    return record["throughput_per_second"]


def _layers(top: str, records: Sequence[Record]) -> Dict[str, List[str]]:
    """A row for each case: its shape, mean milliseconds, and for networks in time the runs."""
    result: Dict[str, List[str]] = {}
    for record in sorted(records, key=_number):
        op, mean = record["aimatrix"]["model"], record["latency_ms"]["mean"]
        path = os.path.join(top, "layer-based", "log", f"{op}.log")
        cells = [str(cell) for cell in record["row"].values()]
        if op in ("lstm", "gru", "rnn"):
            heads = ["batch_size", "seq_len", "vector_len", "hidden_units"]
            heads += ["avg time(ms)", "total times"]
            cells += [str(mean), str(record["runs"])]
        else:
            heads = [*record["row"], "avg time(ms)"]
            cells.append(str(mean))
        result.setdefault(path, [",".join(heads)]).append(",".join(cells))
    return result


def _products(top: str, records: Sequence[Record], precision: str) -> Dict[str, List[str]]:
    """m, n, k, milliseconds and TFLOPS of each case, and the peak in the last line."""
    files: Dict[str, List[Record]] = collections.defaultdict(list)
    for record in sorted(records, key=_number):
        table = record["aimatrix"]["model"]
        log = "log_pressure" if table == "gemm_pressure" else "log_performance"
        name = "igemm_int8.csv" if table == "gemm_int8" else f"allgemm_{MODES[precision]}.csv"
        files[os.path.join(top, "micro", log, name)].append(record)
    result = {}
    for path, members in files.items():
        text = ["m,n,k,time_ms,tflops"]
        best = max(members, key=_rate)
        for one in members:
            size = [one["row"][name] for name in "mnk"]
            text.append(",".join([*size, str(one["latency_ms"]["mean"]), f"{_rate(one):.6f}"]))
        m, k = best["row"]["m"], best["row"]["k"]
        text.append(f"[Peak TFLOPS]={_rate(best):.6f}, m=n={m}, k={k}")
        result[path] = text
    return result


def _rate(record: Record) -> float:
    return float(record["tera_operations_per_second"])


def _number(record: Record) -> int:
    return int(record["name"].partition(":")[2])
