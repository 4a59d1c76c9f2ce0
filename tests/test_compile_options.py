"""What compile takes besides a device: IPUs, batches per step, a cache folder."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.device import open_device
from odla_ipu.errors import DeviceUnavailable, InvalidParameter

W = np.random.RandomState(0).normal(size=(3, 4)).astype("f4")


def net(dtype="float32"):
    with odla.Computation("net") as c:
        x = odla.argument("x", (2, 3), dtype)
        scale = odla.argument("scale", (), dtype)
        offset = odla.variable((4,), dtype, "offset")
        y = odla.gemm(odla.mul(x, scale), W.astype(dtype))
        odla.output(odla.add(y, offset), "y")
        odla.output(odla.reduce_sum(y, keep_dims=False), "sum")
        odla.output(x, "x again")
        odla.output(odla.constant(np.arange(2)), "known")
        odla.output(odla.constant(np.float32(7)), "seven")
    return c, offset


# Batches per step.


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("batches", [1, 2, 5])
def test_batches_follow_each_other(device, batches, precision):
    c, offset = net()
    x = np.random.RandomState(1).normal(size=(2 * batches, 3)).astype("f4")
    scale = np.array(3, "f4")
    with c.compile(device, precision, batches_per_step=batches) as exe:
        assert exe.batches_per_step == batches
        assert {name: kind.shape for name, kind in exe.arguments.items()} == {
            "x": (2 * batches, 3),
            "scale": (),
        }
        assert [one.type.shape for one in exe.fetches] == [
            (2 * batches, 4),
            (),
            (2 * batches, 3),
            (2 * batches,),
            (),
        ]
        outputs = [np.zeros(one.type.shape, one.type.element_type.dtype) for one in exe.fetches]
        bound = exe.bind([x, scale], outputs)
        for step in range(3):
            offset.set(np.arange(4, dtype="f4") * step)
            scale[()] = 1 + step
            bound.run()
            got = exe.run(x=x, scale=scale)
            y = x * scale @ W
            for result, expected in zip(
                outputs, [y + offset.array, y[-2:].sum(), x, [0, 1] * batches, 7]
            ):
                tolerance = 1e-5 if precision == "fp32" else 2e-2
                np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
            for result, again in zip(outputs, got.values()):
                np.testing.assert_array_equal(result, again)
        with pytest.raises(InvalidParameter, match=rf"accepted: \[{2 * batches}, 3\]"):
            exe.run(x=x[1:], scale=scale)


def test_batches_with_64_bit_integers(device):
    with odla.Computation() as c:
        x = odla.argument("x", (3,), "int64")
        odla.output(odla.add(x, odla.argument("s", (), "int64")), "y")
    with c.compile(device, batches_per_step=2) as exe:
        got = exe.run(x=np.arange(6), s=np.int64(5))["y"]
        np.testing.assert_array_equal(got, np.arange(6) + 5)


def test_batches_are_kept_in_files(tmp_path, device):
    c, _ = net()
    x = np.ones((6, 3), "f4")
    with c.compile(device, batches_per_step=3) as exe:
        expected = exe.run(x=x, scale=np.float32(2))["y"]
        data = exe.to_bytes()
    with odla.Executable.from_bytes(data, device) as exe:
        assert exe.batches_per_step == 3
        np.testing.assert_array_equal(exe.run(x=x, scale=np.float32(2))["y"], expected)


@pytest.mark.parametrize("batches", [0, -1, 1.5, "2", None])
def test_wrong_numbers_of_batches(device, batches):
    with pytest.raises(InvalidParameter, match="batches_per_step is .*; accepted: integers of 1"):
        net()[0].compile(device, batches_per_step=batches)


@pytest.mark.parametrize("consumed", [True, False])
def test_sizes_that_data_decide_need_a_batch_a_step(device, consumed):
    with odla.Computation() as c:
        keep = odla.argument("keep", (4,), "bool")
        y = odla.compress(odla.argument("x", (4,)), keep, 0)
        odla.output(odla.neg(y) if consumed else y, "y")
    with pytest.raises(InvalidParameter, match="batches_per_step is 2, but .*accepted: 1"):
        c.compile(device, batches_per_step=2)


# Several IPUs.


@pytest.mark.parametrize("count", [1, 2, 4])
def test_several_ipus(device, count):
    c, _ = net()
    x = np.ones((2, 3), "f4")
    with c.compile(device, num_ipus=count) as exe:
        assert exe.num_ipus == count
        np.testing.assert_allclose(exe.run(x=x, scale=np.float32(2))["y"], 2 * x @ W, rtol=1e-5)
        info = open_device(device, count).info
        assert info.isAttached and info.numIpus == count
        data = exe.to_bytes()
    with odla.Executable.from_bytes(data, device) as exe:
        assert exe.num_ipus == count
    with c.compile(open_device(device, count)) as exe:
        assert exe.num_ipus == count


@pytest.mark.parametrize("count", [0, 3, -2, "2", 1.0])
def test_ipus_come_in_powers_of_two(device, count):
    with pytest.raises(InvalidParameter, match="IPUs come in powers of two"):
        net()[0].compile(device, num_ipus=count)


def test_more_ipus_than_there_are():
    with pytest.raises(DeviceUnavailable, match="1024 IPUs wanted"):
        net()[0].compile("sim", num_ipus=1024)


# The cache.

X = np.arange(6, dtype="f4").reshape(2, 3)


def run(c, device, folder, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with c.compile(device, cache=folder, **options) as exe:
            return exe.run(x=X, scale=np.float32(2))["y"], exe


def programs(folder):
    """The files of the cache that are not PopART's own."""
    return sorted(path for path in folder.iterdir() if path.suffix == ".odla")


