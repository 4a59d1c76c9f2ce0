"""How an op is declared, and what follows from a declaration.

An op is a class: its fields, in the order of the ODLA parameters, then up to four methods::

    class LeakyRelu(Op):
        \"\"\"x where x >= 0, else alpha * x, elementwise.\"\"\"
        input = tensor(FLOATS)
        alpha = f32(0.01)

        def infer(self):            # the result type (a list of types for several results)
            return self.input.type

        def lower(self, b):         # the PopART builder calls that compute it
            return b.onnx.leakyrelu([self.input], alpha=self.alpha)

From the fields follow the C signature, the Python function (``odla_ipu.leaky_relu``), the checks of
its arguments, printing, copying and the table of supported ops.  Optional methods: ``fold``
computes the result in numpy when all operands are constants; ``normalise`` brings the parameters to
a canonical form before inference; ``lower_training`` replaces ``lower`` where PopART's inference
form has no gradient.  An instance is a node of a graph; in its methods a field reads as its value.
"""

import enum
import inspect
import keyword
import math
import re
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
)

import numpy as np

from .errors import InternalError, InvalidParameter, UnsupportedType
from .graph import Graph, Node, Value
from .types import (
    ANY,
    ElementType,
    Shape,
    Types,
    ValueType,
    check_shape,
    element_type,
    format_shape,
    known,
    product,
)

REQUIRED: Any = inspect.Parameter.empty

FOLD_LIMIT = 1 << 16
"""Constant results above this many bytes fold only when they are not larger than the operands."""


class Field:
    """One declared parameter: how it is checked and how the C ABI spells it."""

    name = ""
    attribute = ""
    is_tensor = False
    is_shaping = False

    def __init__(self, ctype: str, default: Any = REQUIRED):
        self.ctype = ctype
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        # A node's own names, such as outputs, take an underscore in declarations.
        self.attribute = name
        self.name = name.rstrip("_")

    @property
    def parameters(self) -> List[Tuple[str, str]]:
        """The C parameters, (type without ``odla_``, name), that carry this field."""
        return [(self.ctype, self.name)]

    def convert(self, node: "Op", given: Any) -> Any:
        """The checked value of the field; raises InvalidParameter or UnsupportedType."""
        raise InternalError(f"{self.name}: a field without a check")

    def reject(self, node: "Op", given: Any, accepted: str) -> InvalidParameter:
        return node.error(f"{self.name} is {_shown(given)}; accepted: {accepted}")


def _shown(given: Any) -> str:
    """A wrong argument for a message, which it must not flood."""
    text = f"{given.dtype}{list(given.shape)}" if isinstance(given, np.ndarray) else repr(given)
    return text if len(text) <= 200 else f"{text[:200]}..."


class TensorField(Field):
    is_tensor = True

    def __init__(self, types: Types, default: Any, shaping: bool = False):
        super().__init__("value", default)
        self.types = types
        self.is_shaping = shaping

    def convert(self, node: "Op", given: Any) -> Optional[Value]:
        if given is None:
            if self.default is None:
                return None
            raise self.reject(node, given, "a value")
        value = given if isinstance(given, Value) else self._constant(node, given)
        if value.graph is not node.graph:
            value = node.graph.adopt(value, f"{node.where}: {self.name}")
        if value.type.element_type not in self.types:
            raise UnsupportedType(
                f"{node.where}: {self.name} is {value.element_type.name}; accepted: "
                + ", ".join(t.name for t in sorted(self.types))
            )
        return value

    def _constant(self, node: "Op", given: Any) -> Value:
        """A constant from an array, list or number; numbers take the type of other operands."""
        dtype = None
        try:
            if not isinstance(given, (np.ndarray, np.generic)):
                dtype = node.scalar_type(given, self.types)
            data = np.asarray(given, dtype)
            element_type(data.dtype)
            if data.dtype.kind in "iub" and not np.array_equal(data, np.asarray(given)):
                raise ValueError("a fraction, or a number out of range")
        except (TypeError, ValueError, OverflowError, UnsupportedType):
            kind = "" if dtype is None else f" of {dtype.name}"
            raise self.reject(node, given, f"a value, an array or a number{kind}") from None
        return node.graph.add_constant(data)


