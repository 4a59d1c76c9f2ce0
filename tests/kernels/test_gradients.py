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


def gather_elements(x, indices):
    return np.take_along_axis(x[:2], indices.astype("i8"), 2)


def gather_rows(x, indices):
    return np.take_along_axis(x[:, :2], indices.astype("i8"), 0)


def gather_nd(x, indices):
    return np.stack([one[tuple(at.astype("i8").T)] for one, at in zip(x, indices)])


def compress(x, condition):
    kept = np.compress(condition, x, 1)
    return np.concatenate([kept, np.zeros((3, 4 - kept.shape[1], 4))], 1)


def compress_rows(x, condition):
    kept = np.compress(condition, x, 0)
    return np.concatenate([kept, np.zeros((6 - len(kept), 40))])


def bags(table, indices, weights=None):
    rows = np.where(indices[..., None] >= 0, table[np.maximum(indices.astype("i8"), 0)], 0)
    return (rows if weights is None else rows * weights[..., None]).sum(1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def au_gru(x, state, attention, gate_weights, gate_bias, weights, bias):
    gates = sigmoid(np.concatenate([x, state], 1) @ gate_weights + gate_bias)
    reset, update = np.split(gates, 2, axis=1)
    candidate = np.tanh(np.concatenate([x, reset * state], 1) @ weights + bias)
    keep = (1 - attention[:, None]) * update
    return keep * state + (1 - keep) * candidate


def put(x, indices, updates, axis=1, adds=False):
    """Updates of columns in their order; an index out of range is left out."""
    result, size = x.copy(), x.shape[axis]
    for at in np.ndindex(indices.shape):
        row = int(indices[at])
        to = list(at)
        to[axis] = row + size if row < 0 else row
        if 0 <= to[axis] < size:
            result[tuple(to)] = updates[at] + (result[tuple(to)] if adds else 0)
    return result


INDICES = {
    "ScatterReduce": np.int32([[1, 1, -1], [4, 9, 0]]),
    "ScatterReduce of sums": np.int32([[0, 1], [0, -3], [0, 7]]),
    "EmbeddingBag": np.int32([[0, 3, 3, -1], [5, 2, 0, 0], [-1, -1, -1, -1]]),
    "EmbeddingBag with weights": np.int32([[1, 1], [4, -1]]),
    "GatherElements": np.random.default_rng(3).integers(-5, 5, (2, 3, 4), np.int32),
    "GatherElements of rows": np.int32([[0, 1], [3, -1], [0, 1], [0, 2], [-4, 1]]),
    "GatherND": np.random.default_rng(3).integers(0, 3, (2, 5, 2), np.int32),
    "Compress": np.array([True, False, True, True]),
    "Compress of rows": np.array([False, True, True, False, False, True]),
    "ReverseSequence": np.int32([6, 1, 4]),
}
"""Second inputs that are no floats."""

CASES = {
    "IpuGelu": ("ipu_gelu", [(3, 37)], {}, oracle.gelu),
    "IpuRsqrt": ("rsqrt", [(5, 7)], {}, lambda x: 1 / np.sqrt(x)),
    "BiasGelu": ("bias_gelu", [(2, 9, 7), (7,)], {}, lambda x, bias: oracle.gelu(x + bias)),
    "LayerNorm": ("layer_norm", [(4, 3, 45), (45,), (45,)], {"epsilon": 1e-3}, layer_norm),
    "Determinant": ("determinant", [(3, 5, 5)], {}, np.linalg.det),
    "MatrixInverse": ("matrix_inverse", [(3, 4, 4)], {}, np.linalg.inv),
    "GatherElements": ("gather_elements", [(4, 3, 5), (2, 3, 4)], {"axis": 2}, gather_elements),
    "GatherElements of rows": ("gather_elements", [(4, 3), (5, 2)], {"axis": 0}, gather_rows),
    "GatherND": ("gather_nd", [(2, 3, 4, 2), (2, 5, 2)], {"batch_dims": 1}, gather_nd),
    "EmbeddingBag": ("embedding_bag", [(6, 5), (3, 4)], {}, bags),
    "EmbeddingBag with weights": ("embedding_bag", [(5, 3), (2, 2), (2, 2)], {}, bags),
    "ScatterReduce": ("scatter_reduce", [(3, 5), (2, 3), (2, 3)], {"axis": 1, "reduction": 0}, put),
    "ScatterReduce of sums": (
        "scatter_reduce",
        [(4, 3), (3, 2), (3, 2)],
        {"axis": 0, "reduction": 1},
        lambda x, indices, updates: put(x, indices, updates, 0, True),
    ),
    "AuGruCell": (
        "au_gru_cell",
        [(4, 3), (4, 5), (4,), (8, 10), (10,), (8, 5), (5,)],
        {},
        au_gru,
    ),
    "Compress": ("compress", [(3, 5, 4), (4,)], {"axis": 1}, compress),
    "Compress of rows": ("compress", [(6, 40), (6,)], {"axis": 0}, compress_rows),
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


SINGLE = ("Determinant", "MatrixInverse")
"""Kernels of FLOAT only."""


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "name, dtype",
    [(name, "float32") for name in sorted(CASES)]
    + [(name, "float16") for name in sorted(CASES) if name not in SINGLE],
)
def test_gradients(root, name, dtype, debug):
    folder, shapes, attributes, function = CASES[name]
    rng = np.random.default_rng(1)
    inputs = [(np.abs(rng.normal(size=shape)) + 0.2).astype(dtype) for shape in shapes]
    inputs[0] *= 1 if name == "IpuRsqrt" else np.sign(rng.normal(size=shapes[0])).astype(dtype)
    if name in INDICES:
        inputs[1] = INDICES[name]
    if name == "AuGruCell":
        inputs = [x / 2 for x in inputs]
    if name in SINGLE:
        inputs[0] += 2 * np.eye(shapes[0][1], dtype=dtype)
    given = rng.normal(size=np.shape(function(*inputs))).astype(dtype)
    step = 0.25 if name == "ReverseSequence" else 1e-5  # in float32, but linear
    for tiles in (4, 1472):
        forward = made(root, folder, name.split()[0], inputs, attributes, tiles, debug)
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
    inputs = [np.ones((2, 3), "f4"), np.ones(1, "f4"), np.zeros(1, "i1")]
    quantize = made(root, "quantize_linear", "QuantizeLinear", inputs, {"axis": 0}, 4, False)
    assert quantize.gradients() == []


def test_cofactors_of_singular_matrices(root):
    x = np.float32([[[1, 2, 3], [2, 4, 6], [0, 1, 5]], [[0, 0, 0], [0, 0, 0], [0, 0, 7]]])
    forward = made(root, "determinant", "Determinant", [x], {}, 4, False)
    (gradient,) = forward.gradients()
    (found,) = run(gradient.kernel, [np.float32([1, 2]), x])
    for one, matrix, factor in zip(found, x, (1, 2)):
        wanted = [
            [
                factor
                * (-1) ** (i + j)
                * np.linalg.det(np.delete(np.delete(matrix.astype("f8"), i, 0), j, 1))
                for j in range(3)
            ]
            for i in range(3)
        ]
        np.testing.assert_allclose(one, wanted, atol=1e-4)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 0), (2, 1, 1)])
@pytest.mark.parametrize("name", SINGLE)
def test_small_matrices(root, name, shape, debug):
    folder = CASES[name][0]
    x = np.full(shape, 4.0, "f4")
    forward = made(root, folder, name, [x], {}, 4, debug)
    (gradient,) = forward.gradients()
    given = np.ones(forward.outputs[0].shape, "f4")
    second = x if name == "Determinant" else np.full(shape, 0.25, "f4")
    (found,) = run(gradient.kernel, [given, second])
    np.testing.assert_allclose(found, np.full(shape, 1 if name == "Determinant" else -1 / 16))


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
