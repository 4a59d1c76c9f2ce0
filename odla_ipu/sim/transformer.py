"""GraphTransformer: rewrites of ONNX models before they reach a session."""

import os
from typing import Any, Callable, Iterable, Iterator, List, Union

import numpy as np

from .exceptions import popart_exception

Model = Any
Graph = Any


def load_model(modelProtoOrFilename: Union[str, bytes]) -> Model:
    """The ONNX model in a file or in serialized form.

    External data stay where they are. Raises popart_exception where there is no model.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if isinstance(modelProtoOrFilename, (str, os.PathLike)):
        path = os.fspath(modelProtoOrFilename)
        if not os.path.isfile(path):
            raise popart_exception(f'Failed to load the ONNX model: no file "{path}"')
        with open(path, "rb") as file:
            content = file.read()
        origin = f'the file "{path}"'
    elif isinstance(modelProtoOrFilename, bytes):
        content, origin = modelProtoOrFilename, "the given bytes"
    else:
        raise TypeError(
            "The model must be a serialized ModelProto (bytes) or a file name (str), "
            f"not {type(modelProtoOrFilename).__name__}"
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise popart_exception(f"Failed to parse {origin} as an ONNX model") from None
    if not model.HasField("graph"):
        raise popart_exception(f"Failed to load the ONNX model: {origin} holds no graph")
    return model


def _graphs(graph: Graph) -> Iterator[Graph]:
    """The graph and the bodies in it, at any depth."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for body in attribute.graphs:
                yield from _graphs(body)


def _array(tensor: Any) -> np.ndarray:
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise popart_exception(
            f'The data of tensor "{tensor.name}" lie in another file and cannot be converted: '
            "convert before saveInitializersExternally()"
        )
    return onnx.numpy_helper.to_array(tensor)


def _used_names(graph: Graph) -> Iterator[str]:
    """Tensors that nodes of the graph and its bodies read, and all graph outputs."""
    for part in _graphs(graph):
        for node in part.node:
            yield from node.input
        for output in part.output:
            yield output.name


class GraphTransformer:
    """Takes a serialized ModelProto or a file name; getModelProto() gives the rewritten model."""

    __slots__ = ("_model",)

    def __init__(self, modelProtoOrFilename: Union[str, bytes]) -> None:
        self._model = load_model(modelProtoOrFilename)

    def getModelProto(self) -> bytes:
        return self._model.SerializeToString()

    def convertFloatsToHalfs(self) -> None:
        self._convert("FLOAT", "FLOAT16")

    def convertDoublesToFloats(self) -> None:
        self._convert("DOUBLE", "FLOAT")

    def convertDoublesToHalfs(self) -> None:
        self._convert("DOUBLE", "FLOAT16")

    def convertBFloats16ToFloat32(self) -> None:
        self._convert("BFLOAT16", "FLOAT")

    def convertUINT8ToINT32(self) -> None:
        self._convert("UINT8", "INT32")

    def convertUINT16ToINT32(self) -> None:
        self._convert("UINT16", "INT32")

    def convertINT8ToINT32(self) -> None:
        self._convert("INT8", "INT32")

    def convertINT16ToINT32(self) -> None:
        self._convert("INT16", "INT32")

    def convertINT64ToINT32(self, clip: bool = False) -> None:
        """Narrow all int64 tensors.

        Raises popart_exception for a value beyond int32, unless `clip` asks for the nearest.
        """
        limits = np.iinfo(np.int32)

        def narrow(array: np.ndarray, name: str) -> np.ndarray:
            if clip:
                array = array.clip(limits.min, limits.max)
            elif array.size and (array.min() < limits.min or array.max() > limits.max):
                raise popart_exception(
                    f'Tensor "{name}" has values beyond INT32, from {array.min()} to '
                    f"{array.max()}: convertINT64ToINT32(clip=True) takes the nearest value"
                )
            return array.astype(np.int32)

        self._convert("INT64", "INT32", narrow)

    def _convert(
        self,
        source: str,
        target: str,
        change: Callable[[np.ndarray, str], np.ndarray] = lambda array, name: array,
    ) -> None:
        """Make tensors of one ONNX element type another: inputs, outputs, data and casts."""
        import onnx

        old, new = onnx.TensorProto.DataType.Value(source), onnx.TensorProto.DataType.Value(target)
        numpy_type = onnx.helper.tensor_dtype_to_np_dtype(new)

        def convert_data(tensor: Any) -> None:
            if tensor.data_type == old:
                array = change(_array(tensor), tensor.name).astype(numpy_type)
                tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))

        for graph in _graphs(self._model.graph):
            for info in [*graph.input, *graph.output, *graph.value_info]:
                if info.type.tensor_type.elem_type == old:
                    info.type.tensor_type.elem_type = new
            for tensor in graph.initializer:
                convert_data(tensor)
            for node in graph.node:
                for attribute in node.attribute:
                    if attribute.HasField("t"):
                        convert_data(attribute.t)
                    elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == old:
                        attribute.i = new

    def removeUnusedInputs(self) -> None:
        """Drop inputs and initializers that no node reads and that are not outputs."""
        graph = self._model.graph
        used = set(_used_names(graph))
        for entries in (graph.input, graph.initializer):
            for entry in [entry for entry in entries if entry.name not in used]:
                entries.remove(entry)

    def prepareNodesForTraining(self) -> None:
        """Give BatchNormalization the five outputs that training needs."""
        taken = {name for graph in _graphs(self._model.graph) for name in _tensor_names(graph)}
        for graph in _graphs(self._model.graph):
            for node in graph.node:
                if node.op_type == "BatchNormalization" and node.domain in ("", "ai.onnx"):
                    for index in range(len(node.output), 5):
                        name = _unused_name(f"{node.output[0]}_{_STATISTICS[index]}", taken)
                        node.output.append(name)

    def convertInitializersToConstants(self, ids: Iterable[str]) -> None:
        """Turn initializers into Constant nodes.

        Raises popart_exception for an id that is not an initializer.
        """
        import onnx

        graph = self._model.graph
        chosen = self._initializers(ids)
        names = {tensor.name for tensor in chosen}
        nodes = [
            onnx.helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in chosen
        ]
        nodes += graph.node
        del graph.node[:]
        graph.node.extend(nodes)
        for entries in (graph.input, graph.initializer):
            for entry in [entry for entry in entries if entry.name in names]:
                entries.remove(entry)

    def convertAllFixedPointInitializersToConstants(self) -> None:
        """Turn all initializers of integer types and bool into Constant nodes."""
        import onnx

        kinds = ("UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64", "BOOL")
        fixed = {onnx.TensorProto.DataType.Value(kind) for kind in kinds}
        self.convertInitializersToConstants(
            [tensor.name for tensor in self._model.graph.initializer if tensor.data_type in fixed]
        )

    def saveInitializersExternally(self, ids: Iterable[str], filename: str) -> None:
        """Move the data of initializers to a file, one after the other.

        Raises popart_exception for an id that is not an initializer or whose data were moved.
        """
        import onnx

        chosen = self._initializers(ids)
        contents = [_array(tensor).tobytes() for tensor in chosen]
        offset = 0
        with open(filename, "wb") as file:
            for tensor, content in zip(chosen, contents):
                file.write(content)
                moved = onnx.TensorProto(
                    name=tensor.name,
                    data_type=tensor.data_type,
                    dims=tensor.dims,
                    data_location=onnx.TensorProto.EXTERNAL,
                )
                for key, value in (
                    ("location", filename),
                    ("offset", str(offset)),
                    ("length", str(len(content))),
                ):
                    moved.external_data.add(key=key, value=value)
                tensor.CopyFrom(moved)
                offset += len(content)

    def _initializers(self, ids: Iterable[str]) -> List[Any]:
        known = {tensor.name: tensor for tensor in self._model.graph.initializer}
        chosen = []
        for id in ids:
            if id not in known:
                raise popart_exception(
                    f'"{id}" is not an initializer of the model. Initializers are {sorted(known)}'
                )
            chosen.append(known[id])
        return chosen


