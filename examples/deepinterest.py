"""DeepInterest: will a customer click on an item (DIN, arXiv:1706.06978, Amazon Electronics)."""

import dataclasses
import math
from typing import Dict, Optional, Tuple

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value

from .common import layers
from .common.example import Example
from .common.weights import Weights

MASKED = np.float32(-(2.0**32) + 1)
EPSILON = 1e-3
"""TensorFlow's, of batch normalization."""


@dataclasses.dataclass(frozen=True)
class Config:
    """``history`` is the most items that count; ``items`` fall into ``kinds``."""

    items: int = 63001
    kinds: int = 801
    history: int = 100
    width: int = 64
    attention: Tuple[int, int] = (80, 40)
    tower: Tuple[int, int] = (80, 40)


def network(
    batch: int,
    weights: Weights,
    config: Config = Config(),
    kinds: Optional[np.ndarray] = None,
) -> Computation:
    """INT32 item [N], hist_i [N,T] and its lengths sl [N] -> logit and probability [N,1,1].

    ``kinds`` [items] is the kind of each item, a table of the data; without it they take turns.
    """
    size, steps = 2 * config.width, config.history
    kind_of = np.arange(config.items) % config.kinds if kinds is None else kinds
    with Computation("deepinterest") as computation:
        item = odla.argument("item", (batch,), "int32")
        past = odla.argument("hist_i", (batch, steps), "int32")
        lengths = odla.argument("sl", (batch,), "int32")

        by_item = odla.constant(
            weights.normal("item.embedding", (config.items, config.width), 0.3), "items"
        )
        by_kind = odla.constant(
            weights.normal("kind.embedding", (config.kinds, config.width), 0.3), "kinds"
        )
        kind_of_item = odla.constant(kind_of.astype(np.int32), "kind_of_item")

        def embedded(ids: Value) -> Value:
            of_kind = odla.gather(by_kind, odla.gather(kind_of_item, ids, axis=0), axis=0)
            return odla.concat([odla.gather(by_item, ids, axis=0), of_kind], axis=-1)

        query, keys = embedded(item), embedded(past)
        shares = attention(query, keys, lengths, weights, config)
        mixed = odla.reshape(odla.batch_matmul(shares, keys), (batch, size))
        user = layers.batch_norm(mixed, weights, "history.bn", EPSILON)
        user = layers.linear(user, weights, "user", size)
        x = layers.batch_norm(layers.concat([user, query], "both"), weights, "bn", EPSILON)
        for place, units in enumerate(config.tower, 1):
            x = odla.sigmoid(layers.linear(x, weights, f"fc{place}", units))
        bias = odla.gather(weights.normal("item.bias", (config.items,), 0.3), item, axis=0)
        logit = odla.reshape(layers.linear(x, weights, "fc3", 1), (batch,))
        logit = odla.reshape(odla.add(logit, bias), (batch, 1, 1))
        odla.output(logit, "logit")
        odla.output(odla.sigmoid(logit), "probability")
    return computation


def attention(query: Value, keys: Value, lengths: Value, weights: Weights, config: Config) -> Value:
    """How much each item of the history counts, [N,1,T]; adds up to 1 over T."""
    batch, steps, size = keys.dims
    queries = odla.broadcast(odla.reshape(query, (batch, 1, size)), keys.dims)
    x = odla.concat(
        [queries, keys, odla.sub(queries, keys), odla.mul(queries, keys)], axis=-1, id="pairs"
    )
    x = odla.reshape(x, (batch * steps, 4 * size))
    for place, units in enumerate(config.attention, 1):
        x = odla.sigmoid(layers.linear(x, weights, f"att{place}", units))
    scores = odla.reshape(layers.linear(x, weights, "att3", 1), (batch, 1, steps))
    places = np.arange(steps, dtype=np.int32)
    is_real = odla.less(places, odla.reshape(lengths, (batch, 1, 1)))
    scores = odla.mul(odla.select(is_real, scores, MASKED), 1 / math.sqrt(size))
    return odla.softmax(scores, axis=-1, id="shares")


def customers(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn customers with histories of all lengths, padded with 0."""
    lengths = generator.integers(1, config.history + 1, batch)
    is_real = np.arange(config.history) < lengths[:, None]
    arrays = {
        "item": generator.integers(0, config.items, batch),
        "hist_i": generator.integers(0, config.items, is_real.shape) * is_real,
        "sl": lengths,
    }
    return {name: array.astype(np.int32) for name, array in arrays.items()}


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="deepinterest",
        group="DeepInterest",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: customers(batch, generator, config),
        batches=(256, 512, 1024),
        items="recommendations",
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(),
    parameters=4_231_771,
    macs=4_472_904,
    small=_example(Config(items=60, kinds=7, history=9, width=8), parameters=15_366, macs=81_440),
)
