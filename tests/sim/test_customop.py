"""Custom ops: registration, refusals, and ops of the engine around them."""

import numpy as np
import onnx
import pytest
from custom_ops import DOMAIN, Elementwise, custom
from session_run import constant, run, session_of

import odla_ipu.sim as popart
from odla_ipu.sim import customop, engine
from odla_ipu.sim.engine.translation import Translation

X = np.array([[1.0, 2.0, -3.0], [0.5, -0.25, 4.0]], np.float32)


def step(session, ids, arrays):
    anchors = session.initAnchorArrays()
    session.run(popart.PyStepIO(dict(zip(ids, arrays)), anchors))
    return anchors


class TestRegistration:
    @pytest.mark.parametrize("domain", ["", "ai.onnx", "ai.graphcore"])
    def test_domains_of_popart_are_refused(self, domain):
        with pytest.raises(popart.popart_exception, match="own"):
            customop.register(domain, "Cube", 1, lambda inputs, attributes: None)

    def test_registering_again_replaces(self):
        customop.register(DOMAIN, "Twice", 1, lambda i, a: Elementwise(lambda x: x + x, i))
        customop.register(DOMAIN, "Twice", 1, lambda i, a: Elementwise(lambda x: 2 * x + 1, i))
        (y,) = run(lambda b, o, i: custom(b, "Twice", i), {"x": X})
        np.testing.assert_array_equal(y, 2 * X + 1)

    def test_providers_are_asked_after_what_is_registered(self):
        asked = []

        def provider(domain, type, version):
            asked.append((domain, type, version))
            if type == "Provided":
                return lambda i, a: Elementwise(np.negative, i)
            return None

        customop.add_provider(provider)
        customop.add_provider(provider)
        (y,) = run(lambda b, o, i: custom(b, "Provided", i), {"x": X})
        np.testing.assert_array_equal(y, -X)
        assert asked == [(DOMAIN, "Provided", 1)]
        assert customop.lookup(DOMAIN, "Cube", 1) is not None
        assert len(asked) == 1
        assert customop.lookup(DOMAIN, "Nothing", 1) is None

    def test_a_version_above_the_opset_is_not_found(self):
        customop.register(DOMAIN, "Late", 2, lambda i, a: Elementwise(np.negative, i))
        with pytest.raises(popart.popart_exception, match=r"No class for com\.acme\.Late:1"):
            run(lambda b, o, i: b.customOp("Late", 2, DOMAIN, i, {}), {"x": X})

    def test_an_onnx_file_with_a_higher_opset(self):
        """The highest version that the opset of the domain allows is taken."""
        for version, factor in ((1, 1.0), (2, 2.0), (4, 4.0)):
            customop.register(
                DOMAIN,
                "Versioned",
                version,
                lambda i, a, factor=factor: Elementwise(lambda x: factor * x, i),
            )
        info = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Versioned", ["x"], ["y"], domain=DOMAIN)],
            "graph",
            [info("x", 1, [2, 3])],
            [info("y", 1, [2, 3])],
        )
        opsets = [onnx.helper.make_opsetid("", 11), onnx.helper.make_opsetid(DOMAIN, 3)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=6)
        session = popart.InferenceSession(
            model.SerializeToString(),
            popart.DataFlow(1, ["y"]),
            popart.DeviceManager().createCpuDevice(),
        )
        session.prepareDevice()
        np.testing.assert_array_equal(step(session, ["x"], [X])["y"], 2 * X)


