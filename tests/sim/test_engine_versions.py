"""Every version of every operator that PopART implements runs and computes what numpy does."""

import numpy as np
import pytest
from operator_samples import SAMPLES, Test

import odla_ipu.sim as popart
from odla_ipu.sim.operators import AI_GRAPHCORE, AI_ONNX, OPSETS, lookup, table


def versions():
    """(domain, type, version) of what is implemented, by the table of operators."""
    for domain, operators in table().items():
        for operator in operators:
            if operator.implemented:
                yield "" if domain == AI_ONNX else domain, operator.op_type, operator.since


VERSIONS = sorted(set(versions()))


def test_counts():
    assert len([v for v in VERSIONS if not v[0]]) == 188
    assert len({v[1] for v in VERSIONS if not v[0]}) == 117
    assert len(list(table()[AI_GRAPHCORE])) == 58


def cases():
    for domain, op_type, since in VERSIONS:
        for number, sample in enumerate(SAMPLES[domain, op_type]):
            if sample.since and since not in sample.since:
                continue
            case = f"{domain or AI_ONNX}.{op_type}:{since}-{number}"
            yield pytest.param(domain, op_type, since, sample, id=case)


def opsets_of(domain, op_type, since):
    """First and last opset that has the version."""
    if domain:
        return [11]
    rows = {opset: lookup("", op_type, opset) for opset in OPSETS[AI_ONNX]}
    found = [opset for opset, row in rows.items() if row is not None and row.since == since]
    return sorted({found[0], found[-1]})


def test_every_version_has_a_sample():
    for domain, op_type, since in VERSIONS:
        samples = SAMPLES.get((domain, op_type), [])
        assert any(not s.since or since in s.since for s in samples), (domain, op_type, since)


@pytest.mark.parametrize(("domain", "op_type", "since", "sample"), list(cases()))
def test_version(domain, op_type, since, sample):
    for opset in opsets_of(domain, op_type, since):
        results = results_of(sample, since, opset)
        expected = sample.expect(*sample.inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        assert len(results) == len(expected)
        for result, wanted in zip(results, expected):
            wanted = np.asarray(wanted)
            assert result.shape == wanted.shape
            kinds = (result.dtype, wanted.dtype)
            assert kinds[0].kind == kinds[1].kind, kinds
            np.testing.assert_allclose(
                result, wanted, rtol=sample.tolerance, atol=sample.tolerance / 4
            )


def results_of(sample, since, opset):
    builder = popart.Builder(opsets={"ai.onnx": opset, "ai.graphcore": 1})
    ids = [
        builder.addInputTensor(popart.TensorInfo(array.dtype, array.shape))
        for array in sample.inputs
    ]
    ops = getattr(builder, f"aiOnnxOpset{opset}")
    outputs = sample.call(Test(builder, ops, ids, since, opset))
    outputs = [outputs] if isinstance(outputs, str) else outputs
    options = popart.SessionOptions()
    options.constantWeights = False
    session = popart.InferenceSession(
        builder.getModelProto(),
        popart.DataFlow(1, outputs),
        popart.DeviceManager().createCpuDevice(),
        userOptions=options,
    )
    session.prepareDevice()
    session.weightsFromHost()
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(dict(zip(ids, sample.inputs)), anchors))
    return [anchors[name] for name in outputs]
