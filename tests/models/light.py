"""The nine ImageNet networks of the ``onnx`` package with weights that mean something.

The package stores their weights as constants (all 0.02), under which every convolution that sums
the right number of elements is right.  Here each weight is drawn from a seeded generator:
convolutions and matrices with He's variance 2 / fan-in, batch normalization with variances and
scales in [0.5, 1.5].
"""

import os
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from odla_ipu import pretrained

NETWORKS = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)

# Brings the classifier's results to a standard deviation of 2 to 5, or Softmax gives only 0 and 1.
_CLASSIFIER_GAIN = {"inception_v2": 1 / 20, "resnet50": 1 / 5, "shufflenet": 1 / 350}

# Goes into the file names, so that a change here makes the files anew.
_VERSION = 1

# What a weight is, by the op that takes it and the position of the input.
_ROLES = {
    ("Conv", 1): "kernel",
    ("Conv", 2): "offset",
    ("Gemm", 1): "matrix",
    ("Gemm", 2): "offset",
    ("BatchNormalization", 1): "scale",
    ("BatchNormalization", 2): "offset",
    ("BatchNormalization", 3): "offset",
    ("BatchNormalization", 4): "scale",
    ("Mul", 1): "scale",
    ("Add", 1): "offset",
}


def path(network):
    """The network's file, written on first use (up to 575 MB) and kept in the cache."""
    target = pretrained.cache_folder() / "light" / f"{network}-{_VERSION}.onnx"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        onnx.save(build(network), str(partial))
        os.replace(str(partial), str(target))
    return target


def build(network):
    """The ModelProto, opset 9, input [1, 3, 224, 224]."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    model = onnx.load(str(folder / f"light_{network}.onnx"))
    graph = model.graph
    rng = np.random.default_rng(zlib.crc32(network.encode()))
    dims = _weight_dims(graph)
    weights = []
    for name, role in _weight_roles(graph, dims).items():
        gain = 0.5 if _ends_residual_branch(graph, name, role) else 1.0
        if role == "matrix":
            gain = _CLASSIFIER_GAIN.get(network, 1.0)
        drawn = _draw(rng, role, dims[name]) * np.float32(gain)
        weights.append(numpy_helper.from_array(drawn, name))
    kept_nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    read = {name for node in kept_nodes for name in node.input}
    names = {weight.name for weight in weights}
    kept = [old for old in graph.initializer if old.name in read and old.name not in names]
    known = {old.name for old in kept} | names
    inputs = [value for value in graph.input if value.name in read - known]
    del graph.node[:], graph.initializer[:], graph.input[:]
    graph.node.extend(kept_nodes)
    graph.initializer.extend(kept + weights)
    graph.input.extend(inputs)
    # From version 4 on initializers need not be listed as inputs too.
    model.ir_version = 8
    return model


def _weight_dims(graph):
    """Shapes of all float constants: initializers, and ConstantOfShape nodes."""
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    dims = {
        name: tuple(tensor.dims)
        for name, tensor in initializers.items()
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape = numpy_helper.to_array(initializers[node.input[0]])
            dims[node.output[0]] = tuple(int(dim) for dim in shape)
    return dims


def _weight_roles(graph, dims):
    """The role of each float constant that is read, through Unsqueeze and Reshape too."""
    through = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type in ("Unsqueeze", "Reshape") and node.input[0] in dims
    }
    roles = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            name = through.get(name, name)
            if name in dims and (node.op_type, position) in _ROLES:
                roles[name] = _ROLES[node.op_type, position]
    return roles


def _ends_residual_branch(graph, name, role):
    """Whether the weight scales what a Sum adds: halved, or 16 sums would double 16 times."""
    if role != "scale":
        return False
    added = {source for node in graph.node if node.op_type == "Sum" for source in node.input}
    return any(
        node.op_type == "BatchNormalization" and node.input[1] == name and node.output[0] in added
        for node in graph.node
    )


def _draw(rng, role, dims):
    if role == "scale":
        return rng.uniform(0.5, 1.5, dims).astype(np.float32)
    # Convolution weights are [out, in, ...]; those of Gemm [..., out, in], as all have transB.
    deviation = {
        "kernel": np.sqrt(2 / np.prod(dims[1:])),
        "matrix": np.sqrt(2 / dims[-1]),
        "offset": 0.1,
    }[role]
    return rng.standard_normal(dims, dtype=np.float32) * np.float32(deviation)


def inputs(network):
    """A standard normal image, as after the usual normalisation."""
    name = "gpu_0/data_0" if network in ("resnet50", "shufflenet", "zfnet512") else "data_0"
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal((1, 3, 224, 224), dtype=np.float32)}
