"""Operators that ODLA has no function for, and kernels that models name."""

import numpy as np
import pytest
from onnx import helper
from onnx_stack import actual, build, compare, single

from odla_ipu.errors import InvalidParameter
from odla_ipu.frontends.onnx import convert, parse, read

RNG = np.random.default_rng(3)


def f(*shape):
    return RNG.uniform(-2, 2, shape).astype(np.float32)


@pytest.mark.parametrize("reduction", ["none", "add", "max"])
def test_large_scatters_at_places_computed_at_run_time(reduction, device):
    """Linear in the size: 10,000 rows of 64, 5,000 of them written."""
    rows = RNG.permutation(10000)[:5000].reshape(-1, 1)
    operands = [f(10000, 64), rows, f(5000, 64)]
    compare(*single("ScatterND", operands, opset=18, reduction=reduction), device)
    places = np.repeat(rows, 64, 1)
    operands = [operands[0], places, operands[2]]
    compare(*single("ScatterElements", operands, opset=18, reduction=reduction), device)


def test_a_scatter_of_constants_folds():
    nodes = [
        helper.make_node("ScatterElements", ["shape", "place", "size"], ["target"]),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    weights = {"shape": np.int64([1, 24]), "place": np.int64([1]), "size": np.int64([-1])}
    graph = read(build(nodes, {"x": f(4, 6)}, weights, opset=18))
    assert graph.outputs[0].value.shape == (1, 24)
    assert [type(node).__name__ for node in graph.used_nodes()] == ["Reshape"]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits(op, dtype, device):
    operands = [RNG.integers(0, 100, shape).astype(dtype) for shape in ((3, 4), (4,))]
    compare(*single(op, operands, opset=18), device)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_lengths_of_sequences_computed_at_run_time(axes, device):
    batch, time = axes
    x = f(4, 4, 3)
    operands = [x, np.int64([1, 4, 3, 2])]
    compare(
        *single("ReverseSequence", operands, opset=10, batch_axis=batch, time_axis=time), device
    )


@pytest.mark.parametrize("x", [f(3, 4).round(), np.zeros((2, 2), "f4"), np.int32([0, 3, 0, 5])])
def test_non_zero(x, device):
    compare(*single("NonZero", [x]), device)


def test_non_zero_is_read(device):
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Transpose", ["places"], ["tuples"]),
        helper.make_node("GatherND", ["x", "tuples"], ["y"]),
    ]
    compare(build(nodes, {"x": f(5, 4).round()}), {"x": f(5, 4).round()}, device)


@pytest.mark.parametrize("x", [np.float32([2, 1, 1, 3, 4, 3]), np.int64([[5, 5], [5, 5]]), f(1)])
def test_unique(x, device):
    compare(*single("Unique", [x], outputs=4), device)


def test_images_of_regions_computed_at_run_time(device):
    rois = np.float32([[1, 0, 0, 3, 3], [0, 1, 2, 4, 4], [1, 2, 2, 2, 2]])
    content, feeds = single("MaxRoiPool", [f(2, 3, 6, 5), rois], pooled_shape=[2, 2])
    compare(content, feeds, device)
    content, _ = single("MaxRoiPool", [f(2, 3, 6, 5), rois + 1], constants=[1], pooled_shape=[2, 2])
    with pytest.raises(InvalidParameter, match="regions of the images.*accepted: 0 to 1"):
        read(content)


# Kernels by their domain.


def kernel_model(op, operands, outputs=1, **attributes):
    content, feeds = single(op, operands, domain="odla.ipu", outputs=outputs, **attributes)
    model = parse(content)
    return convert(model), feeds, content


def test_a_node_of_a_kernel(device):
    logits = np.float32([[[0, 1]], [[1, 0]], [[0, 1]]])
    graph, feeds, content = kernel_model("CtcGreedyDecode", [logits], outputs=2, blank=1)
    assert type(graph.nodes[0]).__name__ == "CtcGreedyDecode"
    labels, counts = actual(content, feeds, device).values()
    assert labels.tolist() == [[0, -1, -1]] and counts.tolist() == [1]


def test_a_node_of_a_kernel_is_checked():
    with pytest.raises(InvalidParameter, match="'beam' is not known; accepted: blank, merge"):
        kernel_model("CtcGreedyDecode", [f(3, 1, 2)], beam=3)
    with pytest.raises(InvalidParameter, match="0 inputs; accepted: logits, .lengths."):
        kernel_model("CtcGreedyDecode", [])


def test_the_names_that_halo_knows(device):
    index, data = np.int32([[0, 0, 1]]), f(1, 3)
    for domain in ("", "com.graphcore"):
        content, feeds = single("AttentionMask", [index, data], domain=domain)
        (mask,) = actual(content, feeds, device).values()
        wanted = -10000 * np.tanh(np.float64([[0, 0, 1], [0, 0, 1], [1, 1, 0]]))
        np.testing.assert_allclose(mask, wanted.reshape(1, 1, 3, 3), rtol=1e-5)
