"""A custom op written as Graphcore's tutorials write them builds and runs unchanged."""

import ctypes
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from built import library

import odla_ipu.sim as popart
from odla_ipu.sim import customop, poplar
from odla_ipu.sim.customop import Info

FOLDER = pathlib.Path(__file__).parent / "leaky_relu"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("tiles", [1, 4, 1216, 1472])
def test_forward(run, dtype, tiles):
    x = np.random.default_rng(0).normal(size=(3, 7, 11)).astype(dtype)
    for debug in (False, True):
        a = {"alpha": 0.25}
        y = run("leaky_relu", "acme.ops.LeakyRelu", x, attributes=a, tiles=tiles, debug=debug)
        np.testing.assert_array_equal(y, np.where(x < 0, x * np.asarray(0.25, dtype), x))


def test_gradient():
    x, given = np.float32([-2, -0.0, 3]), np.float32([4, 5, 6])
    info = Info(x.dtype, x.shape)
    forward = poplar.create(
        "acme.ops", "LeakyRelu", 1, [info], {"alpha": 0.5}, library=library("leaky_relu", False)
    )
    (gradient,) = forward.gradients()
    assert gradient.inputs == [("gradient", 0), ("input", 0)] and gradient.outputs == [0]
    y = np.empty_like(x)
    gradient.kernel.run([given, x], [y])
    np.testing.assert_array_equal(y, [2, 5, 6])


def test_default_attribute_and_empty_input(run):
    x = np.array([-1.0, 2.0], np.float32)
    y = run("leaky_relu", "acme.ops.LeakyRelu", x)
    np.testing.assert_allclose(y, [-0.01, 2.0], rtol=1e-6)
    assert run("leaky_relu", "acme.ops.LeakyRelu", x[:0]).shape == (0,)


def test_error_of_setup(run):
    with pytest.raises(RuntimeError, match="LeakyRelu takes FLOAT and FLOAT16, not INT32"):
        run("leaky_relu", "acme.ops.LeakyRelu", np.zeros(3, np.int32))


def test_library_of_a_user_registers_itself(tmp_path):
    """As on the SDK: compiled by hand, loaded by ctypes, found by the session."""
    for name in ("leaky_relu.cpp", "leaky_relu_codelet.cpp"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    library = tmp_path / "libcustom_ops.so"
    text = (tmp_path / "leaky_relu.cpp").read_text().replace('"acme.ops"', '"acme.own"')
    text = text.replace("leaky_relu_codelet.gp", str(tmp_path / "leaky_relu_codelet.gp"))
    (tmp_path / "leaky_relu.cpp").write_text(text)
    command = ["g++", "-std=c++17", "-O1", "-fPIC", "-shared", "-DONNX_NAMESPACE=onnx"]
    command += [f"-I{poplar.include_folder()}", f"-L{poplar.library_folder()}"]
    command += [f"-Wl,-rpath,{poplar.library_folder()}", "-Wno-init-list-lifetime"]
    command += [str(tmp_path / "leaky_relu.cpp"), "-o", str(library)]
    command += ["-lpopart", "-lpoplar", "-lpopops", "-lpoputil"]
    subprocess.run(command, check=True)
    ctypes.cdll.LoadLibrary(str(library))

    assert customop.lookup("acme.own", "LeakyRelu", 1) is not None
    builder = popart.Builder(opsets={"ai.onnx": 11, "ai.graphcore": 1})
    x = builder.addInputTensor(popart.TensorInfo("FLOAT", [5]))
    (y,) = builder.customOp(
        opName="LeakyRelu",
        opVersion=1,
        domain="acme.own",
        inputs=[x],
        attributes={"alpha": 0.5},
        numOutputs=1,
    )
    builder.addOutputTensor(y)
    session = popart.InferenceSession(
        builder.getModelProto(),
        popart.DataFlow(1, {y: popart.AnchorReturnType("All")}),
        popart.DeviceManager().acquireAvailableDevice(1),
    )
    session.prepareDevice()
    anchors = session.initAnchorArrays()
    given = np.array([-2, -1, 0, 1, np.inf], np.float32)
    session.run(popart.PyStepIO({x: given}, anchors))
    np.testing.assert_array_equal(anchors[y], [-1, -0.5, 0, 1, np.inf])


def test_builds_of_several_processes_meet(tmp_path):
    """Each finds a whole file, whoever made it."""
    script = (
        "import sys\nfrom odla_ipu.sim import poplar\n"
        f"path = poplar.build({str(FOLDER)!r}, flags=['-DTOKEN=' + sys.argv[1]])\n"
        "poplar.load(path)\nprint(path)"
    )
    token = str(abs(hash(str(tmp_path))))
    command = [sys.executable, "-c", script, token]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(paths) == 1 and pathlib.Path(paths.pop()).is_file()
