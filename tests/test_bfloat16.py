"""BFLOAT16: computed as FLOAT32, rounded where it leaves the device and by Cast."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper
from test_ops import build, cases

import odla_ipu as odla
from odla_ipu.cli import main
from odla_ipu.executable import Executable
from odla_ipu.types import ElementType, element_type

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
EPSILON = 2.0**-8
"""Half a unit in the last of 8 bits, relative."""


def as_bfloat16(numbers):
    with np.errstate(all="ignore"):
        return np.asarray(numbers).astype(BFLOAT16)


def _same(got, wanted):
    """Equal, NaN to NaN, which numpy does not see in BFLOAT16."""
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got.astype(np.float32), wanted.astype(np.float32))


def test_element_type():
    assert element_type("bfloat16") is element_type(BFLOAT16) is ElementType.BFLOAT16
    assert ElementType.BFLOAT16.dtype == BFLOAT16
    assert ElementType.BFLOAT16.host_bytes == BFLOAT16.itemsize == 2


# Every op with FLOAT32 operands, from its samples.


def _narrowed(operand):
    if isinstance(operand, tuple):
        return tuple(map(_narrowed, operand))
    is_single = operand is not None and operand.dtype == np.float32
    return as_bfloat16(operand) if is_single else operand


def _widened(operand):
    if isinstance(operand, tuple):
        return tuple(map(_widened, operand))
    is_narrow = operand is not None and operand.dtype == BFLOAT16
    return operand.astype(np.float32) if is_narrow else operand


def _float_cases():
    """All samples with FLOAT32 operands; one of each op is not slow."""
    seen = set()
    for case in cases():
        sample, reference = case.values
        changed = sample._replace(operands=tuple(map(_narrowed, sample.operands)))
        if sample.attributes.get("target_type") == "float16":
            continue  # test_cast_to: numbers rounded beyond 65504 saturate
        if any(_is_narrow(operand) for operand in changed.operands):
            marks = [pytest.mark.slow] if sample.op in seen else []
            seen.add(sample.op)
            yield pytest.param(changed, reference, id=case.id, marks=marks)


def _is_narrow(operand):
    if isinstance(operand, tuple):
        return any(map(_is_narrow, operand))
    return operand is not None and operand.dtype == BFLOAT16


@pytest.mark.parametrize("sample, reference", list(_float_cases()))
def test_op(sample, reference, device):
    c, inputs = build(sample)
    got = c.run(inputs, device=device)
    with np.errstate(all="ignore"):
        expected = reference(*map(_widened, sample.operands), **sample.attributes)
    expected = expected if isinstance(expected, (tuple, list)) else (expected,)
    assert len(got) == len(expected)
    for (name, result), wanted in zip(got.items(), expected):
        kind = c.outputs[name].element_type
        assert result.dtype == kind.dtype
        assert result.shape == np.shape(wanted)
        rtol = sample.rtol + (EPSILON if kind is ElementType.BFLOAT16 else 0)
        result = result.astype(np.float32) if result.dtype == BFLOAT16 else result
        np.testing.assert_allclose(result, wanted, rtol=rtol, atol=sample.atol)


# Casts.


def _numbers():
    """Every BFLOAT16 number, as it is, and with what lies between it and the next one."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x4000, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    return (upper[:, None] | lower).view(np.float32)


def _cast(array, path, device, precision="fp32"):
    """``array`` cast to each type of ``path`` in turn, on the device."""
    with odla.Computation() as c:
        x = odla.argument("x", array.shape, array.dtype)
        for kind in path:
            x = odla.cast(x, kind)
        odla.output(x, "y")
    return c.run(x=array, device=device, precision=precision)["y"]


def _folded(array, path):
    with odla.Computation():
        x = odla.constant(array)
        for kind in path:
            x = odla.cast(x, kind)
    return x.data


@pytest.mark.parametrize("limited", [False, True], ids=["as result", "in the middle"])
def test_cast_rounds_halves_to_even(limited, device):
    x = _numbers().reshape(64, -1)
    path = ["bfloat16", "float32"] if limited else ["bfloat16"]
    wanted = as_bfloat16(x).astype(np.float32)
    folded = np.stack([_folded(row, path) for row in x])  # row by row: long results do not fold
    for got in (_cast(x, path, device), folded):
        _same(got, wanted)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    "kind", ["float16", "float64", "int16", "int32", "int64", "uint32", "bool"]
)
def test_cast_from(kind, precision, device):
    generator = np.random.RandomState(1)
    low = 0 if kind in ("uint32", "bool") else -30000
    x = (generator.uniform(low, 30000, 500) * (0.01 if kind[0] == "f" else 1)).astype(kind)
    wanted = as_bfloat16(x.astype(np.float32)).astype(np.float32)
    got = _cast(x, ["bfloat16", "float32"], device, precision)
    if precision == "fp16" and kind == "float64":  # rounded to FLOAT16 first
        wanted = as_bfloat16(x.astype(np.float16)).astype(np.float32)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(_folded(x, ["bfloat16", "float32"]), as_bfloat16(x))


@pytest.mark.parametrize(
    "kind", ["float16", "float32", "float64", "int32", "int64", "uint8", "bool"]
)
def test_cast_to(kind, device):
    x = as_bfloat16(np.concatenate([np.arange(256), [0.5, 1.75, 255.0]]))
    for got in (_cast(x, [kind], device), _folded(x, [kind])):
        assert got.dtype == kind
        np.testing.assert_array_equal(got, x.astype(np.float32).astype(kind))