def test_a_second_compilation_finds_the_first(tmp_path, device):
    folder = tmp_path / "new" / "cache"
    c, _ = net()
    first, _ = run(c, device, folder)
    (file,) = programs(folder)
    stamp = file.stat()
    again, other = net()
    other.set([1, 2, 3, 4])
    second, exe = run(again, device, folder)
    np.testing.assert_allclose(second, first + [1, 2, 3, 4], rtol=1e-6)
    assert exe._file == str(file)
    assert programs(folder) == [file]
    assert file.stat().st_mtime_ns == stamp.st_mtime_ns
    # What it found belongs to this computation.
    with again.compile(device, cache=folder) as exe:
        other.set([0, 0, 0, 0])
        np.testing.assert_array_equal(exe.run(x=X, scale=np.float32(2))["y"], first)
        exe.save(tmp_path / "saved.odla")
    with odla.Executable.load(tmp_path / "saved.odla", device) as exe:
        np.testing.assert_array_equal(exe.run(x=X, scale=np.float32(2))["y"], first)


def test_another_program_is_another_file(tmp_path, device):
    run(net()[0], device, tmp_path)
    for count, options in enumerate([{"precision": "fp16"}, {"num_ipus": 2}], 2):
        run(net()[0], device, tmp_path, **options)
        assert len(programs(tmp_path)) == count
    with odla.Computation("net") as c:
        x, scale = odla.argument("x", (2, 3)), odla.argument("scale", ())
        odla.output(odla.mul(odla.gemm(x, W + 1e-7), scale), "y")
    y, _ = run(c, device, tmp_path)
    np.testing.assert_allclose(y, X @ (W + np.float32(1e-7)) * 2, rtol=1e-5)
    assert len(programs(tmp_path)) == 4


@pytest.mark.parametrize("damage", ["truncate", "flip", "foreign", "empty", "computation"])
def test_damaged_files_are_ignored(tmp_path, device, damage):
    c, _ = net()
    first, _ = run(c, device, tmp_path)
    (file,) = programs(tmp_path)
    data = file.read_bytes()
    flipped = bytearray(data)
    flipped[4200] ^= 8
    file.write_bytes(
        {
            "truncate": data[:5000],
            "flip": bytes(flipped),
            "foreign": b"something else",
            "empty": b"",
            "computation": c.to_bytes(),
        }[damage]
    )
    with pytest.warns(RuntimeWarning, match="ignored in the cache: .*odla"):
        exe = c.compile(device, cache=tmp_path)
    np.testing.assert_array_equal(exe.run(x=X, scale=np.float32(2))["y"], first)
    exe.close()
    np.testing.assert_array_equal(run(c, device, tmp_path)[0], first)


def test_a_folder_that_cannot_be_written(tmp_path, device):
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match="nothing is cached"):
        exe = net()[0].compile(device, cache=tmp_path / "file" / "cache")
    exe.close()


def test_what_takes_its_shape_from_data_is_kept_too(tmp_path, device):
    for _ in range(2):
        with odla.Computation() as c:
            x, keep = odla.argument("x", (4,)), odla.argument("keep", (4,), "bool")
            odla.output(odla.neg(odla.compress(x, keep, 0)), "y")
        with c.compile(device, cache=tmp_path) as exe:
            got = exe.run(x=np.arange(4, dtype="f4"), keep=np.array([1, 0, 0, 1], "?"))["y"]
            np.testing.assert_array_equal(got, [0, -3])
        assert len(programs(tmp_path)) == 2


PROGRAM = """
import sys
import numpy as np
import odla_ipu as odla
from odla_ipu import program
with odla.Computation("net") as c:
    odla.output(odla.gemm(odla.argument("x", (2, 300)), np.ones((300, 1000), "f4")), "y")
if sys.argv[2] == "second":
    program.lower = None  # nothing is lowered
exe = c.compile("sim", cache=sys.argv[1])
print(float(exe.run(x=np.ones((2, 300), "f4"))["y"].sum()))
"""


def test_another_process_finds_it(tmp_path):
    for run in ("first", "second"):
        found = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path), run],
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout == "600000.0\n"
