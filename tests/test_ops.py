"""Every op on every device against a numpy reference that shares no code with the package."""

import importlib

import numpy as np
import pytest

import odla_ipu as odla
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


def build(sample):
    """The computation of a sample, and its inputs by name."""
    inputs, operands = {}, []
    with odla.Computation() as c:
        for index, operand in enumerate(sample.operands):
            operands.append(_operand(operand, f"x{index}", index in sample.constants, inputs))
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


def _operand(operand, name, is_constant, inputs):
    if operand is None:
        return None
    if isinstance(operand, tuple):
        return [
            _operand(one, f"{name}_{index}", is_constant, inputs)
            for index, one in enumerate(operand)
        ]
    if is_constant:
        return odla.constant(operand)
    inputs[name] = operand
    return odla.argument(name, operand.shape, operand.dtype)


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
