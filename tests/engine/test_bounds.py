"""What a status may hold: a release that people play with for long does not outgrow its object."""

import pytest

from rollout.resources.release import ACTIONS_LIMIT, TIMELINE_LIMIT, Phase, Release, ReleaseStatus
from rollout.resources.writes import Kind
from rollout.simulate.world import World
from tests import build

NAME = "web-v2"
TIMES = 40
"""Each pause and each resume is an action, and a line on the timeline."""


@pytest.fixture(scope="module")
def played() -> list[ReleaseStatus]:
    """The status after each pause and each resume at a step."""
    world, found = World(build.shop()), list[ReleaseStatus]()
    world.run(NAME, until=lambda r: r is not None and r.status.weight.applied == 20)
    for number in range(TIMES):
        found += [asked(world, "pause", number), asked(world, "resume", number)]
    return found


def asked(world: World, type_: str, number: int) -> ReleaseStatus:
    """Ask for something, and have it taken up."""
    body = {"id": f"{type_}-{number}", "type": type_, "by": "ana", "at": "2026-01-01T12:00:00Z"}
    world.patch(Kind.RELEASE, NAME, {"spec": {"action": body}})
    wanted = Phase.PAUSED if type_ == "pause" else Phase.PROGRESSING

    def until(found: Release | None) -> bool:
        return found is not None and taken(found) == body["id"] and found.status.phase is wanted

    found = world.run(NAME, until=until)
    assert found is not None
    return found.status


def taken(found: Release) -> str:
    """The action that was taken up last."""
    return found.status.actions[-1].id if found.status.actions else ""


def test_the_timeline_keeps_what_was_told_last(played: list[ReleaseStatus]) -> None:
    lengths = [len(status.timeline) for status in played]
    assert lengths[0] < TIMELINE_LIMIT == max(lengths) == lengths[-1] == 60
    assert [entry.reason for entry in played[-1].timeline] == ["PausedByPerson", "Resumed"] * 30
    assert played[-2].timeline[1:] == played[-1].timeline[:-1]


def test_the_actions_that_were_taken_up_last_are_kept(played: list[ReleaseStatus]) -> None:
    assert [len(status.actions) for status in played[:ACTIONS_LIMIT]] == list(range(1, 21))
    assert max(len(status.actions) for status in played) == ACTIONS_LIMIT == 20
    last = [one.id for one in played[-1].actions]
    assert last == [f"{type_}-{n}" for n in range(30, TIMES) for type_ in ("pause", "resume")]
