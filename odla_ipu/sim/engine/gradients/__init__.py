"""Gradients: what follows from that of an op's results for those of its operands, one rule an op.

A gradient op (see ``sim.autodiff``) is emitted as any other; its rule is here.
"""

from . import elementwise, losses, nn, recurrent, reductions, regions, shaping
from .rules import DOMAIN, differentiable, has_gradient

FAMILIES = (elementwise, losses, nn, recurrent, reductions, regions, shaping)
"""Importing a family fills the tables of rules and of hosted ops."""

__all__ = ["DOMAIN", "differentiable", "has_gradient"]
