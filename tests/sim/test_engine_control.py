"""Control flow, calls, printing and aborting."""

import numpy as np
import pytest
from session_run import constant, run, session_of

import odla_ipu.sim as popart

X = np.array([1.0, 2.0, -3.0], np.float32)


@pytest.mark.parametrize("condition", [True, False])
def test_if(condition):
    def make(b, o, i):
        then = b.createSubgraphBuilder()
        then.addInputTensorFromParentGraph(i[1])
        then.addOutputTensor(then.aiOnnxOpset11.relu([i[1]]))
        other = b.createSubgraphBuilder()
        other.addInputTensorFromParentGraph(i[1])
        other.addOutputTensor(other.aiOnnxOpset11.neg([i[1]]))
        return o.logical_if([i[0]], 1, other, then)[0]

    (y,) = run(make, {"c": np.array(condition), "x": X})
    np.testing.assert_array_equal(y, np.maximum(X, 0) if condition else -X)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_loop_with_a_scan_output(dtype):
    def make(b, o, i):
        trips, go = constant(b, o, 4, np.int64), constant(b, o, True)
        body = b.createSubgraphBuilder()
        ops = body.aiOnnxOpset11
        body.addInputTensor(popart.TensorInfo("INT64", []))
        keep = body.addInputTensor(popart.TensorInfo("BOOL", []))
        state = body.addInputTensor(popart.TensorInfo(X.astype(dtype).dtype, [3]))
        total = ops.add([state, state])
        body.addOutputTensor(keep)
        body.addOutputTensor(total)
        body.addOutputTensor(ops.neg([total]))
        return o.loop([trips, go, i[0]], 2, body)

    last, rows = run(make, {"x": X.astype(dtype)})
    np.testing.assert_array_equal(last, X * 16)
    np.testing.assert_array_equal(rows, [-X * 2, -X * 4, -X * 8, -X * 16])


def test_loop_stops_early_and_keeps_its_length():
    def make(b, o, i):
        trips, go = constant(b, o, 5, np.int32), constant(b, o, True)
        body = b.createSubgraphBuilder()
        ops = body.aiOnnxOpset11
        body.addInputTensor(popart.TensorInfo("INT32", []))
        body.addInputTensor(popart.TensorInfo("BOOL", []))
        state = body.addInputTensor(popart.TensorInfo("FLOAT", []))
        total = ops.add([state, state])
        limit = ops.constant(np.array(7, np.float32), False)
        body.addOutputTensor(ops.less([total, limit]))
        body.addOutputTensor(total)
        body.addOutputTensor(ops.identity([total]))
        return o.loop([trips, go, i[0]], 2, body)

    last, rows = run(make, {"x": np.array(1, np.float32)})
    assert last == 8
    assert rows.shape == (5,)
    assert rows[:3].tolist() == [2, 4, 8]


def test_call_twice():
    def make(b, o, i):
        body = b.createSubgraphBuilder()
        body.setGraphName("double")
        x = body.addInputTensor(popart.TensorInfo("FLOAT", [3]))
        body.addOutputTensor(body.aiOnnxOpset11.add([x, x]))
        first = b.aiGraphcore.call([i[0]], 1, body)[0]
        return b.aiGraphcore.call([first], 1, body)[0]

    (y,) = run(make, {"x": X})
    np.testing.assert_array_equal(y, 4 * X)


def test_print(capsys):
    (y,) = run(lambda b, o, i: b.aiGraphcore.printtensor(i, title="here"), {"x": X})
    np.testing.assert_array_equal(y, X)
    assert capsys.readouterr().err.startswith("here: [")


def test_abort():
    def make(b, o, i):
        b.aiGraphcore.abort([i[1]])
        return o.relu([i[0]])

    session, ids, _ = session_of(make, {"x": X, "c": np.array(False)})
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(dict(zip(ids, (X, np.array(False)))), anchors))
    with pytest.raises(popart.poplar_application_runtime_error, match="Abort"):
        session.run(popart.PyStepIO(dict(zip(ids, (X, np.array(True)))), anchors))