class TestRefusals:
    def test_unknown_op(self):
        with pytest.raises(popart.popart_exception, match=r"No class for com\.acme\.Sphere:1"):
            run(lambda b, o, i: custom(b, "Sphere", i), {"x": X})

    def test_unknown_op_that_nothing_needs(self):
        def make(b, o, i):
            custom(b, "Sphere", i)
            return o.relu(i)

        with pytest.raises(popart.popart_exception, match="No class for"):
            run(make, {"x": X})

    def test_what_create_raises_names_the_op(self):
        with pytest.raises(
            popart.popart_exception, match=r"Cube \(com\.acme\.Cube:1\): Cube takes floats"
        ):
            run(lambda b, o, i: custom(b, "Cube", i), {"x": X.astype(np.int32)})

    def test_number_of_outputs(self):
        with pytest.raises(popart.popart_exception, match="has 2 outputs, the model asks for 1"):
            run(lambda b, o, i: custom(b, "Halves", i), {"x": X})

    def test_type_of_an_output(self):
        class Wrong:
            outputs = [customop.Info(np.dtype(np.float64), (2,))]

        customop.register(DOMAIN, "Wrong", 1, lambda i, a: Wrong())
        with pytest.raises(popart.popart_exception, match="not supported in Poplar"):
            run(lambda b, o, i: custom(b, "Wrong", i), {"x": X})

    @pytest.mark.parametrize("wrong", [(1, 2), [], [1, 0.5], np.int64(1), [np.int64(1)], ["a"]])
    def test_attributes(self, wrong):
        with pytest.raises(popart.popart_exception, match="Attribute a of custom op"):
            run(lambda b, o, i: custom(b, "ScaledSum", i, a=wrong), {"x": X})

    def test_at_run_time(self):
        session, ids, _ = session_of(lambda b, o, i: custom(b, "Failing", i), {"x": X})
        with pytest.raises(popart.popart_runtime_error, match="Failing.*negative"):
            step(session, ids, [X])
        (y,) = step(session, ids, [abs(X)]).values()
        np.testing.assert_array_equal(y, abs(X))

    def test_an_output_cannot_be_exchanged(self):
        class Exchanging(Elementwise):
            def run(self, inputs, outputs):
                outputs[0] = inputs[0]

        customop.register(DOMAIN, "Exchanging", 1, lambda i, a: Exchanging(None, i))
        with pytest.raises(popart.popart_runtime_error, match="Exchanging"):
            run(lambda b, o, i: custom(b, "Exchanging", i), {"x": X})


class TestCreate:
    def test_what_it_is_given(self):
        seen = []

        def create(inputs, attributes):
            seen.append((inputs, dict(attributes)))
            return Elementwise(lambda x, *rest: x, inputs)

        customop.register(DOMAIN, "Seen", 1, create)

        def make(b, o, i):
            index = constant(b, o, [1, 2], np.int64)
            (y,) = custom(
                b, "Seen", [i[0], "", index], i=3, b=True, f=0.5, s="a", li=[1, 2], lf=[0.5, 1.5]
            )
            return y

        run(make, {"x": X.astype(np.float16)})
        assert seen == [
            (
                [
                    customop.Info(np.dtype(np.float16), (2, 3)),
                    None,
                    customop.Info(np.dtype(np.int32), (2,)),
                ],
                {"i": 3, "b": 1, "f": 0.5, "s": "a", "li": [1, 2], "lf": [0.5, 1.5]},
            )
        ]

    def test_placement_is_not_an_attribute(self):
        seen = []

        def create(inputs, attributes):
            seen.append(dict(attributes))
            return Elementwise(np.negative, inputs)

        customop.register(DOMAIN, "Placed", 1, create)

        def make(b, o, i):
            (y,) = custom(b, "Placed", i)
            b.virtualGraph(y, 0)
            b.pipelineStage(y, 0)
            return y

        options = popart.SessionOptions()
        options.virtualGraphMode = popart.VirtualGraphMode.Manual
        run(make, {"x": X}, options=options)
        assert seen == [{}]

    def test_the_type_alone_means_nothing(self):
        """Ops of other domains with names of PopART's are neither folded nor special."""
        names = ("Add", "Shape", "CopyVarUpdate", "ReplicatedAllReduce")
        for name in names:
            customop.register(DOMAIN, name, 1, lambda i, a: Elementwise(np.subtract, i))

        def make(b, o, i):
            a, c = constant(b, o, X), constant(b, o, 2 * X)
            return [o.add([custom(b, name, [a, c])[0], i[0]]) for name in names]

        for y in run(make, {"x": 3 * X}):
            np.testing.assert_array_equal(y, 2 * X)


