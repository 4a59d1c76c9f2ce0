"""Custom ops: ops that ODLA has no function for, called by name.

``odla_CustomOp`` in C and ``odla_ipu.custom_op`` in Python add them to a graph.  They are declared
as ODLA's own ops are (``registry``) and are of two sorts.  A :class:`CustomOp` has a rule that
calls PopART's builder.  A :class:`Kernel` is an op of our own: a folder of ``odla_ipu.kernels``
with its declaration and what computes it::

    class AttentionMask(Kernel):
        \"\"\"0 between positions of one segment, down to -10000 between segments.\"\"\"

        index = tensor(INTEGERS)
        data = tensor(FLOATS)

        def infer(self):
            batch, size = self.index.shape
            return ValueType(self.data.element_type, (batch, 1, size, size))

On the device it is PopART's custom op of the class's name in ``domain`` and ``version``, with the
operands as inputs and the other fields as attributes.
"""

import enum
import functools
import importlib
import importlib.util
import os
import pkgutil
import sys
import threading
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
)

from .errors import BadFile, FileMissing, InternalError, InvalidParameter, UnsupportedOp
from .graph import Graph, Value
from .registry import (
    REQUIRED,
    BoolField,
    ElementTypeField,
    EnumField,
    Field,
    FloatField,
    FloatsField,
    IntegerField,
    IntegersField,
    Op,
    TensorsField,
    TextField,
    graph_of,
)
from .types import Dim, Shape, known

CUSTOM_OPS: Dict[str, Type["CustomOp"]] = {}
"""Every custom op by the name that callers use."""

KERNELS: Dict[str, Type["Kernel"]] = {}
"""Those of them that are kernels."""


_TAKEN = frozenset(
    ("called", "domain", "graph", "id", "inputs", "name", "origin", "outputs", "results", "version")
)
"""Names that a field cannot have: those of every node, and of parameters of ``custom_op``."""


