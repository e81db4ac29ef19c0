"""The clock puts keys on the queue, and does nothing else."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rollout.controller.clock import Clock
from rollout.controller.queue import Key, WorkQueue

A, B = Key("shop", "a"), Key("shop", "b")


@pytest.fixture
def queue() -> Iterator[WorkQueue]:
    queue = WorkQueue()
    yield queue
    queue.stop()


@pytest.fixture
def clock(queue: WorkQueue) -> Iterator[Clock]:
    clock = Clock(queue)
    clock.start()
    yield clock
    clock.stop()


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_key_comes_up_at_its_moment_and_not_before(queue: WorkQueue, clock: Clock) -> None:
    clock.wake(A, soon(0.2))
    began = time.monotonic()
    assert queue.take(timeout=3) == A
    assert 0.15 <= time.monotonic() - began < 1.0


def test_the_latest_moment_asked_for_counts_alone(queue: WorkQueue, clock: Clock) -> None:
    clock.wake(A, soon(0.05))
    later = soon(30)
    clock.wake(A, later)
    assert clock.due(A) == later
    assert queue.take(timeout=0.3) is None


def test_a_moment_that_is_long_over_still_counts(queue: WorkQueue, clock: Clock) -> None:
    clock.wake(A, soon(-3600))
    assert queue.take(timeout=3) == A


def test_a_cancelled_moment_wakes_nobody(queue: WorkQueue, clock: Clock) -> None:
    clock.wake(A, soon(0.05))
    clock.cancel(A)
    clock.cancel(B)
    assert clock.due(A) is None
    assert queue.take(timeout=0.3) is None


def test_moments_asked_for_before_the_start_are_kept(queue: WorkQueue) -> None:
    clock = Clock(queue)
    clock.wake(A, soon(-1))
    clock.start()
    try:
        assert queue.take(timeout=3) == A
    finally:
        clock.stop()


def test_the_resync_comes_again_and_again(clock: Clock) -> None:
    rounds = threading.Semaphore(0)
    clock.every(0.05, rounds.release)
    assert all(rounds.acquire(timeout=3) for _ in range(3))


def test_a_stopped_clock_wakes_nobody_and_may_be_stopped_again(queue: WorkQueue) -> None:
    clock = Clock(queue)
    clock.start()
    clock.wake(A, soon(0.1))
    clock.stop()
    clock.stop()
    assert queue.take(timeout=0.3) is None
