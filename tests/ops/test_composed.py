"""Ops that are composed of many of PopART's: refused calls, open shapes, half precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import linalg, regions
from reference import nn as nn_reference
from samples import random

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter, OdlaError, UnsupportedType
from odla_ipu.ops import OPS

OPERANDS = {op.python: [f.name for f in op.fields if f.is_tensor] for op in OPS.values()}
UINT8, INT8 = np.zeros(3, "uint8"), np.zeros(3, "int8")
ROIS = np.zeros((2, 4), "float32")
BOXES, SCORES = np.zeros((1, 5, 4), "float32"), np.zeros((1, 2, 5), "float32")


def zeros(*shape, dtype="float32"):
    return np.zeros(shape, dtype)


def call(op, *operands, **attributes):
    """The op on arguments like the arrays; what is no array is passed as it is."""
    with odla.Computation():
        values = [
            odla.argument(f"x{index}", one.shape, one.dtype) if isinstance(one, np.ndarray) else one
            for index, one in enumerate(operands)
        ]
        return getattr(odla, op)(**dict(zip(OPERANDS[op], values)), **attributes)


def refused(op, operands, message, kind=InvalidParameter, **attributes):
    return pytest.param(op, operands, attributes, message, kind, id=f"{op}-{message}")


_UINT8 = {"target_data_type": "uint8"}
_FLOAT = {"target_data_type": "float32"}
_GRAMS = {
    "pool": np.int64([1, 2, 3, 4]),
    "gram_counts": np.int64([0, 2]),
    "output_indices": np.int64([0, 1, 2]),
}
_YOLO = [zeros(1, 21, size, size) for size in (3, 5, 9)]
_PAIRS = {"max_gram_length": 2, **_GRAMS}


@pytest.mark.parametrize(
    "op, operands, attributes, message, kind",
    [
        refused("shift", [UINT8, zeros(3, dtype="uint16")], "is UINT8, .*UINT16", UnsupportedType,
                is_left_shift=True),
        refused("shift", [INT8, INT8], "accepted: UINT8, UINT16", UnsupportedType,
                is_left_shift=True),
        refused("shift", [UINT8, zeros(4, dtype="uint8")], "do not broadcast", is_left_shift=True),
        refused("det", [zeros(2, 3)], "last two sizes equal"),
        refused("det", [zeros(3)], "rank 2 and more"),
        refused("inverse", [zeros(2, 3)], "last two sizes equal"),
        refused("inverse", [zeros(2, 2, dtype="int32")], "accepted: FLOAT16", UnsupportedType),
        refused("quantize", [zeros(2, 3), zeros(3), None], "target_data_type is INT32",
                UnsupportedType, target_data_type="int32"),
        refused("quantize", [zeros(2, 3), zeros(2), None], "scale is .*vector of 3", **_UINT8),
        refused("quantize", [zeros(2, 3), zeros(1, 3), None], "scale is", **_UINT8),
        refused("quantize", [zeros(2, 3), zeros(3), None], "axis is 2; accepted: -2 to 1", axis=2,
                **_UINT8),
        refused("quantize", [zeros(2, 3), zeros(), zeros(2, dtype="uint8")], "zero_point is",
                **_UINT8),
        refused("quantize", [zeros(2, 3), zeros(), zeros(dtype="int32")], "zero_point is INT32",
                UnsupportedType, **_UINT8),
        refused("quantize", [zeros(2, 3), zeros(), zeros(dtype="int16")], "UINT8: .* of 8 bits",
                UnsupportedType, **_UINT8),
        refused("dequantize", [UINT8, zeros(), zeros(dtype="int32")], "UINT8: .* of 8 bits",
                UnsupportedType, **_FLOAT),
        refused("dequantize", [zeros(2, 3), zeros(), None], "input is FLOAT32", UnsupportedType,
                **_FLOAT),
        refused("dequantize", [UINT8, zeros(), None], "target_data_type is INT8", UnsupportedType,
                target_data_type="int8"),
        refused("compress", [zeros(2, 3), [[True]]], "accepted: a vector"),
        refused("compress", [zeros(2, 3), [False, False, True]], "true at 2; accepted: below 2",
                axis=0),
        refused("compress", [zeros(2, 3), [True]], "axis is 2; accepted: -2 to 1", axis=2),
        refused("negative_log_likelihood_loss", [zeros(2, 3), zeros(3, dtype="int64")],
                r"gt is .*accepted: \[2\]"),
        refused("negative_log_likelihood_loss", [zeros(3), zeros(3, dtype="int64")], "rank 2"),
        refused("negative_log_likelihood_loss", [zeros(2, 3), zeros(2, dtype="int64")],
                "weight is .*accepted: 3", weight=zeros(2)),
        refused("negative_log_likelihood_loss", [zeros(2, 3), zeros(2, dtype="int64")],
                r"output_shape is \[2\]; accepted for MEAN: \[\], \[1\]", output_shape=(2,)),
        refused("roi_align", [zeros(1, 2, 5), ROIS], "rank 4", output_dim=(2, 2, 1, 1)),
        refused("roi_align", [zeros(1, 2, 5, 5), zeros(2, 5)], "rois is", output_dim=(2, 2, 1, 1)),
        refused("roi_align", [zeros(3, 2, 5, 5), ROIS], "for 3 images", output_dim=(2, 2, 1, 1)),
        refused("roi_align", [zeros(1, 2, 5, 5), ROIS], r"accepted: \[2,2,1,1\] with any",
                output_dim=(2, 3, 1, 1)),
        refused("roi_align", [zeros(1, 2, 5, 5), ROIS], "height and width are known",
                output_dim=(2, 2, -1, 1)),
        refused("roi_align", [zeros(1, 2, 5, 5), ROIS], "sampling_ratio is -1",
                output_dim=(2, 2, 1, 1), sampling_ratio=-1),
        refused("roi_max_pool", [zeros(1, 2, 5, 5), ROIS], "win_h is 0", win_h=0, win_w=1),
        refused("roi_max_pool", [zeros(1, 2, 5, 5), ROIS], "output_dim is", win_h=2, win_w=1,
                output_dim=(2, 2, 1, 1)),
        refused("nms", [zeros(1, 5, 3), SCORES], "boxes is", max_num_outputs=1, iou_threshold=0.5),
        refused("nms", [BOXES, zeros(1, 2, 4)], "scores is", max_num_outputs=1, iou_threshold=0.5),
        refused("nms", [BOXES, SCORES], "iou_threshold is 1.5", max_num_outputs=1,
                iou_threshold=1.5),
        refused("nms", [BOXES, SCORES], "rows of 3 numbers", max_num_outputs=1, iou_threshold=0.5,
                output_value_type=("int64", (2, 4))),
        refused("nms", [BOXES, SCORES], "accepted: an integer", UnsupportedType, max_num_outputs=1,
                iou_threshold=0.5, output_value_type=("float32", (2, 3))),
        refused("tf_idf_vectorize", [zeros(1, 2, 3, dtype="int32")], "rank 1 and 2", **_GRAMS),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "in this order",
                min_gram_length=3, **_PAIRS),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "max_skip_count is -1",
                max_skip_count=-1, **_GRAMS),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "gram_counts is .*up to .*3",
                max_gram_length=3, **_GRAMS),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "whole n-grams",
                **{**_PAIRS, "gram_counts": np.int64([0, 3])}),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "accepted: 3, one for each",
                **{**_PAIRS, "output_indices": np.int64([0, 1])}),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "output_indices has -1",
                **{**_PAIRS, "output_indices": np.int64([0, 1, -1])}),
        refused("tf_idf_vectorize", [zeros(3, dtype="int32")], "weights has 1 entries",
                weights=zeros(1), **_PAIRS),
        refused("tf_idf_vectorize",
                [zeros(3, dtype="int32"), zeros(4, dtype="int64"), [0, 2], [0, 1, 2]],
                "pool is .*a constant vector", max_gram_length=2),
        refused("post_process", [zeros(2), zeros(), *_YOLO], "orig_img_w is .*one number"),
        refused("post_process", [zeros(), zeros(), zeros(1, 20, 3, 3), *_YOLO[1:]], "bb13 is"),
        refused("post_process", [zeros(), zeros(), *_YOLO[:2], zeros(1, 24, 9, 9)], "bb52 is"),
        refused("post_process", [zeros(), zeros(), *_YOLO[:2], zeros(2, 21, 9, 9)], "bb52 is"),
        refused("post_process", [zeros(), zeros(), *_YOLO[:2], zeros(1, 21, 9, 8)], "bb52 is"),
        refused("post_process", [zeros(), zeros(), *_YOLO[:2], zeros(1, 21, 3, 3)], "give no row"),
        refused("post_process", [zeros(), zeros(), *_YOLO[:2], zeros(1, 21, 9, 9, dtype="float16")],
                "cast them to one", UnsupportedType),
    ],
)  # fmt: skip
def test_refused(op, operands, attributes, message, kind):
    with pytest.raises(kind, match=message) as error:
        call(op, *operands, **attributes)
    assert "odla_" in str(error.value)


@pytest.mark.parametrize(
    "equation, shapes, message",
    [
        ("ij,jk->ik", [(2, 3)], "2 terms for 1 inputs"),
        ("ij", [(2, 3, 4)], "does not name the 3 axes"),
        ("ijk", [(2, 3)], "does not name the 2 axes"),
        ("i.j", [(2, 3)], "'i.j' is no term"),
        ("...i...", [(2, 3)], "is no term"),
        ("i1->i", [(2, 3)], "is no term"),
        ("ij->i->j", [(2, 3)], "is no result"),
        ("ij->ii", [(2, 3)], "has 'i' twice"),
        ("ij->k", [(2, 3)], "no input has the 'k'"),
        ("...i->i", [(2, 3)], "lacks the '...'"),
        ("ii->i", [(2, 3)], "diagonal 'i' has the sizes 2 and 3"),
        ("ij,jk->ik", [(2, 3), (4, 5)], r"'j' has the sizes \[3, 4\]"),
        ("...i,...i->...", [(2, 3), (4, 3)], r"under '...' has the sizes \[2, 4\]"),
    ],
)
def test_wrong_equations(equation, shapes, message):
    with odla.Computation():
        inputs = [odla.argument(f"x{index}", shape) for index, shape in enumerate(shapes)]
        with pytest.raises(InvalidParameter, match=message):
            odla.einsum(inputs, equation)


def test_lists_take_a_type_that_is_accepted():
    with odla.Computation():
        x = odla.argument("x", (2, 3))
        assert odla.gather(x, [1, 0, 1]).shape == (3, 3)
        assert odla.select([[True], [False]], x, 0).type == x.type
        assert odla.compress(x, [False, True], 0).shape == (1, 3)
        words = odla.argument("words", (4,), "uint8")
        assert odla.dequantize(words, 0.5, "float32").shape == (4,)


def test_an_equation_is_text():
    with odla.Computation():
        with pytest.raises(InvalidParameter, match="equation is 3; accepted: a str"):
            odla.einsum([odla.argument("x", (2,))], 3)
        with pytest.raises(UnsupportedType, match="cast them to one"):
            odla.einsum([odla.argument("y", (2,)), odla.argument("z", (2,), "int32")], "i,i")


@st.composite
def equations(draw):
    """An equation of up to 3 terms with the shapes of its operands."""
    sizes = dict(zip("abcd", draw(st.tuples(*[st.integers(1, 3)] * 4))))
    terms = draw(st.lists(st.text("abcd", max_size=4), min_size=1, max_size=3))
    used = sorted(set("".join(terms)))
    equation = ",".join(terms)
    if draw(st.booleans()):
        count = draw(st.integers(0, len(used)))
        equation += "->" + "".join(draw(st.permutations(used))[:count])
    return equation, [tuple(sizes[letter] for letter in term) for term in terms]


@settings(max_examples=60, deadline=None)
@given(equations())
def test_any_equation_is_numpys(device, drawn):
    equation, shapes = drawn
    arrays = {f"x{index}": random(*shape) for index, shape in enumerate(shapes)}
    with odla.Computation() as c:
        inputs = [odla.argument(name, array.shape) for name, array in arrays.items()]
        odla.output(odla.einsum(inputs, equation), "y")
    got = c.run(arrays, device=device)["y"]
    expected = linalg.einsum(list(arrays.values()), equation)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_pivots_keep_determinants_and_inverses_exact(device):
    """Elimination without pivoting would lose all digits of these."""
    tiny = np.float32([[1e-8, 1], [1, 1]])
    triangle = np.tril(random(8, 8)) + 2 * np.eye(8, dtype="float32")
    for x in (tiny, triangle[::-1].copy(), triangle[:, ::-1].copy()):
        with odla.Computation() as c:
            value = odla.argument("x", x.shape)
            odla.output(odla.det(value), "det")
            odla.output(odla.inverse(value), "inverse")
        got = c.run(x=x, device=device)
        np.testing.assert_allclose(got["det"], linalg.det(x), rtol=1e-4)
        np.testing.assert_allclose(got["inverse"], linalg.inverse(x), rtol=1e-3, atol=1e-5)


def test_a_singular_matrix_has_no_finite_inverse(device):
    with odla.Computation() as c:
        odla.output(odla.inverse(odla.argument("x", (2, 2))), "y")
    got = c.run(x=np.float32([[1, 2], [2, 4]]), device=device)["y"]
    assert not np.isfinite(got).any()


# Shapes that are fixed later.


def _open_einsum(x):
    return odla.einsum([x, random(3, 4)], "...ij,jk->...ik")


def _open_det(x):
    return odla.det(x)


def _open_loss(x):
    return odla.negative_log_likelihood_loss(x, np.int64([0, 2, 1, 1]), reduction="none")


@pytest.mark.parametrize(
    "build, shape, inferred, x, expected",
    [
        (
            _open_einsum,
            ("batch", -1, 3),
            ("batch", -1, 4),
            random(2, 5, 3),
            lambda x: x.astype(float) @ random(3, 4).astype(float),
        ),
        (_open_det, ("batch", -1, -1), ("batch",), random(4, 3, 3), linalg.det),
        (
            _open_loss,
            (-1, 3),
            (-1,),
            random(4, 3),
            lambda x: nn_reference.negative_log_likelihood_loss(
                x, np.int64([0, 2, 1, 1]), None, "none"
            ),
        ),
        (
            lambda x: odla.compress(x, [False, True, True], 1),
            ("batch", -1),
            ("batch", 2),
            random(3, 4),
            lambda x: x[:, 1:3],
        ),
        (
            lambda x: odla.compress(x, [False, True, True]),
            ("batch", -1),
            (2,),
            random(3, 4),
            lambda x: x[0, 1:3],
        ),
        (
            lambda x: odla.quantize(x, [0.5, 0.25], "int8", axis=-1),
            ("batch", -1),
            ("batch", -1),
            random(3, 2),
            lambda x: np.rint(x / [0.5, 0.25]),
        ),
        (
            lambda x: odla.roi_max_pool(x, ROIS + np.float32([0, 0, 4, 4]), 2, 2),
            (1, -1, -1, -1),
            (2, -1, 2, 2),
            random(1, 3, 5, 5),
            lambda x: regions.roi_max_pool(x, ROIS + [0, 0, 4, 4], win_h=2, win_w=2),
        ),
        (
            lambda x: odla.nms(x, random(1, 2, 6), 3, 0.5),
            (-1, -1, 4),
            (-1, 3),
            random(1, 6, 4),
            lambda x: regions.nms(x, random(1, 2, 6), 3, 0.5, -np.inf),
        ),
    ],
)
def test_open_shapes(device, build, shape, inferred, x, expected):
    with odla.Computation() as c:
        result = build(odla.argument("x", shape))
        assert result.shape == inferred
        odla.output(result, "y")
    got = c.specialise({"x": x.shape}).run(x=x, device=device)["y"]
    np.testing.assert_allclose(got, expected(x), rtol=1e-4, atol=1e-5)


def test_wrong_sizes_are_refused_when_shapes_are_fixed():
    with odla.Computation() as c:
        x = odla.argument("x", (-1, -1))
        odla.output(odla.einsum([x, random(3, 4)], "ij,jk->ik"), "y")
    with pytest.raises(OdlaError, match=r"'j' has the sizes \[2, 3\]"):
        c.specialise({"x": (5, 2)})


# Half precision and layouts.


def test_float_results_of_integers_follow_the_precision(device):
    """The counts are FLOAT32, the other operand becomes FLOAT16."""
    with odla.Computation() as c:
        words = odla.argument("words", (2, 4), "int32")
        counts = odla.tf_idf_vectorize(words, **_GRAMS, max_gram_length=2)
        odla.output(odla.mul(counts, np.float32([0.5, 2, 3])), "y")
    words = np.int32([[1, 2, 2, 9], [3, 4, 3, 4]])
    for precision in ("fp32", "fp16"):
        got = c.run({"words": words}, device=device, precision=precision)["y"]
        np.testing.assert_array_equal(got, [[0.5, 4, 0], [0, 0, 6]])


def test_fp16_keeps_coordinates(device):
    """Half precision rounds pixel 1000.5 away from its region."""
    rois = np.float32([[1001, 0, 1003, 0]])
    x = np.zeros((1, 1, 1, 2000), "float32")
    x[..., 1003] = 1
    with odla.Computation() as c:
        y = odla.roi_max_pool(odla.argument("x", x.shape), odla.argument("rois", (1, 4)), 1, 1)
        odla.output(y, "y")
    assert c.run(x=x, rois=rois, device=device, precision="fp16")["y"].item() == 1


def test_channels_last_regions_keep_their_hint(device):
    x, rois = random(1, 7, 9, 2), np.float32([[1, 1, 6, 5], [0, 2, 8, 6]])
    with odla.Computation() as c:
        value, regions_value = odla.argument("x", x.shape), odla.argument("rois", (2, 4))
        y = odla.roi_align(value, regions_value, (2, 3, 2, 2), input_layout="channels_last")
        odla.output(odla.relu(y), "y")
    got = c.run(x=x, rois=rois, device=device)["y"]
    expected = regions.roi_align(x, rois, "channels_last", output_dim=(2, 3, 2, 2))
    np.testing.assert_allclose(got, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)


# Random constants.


@pytest.mark.parametrize(
    "method, numbers, mean, deviation",
    [
        ("random_normal", (3.0, 0.5), 3.0, 0.5),
        ("random_uniform", (0.5, 3.0), 1.75, 2.5 / 12**0.5),
    ],
)
@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_random_numbers_are_distributed_and_repeat(method, numbers, mean, deviation, kind):
    with odla.Computation():
        first, second = (
            odla.fill((kind, (100, 200)), method, *numbers, seed=0.1) for _ in range(2)
        )
        other = odla.fill((kind, (100, 200)), method, *numbers, seed=0.2)
    assert first.data.dtype == kind and first.shape == (100, 200)
    np.testing.assert_array_equal(first.data, second.data)
    assert (first.data != other.data).mean() > 0.9
    assert abs(first.data.astype(float).mean() - mean) < 0.03
    assert abs(first.data.astype(float).std() - deviation) < 0.02
