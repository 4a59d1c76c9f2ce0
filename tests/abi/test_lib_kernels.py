"""A kernel of a user's own, as docs/adding-a-kernel.md has it, in C programs."""

import json
import pathlib
import re

import lib_programs as programs
import numpy as np
import pytest

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "adding-a-kernel.md"

PROGRAM = r"""
#include <ODLA/odla_ipu.h>
#include <stdio.h>

#define ID(name) ((odla_value_id)(name))

int main(void) {
  odla_value_type type = {ODLA_FLOAT32, {1, {5}}};
  odla_value_ids ids = {1, {ID("y")}};
  float data[5] = {-3, -0.5f, 0, 1, 1e6f}, result[5] = {0};
  odla_computation computation;
  odla_context context;
  odla_values inputs = {1, {NULL}};
  if (odla_CreateComputation(&computation)) return printf("%s\n", odla_ipu_LastError()), 0;
  inputs.values[0] = odla_CreateArgument(type, ID("x"));
  odla_values y = @CALL@
  if (y.size != 1) return printf("%s\n", odla_ipu_LastError()), 0;
  odla_SetValueAsOutput(y.values[0]);
  odla_CreateContext(&context);
  odla_BindToArgument(inputs.values[0], data, context);
  odla_BindToOutput(y.values[0], result, context);
  if (odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, NULL))
    return printf("%s\n", odla_ipu_LastError()), 0;
  for (int i = 0; i < 5; ++i) printf("%.6g ", result[i]);
  odla_DestroyContext(context);
  odla_DestroyComputation(computation);
  return 0;
}
"""
X = np.float32([-3, -0.5, 0, 1, 1e6])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The documented kernel, as a folder somewhere."""
    text = DOCUMENT.read_text()
    codelet, op = re.findall(r"```cpp\n(.*?)```", text, re.S)
    declaration = re.search(r"```python\n(.*?)```", text, re.S)[1]
    made = tmp_path_factory.mktemp("kernels") / "scaled_softsign"
    made.mkdir()
    for file, content in (("__init__.py", declaration), ("codelet.cpp", codelet), ("op.cpp", op)):
        (made / file).write_text(content.replace('"../include/', "<").replace('.hpp"', ".hpp>"))
    return made


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    call = re.search(r"```c\n(.*?)```", DOCUMENT.read_text(), re.S)[1]
    source = PROGRAM.replace("@CALL@", call.strip())
    return programs.build(tmp_path_factory.mktemp("program"), source)


def _check(done):
    numbers = [float(one) for one in done.stdout.split()]
    np.testing.assert_allclose(numbers, 2 * X / (1 + np.abs(X)), rtol=1e-5)


def test_named_by_the_environment(program, folder):
    _check(programs.run(program, ODLA_IPU_KERNEL_PATH=folder))


def test_named_by_the_config_file(program, folder, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"kernels": [str(folder)]}))
    _check(programs.run(program, ODLA_POPART_CONFIG=config))
    beside = folder.parent / "config.json"
    beside.write_text(json.dumps({"kernels": ["scaled_softsign"]}))
    _check(programs.run(program, ODLA_POPART_CONFIG=beside))


def test_not_named(program):
    said = programs.run(program).stdout
    assert "'ScaledSoftsign' is not known; the known ones are" in said


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["nowhere"], "nowhere/__init__.py: no such file"),
        (["."], "config.json: kernels: "),
        ("scaled", "kernels is 'scaled'; accepted: "),
        ([1], "kernels is [1]; accepted: "),
    ],
)
def test_config_that_names_no_kernel(program, tmp_path, given, reason):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"kernels": given}))
    said = programs.run(program, ODLA_POPART_CONFIG=config).stdout
    assert reason in said and str(config) in said
