"""CTC, splines and packed sequences against brute force in numpy."""

import itertools

import numpy as np
import pytest
from custom_ops import custom
from session_run import constant, run, session_of

import odla_ipu.sim as popart

RNG = np.random.RandomState(11)
INT = {"int32": "INT32", "uint32": "UINT32"}


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def collapsed(path, blank):
    """The labels of a path: repeated ones once, blanks dropped."""
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def label_probabilities(log_probs, blank):
    """Probability of every label sequence by summing over all paths, for [T, C]."""
    steps, classes = log_probs.shape
    found = {}
    for path in itertools.product(range(classes), repeat=steps):
        labels = collapsed(path, blank)
        score = sum(log_probs[step, label] for step, label in enumerate(path))
        found[labels] = found.get(labels, 0) + np.exp(score)
    return found


def ctc_losses(log_probs, targets, steps, counts, blank):
    losses = []
    for sample, (step, count) in enumerate(zip(steps, counts)):
        found = label_probabilities(log_probs[:step, sample].astype(np.float64), blank)
        probability = found.get(tuple(targets[sample, :count]), 0)
        losses.append(-np.log(probability) if probability else np.inf)
    return np.array(losses)


def ctc_inputs(dtype="float32"):
    log_probs = log_softmax(RNG.standard_normal((5, 6, 4))).astype(dtype)
    targets = np.array([[1, 2, 3], [1, 1, 9], [2, 9, 9], [3, 3, 3], [9, 9, 9], [2, 2, 9]], np.int32)
    steps = np.array([5, 4, 1, 5, 3, 2], np.int32)
    counts = np.array([3, 2, 1, 3, 0, 2], np.int32)
    return {"p": log_probs, "t": targets, "i": steps, "c": counts}


class TestCtcLoss:
    @pytest.mark.parametrize("blank", [0, 2])
    @pytest.mark.parametrize("zero_infinity", [False, True])
    @pytest.mark.parametrize("integer", ["int32", "uint32"])
    def test_every_sample(self, blank, zero_infinity, integer):
        """Repeated labels, an empty target, and one (2, 2 in two steps) that no path gives."""
        inputs = ctc_inputs()
        if blank:
            inputs["t"] = np.where(inputs["t"] == 2, 0, inputs["t"])
        expected = ctc_losses(*inputs.values(), blank)
        assert np.isinf(expected).tolist() == [False] * 5 + [True]
        inputs = {k: v if k == "p" else v.astype(integer) for k, v in inputs.items()}
        (loss,) = run(
            lambda b, o, i: b.aiGraphcore.ctcloss(
                i, popart.ReductionType.NoReduction, blank=blank, zeroInfinity=zero_infinity
            ),
            inputs,
        )
        if zero_infinity:
            expected[5] = 0
        np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("reduction", ["Sum", "Mean"])
    def test_reductions(self, reduction):
        inputs = ctc_inputs()
        inputs = {k: v[:, :5].copy() if k == "p" else v[:5] for k, v in inputs.items()}
        each = ctc_losses(*inputs.values(), 0)
        expected = each.sum() if reduction == "Sum" else (each / [3, 2, 1, 3, 1]).mean()
        (loss,) = run(
            lambda b, o, i: b.aiGraphcore.ctcloss(i, getattr(popart.ReductionType, reduction)),
            inputs,
        )
        assert loss.shape == ()
        np.testing.assert_allclose(loss, expected, rtol=1e-5)

    @pytest.mark.parametrize("out", ["UNDEFINED", "FLOAT", "FLOAT16"])
    def test_float16(self, out):
        inputs = ctc_inputs("float16")
        expected = ctc_losses(*inputs.values(), 0)
        (loss,) = run(
            lambda b, o, i: b.aiGraphcore.ctcloss(
                i, popart.ReductionType.NoReduction, outDataType=out
            ),
            inputs,
        )
        dtype = np.float32 if out == "FLOAT" else np.float16
        assert loss.dtype == dtype
        np.testing.assert_allclose(
            loss[:5], expected[:5], rtol=1e-3 if dtype == np.float16 else 1e-5
        )
        assert loss[5] == (65504 if dtype == np.float16 else np.inf)

    def test_gradient_of_the_logits(self):
        """The second output, for samples that have a path, by differences."""
        inputs = ctc_inputs()
        logits = RNG.standard_normal((5, 6, 4))
        inputs["p"] = log_softmax(logits).astype(np.float32)

        def make(b, o, i):
            loss = b.aiGraphcore.ctcloss(i, popart.ReductionType.NoReduction, zeroInfinity=True)
            assert loss == "Ctc:0"
            return ["Ctc:1"]

        (gradient,) = run(make, inputs)
        expected = np.zeros_like(logits)
        delta = 1e-5
        others = [inputs[name] for name in "tic"]
        for place in np.ndindex(*logits.shape):
            both = []
            for sign in (1, -1):
                moved = logits.copy()
                moved[place] += sign * delta
                one = slice(place[1], place[1] + 1)
                both.append(
                    ctc_losses(log_softmax(moved)[:, one], *(value[one] for value in others), 0)[0]
                )
            expected[place] = 0 if np.isinf(both[0]) else (both[0] - both[1]) / (2 * delta)
        np.testing.assert_allclose(gradient, expected, atol=1e-5)

    def test_no_steps(self):
        inputs = ctc_inputs()
        inputs["i"] = np.zeros(6, np.int32)
        (loss,) = run(
            lambda b, o, i: b.aiGraphcore.ctcloss(i, popart.ReductionType.NoReduction), inputs
        )
        np.testing.assert_array_equal(loss, [np.inf] * 4 + [0, np.inf])

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [("i", 6, "input lengths"), ("c", 4, "target lengths"), ("t", 4, "targets must be 0 to 3")],
    )
    def test_out_of_range(self, name, value, message):
        inputs = ctc_inputs()
        inputs[name] = np.full_like(inputs[name], value)
        with pytest.raises(popart.popart_runtime_error, match=message):
            run(lambda b, o, i: b.aiGraphcore.ctcloss(i), inputs)

    def test_blank_must_be_a_class(self):
        with pytest.raises(popart.popart_exception, match="blank 4"):
            run(lambda b, o, i: b.aiGraphcore.ctcloss(i, blank=4), ctc_inputs())


