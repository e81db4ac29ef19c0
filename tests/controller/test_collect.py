"""Metrics on their own schedule, with a provider made for the test."""

import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from rollout.analysis.counts import CounterId, Failed, Outcome, Reading, Series
from rollout.analysis.evidence import Evidence, Reference
from rollout.analysis.evidence_json import encode
from rollout.analysis.signals import BAD, TOTAL, Track
from rollout.analysis.verdict import Reason, Verdict
from rollout.controller.collect import Collector
from rollout.controller.follow import Heard, restored
from rollout.controller.metrics import Metrics
from rollout.controller.queue import Key
from rollout.controller.readers import GAP
from rollout.metrics.provider import Ask, TrackQuery
from rollout.metrics.query import track_query
from rollout.resources.metric import RatioMetric
from rollout.resources.policy import Bounded, RolloutPolicySpec, Then
from rollout.resources.release import Hashes, Phase, Release, Weight
from rollout.resources.writes import Object
from tests import build
from tests.controller.test_stages import release as staged

INTERVAL = 0.1


@dataclass
class Provider:
    """Counts requests by the clock: so many a second per track, with a share of bad ones."""

    rates: dict[Track, float] = field(
        default_factory=lambda: {Track.STABLE: 4000.0, Track.CANDIDATE: 1000.0}
    )
    bad: dict[Track, float] = field(default_factory=dict)
    error: Exception | None = None
    fails: str = ""
    takes: float = 0.0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    queries: list[tuple[float, list[TrackQuery]]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    closed: threading.Event = field(default_factory=threading.Event)

    def sample(self, asks: Sequence[Ask], at: datetime) -> list[Outcome]:
        self.queries.append((time.monotonic(), [ask.query for ask in asks]))
        self.threads.add(threading.get_ident())
        time.sleep(self.takes)
        if self.error is not None:
            raise self.error
        if self.fails:
            return [Failed(at, self.fails)] * len(asks)
        seconds = (at - self.began).total_seconds()
        counters = {}
        for track, rate in self.rates.items():
            total, bad = rate * seconds, self.bad.get(track, 0.0) * rate * seconds
            one = Series(track.value)
            counters[CounterId(track, "errors", TOTAL)] = {one: total}
            counters[CounterId(track, "errors", BAD)] = {one: bad}
        read = Reading(at, counters, frozenset(track.value for track in self.rates))
        return [read] * len(asks)

    def close(self) -> None:
        self.closed.set()


@dataclass
class Desk:
    """A collector, its provider, and whom it woke."""

    provider: Provider
    collector: Collector
    woken: list[tuple[Key, bool]]


def until(claim: Callable[[], Any], what: str, seconds: float = 5.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := claim()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)
    return value


@pytest.fixture
def desk() -> Iterator[Desk]:
    provider, woken = Provider(), list[tuple[Key, bool]]()

    def wake(key: Key, urgent: bool) -> None:  # noqa: FBT001 - as the collector calls it
        woken.append((key, urgent))

    collector = Collector(
        lambda _: provider, lambda _: (), wake, lambda: datetime.now(UTC), Metrics()
    )
    yield Desk(provider, collector, woken)
    collector.stop()


POLICY = RolloutPolicySpec(
    metrics=(RatioMetric(name="errors"),),
    interval=timedelta(seconds=INTERVAL),
    no_data=Bounded(hold=timedelta(0), then=Then.ROLLBACK),
    share_tolerance=1.0,
)


def release(phase: Phase = Phase.PROGRESSING, strategy: Any = None, **status: Any) -> Release:
    now = datetime.now(UTC)
    given = {"since": now, "weight": Weight(asked=20, applied=20), "marks": {"weight": now}}
    made = staged(phase, strategy, **{**given, **status})
    resolved = made.status.resolved
    assert resolved is not None
    changed = made.status.model_copy(
        update={"resolved": resolved.model_copy(update={"policy": POLICY})}
    )
    metadata = made.metadata.model_copy(update={"uid": "u1", "namespace": "shop", "name": "web-2"})
    return made.model_copy(update={"status": changed, "metadata": metadata})


def verdict(desk: Desk, one: Release) -> Verdict | None:
    heard = desk.collector.heard(one).verdict
    return heard.verdict if heard else None


def test_a_healthy_candidate_gets_a_pass_and_wakes_its_rollout(desk: Desk) -> None:
    one = release()
    desk.collector.attend(one)
    until(lambda: verdict(desk, one) is Verdict.PASS, "a Pass")
    assert (Key("shop", "web"), False) in desk.woken


def test_a_fail_is_urgent(desk: Desk) -> None:
    desk.provider.bad = {Track.CANDIDATE: 0.2}
    one = release()
    desk.collector.attend(one)
    until(lambda: (Key("shop", "web"), True) in desk.woken, "an urgent wake-up")
    assert verdict(desk, one) is Verdict.FAIL


def test_verdicts_of_one_kind_wake_once_and_then_seldom(desk: Desk) -> None:
    one = release()
    desk.collector.attend(one)
    until(lambda: verdict(desk, one) is Verdict.PASS, "a Pass")
    known, readings = len(desk.woken), len(desk.provider.queries)
    until(lambda: len(desk.provider.queries) >= readings + 6, "six more readings")
    assert len(desk.woken) <= known + 1


def test_readings_come_at_the_interval_on_one_thread(desk: Desk) -> None:
    desk.collector.attend(release())
    until(lambda: len(desk.provider.queries) >= 6, "six readings")
    moments = [moment for moment, _ in desk.provider.queries]
    gaps = [b - a for a, b in pairwise(moments)]
    assert min(gaps[1:]) > INTERVAL * 0.6
    assert len(desk.provider.threads) == 1


def test_a_slow_provider_delays_no_question(desk: Desk) -> None:
    desk.provider.takes = 0.5
    one = release()
    began = time.monotonic()
    desk.collector.attend(one)
    until(lambda: desk.provider.queries, "a reading under way")
    desk.collector.attend(one)
    desk.collector.heard(one)
    assert time.monotonic() - began < 0.4


def test_a_reading_begins_with_the_stage(desk: Desk) -> None:
    one = release()
    desk.collector.attend(one)
    until(lambda: len(desk.provider.queries) >= 2, "two readings")
    begins = datetime.now(UTC) + timedelta(seconds=INTERVAL / 2)
    at = time.monotonic() + INTERVAL / 2
    desk.collector.attend(release(weight=Weight(asked=50, applied=50), marks={"weight": begins}))
    until(lambda: len(desk.provider.queries) >= 4, "two more")
    nearest = min(abs(moment - at) for moment, _ in desk.provider.queries)
    assert nearest < INTERVAL / 4


def test_a_verdict_of_an_earlier_step_is_never_given_out_for_a_later_one(desk: Desk) -> None:
    one = release()
    desk.collector.attend(one)
    until(lambda: verdict(desk, one) is Verdict.PASS, "a Pass at 20 %")
    desk.provider.takes = 2.0
    later = release(weight=Weight(asked=50, applied=50))
    heard = desk.collector.heard(later).verdict
    assert heard is not None
    assert (heard.verdict, heard.reason) == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)


