"""Running a program that trains: the variables' numbers go to the device and come back."""

from typing import Any, Dict, List, Optional

import numpy as np

from .binding import Runner
from .device import Device, translate
from .graph import Storage
from .optimizers import Optimizer
from .program import Program


class Trainer(Runner):
    """The session of a program that trains.

    The device keeps the newest numbers of the variables until someone reads them; numbers that
    were written on the host in between go there before the next run.
    """

    __slots__ = ("_fed", "_known", "_weights", "optimizer")

    def __init__(self, program: Program, device: Device):
        super().__init__(program.name, program.ops, device)
        assert program.training is not None
        self.optimizer = program.training.optimizer
        self._weights = {
            tensor: program.values[name] for name, tensor in program.training.weights.items()
        }
        self._known: Dict[str, Optional[int]] = dict.fromkeys(self._weights)
        """The versions of host memory that the device has, by tensor."""

    def refresh(self, values: List[Storage]) -> None:
        """What this program trains is up to date on the device, unless another one trained it."""
        super().refresh([one for one in values if one.newer is not self])

    def run(self, step: Any) -> int:
        with self.lock:
            if self.session is None:
                raise self.closed()
            self._upload()
            taken = super().run(step)
            for storage in self._weights.values():
                storage.newer = self
            return taken

    def replace(self, optimizer: Optimizer) -> None:
        """Use another optimizer from the next run on; raises InvalidParameter for another kind."""
        with self.lock:
            if self.session is None:
                raise self.closed()
            try:
                self.session.updateOptimizerFromHost(optimizer.made(self.popart))
            except self.popart.popart_exception as error:
                where = f"replacing {self.optimizer} of '{self.name}' by {optimizer}"
                raise translate(error, where) from error
            self.optimizer = optimizer

    def download(self) -> None:
        """Have host memory hold what the device has."""
        with self.lock:
            held = [one for one in self._weights.items() if one[1].newer is self]
            if not held:
                return
            arrays = {tensor: self._on_device(storage) for tensor, storage in held}
            try:
                self.session.weightsToHost()
                self.session.readWeights(self.popart.PyWeightsIO(arrays))
            except Exception as error:
                raise translate(error, f"reading the variables of '{self.name}'") from error
            for tensor, storage in held:
                storage.newer = None
                storage.version += 1
                self._known[tensor] = storage.version
                np.copyto(storage.held, arrays[tensor], casting="unsafe")

    def close(self) -> None:
        with self.lock:
            if self.session is not None:
                self.download()
            super().close()

    def _upload(self) -> None:
        """Tell the device what was written on the host.

        What another device has newer was fetched before this device was locked: waiting for that
        one now could be for ever.
        """
        changed = {
            tensor: storage
            for tensor, storage in self._weights.items()
            if self._known[tensor] != storage.version
        }
        if not changed:
            return
        # What the device has of the others would be overwritten by what the host had before.
        self.download()
        arrays = {}
        for tensor, storage in changed.items():
            arrays[tensor] = self._on_device(storage)
            with np.errstate(over="ignore"):
                np.copyto(arrays[tensor], storage.held, casting="unsafe")
            self._known[tensor] = storage.version
        try:
            self.session.writeWeights(self.popart.PyWeightsIO(arrays))
            self.session.weightsFromHost()
        except Exception as error:
            raise translate(error, f"writing the variables of '{self.name}'") from error

    def _on_device(self, storage: Storage) -> np.ndarray:
        """An array of the type that the device has, which is FLOAT32 for wider floats."""
        is_half = storage.dtype == np.float16
        return np.empty(storage.shape, np.float16 if is_half else np.float32)
