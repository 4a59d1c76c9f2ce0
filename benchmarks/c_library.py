"""What calls of the C library cost, in a C program, next to plain onnxruntime.

    python benchmarks/c_library.py [--json] [--rounds 3]

Each figure is the lowest of several rounds, each a median in a process of its own; the C program
and onnxruntime take turns.  "The engine" is onnxruntime running the same model with bound memory:
what is beyond it is the library's.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2
MEGABYTES = 128
CALLS = {"tiny": 4000, "large": 30}
IN_THREADS = {"tiny": 1600, "large": 256}


# The C program.


def build(folder):
    """Compile c_library.c with what ``odla-ipu config`` says."""
    command = [sys.executable, "-m", "odla_ipu.cli", "config", "--cflags", "--ldflags"]
    flags = shlex.split(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    program = os.path.join(folder, "c_library")
    source = os.path.join(HERE, "c_library.c")
    subprocess.run(
        ["gcc", "-std=c99", "-O2", "-o", program, source, *flags, "-pthread"], check=True
    )
    return program


def in_c(program, *arguments):
    """The numbers that the program prints, by their names."""
    environment = {
        **os.environ,
        "ODLA_IPU_DEVICE": "sim",
        "ODLA_IPU_SIM_THREADS": str(THREADS),
    }
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {name: [float(number) for number in numbers] for name, *numbers in lines}


# Plain onnxruntime, in a process of its own.


def weights(*dims):
    import numpy as np

    count = int(np.prod(dims))
    return ((np.arange(count) % 7 - 3) / 64).astype("f4").reshape(dims)


def model(name):
    """The models of c_library.c in ONNX."""
    from onnx import TensorProto, helper, numpy_helper

    if name == "tiny":
        shape = [1, 8]
        arrays = {"w1": weights(8, 8), "w2": weights(8, 8)}
        nodes = [
            helper.make_node("Gemm", ["x", "w1"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Gemm", ["r", "w2"], ["y"]),
        ]
    elif name == "large":
        shape = [1, 64, 56, 56]
        arrays = {f"w{i}": weights(64, 64, 3, 3) for i in range(4)}
        ids = ["x", "c0", "c1", "c2", "y"]
        nodes = [
            helper.make_node("Conv", [ids[i], f"w{i}"], [ids[i + 1]], pads=[1, 1, 1, 1])
            for i in range(4)
        ]
    elif name == "build":
        shape = [4, 16]
        arrays = {"b": weights(16)}
        ids = ["x", *(f"op{i}" for i in range(999)), "y"]
        nodes = [
            helper.make_node(
                *(("Relu", [ids[i]]) if i % 2 else ("Add", [ids[i], "b"])), [ids[i + 1]]
            )
            for i in range(1000)
        ]
    else:
        shape = [32, 1]
        arrays = {"w": weights(MEGABYTES << 13, 32)}
        nodes = [helper.make_node("MatMul", ["w", "x"], ["y"])]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, key) for key, array in arrays.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return made, shape


def session(proto):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def median(times):
    return sorted(times)[len(times) // 2]


def plain(what):
    """The same work in onnxruntime, as lines of names and numbers."""
    import numpy as np
    import psutil

    if what == "build":
        times = []
        for _ in range(5):
            start = time.perf_counter()
            proto, _ = model("build")
            times.append(time.perf_counter() - start)
        start = time.perf_counter()
        session(proto)
        return {"build": [1e3 * median(times), 1e3 * (time.perf_counter() - start)]}
    if what == "constants":
        proto, shape = model("constants")
        data = proto.SerializeToString()
        del proto
        import onnxruntime

        before = psutil.Process().memory_info().rss
        made = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        made.run(None, {"x": np.ones(shape, "f4")})
        return {"constants": [(psutil.Process().memory_info().rss - before) / (1 << 20)]}
    proto, shape = model(what)
    made = session(proto)
    x = (np.arange(int(np.prod(shape))) % 5 - 2).astype("f4").reshape(shape) / 4
    y = made.run(None, {"x": x})[0]

    def bound():
        binding = made.io_binding()
        binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
        out = np.empty_like(y)
        binding.bind_output("y", "cpu", 0, np.float32, y.shape, out.ctypes.data)
        return made._sess.run_with_iobinding, binding._iobinding, out

    run, binding, _kept = bound()
    times = []
    for _ in range(CALLS[what]):
        start = time.perf_counter()
        run(binding, None)
        times.append(time.perf_counter() - start)

    def one_by_one(count):
        bindings = [bound() for _ in range(8)]
        for run, binding, _kept in 2 * bindings:
            run(binding, None)
        start = time.perf_counter()
        for run, binding, _kept in bindings:
            for _ in range(count // 8):
                run(binding, None)
        return time.perf_counter() - start

    def at_once(count):
        ready, ends = threading.Barrier(9), []

        def work():
            run, binding, _kept = bound()
            for _ in range(2):
                run(binding, None)
            ready.wait()
            for _ in range(count // 8):
                run(binding, None)
            ends.append(time.perf_counter())

        all_ = [threading.Thread(target=work) for _ in range(8)]
        for thread in all_:
            thread.start()
        ready.wait()
        start = time.perf_counter()
        for thread in all_:
            thread.join()
        return max(ends) - start

    pairs = [(one_by_one(IN_THREADS[what]), at_once(IN_THREADS[what])) for _ in range(7)]
    ratio = median([eight / one for one, eight in pairs])
    return {"call": [1e6 * median(times)], "threads": [ratio]}


# The table.


def measure(rounds):
    """The lowest of the rounds, by work and name."""
    found = {}

    def note(side, what, numbers):
        for name, values in numbers.items():
            key = side, what, name
            former = found.get(key, values)
            found[key] = [min(pair) for pair in zip(former, values)]

    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        for _ in range(rounds):
            for what in ("tiny", "large", "build", "constants"):
                command = [sys.executable, os.path.abspath(__file__), "--plain", what]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                note("plain", what, json.loads(done.stdout))
                if what in CALLS:
                    note("c", what, in_c(program, what, CALLS[what]))
                    note("c", what, in_c(program, f"{what}-threads", IN_THREADS[what]))
                else:
                    note("c", what, in_c(program, what, {"build": 15}.get(what, MEGABYTES)))
    return found


def rows(found):
    """What, in C, plain onnxruntime, the figure that has a bound, that bound, unit."""
    table = []
    for what in ("tiny", "large"):
        (ours,), (engine,) = found["c", what, "call"][:1], found["plain", what, "call"]
        beyond = ours - engine
        bound = 15 if what == "tiny" else None
        table.append((f"bind, execute, read: {what}", ours, engine, beyond, bound, "us beyond"))
    (binds,) = found["c", "tiny", "bind"]
    table.append(("bind alone", binds, None, None, None, "us"))
    ours, first, busy = found["c", "build", "build"]
    plain_build, plain_load = found["plain", "build", "build"]
    table.append(("graph of 1,000 ops", ours, plain_build, ours, 60, "ms"))
    table.append(("of that, processor time", busy, None, None, None, "ms"))
    table.append(("the first one, with Python's start", first, plain_load, None, None, "ms"))
    for what, bound in (("tiny", 3.0), ("large", 1.0)):
        (ratio,), (plain_ratio,) = found["c", what, "threads"], found["plain", what, "threads"]
        label = f"8 threads, to one by one: {what}"
        table.append((label, ratio, plain_ratio, ratio, bound, "times"))
    made, ran = found["c", "constants", "constants"]
    (held,) = found["plain", "constants", "constants"]
    table.append(
        ("copies of a constant when made", made / MEGABYTES, None, made / MEGABYTES, 1.0, "times")
    )
    table.append(
        ("memory of it after a run", ran / MEGABYTES, held / MEGABYTES, None, None, "times")
    )
    return table


def show(table):
    def text(number):
        return "" if number is None else f"{number:.2f}"

    print(f"{'':36}{'C library':>11}{'onnxruntime':>13}{'figure':>9}{'bound':>8}")
    for what, ours, plain_, figure, bound, unit in table:
        # A hundredth is the noise of the clock and of pages.
        verdict = "" if bound is None else "  ok" if figure <= bound * 1.01 else "  MISSED"
        print(
            f"{what:36}{text(ours):>11}{text(plain_):>13}{text(figure):>9}{text(bound):>8} "
            f"{unit}{verdict}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", choices=["tiny", "large", "build", "constants"])
    given = parser.parse_args()
    if given.plain:
        print(json.dumps(plain(given.plain)))
        return
    table = rows(measure(given.rounds))
    if given.json:
        names = ("what", "c_library", "onnxruntime", "figure", "bound", "unit")
        print(json.dumps([dict(zip(names, row)) for row in table]))
        return
    show(table)


if __name__ == "__main__":
    main()
