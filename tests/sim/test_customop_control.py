"""Custom ops, printing, aborting and random ops inside the bodies of control flow."""

import numpy as np
import pytest
from custom_ops import custom
from session_run import constant, run, session_of

import odla_ipu.sim as popart

X = np.array([1.0, 2.0, -3.0], np.float32)


def step(session, ids, arrays):
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(dict(zip(ids, arrays)), anchors))
    return list(anchors.values())


def loop(b, o, trips, condition, states, make, outputs):
    """A Loop; ``make(body, ops, iteration, keep, states)`` gives the body's outputs."""
    body = b.createSubgraphBuilder()
    ops = body.aiOnnxOpset11
    iteration = body.addInputTensor(popart.TensorInfo("INT64", []))
    keep = body.addInputTensor(popart.TensorInfo("BOOL", []))
    inner = [body.addUntypedInputTensor() for _ in states]
    for tensor in make(body, ops, iteration, keep, inner):
        body.addOutputTensor(tensor)
    count = constant(b, o, trips, np.int64)
    return o.loop([count, condition, *states], outputs, body)


def branches(b, o, condition, then, other):
    """An If of one output."""
    bodies = []
    for make in (other, then):
        body = b.createSubgraphBuilder()
        body.addOutputTensor(make(body, body.aiOnnxOpset11))
        bodies.append(body)
    return o.logical_if([condition], 1, *bodies)[0]


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_if(condition, dtype):
    """One branch has the op, the other passes an outer value through."""

    def make(b, o, i):
        outer = o.neg([i[1]])
        y = branches(
            b,
            o,
            i[0],
            lambda c, p: p.add([custom(c, "Cube", [p.neg([outer])])[0], i[1]]),
            lambda c, p: outer,
        )
        return o.mul([y, outer])

    (y,) = run(make, {"c": np.array(condition), "x": X.astype(dtype)})
    np.testing.assert_array_equal(y, -(X**3 + X) * X if condition else X * X)
    assert y.dtype == dtype


def test_if_runs_again_with_other_conditions():
    def make(b, o, i):
        return branches(
            b, o, i[0], lambda c, p: custom(c, "Cube", [i[1]])[0], lambda c, p: p.neg([i[1]])
        )

    session, ids, _ = session_of(make, {"c": np.array(True), "x": X})
    for k in range(4):
        (y,) = step(session, ids, [np.array(k % 2 == 0), X + k])
        np.testing.assert_array_equal(y, (X + k) ** 3 if k % 2 == 0 else -(X + k))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("trips", [0, 1, 4, 5])
def test_loop_with_stacked_results(trips, dtype):
    x = np.array([1.0, 0.5, -0.75], dtype)

    def make(b, o, i):
        outer = o.add([i[0], i[0]])

        def body(c, p, iteration, keep, states):
            (y,) = custom(c, "ScaledSum", [states[0], outer], a=0.5)
            return [keep, y, p.neg([y]), iteration, y]

        return loop(b, o, trips, constant(b, o, True), [i[0]], body, 4)

    last, rows, numbers, again = run(make, {"x": x})
    state, expected = x.astype("f4"), []
    for _ in range(trips):
        state = 0.5 * state + 2 * x.astype("f4")
        expected.append(state)
    expected = np.array(expected, "f4").reshape(trips, 3)
    np.testing.assert_array_equal(last, state)
    np.testing.assert_array_equal(rows, -expected)
    np.testing.assert_array_equal(again, expected)
    np.testing.assert_array_equal(numbers, range(trips))


def test_loop_stops_early_and_pads():
    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            (y,) = custom(c, "ScaledSum", [states[0], ""], a=2)
            total = p.reducesum([y], keepdims=0)
            return [p.less([total, constant(c, p, 20, "f4")]), y, total]

        return loop(b, o, 6, i[1], [i[0]], body, 2)

    inputs = {"x": np.ones(3, np.float32), "c": np.array(True)}
    session, ids, _ = session_of(make, inputs)
    for _ in range(2):
        last, totals = step(session, ids, inputs.values())
        np.testing.assert_array_equal(last, [8, 8, 8])
        np.testing.assert_array_equal(totals, [6, 12, 24, 0, 0, 0])
    last, totals = step(session, ids, [inputs["x"], np.array(False)])
    np.testing.assert_array_equal(last, [1, 1, 1])
    assert not totals.any()


