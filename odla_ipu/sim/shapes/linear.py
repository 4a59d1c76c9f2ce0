"""Matrix products, convolutions and pooling."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ..exceptions import popart_exception
from .elementwise import equal_types
from .rules import GRAPHCORE, Context, Result, Shape, broadcast, rule


def _operand_types(context: Context) -> List[str]:
    equal_types(context, [0, 1])
    return [context.dtype(0)]


@rule("MatMul", types=_operand_types)
def _matmul(context: Context) -> Result:
    left, right = context.shape(0), context.shape(1)
    if not left or not right:
        context.refuse(f"has operands of shapes {list(left)} and {list(right)}: rank 0 is refused")
    rows = left if len(left) > 1 else (1, *left)
    columns = right if len(right) > 1 else (*right, 1)
    if rows[-1] != columns[-2]:
        context.refuse(
            f"multiplies shapes {list(left)} and {list(right)}, which are not aligned: "
            f"{rows[-1]} columns, {columns[-2]} rows"
        )
    batch = broadcast(context, [rows[:-2], columns[:-2]]) if rows[:-2] or columns[:-2] else ()
    return [
        batch + (rows[-2],) * (len(left) > 1) + (columns[-1],) * (len(right) > 1),
    ]


@rule("Gemm", types=_operand_types)
def _gemm(context: Context) -> Result:
    left, right = context.shape(0), context.shape(1)
    if len(left) != 2 or len(right) != 2:
        context.refuse(f"has operands of shapes {list(left)} and {list(right)}: accepted is rank 2")
    if context.attribute("transA", 0):
        left = left[::-1]
    if context.attribute("transB", 0):
        right = right[::-1]
    if left[1] != right[0]:
        context.refuse(
            f"multiplies {list(left)} and {list(right)} (after transposition), which are not "
            "aligned"
        )
    result = (left[0], right[1])
    if context.has(2) and broadcast(context, [result, context.shape(2)]) != result:
        context.refuse(f"adds shape {list(context.shape(2))} to a product of {list(result)}")
    return [result]


class Window(NamedTuple):
    """Sizes of a convolution or pooling along the spatial axes."""

    kernel: List[int]
    strides: List[int]
    dilations: List[int]
    befores: List[int]
    afters: List[int]


def _spatial(context: Context, name: str, count: int, default: int) -> List[int]:
    values = list(context.attribute(name) or [default] * count)
    if len(values) != count:
        context.refuse(f"has {name} {values}: accepted are {count} values")
    if name in ("strides", "dilations") and min(values, default=1) < 1:
        context.refuse(f"has {name} {values}: accepted are 1 and up")
    return values


def _window(context: Context, spatial: Sequence[int], kernel: List[int]) -> Window:
    count = len(spatial)
    strides = _spatial(context, "strides", count, 1)
    dilations = _spatial(context, "dilations", count, 1)
    auto = context.attribute("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        context.refuse(f"has auto_pad {auto}: accepted are NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if auto == "NOTSET":
        pads = _spatial(context, "pads", 2 * count, 0)
        return Window(kernel, strides, dilations, pads[:count], pads[count:])
    if auto == "VALID":
        return Window(kernel, strides, dilations, [0] * count, [0] * count)
    befores, afters = [], []
    for dim, size, stride, dilation in zip(spatial, kernel, strides, dilations):
        extent = dilation * (size - 1) + 1
        total = max((-(-dim // stride) - 1) * stride + extent - dim, 0)
        smaller = total // 2
        befores.append(smaller if auto == "SAME_UPPER" else total - smaller)
        afters.append(total - befores[-1])
    return Window(kernel, strides, dilations, befores, afters)


def _positions(spatial: Sequence[int], window: Window, ceil: bool) -> Shape:
    """Number of positions of the window along each axis; negative where it does not fit."""
    result = []
    for dim, size, stride, dilation, before, after in zip(spatial, *window):
        room = before + dim + after - (dilation * (size - 1) + 1)
        steps = -(-room // stride) if ceil else room // stride
        result.append(steps + 1 if room >= 0 else min(steps, -1))
    return tuple(result)


def _check_filters(context: Context, data: Shape, weights: Shape, group: int) -> None:
    if len(data) < 3 or len(weights) != len(data):
        context.refuse(
            f"has data of shape {list(data)} and weights of {list(weights)}: accepted are equal "
            "ranks of 3 and up"
        )
    kernel = context.attribute("kernel_shape")
    if kernel and list(kernel) != list(weights[2:]):
        context.refuse(f"has kernel_shape {list(kernel)} and weights of shape {list(weights)}")
    if group < 1:
        context.refuse(f"has group {group}: accepted are 1 and up")


def _check_bias(context: Context, channels: int) -> None:
    if context.has(2) and context.shape(2) != (channels,):
        context.refuse(f"has a bias of shape {list(context.shape(2))}: accepted is [{channels}]")


@rule("Conv", types=_operand_types)
def _conv(context: Context) -> Result:
    data, weights = context.shape(0), context.shape(1)
    group = context.attribute("group", 1)
    _check_filters(context, data, weights, group)
    if weights[1] * group != data[1] or weights[0] % group:
        context.refuse(
            f"has {data[1]} channels in {group} groups and weights of shape {list(weights)}: "
            f"the second axis must be {data[1]} / {group}, the first a multiple of {group}"
        )
    _check_bias(context, weights[0])
    window = _window(context, data[2:], list(weights[2:]))
    return [(data[0], weights[0], *_positions(data[2:], window, False))]


@rule("ConvTranspose", types=_operand_types)
def _conv_transpose(context: Context) -> Result:
    data, weights = context.shape(0), context.shape(1)
    group = context.attribute("group", 1)
    _check_filters(context, data, weights, group)
    if weights[0] != data[1]:
        context.refuse(
            f"has {data[1]} channels and weights of shape {list(weights)}: the first axis must "
            f"be {data[1]}"
        )
    _check_bias(context, weights[1] * group)
    given = context.attribute("output_shape")
    spatial = list(given)[-(len(data) - 2) :] if given else _transposed(context, data, weights)
    return [(data[0], weights[1] * group, *spatial)]


def _transposed(context: Context, data: Shape, weights: Shape) -> List[int]:
    """Spatial sizes of a transposed convolution without output_shape."""
    count = len(data) - 2
    strides = _spatial(context, "strides", count, 1)
    dilations = _spatial(context, "dilations", count, 1)
    added = _spatial(context, "output_padding", count, 0)
    auto = context.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return [dim * stride for dim, stride in zip(data[2:], strides)]
    pads = _spatial(context, "pads", 2 * count, 0) if auto == "NOTSET" else [0] * (2 * count)
    return [
        stride * (dim - 1) + extra + dilation * (size - 1) + 1 - before - after
        for dim, size, stride, dilation, extra, before, after in zip(
            data[2:], weights[2:], strides, dilations, added, pads[:count], pads[count:]
        )
    ]


@rule("AveragePool", "MaxPool", "LpPool", types=lambda context: [context.dtype(0), "INT64"])
def _pool(context: Context) -> Result:
    shape = context.shape(0)
    kernel = list(context.required("kernel_shape"))
    if len(shape) < 3 or len(kernel) != len(shape) - 2:
        context.refuse(
            f"has data of shape {list(shape)} and kernel_shape {kernel}: accepted are rank 3 and "
            "up, and one kernel size for each axis after the second"
        )
    window = _window(context, shape[2:], kernel)
    ceil = bool(context.attribute("ceil_mode", 0))
    return [(*shape[:2], *_positions(shape[2:], window, ceil))] * 2


class Convolution(NamedTuple):
    """One convolution of a MultiConv: how many inputs it has, and its form by spatial axis.

    `pads` and `out_pads` list all befores, then all afters.
    """

    inputs: int
    group: int
    dilations: List[int]
    in_dilations: List[int]
    pads: List[int]
    out_pads: List[int]
    strides: List[int]


def convolutions(
    attributes: Dict[str, Any], shapes: Sequence[Optional[Shape]]
) -> List[Convolution]:
    """The convolutions of a MultiConv node.

    `shapes` are those of its inputs. The node lists the numbers of inputs in `numInputs`, and the
    sizes of all convolutions, one after the other, in `dilations`, `inDilations`, `pads`,
    `outPads` and `strides`; an absent list means defaults.
    """
    lists = {name: list(attributes.get(name) or []) for name in _SIZES}
    result = []
    position = 0
    for count in attributes["numInputs"]:
        data, weights = shapes[position], shapes[position + 1]
        if data is None or weights is None:
            return []
        spatial = len(data) - 2
        form = {}
        for name, (default, each) in _SIZES.items():
            length = each * spatial
            form[name] = lists[name][:length] or [default] * length
            if len(form[name]) != length:
                raise popart_exception(
                    f"MultiConv has {len(form[name])} {name} for a convolution that takes {length}"
                )
            del lists[name][:length]
        group = data[1] // weights[1] if weights[1] else 1
        result.append(Convolution(count, group, *(form[name] for name in _SIZES)))
        position += count
    return result


_SIZES = {
    "dilations": (1, 1),
    "inDilations": (1, 1),
    "pads": (0, 2),
    "outPads": (0, 2),
    "strides": (1, 1),
}


def _multi_conv_types(context: Context) -> List[str]:
    starts = [sum(context.required("numInputs")[:i]) for i in range(len(context.node.outputs))]
    return [context.dtype(start) for start in starts]


@rule("MultiConv", domain=GRAPHCORE, types=_multi_conv_types)
def _multi_conv(context: Context) -> Result:
    shapes = [context.shape(i) if context.has(i) else None for i in range(len(context.inputs))]
    counts = context.required("numInputs")
    if sum(counts) != len(shapes) or len(counts) != len(context.node.outputs):
        context.refuse(f"has {len(shapes)} inputs for convolutions of {list(counts)} inputs")
    for name in ("dilations", "inDilations", "strides"):
        if any(value < 1 for value in context.attribute(name) or []):
            context.refuse(f"has {name} {list(context.attribute(name))}: accepted are 1 and up")
    result: Result = []
    position = 0
    for form in convolutions(context.node.attributes, shapes):
        data, weights = context.shape(position), context.shape(position + 1)
        if len(data) < 3 or len(weights) != len(data) or weights[1] * form.group != data[1]:
            context.refuse(
                f"has data of shape {list(data)} and weights of {list(weights)} in convolution "
                f"{len(result)}: accepted are [N, C, ...] and [M, C / groups, ...]"
            )
        count = len(data) - 2
        spread = [(dim - 1) * step + 1 for dim, step in zip(data[2:], form.in_dilations)]
        window = Window(
            list(weights[2:]), form.strides, form.dilations, form.pads[:count], form.pads[count:]
        )
        sizes = _positions(spread, window, False)
        grown = [
            size + before + after
            for size, before, after in zip(sizes, form.out_pads[:count], form.out_pads[count:])
        ]
        result.append((data[0], weights[0], *grown))
        position += form.inputs
    return result
