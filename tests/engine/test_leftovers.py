"""What is left behind or not there yet: a release clears the one away and waits for the other."""

from collections.abc import Callable

import pytest

from rollout.resources.release import Phase, Release
from rollout.resources.words import POD_TEMPLATE_HASH, RESTORE
from rollout.resources.writes import Delete, Kind
from rollout.simulate.world import NAMESPACE, World
from tests import build

When = Callable[[Release], bool]


def remove_by_force(world: World, name: str) -> None:
    """Take the finalizer off, and delete: nothing is rolled back."""
    world.patch(Kind.RELEASE, name, {"metadata": {"finalizers": None}})
    world.cluster.apply(Delete(Kind.RELEASE, NAMESPACE, name))
    world.kubelet.quiesce()


def ended(release: Release | None) -> bool:
    return release is None or release.status.phase.ended


MOMENTS: dict[str, When] = {
    "at a step": lambda r: r.status.weight.applied == 20,
    "at the last step": lambda r: r.status.weight.applied == 50,
    "at the cutover": lambda r: "cutover" in r.status.marks,
    "in the bake": lambda r: r.status.phase is Phase.BAKING,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_release_ships_its_own_version_and_leaves_nothing(moment: str) -> None:
    world = World(build.shop())
    world.run("web-v2", until=lambda r: r is not None and MOMENTS[moment](r))
    remove_by_force(world, "web-v2")
    world.create(build.release("web-v3", "v3"))
    found = world.run("web-v3", until=ended)
    assert found is not None
    assert (found.status.phase, found.status.reason) == (Phase.SUCCEEDED, "Succeeded")
    target, service = world.get(Kind.DEPLOYMENT, "web"), world.get(Kind.SERVICE, "web")
    assert target is not None
    assert service is not None
    image = target["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "registry.local/web:v3"
    assert POD_TEMPLATE_HASH not in service["spec"]["selector"]
    assert RESTORE not in (service["metadata"].get("annotations") or {})
    for kind in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS):
        assert [obj["metadata"]["name"] for obj in world.all(kind)] == ["web"]
    assert world.sight.complaints == []


def test_a_rollback_of_the_next_release_leaves_nothing_of_either() -> None:
    world = World(build.shop())
    world.run("web-v2", until=lambda r: r is not None and r.status.weight.applied == 20)
    remove_by_force(world, "web-v2")
    world.create(build.release("web-v3", "v3"))
    action = {"id": "a", "type": "rollback", "by": "ana", "at": "2026-01-01T12:00:00Z"}
    world.run("web-v3", until=lambda r: r is not None and r.status.reason == "ClearingLeftovers")
    world.patch(Kind.RELEASE, "web-v3", {"spec": {"action": action}})
    found = world.run("web-v3", until=ended)
    assert found is not None
    assert found.status.phase is Phase.ROLLED_BACK
    for kind in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS):
        assert [obj["metadata"]["name"] for obj in world.all(kind)] == ["web"]
    assert world.sight.complaints == []


def waits(release: Release | None) -> bool:
    return release is not None and release.status.reason == "NoRollout"


def without_rollout() -> World:
    objects = [body for body in build.shop() if body["kind"] != "Rollout"]
    world = World(tuple(objects))
    found = world.run("web-v2", until=waits)
    assert found is not None
    assert found.status.phase is Phase.PENDING
    return world


def test_a_release_that_is_seen_before_its_rollout_waits_for_it() -> None:
    world = without_rollout()
    world.create(build.rollout())
    found = world.run("web-v2", until=ended)
    assert found is not None
    assert found.status.phase is Phase.SUCCEEDED


def test_a_release_whose_rollout_does_not_come_fails_with_the_way_out() -> None:
    world = without_rollout()
    found = world.run("web-v2", until=ended)
    assert found is not None
    assert found.status.phase is Phase.FAILED
    assert "does not exist: create it first" in found.status.message
