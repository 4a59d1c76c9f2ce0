"""Every lowered graph uses only what PopART's operator table lists, with its element types."""

import importlib

import onnx
import pytest
from test_ops import FAMILIES, build

import odla_ipu.sim as popart
from odla_ipu.lowering import lower
from odla_ipu.passes import prepare
from odla_ipu.sim import operators

# Operands that PopART needs as constants, by op type and position.
CONSTANT_OPERANDS = {
    "Reshape": (1,),
    "Expand": (1,),
    "Tile": (1,),
    "Slice": (1, 2, 3, 4),
    "Pad": (1, 2),
    "Clip": (1, 2),
    "TopK": (1,),
    "OneHot": (1,),
    "CumSum": (1,),
    "Resize": (1, 2, 3),
}


def _cases():
    for family in FAMILIES:
        samples = importlib.import_module(f"samples.{family}").SAMPLES
        for index, sample in enumerate(samples):
            yield pytest.param(sample, id=f"{sample.op}-{sample.name or index}")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("sample", list(_cases()))
def test_lowered_graph_is_popart(sample, precision):
    computation, _ = build(sample)
    lowered = lower(prepare(computation.graph, precision), popart)
    walk(lowered.builder)


def walk(builder):
    """Hold each node of the built model against the table."""
    model = onnx.ModelProto.FromString(builder.getModelProto())
    constants = {initializer.name for initializer in model.graph.initializer}
    constants |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    # ONNX declares the indices of these ops INT64; PopART computes them as INT32.
    indices = {
        node.output[-1] for node in model.graph.node if node.op_type in ("ArgMax", "ArgMin", "TopK")
    }
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    assert opsets[""] == 11 and set(opsets) <= {"", "ai.graphcore"}
    for node in model.graph.node:
        where = f"{node.domain}.{node.op_type} '{node.name}'"
        row = operators.lookup(node.domain, node.op_type, opsets[node.domain])
        assert row is not None and row.implemented, f"{where} is not implemented"
        known = {attribute.name for attribute in row.attributes}
        for attribute in node.attribute:
            assert attribute.name.startswith("__") or attribute.name in known, where
        for position, name in enumerate(node.input):
            if not name:
                continue
            if position in CONSTANT_OPERANDS.get(node.op_type, ()) and not node.domain:
                assert name in constants, f"{where}: operand {position} is computed"
            types = (
                row.input_types[min(position, len(row.input_types) - 1)][1]
                if row.input_types
                else ()
            )
            kind = builder.getTensorDtypeString(name).upper()
            kind = "INT32" if name in indices else {"FLOAT32": "FLOAT"}.get(kind, kind)
            if types:
                assert kind in types, f"{where}: operand {position} is {kind}"
