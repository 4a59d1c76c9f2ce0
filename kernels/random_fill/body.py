"""RandomFill in numpy."""

from typing import Any

import numpy as np

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW, _WORD = np.uint64(0xFFFFFFFF), np.uint64(32)


def run(op: Any, seed: np.ndarray) -> np.ndarray:
    dims = op.outputs[0].dims
    count = int(np.prod(dims))
    counters = np.zeros((4, (count + 3) // 4), np.uint64)
    counters[0] = np.arange(counters.shape[1])
    words = philox(counters, seed)
    uniform = (words >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)
    if op.normal:
        radius = np.sqrt(-2 * np.log(uniform[::2] + np.float32(2**-24)))
        angle = np.float32(2 * np.pi) * uniform[1::2]
        numbers = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(4, -1)
        scale = np.float32(op.second)
    else:
        numbers, scale = uniform, np.float32(op.second - op.first)
    return np.float32(op.first) + scale * numbers.T.reshape(-1)[:count].reshape(dims)


def philox(counters: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Philox4x32-10 of counters [4,n], of UINT32 in UINT64."""
    a, b, c, d = counters
    first, second = (int(word) for word in key)
    for _ in range(10):
        left, right = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b, c, d = (
            (right >> _WORD) ^ b ^ np.uint64(first),
            right & _LOW,
            (left >> _WORD) ^ d ^ np.uint64(second),
            left & _LOW,
        )
        first, second = (first + _STEPS[0]) % 2**32, (second + _STEPS[1]) % 2**32
    return np.stack([a, b, c, d])
