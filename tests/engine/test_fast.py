"""The fast path: all traffic as soon as the pods are ready, and the way back open meanwhile."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.engine.admission import objections
from rollout.engine.plan import Action, Select
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind
from rollout.simulate.kubelet import Behaviour
from rollout.simulate.world import START, Judge, World
from rollout.translation.snapshots import snapshot
from tests.build import blue_green, canary, deployment
from tests.engine.stories import fast_shop

SLOW = {"drain": "30s", "bake": "1h"}


def ended(release: Release | None) -> bool:
    return release is not None and release.status.phase.ended


@pytest.mark.parametrize("strategy", [canary(**SLOW), blue_green(**SLOW)], ids=["canary", "bg"])
def test_traffic_moves_as_soon_as_the_pods_are_ready(strategy: dict[str, Any]) -> None:
    world = World(fast_shop(strategy), behaviour=lambda _: Behaviour(startup=3.0))
    began, moved = world.time, list[datetime]()

    def note(action: Action) -> None:
        release = world.release("web-v2")
        if isinstance(action, Select) and release and release.status.phase is Phase.PROMOTING:
            moved.append(world.time)

    world.after_write = note
    world.run("web-v2", until=ended)
    assert moved[0] - began <= timedelta(seconds=4), "3 s of start-up, and nothing else"
    needless = ("SetWeight", "CreateRoute", "CreateSideService")
    assert not [done for done in world.done if done.action.startswith(needless)]


def test_the_release_is_over_without_a_bake() -> None:
    world = World(fast_shop(canary(bake="1h")), judge=Judge(silent=True))
    began = world.time
    world.run("web-v2", until=ended)
    assert world.time - began < timedelta(seconds=15)


def test_a_target_in_an_update_of_its_own_is_waited_for() -> None:
    world = World(fast_shop(), behaviour=lambda _: Behaviour(startup=60.0))
    body = {"spec": {"template": deployment(image="registry.local/web:v9")["spec"]["template"]}}
    world.patch(Kind.DEPLOYMENT, "web", body)
    objects = world.objects("web-v2")
    assert objects is not None
    assert [o.reason for o in objections(snapshot(objects))] == ["TargetNotSettled"]


def test_it_is_refused_where_the_version_serves_already() -> None:
    world = World(fast_shop())
    objects = world.objects("web-v2")
    assert objects is not None
    template = objects.deployments[0]["spec"]["template"]
    raw = {**objects.release, "spec": {**objects.release["spec"], "template": template}}
    assert [o.reason for o in objections(snapshot(objects.replace(raw)))] == ["AlreadyServing"]
    assert world.time >= START