class CustomOp(Op, declare=False):
    """Base of the ops that are called by name; ``called`` is that name, the class's by default."""

    called: ClassVar[str] = ""

    def __init_subclass__(cls, declare: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(declare=False, **kwargs)
        if not declare:
            return
        cls.called = cls.name = cls.__dict__.get("called") or cls.__name__
        hidden = [
            one.name for one in cls.fields if one.name in _TAKEN or hasattr(Op, one.attribute)
        ]
        if hidden:
            raise InvalidParameter(
                f"custom op {cls.called}: {', '.join(hidden)} means something else in every op; "
                "give the field another name"
            )
        other = CUSTOM_OPS.get(cls.called)
        if other is not None:
            raise InvalidParameter(
                f"custom op {cls.called} is declared in {other.__module__} already; give this one "
                "another name"
            )
        CUSTOM_OPS[cls.called] = cls

    @classmethod
    def arguments(cls, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Dict[str, Any]:
        """``inputs`` in order and ``attributes``, by the names of the fields."""
        if not isinstance(inputs, (list, tuple)):
            raise InvalidParameter(
                f"{cls.called}: inputs is of type {type(inputs).__name__}; accepted: a list of "
                "values"
            )
        tensors = [field for field in cls.fields if field.is_tensor]
        required = sum(field.default is REQUIRED for field in tensors)
        is_open = bool(tensors) and isinstance(tensors[-1], TensorsField)
        if len(inputs) < required or (len(inputs) > len(tensors) and not is_open):
            listed = ", ".join(
                field.name if field.default is REQUIRED else f"[{field.name}]" for field in tensors
            )
            raise InvalidParameter(
                f"{cls.called}: {len(inputs)} inputs; accepted: {listed or 'none'}"
                f"{', ...' if is_open else ''}"
            )
        named = [field.name for field in cls.fields if not field.is_tensor]
        for name in attributes:
            if name not in named:
                raise InvalidParameter(
                    f"{cls.called}: the attribute {name!r} is not known; accepted: "
                    f"{', '.join(named) or 'none'}"
                )
        found: Dict[str, Any] = dict(attributes)
        for index, field in enumerate(tensors):
            if isinstance(field, TensorsField):
                found[field.name] = tuple(inputs[index:])
            else:
                found[field.name] = inputs[index] if index < len(inputs) else None
        return found


class Kernel(CustomOp, declare=False):
    """A custom op that a folder of ``odla_ipu.kernels`` computes.

    ``results`` is the number of its results.
    """

    domain: ClassVar[str] = "odla.ipu"
    version: ClassVar[int] = 1
    results: ClassVar[int] = 1
    is_trusted: ClassVar[bool] = True
    """Whether the simulator runs it in the process; a user's kernel has one of its own."""
    has_gradient: ClassVar[bool] = False
    """Whether its ``op.cpp`` has a gradient op; else training warns that nothing passes through."""
    form = "kernel"

    def __init_subclass__(cls, declare: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(declare=declare, **kwargs)
        if declare:
            KERNELS[cls.called] = cls

    def lower(self, b: Any) -> Any:
        operands: List[Any] = []
        for field in self._tensors:
            given = self.__dict__[field.attribute]
            operands.extend(given if isinstance(given, tuple) else [given])
        return b.kernel(type(self), operands, **self.attributes())


def popart_attributes(cls: Type[Kernel], given: Mapping[str, Any]) -> Dict[str, Any]:
    """``given`` with the declared defaults, as PopART's builder takes the attributes of an op.

    Flags, enumerations and element types become int.  What is None or an empty list is left out:
    PopART cannot tell the type of an empty list.
    """
    fields = {field.name: field for field in cls.fields if not field.is_tensor}
    unknown = given.keys() - fields.keys()
    if unknown:
        raise InternalError(f"{cls.called} has no attribute {', '.join(sorted(unknown))}")
    found = {}
    for name, field in fields.items():
        value = given.get(name, field.default)
        if value is REQUIRED:
            raise InternalError(f"{cls.called}: the attribute {name} is missing")
        if value is None or (isinstance(value, (tuple, list)) and not value):
            continue
        found[name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, enum.IntEnum)):
        return int(value)
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, (str, int, float)):
        return value
    raise InternalError(f"{value!r} is no attribute of a PopART op")


def fits(shape: Shape, *wanted: Optional[Dim]) -> bool:
    """Whether a shape has the wanted sizes; None is any size, and an open one agrees with all."""
    return len(shape) == len(wanted) and all(
        other is None or not known(dim) or not known(other) or dim == other
        for dim, other in zip(shape, wanted)
    )


def computed(size: Callable[..., int], *dims: Dim) -> int:
    """``size`` of dimensions; -1 while one of them is open."""
    return size(*dims) if all(known(dim) for dim in dims) else -1


class Argument(NamedTuple):
    """What a C caller passes for one attribute of ``odla_CustomOp``.

    ``ctypes`` are one type, or for a list ``size_t`` and the type of a pointer.
    """

    name: str
    ctypes: Tuple[str, ...]


def variadic_layout(cls: Type[CustomOp]) -> List[Argument]:
    """The arguments after ``ids`` of ``odla_CustomOp`` for this op, in order.

    One for each attribute, as C's default promotions make them: ``int`` for a flag, an enumeration
    and ``i32``, ``unsigned int`` for ``u32``, ``int64_t`` for ``i64``, ``double`` for ``f32``,
    ``const char *`` for ``text``; a list is ``size_t`` and ``const int64_t *`` or
    ``const double *``.
    """
    return [
        Argument(field.name, _ctypes(cls, field)) for field in cls.fields if not field.is_tensor
    ]


_INTEGERS = {"int32": "int", "uint32": "unsigned int", "int64": "int64_t"}


def _ctypes(cls: Type[CustomOp], field: Field) -> Tuple[str, ...]:
    if isinstance(field, (BoolField, EnumField, ElementTypeField)):
        return ("int",)
    if isinstance(field, IntegerField):
        return (_INTEGERS[field.ctype],)
    if isinstance(field, FloatField):
        return ("double",)
    if isinstance(field, TextField):
        return ("const char *",)
    if isinstance(field, IntegersField):
        return ("size_t", "const int64_t *")
    if isinstance(field, FloatsField):
        return ("size_t", "const double *")
    raise InternalError(f"{cls.called}: {field.name} is no attribute that C can pass")


# Calls by name.


def find(name: str) -> Type[CustomOp]:
    """The custom op of this name; raises UnsupportedOp naming the known ones."""
    ops = all_custom_ops()
    if not isinstance(name, str) or name not in ops:
        raise UnsupportedOp(
            f"custom op {name!r} is not known; the known ones are {', '.join(sorted(ops))}"
        )
    return ops[name]


def by_operator(domain: str, type: str) -> Optional[Type[Kernel]]:
    """The kernel that an operator of an ONNX model names, by its domain and PopART's type."""
    if domain in ("", "ai.onnx"):
        return None
    all_custom_ops()
    for kernel in KERNELS.values():
        if (kernel.domain, kernel.__name__) == (domain, type):
            return kernel
    return None


def find_kernel(name: str) -> Type[Kernel]:
    """The kernel of this name; raises UnsupportedOp naming the known ones."""
    all_custom_ops()
    if name not in KERNELS:
        raise UnsupportedOp(
            f"kernel {name!r} is not known; the known ones are {', '.join(sorted(KERNELS))}"
        )
    return KERNELS[name]


def all_custom_ops() -> Dict[str, Type[CustomOp]]:
    """Every custom op by name, with the modules that declare them imported."""
    _import_declarations()
    return CUSTOM_OPS


@functools.lru_cache(maxsize=None)
def _import_declarations() -> None:
    importlib.import_module("odla_ipu.ops.custom")
    kernels = importlib.import_module("odla_ipu.kernels")
    for found in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"{kernels.__name__}.{found.name}")
    for folder in filter(None, os.environ.get(KERNEL_PATH, "").split(os.pathsep)):
        _add_folder(folder, trusted=False)


