"""A leader that wakes up late: whatever it had decided, nothing of it comes through any more."""

from collections.abc import Iterator
from typing import Any

import pytest

from rollout.engine.plan import Enter, Plan
from rollout.kube.errors import Conflict
from rollout.resources.release import Phase, Release
from rollout.resources.words import EPOCH
from rollout.resources.writes import Create, Delete, Kind, Write
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.world import NAMESPACE, World
from rollout.translation.epochs import stamps
from rollout.translation.objects import Objects
from rollout.translation.writes import writes
from tests import build
from tests.engine.hands import HANDS
from tests.engine.modes import MODES
from tests.engine.play import NAME, Play, with_sweep
from tests.engine.stories import STORIES as PLAIN
from tests.engine.stories import Story
from tests.engine.trouble import TROUBLES
from tests.engine.variety import VARIETY


def written(objects: Objects, plan: Plan) -> Iterator[Write]:
    """Everything that a leader writes by a plan, each on the objects as it saw them."""
    for action in (*plan.actions, Enter(plan.status)):
        yield from writes(action, objects)


def taken_over(world: World, objects: Objects) -> SimulatedCluster:
    """The same cluster, after somebody else began to lead."""
    cluster = world.cluster.fork()
    for patch in stamps(objects, "2/another"):
        cluster.apply(patch)
    return cluster


def comes_too_late(write: Write, cluster: SimulatedCluster) -> None:
    """A patch or delete is refused; a create asks for no pods and no requests."""
    if not isinstance(write, Create):
        with pytest.raises(Conflict):
            cluster.apply(write)
        return
    notes = write.body["metadata"].get("annotations") or {}
    weights = {value for key, value in notes.items() if key.endswith("/canary-weight")}
    assert weights <= {"0"}
    assert write.body["spec"].get("replicas", 0) == 0


@pytest.mark.parametrize("story", with_sweep(PLAIN, [*TROUBLES, *HANDS, *MODES, *VARIETY]))
def test_nothing_that_was_decided_before_a_takeover_comes_through_after_it(story: Story) -> None:
    play, seen = Play(story), set[tuple[Any, ...]]()

    def until(release: Release | None) -> bool:
        over = play.over(release)
        found = None if over or release is None else play.world.plan(NAME)
        if found is not None and (kind := kind_of(*found)) not in seen:
            seen.add(kind)
            check(play.world, *found)
        return over

    play.world.run(NAME, until=until)
    assert seen


def kind_of(objects: Objects, plan: Plan) -> tuple[Any, ...]:
    """What tells plans apart here: the phase they are made in, and what they do."""
    phase = (objects.release.get("status") or {}).get("phase")
    return (phase, *map(type, plan.actions))


def check(world: World, objects: Objects, plan: Plan) -> None:
    planned = list(written(objects, plan))
    if not planned:
        return
    cluster = taken_over(world, objects)
    if Release.model_validate(objects.release).status.phase is Phase.PENDING:
        assert planned[0].kind is Kind.RELEASE  # refused, and so nothing that follows is sent
        planned = planned[:1]
    for write in planned:
        comes_too_late(write, cluster)


def test_a_stamp_on_what_has_the_stamp_is_no_write() -> None:
    world = World(build.shop())
    world.run(NAME, until=lambda r: r is not None and r.status.weight.applied == 20)
    world.take_over(NAME, "2/another")
    objects = world.objects(NAME)
    assert objects is not None
    assert stamps(objects, "2/another") == ()
    assert len(stamps(objects, "3/another")) == 7  # as many as a release at a step has objects


def test_a_release_that_waits_touches_nothing_but_itself() -> None:
    world = World(build.shop())
    world.take_over(NAME, "2/another")
    stamped = [
        obj["metadata"]["name"]
        for kind in (Kind.RELEASE, Kind.ROLLOUT, Kind.DEPLOYMENT, Kind.SERVICE)
        for obj in world.all(kind)
        if EPOCH in (obj["metadata"].get("annotations") or {})
    ]
    assert stamped == [NAME]


def test_a_service_that_is_no_longer_the_targets_is_given_back_all_the_same() -> None:
    """Its owner points it elsewhere after the takeover: no view of the release has it any more."""
    world = World(build.shop())
    world.run(NAME, until=lambda r: r is not None and r.status.reason == "PausingTarget")
    world.take_over(NAME, "2/another")
    world.patch(Kind.SERVICE, "web", {"spec": {"selector": {"app": "another"}}})
    world.cluster.apply(Delete(Kind.RELEASE, NAMESPACE, NAME))
    world.run(NAME, until=lambda release: release is None or release.status.phase.ended)
    service = world.get(Kind.SERVICE, "web")
    assert service is not None
    assert EPOCH not in (service["metadata"].get("annotations") or {})
