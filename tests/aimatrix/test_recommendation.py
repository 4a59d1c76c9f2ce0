"""NCF, WideDeep, DIEN, DeepInterest and GCN against numpy, written anew in double precision."""

import numpy as np
import pytest
from aimatrix.checks import assert_close, assert_counts, in_double, run, sigmoid, softmax
from odla_ipu.examples import deepinterest, dien, gcn, ncf, widedeep
from odla_ipu.examples.common import farmhash
from scipy.sparse import csr_matrix

from odla_ipu import examples
from odla_ipu.bench import memory
from odla_ipu.errors import InvalidParameter, OutOfMemory

BN_EPSILON = 1e-3


def attentive(name, array):
    """Attention that prefers some of the history by far, or its shares would hardly matter."""
    if name.startswith("att") and name.endswith("weight"):
        array *= 6


def dense(w, name, x):
    return x @ w[f"{name}.weight"] + w.get(f"{name}.bias", 0)


def batch_norm(w, name, x):
    scale = w[f"{name}.scale"] / np.sqrt(w[f"{name}.var"] + BN_EPSILON)
    return (x - w[f"{name}.mean"]) * scale + w[f"{name}.offset"]


# NCF.


def test_ncf(device):
    config = ncf.Config(users=30, films=40)
    feeds = ncf.pairs(21, np.random.default_rng(1), config)
    feeds["user"] = np.random.default_rng(2).integers(0, 30, 21, dtype=np.int32)
    got, given = run(lambda weights: ncf.network(21, weights, config), feeds, device)
    w = in_double(given)

    def embedded(name, ids):
        return np.maximum(w[f"{name}.weight"][ids] + w[f"{name}.bias"], 0)

    user, item = feeds["user"], feeds["item"]
    x = np.hstack([embedded("mlp_user", user), embedded("mlp_item", item)])
    for layer in ("mlp0", "mlp1", "mlp2"):
        x = np.maximum(dense(w, layer, x), 0)
    product = embedded("gmf_user", user) * embedded("gmf_item", item)
    logit = dense(w, "output", np.hstack([product, x]))[:, 0]
    assert_close(got["logit"], logit)
    assert_close(got["probability"], sigmoid(logit))
    best = np.argsort(-got["logit"], kind="stable")[:10]
    assert (got["top"] == best).all() and ncf.best(got) == best.tolist()
    assert_close(got["top_probability"], sigmoid(logit)[best])


def test_ncf_counts():
    tables = 2 * (6040 + 3706) * 16 + 4 * 16
    tower = 32 * 32 + 32 * 16 + 16 * 8
    assert_counts("ncf", tables + tower + 32 + 16 + 8 + 24 + 1, tower + 24)


def test_ranking_of_films():
    logits = np.array([[3.0, 1, 2, 0] + [0] * 10, [0.5, 1, 2, 0] + [0] * 10, [0.0, *range(1, 14)]])
    found = ncf.ranking(logits)
    assert found["hit_ratio"] == pytest.approx(2 / 3)
    assert found["reciprocal_rank"] == pytest.approx((1 + 1 / 3 + 1 / 14) / 3)
    assert found["gain"] == pytest.approx((1 + 1 / np.log2(4)) / 3)
    # A network that gives all the same has found nothing.
    assert ncf.ranking(np.zeros((1, 14)))["hit_ratio"] == 0


# WideDeep.


def test_widedeep(device):
    feeds = widedeep.people(17, np.random.default_rng(1))
    got, given = run(lambda weights: widedeep.network(17, weights), feeds, device)
    w = in_double(given)
    x = np.hstack(
        [
            feeds["numbers"],
            *(
                np.eye(size)[feeds[name]]
                for name, size in (
                    ("workclass", 9),
                    ("education", 16),
                    ("marital_status", 7),
                    ("relationship", 6),
                )
            ),
            w["occupation.embedding"][feeds["occupation"]],
        ]
    )
    assert x.shape == (17, 51)
    for layer in ("deep0", "deep1", "deep2", "deep3"):
        x = np.maximum(dense(w, layer, x), 0)
    logit = dense(w, "deep_output", x)[:, 0] + w["wide.bias"]
    start = 0
    for name, size in widedeep.WIDE.items():
        logit += w["wide.weight"][start : start + size][feeds[name]]
        start += size
    assert start == 3049
    assert_close(got["logit"], logit)
    assert_close(got["probability"], sigmoid(logit))
    assert widedeep.decisions(got) == (logit > 0).tolist()


