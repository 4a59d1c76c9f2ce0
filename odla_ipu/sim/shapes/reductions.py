"""Reductions, searches, sorts and losses."""

from typing import List

from .rules import GRAPHCORE, Context, Result, Shape, rule, same_shape


def _reduced(context: Context, axes: List[int]) -> Shape:
    shape = context.shape(0)
    dropped = set(context.axes(axes, len(shape)) if axes else range(len(shape)))
    if context.attribute("keepdims", 1):
        return tuple(1 if axis in dropped else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in dropped)


@rule(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd",
    "ReduceSum ReduceSumSquare",
)
def _reduce(context: Context) -> Result:
    return [_reduced(context, context.attribute("axes"))]


@rule("ReduceMedian", domain=GRAPHCORE, types=(0, "INT32"))
def _median(context: Context) -> Result:
    return [_reduced(context, context.attribute("axes"))] * 2


@rule("ArgMax", "ArgMin", types="INT64")
def _arg(context: Context) -> Result:
    if context.rank(0) == 0:
        context.refuse("has an input of rank 0")
    return [_reduced(context, [context.attribute("axis", 0)])]


@rule("TopK", types=(0, "INT64"))
def _top_k(context: Context) -> Result:
    shape = list(context.shape(0))
    axis = context.axis(context.attribute("axis", -1), len(shape))
    k = context.integers(1)[0] if context.opset >= 10 else context.required("k")
    if not 0 <= k <= shape[axis]:
        context.refuse(f"takes {k} elements of axis {axis} of size {shape[axis]}")
    shape[axis] = k
    return [tuple(shape)] * 2


@rule("Sort", domain=GRAPHCORE, types=(0, "INT64"))
def _sort(context: Context) -> Result:
    axis, rank = context.attribute("axis", -1), context.rank(0)
    if not 0 <= axis < rank:
        context.refuse(f"has axis {axis}: accepted are 0 to {rank - 1}")
    return [context.shape(0)] * 2


rule("Bucketize", domain=GRAPHCORE, types="INT32")(same_shape)


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(context: Context) -> Result:
    shape = context.shape(0)
    if len(shape) < 3:
        context.refuse(f"has an input of rank {len(shape)}: accepted are 3 and up")
    return [(*shape[:2], *[1] * (len(shape) - 2))]


def _unless_none(context: Context, elementwise: Shape) -> Result:
    """A scalar, or one loss an element without reduction."""
    return [elementwise if context.attribute("reduction", "Mean") == "None" else ()]


@rule("IdentityLoss", domain=GRAPHCORE)
def _identity_loss(context: Context) -> Result:
    return _unless_none(context, context.shape(0))


@rule("L1", domain=GRAPHCORE)
def _l1_loss(context: Context) -> Result:
    if context.rank(0) == 0:
        context.refuse("has an input of rank 0: accepted are 1 and up")
    return _unless_none(context, context.shape(0))


@rule("Nll", domain=GRAPHCORE)
def _nll_loss(context: Context) -> Result:
    probabilities, labels = context.shape(0), context.shape(1)
    if probabilities[:-1] != labels or not probabilities:
        context.refuse(
            f"has probabilities of shape {list(probabilities)} and labels of {list(labels)}: "
            "labels have the shape without the last axis"
        )
    return _unless_none(context, labels)


def _ctc_types(context: Context) -> List[str]:
    given = context.attribute("outDataType", "UNDEFINED")
    return [context.dtype(0) if given == "UNDEFINED" else given, context.dtype(0)]


@rule("Ctc", domain=GRAPHCORE, types=_ctc_types)
def _ctc_loss(context: Context) -> Result:
    shape = context.shape(0)
    others = [context.shape(index) for index in (1, 2, 3)]
    if len(shape) != 3 or len(others[0]) != 2 or others[0][0] != shape[1]:
        context.refuse(
            f"has log-probabilities of shape {list(shape)} and targets of {list(others[0])}: "
            "accepted are [T, N, C] and [N, S]"
        )
    if others[1] != (shape[1],) or others[2] != (shape[1],):
        context.refuse(
            f"has lengths of shapes {list(others[1])} and {list(others[2])}: accepted is one "
            f"a sample, [{shape[1]}]"
        )
    _check_blank(context, shape)
    return [*_unless_none(context, (shape[1],)), shape]


@rule("CtcBeamSearchDecoder", domain=GRAPHCORE, types=(0, "UINT32", "UINT32"))
def _ctc_decoder(context: Context) -> Result:
    shape = context.shape(0)
    if len(shape) != 3:
        context.refuse(f"has log-probabilities of shape {list(shape)}: accepted is [T, N, C]")
    paths, width = context.attribute("top_paths", 1), context.attribute("beam_width", 100)
    if paths > width:
        context.refuse(f"has top_paths {paths} above beam_width {width}")
    if paths < 1:
        context.refuse(f"has top_paths {paths}: accepted is 1 or more")
    _check_blank(context, shape)
    steps, batch, _ = shape
    if context.shape(1) != (batch,):
        context.refuse(f"has lengths of shape {list(context.shape(1))}: accepted is [{batch}]")
    return [(batch, paths), (batch, paths), (batch, paths, steps)]


def _check_blank(context: Context, shape: Shape) -> None:
    blank = context.attribute("blank", 0)
    if not 0 <= blank < shape[-1]:
        context.refuse(f"has blank {blank}: accepted is a class, 0 to {shape[-1] - 1}")


@rule("SplineBasis", domain=GRAPHCORE, types=(0, "INT32"))
def _spline_basis(context: Context) -> Result:
    pseudo = context.shape(0)
    degree = context.required("degree")
    if len(pseudo) != 2 or not pseudo[1] or not 0 <= degree <= 3:
        context.refuse(
            f"has pseudo coordinates of shape {list(pseudo)} and degree {degree}: "
            "accepted are [E, D] and 0 to 3"
        )
    for index in (1, 2):
        if context.shape(index) != pseudo[1:]:
            context.refuse(
                f"has input {index} of shape {list(context.shape(index))}: "
                f"accepted is one number a dimension, [{pseudo[1]}]"
            )
    return [(pseudo[0], (degree + 1) ** pseudo[1])] * 2


@rule("SplineWeighting", domain=GRAPHCORE)
def _spline_weighting(context: Context) -> Result:
    data, weight, basis, index = (context.shape(i) for i in range(4))
    ranks = [len(shape) for shape in (data, weight, basis, index)]
    if ranks != [2, 3, 2, 2] or weight[1] != data[1] or basis != index or basis[0] != data[0]:
        context.refuse(
            f"has shapes {list(data)}, {list(weight)}, {list(basis)} and {list(index)}: "
            "accepted are [E, I], [K, I, O], [E, S] and [E, S]"
        )
    if len({context.dtype(index) for index in range(3)}) > 1:
        context.refuse(
            f"has types {', '.join(map(context.dtype, range(3)))} of input, weight and basis: "
            "accepted is one type"
        )
    return [(data[0], weight[2])]


@rule("PackedDataBlock", domain=GRAPHCORE, types=lambda context: _packed_type(context))
def _packed_data_block(context: Context) -> Result:
    callback = context.required("callback")
    shape = callback.infos[callback.outputs[0]].shape
    rest = None if shape is None else (context.required("resultSize"), *shape[2:])
    return [rest]


def _packed_type(context: Context) -> List[str]:
    callback = context.required("callback")
    return [callback.infos[callback.outputs[0]].dtype]
