"""Moments at which a key becomes due by time alone.

The clock only puts keys on the queue. Every wait is a timestamp in status, so nothing depends on
a tick: a late one, or one that never comes, is made up for by whatever wakes the key next. The
jobs live in memory only, because a second store would be a second truth.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, cast

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from rollout.controller.queue import Key, WorkQueue

DEFAULTS: Final = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


class Clock:
    """Wakes keys at moments; one moment per key, the latest asked for."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults=DEFAULTS,
            timezone=UTC,
            daemon=True,
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ticking; moments that were asked for are forgotten."""
        if self._scheduler.running:
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=True)

    def wake(self, key: Key, at: datetime) -> None:
        """Have a key looked at at this moment, instead of any moment asked for before."""
        self._scheduler.add_job(
            self._queue.add,
            "date",
            run_date=at,
            args=(key,),
            id=_id(key),
            replace_existing=True,
        )

    def cancel(self, key: Key) -> None:
        """Forget the moment of a key."""
        try:
            self._scheduler.remove_job(_id(key))
        except JobLookupError:
            return  # there is none, which is what was asked for

    def due(self, key: Key) -> datetime | None:
        """Give the moment at which a key will be woken."""
        job = self._scheduler.get_job(_id(key))
        return None if job is None else cast("datetime", job.trigger.run_date)

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something again and again, with some jitter."""
        self._scheduler.add_job(
            call,
            "interval",
            seconds=seconds,
            jitter=seconds / 10,
            id="resync",
            replace_existing=True,
        )


def _id(key: Key) -> str:
    return f"look-again/{key}"
