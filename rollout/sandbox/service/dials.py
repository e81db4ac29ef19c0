"""How bad a pod of the sample service is told to be, read from its image tag and environment.

A version of a real service is bad because of what is in its image. So is ours: the tag says what
is wrong (`v1.2.4-errors5`), which lets `kubectl set image` and `rollout start` ship a bad version
with no other change. Environment variables override the tag for what belongs to a place rather
than to a version.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

ENVIRONMENT_PREFIX: Final = "ROLLOUT_SAMPLE_"
_SUFFIX: Final = re.compile(r"([a-z]+)([0-9.x]*)")


class DialError(ValueError):
    """A dial that cannot be set. The message names the dial, the value and the form it takes."""


@dataclass(frozen=True)
class Dials:
    """What a pod does wrong. The default is a good pod.

    `errors` and `slow_share` are shares of requests (0 to 1), durations are seconds,
    `overload` is requests a second on this pod above which every request fails. `linger` is how
    long it goes on serving when it is told to stop, as services do that wait for their routers.
    """

    errors: float = 0.0
    slow_share: float = 0.0
    slow_seconds: float = 0.0
    startup_seconds: float = 0.0
    crash_after: float | None = None
    never_ready: bool = False
    overload: float | None = None
    linger: float = 0.0


def read_dials(tag: str, environment: Mapping[str, str] | None = None) -> Dials:
    """Read the dials of an image tag, then those of the environment, which win.

    Suffixes of the tag that name no dial (`-rc1`) are part of the version and mean nothing here.
    Raises DialError for a known dial with a value that cannot be read.
    """
    dials = Dials()
    for suffix in tag.split("-")[1:]:
        match = _SUFFIX.fullmatch(suffix)
        if match is not None and match[1] in _DIALS:
            dials = _turn(dials, match[1], match[2], f"image tag {tag!r}")
    for name, value in (environment or {}).items():
        dial = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name.startswith(ENVIRONMENT_PREFIX) and dial in _DIALS:
            dials = _turn(dials, dial, value, f"environment variable {name}={value!r}")
    return dials


def _turn(dials: Dials, dial: str, value: str, where: str) -> Dials:
    turn, form = _DIALS[dial]
    try:
        return turn(dials, value)
    except ValueError as cause:
        msg = f"{where}: dial {dial!r} does not take {value!r}; write {form}"
        raise DialError(msg) from cause


def _errors(dials: Dials, value: str) -> Dials:
    return replace(dials, errors=_amount(value, 100) / 100)


def _slow(dials: Dials, value: str) -> Dials:
    share, milliseconds = value.split("x")
    return replace(
        dials, slow_share=_amount(share, 100) / 100, slow_seconds=_amount(milliseconds) / 1000
    )


def _startup(dials: Dials, value: str) -> Dials:
    return replace(dials, startup_seconds=_amount(value))


def _crash(dials: Dials, value: str) -> Dials:
    return replace(dials, crash_after=_amount(value))


def _never_ready(dials: Dials, value: str) -> Dials:
    if value.lower() not in {"", "true", "false"}:
        raise ValueError(value)
    return replace(dials, never_ready=value.lower() != "false")


def _overload(dials: Dials, value: str) -> Dials:
    return replace(dials, overload=_amount(value))


def _linger(dials: Dials, value: str) -> Dials:
    return replace(dials, linger=_amount(value))


def _amount(value: str, maximum: float = math.inf) -> float:
    amount = float(value)
    if not 0 <= amount <= maximum:
        raise ValueError(value)
    return amount


_DIALS: Final[Mapping[str, tuple[Callable[[Dials, str], Dials], str]]] = {
    "errors": (_errors, "a percentage of requests, as in errors5"),
    "slow": (_slow, "percentage x milliseconds, as in slow20x300"),
    "startup": (_startup, "seconds, as in startup3"),
    "crash": (_crash, "seconds after the start, as in crash2"),
    "neverready": (_never_ready, "nothing in a tag, true or false in the environment"),
    "linger": (_linger, "seconds after being told to stop, as in linger5"),
    "overload": (_overload, "requests a second on one pod, as in overload20"),
}
FORMS: Final[Mapping[str, str]] = {name: form for name, (_, form) in _DIALS.items()}
"""What each dial takes, for people."""