class TensorsField(Field):
    """Several values, ``odla_values``."""

    is_tensor = True

    def __init__(self, types: Types):
        super().__init__("values")
        self.element = TensorField(types, REQUIRED)

    def convert(self, node: "Op", given: Any) -> Tuple[Value, ...]:
        if isinstance(given, (Value, np.ndarray, str)) or not isinstance(given, Iterable):
            raise self.reject(node, given, "a sequence of values")
        self.element.name = self.name
        values = tuple(self.element.convert(node, one) for one in given)
        if not values:
            raise self.reject(node, given, "at least one value")
        return values  # type: ignore[return-value]


class IntegerField(Field):
    def __init__(self, ctype: str, default: Any, low: int, high: int):
        super().__init__(ctype, default)
        self.low, self.high = low, high

    def convert(self, node: "Op", given: Any) -> int:
        try:
            number = int(given.__index__())
        except AttributeError:
            raise self.reject(node, given, "an integer") from None
        if not self.low <= number <= self.high:
            raise self.reject(node, given, f"{self.low} to {self.high}")
        return number


class FloatField(Field):
    def convert(self, node: "Op", given: Any) -> float:
        try:
            number = float(given)
        except (TypeError, ValueError, OverflowError):
            raise self.reject(node, given, "a number") from None
        if math.isnan(number):
            raise self.reject(node, given, "a number")
        return number


class BoolField(Field):
    def convert(self, node: "Op", given: Any) -> bool:
        if isinstance(given, (bool, np.bool_)) or (isinstance(given, int) and given in (0, 1)):
            return bool(given)
        raise self.reject(node, given, "True or False")


class TextField(Field):
    def __init__(self, default: Any):
        super().__init__("char *", default)

    def convert(self, node: "Op", given: Any) -> str:
        if isinstance(given, str):
            return given
        raise self.reject(node, given, "a str")


class EnumField(Field):
    def __init__(self, kind: Type[enum.IntEnum], default: Any, ctype: str):
        super().__init__(ctype, default)
        self.kind = kind

    def convert(self, node: "Op", given: Any) -> enum.IntEnum:
        if isinstance(given, self.kind):
            return given
        if isinstance(given, str) and given.upper() in self.kind.__members__:
            return self.kind[given.upper()]
        if isinstance(given, int) and given in self.kind._value2member_map_:
            return self.kind(given)
        raise self.reject(node, given, ", ".join(self.kind.__members__))


class IntegersField(Field):
    """An array of integers; None where ``normalise`` fills in what the operands imply."""

    def __init__(
        self, ctype: str, default: Any, low: int, high: int, count: str = "", each: str = "dim"
    ):
        super().__init__(f"{ctype} *", default)
        self.element = IntegerField(ctype, REQUIRED, low, high)
        self.count = count
        self.each = each

    @property
    def parameters(self) -> List[Tuple[str, str]]:
        own = (self.ctype, self.name)
        return [("size_t", self.count), own] if self.count else [own]

    def convert(self, node: "Op", given: Any) -> Optional[Tuple[int, ...]]:
        if given is None and self.default is None:
            return None
        if isinstance(given, np.ndarray):
            given = given.tolist()
        if isinstance(given, (str, Value)) or not isinstance(given, Iterable):
            raise self.reject(node, given, "a sequence of integers")
        self.element.name = self.name
        return tuple(self.element.convert(node, one) for one in given)


class FloatsField(Field):
    """An array of floats, of which the custom ops have some."""

    def __init__(self, default: Any):
        super().__init__("float32 *", default)
        self.element = FloatField("float32", REQUIRED)

    def convert(self, node: "Op", given: Any) -> Tuple[float, ...]:
        if isinstance(given, np.ndarray):
            given = given.tolist()
        if isinstance(given, (str, Value)) or not isinstance(given, Iterable):
            raise self.reject(node, given, "a sequence of numbers")
        self.element.name = self.name
        return tuple(self.element.convert(node, one) for one in given)


