"""If and Loop against plain Python, through rewriting, lowering and the stand-in."""

import time

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu import scopes
from odla_ipu.errors import InvalidParameter, UnsupportedType
from odla_ipu.graph import walk
from odla_ipu.lowering import lower
from odla_ipu.passes import prepare

X = np.array([1.0, 2.0, -3.0], np.float32)
MODES = ["last_value", "fwd_before", "fwd_after", "rev_before", "rev_after"]


def outputs(values):
    for index, value in enumerate(values):
        odla.output(value, f"y{index}")


def run(c, inputs, device, precision="fp32"):
    return list(c.run(inputs, device=device, precision=precision).values())


def same(got, expected, rtol=1e-6):
    assert len(got) == len(expected)
    for one, wanted in zip(got, expected):
        assert one.shape == np.shape(wanted) and one.dtype == np.asarray(wanted).dtype
        np.testing.assert_allclose(one, wanted, rtol=rtol)


def reference(step, inits, trips, modes):
    """``step(*states)`` gives the next states and whether to go on; rows not run are zero."""
    states, before, after = list(inits), [], []
    for _ in range(trips):
        before.append(states)
        states, go = step(*states)
        after.append(states)
        if not go:
            break
    results = list(states)
    for place, mode in enumerate(modes):
        if mode == "last_value":
            continue
        rows = [one[place] for one in (before if mode.endswith("before") else after)]
        if mode.startswith("rev"):
            rows.reverse()
        rows += [np.zeros_like(inits[place])] * (trips - len(rows))
        shape = (trips, *np.shape(inits[place]))
        results.append(np.array(rows, np.asarray(inits[place]).dtype).reshape(shape))
    return results


# If.


def either(condition_shape=(), dtype="float32"):
    with odla.Computation() as c:
        x = odla.argument("x", (3,), dtype)
        condition = odla.argument("c", condition_shape, "bool")
        with odla.if_(condition) as branches:
            with branches.then():
                odla.output(odla.add(odla.relu(x), np.ones(3, dtype)))
                odla.output(odla.constant(np.int32(7)))
            with branches.otherwise():
                odla.output(x)
                odla.output(odla.constant(np.int32(9)))
        outputs(branches.results)
    return c


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_if(condition, shape, dtype, device):
    x = X.astype(dtype)
    got = run(either(shape, dtype), {"x": x, "c": np.full(shape, condition)}, device)
    expected = [np.maximum(x, 0) + np.ones(3, dtype), np.int32(7)]
    same(got, expected if condition else [x, np.int32(9)])


@pytest.mark.parametrize("condition", [True, False])
def test_a_constant_condition_leaves_one_branch(condition, device):
    with odla.Computation() as c:
        x = odla.argument("x", (3,))
        with odla.if_(np.array(condition)) as branches:
            with branches.otherwise():
                odla.output(x)
            with branches.then():
                odla.output(odla.neg(x))
        outputs(branches.results)
    assert [node.name for node in c.graph.nodes] == (["odla_Neg"] if condition else [])
    same(run(c, {"x": X}, device), [-X if condition else X])


def test_nested_ifs_and_values_of_two_levels_up(device):
    with odla.Computation() as c:
        x = odla.argument("x", (3,))
        a, b = odla.argument("a", (), "bool"), odla.argument("b", (), "bool")
        y = odla.mul(x, x)
        with odla.if_(a) as outer:
            with outer.then():
                z = odla.add(x, 1.0)
                with odla.if_(b) as inner:
                    with inner.then():
                        odla.output(odla.add(odla.add(y, z), x))
                    with inner.otherwise():
                        odla.output(y)
                odla.output(inner.results[0])
            with outer.otherwise():
                odla.output(x)
        outputs(outer.results)
    for first in (True, False):
        for second in (True, False):
            expected = (X * X + X + 1 + X if second else X * X) if first else X
            inputs = {"x": X, "a": np.array(first), "b": np.array(second)}
            same(run(c, inputs, device), [expected])


