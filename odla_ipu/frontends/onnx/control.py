"""Converters of operators that carry sub-graphs."""

from typing import List

from ...graph import Value
from .convert import Step, Unsupported, converter


@converter("If")
def _if(step: Step, condition: Value) -> List[Value]:
    """The branch that a constant condition chooses; else both, and a choice of their results.

    Branches have no side effects, so computing both is right wherever their results have the same
    types and shapes.
    """
    if condition.data is not None:
        return step.inline(step.get("then_branch" if condition.data.all() else "else_branch"))
    then, other = step.inline(step.get("then_branch")), step.inline(step.get("else_branch"))
    for a, b in zip(then, other):
        if a.type != b.type:
            raise Unsupported(
                f"the branches give {a.type} and {b.type}, and the condition is computed at run "
                "time; IPU programs have fixed shapes"
            )
    flag = step.reshape(condition, [])
    return [step.op("Select", flag, a, b) for a, b in zip(then, other)]


@converter("Loop")
def _loop(step: Step, *operands: Value) -> List[Value]:
    raise Unsupported("loops are not converted; export the model with the loop unrolled")
