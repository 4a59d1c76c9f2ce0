"""What of ONNX's own node tests is known not to work, and why."""

import re

import onnx

_T = onnx.TensorProto
_TYPES = {
    _T.FLOAT,
    _T.FLOAT16,
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
_SIZE = "the size of the result depends on the data"
_TRAINING = "a training op; only inference is converted"

_OPERATORS = {
    "AffineGrid": _NONE,
    "Attention": _NONE,
    "Bernoulli": _RANDOM,
    "BitCast": _NONE,
    "BitShift": "no op odla_Shift",
    "BitwiseAnd": _NONE,
    "BitwiseNot": _NONE,
    "BitwiseOr": _NONE,
    "BitwiseXor": _NONE,
    "BlackmanWindow": _NONE,
    "CausalConvWithState": _NONE,
    "CenterCropPad": _NONE,
    "Col2Im": _NONE,
    "ConvInteger": _NONE,
    "CumProd": _NONE,
    "DFT": _NONE,
    "DeformConv": _NONE,
    "Det": "no op odla_Det",
    "Einsum": "no op odla_Einsum",
    "FlexAttention": _NONE,
    "GridSample": _NONE,
    "HammingWindow": _NONE,
    "HannWindow": _NONE,
    "ImageDecoder": _NONE,
    "LinearAttention": _NONE,
    "Loop": "loops are not converted",
    "MaxRoiPool": _NONE,
    "MaxUnpool": _NONE,
    "MelWeightMatrix": _NONE,
    "NegativeLogLikelihoodLoss": _TRAINING,
    "NonMaxSuppression": _SIZE,
    "NonZero": _SIZE,
    "OptionalGetElement": "optionals",
    "OptionalHasElement": "optionals",
    "QLinearConv": _NONE,
    "QLinearMatMul": _NONE,
    "RandomUniformLike": _RANDOM,
    "RoiAlign": _NONE,
    "RotaryEmbedding": _NONE,
    "STFT": _NONE,
    "Scan": "loops are not converted",
    "Scatter": _NONE,
    "ScatterElements": _NONE,
    "ScatterND": _NONE,
    "SoftmaxCrossEntropyLoss": _TRAINING,
    "SwiGLU": _NONE,
    "TensorScatter": _NONE,
    "TfIdfVectorizer": _NONE,
    "Unique": _SIZE,
}
_DOMAINS = {
    "ai.onnx.ml": "classical machine learning",
    "ai.onnx.preview.training": _TRAINING,
}
_NAMES = {
    "test_(blackman|hamming|hann)window.*_expanded": "the only input decides the size",
    "test_constantofshape_.*": "the only input decides the size",
    "test_range_.*_delta": "the first input decides the size",
    "test_training_dropout(_default)?(_mask)?": _TRAINING,
    "test_cast(like)?_(FLOAT|DOUBLE)_to_FLOAT16(_expanded)?": "beyond 65504 an IPU saturates",
    "test_attention_24_qk_matmul_output_mode3_softmax_precision_expanded": (
        "a mask of -inf saturates when it is cast to float16"
    ),
    "test_mod_float_edge_cases_fmod_0_.*": "the remainder of a division by infinity is NaN",
    "test_batchnorm_.*_training_mode": _TRAINING,
    "test_(de)?quantizelinear_blocked.*": "one scale for a block of elements",
    "test_maxpool_with_argmax_.*": "PopART's MaxPool has no indices",
    "test_not_.d": "opset 1",
    "test_resize_downsample_scales_(linear|cubic)_align_corners": (
        "onnxruntime, whose results count here, aligns corners by the rounded size"
    ),
}


def _subjects(graph):
    for value in list(graph.input) + list(graph.output):
        kind = value.type.WhichOneof("value")
        yield value.type.tensor_type.elem_type if kind == "tensor_type" else kind


def reason(case):
    """Why the case is expected to fail, or None."""
    graph = case.model.graph
    if not _TYPES.issuperset(_subjects(graph)):
        return "element types that IPUs have not, sequences or optionals"
    for node in graph.node:
        for table, key in ((_OPERATORS, node.op_type), (_DOMAINS, node.domain)):
            if key in table:
                return table[key]
    for pattern, why in _NAMES.items():
        if re.fullmatch(pattern, case.name):
            return why
    return None
