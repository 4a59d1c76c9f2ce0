"""``popart.session``: the sessions."""

from typing import Any, Optional, Set, Union

from .dataflow import DataFlow, InputShapeInfo
from .devices import DeviceInfo
from .exceptions import OutOfMemoryException, popart_exception
from .options import SessionOptions
from .patterns import Patterns
from .session_base import DEFAULT_OPTIONS, NO_SHAPES, Session, require
from .training import TrainingSession

__all__ = ["InferenceSession", "OutOfMemoryException", "TrainingSession"]


class InferenceSession(Session):
    """A model for inference.

    The constructor does all checking; the engine is built by ``prepareDevice``.  Raises
    popart_exception for a model, data flow or options that PopART refuses.
    """

    def __init__(
        self,
        fnModel: Union[bytes, str],
        dataFlow: DataFlow,
        deviceInfo: DeviceInfo,
        inputShapeInfo: InputShapeInfo = NO_SHAPES,
        patterns: Optional[Patterns] = None,
        userOptions: SessionOptions = DEFAULT_OPTIONS,
        name: str = "inference",
    ) -> None:
        super().__init__(fnModel, dataFlow, deviceInfo, inputShapeInfo, patterns, userOptions, name)

    @classmethod
    def fromIr(cls, ir: Any, deviceInfo: DeviceInfo, name: str = "fromIr") -> "InferenceSession":
        raise popart_exception(
            "The stand-in makes no session of a popart.Ir: it takes a model of popart.Builder"
        )

    def _setDeviceInfo(self, deviceInfo: DeviceInfo) -> None:
        """Use another device; ``prepareDevice`` must follow."""
        require("_setDeviceInfo", "deviceInfo", deviceInfo, DeviceInfo)
        self._device = deviceInfo
        self._engine = None
        self._whole = False

    def getAllTensorIds(self) -> Set[str]:
        """Ids of the tensors that pruning left."""
        return {id for id, tensor in self._graph.tensors.items() if tensor.used}

    def setEngineIsLoaded(self, isLoaded: bool) -> None:
        """Tell the session whether its engine is on the device."""
        self._device._loaded_session = self._reference if isLoaded else None

    def copyDeviceWeightsToHost(self) -> None:
        self.weightsToHost()

    def checkInplacingAmbiguity(self) -> None:
        """Nothing is computed in place here, so there is no ambiguity."""

    def areHostWeightsInSync(self) -> bool:
        return not self._weights.changed

    def markHostWeightsInSync(self) -> None:
        self._weights.changed.clear()

    def markHostWeightsOutOfSync(self) -> None:
        self._weights.changed.update(self._weights.ids)