class TestBeamSearch:
    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    @pytest.mark.parametrize("blank", [0, 2])
    def test_against_all_paths(self, blank, dtype):
        """A beam that holds every label sequence finds the exact best ones."""
        log_probs = log_softmax(2 * RNG.standard_normal((4, 3, 3))).astype(dtype)
        steps = np.array([4, 2, 3], np.uint32)
        scores, lengths, labels = run(
            lambda b, o, i: b.aiGraphcore.ctcbeamsearchdecoder(
                i, blank=blank, beam_width=100, top_paths=4
            ),
            {"p": log_probs, "s": steps},
        )
        assert scores.dtype == dtype
        for sample, step in enumerate(steps):
            found = label_probabilities(log_probs[:step, sample].astype(np.float64), blank)
            best = sorted(found.items(), key=lambda item: -item[1])[:4]
            for path, (expected, probability) in enumerate(best):
                length = lengths[sample, path]
                assert tuple(labels[sample, path, :length]) == expected
                np.testing.assert_allclose(
                    scores[sample, path],
                    np.log(probability),
                    rtol=1e-5 if dtype == "float32" else 1e-3,
                )

    def test_a_narrow_beam(self):
        """A beam of one keeps the best sequence of each step."""
        log_probs = np.log(np.array([[[0.4, 0.6]], [[0.4, 0.6]]], np.float32))
        scores, lengths, labels = run(
            lambda b, o, i: b.aiGraphcore.ctcbeamsearchdecoder(i, beam_width=1),
            {"p": log_probs, "s": np.array([2], np.uint32)},
        )
        # After one step "1" (0.6) is kept; it then stays "1" with 0.6 * 0.4 + 0.6 * 0.6.
        np.testing.assert_allclose(np.exp(scores), [[0.6]], rtol=1e-6)
        assert lengths.tolist() == [[1]]
        assert labels[0, 0, 0] == 1

    def test_fewer_sequences_than_paths(self):
        scores, lengths, _ = run(
            lambda b, o, i: b.aiGraphcore.ctcbeamsearchdecoder(i, beam_width=9, top_paths=9),
            {"p": np.log(np.full((1, 2, 3), 1 / 3, np.float32)), "s": np.array([1, 0], np.uint32)},
        )
        assert np.isinf(scores).tolist() == [[False] * 3 + [True] * 6, [False] + [True] * 8]
        assert sorted(lengths[0].tolist()) == [0] * 7 + [1] * 2

    def test_no_more_paths_than_beams(self):
        with pytest.raises(popart.popart_exception, match="top_paths 3 above beam_width 2"):
            run(
                lambda b, o, i: b.aiGraphcore.ctcbeamsearchdecoder(i, beam_width=2, top_paths=3),
                {"p": np.zeros((2, 1, 3), np.float32), "s": np.array([2], np.uint32)},
            )


