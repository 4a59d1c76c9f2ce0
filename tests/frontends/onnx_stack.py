"""Small ONNX models, and the comparison of this package with onnxruntime on the same bytes."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import odla_ipu
from odla_ipu.frontends.onnx import read

DOMAINS = ("com.microsoft", "com.graphcore", "odla.ipu")


def value_info(name, array=None, shape=None):
    dtype = helper.np_dtype_to_tensor_dtype((np.float32(0) if array is None else array).dtype)
    return helper.make_tensor_value_info(name, dtype, shape)


def build(nodes, inputs=(), initializers=None, outputs=("y",), opset=13, shapes=None):
    """The bytes of a model.  ``inputs`` maps names to example arrays, which give type and shape
    unless ``shapes`` declares another (with names for open dimensions)."""
    shapes = shapes or {}
    inputs = dict(inputs)
    graph = helper.make_graph(
        nodes,
        "model",
        [value_info(name, a, shapes.get(name, a.shape)) for name, a in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(a, name) for name, a in (initializers or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, 1) for domain in DOMAINS]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 20 else 10)
    return model.SerializeToString()


def single(op, operands, opset=13, constants=(), outputs=1, domain="", **attributes):
    """A model of one node and the arrays to feed: operands are arrays or None, those whose index
    is in ``constants`` become initializers.  ``outputs`` is a number or a list of names."""
    names = ["" if one is None else f"x{index}" for index, one in enumerate(operands)]
    results = [f"y{index}" for index in range(outputs)] if isinstance(outputs, int) else outputs
    node = helper.make_node(op, names, results, name="the_node", domain=domain, **attributes)
    feeds, weights = {}, {}
    for index, one in enumerate(operands):
        if one is not None:
            (weights if index in constants else feeds)[f"x{index}"] = one
    return build([node], feeds, weights, [one for one in results if one], opset), feeds


def expected(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    declared = {one.name for one in session.get_inputs()}
    return dict(zip(names, session.run(names, {k: v for k, v in feeds.items() if k in declared})))


def actual(model, feeds, device, shapes=None):
    computation = odla_ipu.Computation(graph=read(model, shapes))
    return computation.run(feeds, device=device)


def compare(model, feeds, device, shapes=None, rtol=1e-4, atol=1e-5):
    """Names, shapes, types and numbers of all outputs against onnxruntime's."""
    wanted = expected(model, feeds)
    got = actual(model, feeds, device, shapes)
    assert list(got) == list(wanted)
    for name, reference in wanted.items():
        assert got[name].shape == reference.shape, name
        assert got[name].dtype == reference.dtype, name
        if reference.dtype.kind == "f":
            np.testing.assert_allclose(got[name], reference, rtol=rtol, atol=atol, err_msg=name)
        else:
            np.testing.assert_array_equal(got[name], reference, err_msg=name)
