"""The ODLA ops, declared by family; importing this package fills ``registry.OPS``."""

from . import math, nn, process, rnn

__all__ = ["math", "nn", "process", "rnn"]