def bspline(f, degree):
    """Pieces of the uniform B-spline, by Cox and de Boor's recursion."""
    if degree == 0:
        return [np.ones_like(f)]
    lower = bspline(f, degree - 1)
    pieces = []
    for k in range(degree + 1):
        # Position of f in the support of piece k of the basis function.
        rising = (f + degree - k) / degree * (lower[k - 1] if k else 0)
        falling = (1 - f + k) / degree * (lower[k] if k < degree else 0)
        pieces.append(rising + falling)
    return pieces


class TestSplines:
    @pytest.mark.parametrize("degree", [0, 1, 2, 3])
    @pytest.mark.parametrize("opened", [[1, 1], [0, 1], [0, 0]])
    def test_basis(self, degree, opened):
        sizes = np.array([5, 4], np.int32)
        pseudo = RNG.uniform(0, 1, (7, 2)).astype(np.float32)
        basis, index = run(
            lambda b, o, i: b.aiGraphcore.splinebasis(i, degree=degree),
            {"p": pseudo, "k": sizes, "o": np.array(opened, np.uint8)},
        )
        places = pseudo.astype(np.float64) * (sizes - degree * np.array(opened))
        whole = np.floor(places).astype(int)
        pieces = bspline(places - whole, degree)
        expected, knots = [], []
        for second, first in itertools.product(range(degree + 1), repeat=2):
            expected.append(pieces[first][:, 0] * pieces[second][:, 1])
            place = (whole + [first, second]) % sizes
            knots.append(place[:, 0] + place[:, 1] * sizes[0])
        np.testing.assert_allclose(basis, np.stack(expected, 1), atol=2e-6)
        np.testing.assert_array_equal(index, np.stack(knots, 1))
        np.testing.assert_allclose(basis.sum(1), 1, rtol=1e-5)

    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    def test_weighting(self, dtype):
        x, weight = RNG.standard_normal((6, 3)), RNG.standard_normal((5, 3, 2))
        basis, index = RNG.uniform(0, 1, (6, 4)), RNG.randint(0, 5, (6, 4))
        x, weight, basis = (array.astype(dtype) for array in (x, weight, basis))
        (y,) = run(
            lambda b, o, i: b.aiGraphcore.splineweighting(i),
            {"x": x, "w": weight, "b": basis, "i": index.astype(np.int32)},
        )
        wide = [array.astype(np.float64) for array in (x, weight, basis)]
        expected = np.zeros((6, 2))
        for e, s in np.ndindex(6, 4):
            expected[e] += wide[2][e, s] * (wide[0][e] @ wide[1][index[e, s]])
        np.testing.assert_allclose(y, expected, rtol=1e-5 if dtype == "float32" else 2e-3)

    def test_refusals(self):
        f, n = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.int32)
        with pytest.raises(popart.popart_exception, match="degree 4"):
            run(
                lambda b, o, i: b.aiGraphcore.splinebasis(i, degree=4),
                {"p": f, "k": np.zeros(3, np.int32), "o": np.zeros(3, np.uint8)},
            )
        with pytest.raises(popart.popart_exception, match="one type"):
            run(
                lambda b, o, i: b.aiGraphcore.splineweighting(i),
                {"x": f, "w": np.zeros((4, 3, 2), np.float16), "b": f, "i": n},
            )


