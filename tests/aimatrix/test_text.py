"""BERT, NMT and CRNN against numpy and onnxruntime; their tokens, searches and answers."""

import itertools
import math

import numpy as np
import onnxruntime
import pytest
from aimatrix.checks import Changed, assert_close, assert_counts, in_double, run, sigmoid, softmax
from aimatrix.classifiers import Net
from models import decisions
from odla_ipu.examples import bert_base, bert_large, crnn, nmt
from odla_ipu.examples.common import bert, wordpiece
from onnx import TensorProto, helper, numpy_helper

import odla_ipu
from odla_ipu import examples, pretrained

# BERT.

TINY = bert.Config(layers=2, hidden=24, heads=3, intermediate=40, vocabulary=50, length=11)


def gelu(x, tanh):
    if tanh:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def layer_norm(w, name, x):
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def bert_states(w, feeds, config):
    """Hidden states [N,T,H], sentence by sentence, without a mask: padding is cut off."""

    def linear(name, x):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    result = np.zeros((*feeds["input_ids"].shape, config.hidden))
    for row, mask in enumerate(feeds["input_mask"]):
        used = int(mask.sum())
        x = w["embeddings.word_embeddings.weight"][feeds["input_ids"][row, :used]]
        x = x + w["embeddings.token_type_embeddings.weight"][feeds["segment_ids"][row, :used]]
        x = layer_norm(
            w, "embeddings.LayerNorm", x + w["embeddings.position_embeddings.weight"][:used]
        )
        for layer in range(config.layers):
            name = f"encoder.layer.{layer}"
            size = config.hidden // config.heads
            heads = []
            for head in range(config.heads):
                part = slice(head * size, (head + 1) * size)
                q, k, v = (
                    linear(f"{name}.attention.self.{one}", x)[:, part]
                    for one in ("query", "key", "value")
                )
                heads.append(softmax(q @ k.T / math.sqrt(size)) @ v)
            attended = linear(f"{name}.attention.output.dense", np.hstack(heads))
            x = layer_norm(w, f"{name}.attention.output.LayerNorm", attended + x)
            wide = gelu(linear(f"{name}.intermediate.dense", x), config.tanh_gelu)
            x = layer_norm(w, f"{name}.output.LayerNorm", linear(f"{name}.output.dense", wide) + x)
        result[row, :used] = x
    return result


def bert_feeds(config, batch=3):
    feeds = bert.random_inputs(batch, np.random.default_rng(1), config)
    feeds["input_mask"][0] = 1  # one that fills all
    return feeds


@pytest.mark.parametrize("tanh", [True, False])
def test_question_answering(device, tanh):
    config = bert.Config(**{**TINY.__dict__, "tanh_gelu": tanh})
    feeds = bert_feeds(config)
    got, given = run(lambda weights: bert_large.network(3, weights, config), feeds, device)
    w = in_double(given)
    logits = bert_states(w, feeds, config) @ w["qa_outputs.weight"].T + w["qa_outputs.bias"]
    is_real = feeds["input_mask"] == 1
    for place, name in enumerate(("start_logits", "end_logits")):
        assert got[name].shape == (3, 11)
        assert_close(got[name][is_real], logits[..., place][is_real])


def test_sentence_pairs(device):
    feeds = bert_feeds(TINY)
    got, given = run(lambda weights: bert_base.network(3, weights, TINY), feeds, device)
    w = in_double(given)
    first = bert_states(w, feeds, TINY)[:, 0]
    pooled = np.tanh(first @ w["pooler.dense.weight"].T + w["pooler.dense.bias"])
    logits = pooled @ w["classifier.weight"].T + w["classifier.bias"]
    assert_close(got["logits"], logits)
    assert_close(got["probabilities"], softmax(logits))
    assert bert_base.classes(got) == [bert_base.CLASSES[one] for one in logits.argmax(1)]


@pytest.mark.slow
def test_bert_large_of_full_size(device):
    example = examples.find("bert_large")
    feeds = example.inputs(1, np.random.default_rng(1))
    got, given = run(lambda weights: example.build(1, weights), feeds, device)
    is_real = feeds["input_mask"] == 1
    states = bert_states(given, feeds, bert_large.LARGE)  # in float32, to spare memory
    logits = states @ given["qa_outputs.weight"].T + given["qa_outputs.bias"]
    for place, name in enumerate(("start_logits", "end_logits")):
        assert_close(got[name][is_real], logits[..., place][is_real])


