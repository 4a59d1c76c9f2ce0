"""Samples of the neural-network ops."""

import numpy as np

from . import Sample, random

_HALF = {"rtol": 2e-3, "atol": 2e-3}
_TIGHT = {"rtol": 1e-4, "atol": 1e-5}
_far = np.array([[-1e4, -100.5, -1.0, -0.25, -0.0], [0.0, 0.5, 1.0, 88.0, 1e4]], "float32")


def _half(*shape):
    return random(*shape, dtype="float16")


# Activations.

SAMPLES = [
    Sample(op, (x,), attributes, **tolerance)
    for op, attributes in [
        ("relu", {}),
        ("leaky_relu", {}),
        ("leaky_relu", {"alpha": 0.3}),
        ("thresholded_relu", {}),
        ("thresholded_relu", {"alpha": 0.4}),
        ("elu", {}),
        ("elu", {"alpha": 0.7}),
        ("celu", {}),
        ("celu", {"alpha": 2.5}),
        ("selu", {}),
        ("selu", {"alpha": 1.1, "gamma": 2.0}),
        ("gelu", {}),
        ("gelu", {"use_approx": True}),
        ("hard_sigmoid", {}),
        ("hard_sigmoid", {"alpha": 0.6, "beta": 0.1}),
        ("sigmoid", {}),
        ("softplus", {}),
        ("softsign", {}),
        ("shrink", {}),
        ("shrink", {"bias": 0.2, "lambd": 1.1}),
    ]
    for x, tolerance in [
        (random(3, 1, 5), {}),
        (random(), {}),
        (np.zeros((2, 0), "float32"), {}),
        (random(2, 7, dtype="float16"), _HALF),
        (_far, {}),
    ]
]
SAMPLES += [
    Sample("shrink", (np.arange(-9, 9, dtype=kind),), {"bias": bias, "lambd": lambd})
    for kind in ("int8", "int16", "int32", "int64")
    for bias, lambd in [(0.0, 0.5), (2.0, 3.0), (1.5, 2.5), (-1.5, 0.0)]
]
SAMPLES += [
    Sample("shrink", (np.arange(12, dtype="uint8"),), {"bias": 1.0, "lambd": 3.0}),
    Sample("prelu", (random(3, 4, 5), random(5))),
    Sample("prelu", (random(2, 3, 4, 5), random(3, 1, 1)), constants=(1,)),
    Sample("prelu", (random(2, 3, 4, 5), random(3)), name="caffe"),
    Sample("prelu", (random(2, 3), random(1))),
    Sample("prelu", (random(2, 3), random())),
    Sample("prelu", (_half(2, 3), _half(3)), **_HALF),
]

# Softmax and its like.

SAMPLES += [
    Sample(op, (random(2, 3, 4),), {"axis": axis})
    for op in ("softmax", "log_softmax", "hardmax")
    for axis in (-3, -2, -1, 0, 1, 2)
]
SAMPLES += [
    Sample(op, operands, **tolerance)
    for op in ("softmax", "log_softmax", "hardmax")
    for operands, tolerance in [
        ((random(5),), {}),
        ((random(2, 1),), {}),
        ((_half(3, 5),), _HALF),
        ((100 * random(3, 5),), _TIGHT),
    ]
]
SAMPLES.append(Sample("softmax", (random(2, 3, 1, 1),), {"axis": 1}))
SAMPLES.append(Sample("hardmax", (np.array([[1, 3, 3, 0], [2, 2, 2, 2]], "float32"),), name="ties"))

# Normalisation.


def _statistics(size, dtype="float32"):
    return random(size, dtype=dtype), random(size, dtype=dtype, low=0.2)