class ShapeField(Field):
    """A shape, ``odla_value_shape``."""

    def __init__(self, default: Any = REQUIRED):
        super().__init__("value_shape", default)

    def convert(self, node: "Op", given: Any) -> Optional[Shape]:
        if given is None and self.default is None:
            return None
        if isinstance(given, (int, np.integer)) or given is None or isinstance(given, (str, Value)):
            raise self.reject(node, given, "a sequence of integers")
        return check_shape(given, f"{node.where}: {self.name}")


class OutputDimsField(ShapeField):
    """The result shape as the caller computed it: checked against ours (or not), then forgotten."""

    def __init__(self, checked: bool) -> None:
        super().__init__(None)
        self.checked = checked


class ElementTypeField(Field):
    def __init__(self) -> None:
        super().__init__("element_type")

    def convert(self, node: "Op", given: Any) -> ElementType:
        try:
            return element_type(given)
        except UnsupportedType as error:
            raise UnsupportedType(f"{node.where}: {self.name}: {error}") from None


class ResultTypeField(Field):
    """``odla_value_type`` of a result: the op keeps the element type and infers the shape.

    A ValueType, a pair of both, or the element type alone.
    Without a default, ``normalise`` fills in what the operands imply.
    """

    def __init__(self, default: Optional[ElementType]):
        super().__init__("value_type", default)

    def convert(self, node: "Op", given: Any) -> Optional[ElementType]:
        if given is None and self.default is None:
            return None
        if isinstance(given, tuple) and len(given) == 2:
            given = given[0]
        try:
            kind = element_type(given)
        except UnsupportedType as error:
            raise UnsupportedType(f"{node.where}: {self.name}: {error}") from None
        if kind not in ANY:
            raise UnsupportedType(
                f"{node.where}: {self.name} is {kind.name}; accepted: "
                + ", ".join(one.name for one in sorted(ANY))
            )
        return kind


class ValueTypeField(Field):
    """``odla_value_type`` that defines a result: a ValueType, or (element type, shape)."""

    def __init__(self, default: Any) -> None:
        super().__init__("value_type", default)

    def convert(self, node: "Op", given: Any) -> Optional[ValueType]:
        if given is None and self.default is None:
            return None
        try:
            kind, dims = given
        except (TypeError, ValueError):
            raise self.reject(node, given, "an element type and a shape") from None
        what = f"{node.where}: {self.name}"
        try:
            return ValueType(element_type(kind), check_shape(dims, what))
        except UnsupportedType as error:
            raise UnsupportedType(f"{what}: {error}") from None


# The functions below declare fields.  They return Any because in an instance the name stands for
# the checked value, not for the Field.


def tensor(types: Types = ANY, shaping: bool = False) -> Any:
    """A value operand of one of the element types.

    ``shaping`` ones decide the device's program: where they are not constant, they are computed
    first and the program is made for what they turn out to be.
    """
    return TensorField(types, REQUIRED, shaping)


def optional_tensor(types: Types = ANY, shaping: bool = False) -> Any:
    """A value operand that may be absent (None, NULL in C)."""
    return TensorField(types, None, shaping)


def tensors(types: Types = ANY) -> Any:
    """One or more value operands, ``odla_values``."""
    return TensorsField(types)


def i32(default: Any = REQUIRED) -> Any:
    return IntegerField("int32", default, -(2**31), 2**31 - 1)


def u32(default: Any = REQUIRED) -> Any:
    return IntegerField("uint32", default, 0, 2**32 - 1)


def i64(default: Any = REQUIRED) -> Any:
    return IntegerField("int64", default, -(2**63), 2**63 - 1)


def f32(default: Any = REQUIRED) -> Any:
    return FloatField("float32", default)


def flag(default: Any = REQUIRED) -> Any:
    """``odla_bool``."""
    return BoolField("bool", default)


def text(default: Any = REQUIRED) -> Any:
    """``const char *``, a NUL-terminated string."""
    return TextField(default)


def choice(kind: Type[enum.IntEnum], default: Any, ctype: str) -> Any:
    """A member of an ODLA enumeration; its name (any case) and its number are accepted too."""
    return EnumField(kind, default, ctype)


