"""``odla-ipu bench`` on examples, tables and suites: its records and files."""

import json
import os
import pty
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from odla_ipu import Computation, examples, group_normalization, output, relu
from odla_ipu.bench import accuracy, aimatrix, compare, memory, plot, records, suite
from odla_ipu.bench.measure import Conditions, measure
from odla_ipu.bench.subject import Reference, Subject, of_example, of_row, random_feeds
from odla_ipu.cli import main
from odla_ipu.errors import BadFile, FileMissing, InvalidParameter, OutOfMemory


def call(*arguments, code=0):
    result = CliRunner().invoke(main, ["bench", *(str(one) for one in arguments)])
    assert result.exit_code == code, result.output
    return result.output


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_an_example_makes_a_record_of_all_conditions(device):
    (record,) = lines(call("caffe_squeezenet", "--batch", 2, "--runs", 4, "--device", device))
    assert record["name"] == "caffe_squeezenet" and record["batch"] == 2
    assert record["aimatrix"] == {"group": "CNN_Caffe", "model": "squeezenet_v1.1"}
    assert record["runs"] == 4 and record["items"] == "images" and record["items_per_run"] == 2
    latency = record["latency_ms"]
    assert 0 < latency["min"] <= latency["median"] <= latency["p90"] <= latency["max"]
    assert record["throughput_per_second"] == pytest.approx(2000 / latency["mean"], rel=1e-3)
    assert record["macs_per_item"] == 387_747_520
    seconds = record["seconds"]
    assert seconds["compile"] > 0 and seconds["total"] >= seconds["compile"] + seconds["build"]
    # Five runs before those that count.
    assert record["system"]["items"] == 2 * (5 + 4)
    assert record["system"]["per_second"] == 1000 * 18 // record["system"]["milliseconds"]
    assert record["deviation"] <= 1e-4 and record["reference"] == "onnxruntime"
    assert record["simulated"] is (device != "ipu") and "IPU" in record["machine"]
    assert {"popart", "onnxruntime", "numpy", "python"} == set(record["versions"])
    assert record["cpus"] >= 1 and record["time"].endswith("Z")
    assert record["memory"]["expected"] > 0


def test_both_precisions_and_some_batches(device):
    made = lines(
        call(
            "conv:109", "--precision", "fp32", "--precision", "fp16", "--quick", "--device", device
        )
    )
    assert [one["precision"] for one in made] == ["fp32", "fp16"]
    assert made[0]["deviation"] < 1e-5 < made[1]["deviation"] < 1e-2
    made = lines(call("ncf_or_other", "--quick", code=2))
    assert made == []


def test_a_suite_goes_on_where_it_was_interrupted(tmp_path, monkeypatch, device):
    how = Conditions(device=device, runs=1, warm_up=1)
    made = []

    def row(number):
        made.append(number)
        return of_row("fc", number)

    todo = [suite.Task(f"fc:{n}", None, lambda n=n: row(n)) for n in (7, 8, 9)]
    run = suite.run(todo, how, str(tmp_path), lambda text: None, resume=True)
    first = [next(run), next(run)]
    run.close()
    with open(tmp_path / records.FILE, "a") as file:
        file.write('{"name": "fc:9", "bat')  # what a killed process leaves
    again = list(suite.run(todo, how, str(tmp_path), lambda text: None, resume=True))
    assert made == [7, 8, 9] and again[:2] == first
    assert [one["name"] for one in records.read(str(tmp_path))] == ["fc:7", "fc:8", "fc:9"]


def test_a_suite_writes_its_folder_and_is_done_once(tmp_path, monkeypatch, device):
    monkeypatch.setattr("odla_ipu.examples.names", lambda: ["caffe_squeezenet"])
    arguments = ["--suite", "CNN_Caffe", "--quick", "--results", tmp_path, "--device", device]
    first, second = (lines(call(*arguments)) for _ in range(2))
    assert first == second and first[0]["quick"] and first[0]["batch"] == 1
    text = (tmp_path / "CNN_Caffe" / "results" / "result_infer_1.txt").read_text()
    assert f"images/second is: {first[0]['throughput_per_second']}\n" in text