SAMPLES += [
    Sample("batch_normalization", (x, *_statistics(3), None, None), attributes, (1, 2), **_TIGHT)
    for x, attributes in [
        (random(2, 3), {}),
        (random(2, 3, 5), {"scalar_scale": 1.5, "scalar_offset": -0.5}),
        (random(2, 3, 4, 5), {"epsilon": 0.1}),
        (random(1, 3, 2, 3, 4), {}),
        (random(2, 5, 3), {"input_layout": "channels_last"}),
        (random(2, 5, 4, 3), {"input_layout": "channels_last", "scalar_scale": 2.0}),
    ]
]
SAMPLES += [
    Sample(
        "batch_normalization",
        (_half(2, 3, 4), *_statistics(3, "float16"), _half(3), _half(3)),
        rtol=5e-3,
        atol=1e-2,
    ),
    Sample("batch_normalization", (random(2, 3, 4), *_statistics(3), random(3), None), **_TIGHT),
    Sample("batch_normalization", (random(2, 3), *_statistics(3), random(3), random(3)), **_TIGHT),
]
SAMPLES += [
    Sample("instance_normalization", (x, scale, offset), attributes, **_TIGHT)
    for x, scale, offset, attributes in [
        (random(2, 3, 5), random(3), random(3), {}),
        (random(2, 3, 4, 5), None, None, {"scalar_scale": 0.5, "scalar_offset": 1.0}),
        (random(2, 4, 5, 3), random(3), None, {"input_layout": "channels_last", "epsilon": 0.2}),
        (random(1, 2, 3, 4, 2), None, random(2), {}),
        (random(2, 3), random(3), random(3), {}),
    ]
]
SAMPLES += [
    Sample("group_normalization", (x, scale, offset), {"groups": groups, **attributes}, **_TIGHT)
    for x, scale, offset, groups, attributes in [
        (random(2, 6, 5), random(6), random(6), 3, {}),
        (random(2, 6, 4, 5), random(2), random(2), 2, {"epsilon": 0.01}),
        (random(2, 6, 4, 5), None, None, 1, {"scalar_scale": 0.5, "scalar_offset": 1.0}),
        (random(2, 4, 5, 6), random(6), random(3), 3, {"input_layout": "channels_last"}),
        (random(2, 6), random(6), random(6), 2, {}),
    ]
]
SAMPLES += [
    Sample("lrn", (x,), {"window_size": size, **attributes}, **tolerance)
    for x, size, attributes, tolerance in [
        (random(2, 7, 3, 4), 5, {"alpha": 0.5}, {}),
        (random(2, 7, 3, 4), 4, {"alpha": 0.5, "beta": 0.3, "bias": 2.0}, {}),
        (random(2, 3, 4, 7), 3, {"alpha": 0.5, "input_layout": "channels_last"}, {}),
        (random(2, 5, 3), 3, {"alpha": 0.5}, {}),
        (random(2, 5), 9, {"alpha": 0.5}, {}),
        (random(1, 5, 2, 3, 2), 1, {"alpha": 0.5}, {}),
        (_half(2, 5, 3, 3), 3, {"alpha": 0.5}, _HALF),
    ]
]
SAMPLES += [
    Sample("lp_normalize", (x, scale), attributes)
    for x, scale, attributes in [
        (random(2, 3, 4, 5), None, {}),
        (random(2, 3, 4, 5), random(3, 1, 1), {"axes": [1, 2, 3], "epsilon": 0.1}),
        (random(2, 3, 4), random(1), {"p": 1, "axes": [-1]}),
        (random(2, 4, 5, 3), random(3), {"axes": [3], "input_layout": "channels_last"}),
    ]
]

# Convolution.


def _conv(x, kernel, bias=None, constants=(1, 2), name="", **attributes):
    return Sample("conv", (x, kernel, bias), attributes, constants, 1e-4, 1e-4, name)


