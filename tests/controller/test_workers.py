"""What becomes of a key after a pass."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from rollout.controller.clock import Clock
from rollout.controller.metrics import Metrics
from rollout.controller.queue import Key, Lane, WorkQueue
from rollout.controller.reconcile import Result
from rollout.controller.workers import BUSY_PASSES, Workers
from rollout.controller.writer import LeaseLostError
from rollout.kube.errors import Conflict, ServerFault, TooManyRequests

A, B = Key("shop", "a"), Key("shop", "b")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Passes:
    say: Callable[[Key], Result] = lambda _: Result()
    keys: list[Key] = field(default_factory=list)

    def reconcile(self, key: Key) -> Result:
        self.keys.append(key)
        return self.say(key)


@dataclass
class Shop:
    passes: Passes
    queue: WorkQueue
    clock: Clock
    workers: Workers

    def work(self, key: Key = A) -> None:
        """Add a key and wait until all that follows at once is over."""
        before = len(self.passes.keys)
        self.queue.add(key)
        until(lambda: len(self.passes.keys) > before)
        self.settle()

    def settle(self) -> None:
        quiet = 0
        while quiet < 3:
            before = len(self.passes.keys)
            time.sleep(0.02)
            quiet = quiet + 1 if before == len(self.passes.keys) and before else 0

    def wait(self, key: Key = A) -> float:
        """Seconds until the clock wakes a key."""
        until(lambda: self.clock.due(key) is not None)
        due = self.clock.due(key)
        assert due is not None
        return (due - now()).total_seconds()


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < deadline, "not within 10 s"
        time.sleep(0.005)


@pytest.fixture
def shop() -> Iterator[Shop]:
    queue = WorkQueue()
    clock, passes, metrics = Clock(queue), Passes(), Metrics()
    workers = Workers(2, passes, queue, clock, metrics=metrics, now=now)
    clock.start()
    workers.start()
    yield Shop(passes, queue, clock, workers)
    queue.stop()
    assert workers.join(5)
    clock.stop()


def test_after_a_write_the_key_is_looked_at_again_at_once(shop: Shop) -> None:
    shop.passes.say = lambda _: Result(written=len(shop.passes.keys) < 4)
    shop.work()
    assert shop.passes.keys == [A] * 4


def test_the_plan_says_when_to_look_again(shop: Shop) -> None:
    shop.passes.say = lambda _: Result(look_again=now() + timedelta(minutes=9))
    shop.work()
    assert 500 < shop.wait() < 541


def test_a_plan_that_waits_for_nothing_forgets_the_moment_of_the_one_before(shop: Shop) -> None:
    shop.passes.say = lambda _: Result(look_again=now() + timedelta(minutes=9))
    shop.work()
    shop.passes.say = lambda _: Result()
    shop.work()
    assert shop.clock.due(A) is None


def test_an_error_is_tried_again_later_and_later(shop: Shop) -> None:
    shop.passes.say = lambda _: Result(errors=(ServerFault("no"),))
    waits = []
    for _ in range(4):
        shop.work()
        waits.append(shop.wait())
        shop.clock.cancel(A)
    assert waits[3] > 1.5 > waits[0]


def test_the_wait_that_a_server_asks_for_is_kept(shop: Shop) -> None:
    error = TooManyRequests("slow down", retry_after=40.0)
    shop.passes.say = lambda _: Result(errors=(error,))
    shop.work()
    assert 38 < shop.wait() <= 40


def test_a_lost_race_is_tried_again_in_a_moment(shop: Shop) -> None:
    shop.passes.say = lambda _: Result(
        errors=() if len(shop.passes.keys) > 1 else (Conflict("faster"),)
    )
    shop.queue.add(A)
    deadline = time.monotonic() + 2
    while len(shop.passes.keys) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert shop.passes.keys == [A, A]


def test_writing_without_an_end_is_slowed_down(shop: Shop) -> None:
    shop.passes.say = lambda _: Result(written=True)
    shop.work()
    assert len(shop.passes.keys) == BUSY_PASSES + 1
    assert shop.wait() > 0.2


def test_a_pass_that_breaks_is_the_end_of_neither_the_worker_nor_the_key(shop: Shop) -> None:
    def broken(_key: Key) -> Result:
        raise ZeroDivisionError("a bug")

    shop.passes.say = broken
    shop.work()
    assert shop.wait() > 0.1
    assert shop.workers.problems() == []
    shop.passes.say = lambda _: Result()
    shop.work(B)
    assert shop.passes.keys == [A, B]


def test_one_key_that_takes_long_does_not_hold_another(shop: Shop) -> None:
    def slow(key: Key) -> Result:
        time.sleep(0.5 if key == A else 0)
        return Result()

    shop.passes.say = slow
    shop.queue.add(A)
    time.sleep(0.05)
    shop.queue.add(B)
    time.sleep(0.1)
    assert shop.passes.keys == [A, B]


def test_what_is_urgent_does_not_wait_for_workers_that_are_busy(shop: Shop) -> None:
    urgent = Key("shop", "urgent")

    def slow(key: Key) -> Result:
        time.sleep(0.0 if key == urgent else 0.5)
        return Result()

    shop.passes.say = slow
    for key in (A, B, Key("shop", "c")):
        shop.queue.add(key)
    time.sleep(0.05)
    shop.queue.add(urgent, Lane.URGENT)
    time.sleep(0.1)
    assert shop.passes.keys == [A, B, urgent]


def test_a_pass_that_hangs_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout.controller.workers.STUCK_SECONDS", 0.05)

    def hang(_key: Key) -> Result:
        time.sleep(0.4)
        return Result()

    shop.passes.say = hang
    shop.queue.add(A)
    time.sleep(0.2)
    (said,) = shop.workers.problems()
    assert said.partition(" has been")[0] in {"worker-0", "worker-1"}
    time.sleep(0.4)
    assert shop.workers.problems() == []


def test_a_worker_that_lost_the_lease_ends_and_says_so() -> None:
    def lose(_key: Key) -> Result:
        raise LeaseLostError("gone")

    queue = WorkQueue()
    workers = Workers(1, Passes(lose), queue, Clock(queue), metrics=Metrics(), now=now)
    workers.start()
    queue.add(A)
    assert not workers.join(1), "the other worker goes on until the queue stops"
    assert workers.problems() == ["worker-0 has ended"]
    queue.stop()
    assert workers.join(2)