def test_widedeep_counts():
    tower = 51 * 100 + 100 * 75 + 75 * 50 + 50 * 25 + 25
    assert_counts("widedeep", tower + 100 + 75 + 50 + 25 + 1 + 8000 + 3049 + 1, tower)


def test_columns_of_the_census():
    row = {
        "age": 39, "education_num": 13, "capital_gain": 2174, "capital_loss": 0,
        "hours_per_week": 40, "workclass": "State-gov", "education": "Bachelors",
        "marital_status": "Never-married", "relationship": "Not-in-family",
        "occupation": "Adm-clerical",
    }  # fmt: skip
    other = {**row, "age": 65, "occupation": "Sales"}
    found = widedeep.features([row, other])
    assert found["numbers"].tolist() == [[39, 13, 2174, 0, 40], [65, 13, 2174, 0, 40]]
    assert found["workclass"].tolist() == [2, 2] and found["education"].tolist() == [0, 0]
    # Buckets begin with their boundary: 35 to 39 is the fifth, 65 opens the last.
    assert found["age_bucket"].tolist() == [4, 10]
    for name, size in widedeep.WIDE.items():
        assert found[name].dtype == np.int32 and (found[name] < size).all()
    assert found["occupation"][0] != found["occupation"][1]
    with pytest.raises(KeyError):
        widedeep.features([{**row, "workclass": "Pirate"}])


# DIEN.


def gru_step(w, name, x, h, share=None):
    """TensorFlow's cell: both gates in one matrix, the candidate's in another."""
    both = sigmoid(np.hstack([x, h]) @ w[f"{name}.gates.kernel"] + w[f"{name}.gates.bias"])
    r, u = np.split(both, 2, axis=1)
    c = np.tanh(np.hstack([x, r * h]) @ w[f"{name}.candidate.kernel"] + w[f"{name}.candidate.bias"])
    if share is not None:
        u = (1 - share[:, None]) * u
    return u * h + (1 - u) * c


def dice(w, name, x):
    p = sigmoid((x - x.mean(0)) / (x.std(0) + 1e-9))
    return w[f"{name}.alpha"] * (1 - p) * x + p * x


def dien_reference(w, feeds):
    batch, steps = feeds["mask"].shape
    item = np.hstack([w["mid.embedding"][feeds["mid"]], w["cat.embedding"][feeds["cat"]]])
    past = np.concatenate(
        [w["mid.embedding"][feeds["mid_his"]], w["cat.embedding"][feeds["cat_his"]]], axis=2
    )
    hidden = w["query.weight"].shape[1]
    states, h = np.zeros((batch, steps, hidden)), np.zeros((batch, hidden))
    for step in range(steps):
        is_on = (step < feeds["seq_len"])[:, None]
        new = gru_step(w, "gru1", past[:, step], h)
        h = np.where(is_on, new, h)
        states[:, step] = np.where(is_on, new, 0)
    query = dense(w, "query", item)
    query = np.where(query > 0, query, w["query.prelu"] * query)[:, None].repeat(steps, axis=1)
    x = np.concatenate([query, states, query - states, query * states], axis=2)
    x = sigmoid(dense(w, "att2", sigmoid(dense(w, "att1", x))))
    scores = np.where(feeds["mask"] == 1, dense(w, "att3", x)[..., 0], -(2.0**32) + 1)
    shares = softmax(scores)
    h = np.zeros((batch, hidden))
    for step in range(steps):
        new = gru_step(w, "gru2", states[:, step], h, shares[:, step])
        h = np.where((step < feeds["seq_len"])[:, None], new, h)
    total = past.sum(1)
    who = w["uid.embedding"][feeds["uid"]]
    x = batch_norm(w, "bn", np.hstack([who, item, total, item * total, h]))
    x = dice(w, "dice1", dense(w, "fc1", x))
    x = dice(w, "dice2", dense(w, "fc2", x))
    return softmax(dense(w, "fc3", x)) + 1e-8


