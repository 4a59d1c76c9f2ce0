"""The table of ODLA's op functions: how PopART computes each, and how Python calls it."""

from typing import List, NamedTuple

from ..registry import OPS, family, python_signature


class Row(NamedTuple):
    """``form`` is that of :class:`~odla_ipu.registry.Op`; ``python`` is "" for what only C has."""

    op: str
    family: str
    form: str
    python: str
    meaning: str


_CALLS = [
    Row(
        "odla_CreateArgument",
        "basic",
        "direct",
        "argument(name, shape, dtype='float32')",
        "An input of the computation, bound by its id.",
    ),
    Row(
        "odla_CreateConstant",
        "basic",
        "direct",
        "constant(data, name=None)",
        "A constant, or without a computation a value.",
    ),
    Row("odla_CreateValue", "basic", "direct", "", "A value whose data is set and got."),
    Row("odla_CreateVariable", "basic", "direct", "", "A variable, which training changes."),
    Row("odla_CloneValue", "basic", "direct", "", "A value with the data of another."),
    Row("odla_CloneValueById", "basic", "direct", "", "A value with the data of another."),
    Row(
        "odla_BeginIf",
        "control_flow",
        "direct",
        "if_(condition)",
        "Begin an If; with odla_EndIf it is PopART's If.",
    ),
    Row(
        "odla_EnterBranchBody",
        "control_flow",
        "direct",
        "if_(condition).then(), .otherwise()",
        "Begin the branch for a true or a false condition.",
    ),
    Row(
        "odla_EndIf",
        "control_flow",
        "direct",
        "if_(condition).results",
        "The results of the branch that runs.",
    ),
    Row(
        "odla_BeginLoop",
        "control_flow",
        "direct",
        "loop(trip_count)",
        "Begin a Loop; with odla_EndLoop it is PopART's Loop.",
    ),
    Row(
        "odla_CreateLoopVariable",
        "control_flow",
        "direct",
        "loop(trip_count).variable(init)",
        "A value that iterations hand on.",
    ),
    Row(
        "odla_EndLoop",
        "control_flow",
        "direct",
        "loop(trip_count).results",
        "The last values of the variables, and those of all iterations stacked.",
    ),
    Row(
        "odla_CustomOp",
        "custom",
        "kernel",
        "custom_op(name, inputs, **attributes)",
        "An op that ODLA has no function for, by its name.",
    ),
]


def rows() -> List[Row]:
    """All op functions of the ODLA headers: the calls that make no op first, then the ops."""
    return _CALLS + [
        Row(
            name,
            family(cls),
            cls.form,
            f"{cls.python}{python_signature(cls)}",
            (cls.__doc__ or "").strip().splitlines()[0],
        )
        for name, cls in OPS.items()
    ]
