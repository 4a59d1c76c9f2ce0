"""What of ONNX's own node tests is known not to work, and why."""

import re

import numpy as np
import onnx
from onnx import numpy_helper

_T = onnx.TensorProto
_TYPES = {
    _T.FLOAT,
    _T.FLOAT16,
    _T.BFLOAT16,
    _T.DOUBLE,
    _T.INT8,
    _T.INT16,
    _T.INT32,
    _T.INT64,
    _T.UINT8,
    _T.UINT16,
    _T.UINT32,
    _T.UINT64,
    _T.BOOL,
}

_NONE = "no ODLA op, and no converter composes it"
_RANDOM = "random numbers: there is nothing to compare with"
_TRAINING = "a training op; only inference is converted"

_OPERATORS = {
    "Bernoulli": _RANDOM,
    "DeformConv": _NONE,
    "FlexAttention": _NONE,
    "ImageDecoder": _NONE,
    "OptionalGetElement": "optionals",
    "OptionalHasElement": "optionals",
    "RandomUniformLike": _RANDOM,
}
_DOMAINS = {
    "ai.onnx.ml": "classical machine learning",
    "ai.onnx.preview.training": _TRAINING,
}
_NAMES = {
    "test_bitcast_.*float.*": "the bits of a float are out of reach on the device",
    "test_training_dropout(_default)?(_mask)?": _TRAINING,
    "test_attention_24_qk_matmul_output_mode3_softmax_precision(_expanded)?": (
        "a mask of -inf saturates when it is cast to float16"
    ),
    "test_batchnorm_.*_training_mode": _TRAINING,
    "test_unique_(not_sorted.*|sorted_with_.*)": "only sorted, and of all elements",
    "test_resize_downsample_scales_(linear|cubic)_align_corners": (
        "onnxruntime, whose results count here, aligns corners by the rounded size"
    ),
}
_DEFAULT = ("", "ai.onnx")


def _subjects(graph):
    for value in list(graph.input) + list(graph.output):
        kind = value.type.WhichOneof("value")
        yield value.type.tensor_type.elem_type if kind == "tensor_type" else kind


def _is_beyond_half(data_set):
    """Whether float16 results are infinite."""
    for one in data_set[1]:
        array = numpy_helper.to_array(one) if hasattr(one, "data_type") else np.asarray(one)
        if array.dtype == np.float16 and np.isinf(array).any():
            return True
    return False


def reason(case):
    """Why the case is expected to fail, or None."""
    graph = case.model.graph
    if any(one.domain in _DEFAULT and one.version < 7 for one in case.model.opset_import):
        return "opsets before 7"
    if not _TYPES.issuperset(_subjects(graph)):
        return "element types that IPUs have not, sequences or optionals"
    for node in graph.node:
        for table, key in ((_OPERATORS, node.op_type), (_DOMAINS, node.domain)):
            if key in table:
                return table[key]
    if graph.node[0].op_type.startswith("Cast") and any(map(_is_beyond_half, case.data_sets)):
        return "beyond 65504 an IPU saturates"
    for pattern, why in _NAMES.items():
        if re.fullmatch(pattern, case.name):
            return why
    return None
