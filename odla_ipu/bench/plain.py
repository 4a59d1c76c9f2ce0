"""What PopART runs, run without this package: plain onnxruntime, and numpy where it has no op.

PopART's own operators become standard ones of ONNX.  Kernels are computed here in numpy, between
what onnxruntime computes of the graph before and behind them.
"""

import itertools
import math
import tempfile
from typing import Any, Callable, Dict, List, Mapping, Sequence, Set, Tuple

import numpy as np

from ..errors import InvalidParameter

Arrays = Mapping[str, np.ndarray]

GRAPHCORE, OWN = "ai.graphcore", "odla.ipu"


def run_file(path: str, feeds: Arrays, names: Sequence[str] = ()) -> Dict[str, np.ndarray]:
    """The outputs, or those of ``names``, of an ONNX file in plain onnxruntime.

    Raises InvalidParameter when onnxruntime cannot run the file, such as with another batch.
    """
    import onnxruntime

    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        wanted = list(names) or [output.name for output in session.get_outputs()]
        return dict(zip(wanted, session.run(wanted, dict(feeds))))
    except Exception as error:  # onnxruntime's classes have no common base of their own
        raise InvalidParameter(f"onnxruntime cannot check this run: {error}") from error


def run_model(
    model: Any, folder: str, feeds: Arrays, names: Sequence[str]
) -> Dict[str, np.ndarray]:
    """Values of a ModelProto that :func:`standardise` has seen; its weights lie in ``folder``.

    Raises InvalidParameter where it has a kernel in a body, or one without a function here.
    """
    values = dict(feeds)
    for node in model.graph.node:
        if node.domain == OWN:
            if node.op_type not in KERNELS:
                raise InvalidParameter(f"the kernel {node.op_type} has no reference")
            values.update(_values(model, folder, values, [one for one in node.input if one]))
            operands = [values[name] if name else None for name in node.input]
            results = KERNELS[node.op_type](*operands, **_attributes(node))
            values.update(zip(node.output, results))
    return _values(model, folder, values, names)


def _values(
    model: Any, folder: str, known: Mapping[str, np.ndarray], wanted: Sequence[str]
) -> Dict[str, np.ndarray]:
    """Some values of the graph out of known ones, by onnxruntime."""
    import onnx

    found = {name: known[name] for name in wanted if name in known}
    for one in model.graph.initializer:
        if one.name in wanted:
            found[one.name] = onnx.numpy_helper.to_array(one, folder)
    missing = [name for name in dict.fromkeys(wanted) if name not in found]
    if not missing:
        return found
    nodes, read = _needed(model.graph.node, set(missing), set(known))
    part = onnx.ModelProto()
    part.CopyFrom(model)
    for field in ("node", "input", "output", "initializer", "value_info"):
        part.graph.ClearField(field)
    part.graph.node.extend(nodes)
    stored = [one for one in model.graph.initializer if one.name in read]
    part.graph.initializer.extend(stored)
    given = {name: known[name] for name in known if name in read}
    part.graph.input.extend(
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in given.items()
    )
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in missing)
    with tempfile.NamedTemporaryFile(suffix=".onnx", dir=folder) as file:
        file.write(part.SerializeToString())
        file.flush()
        found.update(run_file(file.name, given, missing))
    return found


def _needed(nodes: Sequence[Any], wanted: Set[str], known: Set[str]) -> Tuple[List[Any], Set[str]]:
    """The nodes that compute ``wanted`` out of ``known``, and all that they read."""
    kept, read = [], set()
    for node in reversed(nodes):
        if wanted.isdisjoint(node.output) or node.domain == OWN:
            continue
        kept.append(node)
        reads = set(_reads(node))
        read |= reads
        wanted = wanted | (reads - known)
    return kept[::-1], read


def _reads(node: Any) -> List[str]:
    found = [name for name in node.input if name]
    for attribute in node.attribute:
        for inner in attribute.g.node:  # bodies read values of the graphs around them
            found += _reads(inner)
        found += [output.name for output in attribute.g.output]
    return found


def _attributes(node: Any) -> Dict[str, Any]:
    import onnx

    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


# PopART's operators.


def standardise(graph: Any) -> None:
    """Replace PopART's operators in a GraphProto by standard ones, where they have a form here."""
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                standardise(attribute.g)
        make = STANDARD.get(node.op_type) if node.domain == GRAPHCORE else None
        made = make(_Maker(node), _attributes(node)) if make else None
        graph.node.extend([node] if made is None else made)


