import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.events import Delivery, EventLevel, Limits, Recorder
from rollout.kube.series import Aggregator, Told, cut, reference
from rollout.resources.writes import Create, Object, Patch
from tests.kube import faulty
from tests.kube.faulty import FaultyServer

EVENTS = "/apis/events.k8s.io/v1/namespaces/shop/events"
RELEASE: Object = {
    "apiVersion": "rollout.dev/v1alpha1",
    "kind": "Release",
    "metadata": {"namespace": "shop", "name": "checkout-2", "uid": "u2", "resourceVersion": "7"},
    "spec": {},
}
QUICK = Delivery(call_seconds=0.3, retry_seconds=0.02, tries=3)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def told(note: str = "weight 5", *, name: str = "checkout-2", reason: str = "WeightSet") -> Told:
    about = {**reference(RELEASE), "name": name}
    return Told(about, reason, note, EventLevel.NORMAL, "Release", None, NOON)


def wait(until: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def recorder(cluster: HttpCluster) -> Iterator[Recorder]:
    recorder = Recorder(cluster, "controller-1", delivery=QUICK)
    recorder.start()
    yield recorder
    recorder.stop()


def test_an_event_says_what_happened_to_which_object(
    server: FaultyServer, recorder: Recorder
) -> None:
    recorder.record(RELEASE, "WeightSet", "weight 5", level=EventLevel.WARNING, related=RELEASE)
    wait(lambda: recorder.written == 1)
    [seen] = server.requests
    body = seen.body
    assert seen.path == EVENTS
    assert body["metadata"]["name"].startswith("checkout-2.")
    assert body["metadata"]["namespace"] == "shop"
    expected = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Release",
        "namespace": "shop",
        "name": "checkout-2",
        "uid": "u2",
    }
    assert body["regarding"] == body["related"] == expected
    words = (body["type"], body["reason"], body["action"], body["note"])
    assert words == ("Warning", "WeightSet", "Release", "weight 5")
    assert body["reportingController"] == "rollout.dev/rollout"
    assert body["reportingInstance"] == "controller-1"
    assert datetime.fromisoformat(body["eventTime"]).tzinfo


def test_repeats_become_the_count_of_one_event() -> None:
    series = Aggregator("i", Limits(series_seconds=60))
    first = series.take(told(), 0)
    second = series.take(told(), 1)
    assert isinstance(first, Create)
    assert isinstance(second, Patch)
    assert second.name == first.body["metadata"]["name"]
    assert second.body == {
        "series": {"count": 2, "lastObservedTime": "2026-11-23T12:00:00.000000Z"}
    }
    assert [series.take(told(), at) for at in (2, 30, 60)] == [None, None, None]
    assert list(series.due(60)) == []
    [later] = series.due(61)
    assert isinstance(later, Patch)
    assert body_of(later)["series"]["count"] == 5
    assert list(series.due(inf)) == []


def body_of(patch: Patch) -> dict[str, Any]:
    assert isinstance(patch.body, dict)
    return patch.body


def test_another_note_reason_or_object_is_another_event() -> None:
    series = Aggregator("i", Limits())
    others = [told(), told("weight 20"), told(reason="Held"), told(name="checkout-3")]
    assert all(isinstance(series.take(one, 0), Create) for one in others)


def test_a_storm_about_one_object_is_cut_and_others_are_still_heard() -> None:
    series = Aggregator("i", Limits(burst=3, refill_seconds=30))
    storm = [series.take(told(f"n {n}"), 0) for n in range(10)]
    assert sum(write is not None for write in storm) == 3
    assert series.take(told(name="other"), 0)
    assert series.take(told("n 11"), 29) is None
    assert series.take(told("n 12"), 31)
    assert series.take(told("n 13"), 31) is None
    assert sum(series.take(told(f"m {n}"), 10_000) is not None for n in range(10)) == 3


def test_memory_is_bounded_however_much_is_told() -> None:
    series = Aggregator("i", Limits(remembered=10))
    for number in range(1000):
        series.take(told(name=f"r{number}"), 0)
    assert len(series._series) == len(series._allowances) == 10


@pytest.mark.parametrize(
    ("text", "kept"), [("short", "short"), ("é" * 9, "éé…"), ("abcdefgh", "abcdefgh")]
)
def test_texts_are_cut_by_bytes_and_never_within_a_letter(text: str, kept: str) -> None:
    assert cut(text, 8) == kept
    assert len(cut(text * 500, 1024).encode()) <= 1024


