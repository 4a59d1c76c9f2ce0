"""The ``onnx.backend`` interface: ``prepare``, ``run_model``, ``run_node``, ``supports_device``.

    >>> from odla_ipu.frontends.onnx import Backend
    >>> outputs = Backend.prepare(model).run([x])

The module serves as a backend too, as ONNX has it.

Devices are ``CPU`` (ONNX's name for what every machine has: the simulator), ``SIM``, ``IPU``,
``IPU_MODEL`` and ``AUTO``.  Dimensions that a model leaves open are taken from the inputs of each
run, and every new set of shapes compiles once.
"""

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import onnx
from onnx.backend import base

from ...computation import Computation
from ...device import status
from ...errors import InvalidParameter
from .convert import convert
from .model import Model, parse

_DEVICES: Dict[str, Optional[str]] = {
    "CPU": "sim",
    "SIM": "sim",
    "IPU": "ipu",
    "IPU_MODEL": "ipu_model",
    "AUTO": None,
}


class Prepared(base.BackendRep):
    """A model that is ready to run on one device."""

    def __init__(self, model: Model, device: Optional[str]):
        self._model = model
        self._device = device
        self._open = [one.name for one in model.graph.inputs if not _is_fixed(one.shape)]
        self._computations: Dict[Tuple[Tuple[int, ...], ...], Computation] = {}
        if not self._open:
            self._computation({})

    def run(self, inputs: Any, **kwargs: Any) -> Tuple[np.ndarray, ...]:
        """The outputs in order, for inputs in order (one array alone will do) or by name."""
        names = [one.name for one in self._model.graph.inputs]
        if isinstance(inputs, dict):
            feeds = inputs
        else:
            arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
            if len(arrays) != len(names):
                raise InvalidParameter(f"{len(arrays)} inputs; accepted: {', '.join(names)}")
            feeds = dict(zip(names, arrays))
        shapes = {name: np.shape(feeds[name]) for name in self._open if name in feeds}
        return tuple(self._computation(shapes).run(feeds, device=self._device).values())

    def _computation(self, shapes: Dict[str, Tuple[int, ...]]) -> Computation:
        key = tuple(shapes.values())
        if key not in self._computations:
            self._computations[key] = Computation(graph=convert(self._model, shapes))
        return self._computations[key]


def _is_fixed(shape: Optional[Sequence[Any]]) -> bool:
    return shape is not None and all(isinstance(dim, int) and dim >= 0 for dim in shape)


def _device(name: str) -> Optional[str]:
    kind = name.split(":")[0].upper()
    if kind not in _DEVICES:
        raise InvalidParameter(f"device is '{name}'; accepted: {', '.join(_DEVICES)}")
    return _DEVICES[kind]


class Backend(base.Backend):
    """ONNX's interface; the functions of this module are its methods."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "AUTO", **kwargs: Any) -> bool:
        """Whether every node of the model (of fixed shapes) can be converted."""
        try:
            cls.prepare(model, device)
        except Exception:
            return False
        return True

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "AUTO", **kwargs: Any) -> Prepared:
        """Convert the model.  Raises what :func:`odla_ipu.frontends.onnx.read` raises."""
        return Prepared(parse(model.SerializeToString()), _device(device))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "AUTO", **kwargs: Any
    ) -> Tuple[np.ndarray, ...]:
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Sequence[np.ndarray],
        device: str = "AUTO",
        outputs_info: Optional[Sequence[Tuple[np.dtype, Tuple[int, ...]]]] = None,
        **kwargs: Any,
    ) -> Tuple[np.ndarray, ...]:
        """Run one node; inputs stand for the names that it reads, in order, empty ones left out."""
        names = [name for name in node.input if name]
        kinds = [onnx.helper.np_dtype_to_tensor_dtype(one.dtype) for one in inputs]
        graph = onnx.helper.make_graph(
            [node],
            node.op_type,
            [
                onnx.helper.make_tensor_value_info(name, kind, one.shape)
                for name, kind, one in zip(names, kinds, inputs)
            ],
            [onnx.ValueInfoProto(name=name) for name in node.output if name],
        )
        version = kwargs.get("opset_version", onnx.defs.onnx_opset_version())
        opsets = [onnx.helper.make_opsetid("", version)]
        return cls.run_model(onnx.helper.make_model(graph, opset_imports=opsets), inputs, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether the device can be used now."""
        kind = device.split(":")[0].upper()
        if kind not in _DEVICES:
            return False
        wanted = _DEVICES[kind]
        return any(one.available for one in status() if wanted in (None, one.name))


is_compatible = Backend.is_compatible
prepare = Backend.prepare
run_model = Backend.run_model
run_node = Backend.run_node
supports_device = Backend.supports_device
