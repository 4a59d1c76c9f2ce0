"""If, Loop and Scan, and operands that decide shapes at run time, against onnxruntime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_stack import build, compare, expected, single

import odla_ipu
from odla_ipu.errors import UnsupportedOp
from odla_ipu.frontends.onnx import read

X = np.float32([[1, -2, 3], [-4, 5, -6]])
node = helper.make_node


def inner(nodes, inputs, outputs):
    """A graph inside a node; ``inputs`` maps names to (element type, shape)."""
    return helper.make_graph(
        nodes,
        "inner",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
    )


def body(nodes, states, outputs, iteration=()):
    numbers = {"i": (TensorProto.INT64, iteration), "go_in": (TensorProto.BOOL, ())}
    return inner(nodes, {**numbers, **states}, outputs)


FLOATS = (TensorProto.FLOAT, (2, 3))
GO = node("Identity", ["go_in"], ["go"])


def doubling():
    """Adds x to s, stacks the row sums, goes on while the sum is below the limit."""
    return [
        node("Add", ["s", "x"], ["next"]),
        node("Add", ["next", "x"], ["row"]),
        node("ReduceSum", ["next"], ["total"], keepdims=0),
        node("Abs", ["total"], ["size"]),
        node("Less", ["size", "limit"], ["go"]),
    ]


@pytest.mark.parametrize("is_constant", [True, False])
@pytest.mark.parametrize("trips", [0, 1, 4])
@pytest.mark.parametrize("opset", [7, 11, 13, 17])
def test_loop_with_a_count(opset, trips, is_constant, device):
    nodes = [GO, node("Add", ["s", "x"], ["next"]), node("Mul", ["next", "next"], ["row"])]
    loop = body(nodes, {"s": FLOATS}, ["go", "next", "row"])
    model_nodes = [node("Loop", ["m", "", "x"], ["last", "rows"], body=loop)]
    feeds = {"x": X}
    count = {"m": np.array(trips, np.int64)}
    inputs = feeds if is_constant else {**feeds, **count}
    model = build(model_nodes, inputs, count if is_constant else {}, ["last", "rows"], opset)
    compare(model, inputs, device)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("limit", [5.0, 11.0, 100.0])
@pytest.mark.parametrize("with_count", [True, False])
def test_loop_with_a_computed_condition(with_count, limit, outputs, device):
    loop = body(doubling(), {"s": FLOATS}, ["go", "next", "row"][: 1 + outputs])
    names = ["last", "rows"][:outputs]
    nodes = [node("Loop", ["m" if with_count else "", "c", "x"], names, body=loop)]
    feeds = {"x": X, "limit": np.array(limit, np.float32), "c": np.array(True)}
    model = build(nodes, feeds, {"m": np.array(7, np.int64)} if with_count else {}, names)
    compare(model, feeds, device)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("is_constant", [True, False])
def test_condition_before_the_first_iteration(is_constant, first, device):
    nodes = [GO, node("Add", ["s", "x"], ["next"])]
    loop = body(nodes, {"s": FLOATS}, ["go", "next"])
    condition = {"c": np.array(first)}
    feeds = {"x": X} if is_constant else {"x": X, **condition}
    constants = {"m": np.array(3, np.int64), **(condition if is_constant else {})}
    compare(
        build([node("Loop", ["m", "c", "x"], ["y"], body=loop)], feeds, constants), feeds, device
    )


def test_iteration_number_and_stacked_outer_values(device):
    nodes = [
        GO,
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["x", "f"], ["row"]),
        node("Identity", ["x"], ["same"]),
    ]
    loop = body(nodes, {}, ["go", "row", "same", "f"])
    names = ["rows", "copies", "numbers"]
    nodes = [node("Loop", ["m", ""], names, body=loop)]
    model = build(nodes, {"x": X}, {"m": np.array(3, np.int64)}, names)
    compare(model, {"x": X}, device)


def test_loops_and_branches_within_each_other(device):
    then = inner([node("Add", ["t", "x"], ["r"])], {}, ["r"])
    other = inner([node("Sub", ["t", "s"], ["r"])], {}, ["r"])
    inside = [
        node("Identity", ["go_in2"], ["go2"]),
        node("Less", ["j", "i"], ["c"]),
        node("If", ["c"], ["t_next"], then_branch=then, else_branch=other),
    ]
    numbers = {"j": (TensorProto.INT64, ()), "go_in2": (TensorProto.BOOL, ())}
    second = inner(inside, {**numbers, "t": FLOATS}, ["go2", "t_next"])
    nodes = [GO, node("Loop", ["n", "", "s"], ["next"], body=second)]
    first = body(nodes, {"s": FLOATS}, ["go", "next", "next"])
    counts = {"m": np.array(3, np.int64), "n": np.array(2, np.int64)}
    nodes = [node("Loop", ["m", "", "x"], ["last", "rows"], body=first)]
    compare(build(nodes, {"x": X}, counts, ["last", "rows"]), {"x": X}, device)


def growing():
    nodes = [GO, node("Concat", ["s", "x"], ["next"], axis=0)]
    loop = body(nodes, {"s": (TensorProto.FLOAT, None)}, ["go", "next"])
    return [node("Loop", ["m", "", "x"], ["y"], body=loop)]


def test_loop_whose_value_grows_is_unrolled(device):
    compare(build(growing(), {"x": X}, {"m": np.array(3, np.int64)}), {"x": X}, device)


def test_loop_whose_value_grows_is_refused_with_a_computed_count():
    with pytest.raises(UnsupportedOp, match="the same type and shape in all iterations"):
        read(build(growing(), {"x": X, "m": np.array(2, np.int64)}))


def test_slice_by_the_iteration_number_needs_a_constant_count(device):
    nodes = [
        GO,
        node("Unsqueeze", ["i", "zero"], ["start"]),
        node("Add", ["start", "one"], ["stop"]),
        node("Slice", ["x", "start", "stop", "one"], ["column"]),
    ]
    nodes = [node("Loop", ["m", ""], ["y"], body=body(nodes, {}, ["go", "column"]))]
    count = {"m": np.array(3, np.int64)}
    constants = {"zero": np.int64([0]), "one": np.int64([1])}
    compare(build(nodes, {"x": X}, {**count, **constants}), {"x": X}, device)
    with pytest.raises(UnsupportedOp, match="a shape computed at run time"):
        read(build(nodes, {"x": X, **count}, constants))


@pytest.mark.parametrize("chosen", [True, False])
def test_one_branch_runs(chosen, device):
    """The graph holds an If; branches hand on constants and outer values."""
    then = inner([node("Identity", ["x"], ["a"]), node("Neg", ["x"], ["b"])], {}, ["a", "b"])
    one = node("Constant", [], ["b"], value=onnx.numpy_helper.from_array(X + 1))
    other = inner([node("Exp", ["x"], ["a"]), one], {}, ["a", "b"])
    nodes = [node("If", ["c"], ["p", "q"], then_branch=then, else_branch=other)]
    feeds = {"x": X, "c": np.array([chosen])}
    model = build(nodes, feeds, outputs=["p", "q"])
    assert [one.name for one in read(model).nodes].count("odla_If") == 1
    compare(model, feeds, device)


@pytest.mark.parametrize("backward", [0, 1])
@pytest.mark.parametrize(("axis_in", "axis_out"), [(0, 0), (1, 1), (-1, -1)])
def test_scan(axis_in, axis_out, backward, device):
    size = X.shape[1 - axis_in % 2]
    vector = (TensorProto.FLOAT, (size,))
    nodes = [node("Add", ["s", "e"], ["next"]), node("Mul", ["next", "e"], ["row"])]
    scan = node(
        "Scan",
        ["s0", "x"],
        ["last", "rows"],
        body=inner(nodes, {"s": vector, "e": vector}, ["next", "row"]),
        num_scan_inputs=1,
        scan_input_axes=[axis_in],
        scan_output_axes=[axis_out],
        scan_input_directions=[backward],
        scan_output_directions=[1 - backward],
    )
    feeds = {"s0": np.zeros(size, np.float32), "x": X}
    compare(build([scan], feeds, outputs=["last", "rows"]), feeds, device)


# Operands that decide shapes, computed at run time.


def i64(*numbers):
    return np.array(numbers, np.int64)


CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

COMPUTED = [
    ("Reshape", [CUBE, i64(4, -1)], {}),
    ("Reshape", [CUBE, i64(0, 2, 6)], {}),
    ("Expand", [CUBE[:, :1], i64(2, 5, 1)], {}),
    ("Expand", [CUBE[:, :1], i64(2, 2, 3, 4)], {}),
    ("Expand", [CUBE[:, :1], i64(3, 1)], {}),
    ("Tile", [CUBE, i64(1, 2, 3)], {}),
    ("ConstantOfShape", [i64(2, 3)], {}),
    ("Slice", [CUBE, i64(0, -3), i64(1, -1), i64(0, 2)], {"constants": [3]}),
    ("Slice", [CUBE, i64(1), i64(1000), i64(-1), i64(2)], {"constants": [3, 4]}),
    ("Slice", [CUBE, i64(-100, 2), i64(2, 1)], {}),
    ("Slice", [CUBE, i64(1), i64(3), i64(1)], {"constants": [1, 3]}),
    ("Compress", [CUBE, np.array([True, False, True])], {"axis": 1}),
    ("Compress", [CUBE, np.array([False, True, True])], {}),
    ("Range", [np.array(1, np.int64), np.array(11, np.int64), np.array(3, np.int64)], {}),
    ("Range", [np.array(5, np.int32), np.array(-4, np.int32), np.array(-2, np.int32)], {}),
    ("Range", [np.array(0.5, np.float32), np.array(3, np.float32), np.array(1, np.float32)], {}),
    (
        "Resize",
        [CUBE[None], None, None, i64(1, 2, 6, 9)],
        {"mode": "linear"},
    ),
    (
        "Resize",
        [CUBE[None], None, np.float32([1, 1, 2, 1.5])],
        {"coordinate_transformation_mode": "asymmetric"},
    ),
]


@pytest.mark.parametrize(("op", "operands", "options"), COMPUTED)
def test_shape_computed_at_run_time(op, operands, options, device):
    model, feeds = single(op, operands, **options)
    compare(model, feeds, device)


def test_other_numbers_give_other_shapes(device):
    """One computation, run with several targets; nodes after it follow."""
    nodes = [
        node("Reshape", ["x", "target"], ["r"]),
        node("Relu", ["r"], ["a"]),
        node("Concat", ["a", "r"], ["y"], axis=0),
        node("Shape", ["y"], ["dims"]),
    ]
    feeds = {"x": CUBE, "target": i64(4, 6)}
    model = build(nodes, feeds, outputs=["y", "dims"])
    computation = odla_ipu.Computation(graph=read(model))
    for target in ((4, 6), (-1, 2), (24, 1)):
        feeds["target"] = i64(*target)
        got, wanted = computation.run(feeds, device=device), expected(model, feeds)
        for name, reference in wanted.items():
            np.testing.assert_array_equal(got[name], reference)


def test_size_at_run_time_that_a_node_needs_is_refused():
    nodes = [node("Reshape", ["x", "target"], ["r"]), node("Flatten", ["r"], ["y"])]
    with pytest.raises(UnsupportedOp, match="whose size is computed at run time"):
        read(build(nodes, {"x": CUBE, "target": i64(4, 6)}))


def test_loop_with_stacked_results_in_float16(device):
    """What follows a loop of open length is compiled in the precision that was asked for."""
    loop = body(doubling(), {"s": FLOATS}, ["go", "next", "row"])
    nodes = [
        node("Loop", ["", "c", "x"], ["last", "rows"], body=loop),
        node("Mul", ["rows", "rows"], ["y"]),
    ]
    feeds = {"x": X, "limit": np.array(11, np.float32), "c": np.array(True)}
    model = build(nodes, feeds)
    computation = odla_ipu.Computation(graph=read(model))
    with computation.compile(device, precision="fp16") as executable:
        got = executable.run(feeds)["y"]
    wanted = expected(model, feeds)["y"]
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=2e-3)
