"""Interpreted execution: values without a computation."""

import gc
import threading

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu import interpreter
from odla_ipu.errors import InvalidParameter

pytestmark = pytest.mark.usefixtures("on_device")


@pytest.fixture
def on_device(monkeypatch, device):
    monkeypatch.setenv("ODLA_IPU_DEVICE", device)
    interpreter._executables.clear()


def test_values_are_computed_when_asked_for():
    x = odla.constant(np.float32([-1, 0, 2]))
    y = odla.relu(odla.add(x, 1))
    assert not y.is_known and not interpreter._executables
    assert np.asarray(y).tolist() == [0, 1, 3]
    assert len(interpreter._executables) == 2
    assert y.node is None


def test_a_second_op_of_the_same_kind_does_not_compile():
    for number in range(20):
        x = odla.constant(np.float32([number, 2]))
        assert np.asarray(odla.mul(x, x)).tolist() == [number * number, 4]
    assert len(interpreter._executables) == 1
    np.asarray(odla.mul(odla.constant(np.float32([1])), np.float32([2])))
    assert len(interpreter._executables) == 2


def test_one_operand_twice_is_not_two_operands():
    x, y = odla.constant(np.float32([3])), odla.constant(np.float32([4]))
    assert np.asarray(odla.sub(x, x)).tolist() == [0]
    assert np.asarray(odla.sub(x, y)).tolist() == [-1]


def test_attributes_and_optional_operands_tell_ops_apart():
    x = odla.constant(np.arange(6, dtype="f4").reshape(2, 3))
    assert np.asarray(odla.reduce_sum(x, axes=(0,))).tolist() == [[3, 5, 7]]
    assert np.asarray(odla.reduce_sum(x, axes=(1,))).tolist() == [[3], [12]]
    a = np.eye(2, dtype="f4")
    assert np.asarray(odla.gemm(a, x)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.asarray(odla.gemm(a, x, C=odla.constant(np.float32([1])))).tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]


def test_numbers_that_shape_results():
    x = odla.constant(np.arange(6, dtype="f4"))
    target = odla.add(odla.constant(np.int64([1, 2])), np.int64([1, 1]))
    assert np.asarray(odla.reshape_dynamic(x, target)).tolist() == [[0, 1, 2], [3, 4, 5]]
    flipped = odla.constant(np.int64([3, 2]))
    assert np.asarray(odla.reshape_dynamic(x, flipped)).tolist() == [[0, 1], [2, 3], [4, 5]]


def test_sizes_that_data_decide():
    boxes = odla.constant(np.float32([[[0, 0, 1, 1], [0, 0, 1, 0.9], [2, 2, 3, 3]]]))
    scores = odla.constant(np.float32([[[0.8, 0.7, 0.9]]]))
    rows = odla.nms(boxes, scores, max_num_outputs=3, iou_threshold=0.5)
    assert rows.shape == (2, 3)
    assert np.asarray(odla.gather(rows, np.int64([2]), axis=1)).tolist() == [[2], [0]]


def test_several_results():
    values, indices = odla.top_k(odla.constant(np.float32([1, 3, 2])), K=2, axis=0)
    assert np.asarray(indices).tolist() == [1, 2]
    assert np.asarray(values).tolist() == [3, 2]


def test_a_long_chain_compiles_each_kind_once():
    def chain():
        x = odla.constant(np.zeros(3, "f4"))
        for _ in range(50):
            x = odla.sigmoid(odla.add(x, 1))
        return np.asarray(x)

    expected = np.zeros(3)
    for _ in range(50):
        expected = 1 / (1 + np.exp(-(expected + 1)))
    np.testing.assert_allclose(chain(), expected, rtol=1e-5)
    assert len(interpreter._executables) == 2


def test_a_chain_longer_than_the_stack():
    x = odla.constant(np.zeros(1, "f4"))
    for _ in range(3000):
        x = odla.add(x, 1)
    assert np.asarray(x).tolist() == [3000]


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(interpreter, "CACHED_EXECUTABLES", 4)
    for size in range(1, 10):
        assert np.asarray(odla.neg(odla.constant(np.ones(size, "f4")))).sum() == -size
    assert len(interpreter._executables) == 4


def test_interpreted_values_are_constants_of_a_computation(device):
    two = odla.add(odla.constant(np.float32([1])), 1)
    with odla.Computation() as c:
        odla.output(odla.mul(odla.argument("x", (1,)), two), "y")
    assert c.run(x=np.float32([3]), device=device)["y"].tolist() == [6]


def test_mistakes_are_found_when_the_op_is_called():
    x = odla.constant(np.zeros((2, 3), "f4"))
    with pytest.raises(InvalidParameter, match="do not broadcast"):
        odla.add(x, np.zeros(4, "f4"))


def test_interpreted_values_are_no_outputs():
    with pytest.raises(InvalidParameter, match="belongs to no computation"):
        odla.output(odla.constant(np.float32([1])), "y")


def test_conversions():
    y = odla.neg(odla.constant(np.float32([1])))
    assert np.asarray(y, "f8").dtype == np.float64
    assert y.shape == (1,) and y.element_type is odla.ElementType.FLOAT32


def test_nothing_is_kept_of_what_was_dropped():
    before = len(gc.get_objects())
    for _ in range(200):
        np.asarray(odla.neg(odla.constant(np.float32([1]))))
    gc.collect()
    assert len(gc.get_objects()) - before < 2000


def test_threads():
    wrong = []

    def work(number):
        for _ in range(20):
            x = odla.constant(np.float32([number]))
            if np.asarray(odla.add(odla.mul(x, 2.0), x)).tolist() != [3 * number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