@pytest.mark.slow
def test_the_quick_suite_takes_minutes(tmp_path, device):
    start = time.perf_counter()
    made = lines(call("--suite", "aimatrix", "--quick", "--results", tmp_path, "--device", device))
    assert {one["name"] for one in made} == set(examples.names())
    assert not any(map(records.failed, made))
    assert time.perf_counter() - start < 15 * 60


def test_running_out_of_memory_does_not_end_a_suite(tmp_path, device):
    def exhausted():
        raise MemoryError("Unable to allocate 99 TiB")

    todo = [suite.Task("huge", 1, exhausted), suite.Task("fc:9", None, lambda: of_row("fc", 9))]
    how = Conditions(device=device, runs=1, warm_up=1)
    huge, small = suite.run(todo, how, str(tmp_path), lambda text: None)
    assert huge["error"] == "Unable to allocate 99 TiB" and huge["status"] == 4
    assert small["runs"] == 1


def test_what_fails_is_told_and_tried_again(tmp_path, device):
    limits = iter([1.0, None])
    todo = [suite.Task("fc:9", None, lambda: of_row("fc", 9))]
    for expected in (True, False):
        how = Conditions(device=device, runs=1, warm_up=1, limit=next(limits))
        (record,) = suite.run(todo, how, str(tmp_path), lambda text: None, resume=True)
        assert ("error" in record) is expected
    assert "deviation" in records.read(str(tmp_path))[0]


def test_refused_before_the_work_starts():
    subject = of_row("gemm", 30)
    assert subject.size > 4.84e9  # operands and result
    called = []
    refused = Subject(**{**vars(subject), "build": lambda: called.append("built")})
    with pytest.raises(OutOfMemory, match=r"gemm:30 needs about \d+\.\d GB of memory, and the"):
        measure(refused, Conditions(limit=2e9), called.append)
    assert called == []
    assert "GB of memory" in call("gemm:30", "--memory", 2, code=4)


def test_every_original_batch_of_a_classifier_fits_or_is_refused():
    for name in ("resnet152", "synnet", "caffe_densenet121"):
        assert of_example(name, 64).size < memory.LIMIT


def test_needed_memory_bounds_what_is_taken(device):
    record = measure(
        of_row("fc", 1), Conditions(device=device, runs=1, warm_up=1), lambda text: None
    )
    assert record["memory"]["peak"] <= record["memory"]["expected"] + 2e8


def subject_of(values, **more):
    """A subject whose runs take the milliseconds of ``values`` (the first is warm-up)."""

    class Clocked:
        device, precision, arguments = "sim", "fp32", {}
        calls = 0

        def run(self, feeds):
            Clocked.calls += 1
            clock.now += values[min(self.calls - 1, len(values) - 1)] * 1e-3
            return {"y": np.float32([1.0, 2.0])}

    class clock:
        now = 100.0

    found = Subject(
        name="clocked",
        kind="macro",
        build=lambda: None,
        compile=lambda built, device, precision: Clocked(),
        feeds=lambda executable: {},
        reference=lambda built, feeds: Reference("numpy", {"y": np.float32([1.0, 2.2])}),
        group="NMT",
        model="nmt",
        batch=4,
        items="sentences",
        per_run=4,
        **more,
    )
    return found, clock


