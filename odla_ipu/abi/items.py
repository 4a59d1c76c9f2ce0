"""Options of a computation: ``odla_SetComputationItem``."""

from typing import Any, Callable, Dict, Optional

from odla_ipu import optimizers
from odla_ipu.errors import InvalidParameter, OdlaError, UnsupportedType
from odla_ipu.optimizers import SGD, Optimizer
from odla_ipu.types import ElementType

from ._bridge import ffi, lib
from .text import decode

OPTIMIZER = 2001
"""ODLA_IPU_OPTIMIZER of odla_ipu.h."""

_WARN = 3
"""ODLA_LOG_LEVEL_WARN."""


class Items:
    """What was set.  ``version`` grows with each change."""

    def __init__(self) -> None:
        self.version = 0
        self.min_batch = 1
        self.max_batch: Optional[int] = None
        self.opt_batch: Optional[int] = None
        self.fp16 = False
        self.sim_mode = False
        self.num_ipus: Optional[int] = None
        self.batches_per_step = 1
        self.optimizer: Optimizer = SGD()
        self.engine_cache = False
        self.cache_dir: Optional[str] = None

    def set(self, item: int, pointer: Any) -> None:
        """Set item number ``item`` to what the pointer leads to.

        Raises InvalidParameter or UnsupportedType for what it must not be, and OdlaError (FAILURE)
        for numbers that are no item of a computation.
        """
        if item == OPTIMIZER:
            _set_optimizer(self, pointer)  # programs take another one as they are
            return
        if item not in _ITEMS:
            raise OdlaError(f"there is no item {item} of a computation; {_hint(item)}")
        _ITEMS[item](self, pointer)
        self.version += 1

    @property
    def precision(self) -> str:
        return "fp16" if self.fp16 else "fp32"

    def cache(self, usual: Optional[str]) -> Optional[str]:
        """The folder of the engine cache, where it is on; a ``usual`` folder turns it on, too."""
        if not self.engine_cache:
            return usual
        return self.cache_dir or usual or "."

    def check_batch(self, batch: int) -> None:
        """Raise InvalidParameter for a batch size out of the declared range."""
        if batch < self.min_batch or (self.max_batch is not None and batch > self.max_batch):
            raise InvalidParameter(
                f"a batch of {batch}; accepted: {self.min_batch} (ODLA_MIN_BATCH_SIZE) to "
                f"{self.max_batch or 'any'} (ODLA_MAX_BATCH_SIZE)"
            )


def _hint(item: int) -> str:
    if item in (6, 7, 8):
        return "odla_SetValueShapeInfo sets ranges of shapes"
    if item in (10, 11, 12):
        return "odla_SetInputValueInfo sets ranges of elements"
    if item in (4, 23, 26, 27):
        return "odla_SetContextItem takes it"
    return "accepted: a member of odla_item_type"


def _bool(pointer: Any) -> bool:
    return ffi.cast("uint8_t*", pointer)[0] != 0


def _int32(pointer: Any) -> int:
    return ffi.cast("int32_t*", pointer)[0]


def _positive(pointer: Any, name: str) -> int:
    number = _int32(pointer)
    if number < 1:
        raise InvalidParameter(f"{name} is {number}; accepted: 1 and more")
    return number


def _flag(name: str) -> Callable[[Items, Any], None]:
    return lambda items, pointer: setattr(items, name, _bool(pointer))


def _number(name: str, label: str) -> Callable[[Items, Any], None]:
    return lambda items, pointer: setattr(items, name, _positive(pointer, label))


def _set_processors(items: Items, pointer: Any) -> None:
    number = _positive(pointer, "ODLA_PROCESSOR_NUM")
    if number & (number - 1):
        raise InvalidParameter(
            f"ODLA_PROCESSOR_NUM is {number}; IPUs come in powers of two: 1, 2, 4, ..."
        )
    items.num_ipus = number


def _set_bf16(items: Items, pointer: Any) -> None:
    mode = _int32(pointer)
    if not 0 <= mode <= 3:
        raise InvalidParameter(f"ODLA_BF16_MODE is {mode}; accepted: a member of odla_bf16_mode")
    # An IPU has no bfloat16: what would be computed in it is computed in FLOAT32.


def _set_data_type(items: Items, pointer: Any) -> None:
    kind = _int32(pointer)
    if kind not in (ElementType.FLOAT32, ElementType.FLOAT16):
        raise UnsupportedType(f"ODLA_USE_DATA_TYPE is {kind}; accepted: ODLA_FLOAT32, ODLA_FLOAT16")
    items.fp16 = kind == ElementType.FLOAT16


def _set_cache_dir(items: Items, pointer: Any) -> None:
    items.cache_dir = decode(pointer)


def _set_optimizer(items: Items, pointer: Any) -> None:
    items.optimizer = optimizers.read(decode(pointer))


def _no_effect(name: str) -> Callable[[Items, Any], None]:
    def warn(items: Items, pointer: Any) -> None:
        lib.odla_ipu_log(_WARN, f"{name} has no effect on IPUs".encode())

    return warn


def _accept(items: Items, pointer: Any) -> None:
    """Items that say what holds anyway: shapes may always vary from run to run."""


_ITEMS: Dict[int, Callable[[Items, Any], None]] = {
    0: _accept,
    1: _number("min_batch", "ODLA_MIN_BATCH_SIZE"),
    2: _number("max_batch", "ODLA_MAX_BATCH_SIZE"),
    3: _number("opt_batch", "ODLA_OPT_BATCH_SIZE"),
    5: _accept,
    9: _accept,
    13: _set_bf16,
    14: _flag("fp16"),
    15: _flag("sim_mode"),
    16: _set_processors,
    17: _number("batches_per_step", "ODLA_BATCHES_PER_STEP"),
    18: _set_data_type,
    19: _flag("engine_cache"),
    20: _no_effect("ODLA_USE_DLA_CORE"),
    21: _no_effect("ODLA_QUANT_TABLE"),
    22: _no_effect("ODLA_QUANT_TABLE_SIZE"),
    24: _flag("engine_cache"),
    25: _set_cache_dir,
}
