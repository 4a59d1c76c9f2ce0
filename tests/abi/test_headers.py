"""The C headers against the published API, by the system's C and C++ compilers.

``odla_table.json`` holds constants, types, enumerations, structs (sizes and offsets of LP64) and
the functions that are no ops; the ops are in ``odla_signatures.json``, which leaves out the prefix
``odla_`` and the ``const`` that all their pointers have.  From both follows a program that
compiles only if the headers declare the same.
"""

import copy
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from odla_ipu import errors, types

HERE = pathlib.Path(__file__).parent
INCLUDE = HERE.parents[1] / "odla_ipu" / "include"
HEADERS = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.h"))
EXTRAS = "ODLA/odla_ipu.h"
"""What is declared beyond ODLA."""

STANDARDS = ["c99", "c11", "c++11", "c++17"]


def published():
    table = json.loads((HERE / "odla_table.json").read_text())
    ops = json.loads((HERE.parent / "odla_signatures.json").read_text())
    for name, op in ops.items():
        table["functions"][name] = {
            "header": "ops/" + op["header"],
            "returns": "odla_" + op["returns"],
            "parameters": [
                [("const " if "*" in kind else "") + "odla_" + kind, parameter]
                for kind, parameter in op["parameters"]
            ],
        }
    return table


TABLE = published()


# The program.


def declare(kind, name):
    """The C declaration of ``name`` as a ``kind``, which may be an array or a function pointer."""
    if "(*)" in kind:
        return kind.replace("(*)", f"(*{name})", 1)
    array = re.match(r"(.*) (\[\d+\])$", kind)
    return f"{array[1]} ({name}){array[2]}" if array else f"{kind} {name}"


def program(table):
    lines = ["#include <ODLA/odla.h>", "#ifdef __cplusplus", 'extern "C" {', "#endif"]
    numbers = itertools.count()

    def holds(condition):
        lines.append(f"typedef char check_{next(numbers)}[({condition}) ? 1 : -1];")

    def same_type(kind, pointer):
        """``pointer`` points to a ``kind``."""
        lines.append(f"{declare(kind, f'*check_{next(numbers)}')} = {pointer};")

    for name, value in table["constants"].items():
        holds(f"{name} == {value}")
    named = {**table["types"], **table["callbacks"]}
    named.update({name: f"struct _{name} *" for name in table["handles"]})
    for name, kind in named.items():
        lines.append(f"extern {name} *of_{name};")
        lines.append(f"{declare(kind, f'**check_{next(numbers)}')} = &of_{name};")
    for name, members in table["enums"].items():
        holds(f"sizeof({name}) == 4")
        for member, value in members.items():
            holds(f"(int){member} == {value}")
            lines.append(f"{name} check_{next(numbers)} = {member};")
    for name, struct in table["structs"].items():
        holds(f"sizeof({name}) == {struct['size']}")
        lines.append(f"extern {name} of_{name};")
        for field, kind, offset in struct["fields"]:
            holds(f"offsetof({name}, {field}) == {offset}")
            same_type(kind, f"&of_{name}.{field}")
    for name, function in table["functions"].items():
        parameters = [kind for kind, _ in function["parameters"]]
        parameters += ["..."] if function.get("variadic") else []
        arguments = ", ".join(parameters) or "void"
        lines.append(f"{function['returns']} (*check_{next(numbers)})({arguments}) = {name};")
        lines.append(f"{function['returns']} {name}({arguments});")  # refused in other linkage
    return "\n".join([*lines, "#ifdef __cplusplus", "}", "#endif", ""])


