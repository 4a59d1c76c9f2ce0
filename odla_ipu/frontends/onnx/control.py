"""Converters of operators that carry sub-graphs."""

from typing import List

from ...graph import Value
from .convert import Step, Unsupported, converter


@converter("If")
def _if(step: Step, condition: Value) -> List[Value]:
    """The branch that a constant condition chooses, in place of the node."""
    chosen = step.known(condition, "the condition").reshape(-1)[0]
    return step.inline(step.get("then_branch" if chosen else "else_branch"))


@converter("Loop")
def _loop(step: Step, *operands: Value) -> List[Value]:
    raise Unsupported("loops are not converted; export the model with the loop unrolled")
