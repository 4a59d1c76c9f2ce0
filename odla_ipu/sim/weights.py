"""The host's copy of a session's weights."""

import os
from typing import Any, Dict, List, Set, Union

import numpy as np

from . import ir
from .exceptions import popart_exception, popart_runtime_error


class HostWeights:
    """Weights by tensor id; the model's own data are used in place until one is written.

    ``changed``: those that differ from what the device has.
    """

    def __init__(self, graph: ir.Graph):
        self._tensors = {tensor.id: tensor for tensor in graph.variables if tensor.used}
        self._written: Dict[str, np.ndarray] = {}
        self.changed: Set[str] = set()

    @property
    def ids(self) -> List[str]:
        return list(self._tensors)

    @property
    def written(self) -> Dict[str, np.ndarray]:
        """Weights that differ from the model's."""
        return self._written

    def array(self, id: str) -> np.ndarray:
        """The weight in its type on the device. Raises popart_exception for an unknown id."""
        if id not in self._tensors:
            raise popart_exception(
                f"No tensor {id} among the weights of this session: {', '.join(self._tensors)}"
            )
        if id in self._written:
            return self._written[id]
        return self._tensors[id].device_data()

    def store(self, id: str, values: np.ndarray) -> None:
        """Keep what came from the device."""
        self._written[id] = values.copy()

    def read(self, arrays: Dict[str, np.ndarray]) -> None:
        for id, target in arrays.items():
            source = self.array(id)
            _check_size(id, source, target)
            _bytes(target)[...] = _bytes(source)

    def write(self, arrays: Dict[str, np.ndarray]) -> None:
        for id, source in arrays.items():
            old = self.array(id)
            if source.dtype.itemsize == 8 and old.dtype.itemsize == 4 and source.dtype.kind in "iu":
                source = source.astype(old.dtype)
            _check_size(id, source, old)
            new = np.empty_like(old)
            _bytes(new)[...] = _bytes(source)
            self._written[id] = new
            self.changed.add(id)

    def apply(self, graph: ir.Graph) -> None:
        """Give the graph's tensors the weights."""
        for id, array in self._written.items():
            graph.tensors[id].data = array
        self.changed.clear()


def _bytes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def _check_size(id: str, source: np.ndarray, target: np.ndarray) -> None:
    if source.nbytes != target.nbytes:
        raise popart_runtime_error(
            f"sizes (in bytes) of src ({source.nbytes}) and dst ({target.nbytes}) differ for "
            f"weight {id}: the tensor has shape {list(source.shape)} of {source.dtype}"
        )


def updated_model(model: Union[bytes, str], weights: HostWeights) -> bytes:
    """The serialized model with the weights written since; external files are updated in place."""
    import onnx

    proto, folder = ir.read_model(model)
    for initializer in proto.graph.initializer:
        if initializer.name not in weights.written:
            continue
        old = ir.initializer_data(initializer, folder)
        new = weights.written[initializer.name].astype(old.dtype)
        if initializer.data_location == onnx.TensorProto.EXTERNAL:
            _rewrite(initializer, folder, new)
        else:
            initializer.CopyFrom(onnx.numpy_helper.from_array(new, initializer.name))
    return proto.SerializeToString()


def _rewrite(initializer: Any, folder: str, array: np.ndarray) -> None:
    entries = {entry.key: entry.value for entry in initializer.external_data}
    path = os.path.join(folder, entries["location"])
    with open(path, "r+b") as file:
        file.seek(int(entries.get("offset", 0)))
        file.write(array.tobytes())


def moved_model(model: Union[bytes, str], source: str, target: str) -> bytes:
    """The serialized model with external data of the file ``source`` taken from ``target``."""
    proto, folder = ir.read_model(model)
    for initializer in proto.graph.initializer:
        for entry in initializer.external_data:
            if entry.key == "location":
                found = target if entry.value == source else entry.value
                entry.value = os.path.join(folder, found)
    return proto.SerializeToString()
