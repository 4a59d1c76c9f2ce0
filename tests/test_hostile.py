"""Wrong and extreme arguments of every op: an error that says where, or what runs as declared.

A call either raises an OdlaError that names the op and its id, or gives a node.  A program of it
then either runs, with results of the declared types and shapes, or is refused by an OdlaError.
"""

import random
import resource

import hostile
import numpy as np
import pytest
from test_ops import OPERANDS, cases

import odla_ipu as odla
from odla_ipu.errors import InternalError, OdlaError
from odla_ipu.ops import OPS
from odla_ipu.registry import REQUIRED

DECLARED = {op.python: op for op in OPS.values()}
SAMPLES = {}
for _case in cases():
    if _case.values[0].op in DECLARED:  # kernels are no functions of ODLA
        SAMPLES.setdefault(_case.values[0].op, []).append(_case.values[0])

RUN_EVERY = 16
"""Of the calls that succeed, the representative part runs each sixteenth."""

MEMORY = 1 << 30
"""No test may take more bytes."""


def arguments_of(sample):
    """The arguments of a sample by name; and those that are constants."""
    given = dict(zip(OPERANDS[sample.op], sample.operands))
    fixed = {OPERANDS[sample.op][index] for index in sample.constants}
    return {**given, **sample.attributes}, fixed


def changed_calls(op, sample):
    """(arguments, constants, what changed) for each wrong value of each parameter."""
    given, fixed = arguments_of(sample)
    for field in DECLARED[op].fields:
        original = given.get(field.name, field.default)
        for value in hostile.arguments_for(field, None if original is REQUIRED else original):
            changed = {**given, field.name: value}
            yield changed, fixed, f"{field.name}={_brief(value)}"
            if field.is_tensor:
                yield changed, fixed | {field.name}, f"{field.name}={_brief(value)}, constant"


def mixed_calls(op, seed, count):
    """As ``changed_calls``, with several parameters changed at once, drawn by chance."""
    generator = random.Random(f"{op} {seed}")
    for _ in range(count):
        given, fixed = arguments_of(generator.choice(SAMPLES[op]))
        names = []
        for field in generator.sample(DECLARED[op].fields, min(3, len(DECLARED[op].fields))):
            original = given.get(field.name, field.default)
            values = hostile.arguments_for(field, None if original is REQUIRED else original)
            given[field.name] = generator.choice(list(values))
            names.append(f"{field.name}={_brief(given[field.name])}")
        yield given, fixed, ", ".join(names)


