"""Shapes that depend on what is fed, against numpy."""

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu import dynamic
from odla_ipu.errors import InvalidParameter

X = np.arange(24, dtype="f4").reshape(4, 6)


def compiled(device, build, **arguments):
    """``build(x, ...)`` with arguments like the arrays given, compiled; outputs y0, y1, ..."""
    with odla.Computation("dynamic") as c:
        values = [odla.argument(name, one.shape, one.dtype) for name, one in arguments.items()]
        results = build(*values)
        for index, one in enumerate(results if isinstance(results, tuple) else [results]):
            odla.output(one, f"y{index}")
    return c.compile(device)


@pytest.mark.parametrize("target", [[2, 12], [24, 1], [-1, 8], [0, 2, 3]])
def test_reshape(device, target):
    shape = np.int64(target)
    exe = compiled(device, odla.reshape_dynamic, x=X, shape=shape)
    expected = X.reshape([X.shape[i] if dim == 0 else dim for i, dim in enumerate(target)])
    np.testing.assert_array_equal(exe.run(x=X, shape=shape)["y0"], expected)
    assert exe.outputs["y0"].shape == (-1,) * len(target)


def test_inputs_are_named(device):
    exe = compiled(device, odla.reshape_dynamic, x=X, shape=np.int64([2, 12]))
    with pytest.raises(InvalidParameter, match="inputs is of type ndarray"):
        exe.run(X)


def test_a_target_that_is_computed(device):
    def build(x, n):
        rows = odla.mul(n, np.int64([2]))
        return odla.relu(odla.reshape_dynamic(x, odla.concat([rows, np.int64([-1])], axis=0)))

    exe = compiled(device, build, x=X, n=np.int64([1]))
    for n in (1, 2, 3, 6, 1):
        got = exe.run(x=X - 10, n=np.int64([n]))["y0"]
        np.testing.assert_array_equal(got, np.maximum(X - 10, 0).reshape(2 * n, -1))


def test_compress(device):
    keep = np.array([True, False, True, True])
    exe = compiled(device, lambda x, c: odla.compress(x, c, axis=0), x=X, c=keep)
    for mask in (keep, ~keep, np.zeros(4, bool), np.ones(4, bool)):
        np.testing.assert_array_equal(exe.run(x=X, c=mask)["y0"], X[mask])


def test_compress_is_one_program(device):
    """Its size is counted as it runs; no other op reads it."""
    exe = compiled(
        device, lambda x, c: odla.compress(odla.neg(x), c, axis=1), x=X, c=np.ones(6, bool)
    )
    assert isinstance(exe, odla.Executable)
    assert exe.outputs["y0"].shape == (4, 6)
    for mask in np.indices((2,) * 6).reshape(6, -1).T[::5].astype(bool):
        got = exe.run(x=X, c=mask)["y0"]
        np.testing.assert_array_equal(got, -X[:, mask])
        assert got.flags.c_contiguous


def test_a_counted_value_is_output_twice_and_saved(device, tmp_path):
    keep = np.array([True, False, True])
    with odla.Computation() as c:
        x, condition = odla.argument("x", (4,)), odla.argument("c", (3,), "bool")
        kept = odla.compress(x, condition)
        odla.output(kept, "a")
        odla.output(kept, "b")
    exe = c.compile(device)
    exe.save(str(tmp_path / "a.odla"))
    with odla.Executable.load(str(tmp_path / "a.odla"), device) as again:
        for one in (exe, again):
            got = one.run(x=np.float32([1, 2, 3, 4]), c=keep)
            assert got["a"].tolist() == got["b"].tolist() == [1, 3]


def test_what_reads_a_counted_value_has_its_size(device):
    """Programs depend on how many entries there are, not on which."""

    def build(x, c):
        kept = odla.compress(x, c, axis=0)
        return odla.reduce_mean(kept, axes=(0,), keep_dims=False), odla.shape(kept), kept

    exe = compiled(device, build, x=X, c=np.ones(4, bool))
    for mask in ([1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 0], [0, 1, 0, 0]):
        mask = np.array(mask, bool)
        got = exe.run(x=X, c=mask)
        np.testing.assert_allclose(got["y0"], X[mask].mean(0))
        assert got["y1"].tolist() == [mask.sum(), 6]
        np.testing.assert_array_equal(got["y2"], X[mask])
    assert len(exe._programs) == 1 + 3
    np.testing.assert_array_equal(exe.run(x=X, c=np.zeros(4, bool))["y2"], X[:0])