def test_cast_inside_a_branch_rounds(device):
    with odla.Computation() as c:
        x = odla.argument("x", (1,))
        with odla.if_(odla.greater(x, 0.0)) as branches:
            with branches.then():
                odla.output(odla.cast(odla.cast(x, "bfloat16"), "float32"))
            with branches.otherwise():
                odla.output(x)
        odla.output(branches.results[0], "y")
    for number in (1.001, -1.001):
        wanted = as_bfloat16(number) if number > 0 else np.float32(number)
        assert c.run(x=[number], device=device)["y"] == wanted


# Around the device.


def _doubled():
    with odla.Computation() as c:
        x = odla.argument("x", (3,), "bfloat16")
        odla.output(odla.mul(x, 2.0), "y")
        odla.output(x, "same")
        odla.output(odla.constant(as_bfloat16([1, np.nan])), "known")
    return c


def _is_doubled(results):
    assert all(result.dtype == BFLOAT16 for result in results.values())
    np.testing.assert_array_equal(results["y"], as_bfloat16([2, 3, -np.inf]))
    np.testing.assert_array_equal(results["same"], as_bfloat16([1, 1.5, -np.inf]))
    _same(results["known"], as_bfloat16([1, np.nan]))


INPUT = as_bfloat16([1, 1.5, -np.inf])


def test_results_have_the_type(device):
    c = _doubled()
    _is_doubled(c.run(x=INPUT, device=device))
    _is_doubled(c.run(x=[1.0, 1.5, -np.inf], device=device))
    with pytest.raises(odla.errors.UnsupportedType, match=r"takes bfloat16\[3\], not float32"):
        c.run(x=INPUT.astype(np.float32), device=device)


def test_executable_file(tmp_path, device):
    with _doubled().compile(device) as made:
        made.save(tmp_path / "f.odla")
    with Executable.load(tmp_path / "f.odla", device) as loaded:
        assert loaded.arguments["x"].element_type is ElementType.BFLOAT16
        _is_doubled(loaded.run(x=INPUT))


def test_fp16_holds_numbers_within_its_range(device):
    with odla.Computation() as c:
        x = odla.argument("x", (3,), "bfloat16")
        y = odla.argument("y", (3,), "float64")
        odla.output(odla.add(x, odla.cast(y, "bfloat16")), "z")
    x, y = as_bfloat16([1, 1e30, -1e30]), np.array([0.5, 0, 1])
    z = c.run(x=x, y=y, device=device, precision="fp16")["z"]
    np.testing.assert_array_equal(z, as_bfloat16([1.5, 65504, -65504]))


def test_interpreted():
    x = odla.constant(as_bfloat16([[1, 2], [3, 4.5]]))
    y = odla.batch_matmul(x, odla.cast(np.float32([[1, 0], [0, 2]]), "bfloat16"))
    assert np.asarray(y).dtype == BFLOAT16
    np.testing.assert_array_equal(np.asarray(y), as_bfloat16([[1, 4], [3, 9]]))


def test_random_numbers_are_rounded_once():
    with odla.Computation():
        narrow, single = (
            odla.fill((kind, (40,)), "random_normal", seed=3.0).data
            for kind in ("bfloat16", "float32")
        )
    np.testing.assert_allclose(narrow.astype(np.float32), single, rtol=EPSILON)


def test_nan_in_a_constant_is_noted(device):
    with odla.Computation() as c:
        odla.output(odla.add(odla.argument("x", (2,), "bfloat16"), as_bfloat16([1, np.nan])), "y")
    with pytest.warns(RuntimeWarning, match="contains NaN"):
        c.compile(device)


# ONNX files.


def _model(initializer):
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    ports = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, [3]) for name in "xy"]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], [initializer])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _stored(way):
    numbers = as_bfloat16([2, 2, 2])
    if way == "raw":
        return helper.make_tensor("w", TensorProto.BFLOAT16, [3], numbers.tobytes(), raw=True)
    made = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[3])
    made.int32_data.extend(numbers.view(np.uint16).astype(int).tolist())
    return made


@pytest.mark.parametrize("way", ["raw", "numbers"])
def test_onnx(way, device, tmp_path):
    onnx.save(_model(_stored(way)), str(tmp_path / "m.onnx"))
    c = odla.load(str(tmp_path / "m.onnx"))
    assert c.arguments["x"].element_type is c.outputs["y"].element_type is ElementType.BFLOAT16
    y = c.run(x=INPUT, device=device)["y"]
    np.testing.assert_array_equal(y, as_bfloat16([2, 3, -np.inf]))


def test_command_line(device, tmp_path):
    model = str(tmp_path / "m.onnx")
    onnx.save(_model(_stored("raw")), model)
    for array in (INPUT, INPUT.astype(np.float32)):
        np.save(tmp_path / "x.npy", array)
        command = ["run", model, "--input", f"x={tmp_path / 'x.npy'}", "--device", device]
        done = CliRunner().invoke(main, [*command, "--output", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
        y = np.load(tmp_path / "out" / "y.npy")
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, [2, 3, -np.inf])
    done = CliRunner().invoke(main, ["bench", model, "--device", device])
    assert done.exit_code == 0, done.output