def test_the_end_of_a_wait_for_data_is_seen_without_another_reading(desk: Desk) -> None:
    desk.provider.rates = {}
    long_ago = datetime.now(UTC) - timedelta(seconds=60)
    one = release(since=long_ago, marks={"weight": long_ago})
    desk.collector.attend(one)
    began = time.monotonic()
    until(lambda: verdict(desk, one) is Verdict.UNDECIDED, "a first verdict")

    def overdue() -> Then | None:
        heard = desk.collector.heard(one).verdict
        return heard.overdue if heard is not None else None

    assert until(overdue, "the end of the wait", 10) is Then.ROLLBACK
    assert time.monotonic() - began > 2.5, "silence before this process listened does not count"


def test_while_nothing_is_judged_there_is_no_verdict_but_readings_go_on(desk: Desk) -> None:
    one = release(Phase.PREPARING, weight=Weight(), marks={})
    desk.collector.attend(one)
    until(lambda: len(desk.provider.queries) >= 3, "readings")
    heard = desk.collector.heard(one)
    assert heard.verdict is None
    assert heard.evidence is not None
    assert (heard.evidence.looks, heard.evidence.strata) == (0, ())
    assert desk.woken == []


def test_at_the_cutover_stable_is_frozen_and_stays_the_reference(desk: Desk) -> None:
    one = release()
    desk.collector.attend(one)
    until(lambda: verdict(desk, one) is Verdict.PASS, "a Pass")
    marks = {"cutover": datetime.now(UTC)}
    baking = release(Phase.BAKING, weight=Weight(asked=100, applied=100), marks=marks)
    desk.collector.attend(baking)
    desk.provider.rates = {Track.CANDIDATE: 5000.0}
    until(lambda: verdict(desk, baking) is Verdict.PASS, "a Pass in the bake")
    heard = desk.collector.heard(baking)
    assert heard.verdict is not None
    assert heard.verdict.reference is Reference.BEFORE
    assert heard.evidence is not None
    assert heard.evidence.before is not None
    assert heard.evidence.before.counts["errors"].total > 100


