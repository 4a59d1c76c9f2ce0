"""The walk over an ONNX graph, and what converters of single operators see of it.

A converter is a function of a :class:`Step` and the node's operands (values of the ODLA graph, or
None where an optional one is absent), registered by operator type::

    @converter("Clip")
    def clip(step, x, low=None, high=None): ...

It adds ODLA ops with ``step.op`` and returns the result, or a sequence of results.  Integer
arithmetic on shapes folds in numpy as it is added.  What decides a shape is a constant by the time
it is read, or an ODLA op takes it at run time; then sizes of the result are open.
"""

import inspect
import os
import typing
from collections import ChainMap
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

import numpy as np

from ... import (
    custom,
    ops,  # noqa: F401 - importing the ops fills OPS
)
from ...errors import BadFile, InvalidParameter, UnsupportedOp, UnsupportedType
from ...graph import Graph, Value, specialise
from ...registry import OPS
from ...types import ElementType, Shape, ValueType, format_shape, known
from . import functions
from .model import Function, Input, Model, Node, Subgraph, parse, reads

Results = Union[Value, Sequence[Optional[Value]]]

Values = typing.ChainMap[str, Any]
"""What each name stands for, inner scopes first: a value, the array of a weight not read yet, None
for the result of a refused node, or the error to raise on reading."""


class Converter(NamedTuple):
    """A converter and how many operands it takes."""

    function: Callable[..., Results]
    required: int
    most: float


CONVERTERS: Dict[Tuple[str, str], Converter] = {}
"""Converters by (domain, operator type)."""

REQUIRED: Any = object()


def converter(*operators: str, domain: str = "") -> Callable[[Any], Any]:
    """Register the decorated function for these operators."""

    def register(function: Callable[..., Results]) -> Callable[..., Results]:
        operands = list(inspect.signature(function).parameters.values())[1:]
        required = sum(
            one.default is one.empty and one.kind != one.VAR_POSITIONAL for one in operands
        )
        variadic = any(one.kind == one.VAR_POSITIONAL for one in operands)
        most = float("inf") if variadic else len(operands)
        for operator in operators:
            CONVERTERS[domain, operator] = Converter(function, required, most)
        return function

    return register


class Unsupported(Exception):
    """A converter met something that no ODLA op computes; the text says what."""


