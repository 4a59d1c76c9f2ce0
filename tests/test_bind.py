"""Runs on the caller's arrays: run_into, bind, and what they refuse."""

import gc
import threading
import weakref

import numpy as np
import pytest

import odla_ipu as odla
from odla_ipu.errors import InvalidParameter

SIZES = [3, 20000]  # copied, bound


def chain(size, dtype="float32"):
    with odla.Computation("chain") as c:
        x = odla.argument("x", (size,), dtype)
        y = odla.argument("y", (size,), dtype)
        odla.output(odla.sub(x, y), "difference")
        odla.output(x, "same")
        odla.output(odla.constant(np.arange(4, dtype="i8")), "known")
        odla.output(odla.mul(x, y), "product")
    return c


def arrays(size, dtype="f4"):
    generator = np.random.RandomState(size)
    inputs = [generator.randint(-9, 9, size).astype(dtype) for _ in range(2)]
    outputs = [np.zeros(size, dtype), np.zeros(size, dtype), np.zeros(4, "i8")]
    return inputs, [*outputs, np.zeros(size, dtype)]


def check(inputs, outputs):
    x, y = inputs
    np.testing.assert_array_equal(outputs[0], x - y)
    np.testing.assert_array_equal(outputs[1], x)
    np.testing.assert_array_equal(outputs[2], np.arange(4))
    np.testing.assert_array_equal(outputs[3], x * y)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "float64", "float16"])
def test_results_go_where_the_caller_says(device, size, dtype):
    with chain(size, dtype).compile(device) as exe:
        assert [(one.name, str(one.type)) for one in exe.feeds] == [
            ("x", f"{dtype}[{size}]"),
            ("y", f"{dtype}[{size}]"),
        ]
        assert [one.name for one in exe.fetches] == ["difference", "same", "known", "product"]
        for _ in range(3):
            inputs, outputs = arrays(size, dtype)
            assert exe.run_into(inputs, outputs) is None
            check(inputs, outputs)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_bound_arrays_are_read_at_each_run(device, size, dtype):
    with chain(size, dtype).compile(device) as exe:
        inputs, outputs = arrays(size, dtype)
        others = arrays(size, dtype)
        bound, other = exe.bind(inputs, outputs), exe.bind(*others)
        for run in range(4):
            inputs[0] += 1
            bound.run()
            check(inputs, outputs)
            others[0][1][:] = run
            other.run()
            check(*others)
            check(inputs, outputs)
            exe.run(x=others[0][0], y=others[0][1])
            bound.run()
            bound.run()
            check(inputs, outputs)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_not_wanted_is_left_out(device, size):
    with chain(size).compile(device) as exe:
        inputs, outputs = arrays(size)
        bound = exe.bind(inputs, [None, None, None, outputs[3]])
        for _ in range(3):
            outputs[3][:] = 0
            bound.run()
            np.testing.assert_array_equal(outputs[3], inputs[0] * inputs[1])
        exe.run_into(inputs, [None] * 4)
        exe.run_into(inputs, [outputs[0], *[None] * 3])
        np.testing.assert_array_equal(outputs[0], inputs[0] - inputs[1])


@pytest.mark.parametrize("size", SIZES)
def test_an_output_may_be_an_input(device, size):
    with odla.Computation() as c:
        x = odla.argument("x", (size,))
        odla.output(odla.gather(x, np.arange(size, dtype="i4")[::-1], axis=0), "y")
    with c.compile(device) as exe:
        x = np.arange(size, dtype="f4")
        bound = exe.bind([x], [x])
        for run in range(4):
            bound.run()
            expected = np.arange(size) if run % 2 else np.arange(size)[::-1]
            np.testing.assert_array_equal(x, expected)
        exe.run_into([x], [x])
        np.testing.assert_array_equal(x, np.arange(size)[::-1])