class TestBetweenOpsOfTheEngine:
    def test_before_after_and_beside(self):
        def make(b, o, i):
            (inner,) = custom(b, "Cube", [o.add([i[0], i[0]])])
            beside = o.relu([i[0]])
            return o.mul([inner, beside]), inner, beside

        mixed, inner, beside = run(make, {"x": X})
        np.testing.assert_allclose(inner, 8 * X**3)
        np.testing.assert_allclose(mixed, 8 * X**3 * np.maximum(X, 0))
        np.testing.assert_array_equal(beside, np.maximum(X, 0))

    def test_several_outputs(self):
        x = np.arange(15, dtype=np.int32).reshape(5, 3)

        def make(b, o, i):
            even, odd = custom(b, "Halves", i, 2)
            return o.neg([even]), o.add([odd, odd])

        even, odd = run(make, {"x": x})
        np.testing.assert_array_equal(even, -x[::2])
        np.testing.assert_array_equal(odd, 2 * x[1::2])

    def test_only_one_output_is_read(self):
        (y,) = run(lambda b, o, i: o.neg([custom(b, "Halves", i, 2)[1]]), {"x": X})
        np.testing.assert_array_equal(y, -X[1::2])

    def test_nothing_but_a_custom_op(self):
        (y,) = run(lambda b, o, i: custom(b, "Cube", i), {"x": X})
        np.testing.assert_allclose(y, X**3)

    def test_a_chain_of_them(self):
        def make(b, o, i):
            (y,) = custom(b, "Cube", i)
            (z,) = custom(b, "ScaledSum", [y, i[0]], a=2.0, b=-1)
            return y, z

        y, z = run(make, {"x": X})
        np.testing.assert_allclose(y, X**3)
        np.testing.assert_allclose(z, 2 * X**3 - X, rtol=1e-6)

    def test_an_input_is_left_out(self):
        (y,) = run(lambda b, o, i: custom(b, "ScaledSum", [i[0], ""], a=3.0), {"x": X})
        np.testing.assert_array_equal(y, 3 * X)

    def test_constants_and_what_depends_on_them(self):
        def make(b, o, i):
            w = b.addInitializedInputTensor(np.full((2, 3), 2, np.float32), "w")
            big = o.exp([w])
            (y,) = custom(b, "ScaledSum", [i[0], w], a=1.0)
            (z,) = custom(b, "ScaledSum", [y, big], a=1.0)
            return o.mul([z, big]), big, w, i[0]

        y, big, w, x = run(make, {"x": X})
        np.testing.assert_allclose(big, np.full((2, 3), np.exp(2)), rtol=1e-6)
        np.testing.assert_allclose(y, (X + 2 + np.exp(2)) * np.exp(2), rtol=1e-5)
        assert (w == 2).all()
        np.testing.assert_array_equal(x, X)

    @pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,)])
    def test_shapes(self, shape):
        x = np.full(shape, 3, np.float32)
        (y,) = run(lambda b, o, i: o.neg([custom(b, "Cube", [o.neg(i)])[0]]), {"x": x})
        np.testing.assert_array_equal(y, np.full(shape, 27, np.float32))

    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "bool"]
    )
    def test_types(self, dtype):
        x = np.array([0, 1, 1, 0], dtype)
        seen = []

        def look(x):
            seen.append(x.dtype)
            return x

        customop.register(DOMAIN, "Looking", 1, lambda i, a: Elementwise(look, i))
        (y,) = run(lambda b, o, i: o.identity([custom(b, "Looking", i)[0]]), {"x": x})
        np.testing.assert_array_equal(y, x)
        assert y.dtype == x.dtype
        assert seen == [x.dtype]

    def test_float16_is_rounded_before_it(self):
        x = np.array([60000, 1.001], np.float16)
        seen = []

        def look(x):
            seen.append(x.copy())
            return x

        customop.register(DOMAIN, "Seeing", 1, lambda i, a: Elementwise(look, i))

        def make(b, o, i):
            (y,) = custom(b, "Seeing", [o.mul([i[0], i[0]])])
            return o.div([y, i[0]])

        (y,) = run(make, {"x": x})
        square = np.array([65504, np.float16(np.float32(x[1]) ** 2)], np.float16)
        np.testing.assert_array_equal(seen[0], square)
        np.testing.assert_array_equal(y, (square.astype("f4") / x.astype("f4")).astype("f2"))

    def test_arrays_are_contiguous(self):
        def check(x):
            assert x.flags.c_contiguous
            return x

        customop.register(DOMAIN, "Checking", 1, lambda i, a: Elementwise(check, i))
        (y,) = run(lambda b, o, i: custom(b, "Checking", [o.transpose(i, [1, 0])]), {"x": X})
        np.testing.assert_array_equal(y, X.T)


