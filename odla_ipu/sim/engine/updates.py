"""What optimizers do to a weight in each step.

Rules from PopART's documentation of its optimizers; ``w`` is the weight, ``g`` its gradient divided
by the loss scaling.
"""

from typing import TYPE_CHECKING, Callable, Dict, List, Sequence

import numpy as np

from .emitter import Emitter, emits

if TYPE_CHECKING:
    from ..ir import Op

DOMAIN = "optimizer"


class Step:
    """One weight's step: named operands, and arithmetic on names.

    ``s.lr`` is the name of the operand "lr"; attributes of the op are in ``s.options``.
    """

    def __init__(self, e: Emitter, op: "Op", x: List[str]):
        self._e = e
        self._op = op
        self._named = dict(zip(op.attributes["operands"], x))
        self.options = op.attributes["options"]

    def __getattr__(self, name: str) -> str:
        return self._named[name]

    def const(self, value: float) -> str:
        return self._e.const(np.float32(value))

    def add(self, a: str, b: str) -> str:
        return self._e("Add", a, b)

    def sub(self, a: str, b: str) -> str:
        return self._e("Sub", a, b)

    def mul(self, *factors: str) -> str:
        result = factors[0]
        for factor in factors[1:]:
            result = self._e("Mul", result, factor)
        return result

    def div(self, a: str, b: str) -> str:
        return self._e("Div", a, b)

    def rest(self, a: str) -> str:
        """1 - a."""
        return self.sub(self.const(1), a)

    def blend(self, old: str, new: str, keep: str) -> str:
        return self.add(self.mul(keep, old), self.mul(self.rest(keep), new))

    def call(self, op_type: str, *operands: str) -> str:
        return self._e(op_type, *operands)

    def norm(self, a: str) -> str:
        return self._e("Sqrt", self._e("ReduceSumSquare", a, keepdims=0))

    def scaled_gradient(self) -> str:
        """The gradient without the loss scaling, and with the decay that counts as a part of it."""
        g = self.div(self.g, self.ls)
        if self.options.get("l2"):
            g = self.add(g, self.mul(self.wd, self.w))
        return g

    def decayed(self, update: str) -> str:
        """An update with the decay that does not."""
        if self.options.get("l2"):
            return update
        return self.add(update, self.mul(self.wd, self.w))


def _writes(function: Callable[[Step], Dict[str, str]]) -> Callable[..., Sequence[str]]:
    """A rule that gives new values of operands, by name."""

    def emit(e: Emitter, op: "Op", x: List[str]) -> Sequence[str]:
        new = function(Step(e, op, x))
        for name, operand in zip(op.attributes["operands"], op.inputs):
            if name in new:
                assert operand is not None
                e.root.updates[operand.id] = new[name]
        return [new[name] for name in op.attributes["writes"]]

    return emit


def _update(*op_types: str) -> Callable[[Callable[[Step], Dict[str, str]]], None]:
    def register(function: Callable[[Step], Dict[str, str]]) -> None:
        emits(*op_types, domain=DOMAIN)(_writes(function))

    return register


@_update("Keep")
def _keep(s: Step) -> Dict[str, str]:
    """A hyper-parameter, which only the host writes."""
    return {"value": s.call("Identity", s.value)}


@_update("SGD0")
def _plain(s: Step) -> Dict[str, str]:
    """w (1 - lr (1 - dp) wd) - lr (1 - dp) g"""
    rate = s.mul(s.lr, s.rest(s.dp))
    kept = s.mul(s.w, s.rest(s.mul(rate, s.wd)))
    return {"w": s.sub(kept, s.mul(rate, s.scaled_gradient()))}


@_update("SGD1")
def _combined(s: Step) -> Dict[str, str]:
    """Accumulator and velocity in one: v holds mm v + (1 - dp) wd vs w of the step before."""
    live = s.mul(s.rest(s.dp), s.vs)
    g = s.scaled_gradient()
    velocity = s.add(s.v, s.mul(live, g))
    w = s.sub(s.w, s.mul(s.div(s.lr, s.vs), _ahead(s, g, velocity)))
    return {"w": w, "v": s.add(s.mul(s.mm, velocity), s.mul(live, s.wd, w))}


