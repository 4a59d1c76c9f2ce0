"""Activations, normalisation, convolution, pooling and ranking.

Headers: ``ODLA/ops/odla_ops_nn.h``.  Activations come in the layouts CHANNELS_FIRST [N,C,S...] and
CHANNELS_LAST [N,S...,C]; lowering sees channels-first only (the layout pass turns them), and
kernels in OIS (Conv) and IOS (DeConv).
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import InvalidParameter, UnsupportedType
from ..graph import Graph, Value
from ..registry import (
    IntegerField,
    IntegersField,
    Op,
    choice,
    f32,
    flag,
    i32,
    ints,
    optional_tensor,
    output_dims,
    result_type,
    shape,
    tensor,
    u32,
    uints,
)
from ..types import (
    FLOATS,
    INTEGERS,
    MAX_RANK,
    NUMERIC,
    SIGNED,
    UNKNOWN,
    Dim,
    ElementType,
    MemoryLayout,
    ReductionMode,
    Shape,
    Types,
    ValueType,
    broadcast,
    format_shape,
    known,
    product,
)
from .common import axis_of
from .process import Pad, Reshape, Transpose

_FIRST, _LAST = MemoryLayout.CHANNELS_FIRST, MemoryLayout.CHANNELS_LAST


# Activations.


class _Activation(Op, declare=False):
    """Elementwise, of the type of the operand."""

    input = tensor(FLOATS)
    elementwise = True

    def infer(self) -> ValueType:
        return self.input.type


class Relu(_Activation):
    """max(x, 0)."""

    def lower(self, b: Any) -> Any:
        return b.onnx.relu([self.input])


class LeakyRelu(_Activation):
    """x where x >= 0, else alpha * x."""

    alpha = f32(0.01)

    def lower(self, b: Any) -> Any:
        return b.onnx.leakyrelu([self.input], alpha=self.alpha)


class PRelu(_Activation):
    """x where x >= 0, else slope * x; slope broadcasts to x.

    A slope of rank 1 that does not broadcast holds one number a channel (axis 1), as Caffe's.
    """

    slope = tensor(FLOATS)

    def infer(self) -> ValueType:
        _same_type(self, "slope", self.slope)
        shape = broadcast([self.input.shape, self._slope_shape()], self.where)
        if len(shape) != self.input.rank or any(
            known(a) and known(b) and a != b for a, b in zip(shape, self.input.shape)
        ):
            raise self.error(f"slope is {self.slope.type} and must broadcast to {self.input.type}")
        return self.input.type

    def _slope_shape(self) -> Shape:
        shape, x = self.slope.shape, self.input.shape
        if len(shape) == 1 and len(x) > 2 and shape[0] not in (1, x[-1]) and shape[0] == x[1]:
            return shape + (1,) * (len(x) - 2)
        return shape

    def _slope(self, b: Any) -> Any:
        shape = self._slope_shape()
        return self.slope if shape == self.slope.shape else b.reshape(self.slope, shape)

    def lower(self, b: Any) -> Any:
        return b.onnx.prelu([self.input, self._slope(b)])

    def lower_training(self, b: Any) -> Any:
        negative = b.onnx.mul([self._slope(b), b.onnx.relu([b.onnx.neg([self.input])])])
        return b.onnx.sub([b.onnx.relu([self.input]), negative])


class ThresholdedRelu(_Activation):
    """x where x > alpha, else 0."""

    alpha = f32(1.0)

    def lower(self, b: Any) -> Any:
        return b.onnx.thresholdedrelu([self.input], alpha=self.alpha)


class Elu(_Activation):
    """x where x >= 0, else alpha * (e^x - 1)."""

    alpha = f32(1.0)

    def lower(self, b: Any) -> Any:
        return b.onnx.elu([self.input], alpha=self.alpha)


class Celu(_Activation):
    """max(0, x) + min(0, alpha * (e^(x / alpha) - 1))."""

    form = "composed"
    alpha = f32(1.0)

    def normalise(self) -> None:
        if self.alpha == 0:
            raise self.error("alpha is 0, which x is divided by; accepted: any other number")

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        alpha = b.scalar(self.alpha, kind)
        negative = b.onnx.min([self.input, b.scalar(0, kind)])
        curve = b.onnx.mul([alpha, b.graphcore.expm1([b.onnx.div([negative, alpha])])])
        return b.onnx.add([b.onnx.relu([self.input]), curve])


class Selu(_Activation):
    """gamma * (x where x > 0, else alpha * (e^x - 1))."""

    alpha = f32(1.67326)
    gamma = f32(1.0507)

    def lower(self, b: Any) -> Any:
        return b.onnx.selu([self.input], alpha=self.alpha, gamma=self.gamma)


class Gelu(_Activation):
    """x Phi(x): by erf, or by tanh(sqrt(2/pi) (x + 0.044715 x^3)) when use_approx is set."""

    use_approx = flag(False)

    def lower(self, b: Any) -> Any:
        return (
            b.graphcore.gelu([self.input]) if self.use_approx else b.graphcore.geluerf([self.input])
        )


class HardSigmoid(_Activation):
    """max(0, min(1, alpha * x + beta))."""

    alpha = f32(0.2)
    beta = f32(0.5)

    def lower(self, b: Any) -> Any:
        return b.onnx.hardsigmoid([self.input], alpha=self.alpha, beta=self.beta)


class Sigmoid(_Activation):
    """1 / (1 + e^-x)."""

    def lower(self, b: Any) -> Any:
        return b.onnx.sigmoid([self.input])


class Softplus(_Activation):
    """ln(1 + e^x)."""

    def lower(self, b: Any) -> Any:
        return b.onnx.softplus([self.input])


class Softsign(_Activation):
    """x / (1 + |x|)."""

    def lower(self, b: Any) -> Any:
        return b.onnx.softsign([self.input])


class Shrink(_Activation):
    """x + bias where x < -lambd, x - bias where x > lambd, else 0; integers truncate."""

    input = tensor(FLOATS | SIGNED | {ElementType.UINT8, ElementType.UINT16})
    bias = f32(0.0)
    lambd = f32(0.5)

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        if kind.is_float:
            return b.onnx.shrink([self.input], bias=self.bias, lambd=self.lambd)
        wide = ElementType.INT32
        x = self.input if kind is wide else b.cast(self.input, wide)
        below = b.onnx.less([x, b.scalar(np.ceil(-self.lambd), wide)])
        above = b.onnx.greater([x, b.scalar(np.floor(self.lambd), wide)])
        upper = b.onnx.where([above, _add_truncated(b, x, -self.bias), b.scalar(0, wide)])
        result = b.onnx.where([below, _add_truncated(b, x, self.bias), upper])
        return result if kind is wide else b.cast(result, kind)


def _add_truncated(b: Any, x: Any, number: float) -> Any:
    """x + number for INT32 x, the sum truncated toward zero."""
    floor = b.onnx.add([x, b.scalar(np.floor(number), ElementType.INT32)])
    if number == np.floor(number):
        return floor
    ceil = b.onnx.add([x, b.scalar(np.ceil(number), ElementType.INT32)])
    return b.onnx.where([b.onnx.less([floor, b.scalar(0, ElementType.INT32)]), ceil, floor])


# Softmax and its like: along one axis.


class _AlongAxis(Op, declare=False):
    input = tensor(FLOATS)
    axis = i32(-1)

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)

    def infer(self) -> ValueType:
        return self.input.type


class Softmax(_AlongAxis):
    """e^x / sum of e^x along one axis."""

    popart = "softmax"

    def lower(self, b: Any) -> Any:
        # PopART normalises over all axes from the given one on: it has to be the last.
        rank, function = self.input.rank, getattr(b.onnx, self.popart)
        if product(self.input.dims[self.axis + 1 :]) == 1:
            return function([self.input], axis=self.axis)
        swap = list(range(rank))
        swap[self.axis], swap[-1] = swap[-1], swap[self.axis]
        return b.transpose(function([b.transpose(self.input, swap)], axis=rank - 1), swap)


class LogSoftmax(Softmax):
    """x - ln(sum of e^x) along one axis."""

    popart = "logsoftmax"


class Hardmax(_AlongAxis):
    """1 at the first maximum along one axis, else 0."""

    form = "composed"

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        index = b.onnx.argmax([self.input], axis=self.axis, keepdims=0)
        depth = b.constant(self.input.dims[self.axis], np.int32)
        values = b.constant([0, 1], kind.dtype)
        return b.onnx.onehot([index, depth, values], axis=self.axis)


# Layouts.


def _channel_axis(layout: MemoryLayout, rank: int) -> int:
    return 1 if layout is _FIRST else rank - 1


def _spatial_axes(layout: MemoryLayout, rank: int) -> Sequence[int]:
    return range(2, rank) if layout is _FIRST else range(1, rank - 1)


def _layout() -> Any:
    return choice(MemoryLayout, _FIRST, "memory_layout")


def _same_type(op: Op, name: str, value: Optional[Value]) -> None:
    kind = op.operands()[0].element_type
    if value is not None and value.element_type is not kind:
        raise UnsupportedType(
            f"{op.where}: {name} is {value.element_type.name}, input is {kind.name}; cast one of "
            "them, both must have the same element type"
        )


class _ByChannel(Op, declare=False):
    """An op on activations of a layout; ``channels`` is their number, or open."""

    input: Any
    input_layout: Any

    def check_layout(self, least_rank: int = 2, most_rank: int = MAX_RANK) -> None:
        if self.input_layout not in (_FIRST, _LAST):
            raise self.error(
                f"input_layout is {self.input_layout.name}; accepted: CHANNELS_FIRST, CHANNELS_LAST"
            )
        if not least_rank <= self.input.rank <= most_rank:
            raise self.error(
                f"input is {self.input.type}; accepted: rank {least_rank} to {most_rank} "
                "(batch, channels and spatial dimensions)"
            )

    @property
    def channels(self) -> Dim:
        return self.input.shape[_channel_axis(self.input_layout, self.input.rank)]

    def check_vector(self, name: str, value: Optional[Value], *lengths: Dim) -> None:
        """``value``, if there is one, holds one number for each of ``lengths``' first or other."""
        _same_type(self, name, value)
        if value is None or not value.type.is_static or not all(map(known, lengths)):
            return
        if value.type.elements not in lengths:
            accepted = " or ".join(str(length) for length in dict.fromkeys(lengths))
            raise self.error(f"{name} is {value.type}; accepted: {accepted} elements")


