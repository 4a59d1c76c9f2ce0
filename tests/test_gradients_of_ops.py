"""The gradient of every op, by training one step, against differences of its numpy reference."""

import warnings

import numpy as np
import pytest
from test_ops import OPERANDS, cases

import odla_ipu as odla
from odla_ipu.errors import OdlaError

STEP = 1e-4

STOP = {
    "DetectionOutput",
    "DequantizeLinear",
    "ScatterNDReduce",
    "TfIdf",
    "YoloBoxes",
    "custom_IpuAttentionMask",
    "post_process",
}
"""Kernels without a gradient op, and ops that are lowered to them: nothing passes."""

REFUSED = {"ScatterReduce-3", "ScatterReduce-4", "ScatterReduce-5"}
"""Reductions of a kernel that has a gradient for others."""

KINKS = {
    "Compress-7",
    "Sort-1",
    "cast-19",
    "ceil-6",
    "elu-10",
    "floor-6",
    "hardmax-ties",
    "leaky_relu-10",
    "leaky_relu-5",
    "max_pool-8",
    "negative_log_likelihood_loss-certain",
    "reciprocal-edges",
    "relu-5",
    "round-6",
    "selu-10",
    "selu-5",
    "shrink-5",
    "softmax-10",
    "thresholded_relu-5",
    "top_k-7",
    "top_k-8",
}
"""Samples at jumps, kinks and ties, or so large that differences say nothing."""

INDICES = {"RoiMaxPool": [1], "one_hot": [0], "roi_align": [1], "roi_max_pool": [1]}
"""Operands of floats that tell where, by which there is no gradient."""

OTHER_SHAPES = {f"resize_dynamic-{number}" for number in (9, 10, 11, 12)}
"""Samples whose shape is known only when they run: the loss has another one."""


def is_float(operand):
    return isinstance(operand, np.ndarray) and operand.dtype == np.float32


def differentiable(sample):
    """Whether floats go in that are not constant."""
    return any(
        any(map(is_float, one if isinstance(one, tuple) else (one,)))
        for place, one in enumerate(sample.operands)
        if place not in fixed(sample)
    )


def fixed(sample):
    return [*sample.constants, *INDICES.get(sample.op, [])]


def sampled():
    for case in cases():
        if differentiable(case.values[0]) and case.id not in KINKS | OTHER_SHAPES:
            yield pytest.param(case.id, *case.values, id=case.id)


def built(sample):
    """A computation of variables, and they with the arrays that they hold; and the factors."""
    variables = []

    def operand(given, is_constant):
        if given is None:
            return None
        if isinstance(given, tuple):
            return [operand(one, is_constant) for one in given]
        if not is_float(given) or is_constant:
            return odla.constant(given)
        variable = odla.variable(given.shape)
        variable.set(given)
        variables.append((variable, given))
        return variable

    with odla.Computation() as c:
        constants = fixed(sample)
        operands = [operand(one, i in constants) for i, one in enumerate(sample.operands)]
        if sample.op in OPERANDS:
            named = dict(zip(OPERANDS[sample.op], operands))
            results = getattr(odla, sample.op)(**named, **sample.attributes)
        else:
            results = odla.custom_op(sample.op, operands, **sample.attributes)
        results = [results] if isinstance(results, odla.Value) else list(results)
        rng, factors, loss = np.random.default_rng(1), [], odla.constant(np.float32(0))
        for result in results:
            factors.append(None)
            if result.element_type.name == "FLOAT32":
                factors[-1] = rng.normal(size=result.dims).astype("f4")
                part = odla.mul(result, odla.constant(factors[-1]))
                loss = odla.add(loss, odla.reduce_sum(part, keep_dims=False))
        odla.output(loss, "loss")
    return c, variables, factors


@pytest.mark.parametrize("name, sample, reference", list(sampled()))
def test_gradient(name, sample, reference, device):
    c, variables, factors = built(sample)
    read = {one for node in c.graph.used_nodes() for one in node.operands()}
    if not any(one in read and given.size for one, given in variables):
        return  # it gives integers, or works on nothing
    if name in REFUSED:
        with pytest.raises(OdlaError, match="updates that replace or are added have a gradient"):
            c.compile(device, optimizer=odla.SGD(1.0))
        return
    stops = sample.op in STOP
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exe = c.compile(device, optimizer=odla.SGD(1.0))
    assert any("no gradient passes" in str(one.message) for one in caught) == stops
    with exe:
        exe.run()
    gradients = [given.astype("f8") - variable.array for variable, given in variables]
    if stops:
        assert not any(one.any() for one in gradients)
        return
    for seed in range(3):
        rng = np.random.default_rng(seed)
        ways = {id(given): rng.normal(size=given.shape) for _, given in variables}

        def moved(one, amount, ways=ways):
            if isinstance(one, tuple):
                return tuple(moved(each, amount) for each in one)
            if not is_float(one):
                return one
            return one + amount * ways[id(one)] if id(one) in ways else one.astype("f8")

        def loss(amount):
            operands = [moved(one, amount) for one in sample.operands]
            with np.errstate(all="ignore"):
                found = reference(*operands, **sample.attributes)
            found = found if isinstance(found, (tuple, list)) else (found,)
            pairs = [pair for pair in zip(found, factors) if pair[1] is not None]
            return sum((np.asarray(one, "f8") * factor).sum() for one, factor in pairs)

        wanted = (loss(STEP) - loss(-STEP)) / (2 * STEP)
        if np.isnan(wanted):
            return  # a mean of no numbers
        parts = [one * ways[id(given)] for one, (_, given) in zip(gradients, variables)]
        size = max(sum(np.abs(one).sum() for one in parts), abs(wanted), 1e-3)
        assert abs(sum(one.sum() for one in parts) - wanted) < 2e-3 * size
