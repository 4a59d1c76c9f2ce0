"""NMT with the ten beams of its configuration, which the original's own scripts do not ask for."""

import dataclasses

from .common.example import Example
from .nmt import EXAMPLE as GREEDY
from .nmt import Config, network, random_sources


def _example(config: Config, **more: object) -> Example:
    return dataclasses.replace(
        GREEDY,
        name="nmt_beam",
        model="nmt_beam",
        build=lambda batch, weights: network(batch, weights, config),
        inputs=lambda batch, generator: random_sources(batch, generator, config),
        **more,  # type: ignore[arg-type]
    )


EXAMPLE = _example(
    Config(beams=10),
    macs=91_267_072_000,
    small=_example(
        Config(vocabulary=120, units=16, longest=6, beams=4),
        parameters=30_433,
        macs=772_608,
        small=None,
    ),
)