SAMPLES += [
    _conv(random(2, 3, 7, 8), random(4, 3, 3, 2), random(4)),
    _conv(random(2, 3, 7, 8), random(4, 3, 3, 2), random(4), constants=()),
    _conv(
        random(1, 2, 6, 5),
        random(3, 2, 3, 3),
        strides=[2, 1],
        paddings_front=[1, 0],
        paddings_back=[2, 3],
    ),
    _conv(random(1, 2, 9, 9), random(3, 2, 3, 3), dilations=[2, 3], paddings_front=[1, 2]),
    _conv(random(1, 4, 5, 6), random(6, 2, 3, 3), random(1, 6, 1, 1), group=2),
    _conv(random(1, 4, 5, 6), random(8, 1, 3, 3), group=4, constants=()),
    _conv(random(2, 3, 11), random(4, 3, 4), random(4), strides=[3], paddings_back=[2]),
    _conv(random(1, 2, 5, 4, 6), random(3, 2, 2, 3, 2), random(3), strides=[1, 2, 2]),
    _conv(random(1, 3, 6, 6), random(2, 3, 3, 3), strides=[2, 2], output_dims=(1, 2, 3, 3)),
    _conv(random(1, 3, 3, 3), random(2, 3, 1, 1), strides=[3, 3], output_dims=(1, 2, 3, 2)),
    # A kernel with a bias of any shape, and every layout, with and without groups.
    _conv(
        random(2, 6, 5, 3),
        random(3, 2, 3, 4),
        random(1, 1, 1, 4),
        input_layout="channels_last",
        kernel_layout="sio",
        strides=[2, 1],
    ),
    _conv(
        random(2, 6, 5, 4),
        random(3, 2, 2, 6),
        input_layout="channels_last",
        kernel_layout="sio",
        group=2,
    ),
    _conv(
        random(2, 6, 5, 4),
        random(3, 2, 4, 3),
        input_layout="channels_last",
        kernel_layout="sio",
        group=4,
        name="depthwise",
    ),
    _conv(
        random(2, 6, 5, 4),
        random(3, 2, 4, 3),
        constants=(),
        input_layout="channels_last",
        kernel_layout="sio",
        group=4,
        name="runtime depthwise",
    ),
    _conv(
        random(2, 6, 5, 4),
        random(3, 2, 4, 3),
        input_layout="channels_last",
        kernel_layout="sio",
        group=2,
        name="whole",
    ),
    _conv(random(2, 4, 6, 5), random(3, 2, 6, 2), kernel_layout="soi", group=2),
    _conv(random(2, 4, 6, 5), random(3, 2, 3, 4), kernel_layout="soi"),
    _conv(random(2, 4, 6, 5), random(4, 3, 3, 2), kernel_layout="ios", group=2),
    _conv(random(2, 4, 6, 5), random(4, 3, 3, 2), constants=(), kernel_layout="ios"),
    _conv(random(2, 9, 4), random(3, 4, 5), input_layout="channels_last", kernel_layout="sio"),
    _conv(
        random(1, 5, 4, 6, 2),
        random(2, 2, 3, 2, 4),
        input_layout="channels_last",
        kernel_layout="sio",
        output_dims=(1, 4, 3, 4, 4),
    ),
    Sample("conv", (_half(2, 3, 7, 8), _half(4, 3, 3, 2), _half(4)), rtol=2e-3, atol=3e-2),
]


def _deconv(x, kernel, bias=None, constants=(1, 2), name="", **attributes):
    return Sample("deconv", (x, kernel, bias), attributes, constants, 1e-4, 1e-4, name)


SAMPLES += [
    _deconv(random(2, 3, 4, 5), random(3, 4, 3, 2), random(4)),
    _deconv(random(2, 3, 4, 5), random(3, 4, 3, 2), random(4), constants=(), strides=[2, 3]),
    _deconv(
        random(1, 2, 4, 5),
        random(2, 3, 3, 4),
        strides=[2, 1],
        paddings_front=[1, 0],
        paddings_back=[0, 2],
    ),
    _deconv(random(1, 4, 4, 5), random(4, 3, 3, 3), random(6), group=2, strides=[2, 2]),
    _deconv(random(1, 2, 3, 3), random(2, 1, 2, 2), dilations=[2, 2]),
    _deconv(random(1, 2, 3, 3), random(2, 1, 2, 2), dilations=[2, 2], output_dims=(1, 1, 4, 4)),
    _deconv(random(1, 2, 3, 4), random(2, 3, 2, 3), random(3), constants=(), dilations=[3, 2]),
    _deconv(random(2, 3, 5), random(3, 2, 3), random(2), strides=[2], paddings_front=[1]),
    _deconv(random(1, 2, 3, 4, 2), random(2, 3, 2, 2, 3), random(3), strides=[1, 2, 1]),
    _deconv(
        random(1, 2, 3, 3),
        random(2, 3, 3, 3),
        random(3),
        name="output padding",
        strides=[2, 2],
        paddings_front=[1, 1],
        paddings_back=[1, 1],
        output_dims=(1, 3, 6, 6),
    ),
    _deconv(
        random(1, 2, 3, 3),
        random(2, 3, 3, 3),
        random(3),
        name="beyond",
        strides=[3, 2],
        paddings_back=[1, 0],
        output_dims=(1, 3, 11, 8),
    ),
    _deconv(
        random(1, 4, 5, 2),
        random(3, 2, 2, 3),
        input_layout="channels_last",
        kernel_layout="sio",
        strides=[2, 2],
    ),
    _deconv(
        random(1, 4, 5, 4),
        random(3, 2, 4, 3),
        input_layout="channels_last",
        kernel_layout="sio",
        group=2,
        name="whole",
    ),
    _deconv(
        random(1, 4, 5, 4),
        random(3, 2, 2, 6),
        input_layout="channels_last",
        kernel_layout="sio",
        group=2,
    ),
    _deconv(random(1, 4, 5, 4), random(6, 2, 3, 2), constants=(), kernel_layout="ois", group=2),
    _deconv(random(1, 4, 5, 4), random(6, 4, 3, 2), kernel_layout="ois"),
    _deconv(random(1, 4, 5, 4), random(2, 3, 5, 4), kernel_layout="soi", output_dims=(1, 5, 6, 6)),
    Sample("deconv", (_half(2, 3, 4, 5), _half(3, 4, 3, 2), _half(4)), rtol=2e-3, atol=3e-2),
]

