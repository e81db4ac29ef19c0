"""How many candidate pods there are, when the target is scaled in mid-release."""

from collections.abc import Callable
from typing import Any

import pytest

from rollout.resources.conditions import ConditionStatus
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Delete, Kind
from rollout.simulate.world import NAMESPACE, World
from tests import build

When = Callable[[Release | None], bool]


def autoscaler(metric: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "maxReplicas": 20,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [metric],
        },
    }


def resource(name: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 70}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


VALUE = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}},
}
CONTAINER = {
    "type": "ContainerResource",
    "containerResource": {
        "name": "memory",
        "container": "web",
        "target": {"type": "Utilization", "averageUtilization": 70},
    },
}
PER_POD = {
    "type": "Pods",
    "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "30"}},
}


def at(weight: int) -> When:
    return lambda r: r is not None and r.status.weight.applied == weight


def candidate(world: World) -> int:
    found = world.get(Kind.DEPLOYMENT, "web-candidate")
    return int(found["spec"]["replicas"]) if found else 0


def passes(world: World, count: int = 10) -> None:
    for _ in range(count):
        world.one_pass("web-v2")


def scale(world: World, replicas: int) -> None:
    world.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": replicas}})
    passes(world)


def ask(world: World, type_: str) -> None:
    body = {"id": type_, "type": type_, "by": "ana", "at": "2026-01-01T12:00:00Z"}
    world.patch(Kind.RELEASE, "web-v2", {"spec": {"action": body}})
    passes(world, 2)


@pytest.mark.parametrize("metric", [resource("cpu"), PER_POD], ids=["cpu", "per pod"])
def test_the_candidate_grows_with_the_target_and_does_not_shrink(metric: dict[str, Any]) -> None:
    world = World((*build.shop(), autoscaler(metric)))
    world.run("web-v2", until=at(50))
    assert candidate(world) == 2
    scale(world, 8)
    assert candidate(world) == 4
    scale(world, 2)
    assert candidate(world) == 4


@pytest.mark.parametrize(
    "metric",
    [resource("memory"), CONTAINER, VALUE],
    ids=["memory", "memory of a container", "value"],
)
def test_the_size_at_the_start_is_the_base_where_an_autoscaler_need_not_follow(
    metric: dict[str, Any],
) -> None:
    world = World((*build.shop(), autoscaler(metric)))
    found = world.run("web-v2", until=at(50))
    assert found is not None
    (told,) = [c for c in found.status.conditions if c.type == "BaseFixed"]
    assert told.status is ConditionStatus.TRUE
    assert "the target's 4 replicas at the start" in told.message
    scale(world, 8)
    assert candidate(world) == 2


@pytest.mark.parametrize(
    ("said", "pods", "grown"),
    [("50%", 2, 5), ("60%", 3, 6), ("1%", 1, 1), ("100%", 4, 10), (3, 3, 3), (None, 1, 2)],
)
def test_a_step_s_own_size_is_a_count_or_a_part_of_the_target_s_rounded_up(
    said: str | int | None, pods: int, grown: int
) -> None:
    step = {"weight": 20, "minDuration": "1h", **({"replicas": said} if said else {})}
    world = World(build.shop(build.canary(steps=[step])))
    world.run("web-v2", until=at(20))
    assert candidate(world) == pods
    scale(world, 10)
    assert candidate(world) == grown


def test_the_user_s_number_of_mid_release_is_followed_and_stays_at_the_end() -> None:
    world = World(build.shop())
    world.run("web-v2", until=at(50))
    world.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 9}})
    world.run("web-v2", until=lambda r: r is not None and r.status.phase is Phase.BAKING)
    assert candidate(world) == 9
    world.run("web-v2", until=lambda r: r is not None and r.status.phase.ended)
    target = world.get(Kind.DEPLOYMENT, "web")
    assert target is not None
    assert (target["spec"]["replicas"], target["status"]["readyReplicas"]) == (9, 9)
    assert world.get(Kind.DEPLOYMENT, "web-candidate") is None


def test_a_paused_candidate_that_serves_grows_with_the_target() -> None:
    world = World(build.shop())
    world.run("web-v2", until=lambda r: r is not None and r.status.phase is Phase.BAKING)
    ask(world, "pause")
    scale(world, 6)
    assert candidate(world) == 6


def test_nothing_is_held_up_or_restored_in_a_namespace_that_is_being_deleted() -> None:
    world = World(build.shop())
    world.run("web-v2", until=at(20))
    world.namespace_terminating = True
    world.cluster.apply(Delete(Kind.RELEASE, NAMESPACE, "web-v2"))
    before = len(world.done)
    world.run("web-v2", until=lambda r: r is None)
    written = [done.action.partition("(")[0] for done in world.done[before:]]
    assert written == ["RemoveFinalizer", "RemoveFinalizer"]
