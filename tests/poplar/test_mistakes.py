"""Mistakes in ops and codelets are errors that name the place."""

import os
import subprocess
import sys

import numpy as np
import pytest

from odla_ipu.sim import poplar

X = np.arange(8, dtype=np.float32)

CHECKED = {
    "reads past": (
        "test.ops.Mistake:1: ",
        "vertex CopyPart on tile 1, field in: ",
        "element 4 is used, but it has 4, input 0[4:8]",
    ),
    "writes past": (
        "vertex WritesPast on tile 3, field out: ",
        "writes beyond the end of its 8 elements",
    ),
    "two writers": (
        "compute set copy: vertex CopyPart on tile ",
        ", field out, writes variable 1[3:4], which vertex CopyPart on tile ",
        ", field out, writes in the same compute set",
    ),
    "reads what another writes": (
        "vertex CopyPart on tile 0, field out, writes variable 1[0:4]",
        "vertex CopyPart on tile 1, field in, reads",
    ),
    "unwritten": ("element 3 of output 0 is never written",),
}
ALWAYS = {
    "unmapped": ("lost: element 0 of 8 has no tile",),
    "doubly mapped": ("element 4 of float{8} is mapped twice, to tiles 0 and 1",),
    "unconnected": ("vertex CopyPart on tile 0: field out is not connected",),
    "vertex without a tile": ("vertex CopyPart of compute set copy has no tile",),
    "edge of another type": ("field in of vertex CopyPart holds float", "int{4}"),
    "unknown field": ("vertex CopyPart has no field form; it has: in, out, from",),
    "unknown codelet": ("no codelet named CopyPort", "CopyPart, Crashes, NeverEnds, WritesPast"),
    "output of another shape": ("output 0 has shape {}, but setup() says FLOAT [8]",),
    "no output": ("has not set output 0",),
    "setup sets nothing": ("setup() sets no output",),
    "setup throws": ("takes FLOAT16 only, not FLOAT [8]",),
    "aborts": ("no convergence",),
    "alpha": ("no attribute key alpha",),
}


def _fails(run, which, parts, **kwargs):
    with pytest.raises(RuntimeError) as caught:
        run("mistakes", "test.ops.Mistake", X, attributes={"which": which}, **kwargs)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("debug", [False, True])
def test_none(run, debug):
    y = run("mistakes", "test.ops.Mistake", X, attributes={"which": "none"}, debug=debug)
    np.testing.assert_array_equal(y, X)


@pytest.mark.parametrize("which", sorted(CHECKED))
def test_found_by_checks(run, which):
    _fails(run, which, CHECKED[which], debug=True)


@pytest.mark.parametrize("which", sorted(ALWAYS))
@pytest.mark.parametrize("debug", [False, True])
def test_found_always(run, which, debug):
    _fails(run, which, ALWAYS[which], debug=debug)


def test_tile_over_its_memory(run):
    _fails(run, "none", ("tile 0 needs", "bytes and has 16;"), memory=16, debug=True)


def test_attribute_of_another_type(run):
    for value, kind in ((1, "Int"), ("x", "String"), ([1.0], "Floats")):
        with pytest.raises(RuntimeError, match=f"alpha is of type {kind}, not Float"):
            a = {"which": "alpha", "alpha": value}
            run("mistakes", "test.ops.Mistake", X, attributes=a)
    a = {"which": "alpha", "alpha": 1.0}
    np.testing.assert_array_equal(run("mistakes", "test.ops.Mistake", X, attributes=a), X)


def test_type_that_poplar_lacks(run):
    with pytest.raises(ValueError, match="input 0 is float64, which Poplar has not"):
        run("mistakes", "test.ops.Mistake", X.astype(np.float64))


def test_unknown_op(run):
    with pytest.raises(RuntimeError, match="No class for test.ops.Mistaken:1"):
        run("mistakes", "test.ops.Mistaken", X)


# Sources that do not compile.


def _source(folder, body):
    path = folder / "codelet.cpp"
    path.write_text("#include <poplar/Vertex.hpp>\nusing namespace poplar;\n" + body)
    return path


def test_codelet_that_does_not_compile(tmp_path):
    path = _source(tmp_path, "class A : public Vertex {\npublic: void compute() { nothing(); } };")
    with pytest.raises(poplar.BuildError) as caught:
        poplar.build(tmp_path, "mine")
    message = str(caught.value)
    assert message.startswith(f"kernel mine: {path} does not compile:\n")
    assert "codelet.cpp:4:" in message and "nothing" in message


def test_writing_to_an_input_does_not_compile(tmp_path):
    _source(
        tmp_path,
        "class A : public Vertex {\n"
        "public: Input<Vector<float>> in; void compute() { in[0] = 1; } };",
    )
    with pytest.raises(poplar.BuildError, match=r"codelet.cpp:4:.*(read-only|const)"):
        poplar.build(tmp_path)


def test_size_of_a_bare_pointer_does_not_compile(tmp_path):
    _source(
        tmp_path,
        "class A : public Vertex {\n"
        "public: Input<Vector<float, VectorLayout::ONE_PTR>> in; unsigned n;\n"
        "void compute() { n = in.size(); } };",
    )
    with pytest.raises(poplar.BuildError, match=r"codelet.cpp:5:.*size"):
        poplar.build(tmp_path)


def test_missing_sources(tmp_path):
    with pytest.raises(poplar.BuildError, match="there is no .cpp file"):
        poplar.build(tmp_path)
    with pytest.raises(poplar.BuildError, match="kernel mine: cannot read .*none.cpp"):
        poplar.build(tmp_path / "none.cpp", "mine")


def test_no_compiler(tmp_path):
    _source(tmp_path, "")
    script = f"from odla_ipu.sim import poplar\npoplar.build({str(tmp_path)!r}, 'mine')"
    environment = {**os.environ, "CXX": "no-such-compiler"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert "kernel mine has to be compiled, and there is no C++ compiler" in done.stderr
    assert "CXX is 'no-such-compiler'; install g++" in done.stderr
