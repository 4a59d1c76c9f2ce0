"""Shapes, types and folded constants of the ops against numpy's, for any operands."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter, OdlaError, UnsupportedType
from odla_ipu.types import UNKNOWN

TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
TYPES += ["float16", "float32", "float64", "bool"]

sizes = st.integers(0, 4)
shapes = st.lists(sizes, max_size=4).map(tuple)
filled = st.lists(st.integers(1, 4), max_size=4).map(tuple)
properties = settings(max_examples=60, deadline=None)


def infer(op, *operand_shapes, types=None, **attributes):
    """The shape(s) that an op infers from arguments of these shapes."""
    with odla.Computation():
        types = types or ["float32"] * len(operand_shapes)
        operands = [
            odla.argument(f"x{i}", shape, kind)
            for i, (shape, kind) in enumerate(zip(operand_shapes, types))
        ]
        result = getattr(odla, op)(*operands, **attributes)
    return result.shape if isinstance(result, odla.Value) else [one.shape for one in result]


def agree(inferred, function):
    """``inferred()`` gives numpy's shape, and refuses what numpy refuses."""
    try:
        wanted = np.shape(function())
    except (ValueError, IndexError):
        with pytest.raises(InvalidParameter):
            inferred()
    else:
        assert inferred() == wanted


# Shapes.


@properties
@given(shapes, shapes, st.sampled_from(["add", "mul", "less", "max", "squared_difference"]))
def test_two_operands_broadcast(left, right, op):
    agree(lambda: infer(op, left, right), lambda: np.empty(left) + np.empty(right))


@properties
@given(shapes, shapes, shapes)
def test_select_broadcasts_three(condition, a, b):
    if len(condition) == 1 and (a or b):  # selects rows, as TensorFlow
        condition = (1, *condition) if max(len(a), len(b)) > 1 else condition
    agree(
        lambda: infer("select", condition, a, b, types=["bool", "float32", "float32"]),
        lambda: np.where(np.empty(condition, bool), np.empty(a), np.empty(b)),
    )


@properties
@given(filled, st.data())
def test_reduction(shape, data):
    axes = tuple(data.draw(st.sets(st.integers(0, max(len(shape) - 1, 0)), max_size=3)))
    axes = axes if shape else ()
    keep = data.draw(st.booleans())
    agree(
        lambda: infer("reduce_max", shape, axes=axes, keep_dims=keep),
        lambda: np.max(np.empty(shape), axis=axes or None, keepdims=keep),
    )


@properties
@given(filled.filter(len), st.integers(-5, 4), st.booleans())
def test_arg_max(shape, axis, keep):
    wanted = list(shape)
    if -len(shape) <= axis < len(shape):
        wanted[axis : axis + 1 or None] = [1] if keep else []
        assert infer("arg_max", shape, axis=axis, keep_dims=keep) == tuple(wanted)
    else:
        with pytest.raises(InvalidParameter, match="axis is"):
            infer("arg_max", shape, axis=axis, keep_dims=keep)


@properties
@given(filled.filter(len), filled.filter(len), st.booleans(), st.booleans())
def test_matrix_product(left, right, transpose_left, transpose_right):
    def product():
        a, b = np.empty(left), np.empty(right)
        a = np.swapaxes(a, -1, -2) if transpose_left and a.ndim > 1 else a
        b = np.swapaxes(b, -1, -2) if transpose_right and b.ndim > 1 else b
        return np.matmul(a, b)

    flags = {"A_transpose": transpose_left, "B_transpose": transpose_right}
    agree(lambda: infer("batch_matmul", left, right, **flags), product)
    agree(lambda: infer("gemm", left, right, **flags), product)


@properties
@given(shapes, st.data())
def test_slice(shape, data):
    bounds = st.lists(st.integers(-6, 6), min_size=len(shape), max_size=len(shape))
    start, end = data.draw(bounds), data.draw(bounds)
    stride = data.draw(bounds.filter(all))
    taken = []
    for dim, first, last, step in zip(shape, start, end, stride):
        # ONNX holds a start before the first element at the first; Python walks past it.
        if step < 0 and first < -dim:
            first = -dim
        taken.append(slice(first, last, step))
    wanted = np.empty(shape)[tuple(taken)].shape if 0 not in shape else None
    inferred = infer("slice", shape, start=start, end=end, stride=stride)
    if wanted is not None:
        assert inferred == wanted
    assert all(new <= old for new, old in zip(inferred, shape))


@properties
@given(shapes, st.lists(st.integers(-1, 4), max_size=4))
def test_reshape(shape, target):
    agree(
        lambda: infer("reshape", shape, output_dims=target),
        lambda: np.empty(shape).reshape(target),
    )


