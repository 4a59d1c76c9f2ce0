"""Recording what engines run, node by node, without a cost while nothing is recorded.

``start`` puts a recorder in front of ``run_plain`` of every part of every engine; ``stop`` takes
them away and gives what they saw.  A part of onnxruntime is loaded a second time, with
onnxruntime's profiler on, when it is first run; that time is told apart.
"""

import itertools
import json
import os
import re
import tempfile
import threading
import time
import weakref
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

AND_OF = " and of "
"""Between the ops in the name of a node that computes two of them."""

_PRODUCED = re.compile(r"(v\d+)(?: of |_|$)")
_LABEL = re.compile(r"v\d+ of (?:(?P<name>.*) \()?(?P<kind>\S+)\.(?P<type>\w+):\d+\)?$")
_REORDERS = ("ReorderInput", "ReorderOutput")
_SUFFIX = "_kernel_time"


class Operation(NamedTuple):
    """A PopART op: the name that its builder call gave it, and its type."""

    name: str
    type: str


class Event(NamedTuple):
    """The engine computed ``operations`` in one go; times are those of ``perf_counter_ns``.

    Without operations it got ready to record.  ``kernel`` is what the engine calls it.
    """

    operations: Tuple[Operation, ...]
    kernel: str
    start: int
    duration: int
    thread: int


_lock = threading.Lock()
_parts: "weakref.WeakSet[Any]" = weakref.WeakSet()
_recorders: "Optional[List[Any]]" = None


def enroll(part: Any) -> None:
    """Make a part of an engine known: one that has ``recorder()`` and ``run_plain()``."""
    with _lock:
        _parts.add(part)
        if _recorders is not None:
            _attach(part, _recorders)


def start() -> None:
    """Record from now on; nothing must be running.  Does nothing while it records."""
    global _recorders
    with _lock:
        if _recorders is None:
            _recorders = []
            for part in list(_parts):
                _attach(part, _recorders)


def stop() -> List[Event]:
    """End recording; nothing must be running.  What was recorded, in order of time."""
    global _recorders
    with _lock:
        recorders, _recorders = _recorders or [], None
        for part in list(_parts):
            part.__dict__.pop("run_plain", None)
    events = [event for recorder in recorders for event in recorder.events()]
    return sorted(events, key=lambda event: event.start)


def _attach(part: Any, recorders: List[Any]) -> None:
    recorder = part.recorder()
    recorders.append(recorder)
    part.run_plain = recorder.run


class StepRecorder:
    """Times a step of the host."""

    def __init__(self, step: Any, operation: Operation):
        # Of the class, so that the step does not keep itself alive.
        self._step = weakref.ref(step)
        self._operation = operation
        self._events: List[Event] = []

    def run(self) -> None:
        step = self._step()
        assert step is not None
        start = time.perf_counter_ns()
        type(step).run_plain(step)
        taken = time.perf_counter_ns() - start
        self._events.append(Event((self._operation,), "host", start, taken, threading.get_ident()))

    def events(self) -> List[Event]:
        return self._events


