"""Durations as Kubernetes writes them: Go's `1m30s`, never bare numbers.

A bare number leaves open whether it means seconds or minutes, and durationpy knows units that Go
does not (days, weeks), so the text is checked before it is read.
"""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, Final

import durationpy
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

PATTERN: Final = r"^(0|([0-9]+(\.[0-9]+)?(h|m|s|ms))+)$"
LONGEST: Final = timedelta(days=365)


def seconds(count: float) -> timedelta:
    """Give a number of seconds as a duration: the way defaults are written in our models."""
    return timedelta(seconds=count)


@lru_cache(maxsize=1024)  # the same few in every release, read again in every pass
def parse_duration(text: str) -> timedelta:
    """Read a Go duration such as `1m30s`.

    Raises ValueError, with the text and the fix, for anything else: other units, signs, spaces,
    or more than a year.
    """
    if not re.fullmatch(PATTERN, text):
        raise ValueError(
            f"{text!r} is not a duration: write a number with a unit, as in 1m30s "
            "(units: h, m, s, ms)"
        )
    try:
        value: timedelta = durationpy.from_str(text)
    except durationpy.DurationError as error:
        raise ValueError(f"{text!r} is not a duration: write one such as 1m30s") from error
    if value > LONGEST:
        raise ValueError(f"{text!r} is longer than a year: write at most 8760h")
    return value


@lru_cache(maxsize=1024)
def format_duration(value: timedelta) -> str:
    """Say a duration as Go reads it, in its shortest form: `1h`, `1m30s`, `250ms`, `0s`."""
    milliseconds = round(value / timedelta(milliseconds=1))
    if milliseconds == 0:
        return "0s"
    text: str = durationpy.to_str(timedelta(milliseconds=milliseconds))
    return text


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        if not timedelta(0) <= value <= LONGEST:
            raise ValueError(f"{value} is out of range: give 0s to 8760h")
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"{value!r} is not a duration: write it with a unit, as in 30s")


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "maxLength": 32}),
]
"""A length of time. JSON and YAML: a Go duration such as `1m30s`; Python: a timedelta."""
