"""Custom ops by name: calls, what follows from a declaration, and where they can stand."""

import importlib
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from reference import custom as reference

import odla_ipu as odla
from odla_ipu import container, interpreter, kernels
from odla_ipu.custom import (
    CUSTOM_OPS,
    KERNELS,
    Kernel,
    all_custom_ops,
    popart_attributes,
    variadic_layout,
)
from odla_ipu.errors import InvalidParameter, UnsupportedOp, UnsupportedType
from odla_ipu.graph import specialise
from odla_ipu.registry import f32, f32s, flag, i32, i64, i64s, tensor, text, u32

X = np.linspace(-3, 3, 12, dtype="f4").reshape(3, 4)
GELU = reference.custom_IpuGelu(X)


def close(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


# Calls.


def test_an_unknown_name_lists_the_known_ones():
    with odla.Computation():
        x = odla.argument("x", (3,))
        with pytest.raises(
            UnsupportedOp, match=r"'Frobnicate' is not known.*DetectionOutput.*cust"
        ):
            odla.custom_op("Frobnicate", [x])


@pytest.mark.parametrize(
    "name, inputs, attributes, message",
    [
        ("custom_IpuGelu", [], {}, "0 inputs; accepted: x"),
        ("custom_IpuGelu", [X, X], {}, "2 inputs; accepted: x"),
        ("custom_IpuGelu", X, {}, "inputs is of type ndarray; accepted: a list"),
        ("custom_IpuGelu", [X], {"fast": 1}, "'fast' is not known; accepted: none"),
        ("CtcGreedyDecode", [X], {}, r"logits are FLOAT32\[3,4\], lengths none"),
        ("CtcGreedyDecode", [X[None]], {"blank": 4}, "blank is 4; accepted: -1 to 3"),
        ("CtcGreedyDecode", [X[None]], {"blank": 0.5}, "blank is 0.5; accepted: an integer"),
        ("DetectionOutput", [X, X, X], {"num_classes": 2}, "keep_top_k is missing"),
        ("ScatterND", [X, np.int64([[0, 1, 2]]), X], {}, "1 to 2 in the last dimension"),
        ("Sort", [X], {"axis": 2}, "axis is 2; accepted: -2 to 1"),
        ("ReverseSequence", [X, np.int64([1, 2])], {}, "a length for each sequence"),
        ("MaxUnpool", [X, np.int64(X * 0) + 12], {"output_shape": [12]}, "12; accepted: -12 to 11"),
    ],
)
def test_what_an_op_does_not_take_is_named(name, inputs, attributes, message):
    with odla.Computation(), pytest.raises(
        InvalidParameter, match=message.replace("FLOAT32", ".*")
    ):
        odla.custom_op(name, inputs, **attributes)


def test_a_wrong_type_is_named():
    with odla.Computation():
        with pytest.raises(UnsupportedType, match="x is INT32; accepted: FLOAT"):
            odla.custom_op("custom_IpuGelu", [np.int32([1])])
        with pytest.raises(UnsupportedType, match="updates is .*cast them to one element type"):
            odla.custom_op("ScatterND", [X, np.int64([[0]]), np.int32([[1, 2, 3, 4]])])
        with pytest.raises(UnsupportedType, match="UINT64"):
            odla.custom_op("BitwiseNot", [np.uint64([1])])


def test_optional_inputs_may_be_absent(device):
    logits = np.float32([[[0, 1]], [[1, 0]], [[0, 1]]])
    with odla.Computation() as c:
        x = odla.argument("x", logits.shape)
        for index, inputs in enumerate([[x], [x, None], (x, np.int32([1]))]):
            odla.output(odla.custom_op("CtcGreedyDecode", inputs, blank=1)[1], f"y{index}")
    got = c.run(x=logits, device=device)
    assert [one.tolist() for one in got.values()] == [[1], [1], [0]]


def test_printing_and_ids():
    with odla.Computation() as c:
        labels, count = odla.custom_op(
            "CtcGreedyDecode", [odla.argument("x", (2, 1, 3))], blank=0, id="decoded"
        )
    assert (labels.id, count.id) == ("decoded", "decoded_1")
    assert "= CtcGreedyDecode(%x, blank=0, merge_repeated=True)" in str(c)


# What follows from declarations.


def test_every_custom_op_is_documented_and_passes_attributes_to_c():
    for name, op in all_custom_ops().items():
        assert (op.__doc__ or "").strip(), name
        assert len(variadic_layout(op)) == sum(not field.is_tensor for field in op.fields)
    assert KERNELS.items() <= CUSTOM_OPS.items()
    assert {"custom_IpuGelu", "custom_IpuAttentionMask", "DetectionOutput"} <= KERNELS.keys()


def test_the_layout_of_detection_output_is_halos():
    assert [(one.name, *one.ctypes) for one in variadic_layout(KERNELS["DetectionOutput"])] == [
        ("background_label", "int"),
        ("confidence_threshold", "double"),
        ("keep_top_k", "int"),
        ("num_classes", "int"),
        ("share_location", "int"),
        ("code_type", "int"),
        ("nms_threshold", "double"),
        ("nms_top_k", "int"),
        ("nms_eta", "double"),
    ]


@pytest.fixture
def everything():
    """A kernel with an attribute of each kind, known while the test runs."""

    class Everything(Kernel):
        """All kinds of attributes."""

        x = tensor()
        a = i32()
        b = u32(7)
        c = i64(-1)
        d = f32(0.5)
        e = flag(True)
        f = text("t")
        g = i64s((1, 2))
        h = f32s((0.5,))

        def infer(self):
            return self.x.type

    yield Everything
    del KERNELS["Everything"], CUSTOM_OPS["Everything"]


def test_attributes_as_c_passes_them(everything):
    assert [one.ctypes for one in variadic_layout(everything)] == [
        ("int",),
        ("unsigned int",),
        ("int64_t",),
        ("double",),
        ("int",),
        ("const char *",),
        ("size_t", "const int64_t *"),
        ("size_t", "const double *"),
    ]


def test_attributes_as_popart_takes_them(everything):
    made = popart_attributes(everything, {"a": 3, "g": ()})
    assert made == {"a": 3, "b": 7, "c": -1, "d": 0.5, "e": 1, "f": "t", "h": [0.5]}
    assert type(made["e"]) is int
    with odla.Computation() as c:
        x = odla.argument("x", (2,))
        y = odla.custom_op("Everything", [x], a=1, g=np.int64([4]), h=[1, 2.5])
        assert (y.node.g, y.node.h) == ((4,), (1.0, 2.5))
        with pytest.raises(InvalidParameter, match="h is 'ab'; accepted: a sequence of numbers"):
            odla.custom_op("Everything", [x], a=1, h="ab")
    assert "a=1, b=7, c=-1, d=0.5, e=True, f=t, g=(4,), h=(1.0, 2.5)" in str(c)


def test_two_kernels_of_one_name_are_refused(everything):
    with pytest.raises(odla.errors.InvalidParameter, match="Everything is declared in .*already"):
        type("Everything", (Kernel,), {})


@pytest.mark.parametrize("name", ["name", "inputs", "domain", "infer", "graph"])
def test_a_field_does_not_hide_what_every_op_has(name):
    with pytest.raises(InvalidParameter, match=f"custom op Hiding: {name} means something else"):
        type("Hiding", (Kernel,), {name: i32()})
    assert "Hiding" not in CUSTOM_OPS and "Hiding" not in KERNELS


# Where they can stand.


def test_open_shapes_are_fixed_later(device):
    with odla.Computation() as c:
        x = odla.argument("x", ("n", -1))
        odla.output(odla.custom_op("custom_IpuGelu", [x]), "y")
    assert c.outputs["y"].shape == ("n", -1)
    assert specialise(c.graph, {"x": (3, 4)}).outputs[0].value.shape == (3, 4)
    close(c.run(x=X, device=device)["y"], GELU)
    close(c.run(x=X[:2], device=device)["y"], GELU[:2])


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_precisions(precision, device):
    with odla.Computation() as c:
        x = odla.argument("x", X.shape)
        odla.output(odla.mul(odla.custom_op("custom_IpuGelu", [odla.add(x, 1)]), 2), "y")
        odla.output(odla.custom_op("Determinant", [odla.custom_op("custom_IpuGelu", [M])]), "d")
    got = c.run(x=X, device=device, precision=precision)
    rate = 1e-5 if precision == "fp32" else 1e-2
    np.testing.assert_allclose(got["y"], 2 * reference.custom_IpuGelu(X + 1), rate, rate)
    np.testing.assert_allclose(got["d"], np.linalg.det(reference.custom_IpuGelu(M)), rate, rate)


M = np.float32([[[2, 1], [0, 3]]])


def test_channels_last_values_pass(device):
    image = np.arange(32, dtype="f4").reshape(1, 4, 4, 2) / 8
    with odla.Computation() as c:
        x = odla.argument("x", image.shape)
        pooled = odla.max_pool(x, window_dims=(2, 2), strides=(2, 2), input_layout="channels_last")
        odla.output(odla.custom_op("custom_IpuGelu", [pooled]), "y")
    wanted = reference.custom_IpuGelu(image.reshape(1, 2, 2, 2, 2, 2).max((2, 4)))
    close(c.run(x=image, device=device)["y"], wanted)


@pytest.mark.parametrize("condition", [True, False])
def test_in_a_branch(condition, device):
    with odla.Computation() as c:
        x, flag = odla.argument("x", X.shape), odla.argument("flag", (), "bool")
        with odla.if_(flag) as branches:
            with branches.then():
                odla.output(odla.custom_op("custom_IpuGelu", [x]))
            with branches.otherwise():
                odla.output(odla.neg(x))
        odla.output(branches.results[0], "y")
    got = c.run(x=X, flag=np.bool_(condition), device=device)
    close(got["y"], GELU if condition else -X)


def test_in_a_loop(device):
    with odla.Computation() as c:
        with odla.loop(3) as loop:
            value = loop.variable(odla.argument("x", X.shape))
            loop.next(value, odla.custom_op("custom_IpuGelu", [value]), "fwd_after")
        last, rows = loop.results
        odla.output(last, "last")
        odla.output(rows, "rows")
    wanted, got = [X], c.run(x=X, device=device)
    for _ in range(3):
        wanted.append(reference.custom_IpuGelu(wanted[-1]))
    close(got["last"], wanted[-1])
    close(got["rows"], wanted[1:])


def test_interpreted(monkeypatch, device):
    monkeypatch.setenv("ODLA_IPU_DEVICE", device)
    interpreter._executables.clear()
    close(np.asarray(odla.custom_op("custom_IpuGelu", [odla.constant(X)])), GELU)
    close(np.asarray(odla.custom_op("custom_IpuGelu", [odla.constant(-X)])), (GELU - X))
    assert len(interpreter._executables) == 1
    values, places = odla.custom_op("Sort", [odla.constant(np.float32([2, 3, 1]))])
    assert np.asarray(places).tolist() == [2, 0, 1] and np.asarray(values).tolist() == [1, 2, 3]


def test_of_constants_alone(device):
    with odla.Computation() as c:
        odla.output(odla.custom_op("custom_IpuGelu", [odla.constant(X)]), "y")
        odla.output(odla.nms(BOXES, SCORES, max_num_outputs=3, iou_threshold=0.5), "rows")
        odla.output(odla.relu(odla.argument("x", (1,))), "z")
    got = c.run(x=np.float32([1]), device=device)
    close(got["y"], GELU)
    assert got["rows"].tolist() == [[0, 0, 2], [0, 0, 0]]


BOXES = np.float32([[[0, 0, 1, 1], [0, 0, 1, 0.9], [2, 2, 3, 3]]])
SCORES = np.float32([[[0.8, 0.7, 0.9]]])


@pytest.mark.parametrize(
    ("starts", "places", "message"),
    [
        ([0, 2], 3, "one for each of 4"),
        ([1, 0], 4, "rising"),
        ([], 4, "rising"),
        ([0, 7], 4, "0 to 6"),
    ],
)
def test_the_pool_of_tf_idf_is_checked(starts, places, message):
    numbers = {"starts": starts, "shortest": 1, "longest": 2, "skips": 0, "columns": 4}
    with odla.Computation():
        x, pool = odla.argument("x", (2, 9), "int32"), odla.argument("pool", (6,), "int32")
        columns = odla.argument("places", (places,), "int32")
        with pytest.raises(InvalidParameter, match=message):
            odla.custom_op("TfIdf", [x, pool, columns], **numbers)


def test_a_column_of_tf_idf_that_does_not_exist_counts_nothing(device):
    with odla.Computation() as c:
        x, places = odla.argument("x", (1, 4), "int32"), odla.argument("places", (2,), "int32")
        pool = odla.constant(np.int32([7, 8]))
        numbers = {"starts": [0], "shortest": 1, "longest": 1, "skips": 0, "columns": 3}
        odla.output(odla.custom_op("TfIdf", [x, pool, places], **numbers), "y")
    for other in (3, -1, 2**31 - 1):
        got = c.run(x=np.int32([[7, 8, 7, 9]]), places=np.int32([1, other]), device=device)
        assert got["y"].tolist() == [[0, 2, 0]]


# Documentation.


def test_the_documented_kernel(tmp_path, monkeypatch, device):
    """The folder that docs/adding-a-kernel.md walks through, and its calls."""
    root = pathlib.Path(__file__).parents[1]
    text = (root / "docs" / "adding-a-kernel.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    codelet, op = re.findall(r"```cpp\n(.*?)```", text, re.S)
    folder = tmp_path / "scaled_softsign"
    folder.mkdir()
    for name, content in (("__init__", blocks[0]), ("codelet", codelet), ("op", op)):
        (folder / f"{name}.{'py' if name == '__init__' else 'cpp'}").write_text(content)
    (tmp_path / "include").symlink_to(root / "kernels" / "include")
    monkeypatch.setattr(kernels, "__path__", [*kernels.__path__, str(tmp_path)])
    importlib.import_module("odla_ipu.kernels.scaled_softsign")
    try:
        with odla.Computation() as c:
            (call,) = (block for block in blocks if block.startswith("y = odla_ipu.custom_op"))
            names = {"odla_ipu": odla, "x": odla.argument("x", X.shape)}
            exec(call, names)
            odla.output(names["y"], "y")
            with pytest.raises(InvalidParameter, match="scale is 0"):
                odla.custom_op("ScaledSoftsign", [names["x"]], scale=0)
        close(c.run(x=X, device=device)["y"], 2 * X / (1 + np.abs(X)))
    finally:
        del KERNELS["ScaledSoftsign"], CUSTOM_OPS["ScaledSoftsign"]


# Files.


def computation():
    with odla.Computation("detector") as c:
        boxes, scores = odla.argument("boxes", (1, 3, 4)), odla.argument("scores", (1, 1, 3))
        odla.output(odla.nms(boxes, scores, max_num_outputs=3, iou_threshold=0.5), "rows")
        odla.output(odla.custom_op("custom_IpuGelu", [scores]), "y")
    return c


def test_an_executable_file_runs_in_a_fresh_process(tmp_path, device):
    path, data = str(tmp_path / "a.odla"), str(tmp_path / "a.npz")
    computation().compile(device).save(path)
    np.savez(data, boxes=BOXES, scores=SCORES)
    script = f"""
import numpy as np, odla_ipu as odla
data = np.load({data!r})
exe = odla.Executable.load({path!r}, {device!r})
assert exe.outputs["rows"].shape == (3, 3)
print(exe.run(boxes=data["boxes"], scores=data["scores"])["rows"].tolist())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[0, 0, 2], [0, 0, 0]]"
    header, _ = container.read(path)
    assert header["kernels"] == ["NonMaxSuppression", "custom_IpuGelu"]


def test_a_file_with_an_unknown_kernel_is_refused(tmp_path, device):
    path = str(tmp_path / "a.odla")
    computation().compile(device).save(path)
    header, sections = container.read(path)
    header["kernels"] = ["Frobnicate"]
    contents = {name: container.content(path, one) for name, one in sections.items()}
    container.write(path, header, contents)
    with pytest.raises(UnsupportedOp, match="kernel 'Frobnicate' is not known.*NonMaxSuppression"):
        odla.Executable.load(path, device)


# Speed of the bodies that stand in for codelets.


def test_ten_thousand_boxes_take_less_than_a_second(device):
    generator = np.random.RandomState(0)
    low = generator.uniform(0, 1000, (1, 10000, 2))
    boxes = np.concatenate([low, low + generator.uniform(5, 100, low.shape)], 2).astype("f4")
    scores = generator.uniform(0, 1, (1, 1, 10000)).astype("f4")
    with odla.Computation() as c:
        values = [odla.argument(name, x.shape) for name, x in (("b", boxes), ("s", scores))]
        selected = odla.nms(*values, max_num_outputs=10000, iou_threshold=0.5)
        odla.output(selected, "y")
    exe = c.compile(device)
    start = time.process_time()
    got = exe.run(b=boxes, s=scores)["y"]
    assert time.process_time() - start < 1
    assert 100 < len(got) < 10000
    assert (np.diff(scores[0, 0, got[:, 2]]) <= 0).all()