@pytest.mark.parametrize("size", SIZES)
def test_one_value_in_two_outputs(device, size):
    with odla.Computation() as c:
        y = odla.neg(odla.argument("x", (size,)))
        odla.output(y, "a")
        odla.output(y, "b")
    with c.compile(device) as exe:
        x = np.arange(size, dtype="f4")
        for wanted in ([1, 1], [0, 1], [1, 0]):
            outputs = [np.zeros(size, "f4") if one else None for one in wanted]
            bound = exe.bind([x], outputs)
            for _ in range(3):
                bound.run()
            for one in outputs:
                if one is not None:
                    np.testing.assert_array_equal(one, -x)


def test_nothing_to_compute(device):
    with odla.Computation() as c:
        odla.output(odla.constant(np.float32(2)), "two")
    with c.compile(device) as exe:
        two = np.zeros((), "f4")
        exe.run_into([], [two])
        assert two == 2
        two[()] = 0
        exe.bind([], [two]).run()
        assert two == 2


WRITE_PROTECTED = np.zeros(3, "f4")
WRITE_PROTECTED.flags.writeable = False
FIT = np.zeros(3, "f4")


@pytest.mark.parametrize(
    "inputs, outputs, message",
    [
        ([FIT], [FIT], "1 inputs; accepted: 2"),
        ([FIT, FIT], [None] * 3, "3 outputs; accepted: 4"),
        ([FIT, FIT[:2]], [None] * 4, r"input 'y' is float32\[2\]; .* array of float32\[3\]"),
        ([FIT.astype("f8"), FIT], [None] * 4, r"input 'x' is float64\[3\]"),
        ([FIT.astype(">f4"), FIT], [None] * 4, r"input 'x' is >f4\[3\]"),
        ([FIT, np.zeros(6, "f4")[::2]], [None] * 4, "'y' is float32.*, not C-contiguous"),
        ([[1, 2, 3], FIT], [None] * 4, "input 'x' is of type list"),
        ([None, FIT], [None] * 4, "input 'x' is of type NoneType"),
        ([FIT, FIT], [FIT[None], None, None, None], r"output 'difference' is float32\[1, 3\]"),
        ([FIT, FIT], [WRITE_PROTECTED, None, None, None], "read-only"),
        ([FIT, FIT], [None, None, FIT, None], r"'known' is .* accepted: .* int64\[4\]"),
    ],
)
def test_arrays_that_do_not_fit(device, inputs, outputs, message):
    with chain(3).compile(device) as exe:
        for call in (exe.run_into, exe.bind):
            with pytest.raises(InvalidParameter, match=message):
                call(inputs, outputs)


def test_integers_out_of_range_are_refused(device):
    with chain(3, "int64").compile(device) as exe:
        inputs, outputs = arrays(3, "i8")
        bound = exe.bind(inputs, outputs)
        inputs[0][1] = 2**40
        for run in (bound.run, lambda: exe.run_into(inputs, outputs)):
            with pytest.raises(InvalidParameter, match="input 'x' holds 1099511627776"):
                run()
        inputs[0][1] = 5
        bound.run()
        check(inputs, outputs)


def test_a_closed_one_does_not_run(device):
    exe = chain(3).compile(device)
    inputs, outputs = arrays(3)
    bound = exe.bind(inputs, outputs)
    exe.close()
    for run in (bound.run, lambda: exe.run_into(inputs, outputs)):
        with pytest.raises(InvalidParameter, match="'chain' is closed; compile it again"):
            run()


def test_a_binding_keeps_its_executable(device):
    exe = chain(3).compile(device)
    inputs, outputs = arrays(3)
    bound = exe.bind(inputs, outputs)
    seen = weakref.ref(exe)
    del exe
    bound.run()
    check(inputs, outputs)
    del bound
    gc.disable()
    try:
        assert seen() is None  # there is no circle
    finally:
        gc.enable()


def test_threads_with_their_own_bindings(device):
    exe = chain(3).compile(device)
    failures = []

    def work(seed):
        inputs, outputs = arrays(3)
        bound = exe.bind(inputs, outputs)
        for step in range(200):
            inputs[0][:] = seed + step
            bound.run() if step % 2 else exe.run_into(inputs, outputs)
            try:
                check(inputs, outputs)
            except AssertionError as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failures
    exe.close()