@pytest.mark.parametrize("history", [1, 9])
def test_dien(device, history):
    config = dien.Config(users=20, books=30, kinds=5, history=history)
    feeds = dien.readers(6, np.random.default_rng(1), config)
    got, given = run(
        lambda weights: dien.network(6, weights, config), feeds, device, change=attentive
    )
    assert_close(got["probability"], dien_reference(in_double(given), feeds))


@pytest.mark.slow
def test_dien_of_full_size(device):
    example = examples.find("dien")
    feeds = example.inputs(256, np.random.default_rng(1))
    got, given = run(lambda weights: example.build(256, weights), feeds, device)
    assert_close(got["probability"], dien_reference(in_double(given), feeds))


def test_dien_counts():
    tables = (543060 + 367983 + 1601) * 18
    gru = 72 * 72 + 72 * 36
    attention = 144 * 80 + 80 * 40 + 40
    tower = 162 * 200 + 200 * 80 + 160
    biases = 2 * (72 + 36) + 36 + 36 + 80 + 40 + 1 + 2 * 162 + 2 * 200 + 2 * 80 + 2
    parameters = tables + 2 * gru + 36 * 36 + attention + tower + biases
    assert_counts("dien", parameters, 100 * (2 * gru + attention) + 36 * 36 + tower)


def test_the_synthetic_table_takes_2_gigabytes():
    example = examples.find("dien_synthetic")
    weights = examples.Weights(seed=None)
    computation = example.build(1, weights)
    assert weights.given["mid.embedding"].nbytes == 2_160_000_000
    assert weights.parameters == example.parameters
    # Whoever has too little for it is told before any work.
    assert 3 * 2.16e9 < memory.needed(computation) < 16e9
    with pytest.raises(OutOfMemory, match="dien_synthetic needs about"):
        memory.check("dien_synthetic", memory.needed(computation), 4e9)


@pytest.mark.parametrize("name", ["bert_large", "nmt", "nmt_beam", "dien_synthetic"])
def test_the_largest_models_say_what_they_need(name):
    """At least their weights, and no more than a machine of 16 GB has."""
    example = examples.find(name)
    size = memory.needed(example.build(example.batches[-1], examples.Weights(seed=None)))
    assert 2 * 4 * example.parameters < size < 16e9


# DeepInterest.


def test_deepinterest(device):
    config = deepinterest.Config(items=25, kinds=6, history=7, width=8)
    kinds = np.random.default_rng(5).integers(0, 6, 25)
    feeds = deepinterest.customers(5, np.random.default_rng(1), config)
    feeds["sl"][:2] = 1, 7
    got, given = run(
        lambda weights: deepinterest.network(5, weights, config, kinds),
        feeds,
        device,
        change=attentive,
    )
    w = in_double(given)

    def embedded(ids):
        both = w["item.embedding"][ids], w["kind.embedding"][kinds[ids]]
        return np.concatenate(both, axis=-1)

    query, keys = embedded(feeds["item"]), embedded(feeds["hist_i"])
    mixed = np.empty_like(query)
    for row, length in enumerate(feeds["sl"]):  # without padding, and so without a mask
        k = keys[row, :length]
        q = np.tile(query[row], (length, 1))
        x = np.hstack([q, k, q - k, q * k])
        x = sigmoid(dense(w, "att2", sigmoid(dense(w, "att1", x))))
        mixed[row] = softmax(dense(w, "att3", x)[:, 0] / np.sqrt(16)) @ k
    user = dense(w, "user", batch_norm(w, "history.bn", mixed))
    x = batch_norm(w, "bn", np.hstack([user, query]))
    x = sigmoid(dense(w, "fc2", sigmoid(dense(w, "fc1", x))))
    logit = dense(w, "fc3", x)[:, 0] + w["item.bias"][feeds["item"]]
    assert_close(got["logit"], logit.reshape(5, 1, 1))
    assert_close(got["probability"], sigmoid(logit).reshape(5, 1, 1))


def test_deepinterest_counts():
    attention = 512 * 80 + 80 * 40 + 40
    rest = 128 * 128 + 256 * 80 + 80 * 40 + 40
    tables = 63001 * 64 + 801 * 64 + 63001
    biases = 2 * (80 + 40 + 1) + 128 + 2 * (128 + 256)
    # The history's weighted sum is a product, too.
    assert_counts(
        "deepinterest", tables + attention + rest + biases, 100 * (attention + 128) + rest
    )