class Step:
    """One ONNX node on its way into the graph."""

    def __init__(self, walk: "_Walk", node: Node, values: Values):
        self.walk = walk
        self.node = node
        self.values = values
        self.opset = walk.opset
        self.id = node.name or next((output for output in node.outputs if output), node.op)

    @property
    def graph(self) -> Graph:
        """Where ops go now: the model's graph, or that of the branch or body that is open."""
        graph = self.walk.graph.innermost
        graph.origin = self.node.label
        return graph

    # The node.

    def get(self, name: str, default: Any = REQUIRED) -> Any:
        """An attribute; raises BadFile when a required one is missing."""
        value = self.node.attributes.get(name)
        if value is not None:
            return value
        if default is REQUIRED:
            raise BadFile(f"{self.node.label}: the attribute {name} is missing")
        return default

    def entries(self, name: str, default: List[int]) -> List[int]:
        """A list attribute, which must have as many numbers as its default."""
        given = self.get(name, default)
        if len(given) != len(default):
            raise self.error(f"{name} is {given}; accepted: {len(default)} numbers")
        return list(given)

    def array(self, name: str) -> Optional[np.ndarray]:
        """A tensor attribute, None when absent; raises UnsupportedType as its type demands."""
        value = self.get(name, None)
        if isinstance(value, UnsupportedType):
            raise value
        return value

    def wants(self, index: int) -> bool:
        """Whether the node's output ``index`` has a name."""
        outputs = self.node.outputs
        return index < len(outputs) and outputs[index] != ""

    def is_read(self, index: int) -> bool:
        """Whether other nodes, in this graph or in sub-graphs, read the output ``index``."""
        return self.wants(index) and self.node.outputs[index] in self.walk.read_by_nodes

    def error(self, message: str) -> InvalidParameter:
        return InvalidParameter(f"{self.node.label}: {message}")

    # Operands that must be known now.

    def known(self, value: Value, what: str) -> np.ndarray:
        """The data of a constant operand."""
        if value.data is None:
            raise Unsupported(
                f"{what} is computed at run time; it must be a constant, "
                "since IPU programs have fixed shapes"
            )
        return value.data

    def integers(self, value: Value, what: str) -> List[int]:
        """A constant operand as a flat list of integers."""
        return [int(one) for one in self.known(value, what).reshape(-1).tolist()]

    def integer(self, value: Value, what: str) -> int:
        numbers = self.integers(value, what)
        if len(numbers) != 1:
            raise self.error(f"{what} has {len(numbers)} elements; accepted: one")
        return numbers[0]

    def number(self, value: Value, what: str) -> float:
        """A constant operand of one element as a float."""
        data = self.known(value, what)
        if data.size != 1:
            raise self.error(f"{what} has {data.size} elements; accepted: one")
        return float(data.reshape(-1)[0])

    def axis(self, axis: int, rank: int) -> int:
        """``axis`` counted from the front."""
        if not -rank <= axis < rank:
            raise self.error(f"axis is {axis}; accepted: {-rank} to {rank - 1} for rank {rank}")
        return axis % rank

    def axes(self, axes: Sequence[int], rank: int) -> List[int]:
        """``axes`` counted from the front; each may occur once."""
        result = [self.axis(axis, rank) for axis in axes]
        if len(set(result)) != len(result):
            raise self.error(f"axes are {list(axes)}; each may occur once")
        return result

    # What is added.

    def constant(self, data: Any, dtype: Any = None) -> Value:
        """A constant of the graph, named after the node."""
        return self.graph.add_constant(np.asarray(data, dtype), self.id)

    def like(self, value: Value, number: Any) -> Value:
        """A scalar constant of the element type of ``value``."""
        return self.constant(np.asarray(number, value.element_type.dtype))

    def ops(self, name: str, *operands: Any, **attributes: Any) -> Tuple[Value, ...]:
        """Add the op ``odla_<name>``; operands in the order of its value parameters."""
        declared = OPS.get(f"odla_{name}")
        if declared is None:
            raise Unsupported(f"odla_{name} is not available")
        fields = (field.name for field in declared.fields if field.is_tensor)
        attributes.update(zip(fields, operands))
        return declared.add(self.graph, attributes, self.id)

    def op(self, name: str, *operands: Any, **attributes: Any) -> Value:
        """``ops`` for an op with one result."""
        return self.ops(name, *operands, **attributes)[0]

    def customs(self, name: str, operands: Sequence[Any], **attributes: Any) -> Tuple[Value, ...]:
        """Add a custom op."""
        return custom.add(self.graph, name, operands, attributes, self.id)

    def custom(self, name: str, operands: Sequence[Any], **attributes: Any) -> Value:
        """``customs`` for an op with one result."""
        return self.customs(name, operands, **attributes)[0]

    def reshape(self, x: Value, dims: Sequence[int]) -> Value:
        """``x`` in another shape; ``x`` itself where it has that already."""
        if x.dims == tuple(dims):
            return x
        return self.op("Reshape", x, output_dims=list(dims))

    def transpose(self, x: Value, permutation: Sequence[int]) -> Value:
        if list(permutation) == list(range(x.rank)):
            return x
        return self.op("Transpose", x, permutations=list(permutation))

    def cast(self, x: Value, target: ElementType) -> Value:
        if x.element_type is target:
            return x
        return self.op("Cast", x, target_type=target)

    def expand(self, x: Value, dims: Sequence[int]) -> Value:
        """``x`` broadcast to exactly ``dims``."""
        if x.dims == tuple(dims):
            return x
        return self.op("ExpandDims", x, output_dims=list(dims))

    def slice(self, x: Value, axis: int, start: int, stop: int, stride: int = 1) -> Value:
        """``x[start:stop:stride]`` along one axis, 0 <= start <= stop <= size, stride >= 1."""
        dims = x.dims
        if (start, stop, stride) == (0, dims[axis], 1):
            return x
        starts, stops, strides = [0] * len(dims), list(dims), [1] * len(dims)
        starts[axis], stops[axis], strides[axis] = start, stop, stride
        return self.op("Slice", x, start=starts, end=stops, stride=strides)

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """The parts joined; those without elements are left out."""
        full = [part for part in parts if part.shape[axis] != 0] or list(parts[:1])
        return full[0] if len(full) == 1 else self.op("Concat", full, axis=axis)

    def gather(self, x: Value, indices: Union[Sequence[int], np.ndarray], axis: int) -> Value:
        """The slices of ``x`` at constant ``indices`` along ``axis``."""
        return self.op("Gather", x, self.constant(indices, np.int32), axis=axis)

    def inline(
        self, branch: Subgraph, operands: Optional[Mapping[str, Value]] = None
    ) -> List[Value]:
        """The outputs of a subgraph whose nodes are added here; ``operands`` are its inputs."""
        return self.walk.subgraph(branch, self.values.new_child(dict(operands or {})))

    def attempt(self, make: Callable[[], Results]) -> Optional[Results]:
        """What ``make`` gives; None where it meets what is unsupported, which is not noted then."""
        noted = len(self.walk.refused)
        try:
            return make()
        except (Unsupported, _Missing):
            del self.walk.refused[noted:]
            return None


