"""The graph of ODLA ops: values, nodes, and graphs that grow in order of execution.

The branches of an If and the body of a Loop are graphs within a graph: their nodes read the values
of the graphs around them as they read their own.

Shapes and types are inferred as each op is added, so a wrong call fails at the user's own line.  A
dimension may be unknown (-1) or named; :func:`specialise` fixes it and infers everything again.
"""

import os
import sys
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from .errors import InternalError, InvalidParameter, UnsupportedType
from .types import ElementType, Shape, ValueType, check_shape, element_type, format_shape, known

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Value:
    """A tensor of a graph: an argument, a variable, a constant (``data``) or a result of a node."""

    __slots__ = ("data", "graph", "id", "node", "type")

    def __init__(
        self,
        graph: "Graph",
        id: str,
        type: ValueType,
        node: Optional["Node"] = None,
        data: Optional[np.ndarray] = None,
    ):
        self.graph = graph
        self.id = id
        self.type = type
        self.node = node
        self.data = data

    @property
    def element_type(self) -> ElementType:
        return self.type.element_type

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    @property
    def dims(self) -> Tuple[int, ...]:
        """The shape as sizes; raises InvalidParameter while one is unknown."""
        return self.type.dims

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    def __repr__(self) -> str:
        return f"<Value %{self.id}: {self.type}>"


class Storage:
    """What a variable holds, shared by all graphs and programs that are made of its graph.

    ``newer`` is a training program whose device has newer numbers than host memory, ``version``
    changes whenever host memory may have newer ones.
    """

    __slots__ = ("held", "newer", "version")

    def __init__(self, array: np.ndarray):
        self.held = array
        """The array in host memory, whether it is up to date or not."""
        self.newer: Any = None
        self.version = 0

    @property
    def dtype(self) -> np.dtype:
        return self.held.dtype

    @property
    def shape(self) -> Tuple[int, ...]:
        return self.held.shape

    def fetch(self) -> np.ndarray:
        """The array in host memory, with the newest numbers, to be read."""
        newer = self.newer
        if newer is not None:
            newer.download()
        return self.held

    @property
    def array(self) -> np.ndarray:
        """The same, to be written as well."""
        array = self.fetch()
        self.version += 1
        return array


class Variable(Value):
    """A value that keeps numbers of its own between runs: zeros, until it is set or trained.

    They are fed at every run of every program that is made of its graph.
    """

    __slots__ = ("storage",)

    def __init__(self, graph: "Graph", id: str, type: ValueType, storage: Storage):
        super().__init__(graph, id, type)
        self.storage = storage

    @property
    def array(self) -> np.ndarray:
        """The numbers, in host memory; may be written.

        Programs that train see what is written before their next run, of an array that was taken
        after their last one.
        """
        return self.storage.array

    def set(self, data: Any) -> None:
        """Copy ``data`` into it, for the runs that follow; nothing is compiled again.

        Raises InvalidParameter for another shape, UnsupportedType for another element type.
        """
        given, array = np.asarray(data), self.array
        if not isinstance(data, (np.ndarray, np.generic)):
            given = given.astype(array.dtype)
        if given.shape != array.shape:
            raise InvalidParameter(
                f"variable '{self.id}': the shape {list(given.shape)}; accepted: "
                f"{list(array.shape)}"
            )
        if given.dtype.newbyteorder("=") != array.dtype:
            raise UnsupportedType(
                f"variable '{self.id}' takes {array.dtype}, not {given.dtype}; use .astype to "
                "convert it"
            )
        np.copyto(array, given)


