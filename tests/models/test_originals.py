"""The models by onnxruntime alone: files, inputs and decisions are right to begin with."""

import math

import numpy as np
import onnxruntime
import pytest
from models import cnn, decisions, light, minilm, zoo

from odla_ipu import pretrained


def run(source, inputs):
    return onnxruntime.InferenceSession(source).run(None, inputs)


@pytest.mark.parametrize("model", zoo.parameters(zoo.TRAINED))
def test_trained_networks_decide_right(model):
    outputs = run(str(zoo.fetch(model)), model.inputs())
    assert model.decide(outputs) == model.expected


@pytest.mark.parametrize("text", decisions.LINES)
def test_rendered_lines_are_read(text):
    path = str(zoo.fetch(zoo.by_name("ppocr_rec")))
    assert decisions.decide_line(run(path, decisions.line_inputs(text))) == text


@pytest.mark.parametrize("model", zoo.parameters(zoo.LIGHT))
def test_light_networks_depend_on_input_and_weights(model):
    path = str(zoo.fetch(model))
    session = onnxruntime.InferenceSession(path)
    (name, image), *others = model.inputs().items()
    assert not others
    assert [entry.name for entry in session.get_inputs()] == [name]
    first, second = (session.run(None, {name: x})[0].ravel() for x in (image, -image))
    assert first.size == 1000
    assert np.isfinite(first).all()
    # Not one class alone, and not what the package's constant weights give: all equal.
    assert np.abs(first).max() < 0.9 * np.abs(first).sum()
    assert len(np.unique(first)) > 500
    assert np.abs(first - second).max() > 1e-3


def test_light_weights_are_the_same_each_time():
    first, second = (light.build("squeezenet").SerializeToString() for _ in range(2))
    assert first == second


def test_minilm_is_bert_as_computed_in_numpy():
    path = str(zoo.fetch(zoo.by_name("minilm")))
    inputs = decisions.similar_inputs()
    states, embedding = run(path, inputs)
    tensors = minilm.read_safetensors(pretrained.path("minilm") / "model.safetensors")
    expected = bert(tensors, inputs["input_ids"], inputs["attention_mask"])
    present = inputs["attention_mask"][:, :, np.newaxis] == 1
    np.testing.assert_allclose(states * present, expected * present, rtol=0, atol=2e-4)
    mean = (expected * present).sum(axis=1) / present.sum(axis=1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(embedding, mean, rtol=0, atol=2e-5)


def bert(tensors, ids, mask):
    """Hidden states in float64; tokens absent from the mask are left out by -inf."""
    t = {name: array.astype(np.float64) for name, array in tensors.items()}
    erf = np.vectorize(math.erf)

    def norm(x, prefix):
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / deviation * t[prefix + ".weight"] + t[prefix + ".bias"]

    def dense(x, prefix):
        return x @ t[prefix + ".weight"].T + t[prefix + ".bias"]

    def split(x):
        return x.reshape(*x.shape[:2], 12, 32).swapaxes(1, 2)

    x = t["embeddings.word_embeddings.weight"][ids]
    x = x + t["embeddings.token_type_embeddings.weight"][0]
    x = x + t["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x, "embeddings.LayerNorm")
    absent = np.where(mask == 1, 0, -np.inf)[:, np.newaxis, np.newaxis, :]
    for layer in range(6):
        at = f"encoder.layer.{layer}"
        q, k, v = (split(dense(x, f"{at}.attention.self.{n}")) for n in ("query", "key", "value"))
        scores = q @ k.swapaxes(2, 3) / np.sqrt(32) + absent
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ v).swapaxes(1, 2).reshape(x.shape)
        x = norm(
            x + dense(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm"
        )
        wide = dense(x, f"{at}.intermediate.dense")
        wide = wide / 2 * (1 + erf(wide / np.sqrt(2)))
        x = norm(x + dense(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    return x


def test_minilm_int8_embeds_like_the_float_weights():
    inputs = decisions.similar_inputs()
    states = run(str(zoo.fetch(zoo.by_name("minilm_int8"))), inputs)[0]
    embedding = run(str(zoo.fetch(zoo.by_name("minilm"))), inputs)[1]
    mask = inputs["attention_mask"][:, :, np.newaxis]
    pooled = (states * mask).sum(axis=1)
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose((pooled * embedding).sum(axis=1), 1, atol=0.01)


def test_cnn_oracle_without_rounding_is_onnxruntime():
    x = cnn.image()
    (expected,) = run(cnn.model().SerializeToString(), {"x": x})
    np.testing.assert_allclose(cnn.oracle(x, np.float32), expected, rtol=0, atol=2e-5)


def test_cnn_oracle_with_rounding_can_be_told_from_that_without():
    x = cnn.image()
    exact, rounded = cnn.oracle(x, np.float32), cnn.oracle(x, np.float16)
    np.testing.assert_array_equal(rounded, rounded.astype(np.float16))
    difference = np.abs(exact.astype(np.float16).astype(np.float32) - rounded)
    # More than the rounding of the result alone would make, and still close.
    assert np.count_nonzero(difference) >= rounded.size / 3
    np.testing.assert_allclose(rounded, exact, rtol=0, atol=2e-2)


def test_speech_is_heard_in_the_speech_only():
    path = str(zoo.fetch(zoo.by_name("silero_sequence")))
    inputs = decisions.recording_inputs()
    probabilities = run(path, inputs)[0]
    silent = run(path, {**inputs, "input": np.zeros_like(inputs["input"])})[0]
    assert probabilities.max() > 0.9
    assert silent.max() < 0.2
