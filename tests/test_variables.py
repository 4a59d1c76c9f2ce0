"""Variables: zeros until set, read at every run, kept in files; nothing is compiled again."""

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter, UnsupportedType

X = np.arange(6, dtype="f4").reshape(2, 3)


def build(dtype="float32", shape=(3,)):
    with odla.Computation("scale") as c:
        x = odla.argument("x", (2, 3), dtype)
        v = odla.variable(shape, dtype, "v")
        odla.output(odla.add(odla.mul(x, v), v), "y")
        odla.output(v, "v now")
    return c, v


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int64", "float64", "uint8"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_set_between_runs(device, dtype, precision):
    c, v = build(dtype)
    x = X.astype(dtype)
    assert v.type == odla.ValueType(odla.ElementType[dtype.upper()], (3,))
    with c.compile(device, precision) as exe:
        session = exe.runner.session
        results = [np.ones((2, 3), dtype), np.ones(3, dtype)]
        bound = exe.bind([x], results)
        for numbers in ([0, 0, 0], [1, 2, 3], [4, 5, 6]):
            if any(numbers):
                v.set(numbers)
            wanted = (x * np.array(numbers) + numbers).astype(dtype)
            got = exe.run(x=x)
            np.testing.assert_array_equal(got["y"], wanted)
            np.testing.assert_array_equal(got["v now"], np.array(numbers, dtype))
            assert got["v now"].dtype == dtype
            bound.run()
            np.testing.assert_array_equal(results[0], wanted)
            np.testing.assert_array_equal(results[1], numbers)
        assert exe.runner.session is session


def test_variables_are_no_arguments(device):
    c, v = build()
    assert list(c.arguments) == ["x"]
    assert "variable %v: float32[3]" in str(c)
    with c.compile(device) as exe:
        assert list(exe.arguments) == ["x"]
        assert list(exe.variables) == ["v"]
        exe.variables["v"][:] = 7
        np.testing.assert_array_equal(exe.run(x=X)["y"], X * 7 + 7)
        np.testing.assert_array_equal(v.array, [7, 7, 7])
        with pytest.raises(InvalidParameter, match="unknown input 'v'"):
            exe.run(x=X, v=np.ones(3, "f4"))


def test_what_cannot_be_set(device):
    _, v = build()
    with pytest.raises(InvalidParameter, match=r"'v': the shape \[2\]; accepted: \[3\]"):
        v.set(np.ones(2, "f4"))
    with pytest.raises(InvalidParameter, match=r"the shape \[\]"):
        v.set(1.0)
    with pytest.raises(UnsupportedType, match="takes float32, not float64"):
        v.set(np.ones(3))
    with odla.Computation(), pytest.raises(InvalidParameter, match="'w' is .* of known sizes"):
        odla.variable((-1, 2), id="w")
    with pytest.raises(InvalidParameter, match="no computation is open"):
        odla.variable((3,))


def test_what_was_set_is_copied(device):
    c, v = build()
    given = np.ones(3, ">f4")
    v.set(given)
    given[:] = 9
    np.testing.assert_array_equal(c.run(x=X, device=device)["y"], X + 1)


def test_other_shapes_share_the_variable(device):
    with odla.Computation() as c:
        x = odla.argument("x", ("n", 3))
        v = odla.variable((1, 3))
        odla.output(odla.add(x, v), "y")
    two, three = (c.compile(device, shapes={"x": (n, 3)}) for n in (2, 3))
    batched = c.compile(device, batch=4)
    v.set([[1, 2, 3]])
    for exe, n in ((two, 2), (three, 3), (batched, 4)):
        got = exe.run(x=np.zeros((n, 3), "f4"))["y"]
        np.testing.assert_array_equal(got, np.tile([1, 2, 3], (n, 1)))
        exe.close()


def test_one_inside_a_loop_and_without_arguments(device):
    with odla.Computation() as c:
        with odla.loop(3) as loop:
            state = loop.variable(np.zeros(2, "f4"))
            v = odla.variable((2,), id="step")
            loop.next(state, odla.add(state, v))
        odla.output(loop.results[0], "y")
    v.set([1, 2])
    np.testing.assert_array_equal(c.run(device=device)["y"], [3, 6])
    v.set([5, 5])
    np.testing.assert_array_equal(c.run(device=device)["y"], [15, 15])


def test_one_that_decides_a_shape(device):
    with odla.Computation() as c:
        x = odla.argument("x", (6,))
        shape = odla.variable((2,), "int32", "shape")
        odla.output(odla.reshape_dynamic(x, shape), "y")
    with c.compile(device) as exe:
        for dims in ((2, 3), (6, 1)):
            shape.set(dims)
            assert exe.run(x=np.ones(6, "f4"))["y"].shape == dims


@pytest.mark.parametrize("shape", [(0, 3), ()])
def test_odd_shapes(device, shape):
    with odla.Computation() as c:
        v = odla.variable(shape)
        odla.output(odla.concat((odla.variable((1, 3)), v), axis=0) if shape else odla.exp(v), "y")
    v.set(np.ones(shape, "f4"))
    expected = np.zeros((1, 3)) if shape else np.exp(np.float32(1))
    np.testing.assert_allclose(c.run(device=device)["y"], expected, rtol=1e-6)


def test_they_are_saved_with_the_computation(device):
    c, v = build()
    v.set([1, 2, 3])
    data = c.to_bytes()
    v.set([0, 0, 0])
    loaded = odla.Computation.from_bytes(data)
    assert str(loaded) == str(c)
    np.testing.assert_array_equal(loaded.run(x=X, device=device)["v now"], [1, 2, 3])
    (again,) = loaded.graph.variables
    again.set([4, 5, 6])
    np.testing.assert_array_equal(loaded.run(x=X, device=device)["y"], X * [4, 5, 6] + [4, 5, 6])
    np.testing.assert_array_equal(v.array, [0, 0, 0])


def test_they_are_saved_with_the_executable(tmp_path, device):
    c, v = build()
    v.set([1, 2, 3])
    with c.compile(device) as exe:
        exe.save(tmp_path / "a.odla")
    with odla.Executable.load(tmp_path / "a.odla", device) as exe:
        np.testing.assert_array_equal(exe.run(x=X)["y"], X * [1, 2, 3] + [1, 2, 3])
        exe.variables["v"][1] = 9
        exe.save(tmp_path / "b.odla")
        with odla.Executable.from_bytes(exe.to_bytes(), device) as third:
            np.testing.assert_array_equal(third.run(x=X)["v now"], [1, 9, 3])
    with odla.Executable.load(tmp_path / "b.odla", device) as exe:
        np.testing.assert_array_equal(exe.run(x=X)["y"], X * [1, 9, 3] + [1, 9, 3])