def test_rates_and_spread(monkeypatch):
    subject, clock = subject_of([7, 10, 30, 20, 20], runs=4, macs=5_000_000)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    record = measure(subject, Conditions(warm_up=1), lambda text: None)
    assert record["latency_ms"]["mean"] == 20 and record["latency_ms"]["median"] == 20
    assert record["latency_ms"]["deviation"] == pytest.approx(np.std([10, 30, 20, 20]), abs=1e-3)
    assert record["throughput_per_second"] == 200
    assert record["tera_operations_per_second"] == pytest.approx(2e-9 * 5e6 * 4 / 20)
    assert record["deviation"] == pytest.approx(0.2 / 2.2, rel=1e-4)
    assert record["system"] == {"items": 20, "milliseconds": 87, "per_second": 229}


def test_runs_end_when_they_settle_and_when_time_is_up(monkeypatch):
    for values, settles, seconds, runs in (
        ([5, 9, 7, 6.95, 3], 0.1, 1e9, 3),  # 7 and 6.95
        ([5, 40, 40, 40, 40], 0, 0.01, 1),  # one takes all the time there is
        ([5, 8, 8, 8, 8], 0, 0.01, 3),  # at least three
        ([5, 3, 3, 3, 3], 0, 0.01, 4),
    ):
        subject, clock = subject_of(values, runs=50, settles=settles)
        monkeypatch.setattr("time.perf_counter", lambda clock=clock: clock.now)
        how = Conditions(warm_up=1, seconds=seconds)
        assert measure(subject, how, lambda text: None)["runs"] == runs


def record_of(name, batch, rate, **more):
    kind = more.pop("kind", "macro")
    return {
        "name": name,
        "kind": kind,
        "batch": batch,
        "precision": "fp32",
        "device": "sim",
        "machine": "sim: 1 IPU",
        "quick": False,
        "aimatrix": {"group": "CNN_Caffe", "model": name},
        "items": "images",
        "runs": 10,
        "latency_ms": {"mean": 1e3 * batch / rate, "deviation": 1.0},
        "throughput_per_second": rate,
        "system": {"items": 500, "milliseconds": 2000, "per_second": 250},
        "deviation": 1e-6,
        **more,
    }


def test_lines_and_tables_as_the_originals_scripts_read_them(tmp_path):
    kept = [record_of("squeezenet", 16, 800.0), record_of("squeezenet", 32, 900.5)]
    kept.append(record_of("resnet50", 16, 100.0))
    nmt = record_of("nmt", 64, 3.5, items="sentences")
    nmt["aimatrix"] = {"group": "NMT", "model": "nmt"}
    broken = {"name": "x", "batch": 1, "precision": "fp32", "error": "no"}
    aimatrix.write(str(tmp_path), [*kept, nmt, broken])
    text = (tmp_path / "CNN_Caffe" / "results" / "result_infer_16.txt").read_text().splitlines()
    # The first words are fixed, the last one is the number.
    accelerator = [
        line for line in text if line.startswith("Approximate accelerator performance in images/se")
    ]
    assert [float(line.split()[-1]) for line in accelerator] == [800.0, 100.0]
    assert text[1] == "Average over 10 runs is 20.0 ms"
    assert "System performance in images/second is: 250" in text
    assert "Total images is: 500" in text
    text = (tmp_path / "NMT" / "results" / "result_infer_64.txt").read_text()
    assert "Approximate inference accelerator performance in sentences/second is: 3.5" in text
    table = (tmp_path / "CNN_Caffe" / "results" / "results_infer.csv").read_text()
    assert table == (
        "System performance in images/second\nModel,batch 16,batch 32\n"
        "squeezenet,250,250\nresnet50,250,\n\n"
        "Accelerator performance in images/second\nModel,batch 16,batch 32\n"
        "squeezenet,800.0,900.5\nresnet50,100.0,\n"
    )


