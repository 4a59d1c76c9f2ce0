"""odla_CustomOp with its variable arguments, and ops with several results for one id."""

import pathlib
import re

import lib_programs as programs
import numpy as np
import pytest
from reference import custom as reference
from reference import yolo
from samples.custom import SAMPLES
from samples.yolo import SAMPLES as YOLO

from odla_ipu import custom
from odla_ipu.abi import arguments
from odla_ipu.types import element_type

PROGRAM = r"""
#include <ODLA/odla_ipu.h>
#include <stdio.h>
#include <stdlib.h>

#define ID(text) ((odla_value_id)(text))

static void* memory(const char* name, size_t size) {
  char* data = malloc(size + 1);
  FILE* file = name ? fopen(name, "rb") : NULL;
  if (name && (!file || fread(data, 1, size, file) != size)) exit(2);
  if (file) fclose(file);
  return data;
}

static void store(const char* name, const void* data, size_t size) {
  FILE* file = fopen(name, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file)) exit(2);
}

static odla_values call(odla_value* inputs) {
  odla_values operands = {0, {NULL}}, results = {0, {NULL}};
  odla_value_ids ids = {1, {ID("result")}};
  (void)operands, (void)ids, (void)store, (void)inputs;
  @CALL@
  return results;
}

static odla_value operand(int interprets, odla_value_type type, const char* id, void* data) {
  if (!interprets) return odla_CreateArgument(type, ID(id));
  odla_value value = odla_CreateValue(type, ID(id));
  odla_SetValueData(value, data);
  return value;
}

int main(int argc, char** argv) {
  int interprets = argc > 1;
  odla_computation computation;
  odla_context context = NULL;
  odla_value inputs[@COUNT@ + 1];
  void* data[@COUNT@ + 1];
  odla_status status = ODLA_SUCCESS;
  (void)argv;
  if (!interprets) odla_CreateComputation(&computation);
  @INPUTS@
  odla_values results = call(inputs);
  printf("size %d %s\n", (int)results.size, results.size ? "" : odla_ipu_LastError());
  if (!results.size) return 0;
  if (!interprets) {
    odla_CreateContext(&context);
    for (int i = 0; i < @COUNT@; ++i) status |= odla_BindToArgument(inputs[i], data[i], context);
    @OUTPUTS@
    status |= odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, NULL);
    if (status) printf("failed %s\n", odla_ipu_LastError());
    @STORE@
  } else {
    @READ@
  }
  return status;
}
"""


def constant(kind):
    return f"ODLA_{kind.name}"


def run(folder, inputs, call, outputs, interprets=False):
    """What a program computes that makes ``call``; ``outputs`` are (index, dtype, shape)."""
    made = []
    for place, array in enumerate(inputs):
        array.tofile(str(folder / f"input{place}"))
        dims = ",".join(map(str, array.shape)) or "0"
        kind = constant(element_type(array.dtype))
        made.append(
            f'data[{place}] = memory("input{place}", {array.nbytes});\n  {{ odla_value_type type = '
            f"{{{kind}, {{{array.ndim}, {{{dims}}}}}}}; inputs[{place}] = "
            f'operand(interprets, type, "x{place}", data[{place}]); }}'
        )
    sizes = [int(np.prod(shape)) * np.dtype(dtype).itemsize for _, dtype, shape in outputs]
    bound = [f"char* out{i} = memory(NULL, {size});" for i, size in enumerate(sizes)]
    bound += [f"odla_SetValueAsOutput(results.values[{index}]);" for index, _, _ in outputs]
    # All by the one id, in their order, as programs do.
    bound += [
        f'status |= odla_BindToOutputById(ID("result"), out{i}, context);'
        for i in range(len(outputs))
    ]
    stored = [f'store("output{i}", out{i}, {size});' for i, size in enumerate(sizes)]
    read = [
        f"char* out{i} = memory(NULL, {sizes[i]}); "
        f"status |= odla_GetValueData(results.values[{index}], out{i}, NULL); {stored[i]}"
        for i, (index, _, _) in enumerate(outputs)
    ]
    source = PROGRAM
    for name, text in {
        "CALL": call,
        "COUNT": str(len(inputs)),
        "INPUTS": "\n  ".join(made),
        "OUTPUTS": "\n    ".join(bound),
        "STORE": "\n    ".join(stored),
        "READ": "\n    ".join(read),
    }.items():
        source = source.replace(f"@{name}@", text)
    program = programs.build(folder, source)
    done = programs.run(program, *(["interpret"] if interprets else []), cwd=folder)
    assert "failed" not in done.stdout, done.stdout
    results = [
        np.fromfile(str(folder / f"output{i}"), dtype).reshape(shape)
        for i, (_, dtype, shape) in enumerate(outputs)
        if (folder / f"output{i}").exists()
    ]
    return results, done.stdout


