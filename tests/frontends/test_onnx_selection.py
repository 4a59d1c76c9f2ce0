"""NonMaxSuppression, whose ONNX result is as large as the data make it."""

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper
from onnx_stack import actual, build, expected, single

from odla_ipu import Computation
from odla_ipu.cli import main
from odla_ipu.frontends.onnx import backend, read

_RNG = np.random.default_rng(5)
_LOW = _RNG.uniform(0, 6, (2, 9, 2))
BOXES = np.concatenate([_LOW, _LOW + _RNG.uniform(1, 5, (2, 9, 2))], 2).astype(np.float32)
SCORES = _RNG.uniform(0, 1, (2, 3, 9)).astype(np.float32)


def model(count=4, overlap=0.3, threshold=0.25, **attributes):
    operands = [BOXES, SCORES, np.int64(count), np.float32(overlap), np.float32(threshold)]
    arrays = [np.asarray(one) for one in operands]
    return single("NonMaxSuppression", arrays, constants=[2, 3, 4], **attributes)


@pytest.mark.parametrize("count", [0, 1, 4, 20])
@pytest.mark.parametrize("attributes", [{}, {"center_point_box": 1}])
def test_selection(count, attributes, device):
    content, feeds = model(count, **attributes)
    (wanted,) = expected(content, feeds).values()
    (got,) = backend.prepare(onnx.load_from_string(content), device).run(feeds)
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype == wanted.dtype
    (rows,) = actual(content, feeds, device).values()
    np.testing.assert_array_equal(rows, wanted)


def test_nodes_that_read_the_selection(device):
    """As detection models end: the boxes that were selected."""
    nodes = [
        helper.make_node(
            "NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["rows"]
        ),
        helper.make_node("Gather", ["rows", "places"], ["pairs"], axis=1),
        helper.make_node("GatherND", ["boxes", "pairs"], ["y"]),
        helper.make_node("Shape", ["rows"], ["size"]),
    ]
    inputs = {"boxes": BOXES, "scores": SCORES}
    constants = {
        "most": np.array(3),
        "overlap": np.array(0.4, "f4"),
        "least": np.array(0.3, "f4"),
        "places": np.array([0, 2]),
    }
    content = build(nodes, inputs, constants, outputs=["y", "rows", "size"], opset=12)
    computation = Computation(graph=read(content))
    for seed in range(3):
        scores = np.random.default_rng(seed).uniform(0, 1, SCORES.shape).astype(np.float32)
        feeds = {"boxes": BOXES, "scores": scores}
        got = computation.run(feeds, device=device)
        for name, wanted in expected(content, feeds).items():
            np.testing.assert_array_equal(got[name], wanted)


def test_the_command_line_compares_what_is_selected(tmp_path, device):
    content, feeds = model()
    (tmp_path / "nms.onnx").write_bytes(content)
    given = []
    for name, array in feeds.items():
        np.save(tmp_path / f"{name}.npy", array)
        given += ["--input", f"{name}={tmp_path / name}.npy"]
    arguments = ["run", str(tmp_path / "nms.onnx"), *given, "--check", "--device", device]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "0.00e+00" in result.output
