"""Data movement beyond the samples: other precisions, the training forms, large operands."""

import numpy as np
import pytest
from reference import process as reference

import odla_ipu as odla
import odla_ipu.sim as popart
from odla_ipu.lowering import lower
from odla_ipu.passes import prepare

MODES = ["assymmetric", "half_pixel", "half_pixel_tf", "align_corners"]


@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_scales_are_not_rounded_to_half_precision(interpolation, device):
    x = np.arange(15, dtype="float32").reshape(3, 5)
    scales = np.array([10 / 3, 0.4], "float32")  # in half precision 0.4 * 5 < 2
    with odla.Computation() as c:
        y = odla.resize_dynamic(odla.argument("x", (3, 5)), scales, interpolation=interpolation)
        odla.output(y, "y")
    got = c.run(x=x, device=device, precision="fp16")["y"]
    expected = reference.resize_dynamic(x, scales, None, interpolation)
    assert got.shape == expected.shape == (10, 2)
    np.testing.assert_allclose(got, expected, rtol=2e-3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "shape, target", [((1, 2, 3, 4), (1, 2, 6, 9)), ((6, 5), (4, 1)), ((3,), (7,))]
)
def test_linear_resize_for_training(mode, shape, target):
    x = np.random.RandomState(0).rand(*shape).astype("float32")
    with odla.Computation() as c:
        y = odla.resize(odla.argument("x", shape), target, interpolation="linear", mode=mode)
        odla.output(y, "y")
    lowered = lower(prepare(c.graph, training=True), popart, training=True)
    got = _run(lowered, {"x": x}, {"y": target})["y"]
    expected = reference.resize(x, target, "linear", mode)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def _run(lowered, inputs, outputs):
    anchors = {lowered.outputs[name]: popart.AnchorReturnType("All") for name in outputs}
    session = popart.InferenceSession(
        lowered.builder.getModelProto(),
        popart.DataFlow(1, anchors),
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    results = {name: np.empty(dims, "float32") for name, dims in outputs.items()}
    feeds = {lowered.arguments[name]: array for name, array in inputs.items()}
    session.run(
        popart.PyStepIO(feeds, {lowered.outputs[name]: array for name, array in results.items()})
    )
    return results


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("size", range(1, 25))
def test_nearest_falls_on_the_right_side_of_halves(size, mode, device):
    """All sizes up to 24 in one computation."""
    x = np.arange(size, dtype="float32")
    with odla.Computation() as c:
        value = odla.argument("x", (size,))
        for target in range(1, 25):
            odla.output(odla.resize(value, (target,), mode=mode), f"y{target}")
    for target, got in enumerate(c.run(x=x, device=device).values(), 1):
        np.testing.assert_array_equal(got, reference.resize(x, (target,), "nearest", mode))


def test_large_gathers_keep_the_order(device):
    generator = np.random.RandomState(1)
    x = generator.rand(300, 70).astype("float32")
    rows = generator.randint(-300, 300, (150, 70))
    with odla.Computation() as c:
        value, index = odla.argument("x", x.shape), odla.argument("rows", rows.shape, "int64")
        odla.output(odla.gather_elements(value, index, axis=0), "elements")
        odla.output(odla.gather_nd(value, odla.argument("pairs", (4, 5, 2), "int32")), "pairs")
        odla.output(odla.gather(value, index, axis=0), "slices")
    pairs = generator.randint(-70, 70, (4, 5, 2)).astype("int32")
    got = c.run(x=x, rows=rows, pairs=pairs, device=device)
    np.testing.assert_array_equal(got["elements"], np.take_along_axis(x, rows, 0))
    np.testing.assert_array_equal(got["pairs"], x[pairs[..., 0], pairs[..., 1]])
    np.testing.assert_array_equal(got["slices"], x[rows])
