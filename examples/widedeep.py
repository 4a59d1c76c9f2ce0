"""WideDeep: does a person earn more than 50 thousand a year (arXiv:1606.07792, UCI Adult)."""

from typing import Dict, List, Mapping, Sequence

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation

from .common import farmhash, layers
from .common.example import Example
from .common.weights import Weights

NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
"""Columns that enter the deep part as they are."""

WORDS: Dict[str, Sequence[str]] = {
    "workclass": (
        "Self-emp-not-inc", "Private", "State-gov", "Federal-gov", "Local-gov", "?",
        "Self-emp-inc", "Without-pay", "Never-worked",
    ),
    "education": (
        "Bachelors", "HS-grad", "11th", "Masters", "9th", "Some-college", "Assoc-acdm",
        "Assoc-voc", "7th-8th", "Doctorate", "Prof-school", "5th-6th", "10th", "1st-4th",
        "Preschool", "12th",
    ),
    "marital_status": (
        "Married-civ-spouse", "Divorced", "Married-spouse-absent", "Never-married", "Separated",
        "Married-AF-spouse", "Widowed",
    ),
    "relationship": (
        "Husband", "Not-in-family", "Wife", "Own-child", "Unmarried", "Other-relative",
    ),
}  # fmt: skip
"""Columns of known words: one-hot in both parts."""

BUCKETS = 1000
"""Of hashed columns."""

OCCUPATION_WIDTH = 8
TOWER = (100, 75, 50, 25)
AGES = (18, 25, 30, 35, 40, 45, 50, 55, 60, 65)

WIDE = {
    **{name: len(words) for name, words in WORDS.items()},
    "occupation": BUCKETS,
    "age_bucket": len(AGES) + 1,
    "education_x_occupation": BUCKETS,
    "age_x_education_x_occupation": BUCKETS,
}
"""The columns of the wide part and how many values each has: 3049 weights."""


def network(batch: int, weights: Weights) -> Computation:
    """numbers [N,5], and INT32 [N] for each column of WIDE -> logit and probability [N]."""
    with Computation("widedeep") as computation:
        numbers = odla.argument("numbers", (batch, len(NUMBERS)))
        ids = {name: odla.argument(name, (batch,), "int32") for name in WIDE}

        table = weights.normal("occupation.embedding", (BUCKETS, OCCUPATION_WIDTH), 0.35)
        deep = [numbers]
        for name, words in WORDS.items():
            ends = np.array([0, 1], np.float32)
            deep.append(
                odla.one_hot(ids[name], values=ends, depth=len(words), id=f"{name}_one_hot")
            )
        deep.append(odla.gather(table, ids["occupation"], axis=0, id="occupation_embedding"))
        x = layers.concat(deep, "deep_input")
        for place, units in enumerate(TOWER):
            x = odla.relu(layers.linear(x, weights, f"deep{place}", units))
        deep_logit = layers.linear(x, weights, "deep_output", 1)

        # One table for all columns: each begins where the one before ends.
        wide = weights.normal("wide.weight", (sum(WIDE.values()),), 0.1)
        bias = weights.normal("wide.bias", (1,), 0.1)
        starts = np.cumsum([0, *WIDE.values()])[:-1].astype(np.int32)
        rows = odla.stack(list(ids.values()), axis=1)
        parts = odla.gather(wide, odla.add(rows, starts), axis=0, id="wide_weights")
        wide_logit = odla.add(odla.reduce_sum(parts, axes=(1,)), bias)

        logit = odla.reshape(odla.add(deep_logit, wide_logit), (batch,))
        odla.output(logit, "logit")
        odla.output(odla.sigmoid(logit), "probability")
    return computation


def features(rows: Sequence[Mapping[str, object]]) -> Dict[str, np.ndarray]:
    """Inputs for people, each a mapping of the data set's columns; KeyError for unknown words.

    Hashed columns have TensorFlow's numbers, so weights that it has trained can be read.
    """
    arrays = {"numbers": np.array([[row[name] for name in NUMBERS] for row in rows], np.float32)}
    for name, words in WORDS.items():
        places = {word: place for place, word in enumerate(words)}
        arrays[name] = np.array([places[str(row[name])] for row in rows], np.int32)
    ages = np.searchsorted(AGES, [float(str(row["age"])) for row in rows], "right")
    arrays["age_bucket"] = ages.astype(np.int32)
    jobs = [str(row["occupation"]) for row in rows]
    schools = [str(row["education"]) for row in rows]
    hashed = {
        "occupation": [farmhash.bucket(job, BUCKETS) for job in jobs],
        "education_x_occupation": [farmhash.cross(row, BUCKETS) for row in zip(schools, jobs)],
        "age_x_education_x_occupation": [
            farmhash.cross(row, BUCKETS) for row in zip(ages.tolist(), schools, jobs)
        ],
    }
    return {**arrays, **{name: np.array(one, np.int32) for name, one in hashed.items()}}


def decisions(outputs: Mapping[str, np.ndarray]) -> List[bool]:
    """Whether each person is said to earn more than 50 thousand."""
    return (outputs["logit"] > 0).tolist()


def people(batch: int, generator: np.random.Generator) -> Dict[str, np.ndarray]:
    """Drawn columns, of the sizes that the census has."""
    scale = np.array([100, 16, 5000, 500, 99], np.float32)
    arrays = {"numbers": np.floor(generator.random((batch, 5), np.float32) * scale)}
    for name, size in WIDE.items():
        arrays[name] = generator.integers(0, size, batch, dtype=np.int32)
    return arrays


EXAMPLE = Example(
    name="widedeep",
    group="WideDeep",
    build=network,
    inputs=people,
    parameters=28_926,
    macs=17_625,
    batches=(1024, 2048, 4096),
    items="recommendations",
    finish=decisions,
)