def uints(default: Any = REQUIRED, count: str = "", each: str = "dim") -> Any:
    """``const odla_uint32 *``.

    ``count`` names the C parameter that carries its length; without one it has an entry for each
    dimension of the first value, or for each of its spatial ones (``each`` is "spatial").
    """
    return IntegersField("uint32", default, 0, 2**32 - 1, count, each)


def ints(default: Any = REQUIRED, count: str = "", each: str = "dim") -> Any:
    """``const odla_int32 *``; as ``uints``."""
    return IntegersField("int32", default, -(2**31), 2**31 - 1, count, each)


def i64s(default: Any = REQUIRED) -> Any:
    """Integers of a custom op."""
    return IntegersField("int64", default, -(2**63), 2**63 - 1)


def f32s(default: Any = REQUIRED) -> Any:
    """Floats of a custom op."""
    return FloatsField(default)


def shape(default: Any = REQUIRED) -> Any:
    """``odla_value_shape`` that defines something."""
    return ShapeField(default)


def output_dims(checked: bool = True) -> Any:
    """``odla_value_shape`` of the result: optional, and only checked.

    ``checked`` is False where compilers are known to compute it wrongly.
    """
    return OutputDimsField(checked)


def target_type() -> Any:
    """``odla_element_type``."""
    return ElementTypeField()


def result_type(default: Optional[ElementType]) -> Any:
    """``odla_value_type`` of a result, of which the element type counts."""
    return ResultTypeField(default)


def value_type(default: Any = REQUIRED) -> Any:
    """``odla_value_type`` that defines the result."""
    return ValueTypeField(default)


Infer = Union[ValueType, Sequence[ValueType]]