class _Missing(Exception):
    """An operand was not made because its own node is unsupported."""


class _Walk:
    """Adds nodes in order and collects what is unsupported, so that one error lists all of it."""

    def __init__(self, graph: Graph, model: Model):
        self.graph = graph
        self.opset = model.opsets[""]
        self.functions = model.functions
        self.calls: List[Node] = []
        self.refused: List[str] = []
        self.read_by_nodes: Set[str] = set()

    def subgraph(self, subgraph: Subgraph, values: Values) -> List[Value]:
        """Convert the nodes that the outputs need; returns the outputs."""
        values.maps[0].update(subgraph.initializers)
        needed = _needed(subgraph)
        self.read_by_nodes.update(name for names in reads(needed) for name in names)
        makers = {name: node for node in needed for name in node.outputs if name}
        for node in needed:
            self.convert_node(node, values, makers)
        self.graph.innermost.origin = None
        return [self.read(values, name, "the graph's output", makers) for name in subgraph.outputs]

    def convert_node(self, node: Node, values: Values, makers: Mapping[str, Node]) -> None:
        found = CONVERTERS.get((node.domain, node.op))
        results: Sequence[Optional[Value]] = ()
        operands: List[Optional[Value]] = []
        try:
            function = self.functions.get((node.domain, node.op))
            own = custom.by_operator(node.domain, node.op)
            is_known = found or function or own or functions.is_defined(node, self.opset)
            if not is_known:
                raise Unsupported("the operator has no ODLA equivalent")
            operands = [
                self.read(values, name, node.label, makers) if name else None
                for name in node.inputs
            ]
            if own:
                self.graph.innermost.origin = node.label
                step = Step(self, node, values)
                results = step.customs(own.called, operands, **node.attributes)
            elif function or found is None:
                results = self.call(function, node, operands)
            else:
                _check_operands(node, found, operands)
                self.graph.innermost.origin = node.label
                made = found.function(Step(self, node, values), *operands)
                results = [made] if isinstance(made, Value) else made
        except Unsupported as reason:
            # Loops convert their body more than once.
            if f"{node.label}: {reason}" not in self.refused:
                self.refused.append(f"{node.label}: {reason}")
        except InvalidParameter as error:
            open_shapes = [one for one in operands if one is not None and not one.type.is_static]
            if not open_shapes:
                raise
            self.refused.append(
                f"{node.label}: it reads {open_shapes[0].type}, whose size is computed at run time "
                f"({error})"
            )
        except _Missing:
            pass
        scope = values.maps[0]
        for index, name in enumerate(node.outputs):
            if not name:
                continue
            if name in scope:
                raise BadFile(
                    f"{node.label} makes '{name}', which exists already; names are unique"
                )
            made_one = results[index] if index < len(results) else None
            if results and made_one is None:
                scope[name] = Unsupported(f"{node.label}: its output {index} is not available")
            else:
                scope[name] = made_one

    def call(
        self, function: Optional[Function], node: Node, operands: Sequence[Optional[Value]]
    ) -> List[Optional[Value]]:
        """The outputs of a function of the model, or of that by which ONNX defines the operator."""
        if function is None:
            function = functions.definition(node, self.opset, operands)
        if function is None:
            raise Unsupported("the operator has no ODLA equivalent")
        if any((node.domain, node.op) == (one.domain, one.op) for one in self.calls):
            raise BadFile(f"{node.label} calls itself; functions cannot be recursive")
        body = functions.body(function, node, operands)
        self.read_by_nodes.update(body.outputs)
        opset, self.opset = self.opset, function.opset or self.opset
        self.calls.append(node)
        try:
            made = iter(self.subgraph(body, ChainMap(dict(zip(function.parameters, operands)))))
        finally:
            self.calls.pop()
            self.opset = opset
        return [next(made) if name else None for name in node.outputs]

    def read(self, values: Values, name: str, reader: str, makers: Mapping[str, Node]) -> Value:
        """The value called ``name``; weights become constants when they are first read."""
        try:
            value = values[name]
        except KeyError:
            if name in makers:
                raise BadFile(
                    f"{reader} reads '{name}' before {makers[name].label} makes it; "
                    "ONNX nodes must be in topological order: export or sort the model again"
                ) from None
            raise BadFile(
                f"{reader} reads '{name}', which no node, input or initializer provides"
            ) from None
        if isinstance(value, Value):
            return value
        if isinstance(value, Unsupported):
            if str(value) not in self.refused:
                self.refused.append(str(value))
            raise _Missing
        if value is None:
            raise _Missing
        if isinstance(value, UnsupportedType):
            raise value
        constant = self.graph.add_constant(value, name)
        for scope in values.maps:
            if name in scope:
                scope[name] = constant
                break
        return constant