class Node:
    """One op of a graph.  The registry's ``Op`` adds the declared parameters.

    ``origin`` is where the user made it: ``file.py:12``, or what a frontend says.  ``bodies`` are
    the graphs inside a control flow node, ``captures`` the values around it that they read; these
    are its last operands.
    """

    name = "node"
    bodies: Tuple["Graph", ...] = ()
    captures: Tuple[Value, ...] = ()
    graph: "Graph"
    id: str
    origin: str
    outputs: Tuple[Value, ...]

    def operands(self) -> List[Value]:
        """The values it reads, in the order of its parameters; absent ones are left out."""
        raise InternalError(f"{self.name} does not say what it reads")

    def attributes(self) -> Dict[str, Any]:
        """Its parameters that are not values, for printing."""
        return {}

    def shaped_by(self) -> List[Value]:
        """The operands that decide the device's program and are not constant."""
        return []

    def capacity(self) -> Optional["Capacity"]:
        """How large the first result can be, where data decide its size; else None."""
        return None

    def sized_by(self) -> List[Value]:
        """What has to be known for the first result to have a size, where that is open."""
        return []

    @property
    def inner(self) -> "Graph":
        """While a control flow node is open: the graph that ops go to."""
        raise InternalError(f"{self.name} has no bodies")

    def copy_to(self, graph: "Graph", values: Mapping[Value, Value]) -> Tuple[Value, ...]:
        """Add the same op to ``graph``, reading ``values[operand]`` for each operand."""
        raise InternalError(f"{self.name} cannot be copied")

    @property
    def where(self) -> str:
        """Name, id and origin for messages."""
        return f"{self.name} '{self.id}'" + (f" ({self.origin})" if self.origin else "")

    def error(self, message: str) -> InvalidParameter:
        """An exception that says where: ``raise self.error("...")``."""
        return InvalidParameter(f"{self.where}: {message}")


class Capacity(NamedTuple):
    """A result has at most ``most`` entries along ``axis``; a count says how many it has."""

    axis: int
    most: int

    def type(self, kind: ValueType) -> ValueType:
        """``kind`` with room for all entries."""
        dims = list(kind.shape)
        dims[self.axis] = self.most
        return ValueType(kind.element_type, tuple(dims))


