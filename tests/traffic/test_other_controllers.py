"""Releases behind an ingress controller that we do not know, with a prefix of its own."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from rollout.engine.admission import objections
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import NAMESPACE, Judge, World
from rollout.translation.snapshots import snapshot
from tests import build

OTHER: Final = "ingress.example.com"
DEFAULT: Final = "nginx.ingress.kubernetes.io"
HONOURED: Final = {"canaryAnnotations": True, "annotationPrefix": OTHER}


def world(traffic: dict[str, Any], ingress_class: str = "own", judge: Judge | None = None) -> World:
    deployment, service, ingress, _, release = build.shop()
    ingress["spec"]["ingressClassName"] = ingress_class
    rollout = build.rollout(traffic=traffic)
    return World((deployment, service, ingress, rollout, release), judge=judge or Judge())


def said(told: World) -> str:
    found = told.objects("web-v2")
    assert found is not None
    return " | ".join(objection.message for objection in objections(snapshot(found)))


def annotations(told: World) -> Iterator[tuple[str, str]]:
    """Every annotation of every object that routes requests."""
    for kind in (Kind.INGRESS, Kind.SERVICE, Kind.DEPLOYMENT):
        for obj in told.all(kind):
            yield from (obj["metadata"].get("annotations") or {}).items()


def own_ingress(told: World) -> tuple[Object, Object]:
    """The user's Ingress, as far as it is the user's."""
    own = told.cluster.get(Kind.INGRESS, NAMESPACE, "web")
    return own["spec"], own["metadata"].get("annotations") or {}


def test_a_class_that_we_do_not_know_is_refused_until_it_is_said_to_honour_them() -> None:
    refused = "Ingress web has class own, not known to honour canary annotations"
    assert refused in said(world({}))
    assert refused in said(world({"annotationPrefix": OTHER}))
    assert said(world({"canaryAnnotations": True})) == ""
    assert said(world(HONOURED)) == ""


def test_a_class_that_we_know_is_refused_where_it_is_said_not_to_honour_them() -> None:
    assert said(world({}, "nginx")) == ""
    assert "class nginx, not known" in said(world({"canaryAnnotations": False}, "nginx"))


@pytest.mark.parametrize("traffic", [HONOURED, {"canaryAnnotations": True}])
@pytest.mark.parametrize(
    ("judge", "end"), [(Judge(), Phase.SUCCEEDED), (Judge(bad_from=50), Phase.ROLLED_BACK)]
)
def test_a_release_writes_the_chosen_prefix_alone_and_gives_all_back(
    traffic: dict[str, Any], judge: Judge, end: Phase
) -> None:
    told = world(traffic, judge=judge)
    before = own_ingress(told)
    prefix = traffic.get("annotationPrefix", DEFAULT)
    seen: set[tuple[str, str]] = set()
    told.after_write = lambda _: seen.update(annotations(told))
    told.run("web-v2", until=over)
    release = told.release("web-v2")
    assert release is not None
    assert release.status.phase is end
    canary = {(name, value) for name, value in seen if "/canary" in name}
    assert {name.partition("/")[0] for name, _ in canary} == {prefix}
    weights = {value for name, value in canary if name == f"{prefix}/canary-weight"}
    assert weights == {"0", "20", "50"}
    assert [ingress["metadata"]["name"] for ingress in told.all(Kind.INGRESS)] == ["web"]
    assert own_ingress(told) == before
    assert [name for name, _ in annotations(told) if "/canary" in name] == []


def over(release: Release | None) -> bool:
    return release is None or release.status.phase.ended
