"""Models that no builder makes: every operator with inputs, outputs, attributes and shapes changed.

A session takes such a model and runs it, or refuses it with a popart_exception that is no internal
error.
"""

import numpy as np
import onnx
import pytest
from operator_samples import SAMPLES, Test
from test_engine_versions import VERSIONS, opsets_of

import odla_ipu.sim as popart

VALUES = (7, -9, 0.5, "odd", [5, 6, 7, 8, 9], [-3], [0.5, 2.0])
SHAPES = ([], [0], [3], [2, 3], [1, 1, 1, 1], [2, 0, 3])
LATEST = {(domain, op_type): since for domain, op_type, since in VERSIONS}


def model_of(domain, op_type):
    """A model with the latest version of an operator, and its outputs."""
    since = LATEST[domain, op_type]
    sample = next(s for s in SAMPLES[domain, op_type] if not s.since or since in s.since)
    opset = opsets_of(domain, op_type, since)[-1]
    builder = popart.Builder(opsets={"ai.onnx": opset, "ai.graphcore": 1})
    ids = [builder.addInputTensor(popart.TensorInfo(a.dtype, a.shape)) for a in sample.inputs]
    ops = getattr(builder, f"aiOnnxOpset{opset}")
    outputs = sample.call(Test(builder, ops, ids, since, opset))
    outputs = [outputs] if isinstance(outputs, str) else list(outputs)
    return onnx.ModelProto.FromString(builder.getModelProto()), outputs


def changed(model):
    """Copies of a model, each with one change, and what it is."""

    def copy():
        other = onnx.ModelProto()
        other.CopyFrom(model)
        return other, other.graph

    for number, node in enumerate(model.graph.node):
        for place, name in enumerate(node.input):
            other, graph = copy()
            del graph.node[number].input[place]
            yield f"{node.op_type} without input {name}", other
            other, graph = copy()
            graph.node[number].input[place] = ""
            yield f"{node.op_type} with input {name} left out", other
            other, graph = copy()
            graph.node[number].input.append(name)
            yield f"{node.op_type} with {name} once more", other
        other, graph = copy()
        graph.node[number].output.append("more")
        yield f"{node.op_type} with another output", other
        for place, attribute in enumerate(node.attribute):
            other, graph = copy()
            del graph.node[number].attribute[place]
            yield f"{node.op_type} without {attribute.name}", other
            for value in VALUES:
                other, graph = copy()
                replacement = onnx.helper.make_attribute(attribute.name, value)
                graph.node[number].attribute[place].CopyFrom(replacement)
                yield f"{node.op_type} with {attribute.name} = {value!r}", other
    for place, value in enumerate(model.graph.input):
        kind = value.type.tensor_type.elem_type
        for shape in SHAPES:
            other, graph = copy()
            graph.input[place].CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, shape))
            yield f"input {value.name} of shape {shape}", other


def run(model, outputs):
    session = popart.InferenceSession(
        model.SerializeToString(),
        popart.DataFlow(1, outputs),
        popart.DeviceManager().createCpuDevice(),
    )
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    inputs = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        dtype = {np.dtype("int64"): np.dtype("int32")}.get(dtype, dtype)
        inputs[value.name] = np.ones([dim.dim_value for dim in kind.shape.dim], dtype)
    session.run(popart.PyStepIO(inputs, anchors))


@pytest.mark.parametrize(("domain", "op_type"), LATEST)
def test_malformed(domain, op_type):
    model, outputs = model_of(domain, op_type)
    wrong = []
    for what, other in changed(model):
        try:
            run(other, outputs)
        except Exception as error:
            refused = isinstance(error, (popart.popart_exception, popart.poplar_exception))
            if not refused or isinstance(error, popart.popart_internal_exception):
                wrong.append((what, repr(error)))
    assert wrong == []
