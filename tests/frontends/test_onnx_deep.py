"""Ten thousand nodes in a chain: no recursion, linear time, through the whole stack."""

import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import odla_ipu as odla


def chain(length, path):
    """v -> (-v + 1), ``length`` nodes in all."""
    nodes = []
    for index in range(0, length, 2):
        nodes.append(helper.make_node("Neg", [f"v{index}"], [f"v{index + 1}"]))
        nodes.append(helper.make_node("Add", [f"v{index + 1}", "one"], [f"v{index + 2}"]))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("v0", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info(f"v{length}", TensorProto.FLOAT, [2, 3])],
        [numpy_helper.from_array(np.ones(3, "f4"), "one")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, path)


def test_ten_thousand_nodes(tmp_path):
    def seconds(length):
        path = str(tmp_path / f"{length}.onnx")
        chain(length, path)
        start = time.process_time()
        with odla.load(path).compile(device="sim") as executable:
            x = np.full((2, 3), 0.25, "f4")
            # Each pair of nodes turns v into 1 - v: an even number of pairs gives v again.
            np.testing.assert_array_equal(executable.run(v0=x)[f"v{length}"], x)
        return time.process_time() - start

    seconds(400)
    # Ten times the nodes: linear gives 10, quadratic 100.
    assert seconds(10000) < 40 * seconds(1000)
