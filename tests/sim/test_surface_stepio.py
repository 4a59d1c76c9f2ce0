"""Step IO, data flow and tensor info: what is taken, what is refused and with which words."""

import time

import numpy as np
import pytest

import odla_ipu.sim as popart


def arrays(**given):
    return {name: np.asarray(value) for name, value in given.items()}


STRIDED = {
    "transposed": np.zeros((3, 4), np.float32).T,
    "column": np.zeros((3, 4), np.float32)[:, 1],
    "stepped": np.zeros(8, np.int32)[::2],
    "fortran": np.asfortranarray(np.zeros((2, 3), np.float16)),
}


@pytest.mark.parametrize("array", STRIDED.values(), ids=STRIDED.keys())
def test_arrays_that_are_not_contiguous_are_refused(array):
    for make in (
        lambda: popart.PyStepIO({"x": array}, {}),
        lambda: popart.PyStepIO({}, {"x": array}),
        lambda: popart.PyWeightsIO({"x": array}),
    ):
        with pytest.raises(popart.popart_exception, match='"x".*not c-contiguous'):
            make()


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1, 5), (5, 1), (2, 3, 4)])
def test_contiguous_arrays_are_taken_as_they_are(shape):
    array = np.zeros(shape, np.float32)
    assert popart.PyStepIO({"x": array}, {})._inputs["x"] is array
    assert popart.PyStepIO({}, {"y": array})._outputs["y"] is array


@pytest.mark.parametrize("wrong", [[1.0], 1.0, None, "x"])
def test_what_is_no_array_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="PyStepIO"):
        popart.PyStepIO({"x": wrong}, {})
    with pytest.raises(TypeError, match="dict"):
        popart.PyStepIO(wrong, {})
    with pytest.raises(TypeError, match="tensor id"):
        popart.PyStepIO({1: np.zeros(3)}, {})


def test_later_changes_of_the_dict_do_not_reach_the_step():
    inputs = arrays(x=[1.0])
    step = popart.PyStepIO(inputs, {})
    inputs["y"] = np.zeros(3)
    assert set(step._inputs) == {"x"}


def test_runtime_asserts_can_be_switched_off():
    step = popart.PyStepIO({}, {})
    assert step._runtime_asserts
    step.enableRuntimeAsserts(False)
    assert not step._runtime_asserts


def test_making_a_step_is_cheap():
    inputs, outputs = arrays(x=[1.0], z=[2.0]), arrays(y=[1.0])
    best = min(timed(lambda: popart.PyStepIO(inputs, outputs)) for _ in range(20))
    assert best < 5e-6


def timed(function, repeats=500):
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def test_step_io_has_no_other_attributes():
    with pytest.raises(AttributeError):
        popart.PyStepIO({}, {}).note = 1


def test_callbacks_must_be_callable():
    with pytest.raises(TypeError, match="four callables"):
        popart.PyStepIOCallback(print, print, None, print)


@pytest.mark.parametrize("count", [0, -1])
def test_batches_per_step_must_be_positive(count):
    with pytest.raises(popart.popart_exception, match="must be greater than zero"):
        popart.DataFlow(count, {})
    with pytest.raises(popart.popart_exception, match="must be greater than zero"):
        popart.DataFlow(1, {}).setBatchesPerStep(count)


@pytest.mark.parametrize("name", ["All", "ALL", "final", "Sum", "sUM"])
def test_return_types_have_no_period(name):
    returned = popart.AnchorReturnType(name)
    assert returned.id().name.lower() == name.lower()
    with pytest.raises(popart.popart_exception, match="should not be supplied"):
        popart.AnchorReturnType(name, 2)


def test_every_n_needs_a_period_that_divides():
    with pytest.raises(popart.popart_exception, match="Must specify a return period"):
        popart.AnchorReturnType("EveryN")
    with pytest.raises(popart.popart_exception, match="must be greater than zero"):
        popart.AnchorReturnType("EveryN", 0)
    every = popart.AnchorReturnType("everyn", 3)
    assert (every.id(), every.rp()) == (popart.AnchorReturnTypeId.EveryN, 3)
    assert popart.DataFlow(6, {"a": every}).art("a").rp() == 3
    with pytest.raises(popart.popart_exception, match='3 of anchor "a" must divide .* 4'):
        popart.DataFlow(4, {"a": every})


