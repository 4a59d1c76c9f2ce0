"""Ops of any shape give on the device what numpy gives: broadcasting, reductions, movement."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import odla_ipu as odla

FEW = settings(
    max_examples=25,
    deadline=None,  # each example compiles a program
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def numbers(shape, seed=0):
    return np.random.RandomState(seed).randint(-9, 10, shape).astype("f4")


def run(device, build, *arrays):
    with odla.Computation() as c:
        values = [odla.argument(f"x{i}", x.shape, x.dtype) for i, x in enumerate(arrays)]
        odla.output(build(*values), "y")
    return c.run({f"x{i}": x for i, x in enumerate(arrays)}, device=device)["y"]


def same(got, wanted):
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


@FEW
@given(data=st.data())
@pytest.mark.parametrize(
    "op, function", [("add", np.add), ("max", np.maximum), ("sub", np.subtract)]
)
def test_broadcasting_both_ways(data, op, function, device):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0))
    a, b = (numbers(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    same(run(device, getattr(odla, op), a, b), function(a, b))


@FEW
@given(shape=hnp.array_shapes(max_dims=4, max_side=4), data=st.data())
@pytest.mark.parametrize("op, function", [("reduce_sum", np.sum), ("reduce_max", np.max)])
def test_reductions(shape, data, op, function, device):
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    keep = data.draw(st.booleans())
    order = data.draw(st.permutations(sorted(axes)))
    x = numbers(shape)
    got = run(device, lambda v: getattr(odla, op)(v, axes=order, keep_dims=keep), x)
    same(got, function(x, axis=tuple(axes), keepdims=keep))


@FEW
@given(shape=hnp.array_shapes(max_dims=3, max_side=6), data=st.data())
def test_slices(shape, data, device):
    parts = [
        data.draw(st.slices(dim).filter(lambda s: s.step is None or s.step > 0)) for dim in shape
    ]
    ranges = [range(*part.indices(dim)) for part, dim in zip(parts, shape)]
    x = numbers(shape)
    got = run(
        device,
        lambda v: odla.slice(
            v,
            start=[one.start for one in ranges],
            end=[max(one.start, one.stop) for one in ranges],
            stride=[one.step for one in ranges],
        ),
        x,
    )
    same(got, x[tuple(parts)])


@FEW
@given(shape=hnp.array_shapes(max_dims=3, max_side=4), data=st.data())
def test_gathers(shape, data, device):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    size = shape[axis]
    indices = data.draw(
        hnp.arrays("i4", SHAPES.filter(lambda s: len(s) < 3), elements=st.integers(-size, size - 1))
    )
    x = numbers(shape)
    got = run(device, lambda v, i: odla.gather(v, i, axis=axis), x, indices)
    same(got, np.take(x, indices, axis))


@FEW
@given(shape=SHAPES, data=st.data())
def test_reshapes_and_transposes(shape, data, device):
    x = numbers(shape)
    order = data.draw(st.permutations(range(len(shape))))
    got = run(device, lambda v: odla.reshape(odla.transpose(v, order), (x.size, 1)), x)
    same(got, x.transpose(order).reshape(x.size, 1))


@FEW
@given(shape=SHAPES, data=st.data())
def test_pads(shape, data, device):
    sides = data.draw(
        st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=len(shape), max_size=len(shape))
    )
    x = numbers(shape)
    front, back = ([side[place] for side in sides] for place in (0, 1))
    got = run(device, lambda v: odla.pad(v, padding_front=front, padding_back=back), x)
    same(got, np.pad(x, sides) if sides else x)