class Output:
    """A result of a graph: the name it is bound by and its value."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Value):
        self.name = name
        self.value = value


class Graph:
    """Arguments, variables, nodes in order of execution, and outputs.

    ``origin``, when set, is what new nodes note as their place of origin (frontends use it for the
    name of the source node); otherwise it is the line of the user's code.

    A graph inside another has it as ``parent`` and shares its ids; ``root`` is the outermost one.
    ``scopes`` of the root are the control flow nodes that are still open, innermost last.
    """

    folds = True
    """Whether ops on constants are folded while they are added."""

    def __init__(self, name: str = "graph", parent: Optional["Graph"] = None):
        self.name = name
        self.parent = parent
        self.root: Graph = self if parent is None else parent.root
        self.arguments: List[Value] = []
        self.variables: List[Variable] = []
        self.nodes: List[Node] = []
        self.outputs: List[Output] = []
        self.loss = ""
        """The output that training makes smaller; "" for the first that can be one."""
        self.scopes: List[Node] = []
        self.origin: Optional[str] = None
        self._ids: Dict[str, int] = {} if parent is None else parent._ids

    @property
    def innermost(self) -> "Graph":
        """The graph that an op which is called now goes to: that of the innermost open scope."""
        scopes = self.root.scopes
        return scopes[-1].inner if scopes else self.root

    def add_argument(self, id: str, type: ValueType) -> Value:
        """A new graph input, bound by ``id``, which no other value may have."""
        if isinstance(id, str) and id in self._ids:
            raise InvalidParameter(f"argument '{id}': a value of that name exists; choose another")
        return self.add_input(id, type)

    def add_input(self, id: str, type: ValueType) -> Value:
        """A new graph input with ``id``, or a number appended to it."""
        value = Value(self, self.unique_id(id), type)
        self.arguments.append(value)
        return value

    def create_variable(
        self, id: str, type: ValueType, storage: Optional[Storage] = None
    ) -> Variable:
        """A value that is fed from ``storage``, one of its own with zeros when None."""
        if storage is None:
            storage = Storage(np.zeros(type.dims, type.element_type.dtype))
        variable = Variable(self, self.unique_id(id), type, storage)
        self.variables.append(variable)
        return variable

    @property
    def fed(self) -> List[Value]:
        """What a run feeds: arguments, then variables."""
        return [*self.arguments, *self.variables]

    def add_constant(self, data: np.ndarray, id: Optional[str] = None) -> Value:
        """A constant that refers to ``data`` (not copied; do not write to it afterwards)."""
        data = _native(data)
        kind = ValueType(element_type(data.dtype), check_shape(data.shape, f"constant '{id}'"))
        name = "constant" if id is None or (isinstance(id, str) and not id) else id
        return Value(self, self.unique_id(name), kind, data=data)

    def add_node(self, node: Node, types: Sequence[ValueType]) -> Tuple[Value, ...]:
        """Append ``node`` with results of ``types``; their ids derive from the node's."""
        node.outputs = tuple(
            Value(self, node.id if index == 0 else self.unique_id(f"{node.id}_{index}"), kind, node)
            for index, kind in enumerate(types)
        )
        self.nodes.append(node)
        return node.outputs

    def set_output(self, value: Value, name: Optional[str] = None) -> None:
        """Make ``value`` a result, bound by ``name`` (its id when None).

        Results of a graph inside another are bound by position; their names mean nothing.
        """
        self.own(value, "output")
        name = value.id if name is None else name
        if not isinstance(name, str):
            raise InvalidParameter(f"the name {name!r} of an output is not a str")
        if self.parent is None and any(output.name == name for output in self.outputs):
            raise InvalidParameter(f"output '{name}' exists already; give each its own name")
        self.outputs.append(Output(name, value))

    def own(self, value: Value, what: str) -> None:
        """Raise InvalidParameter unless ``value`` is a Value of this graph or of one around it."""
        if not isinstance(value, Value):
            raise InvalidParameter(f"{what}: {value!r} is no value of a computation")
        if self.sees(value):
            return
        if value.graph.root is self.root:
            raise InvalidParameter(
                f"{what}: value '{value.id}' belongs to '{value.graph.name}', which is not open "
                "here; make it one of its outputs and read the result"
            )
        raise InvalidParameter(
            f"{what}: value '{value.id}' belongs to another computation "
            f"('{value.graph.root.name}', not '{self.root.name}'); make it in this one"
        )

    def sees(self, value: Value) -> bool:
        """Whether ``value`` belongs to this graph or to one around it."""
        return any(graph is value.graph for graph in self.lineage())

    def lineage(self) -> Iterator["Graph"]:
        """This graph, the one around it, and so on."""
        graph: Optional[Graph] = self
        while graph is not None:
            yield graph
            graph = graph.parent

    def adopt(self, value: Value, what: str) -> Value:
        """What stands for a value of another graph: itself if that is around this one.

        Interpreted values are constants.  Raises InvalidParameter for a value of another
        computation.
        """
        if value.graph.folds or value.data is None:
            self.own(value, what)
            return value
        return self.add_constant(value.data, value.id)  # type: ignore[arg-type]

    def unique_id(self, wanted: str) -> str:
        """``wanted``, with a number appended when it is taken."""
        if not isinstance(wanted, str):
            raise InvalidParameter(f"the name {wanted!r} is not a str")
        count = self._ids.get(wanted)
        if count is None:
            self._ids[wanted] = 0
            return wanted
        while True:
            count += 1
            candidate = f"{wanted}_{count}"
            if candidate not in self._ids:
                self._ids[wanted] = count
                self._ids[candidate] = 0
                return candidate

    def place(self) -> str:
        """Where the op being added comes from."""
        return self.origin if self.origin is not None else _users_line()

    def used_nodes(self) -> List[Node]:
        """The nodes that some output depends on, in order."""
        needed = {id(output.value) for output in self.outputs}
        used = []
        for node in reversed(self.nodes):
            if any(id(value) in needed for value in node.outputs):
                needed.update(id(operand) for operand in node.operands())
                used.append(node)
        used.reverse()
        return used

    def reads(self) -> Iterator[Value]:
        """What its nodes and those inside them read, and what leaves a graph, in order."""
        for node in self.nodes:
            yield from node.operands()
            for body in node.bodies:
                yield from body.reads()
        yield from (output.value for output in self.outputs)

    def constants(self) -> List[Value]:
        """The constants that nodes read or outputs are, each once."""
        return list(dict.fromkeys(one for one in self.reads() if one.data is not None))

    def consumers(self) -> Dict[Value, int]:
        """How often each value is read, as operand or as output."""
        counts: Dict[Value, int] = {}
        for value in self.reads():
            counts[value] = counts.get(value, 0) + 1
        return counts

    def captured(self) -> List[Value]:
        """The values around this graph that its outputs depend on, each once."""
        found: Dict[Value, None] = {}
        for node in self.used_nodes():
            found.update((one, None) for one in node.operands() if one.graph is not self)
        found.update((one.value, None) for one in self.outputs if one.value.graph is not self)
        return list(found)

    def __str__(self) -> str:
        return "\n".join(self._lines("graph"))

    def _lines(self, kind: str) -> List[str]:
        lines = [f"{kind} {self.name} {{"]
        lines += [f"  argument %{value.id}: {value.type}" for value in self.arguments]
        lines += [f"  variable %{value.id}: {value.type}" for value in self.variables]
        for node in self.nodes:
            lines.append(f"  {_format_node(node)}")
            for body in node.bodies:
                lines += [f"    {line}" for line in body._lines("body")]
        for output in self.outputs:
            name = f"{output.name} = " if self.parent is None else ""
            lines.append(f"  output {name}{_format_operand(output.value)}")
        return [*lines, "}"]


def walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """``nodes``, each followed by the used ones inside it."""
    for node in nodes:
        yield node
        for body in node.bodies:
            yield from walk(body.used_nodes())


class Carried(Dict[Value, Value]):
    """Values of a graph and what stands for them in its rewritten form.

    Constants are carried over when they are first asked for, to where their graph has gone, and so
    is anything that a rule has put off: ``later[value]`` is called for the replacement of
    ``value``.
    """

    def __init__(
        self,
        new: Graph,
        constant: Optional[Callable[[Value], np.ndarray]] = None,
        rule: Optional["Rule"] = None,
    ):
        super().__init__()
        self.new = new
        self.later: Dict[Value, Callable[[], Value]] = {}
        self._constant = constant
        self._rule = rule
        self._graphs: Dict[Graph, Graph] = {}

    def __missing__(self, value: Value) -> Value:
        if value in self.later:
            replacement = self.later.pop(value)()
        elif value.data is not None:
            data = value.data if self._constant is None else self._constant(value)
            replacement = self._graphs.get(value.graph, self.new).add_constant(data, value.id)
        else:
            raise InternalError(f"'{value.id}' is read before it is rewritten")
        self[value] = replacement
        return replacement

    def carry(self, old: Graph, new: Graph) -> List[Value]:
        """Make the nodes that outputs of ``old`` need anew in ``new``; what stands for outputs."""
        self._graphs[old] = new
        origin = new.origin
        for node in old.used_nodes():
            new.origin = node.origin
            results = self._rule(new, node, self) if self._rule else None
            if results is None:
                results = node.copy_to(new, self)
            self.update(zip(node.outputs, results))
        new.origin = origin
        return [self[output.value] for output in old.outputs]


Rule = Callable[[Graph, Node, Carried], Optional[Sequence[Value]]]