def test_counts_of_counted_values(device):
    """Boxes are selected, then those of a class kept, then counted on."""
    boxes = np.float32([[[i, 0, i + 1, 1] for i in range(6)]])
    scores = np.float32([[[0.9, 0.1, 0.8, 0.2, 0.7, 0.3], [0.1, 0.9, 0.2, 0.1, 0.1, 0.1]]])

    def build(boxes, scores):
        rows = odla.nms(boxes, scores, 9, 0.5, 0.25)
        kinds = odla.reshape_dynamic(
            odla.slice_dynamic(rows, np.int64([0, 1]), np.int64([2**30, 1])), np.int64([-1])
        )
        first = odla.compress(rows, odla.equal(kinds, np.int64(0)), axis=0)
        return odla.gather(first, np.int64([2]), axis=1), rows

    exe = compiled(device, build, boxes=boxes, scores=scores)
    got = exe.run(boxes=boxes, scores=scores)
    assert got["y0"].tolist() == [[0], [2], [4], [5]]
    assert got["y1"].tolist() == [[0, 0, 0], [0, 0, 2], [0, 0, 4], [0, 0, 5], [0, 1, 1]]
    got = exe.run(boxes=boxes, scores=scores[:, ::-1].copy())
    assert got["y0"].tolist() == [[1]]


def test_a_selection_with_rows_is_read_with_its_unused_ones(device):
    boxes = np.float32([[[i, 0, i + 1, 1] for i in range(4)]])
    scores = np.float32([[[0.9, 0.1, 0.8, 0.1]]])

    def build(boxes, scores):
        rows = odla.nms(boxes, scores, 4, 0.5, 0.25, output_value_type=("int32", (3, 3)))
        return rows, odla.reduce_sum(rows, axes=(0,))

    exe = compiled(device, build, boxes=boxes, scores=scores)
    assert exe.outputs["y0"].shape == (3, 3)
    got = exe.run(boxes=boxes, scores=scores)
    assert got["y0"].tolist() == [[0, 0, 0], [0, 0, 2]] and got["y0"].dtype == np.int32
    assert got["y1"].tolist() == [[-1, -1, 1]]


def test_counted_values_in_branches_and_loops(device):
    keep = np.array([True, False, True, True])
    with odla.Computation() as c:
        x, condition = odla.argument("x", X.shape), odla.argument("c", (4,), "bool")
        flag = odla.argument("flag", (), "bool")
        with odla.if_(flag) as branches:
            with branches.then():
                odla.output(odla.compress(x, condition, axis=0))
            with branches.otherwise():
                odla.output(odla.neg(x))
        odla.output(branches.results[0], "branch")
        with odla.loop(2) as loop:
            total = loop.variable(odla.constant(np.zeros(6, "f4")))
            kept = odla.compress(x, condition, axis=0)
            loop.next(total, odla.add(total, odla.reduce_sum(kept, axes=(0,), keep_dims=False)))
        odla.output(loop.results[0], "loop")
    exe = c.compile(device)
    for flag in (True, False):
        got = exe.run(x=X, c=keep, flag=np.bool_(flag))
        np.testing.assert_array_equal(got["branch"], X[keep] if flag else -X)
        np.testing.assert_allclose(got["loop"], 2 * X[keep].sum(0))


def test_a_size_that_each_iteration_decides_is_refused():
    with odla.Computation() as c:
        with odla.loop(2) as loop:
            total = loop.variable(odla.argument("x", (6,)))
            kept = odla.compress(total, odla.greater(total, 0.0))
            loop.next(total, odla.add(total, odla.reduce_sum(kept)))
        odla.output(loop.results[0], "y")
    with pytest.raises(InvalidParameter, match="decides a shape inside the loop"):
        c.compile()


def test_slice(device):
    start, size = np.int64([1, 0]), np.int64([2, 6])
    exe = compiled(device, odla.slice_dynamic, x=X, start=start, size=size)
    for first, rows in ((1, 2), (0, 4), (3, 1)):
        got = exe.run(x=X, start=np.int64([first, 0]), size=np.int64([rows, 6]))["y0"]
        np.testing.assert_array_equal(got, X[first : first + rows])