def test_logs_of_layers_and_products(tmp_path):
    made = []
    for name, tera in (("gemm:2", 3.0), ("gemm:1", 5.0)):
        k = 1024 * int(name[-1])
        one = record_of(name, 1, 10.0, kind="gemm", row={"m": "1024", "n": "1024", "k": str(k)})
        one.update(aimatrix={"group": "micro", "model": "gemm"}, tera_operations_per_second=tera)
        made.append(one)
    cells = {"batch": "16", "steps": "32", "features": "64", "hidden": "256"}
    lstm = record_of("lstm:1", 1, 50.0, kind="layers", row=cells)
    lstm["aimatrix"] = {"group": "layer-based", "model": "lstm"}
    aimatrix.write(str(tmp_path), [*made, lstm])
    text = (tmp_path / "micro" / "log_performance" / "allgemm_FP32.csv").read_text().splitlines()
    assert text[1:3] == ["1024,1024,1024,100.0,5.000000", "1024,1024,2048,100.0,3.000000"]
    assert text[3] == "[Peak TFLOPS]=5.000000, m=n=1024, k=1024"
    log = (tmp_path / "layer-based" / "log" / "lstm.log").read_text().splitlines()
    assert log[1] == "16,32,64,256,20.0,10"


def test_comparison(tmp_path):
    for folder, rates in (("a", (100.0, 50.0)), ("b", (200.0, 400.0))):
        for batch, rate in zip((16, 32), rates):
            one = record_of("resnet50", batch, rate)
            one["device"] = "sim" if folder == "a" else "ipu"
            records.append(str(tmp_path / folder), one)
    records.append(str(tmp_path / "b"), record_of("other", 1, 1.0))
    out = call("--compare", tmp_path / "a", tmp_path / "b" / records.FILE)
    rows = [line.split("\t") for line in out.splitlines() if "\t" in line]
    assert [row[5] for row in rows] == ["2.000", "8.000", "4.000"]
    assert rows[-1][0] == "geometric mean"
    assert "not the same: device: sim / ipu, sim" in out
    with pytest.raises(InvalidParameter, match="no measurement in common"):
        compare.rows([record_of("a", 1, 1.0)], [record_of("b", 1, 1.0)])


def test_curves():
    kept = [record_of("resnet50", batch, 10.0 * batch) for batch in (32, 16)]
    kept.append({"name": "x", "error": "no"})
    ((label, points),) = plot.curves(kept).items()
    assert label == "resnet50 fp32 sim"
    assert [point[:2] for point in points] == [(16, 160.0), (32, 320.0)]
    assert all(low < rate < high for _, rate, low, high in points)


@pytest.mark.parametrize("kind, start", [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures(tmp_path, kind, start):
    target = tmp_path / f"plot.{kind}"
    for batch in (1, 2):
        records.append(str(tmp_path), record_of("resnet50", batch, 10.0 * batch))
    call("--results", tmp_path, "--plot", target)
    assert target.read_bytes().startswith(start)


@pytest.mark.parametrize(
    "arguments, message, code",
    [
        ([], "nothing to measure", 3),
        (["--suite", "no"], "no suite is named 'no'; the names are aimatrix, layers, gemm", 3),
        (["conv:x"], "and the number of a row", 3),
        (["conv:0"], "accepted: 1 to 109", 3),
        (["conv:1", "--batch", "2"], "the batch belongs to the rows", 3),
        (["resnet50", "--shape", "x=1"], "--shape belongs to a MODEL", 3),
        (["resnet50", "--batch", "0"], "the batch is 0", 3),
        (["resnet50", "--runs", "0"], "--runs is 0; accepted: more than 0", 3),
        (["--compare", "no", "no"], "no: no such file of records", 2),
        (["--results", "{tmp}", "--plot", "x.png"], "no such file of records", 2),
    ],
)
def test_mistakes(tmp_path, arguments, message, code):
    assert message in call(*[one.format(tmp=tmp_path) for one in arguments], code=code)


def test_several_are_lines_for_people_on_a_terminal():
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "odla_ipu.cli", "bench", "fc:9", "gemm:30"]
    command += ["--memory", "2", "--quick", "--device", "sim"]
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE)
    _, error = process.communicate(timeout=100)
    os.close(theirs)
    text = os.read(ours, 10000).decode()
    os.close(ours)
    # Too little memory is an answer, not a failure.
    assert process.returncode == 0 and error == b""
    first, second = text.splitlines()
    assert re.fullmatch(r"fc:9 fp32: [\d.e+]+ runs/s, [\d.e-]+ ms \+- [\d.e-]+", first)
    assert second.startswith("gemm:30 fp32: gemm:30 needs about")