@properties
@given(shapes, st.lists(st.integers(0, 4), max_size=4))
def test_transpose(shape, order):
    agree(
        lambda: infer("transpose", shape, permutations=order),
        lambda: np.empty(shape).transpose(order),
    )


@properties
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=3), min_size=1, max_size=3),
    st.integers(-4, 3),
)
def test_concat_and_stack(given_shapes, axis):
    for op, function in (("concat", np.concatenate), ("stack", np.stack)):

        def inferred(op=op):
            with odla.Computation():
                inputs = [odla.argument(f"x{i}", shape) for i, shape in enumerate(given_shapes)]
                return getattr(odla, op)(inputs, axis=axis).shape

        agree(inferred, lambda f=function: f([np.empty(shape) for shape in given_shapes], axis))


@properties
@given(filled.filter(len), st.integers(-4, 3), st.integers(0, 5))
def test_split(shape, axis, parts):
    def inferred():
        with odla.Computation():
            results = odla.split(odla.argument("x", shape), np.array(axis), num_split=parts)
            return [results.shape] if parts == 1 else [one.shape for one in results]

    try:
        wanted = [one.shape for one in np.split(np.empty(shape), parts, axis)]
    except (ValueError, IndexError, ZeroDivisionError):
        with pytest.raises(InvalidParameter):
            inferred()
    else:
        assert inferred() == wanted


@properties
@given(filled.filter(len), shapes, st.integers(-4, 3))
def test_gather(shape, indices, axis):
    agree(
        lambda: infer("gather", shape, indices, types=["float32", "int32"], axis=axis),
        lambda: np.take(np.empty(shape), np.zeros(indices, int), _axis(axis, shape)),
    )


def _axis(axis, shape):
    if not -len(shape) <= axis < len(shape):
        raise IndexError
    return axis


@properties
@given(filled, st.lists(st.integers(0, 3), max_size=4))
def test_tile_and_pad(shape, counts):
    if len(counts) != len(shape):
        for attributes in ({"repeat": counts}, {"padding_front": counts, "padding_back": counts}):
            with pytest.raises(InvalidParameter, match=f"{len(counts)}|repeat"):
                infer("tile" if "repeat" in attributes else "pad", shape, **attributes)
        return
    assert infer("tile", shape, repeat=counts) == np.tile(np.empty(shape), counts).shape
    padded = infer("pad", shape, padding_front=counts, padding_back=counts)
    assert padded == tuple(dim + 2 * count for dim, count in zip(shape, counts))


@properties
@given(shapes, shapes)
def test_broadcast(shape, target):
    agree(
        lambda: infer("broadcast", shape, output_shape=target),
        lambda: np.broadcast_to(np.empty(shape), target),
    )
    agree(
        lambda: infer("expand_dims", shape, output_dims=target),
        lambda: np.empty(shape) + np.empty(target),
    )


# Open dimensions: what is inferred then never contradicts what is inferred from the sizes.

_MOVED = [
    lambda x: odla.transpose(x, (2, 0, 1)),
    lambda x: odla.slice(x, (1, 0, 0), (3, 2, 9), (1, -1, 2)),
    lambda x: odla.concat([x, x], axis=1),
    lambda x: odla.stack([x, x], axis=-1),
    lambda x: odla.tile(x, (1, 2, 1)),
    lambda x: odla.pad(x, (0, 1, 0), (0, 0, 0)),
    lambda x: odla.reshape(x, (-1,)),
    lambda x: odla.reshape_dynamic(x, np.array([0, -1])),
    lambda x: odla.reshape_dynamic(x, odla.concat([odla.gather(odla.shape(x), [2]), [-1]])),
    lambda x: odla.squeeze(odla.reshape_dynamic(x, np.array([0, 1, -1])), axes=(1,)),
    lambda x: odla.split(x, np.array(0), num_split=2)[0],
    lambda x: odla.gather(x, np.array([[0, 1]]), axis=2),
    lambda x: odla.gather_nd(x, np.array([[0, 1]])),
    lambda x: odla.one_hot(odla.cast(x, "int32"), np.array([0.0, 1.0]), depth=3, axis=0),
    lambda x: odla.broadcast(x, (2, -1, -1, -1)),
    lambda x: odla.expand_dims(x, (5, 1, 1, 1)),
    lambda x: odla.resize_dynamic(x, np.array([1, 2, 0.5], "float32")),
    lambda x: odla.resize_dynamic(x, None, odla.mul(odla.shape(x), 2)),
    lambda x: odla.tile_dynamic(x, odla.shape(x)),
    lambda x: odla.slice_dynamic(x, np.zeros(3, int), odla.sub(odla.shape(x), 1)),
    lambda x: odla.reduce_sum(x, axes=(1,)),
    lambda x: odla.batch_matmul(x, odla.transpose(x, (0, 2, 1))),
    lambda x: odla.add(x, np.zeros((4, 1), "float32")),
    lambda x: odla.shape(x),
]


