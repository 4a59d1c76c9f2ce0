"""The harness behind ``odla-ipu bench``: what is measured, how, and what is told of it.

``subject`` says what can be measured, ``measure`` makes a record of it, ``suite`` does many and
keeps their records; ``aimatrix``, ``compare`` and ``plot`` show records.
"""