class EngineRecorder:
    """Runs an engine's model in a second session, with onnxruntime's profiler on."""

    def __init__(self, engine: Any):
        self._engine = weakref.ref(engine)
        self._model = engine.translation.model
        self._references = engine.references  # the session may outlive the engine that keeps them
        self._session: Any = None
        self._folder: Any = None
        self._runs: List[Tuple[int, int]] = []
        self._ready: List[Event] = []

    def run(self) -> None:
        engine = self._engine()
        assert engine is not None
        if self._session is None:
            self._open(engine)
        engine.bind_all(self._binding)
        self._runs.append((time.perf_counter_ns(), threading.get_ident()))
        engine.run_bound(self._session._sess, self._binding)

    def _open(self, engine: Any) -> None:
        start = time.perf_counter_ns()
        self._folder = tempfile.TemporaryDirectory(prefix="odla_ipu-profile-")
        self._optimized = os.path.join(self._folder.name, "model.onnx")
        options = engine.options()
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(self._folder.name, "profile")
        options.optimized_model_filepath = self._optimized
        prefix = "session.optimized_model_external_initializers_"
        options.add_session_config_entry(prefix + "file_name", "weights")
        options.add_session_config_entry(prefix + "min_size_in_bytes", "1024")
        self._session = engine.session(options)
        self._binding = self._session.io_binding()._iobinding
        taken = time.perf_counter_ns() - start
        self._ready.append(Event((), "ready", start, taken, threading.get_ident()))

    def events(self) -> List[Event]:
        if self._session is None:
            return []
        with open(self._session.end_profiling(), encoding="utf-8") as file:
            found = json.load(file)
        names = _Names(self._model, self._optimized)
        self._folder.cleanup()
        return [*self._ready, *self._timed(found, names)]

    def _timed(self, found: List[Dict[str, Any]], names: "_Names") -> Iterator[Event]:
        """onnxruntime's events, its clock set by the beginnings of runs."""
        begins = [entry["ts"] for entry in found if entry["name"] == "model_run"]
        nodes = [entry for entry in found if entry.get("cat") == "Node"]
        nodes = sorted(
            (one for one in nodes if one["name"].endswith(_SUFFIX)), key=lambda one: one["ts"]
        )
        place = 0
        for begin, following, (start, thread) in zip(
            begins, [*begins[1:], float("inf")], self._runs
        ):
            names.rewind()
            while place < len(nodes) and nodes[place]["ts"] < following:
                node = nodes[place]
                place += 1
                kernel = node["args"]["op_name"]
                yield Event(
                    names.of(node["name"][: -len(_SUFFIX)], kernel),
                    kernel,
                    start + int((node["ts"] - begin) * 1000),
                    int(node["dur"] * 1000),
                    thread,
                )


class _Names:
    """Which ops stand behind the nodes that onnxruntime made of a model.

    A node of the optimized model computes a value of the original one, and with it all that leads
    there from values that other nodes compute.
    """

    def __init__(self, model: bytes, optimized: str):
        import onnx

        self._nodes = list(_all_nodes(onnx.ModelProto.FromString(model).graph))
        self._producers = {
            name: index for index, one in enumerate(self._nodes) for name in one.output
        }
        made = list(_all_nodes(onnx.load(optimized, load_external_data=False).graph))
        targets = [self._targets(node) for node in made]
        computed = {
            name
            for node, found in zip(made, targets)
            if node.op_type not in _REORDERS
            for name in found
        }
        self._found: Dict[Tuple[str, str], List[Tuple[Operation, ...]]] = {}
        for node, found in zip(made, targets):
            key = (node.name or node.op_type, node.op_type)
            self._found.setdefault(key, []).append(self._behind(node, found, computed))
        self._seen: Dict[Tuple[str, str], int] = {}

    def rewind(self) -> None:
        """Begin a run: nodes of one name come in order."""
        self._seen.clear()

    def of(self, name: str, kernel: str) -> Tuple[Operation, ...]:
        key = (name, kernel)
        found = self._found.get(key)
        if found is None:
            return _operations([name]) or (Operation("", kernel),)
        count = self._seen.get(key, 0)
        self._seen[key] = count + 1
        return found[count % len(found)]

    def _targets(self, node: Any) -> List[str]:
        """The original values that a node computes."""
        found = [name for name in node.output if name in self._producers]
        if not found:
            match = _PRODUCED.match(node.name)
            if match and match.group(1) in self._producers:
                found = [match.group(1)]
        return found

    def _behind(self, node: Any, targets: List[str], computed: Set[str]) -> Tuple[Operation, ...]:
        if node.op_type in _REORDERS:
            names = [self._nodes[self._producers[name]].name for name in targets[:1]]
            return (Operation(_operations(names)[0].name if names else "", node.op_type),)
        given = set(node.input)
        covered: Set[int] = set()
        open_ = list(targets)
        while open_:
            index = self._producers.get(open_.pop())
            if index is None or index in covered:
                continue
            covered.add(index)
            open_ += [
                name
                for name in self._nodes[index].input
                if name not in given and (name not in computed or name in targets)
            ]
        return _operations([self._nodes[index].name for index in sorted(covered)]) or (
            Operation("", node.op_type),
        )


def _operations(labels: List[str]) -> Tuple[Operation, ...]:
    """The ops that the emitter noted in names of nodes, each once."""
    found: Dict[Operation, None] = {}
    for label in itertools.chain.from_iterable(map(_labels, labels)):
        match = _LABEL.match(label)
        if match:
            operation = Operation(match.group("name") or "", match.group("type"))
            found[operation] = None
    return tuple(found)


def _labels(name: str) -> List[str]:
    first, *others = name.split(AND_OF)
    return [first, *(f"v0 of {other}" for other in others)]


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)