def _vector(b: Any, value: Value) -> Any:
    """``value`` as a tensor of rank 1."""
    return value if value.rank == 1 else b.reshape(value, [value.type.elements])


# Normalisation.


class _Normalization(_ByChannel, declare=False):
    scale: Any
    offset: Any
    scalar_scale: Any
    scalar_offset: Any

    def infer(self) -> ValueType:
        return self.input.type

    def scale_and_offset(self, b: Any) -> List[Any]:
        """Both as tensors of rank 1; scalars are repeated for each channel."""
        dtype = self.input.element_type.dtype
        return [
            b.constant(np.full(self.input.dims[1], scalar, dtype))
            if value is None
            else _vector(b, value)
            for value, scalar in (
                (self.scale, self.scalar_scale),
                (self.offset, self.scalar_offset),
            )
        ]

    def with_spatial(self, b: Any) -> Any:
        """The input, of rank 3 at least: PopART's normalisations demand it."""
        dims = self.input.dims
        return b.reshape(self.input, [*dims, 1]) if len(dims) == 2 else self.input

    def without_spatial(self, b: Any, result: Any) -> Any:
        return b.reshape(result, self.input.dims) if self.input.rank == 2 else result


class BatchNormalization(_Normalization):
    """(x - mean) / sqrt(var + epsilon) * scale + offset, per channel, with given statistics."""

    input = tensor(FLOATS)
    input_layout = _layout()
    mean = tensor(FLOATS)
    var = tensor(FLOATS)
    epsilon = f32(1e-5)
    scale = optional_tensor(FLOATS)
    offset = optional_tensor(FLOATS)
    scalar_scale = f32(1.0)
    scalar_offset = f32(0.0)

    def normalise(self) -> None:
        self.check_layout()
        for name in ("mean", "var", "scale", "offset"):
            self.check_vector(name, getattr(self, name), self.channels)

    def lower(self, b: Any) -> Any:
        operands = [self.with_spatial(b), *self.scale_and_offset(b)]
        operands += [_vector(b, self.mean), _vector(b, self.var)]
        results = b.onnx.batchnormalization(operands, num_outputs=1, epsilon=self.epsilon)
        return self.without_spatial(b, results[0])

    def lower_training(self, b: Any) -> Any:
        # PopART has no gradient for the form with given statistics.
        kind, column = self.input.element_type, [self.input.dims[1]] + [1] * (self.input.rank - 2)
        scale, offset = self.scale_and_offset(b)
        variance = b.onnx.add([_vector(b, self.var), b.scalar(self.epsilon, kind)])
        factor = b.onnx.div([scale, b.onnx.sqrt([variance])])
        centred = b.onnx.sub([self.input, b.reshape(self.mean, column)])
        scaled = b.onnx.mul([centred, b.reshape(factor, column)])
        return b.onnx.add([scaled, b.reshape(offset, column)])


