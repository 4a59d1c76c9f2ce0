"""Every lowered graph uses only what PopART's operator table lists, with its element types."""

import importlib

import onnx
import pytest
from test_ops import FAMILIES, build

import odla_ipu.sim as popart
from odla_ipu.custom import KERNELS
from odla_ipu.lowering import lower
from odla_ipu.ops.table import rows
from odla_ipu.passes import prepare
from odla_ipu.registry import OPS
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
        node.output[-1]
        for node in model.graph.node
        if node.op_type in ("ArgMax", "ArgMin", "TopK", "Sort")
    }
    # The builder knows no types behind a kernel.
    untyped = set()
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    assert opsets[""] == 11 and set(opsets) <= {"", "ai.graphcore", "odla.ipu"}
    for node in model.graph.node:
        where = f"{node.domain}.{node.op_type} '{node.name}'"
        if node.domain == "odla.ipu" or not untyped.isdisjoint(node.input):
            untyped.update(node.output)
        if node.domain == "odla.ipu":
            check_kernel(node, where)
            continue
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
            if name in untyped:
                continue
            types = (
                row.input_types[min(position, len(row.input_types) - 1)][1]
                if row.input_types
                else ()
            )
            kind = builder.getTensorDtypeString(name).upper()
            kind = "INT32" if name in indices else {"FLOAT32": "FLOAT"}.get(kind, kind)
            if types:
                assert kind in types, f"{where}: operand {position} is {kind}"


def check_kernel(node, where):
    """A kernel's node has what the declaration says, and no attribute that it can do without."""
    (kernel,) = (one for one in KERNELS.values() if one.__name__ == node.op_type)
    tensors = [field for field in kernel.fields if field.is_tensor]
    required = [field for field in tensors if field.default is not None]
    assert len(required) <= len(node.input) <= len(tensors), where
    assert all(name for name in node.input[: len(required)]), where
    assert len(node.output) == kernel.results, where
    named = {one.name for one in node.attribute if not one.name.startswith("__")}
    assert named <= {field.name for field in kernel.fields if not field.is_tensor}, where


# How PopART computes each op, as the table of odla-ipu ops says.

MOVING = {"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""Ops that convert and arrange what others compute."""

ONE_OP_CASES = {
    "odla_Dequantize": "no zero point",
    "odla_Einsum": "products of two matrices",
    "odla_GatherElements": "constant indices",
    "odla_GatherND": "constant indices",
}
"""Composed ops that are one op in a special case."""


def _computing(sample):
    """What a sample's model computes with, and whether a kernel is among it."""
    computation, _ = build(sample)
    lowered = lower(prepare(computation.graph), popart)
    model = onnx.ModelProto.FromString(lowered.builder.getModelProto())
    every = [node.op_type for node in model.graph.node if node.op_type != "Constant"]
    return [one for one in every if one not in MOVING] or every, bool(lowered.kernels)


@pytest.fixture(scope="module")
def computed():
    found = {}
    for family in FAMILIES:
        for sample in importlib.import_module(f"samples.{family}").SAMPLES:
            found.setdefault(sample.op, []).append(_computing(sample))
    return found


def test_forms_are_what_lowering_makes(computed):
    for name, cls in OPS.items():
        calls = computed[cls.python]
        is_one = any(len(ops) == 1 and not kernel for ops, kernel in calls)
        has_kernel = any(kernel for _, kernel in calls)
        if cls.form == "constant":
            assert not any(ops for ops, _ in calls), name
        elif cls.form == "kernel":
            assert has_kernel, name
        elif cls.form == "direct":
            assert is_one and not has_kernel, name
        else:
            assert cls.form == "composed" and is_one == (name in ONE_OP_CASES), name


def test_the_table_has_all_op_functions():
    table = rows()
    assert len(table) == len({row.op for row in table}) == 142
    assert {row.form for row in table} == {"direct", "composed", "kernel", "constant"}
    assert all(row.meaning for row in table)
