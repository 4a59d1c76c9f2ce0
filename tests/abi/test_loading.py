"""The library opened in every way, from C and inside Python, also where Python cannot start."""

import pathlib
import shutil
import subprocess
import sys
import sysconfig
import textwrap

import pytest
from case_programs import environment
from lib_programs import PACKAGE

DL_ERROR = 1


@pytest.fixture
def loads(programs, library, no_folders_left):
    path = programs.build("loads", link=False)

    def run(way, *more, library=library, **options):
        return programs.run(path, way, library, *more, **options)

    return run


@pytest.mark.parametrize(
    "way",
    ["local", "global", "thread", "threads", "twice", "again", "unused", "exit", "exit_in_thread"],
)
def test_from_c(loads, way):
    done = loads(way)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("microseconds", [0, 1000, 100_000, 600_000])
def test_exit_while_a_thread_runs(programs, library, microseconds):
    """What the thread has begun to write may stay."""
    path = programs.build("loads", link=False)
    done = programs.run(path, "exit_while_running", library, microseconds)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONHOME": "/nonsense", "PYTHONPATH": "/nonsense:/more"},
        {"PATH": ""},
        {"PYTHONSTARTUP": "/nonsense", "PYTHONDONTWRITEBYTECODE": "x", "PYTHONIOENCODING": "?"},
        {"LC_ALL": "C", "LANG": "nonsense"},
        {"HOME": "/nonsense", "XDG_CACHE_HOME": "/nonsense"},
        {"VIRTUAL_ENV": "/nonsense", "CONDA_PREFIX": "/nonsense"},
    ],
    ids=lambda env: "-".join(env),
)
def test_in_a_broken_environment(loads, env):
    done = loads("local", **env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_in_an_empty_environment(loads):
    done = loads("local", env={"ODLA_IPU_DEVICE": "sim"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_in_a_folder_that_is_gone(loads):
    done = loads("no_folder")
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_path_comes_first(loads, tmp_path):
    """It is where the SDK's scripts say that popart is."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "numpy.py").write_text("raise ImportError('the one of PYTHONPATH')")
    path = f"{tmp_path / 'first'}::{tmp_path / 'second'}:"
    done = loads("local", PYTHONPATH=path)
    assert done.returncode == DL_ERROR, done.stdout + done.stderr
    assert "the one of PYTHONPATH" in done.stdout


def test_python_home_of_this_environment(loads):
    done = loads("local", ODLA_IPU_PYTHONHOME=sys.prefix)
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_home_that_is_none(loads):
    done = loads("local", ODLA_IPU_PYTHONHOME="/nonsense")
    assert done.returncode == DL_ERROR
    assert "ODLA_IPU_PYTHONHOME is /nonsense" in done.stdout


def test_python_home_without_the_package(loads, tmp_path):
    import venv

    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    done = loads("local", ODLA_IPU_PYTHONHOME=tmp_path / "bare")
    # numpy and the like are not there.
    assert done.returncode == DL_ERROR
    assert "Python cannot start" in done.stdout and "numpy" in done.stdout


def test_another_python_in_the_process(loads):
    here = sysconfig.get_config_var("LIBDIR")
    this = f"libpython{sys.version_info[0]}.{sys.version_info[1]}"
    roots = [pathlib.Path(here), *pathlib.Path("/usr/lib").glob("*-linux-gnu")]
    roots += pathlib.Path(sys.base_prefix).parent.glob("*/lib")
    others = [
        path
        for root in roots
        for path in root.glob("libpython3.*.so.1.0")
        if not path.name.startswith(this + ".")
    ]
    if not others:
        pytest.skip("there is no library of another Python on this machine")
    done = loads("other_python", others[0])
    assert done.returncode == DL_ERROR, done.stdout + done.stderr
    assert "this process holds Python 3." in done.stdout


def copy_of_library(folder, library, *changes):
    """A copy of the built package whose library has texts replaced."""
    copy = folder / "odla_ipu"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    data = library.read_bytes()
    for old, new in changes:
        assert data.count(old) >= 1, old
        data = data.replace(old, new.ljust(len(old), b"\0")[: len(old)])
    (copy / "abi" / library.name).write_bytes(data)
    return copy / "abi" / library.name


def test_without_a_python_library(loads, library, tmp_path):
    soname = sysconfig.get_config_var("INSTSONAME") or ""
    if ".so" not in soname:
        soname = f"libpython{sysconfig.get_python_version()}.so.1.0"
    copy = copy_of_library(tmp_path, library, (soname.encode(), b"libnone"))
    done = loads("local", library=copy)
    assert done.returncode == DL_ERROR, done.stdout + done.stderr
    assert "Python's library cannot be loaded" in done.stdout
    assert "install the shared library of Python" in done.stdout


def test_without_its_extension_module(loads, library, tmp_path):
    copy = copy_of_library(tmp_path, library)
    for path in copy.parent.glob("_bridge*"):
        path.unlink()
    done = loads("local", library=copy)
    assert done.returncode == DL_ERROR
    assert "reinstall odla_ipu" in done.stdout


def test_another_installation_is_imported(loads, library, tmp_path):
    """The library of one and the Python files of another do not go together."""
    copy = copy_of_library(tmp_path, library)
    done = loads("local", library=copy, PYTHONPATH=PACKAGE.parent)
    assert done.returncode == DL_ERROR
    assert "is imported from" in done.stdout


# Inside Python.

USE = """
    import ctypes, sys, os, threading
    class Shape(ctypes.Structure):
        _fields_ = [("size", ctypes.c_int32), ("dims", ctypes.c_int64 * 10)]
    class Type(ctypes.Structure):
        _fields_ = [("element_type", ctypes.c_int32), ("shape", Shape)]
    def use(lib):
        for name in ("CreateArgument", "Relu"):
            getattr(lib, "odla_" + name).restype = ctypes.c_void_p
        lib.odla_ipu_LastError.restype = ctypes.c_char_p
        c, k = ctypes.c_void_p(), ctypes.c_void_p()
        x, y = (ctypes.c_float * 2)(-1, 2), (ctypes.c_float * 2)()
        def ok(status):
            assert status == 0, lib.odla_ipu_LastError()
        ok(lib.odla_CreateComputation(ctypes.byref(c)))
        shape = Shape(1, (ctypes.c_int64 * 10)(2))
        value = ctypes.c_void_p(lib.odla_CreateArgument(Type(18, shape), b"x"))
        ok(lib.odla_SetValueAsOutput(ctypes.c_void_p(lib.odla_Relu(value, b"y"))))
        ok(lib.odla_CreateContext(ctypes.byref(k)))
        ok(lib.odla_BindToArgumentById(b"x", x, k))
        ok(lib.odla_BindToOutputById(b"y", y, k))
        for _ in range(3):
            ok(lib.odla_ExecuteComputation(c, k, 1, None))
        ok(lib.odla_AsyncExecuteComputation(c, k, 1, None))
        ok(lib.odla_DestroyComputation(c))
        ok(lib.odla_DestroyContext(k))
        assert list(y) == [0, 2]
    path = sys.argv[1]
"""

WAYS = {
    "CDLL": "use(ctypes.CDLL(path))",
    "PyDLL": "use(ctypes.PyDLL(path))",
    "both": "use(ctypes.CDLL(path)); use(ctypes.PyDLL(path, ctypes.RTLD_GLOBAL))",
    "package_first": "import odla_ipu; odla_ipu.relu([1.0]); use(ctypes.CDLL(path))",
    "package_later": "use(ctypes.CDLL(path)); import odla_ipu, numpy as np\n"
    "assert np.asarray(odla_ipu.relu([-1.0]))[0] == 0",
    "thread": "lib = ctypes.CDLL(path)\n"
    "t = threading.Thread(target=use, args=(lib,)); t.start(); t.join(); use(lib)",
    "threads": "libs = [ctypes.CDLL(path), ctypes.PyDLL(path)]\n"
    "failed = []\n"
    "def many(lib):\n"
    "    try:\n"
    "        for _ in range(10): use(lib)\n"
    "    except BaseException as error: failed.append(error)\n"
    "ts = [threading.Thread(target=many, args=(libs[i % 2],)) for i in range(6)]\n"
    "[t.start() for t in ts]; [t.join() for t in ts]\n"
    "assert not failed, failed",
    "fork": "lib = ctypes.CDLL(path); use(lib)\n"
    "pid = os.fork()\n"
    "if pid == 0: os._exit(0)\n"
    "assert os.waitpid(pid, 0)[1] == 0; use(lib)",
    "unused": "ctypes.CDLL(path)",
    "exception": "use(ctypes.CDLL(path)); import atexit; atexit.register(print)",
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_in_python(library, no_folders_left, tmp_path, way):
    program = textwrap.dedent(USE) + WAYS[way]
    done = subprocess.run(
        [sys.executable, "-c", program, str(library)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=200,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


# The ctypes client of the compiler's Python package.

CLIENT = """
    lib = ctypes.CDLL(path)
    model = ctypes.CDLL(sys.argv[2])
    c, k = ctypes.c_void_p(0), ctypes.c_void_p(0)
    # odla_* are found through the model's library; no argument types are declared.
    model.odla_CreateComputation(ctypes.pointer(c))
    use_sim = ctypes.c_bool(True)
    model.odla_SetComputationItem(c, 11, ctypes.byref(use_sim))  # an outdated number
    model.dense_helper(c)
    count = ctypes.c_int32(-1)
    model.odla_GetNumOfArgsFromComputation(c, ctypes.byref(count))
    assert count.value == 1
    model.odla_GetNumOfOutputsFromComputation(c, ctypes.byref(count))
    assert count.value == 1
    dynamic = ctypes.c_bool(True)
    model.odla_SetComputationItem(c, 5, ctypes.byref(dynamic))  # after the graph is built
    value, name = ctypes.c_void_p(), ctypes.c_char_p()
    model.odla_GetArgFromComputationByIdx(c, 0, ctypes.byref(value))
    model.odla_GetValueId(value, ctypes.byref(name))
    assert name.value == b"x"
    for item, size in ((6, 1), (7, 8), (8, 3)):
        shape = Shape(2, (ctypes.c_int64 * 10)(size, 6))
        assert model.odla_SetValueShapeInfo(value, item, shape) == 0
    model.odla_CreateContext(ctypes.byref(k))
    for batch in (3, 1, 8):
        model.odla_SetRuntimeShape(k, value, Shape(2, (ctypes.c_int64 * 10)(batch, 6)))
        kind = Type()
        model.odla_GetArgFromComputationByIdx(c, 0, ctypes.byref(value))
        model.odla_GetValueType(value, ctypes.byref(kind))
        assert kind.element_type == 18 and kind.shape.size == 2
        x = (ctypes.c_float * (6 * batch))(*[0.5] * 6 * batch)
        model.odla_BindToArgument(value, x, k)
        out, shape = ctypes.c_void_p(), Shape()
        model.odla_GetOutputFromComputationByIdx(c, 0, ctypes.byref(out))
        assert model.odla_GetRuntimeShape(k, out, ctypes.byref(shape)) == 0  # before the run
        assert (shape.size, shape.dims[0], shape.dims[1]) == (2, batch, 3)
        y = (ctypes.c_float * (3 * batch))()
        model.odla_BindToOutput(out, y, k)
        assert model.odla_ExecuteComputation(c, k, 0, None) == 0
        assert list(y[:3]) == list(y[3 * batch - 3 :]) and any(y)
    assert model.odla_DestroyContext(k) == 0
    assert model.odla_DestroyComputation(c) == 0
"""


def test_the_outdated_client(library, tmp_path):
    import generated

    model = generated.dense_net(-1, items=False)
    model.items = False
    sources = model.write(tmp_path)
    command = ["cc", "-std=c99", "-shared", "-fPIC", f"-I{PACKAGE / 'include'}"]
    command += [*map(str, sources), "-o", str(tmp_path / "model.so")]
    command += [f"-L{library.parent}", "-lodla_ipu", f"-Wl,-rpath,{library.parent}"]
    subprocess.run(command, check=True)
    program = textwrap.dedent(USE) + textwrap.dedent(CLIENT)
    done = subprocess.run(
        [sys.executable, "-c", program, str(library), str(tmp_path / "model.so")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=200,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
