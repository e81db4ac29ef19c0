"""Conditions of Argo Rollouts (`result[0] >= 0.95`) read as limits of a number."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

NUMBER: Final = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
RESULT: Final = rf"(?:asFloat\()?(?:default\()?result(?:\[0\])?(?:, *{NUMBER}\))?\)?"
LEFT: Final = re.compile(rf"{RESULT} *(<=|>=|==|<|>) *({NUMBER})")
RIGHT: Final = re.compile(rf"({NUMBER}) *(<=|>=|==|<|>) *{RESULT}")
EACH: Final = re.compile(rf"(all|any)\(result, *\{{? *# *(<=|>=|<|>) *({NUMBER}) *\}}?\)")
GUARD: Final = re.compile(
    r"!? *(?:isNaN|isInf|isNil)\(result(?:\[0\])?\)|len\(result\) *(?:==|>|!=|>=) *[01]|"
    r"result *(?:==|!=) *nil"
)
TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=="}
LEAST: Final = 1e-9
DIGITS: Final = 5
"""A narrower limit differs in the sixth digit: as many are shown in verdicts."""
OPPOSITE: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<"}


@dataclass(frozen=True)
class Strict:
    """A limit that stands for a bound which was not included itself."""

    limit: float
    bound: float
    than: str
    side: str

    @property
    def said(self) -> str:
        """What the bound was."""
        return (
            f"good was {self.than} than {self.bound:g}: limits are included, so this one is a "
            f"little {self.side} it"
        )


@dataclass(frozen=True)
class Limits:
    """What is good: from `min` to `max`, both included."""

    min: float | None = None
    max: float | None = None
    notes: tuple[str, ...] = ()
    """What is not the same as it was."""
    strict: tuple["Strict", ...] = ()
    """Limits that stand for a bound which was not included itself."""

    @property
    def told(self) -> tuple[str, ...]:
        """All that a reader must know of them."""
        held = [one.said for one in self.strict if one.limit in {self.min, self.max}]
        return (*held, *self.notes)

    @property
    def bounds(self) -> "Limits":
        """The limits as they were written, for shares, where nothing hangs on the bound itself."""
        written = {one.limit: one.bound for one in self.strict}
        low = None if self.min is None else written.get(self.min, self.min)
        high = None if self.max is None else written.get(self.max, self.max)
        return Limits(low, high, self.notes)

    def narrowed(self, other: "Limits") -> "Limits":
        """Give the limits within which both hold."""
        least = [one for one in (self.min, other.min) if one is not None]
        most = [one for one in (self.max, other.max) if one is not None]
        low, high = max(least, default=None), min(most, default=None)
        return Limits(low, high, (*self.notes, *other.notes), (*self.strict, *other.strict))

    @property
    def given(self) -> dict[str, float]:
        """The limits as a metric's fields."""
        both = {"max": self.max, "min": self.min}
        return {
            key: int(value) if float(value).is_integer() else value
            for key, value in both.items()
            if value is not None
        }


def limits(success: str | None, failure: str | None) -> Limits | None:
    """Read the two conditions of a metric; None where they say more than limits can."""
    good = _read(success, joined="&&") if success else None
    bad = _read(failure, joined="||") if failure else None
    if (success and good is None) or (failure and bad is None):
        return None
    if good is not None and bad is not None:
        return _between(good, bad)
    return good or bad


def _between(good: Limits, bad: Limits) -> Limits:
    """Join both conditions: what fails decides; between the two it was Inconclusive."""
    if (good.min, good.max) == (bad.min, bad.max):
        return Limits(bad.min, bad.max, good.notes, bad.strict)
    said = (
        "between successCondition and failureCondition a value was Inconclusive, which paused; "
        "here it is good"
    )
    return Limits(bad.min, bad.max, (*bad.notes, said), bad.strict)


def _read(condition: str, joined: str) -> Limits | None:
    """Read a condition whose parts all limit: of success joined by `&&`, of failure by `||`."""
    other = "||" if joined == "&&" else "&&"
    text = re.sub(r"\bor\b", "||", re.sub(r"\band\b", "&&", condition)).strip()
    notes: tuple[str, ...] = ()
    if other in text:
        kept = [one for one in map(_bare, text.split(other)) if not GUARD.fullmatch(one)]
        if len(kept) != 1:
            return None
        text = kept[0]
        notes = ("what it said of missing data is the policy's noData",)
    found = Limits(notes=notes)
    for part in map(_bare, text.split(joined)):
        if GUARD.fullmatch(part):
            continue
        one = _comparison(part, failing=joined == "||")
        if one is None:
            return None
        found = found.narrowed(one)
    return found if found.given else None


def _bare(part: str) -> str:
    text = part.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    return text


def _comparison(part: str, *, failing: bool) -> Limits | None:
    operator, number = "", ""
    if found := LEFT.fullmatch(part):
        operator, number = found[1], found[2]
    elif found := RIGHT.fullmatch(part):
        operator, number = TURNED[found[2]], found[1]
    elif (found := EACH.fullmatch(part)) and (found[1] == "any") == failing:
        operator, number = found[2], found[3]
    else:
        return None
    if failing and operator == "==":
        return None
    return _limit(OPPOSITE[operator] if failing else operator, float(number))


def _limit(good: str, number: float) -> Limits:
    """Give the limit of `result <good> number`.

    Limits are included, so a strict one is a little narrower: a count below 1 must not be 1.
    """
    match good:
        case ">=":
            return Limits(min=number)
        case ">":
            above = _next(number, 1)
            return Limits(min=above, strict=(Strict(above, number, "more", "above"),))
        case "<=":
            return Limits(max=number)
        case "<":
            below = _next(number, -1)
            return Limits(max=below, strict=(Strict(below, number, "less", "below"),))
        case _:
            return Limits(min=number, max=number)


def _next(number: float, sign: int) -> float:
    """Give a number a little above or below, on the safe side and still readable."""
    if not number:
        return sign * LEAST
    given = Decimal(repr(number))
    return float(given + sign * Decimal(1).scaleb(given.adjusted() - DIGITS))