@_update("SGD2")
def _separate(s: Step) -> Dict[str, str]:
    """v = mm v + (1 - dp) vs (g + wd w); w = w - lr / vs v"""
    live = s.mul(s.rest(s.dp), s.vs)
    g = s.scaled_gradient()
    velocity = s.add(s.mul(s.mm, s.v), s.mul(live, s.add(g, s.mul(s.wd, s.w))))
    w = s.sub(s.w, s.mul(s.div(s.lr, s.vs), _ahead(s, g, velocity)))
    return {"w": w, "v": velocity}


def _ahead(s: Step, g: str, velocity: str) -> str:
    """Nesterov: vs (g + wd w) + mm v in place of v."""
    if not s.options["nesterov"]:
        return velocity
    now = s.mul(s.vs, s.add(g, s.mul(s.wd, s.w)))
    return s.add(now, s.mul(s.mm, velocity))


@_update("Adam", "AdamNoBias", "Lamb", "LambNoBias", "AdaMax")
def _adam(s: Step) -> Dict[str, str]:
    """D. Kingma, J. Ba, arXiv:1412.6980; Lamb: Y. You et al., arXiv:1904.00962."""
    g, one, mode = s.scaled_gradient(), s.const(1), s.options["mode"]
    step = s.add(s.step, one)
    first = s.blend(s.m, g, s.b1)
    if mode == "AdaMax":
        second = s.call("Max", s.mul(s.b2, s.v), s.call("Abs", g))
        root = second
    else:
        second = s.blend(s.v, s.mul(g, g), s.b2)
        root = second if "NoBias" in mode else s.div(second, s.rest(s.call("Pow", s.b2, step)))
        root = s.call("Sqrt", root)
    mean = first if "NoBias" in mode else s.div(first, s.rest(s.call("Pow", s.b1, step)))
    update = s.decayed(s.div(mean, s.add(root, s.eps)))
    rate = s.lr
    if mode.startswith("Lamb"):
        size, change = s.call("Min", s.norm(s.w), s.norm_limit), s.norm(update)
        both = s.call("Greater", s.mul(size, change), s.const(0))
        rate = s.mul(rate, s.call("Where", both, s.div(size, change), one))
    return {"w": s.sub(s.w, s.mul(rate, update)), "m": first, "v": second, "step": step}


@_update("AdaGrad", "RMSProp", "CenteredRMSProp", "AdaDelta")
def _adaptive(s: Step) -> Dict[str, str]:
    g, mode, new = s.scaled_gradient(), s.options["mode"], {}
    square = s.mul(g, g)
    v = s.add(s.v, square) if mode == "AdaGrad" else s.blend(s.v, square, s.alpha)
    new["v"] = v
    spread = v
    if mode == "CenteredRMSProp":
        new["mean"] = s.blend(s.mean, g, s.alpha)
        spread = s.sub(v, s.mul(new["mean"], new["mean"]))
    if mode == "AdaDelta":
        ratio = s.div(s.add(s.u, s.eps), s.add(v, s.eps))
        update = s.mul(s.call("Sqrt", ratio), g)
        new["u"] = s.blend(s.u, s.mul(update, update), s.alpha)
    elif s.options["tf"]:
        update = s.div(g, s.call("Sqrt", s.add(spread, s.eps)))
    else:
        update = s.div(g, s.add(s.call("Sqrt", spread), s.eps))
    update = s.decayed(update)
    if s.options["tf"]:
        update = s.mul(s.lr, update)  # TensorFlow's momentum is of rate times update
    new["buffer"] = s.add(s.mul(s.mm, s.buffer), update)
    change = new["buffer"] if s.options["tf"] else s.mul(s.lr, new["buffer"])
    new["w"] = s.sub(s.w, change)
    return new


@emits("ClipFactor", domain=DOMAIN)
def _clip_factor(e: Emitter, op: "Op", x: List[str]) -> str:
    """min(1, limit / norm) of all gradients together; they still bear the loss scaling."""
    scaling = x[0]
    squares = [e("ReduceSumSquare", name, keepdims=0) for name in x[1:]]
    norm = e("Div", e("Sqrt", e("Sum", *squares)), scaling)
    limit = e.const(np.float32(op.attributes["limit"]))
    return e("Div", limit, e("Max", norm, limit))