def packed(b, i, make, longest, size, batch):
    body = b.createSubgraphBuilder()
    body.setGraphName("callback")
    inner = [body.addUntypedInputTensor() for _ in longest]
    body.addOutputTensor(make(body, body.aiOnnxOpset11, inner))
    return b.aiGraphcore.packedDataBlock(
        i, maxSequenceLengths=longest, resultSize=size, callbackBatchSize=batch, callback=body
    )


class TestPackedDataBlock:
    @pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32])
    @pytest.mark.parametrize("batch", [1, 2, 4])
    def test_one_input(self, batch, dtype):
        data = np.arange(1, 25).reshape(12, 2).astype(dtype)
        offsets, lengths = [0, 3, 7, 8], [3, 4, 1, 4]
        places = [9, 0, 5, 6]
        inputs = [data, *(np.array(v, np.uint32) for v in (offsets, lengths, places, lengths))]
        (y,) = run(
            lambda b, o, i: packed(b, i, lambda c, p, x: p.add([x[0], x[0]]), [5], 14, batch),
            dict(zip("dolpq", inputs)),
        )
        expected = np.zeros((14, 2), dtype)
        for offset, length, place in zip(offsets, lengths, places):
            expected[place : place + length] = 2 * data[offset : offset + length]
        np.testing.assert_array_equal(y, expected)

    def test_two_inputs_and_outer_values(self):
        """The longer of two sequences decides the length; the callback sees zeros after each."""
        a, c = RNG.randint(0, 9, (6, 1, 2)), RNG.randint(0, 9, (9, 1, 2))
        spans = [([0, 2], [2, 4]), ([0, 4], [4, 5]), ([5, 0], [4, 5])]
        inputs = {"a": a.astype("f4"), "c": c.astype("f4"), "w": np.array([10, 1], np.float32)}
        for name, span in zip("xyz", spans):
            inputs[name + "o"], inputs[name + "l"] = (np.array(v, np.uint32) for v in span)

        def make(b, o, i):
            ids = dict(zip(inputs, i))
            scale = o.neg([ids["w"]])
            order = ["a", "xo", "xl", "c", "yo", "yl", "zo", "zl"]

            def callback(body, p, x):
                total = p.mul([p.add(x), scale])
                return custom(body, "ScaledSum", [total, ""], a=-1)[0]

            return packed(b, [ids[name] for name in order], callback, [5, 5], 10, 1)

        (y,) = run(make, inputs)
        expected = np.zeros((10, 1, 2))
        for k in range(2):
            slots = []
            for data, (offsets, lengths) in zip((a, c), spans):
                slot = np.zeros((5, 1, 2))
                slot[: lengths[k]] = data[offsets[k] : offsets[k] + lengths[k]]
                slots.append(slot)
            place, length = spans[2][0][k], spans[2][1][k]
            expected[place : place + length] = (sum(slots) * [10, 1])[:length]
        np.testing.assert_array_equal(y, expected)

    def test_a_sequence_outside(self):
        data = np.zeros((4, 2), np.float32)

        def make(b, o, i):
            ids = [i[0], i[1], i[2], i[1], i[2]]
            return packed(b, ids, lambda c, p, x: p.neg(x), [3], 4, 1)

        inputs = {"d": data, "o": np.array([2], np.uint32), "l": np.array([3], np.uint32)}
        session, ids, _ = session_of(make, inputs)
        with pytest.raises(popart.popart_runtime_error, match="3 rows from row 2 lies outside"):
            session.run(
                popart.PyStepIO(dict(zip(ids, inputs.values())), session.initAnchorArrays())
            )

    def test_number_of_sequences(self):
        def make(b, o, i):
            table = constant(b, o, [0, 1, 2], np.uint32)
            ids = [i[0], table, table, table, table]
            return packed(b, ids, lambda c, p, x: p.neg(x), [3], 4, 2)

        with pytest.raises(popart.popart_exception, match="a multiple of callbackBatchSize 2"):
            run(make, {"d": np.zeros((4, 2), np.float32)})
