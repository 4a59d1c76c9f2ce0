"""Patterns: which graph rewrites a session applies."""

from typing import Any, Dict

from .binding import STR, Argument, instance_of, list_of, overload, resolve
from .enums import PatternsLevel

# Rewrites without which some ops have no implementation; Minimal keeps only these.
_DECOMPOSITIONS = (
    "MatMulLhsGradOp",
    "MatMulOp",
    "MatMulRhsGradOp",
    "MulArgGradOp",
    "SubtractArg1GradOp",
)
_OFF_BY_DEFAULT = ("Slice2SliceSubsample",)


class _PatternSwitch:
    """Attribute of Patterns that reads and sets the pattern of its name."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else instance.isPatternEnabled(self._pattern)

    def __set__(self, instance: Any, value: bool) -> None:
        instance.enablePattern(self._pattern, value)


class Patterns:
    """A level of patterns, or just those named; single ones can then be switched.

    The stand-in's graphs do not depend on patterns except where an op needs one.
    """

    __slots__ = ("_level", "_runtime_asserts", "_switched")
    _overloads = (
        overload(),
        overload(Argument("level", instance_of(PatternsLevel))),
        overload(Argument("patterns", list_of(STR))),
    )

    InPlace = _PatternSwitch("InPlace")
    MatMulLhsGradOp = _PatternSwitch("MatMulLhsGradOp")
    MatMulOp = _PatternSwitch("MatMulOp")
    MatMulRhsGradOp = _PatternSwitch("MatMulRhsGradOp")
    MulArgGradOp = _PatternSwitch("MulArgGradOp")
    NlllWithSoftMaxGradDirect = _PatternSwitch("NlllWithSoftmaxGradDirect")
    OpToIdentity = _PatternSwitch("OpToIdentity")
    PostNRepl = _PatternSwitch("PostNRepl")
    PreUniRepl = _PatternSwitch("PreUniRepl")
    SoftMaxGradDirect = _PatternSwitch("SoftmaxGradDirect")
    SubtractArg1GradOp = _PatternSwitch("SubtractArg1GradOp")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, values = resolve("Patterns", self._overloads, args, kwargs)
        named = values.get("patterns")
        default = PatternsLevel.Default if named is None else PatternsLevel.NoPatterns
        self._level: PatternsLevel = values.get("level", default)
        self._switched: Dict[str, bool] = dict.fromkeys(named or (), True)
        self._runtime_asserts = True

    def enablePattern(self, name: str, enable: bool) -> "Patterns":
        self._switched[name] = bool(enable)
        return self

    def isPatternEnabled(self, name: str, /) -> bool:
        if name in self._switched:
            return self._switched[name]
        if self._level is PatternsLevel.Minimal:
            return name in _DECOMPOSITIONS
        if self._level is PatternsLevel.Default:
            return name not in _OFF_BY_DEFAULT
        return self._level is PatternsLevel.All

    def enableRuntimeAsserts(self, enable: bool) -> "Patterns":
        """Whether a session refuses to work without the patterns it needs."""
        self._runtime_asserts = bool(enable)
        return self

    def __repr__(self) -> str:
        return f"Patterns(level={self._level.name}, switched={self._switched})"
