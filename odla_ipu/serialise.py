"""Computations as files: a graph in the header of a container, its numbers in a section.

A node is written by its declaration: the op's name, and each field as JSON (numbers, text, names of
enumeration members, lists; values by number).  It is read by adding the op anew, so what a file
says is checked as what a user says.  If and Loop hold their bodies.
"""

import enum
import json
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from . import container
from .container import Arrays, Source
from .custom import CUSTOM_OPS, all_custom_ops
from .errors import BadFile, OdlaError
from .graph import Graph, Node, Output, Storage, Value, Variable
from .ops import OPS
from .ops.control_flow import If, Loop
from .types import ElementType, ValueType, check_shape
from .version import VERSION

KIND = "computation"

_WRONG = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What reading a header raises that this package did not write."""

Json = Any


def save(graph: Graph, path: str) -> None:
    """Write ``graph`` as a file; raises InvalidParameter while an If or Loop is open."""
    container.write(path, *_Writer(graph).result())


def pack(graph: Graph) -> bytes:
    """What ``save`` would write."""
    return container.pack(*_Writer(graph).result())


def digest(graph: Graph, digest: Any) -> None:
    """Update a hash with what a program for ``graph`` depends on.

    Origins and what variables hold are left out.
    """
    writer = _Writer(graph, complete=False)
    header, _ = writer.result()
    digest.update(json.dumps(header).encode())
    for chunk in writer.data.chunks():
        digest.update(chunk)


def load(source: Source) -> Graph:
    """The graph of a file, or of its bytes; its constants stay there and are read when needed.

    Raises FileMissing, or BadFile for what is damaged, foreign or newer.
    """
    header, sections = container.read(source, KIND)
    name = container.described(source)
    try:
        return _Reader(header, container.mapped(source, sections["data"])).graph()
    except OdlaError as error:
        raise BadFile(f"{name}: {error}; save the computation again") from error
    except _WRONG as error:
        raise container.malformed(name, error) from error


class _Writer:
    """Values are numbered as they appear; constants when they are first read."""

    def __init__(self, graph: Graph, complete: bool = True):
        if graph.scopes:
            raise graph.scopes[-1].error("still open; end it before saving")
        self._numbers: Dict[Value, int] = {}
        self._graphs: Dict[Graph, int] = {}
        self._complete = complete
        self.data = Arrays()
        self._constants: List[Json] = []
        self._root = graph

    def result(self) -> Tuple[Dict[str, Json], Dict[str, container.Content]]:
        graph = self._root
        header = {
            "kind": KIND,
            "package": VERSION,
            "loss": graph.loss,
            "arguments": [self._declared(one) for one in graph.arguments],
            "variables": [
                {**self._declared(one), "offset": self._kept(one)} for one in graph.variables
            ],
            "graph": self._graph(graph),
            "constants": self._constants,
        }
        return header, {"data": self.data}

    def _kept(self, variable: Variable) -> int:
        return self.data.add(variable.storage.fetch()) if self._complete else 0

    def _declared(self, value: Value) -> Dict[str, Json]:
        number = self._numbers[value] = len(self._numbers)
        return {"number": number, "id": value.id, "type": _type(value.type)}

    def _graph(self, graph: Graph) -> Json:
        self._graphs[graph] = len(self._graphs)
        return {
            "name": graph.name,
            "nodes": [self._node(node) for node in graph.nodes],
            "outputs": [[one.name, self._number(one.value)] for one in graph.outputs],
        }

    def _number(self, value: Optional[Value]) -> Optional[int]:
        if value is None:
            return None
        if value not in self._numbers and value.data is not None:
            self._constants.append(
                {
                    **self._declared(value),
                    "graph": self._graphs[value.graph],
                    "offset": self.data.add(value.data),
                }
            )
        return self._numbers[value]

    def _node(self, node: Any) -> Json:
        if isinstance(node, If):
            fields = self._if(node)
        elif isinstance(node, Loop):
            fields = self._loop(node)
        else:
            fields = {name: _plain(value) for name, value in node.attributes().items()}
            fields.update(self._operands(node))
        return {
            "op": node.name,
            "id": node.id,
            "origin": node.origin if self._complete else "",
            "fields": fields,
            "results": [[self._declared(one)["number"], one.id] for one in node.outputs],
        }

    def _operands(self, node: Any) -> Dict[str, Json]:
        found = {}
        for field in node.fields:
            if field.is_tensor:
                given = node.__dict__[field.attribute]
                several = isinstance(given, tuple)
                found[field.name] = (
                    [self._number(one) for one in given] if several else self._number(given)
                )
        return found

    def _if(self, node: If) -> Json:
        return {
            "condition": self._number(node.condition),
            "bodies": [self._graph(body) for body in node.bodies],
        }

    def _loop(self, node: Loop) -> Json:
        inits = [self._number(init) for init in node.inits]
        counted = self._number(node.trip_count) if node.trips is None else None
        variables = [
            None if one.data is not None else self._declared(one) for one in node.variables
        ]
        return {
            "trips": node.trips,
            "trip_count": counted,
            "inits": inits,
            "variables": variables,
            "flags": [flag.name for flag in node.flags],
            "conditional": node.condition is not None,
            "body": self._graph(node.body),
        }


def _type(kind: ValueType) -> Json:
    return [kind.element_type.name, list(kind.shape)]


def _plain(value: Any) -> Json:
    """An attribute as JSON; its field reads that again."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, ValueType):
        return _type(value)
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