class InstanceNormalization(_Normalization):
    """As BatchNormalization, with the statistics of each sample's channel over its positions."""

    input = tensor(FLOATS)
    input_layout = _layout()
    epsilon = f32(1e-5)
    scale = optional_tensor(FLOATS)
    offset = optional_tensor(FLOATS)
    scalar_scale = f32(1.0)
    scalar_offset = f32(0.0)

    def normalise(self) -> None:
        self.check_layout()
        for name in ("scale", "offset"):
            self.check_vector(name, getattr(self, name), self.channels)

    def lower(self, b: Any) -> Any:
        operands = [self.with_spatial(b), *self.scale_and_offset(b)]
        result = b.onnx.instancenormalization(operands, epsilon=self.epsilon)
        return self.without_spatial(b, result)


class GroupNormalization(_Normalization):
    """Statistics of each sample over blocks of channels and their positions.

    scale and offset hold one number a channel, or one a group.
    """

    input = tensor(FLOATS)
    input_layout = _layout()
    groups = i32()
    epsilon = f32(1e-5)
    scale = optional_tensor(FLOATS)
    offset = optional_tensor(FLOATS)
    scalar_scale = f32(1.0)
    scalar_offset = f32(0.0)

    def normalise(self) -> None:
        self.check_layout()
        _check_group(self, "groups", self.groups, self.channels)
        for name in ("scale", "offset"):
            self.check_vector(name, getattr(self, name), self.channels, self.groups)

    def lower(self, b: Any) -> Any:
        channels = self.input.dims[1]
        vectors = []
        for value, vector in zip((self.scale, self.offset), self.scale_and_offset(b)):
            if value is not None and value.type.elements != channels:
                column = b.reshape(value, [self.groups, 1])
                size = channels // self.groups
                vector = b.reshape(b.onnx.expand([column, b.ints([self.groups, size])]), [channels])
            vectors.append(vector)
        results = b.graphcore.groupnormalization(
            [self.input, *vectors], num_groups=self.groups, epsilon=self.epsilon
        )
        return results[0]


class LRN(_ByChannel):
    """x / (bias + alpha / window_size * sum of x^2 over neighbouring channels)^beta (ONNX LRN-13).

    The window reaches from floor((size - 1) / 2) channels before to ceil((size - 1) / 2) after.
    """

    input = tensor(FLOATS)
    input_layout = _layout()
    window_size = i32()
    alpha = f32(1e-4)
    beta = f32(0.75)
    bias = f32(1.0)

    def normalise(self) -> None:
        self.check_layout()
        if self.window_size < 1:
            raise self.error(f"window_size is {self.window_size}; accepted: 1 and more")
        for name in ("alpha", "beta", "bias"):
            if not np.isfinite(np.float32(getattr(self, name))):
                raise self.error(f"{name} is {getattr(self, name)}; accepted: finite numbers")

    def infer(self) -> ValueType:
        return self.input.type

    def _window(self) -> Tuple[int, float]:
        """Size and alpha of the window cut to 2 * channels + 1: beyond, there are only zeros."""
        size = min(self.window_size, 2 * self.input.dims[1] + 1)
        return size, self.alpha * size / self.window_size

    def lower(self, b: Any) -> Any:
        dims, x = self.input.dims, self.input
        size, alpha = self._window()
        if min(np.float32(alpha), np.float32(self.beta)) <= 0:
            return self.lower_training(b)  # PopART's own is for positive ones
        if len(dims) != 4:
            x = b.reshape(x, [*dims[:2], product(dims[2:]), 1])
        result = b.onnx.lrn([x], size=size, alpha=alpha, beta=self.beta, bias=self.bias)
        return result if len(dims) == 4 else b.reshape(result, dims)

    def lower_training(self, b: Any) -> Any:
        # The gradient of PopART's own LRN leaves the neighbours out.
        kind, dims = self.input.element_type, self.input.dims
        size, alpha = self._window()
        before = (size - 1) // 2
        squares = b.reshape(
            b.onnx.mul([self.input, self.input]), [dims[0], 1, dims[1], product(dims[2:])]
        )
        padded = b.onnx.pad([squares, b.ints([0, 0, before, 0, 0, 0, size - 1 - before, 0])])
        mean = b.reshape(b.onnx.averagepool([padded], kernel_shape=[size, 1]), dims)
        base = b.onnx.add([b.onnx.mul([mean, b.scalar(alpha, kind)]), b.scalar(self.bias, kind)])
        return b.onnx.div([self.input, b.onnx.pow([base, b.scalar(self.beta, kind)])])


