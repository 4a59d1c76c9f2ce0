"""Converters of signals: windows and mel weights, which are constants, and Fourier transforms.

A transform is a product with two constant matrices, cosines and sines: IPUs multiply matrices.
"""

from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from ...graph import Value
from .convert import Step, Unsupported, converter
from .model import element_type_of

_COSINES = {
    "HannWindow": (0.5, -0.5),
    "HammingWindow": (25 / 46, -21 / 46),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}
"""Weights of the cosines of 0, 1 and 2 periods (ONNX HannWindow-17 and so on)."""

LONGEST = 1 << 12
"""Longest transform: its matrices have the square of that many numbers."""


@converter(*_COSINES)
def _window(step: Step, size: Value) -> Value:
    count = step.integer(size, "the size")
    if count < 0:
        raise step.error(f"the size is {count}; accepted: 0 and more")
    kind = element_type_of(step.get("output_datatype", 1), step.node.label)
    period = count if step.get("periodic", 1) else count - 1
    return step.constant(_cosines(count, period, _COSINES[step.node.op]), kind.dtype)


def _cosines(count: int, period: int, weights: Sequence[float]) -> np.ndarray:
    angles = 2 * np.pi * np.arange(count) / max(period, 1)
    return sum((w * np.cos(k * angles) for k, w in enumerate(weights)), np.zeros(count))