def bert_counts(config):
    size, wide = config.hidden, config.intermediate
    parameters = (config.vocabulary + 512 + 2 + 2) * size
    parameters += config.layers * (4 * size * size + 2 * size * wide + 9 * size + wide)
    macs = 4 * size * size + 2 * size * wide + 2 * config.length * size
    return parameters, config.layers * config.length * macs


def test_bert_counts():
    parameters, macs = bert_counts(bert_large.LARGE)
    # The published model without its pooler.
    assert parameters == 334_092_288
    assert_counts("bert_large", parameters + 2 * 1024 + 2, macs + 384 * 1024 * 2)
    parameters, macs = bert_counts(bert_base.BASE)
    pooler = 768 * 768
    assert_counts("bert_base", parameters + pooler + 768 + 3 * 768 + 3, macs + pooler + 3 * 768)


def vocabulary():
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pretrained.path("minilm") / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def test_tokens_are_those_of_the_original():
    tokenizer = vocabulary()
    for text in (
        "Where was the Treaty of Versailles signed?",
        "It's un-believable: $3.50 (or 4,000) e-mails\tcafé naïve Ångström",
        "他是 a 学生。 antidisestablishmentarianism xqzv☃",
        "x" * 101,
        "",
    ):
        expected = tokenizer.encode(text, add_special_tokens=False).ids
        assert wordpiece.tokenize(text, tokenizer.get_vocab()) == expected


def test_words_keep_their_case_where_asked():
    assert wordpiece.words("Café, OK", lower=False) == ["Café", ",", "OK"]


def test_a_long_text_is_cut_into_windows():
    arrays, starts = wordpiece.pairs([7, 8], list(range(100, 120)), 12, 5, (1, 2))
    assert starts == [0, 5, 10, 15]
    first = [1, 7, 8, 2, *range(100, 107), 2]
    assert arrays["input_ids"][0].tolist() == first
    assert arrays["segment_ids"][0].tolist() == [0] * 4 + [1] * 8
    assert arrays["input_ids"][3].tolist() == [1, 7, 8, 2, *range(115, 120), 2, 0, 0]
    assert arrays["input_mask"][3].tolist() == [1] * 10 + [0] * 2
    # Every token of the text is in some window.
    assert {one for row in arrays["input_ids"] for one in row} >= set(range(100, 120))


def test_answers_are_the_best_spans():
    rng = np.random.default_rng(4)
    logits = {name: rng.normal(0, 3, (4, 12)) for name in ("start_logits", "end_logits")}
    for row, (first, last, score) in enumerate(bert_large.answers(logits, longest=4)):
        spans = [
            (logits["start_logits"][row, a] + logits["end_logits"][row, b], a, b)
            for a in range(12)
            for b in range(a, min(a + 4, 12))
        ]
        assert (score, first, last) == max(spans)


def test_pairs_of_sentences_are_cut_alike():
    words = {"[CLS]": 1, "[SEP]": 2, "[UNK]": 0, "a": 3, "b": 4}
    found = bert_base.features([("a a a a a a", "b b"), ("a", "b")], words, length=8)
    assert found["input_ids"].tolist() == [[1, 3, 3, 3, 2, 4, 4, 2], [1, 3, 2, 4, 2, 0, 0, 0]]
    assert found["segment_ids"].tolist() == [[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0, 0]]


# NMT.


