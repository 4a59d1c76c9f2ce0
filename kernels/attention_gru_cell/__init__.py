"""AttentionGruCell: a step of a GRU whose update gate attention scales."""

from odla_ipu.errors import UnsupportedType
from odla_ipu.kernel import Kernel, fits
from odla_ipu.registry import tensor
from odla_ipu.types import FLOATS, ValueType


class AttentionGruCell(Kernel):
    """The next state of DIEN's AUGRU, [B,H].

    ``x`` [B,I], ``state`` [B,H], ``attention`` [B].  With s = [x, state]: the gates r, u are
    sigmoid(s * ``gate_weights`` + ``gate_bias``), [I+H,2H] and [2H], r first; the candidate is
    c = tanh([x, r * state] * ``weights`` + ``bias``), [I+H,H] and [H]; with u' = (1 - attention) *
    u the next state is u' * state + (1 - u') * c.
    """

    x = tensor(FLOATS)
    state = tensor(FLOATS)
    attention = tensor(FLOATS)
    gate_weights = tensor(FLOATS)
    gate_bias = tensor(FLOATS)
    weights = tensor(FLOATS)
    bias = tensor(FLOATS)

    def normalise(self) -> None:
        if self.x.rank != 2 or self.state.rank != 2:
            raise self.error(
                f"x is {self.x.type}, state {self.state.type}; accepted: [B,I] and [B,H]"
            )
        (batch, size), hidden = self.x.shape, self.state.shape[1]
        is_known = isinstance(size, int) and isinstance(hidden, int) and min(size, hidden) >= 0
        rows = size + hidden if is_known else None
        gates = 2 * hidden if is_known else None
        for name, wanted in [
            ("state", (batch, hidden)),
            ("attention", (batch,)),
            ("gate_weights", (rows, gates)),
            ("gate_bias", (gates,)),
            ("weights", (rows, hidden)),
            ("bias", (hidden,)),
        ]:
            value = getattr(self, name)
            if value.element_type is not self.x.element_type:
                raise UnsupportedType(f"{self.where}: {name} is {value.type}, x is {self.x.type}")
            if not fits(value.shape, *wanted):
                raise self.error(f"{name} is {value.type}; accepted: {list(wanted)}")

    def infer(self) -> ValueType:
        return self.state.type
