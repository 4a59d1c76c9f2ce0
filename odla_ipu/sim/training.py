"""Training sessions: a model differentiated, run and updated step by step."""

from typing import Any, Optional, Set, Union

from . import ir
from .autodiff import PREFIX, differentiate
from .dataflow import DataFlow, InputShapeInfo
from .devices import DeviceInfo
from .exceptions import popart_exception, popart_runtime_error
from .optimizers import Optimizer
from .options import SessionOptions
from .patterns import Patterns
from .session_base import DEFAULT_OPTIONS, NO_SHAPES, Session, require
from .stepio import IStepIO
from .updates import Updates, replaced


class TrainingSession(Session):
    """A model that is trained: each batch of a step runs it forward and backward and updates it.

    ``loss`` is a tensor of one element.  Initializers of floats that it depends on are trained.
    The constructor differentiates; raises popart_exception for what PopART refuses, and for
    gradient accumulation and replication, which the stand-in does not have.
    """

    _trains = True

    def __init__(
        self,
        fnModel: Union[bytes, str],
        dataFlow: DataFlow,
        loss: str,
        optimizer: Any,
        deviceInfo: DeviceInfo,
        inputShapeInfo: InputShapeInfo = NO_SHAPES,
        patterns: Optional[Patterns] = None,
        userOptions: SessionOptions = DEFAULT_OPTIONS,
        name: str = "training",
    ) -> None:
        require("TrainingSession", "loss", loss, str)
        require("TrainingSession", "optimizer", optimizer, Optimizer)
        self._loss = loss
        self._optimizer = optimizer
        self._uploaded = False
        super().__init__(fnModel, dataFlow, deviceInfo, inputShapeInfo, patterns, userOptions, name)

    def _check_accumulation(self) -> None:
        options = self._options
        if options.enableGradientAccumulation and options.accumulationFactor > 1:
            raise popart_exception(
                "The stand-in does not accumulate gradients: set accumulationFactor to 1"
            )
        if options.enableReplicatedGraphs and options.replicatedGraphCount > 1:
            raise popart_exception(
                "The stand-in does not train replicas: set replicatedGraphCount to 1"
            )

    def _built(self, shapes: Any) -> ir.Graph:
        anchors = list(self._data_flow.anchors())
        gradients = [name for name in anchors if name.startswith(PREFIX)]
        needed = dict.fromkeys([name for name in anchors if name not in gradients] + [self._loss])
        graph = ir.build(self._model, needed, shapes, self._limits())
        loss = graph.tensors[self._loss]
        if loss.size != 1:
            raise popart_exception(
                f"The loss tensor {loss!r} must be a scalar tensor: reduce it to one element"
            )
        if loss.dtype.kind != "f":
            raise popart_exception(f"The loss tensor {loss!r} must be of floats")
        weights = [one for one in graph.variables if one.used and one.dtype.kind == "f"]
        sources = [graph.tensors.get(name[len(PREFIX) :]) for name in gradients]
        wanted = dict.fromkeys([*weights, *(one for one in sources if one is not None)])
        updates = Updates(graph, self._optimizer)
        differentiate(graph, loss, wanted, updates.scaling())
        updates.add(weights)
        for name in gradients:
            if name not in graph.tensors:
                raise popart_exception(
                    f"Anchor tensor `{name}' not in Ir Tensors: there is no such tensor, or it "
                    "does not lead to the loss"
                )
        graph.outputs = [graph.tensors[name] for name in anchors]
        return graph

    def prepareDevice(self, loadEngine: bool = True) -> None:
        self._uploaded = False
        super().prepareDevice(loadEngine)

    def weightsFromHost(self) -> None:
        super().weightsFromHost()
        self._uploaded = True

    def resetHostWeights(
        self,
        modelProtoOrFilename: Union[bytes, str],
        ignoreWeightsInModelWithoutCorrespondingHostWeight: bool = False,
    ) -> None:
        super().resetHostWeights(
            modelProtoOrFilename, ignoreWeightsInModelWithoutCorrespondingHostWeight
        )
        self._uploaded = False

    def run(
        self,
        stepio: Union[IStepIO, str],
        debugName: Union[str, IStepIO] = "",
        *rest: str,
        programHandle: str = "",
    ) -> None:
        """Run one step: ``batchesPerStep`` batches, each of which updates the weights.

        Raises popart_runtime_error before weightsFromHost, and as an InferenceSession does.
        """
        if not self._uploaded and self._engine is not None and self._weights.ids:
            raise popart_runtime_error("Must call weightsFromHost before run")
        super().run(stepio, debugName, *rest, programHandle=programHandle)

    def updateOptimizerFromHost(self, optimizer: Optimizer) -> None:
        """Use the values of another optimizer from the next run on.

        Raises popart_exception where they differ in more than values that are not constant.
        """
        require("updateOptimizerFromHost", "optimizer", optimizer, Optimizer)
        if self._engine is None:
            raise popart_runtime_error(
                "prepare() must be called before updateOptimizerFromHost(): call prepareDevice()"
            )
        states = {state.tensor for state in self._translation.states}
        for id, value in replaced(self._optimizer, optimizer).items():
            if id in states:
                self._weights.store(id, value)
                self._engine.write_state(id, value)
        self._optimizer = optimizer

    def getTensorIds(self) -> Set[str]:
        """Ids of the tensors that pruning left, with gradients and what the optimizer keeps."""
        return {id for id, tensor in self._graph.tensors.items() if tensor.used}

    def broadcastWeights(self, rootRank: int = 0) -> None:
        """One process has all weights, so there is nothing to send."""

    def connectStreamToCallback(self, *args: Any) -> None:
        raise popart_exception("The stand-in has no host callbacks on streams")

    def updateEngineCache(self) -> None:
        """The engine of the stand-in is made anew in each process."""
