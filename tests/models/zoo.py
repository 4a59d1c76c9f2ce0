"""The models that run through the whole stack, in one table.

``path`` fetches or writes the file; ``inputs`` makes arrays by input name, whose shapes are those
to compile for.  Results must agree with onnxruntime on the original within ``tolerance``, absolute
and relative to the largest element of the output, in float32.  ``decide`` turns the outputs, in
the order of the model, into an answer, which must be ``expected``; this is None for networks whose
weights are drawn, which have no right answer but the original's.
"""

import functools
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import pytest
from models import decisions, light, minilm

from odla_ipu import pretrained
from odla_ipu.errors import FileMissing


class Model(NamedTuple):
    name: str
    path: Callable[[], Path]
    inputs: Callable[[], Dict[str, np.ndarray]]
    tolerance: float
    decide: Callable[[List[np.ndarray]], Any]
    expected: Any

    @property
    def shapes(self) -> Dict[str, List[int]]:
        return {name: list(array.shape) for name, array in self.inputs().items()}


def _trained(name, inputs, decide, expected, tolerance=1e-4):
    path = functools.partial(pretrained.path, name)
    return Model(name, path, inputs, tolerance, decide, expected)


def _light(network):
    return Model(
        f"light_{network}",
        functools.partial(light.path, network),
        functools.partial(light.inputs, network),
        1e-4,
        decisions.decide_class,
        None,
    )


TRAINED = (
    _trained("ppocr_rec", decisions.line_inputs, decisions.decide_line, decisions.LINE),
    _trained("ppocr_det", decisions.page_inputs, decisions.decide_page, (3, [0, 1, 2])),
    _trained("ppocr_cls", decisions.angle_inputs, decisions.decide_angle, [0, 180]),
    _trained("ddddocr_common", decisions.code_inputs, decisions.decide_code, decisions.CODE),
    _trained("ddddocr_det", decisions.object_inputs, decisions.decide_objects, (3, [0, 1, 2])),
    _trained("open_nsfw", decisions.landscape_inputs, decisions.decide_class, [0]),
    _trained(
        "silero_sequence",
        decisions.recording_inputs,
        decisions.decide_speech,
        [False, True, False],
    ),
    _trained("silero_openvino", decisions.sound_step_inputs, decisions.decide_step, True),
    _trained("lac_encoder", decisions.sentence_inputs, decisions.decide_words, decisions.TAGGED),
    Model(
        "minilm",
        minilm.path,
        decisions.similar_inputs,
        1e-4,
        decisions.decide_nearest,
        decisions.NEAREST,
    ),
    _trained(
        "minilm_int8",
        decisions.similar_inputs,
        decisions.decide_nearest_pooled,
        decisions.NEAREST,
    ),
)

LIGHT = tuple(_light(network) for network in light.NETWORKS)

MODELS = TRAINED + LIGHT

# Their files are written anew where the cache is empty: 250 to 575 MB.
_SLOW = ("light_bvlc_alexnet", "light_vgg19", "light_zfnet512")


def parameters(models: Sequence[Model]) -> List[Any]:
    """For ``pytest.mark.parametrize("model", ...)``, with names and the mark ``slow``."""
    return [
        pytest.param(model, id=model.name, marks=[pytest.mark.slow] if model.name in _SLOW else [])
        for model in models
    ]


def by_name(name: str) -> Model:
    return next(model for model in MODELS if model.name == name)


def fetch(model: Model) -> Path:
    """The model's file; skips the test when it cannot be had, and fails instead in CI."""
    try:
        return model.path()
    except FileMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