def test_blue_green_asks_for_stable_alone_before_the_cutover(desk: Desk) -> None:
    one = release(strategy=build.blue_green(), weight=Weight(), marks={})
    desk.provider.rates = {Track.STABLE: 4000.0}
    desk.collector.attend(one)
    until(lambda: verdict(desk, one) is Verdict.PASS, "a reference")


def test_a_provider_that_raises_is_an_error_of_metrics_and_not_the_end(desk: Desk) -> None:
    desk.provider.error = ZeroDivisionError("a bug")
    one = release()
    desk.collector.attend(one)
    until(lambda: len(desk.provider.queries) >= 3, "readings go on")
    evidence = desk.collector.heard(one).evidence
    assert evidence is not None
    assert evidence.trouble is not None
    assert "ZeroDivisionError" in evidence.trouble.message
    desk.provider.error = None
    until(lambda: verdict(desk, one) is Verdict.PASS, "a Pass after all")


def test_evidence_survives_a_restart() -> None:
    before = Evidence(looks=7, until=datetime(2026, 1, 1, tzinfo=UTC))
    assert restored(release(evidence=encode(before))) == before


def test_evidence_that_somebody_has_edited_is_not_trusted() -> None:
    assert restored(release(evidence={"strata": "all is well"})) == Evidence()


def test_a_release_that_ends_is_read_no_more_and_its_provider_is_closed(desk: Desk) -> None:
    desk.collector.attend(release())
    until(lambda: desk.provider.queries, "a reading")
    desk.collector.attend(release(Phase.ROLLING_BACK))
    assert desk.provider.closed.wait(2)
    count = len(desk.provider.queries)
    time.sleep(INTERVAL * 2)
    assert len(desk.provider.queries) == count
    assert desk.collector.heard(release()) == Heard()


def test_a_release_that_was_deleted_is_read_no_more(desk: Desk) -> None:
    desk.collector.attend(release())
    until(lambda: desk.provider.queries, "a reading")
    desk.collector.keep(frozenset({"u1"}))
    assert not desk.provider.closed.is_set()
    desk.collector.keep(frozenset())
    assert desk.provider.closed.wait(2)


def test_stopping_waits_for_readings_and_closes_providers(desk: Desk) -> None:
    desk.provider.takes = 0.2
    desk.collector.attend(release())
    until(lambda: desk.provider.queries, "a reading under way")
    desk.collector.stop()
    assert desk.provider.closed.is_set()


def pod(name: str, hash_: str, **metadata: Any) -> Object:
    notes = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    labels = {"pod-template-hash": hash_}
    return {
        "metadata": {"name": name, "labels": labels, "annotations": notes, **metadata},
        "status": {"podIP": "10.244.0.9", "phase": "Running"},
        "spec": {},
    }


def test_each_track_is_found_by_its_hash_and_pods_that_stop_are_left_out() -> None:
    one = release(hashes=Hashes(stable="s", candidate="c"))
    pods = (
        pod("web-s-1", "s"),
        pod("web-s-2", "s", deletionTimestamp="now"),
        pod("web-c-1", "c"),
        pod("x", "x"),
    )
    query = track_query(one, pods)
    assert [p.name for p in query.stable.pods] == ["web-s-1"]
    assert [p.name for p in query.candidate.pods] == ["web-c-1"]
    assert (query.stable.service, query.candidate.service) == ("web", "web-candidate")
    assert query.candidate.route == "web"


