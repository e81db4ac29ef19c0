"""The work queue: each key once, never twice at a time, urgent ones first."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rollout.controller.queue import Failures, Key, Lane, WorkQueue
from rollout.kube.reflector import BackOff

A, B, C = Key("shop", "a"), Key("shop", "b"), Key("shop", "c")


@pytest.fixture
def queue() -> Iterator[WorkQueue]:
    queue = WorkQueue()
    yield queue
    queue.stop()


def taken(queue: WorkQueue) -> list[Key]:
    found = []
    while (key := queue.take(timeout=0)) is not None:
        found.append(key)
    return found


def test_a_key_waits_once_however_often_it_is_added(queue: WorkQueue) -> None:
    for _ in range(5):
        queue.add(A)
    assert len(queue) == 1
    assert taken(queue) == [A]


def test_keys_come_in_the_order_in_which_they_were_added(queue: WorkQueue) -> None:
    for key in (B, A, C, B):
        queue.add(key)
    assert taken(queue) == [B, A, C]


def test_an_urgent_key_is_served_before_all_that_wait(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(B)
    queue.add(C, Lane.URGENT)
    assert taken(queue) == [C, A, B]


def test_all_traffic_is_moved_before_anything_is_cleared_away(queue: WorkQueue) -> None:
    queue.add(A, Lane.BACK)
    queue.add(B, Lane.URGENT)
    queue.add(C)
    queue.add(B, Lane.BACK)
    assert taken(queue) == [B, A, C]


def test_who_takes_only_what_is_urgent_leaves_the_rest(queue: WorkQueue) -> None:
    queue.add(A)
    assert queue.take(timeout=0, urgent_only=True) is None
    queue.add(B, Lane.URGENT)
    queue.add(C, Lane.BACK)
    assert [queue.take(timeout=0, urgent_only=True) for _ in range(2)] == [B, C]
    assert taken(queue) == [A]


def test_a_waiting_key_that_becomes_urgent_moves_to_the_front_and_stays_single(
    queue: WorkQueue,
) -> None:
    queue.add(A)
    queue.add(B)
    queue.add(B, Lane.URGENT)
    queue.add(B)
    assert taken(queue) == [B, A]


def test_a_key_is_never_given_out_while_it_is_worked_on(queue: WorkQueue) -> None:
    queue.add(A)
    assert queue.take(timeout=0) == A
    queue.add(A)
    assert queue.take(timeout=0) is None
    queue.done(A)
    assert queue.take(timeout=0) == A


def test_what_becomes_urgent_during_a_pass_is_urgent_after_it(queue: WorkQueue) -> None:
    queue.add(A)
    queue.take(timeout=0)
    queue.add(A, Lane.URGENT)
    queue.add(B)
    queue.done(A)
    assert taken(queue) == [A, B]


def test_a_key_that_was_done_and_not_added_again_does_not_come_back(queue: WorkQueue) -> None:
    queue.add(A)
    queue.take(timeout=0)
    queue.done(A)
    assert queue.take(timeout=0) is None


def test_stopping_wakes_whoever_waits_and_gives_out_nothing_more(queue: WorkQueue) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take)
        time.sleep(0.05)
        queue.stop()
        assert waiting.result(timeout=2) is None
    queue.add(A)
    assert queue.take(timeout=0) is None


def test_under_many_threads_no_key_is_worked_on_twice_at_once_and_none_is_lost(
    queue: WorkQueue,
) -> None:
    keys = [Key("shop", str(number)) for number in range(5)]
    guard, busy, clashes = threading.Lock(), set[Key](), list[Key]()
    dirty = dict.fromkeys(keys, 0)

    def work() -> None:
        while (key := queue.take()) is not None:
            with guard:
                clashes.extend([key] if key in busy else [])
                busy.add(key)
                dirty[key] = 0
            time.sleep(0.0002)
            with guard:
                busy.discard(key)
            queue.done(key)

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work) for _ in range(4)]
        for number in range(500):
            key = keys[number % len(keys)]
            with guard:
                dirty[key] = 1
            queue.add(key)
        deadline = time.monotonic() + 5
        while (len(queue) or busy or any(dirty.values())) and time.monotonic() < deadline:
            time.sleep(0.005)
        queue.stop()
        for worker in workers:
            worker.result(timeout=2)
    assert clashes == []
    assert not any(dirty.values())


def test_waits_after_failures_grow_to_a_bound_and_differ() -> None:
    failures = Failures(BackOff(first=1.0, longest=8.0))
    waits = [failures.failed(A) for _ in range(8)]
    for wait, middle in zip(waits, [1, 2, 4, 8, 8, 8, 8, 8], strict=True):
        assert 0.5 * middle <= wait <= 1.5 * middle
    assert len(set(waits)) > 1


def test_failures_are_counted_per_key_and_forgotten_after_a_success() -> None:
    failures = Failures(BackOff(first=1.0, longest=1000.0))
    for _ in range(6):
        failures.failed(A)
    assert failures.failed(B) <= 1.5
    failures.forget(A)
    assert failures.failed(A) <= 1.5
