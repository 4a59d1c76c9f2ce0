"""DataFlow and what it is made of: batches a step, and the tensors that a step returns."""

from typing import Any, Dict

from .binding import INT, STR, Argument, dict_of, instance_of, list_of, overload, resolve
from .enums import AnchorReturnTypeId, ExchangeStrategy, ReplicatedStreamMode, TileSet
from .exceptions import popart_exception
from .tensorinfo import _TensorInfoCore

_TILE_SET = Argument("tileSet", instance_of(TileSet), TileSet.Compute)
_STRATEGY = Argument("exchangeStrategy", instance_of(ExchangeStrategy), ExchangeStrategy.JustInTime)
_RETURN_TYPE = Argument("anchorReturnTypeString", STR)
_RETURN_TYPES = {
    "FINAL": AnchorReturnTypeId.Final,
    "EVERYN": AnchorReturnTypeId.EveryN,
    "ALL": AnchorReturnTypeId.All,
    "SUM": AnchorReturnTypeId.Sum,
}


class AnchorReturnType:
    """Which micro-batches of a step an anchor returns: "All", "Final", "Sum", "EveryN" (any case).

    EveryN needs a period in batches, the others refuse one (popart_exception).
    """

    __slots__ = ("_id", "_period", "_strategy", "_tile_set")
    _overloads = (
        overload(_RETURN_TYPE, _TILE_SET, _STRATEGY),
        overload(_RETURN_TYPE, Argument("returnPeriod", INT), _TILE_SET, _STRATEGY),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        form, values = resolve("AnchorReturnType", self._overloads, args, kwargs)
        name = values["anchorReturnTypeString"]
        if name.upper() not in _RETURN_TYPES:
            raise popart_exception(
                f'Invalid anchor return type "{name}": choose "All", "Final", "Sum" or "EveryN"'
            )
        self._id = _RETURN_TYPES[name.upper()]
        self._tile_set: TileSet = values["tileSet"]
        self._strategy: ExchangeStrategy = values["exchangeStrategy"]
        self._period = 1
        has_period = form == 1
        if self._id is AnchorReturnTypeId.EveryN:
            if not has_period:
                raise popart_exception(
                    'Must specify a return period with anchor return type "EveryN", '
                    'for example AnchorReturnType("EveryN", 2)'
                )
            if values["returnPeriod"] <= 0:
                raise popart_exception(
                    "The anchor return period must be greater than zero, "
                    f"not {values['returnPeriod']}"
                )
            self._period = values["returnPeriod"]
        elif has_period:
            raise popart_exception(
                f'A return period should not be supplied for anchor return type "{name}": '
                'only "EveryN" has one'
            )

    def id(self) -> AnchorReturnTypeId:
        return self._id

    def rp(self) -> int:
        """Return period in batches; 1 for the types that have none."""
        return self._period

    def tileSet(self) -> TileSet:
        return self._tile_set

    def exchangeStrategy(self) -> ExchangeStrategy:
        return self._strategy

    def __repr__(self) -> str:
        period = f", {self._period}" if self._id is AnchorReturnTypeId.EveryN else ""
        return f'AnchorReturnType("{self._id.name}"{period})'


_BATCHES = Argument("batchesPerStep", INT)


class DataFlow:
    """Batches a step, and the anchors: the tensors a step returns, each with its return type.

    Raises popart_exception where batchesPerStep is not positive, or not a multiple of an
    EveryN period.
    """

    __slots__ = ("_anchors", "_bps")
    _overloads = (
        overload(_BATCHES, Argument("anchorTensors", dict_of(STR, instance_of(AnchorReturnType)))),
        overload(
            _BATCHES,
            Argument("anchorIds", list_of(STR)),
            Argument("anchorReturnType", instance_of(AnchorReturnType), AnchorReturnType("All")),
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("DataFlow", self._overloads, args, kwargs)
        if "anchorTensors" in values:
            anchors = values["anchorTensors"]
        else:
            anchors = dict.fromkeys(values["anchorIds"], values["anchorReturnType"])
        self._anchors: Dict[str, AnchorReturnType] = anchors
        self._bps = 0
        self.setBatchesPerStep(values["batchesPerStep"])

    def setBatchesPerStep(self, batchesPerStep: int) -> None:
        if batchesPerStep <= 0:
            raise popart_exception(
                f"The number of batches per step must be greater than zero, not {batchesPerStep}"
            )
        for name, returns in self._anchors.items():
            if batchesPerStep % returns.rp() != 0:
                raise popart_exception(
                    f'The return period {returns.rp()} of anchor "{name}" must divide '
                    f"the number of batches per step, {batchesPerStep}"
                )
        self._bps = batchesPerStep

    def batchesPerStep(self) -> int:
        return self._bps

    def anchors(self) -> Dict[str, AnchorReturnType]:
        """The anchors; iterating gives their ids in the order they were declared."""
        return self._anchors

    def nAnchors(self) -> int:
        return len(self._anchors)

    def isAnchored(self, id: str) -> bool:
        return id in self._anchors

    def art(self, id: str) -> AnchorReturnType:
        """Return type of an anchor. Raises popart_exception for any other tensor."""
        if id not in self._anchors:
            raise popart_exception(
                f'Tensor "{id}" is not an anchor. Anchors are {sorted(self._anchors)}'
            )
        return self._anchors[id]

    def __repr__(self) -> str:
        return f"DataFlow({self._bps}, {self._anchors})"


class InputSettings:
    """How an input is streamed: tiles and overlap, or whether replicas share the data."""

    __slots__ = ("_mode", "_strategy", "_tile_set")
    _overloads = (
        overload(_TILE_SET, _STRATEGY),
        overload(
            Argument(
                "relicatedStreamMode",  # the native module's own spelling
                instance_of(ReplicatedStreamMode),
                ReplicatedStreamMode.Replicate,
            )
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("InputSettings", self._overloads, args, kwargs)
        self._tile_set: TileSet = values.get("tileSet", TileSet.Compute)
        self._strategy: ExchangeStrategy = values.get(
            "exchangeStrategy", ExchangeStrategy.JustInTime
        )
        self._mode: ReplicatedStreamMode = values.get(
            "relicatedStreamMode", ReplicatedStreamMode.Replicate
        )

    def tileSet(self) -> TileSet:
        return self._tile_set

    def exchangeStrategy(self) -> ExchangeStrategy:
        return self._strategy

    def replicatedStreamMode(self) -> ReplicatedStreamMode:
        return self._mode


class InputShapeInfo:
    """Shapes of inputs whose dimensions the model leaves open."""

    __slots__ = ("_infos",)

    def __init__(self) -> None:
        self._infos: Dict[str, _TensorInfoCore] = {}

    def add(self, id: str, info: _TensorInfoCore) -> None:
        if not isinstance(id, str) or not isinstance(info, _TensorInfoCore):
            raise TypeError(
                "InputShapeInfo.add takes a tensor id and a TensorInfo, "
                f"not {type(id).__name__} and {type(info).__name__}"
            )
        self._infos[id] = info

    def get(self, id: str) -> _TensorInfoCore:
        """The info added for `id`. Raises popart_exception where there is none."""
        if id not in self._infos:
            raise popart_exception(
                f'No InputShapeInfo for tensor "{id}". It has those of {sorted(self._infos)}'
            )
        return self._infos[id]

    def has(self, id: str) -> bool:
        return id in self._infos