def test_files_that_are_no_records(tmp_path):
    path = tmp_path / records.FILE
    with pytest.raises(FileMissing):
        records.read(str(path))
    path.write_text('{"name": "a"}\n[1]\n{"name": "b"}\n')
    with pytest.raises(BadFile, match="line 2: no record"):
        records.read(str(path))
    path.write_text('{"name": "a", "runs": 1}\n{"name": "a", "runs": 2}\n{"na')
    assert records.read(str(path)) == [{"name": "a", "runs": 2}]


def test_deviation():
    inf, nan = np.inf, np.nan
    assert accuracy.deviation(np.float32([1, nan, inf]), np.float32([1, nan, inf])) == 0
    assert accuracy.deviation(np.float32([1, 3]), np.float32([1, 4])) == 0.25
    assert np.isnan(accuracy.deviation(np.float32([nan, 3]), np.float32([1, 4])))
    assert accuracy.deviation(np.zeros(2), np.zeros(3)) == inf
    assert accuracy.deviation(np.zeros(0), np.zeros(0)) == 0
    large = np.ones(3 << 20, np.float32)
    other = large.copy()
    other[-1] = 3
    assert accuracy.deviation(large, other) == pytest.approx(2 / 3)


def test_the_lowered_model_runs_in_plain_onnxruntime():
    with Computation() as c:
        output(relu(c.argument("x", (2, 3))), "y")
    x = np.float32([[1, -2, 3], [-4, 5, -6]])
    found = accuracy.run_lowered(c.graph, {"x": x})
    np.testing.assert_array_equal(found["y"], np.maximum(x, 0))


@pytest.mark.parametrize(
    "name", ["bert_base", "crnn", "ssd_vgg16", "dssd", "faster_rcnn", "mask_rcnn"]
)
def test_networks_with_kernels_and_ops_of_popart_have_a_reference(name, device):
    how = Conditions(device=device, runs=1, warm_up=1)
    record = measure(of_example(name, None, quick=True), how, lambda text: None)
    assert record["reference"] == "onnxruntime" and record["deviation"] < 1e-4


def test_what_only_popart_can_express_is_held_against_the_simulator(device):
    def build():
        with Computation() as c:
            x = c.argument("x", (2, 6, 4))
            output(group_normalization(x, groups=2), "y")
        return c

    def reference(built, feeds):
        return Reference("onnxruntime", accuracy.run_lowered(built.graph, feeds))

    subject = Subject(
        name="group",
        kind="model",
        build=build,
        compile=lambda built, device, precision: built.compile(device, precision),
        feeds=lambda executable: random_feeds(executable.arguments),
        reference=reference,
    )
    for precision in ("fp32", "fp16"):
        how = Conditions(device=device, precision=precision, runs=1, warm_up=1)
        record = measure(subject, how, lambda text: None)
        if (precision, device) == ("fp32", "sim"):
            assert record["deviation"] is None and "cannot check" in record["reference"]
        else:
            assert 0 < record["deviation"] < 5e-3 and record["reference"] == "simulator, fp32"


def test_the_suite_of_all_models_knows_every_example():
    assert {task.name for task in suite.suite("aimatrix", (), quick=True)} == set(examples.names())
    tasks = suite.suite("CNN_Tensorflow", (), quick=False)
    assert {(task.name, task.batch) for task in tasks} >= {("resnet50", 16), ("resnet50", 64)}
    assert len(suite.suite("layers", (), quick=False)) == sum([109, 9, 2 * 24, 77, 4 * 96, 3 * 40])