def custom_call(name, count, attributes, function_name="NULL"):
    lines = [f"operands.size = {count};"]
    lines += [f"operands.values[{place}] = inputs[{place}];" for place in range(count)]
    given = "".join(f", {one}" for one in attributes)
    lines.append(f'results = odla_CustomOp(operands, "{name}", {function_name}, ids{given});')
    return "\n  ".join(lines)


MODES = {"tf": 0, "idf": 1, "tfidf": 2}
"""The enumerators of TfIdf."""


def c_arguments(name, attributes):
    """The attributes as C's arguments, written by the types that the layout tells."""
    cls = custom.find(name)
    declared = {field.name: field.default for field in cls.fields if not field.is_tensor}
    found = []
    for one in custom.variadic_layout(cls):
        value = attributes.get(one.name, declared[one.name])
        if len(one.ctypes) == 2:
            base = one.ctypes[1].replace("const ", "").replace(" *", "")
            listed = ", ".join(map(repr, value)) or "0"
            found.append(f"(size_t){len(value)}, ({base}[]){{{listed}}}")
        elif one.ctypes == ("const char *",):
            found.append(f'"{value}"')
        elif one.ctypes == ("double",):
            found.append(f"{float(value)!r}f" if abs(value) < 3 else f"{float(value)!r}")
        else:
            found.append(f"({one.ctypes[0]}){int(MODES.get(value, value))}")
    return found


DETECTION = [one for one in SAMPLES if one.op == "DetectionOutput"]


@pytest.mark.parametrize("place", [0, 1, 4])
def test_detection_output(tmp_path, place):
    """One id, nine variable arguments, floats among them; the objects are at index 1."""
    sample = DETECTION[place]
    attributes = {
        "background_label": 0,
        "confidence_threshold": 0.0,
        "keep_top_k": None,
        "num_classes": None,
        "share_location": 1,
        "code_type": 1,
        "nms_threshold": 0.3,
        "nms_top_k": -1,
        "nms_eta": 1.0,
        **sample.attributes,
    }
    arguments = [f"{x!r}f" if isinstance(x, float) else str(x) for x in attributes.values()]
    assert len(arguments) == 9
    counts, objects = reference.DetectionOutput(*sample.operands, **sample.attributes)
    call = custom_call("DetectionOutput", 3, arguments, '"DetectionOutput"')
    (found,), text = run(tmp_path, sample.operands, call, [(1, "float32", np.shape(objects))])
    assert "size 2" in text
    np.testing.assert_allclose(found, objects, rtol=1e-4, atol=1e-5)
    results, _ = run(
        tmp_path,
        sample.operands,
        call,
        [(0, "int32", np.shape(counts)), (1, "float32", np.shape(objects))],
    )
    np.testing.assert_array_equal(results[0], counts)
    np.testing.assert_allclose(results[1], objects, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["ScatterElements", "MaxUnpool", "Sort", "TfIdf", "ReverseSequence", "RoiMaxPool"]
)
@pytest.mark.parametrize("interprets", [False, True])
def test_attributes_of_each_kind(tmp_path, name, interprets):
    """Texts, lists of integers and of real numbers, flags."""
    sample = next(
        one for one in SAMPLES if one.op == name and all(x is not None for x in one.operands)
    )
    wanted = getattr(reference, name)(*sample.operands, **sample.attributes)
    wanted = list(wanted) if isinstance(wanted, (tuple, list)) else [wanted]
    call = custom_call(name, len(sample.operands), c_arguments(name, sample.attributes))
    kinds = _types(name, sample)
    outputs = [(i, kind.element_type.dtype, kind.dims) for i, kind in enumerate(kinds)]
    found, _ = run(tmp_path, sample.operands, call, outputs, interprets)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def _types(name, sample):
    import odla_ipu

    with odla_ipu.Computation() as c:
        values = [c.argument(f"x{i}", x.shape, x.dtype) for i, x in enumerate(sample.operands)]
        results = odla_ipu.custom_op(name, values, **sample.attributes)
    results = results if isinstance(results, tuple) else (results,)
    return [value.type for value in results]