class _Maker:
    """Makes the nodes that stand for one; their values bear names with its output's."""

    def __init__(self, node: Any):
        self.node = node
        self.made: List[Any] = []

    def __call__(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        import onnx

        name = to or f"{self.node.output[0]} {len(self.made)}"
        self.made.append(onnx.helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, value: Any, dtype: str = "float32") -> str:
        import onnx

        tensor = onnx.numpy_helper.from_array(np.array(value, dtype))
        return self("Constant", value=tensor)


def _gelu(make: _Maker, given: Dict[str, Any]) -> List[Any]:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    x = make.node.input[0]
    cube = make("Mul", make("Mul", x, x), x)
    inner = make("Add", x, make("Mul", cube, make.constant(0.044715)))
    tanh = make("Tanh", make("Mul", inner, make.constant(math.sqrt(2 / math.pi))))
    half = make("Mul", x, make.constant(0.5))
    make("Mul", half, make("Add", tanh, make.constant(1)), to=make.node.output[0])
    return make.made


def _group_normalization(make: _Maker, given: Dict[str, Any]) -> Any:
    """Of one group and without space: the normalisation of rows."""
    if given["num_groups"] != 1:
        return None
    x, scale, bias = make.node.input
    less = make("Sub", x, make("ReduceMean", x, axes=[1]))
    variance = make("ReduceMean", make("Mul", less, less), axes=[1])
    root = make("Sqrt", make("Add", variance, make.constant(given.get("epsilon", 1e-5))))
    normal = make("Mul", make("Div", less, root), scale)
    make("Add", normal, bias, to=make.node.output[0])
    return make.made


def _steps(make: _Maker, axes: Sequence[int], begin: int, end: int, steps: Sequence[int]) -> Any:
    bounds = [make.constant([one] * len(axes), "int64") for one in (begin, end)]
    more = [make.constant(list(one), "int64") for one in (axes, steps)]
    make("Slice", make.node.input[0], *bounds, *more, to=make.node.output[0])
    return make.made


_FAR = 2**31 - 1

STANDARD: Dict[str, Callable[[_Maker, Dict[str, Any]], Any]] = {
    "Gelu": _gelu,
    "GroupNormalization": _group_normalization,
    "NearbyInt": lambda make, given: [
        make("Round", make.node.input[0], to=make.node.output[0]) and make.made[0]
    ],
    "Reverse": lambda make, given: _steps(
        make, given["dimensions"], -1, -_FAR, [-1] * len(given["dimensions"])
    ),
    "Subsample": lambda make, given: _steps(
        make, range(len(given["strides"])), 0, _FAR, given["strides"]
    ),
}


# Kernels, as their declarations tell.


def _non_max_suppression(
    boxes: np.ndarray,
    scores: np.ndarray,
    max_selected: int,
    iou_threshold: float,
    score_threshold: float,
    rows: int,
) -> Sequence[np.ndarray]:
    table = np.full((rows, 3), -1, np.int32)
    found: List[Tuple[int, int, int]] = []
    for batch, label in itertools.product(range(len(boxes)), range(scores.shape[1])):
        of = scores[batch, label]
        order = [box for box in np.argsort(-of, kind="stable") if of[box] > score_threshold]
        kept = _suppressed(boxes[batch].astype(np.float64), order, iou_threshold, max_selected)
        found += [(batch, label, box) for box in kept]
    found = found[:rows]
    table[: len(found)] = np.array(found, np.int32).reshape(-1, 3)
    return table, np.array([len(found)], np.int32)


def _suppressed(boxes: np.ndarray, order: List[int], limit: float, most: int) -> List[int]:
    """Those of ``order`` that overlap no better one by more than ``limit``."""
    low = np.minimum(boxes[:, :2], boxes[:, 2:])
    high = np.maximum(boxes[:, :2], boxes[:, 2:])
    areas = np.prod(high - low, 1)
    kept: List[int] = []
    left = np.array(order, int)
    while len(left) and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(high[left], high[best]) - np.maximum(low[left], low[best])
        common = np.prod(np.maximum(sides, 0), 1)
        union = areas[left] + areas[best] - common
        left = left[common <= limit * union]
    return kept


def _roi_max_pool(
    x: np.ndarray, rois: np.ndarray, images: np.ndarray, height: int, width: int, scale: float
) -> Sequence[np.ndarray]:
    y = np.zeros((len(rois), x.shape[1], height, width), x.dtype)
    corners = rois.astype(np.float32) * np.float32(scale)
    whole = np.copysign(np.floor(np.abs(corners) + 0.5), corners).astype(int)
    for region, (left, top, right, bottom) in enumerate(whole):
        tall, wide = max(bottom - top + 1, 1), max(right - left + 1, 1)
        for i, j in itertools.product(range(height), range(width)):
            rows = slice(max(top + i * tall // height, 0), max(top - -(i + 1) * tall // height, 0))
            columns = slice(
                max(left + j * wide // width, 0), max(left - -(j + 1) * wide // width, 0)
            )
            part = x[images[region], :, rows, columns]
            if part.size:
                y[region, :, i, j] = part.max((1, 2))
    return (y,)


def _cell(begin: int, size: int, index: int, count: int) -> slice:
    """Pixels of one of ``count`` cells: from the one it begins in to the one it ends in."""
    end = -(-(index + 1) * size // count)
    return slice(max(begin + index * size // count, 0), max(begin + end, 0))


def _ctc_greedy_decode(
    logits: np.ndarray, lengths: Any = None, blank: int = -1, merge_repeated: int = 1
) -> Sequence[np.ndarray]:
    steps, batch, classes = logits.shape
    best = logits.argmax(2).T
    kept = best != blank % classes
    if merge_repeated:
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    if lengths is not None:
        kept &= np.arange(steps) < lengths[:, None]
    table = np.full((batch, steps), -1, np.int32)
    for row, (labels, flags) in enumerate(zip(best, kept)):
        table[row, : flags.sum()] = labels[flags]
    return table, kept.sum(1).astype(np.int32)


def _detection_output(
    loc: np.ndarray,
    conf: np.ndarray,
    priorbox: np.ndarray,
    background_label: int,
    confidence_threshold: float,
    keep_top_k: int,
    num_classes: int,
    share_location: int,
    code_type: int,
    nms_threshold: float,
    nms_top_k: int,
    nms_eta: float,
) -> Sequence[np.ndarray]:
    if nms_eta < 1:
        raise InvalidParameter(f"nms_eta is {nms_eta}: the reference has 1 only")
    batch = len(conf)
    table, counts = np.full((batch, keep_top_k, 7), -1, np.float32), np.zeros(batch, np.int32)
    prior, variance = priorbox.astype(np.float64).reshape(2, -1, 4)
    chances = conf.astype(np.float64).reshape(batch, len(prior), num_classes)
    moves = loc.astype(np.float64).reshape(batch, len(prior), -1, 4)
    for image in range(batch):
        found: List[Tuple[float, ...]] = []
        for label in set(range(num_classes)) - {background_label}:
            of = chances[image, :, label]
            move = moves[image, :, 0 if share_location else label]
            boxes = _decoded(prior, variance, move, code_type)
            order = [i for i in np.argsort(-of, kind="stable") if of[i] > confidence_threshold]
            order = order[: nms_top_k if nms_top_k >= 0 else None]
            kept = _suppressed(boxes, order, nms_threshold, len(order))
            found += [(image, label, of[box], *boxes[box]) for box in kept]
        found = sorted(found, key=lambda row: -row[2])[:keep_top_k]
        found.sort(key=lambda row: (row[1], -row[2]))
        table[image, : len(found)] = np.array(found, np.float32).reshape(-1, 7)
        counts[image] = len(found)
    return counts, table


def _decoded(prior: np.ndarray, variance: np.ndarray, move: np.ndarray, code: int) -> np.ndarray:
    """Boxes xmin, ymin, xmax, ymax, as Caffe's code types say."""
    size, change = prior[:, 2:] - prior[:, :2], variance * move
    if code == 1:
        return prior + change
    if code == 3:
        return prior + change * np.tile(size, 2)
    middle = change[:, :2] * size + (prior[:, :2] + prior[:, 2:]) / 2
    half = np.exp(change[:, 2:]) * size / 2
    return np.concatenate([middle - half, middle + half], 1)


KERNELS: Dict[str, Callable[..., Sequence[np.ndarray]]] = {
    "CtcGreedyDecode": _ctc_greedy_decode,
    "DetectionOutput": _detection_output,
    "NonMaxSuppression": _non_max_suppression,
    "RoiMaxPool": _roi_max_pool,
}
"""What each gives, all its results, out of its inputs and attributes."""
