"""The onnx.backend interface beyond what the node tests use."""

import numpy as np
import onnx.backend.base
import pytest
from onnx import helper
from onnx_stack import build

from odla_ipu.errors import InvalidParameter
from odla_ipu.frontends.onnx import Backend, backend

X = np.float32([[1, -2, 3]])
MODEL = onnx.load_from_string(
    build(
        [helper.make_node("Sub", ["x", "z"], ["y"]), helper.make_node("Relu", ["x"], ["r"])],
        {"x": X, "z": X},
        outputs=("y", "r"),
        shapes={"x": ("n", 3), "z": ("n", 3)},
    )
)


def test_open_dimensions_come_from_the_inputs(device):
    prepared = backend.prepare(MODEL, device)
    for rows in (1, 4, 1):
        x = np.repeat(X, rows, axis=0)
        y, r = prepared.run([x, x + 1])
        np.testing.assert_array_equal(y, np.full((rows, 3), -1, np.float32))
        np.testing.assert_array_equal(r, np.maximum(x, 0))


def test_inputs_by_name_and_run_model(device):
    y, _ = backend.run_model(MODEL, {"z": X, "x": X + 2}, device)
    np.testing.assert_array_equal(y, np.full((1, 3), 2, np.float32))


def test_run_node(device):
    node = helper.make_node("Clip", ["x", "", "high"], ["y"])
    (y,) = backend.run_node(node, [X, np.float32(1)], device)
    np.testing.assert_array_equal(y, np.float32([[1, -2, 1]]))


def test_wrong_number_of_inputs_and_unknown_device(device):
    with pytest.raises(InvalidParameter, match="1 inputs; accepted: x, z"):
        backend.prepare(MODEL, device).run(X)
    with pytest.raises(InvalidParameter, match="device is 'TPU'; accepted: CPU"):
        backend.prepare(MODEL, "TPU")


def test_support():
    assert backend.supports_device("CPU")
    assert backend.supports_device("sim:0")
    assert not backend.supports_device("TPU")
    unsupported = build([helper.make_node("Unique", ["x"], ["y"], sorted=0)], {"x": X})
    assert not backend.is_compatible(onnx.load_from_string(unsupported), "CPU")
    assert backend.is_compatible(MODEL, "CPU")


def test_the_class_is_onnxs_own_interface(device):
    assert issubclass(Backend, onnx.backend.base.Backend)
    y, _ = Backend.run_model(MODEL, [X, X + 1], device)
    np.testing.assert_array_equal(y, [[-1, -1, -1]])