# Kernels of users.

KERNEL_PATH = "ODLA_IPU_KERNEL_PATH"
"""The environment variable that names folders of kernels to know from the start."""

_user_folders: Dict[str, List[Type[Kernel]]] = {}
_user_lock = threading.Lock()


def kernel(folder: Union[str, "os.PathLike[str]"], trusted: bool = False) -> List[Type[Kernel]]:
    """Have ``custom_op`` and ``odla_CustomOp`` know the kernels of a folder; returns them.

    It holds a declaration (``__init__.py``) with its ``op.cpp`` and ``codelet.cpp``.  On the
    simulator they run in a process of their own, whose crash or endless loop is an error here,
    unless ``trusted``.  On the SDK the folder's ``libodla_ipu_kernels.so`` is loaded.  A folder
    that is known already is not read again.

    Raises FileMissing without the folder or its declaration, BadFile for a declaration that cannot
    be imported, declares no kernel, or one of a name that is taken.
    """
    all_custom_ops()
    return _add_folder(os.fspath(folder), bool(trusted))


def _add_folder(folder: str, trusted: bool) -> List[Type[Kernel]]:
    path = os.path.realpath(folder)
    with _user_lock:
        if path not in _user_folders:
            _user_folders[path] = _declared_in(path, trusted)
        return _user_folders[path]


def _declared_in(path: str, trusted: bool) -> List[Type[Kernel]]:
    """The kernels that the declaration in a folder adds."""
    declaration = os.path.join(path, "__init__.py")
    if not os.path.isfile(declaration):
        raise FileMissing(f"{declaration}: no such file; a kernel's folder holds its declaration")
    name = f"odla_ipu_user_kernel_{len(_user_folders)}_{os.path.basename(path)}"
    spec = importlib.util.spec_from_file_location(
        name, declaration, submodule_search_locations=[path]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = set(KERNELS)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        for called in KERNELS.keys() - before:  # of what failed, nothing stays
            del KERNELS[called], CUSTOM_OPS[called]
        del sys.modules[name]
        raise BadFile(f"{declaration}: {type(error).__name__}: {error}") from error
    added = [KERNELS[one] for one in KERNELS if one not in before]
    if not added:
        raise BadFile(f"{declaration} declares no kernel; accepted: a subclass of Kernel")
    for one in added:
        one.is_trusted = trusted
    return added


def add(
    graph: Graph,
    name: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any],
    id: Optional[str] = None,
) -> Tuple[Value, ...]:
    """Add the custom op ``name`` to ``graph``; ``inputs`` are its values in order, None for none.

    Raises UnsupportedOp for an unknown name, InvalidParameter or UnsupportedType for what the op
    does not take.
    """
    cls = find(name)
    return cls.add(graph, cls.arguments(inputs, attributes), id)


def custom_op(
    name: str, inputs: Sequence[Any], *, id: Optional[str] = None, **attributes: Any
) -> Any:
    """Add the custom op ``name``: a kernel, or an op that PopART has and ODLA has not.

    ``inputs`` are its values in order, None where an optional one is absent; attributes are
    keywords.  Returns the result, or a tuple of several.  Raises UnsupportedOp, naming what there
    is, for an unknown name.
    """
    from .computation import current_graph

    cls = find(name)
    arguments = cls.arguments(inputs, attributes)
    graph = graph_of(arguments) or current_graph()
    results = cls.add(graph.innermost, arguments, id)
    return results[0] if len(results) == 1 else results
