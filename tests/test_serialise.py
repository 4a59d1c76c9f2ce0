"""Computations as files: what comes back prints and computes the same; damage is recognised."""

import numpy as np
import pytest
from test_ops import build, cases

import odla_ipu as odla
from odla_ipu import container, scopes
from odla_ipu.errors import BadFile, FileMissing, InvalidParameter, OdlaError


def again(c):
    return odla.Computation.from_bytes(c.to_bytes())


def same(c, loaded):
    assert str(loaded) == str(c)
    assert loaded.arguments == c.arguments
    assert loaded.outputs == c.outputs
    assert loaded.to_bytes() == c.to_bytes()


@pytest.mark.parametrize("sample, reference", list(cases()))
def test_every_op_comes_back(sample, reference):
    c, _ = build(sample)
    same(c, again(c))


@pytest.fixture
def nested():
    """A loop with an If inside, which reads values of both graphs around it."""
    generator = np.random.RandomState(0)
    w = generator.normal(size=(3, 3)).astype("f4")
    with odla.Computation("nested") as c:
        x = odla.argument("x", (2, 3))
        n = odla.argument("n", (), "int32")
        scale = odla.exp(x, id="scale")
        with odla.loop(n, id="outer") as loop:
            state = loop.variable(x, id="state")
            empty = loop.variable(np.zeros((0, 2), "f4"))
            positive = odla.greater(odla.reduce_sum(state, keep_dims=False), 0.0)
            with odla.if_(positive) as branches:
                with branches.then():
                    odla.output(odla.gemm(state, w))
                with branches.otherwise():
                    with odla.loop(2) as inner:
                        one = inner.variable(state)
                        inner.next(one, odla.add(one, scale), "rev_after")
                    odla.output(odla.reduce_sum(inner.results[1], axes=(0,), keep_dims=False))
            loop.next(state, branches.results[0])
            loop.next(empty, empty)
            loop.proceed(odla.less(odla.reduce_max(state, keep_dims=False), 50.0))
        odla.output(odla.tanh(loop.results[0]), "y")
        odla.output(odla.constant(np.arange(3), "known"), "known")
    return c, w


def reference(x, n, w):
    state, scale = x, np.exp(x)
    for _ in range(n):
        before = state
        state = state @ w if state.sum() > 0 else 2 * state + 3 * scale
        if not before.max() < 50:
            break
    return np.tanh(state)


def test_control_flow_comes_back(nested, device):
    c, w = nested
    loaded = again(c)
    same(c, loaded)
    x = np.random.RandomState(1).normal(size=(2, 3)).astype("f4")
    for sign in (1, -1):
        for n in (0, 1, 4):
            got = loaded.run(x=sign * x, n=np.int32(n), device=device)
            np.testing.assert_allclose(got["y"], reference(sign * x, n, w), rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(got["known"], [0, 1, 2])


def test_custom_ops_come_back(device):
    index = np.array([[0, 1, 1, 2]], "i4")
    with odla.Computation() as c:
        x = odla.argument("index", (1, 4), "int32")
        mask = odla.custom_op("custom_IpuAttentionMask", [x, np.zeros(1, "f4")], id="mask")
        odla.output(mask, "y")
    loaded = again(c)
    same(c, loaded)
    assert [type(node) for node in loaded.graph.nodes] == [type(node) for node in c.graph.nodes]
    apart = np.abs(index[:, None, :, None] - index[:, None, None, :])
    got = loaded.run(index=index, device=device)["y"]
    np.testing.assert_allclose(got, -10000 * np.tanh(apart), rtol=1e-5)


def test_open_dimensions_come_back(tmp_path, device):
    with odla.Computation("open") as c:
        x = odla.argument("x", ("batch", -1, 2))
        y = odla.argument("y", ("batch", 3, 2))
        odla.output(odla.add(x, y), "z")
    path = tmp_path / "open.bin"
    c.save(path)
    loaded = odla.Computation.load(path)
    same(c, loaded)
    assert str(loaded.arguments["x"]) == "float32[batch,?,2]"
    fixed = loaded.specialise({"x": (4, 3, 2)})
    assert str(fixed.outputs["z"]) == "float32[4,3,2]"
    ones = np.ones((4, 3, 2), "f4")
    np.testing.assert_array_equal(loaded.run(x=ones, y=ones, device=device)["z"], 2 * ones)
    with loaded.compile(device, "fp16", shapes={"x": (1, 3, 2)}) as exe:
        np.testing.assert_array_equal(exe.run(x=ones[:1], y=ones[:1])["z"], 2 * ones[:1])


def test_a_loaded_one_can_be_built_on(nested):
    c, _ = nested
    loaded = again(c)
    with loaded:
        made = odla.relu(loaded.graph.outputs[0].value, id="scale")
        odla.output(made, "more")
    assert made.id not in ("scale", "outer", "state")
    assert list(loaded.outputs) == ["y", "known", "more"]
    same(loaded, again(loaded))
    with pytest.raises(InvalidParameter, match="a value of that name exists"):
        loaded.argument("scale", (1,))


def test_large_constants_are_mapped(tmp_path, device):
    w = np.random.RandomState(0).normal(size=(600, 600)).astype("f4")
    with odla.Computation() as c:
        odla.output(odla.gemm(odla.argument("x", (1, 600)), w), "y")
    c.save(str(tmp_path / "c"))
    del c
    loaded = odla.Computation.load(str(tmp_path / "c"))
    (constant,) = loaded.graph.constants()
    assert not constant.data.flags.owndata and not constant.data.flags.writeable
    np.testing.assert_array_equal(constant.data, w)
    assert constant.data.ctypes.data % 64 == 0
    x = np.ones((1, 600), "f4")
    np.testing.assert_allclose(loaded.run(x=x, device=device)["y"], x @ w, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), 1e-45, 0.1])
