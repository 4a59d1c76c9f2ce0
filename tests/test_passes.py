"""Passes: what each ensures, and that the results do not change."""

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter, UnsupportedType
from odla_ipu.passes import prepare
from odla_ipu.passes.batchnorm import fold_batch_normalization
from odla_ipu.passes.layout import channels_first
from odla_ipu.passes.precision import convert, to_device_types
from odla_ipu.types import ElementType, MemoryLayout

random = np.random.RandomState(0)


def array(*shape):
    return random.standard_normal(shape).astype("f4")


def names(graph):
    return [node.name for node in graph.used_nodes()]


def channels_last_network():
    with odla.Computation() as c:
        x = odla.argument("x", (2, 9, 8, 3))
        last = {"input_layout": "channels_last", "kernel_layout": "sio"}
        y = odla.conv(x, array(3, 3, 3, 4), strides=(2, 1), **last)
        y = odla.relu(odla.add(y, array(4)))
        z = odla.conv(y, array(1, 1, 4, 5), **last)
        y = odla.concat([y, odla.mul(z, 2.0)], axis=-1)
        y = odla.max_pool(y, (2, 2), input_layout="channels_last")
        odla.output(y, "y")
    return c


def test_a_channels_last_network_transposes_at_its_ends_only():
    graph = channels_first(channels_last_network().graph)
    assert names(graph).count("odla_Transpose") == 2
    assert names(graph)[0] == names(graph)[-1] == "odla_Transpose"
    for node in graph.nodes:
        assert node.attributes().get("input_layout", MemoryLayout.CHANNELS_FIRST) == 0
        if node.name == "odla_Conv":
            assert node.kernel_layout is MemoryLayout.OIS and node.kernel.is_constant


def test_a_channels_last_network_computes_the_same(device):
    c = channels_last_network()
    x = array(2, 9, 8, 3)
    got = c.run(x=x, device=device)["y"]

    def conv(x, w, stride):
        kh, kw = w.shape[:2]
        height = (x.shape[1] - kh) // stride[0] + 1
        width = (x.shape[2] - kw) // stride[1] + 1
        out = np.zeros((x.shape[0], height, width, w.shape[3]))
        for i in range(kh):
            for j in range(kw):
                rows = x[:, i : i + height * stride[0] : stride[0]][:, :height]
                part = rows[:, :, j : j + width * stride[1] : stride[1]][:, :, :width]
                out += part @ w[i, j].astype("f8")
        return out

    weights = [
        value.data for node in c.graph.nodes for value in node.operands() if value.data is not None
    ]
    kernel, shift, second = weights[:3]
    y = np.maximum(conv(x, kernel, (2, 1)) + shift, 0)
    y = np.concatenate([y, 2 * conv(y, second, (1, 1))], axis=-1)
    height, width = y.shape[1] - 1, y.shape[2] - 1
    windows = [y[:, i : i + height, j : j + width] for i in (0, 1) for j in (0, 1)]
    np.testing.assert_allclose(got, np.max(windows, axis=0), rtol=1e-4, atol=1e-5)


def norm_after_conv(consumers=1, argument_kernel=False):
    with odla.Computation() as c:
        x = odla.argument("x", (1, 3, 5, 5))
        w = odla.argument("w", (4, 3, 3, 3)) if argument_kernel else array(4, 3, 3, 3)
        y = odla.conv(x, w, bias=array(4))
        z = odla.batch_normalization(
            y, array(4), np.abs(array(4)) + 0.5, scale=array(4), offset=array(4), epsilon=1e-3
        )
        odla.output(z, "z")
        if consumers == 2:
            odla.output(y, "y")
    return c


def test_batch_normalization_goes_into_the_convolution(device):
    c = norm_after_conv()
    assert names(fold_batch_normalization(c.graph)) == ["odla_Conv"]
    x = array(1, 3, 5, 5)
    folded = c.run(x=x, device=device)["z"]
    np.testing.assert_allclose(folded, norm_after_conv_unfolded(c, x, device), rtol=1e-4, atol=1e-5)


def norm_after_conv_unfolded(c, x, device):
    """The same with the convolution's result an output too, so that nothing folds."""
    conv, norm = c.graph.nodes
    with odla.Computation() as plain:
        y = odla.conv(odla.argument("x", x.shape), conv.kernel.data, bias=conv.bias.data)
        odla.output(y, "y")
    y = plain.run(x=x, device=device)["y"]
    column = [one.data.reshape(4, 1, 1) for one in (norm.mean, norm.var, norm.scale, norm.offset)]
    return (y - column[0]) / np.sqrt(column[1] + 1e-3) * column[2] + column[3]


@pytest.mark.parametrize("options", [{"consumers": 2}, {"argument_kernel": True}])
def test_batch_normalization_stays_where_folding_is_not_exact(options):
    graph = norm_after_conv(**options).graph
    assert names(fold_batch_normalization(graph)) == ["odla_Conv", "odla_BatchNormalization"]


def test_training_does_not_fold():
    assert "odla_BatchNormalization" in names(prepare(norm_after_conv().graph, training=True))


def test_element_types_become_the_devices():
    with odla.Computation() as c:
        x = odla.argument("x", (2,), "int64")
        y = odla.argument("y", (2,), "float64")
        z = odla.add(odla.cast(x, "float64"), y)
        odla.output(odla.cast(z, "int64"), "z")
    single = to_device_types(c.graph, "fp32")
    assert [value.element_type.name for value in single.arguments] == ["INT32", "FLOAT32"]
    assert single.outputs[0].value.element_type is ElementType.INT32
    half = to_device_types(c.graph, "fp16")
    assert [value.element_type.name for value in half.arguments] == ["INT32", "FLOAT16"]
    assert c.graph.arguments[0].element_type is ElementType.INT64


def test_constants_in_fp16_stay_finite():
    limit = np.finfo("f2").max
    got = convert(np.float32([1e9, -1e9, np.inf, np.nan, 65504, 1e-9]), ElementType.FLOAT16, "c")
    np.testing.assert_array_equal(got, np.float16([limit, -limit, np.inf, np.nan, limit, 0]))


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
def test_integers_that_do_not_fit_are_refused(number):
    with pytest.raises(InvalidParameter, match=f"what holds {number}; the device computes INT32"):
        convert(np.array([0, number]), ElementType.INT32, "what")


def test_types_without_a_device_form():
    from odla_ipu.graph import Graph
    from odla_ipu.types import ValueType

    graph = Graph()
    x = graph.add_argument("x", ValueType(ElementType.QINT8, (2,)))
    graph.set_output(x)
    with pytest.raises(UnsupportedType, match="QINT8 cannot be computed on an IPU"):
        to_device_types(graph, "fp32")