@pytest.mark.parametrize("build", _MOVED)
@pytest.mark.parametrize("is_open", list(itertools.product([False, True], repeat=3)))
def test_open_dimensions(build, is_open):
    final = (2, 4, 6)
    named = ("batch", UNKNOWN, "width")
    declared = tuple(name if flag else dim for dim, name, flag in zip(final, named, is_open))
    with odla.Computation() as c:
        x = odla.argument("x", declared)
        guess = odla.output(build(x), "y").shape
    fixed = c.specialise({"x": final}).outputs["y"].shape
    with odla.Computation():
        wanted = build(odla.argument("x", final)).shape
    assert fixed == wanted
    assert len(guess) == len(fixed)
    sizes = {"batch": final[0], "width": final[2]}
    for dim, size in zip(guess, fixed):
        assert dim == UNKNOWN or sizes.get(dim, dim) == size


# Constants.

_FOLDED = [
    (lambda x: odla.transpose(x, (1, 0)), lambda x: x.T),
    (lambda x: odla.reshape(x, (-1,)), lambda x: x.reshape(-1)),
    (lambda x: odla.slice(x, (1, 2), (3, -9), (1, -1)), lambda x: x[1:3, 2::-1]),
    (lambda x: odla.concat([x, x], axis=-1), lambda x: np.hstack([x, x])),
    (lambda x: odla.stack([x, x], axis=1), lambda x: np.stack([x, x], 1)),
    (lambda x: odla.gather(x, np.array([-1, 0]), axis=1), lambda x: x[:, [-1, 0]]),
    (lambda x: odla.tile(x, (2, 1)), lambda x: np.vstack([x, x])),
    (lambda x: odla.expand_dims(x, (2, 3, 4)), lambda x: np.array([x, x])),
    (lambda x: odla.pad(x, (1, 0), (0, 0)), lambda x: np.vstack([np.zeros_like(x[:1]), x])),
    (lambda x: odla.cast(x, "float64"), lambda x: x.astype(float)),
    (lambda x: odla.cast(x, "bool"), lambda x: x.astype(bool)),
    (lambda x: odla.equal(x, x), lambda x: np.ones(x.shape, bool)),
    (
        lambda x: odla.gather_elements(x, np.array([[2, -1]]), axis=0),
        lambda x: x[[[2, -1]], [[0, 1]]],
    ),
    (lambda x: odla.gather_nd(x, np.array([[2, -1]])), lambda x: x[[2], [-1]]),
]
_ARITHMETIC = [
    (odla.add, np.add),
    (odla.sub, np.subtract),
    (odla.mul, np.multiply),
    (odla.max, np.maximum),
    (odla.min, np.minimum),
]


@properties
@given(st.sampled_from(TYPES), st.data())
def test_folding_keeps_type_and_numbers(kind, data):
    x = data.draw(arrays.arrays(kind, (3, 4), elements=_exact(kind)))
    folded, wanted = data.draw(st.sampled_from(_FOLDED))
    _is_folded(folded, wanted, x)


@properties
@given(st.sampled_from(TYPES[:-1]), st.sampled_from(_ARITHMETIC), st.data())
def test_arithmetic_folds_as_numpy_computes(kind, pair, data):
    x = data.draw(arrays.arrays(kind, (3, 4), elements=_exact(kind)))
    y = data.draw(arrays.arrays(kind, (4,), elements=_exact(kind)))
    op, function = pair
    _is_folded(lambda value: op(value, y), lambda value: function(value, y), x)


@properties
@given(st.integers(-50, 50), st.integers(-9, 9).filter(bool))
def test_division_folds_toward_zero(x, y):
    with odla.Computation():
        assert odla.div(odla.constant(np.array([x])), np.array([y])).data == [int(x / y)]


def _exact(kind):
    if kind == "bool":
        return st.booleans()
    return st.integers(0 if kind.startswith("u") else -100, 100)


def _is_folded(folded, wanted, x):
    with odla.Computation() as c, np.errstate(all="ignore"):
        result = folded(odla.constant(x))
        expected = wanted(x)
    assert not c.graph.nodes
    assert result.data.dtype == expected.dtype
    np.testing.assert_array_equal(result.data, expected)


def test_shape_arithmetic_disappears():
    with odla.Computation() as c:
        x = odla.argument("x", (2, 3, 4))
        shape = odla.shape(x)
        rest = odla.reduce_prod(odla.slice(shape, (1,), (3,)), axes=(0,))
        target = odla.concat([odla.gather(shape, np.array([0])), rest], axis=0)
        y = odla.reshape_dynamic(x, target)
    assert y.shape == (2, 12)
    assert [node.name for node in c.graph.used_nodes()] == []
    assert [node.name for node in c.graph.nodes] == ["odla_ReshapeDynamic"]


