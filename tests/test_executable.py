"""Executables: running, doors, files, threads, closing."""

import gc
import os
import threading
import warnings

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.errors import BadFile, InvalidParameter, UnsupportedType


@pytest.fixture
def c():
    with odla.Computation("double") as computation:
        x = odla.argument("x", (2, 3))
        odla.output(odla.add(x, x), "y")
    return computation


@pytest.fixture
def exe(c, device):
    with c.compile(device) as executable:
        yield executable


X = np.arange(6, dtype="f4").reshape(2, 3)


def test_run_by_keyword_dict_and_both(exe):
    for got in (exe.run(x=X), exe.run({"x": X}), exe.run({"x": X * 9}, x=X)):
        assert list(got) == ["y"]
        np.testing.assert_array_equal(got["y"], 2 * X)


def test_results_are_the_callers(exe):
    first = exe.run(x=X)["y"]
    exe.run(x=X + 1)
    np.testing.assert_array_equal(first, 2 * X)


@pytest.mark.parametrize(
    "array",
    [
        X[::-1][::-1],
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        X.astype(">f4"),
        X.tolist(),
        [[0, 1, 2], [3, 4, 5]],
        np.ma.array(X),
    ],
    ids=["reversed", "fortran", "strided", "big-endian", "list", "list of int", "subclass"],
)
def test_any_memory_layout_will_do(exe, array):
    np.testing.assert_array_equal(exe.run(x=array)["y"], 2 * X)


@pytest.mark.parametrize(
    "feeds, error, message",
    [
        ({}, InvalidParameter, r"missing input 'x'; it takes x: float32\[2,3\]"),
        ({"x": X, "z": X}, InvalidParameter, "unknown input 'z'"),
        ({"x": X[:1]}, InvalidParameter, r"'x' has the shape \[1, 3\]; accepted: \[2, 3\]"),
        ({"x": X.ravel()}, InvalidParameter, r"'x' has the shape \[6\]"),
        ({"x": X.astype("f8")}, UnsupportedType, r"takes float32\[2,3\], not float64; use .astype"),
        ({"x": X.astype("i4")}, UnsupportedType, "not int32"),
        ({"x": "text"}, UnsupportedType, "'x' takes float32"),
        ({"x": None}, UnsupportedType, "'x' takes float32"),
        ({"x": [[1, 2], [3]]}, UnsupportedType, "not list"),
        (X, InvalidParameter, "inputs is of type ndarray; accepted: arrays by keyword"),
        ([("x", X)], InvalidParameter, "inputs is of type list"),
        ({1: X, "z": X}, InvalidParameter, "unknown input 1, 'z'"),
    ],
)
def test_wrong_inputs(exe, feeds, error, message):
    with pytest.raises(error, match=message):
        exe.run(feeds)


@pytest.mark.parametrize(
    "dtype, fits, not_",
    [
        ("int8", [-128, 127], [0, 128]),
        ("uint8", [0, 255], [-1, 0]),
        ("int32", [-(2**31), 2**31 - 1], [2**40, 0]),
        ("uint32", [0, 2**32 - 1], [2**32, 0]),
    ],
)
def test_lists_of_numbers_fit_or_are_refused(device, dtype, fits, not_):
    with odla.Computation() as c:
        odla.output(odla.reshape(odla.argument("x", (2,), dtype), (2, 1)), "y")
    with c.compile(device) as exe:
        assert exe.run(x=fits)["y"].ravel().tolist() == fits
        with pytest.raises(InvalidParameter, match="input 'x' holds"):
            exe.run(x=not_)
        with pytest.raises(UnsupportedType, match=f"takes {dtype}"):
            exe.run(x=[1.5, 2])


@pytest.mark.parametrize("name", ["Gradient___x", "Step___x", "lossScaling_x", "a/b c", "é"])
def test_any_name_will_do(device, name):
    with odla.Computation() as c:
        x = odla.argument(name, (2, 3))
        odla.output(odla.add(x, odla.constant(X, f"{name}_w"), id=f"{name}_n"), name)
    with c.compile(device) as exe:
        np.testing.assert_array_equal(exe.run({name: X})[name], 2 * X)


