"""AuGruCell: one step of the attention-gated GRU of DIEN."""

import operator

from odla_ipu.custom import Kernel, computed, fits
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class AuGruCell(Kernel):
    """The next state [N,H] of a GRU whose update gate an attention score scales, in FLOAT32.

    ``x`` [N,I], ``state`` [N,H], ``attention`` [N]; ``gate_weights`` [I+H,2H] and ``gate_bias``
    [2H] give the reset and the update gate, ``weights`` [I+H,H] and ``bias`` [H] the candidate, all
    of one type.  With r, u = sigmoid([x, state] gate_weights + gate_bias), c = tanh([x, r * state]
    weights + bias) and v = (1 - attention) * u the next state is v * state + (1 - v) * c.
    """

    has_gradient = True
    x = tensor(FLOATS)
    state = tensor(FLOATS)
    attention = tensor(FLOATS)
    gate_weights = tensor(FLOATS)
    gate_bias = tensor(FLOATS)
    weights = tensor(FLOATS)
    bias = tensor(FLOATS)

    def normalise(self) -> None:
        kinds = {field.name: getattr(self, field.name).type for field in self._tensors}
        if self.x.rank == 2 and self.state.rank == 2:
            (rows, inputs), size = self.x.shape, self.state.shape[1]
            both, twice = computed(operator.add, inputs, size), computed(lambda n: 2 * n, size)
            wanted = {
                "state": (rows, size),
                "attention": (rows,),
                "gate_weights": (both, twice),
                "gate_bias": (twice,),
                "weights": (both, size),
                "bias": (size,),
            }
            if all(fits(kinds[name].shape, *shape) for name, shape in wanted.items()) and all(
                kind.element_type is self.x.element_type for kind in kinds.values()
            ):
                return
        listed = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raise self.error(
            f"{listed}; accepted: [N,I], [N,H], [N], [I+H,2H], [2H], [I+H,H], [H] of one type"
        )

    def infer(self) -> ValueType:
        return self.state.type