class TestParts:
    def parts_of(self, make, inputs):
        session, _, _ = session_of(make, inputs)
        steps = session._translation.steps
        return [len(s.op.outputs) if hasattr(s, "op") else type(s).__name__ for s in steps]

    def test_independent_ops_are_not_cut(self):
        """Four custom ops side by side with ops before and after: two parts of the engine."""

        def make(b, o, i):
            branches = []
            for k in range(4):
                y = o.add([i[0], constant(b, o, k, np.float32)])
                (z,) = custom(b, "Cube", [y])
                branches.append(o.relu([z]))
            return o.sum([*branches, o.neg([i[0]])])

        assert self.parts_of(make, {"x": X}) == ["Translation", 1, 1, 1, 1, "Translation"]
        (y,) = run(make, {"x": X})
        expected = sum(np.maximum((X + k) ** 3, 0) for k in range(4)) - X
        np.testing.assert_allclose(y, expected, rtol=1e-5)

    def test_a_custom_op_first_needs_no_part_before_it(self):
        def make(b, o, i):
            (z,) = custom(b, "Cube", i)
            return o.add([z, o.neg(i)])

        assert self.parts_of(make, {"x": X}) == [1, "Translation"]

    def test_constants_make_no_part(self):
        def make(b, o, i):
            w = o.exp([b.addInitializedInputTensor(X, "w")])
            (z,) = custom(b, "ScaledSum", [i[0], w], a=1)
            return o.add([z, w])

        assert self.parts_of(make, {"x": X}) == [1, "Translation"]

    def test_a_model_without_them_is_one_part(self):
        session, _, _ = session_of(lambda b, o, i: o.relu(i), {"x": X})
        assert type(session._engine).__name__ == "Engine"