class LpNormalize(_ByChannel):
    """x / (sum |x| + epsilon) for p = 1, x / sqrt(sum x^2 + epsilon) for p = 2, times scale.

    Sums run over ``axes`` of the operand as it is stored; scale broadcasts against the operand.
    """

    form = "composed"
    input = tensor(FLOATS)
    p = i32(2)
    input_layout = _layout()
    axes = ints((1,), count="axes_size")
    epsilon = f32(1e-10)
    scale = optional_tensor(FLOATS)

    def normalise(self) -> None:
        # Nothing here depends on which axis holds the channels.
        self.input_layout = _FIRST
        if self.p not in (1, 2):
            raise self.error(f"p is {self.p}; accepted: 1, 2")
        self.axes = tuple(
            sorted({axis_of(self, axis, self.input.rank, "axes") for axis in self.axes})
        )
        if not self.axes:
            raise self.error("axes is empty; accepted: one axis or more")
        _same_type(self, "scale", self.scale)

    def infer(self) -> ValueType:
        if self.scale is not None:
            shape = broadcast([self.input.shape, self.scale.shape], self.where)
            if len(shape) != self.input.rank or any(
                known(a) and known(b) and a != b for a, b in zip(shape, self.input.shape)
            ):
                raise self.error(
                    f"scale is {self.scale.type} and must broadcast to {self.input.type}"
                )
        return self.input.type

    def lower(self, b: Any) -> Any:
        epsilon = b.scalar(self.epsilon, self.input.element_type)
        reduce = b.onnx.reducel1 if self.p == 1 else b.onnx.reducesumsquare
        norm = b.onnx.add([reduce([self.input], axes=self.axes, keepdims=1), epsilon])
        if self.p == 2:
            norm = b.onnx.sqrt([norm])
        result = b.onnx.div([self.input, norm])
        return result if self.scale is None else b.onnx.mul([result, self.scale])


# Windows: what convolutions and pools have in common.


def _check_group(op: Op, name: str, group: int, channels: Dim) -> None:
    if group < 1 or (known(channels) and int(channels) % group):
        raise op.error(
            f"{name} is {group}; accepted: a positive divisor of the {channels} channels"
        )


