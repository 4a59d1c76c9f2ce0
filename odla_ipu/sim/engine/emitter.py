"""Writing the internal ONNX graph: an :class:`Emitter` collects nodes, a table says how each op is
written.

The graph is opset 17, IR version 8.  A tensor that is FLOAT16 on the device is a float32 value
here that is rounded to a float16 after every op that rounds: onnxruntime on its own would compute
chains of float16 ops in float32 and never overflow.  All other types are the device's.
"""

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
    Union,
)

import numpy as np

from ..profiling import AND_OF

if TYPE_CHECKING:
    from ..ir import Graph, Op, Tensor

OPSET = 17
IR_VERSION = 8

FLOAT16_MAX = 65504.0

INLINE_BYTES = 1024
"""Constants up to this size are stored in the graph; larger ones are handed over by reference."""

ELEMENT_TYPES = {
    np.dtype(np.float32): 1,
    np.dtype(np.uint8): 2,
    np.dtype(np.int8): 3,
    np.dtype(np.uint16): 4,
    np.dtype(np.int16): 5,
    np.dtype(np.int32): 6,
    np.dtype(np.int64): 7,
    np.dtype(np.bool_): 9,
    np.dtype(np.float16): 10,
    np.dtype(np.uint32): 12,
}
"""``TensorProto.DataType`` of each numpy type that the graph uses."""

Names = Union[str, Sequence[str]]
EmitFunction = Callable[["Emitter", "Op", List[str]], Names]
F = TypeVar("F", bound=EmitFunction)


class Rounding:
    """What becomes of a FLOAT16 result."""

    SATURATE = "saturate"
    """Rounded; beyond the largest float16 it is the largest float16, as on the IPU."""
    NAN = "nan"
    """Rounded; beyond the largest float16 it is NaN (NaN-on-overflow mode)."""
    OVERFLOW = "overflow"
    """Rounded; beyond the largest float16 it is infinite, for the floating-point checks."""
    NONE = "unrounded"
    """Not rounded between ops: faster, and no IPU computes so."""


class Rule(NamedTuple):
    """How an op is emitted.

    ``exact``: the op moves or selects values, so a float16 result needs no rounding.
    ``native``: onnxruntime has the op for all integer types; else it is computed in INT32, or
    int64 for UINT32, which wraps and truncates alike.
    ``static``: inputs of which the function reads the data instead of the value; they are "".
    """

    function: EmitFunction
    exact: bool
    native: bool
    static: Tuple[int, ...]


RULES: Dict[Tuple[str, str], Rule] = {}


def emits(
    *op_types: str,
    domain: str = "",
    exact: bool = False,
    native: bool = False,
    static: Tuple[int, ...] = (),
) -> Callable[[F], F]:
    """Register the decorated function for ops of ``domain`` ("" is ai.onnx)."""

    def register(function: F) -> F:
        for op_type in op_types:
            RULES[domain, op_type] = Rule(function, exact, native, static)
        return function

    return register


GRAPHCORE = "ai.graphcore"


