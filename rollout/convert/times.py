"""Durations as the others write them."""

import re
from datetime import timedelta
from typing import Any, Final

from rollout.convert.ledger import Source
from rollout.resources.duration import LONGEST, format_duration, parse_duration

PLAIN: Final = re.compile(r"[0-9]+")
WITHOUT_END: Final = format_duration(LONGEST)


def duration(source: Source, key: str) -> timedelta | None:
    """Look at a length of time: `90` and `"90"` are seconds, `1m30s` is as Go writes it.

    Raises UnreadableError for anything else.
    """
    value: Any = source.peek(key)
    if value is None:
        return None
    if type(value) is int or (isinstance(value, str) and PLAIN.fullmatch(value)):
        value = f"{value}s"
    if not isinstance(value, str):
        raise source.unreadable(key, "a duration such as 30s")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise source.unreadable(key, "a duration of at most a year, such as 30s") from error