class _AsSaved(Dict[str, int]):
    """The ids of a graph, which while it is read are taken as the file has them."""

    reading = True

    def get(self, key: Any, default: Any = None) -> Any:
        return default if self.reading else super().get(key, default)


class _Reader:
    def __init__(self, header: Mapping[str, Json], data: Any):
        self._header = header
        self._data = data
        self._values: Dict[int, Value] = {}
        self._graphs: List[Graph] = []
        self._constants = {entry["number"]: entry for entry in header["constants"]}

    def graph(self) -> Graph:
        header = self._header
        root = Graph(header["graph"]["name"])
        root.loss = str(header["loss"])
        ids = root._ids = _AsSaved()
        for entry in header["arguments"]:
            self._values[entry["number"]] = root.add_argument(entry["id"], _read_type(entry))
        for entry in header["variables"]:
            kind = _read_type(entry)
            storage = Storage(np.array(self._array(kind, entry["offset"])))
            self._values[entry["number"]] = root.create_variable(entry["id"], kind, storage)
        self._fill(root, header["graph"])
        root.outputs = [Output(*pair) for pair in self._outputs(header["graph"])]
        ids.reading = False
        return root

    def _outputs(self, entry: Json) -> Iterable[Tuple[str, Value]]:
        return [(str(name), self._value(number)) for name, number in entry["outputs"]]

    def _fill(self, graph: Graph, entry: Json) -> None:
        """Add the nodes of ``entry`` to ``graph``, which is of the next number."""
        graph.name = str(entry["name"])
        self._graphs.append(graph)
        for node in entry["nodes"]:
            graph.origin = str(node["origin"])
            results = self._node(graph, node)
            if len(results) != len(node["results"]):
                raise ValueError(f"{node['op']} '{node['id']}' has {len(results)} results")
            for value, (number, id) in zip(results, node["results"]):
                value.id = str(id)
                graph._ids[value.id] = 0
                self._values[number] = value
        graph.origin = None

    def _node(self, graph: Graph, entry: Json) -> Sequence[Value]:
        name, fields, id = entry["op"], entry["fields"], str(entry["id"])
        if name == If.name:
            return self._if(graph, fields, id)
        if name == Loop.name:
            return self._loop(graph, fields, id)
        op = OPS.get(name) or CUSTOM_OPS.get(name) or all_custom_ops().get(name)
        if op is None:
            raise BadFile(f"'{id}' is {name}, which odla_ipu {VERSION} does not have")
        arguments = {
            field.name: self._operand(fields[field.name]) if field.is_tensor else fields[field.name]
            for field in op.fields
            if field.name in fields
        }
        return op.add(graph, arguments, id)

    def _operand(self, numbers: Json) -> Any:
        if isinstance(numbers, list):
            return [self._value(one) for one in numbers]
        return None if numbers is None else self._value(numbers)

    def _if(self, graph: Graph, fields: Json, id: str) -> Sequence[Value]:
        node = If.begin(graph, {"condition": self._value(fields["condition"])}, id)
        for which, body in zip((True, False), fields["bodies"]):
            branch = node.enter(which)
            self._fill(branch, body)
            for _, value in self._outputs(body):
                branch.set_output(value)
        return _ended(graph, node, node.end())

    def _loop(self, graph: Graph, fields: Json, id: str) -> Sequence[Value]:
        trips = fields["trips"]
        count = self._value(fields["trip_count"]) if trips is None else np.int64(trips)
        node = Loop.begin(graph, {"trip_count": count}, id)
        for init, entry in zip(fields["inits"], fields["variables"]):
            variable = node.variable(self._value(init), None if entry is None else entry["id"])
            if entry is not None:
                self._values[entry["number"]] = variable
        self._fill(node.body, fields["body"])
        values = [value for _, value in self._outputs(fields["body"])]
        condition = values.pop(0) if fields["conditional"] else None
        return _ended(graph, node, node.end(condition, values, fields["flags"]))

    def _value(self, number: int) -> Value:
        if number not in self._values:
            entry = self._constants[number]
            array = self._array(_read_type(entry), entry["offset"])
            self._values[number] = self._graphs[entry["graph"]].add_constant(array, entry["id"])
        return self._values[number]

    def _array(self, kind: ValueType, offset: int) -> np.ndarray:
        count = kind.elements
        if count == 0:
            return np.empty(kind.dims, kind.element_type.dtype)
        flat = np.frombuffer(self._data, kind.element_type.dtype, count, offset)
        return flat.reshape(kind.dims)


def _ended(graph: Graph, node: Node, results: Sequence[Value]) -> Sequence[Value]:
    """The node's own results, even those for which constants stand."""
    return node.outputs if graph.nodes and graph.nodes[-1] is node else results


def _read_type(entry: Json) -> ValueType:
    name, dims = entry["type"]
    return ValueType(ElementType[name], check_shape(dims, f"'{entry['id']}'"))
