"""Fails unless a classifier decides well enough.

    python gate.py MODEL.onnx LABELLED.npz [--precision fp16] [--accuracy 0.9] [--device sim]

The file has an array for each input of the model, and ``labels``: rows of the inputs are examples,
the largest element of a row of the first output is its decision.
"""

import argparse
import sys

import numpy as np

import odla_ipu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("labelled")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "fp16"])
    parser.add_argument("--accuracy", type=float, default=0.9, help="share that must be right")
    parser.add_argument("--device", default=None)
    given = parser.parse_args()
    inputs = dict(np.load(given.labelled))
    labels = inputs.pop("labels")
    rows = {name: (1, *array.shape[1:]) for name, array in inputs.items()}
    executable = odla_ipu.load(given.model, rows).compile(given.device, given.precision)
    right = 0
    for row, label in enumerate(labels):
        results = executable.run({name: array[row : row + 1] for name, array in inputs.items()})
        right += int(np.argmax(next(iter(results.values()))) == label)
    share = right / len(labels)
    print(f"{given.precision}: {right} of {len(labels)} right, {share:.3f}")
    if share < given.accuracy:
        sys.exit(f"accuracy {share:.3f} is below {given.accuracy}")


if __name__ == "__main__":
    main()