def test_tile_split_and_cumsum(device):
    def build(x, repeat, axis):
        tiled = odla.tile_dynamic(x, repeat)
        left, right = odla.split(x, axis, num_split=2)
        return tiled, left, right, odla.cum_sum(x, axis)

    exe = compiled(device, build, x=X, repeat=np.int64([1, 1]), axis=np.int64(0))
    for repeat, axis in (([2, 1], 0), ([1, 3], 1), ([1, 3], -1)):
        got = exe.run(x=X, repeat=np.int64(repeat), axis=np.int64(axis))
        np.testing.assert_array_equal(got["y0"], np.tile(X, repeat))
        for name, half in zip(("y1", "y2"), np.split(X, 2, axis)):
            np.testing.assert_array_equal(got[name], half)
        np.testing.assert_allclose(got["y3"], np.cumsum(X, axis))


def test_resize_by_sizes(device):
    x = X.reshape(1, 1, 4, 6)
    exe = compiled(
        device,
        lambda x, sizes: odla.resize_dynamic(x, sizes=sizes),
        x=x,
        sizes=np.int64([1, 1, 8, 12]),
    )
    got = exe.run(x=x, sizes=np.int64([1, 1, 8, 12]))["y0"]
    np.testing.assert_array_equal(got, x.repeat(2, axis=2).repeat(2, axis=3))


def test_rounds_that_build_on_each_other(device):
    """The size of what Compress leaves decides a reshape, whose rows decide another."""

    def build(x, c):
        kept = odla.compress(x, c, axis=0)
        size = odla.shape(odla.reshape_dynamic(kept, np.int64([-1])))
        return odla.reshape_dynamic(kept, odla.concat([np.int64([1]), size], axis=0))

    exe = compiled(device, build, x=X, c=np.ones(4, bool))
    for mask in ([1, 0, 1, 0], [1, 1, 1, 0]):
        mask = np.array(mask, bool)
        np.testing.assert_array_equal(exe.run(x=X, c=mask)["y0"], X[mask].reshape(1, -1))


def test_programs_are_kept_and_bounded(device, monkeypatch):
    monkeypatch.setattr(dynamic, "CACHED_PROGRAMS", 3)
    exe = compiled(device, odla.tile_dynamic, x=X, repeat=np.int64([1, 1]))
    first = exe.run(x=X, repeat=np.int64([1, 2]))
    kept = dict(exe._programs)
    again = exe.run(x=X, repeat=np.int64([1, 2]))
    assert dict(exe._programs) == kept and len(kept) == 2
    np.testing.assert_array_equal(first["y0"], again["y0"])
    for count in range(1, 8):
        exe.run(x=X, repeat=np.int64([count, 1]))
    assert len(exe._programs) == 3


def test_what_was_fed_wrongly_is_named(device):
    exe = compiled(device, odla.reshape_dynamic, x=X, shape=np.int64([2, 12]))
    with pytest.raises(InvalidParameter, match="odla_ReshapeDynamic.*"):
        exe.run(x=X, shape=np.int64([5, 5]))
    with pytest.raises(InvalidParameter, match="missing input 'shape'"):
        exe.run(x=X)
    np.testing.assert_array_equal(exe.run(x=X, shape=np.int64([3, 8]))["y0"], X.reshape(3, 8))


def test_fp16(device):
    with odla.Computation() as c:
        x, repeat = odla.argument("x", (2,)), odla.argument("repeat", (1,), "int64")
        odla.output(odla.tile_dynamic(odla.mul(x, 1000.0), repeat), "y")
    exe = c.compile(device, precision="fp16")
    got = exe.run(x=np.float32([1, 100]), repeat=np.int64([2]))["y"]
    assert got.dtype == np.float32 and got.tolist() == [1000, 65504] * 2


def test_closing_and_saving(device, tmp_path):
    exe = compiled(device, odla.tile_dynamic, x=X, repeat=np.int64([1, 1]))
    with pytest.raises(InvalidParameter, match="shapes that depend on what is fed"):
        exe.save(str(tmp_path / "a.odla"))
    with exe:
        exe.run(x=X, repeat=np.int64([1, 1]))
    with pytest.raises(InvalidParameter, match="'dynamic' is closed"):
        exe.run(x=X, repeat=np.int64([1, 1]))
