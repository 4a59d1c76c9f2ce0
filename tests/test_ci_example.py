"""The workflow of docs/ci.md: its steps, run as a runner does."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

CI = pathlib.Path(__file__).parents[1] / "docs" / "ci"
WORKFLOW = yaml.safe_load((CI / "model.yml").read_text())
STEPS = [step for step in WORKFLOW["jobs"]["accuracy"]["steps"] if "run" in step]
GENERATOR = np.random.RandomState(0)
MIDDLES = GENERATOR.normal(0, 1, (4, 3, 1, 1))


def write_model(path):
    """A classifier of images by their mean colour; onnxruntime's is the reference of its file."""
    w = (2 * MIDDLES.reshape(4, 3)).T.astype("f4")
    b = -(MIDDLES**2).sum((1, 2, 3)).astype("f4")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        str(path),
    )


def write_examples(path, shift=0):
    labels = np.arange(40) % 4
    x = MIDDLES[labels] + GENERATOR.normal(0, 0.3, (40, 3, 32, 32))
    np.savez(path, x=x.astype("f4"), labels=(labels + shift) % 4)


@pytest.fixture
def place(tmp_path):
    write_model(tmp_path / "model.onnx")
    write_examples(tmp_path / "labelled.npz")
    (tmp_path / "gate.py").write_text((CI / "gate.py").read_text())
    return tmp_path


def run(step, place):
    folder = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **WORKFLOW["env"]}
    command = ["bash", "-e", "-c", step["run"]]
    return subprocess.run(command, cwd=str(place), env=environment, capture_output=True, text=True)


def test_every_step_passes(place):
    install, *others = STEPS
    assert install["name"] == "install"
    for step in others:
        done = run(step, place)
        assert done.returncode == 0, step["name"] + done.stdout + done.stderr
    assert (place / "model.odla").stat().st_size and (place / "record.json").stat().st_size


def step_of(name):
    return next(step for step in STEPS if step["name"] == name)


def test_wrong_decisions_fail(place):
    write_examples(place / "labelled.npz", shift=1)
    done = run(step_of("decisions are right"), place)
    assert done.returncode == 1 and "is below 0.9" in done.stderr


def test_numbers_that_are_too_far_fail(place):
    step = dict(step_of("fp16 stays near"))
    step["run"] = step["run"].replace("2e-2", "1e-9")
    done = run(step, place)
    assert done.returncode == 1 and "WRONG" in done.stdout


def test_what_popart_refuses_fails(place):
    (place / "model.onnx").write_bytes(b"no model")
    assert run(step_of("compile"), place).returncode not in (0, 1, 2)