def test_after_the_cutover_the_users_service_leads_to_the_candidate() -> None:
    marks = {"cutover": datetime.now(UTC)}
    query = track_query(release(Phase.BAKING, marks=marks), ())
    assert (query.stable.service, query.candidate.service) == ("", "web")


# --- many releases, one reader


def numbered(number: int, interval: float = INTERVAL, **status: Any) -> Release:
    one = release(**status)
    resolved = one.status.resolved
    assert resolved is not None
    policy = resolved.policy.model_copy(update={"interval": timedelta(seconds=interval)})
    changed = {"resolved": resolved.model_copy(update={"policy": policy})}
    metadata = one.metadata.model_copy(update={"uid": f"u{number}", "name": f"web-{number}"})
    status_ = one.status.model_copy(update=changed)
    return one.model_copy(update={"status": status_, "metadata": metadata})


def asked(desk: Desk) -> list[int]:
    return [len(queries) for _, queries in list(desk.provider.queries)]


def test_releases_of_one_provider_are_read_together_on_one_thread(desk: Desk) -> None:
    releases = [numbered(n, 0.4) for n in range(30)]
    for one in releases:
        desk.collector.attend(one)
    until(lambda: asked(desk)[-1:] == [30], "a reading for all")
    began, before = time.monotonic(), len(asked(desk))
    until(lambda: len(asked(desk)) >= before + 5, "five more readings")
    assert asked(desk)[before:] == [30] * (len(asked(desk)) - before)
    assert time.monotonic() - began > 4 * 0.4
    assert len(desk.provider.threads) == 1


def test_those_that_join_between_ticks_are_read_soon(desk: Desk) -> None:
    """What they count from then on counts, instead of from the next tick on."""
    desk.collector.attend(numbered(0, 2.0))
    until(lambda: desk.provider.queries, "a first reading")
    for number in range(1, 30):
        desk.collector.attend(numbered(number, 2.0))
    until(lambda: sum(asked(desk)) == 30, "all are read", 1.0)
    assert len(asked(desk)) <= 3


def test_releases_with_another_interval_are_read_apart(desk: Desk) -> None:
    desk.collector.attend(numbered(1))
    desk.collector.attend(numbered(2, 0.2))
    until(lambda: len(asked(desk)) >= 8, "readings")
    assert set(asked(desk)) == {1}
    assert len(desk.provider.threads) == 2


def test_stages_that_begin_between_ticks_share_the_readings_between_them(desk: Desk) -> None:
    """Each gets a reading soon after it begins, and yet there are few."""
    releases = [numbered(n, 3.0) for n in range(40)]
    for one in releases:
        desk.collector.attend(one)
    until(lambda: all(reached(desk, one) == 20 for one in releases), "counts at 20 %")
    before, began, starts = len(asked(desk)), time.monotonic(), dict[int, datetime]()
    for number in range(40):
        starts[number] = datetime.now(UTC)
        weight = Weight(asked=50, applied=50)
        moved = numbered(number, 3.0, weight=weight, marks={"weight": starts[number]})
        desk.collector.attend(moved)
        releases[number] = moved
        time.sleep(0.02)
    until(lambda: all(reached(desk, one) == 50 for one in releases), "counts at 50 %")
    took = time.monotonic() - began
    assert len(asked(desk)) - before <= 4 * took + 2
    for number, one in enumerate(releases):
        evidence = desk.collector.heard(one).evidence
        assert evidence is not None
        late = (evidence.strata[-1].since - starts[number]).total_seconds()
        assert 0 <= late < 1.8, "its first block begins soon after the stage"


def reached(desk: Desk, one: Release) -> int:
    """Tell the weight at which requests were counted last."""
    evidence = desk.collector.heard(one).evidence
    return evidence.strata[-1].stage.weight if evidence and evidence.strata else 0


def test_a_failure_of_the_provider_reaches_each_release(desk: Desk) -> None:
    desk.provider.fails = "out of sorts"
    releases = [numbered(n) for n in range(5)]
    for one in releases:
        desk.collector.attend(one)

    def troubles() -> list[str]:
        found = [desk.collector.heard(one).evidence for one in releases]
        return [one.trouble.message for one in found if one and one.trouble]

    until(lambda: troubles() == ["out of sorts"] * 5, "the failure on each")


