"""Declarations against the published signatures of the ODLA 0.5 headers."""

import json
import pathlib

import pytest

import odla_ipu as odla
import odla_ipu.ops  # declares the ops
from odla_ipu.registry import OPS, signature

PUBLISHED = json.loads(pathlib.Path(__file__).with_name("odla_signatures.json").read_text())


@pytest.mark.parametrize("name", sorted(OPS))
def test_signature_is_the_published_one(name):
    declared = [list(parameter) for parameter in signature(OPS[name])]
    assert declared == PUBLISHED[name]["parameters"][:-1]
    assert PUBLISHED[name]["parameters"][-1][0] in ("value_id", "value_ids")


@pytest.mark.parametrize("name", sorted(OPS))
def test_op_is_documented_and_named(name):
    cls = OPS[name]
    assert (cls.__doc__ or "").strip()
    assert callable(getattr(odla, cls.python))


@pytest.mark.parametrize("name", sorted(OPS))
def test_family_is_the_headers(name):
    header = PUBLISHED[name]["header"]
    module = OPS[name].__module__.rsplit(".", 1)[-1]
    families = {"math": ("math", "linalg"), "nn": ("nn", "rnn", "regions", "text", "yolo")}
    family = header[len("odla_ops_") : -len(".h")]
    assert module in families.get(family, (family,))


def test_missing_and_wrong_parameters_are_named():
    with odla.Computation():
        x = odla.argument("x", (2, 3))
        with pytest.raises(
            odla.errors.InvalidParameter, match=r"odla_Clamp 'limit'.*lo is missing"
        ):
            odla.clamp(x, hi=1.0, id="limit")
        with pytest.raises(TypeError, match="height"):
            odla.relu(x, height=2)
        with pytest.raises(odla.errors.UnsupportedType, match="input is FLOAT32; accepted: BOOL"):
            odla.not_(x)
        with pytest.raises(odla.errors.InvalidParameter, match="axis is 2; accepted: -2 to 1"):
            odla.arg_max(x, axis=2)
        with pytest.raises(odla.errors.InvalidParameter, match="axis is 'x'; accepted: .*integer"):
            odla.arg_max(x, axis="x")
        with pytest.raises(odla.errors.InvalidParameter, match="keep_dims is 'yes'"):
            odla.reduce_sum(x, keep_dims="yes")


def test_numbers_take_the_type_of_the_other_operand():
    with odla.Computation():
        x = odla.argument("x", (2,), "float16")
        assert odla.add(x, 1.5).element_type is odla.ElementType.FLOAT16
        assert odla.sub(1, x).element_type is odla.ElementType.FLOAT16


@pytest.mark.parametrize("number", [2.5, 300, [1, 2.5], float("nan")])
def test_numbers_that_do_not_fit_the_other_operand_are_refused(number):
    with odla.Computation():
        x = odla.argument("x", (2,), "int8")
        with pytest.raises(odla.errors.InvalidParameter, match="a number of int8"):
            odla.add(x, number)
        assert odla.add(x, 2.0).element_type is odla.ElementType.INT8  # a whole number