def test_if_with_results_without_elements(device):
    with odla.Computation() as c:
        x = odla.argument("x", ("n",))
        condition = odla.argument("c", (), "bool")
        with odla.if_(condition) as branches:
            with branches.then():
                outputs([odla.neg(x), odla.reduce_sum(x, keep_dims=False)])
            with branches.otherwise():
                outputs([x, odla.constant(np.float32(5))])
        empty, total = branches.results
        outputs([odla.relu(empty), total])
    none = np.zeros(0, np.float32)
    same(run(c, {"x": none, "c": np.array(True)}, device), [none, np.float32(0)])
    same(run(c, {"x": none, "c": np.array(False)}, device), [none, np.float32(5)])
    same(run(c, {"x": X, "c": np.array(False)}, device), [np.maximum(X, 0), np.float32(5)])


# Loop.


def doubling(trips, mode, limit, dtype="float32"):
    """x and a counter; goes on while the new sum is below ``limit``, an argument, if given."""
    with odla.Computation() as c:
        x = odla.argument("x", (3,), dtype)
        with odla.loop(trips) as loop:
            state = loop.variable(x, "state")
            count = loop.variable(odla.constant(np.int32(0)), "count")
            following = odla.add(odla.add(state, state), x)
            loop.next(count, odla.add(count, np.int32(1)))
            loop.next(state, following, mode)
            if limit:
                total = odla.reduce_sum(following, keep_dims=False)
                loop.proceed(odla.less(total, odla.argument("limit", (), dtype)))
        outputs(loop.results)
    return c


