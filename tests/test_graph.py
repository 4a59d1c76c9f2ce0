"""Graphs: inference as ops are added, open dimensions, specialising, printing, linear time."""

import threading
import time

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter, UnsupportedType
from odla_ipu.graph import specialise
from odla_ipu.passes.shapes import with_batch


def mlp(batch):
    with odla.Computation("mlp") as c:
        x = odla.argument("x", (batch, 4))
        h = odla.relu(odla.gemm(x, np.ones((4, 3), "f4"), id="fc"))
        odla.output(odla.softmax(h, axis=-1), "prob")
    return c


def test_prints_readably():
    text = str(mlp("batch"))
    assert "argument %x: float32[batch,4]" in text
    assert "%fc: float32[batch,3] = odla_Gemm(%x, float32[4,3] %constant, " in text
    assert "# test_graph.py:" in text
    assert "output prob = %Softmax" in text


def test_open_dimensions_are_carried_and_fixed():
    c = mlp("batch")
    assert c.outputs["prob"].shape == ("batch", 3)
    fixed = c.specialise({"x": (5, 4)})
    assert fixed.outputs["prob"].shape == (5, 3)
    assert c.outputs["prob"].shape == ("batch", 3)


def test_unknown_dimensions_broadcast_to_known_ones():
    with odla.Computation():
        x = odla.argument("x", (-1, "n", 3))
        y = odla.argument("y", (5, "n", 1))
        assert odla.add(x, y).shape == (5, "n", 3)
        z = odla.argument("z", ("n", "m", 3))
        assert odla.add(x, z).shape == (-1, -1, 3)


def test_a_name_is_fixed_everywhere():
    with odla.Computation() as c:
        x = odla.argument("x", ("n", 3))
        y = odla.argument("y", ("n", 3))
        odla.output(odla.add(x, y), "z")
    assert c.specialise({"x": (7, 3)}).arguments["y"].shape == (7, 3)
    with pytest.raises(InvalidParameter, match="makes 'n' 8, but another argument makes it 7"):
        c.specialise({"x": (7, 3), "y": (8, 3)})


@pytest.mark.parametrize(
    "shapes, message",
    [
        ({"w": (1,)}, "no argument 'w'; the arguments are x"),
        ({"x": (1,)}, r"has rank 1, declared \[batch,4\]"),
        ({"x": (1, 5)}, "contradicts the declared"),
    ],
)
def test_specialise_refuses(shapes, message):
    with pytest.raises(InvalidParameter, match=message):
        specialise(mlp("batch").graph, shapes)


def test_batch_override_follows_reshapes():
    with odla.Computation() as c:
        x = odla.argument("x", (1, 2, 3))
        odla.output(odla.reshape(x, (1, 6)), "y")
    assert with_batch(c.graph, 4).outputs[0].value.shape == (4, 6)
    with pytest.raises(InvalidParameter, match="batch is 0"):
        with_batch(c.graph, 0)


def test_batch_override_needs_a_common_batch():
    with odla.Computation() as c:
        x = odla.argument("x", (1, 3))
        y = odla.argument("y", (2, 3))
        odla.output(odla.add(x, y), "z")
    with pytest.raises(InvalidParameter, match="no common first dimension"):
        with_batch(c.graph, 4)


@pytest.mark.parametrize("batch", [0, -1, "2", 2.0, True, [2]])
def test_batch_is_a_positive_integer(batch):
    with odla.Computation() as c:
        odla.output(odla.relu(odla.argument("x", (1, 3))))
    with pytest.raises(InvalidParameter, match=r"batch is .*; accepted: integers of 1 and more"):
        c.compile("sim", batch=batch)


def test_batch_may_be_numpys(device):
    with odla.Computation() as c:
        odla.output(odla.relu(odla.argument("x", (1, 3))), "y")
    with c.compile(device, batch=np.int64(2)) as exe:
        assert exe.outputs["y"].shape == (2, 3)


def test_constants_fold():
    with odla.Computation() as c:
        y = odla.add(odla.constant(np.float32([1, 2])), np.float32([3, 4]))
    assert y.is_constant and y.data.tolist() == [4, 6]
    assert not c.graph.nodes


def test_wrong_calls_say_where():
    with odla.Computation():
        x = odla.argument("x", (2, 3))
        with pytest.raises(
            InvalidParameter, match=r"odla_Add 'sum' \(test_graph.py:\d+\).*\[2,3\]"
        ):
            odla.add(x, np.zeros((4,), "f4"), id="sum")
        with pytest.raises(UnsupportedType, match="lhs is FLOAT32, rhs is FLOAT64; cast one"):
            odla.add(x, np.zeros((3,)))
        with pytest.raises(InvalidParameter, match=r"inner sizes 3 and 2 must be equal"):
            odla.gemm(x, np.zeros((2, 2), "f4"))