class _Windowed(_ByChannel, declare=False):
    """One entry a spatial dimension in strides, dilations and paddings."""

    strides: Any
    paddings_front: Any
    paddings_back: Any

    @property
    def spatial(self) -> Shape:
        axes = _spatial_axes(self.input_layout, self.input.rank)
        return tuple(self.input.shape[axis] for axis in axes)

    def fill(self, name: str, default: int) -> None:
        """Default and length of an array of one entry a spatial dimension."""
        given, count = getattr(self, name), self.input.rank - 2
        if given is None:
            given = (default,) * count
        if len(given) != count:
            raise self.error(
                f"{name} is {list(given)}; accepted: {count} numbers, one a spatial dimension of "
                f"the input {self.input.type}"
            )
        if default == 1 and min(given) < 1:
            raise self.error(f"{name} is {list(given)}; accepted: 1 and more")
        setattr(self, name, given)

    def fill_window(self) -> None:
        self.check_layout(3, 5)
        self.fill("strides", 1)
        self.fill("paddings_front", 0)
        self.fill("paddings_back", 0)

    def arranged(self, channels: Dim, spatial: Sequence[Dim]) -> ValueType:
        """The result type in the layout of the input."""
        batch, kind = self.input.shape[0], self.input.element_type
        if self.input_layout is _FIRST:
            return ValueType(kind, (batch, channels, *spatial))
        return ValueType(kind, (batch, *spatial, channels))

    def hinted(self) -> Optional[Shape]:
        """The spatial dimensions of output_dims."""
        hint = self.__dict__.get("output_dims")
        if hint is None or len(hint) != self.input.rank:
            return None
        return tuple(hint[axis] for axis in _spatial_axes(self.input_layout, self.input.rank))

    def slide(self, reach: Sequence[Dim]) -> List[Dim]:
        """How many windows, covering ``reach`` elements each, fit into the padded input."""
        result: List[Dim] = []
        for axis, (size, extent) in enumerate(zip(self.spatial, reach)):
            if not known(size) or not known(extent):
                result.append(UNKNOWN)
                continue
            padded = int(size) + self.paddings_front[axis] + self.paddings_back[axis]
            if extent > padded:  # type: ignore[operator]
                raise self.error(
                    f"the window covers {extent} elements of spatial dimension {axis}, which has "
                    f"{padded} with its padding (input {self.input.type}); pad it or make the "
                    "window smaller"
                )
            result.append((padded - int(extent)) // self.strides[axis] + 1)
        return result

    def extend_to_hint(self, reach: Sequence[Dim]) -> None:
        """Pad the end until the windows give the result size that the caller states.

        Compilers round up (ceil mode) in output_dims and leave the paddings as they are.
        """
        hint = self.hinted()
        if hint is None:
            return
        back = list(self.paddings_back)
        for axis, (wanted, size, extent) in enumerate(zip(hint, self.spatial, reach)):
            if known(wanted) and known(size) and known(extent) and int(wanted) > 0:
                needed = (int(wanted) - 1) * self.strides[axis] + int(extent)
                padded = int(size) + self.paddings_front[axis] + back[axis]
                count = (padded - int(extent)) // self.strides[axis] + 1
                if count < int(wanted):
                    back[axis] += needed - padded
        self.paddings_back = tuple(back)


# Convolutions.


class _Stored(NamedTuple):
    """Where a kernel layout holds output and input channels and the first spatial dimension."""

    o: int
    i: int
    s: int


_KERNELS = {
    MemoryLayout.OIS: _Stored(0, 1, 2),
    MemoryLayout.IOS: _Stored(1, 0, 2),
    MemoryLayout.SIO: _Stored(-1, -2, 0),
    MemoryLayout.SOI: _Stored(-2, -1, 0),
}


class _Convolution(_Windowed, declare=False):
    """``canonical`` is the kernel layout that PopART computes."""

    input = tensor(FLOATS)
    kernel = tensor(FLOATS)
    bias = optional_tensor(FLOATS)
    canonical = MemoryLayout.OIS

    group: Any
    kernel_layout: Any
    dilations: Any

    def fill_convolution(self) -> None:
        self.fill_window()
        self.fill("dilations", 1)
        _same_type(self, "kernel", self.kernel)
        if self.kernel_layout not in _KERNELS:
            raise self.error(
                f"kernel_layout is {self.kernel_layout.name}; accepted: OIS, IOS, SIO, SOI"
            )
        if self.kernel.rank != self.input.rank:
            raise self.error(
                f"kernel is {self.kernel.type}, input is {self.input.type}; both must have the "
                "same rank"
            )
        if 0 in self.window:
            raise self.error(f"kernel is {self.kernel.type}; accepted: spatial sizes of 1 and more")
        _check_group(self, "group", self.group, self.channels)
        self._check_kernel()
        self.check_vector("bias", self.bias, self.filters)

    def _check_kernel(self) -> None:
        stored, channels = self._kernel_dim("i"), self.channels
        if not known(stored) or not known(channels):
            return
        part = int(channels) // self.group
        accepted = {
            MemoryLayout.OIS: [part],
            MemoryLayout.IOS: [int(channels)],
        }.get(self.kernel_layout, [part, int(channels)])
        if stored not in accepted:
            counts = " or ".join(str(count) for count in dict.fromkeys(accepted))
            raise self.error(
                f"kernel is {self.kernel.type} in {self.kernel_layout.name}: {stored} input "
                f"channels; accepted: {counts} (the input has {channels}, group is {self.group})"
            )
        if not self.whole_input and known(self._kernel_dim("o")):
            _check_group(self, "group", self.group, self._kernel_dim("o"))

    def _kernel_dim(self, channel: str) -> Dim:
        return self.kernel.shape[getattr(_KERNELS[self.kernel_layout], channel)]

    @property
    def whole_input(self) -> bool:
        """Whether the kernel holds all input channels and the outputs of one group.

        Otherwise it holds all output channels and the inputs of one group.  The layouts with S in
        front are used both ways (TensorFlow's depthwise kernels are whole): their size decides.
        """
        if self.kernel_layout in (MemoryLayout.OIS, MemoryLayout.IOS):
            return self.kernel_layout is MemoryLayout.IOS
        stored, channels = self._kernel_dim("i"), self.channels
        if self.group == 1 or not known(stored) or not known(channels):
            return self.canonical is MemoryLayout.IOS
        return stored == channels

    @property
    def filters(self) -> Dim:
        """Number of output channels."""
        stored = self._kernel_dim("o")
        return int(stored) * self.group if self.whole_input and known(stored) else stored

    @property
    def window(self) -> Shape:
        first = _KERNELS[self.kernel_layout].s
        return self.kernel.shape[first : first + self.kernel.rank - 2]

    @property
    def reach(self) -> List[Dim]:
        """Elements from the first to the last one that a dilated window covers."""
        return [
            (int(size) - 1) * dilation + 1 if known(size) else size
            for size, dilation in zip(self.window, self.dilations)
        ]


def canonical_kernel(graph: Graph, node: Any, kernel: Value) -> Value:
    """``kernel``, stored as the convolution ``node`` says, in OIS (Conv) or IOS (DeConv).

    Adds Transpose and Reshape ops to ``graph``, which must be that of ``kernel``; constants fold.
    """

    def transpose(x: Value, permutation: Sequence[int]) -> Value:
        return Transpose.add(graph, {"input": x, "permutations": permutation}, kernel.id)[0]

    def reshape(x: Value, dims: Sequence[int]) -> Value:
        return Reshape.add(graph, {"input": x, "output_dims": dims}, kernel.id)[0]

    stored, rank = _KERNELS[node.kernel_layout], kernel.rank
    o, i = stored.o % rank, stored.i % rank
    spatial = list(range(stored.s, stored.s + rank - 2))
    if node.canonical is MemoryLayout.IOS:
        o, i = i, o
    # Canonical kernels have all of the channels o and those of i that one group connects.
    if node.group == 1 or node.whole_input is (node.canonical is MemoryLayout.IOS):
        return transpose(kernel, [o, i, *spatial])
    turned = transpose(kernel, [i, o, *spatial])
    whole, part, *window = turned.dims
    split = reshape(turned, [node.group, whole // node.group, part, *window])
    swapped = transpose(split, [0, 2, 1, *range(3, rank + 1)])
    return reshape(swapped, [node.group * part, whole // node.group, *window])


class Conv(_Convolution):
    """Cross-correlation of 1 to 3 spatial dimensions, in groups (ONNX Conv-11).

    Kernels: OIS [O,I/group,S...], IOS [I,O/group,S...], SIO [S...,I/group,O] or, with all I input
    channels, [S...,I,O/group], SOI [S...,O,I] alike.  Where output_dims is larger than the windows
    give, the end is padded.  bias holds one number an output channel, in any shape.
    """

    input = tensor(FLOATS)
    input_layout = _layout()
    group = u32(1)
    kernel = tensor(FLOATS)
    kernel_layout = choice(MemoryLayout, MemoryLayout.OIS, "memory_layout")
    strides = uints(None, each="spatial")
    dilations = uints(None, each="spatial")
    paddings_front = uints(None, each="spatial")
    paddings_back = uints(None, each="spatial")
    bias = optional_tensor(FLOATS)
    output_dims = output_dims()

    def normalise(self) -> None:
        self.fill_convolution()
        self.extend_to_hint(self.reach)

    def infer(self) -> ValueType:
        return self.arranged(self.filters, self.slide(self.reach))

    def lower(self, b: Any) -> Any:
        operands = [self.input, self.kernel]
        if self.bias is not None:
            operands.append(_vector(b, self.bias))
        return b.onnx.conv(
            operands,
            dilations=self.dilations,
            group=self.group,
            pads=[*self.paddings_front, *self.paddings_back],
            strides=self.strides,
        )


class DeConv(_Convolution):
    """The transpose of Conv, in groups (ONNX ConvTranspose-11); paddings crop the result.

    result = (input - 1) * stride + dilation * (kernel - 1) + 1 - front - back.  A negative
    paddings_back extends the end with zeros (plus bias).  output_dims above the formula lowers
    paddings_back (output padding); below, where it is dilated, crops the end.
    """

    python = "deconv"
    canonical = MemoryLayout.IOS
    input = tensor(FLOATS)
    input_layout = _layout()
    group = u32(1)
    kernel = tensor(FLOATS)
    kernel_layout = choice(MemoryLayout, MemoryLayout.IOS, "memory_layout")
    strides = uints(None, each="spatial")
    dilations = uints(None, each="spatial")
    paddings_front = uints(None, each="spatial")
    paddings_back: Any = IntegersField("uint32", None, -(2**31), 2**32 - 1, each="spatial")
    bias = optional_tensor(FLOATS)
    output_dims = output_dims()

    def normalise(self) -> None:
        self.fill_convolution()
        hint, back = self.hinted(), list(self.paddings_back)
        for axis, (wanted, size) in enumerate(zip(hint or (), self._sizes())):
            if known(wanted) and size is not None:
                excess = int(wanted) - size
                # Compilers forget the dilation when they compute the size.
                if excess > 0 or self.dilations[axis] > 1:
                    back[axis] -= excess
        self.paddings_back = tuple(back)

    def _sizes(self) -> List[Optional[int]]:
        """Spatial dimensions of the result; None where one is open."""
        result: List[Optional[int]] = []
        for axis, (size, reach) in enumerate(zip(self.spatial, self.reach)):
            if not known(size) or not known(reach):
                result.append(None)
                continue
            full = (int(size) - 1) * self.strides[axis] + int(reach)
            result.append(full - self.paddings_front[axis] - self.paddings_back[axis])
        return result

    def infer(self) -> ValueType:
        sizes = self._sizes()
        for axis, size in enumerate(sizes):
            if size is not None and size < 1:
                raise self.error(
                    f"paddings {self.paddings_front[axis]} and {self.paddings_back[axis]} crop all "
                    f"of spatial dimension {axis} (input {self.input.type}, kernel "
                    f"{self.kernel.type}); make them smaller"
                )
        return self.arranged(self.filters, [UNKNOWN if size is None else size for size in sizes])

    def lower(self, b: Any) -> Any:
        return self._lower(b, self._sparse_constant(b))

    def lower_training(self, b: Any) -> Any:
        # The kernel stays the variable that is trained.
        return self._lower(b, _spread(b, self.kernel, self.dilations))

    def _sparse_constant(self, b: Any) -> Any:
        """The kernel with zeros in between, since PopART's ConvTranspose knows no dilation."""
        dense = self.kernel.data
        if dense is None or max(self.dilations) == 1:
            return _spread(b, self.kernel, self.dilations)
        sparse = np.zeros((*dense.shape[:2], *self.reach), dense.dtype)
        places = tuple(slice(None, None, dilation) for dilation in self.dilations)
        sparse[(slice(None), slice(None), *places)] = dense
        return b.initializer(sparse, f"{self.kernel.id}_dilated")

    def _lower(self, b: Any, kernel: Any) -> Any:
        beyond = [max(-back, 0) for back in self.paddings_back]
        extended = any(beyond)
        operands = [self.input, kernel]
        if self.bias is not None and not extended:
            operands.append(_vector(b, self.bias))
        result = b.onnx.convtranspose(
            operands,
            group=self.group,
            pads=[*self.paddings_front, *(max(back, 0) for back in self.paddings_back)],
            strides=self.strides,
        )
        if not extended:
            return result
        rank = self.input.rank
        result = b.onnx.pad([result, b.ints([0] * (rank + 2) + beyond)])
        if self.bias is None:
            return result
        column = b.reshape(self.bias, [self.bias.type.elements] + [1] * (rank - 2))
        return b.onnx.add([result, column])


def _spread(b: Any, kernel: Value, dilations: Sequence[int]) -> Any:
    """Insert ``dilation - 1`` zeros between neighbours along each spatial axis."""
    x, dims = b.tensor(kernel), list(kernel.dims)
    for axis, dilation in enumerate(dilations, 2):
        if dilation == 1:
            continue
        apart = dims[: axis + 1] + [1] + dims[axis + 1 :]
        pads = [0] * (2 * len(apart))
        pads[len(apart) + axis + 1] = dilation - 1
        x = b.onnx.pad([b.reshape(x, apart), b.ints(pads)])
        dims[axis] *= dilation
        x = b.reshape(x, dims)
        dims[axis] -= dilation - 1
        x = b.slice(x, axis, 0, dims[axis])
    return x


# Pooling.


class _Pool(_Windowed, declare=False):
    window_dims: Any

    def fill_pool(self) -> None:
        self.fill_window()
        self.fill("window_dims", 1)

    def infer(self) -> ValueType:
        return self.arranged(self.channels, self.slide(self.window_dims))

    @property
    def pads(self) -> List[int]:
        return [*self.paddings_front, *self.paddings_back]

    @property
    def has_window_of_padding(self) -> bool:
        """Whether a window may see nothing but padding, which engines refuse."""
        return any(pad >= size for pad, size in zip(self.pads, self.window_dims * 2))

    def padded(self, b: Any, x: Any, value: float, kind: ElementType) -> Any:
        """``x`` with ``value`` around it."""
        pads = [0, 0, *self.paddings_front, 0, 0, *self.paddings_back]
        return b.onnx.pad([x, b.ints(pads), b.scalar(value, kind)])


class MaxPool(_Pool):
    """The largest element of each window; padding never wins (ONNX MaxPool-12, no dilation)."""

    input = tensor(FLOATS | {ElementType.INT8, ElementType.UINT8})
    input_layout = _layout()
    window_dims = uints(each="spatial")
    strides = uints(None, each="spatial")
    paddings_front = uints(None, each="spatial")
    paddings_back = uints(None, each="spatial")
    output_dims = output_dims()

    def normalise(self) -> None:
        self.fill_pool()
        self.extend_to_hint(self.window_dims)

    def lower(self, b: Any) -> Any:
        kind, x, pads = self.input.element_type, self.input, self.pads
        wide = kind if kind.is_float else ElementType.FLOAT32
        if wide is not kind:
            x = b.cast(x, wide)
        if self.has_window_of_padding:
            lowest = -np.inf if kind.is_float else float(np.iinfo(kind.dtype).min)
            x, pads = self.padded(b, x, lowest, wide), [0] * len(pads)
        result = b.onnx.maxpool(
            [x], num_outputs=1, kernel_shape=self.window_dims, pads=pads, strides=self.strides
        )[0]
        return result if wide is kind else b.cast(result, kind)


class AveragePool(_Pool):
    """The mean of each window (ONNX AveragePool-11).

    padding_included: divide by the size of the window, padding and all; otherwise by the number of
    real elements.  What output_dims adds beyond the declared paddings is never counted.
    """

    input = tensor(FLOATS)
    input_layout = _layout()
    window_dims = uints(each="spatial")
    strides = uints(None, each="spatial")
    paddings_front = uints(None, each="spatial")
    paddings_back = uints(None, each="spatial")
    padding_included = flag(False)
    output_dims = output_dims()

    def normalise(self) -> None:
        self.fill_pool()
        if self.padding_included:
            self._make_padding_real()
        self.extend_to_hint(self.window_dims)

    def _make_padding_real(self) -> None:
        """Zeros that count are elements: PopART counts no padding."""
        if any(self.pads):
            front, back = ([0] * self.input.rank for _ in range(2))
            for index, axis in enumerate(_spatial_axes(self.input_layout, self.input.rank)):
                front[axis], back[axis] = self.paddings_front[index], self.paddings_back[index]
            arguments = {"input": self.input, "padding_front": front, "padding_back": back}
            try:
                self.input = Pad.add(self.graph, arguments, f"{self.id}_padded")[0]
            except InvalidParameter as error:
                raise self.error(f"its padding cannot be made: {error}") from error
            self.paddings_front = self.paddings_back = (0,) * len(self.strides)
        self.padding_included = False

    def lower(self, b: Any) -> Any:
        attributes = {"kernel_shape": self.window_dims, "strides": self.strides}
        if not self.has_window_of_padding:
            return b.onnx.averagepool([self.input], pads=self.pads, **attributes)
        kind = self.input.element_type
        means = b.onnx.averagepool([self.padded(b, self.input, 0, kind)], **attributes)
        factor = product(self.window_dims) / np.maximum(self._counts(), 1)
        return b.onnx.mul([means, b.constant(factor, kind.dtype)])

    def _counts(self) -> np.ndarray:
        """Number of real elements in each window, [S...] of the result."""
        total = np.ones((), np.int64)
        for axis, size in enumerate(self.input.dims[2:]):
            starts = np.arange(self.outputs[0].dims[2 + axis]) * self.strides[axis]
            starts -= self.paddings_front[axis]
            ends = np.minimum(starts + self.window_dims[axis], size)
            total = np.multiply.outer(total, np.maximum(ends - np.maximum(starts, 0), 0))
        return total


# Ranking.


class TopK(Op):
    """The K largest (or smallest) elements along an axis, and their indices.

    Results: values in order, and indices; of equal elements the first comes first.  ``sorted``
    False allows any order: it is the sorted one too.
    """

    input = tensor(NUMERIC)
    K = u32()
    largest = flag(True)
    sorted = flag(True)
    axis: Any = IntegerField("uint32", -1, -MAX_RANK, 2**32 - 1)
    output_value_type = result_type(None)
    output_value_index_type = result_type(ElementType.INT64)
    _computed: Types = FLOATS | {ElementType.INT32, ElementType.UINT32}

    def normalise(self) -> None:
        self.axis = axis_of(self, self.axis, self.input.rank)
        size = self.input.shape[self.axis]
        if known(size) and int(size) < self.K:
            raise self.error(f"K is {self.K}; accepted: 0 to {size}, the size of axis {self.axis}")
        if self.output_value_type is None:
            self.output_value_type = self.input.element_type
        if self.output_value_index_type not in INTEGERS:
            raise UnsupportedType(
                f"{self.where}: output_value_index_type is {self.output_value_index_type.name}; "
                "accepted: an integer type"
            )

    def infer(self) -> Tuple[ValueType, ValueType]:
        shape = list(self.input.shape)
        shape[self.axis] = self.K
        return (
            ValueType(self.output_value_type, tuple(shape)),
            ValueType(self.output_value_index_type, tuple(shape)),
        )

    def lower(self, b: Any) -> Any:
        kind = self.input.element_type
        wide = kind if kind in self._computed else ElementType.INT32
        x = self.input if wide is kind else b.cast(self.input, wide)
        values, indices = b.onnx.topk(
            [x, b.ints([self.K])], axis=self.axis, largest=int(self.largest), sorted=1
        )
        if wide is not self.output_value_type:
            values = b.cast(values, self.output_value_type)
        return values, b.cast(indices, self.output_value_index_type)


# Losses.


class NegativeLogLikeliHoodLoss(_ByChannel):
    """-weight[gt] * input[n, gt, ...], for log-probabilities [N,C,S...] and labels gt [N,S...].

    MEAN divides the sum by the sum of the weights (1 each without ``weight``).  Labels that are
    ``ignored`` or outside [0, C) count nothing.  MEAN and SUM give a scalar, or [1] where
    ``output_shape`` says so.  Computed in FLOAT32.
    """

    form = "composed"
    python = "negative_log_likelihood_loss"
    input = tensor(FLOATS)
    gt = tensor(INTEGERS)
    ignored = i32(-1)
    reduction = choice(ReductionMode, ReductionMode.MEAN, "reduction_mode")
    weight = optional_tensor(FLOATS)
    output_shape = shape(None)
    input_layout = _FIRST

    def normalise(self) -> None:
        self.check_layout()
        self.check_vector("weight", self.weight, self.channels)
        labelled = self._labelled()
        if self.gt.rank != len(labelled) or any(
            known(a) and known(b) and a != b for a, b in zip(self.gt.shape, labelled)
        ):
            raise self.error(
                f"gt is {self.gt.type}; accepted: {format_shape(labelled)}, input "
                f"{self.input.type} without its channels"
            )
        if self.reduction is ReductionMode.NONE:
            self.output_shape = None
        elif self.output_shape not in (None, (), (1,)):
            raise self.error(
                f"output_shape is {format_shape(self.output_shape)}; accepted for "
                f"{self.reduction.name}: [], [1]"
            )

    def _labelled(self) -> Shape:
        return self.input.shape[:1] + self.input.shape[2:]

    def infer(self) -> ValueType:
        is_whole = self.reduction is ReductionMode.NONE
        shape = self._labelled() if is_whole else self.output_shape or ()
        return ValueType(self.input.element_type, shape)

    def fold(self, x: np.ndarray, *others: np.ndarray) -> Optional[float]:
        if x.size:
            return None
        return 0.0 if self.reduction is ReductionMode.SUM else np.nan

    def lower(self, b: Any) -> Any:
        result, wide = self.outputs[0].type, ElementType.FLOAT32
        count, channels, *space = self.input.dims
        gt = b.reshape(self.gt, [count, 1, *space])
        if self.gt.element_type is not ElementType.INT32:
            gt = b.cast(gt, ElementType.INT32)
        spread = [1, channels] + [1] * len(space)
        numbers = np.arange(channels).reshape(spread)
        is_label = b.onnx.equal([gt, b.constant(numbers, np.int32)])
        if 0 <= self.ignored < channels:
            counts = b.constant(numbers != self.ignored)
            is_label = b.onnx.logical_and([is_label, counts])
        zero, one = b.scalar(0, wide), b.constant(np.ones([1] * (2 + len(space)), np.float32))
        if self.weight is not None:
            one = b.cast(b.reshape(self.weight, spread), wide)
        weights = b.onnx.where([is_label, one, zero])
        # Of a label with the probability zero, only the chosen -inf may count.
        chosen = b.onnx.where([is_label, b.cast(self.input, wide), zero])
        losses = b.onnx.neg([b.onnx.mul([weights, chosen])])
        if self.reduction is ReductionMode.NONE:
            loss = b.onnx.reducesum([losses], axes=[1], keepdims=0)
        else:
            everything = list(range(2 + len(space)))
            loss = b.onnx.reducesum([losses], axes=everything, keepdims=0)
            if self.reduction is ReductionMode.MEAN:
                total = b.onnx.reducesum([weights], axes=everything, keepdims=0)
                loss = b.onnx.div([loss, total])
            loss = b.reshape(loss, result.dims)
        return loss if result.element_type is wide else b.cast(loss, result.element_type)
