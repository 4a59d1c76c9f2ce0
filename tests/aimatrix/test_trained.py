"""WideDeep and NCF trained by scikit-learn: through ODLA they are as good as they were there."""

import warnings

import numpy as np
import pytest
from odla_ipu.examples import ncf, widedeep
from scipy.sparse import csr_matrix
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from odla_ipu import examples


@pytest.fixture(autouse=True)
def _short_training():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def hidden(classifier, x):
    """What the last hidden layer of a trained network gives."""
    for matrix, bias in zip(classifier.coefs_[:-1], classifier.intercepts_[:-1]):
        x = np.maximum(x @ matrix + bias, 0)
    return x


def in_single(arrays):
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


# WideDeep.

JOBS = (
    "Tech-support", "Craft-repair", "Other-service", "Sales", "Exec-managerial", "Prof-specialty",
    "Handlers-cleaners", "Machine-op-inspct", "Adm-clerical", "Farming-fishing",
)  # fmt: skip


def census(count, rng):
    """People whose income hangs on their schooling, age, marriage and job, and on luck."""
    rows, rich = [], []
    for _ in range(count):
        row = {name: str(rng.choice(words)) for name, words in widedeep.WORDS.items()}
        job = int(rng.integers(len(JOBS)))
        row.update(
            occupation=JOBS[job],
            age=int(rng.integers(17, 80)),
            education_num=int(rng.integers(1, 17)),
            capital_gain=int(rng.choice([0, 0, 0, 0, 7688, 15024])),
            capital_loss=0,
            hours_per_week=int(rng.integers(10, 80)),
        )
        sense = 0.5 * (row["education_num"] - 9) + 0.0003 * row["capital_gain"] - 1
        sense += 2.5 * row["marital_status"].startswith("Married") - 0.003 * (row["age"] - 48) ** 2
        sense += 3 * (job in (4, 5)) + 0.03 * (row["hours_per_week"] - 40)
        rows.append(row)
        rich.append(sense + rng.logistic(0, 0.5) > 0)
    return widedeep.features(rows), np.array(rich)


def wide_columns(ids):
    return np.hstack([np.eye(size)[ids[name]] for name, size in widedeep.WIDE.items()])


def deep_columns(ids, table):
    known = [np.eye(len(words))[ids[name]] for name, words in widedeep.WORDS.items()]
    return np.hstack([ids["numbers"], *known, table[ids["occupation"]]])


def test_widedeep_trained_outside(device, tmp_path):
    rng = np.random.default_rng(0)
    (train, is_rich), (test, expected) = census(2500, rng), census(700, rng)
    table = rng.normal(0, 1, (1000, 8))
    x = deep_columns(train, table)
    mean, scale = x.mean(0), np.where(x.std(0) == 0, 1, x.std(0))
    mean[5:], scale[5:] = 0, 1  # only numbers are scaled
    deep = MLPClassifier((100, 75, 50, 25), max_iter=12, random_state=0)
    deep.fit((x - mean) / scale, is_rich)

    def both(ids):
        y = hidden(deep, (deep_columns(ids, table) - mean) / scale)
        logit = y @ deep.coefs_[-1] + deep.intercepts_[-1]
        return csr_matrix(np.hstack([logit, wide_columns(ids)]))

    joint = LogisticRegression(C=0.3, max_iter=200).fit(both(train), is_rich)
    share, wide = joint.coef_[0, 0], joint.coef_[0, 1:]
    arrays = {
        "occupation.embedding": table,
        "wide.weight": wide,
        "wide.bias": joint.intercept_,
        "deep_output.weight": share * deep.coefs_[4],
        "deep_output.bias": share * deep.intercepts_[4],
    }
    for place in range(4):
        arrays[f"deep{place}.weight"] = deep.coefs_[place]
        arrays[f"deep{place}.bias"] = deep.intercepts_[place]
    # The network takes numbers as they are: its first layer scales them.
    arrays["deep0.weight"] = deep.coefs_[0] / scale[:, None]
    arrays["deep0.bias"] = deep.intercepts_[0] - (mean / scale) @ deep.coefs_[0]
    np.savez(tmp_path / "widedeep.npz", **in_single(arrays))

    weights = examples.Weights.load(tmp_path / "widedeep.npz")
    got = widedeep.network(700, weights).run(test, device=device)
    outside = joint.predict_proba(both(test))[:, 1]
    assert np.abs(got["probability"] - outside).max() < 1e-3
    decided = np.array(widedeep.decisions(got))
    assert abs((decided == expected).mean() - joint.score(both(test), expected)) <= 1 / 700
    # What the original expects of its census, and more than always saying the same gives.
    assert (decided == expected).mean() > max(0.83, expected.mean() + 0.1, 1.1 - expected.mean())


# NCF.


def test_ncf_trained_outside(device):
    rng = np.random.default_rng(0)
    users, films = 60, 150
    config = ncf.Config(users=users, films=films)
    taste, style = rng.random((users, 5)) ** 3, rng.random((films, 5)) ** 3
    liked = np.zeros((users, films))
    asked = np.zeros(users, int)
    for user, row in enumerate(taste @ style.T):
        best = np.argsort(-row - 0.1 * rng.random(films))[:25]
        liked[user, best] = 1
        asked[user] = rng.choice(best)
        liked[user, asked[user]] = 0  # kept for the test

    # The tables are those of a factorisation, whose numbers are all positive, as the network's.
    factors = NMF(16, init="nndsvda", max_iter=400, random_state=0)
    of_user = factors.fit_transform(liked)
    of_film = factors.components_.T

    def parts(user, film):
        return np.hstack([of_user[user], of_film[film]]), of_user[user] * of_film[film]

    user, film = (array.ravel() for array in np.indices((users, films)))
    tower = MLPClassifier((32, 16, 8), max_iter=15, random_state=0)
    tower.fit(parts(user, film)[0], liked.ravel())

    def both(user, film):
        inputs, product = parts(user, film)
        return np.hstack([product, hidden(tower, inputs)])

    output = LogisticRegression(max_iter=300).fit(both(user, film), liked.ravel())
    arrays = {
        "output.weight": output.coef_.T,
        "output.bias": output.intercept_,
    }
    for part in ("mlp", "gmf"):
        for name, table in (("user", of_user), ("item", of_film)):
            arrays[f"{part}_{name}.weight"] = table
            arrays[f"{part}_{name}.bias"] = np.zeros(16)
    for place in range(3):
        arrays[f"mlp{place}.weight"] = tower.coefs_[place]
        arrays[f"mlp{place}.bias"] = tower.intercepts_[place]

    # One film that the user liked among 99 that he has not seen.
    candidates = np.array(
        [
            [asked[one], *rng.choice(np.setdiff1d(np.flatnonzero(liked[one] == 0), asked[one]), 99)]
            for one in range(users)
        ]
    )
    weights = examples.Weights(arrays=in_single(arrays))
    logits = np.empty((users, 100))
    with ncf.network(100, weights, config).compile(device=device) as executable:
        for one, row in enumerate(candidates):
            feeds = {"user": np.full(100, one, np.int32), "item": row.astype(np.int32)}
            logits[one] = executable.run(feeds)["logit"]
    outside = output.decision_function(both(np.arange(users).repeat(100), candidates.ravel()))
    outside = outside.reshape(users, 100)
    assert np.abs(logits - outside).max() <= 1e-4 * np.abs(outside).max()
    found, wanted = ncf.ranking(logits), ncf.ranking(outside)
    assert found == pytest.approx(wanted, abs=1 / users)
    # A tenth is what chance gives.
    assert found["hit_ratio"] > 0.5 and found["gain"] > 0.25