# Pooling.

_POOLS = [
    (random(2, 3, 6, 7), {"window_dims": [2, 3]}),
    (random(2, 3, 6, 7), {"window_dims": [3, 2], "strides": [2, 2]}),
    (
        random(1, 2, 6, 5),
        {
            "window_dims": [3, 3],
            "strides": [2, 1],
            "paddings_front": [1, 0],
            "paddings_back": [0, 2],
        },
    ),
    (random(2, 3, 9), {"window_dims": [4], "strides": [2], "paddings_front": [1]}),
    (random(1, 2, 4, 5, 3), {"window_dims": [2, 2, 3], "paddings_back": [1, 0, 1]}),
    (random(1, 2, 6, 6), {"window_dims": [3, 3], "strides": [2, 2], "output_dims": (1, 2, 3, 3)}),
    (
        random(1, 2, 6, 6),
        {
            "window_dims": [3, 2],
            "strides": [2, 3],
            "paddings_front": [1, 1],
            "paddings_back": [1, 0],
            "output_dims": (1, 2, 4, 3),
        },
    ),
    (random(1, 2, 3, 3), {"window_dims": [2, 2], "paddings_front": [3, 0]}),
    (
        random(2, 6, 7, 3),
        {"window_dims": [3, 2], "paddings_front": [1, 1], "input_layout": "channels_last"},
    ),
    (
        random(2, 6, 6, 3),
        {
            "window_dims": [3, 3],
            "strides": [2, 2],
            "paddings_front": [0, 1],
            "input_layout": "channels_last",
            "output_dims": (2, 3, 3, 3),
        },
    ),
    (random(2, 7, 3), {"window_dims": [7], "input_layout": "channels_last"}),
]
SAMPLES += [Sample("max_pool", (x,), attributes) for x, attributes in _POOLS]
SAMPLES += [
    Sample("average_pool", (x,), {**attributes, "padding_included": included}, (), 1e-4, 1e-5)
    for x, attributes in _POOLS
    for included in (False, True)
]
SAMPLES += [
    Sample("max_pool", (random(2, 3, 6, 7, dtype=kind, low=0, high=100),), attributes)
    for kind in ("int8", "uint8", "float16")
    for attributes in [
        {"window_dims": [2, 3], "paddings_front": [1, 0]},
        {"window_dims": [2, 2], "paddings_front": [2, 2]},
    ]
]
SAMPLES.append(
    Sample("average_pool", (_half(1, 2, 5, 5),), {"window_dims": [3, 3]}, (), 2e-3, 2e-3)
)

# Ranking.