def _check_operands(node: Node, found: Converter, operands: Sequence[Optional[Value]]) -> None:
    absent = [index for index, one in enumerate(operands[: found.required]) if one is None]
    if len(operands) < found.required or len(operands) > found.most or absent:
        accepted = str(found.required)
        if found.most != found.required:
            accepted += " or more" if found.most == float("inf") else f" to {found.most:.0f}"
        raise BadFile(
            f"{node.label}: {len(operands)} inputs, {len(absent)} of the required ones empty; "
            f"accepted: {accepted}"
        )


def _needed(subgraph: Subgraph) -> List[Node]:
    """The nodes that the outputs depend on, in their order."""
    makers: Dict[str, int] = {}
    for index, node in enumerate(subgraph.nodes):
        for name in node.outputs:
            makers.setdefault(name, index)
    inputs = reads(subgraph.nodes)
    used = set()
    open_names = list(subgraph.outputs)
    while open_names:
        maker = makers.get(open_names.pop())
        if maker is not None and maker not in used:
            used.add(maker)
            open_names.extend(name for name in inputs[maker] if name)
    return [node for index, node in enumerate(subgraph.nodes) if index in used]


def read(
    source: Union[str, "os.PathLike[str]", bytes],
    shapes: Optional[Mapping[str, Sequence[int]]] = None,
) -> Graph:
    """The graph of ODLA ops of an ONNX model, given by path or as its bytes.

    ``shapes`` maps input names to full shapes; it must fix every dimension that the model leaves
    open (a named dimension is fixed for all inputs at once).  Arguments and outputs keep the names
    of the model's inputs and outputs.

    Raises FileMissing, BadFile, UnsupportedOp (which lists every unsupported node), UnsupportedType
    and InvalidParameter (wrong or missing shapes, operands that do not fit).
    """
    return convert(parse(source), shapes)


def convert(model: Model, shapes: Optional[Mapping[str, Sequence[int]]] = None) -> Graph:
    """As ``read``, from a parsed model.  Takes time linear in the number of nodes."""
    graph = _arguments(model, shapes or {})
    walk = _Walk(graph, model)
    values: Values = ChainMap({one.id: one for one in graph.arguments})
    try:
        outputs = walk.subgraph(model.graph, values)
    except _Missing:
        outputs = []
    if walk.refused:
        raise UnsupportedOp(
            f"{len(walk.refused)} unsupported in the model '{model.name}':\n  "
            + "\n  ".join(walk.refused)
            + "\n'odla-ipu ops' lists what is supported"
        )
    for name, value in zip(model.graph.outputs, outputs):
        graph.set_output(value, name)
    return graph


def _arguments(model: Model, shapes: Mapping[str, Sequence[int]]) -> Graph:
    """A graph with the model's inputs as arguments, all of fixed shape."""
    inputs = model.graph.inputs
    unknown = [name for name in shapes if name not in {one.name for one in inputs}]
    if unknown:
        raise InvalidParameter(
            f"shapes names {', '.join(map(repr, unknown))}, which the model has not; its inputs "
            f"are {', '.join(_declared(one) for one in inputs) or 'none'}"
        )
    declared = Graph(model.name)
    for one in inputs:
        if isinstance(one.element_type, UnsupportedType):
            raise one.element_type
        shape: Shape = one.shape if one.shape is not None else tuple(shapes.get(one.name, (-1,)))
        declared.add_argument(one.name, ValueType(one.element_type, shape))
    graph = specialise(declared, shapes)
    unfixed = [
        (one, argument.shape)
        for one, argument in zip(inputs, graph.arguments)
        if not argument.type.is_static
    ]
    if unfixed:
        repair = {one.name: tuple(d if known(d) else 1 for d in shape) for one, shape in unfixed}
        options = " ".join(
            f"--shape {name}={','.join(map(str, dims))}" for name, dims in repair.items()
        )
        raise InvalidParameter(
            f"the model '{model.name}' leaves dimensions open, and IPU programs have fixed shapes: "
            f"{'; '.join(_declared(one) for one, _ in unfixed)}.  Give the sizes you want, for "
            f"example shapes={repair} ({options} on the command line)"
        )
    return graph


def _declared(one: Input) -> str:
    shape = "of any rank" if one.shape is None else format_shape(one.shape)
    return f"{one.name} {shape}"