class Translator:
    """NMT in numpy, one sentence and one word at a time."""

    def __init__(self, weights):
        self.w = in_double(weights)
        self.units = len(self.w["attention.v"])

    def cell(self, name, x, h, c):
        """BasicLSTMCell: gates i, c, f, o, and a forget bias of 1."""
        total = np.concatenate([x, h]) @ self.w[f"{name}.kernel"] + self.w[f"{name}.bias"]
        i, new, f, o = np.split(total, 4)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(new)
        return sigmoid(o) * np.tanh(c), c

    def layer(self, name, rows):
        h = c = np.zeros(self.units)
        states = []
        for row in rows:
            h, c = self.cell(name, row, h, c)
            states.append(h)
        return states, (h, c)

    def read(self, sentence):
        rows = self.w["encoder.embedding"][sentence]
        forward, _ = self.layer("encoder.fw", rows)
        backward, last = self.layer("encoder.bw", rows[::-1])
        x = [np.concatenate(pair) for pair in zip(forward, backward[::-1])]
        states = [last]
        for layer in range(3):
            y, last = self.layer(f"encoder.uni{layer}", x)
            x = [a + b for a, b in zip(x, y)] if layer else y
            states.append(last)
        return np.array(x), states

    def start(self, sentence):
        self.memory, states = self.read(sentence)
        self.keys = self.memory @ self.w["attention.memory"]
        return np.zeros(self.units), states

    def step(self, word, context, states):
        """log probabilities of the next word, and the next state."""
        x = np.concatenate([self.w["decoder.embedding"][word], context])
        after = []
        for layer, state in enumerate(states):
            h, c = self.cell(f"decoder.layer{layer}", x, *state)
            after.append((h, c))
            if layer == 0:
                v = self.w["attention.g"] * self.w["attention.v"]
                v = v / np.linalg.norm(self.w["attention.v"])
                query = h @ self.w["attention.query"] + self.w["attention.b"]
                context = softmax(np.tanh(self.keys + query) @ v) @ self.memory
                y = h
            else:
                y = h + y if layer > 1 else h
            x = np.concatenate([y, context])
        return np.log(softmax(y @ self.w["decoder.output"])), context, after

    def greedy(self, sentence, steps):
        words, word, state = [], nmt.BEGIN, self.start(sentence)
        for _ in range(steps):
            logs, *state = self.step(word, *state)
            word = int(logs.argmax())
            if word == nmt.END:
                break
            words.append(word)
        return words

    def beam(self, sentence, steps, beams, penalty):
        """Words and rank of the best, and the ranks of all."""
        alive = [(0.0, [], self.start(sentence))]
        for _ in range(steps):
            found = []
            for total, words, state in alive:
                if words[-1:] == [nmt.END]:
                    found.append((self.rank(total, words, penalty), total, words, state))
                    continue
                logs, *after = self.step(words[-1] if words else nmt.BEGIN, *state)
                for word in np.argsort(-logs)[: beams + 1].tolist():
                    longer = [*words, word]
                    rank = self.rank(total + logs[word], longer, penalty)
                    found.append((rank, total + logs[word], longer, after))
            best = sorted(found, key=lambda one: -one[0])[:beams]
            alive = [one[1:] for one in best]
            if all(words[-1] == nmt.END for _, words, _ in alive):
                break
        ranks = [one[0] for one in best]
        return [word for word in alive[0][1] if word != nmt.END], ranks

    def rank(self, total, words, penalty):
        length = sum(word != nmt.END for word in words)
        return total / ((5 + length) / 6) ** penalty


WORDS = nmt.Config(vocabulary=23, units=24, longest=5)
SEEDS = (1, 3, 4)


def talkative(seed):
    """Weights of a decoder that ends sentences now and then, and hears what it reads."""

    def change(name, array):
        if name == "decoder.output":
            array[:, nmt.END] *= 4
        elif name.endswith("embedding"):
            array *= 5

    return Changed(seed, change)


@pytest.mark.parametrize("seed", SEEDS)
def test_greedy_translation(device, seed):
    sentences = [[5, 9, 3], [4], [22, 8, 8, 7, 3], [6, 7]]
    weights = talkative(seed)
    computation = nmt.network(4, weights, WORDS)
    got = computation.run(nmt.sources(sentences, 5), device=device)
    translator = Translator(weights.given)
    expected = [translator.greedy(sentence, 10) for sentence in sentences]
    assert nmt.translations(got) == expected
    assert got["words"].shape == (10, 4)
    longest = max(len(words) for words in expected)
    assert int(got["steps"][0]) == min(longest + 1, 10)