def test_values_stay_in_their_computation():
    with odla.Computation("one"):
        x = odla.argument("x", (2,))
    with odla.Computation("two"):
        y = odla.argument("y", (2,))
    with pytest.raises(InvalidParameter, match="belongs to another computation"):
        odla.add(x, y)


def test_ops_need_no_open_computation_but_arguments_do():
    with odla.Computation() as c:
        x = odla.argument("x", (2,))
    odla.output(odla.relu(x), "y")
    assert c.outputs["y"].shape == (2,)
    with pytest.raises(InvalidParameter, match="no computation is open"):
        odla.argument("z", (2,))


@pytest.mark.parametrize(
    "shape, dtype, error, message",
    [
        ((-2,), "float32", InvalidParameter, "negative dimension -2"),
        ((1,) * 11, "float32", InvalidParameter, "rank 11; ODLA allows at most 10"),
        ((2**20, 2**20), "float32", InvalidParameter, "a tensor holds at most 2147483647"),
        ((1.5,), "float32", InvalidParameter, "not a sequence of integers"),
        ("12", "float32", InvalidParameter, "the shape '12' is not a sequence of integers"),
        (b"12", "float32", InvalidParameter, "not a sequence of integers"),
        ({2, 3}, "float32", InvalidParameter, "not a sequence of integers"),
        ((2,), "complex64", UnsupportedType, "'complex64' is no element type"),
    ],
)
def test_bad_arguments(shape, dtype, error, message):
    with odla.Computation(), pytest.raises(error, match=message):
        odla.argument("x", shape, dtype)


@pytest.mark.parametrize("name", [3, ("x",), b"x"])
def test_names_are_text(name):
    with odla.Computation():
        with pytest.raises(InvalidParameter, match="is not a str"):
            odla.argument(name, (2,))
        x = odla.argument("x", (2,))
        for use in (odla.output, lambda x, name: odla.relu(x, id=name)):
            with pytest.raises(InvalidParameter, match="is not a str"):
                use(x, name)
        with pytest.raises(InvalidParameter, match="is not a str"):
            odla.constant([1.0], name)


def test_constants_are_arrays():
    with odla.Computation():
        with pytest.raises(InvalidParameter, match="constant 'w': the rows have different lengths"):
            odla.constant([[1], [2, 3]], "w")
        with pytest.raises(UnsupportedType, match="is no element type"):
            odla.constant("text")
        with pytest.raises(InvalidParameter, match="alpha is 1000.*accepted: a number"):
            odla.leaky_relu(odla.argument("x", (2,)), alpha=10**400)


def test_only_values_are_outputs():
    with odla.Computation() as c:
        with pytest.raises(InvalidParameter, match="output: 3 is no value of a computation"):
            odla.output(3, "y")
        with pytest.raises(InvalidParameter, match="None is no value"):
            c.output(None)


def test_a_computation_opened_twice_closes_inside_first():
    with odla.Computation("outer") as outer, odla.Computation("inner") as inner:
        with outer:
            pass
        assert odla.argument("x", (2,)).graph is inner.graph


def test_names_are_taken_once():
    with odla.Computation():
        x = odla.argument("x", (2,))
        with pytest.raises(InvalidParameter, match="argument 'x': a value of that name exists"):
            odla.argument("x", (2,))
        odla.output(x, "y")
        with pytest.raises(InvalidParameter, match="output 'y' exists already"):
            odla.output(x, "y")


def test_threads_have_their_own_computations():
    failures = []

    def build(size):
        try:
            for _ in range(50):
                with odla.Computation() as c:
                    odla.output(odla.relu(odla.argument("x", (size,))), "y")
                assert c.outputs["y"].shape == (size,)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=build, args=(size,)) for size in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_ten_thousand_nodes_take_linear_time():
    def seconds(count):
        start = time.perf_counter()
        with odla.Computation() as c:
            x = odla.argument("x", ("n", 4))
            for _ in range(count):
                x = odla.relu(x)
            odla.output(x, "y")
        c = c.specialise({"x": (2, 4)})
        assert c.outputs["y"].shape == (2, 4)
        return time.perf_counter() - start

    seconds(100)
    # Ten times the nodes: linear gives 10, quadratic 100.  Far from both, so that a busy machine
    # cannot decide.
    assert seconds(10000) < 40 * max(seconds(1000), 0.01)
