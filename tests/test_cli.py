"""The command line as its users type it, in a process of its own where output matters."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from odla_ipu.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """y = relu(x w) with an open batch."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    w = np.random.RandomState(0).standard_normal((4, 3)).astype("f4")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Relu", ["h"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(w, "w")],
    )
    path = str(tmp_path_factory.mktemp("cli") / "net.onnx")
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, path)
    return path


def call(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_run_and_check(model, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 4), "f4"))
    out = call(
        "run", model, "--input", f"x={tmp_path / 'x.npy'}", "--device", "sim", "--check",
        "--output", tmp_path / "out",
    )  # fmt: skip
    assert "float32[2,3]" in out and "\tok" in out and "device: sim, fp32" in out
    assert np.load(tmp_path / "out" / "y.npy").shape == (2, 3)


def test_run_with_shape_and_fp16(model):
    out = call(
        "run", model, "--shape", "x=5,4", "--device", "sim", "--precision", "fp16", "--check"
    )
    assert "float32[5,3]" in out


def test_run_with_a_trace(model, tmp_path):
    path = tmp_path / "trace.json"
    out = call("run", model, "--shape", "x=5,4", "--device", "sim", "--trace", path)
    assert "float32[5,3]" in out
    events = json.loads(path.read_text())["traceEvents"]
    names = [event["name"] for event in events if event["ph"] == "X"]
    assert any("h" in name.split("+") for name in names)
    assert sum(event.get("cat") == "run" for event in events) == 1
    call("run", model, "--shape", "x=5,4", "--trace", tmp_path / "no" / "t", code=1)


def test_open_shape_says_what_to_do(model):
    out = call("run", model, "--device", "sim", code=3)
    assert "--shape x=" in out


def test_batch(model):
    assert "float32[6,3]" in call("run", model, "--shape", "x=1,4", "--batch", 6, "--device", "sim")


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["run", "nothing.onnx"], 2, "nothing.onnx: no such file, and no trained model"),
        (["run", "{model}", "--shape", "x"], 3, "'x' is not of the form name=value"),
        (["run", "{model}", "--shape", "x=a,b"], 3, "accepted: sizes with commas"),
        (["run", "{model}", "--input", "x=no.npy"], 2, "no.npy: no such file"),
        (["run", "{model}", "--input", "x={model}"], 3, "is no .npy file"),
        (["run", "{model}", "--shape", "x=1,,4"], 3, "accepted: sizes with commas"),
        (["run", "{model}", "--input", "x={folder}/x.npz"], 3, "an archive of arrays"),
        (["run", "{model}", "--input", "x={folder}/empty.npy"], 3, "is no .npy file"),
        (["run", "{model}", "--shape", "x=1,4", "--output", "{model}"], 1, "File exists"),
        (["compile", "{model}", "--shape", "x=1,4", "-o", "{folder}"], 3, "that is a folder"),
        (["config"], 3, "accepted: --cflags, --ldflags, --include, --libdir"),
    ],
)
def test_mistakes(model, tmp_path, arguments, code, message):
    np.savez(str(tmp_path / "x.npz"), x=np.zeros(3))
    (tmp_path / "empty.npy").write_bytes(b"")
    out = call(*[one.format(model=model, folder=tmp_path) for one in arguments], code=code)
    assert message in out and "Traceback" not in out


def test_compile_and_run_the_file(model, tmp_path):
    target = tmp_path / "net.odla"
    assert "net.odla" in call("compile", model, "-o", target, "--shape", "x=2,4", "--device", "sim")
    assert "float32[2,3]" in call("run", target, "--device", "sim")
    assert "an .odla file is compiled" in call("run", target, "--batch", 2, code=3)


def test_an_executable_file_has_its_own_precision(model, tmp_path):
    target = tmp_path / "half.odla"
    call(
        "compile", model, "-o", target, "--shape", "x=2,4", "--precision", "fp16", "--device", "sim"
    )
    assert "device: sim, fp16" in call("run", target, "--device", "sim")
    assert json.loads(call("bench", target, "--device", "sim", "--runs", 1))["precision"] == "fp16"


def one_op(path, op, dims):
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, str(path))
    return path


def test_check_takes_equal_nan_and_infinity_for_agreement(tmp_path):
    log = one_op(tmp_path / "log.onnx", "Log", [4])
    np.save(str(tmp_path / "x.npy"), np.float32([-1, 0, np.inf, 2]))
    given = f"x={tmp_path / 'x.npy'}"
    out = call("run", log, "--input", given, "--check", "--device", "sim")
    assert "ok" in out and "WRONG" not in out


def test_another_batch_than_the_files_cannot_be_checked(tmp_path):
    relu = one_op(tmp_path / "relu.onnx", "Relu", [2, 3])
    more = ["--batch", 5, "--device", "sim"]
    assert "onnxruntime cannot check this run" in call("run", relu, "--check", *more, code=3)
    out = call("bench", relu, "--runs", 1, *more)
    assert "onnxruntime cannot check this run" in out and '"deviation": null' in out


def test_bench_prints_one_json_record(model):
    record = json.loads(
        call("bench", model, "--shape", "x=2,4", "--device", "sim", "--runs", 3).strip()
    )
    assert record["device"] == "sim" and record["latency_ms"]["median"] > 0
    assert record["deviation"] < 1e-5


def test_devices(monkeypatch):
    found = {one["name"]: one for one in json.loads(call("devices", "--json"))}
    assert found["sim"]["available"]
    for name in ("ipu", "ipu_model"):
        assert found[name]["available"] or "SDK" in found[name]["reason"]


def test_ops():
    listed = json.loads(call("ops", "--json"))
    assert {"odla_Conv", "odla_LSTM", "odla_Gemm"} <= {row["op"] for row in listed}
    assert all(row["meaning"] for row in listed)


def test_popart_path_is_the_stand_in(tmp_path):
    path = call("config", "--popart-path").strip()
    script = "import popart; print(popart.versionString(), popart.DeviceManager)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": path, "PATH": ""},
        capture_output=True,
        text=True,
        cwd=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr


def test_include_is_the_folder_of_the_headers():
    include = pathlib.Path(call("config", "--include").strip())
    assert (include / "ODLA" / "odla.h").is_file()


@pytest.mark.skipif(not pathlib.Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "odla_ipu.cli", "ops"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pipe_gets_plain_text(model):
    done = subprocess.run(
        [sys.executable, "-m", "odla_ipu.cli", "run", model, "--shape", "x=1,4", "--device", "sim"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr and done.stderr == ""


def test_warnings_are_plain_lines(model):
    done = subprocess.run(
        [sys.executable, "-m", "odla_ipu.cli", "run", model, "--shape", "x=1,4"],
        env={name: text for name, text in os.environ.items() if name != "ODLA_IPU_DEVICE"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    for line in done.stderr.splitlines():  # none where there is an IPU
        assert line.startswith("Warning: odla_ipu computes on its simulator")


def test_a_tolerance_goes_with_check(model):
    arguments = ("run", model, "--shape", "x=5,4", "--device", "sim", "--precision", "fp16")
    assert "WRONG" in call(*arguments, "--check", "--tolerance", "0", code=1)
    assert "\tok" in call(*arguments, "--check", "--tolerance", "0.01")
    for more in (("--tolerance", "0.1"), ("--check", "--tolerance", "-1")):
        assert "accepted: 0 and more, together with --check" in call(*arguments, *more, code=3)
