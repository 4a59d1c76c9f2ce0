"""What the tests of AI Matrix's networks share."""

import numpy as np

from odla_ipu import examples
from odla_ipu.bench import count


class Changed(examples.Weights):
    """Weights that ``change(name, array)`` alters in place, before a network sees them."""

    def __init__(self, seed, change):
        super().__init__(seed)
        self.change = change

    def _give(self, name, dims, trained, draw):
        array = super()._give(name, dims, trained, draw)
        self.change(name, array)
        return array


def run(build, inputs, device, seed=3, change=lambda name, array: None):
    """The outputs of ``build(weights)`` for the inputs, and the weights by name."""
    weights = Changed(seed, change)
    with build(weights).compile(device=device) as executable:
        return executable.run(inputs), weights.given


def assert_close(got, expected, bound=1e-4):
    """Equal to ``bound`` of the largest element, and not all the same number."""
    expected = np.asarray(expected)
    assert got.shape == expected.shape
    largest = np.abs(expected).max()
    assert np.isfinite(largest) and largest > 0
    assert np.abs(got - expected).max() <= bound * largest


def assert_counts(name, parameters, macs):
    """What the example declares, what it has, and what the test reckons are the same."""
    example = examples.find(name)
    batch = example.batches[0]
    weights = examples.Weights(seed=None)
    computation = example.build(batch, weights)
    assert weights.parameters == example.parameters == parameters
    assert count.macs(computation) == example.macs * batch
    assert example.macs == macs
    small = examples.Weights(seed=None)
    if example.small is not None:
        computation = example.small.build(batch, small)
        assert small.parameters == example.small.parameters
        assert count.macs(computation) == example.small.macs * batch


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def in_double(weights):
    return {name: array.astype(np.float64) for name, array in weights.items()}