def test_any_attribute_comes_back(number):
    with odla.Computation() as c:
        odla.output(odla.leaky_relu(odla.argument("x", (2,)), alpha=number), "y")
    (node,) = again(c).graph.nodes
    np.testing.assert_equal(node.alpha, number)


@pytest.mark.parametrize("name", ["Gradient___x", "a/b c", "\u00e9", "\ud800", "", "\0"])
def test_any_name_comes_back(name):
    with odla.Computation(name) as c:
        odla.output(odla.relu(odla.argument(name, (2,)), id="n" + name), name)
    same(c, again(c))


def test_an_open_scope_is_refused():
    with odla.Computation() as c:
        scopes.begin_loop(c.graph, 3)
        with pytest.raises(InvalidParameter, match="odla_Loop 'Loop' .* still open; end it"):
            c.to_bytes()


# Files that are none.


@pytest.fixture
def file(nested, tmp_path):
    path = str(tmp_path / "c.bin")
    nested[0].save(path)
    return path


def test_no_file(tmp_path):
    with pytest.raises(FileMissing, match="no such file"):
        odla.Computation.load(tmp_path / "none")
    with pytest.raises(BadFile, match="is a folder"):
        odla.Computation.load(tmp_path)


def test_executables_and_computations_are_told_apart(file, tmp_path, device):
    with pytest.raises(BadFile, match="holds: computation; wanted: executable"):
        odla.Executable.load(file, device)
    with odla.Computation() as c:
        odla.output(odla.relu(odla.argument("x", (2,))), "y")
    with c.compile(device) as exe:
        exe.save(str(tmp_path / "e.odla"))
    with pytest.raises(BadFile, match="holds: executable; wanted: computation"):
        odla.Computation.load(tmp_path / "e.odla")


def test_foreign_data_are_refused():
    for data in (b"", b"\x89ODLA", b"text" * 99, b"\x80\x04K\x01."):
        with pytest.raises(BadFile, match="the data of .* bytes is not of odla_ipu"):
            odla.Computation.from_bytes(data)


def test_truncated_and_flipped_data_are_refused(file):
    with open(file, "rb") as opened:
        data = opened.read()
    _, sections = container.read(data)
    used = [range(36 + 2000)]  # the padding between sections is not looked at
    used += [range(one.offset, one.offset + one.size) for one in sections.values()]
    generator = np.random.RandomState(0)
    for _ in range(100):
        with pytest.raises(BadFile):
            odla.Computation.from_bytes(data[: generator.randint(sections["data"].offset)])
        place = generator.choice(used[generator.randint(2)])
        flipped = bytearray(data)
        flipped[place] ^= 1 << generator.randint(8)
        with pytest.raises(BadFile):
            odla.Computation.from_bytes(bytes(flipped))


FORGED = [None, -1, 0, 3, 10**30, 0.5, float("nan"), True, "", "odla_Relu", "x", [], [[]], {}]


def _forge(entry, generator):
    """``entry`` with one thing in it replaced, left out or repeated."""
    if not isinstance(entry, (dict, list)) or not entry or generator.rand() < 0.2:
        return FORGED[generator.randint(len(FORGED))]
    keys = list(entry) if isinstance(entry, dict) else list(range(len(entry)))
    key = keys[generator.randint(len(keys))]
    copy = type(entry)(entry)
    action = generator.randint(12)
    if action == 0:
        del copy[key]
    elif action == 1 and isinstance(entry, list):
        copy.append(entry[key])
    else:
        copy[key] = _forge(entry[key], generator)
    return copy


def test_forged_headers_do_not_crash(file):
    header, sections = container.read(file)
    data = {name: container.content(file, one) for name, one in sections.items()}
    generator = np.random.RandomState(1)
    refused = 0
    for _ in range(1500):
        forged = {key: header[key] for key in header}
        key = ["graph", "graph", "graph", "arguments", "constants", "variables"][
            generator.randint(6)
        ]
        forged[key] = _forge(header[key], generator)
        try:
            loaded = odla.Computation.from_bytes(container.pack(forged, data))
        except BadFile:
            refused += 1
        else:
            str(loaded)
            loaded.to_bytes()
    assert refused > 500


def test_an_unknown_op_is_named(file):
    header, sections = container.read(file)
    header["graph"]["nodes"][0]["op"] = "odla_Teleport"
    data = container.pack(header, {"data": container.content(file, sections["data"])})
    with pytest.raises(BadFile, match="'scale' is odla_Teleport, which odla_ipu .* does not have"):
        odla.Computation.from_bytes(data)
    with pytest.raises(OdlaError, match="format version 9"):
        odla.Computation.from_bytes(data[:8] + b"\x09" + data[9:])
