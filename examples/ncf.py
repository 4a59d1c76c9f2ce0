"""NCF: how much a user will like a film (NeuMF, arXiv:1708.05031, on MovieLens-1M)."""

import dataclasses
from typing import Dict, Mapping, Sequence

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights

TOP = 10


@dataclasses.dataclass(frozen=True)
class Config:
    users: int = 6040
    films: int = 3706
    width: int = 16
    tower: Sequence[int] = (32, 16, 8)


def network(batch: int, weights: Weights, config: Config = Config()) -> Computation:
    """INT32 user, item [N] -> logit and probability [N], and the ten best of the batch.

    The original ranks the 100 films of one user in each step: a batch of 100.
    """
    with Computation("ncf") as computation:
        user = odla.argument("user", (batch,), "int32")
        film = odla.argument("item", (batch,), "int32")
        x = layers.concat(
            [
                embedding(user, weights, "mlp_user", config.users, config.width),
                embedding(film, weights, "mlp_item", config.films, config.width),
            ],
            "mlp_input",
        )
        for place, units in enumerate(config.tower):
            x = odla.relu(layers.linear(x, weights, f"mlp{place}", units))
        product = odla.mul(
            embedding(user, weights, "gmf_user", config.users, config.width),
            embedding(film, weights, "gmf_item", config.films, config.width),
            id="gmf",
        )
        logit = layers.linear(layers.concat([product, x], "both"), weights, "output", 1)
        logit = odla.reshape(logit, (batch,))
        best, places = odla.top_k(logit, K=min(TOP, batch), output_value_index_type="int32")
        odla.output(logit, "logit")
        odla.output(odla.sigmoid(logit), "probability")
        odla.output(odla.sigmoid(best), "top_probability")
        odla.output(places, "top")
    return computation


def embedding(ids: Value, weights: Weights, name: str, rows: int, width: int) -> Value:
    """relu(W[id] + b): the original multiplies one-hot ids in a dense layer."""
    table = weights.normal(f"{name}.weight", (rows, width), 0.5)
    bias = weights.normal(f"{name}.bias", (width,), 0.1)
    return odla.relu(odla.add(odla.gather(table, ids, axis=0, id=name), bias))


def ranking(logits: np.ndarray) -> Dict[str, float]:
    """HR@10, MRR and NDCG@10 of [users,films] where film 0 of each row is the right one.

    Of equal logits the right film counts as the last one.
    """
    rank = (logits[:, 1:] >= logits[:, :1]).sum(1)
    is_hit = rank < TOP
    return {
        "hit_ratio": float(is_hit.mean()),
        "reciprocal_rank": float((1 / (rank + 1)).mean()),
        "gain": float((is_hit / np.log2(rank + 2)).mean()),
    }


def pairs(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Films of one user, as the original ranks them."""
    user = np.full(batch, generator.integers(config.users), np.int32)
    return {"user": user, "item": generator.integers(0, config.films, batch, dtype=np.int32)}


def best(outputs: Mapping[str, np.ndarray]) -> Sequence[int]:
    """The places in the batch of the films to recommend."""
    return outputs["top"].tolist()


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="ncf",
        group="NCF",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: pairs(batch, generator, config),
        batches=(128, 256, 512),
        items="recommendations",
        finish=best,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=313_681,
    macs=1_688,
    small=_example(Config(users=50, films=40), parameters=4_689, macs=1_688),
)