@converter("MelWeightMatrix")
def _mel_weights(
    step: Step, bands: Value, length: Value, rate: Value, lowest: Value, highest: Value
) -> Value:
    """Triangles over the bins of a spectrum, whose corners are evenly spaced on the mel scale."""
    count = step.integer(bands, "num_mel_bins")
    size = step.integer(length, "dft_length")
    per_second = step.integer(rate, "sample_rate")
    edges = [
        step.number(edge, name)
        for edge, name in ((lowest, "lower_edge_hertz"), (highest, "upper_edge_hertz"))
    ]
    bins = size // 2 + 1
    if count < 0 or size < 1 or per_second < 1 or not 0 <= edges[0] <= edges[1]:
        raise step.error(
            f"num_mel_bins, dft_length and sample_rate are {count}, {size} and {per_second}, the "
            f"edges {edges}; accepted: positive numbers, the edges in order"
        )
    low, high = (2595 * np.log10(1 + edge / 700) for edge in edges)
    mel = low + np.arange(count + 2) * (high - low) / (count + 2)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    corners = ((size + 1) * hertz // per_second).astype(int)
    if corners.max() >= bins:
        raise step.error(f"upper_edge_hertz is {edges[1]}, beyond the last of {bins} bins")
    weights = np.zeros((bins, count))
    for band, (start, top, end) in enumerate(zip(corners, corners[1:], corners[2:])):
        places = np.arange(start, top + 1)
        weights[places, band] = (places - start) / (top - start) if top > start else 1
        places = np.arange(top, end)
        if end > top:
            weights[places, band] = (end - places) / (end - top)
    kind = element_type_of(step.get("output_datatype", 1), step.node.label)
    return step.constant(weights, kind.dtype)


# Fourier transforms.


class _Matrices(NamedTuple):
    """Of cosines and sines, [elements read, elements made]."""

    cosines: np.ndarray
    sines: np.ndarray


def _matrices(read: int, made: int, length: int, inverse: bool) -> _Matrices:
    # Whole turns first: the angles of long transforms would lose digits.
    angles = 2 * np.pi * (np.outer(np.arange(read), np.arange(made)) % length) / length
    if inverse:
        return _Matrices(np.cos(angles) / length, np.sin(angles) / length)
    return _Matrices(np.cos(angles), -np.sin(angles))


def _product(step: Step, x: Value, matrix: np.ndarray) -> Value:
    return step.op("BatchMatMul", x, step.constant(matrix, x.element_type.dtype))


def _transformed(step: Step, parts: Sequence[Value], matrices: _Matrices) -> List[Value]:
    """Real and imaginary part of the transform of the last axis of one or two parts."""
    real = _product(step, parts[0], matrices.cosines)
    imaginary = _product(step, parts[0], matrices.sines)
    if len(parts) == 2:
        real = step.op("Sub", real, _product(step, parts[1], matrices.sines))
        imaginary = step.op("Add", imaginary, _product(step, parts[1], matrices.cosines))
    return [real, imaginary]


def _parts(step: Step, x: Value) -> List[Value]:
    """The real part of ``x`` and, where its last dimension is 2, the imaginary one."""
    last = x.rank - 1
    if x.rank < 2 or x.dims[last] not in (1, 2):
        raise step.error(f"the input is {x.type}; accepted: rank 2 and more, 1 or 2 numbers last")
    return [
        step.reshape(step.slice(x, last, part, part + 1), x.dims[:last])
        for part in range(x.dims[last])
    ]


def _joined(step: Step, parts: Sequence[Value]) -> Value:
    return step.op("Stack", list(parts), axis=parts[0].rank)


def _check_length(step: Step, length: int) -> None:
    if length < 1:
        raise step.error(f"the length of the transform is {length}; accepted: 1 and more")
    if length > LONGEST:
        raise Unsupported(f"a transform of {length} elements; accepted: up to {LONGEST}")


@converter("DFT")
def _dft(
    step: Step, x: Value, length: Optional[Value] = None, axis: Optional[Value] = None
) -> Value:
    inverse, onesided = bool(step.get("inverse", 0)), bool(step.get("onesided", 0))
    parts = _parts(step, x)
    if onesided and len(parts) != 1 + inverse:
        raise step.error(f"onesided is 1 and the input {x.type}; accepted: {1 + inverse} last")
    default = step.get("axis", 1) if step.opset < 20 else -2
    along = step.axis(default if axis is None else step.integer(axis, "axis"), x.rank)
    if along == x.rank - 1:
        raise step.error(f"axis is {along}, the last one; accepted: one of the others")
    size = x.dims[along]
    if length is not None:
        count = step.integer(length, "dft_length")
    else:
        count = 2 * (size - 1) if onesided and inverse else size
    _check_length(step, count)
    order = [one for one in range(x.rank - 1) if one != along] + [along]
    last = len(order) - 1
    half = count // 2 + 1
    read = min(size, half if onesided and inverse else count)
    rows = [step.slice(step.transpose(part, order), last, 0, read) for part in parts]
    back = sorted(range(len(order)), key=order.__getitem__)
    if onesided and inverse:
        results = [_real_inverse(step, rows, count)]
    else:
        made = half if onesided else count
        results = _transformed(step, rows, _matrices(read, made, count, inverse))
    return _joined(step, [step.transpose(one, back) for one in results])


def _real_inverse(step: Step, rows: Sequence[Value], count: int) -> Value:
    """The real signal of the first half of its spectrum, whose other half mirrors it."""
    read = rows[0].dims[-1]
    cosines, sines = _matrices(read, count, count, True)
    times = np.full((read, 1), 2.0)
    times[0] = 1
    if count % 2 == 0 and read == count // 2 + 1:
        times[-1] = 1
    real = _product(step, rows[0], cosines * times)
    return step.op("Sub", real, _product(step, rows[1], sines * times))


@converter("STFT")
def _stft(
    step: Step,
    x: Value,
    hop: Value,
    window: Optional[Value] = None,
    length: Optional[Value] = None,
) -> Value:
    """Transforms of windows of the signal that start every ``hop`` elements."""
    if x.rank == 2:
        x = step.reshape(x, [*x.dims, 1])
    if x.rank != 3:
        raise step.error(f"the signal is {x.type}; accepted: [batch,length,1 or 2]")
    if length is None and window is None:
        raise step.error("neither window nor frame_length is given; accepted: one of them")
    stride = step.integer(hop, "frame_step")
    count = window.dims[0] if length is None else step.integer(length, "frame_length")  # type: ignore[union-attr]
    _check_length(step, count)
    if window is not None and window.dims != (count,):
        raise step.error(f"window is {window.type}; accepted: {count} numbers")
    size = x.dims[1]
    if stride < 1 or count > size:
        raise step.error(
            f"frame_step is {stride}, a frame {count} of {size} elements; accepted: 1 and more, "
            "frames that fit"
        )
    starts = np.arange(0, size - count + 1, stride)
    frames = []
    for part in _parts(step, x):
        framed = step.gather(part, starts[:, None] + np.arange(count), 1)
        frames.append(framed if window is None else step.op("Mul", framed, window))
    if step.get("onesided", 1) and len(frames) == 2:
        raise step.error(f"onesided is 1 and the signal {x.type}; accepted: a real one")
    made = count // 2 + 1 if step.get("onesided", 1) else count
    return _joined(step, _transformed(step, frames, _matrices(count, made, count, False)))
