"""The clock: it puts keys back on the queue when something becomes due by time alone.

Nothing may depend on a tick having fired: every pass computes anew what is due.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from rollout.controller.queue import Key

RESYNC: Final = timedelta(minutes=5)


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class Clock:
    """Calls `add(key)` at moments."""

    def __init__(self, add: Callable[[Key], None]) -> None:
        self._add = add
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop and forget everything: who leads next computes it anew."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def at(self, key: Key, moment: datetime) -> None:
        """Have a key looked at no later than a moment; a newer wish replaces the older."""
        self._scheduler.add_job(
            self._add,
            "date",
            run_date=max(moment, utc_now()),
            args=[key],
            id="/".join(key),
            replace_existing=True,
        )

    def soon(self, key: Key, seconds: float) -> None:
        """Have a key looked at after some seconds."""
        self.at(key, utc_now() + timedelta(seconds=seconds))

    def every(self, interval: timedelta, function: Callable[[], None]) -> None:
        """Call a function again and again."""
        self._scheduler.add_job(
            function, "interval", seconds=interval.total_seconds(), jitter=int(interval.seconds / 5)
        )
