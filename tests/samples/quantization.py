"""Samples of linear quantization."""

import numpy as np

from . import Sample, random

_HALF = {"rtol": 2e-3, "atol": 2e-3}
_wide = 300 * random(3, 4, 5)
_halves = np.float32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, -1e9, 1e9, -np.inf, np.inf])
_scales = np.float32([0.5, 2.0, 1.0, 3.0])


def _quantize(x, scale, zero, target="uint8", constants=(), **attributes):
    attributes["target_data_type"] = target
    return Sample("quantize", (x, scale, zero), attributes, constants)


def _dequantize(x, scale, zero, target="float32", constants=(), **attributes):
    attributes["target_data_type"] = target
    tolerance = _HALF if target == "float16" else {}
    return Sample("dequantize", (x, scale, zero), attributes, constants, **tolerance)


SAMPLES = [
    _quantize(_wide, np.float32(2.5), None),
    _quantize(_wide, np.float32(2.5), np.uint8(128)),
    _quantize(_wide, np.float32([2.5]), np.uint8([128]), axis=2**31 - 1),
    _quantize(_wide, np.float32(2.5), np.int8(-7), "int8"),
    _quantize(_wide, np.float32(2.5), None, "int8", constants=(1,)),
    _quantize(_wide, np.float32(2.5), np.int8(-7), "uint8"),
    _quantize(_wide, np.float32(2.5), np.uint8(7), "int8"),
    _quantize(_wide, _scales, np.uint8([0, 1, 128, 255]), axis=1),
    _quantize(_wide, _scales, np.int8([0, 1, -128, 127]), "int8", axis=-2, constants=(1, 2)),
    _quantize(_wide, _scales[:3], None, axis=0),
    _quantize(_wide, _scales[:3], np.uint8(9), axis=0),
    _quantize(_halves, np.float32(1), np.uint8(128)),
    _quantize(_halves, np.float32(1), None, "int8", axis=1),
    _quantize(np.float32(3.5), np.float32(1), None),
    _quantize(_wide.astype("float16"), np.float16(4), np.uint8(100)),
    _quantize(_wide.astype("float64"), np.float64(4), np.uint8(100)),
    _quantize(_wide.astype("int32"), np.float32(4), np.uint8(100)),
    _quantize(np.zeros((2, 0), "float32"), np.float32(1), None),
    _quantize(_wide, _scales, np.int8([0, 1, -128, 127]), constants=(0, 1, 2)),
    _quantize(_wide, np.float32(0.01), np.uint16(30000), "uint16"),
    _quantize(_wide, np.float32(0.001), np.int16(-30000), "int16"),
    _quantize(_wide, np.float32(0.001), np.int16(-30000), "uint16"),
]

_bytes = np.arange(256).reshape(2, 4, 32)
SAMPLES += [
    _dequantize(_bytes.astype("uint8"), np.float32(0.25), None),
    _dequantize(_bytes.astype("uint8"), np.float32(0.25), np.uint8(128)),
    _dequantize(_bytes.astype("int8"), np.float32([0.25]), np.int8([-128]), axis=9),
    _dequantize(_bytes.astype("uint8"), np.float32(0.25), np.int8(-3)),
    _dequantize(_bytes.astype("int8"), np.float32(0.25), np.uint8(3)),
    _dequantize(_bytes.astype("int32") * 99999, np.float32(0.25), np.int32(5)),
    _dequantize(_bytes.astype("int32"), np.float32(0.25), None, constants=(1,)),
    _dequantize(_bytes.astype("uint8"), _scales, np.uint8([0, 1, 128, 255]), axis=1),
    _dequantize(_bytes.astype("uint8"), _scales, np.uint8([0, 1, 128, 255]), axis=-2),
    _dequantize(_bytes.astype("int8"), _scales[:2], None, axis=0, constants=(1,)),
    _dequantize(_bytes.astype("uint8"), np.float16(0.25), np.uint8(7), "float16"),
    _dequantize(_bytes.astype("uint8"), np.float32(0.25), np.uint8(7), "float64"),
    _dequantize(np.uint8(200), np.float32(0.5), np.uint8(128)),
    _dequantize(np.zeros((0, 3), "int8"), np.float32(1), None),
    _dequantize(_bytes.astype("uint8"), _scales, np.int8([0, 1, -2, 3]), constants=(0, 1, 2)),
    _dequantize((_bytes * 257).astype("uint16"), np.float32(0.5), np.uint16(32767)),
    _dequantize((_bytes * 257).astype("uint16"), np.float32(0.5), np.int16(-3)),
    _dequantize((_bytes * 257).astype("int16"), np.float32(0.5), np.uint16(3)),
]
