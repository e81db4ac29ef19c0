"""Ages and lengths of time, as short as kubectl says them; and moments."""

from datetime import datetime, timedelta


def age(since: datetime | None, now: datetime) -> str:
    """Say how long ago a moment was: `12s`, `3m4s`, `2h5m`, `6d`; `-` for none."""
    return "-" if since is None else length(now - since)


def clock(at: datetime, now: datetime) -> str:
    """Say when it was, on the clock that `now` is of; with the date when that is not today."""
    here = at.astimezone(now.tzinfo)
    return f"{here:%H:%M:%S}" if here.date() == now.date() else f"{here:%Y-%m-%d %H:%M:%S}"


def length(span: timedelta) -> str:
    """Say a length of time in at most two units."""
    seconds = max(int(span.total_seconds()), 0)
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    first = next((i for i, (count, _) in enumerate(parts) if count), 3)
    shown = [f"{count}{unit}" for count, unit in parts[first : first + 2] if count]
    return "".join(shown) or "0s"