_tied = np.array([[3, 1, 3, 2, 1], [0, 0, 0, 5, 5]], "float32")
SAMPLES += [
    Sample("top_k", (x,), {"K": k, "axis": axis, "largest": largest})
    for x, k, axis in [
        (random(3, 7), 3, 1),
        (random(3, 7), 2, 0),
        (random(2, 5, 3), 4, -2),
        (_tied, 3, 1),
        (_tied.astype("int32"), 5, 1),
        (_tied.astype("int8"), 2, 1),
        (_tied.astype("int64"), 2, 1),
        (random(6, dtype="float16"), 6, -1),
    ]
    for largest in (True, False)
]
SAMPLES += [
    Sample("top_k", (random(3, 7),), {"K": 2, "sorted": False, "output_value_index_type": "int32"}),
    Sample("top_k", (random(3, 7),), {"K": 2, "output_value_type": "float16"}, (), 1e-3, 1e-3),
    Sample("top_k", (random(3, 7),), {"K": 0}),
]

# Losses.


def _labels(*shape, classes, dtype="int64"):
    """Labels of all classes, and some outside of them."""
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) % (classes + 2) - 1).astype(dtype)


def _log_probabilities(*shape, dtype="float32"):
    return (-1 - np.abs(random(*shape))).astype(dtype)


SAMPLES += [
    Sample(
        "negative_log_likelihood_loss",
        (_log_probabilities(*shape), _labels(shape[0], *shape[2:], classes=shape[1]), weight),
        {"reduction": reduction, "ignored": ignored},
    )
    for shape in [(7, 5), (1, 5), (3, 5, 2, 3), (0, 5)]
    for weight in (None, np.float32([0.5, 2, 0, 1, 3]))
    for reduction in ("none", "mean", "sum")
    for ignored in (-1, 2)
]
SAMPLES += [
    Sample(
        "negative_log_likelihood_loss",
        (_log_probabilities(4, 3), _labels(4, classes=3, dtype=dtype), None),
        {"reduction": "sum", "output_shape": (1,)},
        name=dtype,
    )
    for dtype in ("int8", "uint8", "int32", "uint32")
]
SAMPLES += [
    Sample(
        "negative_log_likelihood_loss",
        (_log_probabilities(4, 3), np.full(4, 1), None),
        {"reduction": "mean", "ignored": 1},
        name="all-ignored",
    ),
    Sample(
        "negative_log_likelihood_loss",
        (np.float32([[-np.inf, 0], [0, -np.inf]]), np.int64([1, 0]), None),
        {"reduction": "sum"},
        name="certain",
    ),
    Sample(
        "negative_log_likelihood_loss",
        (_log_probabilities(9, 3, dtype="float16"), np.arange(9) % 3, None),
        {"reduction": "mean"},
        **_HALF,
    ),
]

# Half precision, and tensors without elements.

SAMPLES += [
    Sample(
        "instance_normalization",
        (_half(2, 3, 5), _half(3), _half(3)),
        rtol=1e-2,
        atol=1e-2,
    ),
    Sample(
        "group_normalization", (_half(2, 4, 5), None, None), {"groups": 2}, rtol=1e-2, atol=1e-2
    ),
    Sample("lp_normalize", (_half(2, 3, 4),), **_HALF),
    Sample("lp_normalize", (_half(2, 3, 4),), {"p": 1, "axes": (1, 2)}, **_HALF),
    Sample("lp_normalize", (random(2, 0, 4),), {"axes": (2,)}),
    Sample("softmax", (random(0, 3),)),
    Sample("log_softmax", (random(0, 3),)),
    Sample("hardmax", (random(0, 3),)),
    Sample("prelu", (random(0, 3), random(3))),
    Sample("prelu", (random(), np.float32(0.25))),
    Sample("batch_normalization", (random(0, 3, 4), random(3), random(3, low=0.5), None, None)),
    Sample("lrn", (random(0, 3, 4, 4),), {"window_size": 3}),
    Sample("conv", (random(0, 3, 7, 8), random(4, 3, 3, 2), None)),
    Sample("deconv", (random(0, 3, 7, 8), random(3, 4, 3, 2), None)),
    Sample("max_pool", (random(0, 3, 7, 8),), {"window_dims": (2, 3)}),
    Sample("average_pool", (random(2, 0, 7, 8),), {"window_dims": (2, 3)}),
    Sample("top_k", (random(0, 5),), {"K": 2}),
]