def test_loop_of_two_states_that_change_places():
    """Values pass through unchanged, exchanged, and from outside."""

    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            (y,) = custom(c, "Cube", [states[2]])
            return [keep, states[1], states[0], y, i[0], states[0]]

        return loop(b, o, 3, constant(b, o, True), [i[0], i[1], i[0]], body, 5)

    a, c = X, -X - 1
    first, second, third, outside, taken = run(make, {"a": a, "c": c})
    np.testing.assert_array_equal(first, c)
    np.testing.assert_array_equal(second, a)
    np.testing.assert_allclose(third, a**27, rtol=1e-5)
    np.testing.assert_array_equal(outside, [a, a, a])
    np.testing.assert_array_equal(taken, [a, c, a])


def test_nested_bodies_read_values_of_all_levels():
    def make(b, o, i):
        w = b.addInitializedInputTensor(np.array([2, 3, 4], np.float32), "w")

        def outer(c, p, iteration, keep, states):
            doubled = p.add([states[0], w])

            def inner(d, q, number, go, values):
                y = branches(
                    d,
                    q,
                    i[1],
                    lambda e, r: custom(e, "ScaledSum", [values[0], doubled], a=1, b=0.5)[0],
                    lambda e, r: r.sub([values[0], i[0]]),
                )
                return [go, y]

            return [keep, *loop(c, p, 2, keep, [doubled], inner, 1)]

        return loop(b, o, 3, constant(b, o, True), [i[0]], outer, 1)[0]

    w = np.array([2, 3, 4], np.float32)
    for condition in (True, False):
        (y,) = run(make, {"x": X, "c": np.array(condition)})
        state = X
        for _ in range(3):
            doubled = state + w
            state = doubled
            for _ in range(2):
                state = state + 0.5 * doubled if condition else state - X
        np.testing.assert_allclose(y, state, rtol=1e-6)


def test_call_of_one_body_twice():
    def make(b, o, i):
        body = b.createSubgraphBuilder()
        body.setGraphName("cubed")
        x = body.addInputTensor(popart.TensorInfo("FLOAT", [3]))
        unread = body.addInputTensor(popart.TensorInfo("FLOAT", [3]))
        body.addOutputTensor(custom(body, "Cube", [body.aiOnnxOpset11.neg([x])])[0])
        body.addOutputTensor(unread)
        first, same = b.aiGraphcore.call([i[0], i[1]], 2, body)
        return b.aiGraphcore.call([first, same], 2, body)

    y, z = run(make, {"x": X, "z": X + 1})
    np.testing.assert_allclose(y, X**9)
    np.testing.assert_array_equal(z, X + 1)


@pytest.mark.parametrize("axes", [(0, 0), (1, 1), (-1, 0)])
@pytest.mark.parametrize("directions", [(0, 0), (1, 0), (0, 1)])
def test_scan(axes, directions):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    source, target = axes
    length, width = x.shape[source], x.size // x.shape[source]

    def make(b, o, i):
        body = b.createSubgraphBuilder()
        p = body.aiOnnxOpset11
        state = body.addInputTensor(popart.TensorInfo("FLOAT", [width]))
        row = body.addInputTensor(popart.TensorInfo("FLOAT", [width]))
        (total,) = custom(body, "ScaledSum", [state, row], a=0.5)
        body.addOutputTensor(total)
        body.addOutputTensor(p.neg([total]))
        return o.scan(
            [i[1], i[0]],
            2,
            body,
            1,
            scan_input_axes=[source],
            scan_input_directions=[directions[0]],
            scan_output_axes=[target],
            scan_output_directions=[directions[1]],
        )

    start = np.ones(width, np.float32)
    last, stacked = run(make, {"x": x, "s": start})
    slices = np.moveaxis(x, source, 0)
    slices = slices[::-1] if directions[0] else slices
    state, rows = start, []
    for row in slices:
        state = 0.5 * state + row
        rows.append(-state)
    rows = rows[::-1] if directions[1] else rows
    assert len(rows) == length
    np.testing.assert_allclose(last, state)
    np.testing.assert_allclose(stacked, np.stack(rows, target))


def test_results_that_are_not_read():
    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            (y,) = custom(c, "Cube", [states[0]])
            custom(c, "Failing", [p.neg([p.abs([y])])])
            return [keep, y, p.neg([y])]

        return loop(b, o, 2, constant(b, o, True), [i[0]], body, 2)[0]

    (y,) = run(make, {"x": X})
    np.testing.assert_allclose(y, X**9)