class TestSessions:
    def test_runs_again_with_other_arrays(self):
        """The first run copies, later ones bind the arrays themselves."""
        x = np.random.RandomState(0).standard_normal((64, 128)).astype("f4")

        def make(b, o, i):
            (y,) = custom(b, "Cube", [i[0]])
            return o.add([y, i[0]]), y

        session, ids, (total, inner) = session_of(make, {"x": x})
        for k in range(4):
            values = x + k
            anchors = step(session, ids, [values])
            np.testing.assert_allclose(anchors[inner], values**3, rtol=1e-5)
            np.testing.assert_allclose(anchors[total], values**3 + values, rtol=1e-4, atol=1e-5)
        assert session._whole

    @pytest.mark.parametrize("returns", ["All", "Final", "Sum", ("EveryN", 2)])
    def test_batches_of_a_step(self, returns):
        x = np.random.RandomState(0).standard_normal((4, 2, 3)).astype("f4")
        session, ids, (name,) = session_of(
            lambda b, o, i: o.neg([custom(b, "Cube", [o.neg(i)])[0]]),
            {"x": x[0]},
            bps=4,
            returns=returns,
        )
        for _ in range(2):
            anchors = step(session, ids, [x])
            expected = {"All": x**3, "Final": x[3] ** 3, "Sum": (x**3).sum(0)}
            wanted = (
                expected.get(returns, x[1::2] ** 3) if isinstance(returns, str) else x[1::2] ** 3
            )
            np.testing.assert_allclose(anchors[name], wanted, rtol=1e-5, atol=1e-6)

    def test_print_before_and_abort_after(self, capsys):
        def make(b, o, i):
            y = b.aiGraphcore.printtensor([o.neg(i)], title="before")
            (z,) = custom(b, "Cube", [y])
            b.aiGraphcore.abort(
                [o.greater([o.reducesum([z], keepdims=0), constant(b, o, 0.0, "f4")])]
            )
            return o.relu([z])

        session, ids, _ = session_of(make, {"x": X})
        step(session, ids, [X * X])
        assert capsys.readouterr().err.startswith("before: [")
        with pytest.raises(popart.poplar_application_runtime_error, match="Abort"):
            step(session, ids, [-X * X])

    def test_floating_point_checks(self):
        options = popart.SessionOptions()
        options.enableFloatingPointChecks = True
        session, ids, _ = session_of(
            lambda b, o, i: custom(b, "Cube", i), {"x": X}, options=options
        )
        step(session, ids, [X])
        raises = pytest.raises(popart.poplar_application_runtime_error, match="Floating-point")
        with np.errstate(over="ignore"), raises:
            step(session, ids, [X * np.float32(1e20)])

    def test_random_inputs(self):
        def make(b, o, i):
            noise = o.randomnormal([2, 3])
            (y,) = custom(b, "ScaledSum", [i[0], noise], a=0.0)
            return o.sub([y, noise]), noise

        session, ids, (zero, noise) = session_of(make, {"x": X})
        session.setRandomSeed(7)
        first = step(session, ids, [X])
        second = step(session, ids, [X])
        assert not first[zero].any()
        assert not second[zero].any()
        assert (first[noise] != second[noise]).all()
        session.setRandomSeed(7)
        np.testing.assert_array_equal(step(session, ids, [X])[noise], first[noise])

    def test_variables(self):
        options = popart.SessionOptions()
        options.constantWeights = False

        def make(b, o, i):
            w = b.addInitializedInputTensor(np.ones((2, 3), np.float32), "w")
            (y,) = custom(b, "ScaledSum", [w, o.identity(i)], a=2)
            (new,) = [b.aiGraphcore.copyvarupdate([w, y])]
            return o.add([new, w]), new, custom(b, "Cube", [w])[0]

        session, ids, (total, new, cubed) = session_of(make, {"x": X}, options=options)
        session.weightsFromHost()
        w = np.ones((2, 3), np.float32)
        for _ in range(3):
            anchors = step(session, ids, [X])
            np.testing.assert_allclose(anchors[cubed], w**3, rtol=1e-5)
            np.testing.assert_allclose(anchors[new], 2 * w + X)
            np.testing.assert_allclose(anchors[total], 3 * w + X)
            w = 2 * w + X
        session.weightsToHost()
        out = np.zeros_like(w)
        session.readWeights(popart.PyWeightsIO({"w": out}))
        np.testing.assert_allclose(out, w)

    def test_weights_written_by_the_host(self):
        options = popart.SessionOptions()
        options.constantWeights = False

        def make(b, o, i):
            w = b.addInitializedInputTensor(np.ones((2, 3), np.float32), "w")
            return custom(b, "ScaledSum", [o.neg(i), w], a=1)

        session, ids, (y,) = session_of(make, {"x": X}, options=options)
        session.weightsFromHost()
        np.testing.assert_array_equal(step(session, ids, [X])[y], 1 - X)
        session.writeWeights(popart.PyWeightsIO({"w": X}))
        session.weightsFromHost()
        np.testing.assert_array_equal(step(session, ids, [X])[y], np.zeros_like(X))

    def test_replicas(self):
        options = popart.SessionOptions()
        options.enableReplicatedGraphs, options.replicatedGraphCount = True, 2
        device = popart.DeviceManager().acquireAvailableDevice(2)
        x = np.stack([X, -X])
        session, ids, (name,) = session_of(
            lambda b, o, i: custom(b, "Cube", i), {"x": X}, options=options, device=device
        )
        np.testing.assert_allclose(step(session, ids, [x])[name], x**3)


