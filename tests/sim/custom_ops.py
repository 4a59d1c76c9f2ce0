"""Custom ops with numpy bodies for the tests of the stand-in."""

from odla_ipu.sim import customop

DOMAIN = "com.acme"


class Elementwise:
    """A function of arrays with the type and shape of the first."""

    def __init__(self, function, inputs):
        self.function = function
        self.outputs = [customop.Info(inputs[0].dtype, inputs[0].shape)]

    def run(self, inputs, outputs):
        outputs[0][...] = self.function(*inputs)


class Halves:
    """The rows of even and of odd number."""

    def __init__(self, inputs):
        rows, *rest = inputs[0].shape
        dtype = inputs[0].dtype
        self.outputs = [
            customop.Info(dtype, ((rows + 1) // 2, *rest)),
            customop.Info(dtype, (rows // 2, *rest)),
        ]

    def run(self, inputs, outputs):
        outputs[0][...] = inputs[0][::2]
        outputs[1][...] = inputs[0][1::2]


def cube(inputs, attributes):
    if inputs[0].dtype.kind != "f":
        raise ValueError(f"Cube takes floats, not {inputs[0].dtype}")
    return Elementwise(lambda x: x * x * x, inputs)


def scaled_sum(inputs, attributes):
    """a * x + b * y; y may be left out."""
    a, b = attributes["a"], attributes.get("b", 1)
    return Elementwise(lambda x, y=None: a * x + (0 if y is None else b * y), inputs)


def halves(inputs, attributes):
    return Halves(inputs)


def failing(inputs, attributes):
    def fail(x):
        if (x < 0).any():
            raise ValueError("negative")
        return x

    return Elementwise(fail, inputs)


def register_all():
    for name, create in {
        "Cube": cube,
        "ScaledSum": scaled_sum,
        "Halves": halves,
        "Failing": failing,
    }.items():
        customop.register(DOMAIN, name, 1, create)


register_all()


def custom(builder, name, inputs, outputs=1, **attributes):
    """Ids of the outputs of a custom op."""
    return builder.customOp(name, 1, DOMAIN, inputs, attributes, numOutputs=outputs, name=name)
