"""odla_ipu on its simulator against plain onnxruntime on the same ONNX file.

    python benchmarks/against_onnxruntime.py [MODEL|EXAMPLE|aimatrix ...]

For an example, such as resnet50, the ONNX file is what it is lowered to, for one image or whatever
it works on, without what kernels of ours compute of it; "aimatrix" are all that leave something.
Latencies are taken in one process, both sides with two threads, alternating run by
run; the ratio is that of the medians.  Loading, memory and import are measured in fresh processes,
alternating too.  Every line gives both sides and the ratio or difference; the last one of the
latencies is the geometric mean of the ratios.
"""

import json
import os
import statistics
import subprocess
import sys
import time

THREADS = 2
os.environ.setdefault("ODLA_IPU_SIM_THREADS", str(THREADS))
os.environ.setdefault("ODLA_IPU_DEVICE", "sim")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))

MODELS = ["light_resnet50", "light_densenet121", "ppocr_rec", "minilm", "tiny_mlp"]


def plain_session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def executable(path, feeds):
    import odla_ipu

    shapes = {name: array.shape for name, array in feeds.items()}
    return odla_ipu.load(path, shapes).compile(device="sim")


def model(name):
    """Path of an ONNX file and arrays for its inputs."""
    if name == "tiny_mlp":
        return tiny_mlp()
    from models import zoo

    entry = zoo.by_name(name)
    return str(entry.path()), entry.inputs()


