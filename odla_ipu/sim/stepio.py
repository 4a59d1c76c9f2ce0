"""Step IO and weights IO: the host arrays that a session reads and writes.

A PyStepIO may be made for every run, so its constructor only checks what must hold for the arrays
to be used in place; element counts and types are the session's business.  One that is used again
stays bound: see ``Streams.run_whole``.
"""

from typing import Any, Callable, Dict, Optional

import numpy as np

from .exceptions import popart_exception

Arrays = Dict[str, np.ndarray]


def _refuse(owner: str, name: Any, array: Any) -> None:
    """Raise what `array`, which cannot be used in place, deserves."""
    if not isinstance(name, str) or not isinstance(array, np.ndarray):
        raise TypeError(
            f"{owner} takes dicts from tensor id (str) to numpy array, "
            f"not {type(name).__name__} to {type(array).__name__}"
        )
    raise popart_exception(
        f'{owner}: the array of tensor "{name}" (shape {array.shape}, strides {array.strides}) '
        "is not c-contiguous and is used in place: pass numpy.ascontiguousarray(array)"
    )


def _check_arrays(owner: str, arrays: Any) -> None:
    if not isinstance(arrays, dict):
        raise TypeError(f"{owner} takes dicts of numpy arrays, not {type(arrays).__name__}")
    for name, array in arrays.items():
        if not (
            isinstance(array, np.ndarray) and isinstance(name, str) and array.flags.c_contiguous
        ):
            _refuse(owner, name, array)


class IStepIO:
    """Base of the step IO classes."""

    __slots__ = ("_runtime_asserts", "_state")

    # Counts are checked unless enableRuntimeAsserts(False); `_state` is where a session keeps how
    # far the buffers have been consumed.
    _runtime_asserts: bool
    _state: Any


class PyStepIO(IStepIO):
    """Arrays of one run: `inputs` are read, `outputs` written in place.

    Both map tensor id to a C-contiguous numpy array. Raises popart_exception for any other
    memory layout, TypeError for anything but such a dict.
    """

    __slots__ = ("__weakref__", "_bound", "_inputs", "_outputs")

    def __init__(self, inputs: Arrays, outputs: Arrays) -> None:
        _check_arrays("PyStepIO", inputs)
        _check_arrays("PyStepIO", outputs)
        self._inputs = dict(inputs)
        self._outputs = dict(outputs)
        self._bound: Any = None
        self._runtime_asserts = True
        self._state = None

    def enableRuntimeAsserts(self, enable: bool) -> None:
        """Whether a session checks the number of elements on its first run."""
        self._runtime_asserts = bool(enable)


class PyStepIOCallback(IStepIO):
    """Step IO by call-backs, one call per micro-batch and replica.

    input_callback(id, is_prefetch) gives an array, or None when there is no data for a prefetch;
    output_callback(id) gives the array to write to; the *_complete callbacks take the id.
    """

    __slots__ = (
        "_input_callback",
        "_input_complete_callback",
        "_output_callback",
        "_output_complete_callback",
    )

    def __init__(
        self,
        input_callback: Callable[[str, bool], Optional[np.ndarray]],
        input_complete_callback: Callable[[str], None],
        output_callback: Callable[[str], np.ndarray],
        output_complete_callback: Callable[[str], None],
    ) -> None:
        for callback in (
            input_callback,
            input_complete_callback,
            output_callback,
            output_complete_callback,
        ):
            if not callable(callback):
                raise TypeError(
                    f"PyStepIOCallback takes four callables, not {type(callback).__name__}"
                )
        self._input_callback = input_callback
        self._input_complete_callback = input_complete_callback
        self._output_callback = output_callback
        self._output_complete_callback = output_complete_callback
        self._runtime_asserts = False
        self._state = None


class IWeightsIO:
    """Base of the weights IO class."""

    __slots__ = ()


class PyWeightsIO(IWeightsIO):
    """Arrays of weights: `weights` maps tensor id to a C-contiguous array.

    readWeights fills the arrays in place. Raises as PyStepIO does.
    """

    __slots__ = ("_weights",)

    def __init__(self, weights: Arrays) -> None:
        _check_arrays("PyWeightsIO", weights)
        self._weights = dict(weights)