def test_return_type_must_be_known():
    with pytest.raises(popart.popart_exception, match='"Last"'):
        popart.AnchorReturnType("Last")
    with pytest.raises(TypeError):
        popart.DataFlow(1, {"a": "All"})


def test_anchors_of_a_data_flow():
    flow = popart.DataFlow(2, ["b", "a"], popart.AnchorReturnType("Sum"))
    assert list(flow.anchors()) == ["b", "a"]
    assert (flow.batchesPerStep(), flow.nAnchors()) == (2, 2)
    assert flow.isAnchored("a") and not flow.isAnchored("c")
    assert flow.art("a").id() is popart.AnchorReturnTypeId.Sum
    assert popart.DataFlow(1, ["a"]).art("a").id() is popart.AnchorReturnTypeId.All
    with pytest.raises(popart.popart_exception, match='"c" is not an anchor'):
        flow.art("c")


def test_input_shape_info():
    info = popart.InputShapeInfo()
    info.add("x", popart.TensorInfo("FLOAT", [1, 2]))
    assert info.has("x") and not info.has("y")
    assert info.get("x") == popart.TensorInfo("FLOAT", [1, 2])
    with pytest.raises(popart.popart_exception, match='"y"'):
        info.get("y")
    with pytest.raises(TypeError):
        info.add("x", [1, 2])


NUMPY_NAMES = popart.tensorinfo._NUMPY_TYPES


@pytest.mark.parametrize("numpy_type", NUMPY_NAMES)
def test_tensor_info_of_numpy_types(numpy_type):
    array = np.zeros((3, 1, 5), numpy_type)
    for info in (popart.TensorInfo(array), popart.TensorInfo(numpy_type, [3, 1, 5])):
        assert info.data_type() == NUMPY_NAMES[numpy_type]
        assert info.data_type_lcase() == array.dtype.name
        assert (info.shape(), info.rank(), info.nelms()) == ([3, 1, 5], 3, array.size)
        assert info.nbytes() == array.nbytes
        assert info.strides([3, 1, 5]) == list(array.strides)
    assert popart.getTensorInfo(array) == popart.TensorInfo(array)


def test_numpy_types_are_those_of_the_table():
    expected = {
        "uint8": "UINT8",
        "uint16": "UINT16",
        "uint32": "UINT32",
        "uint64": "UINT64",
        "int8": "INT8",
        "int16": "INT16",
        "int32": "INT32",
        "int64": "INT64",
        "float16": "FLOAT16",
        "float32": "FLOAT",
        "float64": "DOUBLE",
        "bool": "BOOL",
    }
    for name, popart_name in expected.items():
        assert popart.TensorInfo(np.dtype(name), []).data_type() == popart_name


def test_tensor_info_refusals():
    with pytest.raises(TypeError):
        popart.TensorInfo()
    with pytest.raises(TypeError):
        popart.TensorInfo("FLOAT", [1], [1])
    with pytest.raises(KeyError):
        popart.TensorInfo(np.complex64, [1])
    with pytest.raises(popart.popart_exception, match='"FLOAT32"'):
        popart.TensorInfo("FLOAT32", [1])
    with pytest.raises(popart.popart_exception, match="complex64"):
        popart.getTensorInfo(np.zeros(3, np.complex64))
    with pytest.raises(popart.popart_exception, match="Invalid input dimension 2"):
        popart.TensorInfo("FLOAT", [1, 2]).dim(2)
    with pytest.raises(popart.popart_exception, match="no size"):
        popart.TensorInfo("STRING", [1]).nbytes()


def test_tensor_info_shapes():
    scalar = popart.TensorInfo("INT32", [])
    assert (scalar.nelms(), scalar.nbytes(), scalar.rank()) == (1, 4, 0)
    assert popart.TensorInfo("FLOAT", [0, 7]).nelms() == 0
    assert popart.TensorInfo("FLOAT", "(2,3)").shape() == [2, 3]
    assert popart.TensorInfo("FLOAT", [2]) != popart.TensorInfo("FLOAT16", [2])
    assert popart.TensorInfo("FLOAT", [2]) != popart.TensorInfo("FLOAT", [2, 1])
