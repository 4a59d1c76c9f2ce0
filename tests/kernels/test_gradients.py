"""Gradient ops of kernels, as PopART asks for them in training, against finite differences."""

import inspect
import pathlib

import numpy as np
import oracle
import pytest

from odla_ipu import sim as popart
from odla_ipu.custom import KERNELS, all_custom_ops, find_kernel
from odla_ipu.device import open_device
from odla_ipu.sim import poplar
from odla_ipu.sim.customop import Info


def made(root, folder, name, inputs, attributes, tiles, debug):
    library = poplar.load_kernel(root / folder, debug=debug)
    target = poplar.Target(tiles, 6, 638976 if tiles > 1000 else 1 << 30, 1.33e9, "ipu2")
    infos = [Info(x.dtype, x.shape) for x in inputs]
    return poplar.create(
        "odla.ipu", name, 1, infos, attributes, library=library, target=target, debug=debug
    )


def run(kernel, inputs):
    outputs = [np.ones(info.shape, info.dtype) for info in kernel.outputs]
    kernel.run(inputs, outputs)
    return outputs


def reverse(x, lengths):
    return oracle.onnx_op("ReverseSequence", [x.astype("f4"), lengths.astype("i8")])[0]


def layer_norm(x, scale, bias):
    less = x - x.mean(-1, keepdims=True)
    return less / np.sqrt((less**2).mean(-1, keepdims=True) + 1e-3) * scale + bias


CASES = {
    "IpuGelu": ("ipu_gelu", [(3, 37)], {}, oracle.gelu),
    "IpuRsqrt": ("rsqrt", [(5, 7)], {}, lambda x: 1 / np.sqrt(x)),
    "BiasGelu": ("bias_gelu", [(2, 9, 7), (7,)], {}, lambda x, bias: oracle.gelu(x + bias)),
    "LayerNorm": ("layer_norm", [(4, 3, 45), (45,), (45,)], {"epsilon": 1e-3}, layer_norm),
    "ReverseSequence": (
        "reverse_sequence",
        [(6, 3, 5), (3,)],
        {"batch_axis": 1, "time_axis": 0},
        reverse,
    ),
}


def slopes(function, inputs, given, place, step):
    """The derivatives of sum(given * result) by an input, as central differences."""
    wide = [x.astype(np.float64) for x in inputs]
    found = np.zeros(inputs[place].shape)
    for at in np.ndindex(found.shape):
        ends = []
        for sign in (1, -1):
            moved = [x.copy() for x in wide]
            moved[place][at] += sign * step
            ends.append((given * function(*moved)).sum())
        found[at] = (ends[0] - ends[1]) / (2 * step)
    return found


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_gradients(root, name, dtype, debug):
    folder, shapes, attributes, function = CASES[name]
    rng = np.random.default_rng(1)
    inputs = [(np.abs(rng.normal(size=shape)) + 0.2).astype(dtype) for shape in shapes]
    inputs[0] *= 1 if name == "IpuRsqrt" else np.sign(rng.normal(size=shapes[0])).astype(dtype)
    if name == "ReverseSequence":
        inputs[1] = np.int32([6, 1, 4])
    given = rng.normal(size=np.shape(function(*inputs))).astype(dtype)
    step = 0.25 if name == "ReverseSequence" else 1e-5  # in float32, but linear
    for tiles in (4, 1472):
        forward = made(root, folder, name, inputs, attributes, tiles, debug)
        sources = {"input": inputs, "output": run(forward, inputs), "gradient": [given]}
        (gradient,) = forward.gradients()
        found = run(gradient.kernel, [sources[kind][place] for kind, place in gradient.inputs])
        assert len(found) == len(gradient.outputs) > 0
        bound = 2e-5 if dtype == "float32" else 2e-2
        for one, place in zip(found, gradient.outputs):
            assert one.dtype == inputs[place].dtype and one.shape == inputs[place].shape
            wanted = slopes(function, inputs, given.astype("f8"), place, step)
            np.testing.assert_allclose(one, wanted, bound, bound)


def test_far_from_zero(root):
    """Where gelu's slope is 0 or 1, and of what is no number."""
    x = np.float32([-1e30, -60, -9, 9, 60, 1e30, np.nan])
    (gradient,) = made(root, "ipu_gelu", "IpuGelu", [x], {}, 4, False).gradients()
    (found,) = run(gradient.kernel, [np.ones_like(x), x])
    np.testing.assert_allclose(found, [0, 0, 0, 1, 1, 1, np.nan], atol=1e-6)


def test_no_rows(root):
    inputs = [np.zeros((0, 3), "f4"), np.ones(3, "f4"), np.ones(3, "f4")]
    forward = made(root, "layer_norm", "LayerNorm", inputs, {"epsilon": 1e-5}, 4, False)
    (gradient,) = forward.gradients()
    x, scale, bias = run(gradient.kernel, [inputs[0], *inputs[:2]])
    assert x.shape == (0, 3) and scale.tolist() == bias.tolist() == [0, 0, 0]


def test_kernels_without_a_gradient_have_none(root):
    x = np.ones((1, 2, 2), "f4")
    assert made(root, "determinant", "Determinant", [x], {}, 4, False).gradients() == []


def test_declarations_say_which_have_one():
    """What ``op.cpp`` brings along, and what Python knows of it."""
    for name in all_custom_ops():
        kernel = KERNELS.get(name)
        if kernel is not None and kernel.__module__.startswith("odla_ipu."):
            source = pathlib.Path(inspect.getfile(kernel)).parent / "op.cpp"
            assert kernel.has_gradient == ("ODLA_GRADIENT(" in source.read_text()), name


# In training sessions.


def trained(name, x):
    """The gradient of the sum of 0.5 x^2 + op(x^2), by x."""
    open_device("sim").provide(find_kernel(name))
    kernel = find_kernel(name)
    b = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    w = b.addInitializedInputTensor(x, "w")
    square = b.aiOnnx.mul([w, w])
    (y,) = b.customOp(kernel.__name__, 1, "odla.ipu", [square], {})
    parts = [b.aiGraphcore.identityloss([one], popart.ReductionType.Sum) for one in (square, y)]
    loss = b.aiOnnx.add([b.aiGraphcore.scale([parts[0]], 0.5), parts[1]])
    session = popart.TrainingSession(
        b.getModelProto(),
        popart.DataFlow(1, [loss, "Gradient___w"]),
        loss,
        popart.ConstSGD(0.1),
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    session.weightsFromHost()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO({}, anchors))
    return anchors["Gradient___w"]


def test_training_goes_through_kernels():
    x = np.random.default_rng(2).normal(size=(3, 7)).astype("f4")
    step = 1e-5
    wide = x.astype("f8") ** 2
    slope = (oracle.gelu(wide + step) - oracle.gelu(wide - step)) / (2 * step)
    np.testing.assert_allclose(trained("custom_IpuGelu", x), x + 2 * x * slope, 1e-4, 1e-4)


def test_kernels_without_a_gradient_stop_it():
    x = np.random.default_rng(2).normal(size=(2, 3, 3)).astype("f4")
    np.testing.assert_allclose(trained("Determinant", x), x, rtol=1e-6)
