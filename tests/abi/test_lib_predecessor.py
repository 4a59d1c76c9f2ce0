"""Programs made for odla_popart: its config file, items, files and functions."""

import json
import struct
import subprocess

import lib_programs as programs
import numpy as np
import onnx
import pytest

DRIVER = r"""
#include <ODLA/odla_ipu.h>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

odla_status odla_CreateExecutable(odla_executable*, odla_context, odla_computation);
odla_status odla_StoreExecutable(const odla_char*, odla_executable);
odla_status odla_LoadExecutable(const odla_char*, odla_executable*, odla_context*,
                                odla_computation*);

static odla_computation computation;
static odla_context context;
static std::mutex mutex;
static std::condition_variable called;
static int calls, last;

static int callback(void*, odla_status status) {
  std::lock_guard<std::mutex> lock(mutex);
  ++calls;
  last = status;
  called.notify_all();
  return 0;
}

static odla_value_type type(odla_int64 rows, odla_int64 columns) {
  odla_value_type result = {ODLA_FLOAT32, {2, {rows, columns}}};
  return result;
}

static odla_value_id id(const char* text) { return (odla_value_id)text; }

static void net() {
  float w[12], b[4] = {-1, 0, 1, 2};
  for (int i = 0; i < 12; ++i) w[i] = (float)(i % 5 - 2);
  odla_value x = odla_CreateArgument(type(2, 3), id("x"));
  odla_value fc = odla_Gemm(x, 0, odla_CreateConstant(type(3, 4), w, id("w")), 0, 1, 1, NULL,
                            type(2, 4).shape, id("fc"));
  odla_value bias = odla_CreateConstant(type(1, 4), b, id("b"));
  odla_SetValueAsOutput(odla_Relu(odla_Add(fc, bias, id("sum")), id("act")));
}

static odla_status bind(std::vector<float>& x, std::vector<float>& y, int batches) {
  x.resize(6 * batches);
  y.assign(8 * batches, -7);
  for (size_t i = 0; i < x.size(); ++i) x[i] = (float)i / 4;
  if (!context) odla_CreateContext(&context);
  odla_status status = odla_BindToArgumentById(id("x"), x.data(), context);
  return status ? status : odla_BindToOutputById(id("act"), y.data(), context);
}

static void print(const std::vector<float>& y) {
  std::printf("result");
  for (float one : y) std::printf(" %g", one);
  std::printf("\n");
}

int main(int argc, char** argv) {
  odla_executable executable = NULL;
  std::vector<float> x, y;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i], name = word.substr(0, word.find('=')), text;
    if (name.size() < word.size()) text = word.substr(name.size() + 1);
    int number = std::atoi(text.c_str());
    odla_status status = ODLA_SUCCESS;
    if (name == "create") status = odla_CreateComputation(&computation);
    else if (name == "net") net();
    else if (name.compare(0, 3, "int") == 0)
      status = odla_SetComputationItem(computation, (odla_item_type)std::atoi(name.c_str() + 3),
                                       (odla_item_value)&number);
    else if (name.compare(0, 4, "text") == 0)
      status = odla_SetComputationItem(computation, (odla_item_type)std::atoi(name.c_str() + 4),
                                       (odla_item_value)text.c_str());
    else if (name.compare(0, 4, "null") == 0)
      status = odla_SetComputationItem(computation, (odla_item_type)std::atoi(name.c_str() + 4),
                                       NULL);
    else if (name == "run" || name == "callback") {
      status = bind(x, y, number);
      if (name == "callback") {
        odla_SetContextItem(context, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)callback);
        odla_SetContextItem(context, ODLA_ASYNC_CALLBACK_ARG, (odla_item_value)&calls);
      }
      if (!status)
        status = odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, NULL);
      if (name == "callback" && !status) {
        std::unique_lock<std::mutex> lock(mutex);
        called.wait(lock, [] { return calls > 0; });
        std::printf("calls %d status %d\n", calls, last);
      }
      if (!status) print(y);
    }
    else if (name == "export") status = odla_CreateExecutable(&executable, NULL, computation);
    else if (name == "store") {
      status = odla_CompileComputation(computation, NULL, &executable);
      if (!status) status = odla_StoreExecutable(text.c_str(), executable);
    }
    else if (name == "load") {
      context = NULL;
      status = odla_LoadExecutable(text.c_str(), &executable, &context, &computation);
    }
    else if (name == "destroy") {
      status = odla_DestroyComputation(computation);
      odla_DestroyContext(context);
      context = NULL;
    }
    else return 3;
    std::printf("%s %d\n", name.c_str(), status);
    if (status) std::printf("error %s\n", odla_ipu_LastError());
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return programs.build(tmp_path_factory.mktemp("driver"), DRIVER, language="c++", name="driver")


def expected(batches=1):
    x = (np.arange(6 * batches, dtype="f4") / 4).reshape(2 * batches, 3)
    w = (np.arange(12) % 5 - 2).astype("f4").reshape(3, 4)
    return np.maximum(x @ w + np.array([-1, 0, 1, 2], "f4"), 0).reshape(-1)


class Result:
    def __init__(self, done):
        self.lines = done.stdout.splitlines()
        self.errors = done.stderr
        self.statuses = [
            (line.split()[0], int(line.split()[1]))
            for line in self.lines
            if line.split()[0] not in ("result", "error", "calls")
        ]

    def failed(self):
        return [(name, status) for name, status in self.statuses if status]

    def results(self):
        return [
            np.array(line.split()[1:], "f4") for line in self.lines if line.startswith("result")
        ]

    def message(self):
        return "\n".join(line for line in self.lines if line.startswith("error"))


def drive(program, *words, cwd=None, config=None, **environment):
    if config is not None:
        environment["ODLA_POPART_CONFIG"] = config
    return Result(programs.run(program, *words, cwd=cwd, **environment))


def written(folder, **keys):
    path = folder / "config.json"
    path.write_text(json.dumps(keys))
    return path


# The config file.


def test_items_decide_and_ignored_keys_are_named(program, tmp_path):
    config = written(
        tmp_path,
        version="1.0.0",
        sdk_version="any",
        amp=0.3,
        batches_per_step=4,
        batch_per_step=9,
        ipu_num=2,
        execution_mode="sequence",
        queue_type="ContextQueues",
        queue_capacity=16,
        save_model=False,
        load_onnx=False,
        debug=False,
    )
    got = drive(program, "create", "int15=1", "int17=2", "net", "run=2", config=config)
    assert not got.failed(), got.lines
    np.testing.assert_allclose(got.results()[0], expected(2), rtol=1e-6)
    for part in (
        "amp 0.3 has no effect",
        "batches_per_step 4 is ignored, 2 is used",
        "ipu_num 2 is ignored, 1 is used",
        "ignored keys: batch_per_step",
        "queue_type ContextQueues has no effect",
        "queue_capacity 16 has no effect",
    ):
        assert part in got.errors, part


def test_defaults_give_no_warning(program, tmp_path):
    config = written(
        tmp_path,
        version="1.0.0",
        amp=0.6,
        batches_per_step=1,
        ipu_num=1,
        execution_mode="sequence",
        queue_type="LockFreeQueue",
        queue_capacity=1048576,
        save_model=False,
        load_onnx=False,
        debug=False,
    )
    got = drive(program, "create", "net", "run=1", config=config)
    assert not got.failed() and "Warning" not in got.errors, got.errors


def test_with_debug_the_config_decides(program, tmp_path):
    config = written(tmp_path, batches_per_step=3, ipu_num=2, debug=True)
    got = drive(program, "create", "int16=1", "int17=1", "net", "run=3", config=config)
    assert not got.failed(), got.lines
    np.testing.assert_allclose(got.results()[0], expected(3), rtol=1e-6)


@pytest.mark.parametrize(
    "text, part",
    [
        ("{", "is no JSON"),
        ("[1]", "is no object"),
        ('{"ipu_num": "2"}', "ipu_num is '2'; accepted: integers"),
        ('{"batches_per_step": true}', "batches_per_step is True"),
        ('{"queue_type": "Other"}', "accepted: LockFreeQueue, ContextQueues"),
        ('{"debug": 1}', "debug is 1; accepted: true, false"),
        ('{"amp": 7}', "amp is 7"),
        ('{"pipeline": {"(": [0, 0]}}', "no regular expression"),
        ('{"pipeline": {"a": [0]}}', "accepted: [ipu, stage]"),
        ('{"pipeline": [0]}', "pipeline is [0]"),
    ],
)
def test_wrong_configs_are_an_error(program, tmp_path, text, part):
    path = tmp_path / "config.json"
    path.write_text(text)
    got = drive(program, "create", config=path)
    assert got.failed() == [("create", 3)] and part in got.message(), got.lines


def test_a_missing_file_means_defaults(program, tmp_path):
    got = drive(program, "create", "net", "run=1", config=tmp_path / "none.json")
    assert not got.failed() and "there is no such file" in got.errors
    np.testing.assert_allclose(got.results()[0], expected(), rtol=1e-6)


def test_pipelines(program, tmp_path):
    places = {"^FC": [0, 0], "sum": [1, 1]}
    words = ["create", "int16=2", "int17=1", "net", "run=2"]
    config = written(tmp_path, pipeline=places, ipu_num=2, batches_per_step=2)
    got = drive(program, *words, config=config)
    assert got.failed() == [("run", 13)] and "no pattern of pipeline matches" in got.message()
    assert "act" in got.message()
    places["^__all_unmatched__$"] = [1, 1]
    config = written(tmp_path, pipeline=places, ipu_num=2, batches_per_step=2)
    got = drive(program, *words, config=config)
    assert not got.failed() and "the stages are ignored" in got.errors
    np.testing.assert_allclose(got.results()[0], expected(2), rtol=1e-6)
    words[1] = "int16=1"
    got = drive(program, *words, config=config)
    assert got.failed() == [("run", 14)] and "both must be the same" in got.message()


@pytest.mark.parametrize("mode", ["parallel", "pipeline", "pipeline_async", "no_such_mode"])
def test_modes_decide_how_many_batches_a_context_holds(program, tmp_path, mode):
    config = written(tmp_path, execution_mode=mode)
    batches = 2 if mode == "no_such_mode" else 1
    got = (
        drive(program, "create", "int17=2", "net", f"callback={batches}", config=config)
        if (mode == "pipeline_async")
        else drive(program, "create", "int17=2", "net", f"run={batches}", config=config)
    )
    assert not got.failed(), got.lines
    np.testing.assert_allclose(got.results()[0], expected(batches), rtol=1e-6)
    if mode == "pipeline_async":
        assert "calls 1 status 0" in got.lines
    assert f"execution_mode{' is' if batches == 2 else ''}" in got.errors and mode in got.errors


def test_the_model_is_written_and_read(program, tmp_path):
    config = written(tmp_path, save_model=True, save_model_path="saved.onnx")
    got = drive(program, "create", "net", "run=1", config=config, cwd=tmp_path)
    assert not got.failed(), got.lines
    model = onnx.load(str(tmp_path / "saved.onnx"))
    onnx.checker.check_model(model)
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = (np.arange(6, dtype="f4") / 4).reshape(2, 3)
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found.reshape(-1), expected(), rtol=1e-5)
    # Another model of the same arguments and outputs takes the place of the graph.
    for initializer in model.graph.initializer:
        array = onnx.numpy_helper.to_array(initializer)
        if array.shape[-1:] == (4,):
            initializer.CopyFrom(onnx.numpy_helper.from_array(array * 2, initializer.name))
    onnx.save(model, str(tmp_path / "other.onnx"))
    config = written(tmp_path, load_onnx=True, load_onnx_path="other.onnx")
    got = drive(program, "create", "net", "run=1", config=config, cwd=tmp_path)
    assert not got.failed(), got.lines
    np.testing.assert_allclose(got.results()[0], expected() * 2, rtol=1e-5)
    config = written(tmp_path, load_onnx=True)
    got = drive(program, "create", "net", "run=1", config=config, cwd=tmp_path)
    assert got.failed() == [("run", 2)] and "not_set.onnx" in got.message()


# Files of compiled programs.


def test_precompiled_programs(program, tmp_path):
    (tmp_path / "net.json").write_text('{"execution_mode": "sequence", "version": "7"}')
    got = drive(program, "create", "text1001=net.popart", "net", "export", "run=1", cwd=tmp_path)
    assert got.failed() == [] and len(got.results()) == 1, got.lines
    data = (tmp_path / "net.popart").read_bytes()
    (length,) = struct.unpack("=i", data[:4])
    kept = json.loads(data[4 : 4 + length])
    assert list(kept) == ["sdk_version", "execution_mode", "version"] and kept["version"] == "7"
    words = ["create", "text1001=net.popart", "destroy", "create", "net", "run=1"]
    got = drive(program, *words, cwd=tmp_path)
    assert not got.failed(), got.lines
    np.testing.assert_allclose(got.results()[0], expected(), rtol=1e-6)
    # Its config is that of computations made after the item.
    text = json.dumps({**kept, "debug": True, "batches_per_step": "?"}).encode()
    (tmp_path / "wrong.popart").write_bytes(struct.pack("=i", len(text)) + text)
    got = drive(program, "create", "text1001=wrong.popart", "create", cwd=tmp_path)
    assert got.failed() == [("create", 3)] and "batches_per_step" in got.message()


@pytest.mark.parametrize(
    "content, status, part",
    [
        (b"", 3, "is no .popart file"),
        (struct.pack("=i", 1 << 30), 3, "is no .popart file"),
        (struct.pack("=i", 2) + b"{}" + b"rest", 14, "was made with the SDK None"),
        (None, 2, "no such file"),
    ],
)
def test_wrong_files_are_refused(program, tmp_path, content, status, part):
    if content is not None:
        (tmp_path / "net.popart").write_bytes(content)
    got = drive(program, "create", "net", "text1001=net.popart", "run=1", cwd=tmp_path)
    assert got.failed() == [("run", status)] and part in got.message(), got.lines


def test_the_file_counts_from_the_item_on(program, tmp_path):
    words = ["create", "net", "run=1", "text1001=none.popart", "run=1"]
    got = drive(program, *words, cwd=tmp_path)
    assert got.failed() == [("run", 2)] and len(got.results()) == 1


def test_items_of_its_own(program, tmp_path):
    got = drive(program, "create", "null1002", "text1001=net.onnx", "net", "export", "run=1")
    assert got.failed() == [("null1002", 5), ("text1001", 3), ("export", 3)], got.lines
    assert "set item 1001" in got.message()


def test_the_cache_folder_of_the_environment(program, tmp_path):
    folder = tmp_path / "cache"
    for _ in range(2):
        got = drive(program, "create", "net", "run=1", ENGINE_CACHE_PATH=folder)
        assert not got.failed()
        assert len(list(folder.iterdir())) == 1
    other = tmp_path / "other"
    words = ["create", "int24=1", f"text25={other}", "net", "run=1"]
    got = drive(program, *words, ENGINE_CACHE_PATH=folder)
    assert not got.failed() and len(list(other.iterdir())) == 1
    words = ["create", "int24=1", "int17=3", "net", "run=3"]
    got = drive(program, *words, ENGINE_CACHE_PATH=folder)
    assert not got.failed() and len(list(folder.iterdir())) == 2


def test_functions_of_cpp(program, tmp_path):
    path = tmp_path / "net.odla"
    got = drive(program, "create", "net", f"store={path}", "destroy", f"load={path}", "run=1")
    assert not got.failed(), got.lines
    np.testing.assert_allclose(got.results()[0], expected(), rtol=1e-6)
    got = drive(program, f"load={path}.none")
    assert got.failed() == [("load", 2)]


def test_linking_under_its_name(tmp_path):
    """The one command of docs/c-library.md, then -lodla_popart."""
    command = (programs.PACKAGE.parent / "docs" / "c-library.md").read_text()
    (line,) = [one for one in command.splitlines() if one.startswith("ln -s")]
    import os
    import sys

    environment = {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    subprocess.run(line, shell=True, check=True, cwd=tmp_path, env=environment)
    flags = [f"-I{programs.INCLUDE}", f"-L{tmp_path}", "-lodla_popart"]
    program = programs.build(tmp_path, DRIVER, language="c++", name="old", flags=flags)
    needed = subprocess.run(["readelf", "-d", program], capture_output=True, text=True).stdout
    assert "odla" in needed
    folders = f"{tmp_path}:{programs.LIBRARY}"
    got = drive(program, "create", "net", "run=1", LD_LIBRARY_PATH=folders)
    assert not got.failed()
    np.testing.assert_allclose(got.results()[0], expected(), rtol=1e-6)