class TestRandomGraphs:
    """Graphs with custom ops anywhere, computed step by step in numpy."""

    def graph(self, rng):
        """Steps (kind, operands, custom) over two inputs, a weight and a constant."""
        steps = []
        for number in range(rng.randint(1, 25)):
            kind = ["neg", "add", "sub", "branch"][rng.randint(4)]
            operands = rng.randint(0, 4 + number, 2).tolist()
            steps.append((kind, operands, rng.rand() < 0.4))
        return steps

    def build(self, b, o, i, steps, values):
        ids = [*i, b.addInitializedInputTensor(values[2]), constant(b, o, values[3])]
        for kind, (left, right), is_custom in steps:
            x, y = ids[left], ids[right]
            if kind == "branch":
                condition = o.greater([o.reducesum([x], keepdims=0), constant(b, o, 0, "f4")])
                bodies = []
                for first, second in ((x, y), (y, x)):
                    body = b.createSubgraphBuilder()
                    p = body.aiOnnxOpset11
                    z = self.op(body, p, "sub", first, second, is_custom)
                    body.addOutputTensor(z)
                    bodies.append(body)
                ids.append(o.logical_if([condition], 1, *bodies)[0])
            else:
                ids.append(self.op(b, o, kind, x, y, is_custom))
        return ids[4:]

    def op(self, b, o, kind, x, y, is_custom):
        if not is_custom:
            return o.neg([x]) if kind == "neg" else getattr(o, kind)([x, y])
        a, factor = {"neg": (-1, 0), "add": (1, 1), "sub": (1, -1)}[kind]
        return custom(b, "ScaledSum", [x, y], a=a, b=factor)[0]

    def expected(self, steps, values):
        values = list(values)
        for kind, (left, right), _ in steps:
            x, y = values[left], values[right]
            if kind == "branch":
                values.append(y - x if x.sum() > 0 else x - y)
            else:
                values.append({"neg": -x, "add": x + y, "sub": x - y}[kind])
        return values[4:]

    @pytest.mark.parametrize("seed", range(25))
    def test_graph(self, seed):
        rng = np.random.RandomState(seed)
        steps = self.graph(rng)
        # Small integers: every order of summing gives the same.
        values = [rng.randint(-3, 4, 4).astype(np.float32) for _ in range(4)]
        expected = self.expected(steps, values)
        kept = [k for k in range(len(steps)) if rng.rand() < 0.5 or k == len(steps) - 1]

        def make(b, o, i):
            outputs = self.build(b, o, i, steps, values)
            return [outputs[k] for k in kept]

        session, ids, outputs = session_of(make, {"a": values[0], "c": values[1]})
        for _ in range(2):
            anchors = step(session, ids, values[:2])
            for k, name in zip(kept, outputs):
                np.testing.assert_array_equal(anchors[name], expected[k])


def test_what_only_the_engine_reads_stays_there(monkeypatch):
    """Else memory would hold every value, and onnxruntime could not fuse ops."""
    plans = []

    def load(plan):
        plans.append(plan)
        return engine.load(plan)

    monkeypatch.setattr("odla_ipu.sim.session_base.load", load)

    def make(b, ops, ids):
        x = ops.relu([ops.neg([ops.abs(ids)])])
        (y,) = custom(b, "Cube", [x])
        return ops.add([ops.neg([ops.abs([y])]), x])

    (found,) = run(make, {"x": X})
    np.testing.assert_array_equal(found, np.zeros_like(X))
    parts = [step for step in plans[0].steps if isinstance(step, Translation)]
    assert [len(part.outputs) for part in parts] == [1, 1]
