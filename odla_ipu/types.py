"""Element types, shapes and layouts: the one table that every other module reads.

``ElementType`` numbers are those of ``odla_element_type``; the layout and mode enumerations carry
the numbers of the ODLA 0.5 headers too, so that a C caller's integers convert by themselves.
"""

import enum
from typing import (
    AbstractSet,
    Dict,
    FrozenSet,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from .errors import InvalidParameter, UnsupportedType

MAX_RANK = 10
"""``ODLA_MAX_DIMENSION``."""

MAX_ELEMENTS = 2**31 - 1
"""Largest number of elements of one tensor: Poplar addresses elements with 32 bits."""

UNKNOWN = -1
"""A dimension that is not known yet, as ODLA writes it."""

Dim = Union[int, str]
"""A dimension: a size, ``UNKNOWN``, or the name of a size that is fixed later."""

Shape = Tuple[Dim, ...]


class ElementType(enum.IntEnum):
    """``odla_element_type``."""

    INT8 = 0
    INT16 = 1
    INT32 = 2
    INT64 = 3
    UINT8 = 4
    UINT16 = 5
    UINT32 = 6
    UINT64 = 7
    QINT8 = 8
    QINT16 = 9
    QINT32 = 10
    QINT64 = 11
    QUINT8 = 12
    QUINT16 = 13
    QUINT32 = 14
    QUINT64 = 15
    FLOAT16 = 16
    BFLOAT16 = 17
    FLOAT32 = 18
    FLOAT64 = 19
    BOOL = 20
    STRING = 21

    @property
    def dtype(self) -> np.dtype:
        """numpy type of an element in a bound buffer; raises UnsupportedType without one."""
        name = _ROWS[self].numpy
        if name is None:
            raise UnsupportedType(
                f"{self.name} has no numpy type; use one of {', '.join(sorted(_BY_NUMPY))}"
            )
        if self is ElementType.BFLOAT16:
            import ml_dtypes  # only here: few computations need it

            return np.dtype(ml_dtypes.bfloat16)
        return np.dtype(name)

    @property
    def popart(self) -> str:
        """PopART's name for the same type; raises UnsupportedType where PopART has none."""
        name = _ROWS[self].popart
        if name is None:
            raise UnsupportedType(f"{self.name} cannot be computed on an IPU; cast it to FLOAT32")
        return name

    @property
    def host_bytes(self) -> int:
        """Bytes of one element in a bound buffer or a constant."""
        return _ROWS[self].host_bytes

    @property
    def is_float(self) -> bool:
        return self in FLOATS

    @property
    def is_integer(self) -> bool:
        return self in INTEGERS


class _Row(NamedTuple):
    numpy: Optional[str]
    popart: Optional[str]
    host_bytes: int


_E = ElementType
_ROWS: Dict[ElementType, _Row] = {
    _E.INT8: _Row("int8", "INT8", 1),
    _E.INT16: _Row("int16", "INT16", 2),
    _E.INT32: _Row("int32", "INT32", 4),
    _E.INT64: _Row("int64", "INT64", 8),
    _E.UINT8: _Row("uint8", "UINT8", 1),
    _E.UINT16: _Row("uint16", "UINT16", 2),
    _E.UINT32: _Row("uint32", "UINT32", 4),
    _E.UINT64: _Row("uint64", "UINT64", 8),
    _E.QINT8: _Row(None, None, 1),
    _E.QINT16: _Row(None, None, 2),
    _E.QINT32: _Row(None, None, 4),
    _E.QINT64: _Row(None, None, 8),
    _E.QUINT8: _Row(None, None, 1),
    _E.QUINT16: _Row(None, None, 2),
    _E.QUINT32: _Row(None, None, 4),
    _E.QUINT64: _Row(None, None, 8),
    _E.FLOAT16: _Row("float16", "FLOAT16", 2),
    _E.BFLOAT16: _Row("bfloat16", None, 2),
    _E.FLOAT32: _Row("float32", "FLOAT", 4),
    _E.FLOAT64: _Row("float64", None, 8),
    _E.BOOL: _Row("bool", "BOOL", 1),
    _E.STRING: _Row(None, None, 8),
}
_BY_NUMPY = {row.numpy: element for element, row in _ROWS.items() if row.numpy}

Types = FrozenSet[ElementType]
FLOATS: Types = frozenset({_E.FLOAT16, _E.BFLOAT16, _E.FLOAT32, _E.FLOAT64})
SIGNED: Types = frozenset({_E.INT8, _E.INT16, _E.INT32, _E.INT64})
UNSIGNED: Types = frozenset({_E.UINT8, _E.UINT16, _E.UINT32, _E.UINT64})
INTEGERS: Types = SIGNED | UNSIGNED
NUMERIC: Types = FLOATS | INTEGERS
BOOLS: Types = frozenset({_E.BOOL})
ANY: Types = NUMERIC | BOOLS


class MemoryLayout(enum.IntEnum):
    """``odla_memory_layout``: of activations (the first two) and of kernels.

    S spatial dimensions in order, I input channels (per group), O output channels.
    """

    CHANNELS_FIRST = 0
    CHANNELS_LAST = 1
    SIO = 2
    SOI = 3
    OIS = 4
    IOS = 5


class RnnDirection(enum.IntEnum):
    """``odla_rnn_direction``."""

    FORWARD = 0
    REVERSE = 1
    BIDIRECTIONAL = 2


class LoopOutputMode(enum.IntEnum):
    """``odla_loop_output_mode``: which values of a loop variable EndLoop stacks.

    Those at the start (BEFORE) or the end (AFTER) of the iterations, first (FWD) or last (REV)
    iteration first.
    """

    LAST_VALUE = 0
    FWD_BEFORE = 1
    FWD_AFTER = 2
    REV_BEFORE = 3
    REV_AFTER = 4


class RnnOutputs(enum.IntEnum):
    """``odla_rnn_outputs``: which states an RNN returns after its output sequence."""

    NO_STATE = 0
    HIDDEN_STATE = 1
    CELL_STATE = 2
    HIDDEN_CELL_STATE = 3


class RnnWeightFormat(enum.IntEnum):
    """``odla_rnn_weight_format``: L layer, D direction, G gate, O output, I input."""

    LDGOI = 0
    LDIGO = 1


class RnnGateOrder(enum.IntEnum):
    """``odla_rnn_gate_order``: i input, o output, f forget, c cell; u update, r reset, o hidden."""

    IOFC = 0
    IFCO = 1
    IFOC = 2
    ICOF = 3
    URO = 4


class InterpolationMode(enum.IntEnum):
    """``odla_interpolation_mode``."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 2


class ResizeCoordinateMode(enum.IntEnum):
    """``odla_resize_coordinate_mode``; the first name is spelled as in the headers."""

    ASSYMMETRIC = 0
    HALF_PIXEL = 1
    HALF_PIXEL_TF = 2
    ALIGN_CORNERS = 3


class ReductionMode(enum.IntEnum):
    """``odla_reduction_mode``: of a loss over the elements of a batch."""

    NONE = 0
    MEAN = 1
    SUM = 2


class TfIdfMode(enum.IntEnum):
    """``odla_tf_idf_mode``: counts, weights of what is present, or counts times weights."""

    TF = 0
    IDF = 1
    TFIDF = 2


class FillMethod(enum.IntEnum):
    """``odla_fill_method``."""

    EYE_LIKE = 0
    RANDOM_NORMAL = 1
    RANDOM_UNIFORM = 2


class ValueType(NamedTuple):
    """Element type and shape of a value, ``odla_value_type``."""

    element_type: ElementType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every dimension is a known size."""
        return all(known(dim) for dim in self.shape)

    @property
    def dims(self) -> Tuple[int, ...]:
        """The shape as sizes; raises InvalidParameter while one is unknown."""
        if not self.is_static:
            raise InvalidParameter(f"the shape {format_shape(self.shape)} is not fixed yet")
        return tuple(int(dim) for dim in self.shape)

    @property
    def elements(self) -> int:
        return product(self.dims)

    def __str__(self) -> str:
        return f"{self.element_type.name.lower()}{format_shape(self.shape)}"


def known(dim: Dim) -> bool:
    """Whether a dimension is a size, neither unknown nor a name."""
    return isinstance(dim, int) and dim >= 0


def product(dims: Sequence[int]) -> int:
    """Product of sizes in exact integers; 1 for no dimensions."""
    result = 1
    for dim in dims:
        result *= dim
    return result


def format_shape(shape: Sequence[Dim]) -> str:
    """``[2,?,batch]``: unknown dimensions as ``?``, names as they are."""
    return "[" + ",".join("?" if dim == UNKNOWN else str(dim) for dim in shape) + "]"


def element_type(given: Union[ElementType, str, type, np.dtype, int]) -> ElementType:
    """The ElementType meant by an ElementType, its number or name, or a numpy type.

    Raises UnsupportedType, which lists what is accepted.
    """
    if isinstance(given, ElementType):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        if given in ElementType._value2member_map_:
            return ElementType(given)
    elif isinstance(given, str) and given.upper() in ElementType.__members__:
        return ElementType[given.upper()]
    elif given is not None:  # numpy would read None as float64
        try:
            name = np.dtype(given).name  # type: ignore[arg-type]
        except (TypeError, ValueError):
            name = ""
        if name in _BY_NUMPY:
            return _BY_NUMPY[name]
    raise UnsupportedType(
        f"{given!r} is no element type; use one of {', '.join(sorted(_BY_NUMPY))}"
    )


def check_shape(shape: Sequence[Dim], what: str) -> Shape:
    """``shape`` as a tuple after checks: rank, sign, names and total size.

    Raises InvalidParameter, naming ``what``.
    """
    try:
        if isinstance(shape, (str, bytes, Mapping, AbstractSet)):
            raise TypeError
        dims = tuple(dim if isinstance(dim, str) else int(dim.__index__()) for dim in shape)
    except (TypeError, AttributeError):
        raise InvalidParameter(
            f"{what}: the shape {shape!r} is not a sequence of integers or dimension names"
        ) from None
    if len(dims) > MAX_RANK:
        raise InvalidParameter(f"{what}: rank {len(dims)}; ODLA allows at most {MAX_RANK}")
    for dim in dims:
        if isinstance(dim, int) and dim < UNKNOWN:
            raise InvalidParameter(
                f"{what}: the shape {format_shape(dims)} has the negative dimension {dim}; "
                "sizes are 0 or more, -1 stands for an unknown one"
            )
        if dim == "":
            raise InvalidParameter(f"{what}: a dimension name is empty; use -1 for an unknown one")
    sizes = [dim for dim in dims if known(dim)]
    if len(sizes) == len(dims) and product(sizes) > MAX_ELEMENTS:  # type: ignore[arg-type]
        raise InvalidParameter(
            f"{what}: {format_shape(dims)} has {product(sizes)} elements; "  # type: ignore[arg-type]
            f"a tensor holds at most {MAX_ELEMENTS}"
        )
    return dims


def broadcast(shapes: Sequence[Shape], what: str) -> Shape:
    """The numpy broadcast of ``shapes``; raises InvalidParameter, naming ``what``.

    A named or unknown dimension against a size above 1 gives that size; two different names give
    an unknown dimension.
    """
    rank = max(len(shape) for shape in shapes)
    result = []
    for position in range(-rank, 0):
        dim: Dim = 1
        for shape in shapes:
            if -position <= len(shape):
                dim = _broadcast_dim(dim, shape[position], shapes, what)
        result.append(dim)
    return tuple(result)


def _broadcast_dim(left: Dim, right: Dim, shapes: Sequence[Shape], what: str) -> Dim:
    if left == right or right == 1:
        return left
    if left == 1:
        return right
    if known(left) and known(right):
        text = " and ".join(format_shape(shape) for shape in shapes)
        raise InvalidParameter(
            f"{what}: the shapes {text} do not broadcast: {left} against {right}; "
            "aligned from the last dimension, sizes must be equal or 1"
        )
    if known(left):
        return left
    if known(right):
        return right
    return UNKNOWN