class Emitter:
    """The nodes of one graph; calling it adds one: ``e("Add", a, b)`` returns the sum's name."""

    def __init__(self, rounding: str = Rounding.SATURATE, parent: Optional["Emitter"] = None):
        self.rounding = rounding
        self.parent = parent
        self.root: Emitter = parent.root if parent else self
        self.nodes: List[Any] = []
        self.values: Dict[str, str] = {}
        """Tensor id to value name."""
        self.inline: List[Tuple[str, np.ndarray]] = []
        self.references: Dict[str, np.ndarray] = {}
        """Large constants by value name."""
        self._counter = 0
        self._constants: Dict[Tuple[Any, ...], str] = {}
        self._casts: Dict[Tuple[str, np.dtype], str] = {}
        self._stored: Dict[int, str] = {}
        self._unshaped: Dict[str, Tuple[str, Tuple[int, ...]]] = {}
        self.produced: Set[str] = set()
        """Names of values that nodes of this graph give."""
        self.leaving: Set[str] = set()
        """Names of values that are outputs of the model."""
        self.summed: Set[Op] = set()
        """Matrix products that are emitted with the Add that reads them."""
        self.unsummed_products: Dict[str, Tuple[str, str, str]] = {}
        """The matrices of such a product until then, and the op that it is, by its name."""
        self.training = False
        self.dropped: Dict[str, str] = {}
        """What Dropout multiplied by, by the id of its result."""
        self.strided_groups = False
        self.draws: List[Any] = []
        """Random inputs."""
        self.updates: Dict[str, str] = {}
        """New values of variables that ops write."""
        self.watched: List[Tuple[str, Op, Tensor]] = []
        """Values that the host acts on after a run."""
        self.current = ""
        """Name of the op being emitted, for messages and node names."""

    # Values.

    def fresh(self) -> str:
        self.root._counter += 1
        return f"v{self.root._counter}"

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; attributes that are None are left out."""
        return self.node(op_type, inputs, 1, **attributes)[0]

    def node(
        self, op_type: str, inputs: Iterable[str], outputs: int, **attributes: Any
    ) -> List[str]:
        """Add a node with ``outputs`` outputs; trailing inputs that are "" are left out."""
        import onnx

        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        names = [self.fresh() for _ in range(outputs)]
        node = onnx.NodeProto(op_type=op_type, input=given, output=names)
        node.name = f"{names[0]} of {self.current}" if names else self.current
        for name, value in attributes.items():
            if value is not None:
                node.attribute.append(onnx.helper.make_attribute(name, value))
        self.nodes.append(node)
        self.produced.update(names)
        return names

    def const(self, value: Any, dtype: Any = None) -> str:
        """A constant; equal small ones are shared."""
        array = np.asarray(value, dtype)
        root = self.root
        if array.nbytes > INLINE_BYTES:
            name = self.fresh()
            root.references[name] = np.ascontiguousarray(array).reshape(array.shape)
            return name
        key = (array.dtype, array.shape, array.tobytes())
        if key not in root._constants:
            root._constants[key] = self.fresh()
            root.inline.append((root._constants[key], array))
        return root._constants[key]

    def ints(self, values: Iterable[int]) -> str:
        """A constant int64 vector: a shape, axes, sizes."""
        return self.const(np.array(list(values), np.int64))

    def scalar(self, value: Any, like: "Tensor") -> str:
        """A rank-0 constant of the type in which ops that are not native take ``like``."""
        return self.const(np.array(value, wide_type(like.dtype)))

    def value(self, tensor: Optional["Tensor"]) -> str:
        """The name of a tensor's value; "" for an input that is left out."""
        if tensor is None:
            return ""
        scope: Optional[Emitter] = self
        while scope is not None:
            if tensor.id in scope.values:
                return scope.values[tensor.id]
            scope = scope.parent
        if tensor.data is None:
            raise KeyError(tensor.id)
        known = self.root._stored
        if id(tensor) not in known:
            name = self.const(tensor.device_data())
            if tensor.dtype == np.float16:
                # onnxruntime widens it once, when the model is loaded.
                name = self.root.cast(name, np.float32)
            known[id(tensor)] = name
        return known[id(tensor)]

    def cast(self, name: str, dtype: Any) -> str:
        dtype = np.dtype(dtype)
        key = (name, dtype)
        if key not in self._casts:
            self._casts[key] = self("Cast", name, to=ELEMENT_TYPES[dtype])
        return self._casts[key]

    # Shapes.

    def reshape(self, name: str, shape: Iterable[int]) -> str:
        dims = list(shape)
        return self("Reshape", name, self.ints(dims), allowzero=1 if 0 in dims else None)

    def reshaped(self, name: str, old: Iterable[int], new: Iterable[int]) -> str:
        """The Reshape of an op; a chain of them becomes one, or none where it comes back."""
        source, shape = self.unshaped(name, old)
        if shape == tuple(new):
            return source
        result = self.reshape(source, new)
        self._unshaped[result] = (source, shape)
        return result

    def unshaped(self, name: str, shape: Iterable[int]) -> Tuple[str, Tuple[int, ...]]:
        """What ``name``, of that shape, was before it was reshaped, and its shape."""
        return self._unshaped.get(name, (name, tuple(shape)))

    def slice(
        self,
        name: str,
        starts: Sequence[int],
        ends: Sequence[int],
        axes: Sequence[int],
        steps: Optional[Sequence[int]] = None,
    ) -> str:
        last = self.ints(steps) if steps is not None else ""
        return self("Slice", name, self.ints(starts), self.ints(ends), self.ints(axes), last)

    # Products.

    def unsummed(self, a: str, b: str) -> str:
        """A name for the product of two matrices that an Add will read."""
        name = self.fresh()
        self.root.unsummed_products[name] = (a, b, self.current)
        return name

    def sum(self, a: str, b: str) -> str:
        """a + b, where either may be such a product."""
        products = self.root.unsummed_products
        for product, other in ((a, b), (b, a)):
            if product in products:
                left, right, label = products.pop(product)
                self.current = f"{label}{AND_OF}{self.current}"
                return self("Gemm", left, right, other)
        return self("Add", a, b)

    # float16.

    def round16(self, name: str) -> str:
        """Round a float32 value to what a FLOAT16 tensor holds."""
        if self.rounding == Rounding.NONE:
            return name
        if self.rounding == Rounding.SATURATE:
            bound = np.float32(FLOAT16_MAX)
            name = self("Clip", name, self.const(-bound), self.const(bound))
        half = self("Cast", name, to=ELEMENT_TYPES[np.dtype(np.float16)])
        rounded = self("Cast", half, to=ELEMENT_TYPES[np.dtype(np.float32)])
        if self.rounding == Rounding.NAN:
            return self("Add", rounded, self("Sub", rounded, rounded))
        return rounded

    # Ops.

    def emit(self, op: "Op") -> None:
        """Write one op and remember the values of its outputs."""
        rule = RULES[op.domain, op.type]
        self.current = op.label
        inputs = [
            "" if index in rule.static else self.value(tensor)
            for index, tensor in enumerate(op.inputs)
        ]
        if not rule.native:
            inputs = [self._widened(*pair) for pair in zip(inputs, op.inputs)]
        results = rule.function(self, op, inputs)
        names = [results] if isinstance(results, str) else list(results)
        for tensor, name in zip(op.outputs, names):
            if tensor is None:
                continue
            if tensor.dtype == np.float16 and not rule.exact:
                name = self.round16(name)
            elif not rule.native and wide_type(tensor.dtype) != compute_type(tensor.dtype):
                name = self.cast(name, tensor.dtype)
            self.values[tensor.id] = name
        self.current = ""

    def _widened(self, name: str, tensor: Optional["Tensor"]) -> str:
        if tensor is None or not name or wide_type(tensor.dtype) == compute_type(tensor.dtype):
            return name
        return self.cast(name, wide_type(tensor.dtype))

    def subgraph(self, graph: "Graph", inputs: Dict[str, str]) -> "Emitter":
        """An emitter for a body: its ops are emitted, outer values are visible by name."""
        body = Emitter(self.rounding, parent=self)
        body.values.update(inputs)
        for op in graph.ops:
            body.emit(op)
        return body


def rounded16(values: np.ndarray, rounding: str) -> np.ndarray:
    """The float16 results that an op of the host gives."""
    if rounding == Rounding.SATURATE:
        values = np.clip(values, -FLOAT16_MAX, FLOAT16_MAX)
    with np.errstate(over="ignore"):
        halves = np.asarray(values).astype(np.float16)
    if rounding == Rounding.NAN:
        halves = np.where(np.isinf(halves), np.float16(np.nan), halves)
    return halves


def compute_type(dtype: Any) -> np.dtype:
    """The type that a tensor of the device has in the internal graph."""
    return np.dtype(np.float32) if dtype == np.float16 else np.dtype(dtype)


_WIDE: Dict[np.dtype, np.dtype] = {
    np.dtype(np.int8): np.dtype(np.int32),
    np.dtype(np.int16): np.dtype(np.int32),
    np.dtype(np.uint8): np.dtype(np.int32),
    np.dtype(np.uint16): np.dtype(np.int32),
    np.dtype(np.uint32): np.dtype(np.int64),
}


def wide_type(dtype: Any) -> np.dtype:
    """The type in which ops without kernels for ``dtype`` are computed."""
    return _WIDE.get(np.dtype(dtype), compute_type(dtype))
