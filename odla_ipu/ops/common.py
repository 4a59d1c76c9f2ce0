"""What declarations of several families share: axes, ranges, shapes with an axis left out."""

from typing import Optional, Sequence

import numpy as np

from ..registry import Op
from ..types import ElementType, Shape


def axis_or_none(axis: int, rank: int) -> Optional[int]:
    """``axis`` counted from the front, or None when it is outside [-rank, rank)."""
    if not -rank <= axis < rank:
        return None
    return axis % rank


def axis_of(op: Op, axis: int, rank: int, name: str = "axis") -> int:
    """``axis`` counted from the front; raises the op's error when it is outside [-rank, rank)."""
    result = axis_or_none(axis, rank)
    if result is None:
        raise op.error(f"{name} is {axis}; accepted: {-rank} to {rank - 1} for rank {rank}")
    return result


def in_range(number: float, kind: ElementType) -> float:
    """``number``, limited to what the element type can hold."""
    dtype = kind.dtype
    limits = np.finfo(dtype) if kind.is_float else np.iinfo(dtype)
    if kind.is_float and np.isinf(number):
        return number
    return min(max(number, float(limits.min)), float(limits.max))


def shape_without(shape: Shape, axes: Sequence[int], keep: bool) -> Shape:
    """``shape`` with the axes dropped, or kept with size 1."""
    if keep:
        return tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)