def test_a_release_that_leaves_takes_nobody_with_it(desk: Desk) -> None:
    desk.collector.attend(numbered(1))
    desk.collector.attend(numbered(2))
    until(lambda: asked(desk)[-1:] == [2], "both are read")
    desk.collector.leave("u1")
    until(lambda: asked(desk)[-1] == 1, "only one is read")
    assert not desk.provider.closed.is_set()
    desk.collector.leave("u2")
    assert desk.provider.closed.wait(2)
    desk.provider.closed.clear()
    desk.collector.attend(numbered(3))
    until(lambda: verdict(desk, numbered(3)), "a new reader for the next")


def test_a_release_that_cannot_be_read_costs_the_others_nothing(
    logged: list[MutableMapping[str, Any]],
) -> None:
    """Pods of one namespace are no pods, and one verdict is told to somebody who fails."""
    provider, told = Provider(), list[str]()

    def pods(namespace: str) -> tuple[Object, ...]:
        return ({"no": "pod"},) if namespace == "broken" else ()

    def wake(key: Key, _urgent: bool) -> None:  # noqa: FBT001 - as the collector calls it
        told.append(key.namespace)
        if key.namespace == "deaf":
            raise ZeroDivisionError("a bug")

    own = Collector(lambda _: provider, pods, wake, lambda: datetime.now(UTC), Metrics())
    for number, namespace in enumerate(("broken", "deaf", "shop")):
        one = numbered(number)
        metadata = one.metadata.model_copy(update={"namespace": namespace})
        own.attend(one.model_copy(update={"metadata": metadata}))
    until(lambda: len(provider.queries) >= 5, "readings go on")
    own.stop()
    assert "shop" in told
    assert {len(queries) for _, queries in provider.queries[1:]} == {2}
    events = {entry["event"] for entry in logged}
    assert {"a release cannot be read", "a reading could not be taken"} <= events


def test_a_mistake_of_ours_costs_one_reading_and_not_those_that_follow(
    logged: list[MutableMapping[str, Any]],
) -> None:
    provider = Provider()

    def failed() -> bool:
        return any(entry["event"] == "a reading failed" for entry in logged)

    def now() -> datetime:
        reads = threading.current_thread().name == "metrics"
        if reads and len(provider.queries) == 2 and not failed():
            raise ZeroDivisionError("a bug")
        return datetime.now(UTC)

    own = Collector(lambda _: provider, lambda _: (), lambda *_: None, now, Metrics())
    own.attend(numbered(1))
    until(lambda: len(provider.queries) >= 4, "readings go on")
    own.stop()
    assert failed()


def test_a_mistake_that_stays_is_no_reason_to_spin(
    logged: list[MutableMapping[str, Any]],
) -> None:
    def now() -> datetime:
        if threading.current_thread().name == "metrics":
            raise ZeroDivisionError("a bug")
        return datetime.now(UTC)

    def failed() -> int:
        return sum(entry["event"] == "a reading failed" for entry in logged)

    own = Collector(lambda _: Provider(), lambda _: (), lambda *_: None, now, Metrics())
    own.attend(numbered(1))
    began = time.monotonic()
    until(lambda: failed() >= 4, "it is tried again")
    took = time.monotonic() - began
    own.stop()
    assert took > 2 * GAP * INTERVAL


def test_each_release_asks_for_its_own_pods_only(desk: Desk) -> None:
    mine, others = pod("web-c-1", "c"), pod("x-1", "x")
    woken: list[Any] = []
    collector = Collector(
        lambda _: desk.provider,
        lambda _: (mine, others),
        lambda *given: woken.append(given),
        lambda: datetime.now(UTC),
        Metrics(),
    )
    collector.attend(release(hashes=Hashes(stable="s", candidate="c")))
    collector.attend(
        numbered(2).model_copy(
            update={"status": release(hashes=Hashes(stable="x", candidate="y")).status}
        )
    )
    until(lambda: asked(desk)[-1:] == [2], "both are read")
    collector.stop()
    first, second = desk.provider.queries[-1][1]
    assert [p.name for p in first.candidate.pods] == ["web-c-1"]
    assert [p.name for p in second.stable.pods] == ["x-1"]
