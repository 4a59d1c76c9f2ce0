"""The profiler: which ops ran, when and for how long; nothing while it is off.

The simulator's, whatever the device of the other tests: only it tells ops apart.
"""

import json
import threading
import time

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu import binding, profiler
from odla_ipu.errors import InvalidParameter


def normal(*shape):
    return np.random.RandomState(sum(shape)).normal(size=shape).astype("f4")


def net(size=16):
    with odla.Computation("net") as c:
        x = odla.argument("x", (1, size, 8, 8))
        y = odla.conv(
            x, normal(size, size, 3, 3), paddings_front=(1, 1), paddings_back=(1, 1), id="stem/conv"
        )
        y = odla.add(odla.relu(y, id="stem/relu"), x, id="join")
        y = odla.gemm(odla.reshape(y, (size, 64)), normal(64, 64), id="fc (1)")
        y = odla.gelu(odla.add(y, normal(64), id="bias"), id="act")
        odla.output(odla.softmax(y, axis=-1, id="prob"), "y")
    return c, {"x": normal(1, size, 8, 8)}


def record(work):
    profiler.start("sim")
    try:
        work()
    finally:
        trace = profiler.stop("sim")
    return trace


def test_ops_are_named_as_in_the_graph():
    c, feeds = net()
    with c.compile("sim") as exe:
        expected = exe.run(feeds)["y"]  # compiled and run before recording
        results = []
        trace = record(lambda: [results.append(exe.run(feeds)["y"]) for _ in range(3)])
        for result in results:
            np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(exe.run(feeds)["y"], expected)
    runs = [event for event in trace.events if event.op == profiler.RUN]
    assert [event.name for event in runs] == ["net"] * 3
    for run in runs:
        inside = [
            event
            for event in trace.events
            if event is not run and run.start <= event.start < run.start + run.duration
        ]
        found = {}
        for event in inside:
            for name, op in zip(event.name.split("+"), event.op.split("+")):
                found.setdefault(name, []).append(op)
        assert set(found) >= {"stem/conv", "stem/relu", "join", "fc (1)", "bias", "act", "prob"}
        assert "odla_Conv" in found["stem/conv"]
        assert "odla_Add" in found["join"] and "odla_Softmax" in found["prob"]
        assert "odla_Gemm" in found["fc (1)"]
        assert all(event.thread == threading.get_ident() for event in inside)
        assert 0 < sum(event.duration for event in inside) <= run.duration
    assert all(a.start <= b.start for a, b in zip(trace.events, trace.events[1:]))


def test_what_is_computed_in_one_go_shares_an_event():
    c, feeds = net()
    with c.compile("sim") as exe:
        trace = record(lambda: exe.run(feeds))
    pairs = [(event.name, event.op) for event in trace.events]
    assert ("stem/conv+stem/relu", "odla_Conv+odla_Relu") in pairs
    assert ("fc (1)+bias", "odla_Gemm+odla_Add") in pairs


def test_times_are_those_of_the_work():
    with odla.Computation("big") as c:
        x = odla.argument("x", (600, 600))
        y = odla.gemm(x, normal(600, 600), id="slow")
        odla.output(odla.gemm(y, normal(600, 4), id="fast"), "y")
    with c.compile("sim") as exe:
        x = normal(600, 600)
        begin = time.perf_counter()
        trace = record(lambda: [exe.run(x=x) for _ in range(4)])
        seconds = time.perf_counter() - begin
    by_name = {}
    for event in trace.events:
        by_name.setdefault(event.name, []).append(event.duration)
    assert np.median(by_name["slow"]) > 5 * np.median(by_name["fast"])
    assert np.median(by_name["big"]) >= np.median(by_name["slow"])
    assert sum(by_name["big"]) < seconds * 1e6
    last = trace.events[-1]
    assert 0 <= trace.events[0].start < last.start + last.duration < seconds * 1e6


def test_chrome_accepts_the_file(tmp_path):
    c, feeds = net()
    with c.compile("sim") as exe:
        trace = record(lambda: exe.run(feeds))
    trace.save(tmp_path / "trace.json")
    document = json.loads((tmp_path / "trace.json").read_text())
    complete = [one for one in document["traceEvents"] if one["ph"] == "X"]
    assert len(complete) == len(trace.events)
    for one, event in zip(complete, trace.events):
        assert one["name"] == (event.name or event.op)
        assert one["args"]["op"] == event.op
        assert isinstance(one["pid"], int) and isinstance(one["tid"], int)
        assert one["ts"] >= 0 and one["dur"] >= 0
    assert all(one["ph"] in "XM" for one in document["traceEvents"])


def test_executables_of_one_name_and_bound_ones():
    c, feeds = net()
    other, _ = net()
    with c.compile("sim") as first, other.compile("sim") as second:
        bound = first.bind([feeds["x"]], [np.zeros((16, 64), "f4")])
        bound.run()

        def work():
            bound.run()
            bound.run()
            second.run(feeds)

        trace = record(work)
        assert sum(event.op == profiler.RUN for event in trace.events) == 3
        assert sum("prob" in event.name for event in trace.events) == 3


def test_one_compiled_while_recording_and_gone():
    c, feeds = net()

    def work():
        with c.compile("sim") as exe:
            exe.run(feeds)

    trace = record(work)
    assert any("stem/conv" in event.name for event in trace.events)


def test_control_flow_and_custom_ops():
    with odla.Computation("flow") as c:
        x = odla.argument("x", (2, 3))
        with odla.loop(3) as loop:
            state = loop.variable(x)
            loop.next(state, odla.tanh(state, id="inside"))
        index = odla.argument("index", (1, 4), "int32")
        mask = odla.custom_op("custom_IpuAttentionMask", [index, np.zeros(1, "f4")], id="mask")
        odla.output(odla.exp(loop.results[0], id="after"), "y")
        odla.output(mask, "mask")
    with c.compile("sim") as exe:
        trace = record(lambda: exe.run(x=normal(2, 3), index=np.zeros((1, 4), "i4")))
    names = [event.name for event in trace.events]
    assert names.count("inside") == 3
    assert "after" in names
    (event,) = [event for event in trace.events if event.name == "mask"]
    assert event.op == "custom_IpuAttentionMask" and event.duration > 0


def test_threads_are_told_apart():
    c, feeds = net()
    with c.compile("sim") as exe:
        threads = [threading.Thread(target=lambda: exe.run(feeds)) for _ in range(2)]

        def work():
            for one in threads:
                one.start()
            for one in threads:
                one.join()

        trace = record(work)
    for thread in {event.thread for event in trace.events}:
        mine = [event for event in trace.events if event.thread == thread]
        assert sum(event.op == profiler.RUN for event in mine) >= 1
        assert any("prob" in event.name for event in mine)
    assert sum(event.op == profiler.RUN for event in trace.events) == 2


def test_start_and_stop_in_pairs():
    for call in (profiler.stop, profiler.stop):
        with pytest.raises(InvalidParameter, match="'sim' is not recorded"):
            call("sim")
    profiler.start("sim")
    with pytest.raises(InvalidParameter, match="'sim' is being recorded"):
        profiler.start("sim")
    assert profiler.stop("sim").events == []
    assert not binding.RECORDERS


def test_nothing_is_left_when_it_is_off():
    c, feeds = net()
    with c.compile("sim") as exe:
        engine = exe.runner.session._engine
        record(lambda: exe.run(feeds))
        assert "run_plain" not in vars(engine)
