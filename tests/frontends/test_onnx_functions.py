"""Functions of a model, and operators that ONNX defines by functions."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_stack import compare, single

from odla_ipu.errors import BadFile, UnsupportedOp
from odla_ipu.frontends.onnx import read

X = np.float32([[1, -2, 3], [0.5, 4, -1]])
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def referring(node, attribute, name, kind):
    """The node with an attribute that is the caller's attribute ``name``."""
    node.attribute.append(onnx.AttributeProto(name=attribute, ref_attr_name=name, type=kind))
    return node


def function(name, inputs, outputs, nodes, attributes=(), defaults=()):
    return helper.make_function(
        "own", name, inputs, outputs, nodes, OPSETS, list(attributes), list(defaults)
    )


def model(nodes, functions, outputs=("y",)):
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    made = helper.make_model(graph, opset_imports=OPSETS, functions=functions, ir_version=9)
    return made.SerializeToString()


LEAKY = function(
    "Leaky",
    ["x", "bias"],
    ["t", "y"],
    [
        referring(helper.make_node("LeakyRelu", ["x"], ["t"]), "alpha", "slope", 1),
        helper.make_node("Max", ["t", "bias"], ["y"]),
    ],
    ["slope"],
)
TWICE = function(
    "Twice",
    ["t"],
    ["x"],
    [
        helper.make_node("Leaky", ["t", "t"], ["", "u"], domain="own", slope=0.25),
        referring(helper.make_node("Leaky", ["u", "t"], ["x", "v"], domain="own"), "slope", "a", 1),
    ],
    [],
    [helper.make_attribute("a", 0.5)],
)


def test_attributes_and_names_belong_to_each_call(device):
    nodes = [
        helper.make_node("Leaky", ["x", "x"], ["t", "u"], domain="own", slope=0.1),
        helper.make_node("Twice", ["t"], ["v"], domain="own"),
        helper.make_node("Twice", ["u"], ["w"], domain="own", a=2.0),
        helper.make_node("Add", ["v", "w"], ["y"]),
    ]
    compare(model(nodes, [LEAKY, TWICE], ("y", "t")), {"x": X}, device)


def test_absent_operands_are_absent_in_the_function(device):
    body = [helper.make_node("Clip", ["a", "low", "high"], ["b"])]
    clip = function("Held", ["a", "low", "high"], ["b"], body)
    nodes = [
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Held", ["x", "", "zero"], ["u"], domain="own"),
        helper.make_node("Held", ["u"], ["y"], domain="own"),
    ]
    compare(model(nodes, [clip]), {"x": X}, device)


def test_references_reach_into_branches(device):
    branches = {
        f"{name}_branch": helper.make_graph(
            [referring(helper.make_node("LeakyRelu", ["a"], [name]), "alpha", "slope", 1)],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name in ("then", "else")
    }
    body = [
        helper.make_node(
            "Constant", [], ["yes"], value=onnx.numpy_helper.from_array(np.array(True))
        ),
        helper.make_node("If", ["yes"], ["b"], **branches),
    ]
    chosen = function("Chosen", ["a"], ["b"], body, ["slope"])
    nodes = [helper.make_node("Chosen", ["x"], ["y"], domain="own", slope=0.5)]
    compare(model(nodes, [chosen]), {"x": X}, device)


def test_function_that_calls_itself():
    again = function("Again", ["a"], ["b"], [helper.make_node("Again", ["a"], ["b"], domain="own")])
    nodes = [helper.make_node("Again", ["x"], ["y"], domain="own")]
    with pytest.raises(BadFile, match="recursive"):
        read(model(nodes, [again]))


def test_wrong_number_of_operands():
    nodes = [helper.make_node("Leaky", ["x", "x", "x"], ["y"], domain="own", slope=1.0)]
    with pytest.raises(BadFile, match="3 operands, its function has 2"):
        read(model(nodes, [LEAKY]))


def test_what_a_function_cannot_do_is_named():
    lost = function(
        "Lost", ["a"], ["b"], [helper.make_node("Unique", ["a"], ["b"], sorted=0, name="u")]
    )
    nodes = [
        helper.make_node("Lost", ["x"], ["t"], domain="own"),
        helper.make_node("Det", ["t"], ["y"]),
    ]
    with pytest.raises(UnsupportedOp, match=r"1 unsupported.*\n.*'u' \(Unique\)"):
        read(model(nodes, [lost]))


@pytest.mark.skipif(
    tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 16), reason="needs newer definitions"
)
def test_defined_by_onnx(device):
    content, feeds = single(
        "CenterCropPad",
        [X.reshape(2, 3, 1), np.int64([5, 2])],
        constants=[1],
        opset=18,
        axes=[2, 1],
    )
    compare(content, feeds, device)