_STATISTICS = ("y", "mean", "var", "saved_mean", "saved_var")


def _tensor_names(graph: Graph) -> Iterator[str]:
    for node in graph.node:
        yield from node.output
    for entry in [*graph.input, *graph.initializer]:
        yield entry.name


def _unused_name(wanted: str, taken: set) -> str:
    name, number = wanted, 1
    while name in taken:
        name, number = f"{wanted}/{number}", number + 1
    taken.add(name)
    return name


class NumericsReport:
    """Compares how two trainings changed the weights of a model.

    A0 and B0 are the models before, A1 and B1 after training, as files or serialized. The
    relative error of a weight is |dA - dB| / (|dA| + |dB|), with dA = A1 - A0 and the Euclidean
    norm; 0 where neither changed.
    """

    __slots__ = ("_errors",)

    def __init__(self, A0: str, A1: str, B0: str, B1: str) -> None:
        weights = [_float_initializers(load_model(model)) for model in (A0, A1, B0, B1)]
        if any(set(part) != set(weights[0]) for part in weights):
            raise popart_exception(
                "NumericsReport: the four models must have the same initializers, not "
                f"{[sorted(part) for part in weights]}"
            )
        before_a, after_a, before_b, after_b = weights
        self._errors = {
            name: _relative_error(after_a[name] - before_a[name], after_b[name] - before_b[name])
            for name in before_a
        }

    def getRelativeErrors(self) -> dict:
        """Relative error by weight."""
        return dict(self._errors)

    def report(self, id: str) -> str:
        """One line on a weight. Raises popart_exception for an unknown one."""
        if id not in self._errors:
            raise popart_exception(
                f'NumericsReport: no weight "{id}". Weights are {sorted(self._errors)}'
            )
        return f"{id}: relative error {self._errors[id]:.6g}"

    def fullReport(self) -> str:
        return "\n".join(self.report(id) for id in sorted(self._errors))


def _float_initializers(model: Model) -> dict:
    arrays = {tensor.name: _array(tensor) for tensor in model.graph.initializer}
    return {
        name: array.astype(np.float64)
        for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.floating)
    }


def _relative_error(change_a: np.ndarray, change_b: np.ndarray) -> float:
    scale = float(np.linalg.norm(change_a) + np.linalg.norm(change_b))
    return float(np.linalg.norm(change_a - change_b)) / scale if scale else 0.0
