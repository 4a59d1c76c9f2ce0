"""TensorInfo: the element type and the shape of a tensor."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .binding import INT as INTEGER
from .binding import STR, Argument, instance_of, list_of, overload, resolve
from .enums import DataType
from .exceptions import popart_exception

# PopART's name of a type -> (numpy-style name, bytes an element; None where it has no fixed size)
_TYPES: Dict[str, Tuple[str, Optional[int]]] = {
    "UINT8": ("uint8", 1),
    "INT8": ("int8", 1),
    "FLOAT8_143": ("float8_143", 1),
    "FLOAT8_152": ("float8_152", 1),
    "UINT16": ("uint16", 2),
    "INT16": ("int16", 2),
    "INT32": ("int32", 4),
    "INT64": ("int64", 8),
    "UINT32": ("uint32", 4),
    "UINT64": ("uint64", 8),
    "BOOL": ("bool", 1),
    "FLOAT": ("float32", 4),
    "FLOAT16": ("float16", 2),
    "BFLOAT16": ("bfloat16", 2),
    "DOUBLE": ("float64", 8),
    "COMPLEX64": ("complex64", 8),
    "COMPLEX128": ("complex128", 16),
    "STRING": ("string", None),
    "UNDEFINED": ("undefined", None),
}

_NUMPY_TYPES = {
    np.uint8: "UINT8",
    np.uint16: "UINT16",
    np.uint32: "UINT32",
    np.uint64: "UINT64",
    np.int8: "INT8",
    np.int16: "INT16",
    np.int32: "INT32",
    np.int64: "INT64",
    np.float16: "FLOAT16",
    np.float32: "FLOAT",
    np.float64: "DOUBLE",
    np.bool_: "BOOL",
}


def _type_named(name: str) -> DataType:
    if name not in _TYPES:
        raise popart_exception(
            f'Unknown data type "{name}". Data types are {", ".join(sorted(_TYPES))}'
        )
    return DataType[name]


def _shape_from_text(text: str) -> List[int]:
    inner = text.strip()
    if not (inner.startswith("(") and inner.endswith(")")):
        raise popart_exception(f'Cannot read "{text}" as a shape: write it like "(1,2)"')
    try:
        return [int(dim) for dim in inner[1:-1].split(",") if dim.strip()]
    except ValueError:
        raise popart_exception(
            f'Cannot read "{text}" as a shape: its dimensions must be integers'
        ) from None


_SHAPE = list_of(INTEGER)
_DATA_TYPE = instance_of(DataType)
_CONSTRUCTORS = (
    overload(),
    overload(Argument("dataType", _DATA_TYPE), Argument("shape", _SHAPE)),
    overload(
        Argument("dataType", _DATA_TYPE),
        Argument("shape", _SHAPE),
        Argument("metaShape", _SHAPE),
    ),
    overload(Argument("dataType", STR), Argument("shape", STR)),
    overload(Argument("dataType", STR), Argument("shape", _SHAPE)),
)
_SETTERS = (
    overload(Argument("dataType", _DATA_TYPE)),
    overload(Argument("dataType", _DATA_TYPE), Argument("shape", _SHAPE)),
    overload(
        Argument("dataType", _DATA_TYPE),
        Argument("shape", _SHAPE),
        Argument("metaShape", _SHAPE),
    ),
)


class _TensorInfoCore:
    """Element type and shape, as the native module keeps them.

    `_TensorInfoCore()` has the type UNDEFINED. Equal objects have equal type and shape.
    """

    __slots__ = ("_meta_shape", "_shape", "_type")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("TensorInfo", _CONSTRUCTORS, args, kwargs)
        data_type = values.get("dataType", DataType.UNDEFINED)
        shape = values.get("shape", [])
        self._type = _type_named(data_type) if isinstance(data_type, str) else data_type
        self._shape = _shape_from_text(shape) if isinstance(shape, str) else shape
        self._meta_shape: List[int] = values.get("metaShape", [])

    def set(self, *args: Any, **kwargs: Any) -> None:
        """Replace the type and, where given, shape and meta shape."""
        _, values = resolve("set", _SETTERS, args, kwargs)
        self._type = values["dataType"]
        self._shape = values.get("shape", self._shape)
        self._meta_shape = values.get("metaShape", self._meta_shape)

    def dataType(self) -> DataType:
        return self._type

    def data_type(self) -> str:
        """PopART's name of the type, for example "FLOAT"."""
        return self._type.name

    def data_type_lcase(self) -> str:
        """numpy-style name of the type, for example "float32"."""
        return _TYPES[self._type.name][0]

    def shape(self) -> List[int]:
        return list(self._shape)

    def metaShape(self) -> List[int]:
        """Shape before sharding over replicas; [] where the tensor is not sharded."""
        return list(self._meta_shape)

    def rank(self) -> int:
        return len(self._shape)

    def dim(self, i: int) -> int:
        """Size of axis `i`, counted from 0. Raises popart_exception out of range."""
        if not 0 <= i < len(self._shape):
            raise popart_exception(
                f"Invalid input dimension {i}: the tensor has rank {len(self._shape)}"
            )
        return self._shape[i]

    def nelms(self) -> int:
        """Number of elements; 1 for a scalar."""
        count = 1
        for dim in self._shape:
            count *= dim
        return count

    def nbytes(self) -> int:
        return self.nelms() * self._element_bytes()

    def strides(self, shape: Sequence[int]) -> List[int]:
        """Bytes between neighbours along each axis of a row-major array of `shape`."""
        strides: List[int] = []
        step = self._element_bytes()
        for dim in reversed(shape):
            strides.insert(0, step)
            step *= dim
        return strides

    def _element_bytes(self) -> int:
        size = _TYPES[self._type.name][1]
        if size is None:
            raise popart_exception(f"Data type {self._type.name} has no size in bytes")
        return size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _TensorInfoCore):
            return NotImplemented
        return self._type == other._type and self._shape == other._shape

    def __hash__(self) -> int:
        return hash((self._type, tuple(self._shape)))

    def __repr__(self) -> str:
        return f"TensorInfo({self._type.name}, {self._shape})"


class TensorInfo(_TensorInfoCore):
    """`TensorInfo(dtype, shape)` or `TensorInfo(array)`.

    `dtype` is PopART's name ("FLOAT", "INT32"), a numpy dtype or a Python or numpy type.
    Raises TypeError for any other number of arguments, KeyError for a numpy type that PopART
    does not have.
    """

    __slots__ = ()

    def __init__(self, *args: Any) -> None:
        if len(args) == 1 and isinstance(args[0], np.ndarray):
            super().__init__(_NUMPY_TYPES[args[0].dtype.type], list(args[0].shape))
        elif len(args) == 2 and isinstance(args[0], str):
            super().__init__(*args)
        elif len(args) == 2:
            super().__init__(_NUMPY_TYPES[np.dtype(args[0]).type], args[1])
        else:
            raise TypeError(
                "TensorInfo takes (dtype, shape) or one numpy array, "
                f"not {len(args)} argument(s) of type {[type(arg).__name__ for arg in args]}"
            )


def getTensorInfo(array: np.ndarray) -> _TensorInfoCore:
    """Type and shape of a numpy array. Raises popart_exception for types PopART lacks."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"getTensorInfo takes a numpy array, not {type(array).__name__}")
    if array.dtype.type not in _NUMPY_TYPES:
        raise popart_exception(f"PopART has no data type for arrays of {array.dtype}")
    return _TensorInfoCore(_NUMPY_TYPES[array.dtype.type], list(array.shape))
