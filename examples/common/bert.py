"""BERT's encoder (arXiv:1810.04805); weights are named and stored as in its PyTorch form."""

import dataclasses
import math
from typing import Dict

import numpy as np

import odla_ipu as odla
from odla_ipu import Value

from .weights import Weights

MASKED = -10000.0
"""Added to the scores of masked positions; float16 holds it."""


@dataclasses.dataclass(frozen=True)
class Config:
    """``length`` tokens a sentence; ``tanh_gelu`` as the TensorFlow trees, else by erf."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    length: int
    positions: int = 512
    kinds: int = 2
    tanh_gelu: bool = True


def encoder(batch: int, weights: Weights, config: Config) -> Value:
    """Hidden states [N*length, hidden] of INT32 input_ids, input_mask, segment_ids [N,length]."""
    dims = (batch, config.length)
    ids = odla.argument("input_ids", dims, "int32")
    mask = odla.argument("input_mask", dims, "int32")
    segments = odla.argument("segment_ids", dims, "int32")
    x = embeddings(ids, segments, weights, config)
    absent = odla.sub(1.0, odla.cast(mask, "float32"))
    bias = odla.reshape(odla.mul(absent, MASKED), (batch, 1, 1, config.length), id="mask_bias")
    for layer in range(config.layers):
        x = encoder_layer(x, bias, weights, f"encoder.layer.{layer}", config)
    return x


def embeddings(ids: Value, segments: Value, weights: Weights, config: Config) -> Value:
    tables = {
        kind: weights.normal(f"embeddings.{kind}_embeddings.weight", (rows, config.hidden), 0.02)
        for kind, rows in (
            ("word", config.vocabulary),
            ("position", config.positions),
            ("token_type", config.kinds),
        )
    }
    words = odla.gather(tables["word"], ids, axis=0, id="words")
    kinds = odla.gather(tables["token_type"], segments, axis=0, id="segments")
    places = tables["position"][None, : config.length]
    total = odla.add(odla.add(words, kinds), places)
    matrix = odla.reshape(total, (math.prod(ids.dims), config.hidden))
    return layer_norm(matrix, weights, "embeddings.LayerNorm")


def encoder_layer(x: Value, bias: Value, weights: Weights, name: str, config: Config) -> Value:
    attended = attention(x, bias, weights, f"{name}.attention.self", config)
    attended = linear(attended, weights, f"{name}.attention.output.dense", config.hidden)
    x = layer_norm(odla.add(attended, x), weights, f"{name}.attention.output.LayerNorm")
    wide = linear(x, weights, f"{name}.intermediate.dense", config.intermediate)
    wide = odla.gelu(wide, use_approx=config.tanh_gelu, id=f"{name}.gelu")
    narrow = linear(wide, weights, f"{name}.output.dense", config.hidden)
    return layer_norm(odla.add(narrow, x), weights, f"{name}.output.LayerNorm")


def attention(x: Value, bias: Value, weights: Weights, name: str, config: Config) -> Value:
    """Of each head: softmax(q k^T / sqrt(size) + bias) v."""
    batch, size = x.dims[0] // config.length, config.hidden // config.heads

    def heads(part: str, order: tuple) -> Value:
        y = linear(x, weights, f"{name}.{part}", config.hidden)
        return odla.transpose(odla.reshape(y, (batch, config.length, config.heads, size)), order)

    query, key, value = (
        heads("query", (0, 2, 1, 3)),
        heads("key", (0, 2, 3, 1)),
        heads("value", (0, 2, 1, 3)),
    )
    scores = odla.mul(odla.batch_matmul(query, key), 1 / math.sqrt(size))
    shares = odla.softmax(odla.add(scores, bias), axis=-1, id=f"{name}.softmax")
    mixed = odla.transpose(odla.batch_matmul(shares, value), (0, 2, 1, 3))
    return odla.reshape(mixed, x.dims)


def linear(x: Value, weights: Weights, name: str, units: int) -> Value:
    """x [rows, inputs] times the transpose of a matrix [units, inputs]."""
    matrix = weights.normal(f"{name}.weight", (units, x.dims[1]), 0.02)
    bias = weights.normal(f"{name}.bias", (units,), 0.02)
    return odla.gemm(x, B=matrix, B_transpose=True, C=bias, id=name)


def layer_norm(x: Value, weights: Weights, name: str) -> Value:
    """Of the rows of a matrix: one group of channels."""
    scale = weights.uniform(f"{name}.weight", (x.dims[1],), 0.9, 1.1)
    offset = weights.normal(f"{name}.bias", (x.dims[1],), 0.02)
    return odla.group_normalization(x, groups=1, epsilon=1e-12, scale=scale, offset=offset, id=name)


def random_inputs(
    batch: int, generator: np.random.Generator, config: Config
) -> Dict[str, np.ndarray]:
    """Sentence pairs of drawn tokens and lengths, padded with 0."""
    dims = (batch, config.length)
    used = generator.integers(config.length // 2, config.length + 1, (batch, 1))
    place = np.arange(config.length)
    mask = place < used
    ids = generator.integers(1, config.vocabulary, dims) * mask
    segments = (place >= used // 3) & mask
    arrays = {"input_ids": ids, "input_mask": mask, "segment_ids": segments}
    return {name: array.astype(np.int32) for name, array in arrays.items()}
