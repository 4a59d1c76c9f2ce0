"""Every op on every device against a numpy reference that shares no code with the package."""

import importlib

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.custom import all_custom_ops
from odla_ipu.ops import OPS

FAMILIES = [
    "custom",
    "linalg",
    "math",
    "nn",
    "process",
    "quantization",
    "regions",
    "rnn",
    "text",
    "yolo",
]

OPERANDS = {
    op.python: [field.name for field in op.fields if field.is_tensor] for op in OPS.values()
}
"""Names of the values of each op, in order."""


def cases():
    for family in FAMILIES:
        samples = importlib.import_module(f"samples.{family}").SAMPLES
        references = importlib.import_module(f"reference.{family}")
        counts = {}
        for sample in samples:
            counts[sample.op] = counts.get(sample.op, 0) + 1
            name = sample.name or str(counts[sample.op])
            yield pytest.param(sample, getattr(references, sample.op), id=f"{sample.op}-{name}")


def build(sample, is_open=False):
    """The computation of a sample, all of whose dimensions may be open, and its inputs by name."""
    inputs, operands = {}, []
    with odla.Computation() as c:
        for index, operand in enumerate(sample.operands):
            is_constant = index in sample.constants
            operands.append(_operand(operand, f"x{index}", is_constant, is_open, inputs))
        if sample.op in OPERANDS:
            named = dict(zip(OPERANDS[sample.op], operands))
            results = getattr(odla, sample.op)(**named, **sample.attributes)
        else:
            results = odla.custom_op(sample.op, operands, **sample.attributes)
        if isinstance(results, odla.Value):
            results = (results,)
        for index, result in enumerate(results):
            odla.output(result, f"y{index}")
    return c, inputs


def _operand(operand, name, is_constant, is_open, inputs):
    if operand is None:
        return None
    if isinstance(operand, tuple):
        return [
            _operand(one, f"{name}_{index}", is_constant, is_open, inputs)
            for index, one in enumerate(operand)
        ]
    if is_constant:
        return odla.constant(operand)
    inputs[name] = operand
    dims = [-1] * operand.ndim if is_open else operand.shape
    return odla.argument(name, dims, operand.dtype)


def _has_room(declared, dims):
    """Whether a result of these dims was foreseen; open sizes have room for all."""
    return len(declared) == len(dims) and all(a == -1 or b <= a for a, b in zip(declared, dims))


@pytest.mark.parametrize("sample, reference", list(cases()))
def test_op(sample, reference, device):
    c, inputs = build(sample)
    declared = c.outputs
    got = c.run(inputs, device=device)
    with np.errstate(all="ignore"):
        expected = reference(*sample.operands, **sample.attributes)
    expected = expected if isinstance(expected, (tuple, list)) else (expected,)
    assert len(got) == len(expected)
    for (name, result), wanted in zip(got.items(), expected):
        assert result.shape == np.shape(wanted)
        assert (
            _has_room(declared[name].shape, result.shape)
            if sample.sized
            else (declared[name].shape == result.shape)
        )
        assert result.dtype == declared[name].element_type.dtype
        np.testing.assert_allclose(result, wanted, rtol=sample.rtol, atol=sample.atol)


def test_every_op_has_a_sample():
    sampled = {case.values[0].op for case in cases()}
    custom_ops = {name for name, op in all_custom_ops().items() if op.__module__.startswith("odla")}
    assert not {*OPERANDS, *custom_ops} - sampled


TUPLES = {"GatherND", "ScatterND", "ScatterNDReduce"}
"""The rank of their results is decided by a size, which has to be known."""


@pytest.mark.parametrize(
    "sample, reference",
    [
        case
        for case in cases()
        if case.values[0].op not in {*OPERANDS, *TUPLES} and case.id.endswith("-1")
    ],
)
def test_custom_op_of_open_shapes(sample, reference, device):
    c, inputs = build(sample, is_open=True)
    results = c.run(device=device, **inputs)
    expected = reference(*sample.operands, **sample.attributes)
    expected = expected if isinstance(expected, (tuple, list)) else [expected]
    for index, wanted in enumerate(expected):
        got = results[f"y{index}"]
        np.testing.assert_allclose(got, wanted, sample.rtol, sample.atol, err_msg=f"y{index}")
