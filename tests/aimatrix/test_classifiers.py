"""The classifiers of AI Matrix against the same networks written in ONNX, in onnxruntime."""

import collections
import math

import numpy as np
import onnxruntime
import pytest
from aimatrix import classifiers
from odla_ipu.examples.common import layers

from odla_ipu import examples
from odla_ipu.bench import count

NAMES = sorted(classifiers.NETWORKS)

# Published of the networks: convolutions, numbers in their kernels (and matrices where so given),
# multiplications for one image.
KERNELS = {"densenet121_coded": 4_821_696 - 1_344_000, "synnet": 21_210_653}
MACS = {"densenet121_coded": 1_388_989_632, "synnet": 19_108_343_114 + 387_000}
CONVOLUTIONS = {
    "caffe_densenet121": 121,
    "caffe_googlenet": 57,
    "caffe_resnet152": 155,
    "caffe_resnet50": 53,
    "caffe_squeezenet": 26,
    "densenet121": 120,
    "densenet121_coded": 88,
    "googlenet": 57,
    "resnet152": 155,
    "resnet50": 53,
    "synnet": 62,
}


def looked_at(name):
    """The example's computation for one image of the original size, and its weights."""
    weights = examples.Weights(seed=None)
    return examples.find(name).build(1, weights), weights


def size_of(example):
    return next(iter(example.build(1, examples.Weights(seed=None)).arguments.values())).dims[2]


def pixels_of(name, batch, size):
    make = layers.random_data if name.startswith("caffe") else layers.random_pixels
    argument = "data" if name.startswith("caffe") else "Images"
    return make(argument, size)(batch, np.random.default_rng(0))


def assert_equal_networks(name, batch, size, device):
    weights = examples.Weights(seed=3)
    computation = examples.find(name).build(batch, weights, size=size)
    feeds = pixels_of(name, batch, size)
    model = classifiers.NETWORKS[name](weights.given, batch, size)
    assert {one.name for one in model.graph.initializer} >= set(weights.given)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, feeds)
    del session
    with computation.compile(device=device) as executable:
        got = executable.run(feeds)[next(iter(computation.outputs))]
    assert got.shape == expected.shape == (batch, 1000)
    # A network that gives every image the same would hide mistakes.
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * np.abs(expected).max()
    assert np.abs(got - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_small_images(name, device):
    assert_equal_networks(name, 2, 64 if name != "caffe_squeezenet" else 67, device)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_original_size(name, device):
    assert_equal_networks(name, 2, size_of(examples.find(name)), device)


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_network(name):
    computation, weights = looked_at(name)
    example = examples.find(name)
    assert weights.parameters == example.parameters
    assert count.macs(computation) == example.macs
    parameters, macs = counted(name, weights)
    assert (parameters, macs) == (example.parameters, example.macs)
    kinds = collections.Counter(node.name for node in computation.graph.nodes)
    assert kinds["odla_Conv"] == CONVOLUTIONS[name]
    if name in KERNELS:
        kernels = sum(array.size for array in weights.given.values() if array.ndim == 4)
        assert kernels == KERNELS[name] and example.macs == MACS[name]


def counted(name, weights):
    """Trained numbers and multiplications of the ONNX model."""
    size = 227 if name == "caffe_squeezenet" else 224
    model = classifiers.NETWORKS[name](weights.given, 1, size)
    dims = {one.name: list(one.dims) for one in model.graph.initializer}
    shapes = {
        one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in model.graph.value_info
    }
    parameters = sum(
        math.prod(shape)
        for tensor, shape in dims.items()
        if tensor in weights.given and not tensor.endswith((".mean", ".var"))
    )
    macs = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            macs += math.prod(shapes[node.output[0]]) * math.prod(dims[node.input[1]][1:])
        elif node.op_type == "Gemm":
            macs += math.prod(dims[node.input[1]])
    return parameters, macs


def test_caffes_networks_have_what_is_told_of_them():
    kinds = {
        name: collections.Counter(node.name for node in looked_at(name)[0].graph.nodes)
        for name in ("caffe_googlenet", "caffe_resnet152", "caffe_densenet121", "caffe_squeezenet")
    }
    assert kinds["caffe_googlenet"]["odla_LRN"] == 2
    assert kinds["caffe_googlenet"]["odla_Concat"] == 9
    assert kinds["caffe_resnet152"]["odla_Add"] == 50
    assert kinds["caffe_densenet121"]["odla_Concat"] == 58
    assert kinds["caffe_squeezenet"]["odla_Concat"] == 8


@pytest.mark.parametrize(
    "size, window, stride, front, back",
    [(112, 3, 2, 0, 1), (224, 7, 2, 2, 3), (7, 2, 1, 0, 1), (7, 4, 1, 1, 2), (5, 5, 1, 2, 2)],
)
def test_same_pads_the_end_by_more(size, window, stride, front, back):
    x = type("Image", (), {"dims": (1, 1, size, size)})
    assert layers.pads(x, window, stride, "SAME") == ((front, front), (back, back))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "googlenet"])
def test_half_precision_ranks_alike(name, device):
    example = examples.find(name)
    computation = example.build(4, examples.Weights(seed=1))
    feeds = example.inputs(4, np.random.default_rng(1))
    single, half = (
        computation.run(feeds, device=device, precision=precision)["logits"]
        for precision in ("fp32", "fp16")
    )
    assert (single.argmax(axis=1) == half.argmax(axis=1)).all()
    assert np.linalg.norm(single - half) <= 2e-2 * np.linalg.norm(single)
