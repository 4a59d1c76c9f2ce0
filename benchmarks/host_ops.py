"""What an op that the host runs costs in the simulator beside the ops of its engine.

    python benchmarks/host_ops.py

Each line has the median microseconds of a run: chains of custom ops that copy their input, with an
op of the engine after each, against the ops of the engine alone.  A Loop of 100 iterations has the
custom op in its body, or not.
"""

import json
import os
import statistics
import sys
import time

THREADS = 2
os.environ.setdefault("ODLA_IPU_SIM_THREADS", str(THREADS))
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "sim"))

import numpy as np  # noqa: E402
from session_run import constant, session_of  # noqa: E402

from odla_ipu import sim as popart  # noqa: E402
from odla_ipu.sim import customop  # noqa: E402

ITERATIONS = 100


class Copy:
    def __init__(self, inputs, attributes):
        self.outputs = list(inputs)

    def run(self, inputs, outputs):
        np.copyto(outputs[0], inputs[0])


def copy(builder, x):
    return builder.customOp("Copy", 1, "benchmark", [x], {})[0]


def chain(length, on_host):
    def make(builder, ops, ids):
        y = ops.relu(ids)
        for _ in range(length):
            y = ops.neg([copy(builder, y) if on_host else y])
        return y

    return make


def loop(on_host):
    def make(builder, ops, ids):
        body = builder.createSubgraphBuilder()
        inner = body.aiOnnxOpset11
        body.addUntypedInputTensor()
        keep, state = body.addUntypedInputTensor(), body.addUntypedInputTensor()
        state = inner.add([state, ids[0]])
        body.addOutputTensor(keep)
        body.addOutputTensor(inner.neg([copy(body, state) if on_host else state]))
        trips = constant(builder, ops, ITERATIONS, np.int64)
        return ops.loop([trips, constant(builder, ops, True), ids[0]], 1, body)[0]

    return make


def microseconds(make, x, runs):
    session, (name,), _ = session_of(make, {"x": x})
    step = popart.PyStepIO({name: x}, session.initAnchorArrays())
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(step)
        times.append(time.perf_counter() - start)
    return statistics.median(times[runs // 10 :]) * 1e6


def main():
    customop.register("benchmark", "Copy", 1, Copy)
    for shape, runs in (((4, 8), 2000), ((512, 512), 300)):
        x = np.ones(shape, np.float32)
        for length in (1, 10):
            plain, hosted = (microseconds(chain(length, flag), x, runs) for flag in (False, True))
            record = {"shape": shape, "custom ops": length, "threads": THREADS}
            record.update(plain=round(plain, 1), hosted=round(hosted, 1))
            record["each"] = round((hosted - plain) / length, 1)
            print(json.dumps(record))
    x = np.ones((4, 8), np.float32)
    plain, hosted = (microseconds(loop(flag), x, 100) for flag in (False, True))
    each = round((hosted - plain) / ITERATIONS, 1)
    record = {"loop": ITERATIONS, "plain": round(plain, 1), "hosted": round(hosted, 1)}
    print(json.dumps({**record, "each iteration": each}))


if __name__ == "__main__":
    main()