def test_computations_check_their_inputs(c, device):
    with pytest.raises(InvalidParameter, match="inputs is of type ndarray"):
        c.run(X, device=device)
    with pytest.raises(InvalidParameter, match="accepted: a dict of names and shapes"):
        c.compile(device, shapes=[("x", (2, 3))])
    with odla.Computation() as c:
        odla.output(odla.relu(odla.argument("x", ("n", 3))))
    with pytest.raises(InvalidParameter, match="'x' takes .* not rows of different lengths"):
        c.run(x=[[1, 2, 3], [4]], device=device)


def test_programs_used_last_are_kept(device):
    with odla.Computation() as c:
        odla.output(odla.neg(odla.argument("x", ("n",))), "y")
    for size in range(1, odla.computation.CACHED_PROGRAMS + 4):
        c.run(x=np.ones(size, "f4"), device=device)
    assert len(c._executables) == odla.computation.CACHED_PROGRAMS
    kept = list(c._executables.values())
    np.testing.assert_array_equal(c.run(x=np.ones(size, "f4"), device=device)["y"], -np.ones(size))
    assert list(c._executables.values()) == kept


def test_an_argument_added_after_a_run_is_taken(c, device):
    c.run(x=X, device=device)
    c.argument("z", (1,))
    np.testing.assert_array_equal(c.run(x=X, z=np.ones(1, "f4"), device=device)["y"], 2 * X)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_mapped_constants_keep_what_was_written_to_them(tmp_path, device, mode):
    np.full((512, 600), 2, "f4").tofile(str(tmp_path / "w"))
    w = np.memmap(str(tmp_path / "w"), "f4", mode, shape=(512, 600))
    if mode != "r":
        w[0, 0] = 7
    before = np.array(w)
    with odla.Computation() as c:
        odla.output(odla.add(odla.argument("x", (512, 600)), w), "y")
    with c.compile(device) as exe:
        np.testing.assert_array_equal(exe.run(x=np.zeros((512, 600), "f4"))["y"], before)
    np.testing.assert_array_equal(w, before)


def test_outputs_that_no_op_computes(device):
    with odla.Computation() as c:
        x = odla.argument("x", (2,), "int64")
        odla.argument("unused", (5,))
        odla.output(x, "same")
        odla.output(odla.constant(np.float64([1.5])), "constant")
    got = c.run(x=np.array([2**40, -1]), unused=np.zeros(5, "f4"), device=device)
    assert got["same"].tolist() == [2**40, -1] and got["same"].dtype == np.int64
    assert got["constant"].tolist() == [1.5] and got["constant"].dtype == np.float64


def test_outputs_that_no_argument_reaches(device):
    with odla.Computation() as c:
        x = odla.argument("x", (2,))
        row = odla.constant(np.float32([[1, 2]]))
        resized = odla.resize(row, (1, 3), interpolation="linear", mode="align_corners")
        odla.output(resized, "resized")
        odla.output(odla.erf(odla.sin(np.float32([0, 0]))), "zero")
        odla.output(odla.relu(x), "y")
    got = c.run(x=np.float32([-1, 2]), device=device)
    assert got["resized"].tolist() == [[1, 1.5, 2]]
    assert got["zero"].tolist() == [0, 0] and got["y"].tolist() == [0, 2]


def test_one_value_under_two_names(device):
    with odla.Computation() as c:
        y = odla.relu(odla.argument("x", (2,)))
        odla.output(y, "a")
        odla.output(y, "b")
    got = c.run(x=np.float32([-1, 2]), device=device)
    assert got["a"].tolist() == got["b"].tolist() == [0, 2]


def test_64_bit_integers_are_checked_at_the_door(device):
    with odla.Computation() as c:
        x = odla.argument("x", (2,), "int64")
        odla.output(odla.add(x, x), "y")
    exe = c.compile(device)
    got = exe.run(x=np.array([-5, 2**30 - 1]))["y"]
    assert got.dtype == np.int64 and got.tolist() == [-10, 2**31 - 2]
    with pytest.raises(InvalidParameter, match=r"input 'x' holds 2147483648; .*INT32.*2147483647"):
        exe.run(x=np.array([0, 2**31]))