class Op(Node):
    """Base of all declared ops; see the module's docstring."""

    fields: ClassVar[Tuple[Field, ...]] = ()
    python: ClassVar[str] = ""
    elementwise: ClassVar[bool] = False
    """Whether an element of the result depends on the same element of the operands only."""
    folds_from_types: ClassVar[bool] = False
    """Whether ``fold`` needs the operands' types only.

    It takes no arrays then, gives None while the types are open, and folds results of any size.
    """
    fold: ClassVar[Optional[Callable[..., Any]]] = None
    form: ClassVar[str] = "direct"
    """How PopART computes it for ordinary attributes.

    ``direct``: by one op; ``composed``: by several; ``kernel``: by a custom op; ``constant``: not
    at all, it is known when the computation is compiled.
    """

    def __init_subclass__(cls, declare: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {name: field for name, field in cls.__dict__.items() if isinstance(field, Field)}
        inherited = {field.attribute: field for field in cls.fields}
        # One that declares all of its base's fields anew gives their order too.
        merged = own if own.keys() >= inherited.keys() else {**inherited, **own}
        cls.fields = tuple(merged.values())
        cls._tensors = tuple(field for field in cls.fields if field.is_tensor)
        if declare:
            cls.name = f"odla_{cls.__name__}"
            cls.python = cls.__dict__.get("python") or _python_name(cls.__name__)
            _register(cls)

    _tensors: ClassVar[Tuple[Field, ...]] = ()

    # What a declaration provides.

    def normalise(self) -> None:
        """Bring the parameters to canonical form; raise ``self.error`` when they are wrong."""

    def infer(self) -> Infer:
        """The type of the result, or the list of types of several results."""
        raise InternalError(f"{self.name} does not infer its result")

    def lower(self, b: Any) -> Any:
        """PopART's tensor id of the result (a sequence of ids for several results)."""
        raise InternalError(f"{self.name} has no lowering")

    def lower_training(self, b: Any) -> Any:
        return self.lower(b)

    # What follows from it.

    def operands(self) -> List[Value]:
        result: List[Value] = []
        for field in self._tensors:
            given = self.__dict__[field.attribute]
            if given is None:
                continue
            if isinstance(given, tuple):
                result.extend(given)
            else:
                result.append(given)
        return result

    def attributes(self) -> Dict[str, Any]:
        return {
            field.name: self.__dict__[field.attribute]
            for field in self.fields
            if not field.is_tensor and not isinstance(field, OutputDimsField)
        }

    def shaped_by(self) -> List[Value]:
        """The operands that decide the device's program and are not constant."""
        found = [self.__dict__[field.attribute] for field in self._tensors if field.is_shaping]
        return [value for value in found if value is not None and value.data is None]

    def copy_to(
        self, graph: Graph, values: Mapping[Value, Value], **changes: Any
    ) -> Tuple[Value, ...]:
        arguments = self.attributes()
        for field in self._tensors:
            if field.name in changes:  # reading it could make what was put off
                continue
            given = self.__dict__[field.attribute]
            if isinstance(given, tuple):
                arguments[field.name] = tuple(values[one] for one in given)
            else:
                arguments[field.name] = None if given is None else values[given]
        arguments.update(changes)
        return type(self).add(graph, arguments, self.id)

    def scalar_type(self, given: Any, types: Types) -> Optional[np.dtype]:
        """numpy type for a plain number among the operands: that of another one, if accepted."""
        for other in self.__dict__["given"].values():
            if isinstance(other, (list, tuple)):
                other = next((one for one in other if isinstance(one, Value)), None)
            if isinstance(other, Value):
                kind = other.element_type
            elif isinstance(other, (np.ndarray, np.generic)):
                kind = element_type(other.dtype)
            else:
                continue
            if kind in types:
                return kind.dtype
        floats = any(isinstance(one, float) for one in np.ravel(given).tolist())
        return np.dtype(np.float32) if floats else None

    @classmethod
    def add(
        cls, graph: Graph, arguments: Mapping[str, Any], id: Optional[str] = None
    ) -> Tuple[Value, ...]:
        """Add this op to ``graph``: check ``arguments``, infer, and fold if all is constant.

        Raises InvalidParameter or UnsupportedType, naming the op, its id and the argument.
        """
        node = cls.__new__(cls)
        node.graph = graph
        node.id = id or cls.__name__
        node.origin = graph.place()
        node.__dict__["given"] = arguments
        for field in _values_first(cls):
            given = arguments.get(field.name, field.default)
            if given is REQUIRED:
                raise node.error(f"{field.name} is missing")
            node.__dict__[field.attribute] = field.convert(node, given)
        del node.__dict__["given"]
        node.normalise()
        inferred = node.infer()
        types = [inferred] if isinstance(inferred, ValueType) else list(inferred)
        for kind in types:
            check_shape(kind.shape, f"{node.where}: the result")
        _check_hint(node, types[0])
        folded = _fold(node, types) if graph.folds else None
        if folded is not None:
            return tuple(
                graph.add_constant(_as_type(data, kind), node.id)
                for data, kind in zip(folded, types)
            )
        node.id = graph.unique_id(node.id)
        return graph.add_node(node, types)


def _values_first(cls: Type[Op]) -> Sequence[Field]:
    """Fields with the values in front: attributes are checked knowing the operands."""
    order = cls.__dict__.get("_order")
    if order is None:
        rest = tuple(field for field in cls.fields if not field.is_tensor)
        order = cls._order = cls._tensors + rest  # type: ignore[attr-defined]
    return order


def _check_hint(node: Op, kind: ValueType) -> None:
    for field in node.fields:
        if isinstance(field, OutputDimsField) and field.checked:
            hint = node.__dict__[field.attribute]
            if hint is not None and not _compatible(hint, kind.shape):
                raise node.error(
                    f"{field.name} is {format_shape(hint)}, but the result has the shape "
                    f"{format_shape(kind.shape)}; pass that or leave it out"
                )


def _compatible(hint: Shape, shape: Shape) -> bool:
    return len(hint) == len(shape) and all(
        a == b or not known(a) or not known(b) for a, b in zip(hint, shape)
    )


def _as_type(data: Any, kind: ValueType) -> np.ndarray:
    return np.ascontiguousarray(data, kind.element_type.dtype).reshape(kind.dims)


def _fold(node: Op, types: Sequence[ValueType]) -> Optional[Sequence[Any]]:
    """The results as arrays when they can be known now, else None.

    Results without elements are always known: devices never see a tensor of size zero.
    """
    if not all(kind.is_static for kind in types):
        return None
    if all(0 in kind.shape for kind in types):
        return [np.empty(kind.dims, kind.element_type.dtype) for kind in types]
    if node.fold is None:
        return None
    arrays: List[Optional[np.ndarray]] = []
    if not node.folds_from_types:
        arrays = [operand.data for operand in node.operands()]
        if any(array is None for array in arrays):
            return None
        size = sum(product(kind.dims) * kind.element_type.host_bytes for kind in types)
        if size > max(FOLD_LIMIT, sum(array.nbytes for array in arrays if array is not None)):
            return None
    with np.errstate(all="ignore"):
        result = node.fold(*map(_computed, arrays))
    if result is None:
        return None
    return result if isinstance(result, (tuple, list)) else [result]


def _computed(array: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """The operand of a fold: BFLOAT16 as FLOAT32, which numpy and devices compute."""
    if array is None or element_type(array.dtype) is not ElementType.BFLOAT16:
        return array
    return array.astype(np.float32)


# Lookup and the Python functions.

OPS: Dict[str, Type[Op]] = {}
"""Every declared op by its ODLA name (``odla_Conv``)."""


def _register(cls: Type[Op]) -> None:
    if cls.name in OPS:
        raise InternalError(f"{cls.name} is declared twice: {OPS[cls.name].__module__} and here")
    OPS[cls.name] = cls


def family(cls: Type[Op]) -> str:
    """``math``, ``nn``, ...: the module that declares the op."""
    return cls.__module__.rsplit(".", 1)[-1]


def signature(cls: Type[Op]) -> List[Tuple[str, str]]:
    """The C parameters in order, without the trailing value id(s)."""
    return [parameter for field in cls.fields for parameter in field.parameters]


def python_signature(cls: Type[Op]) -> inspect.Signature:
    """Required values, then required attributes, then the optional ones, then ``id``."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    required = [field for field in _values_first(cls) if field.default is REQUIRED]
    optional = [field for field in cls.fields if field.default is not REQUIRED]
    parameters = [
        inspect.Parameter(field.name, kind, default=field.default) for field in required + optional
    ]
    parameters.append(inspect.Parameter("id", inspect.Parameter.KEYWORD_ONLY, default=None))
    return inspect.Signature(parameters)


def python_function(cls: Type[Op], current_graph: Callable[[], Graph]) -> Callable[..., Any]:
    """``odla_ipu.conv`` and its like: adds the op to the graph of its operands.

    The graph is that of the first operand that is a value of a computation, else of any value, else
    ``current_graph()``, and within it that of the branch or loop that is open.  The function
    returns the result, or a tuple of results for ops with several.
    """
    described = python_signature(cls)
    names = [name for name in described.parameters if name != "id"]
    accepted = frozenset(names)

    def call(*args: Any, id: Optional[str] = None, **kwargs: Any) -> Any:
        if len(args) > len(names) or not accepted.issuperset(kwargs):
            described.bind(*args, **kwargs)  # raises Python's own TypeError
        arguments = dict(zip(names, args))
        if not arguments.keys().isdisjoint(kwargs):
            described.bind(*args, **kwargs)
        arguments.update(kwargs)
        graph = graph_of(arguments) or current_graph()
        results = cls.add(graph.innermost, arguments, id)
        return results[0] if len(results) == 1 else results

    call.__name__ = call.__qualname__ = cls.python
    call.__doc__ = cls.__doc__
    call.__signature__ = described  # type: ignore[attr-defined]
    return call


def graph_of(arguments: Mapping[str, Any]) -> Optional[Graph]:
    """The graph of the first operand that is a value of a computation, else of any value."""
    interpreted: Optional[Graph] = None
    for given in arguments.values():
        for one in given if isinstance(given, (list, tuple)) else (given,):
            if isinstance(one, Value):
                if one.graph.folds:
                    return one.graph
                interpreted = one.graph
    return interpreted


def _python_name(name: str) -> str:
    """``BatchNormalization`` -> ``batch_normalization``, ``ReduceL1`` -> ``reduce_l1``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return snake + "_" if keyword.iskeyword(snake) else snake
