"""DIEN's test of size: 30 million books, a table of 2.16 GB, which no single IPU holds."""

import dataclasses

from .dien import EXAMPLE as BOOKS
from .dien import SYNTHETIC, network, readers

EXAMPLE = dataclasses.replace(
    BOOKS,
    name="dien_synthetic",
    model="dien_synthetic",
    build=lambda batch, weights: network(batch, weights, SYNTHETIC),
    inputs=lambda batch, generator: readers(batch, generator, SYNTHETIC),
    parameters=BOOKS.parameters + (SYNTHETIC.books - 367_983) * SYNTHETIC.width,
)