def rewrite(
    graph: Graph,
    rule: Optional[Rule] = None,
    argument_type: Optional[Callable[[Value], ValueType]] = None,
    constant: Optional[Callable[[Value], np.ndarray]] = None,
) -> Graph:
    """A new graph with the nodes that outputs need, each as ``rule`` makes it anew.

    ``rule(new, node, values)`` adds what replaces ``node`` to the graph ``new`` (``values`` maps
    old values to new ones) and returns the new results, or None to copy the node as it is, or
    nothing (an empty list) when it puts the results into ``values.later``.  Nodes inside others
    are rewritten as these are copied, with ``new`` the graph around them.
    ``argument_type`` and ``constant`` give arguments another type and constants other data;
    variables take the element type only.
    Takes time linear in the size of the graph.
    """
    new = Graph(graph.name)
    new.loss = graph.loss
    values = Carried(new, constant, rule)
    for argument in graph.arguments:
        kind = argument.type if argument_type is None else argument_type(argument)
        values[argument] = new.add_argument(argument.id, kind)
    for variable in graph.variables:
        kind = variable.type if argument_type is None else argument_type(variable)
        kind = ValueType(kind.element_type, variable.shape)
        values[variable] = new.create_variable(variable.id, kind, variable.storage)
    results = values.carry(graph, new)
    new.outputs = [Output(output.name, one) for output, one in zip(graph.outputs, results)]
    return new


def specialise(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> Graph:
    """The graph with the arguments' shapes replaced by ``shapes`` and all else inferred again.

    ``shapes`` maps argument names to full shapes.  A named dimension that one of them fixes is
    fixed in every argument.  Raises InvalidParameter for unknown names, another rank, or a size
    that contradicts one that is known already.
    """
    if not isinstance(shapes, Mapping):
        raise InvalidParameter(f"shapes is {shapes!r}; accepted: a dict of names and shapes")
    arguments = {argument.id: argument for argument in graph.arguments}
    sizes: Dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in arguments:
            raise InvalidParameter(
                f"no argument '{name}'; the arguments are {', '.join(arguments) or 'none'}"
            )
        _match(arguments[name], check_shape(shape, f"argument '{name}'"), sizes)

    def fixed(argument: Value) -> ValueType:
        shape = shapes.get(argument.id, argument.shape)
        return ValueType(
            argument.element_type,
            tuple(sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in shape),
        )

    return rewrite(graph, argument_type=fixed)


def _match(argument: Value, shape: Shape, sizes: Dict[str, int]) -> None:
    given, declared = format_shape(shape), format_shape(argument.shape)
    if len(shape) != argument.rank:
        raise InvalidParameter(
            f"argument '{argument.id}': shape {given} has rank {len(shape)}, declared {declared}"
        )
    for dim, old in zip(shape, argument.shape):
        if known(old) and dim != old:
            raise InvalidParameter(
                f"argument '{argument.id}': shape {given} contradicts the declared {declared}"
            )
        if isinstance(old, str) and isinstance(dim, int) and sizes.setdefault(old, dim) != dim:
            raise InvalidParameter(
                f"argument '{argument.id}': shape {given} makes '{old}' {dim}, "
                f"but another argument makes it {sizes[old]}"
            )


def _native(data: np.ndarray) -> np.ndarray:
    """``data`` in native byte order and C order; a copy only where it was not."""
    data = np.asarray(data)
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    return data if data.flags.c_contiguous else np.ascontiguousarray(data)


def _users_line() -> str:
    """``file:line`` of the innermost frame outside this package."""
    frame: Optional[Any] = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            return f"{os.path.basename(code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _format_node(node: Node) -> str:
    results = ", ".join(f"%{value.id}: {value.type}" for value in node.outputs)
    captures = set(node.captures)
    operands = [_format_operand(one) for one in node.operands() if one not in captures]
    attributes = [f"{name}={_plain(value)}" for name, value in node.attributes().items()]
    call = f"{node.name}({', '.join(operands + attributes)})"
    return f"{results} = {call}" + (f"  # {node.origin}" if node.origin else "")


def _format_operand(value: Value) -> str:
    if value.data is None:
        return f"%{value.id}"
    if value.data.size == 1:
        return f"{value.data.reshape(-1)[0]}"
    return f"{value.type} %{value.id}"


def _plain(value: Union[Any, Sequence[Any]]) -> str:
    return value.name if hasattr(value, "name") else str(value)