def test_names_of_programs(tmp_path):
    """The custom ops that compilers emit, with their own name as function_name."""
    x = np.random.RandomState(0).normal(size=(2, 5)).astype("f4")
    call = custom_call("custom_IpuGelu", 1, [], '"custom_IpuGelu"')
    (found,), _ = run(tmp_path, [x], call, [(0, "float32", x.shape)])
    np.testing.assert_allclose(found, reference.custom_IpuGelu(x), rtol=1e-4, atol=1e-5)
    index = np.array([[0, 0, 1, 2]], "i4")
    data = np.zeros((1, 4), "f4")
    call = custom_call("custom_IpuAttentionMask", 2, [])
    (found,), _ = run(tmp_path, [index, data], call, [(0, "float32", (1, 1, 4, 4))])
    wanted = reference.custom_IpuAttentionMask(index, data)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    "call, part",
    [
        ('results = odla_CustomOp(operands, "NoSuchOp", NULL, ids, (void*)1);', "is not known"),
        ("results = odla_CustomOp(operands, NULL, NULL, ids);", "op_name is NULL"),
        (
            'operands.size = 65; results = odla_CustomOp(operands, "Sort", NULL, ids);',
            "inputs has size 65",
        ),
        (
            "operands.size = 1; operands.values[0] = inputs[0]; "
            'results = odla_CustomOp(operands, "MaxUnpool", NULL, ids, (size_t)-1, (void*)1);',
            "output_shape",
        ),
        (
            "operands.size = 2; operands.values[0] = operands.values[1] = inputs[0]; "
            'results = odla_CustomOp(operands, "MaxUnpool", NULL, ids, (size_t)4, NULL);',
            "output_shape is NULL",
        ),
    ],
)
def test_what_is_refused(tmp_path, call, part):
    _, text = run(tmp_path, [np.zeros((2, 3), "f4")], call, [])
    assert text.startswith("size 0 odla_CustomOp: ") and part in text


def test_post_process(tmp_path):
    """Two results for one id, both bound by it."""
    sample = YOLO[0]
    info, used = yolo.post_process(*sample.operands)
    call = "results = odla_PostProcess(" + ", ".join(f"inputs[{i}]" for i in range(5))
    call += ', ID("result"));'
    inputs = [np.ascontiguousarray(one) for one in sample.operands]
    outputs = [(0, "float32", np.shape(info)), (1, "int32", np.shape(used))]
    (found, counts), text = run(tmp_path, inputs, call, outputs)
    assert "size 2" in text
    np.testing.assert_array_equal(counts.reshape(-1), np.reshape(used, -1))
    np.testing.assert_allclose(found, info, rtol=1e-4, atol=1e-3)


def test_the_documented_arguments():
    """docs/c-library.md has a row for each custom op."""
    text = (pathlib.Path(__file__).parents[2] / "docs" / "c-library.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|$", text, re.M))
    own = {
        name: cls
        for name, cls in custom.all_custom_ops().items()
        if cls.__module__.startswith("odla_ipu.")  # not those that other tests declare
    }
    assert own.keys() <= rows.keys()
    for name, cls in own.items():
        listed = [
            f"{' '.join(one.ctypes[:1]).replace('const char *', 'const char*')} {one.name}"
            if len(one.ctypes) == 1
            else f"size_t, {one.ctypes[1].replace(' *', '*')} {one.name}"
            for one in custom.variadic_layout(cls)
        ]
        assert rows[name] == (", ".join(listed) or "none"), name


def test_the_library_reads_every_kind_of_argument():
    """What Python's half may ask for, by a letter each, the C++ half knows."""
    source = (programs.LIBRARY / "library" / "scopes.cpp").read_text()
    known = set(re.findall(r"case '(\w)': slots\.", source))
    assert known == set(arguments._KINDS.values())
