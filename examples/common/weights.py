"""The numbers of a network: drawn from a seed, or read from a file."""

import json
import os
import zlib
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from odla_ipu.errors import BadFile, FileMissing, InvalidParameter

_SAFETENSORS = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I8": "i1"}


class Weights:
    """Arrays by name, made or looked up when a network asks for them.

    Each is drawn by a generator of its own, made of ``seed`` and the name, so that numbers do not
    depend on the order of layers.  With ``arrays`` they are taken from there.  ``seed=None`` makes
    zeros, which take no memory until they are read, for computations that are only looked at.

    ``given`` holds what was asked for so far, ``parameters`` how many of these numbers are trained.
    """

    def __init__(self, seed: Optional[int] = 0, arrays: Optional[Mapping[str, np.ndarray]] = None):
        self.seed = seed
        self.arrays = arrays
        self.given: Dict[str, np.ndarray] = {}
        self.parameters = 0

    @classmethod
    def load(cls, path: "Union[str, os.PathLike[str]]") -> "Weights":
        """Those of an .npz, .safetensors or .onnx file, by the names they have there.

        Raises FileMissing, or BadFile for what is none of these.
        """
        return cls(arrays=_read(os.fsdecode(path)))

    def normal(
        self, name: str, shape: Sequence[int], deviation: float, trained: bool = True
    ) -> np.ndarray:
        """FLOAT32 of mean 0."""
        return self._give(
            name,
            tuple(shape),
            trained,
            lambda rng, dims: rng.standard_normal(dims, np.float32) * np.float32(deviation),
        )

    def uniform(
        self, name: str, shape: Sequence[int], low: float, high: float, trained: bool = True
    ) -> np.ndarray:
        """FLOAT32 between ``low`` and ``high``."""
        return self._give(
            name,
            tuple(shape),
            trained,
            lambda rng, dims: (
                rng.random(dims, np.float32) * np.float32(high - low) + np.float32(low)
            ),
        )

    def save(self, path: "Union[str, os.PathLike[str]]") -> None:
        """Write what was given so far as an .npz file."""
        with open(path, "wb") as file:
            np.savez(file, **self.given)  # type: ignore[arg-type]

    def _give(
        self,
        name: str,
        dims: Tuple[int, ...],
        trained: bool,
        draw: Callable[[np.random.Generator, Tuple[int, ...]], np.ndarray],
    ) -> np.ndarray:
        if name in self.given:
            raise InvalidParameter(f"weights '{name}' are used twice; give each layer its own name")
        if self.arrays is not None:
            array = self._from_file(self.arrays, name, dims)
        elif self.seed is None:
            array = np.zeros(dims, np.float32)  # pages that nobody touches
        else:
            array = draw(np.random.default_rng([self.seed, zlib.crc32(name.encode())]), dims)
        self.given[name] = array
        if trained:
            self.parameters += array.size
        return array

    def _from_file(
        self, arrays: Mapping[str, np.ndarray], name: str, dims: Tuple[int, ...]
    ) -> np.ndarray:
        if name not in arrays:
            raise InvalidParameter(
                f"the weights have no '{name}'; it is one of {len(arrays)} arrays such as "
                f"{', '.join(sorted(arrays)[:3])} that the network needs by that name"
            )
        array = np.asarray(arrays[name])
        if array.shape != dims or array.dtype.kind != "f":
            raise InvalidParameter(
                f"weights '{name}' are {array.dtype}{list(array.shape)}; accepted: floats "
                f"{list(dims)}"
            )
        return array.astype(np.float32, copy=False)


def _read(path: str) -> Mapping[str, np.ndarray]:
    if not os.path.isfile(path):
        raise FileMissing(f"{path}: no such file")
    kind = os.path.splitext(path)[1]
    try:
        if kind == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        if kind == ".safetensors":
            return _read_safetensors(path)
        if kind == ".onnx":
            return _read_onnx(path)
    except FileMissing:
        raise
    except Exception as error:  # zipfile, json, protobuf and numpy have no common base
        raise BadFile(f"{path} is no {kind} file of arrays: {error}") from error
    raise BadFile(f"{path}: accepted: files named .npz, .safetensors or .onnx")


def _read_safetensors(path: str) -> Mapping[str, np.ndarray]:
    """An 8-byte length, a JSON header, the arrays; mapped, not read."""
    data = np.memmap(path, np.uint8, "r")
    start = 8 + int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8:start]))
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            dtype = "<" + _SAFETENSORS[entry["dtype"]]
            # frombuffer, since a view of a memmap demands aligned offsets
            arrays[name] = np.frombuffer(data[start + first : start + last], dtype).reshape(
                entry["shape"]
            )
    return arrays


def _read_onnx(path: str) -> Mapping[str, np.ndarray]:
    from odla_ipu.device import load_any_popart

    load_any_popart()  # the real popart refuses to load after onnx
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