def test_some_sentences_end_and_some_do_not(device):
    """What the greedy tests are worth: both ways out of the loop happen in them."""
    lengths = set()
    for seed in SEEDS:
        weights = talkative(seed)
        nmt.network(1, weights, WORDS)
        translator = Translator(weights.given)
        lengths |= {len(translator.greedy(one, 10)) for one in ([5, 9, 3], [4], [6, 7])}
    assert len(lengths) > 2 and 10 in lengths and min(lengths) < 9


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_translation_with_beams(device, seed, penalty):
    sentences = [[5, 9, 3], [4], [22, 8, 8, 7, 3]]
    config = nmt.Config(vocabulary=23, units=24, longest=5, beams=4, penalty=penalty)
    weights = talkative(seed)
    computation = nmt.network(3, weights, config)
    got = computation.run(nmt.sources(sentences, 5), device=device)
    translator = Translator(weights.given)
    found = [translator.beam(sentence, 10, 4, penalty) for sentence in sentences]
    assert_close(got["scores"], np.array([ranks for _, ranks in found]))
    assert nmt.translations(got) == [words for words, _ in found]


def test_a_sentence_that_is_too_long_is_cut():
    found = nmt.sources([[3, 4, 5, 6], [7]], longest=3)
    assert found["source"].T.tolist() == [[3, 4, 5], [7, nmt.END, nmt.END]]
    assert found["source_sequence_length"].tolist() == [3, 1]


def test_nmt_counts():
    words, units, longest = 36548, 1024, 50
    lstm = units * 4 * units
    encoder = 2 * 2 * lstm + 3 * lstm + 2 * 2 * lstm
    decoder = 4 * 3 * lstm
    tables = 3 * words * units
    biases = 9 * 4 * units
    attention = 2 * units * units + 2 * units + 1
    # Each of 100 steps: cells, query, tanh . v, the mean of the memory, all words.
    step = decoder + units * units + 2 * longest * units + units * words
    reading = longest * (encoder + units * units)
    parameters = tables + encoder + decoder + biases + attention
    assert_counts("nmt", parameters, reading + 100 * step)
    assert_counts("nmt_beam", parameters, reading + 1000 * step)


@pytest.mark.slow
def test_nmt_of_full_size(device):
    weights = talkative(1)
    config = nmt.Config()
    sentences = [list(range(3, 50)), [7, 8, 9]]
    got = nmt.network(2, weights, config).run(nmt.sources(sentences), device=device)
    translator = Translator(weights.given)
    for sentence, words in zip(sentences, nmt.translations(got)):
        # The first words; later ones hang on differences of 1e-6 between logits.
        assert words[:5] == translator.greedy(sentence, 5)[:5]


# CRNN.


