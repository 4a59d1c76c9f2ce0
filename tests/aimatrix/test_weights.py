"""Weights of the examples: seeded, or of files."""

import json

import numpy as np
import onnx
import psutil
import pytest
from odla_ipu.examples import Weights
from onnx import TensorProto, helper, numpy_helper

import odla_ipu as odla
from odla_ipu import examples
from odla_ipu.bench import memory
from odla_ipu.errors import BadFile, FileMissing, InvalidParameter


def test_a_seed_and_a_name_make_the_same_numbers_in_any_order():
    one, other = Weights(seed=5), Weights(seed=5)
    first = one.normal("a", (3, 4), 2.0)
    one.uniform("b", (2,), 1, 3)
    drawn = other.uniform("b", (2,), 1, 3)
    np.testing.assert_array_equal(first, other.normal("a", (3, 4), 2.0))
    assert first.dtype == drawn.dtype == np.float32 and ((drawn >= 1) & (drawn < 3)).all()
    assert (first != Weights(seed=6).normal("a", (3, 4), 2.0)).all()


def test_deviation():
    drawn = Weights().normal("a", (100, 100), 0.3)
    assert abs(drawn.std() - 0.3) < 0.01 and abs(drawn.mean()) < 0.01


def test_without_a_seed_they_take_no_memory():
    process = psutil.Process()
    before = process.memory_info().rss
    with odla.Computation() as c:
        table = Weights(seed=None).normal("table", (1 << 20, 1 << 10), 1.0)
        odla.output(odla.gemm(odla.argument("x", (1, 1 << 10)), B=table, B_transpose=True))
    assert memory.needed(c) > 4 << 30
    assert process.memory_info().rss - before < 200 << 20


def test_values_inside_loops_take_memory():
    with odla.Computation() as c:
        x = odla.argument("x", (1 << 10, 1))
        with odla.loop(3) as loop:
            state = loop.variable(x)
            square = odla.mul(state, odla.transpose(state, (1, 0)))
            loop.next(state, odla.reduce_sum(square, axes=(1,)))
        odla.output(loop.results[0])
    assert memory.needed(c) - memory.BASE > memory.ROUNDS * (4 << 20)


def test_only_trained_numbers_count():
    weights = Weights()
    weights.normal("a", (3, 4), 1.0)
    weights.normal("mean", (5,), 1.0, trained=False)
    assert weights.parameters == 12 and list(weights.given) == ["a", "mean"]


def test_a_name_is_used_once():
    weights = Weights()
    weights.normal("a", (1,), 1.0)
    with pytest.raises(InvalidParameter, match="'a' are used twice"):
        weights.uniform("a", (1,), 0, 1)


def save_npz(path, arrays):
    np.savez(str(path), **arrays)


def save_onnx(path, arrays):
    output = helper.make_tensor_value_info("a", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [output], tensors)), str(path))


def save_safetensors(path, arrays):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        kind = {"float32": "F32", "float16": "F16"}[array.dtype.name]
        start, data = len(data), data + array.tobytes()
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("save, kind", [
    (save_npz, "npz"), (save_onnx, "onnx"), (save_safetensors, "safetensors"),
])  # fmt: skip
def test_files(tmp_path, save, kind):
    arrays = {
        "a": np.float32([[1, 2, 3], [4, 5, 6]]),
        "b": np.float16([0.5]),
        "c": np.zeros(0, "f4"),
    }
    path = tmp_path / f"weights.{kind}"
    save(path, arrays)
    weights = Weights.load(path)
    for name, array in arrays.items():
        given = weights.normal(name, array.shape, 1.0)
        assert given.dtype == np.float32
        np.testing.assert_array_equal(given, array)
    with pytest.raises(InvalidParameter, match="have no 'd'"):
        weights.normal("d", (1,), 1.0)
    with pytest.raises(InvalidParameter, match=r"float32\[2, 3\]; accepted: floats \[3, 2\]"):
        Weights.load(path).normal("a", (3, 2), 1.0)


@pytest.mark.parametrize("kind", ["npz", "onnx", "safetensors", "pt"])
def test_what_is_no_file_of_weights(tmp_path, kind):
    path = tmp_path / f"weights.{kind}"
    with pytest.raises(FileMissing, match="no such file"):
        Weights.load(path)
    path.write_bytes(b"\xff" * 7)
    with pytest.raises(BadFile, match=r"accepted" if kind == "pt" else "is no"):
        Weights.load(path)


def test_a_network_computes_with_what_was_saved(tmp_path, device):
    example, path = examples.find("caffe_squeezenet"), tmp_path / "weights.npz"
    drawn = Weights(seed=9)
    feeds = {"data": np.random.default_rng(0).standard_normal((1, 3, 67, 67), np.float32)}
    wanted = example.build(1, drawn, size=67).run(feeds, device=device)["prob"]
    drawn.save(path)
    got = example.build(1, Weights.load(path), size=67).run(feeds, device=device)["prob"]
    np.testing.assert_array_equal(got, wanted)


def test_unknown_names():
    with pytest.raises(InvalidParameter, match="no example is named 'resnet51'; .*resnet50"):
        examples.find("resnet51")
    with pytest.raises(InvalidParameter):
        examples.find("common")


def test_every_module_declares_its_own_name():
    for name in examples.names():
        assert examples.find(name).name == name
