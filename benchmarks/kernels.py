"""What the kernels take on the host Poplar, beside the same in onnxruntime or numpy.

    python benchmarks/kernels.py [KERNEL ...] [--rounds N]

Each line has the median milliseconds of a kernel and of the fastest other, on one thread each, and
the median of their ratios; all take turns, so that what else the machine does falls on each of
them.  Inputs have about a million elements.  A bound is what the project holds itself to: 2 for
what memory limits, 4 with transcendental functions; products, LU and what has no counterpart are
measured only, and NonMaxSuppression of 10,000 boxes is to take less than 50 ms.
"""

import argparse
import importlib.util
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from odla_ipu.sim import poplar
from odla_ipu.sim.customop import Info

KERNELS = Path(str(importlib.util.find_spec("odla_ipu.kernels").submodule_search_locations[0]))
RNG = np.random.default_rng(0)
MEMORY, FUNCTIONS = 2, 4


def normal(*shape, dtype="float32"):
    return RNG.normal(size=shape).astype(dtype)


def whole(low, high, *shape, dtype="int32"):
    return RNG.integers(low, high, shape).astype(dtype)


def kernel(folder, name, inputs, **attributes):
    """A function that runs the kernel once, and what it computes into."""
    library = poplar.load_kernel(KERNELS / folder, debug=False)
    infos = [None if x is None else Info(x.dtype, x.shape) for x in inputs]
    made = poplar.create("odla.ipu", name, 1, infos, attributes, library=library, debug=False)
    outputs = [np.empty(info.shape, info.dtype) for info in made.outputs]
    return lambda: made.run(inputs, outputs)