def test_printing_in_a_loop(capsys):
    """Once for each iteration."""

    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            y = c.aiGraphcore.printtensor([p.add([states[0], states[0]])], title="state")
            return [keep, y]

        return loop(b, o, 3, constant(b, o, True), [i[0]], body, 1)[0]

    (y,) = run(make, {"x": np.array([1.0], np.float32)})
    np.testing.assert_array_equal(y, [8])
    printed = capsys.readouterr().err
    assert [float(line.split("[")[1].rstrip("]")) for line in printed.splitlines()] == [2, 4, 8]


def test_aborting_in_a_branch():
    def make(b, o, i):
        def then(c, p):
            c.aiGraphcore.abort([i[1]])
            return p.identity([i[2]])

        return branches(b, o, i[0], then, lambda c, p: p.neg([i[2]]))

    inputs = {"c": np.array(False), "a": np.array(True), "x": X}
    session, ids, _ = session_of(make, inputs)
    (y,) = step(session, ids, inputs.values())
    np.testing.assert_array_equal(y, -X)
    with pytest.raises(popart.poplar_application_runtime_error, match="Abort"):
        step(session, ids, [np.array(True), np.array(True), X])
    (y,) = step(session, ids, [np.array(True), np.array(False), X])
    np.testing.assert_array_equal(y, X)


def test_random_draws_in_a_loop_differ():
    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            noise = p.randomuniform([4], low=1, high=2)
            return [keep, p.add([states[0], noise]), noise]

        return loop(b, o, 3, constant(b, o, True), [i[0]], body, 2)

    session, ids, _ = session_of(make, {"x": np.zeros(4, np.float32)})
    session.setRandomSeed(3)
    total, draws = step(session, ids, [np.zeros(4, np.float32)])
    assert len(np.unique(draws)) == 12
    assert (draws >= 1).all()
    assert (draws < 2).all()
    np.testing.assert_allclose(total, draws.sum(0), rtol=1e-6)


def test_variables_are_read_in_bodies():
    options = popart.SessionOptions()
    options.constantWeights = False

    def make(b, o, i):
        w = b.addInitializedInputTensor(np.ones(3, np.float32), "w")
        new = b.aiGraphcore.copyvarupdate([w, o.add([w, w])])

        def body(c, p, iteration, keep, states):
            return [keep, custom(c, "ScaledSum", [states[0], w], a=1)[0]]

        return [loop(b, o, 2, constant(b, o, True), [i[0]], body, 1)[0], new]

    session, ids, _ = session_of(make, {"x": X}, options=options)
    session.weightsFromHost()
    for k in range(3):
        y, new = step(session, ids, [X])
        np.testing.assert_array_equal(y, X + 2 * 2**k)
        np.testing.assert_array_equal(new, np.full(3, 2.0 ** (k + 1)))


def test_variables_are_not_written_in_bodies():
    options = popart.SessionOptions()
    options.constantWeights = False

    def make(b, o, i):
        w = b.addInitializedInputTensor(np.ones(3, np.float32), "w")
        return branches(
            b,
            o,
            i[0],
            lambda c, p: c.aiGraphcore.copyvarupdate([w, custom(c, "Cube", [i[1]])[0]]),
            lambda c, p: p.neg([i[1]]),
        )

    with pytest.raises(popart.popart_exception, match="main graph only"):
        run(make, {"c": np.array(True), "x": X}, options=options)


def test_floating_point_checks_in_a_loop():
    options = popart.SessionOptions()
    options.enableFloatingPointChecks = True

    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            return [keep, custom(c, "Cube", [states[0]])[0]]

        return loop(b, o, 3, constant(b, o, True), [i[0]], body, 1)[0]

    session, ids, _ = session_of(make, {"x": X}, options=options)
    step(session, ids, [X])
    with np.errstate(over="ignore"), pytest.raises(
        popart.poplar_application_runtime_error, match="Floating-point"
    ):
        step(session, ids, [X * 1e10])


def test_carried_values_keep_their_shape():
    def make(b, o, i):
        def body(c, p, iteration, keep, states):
            return [keep, p.concat([states[0], states[0]], 0)]

        return loop(b, o, 2, constant(b, o, True), [i[0]], body, 1)[0]

    with pytest.raises(popart.popart_exception, match="must stay the same"):
        run(make, {"x": X})