def test_constants_out_of_range_are_refused(device):
    with odla.Computation() as c:
        x = odla.argument("x", (1,), "int64")
        odla.output(odla.add(x, np.array([2**40])), "y")
    with pytest.raises(InvalidParameter, match="holds 1099511627776"):
        c.compile(device)


def test_doubles_are_computed_as_floats(device):
    with odla.Computation() as c:
        x = odla.argument("x", (2,), "float64")
        odla.output(odla.sqrt(x), "y")
    got = c.run(x=np.array([2.0, 3.0]), device=device)["y"]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, np.sqrt([2.0, 3.0]), rtol=1e-6)


def test_scalars_and_empty_tensors(device):
    with odla.Computation() as c:
        x = odla.argument("x", (), "float32")
        e = odla.argument("e", (0, 3), "float32")
        odla.output(odla.neg(x), "scalar")
        odla.output(odla.neg(e), "empty")
        odla.output(odla.concat([e, np.ones((2, 3), "f4")], axis=0), "joined")
        odla.output(odla.reduce_sum(e, axes=(0,), keep_dims=False), "sum")
    got = c.run(x=np.float32(3), e=np.zeros((0, 3), "f4"), device=device)
    assert got["scalar"].shape == () and got["scalar"] == -3
    assert got["empty"].shape == (0, 3)
    assert got["joined"].tolist() == [[1, 1, 1]] * 2
    assert got["sum"].tolist() == [0, 0, 0]


def test_open_dimensions_are_taken_from_the_arrays(device):
    with odla.Computation() as c:
        odla.output(odla.relu(odla.argument("x", ("n", -1))), "y")
    for shape in [(1, 2), (3, 4), (1, 2)]:
        assert c.run(x=np.ones(shape, "f4"), device=device)["y"].shape == shape
    with pytest.raises(InvalidParameter, match=r"open dimensions: x\[n,\?\].*--shape x=1,1"):
        c.compile(device)


def test_no_outputs(device):
    with odla.Computation("idle") as c:
        odla.argument("x", (1,))
    with pytest.raises(InvalidParameter, match="'idle' has no outputs"):
        c.compile(device)


def test_unknown_precision(c, device):
    with pytest.raises(InvalidParameter, match="precision is 'fp8'; accepted: fp16, fp32"):
        c.compile(device, precision="fp8")


def test_nan_weights_are_announced(device):
    with odla.Computation() as c:
        x = odla.argument("x", (2,))
        w = odla.constant(np.float32([np.nan, 1]), "w")
        odla.output(odla.mul(x, w), "y")
        odla.output(odla.add(x, np.float32([-np.inf, np.inf])), "z")
    with pytest.warns(RuntimeWarning, match="constant 'w' contains NaN; odla_Mul"):
        executable = c.compile(device)
    got = executable.run(x=np.ones(2, "f4"))
    assert np.isnan(got["y"][0]) and got["y"][1] == 1
    assert got["z"].tolist() == [-np.inf, np.inf]


def test_many_threads(exe):
    wrong = []

    def work(number):
        for _ in range(30):
            if not (exe.run(x=X + number)["y"] == 2 * (X + number)).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_two_executables_take_turns_on_one_device(c, device):
    with odla.Computation() as other:
        odla.output(odla.neg(odla.argument("x", (2, 3))), "y")
    first, second = c.compile(device), other.compile(device)
    for _ in range(3):
        np.testing.assert_array_equal(first.run(x=X)["y"], 2 * X)
        np.testing.assert_array_equal(second.run(x=X)["y"], -X)


def test_closed_executable(c, device):
    executable = c.compile(device)
    executable.close()
    executable.close()
    with pytest.raises(InvalidParameter, match="'double' is closed; compile it again"):
        executable.run(x=X)
    with pytest.raises(InvalidParameter, match="'double' is closed; compile it again"):
        executable.save("double.odla")