def doubled(x, trips, mode, limit=None):
    def step(state, count):
        following = state + state + x
        go = limit is None or following.sum() < limit
        return (following, count + np.int32(1)), go

    return reference(step, (x, np.int32(0)), trips, [mode, "last_value"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trips", [0, 1, 4])
def test_loop_of_constant_count(mode, trips, device):
    x = np.abs(X)
    same(run(doubling(trips, mode, False), {"x": x}, device), doubled(x, trips, mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limit", [0, 50, 1e6])
def test_loop_with_a_condition(mode, limit, device):
    x = np.abs(X)
    got = run(doubling(5, mode, True), {"x": x, "limit": np.float32(limit)}, device)
    same(got, doubled(x, 5, mode, limit))


@pytest.mark.parametrize("mode", MODES)
def test_loop_in_half_precision(mode, device):
    x = np.abs(X)
    inputs = {"x": x, "limit": np.float32(50)}
    same(run(doubling(5, mode, True), inputs, device, "fp16"), doubled(x, 5, mode, 50))
    half = {name: np.asarray(one, np.float16) for name, one in inputs.items()}
    got = run(doubling(5, mode, True, "float16"), half, device)
    same(got, doubled(half["x"], 5, mode, 50))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("trips", [-2, 0, 1, 6])
def test_loop_of_a_count_known_at_run_time(dtype, trips, device):
    with odla.Computation() as c:
        x, n = odla.argument("x", (3,)), odla.argument("n", (1,), dtype)
        with odla.loop(n) as loop:
            state = loop.variable(x)
            loop.next(state, odla.add(state, x))
            loop.proceed(odla.less(odla.reduce_max(state, keep_dims=False), np.float32(6)))
        outputs(loop.results)

    def step(state):
        return (state + X,), state.max() < 6

    got = run(c, {"x": X, "n": np.array([trips], dtype)}, device)
    same(got, reference(step, (X,), trips, ["last_value"]))


def test_a_count_beyond_32_bits_is_no_limit(device):
    with odla.Computation() as c:
        x = odla.argument("x", ())
        with odla.loop(2**63 - 1) as loop:
            state = loop.variable(x)
            following = odla.mul(state, 2.0)
            loop.next(state, following)
            loop.proceed(odla.less(following, 1000.0))
        outputs(loop.results)
    same(run(c, {"x": np.float32(3)}, device), [np.float32(1536)])


@pytest.mark.parametrize("go, trips", [(True, 3), (False, 1)])
def test_a_constant_condition(go, trips, device):
    with odla.Computation() as c:
        x = odla.argument("x", ())
        with odla.loop(3) as loop:
            state = loop.variable(x)
            loop.next(state, odla.add(state, 1.0), "fwd_after")
            loop.proceed(odla.constant(np.array(go)))
        outputs(loop.results)
    got = run(c, {"x": np.float32(3)}, device)
    same(got, [np.float32(3 + trips), np.arange(4, 4 + trips, dtype=np.float32)])


def test_variables_that_swap_and_rest(device):
    with odla.Computation() as c:
        x, y = odla.argument("x", (2,)), odla.argument("y", (2,))
        with odla.loop(3) as loop:
            a, b, rest = loop.variable(x), loop.variable(y), loop.variable(x)
            loop.next(a, b, "fwd_before")
            loop.next(b, a, "fwd_after")
            loop.next(rest, rest, "rev_after")
        outputs(loop.results)
    x, y = np.float32([1, 2]), np.float32([3, 4])
    same(run(c, {"x": x, "y": y}, device), [y, x, x, [x, y, x], [x, y, x], [x, x, x]])


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float64"]
)
@pytest.mark.parametrize("training", [False, True])
def test_types_of_variables(dtype, training):
    x = np.array([1, 0, 3]).astype(dtype)
    with odla.Computation() as c:
        start, limit = odla.argument("x", (3,), dtype), odla.argument("limit", (), "int32")
        with odla.loop(4) as loop:
            state, count = loop.variable(start), loop.variable(np.int32(0))
            rolled = odla.concat([_part(state, 1, 3), _part(state, 0, 1)], 0)
            loop.next(state, rolled, "rev_before")
            following = odla.add(count, np.int32(1))
            loop.next(count, following)
            loop.proceed(odla.less(following, limit))
        outputs(loop.results)
    rows = [np.roll(x, -2), np.roll(x, -1), x, np.zeros_like(x)]
    got = _interpret(c, {"x": x, "limit": np.int32(3)}, training)
    for one, wanted in zip(got, [x, np.int32(3), np.array(rows)]):
        np.testing.assert_array_equal(one, wanted)


def _part(value, start, end):
    return odla.slice(value, (start,), (end,), (1,))


def _interpret(c, inputs, training):
    """Run what is lowered for inference or for training, without its gradients."""
    import odla_ipu.sim as popart

    lowered = lower(prepare(c.graph, "fp32", training), popart, training)
    anchors = {name: popart.AnchorReturnType("All") for name in lowered.outputs.values()}
    device = popart.DeviceManager().createCpuDevice()
    session = popart.InferenceSession(
        lowered.builder.getModelProto(), popart.DataFlow(1, anchors), device
    )
    session.prepareDevice()
    feeds = {}
    for name, tensor in lowered.arguments.items():
        narrow = {"int64": "int32", "float64": "float32"}.get(str(inputs[name].dtype))
        feeds[tensor] = np.asarray(inputs[name], narrow or inputs[name].dtype)
    results = session.initAnchorArrays()
    session.run(popart.PyStepIO(feeds, results))
    return [results[lowered.outputs[output.name]] for output in c.graph.outputs]


def test_captured_constants_arguments_and_an_if_in_a_loop(device):
    weights = np.random.RandomState(0).standard_normal((3, 3)).astype("f4")
    with odla.Computation() as c:
        x = odla.argument("x", (2, 3))
        gate = odla.argument("gate", (5,), "bool")
        scaled = odla.mul(x, 0.5)
        with odla.loop(5) as loop:
            h, i = loop.variable(x), loop.variable(np.int32(0))
            taken = odla.gather(gate, odla.reshape(i, (1,)), 0)
            with odla.if_(taken) as branches:
                with branches.then():
                    odla.output(odla.tanh(odla.gemm(h, weights)))
                with branches.otherwise():
                    odla.output(odla.add(h, scaled))
            (following,) = branches.results
            loop.next(h, following, "fwd_after")
            loop.next(i, odla.add(i, np.int32(1)))
        outputs(loop.results)
    x = np.random.RandomState(1).standard_normal((2, 3)).astype("f4")
    gate = np.array([1, 0, 0, 1, 1], bool)
    h, rows = x, []
    for taken in gate:
        h = np.tanh(h @ weights) if taken else h + x * np.float32(0.5)
        rows.append(h)
    same(run(c, {"x": x, "gate": gate}, device), [h, np.int32(5), np.array(rows)], rtol=1e-4)
    got = run(c, {"x": x, "gate": gate}, device, "fp16")
    np.testing.assert_allclose(got[2], rows, rtol=2e-2, atol=2e-3)


def test_a_loop_in_a_loop(device):
    with odla.Computation() as c:
        x = odla.argument("x", (2,))
        with odla.loop(3) as outer:
            a = outer.variable(x)
            with odla.loop(2) as inner:
                b = inner.variable(a)
                inner.next(b, odla.add(odla.mul(b, 2.0), a), "fwd_after")
            last, rows = inner.results
            outer.next(a, odla.sub(last, odla.reduce_sum(rows, (0,), keep_dims=False)), "rev_after")
        outputs(outer.results)

    def step(a):
        first = 2 * a + a
        second = 2 * first + a
        return (second - (first + second),), True

    x = np.float32([1, -2])
    same(run(c, {"x": x}, device), reference(step, (x,), 3, ["rev_after"]))


def test_variables_without_elements(device):
    with odla.Computation() as c:
        x, y = odla.argument("x", ("n",)), odla.argument("y", (2,))
        with odla.loop(3) as loop:
            a, b = loop.variable(x), loop.variable(y)
            loop.next(a, odla.neg(a), "fwd_after")
            loop.next(b, odla.add(b, odla.reduce_sum(a, keep_dims=False)), "fwd_after")
        outputs(loop.results)
    y, none = np.float32([1, 2]), np.zeros(0, np.float32)
    got = run(c, {"x": none, "y": y}, device)
    same(got, [none, y, np.zeros((3, 0), np.float32), [y, y, y]])
    x = np.float32([5])
    got = run(c, {"x": x, "y": y}, device)
    same(got, [-x, y + 5, np.float32([[-5], [5], [-5]]), [y + 5, y, y + 5]])


def test_an_if_that_no_argument_reaches(device):
    with odla.Computation() as c:
        x = odla.argument("x", (1,))
        angle = odla.sin(odla.constant(np.float32(1)))
        assert not angle.is_constant
        with odla.if_(odla.less(angle, 0.5)) as branches:
            with branches.then():
                odla.output(odla.constant(np.float32(1)))
            with branches.otherwise():
                odla.output(odla.cos(angle))
        outputs([*branches.results, odla.neg(x)])
    x = np.zeros(1, "f4")
    same(run(c, {"x": x}, device), [np.cos(np.sin(np.float32(1))), -x])


def test_weights_in_a_file_of_their_own(device):
    weights = np.random.RandomState(0).standard_normal((600, 600)).astype("f4") / 30
    with odla.Computation() as c:
        x = odla.argument("x", (1, 600))
        with odla.loop(3) as loop:
            state = loop.variable(x)
            loop.next(state, odla.gemm(state, odla.constant(weights)))
        outputs(loop.results)
    x = np.ones((1, 600), "f4")
    expected = x.astype("f8") @ weights @ weights @ weights
    np.testing.assert_allclose(run(c, {"x": x}, device)[0], expected, rtol=1e-3, atol=1e-4)


def test_a_loop_that_no_argument_reaches(device):
    with odla.Computation() as c:
        odla.argument("x", (1,))
        with odla.loop(3) as loop:
            state = loop.variable(np.float32([1, 2]))
            loop.next(state, odla.mul(state, np.float32(2)), "fwd_before")
        outputs(loop.results)
    s = np.float32([1, 2])
    same(run(c, {"x": np.zeros(1, "f4")}, device), [8 * s, np.array([s, 2 * s, 4 * s])])


# Training.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limit", [None, 0, 50, 1e6])
def test_training_unrolls(mode, limit):
    x = np.abs(X)
    c = doubling(4, mode, limit is not None)
    inputs = {"x": x} if limit is None else {"x": x, "limit": np.float32(limit)}
    same(_interpret(c, inputs, True), doubled(x, 4, mode, limit))


def test_training_refuses_what_it_cannot_unroll():
    import odla_ipu.sim as popart

    for count, given in [(1001, "1001"), (None, "computed at run time")]:
        with odla.Computation() as c:
            n = odla.argument("n", (), "int32")
            with odla.loop(n if count is None else count) as loop:
                state = loop.variable(n)
                loop.next(state, odla.add(state, n))
            outputs(loop.results)
        with pytest.raises(InvalidParameter, match=f"trip_count is {given}; accepted in training"):
            lower(c.graph, popart, training=True)


# Graphs: printing, rewriting, specialising, passes.


def test_prints_bodies():
    text = str(doubling(3, "fwd_after", True))
    assert "%Loop: float32[3], %Loop_1: int32[], %Loop_2: float32[3,3] = odla_Loop(%x, 0, " in text
    assert "trip_count=3, flags=['FWD_AFTER', 'LAST_VALUE'])  # test_control_flow.py:" in text
    assert "\n      argument %state: float32[3]\n" in text
    assert "\n      output %Less\n" in text
    text = str(either())
    assert "%If: float32[3], %If_1: int32[] = odla_If(%c)  # test_control_flow.py:" in text
    assert "\n    body If.else {\n      output %x\n      output 9\n    }\n" in text


def test_specialise_reaches_bodies(device):
    with odla.Computation() as c:
        x = odla.argument("x", ("n", 3))
        with odla.loop(2) as loop:
            state = loop.variable(x)
            assert odla.relu(state).shape == ("n", 3)
            loop.next(state, odla.add(state, x), "fwd_after")
        assert [one.shape for one in loop.results] == [("n", 3), (2, "n", 3)]
        outputs(loop.results)
    fixed = c.specialise({"x": (4, 3)})
    assert [kind.shape for kind in fixed.outputs.values()] == [(4, 3), (2, 4, 3)]
    x = np.ones((4, 3), np.float32)
    same(run(c, {"x": x}, device), [3 * x, np.array([2 * x, 3 * x])])
    executable = c.compile(device, batch=2)
    same(list(executable.run(x=x[:2]).values()), [3 * x[:2], np.array([2 * x[:2], 3 * x[:2]])])


def test_a_count_and_a_condition_from_open_shapes(device):
    with odla.Computation() as c:
        x = odla.argument("x", ("n",))
        n = odla.reshape(odla.shape(x), ())
        with odla.loop(n) as loop:
            state = loop.variable(x)
            loop.next(state, odla.add(state, state), "fwd_after")
        assert loop.results[1].shape == (-1, "n")
        with odla.if_(odla.greater(n, odla.constant(np.array(2, n.element_type.dtype)))) as deep:
            with deep.then():
                odla.output(loop.results[1])
            with deep.otherwise():
                odla.output(odla.neg(loop.results[1]))
        outputs(deep.results)
    rows = np.array([2 * X, 4 * X, 8 * X])
    assert {node.name for node in c.specialise({"x": (3,)}).graph.nodes} == {"odla_Loop"}
    same(run(c, {"x": X}, device), [rows])
    same(run(c, {"x": X[:2]}, device), [-rows[:2, :2]])


# Shapes and sizes that depend on what is fed.


@pytest.mark.parametrize("mode", MODES)
def test_a_stacked_count_known_at_run_time(mode, device):
    with odla.Computation() as c:
        x, n = odla.argument("x", (2,)), odla.argument("n", (), "int32")
        with odla.loop(odla.add(n, np.int32(1))) as loop:
            state = loop.variable(x)
            loop.next(state, odla.add(state, x), mode)
            loop.proceed(odla.less(odla.reduce_max(state, keep_dims=False), np.float32(5)))
        outputs(loop.results)
    x = np.float32([1, 2])
    for n in (3, -1, 0, 3):
        expected = reference(lambda s: ((s + x,), s.max() < 5), (x,), max(n + 1, 0), [mode])
        same(run(c, {"x": x, "n": np.int32(n)}, device), expected)


def test_branches_whose_shapes_depend_on_what_is_fed(device):
    with odla.Computation() as c:
        x, kept = odla.argument("x", (4,)), odla.argument("kept", (4,), "bool")
        gate = odla.argument("gate", (), "bool")
        with odla.if_(gate) as branches:
            with branches.then():
                odla.output(odla.compress(odla.neg(x), kept, 0))
            with branches.otherwise():
                odla.output(odla.compress(x, odla.not_(kept), 0))
        outputs(branches.results)
    x, kept = np.float32([1, 2, 3, 4]), np.array([1, 0, 1, 1], bool)
    for gate in (True, False):
        got = run(c, {"x": x, "kept": kept, "gate": np.array(gate)}, device)
        same(got, [-x[kept] if gate else x[~kept]])


def test_shapes_inside_a_loop(device):
    with odla.Computation() as c:
        x, kept = odla.argument("x", (4,)), odla.argument("kept", (4,), "bool")
        with odla.loop(3) as loop:
            total = loop.variable(np.float32(0))
            part = odla.compress(x, kept, 0)
            loop.next(total, odla.add(total, odla.reduce_sum(part, keep_dims=False)), "fwd_after")
        outputs(loop.results)
    x, kept = np.float32([1, 2, 3, 4]), np.array([1, 0, 1, 1], bool)
    same(run(c, {"x": x, "kept": kept}, device), [np.float32(24), np.float32([8, 16, 24])])
    with odla.Computation() as c:
        x = odla.argument("x", (4,))
        with odla.loop(3) as loop:
            state = loop.variable(x)
            part = odla.compress(state, odla.less(state, 2.0), 0)
            loop.next(state, odla.add(state, odla.reduce_sum(part, keep_dims=False)))
        outputs(loop.results)
    with pytest.raises(InvalidParameter, match="'Less' decides a shape inside the loop and is com"):
        c.run(x=np.float32([1, 2, 3, 4]), device=device)


def conv_in_branches():
    random = np.random.RandomState(0)
    kernel = random.standard_normal((1, 1, 3, 4)).astype("f4")
    with odla.Computation() as c:
        x = odla.argument("x", (1, 5, 5, 3))
        condition = odla.argument("c", (), "bool")
        last = {"input_layout": "channels_last", "kernel_layout": "sio"}
        y = odla.relu(odla.conv(x, kernel, **last))
        with odla.if_(condition) as branches:
            with branches.then():
                z = odla.conv(y, kernel.reshape(1, 1, 4, 3), **last)
                mean, var = np.float32([1, 2, 3]), np.float32([1, 4, 9])
                z = odla.batch_normalization(z, mean, var, input_layout="channels_last")
                odla.output(z)
            with branches.otherwise():
                odla.output(x)
        outputs([*branches.results, odla.max_pool(y, (2, 2), input_layout="channels_last")])
    return c, kernel


@pytest.mark.parametrize("condition", [True, False])
def test_layouts_and_batch_normalization_inside_branches(condition, device):
    c, kernel = conv_in_branches()
    names = [node.name for node in walk(prepare(c.graph).used_nodes())]
    assert "odla_BatchNormalization" not in names and names.count("odla_Conv") == 2
    x = np.random.RandomState(1).standard_normal((1, 5, 5, 3)).astype("f4")
    y = np.maximum(x @ kernel[0, 0], 0)
    z = (y @ kernel.reshape(4, 3) - [1, 2, 3]) / np.sqrt(np.float64([1, 4, 9]) + 1e-5)
    pooled = np.max([y[:, i : i + 4, j : j + 4] for i in (0, 1) for j in (0, 1)], axis=0)
    got = run(c, {"x": x, "c": np.array(condition)}, device)
    np.testing.assert_allclose(got[0], z if condition else x, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(got[1], pooled, rtol=1e-4, atol=1e-5)


def test_element_types_inside_bodies():
    with odla.Computation() as c:
        x, n = odla.argument("x", (2,), "int64"), odla.argument("n", (), "int64")
        with odla.loop(n) as loop:
            state, real = loop.variable(x), loop.variable(np.zeros(2, np.float64))
            loop.next(state, odla.add(state, odla.cast(real, "int64")))
            loop.next(real, odla.add(real, odla.cast(state, "float64")))
        outputs(loop.results)
    prepared = prepare(c.graph, "fp16")
    kinds = {
        value.element_type.name for node in walk(prepared.used_nodes()) for value in node.outputs
    }
    assert kinds == {"INT32", "FLOAT16"}


def test_saved_and_loaded(tmp_path, device):
    c = doubling(4, "fwd_after", False)
    path = str(tmp_path / "loop.odla")
    c.compile(device).save(path)
    loaded = odla.Executable.load(path, device)
    same(list(loaded.run(x=X).values()), doubled(X, 4, "fwd_after"))


def test_nodes_in_bodies_take_linear_time():
    def seconds(count):
        start = time.perf_counter()
        with odla.Computation() as c:
            x = odla.argument("x", ("n",))
            with odla.loop(2) as loop:
                state = value = loop.variable(x)
                for _ in range(count):
                    value = odla.relu(value)
                loop.next(state, value)
            (y,) = loop.results
            for _ in range(count // 10):
                with odla.loop(2) as loop:
                    state = loop.variable(y)
                    loop.next(state, odla.add(state, x))
                (y,) = loop.results
            odla.output(y, "y")
        prepare(c.specialise({"x": (2,)}).graph, "fp16")
        return time.perf_counter() - start

    seconds(100)
    assert seconds(5000) < 40 * max(seconds(500), 0.01)


# Errors.


def refused(message):
    return pytest.raises(InvalidParameter, match=message)


@pytest.fixture
def c():
    with odla.Computation() as c:
        odla.argument("x", (3,))
        odla.argument("c", (), "bool")
        odla.argument("n", (), "int32")
        yield c


def argument(c, name):
    return next(one for one in c.graph.arguments if one.id == name)


def branches_of(c, then, other):
    with odla.if_(argument(c, "c"), id="choice") as branches:
        with branches.then():
            for value in then:
                odla.output(odla.neg(value))
        with branches.otherwise():
            for value in other:
                odla.output(odla.abs(value))
    return branches.results


def test_branches_that_differ(c):
    x = argument(c, "x")
    wide = odla.argument("wide", (4,))
    whole = odla.argument("whole", (3,), "int32")
    where = r"odla_If 'choice\w*' \(test_control_flow.py:\d+\): "
    with refused(where + "the branches have 2 and 1 outputs; acc"):
        branches_of(c, [x, x], [x])
    with refused(r"output 0 is float32\[3\] in then, float32\[4\]"):
        branches_of(c, [x], [wide])
    with refused(r"output 1 is float32\[3\] in then, int32\[3\] in"):
        branches_of(c, [x, x], [x, whole])
    with refused("the branches have 0 and 0 outputs"):
        branches_of(c, [], [])
    assert not c.graph.scopes and not c.graph.nodes


def test_a_missing_branch_and_one_entered_twice(c):
    with refused("the branch for a false condition is missing"), odla.if_(
        argument(c, "c")
    ) as branches, branches.then():
        odla.output(argument(c, "x"))
    with refused("the branch for a true condition was entered bef"), odla.if_(
        argument(c, "c")
    ) as branches:
        with branches.then():
            pass
        with branches.then():
            pass


def test_depth(c):
    x, gate = argument(c, "x"), argument(c, "c")

    def nested(depth, value):
        with odla.if_(gate) as branches:
            with branches.then():
                odla.output(nested(depth - 1, odla.add(value, x)) if depth else odla.neg(value))
            with branches.otherwise():
                odla.output(value)
        return branches.results[0]

    with refused("it is 31 deep within others; accepted: 30"):
        nested(30, x)
    odla.output(nested(29, x), "y")
    inputs = {"x": X, "c": np.array(True), "n": np.int32(0)}
    same(run(c, inputs, "sim"), [-30 * X])


def test_conditions(c):
    with pytest.raises(UnsupportedType, match="condition is FLOAT32; accepted: BOOL"):
        scopes.begin_if(c.graph, argument(c, "x"))
    with refused(r"condition is bool\[2\]; accepted: one element"):
        scopes.begin_if(c.graph, np.array([True, False]))
    assert not c.graph.scopes


def test_values_of_a_closed_branch(c):
    x = argument(c, "x")
    with refused("'Neg' belongs to 'If.then', which is not open"), odla.if_(
        argument(c, "c")
    ) as branches:
        with branches.then():
            y = odla.neg(x)
            odla.output(y)
        with branches.otherwise():
            odla.output(odla.relu(y))
    with odla.loop(2) as loop:
        state = loop.variable(x)
        loop.next(state, odla.add(state, x))
    with refused("value 'Loop_variable' belongs to 'Loop.body', wh"):
        odla.relu(state)
    with refused("output: value 'Loop_variable' belongs to"):
        odla.output(state)
    with odla.Computation("other"):
        y = odla.argument("y", (3,))
    with refused("another computation .'other', not 'computation'"), odla.if_(
        argument(c, "c")
    ) as branches, branches.then():
        odla.add(x, y)
    assert not c.graph.scopes


def loop_of(c, following, trips=3, output="last_value", condition=None):
    with odla.loop(trips, id="again") as loop:
        state = loop.variable(argument(c, "x"))
        loop.next(state, following(state), output)
        if condition:
            loop.proceed(condition(state))
    return loop.results


def test_loops_that_do_not_fit(c):
    x = argument(c, "x")
    where = r"odla_Loop 'again\w*' \(test_control_flow.py:\d+\): "
    for following, given in [
        (lambda s: odla.cast(s, "int32"), r"int32\[3\]"),
        (lambda s: odla.concat([s, s], 0), r"float32\[6\]"),
        (lambda s: odla.reshape(s, (1, 3)), r"float32\[1,3\]"),
    ]:
        with refused(where + f".* is {given}, it started as float"):
            loop_of(c, following)
    with refused("flags is 'all'; accepted: LAST_VALUE, FWD_BEF"):
        loop_of(c, odla.neg, output="all")
    with pytest.raises(UnsupportedType, match="trip_count is FLOAT32; accepted: INT32, INT64"):
        loop_of(c, odla.neg, trips=1.5)
    with refused(r"trip_count is int64\[2\]; accepted: one element"):
        loop_of(c, odla.neg, trips=[1, 2])
    with pytest.raises(UnsupportedType, match="condition is FLOAT32; accepted: BOOL, true to go"):
        loop_of(c, odla.neg, condition=lambda s: odla.reduce_sum(s, keep_dims=False))
    with refused(r"condition is bool\[3\]; accepted: one element"):
        loop_of(c, odla.neg, condition=lambda s: odla.less(s, s))
    with pytest.raises(InvalidParameter, match=r"'Neg\w*' was made an output inside the loop"):
        loop_of(c, lambda s: odla.output(odla.neg(s)))
    with refused("a tensor holds at most 2147483647"):
        loop_of(c, odla.neg, trips=10**9, output="fwd_after")
    with refused("0 loop variables, 0 output_values and 0 flags"), odla.loop(3):
        odla.neg(x)
    with refused("'a' has no next value; write: loop.next"), odla.loop(3) as loop:
        loop.variable(x, "a")
    with refused(r"'a\w*' has a next value already"), odla.loop(3) as loop:
        a = loop.variable(x, "a")
        loop.next(a, a)
        loop.next(a, a)
    with refused("'x' is no variable of this loop"), odla.loop(3) as loop:
        loop.next(x, x)
    with refused(r"init_value 'Neg\w*' is computed inside the loop"), odla.loop(3) as loop:
        loop.variable(odla.neg(x))
    assert not c.graph.scopes and not c.graph.nodes


def test_scopes_need_a_computation(device):
    interpreted = odla.constant(np.array(True))
    with refused("no computation is open"), odla.if_(interpreted):
        pass
    with refused("no computation is open"), odla.loop(3):
        pass
    with odla.Computation() as c:
        x = odla.argument("x", (3,))
        with odla.if_(interpreted) as branches:
            with branches.then():
                odla.output(odla.add(x, x))
            with branches.otherwise():
                odla.output(x)
        outputs(branches.results)
    same(run(c, {"x": X}, device), [2 * X])


def test_odlas_calls(c, device):
    x, graph = argument(c, "x"), c.graph
    for call, begin in [
        (lambda: scopes.end_if(graph), "odla_EndIf: nothing is open; call odla_BeginIf first"),
        (lambda: scopes.enter_branch_body(graph, True), "odla_EnterBranchBody: nothing is open"),
        (lambda: scopes.end_loop(graph, None, [], []), "odla_EndLoop: .* call odla_BeginLoop"),
        (lambda: scopes.create_loop_variable(graph, x), "odla_CreateLoopVariable: nothing is op"),
    ]:
        with refused(begin):
            call()
    scopes.begin_if(graph, argument(c, "c"))
    with refused("odla_EndLoop: odla_If 'If' .* is open; end it"):
        scopes.end_loop(graph, None, [], [])
    scopes.enter_branch_body(graph, 1)
    scopes.begin_loop(graph, np.int32(2), "again")
    state = scopes.create_loop_variable(graph, odla.constant(np.zeros(3, np.float32)), "state")
    with refused("odla_EndIf: odla_Loop 'again' .* is open"):
        scopes.end_if(graph)
    with refused("1 loop variables, 0 output_values and 1 flags"):
        scopes.end_loop(graph, None, [], [0])
    last, rows = scopes.end_loop(graph, None, [odla.add(state, x)], [2])
    odla.output(odla.add(last, odla.reduce_sum(rows, (0,), keep_dims=False)))
    scopes.enter_branch_body(graph, 0)
    odla.output(x)
    with refused("odla_If 'If' .*: still open; end it before comp"):
        c.compile(device)
    odla.output(scopes.end_if(graph)[0], "y")
    inputs = {"x": X, "n": np.int32(0)}
    same(run(c, {**inputs, "c": np.array(True)}, device), [5 * X])
    same(run(c, {**inputs, "c": np.array(False)}, device), [X])