def crnn_reference(weights, batch, config):
    """ONNX: the same layers, its own LSTM, gates put in its order."""
    net = Net(weights)
    x = net.op("Transpose", ["Images"], perm=[0, 3, 1, 2])
    x = net.op("Div", [x, net.number(255.0)])
    for place in range(1, 7):
        x = net.conv(x, f"conv{place}", bias=place <= 2, auto_pad="SAME_UPPER")
        x = net.relu(net.norm(x, f"conv{place}.bn", 1e-3))
        if place in (1, 2):
            x = net.pool(x, "MaxPool", 2, 2)
        elif place in (4, 6):
            x = net.op("MaxPool", [x], kernel_shape=[2, 1], strides=[2, 1])
    x = net.op("Conv", [x, net.weight("conv7.weight")], strides=[2, 1], auto_pad="SAME_UPPER")
    x = net.relu(net.norm(x, "conv7.bn", 1e-3))
    ints = numpy_helper.from_array(np.array([2]), "two")
    net.constants["two"] = ints
    x = net.op("Transpose", [net.op("Squeeze", [x, "two"])], perm=[2, 0, 1])
    units = config.hidden
    for layer in range(2):
        parts = {"W": [], "R": [], "B": []}
        for way in ("forward", "backward"):
            kernel = weights[f"lstm{layer}.{way}.kernel"]
            i, c, f, o = np.split(kernel, 4, axis=1)
            both = np.hstack([i, o, f, c]).T
            bi, bc, bf, bo = np.split(weights[f"lstm{layer}.{way}.bias"], 4)
            parts["W"].append(both[:, : len(kernel) - units])
            parts["R"].append(both[:, len(kernel) - units :])
            parts["B"].append(np.concatenate([bi, bo, bf + 1, bc, np.zeros(4 * units, np.float32)]))
        names = []
        for key, arrays in parts.items():
            name = f"lstm{layer}.{key}"
            net.constants[name] = numpy_helper.from_array(np.stack(arrays), name)
            names.append(name)
        x = net.op("LSTM", [x, *names], direction="bidirectional", hidden_size=units)
        shape = f"lstm{layer}.shape"
        net.constants[shape] = numpy_helper.from_array(np.array([0, 0, -1]), shape)
        x = net.op("Reshape", [net.op("Transpose", [x], perm=[0, 2, 1, 3]), shape])
    x = net.op("MatMul", [x, net.weight("logits.weight")])
    graph = helper.make_graph(
        [*net.nodes, helper.make_node("Identity", [x], ["logits"])],
        "crnn",
        [helper.make_tensor_value_info("Images", TensorProto.FLOAT, [batch, 32, config.width, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        list(net.constants.values()),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def assert_crnn(config, batch, device):
    feeds = crnn.images(batch, np.random.default_rng(1), config)
    got, given = run(lambda weights: crnn.network(batch, weights, config), feeds, device)
    model = crnn_reference(given, batch, config)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, feeds)
    assert expected.shape == (config.width // 4, batch, 37)
    assert_close(got["logits"], expected)
    assert crnn.words(got) == [greedy_word(got["logits"][:, one]) for one in range(batch)]


def greedy_word(logits):
    places = [place for place, _ in itertools.groupby(logits.argmax(1))]
    return "".join("0123456789abcdefghijklmnopqrstuvwxyz"[one] for one in places if one != 36)


def test_crnn(device):
    assert_crnn(crnn.Config((4, 8, 12, 12, 16, 16, 16), 10, 44), 3, device)


@pytest.mark.slow
def test_crnn_of_full_size(device):
    assert_crnn(crnn.Config(), 4, device)


def test_crnn_counts():
    convolutions = (
        (3, 64, 9, 32 * 100),
        (64, 128, 9, 16 * 50),
        (128, 256, 9, 8 * 25),
        (256, 256, 9, 8 * 25),
        (256, 512, 9, 4 * 25),
        (512, 512, 9, 4 * 25),
        (512, 512, 4, 25),
    )
    lstm = 2 * 2 * (512 + 256) * 4 * 256
    parameters = sum(a * b * window + 2 * b for a, b, window, _ in convolutions) + 64 + 128
    parameters += lstm + 4 * 4 * 256 + 512 * 37
    macs = sum(a * b * window * places for a, b, window, places in convolutions)
    assert_counts("crnn", parameters, macs + 25 * (lstm + 512 * 37))


def test_beams_find_the_likeliest_word_over_all_paths():
    """Against the sum over all paths, of three letters and few steps."""
    rng = np.random.default_rng(0)
    letters = [3, 12]
    for _ in range(5):
        logits = np.full((4, 1, 37), -50.0)
        logits[:, 0, [*letters, 36]] = rng.normal(0, 1.5, (4, 3))
        chances = softmax(logits[:, 0])
        words = {}
        for path in itertools.product([*letters, 36], repeat=4):
            kept = [one for one, _ in itertools.groupby(path) if one != 36]
            chance = math.prod(chances[step, one] for step, one in enumerate(path))
            word = "".join("0123456789abcdefghijklmnopqrstuvwxyz"[one] for one in kept)
            words[word] = words.get(word, 0) + chance
        assert crnn.beam_search(logits, 100) == [max(words, key=words.get)]


def test_a_beam_of_one_reads_as_the_best_path_does():
    logits = np.random.default_rng(2).normal(0, 4, (9, 6, 37))
    expected = [greedy_word(logits[:, one]) for one in range(6)]
    assert crnn.beam_search(logits, 1) == expected


def test_a_trained_encoder_tells_which_sentences_are_alike(device):
    """all-MiniLM-L6-v2 in this encoder, from its own file by its own names."""
    feeds = decisions.similar_inputs()
    batch, length = feeds["input_ids"].shape
    config = bert.Config(6, 384, 12, 1536, 30522, length, tanh_gelu=False)
    weights = examples.Weights.load(pretrained.path("minilm") / "model.safetensors")
    with odla_ipu.Computation() as computation:
        states = bert.encoder(batch, weights, config)
        odla_ipu.output(odla_ipu.reshape(states, (batch, length, 384)), "states")
    names = ("input_ids", "attention_mask", "token_type_ids")
    arrays = [feeds[name].astype(np.int32) for name in names]
    got = computation.run(dict(zip(computation.arguments, arrays)), device=device)
    assert decisions.decide_nearest_pooled([got["states"]]) == decisions.NEAREST