def graph(*nodes, inputs, result="y", **constants):
    """A function that runs nodes (op, inputs, output, attributes) in onnxruntime, in place."""
    made = [
        helper.make_node(
            op.split(".")[-1],
            given.split(" "),
            output.split(" "),
            domain="com.microsoft" if op.startswith("ms.") else "",
            **(attributes[0] if attributes else {}),
        )
        for op, given, output, *attributes in nodes
    ]
    types = {name: helper.np_dtype_to_tensor_dtype(x.dtype) for name, x in inputs.items()}
    infos = [helper.make_tensor_value_info(n, types[n], x.shape) for n, x in inputs.items()]
    stored = [onnx.numpy_helper.from_array(x, name) for name, x in constants.items()]
    model = helper.make_model(
        helper.make_graph(made, "g", infos, [onnx.ValueInfoProto(name=result)], stored),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        ir_version=8,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, x in inputs.items():
        binding.bind_cpu_input(name, x)
    (first,) = session.run([result], inputs)
    kept = onnxruntime.OrtValue.ortvalue_from_numpy(first)
    binding.bind_ortvalue_output(result, kept)
    return lambda: session.run_with_iobinding(binding)


# Each gives the kernel, the others, and the bound on the ratio, None where there is none.


def ipu_gelu(size=1 << 20):
    x = normal(size)
    return (
        kernel("ipu_gelu", "IpuGelu", [x]),
        [graph(("ms.FastGelu", "x", "y"), inputs={"x": x})],
        FUNCTIONS,
    )


def bias_gelu():
    x, bias = normal(1024, 1024), normal(1024)
    return (
        kernel("bias_gelu", "BiasGelu", [x, bias]),
        [graph(("ms.FastGelu", "x bias", "y"), inputs={"x": x}, bias=bias)],
        FUNCTIONS,
    )


def rsqrt():
    x, y = np.abs(normal(1 << 20)) + 0.1, np.empty(1 << 20, "f4")

    def of_numpy():
        np.sqrt(x, out=y)
        np.divide(1, y, out=y)

    other = graph(("Sqrt", "x", "r"), ("Reciprocal", "r", "y"), inputs={"x": x})
    return kernel("rsqrt", "IpuRsqrt", [x]), [of_numpy, other], MEMORY


def layer_norm():
    x, scale, bias = normal(1024, 1024), normal(1024), normal(1024)
    node = ("LayerNormalization", "x scale bias", "y", {"axis": -1, "epsilon": 1e-5})
    return (
        kernel("layer_norm", "LayerNorm", [x, scale, bias], epsilon=1e-5),
        [graph(node, inputs={"x": x}, scale=scale, bias=bias)],
        MEMORY,
    )


def attention_mask():
    index, data = whole(0, 9, 8, 384), normal(1)
    nodes = [
        ("Cast", "index", "f", {"to": onnx.TensorProto.FLOAT}),
        ("Unsqueeze", "f rows", "r"),
        ("Unsqueeze", "f columns", "c"),
        ("Sub", "r c", "d"),
        ("Abs", "d", "a"),
        ("Tanh", "a", "t"),
        ("Mul", "t most", "y"),
    ]
    other = graph(
        *nodes,
        inputs={"index": index},
        rows=np.int64([1, 3]),
        columns=np.int64([1, 2]),
        most=np.float32(-10000),
    )
    return kernel("attention_mask", "IpuAttentionMask", [index, data]), [other], FUNCTIONS


def quantize_linear():
    x, scale, zero = normal(1 << 20), np.float32([0.02]), np.int8([3])
    other = graph(
        ("QuantizeLinear", "x s z", "y"), inputs={"x": x}, s=scale.reshape(()), z=zero.reshape(())
    )
    return kernel("quantize_linear", "QuantizeLinear", [x, scale, zero], axis=0), [other], MEMORY


def dequantize_linear():
    x, scale, zero = whole(-128, 128, 1 << 20, dtype="int8"), np.float32([0.02]), np.int8([3])
    other = graph(
        ("DequantizeLinear", "x s z", "y"),
        inputs={"x": x},
        s=scale.reshape(()),
        z=zero.reshape(()),
    )
    made = kernel("dequantize_linear", "DequantizeLinear", [x, scale, zero], axis=0)
    return made, [other], MEMORY


def random_uniform():
    seed, generator = np.uint32([1, 2]), np.random.Generator(np.random.Philox(0))
    out = np.empty(1 << 20, "f4")
    made = kernel(
        "random_uniform", "RandomUniform", [seed], dims=[1 << 20], low=0.0, high=1.0, half=0
    )
    return made, [lambda: generator.random(out=out, dtype="f4")], MEMORY


def random_normal():
    seed, generator = np.uint32([1, 2]), np.random.Generator(np.random.Philox(0))
    out = np.empty(1 << 20, "f4")
    made = kernel(
        "random_normal", "RandomNormal", [seed], dims=[1 << 20], mean=0.0, scale=1.0, half=0
    )
    return made, [lambda: generator.standard_normal(out=out, dtype="f4")], FUNCTIONS


def compress():
    x, keep = normal(1024, 1024), RNG.random(1024) < 0.5
    out, kept = np.empty((1024, 1024), "f4"), keep.sum()

    def of_numpy():  # into room for all, as the kernel does
        np.compress(keep, x, 0, out[:kept])
        out[kept:] = 0

    return kernel("compress", "Compress", [x, keep], axis=0), [of_numpy], MEMORY


def gather_elements():
    x, at = normal(1024, 1024), whole(0, 1024, 1024, 1024)
    other = graph(("GatherElements", "x i", "y", {"axis": 0}), inputs={"x": x, "i": at})
    return kernel("gather_elements", "GatherElements", [x, at], axis=0), [other], MEMORY


def gather_nd():
    x, at = normal(4096, 64, 4), whole(0, 64, 1 << 18, 2)
    other = graph(("GatherND", "x i", "y"), inputs={"x": x, "i": at.astype("i8")})
    return kernel("gather_nd", "GatherND", [x, at], batch_dims=0), [other], MEMORY


def scatter_reduce():
    x, at, more = normal(1024, 1024), whole(0, 1024, 1024, 1024), normal(1024, 1024)
    node = ("ScatterElements", "x i u", "y", {"axis": 0, "reduction": "add"})
    other = graph(node, inputs={"x": x, "i": at, "u": more})
    made = kernel("scatter_reduce", "ScatterReduce", [x, at, more], axis=0, reduction=1)
    return made, [other], MEMORY


def scatter_nd_reduce():
    x, at, more = normal(1 << 18, 4), whole(0, 1 << 18, 1 << 18, 1), normal(1 << 18, 4)
    node = ("ScatterND", "x i u", "y", {"reduction": "add"})
    other = graph(node, inputs={"x": x, "i": at.astype("i8"), "u": more})
    made = kernel("scatter_nd_reduce", "ScatterNDReduce", [x, at, more], reduction=1)
    return made, [other], MEMORY


def embedding_bag():
    table, bags = normal(100000, 64), whole(0, 100000, 1024, 16)
    nodes = [("Gather", "t b", "g"), ("ReduceSum", "g axis", "y", {"keepdims": 0})]
    other = graph(*nodes, inputs={"t": table, "b": bags}, axis=np.int64([1]))
    return kernel("embedding_bag", "EmbeddingBag", [table, bags]), [other], MEMORY


def reverse_sequence():
    x, lengths = normal(128, 64, 128), whole(1, 129, 64)
    other = graph(("ReverseSequence", "x n", "y"), inputs={"x": x, "n": lengths.astype("i8")})
    made = kernel("reverse_sequence", "ReverseSequence", [x, lengths], batch_axis=1, time_axis=0)
    return made, [other], MEMORY


def roi_max_pool():
    x, corners = normal(1, 256, 64, 64), RNG.random((64, 2)) * 32
    rois = np.concatenate([corners, corners + 4 + 24 * RNG.random((64, 2))], 1).astype("f4")
    numbered = np.concatenate([np.zeros((64, 1), "f4"), rois], 1)
    node = ("MaxRoiPool", "x r", "y", {"pooled_shape": [7, 7], "spatial_scale": 1.0})
    other = graph(node, inputs={"x": x, "r": numbered})
    images = np.zeros(64, "i4")
    made = kernel("roi_max_pool", "RoiMaxPool", [x, rois, images], height=7, width=7, scale=1.0)
    return made, [other], MEMORY


def tf_idf():
    x = whole(0, 1000, 64, 16384)
    pool, places = np.arange(1000, dtype="i4"), np.arange(1000, dtype="i4")
    node = {
        "max_gram_length": 1,
        "min_gram_length": 1,
        "max_skip_count": 0,
        "mode": "TF",
        "ngram_counts": [0],
        "ngram_indexes": places.tolist(),
        "pool_int64s": pool.tolist(),
    }
    other = graph(("TfIdfVectorizer", "x", "y", node), inputs={"x": x})
    numbers = {"starts": [0], "shortest": 1, "longest": 1, "skips": 0, "mode": 0, "columns": 1000}
    return kernel("tf_idf", "TfIdf", [x, pool, places], **numbers), [other], MEMORY


def ctc_greedy_decode():
    logits = normal(256, 32, 128)

    def of_numpy():
        best = logits.argmax(2).T
        kept = np.ones(best.shape, bool)
        kept[:, 1:] = best[:, 1:] != best[:, :-1]
        kept &= best != 127
        order = np.argsort(~kept, axis=1, kind="stable")
        out = np.take_along_axis(best, order, 1)
        out[np.arange(256) >= kept.sum(1)[:, None]] = -1

    made = kernel("ctc_greedy_decode", "CtcGreedyDecode", [logits], blank=-1, merge_repeated=1)
    return made, [of_numpy], MEMORY


def yolo_boxes():
    """The decoding is in onnxruntime; the boxes above the threshold are chosen in plain Python."""
    outputs = [normal(1, 255, k, k) for k in (13, 26, 52)]
    for x in outputs:
        x.reshape(3, 85, -1)[:, 4] -= 4  # few boxes, as of a trained network
    sizes = [np.float32([640]), np.float32([480])]
    anchors = [
        [(116, 90), (156, 198), (373, 326)],
        [(30, 61), (62, 45), (59, 119)],
        [(10, 13), (16, 30), (33, 23)],
    ]
    nodes, constants = [], {"depth": np.int64([2]), "less": np.float32(416)}
    cuts = ("xy", "wh", "o", "c")
    constants["parts"] = np.int64([2, 2, 1, 80])
    for s, (x, pairs) in enumerate(zip(outputs, anchors)):
        k = x.shape[2]
        constants[f"dims{s}"] = np.int64([3, 85, k * k])
        constants[f"cell{s}"] = (np.stack(np.divmod(np.arange(k * k), k)[::-1])[None]).astype("f4")
        constants[f"k{s}"] = np.float32(k)
        constants[f"anchor{s}"] = np.float32(pairs)[:, :, None]
        nodes += [
            ("Reshape", f"x{s} dims{s}", f"r{s}"),
            ("Split", f"r{s} parts", " ".join(f"{one}{s}" for one in cuts), {"axis": 1}),
            ("Sigmoid", f"xy{s}", f"a{s}"),
            ("Add", f"a{s} cell{s}", f"b{s}"),
            ("Div", f"b{s} k{s}", f"m{s}"),
            ("Exp", f"wh{s}", f"e{s}"),
            ("Mul", f"e{s} anchor{s}", f"f{s}"),
            ("Div", f"f{s} less", f"g{s}"),
            ("Sigmoid", f"o{s}", f"so{s}"),
            ("Sigmoid", f"c{s}", f"sc{s}"),
            ("Mul", f"so{s} sc{s}", f"p{s}"),
            ("Concat", f"m{s} g{s} p{s}", f"q{s}", {"axis": 1}),
            ("Transpose", f"q{s}", f"t{s}", {"perm": [0, 2, 1]}),
            ("Reshape", f"t{s} rows", f"z{s}"),
        ]
    constants["rows"] = np.int64([-1, 84])
    nodes.append(("Concat", "z0 z1 z2", "y", {"axis": 0}))
    nodes = [(*node, {}) if len(node) == 3 else node for node in nodes]
    inputs = {f"x{s}": x for s, x in enumerate(outputs)}
    del constants["depth"]
    decode = graph(*nodes, inputs=inputs, **constants)
    made = kernel("yolo_boxes", "YoloBoxes", [*sizes, *outputs], rows=63)
    return made, [decode], FUNCTIONS


def au_gru_cell():
    shapes = [(4096, 128), (4096, 128), (4096,), (256, 256), (256,), (256, 128), (128,)]
    x, state, share, wg, bg, w, b = inputs = [normal(*one) * np.float32(0.1) for one in shapes]

    def of_numpy():
        gates = 1 / (1 + np.exp(-(np.concatenate([x, state], 1) @ wg + bg)))
        r, u = gates[:, :128], gates[:, 128:] * (1 - share)[:, None]
        c = np.tanh(np.concatenate([x, r * state], 1) @ w + b)
        return u * state + (1 - u) * c

    return kernel("au_gru_cell", "AuGruCell", inputs), [of_numpy], None


def int8_mat_mul():
    a, b = whole(-128, 128, 1, 512, 512, dtype="int8"), whole(-128, 128, 1, 512, 512, dtype="int8")
    other = graph(("MatMulInteger", "a b", "y"), inputs={"a": a, "b": b})
    return kernel("int8_mat_mul", "Int8MatMul", [a, b], a_zero=0, b_zero=0), [other], None


def int8_conv():
    x, w = whole(0, 256, 1, 64, 56, 56, dtype="uint8"), whole(0, 256, 64, 64, 3, 3, dtype="uint8")
    a = {"strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 1}
    other = graph(("ConvInteger", "x w", "y", a), inputs={"x": x, "w": w})
    return kernel("int8_conv", "Int8Conv", [x, w], **a, input_zero=0, kernel_zero=0), [other], None


def determinant():
    x = normal(4, 256, 256)
    return kernel("determinant", "Determinant", [x]), [lambda: np.linalg.det(x)], None


def matrix_inverse():
    x = normal(4, 256, 256)
    return kernel("matrix_inverse", "MatrixInverse", [x]), [lambda: np.linalg.inv(x)], None


def non_max_suppression():
    corner = RNG.random((1, 10000, 2)) * 1000
    boxes = np.concatenate([corner, corner + 20 + 80 * RNG.random((1, 10000, 2))], 2).astype("f4")
    scores = RNG.random((1, 1, 10000)).astype("f4")
    limits = {"max": np.int64([1000]), "iou": np.float32([0.5]), "least": np.float32([0.1])}
    node = ("NonMaxSuppression", "b s max iou least", "y")
    other = graph(node, inputs={"b": boxes, "s": scores}, **limits)
    numbers = {"max_selected": 1000, "iou_threshold": 0.5, "score_threshold": 0.1, "rows": 1000}
    made = kernel("non_max_suppression", "NonMaxSuppression", [boxes, scores], **numbers)
    return made, [other], None


def detection_output():
    priors, classes = 8732, 21
    low = RNG.random((priors, 2)) * 0.7
    boxes = np.concatenate([low, low + 0.05 + RNG.random((priors, 2)) * 0.25], 1)
    prior = np.stack([boxes.reshape(-1), np.tile([0.1, 0.1, 0.2, 0.2], priors)])[None].astype("f4")
    loc, conf = normal(1, priors * 4), RNG.random((1, priors * classes)).astype("f4") ** 8
    numbers = {
        "background_label": 0,
        "confidence_threshold": 0.3,
        "keep_top_k": 200,
        "num_classes": classes,
        "share_location": 1,
        "code_type": 2,
        "nms_threshold": 0.45,
        "nms_top_k": 400,
        "nms_eta": 1.0,
    }
    return kernel("detection_output", "DetectionOutput", [loc, conf, prior], **numbers), [], None


ALL = {
    one.__name__: one
    for one in (
        ipu_gelu,
        bias_gelu,
        rsqrt,
        layer_norm,
        attention_mask,
        quantize_linear,
        dequantize_linear,
        random_uniform,
        random_normal,
        compress,
        gather_elements,
        gather_nd,
        scatter_reduce,
        scatter_nd_reduce,
        embedding_bag,
        reverse_sequence,
        roi_max_pool,
        tf_idf,
        ctc_greedy_decode,
        yolo_boxes,
        au_gru_cell,
        int8_mat_mul,
        int8_conv,
        determinant,
        matrix_inverse,
        non_max_suppression,
        detection_output,
    )
}


def milliseconds(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def measure(name, rounds):
    made, others, bound = ALL[name]()
    made(), [other() for other in others]
    times = [[milliseconds(one) for one in (made, *others)] for _ in range(rounds)]
    own, *rest = (statistics.median(column) for column in zip(*times))
    record = {"kernel": name, "ms": round(own, 3)}
    if rest:
        best = 1 + rest.index(min(rest))
        ratio = statistics.median(row[0] / row[best] for row in times)
        record.update(other_ms=round(min(rest), 3), ratio=round(ratio, 2), bound=bound)
    return record


def calling():
    """Microseconds of a call: of a kernel on eight elements."""
    made, *_ = ipu_gelu(8)
    return statistics.median(milliseconds(made) for _ in range(2000)) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="all by default")
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    for name in arguments.kernels or ALL:
        print(json.dumps(measure(name, arguments.rounds)), flush=True)
    if not arguments.kernels:
        print(json.dumps({"call_us": round(calling(), 1)}))


if __name__ == "__main__":
    main()