def test_device_is_given_back(c, device):
    executable = c.compile(device)
    opened = executable._device
    gc.collect()
    before = opened._count
    del executable
    gc.collect()
    assert opened._count == before - 1


# Files.


def big(device):
    """Weights above the size from which they travel in a file."""
    w = np.random.RandomState(0).standard_normal((512, 600)).astype("f4")
    with odla.Computation("big") as c:
        x = odla.argument("x", (1, 512))
        odla.output(odla.gemm(x, w), "y")
        odla.output(odla.constant(np.int64([7])), "seven")
        odla.output(x, "x again")
    return c.compile(device), w


def test_save_and_load(tmp_path, device):
    x = np.random.RandomState(1).standard_normal((1, 512)).astype("f4")
    saved, w = big(device)
    path = str(tmp_path / "big.odla")
    saved.save(path)
    expected = saved.run(x=x)
    saved.close()
    loaded = odla.Executable.load(path, device)
    assert loaded.arguments == saved.arguments and loaded.outputs == saved.outputs
    got = loaded.run(x=x)
    assert list(got) == ["y", "seven", "x again"]
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)
    np.testing.assert_allclose(got["y"], x @ w, rtol=1e-4, atol=1e-4)

    # Moved, and written again from what was loaded.
    again = str(tmp_path / "again.odla")
    loaded.save(again)
    (tmp_path / "big.odla").rename(tmp_path / "moved.odla")
    for name in (again, str(tmp_path / "moved.odla")):
        np.testing.assert_array_equal(odla.Executable.load(name, device).run(x=x)["y"], got["y"])


def test_a_damaged_header_field_is_named(tmp_path, device, exe):
    from odla_ipu import container

    path = str(tmp_path / "a.odla")
    exe.save(path)
    header, sections = container.read(path)
    del header["arguments"]
    model = container.content(path, sections["model"])
    container.write(path, header, {"model": model})
    with pytest.raises(BadFile, match="'arguments'"):
        odla.Executable.load(path, device)
    container.write(path, {**header, "constants": [1]}, {"model": model})
    with pytest.raises(BadFile, match="the header lacks or misspells"):
        odla.Executable.load(path, device)


def test_fp16_keeps_the_types_of_the_door(device):
    with odla.Computation() as c:
        x = odla.argument("x", (3,))
        odla.output(odla.mul(odla.mul(x, 1000.0), np.float32(1e-3)), "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = c.run(x=np.float32([1, 100, 1e9]), device=device, precision="fp16")["y"]
    assert got.dtype == np.float32
    # 100 * 1000 and the input 1e9 saturate at 65504.
    np.testing.assert_allclose(got, [1, 65.5, 65.5], rtol=2e-3)


def test_bytes_round_trip(c, device):
    with c.compile(device) as exe:
        data = exe.to_bytes()
    with odla.Executable.from_bytes(data, device) as loaded:
        np.testing.assert_array_equal(loaded.run(x=X)["y"], 2 * X)
        assert loaded.to_bytes() == data


def test_large_weights_come_from_bytes(tmp_path, device):
    w = np.random.RandomState(0).normal(size=(700, 600)).astype("f4")
    with odla.Computation() as c:
        odla.output(odla.gemm(odla.argument("x", (2, 700)), w), "y")
    with c.compile(device) as exe:
        data = exe.to_bytes()
    x = np.ones((2, 700), "f4")
    exe = odla.Executable.from_bytes(data, device)
    folder = os.path.dirname(exe._file)
    np.testing.assert_allclose(exe.run(x=x)["y"], x @ w, rtol=1e-4, atol=1e-4)
    assert exe.to_bytes() == data
    exe.close()
    assert not os.path.exists(folder)


def test_damaged_bytes_are_refused(c, device):
    with c.compile(device) as exe:
        data = exe.to_bytes()
    for broken in (b"", data[:-5000], data[:100] + b"?" + data[101:]):
        with pytest.raises(BadFile, match=f"the data of {len(broken)} bytes"):
            odla.Executable.from_bytes(broken, device)
