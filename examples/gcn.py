"""GCN: kinds of papers from their words and citations (arXiv:1609.02907, Cora)."""

import dataclasses
from typing import Any, Dict, List, Mapping

import numpy as np

import odla_ipu as odla
from odla_ipu import Computation, Value
from odla_ipu.errors import InvalidParameter

from .common.example import Example
from .common.weights import Weights


@dataclasses.dataclass(frozen=True)
class Config:
    """A graph; ``edges`` are those of the normalised adjacency, both ways and loops, or 0: dense.

    A dense adjacency has nodes^2 numbers: 29 MB for Cora, 1.55 GB for Pubmed, which needs edges.
    """

    nodes: int
    features: int
    classes: int
    edges: int = 0
    hidden: int = 16


CORA = Config(nodes=2708, features=1433, classes=7)
CITESEER = Config(nodes=3327, features=3703, classes=6)
PUBMED = Config(nodes=19717, features=500, classes=3, edges=2 * 44324 + 19717)


def network(batch: int, weights: Weights, config: Config = CORA) -> Computation:
    """softmax-ready logits [nodes,classes] of A relu(A X W0) W1, no biases.

    Arguments: features X [nodes,features]; adjacency A [nodes,nodes], or its entries: INT32
    sources and targets [edges] and FLOAT32 strengths [edges].
    """
    if batch != 1:
        raise InvalidParameter(f"gcn: batch is {batch}; accepted: 1, the whole graph")
    with Computation("gcn") as computation:
        x = odla.argument("features", (config.nodes, config.features))
        if config.edges:
            dims = (config.edges,)
            spread: Any = (
                odla.argument("sources", dims, "int32"),
                odla.argument("targets", dims, "int32"),
                odla.argument("strengths", dims),
            )
        else:
            spread = odla.argument("adjacency", (config.nodes, config.nodes))
        x = odla.relu(layer(x, spread, weights, "layer0", config.hidden))
        x = layer(x, spread, weights, "layer1", config.classes)
        odla.output(x, "logits")
    return computation


def layer(x: Value, spread: Any, weights: Weights, name: str, units: int) -> Value:
    """A (X W): in this order the product with A has the fewest columns."""
    inputs = x.dims[1]
    matrix = weights.normal(f"{name}.weight", (inputs, units), (2 / (inputs + units)) ** 0.5)
    x = odla.gemm(x, B=matrix, id=f"{name}.product")
    if isinstance(spread, Value):
        return odla.gemm(spread, B=x, id=f"{name}.spread")
    sources, targets, strengths = spread
    rows = odla.gather(x, sources, axis=0)
    rows = odla.mul(rows, odla.reshape(strengths, (strengths.dims[0], 1)))
    places = odla.reshape(targets, (targets.dims[0], 1))
    nothing = odla.constant(np.zeros(x.dims, np.float32))
    # ODLA has no sparse product; PopART's scatter is one.
    return odla.custom_op(
        "ScatterND", [nothing, places, rows], reduction="add", id=f"{name}.spread"
    )


def normalised(citations: np.ndarray, nodes: int) -> Dict[str, np.ndarray]:
    """D^-1/2 (A + I) D^-1/2 of pairs [n,2] of nodes, as sources, targets and strengths.

    A citation counts both ways and once; D are the row sums of A + I.
    """
    loops = np.stack([np.arange(nodes)] * 2, axis=1)
    both = np.concatenate([citations, citations[:, ::-1], loops])
    targets, sources = np.unique(both, axis=0).T
    root = np.sqrt(np.bincount(targets, minlength=nodes))
    strengths = 1 / (root[targets] * root[sources])
    return {
        "sources": sources.astype(np.int32),
        "targets": targets.astype(np.int32),
        "strengths": strengths.astype(np.float32),
    }


def dense(entries: Mapping[str, np.ndarray], nodes: int) -> np.ndarray:
    """The adjacency [nodes,nodes] of its entries."""
    matrix = np.zeros((nodes, nodes), np.float32)
    matrix[entries["targets"], entries["sources"]] = entries["strengths"]
    return matrix


def bags(counts: np.ndarray) -> np.ndarray:
    """Rows of word counts that add up to 1, or are 0."""
    total = counts.sum(1, keepdims=True)
    return (counts / np.where(total == 0, 1, total)).astype(np.float32)


def classes(outputs: Mapping[str, np.ndarray]) -> List[int]:
    """The likeliest class of each node."""
    return outputs["logits"].argmax(1).tolist()


def papers(batch: int, generator: np.random.Generator, config: Config) -> Dict[str, np.ndarray]:
    """Drawn citations, two a node, and words, one in eighty."""
    words = generator.random((config.nodes, config.features), np.float32) < 1 / 80
    arrays = {"features": bags(words.astype(np.float32))}
    if config.edges:
        # As many different pairs as there are edges, the loops among them.
        others = (config.edges - config.nodes) // 2
        steps = np.arange(others) // config.nodes + 1
        first = np.arange(others) % config.nodes
        pairs = np.stack([first, (first + steps) % config.nodes], axis=1)
        return {**arrays, **normalised(generator.permutation(config.nodes)[pairs], config.nodes)}
    pairs = generator.integers(0, config.nodes, (2 * config.nodes, 2))
    arrays["adjacency"] = dense(normalised(pairs, config.nodes), config.nodes)
    return arrays


def _example(config: Config, **more: object) -> Example:
    return Example(
        name="gcn",
        group="GCN",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: papers(batch, generator, config),
        batches=(1,),
        items="graphs",
        finish=classes,
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    CORA,
    parameters=23_040,
    macs=231_057_392,
    small=_example(Config(nodes=40, features=30, classes=3), parameters=528, macs=51_520),
)