def compile(source, standard):
    cxx = "++" in standard
    compiler = shutil.which(os.environ.get("CXX", "c++") if cxx else os.environ.get("CC", "cc"))
    if compiler is None:
        assert "CI" not in os.environ, "CI has no compiler"
        pytest.skip("there is no compiler")
    command = [compiler, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    command += ["-fsyntax-only", f"-I{INCLUDE}", "-x", "c++" if cxx else "c", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True)


# The tests.


def test_the_table_is_whole():
    assert len(TABLE["functions"]) == 229
    assert len(TABLE["enums"]) == 23
    assert len(TABLE["structs"]) == 8


@pytest.mark.parametrize("standard", STANDARDS)
def test_declarations_are_the_published_ones(standard):
    done = compile(program(TABLE), standard)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("header", HEADERS)
def test_header_stands_alone(header, standard):
    done = compile(f"#include <{header}>\n#include <{header}>\n", standard)
    assert done.returncode == 0, done.stderr


MISTAKES = {
    "constant": lambda table: table["constants"].update(ODLA_MAX_OUTPUTS=63),
    "type": lambda table: table["types"].update(odla_int8="unsigned char"),
    "enumerator": lambda table: table["enums"]["odla_status"].update(ODLA_TIMEOUT=9),
    "size": lambda table: table["structs"]["odla_task"].update(size=1056),
    "offset": lambda table: table["structs"]["odla_values"]["fields"][1].__setitem__(2, 4),
    "field": lambda table: table["structs"]["odla_value_shape"]["fields"][1].__setitem__(
        1, "odla_int32 [10]"
    ),
    "const": lambda table: table["functions"]["odla_Conv"]["parameters"][5].__setitem__(
        0, "odla_uint32 *"
    ),
    "order": lambda table: table["functions"]["odla_IsInf"]["parameters"].reverse(),
    "number": lambda table: table["functions"]["odla_Relu"]["parameters"].pop(),
    "result": lambda table: table["functions"]["odla_TopK"].update(returns="odla_value"),
    "variadic": lambda table: table["functions"]["odla_CustomOp"].update(variadic=False),
}


@pytest.mark.parametrize("standard", ["c99", "c++11"])
@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_difference_does_not_compile(mistake, standard):
    table = copy.deepcopy(TABLE)
    MISTAKES[mistake](table)
    done = compile(program(table), standard)
    assert done.returncode != 0
    assert len(re.findall(r"\berror: ", done.stderr)) <= 3, done.stderr


def test_functions_have_the_linkage_of_c():
    done = compile(program(TABLE).replace('extern "C"', 'extern "C++"'), "c++11")
    conflicts = set(re.findall(r"conflicting declaration of .*?\b(odla_\w+)\(", done.stderr))
    assert conflicts == set(TABLE["functions"])


def text(header):
    """A header without its comments."""
    return re.sub(r"/\*.*?\*/", "", (INCLUDE / header).read_text(), flags=re.DOTALL)


def test_functions_stand_in_their_headers_with_their_names():
    found = {}
    pattern = re.compile(r"ODLA_API_CALL\s+(\w+)\((.*?)\);", re.DOTALL)
    for header in HEADERS:
        if header == EXTRAS:
            continue
        for name, parameters in pattern.findall(text(header)):
            names = [one.split()[-1].lstrip("*") for one in parameters.split(",")]
            found[name] = (header, [one for one in names if one not in ("...", "void")])
    assert sorted(found) == sorted(TABLE["functions"])
    for name, function in TABLE["functions"].items():
        header, names = found[name]
        assert header == "ODLA/" + function["header"], name
        assert len(names) == len(function["parameters"])
        for given, (_, wanted) in zip(names, function["parameters"]):
            assert given == wanted or not wanted, name


def test_enumerations_have_no_more_members():
    found = {}
    for header in HEADERS:
        for body, name in re.findall(r"typedef enum \{(.*?)\} (\w+);", text(header), re.DOTALL):
            found[name] = {one: int(value) for one, value in re.findall(r"(\w+) = (\d+)", body)}
    assert found == TABLE["enums"]


@pytest.mark.parametrize(
    "python, name, prefix",
    [
        (errors.Status, "odla_status", "ODLA_"),
        (types.ElementType, "odla_element_type", "ODLA_"),
        (types.MemoryLayout, "odla_memory_layout", "ODLA_"),
        (types.RnnDirection, "odla_rnn_direction", "ODLA_RNN_"),
        (types.RnnOutputs, "odla_rnn_outputs", "ODLA_RNN_"),
        (types.RnnWeightFormat, "odla_rnn_weight_format", "ODLA_RNN_"),
        (types.RnnGateOrder, "odla_rnn_gate_order", "ODLA_RNN_"),
        (types.InterpolationMode, "odla_interpolation_mode", "ODLA_"),
        (types.ResizeCoordinateMode, "odla_resize_coordinate_mode", "ODLA_"),
        (types.ReductionMode, "odla_reduction_mode", "ODLA_REDUCE_"),
        (types.TfIdfMode, "odla_tf_idf_mode", "ODLA_TFIDF_"),
    ],
)
def test_python_enumerations_have_the_same_numbers(python, name, prefix):
    assert {prefix + member.name: int(member) for member in python} == TABLE["enums"][name]


def test_fill_methods_have_the_same_numbers():
    numbers = TABLE["enums"]["odla_fill_method"]
    assert [member.name.replace("_", "").lower() for member in types.FillMethod] == [
        name[len("ODLA_") :].lower() for name in numbers
    ]
    assert [int(member) for member in types.FillMethod] == list(numbers.values())


GENERATED = """
#include <ODLA/odla.h>
#if ODLA_VERSION_NUMBER != 50
#error "not 0.5.0"
#endif
static odla_computation Comp;
static const float weight[2] = {1.0f, 2.0f};
int model_helper(odla_computation comp);
int model_helper(odla_computation comp) {
  bool use_ipu_model = true;
  int ipu_num = 1;
  odla_SetComputationItem(comp, ODLA_USE_SIM_MODE, (odla_item_value)&use_ipu_model);
  odla_SetComputationItem(comp, ODLA_PROCESSOR_NUM, (odla_item_value)&ipu_num);
  odla_value x = odla_CreateArgument(
      (odla_value_type){.element_type = ODLA_FLOAT32, .shape = {.size = 2, .dims = {1, 2}}},
      (const odla_value_id)("x"));
  odla_value w = odla_CreateConstant(
      (odla_value_type){.element_type = ODLA_FLOAT32, .shape = {.size = 1, .dims = {2}}},
      weight, (const odla_value_id)("w"));
  odla_value parts = odla_Concat((odla_values){.size = 2, .values = {x, odla_Add(x, w, NULL)}}, 0,
                                 (odla_value_shape){.size = 2, .dims = {2, 2}},
                                 (const odla_value_id)("parts"));
  odla_values best = odla_TopK(
      parts, 1, true, true, 1, (odla_value_type){.element_type = ODLA_FLOAT32},
      (odla_value_type){.element_type = ODLA_INT64},
      (odla_value_ids){.size = 2, .value_ids = {(odla_value_id) "v", (odla_value_id) "i"}});
  odla_SetValueAsOutput(best.values[1]);
  return odla_CreateComputation(&Comp);
}
"""


@pytest.mark.parametrize("standard", ["c99", "c17"])
def test_a_generated_program_compiles(standard):
    """Compound literals, ids that are cast, C's bool and NULL, and one header for all of it."""
    done = compile(GENERATED, standard)
    assert done.returncode == 0, done.stderr