def tiny_mlp():
    """8 -> 8 -> 8 with a Relu, in a temporary file."""
    import tempfile

    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.RandomState(0).standard_normal((2, 8, 8)).astype("f4")
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w1"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
        [numpy_helper.from_array(weights[0], "w0"), numpy_helper.from_array(weights[1], "w1")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = os.path.join(tempfile.mkdtemp(prefix="odla_ipu-benchmark-"), "mlp.onnx")
    onnx.save(made, path)
    return path, {"x": weights[0][:1]}


def latency(name):
    """Print both sides' milliseconds for one input; returns their ratio."""
    from odla_ipu import examples

    if name in examples.names():
        plain, plain_feeds, ours, feeds = both_of_example(examples.find(name))
    else:
        path, feeds = model(name)
        plain, plain_feeds, ours = plain_session(path), feeds, executable(path, feeds)
    outputs = [output.name for output in plain.get_outputs()]
    sides = {
        "onnxruntime": lambda: plain.run(outputs, plain_feeds),
        "odla_ipu": lambda: ours.run(feeds),
    }
    if name == "tiny_mlp":
        sides["io_binding"] = bound(plain, feeds, outputs)
    times = alternate(sides, seconds=12)
    ratio = times["odla_ipu"] / times["onnxruntime"]
    line = f"{name:20} " + "  ".join(f"{side} {ms:9.4f} ms" for side, ms in times.items())
    line += f"  ratio {ratio:.3f}"
    if "io_binding" in times:
        above = (times["odla_ipu"] - times["io_binding"]) * 1e3
        line += f"  above io_binding {above:.1f} us"
    print(line, flush=True)
    return ratio


def both_of_example(example):
    """A session of its lowered model and its feeds, an executable and its feeds."""
    import tempfile

    import numpy as np
    from odla_ipu.examples import Weights

    from odla_ipu.bench import accuracy

    computation = example.build(1, Weights(seed=0))
    leave_out_kernels(computation)
    feeds = example.inputs(1, np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        path, program = accuracy.export(computation.graph, folder)
        plain = plain_session(path)
    plain_feeds = {
        port.tensor: feeds[port.name].astype(port.device_type.dtype)
        for port in program.arguments
        if port.tensor
    }
    known = {one.name for one in plain.get_inputs()}
    plain_feeds = {name: array for name, array in plain_feeds.items() if name in known}
    return plain, plain_feeds, computation.compile(device="sim"), feeds


def leave_out_kernels(computation):
    """Keep the outputs that depend on no kernel; raises ValueError where none is left."""
    import tempfile

    import onnx

    from odla_ipu.bench import accuracy

    with tempfile.TemporaryDirectory() as folder:
        path, program = accuracy.export(computation.graph, folder)
        nodes = onnx.load(path, load_external_data=False).graph.node
    tainted = set()
    for node in nodes:
        if node.domain == "odla.ipu" or tainted.intersection(node.input):
            tainted.update(node.output)
    kept = {port.name for port in program.outputs if port.tensor not in tainted}
    computation.graph.outputs = [one for one in computation.graph.outputs if one.name in kept]
    if not kept:
        raise ValueError("every output depends on a kernel")


def bound(session, feeds, outputs):
    """A run with everything bound beforehand: the least that onnxruntime can take."""
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, array)
    for name in outputs:
        binding.bind_output(name, "cpu")
    return lambda: session.run_with_iobinding(binding)


def alternate(sides, seconds):
    """Median milliseconds of each side, run in turns."""
    for call in sides.values():
        for _ in range(3):
            call()
    times = {side: [] for side in sides}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for side, call in sides.items():
            start = time.perf_counter()
            call()
            times[side].append((time.perf_counter() - start) * 1e3)
    return {side: statistics.median(found) for side, found in times.items()}


def loading(name):
    """Seconds from file to ready, and peak memory above the bare interpreter, in new processes."""
    path, feeds = model(name)
    shapes = json.dumps(
        {key: [list(array.shape), str(array.dtype)] for key, array in feeds.items()}
    )
    found = {"onnxruntime": [], "odla_ipu": []}
    for _ in range(5):
        for side, measured in found.items():
            command = [sys.executable, os.path.abspath(__file__), "--child", side, path, shapes]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            measured.append(json.loads(done.stdout))
    plain, ours = (
        [statistics.median(one[key] for one in found[side]) for key in ("seconds", "megabytes")]
        for side in ("onnxruntime", "odla_ipu")
    )
    print(
        f"{name:20} ready: onnxruntime {plain[0]:.3f} s  odla_ipu {ours[0]:.3f} s "
        f"(bound {2 * plain[0] + 0.5:.3f})  peak: {plain[1]:.0f} MB, {ours[1]:.0f} MB, "
        f"ratio {ours[1] / plain[1]:.2f}",
        flush=True,
    )


def child(side, path, shapes):
    """Load and run three times in this process; print seconds and megabytes."""
    import numpy as np
    import onnxruntime  # noqa: F401  not part of what is timed, on neither side

    feeds = {
        name: np.ones(shape, dtype) if np.dtype(dtype).kind == "f" else np.zeros(shape, dtype)
        for name, (shape, dtype) in json.loads(shapes).items()
    }
    start = time.perf_counter()
    if side == "onnxruntime":
        session = plain_session(path)
        ready = time.perf_counter() - start
        for _ in range(3):
            session.run(None, feeds)
    else:
        ours = executable(path, feeds)
        ready = time.perf_counter() - start
        for _ in range(3):
            ours.run(feeds)
    print(json.dumps({"seconds": ready, "megabytes": peak_megabytes()}))


def peak_megabytes():
    """The largest resident size of this process; getrusage would count the parent's before exec."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def importing(pairs=15):
    """Milliseconds that ``import odla_ipu`` takes above ``import numpy``."""
    statements = {"numpy": "import numpy", "odla_ipu": "import odla_ipu"}
    times = {side: [] for side in statements}
    for _ in range(pairs):
        for side, statement in statements.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            times[side].append((time.perf_counter() - start) * 1e3)
    above = statistics.median(b - a for a, b in zip(times["numpy"], times["odla_ipu"]))
    print(f"import odla_ipu: {above:.1f} ms above import numpy", flush=True)


def interpreting(length=100):
    """Milliseconds for a chain of small ops in interpreted mode, after warm-up."""
    import numpy as np

    import odla_ipu as odla

    def chain():
        x = odla.constant(np.zeros(16, "f4"))
        for _ in range(length // 2):
            x = odla.tanh(odla.add(x, 1.0))
        return np.asarray(x)

    chain()
    start = time.perf_counter()
    chain()
    print(f"interpreted chain of {length} ops: {(time.perf_counter() - start) * 1e3:.1f} ms")


AIMATRIX_WITHOUT = ("faster_rcnn", "mask_rcnn")
"""Kernels choose their proposals, on which everything else depends."""


def main(names):
    importing()
    interpreting()
    if names == ["aimatrix"]:
        from odla_ipu import examples

        names = [name for name in examples.names() if name not in AIMATRIX_WITHOUT]
    ratios = [latency(name) for name in names]
    print(f"geometric mean of the ratios: {statistics.geometric_mean(ratios):.3f}", flush=True)
    for name in names:
        if name in MODELS:
            loading(name)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main(sys.argv[1:] or MODELS)