def test_random_fill_is_reproducible():
    with odla.Computation():
        draw = [
            odla.fill(("float32", (200, 300)), method, p0=2.0, p1=5.0, seed=seed).data
            for method in ("random_uniform", "random_normal")
            for seed in (1.0, 1.0, 1.5)
        ]
    for first, again, other in (draw[:3], draw[3:]):
        np.testing.assert_array_equal(first, again)
        assert (first != other).mean() > 0.99
    assert draw[0].min() >= 2 and draw[0].max() < 5
    assert abs(draw[0].mean() - 3.5) < 0.02
    assert abs(draw[3].mean() - 2) < 0.1 and abs(draw[3].std() - 5) < 0.1


# Refusals name the op, what was given and what is accepted.


@pytest.mark.parametrize(
    "build, kind, message",
    [
        (lambda x: odla.reshape(x, (0, 2)), InvalidParameter, "do not fill"),
        (lambda x: odla.cast(x, "qint8"), UnsupportedType, "target_type is QINT8; accepted"),
        (lambda x: odla.concat([x, odla.cast(x, "int8")]), UnsupportedType, "cast them"),
        (lambda x: odla.slice(x, (0,), (1,)), InvalidParameter, "start has 1 entries"),
        (lambda x: odla.slice(x, (0, 0), (1, 1), (1, 0)), InvalidParameter, "stride is 0"),
        (
            lambda x: odla.gather(x, np.array([3])),
            InvalidParameter,
            "hold 3 to 3; accepted: -3 to 2",
        ),
        (lambda x: odla.gather(x, np.array([-4])), InvalidParameter, "hold -4 to -4"),
        (lambda x: odla.gather_nd(x, np.array([[0, 4]])), InvalidParameter, "axis 1 of size 4"),
        (lambda x: odla.gather_nd(x, np.array([[0]]), 2), InvalidParameter, "num_batch_dims is 2"),
        (lambda x: odla.gather_elements(x, np.array([0])), InvalidParameter, "one rank"),
        (
            lambda x: odla.gather_elements(x, np.zeros((3, 5), int), 0),
            InvalidParameter,
            "size 5 along axis 1",
        ),
        (lambda x: odla.one_hot(odla.cast(x, "int8"), [0.0], depth=2), InvalidParameter, "off, on"),
        (lambda x: odla.transpose(x, (0, 0)), InvalidParameter, "each of the 2 axes"),
        (lambda x: odla.transpose(x, (0, -1)), InvalidParameter, "each of the 2 axes"),
        (lambda x: odla.squeeze(x, axes=(0,)), InvalidParameter, "whose size is 3"),
        (
            lambda x: odla.split(x, odla.cast(x, "int32"), num_split=1),
            InvalidParameter,
            "accepted: one element",
        ),
        (lambda x: odla.resize(x, (3, 4, 5)), InvalidParameter, "2 dimensions"),
        (lambda x: odla.resize(x, (6, 8), axes_mask=1), InvalidParameter, "keeps axis 0"),
        (
            lambda x: odla.resize(odla.cast(x, "int8"), (6, 8), interpolation="linear"),
            UnsupportedType,
            "cast it to FLOAT32",
        ),
        (lambda x: odla.resize_dynamic(x), InvalidParameter, "exactly one"),
        (lambda x: odla.fill(("float32", (2,))), InvalidParameter, "for EYE_LIKE two"),
        (lambda x: odla.fill(("int8", (2,)), "random_normal"), UnsupportedType, "FLOAT32"),
        (lambda x: odla.gemm(x, x), InvalidParameter, "inner sizes 4 and 3"),
        (
            lambda x: odla.gemm(odla.cast(x, "int8"), np.ones((4, 2), "int8"), alpha=0.5),
            InvalidParameter,
            "whole numbers",
        ),
    ],
)
def test_refusals(build, kind, message):
    with odla.Computation():
        x = odla.argument("x", (3, 4))
        with pytest.raises(kind, match=message) as caught:
            build(x)
    assert isinstance(caught.value, OdlaError)
    assert "odla_" in str(caught.value)


@pytest.mark.parametrize("op", ["reduce_max", "reduce_min", "arg_max", "arg_min"])
def test_no_extreme_of_no_elements(op):
    with odla.Computation():
        attributes = {"axes": (1,)} if op.startswith("reduce") else {"axis": 1}
        with pytest.raises(InvalidParameter, match="no extreme of no elements"):
            getattr(odla, op)(odla.argument("x", (2, 0)), **attributes)