def test_names_of_events_stay_within_the_bound_of_names() -> None:
    write = Aggregator("i", Limits()).take(told(name="n" * 253), 0)
    assert isinstance(write, Create)
    assert len(write.body["metadata"]["name"]) <= 253


def test_events_about_cluster_wide_objects_are_kept_in_default() -> None:
    about = reference({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    one = Told(about, "Seen", "", EventLevel.NORMAL, "Release", None, NOON)
    write = Aggregator("i", Limits()).take(one, 0)
    assert isinstance(write, Create)
    assert write.namespace == write.body["metadata"]["namespace"] == "default"


@pytest.mark.parametrize("fault", [faulty.says(500), faulty.says(429), faulty.drops])
def test_passing_trouble_is_tried_again_and_told_once(
    server: FaultyServer, recorder: Recorder, fault: faulty.Fault
) -> None:
    server.fault("create", fault)
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: server.count("create") >= 2)
    server.fault("create", None)
    wait(lambda: recorder.written == 1)
    names = {seen.body["metadata"]["name"] for seen in server.requests}
    assert len(names) == 1


def test_a_write_whose_answer_was_lost_is_not_made_twice(
    server: FaultyServer, recorder: Recorder
) -> None:
    def carried_out_but_unanswered(answer: faulty.Answer) -> None:
        server.put(f"{EVENTS}/{answer.seen.body['metadata']['name']}", answer.seen.body)
        server.fault("create", None)
        answer.cut()

    server.fault("create", carried_out_but_unanswered)
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: recorder.written == 1)
    assert (server.count("create"), recorder.failed) == (2, 0)


def test_failures_are_counted_given_up_and_never_raised(
    server: FaultyServer, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fault("create", faulty.says(500))
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: recorder.failed == 1)
    assert server.count("create") == 3
    server.fault("create", faulty.says(403, message="namespace is terminating"))
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: recorder.failed == 2)
    assert server.count("create") == 4
    server.fault("create", None)
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: recorder.written == 1)
    recorder.stop()
    assert "namespace is terminating" in capsys.readouterr().out


def test_a_repeat_of_an_event_that_is_gone_is_told_anew(
    server: FaultyServer, recorder: Recorder
) -> None:
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: recorder.written == 1)
    server.remove(f"{EVENTS}/{server.requests[0].body['metadata']['name']}")
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: recorder.written == 2)
    assert [seen.verb for seen in server.requests] == ["create", "patch", "create"]
    assert recorder.failed == 0


def test_what_waits_is_written_at_the_stop(server: FaultyServer, recorder: Recorder) -> None:
    for _ in range(50):
        recorder.record(RELEASE, "WeightSet", "weight 5")
    recorder.record(RELEASE, "RolledBack", "errors 8.0 % against 0.1 %")
    recorder.stop()
    notes = [seen.body.get("note") for seen in server.requests if seen.verb == "create"]
    assert notes == ["weight 5", "errors 8.0 % against 0.1 %"]
    counts = [seen.body["series"]["count"] for seen in server.requests if seen.verb == "patch"]
    assert counts == [2, 50]


def test_a_full_queue_drops_and_counts_and_returns_at_once(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.fault("create", faulty.hangs)
    delivery = Delivery(queued=5, call_seconds=5)
    recorder = Recorder(cluster, "i", delivery=delivery)
    recorder.start()
    recorder.record(RELEASE, "WeightSet", "0")
    wait(lambda: server.count("create"))
    began = time.monotonic()
    for number in range(20):
        recorder.record(RELEASE, "WeightSet", str(number + 1))
    assert time.monotonic() - began < 0.2
    assert recorder.dropped == 15
    recorder.stop(0.3)
    assert time.monotonic() - began < 1


def test_too_many_about_one_object_are_counted(recorder: Recorder) -> None:
    for number in range(30):
        recorder.record(RELEASE, "WeightSet", str(number))
    wait(lambda: recorder.written == 25)
    wait(lambda: recorder.dropped == 5)


def test_something_that_is_no_object_disturbs_nobody(
    recorder: Recorder, server: FaultyServer
) -> None:
    recorder.record({}, "WeightSet", "weight 5")
    recorder.record({"metadata": None}, "WeightSet", 7)  # type: ignore[arg-type]
    wait(lambda: recorder.failed >= 1)
    recorder.record(RELEASE, "WeightSet", "weight 5")
    wait(lambda: any(seen.path == EVENTS for seen in server.requests))


def test_a_recorder_that_was_never_started_can_be_stopped(cluster: HttpCluster) -> None:
    Recorder(cluster, "i").stop()
