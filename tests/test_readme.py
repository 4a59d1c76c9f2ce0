"""The README's example runs as it stands there, and its table is true."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

import odla_ipu as odla
from odla_ipu.ops import OPS

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()


def test_python_example(tmp_path, monkeypatch):
    shape = [1, 3, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, str(tmp_path / "model.onnx"))
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    names = {}
    exec(example, names)
    assert names["prob"].shape == (1, 64) and abs(names["prob"].sum() - 1) < 1e-5
    assert names["model"].outputs["y"].shape == (1, 3, 48, 320)
    assert odla.Executable.load("net.odla", "sim").outputs["prob"].shape == (1, 64)


def test_c_example(tmp_path):
    (tmp_path / "hello.c").write_text(re.search(r"```c\n(.*?)```", README, re.S).group(1))
    (command,) = re.findall(r"^cc hello\.c .*$", README, re.M)
    scripts = os.path.dirname(sys.executable)
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "ODLA_IPU_DEVICE": "sim",
    }
    done = subprocess.run(
        command, shell=True, cwd=str(tmp_path), env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = 1 / (1 + np.exp(-(np.array([1, 0, -0.5]) @ np.arange(1, 7).reshape(3, 2))))
    np.testing.assert_allclose(np.array(done.stdout.split(), float), expected, atol=1e-4)


def test_number_of_ops():
    stated = int(re.search(r"\| ODLA ops \| all (\d+);", README).group(1))
    # Those that make values, branches and loops are calls of their own.
    assert stated == len(OPS) + 13