def _brief(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return repr(value)[:80]


def _as_operand(name, given, inputs):
    """An argument for an array, where it can be one."""
    if isinstance(given, (tuple, list)):
        return [_as_operand(f"{name}_{index}", one, inputs) for index, one in enumerate(given)]
    if not isinstance(given, np.ndarray):
        return given
    try:
        value = odla.argument(name, given.shape, given.dtype)
    except OdlaError:
        return given
    inputs[name] = given
    return value


def _called(op, arguments, fixed, what):
    """The computation of the call and its inputs; None when it is refused."""
    inputs = {}
    with odla.Computation() as c:
        operands = {
            name: value
            if name in fixed or name not in OPERANDS[op]
            else _as_operand(name, value, inputs)
            for name, value in arguments.items()
        }
        try:
            results = getattr(odla, op)(**operands, id="probe")
        except OdlaError as error:
            assert not isinstance(error, InternalError), f"{what}: {error}"
            text = str(error)
            assert DECLARED[op].name in text and "'probe'" in text, f"{what}: {text}"
            assert len(text) < 5000, what
            return None
        results = results if isinstance(results, tuple) else (results,)
        if results[0].graph is not c.graph:  # the foreign value decided where the op went
            return None
        for index, result in enumerate(results):
            odla.output(result, f"y{index}")
    return c, inputs


def _is_small(c):
    types = [*c.arguments.values(), *c.outputs.values()]
    return not any(kind.is_static and kind.elements > 1 << 20 for kind in types)


def _run(c, inputs, device, what):
    try:
        results = c.run(inputs, device=device)
    except OdlaError as error:
        assert not isinstance(error, InternalError), f"{what}: {error}"
        return
    for output in c.graph.outputs:
        kind, result = output.value.type, results[output.name]
        node = output.value.node
        has_room = node is not None and node.capacity() is not None
        assert result.dtype == kind.element_type.dtype, what
        assert len(result.shape) == kind.rank, what
        pairs = zip(kind.shape, result.shape)
        assert all(a in (b, -1) or (has_room and b < a) for a, b in pairs), what


def check(op, calls, device, every=1):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = 0
    for arguments, fixed, what in calls:
        called = _called(op, arguments, fixed, what)
        if called is None or not _is_small(called[0]):
            continue
        accepted += 1
        if accepted % every == 0:
            _run(*called, device, what)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < MEMORY


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", sorted(SAMPLES))
def test_one_parameter(op, device):
    check(op, changed_calls(op, SAMPLES[op][0]), device, RUN_EVERY)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", sorted(SAMPLES))
def test_one_parameter_of_more_samples(op, device):
    count = len(SAMPLES[op])
    for sample in SAMPLES[op][1 :: -(-count // 4)]:
        check(op, changed_calls(op, sample), device, RUN_EVERY)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", sorted(SAMPLES))
def test_several_parameters(op, device):
    check(op, mixed_calls(op, 0, 200), device)


# Values and control flow, which no declaration describes.


def _attempt(call):
    """Run ``call``, which may refuse by an OdlaError, and by Python's error for what is no call."""
    try:
        call()
    except OdlaError as error:
        assert not isinstance(error, InternalError), error
        assert len(str(error)) < 5000


@pytest.mark.parametrize("given", hostile.ANYTHING + hostile.DIMS, ids=_brief)
def test_values(given):
    with odla.Computation() as c:
        _attempt(lambda: odla.argument("x", given))
        _attempt(lambda: odla.argument(given, (2,)))
        _attempt(lambda: odla.argument("y", (2,), given))
        _attempt(lambda: odla.constant(given))
        _attempt(lambda: odla.constant(np.zeros(2), given))
        _attempt(lambda: odla.output(given, "z"))
        x = odla.argument("good", (2,))
        _attempt(lambda: odla.output(x, given))
        odla.output(odla.neg(x), "result")
    _attempt(lambda: c.specialise({"good": given}))
    _attempt(lambda: c.specialise(given))
    for option in ("device", "precision", "batch", "shapes"):
        _attempt(lambda option=option: c.compile(**{"device": "sim", option: given}).close())
    _attempt(lambda: c.run({"good": given}, device="sim"))
    _attempt(lambda: c.run(given, device="sim"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "given",
    [
        *hostile.ANYTHING,
        *hostile.INTEGERS,
        np.zeros(2),
        np.zeros((1, 1)),
        np.array(-3),
        np.array("a"),
    ],
    ids=_brief,
)
def test_control_flow(given, device):
    def branch():
        with odla.Computation() as c:
            x = odla.argument("x", (2,))
            with odla.if_(given) as branches:
                with branches.then():
                    odla.output(odla.neg(x))
                with branches.otherwise():
                    odla.output(odla.abs(x))
            odla.output(branches.results[0], "y")
        c.run(x=np.zeros(2, np.float32), device=device)

    def iterations():
        if isinstance(given, int) and given > 100:
            return  # it would run that often
        _loop(given, lambda loop, x: loop.next(loop.variable(x), x))

    def variable():
        _loop(2, lambda loop, x: loop.variable(given))

    def following():
        _loop(2, lambda loop, x: loop.next(loop.variable(x), given))

    def mode():
        _loop(2, lambda loop, x: loop.next(loop.variable(x), x, given))

    def unknown_variable():
        _loop(2, lambda loop, x: loop.next(given, x))

    def condition():
        _loop(2, lambda loop, x: loop.proceed(given))

    def _loop(count, body):
        with odla.Computation() as c:
            x = odla.argument("x", (2,))
            with odla.loop(count) as loop:
                body(loop, x)
            for index, result in enumerate(loop.results):
                odla.output(result, f"y{index}")
            odla.output(x, "same")
        c.run(x=np.zeros(2, np.float32), device=device)

    for call in (branch, iterations, variable, following, mode, unknown_variable, condition):
        _attempt(call)