def test_fp16_arrives_and_leaves_as_declared(device):
    with chain(3).compile(device, precision="fp16") as exe:
        inputs, outputs = arrays(3)
        inputs[0][0] = 70000  # beyond float16: held at its largest
        for run in (exe.bind(inputs, outputs).run, lambda: exe.run_into(inputs, outputs)):
            run()
            assert outputs[0][0] == np.float16(65504) - np.float16(inputs[1][0])
            np.testing.assert_array_equal(outputs[3][1:], (inputs[0] * inputs[1])[1:])


# Shapes that depend on what is fed.


@pytest.fixture
def compress(device):
    with odla.Computation("compress") as c:
        x = odla.argument("x", (6,))
        keep = odla.argument("keep", (6,), "bool")
        odla.output(odla.neg(odla.compress(x, keep, 0)), "kept")
        odla.output(odla.relu(x), "all")
    with c.compile(device) as exe:
        yield exe


def test_dynamic_results_say_their_shapes(compress):
    assert [(one.name, str(one.type)) for one in compress.fetches] == [
        ("kept", "float32[?]"),
        ("all", "float32[6]"),
    ]
    x, keep = np.arange(6, dtype="f4") - 2, np.array([1, 0, 1, 0, 0, 1], "?")
    outputs = [np.full(6, 7, "f4"), np.zeros(6, "f4")]
    bound = compress.bind([x, keep], outputs)
    assert compress.run_into([x, keep], outputs) == bound.run() == {0: (3,), 1: (6,)}
    np.testing.assert_array_equal(outputs[0], [2, 0, -3, 7, 7, 7])
    np.testing.assert_array_equal(outputs[1], np.maximum(x, 0))
    keep[:] = False
    keep[4] = True
    assert bound.run() == {0: (1,), 1: (6,)}
    assert outputs[0][0] == -2
    assert compress.run_into([x, keep], [None, None]) == {0: (1,), 1: (6,)}
    keep[:] = False
    assert compress.run_into([x, keep], outputs)[0] == (0,)


def test_dynamic_results_need_room(compress):
    x, keep = np.arange(6, dtype="f4"), np.ones(6, "?")
    with pytest.raises(InvalidParameter, match=r"'kept' is float32\[5\]; this run gives \[6\]"):
        compress.run_into([x, keep], [np.zeros(5, "f4"), None])
    with pytest.raises(InvalidParameter, match="'kept' is float64"):
        compress.run_into([x, keep], [np.zeros(6, "f8"), None])
    with pytest.raises(InvalidParameter, match="1 outputs; accepted: 2"):
        compress.run_into([x, keep], [None])
    with pytest.raises(InvalidParameter, match="1 inputs"):
        compress.run_into([x], [None, None])


@pytest.mark.parametrize("width", [3, 5000])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_results_whose_size_data_decide(device, width, axis, dtype):
    shape = (4, width) if axis == 0 else (width, 4)
    with odla.Computation() as c:
        x = odla.argument("x", shape, dtype)
        keep = odla.argument("keep", (4,), "bool")
        odla.output(odla.neg(x), "before")
        odla.output(odla.compress(x, keep, axis), "kept")
    with c.compile(device) as exe:
        assert [one.type.shape for one in exe.fetches] == [shape, shape]
        x = np.arange(4 * width).astype(dtype).reshape(shape)
        keep = np.zeros(4, "?")
        outputs = [np.zeros(shape, dtype), np.zeros(shape, dtype)]
        bound = exe.bind([x, keep], outputs)
        for kept in ([0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0]):
            keep[:] = kept
            expected = np.compress(kept, x, axis)
            for run in (bound.run, lambda: exe.run_into([x, keep], outputs)):
                outputs[1][:] = 0
                assert run() == {1: expected.shape}
                got = outputs[1].reshape(-1)[: expected.size].reshape(expected.shape)
                np.testing.assert_array_equal(got, expected)
                np.testing.assert_array_equal(outputs[0], -x)
            assert exe.run_into([x, keep], [None, None]) == {1: expected.shape}
            np.testing.assert_array_equal(exe.run(x=x, keep=keep)["kept"], expected)