# GCN.


def citations(nodes, seed=1):
    return np.random.default_rng(seed).integers(0, nodes, (3 * nodes, 2))


@pytest.mark.parametrize("is_sparse", [False, True])
def test_gcn(device, is_sparse):
    nodes, words = 30, 17
    pairs = citations(nodes)
    adjacency = np.eye(nodes)
    for one, other in pairs:
        adjacency[one, other] = adjacency[other, one] = 1
    root = np.sqrt(adjacency.sum(1))
    adjacency /= root[:, None] * root
    entries = gcn.normalised(pairs, nodes)
    assert_close(gcn.dense(entries, nodes), adjacency, 1e-6)

    counts = np.random.default_rng(2).integers(0, 3, (nodes, words)).astype(np.float32)
    counts[4] = 0
    x = gcn.bags(counts)
    assert np.allclose(x.sum(1), counts.any(1))
    edges = len(entries["sources"]) if is_sparse else 0
    config = gcn.Config(nodes=nodes, features=words, classes=4, edges=edges)
    feeds = {"features": x}
    feeds.update(entries if is_sparse else {"adjacency": gcn.dense(entries, nodes)})
    got, given = run(lambda weights: gcn.network(1, weights, config), feeds, device)
    hidden = np.maximum(adjacency @ x @ given["layer0.weight"], 0)
    expected = adjacency @ hidden @ given["layer1.weight"]
    assert_close(got["logits"], expected)
    assert gcn.classes(got) == expected.argmax(1).tolist()


def test_gcn_counts():
    features = 1433 * 16 + 16 * 7
    assert_counts("gcn", features, 2708 * features + 2708 * 2708 * (16 + 7))


def test_pubmed_is_drawn_with_as_many_edges_as_it_has():
    feeds = gcn.papers(1, np.random.default_rng(0), gcn.PUBMED)
    assert len(feeds["sources"]) == gcn.PUBMED.edges


@pytest.mark.slow
def test_pubmed_of_full_size(device):
    feeds = gcn.papers(1, np.random.default_rng(0), gcn.PUBMED)
    got, w = run(lambda weights: gcn.network(1, weights, gcn.PUBMED), feeds, device)
    adjacency = csr_matrix(
        (feeds["strengths"], (feeds["targets"], feeds["sources"])), (19717, 19717)
    )
    hidden = np.maximum(adjacency @ (feeds["features"] @ w["layer0.weight"]), 0)
    assert_close(got["logits"], adjacency @ (hidden @ w["layer1.weight"]))


def test_a_batch_of_graphs_is_refused():
    with pytest.raises(InvalidParameter, match="accepted: 1, the whole graph"):
        gcn.network(2, examples.Weights(seed=None))


@pytest.mark.parametrize(
    "text, number",
    [  # of the original C++ code
        ("", 11160318154034397263),
        ("@/_", 6633295984882083966),
        (":,^#Q", 10062077754487121564),
        ("#se!Pw;V", 8322526862850771752),
        ("LiMZBtfm} Q~a0bg", 18379347122195930961),
        (":V']Nhf9`T^MUL de", 372010351013082382),
        ("mE0:2e|$Hovfx:6FWd4&{u?@(wYWf@eX", 3730302199141757206),
        ("dZ!RK5A^#rUi\"'xMj1k01ACRhS6n+=^ 6", 18240851964460835626),
        ("Machine-op-inspct", 6986657947989428911),
        ("x" * 64, 6916188127298655160),
    ],
)
def test_fingerprints_are_those_of_farmhash(text, number):
    assert farmhash.fingerprint(text.encode()) == number


def test_hashed_columns_have_tensorflows_numbers():
    """The numbers that TensorFlow's own tests of hash buckets and sparse crosses expect."""
    assert farmhash.bucket("a", 2**64) == 12917804110809363939
    row = ["batch1-FC1-F1", "batch1-FC2-F1", "batch1-FC3-F1"]
    assert farmhash.cross(row, 2**63 - 1) == 1971693436396284976
    with pytest.raises(InvalidParameter, match="65 bytes; accepted: 64"):
        farmhash.bucket("x" * 65, 9)
