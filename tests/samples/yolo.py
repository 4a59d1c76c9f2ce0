"""Samples of finding boxes in the outputs of YOLOv3."""

import numpy as np

from . import Sample


def _sample(width, height, sizes, classes, dtype="float32", likely=1.5, size_type="uint32", seed=0):
    """Logits of which some are likely, in boxes of about the anchors' sizes."""
    generator = np.random.RandomState(seed)
    outputs = []
    for size in sizes:
        x = generator.normal(0, 1, (3, 5 + classes, size, size))
        x[:, 2:4] *= 0.3
        x[:, 4:] += likely
        outputs.append(x.reshape(1, -1, size, size).astype(dtype))
    sizes = [np.array(number, size_type) for number in (width, height)]
    tolerance = {"rtol": 2e-2, "atol": 1} if dtype == "float16" else {"rtol": 1e-4, "atol": 1e-3}
    return Sample("post_process", (*sizes, *outputs), {}, **tolerance)


SAMPLES = [
    _sample(640, 480, (3, 6, 12), 2),
    _sample(480, 640, (3, 6, 12), 1),
    _sample(416, 416, (3, 6, 12), 3, likely=-1.0),
    _sample(100, 33, (3, 6, 12), 2, likely=-9.0),
    _sample(1001, 667, (4, 5, 9), 2, size_type="int32"),
    _sample(333, 500, (1, 2, 8), 4, size_type="float32"),
    _sample(640, 480, (3, 6, 12), 2, "float64"),
    _sample(640, 480, (13, 26, 52), 3, likely=0.0),
    _sample([640], [480], (5, 10, 20), 80, likely=-0.5),
]
