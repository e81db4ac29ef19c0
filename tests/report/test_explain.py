"""What people are told, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from rollout.report.ages import age, length
from rollout.report.explain import explain, metric_line
from rollout.report.unclaimed import UNCLAIMED
from rollout.resources.release import (
    MetricVerdict,
    PausedFrom,
    Phase,
    ReadyPods,
    Release,
    ReleaseSpec,
    ReleaseStatus,
    SideCounts,
    Weight,
)
from rollout.resources.rollout import Strategy
from rollout.resources.share import share
from rollout.simulate.world import Judge, World
from tests import build

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CANARY = Strategy.model_validate({"canary": {}})


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (59, "59s"),
        (61, "1m1s"),
        (3600, "1h"),
        (3661, "1h1m"),
        (90000, "1d1h"),
        (-5, "0s"),
    ],
)
def test_a_length_of_time_is_said_shortly(seconds: int, said: str) -> None:
    assert length(timedelta(seconds=seconds)) == said


def test_no_moment_has_no_age() -> None:
    assert age(None, NOW) == "-"


def told(strategy: Strategy = CANARY, **status: object) -> str:
    release = Release(
        spec=ReleaseSpec(rollout="web", version="v2"), status=ReleaseStatus.model_validate(status)
    )
    return "\n".join(explain(release, strategy, NOW))


def test_a_share_that_pods_make_is_told_with_the_pods() -> None:
    pods = ReadyPods(candidate=1, stable=4)
    said = told(
        phase=Phase.PROGRESSING,
        started_at=NOW,
        weight=Weight(asked=20, applied=20, pods=pods),
    )
    assert "20 % of the traffic on it, made by pods: 1 of 5" in said


def test_a_step_says_what_comes_next_and_when() -> None:
    since = NOW - timedelta(seconds=20)
    said = told(
        phase=Phase.PROGRESSING,
        since=since,
        started_at=since,
        marks={"weight": since},
        weight=Weight(asked=5, applied=5),
    )
    assert "is Progressing for 20s, 5 % of the traffic on it" in said
    assert "Next: 20 %, in 40s at the soonest, after a Pass." in said


@pytest.mark.parametrize(
    ("marks", "soonest"),
    [({"weight": NOW - timedelta(minutes=2)}, "at the next look"), ({}, "when traffic is on it")],
)
def test_a_step_that_may_pass_now_names_no_time(marks: dict[str, datetime], soonest: str) -> None:
    said = told(phase=Phase.PROGRESSING, since=NOW, started_at=NOW, marks=marks)
    assert f"Next: 20 %, {soonest}, after a Pass." in said


@pytest.mark.parametrize(
    ("approval", "what"), [({"approval": {}}, "a person is asked"), ({}, "the cutover")]
)
def test_a_preview_says_what_it_counts_for(approval: dict[str, object], what: str) -> None:
    strategy = Strategy.model_validate({"blueGreen": approval})
    said = told(strategy, phase=Phase.PROGRESSING, since=NOW, started_at=NOW)
    assert f"Next: {what}, when enough requests on stable are counted" in said


def test_a_sentence_is_said_once() -> None:
    verdict = {"result": "Fail", "message": "errors 9 % against 0 %", "at": NOW}
    said = told(phase=Phase.ROLLING_BACK, message="errors 9 % against 0 %", verdict=verdict)
    assert said.count("errors 9 %") == 1
    assert "Verdict: Fail." in said


def test_a_pause_names_the_three_ways_on() -> None:
    said = told(phase=Phase.PAUSED, since=NOW)
    assert all(f"`rollout {way}`" in said for way in ("resume", "promote", "rollback"))


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        ("Approval", "`rollout promote` approves"),
        ("EditWaiting", "status.displacedEdit keeps it"),
        ("TargetAtZero", "scale the Deployment up"),
        ("NoRoom", "make room"),
        ("NoData", "`rollout promote` goes on without metrics"),
    ],
)
def test_a_pause_names_what_its_reason_asks_for(reason: str, way: str) -> None:
    where = PausedFrom(
        phase=Phase.PROGRESSING,
        step=0,
        reason=reason,
        held=timedelta(0),
        deadline=NOW + timedelta(hours=1),
    )
    said = told(phase=Phase.PAUSED, since=NOW, paused_from=where)
    assert way in said
    assert "Without an answer it rolls back by itself in 1h." in said


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.ended], ids=str)
def test_every_open_phase_says_what_comes_next(phase: Phase) -> None:
    said = told(phase=phase, since=NOW, progress_since=NOW)
    assert "Next: " in said


def going_back(reason: str, strategy: Strategy | None = CANARY, **marks: datetime) -> str:
    """Say where a release is that goes back for errors; gives what comes next."""
    ending = {"phase": "Failed", "reason": "Contested", "message": "a Service was widened"}
    release = Release(
        spec=ReleaseSpec(rollout="web", version="v2"),
        status=ReleaseStatus.model_validate(
            {
                "phase": Phase.ROLLING_BACK,
                "reason": reason,
                "message": "what it waits for",
                "since": NOW,
                "marks": marks,
                "ending": ending,
            }
        ),
    )
    lines = explain(release, strategy, NOW)
    assert lines[1:3] == ["Why: what it waits for.", "It goes back because: a Service was widened."]
    return lines[3]


def test_the_way_back_says_what_comes_next_and_how_it_ends() -> None:
    last = "Failed when all that was changed is as it was."
    two_seconds_ago = NOW - timedelta(seconds=2)
    assert going_back("MovingTraffic") == (
        f"Next: the candidate is removed, when no request can reach it; {last}"
    )
    assert going_back("Draining", retreated=two_seconds_ago) == (
        f"Next: the candidate is removed, in 3s at the soonest; {last}"
    )
    assert going_back("Draining", strategy=None, retreated=two_seconds_ago) == (
        f"Next: the candidate is removed, when no request can reach it; {last}"
    )
    assert going_back("RemovingCandidate") == f"Next: the candidate is removed; {last}"
    assert going_back("RestoringTarget") == f"Next: {last}".replace("Failed when", "Failed, when")


@pytest.mark.parametrize("judge", [Judge(bad_from=50), Judge(bad_in_bake=True)])
def test_every_moment_of_a_way_back_says_what_comes_next(judge: Judge) -> None:
    world, told = World(build.shop(), judge=judge), list[str]()

    def look(_: object) -> None:
        release = world.release("web-v2")
        if release is not None and release.status.phase is Phase.ROLLING_BACK:
            assert release.status.resolved is not None
            told.append("\n".join(explain(release, release.status.resolved.strategy, world.time)))

    world.after_write = look
    world.run("web-v2", until=lambda release: release is None or release.status.phase.ended)
    assert len(told) > 5
    assert [said for said in told if said.count("Next: ") != 1] == []
    assert "RolledBack, when all that was changed" in told[-1]


def test_after_the_commit_no_way_back_is_promised() -> None:
    said = told(phase=Phase.ADOPTING, since=NOW, committed=True)
    assert "the candidate is removed" in said
    assert "rollback" not in said


def test_a_bake_says_when_it_ends() -> None:
    said = told(phase=Phase.BAKING, since=NOW, marks={"cutover": NOW - timedelta(minutes=1)})
    assert "in 4m" in said


def test_a_metric_is_told_with_its_numbers() -> None:
    metric = MetricVerdict(
        name="errors",
        result="Fail",
        stable=SideCounts(bad=1, total=900),
        candidate=SideCounts(bad=30, total=100),
        p_value=0.0001,
    )
    assert metric_line(metric) == (
        "errors: Fail, bad: candidate 30 of 100, stable 1 of 900, chance 0.0001"
    )


def pending(seconds: float, **status: object) -> str:
    made = {"creationTimestamp": NOW - timedelta(seconds=seconds)}
    body = {"metadata": made, "spec": {"rollout": "web", "version": "v2"}, "status": status}
    return "\n".join(explain(Release.model_validate(body), None, NOW))


def test_a_release_that_nobody_looks_at_says_so_after_a_moment() -> None:
    assert UNCLAIMED not in pending(4)
    said = pending(8)
    assert "is Pending for 8s." in said
    assert f"Why: {UNCLAIMED}." in said
    assert "Next:" not in said


def test_a_release_that_waits_for_its_turn_has_its_controller() -> None:
    assert UNCLAIMED not in pending(60, observedGeneration=1, message="it waits for web-v1")


@pytest.mark.parametrize(
    ("phase", "weight", "said"),
    [
        (Phase.PREPARING, 0, "0%"),
        (Phase.PROGRESSING, 20, "20%"),
        (Phase.ADOPTING, 100, "100%"),
        (Phase.ADOPTING, 0, "-"),
        (Phase.SUCCEEDED, 0, "-"),
        (Phase.ROLLED_BACK, 0, "0%"),
        (Phase.PROGRESSING, None, "-"),
    ],
)
def test_no_share_is_told_where_there_is_no_candidate(
    phase: Phase, weight: int | None, said: str
) -> None:
    assert share(phase, weight) == said


@pytest.mark.parametrize(
    ("committed", "said"), [(True, "all traffic is on the new"), (False, "0 %")]
)
def test_only_what_is_committed_has_all_the_traffic(*, committed: bool, said: str) -> None:
    assert said in told(phase=Phase.ADOPTING, started_at=NOW, committed=committed)
