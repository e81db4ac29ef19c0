"""Releases that another version of rollout made: in nobody's way but their own."""

from dataclasses import replace
from typing import Any

import pytest

from rollout.commands.doctor.service import objects_of
from rollout.commands.early import refuse_beside
from rollout.commands.ops.family import find_family
from rollout.commands.readable import readable, valid
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.cluster import ObjectList
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind, Object
from tests import build
from tests.controller.rig import SPACE, Bounded, Rig


def known(name: str, rollout: str, phase: str = "Succeeded", **spec: Any) -> dict[str, Any]:
    made = build.release(name, **spec)
    metadata = {"name": name, "namespace": SPACE, "creationTimestamp": "2026-01-01T12:00:00Z"}
    return {
        **made,
        "metadata": metadata,
        "spec": {**made["spec"], "rollout": rollout},
        "status": {"phase": phase},
    }


def newer(name: str, rollout: str, phase: str = "Succeeded") -> dict[str, Any]:
    """A release with a field that we do not know."""
    made = known(name, rollout, phase, newField=1)
    return {**made, "metadata": {**made["metadata"], "creationTimestamp": "2026-01-02T12:00:00Z"}}


MINE = known("web-v2", "web", "Progressing")


@pytest.mark.parametrize("name", ["web", "web-v2"])
@pytest.mark.parametrize("phase", ["Succeeded", "Progressing", "Unheard"])
def test_one_of_another_rollout_hides_no_release(name: str, phase: str) -> None:
    found = readable([newer("api-v3", "api", phase), MINE], name)
    assert [one.metadata.name for one in found] == ["web-v2"]


def test_one_that_has_ended_is_in_the_way_of_nobody_who_names_nothing() -> None:
    found = readable([newer("api-v3", "api"), MINE], None)
    assert [one.metadata.name for one in found] == ["web-v2"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (newer("web-v3", "web"), "web-v3"),
        (newer("web-v3", "web", "Paused"), "web"),
        (newer("api-v3", "api", "Paused"), None),
    ],
)
def test_one_that_may_be_meant_is_refused_by_its_name(raw: Object, name: str | None) -> None:
    with pytest.raises(CommandRefusedError) as refused:
        readable([MINE, raw], name)
    assert str(refused.value) == (
        f"release {name_of(raw)} is not for this version of rollout (spec.newField: there is no "
        "such field: remove it): use that of the controller, or name another release"
    )


def test_the_last_one_is_not_taken_for_the_one_before() -> None:
    before = known("web-v1", "web")
    with pytest.raises(CommandRefusedError, match="release web-v3 is not for this version"):
        readable([newer("web-v3", "web"), before], "web")
    assert [one.metadata.name for one in valid([newer("web-v3", "web"), before])] == ["web-v1"]


class Mixed(Bounded):
    """A cluster in which another team has a newer rollout at work."""

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        found = super().list(kind, namespace, label_selector)
        others = (newer("api-v3", "api", "Unheard"), MINE) if kind is Kind.RELEASE else ()
        return replace(found, items=(*found.items, *others))


def test_what_looks_after_a_service_sees_its_own_releases() -> None:
    objects = (build.deployment(), build.service(), build.ingress(), build.rollout())
    cluster = Mixed(Rig(objects).cluster)
    family = find_family(cluster, SPACE, "web")
    assert family.release is not None
    assert family.release.metadata.name == "web-v2"
    found = objects_of(cluster, SPACE, family.rollout)
    assert name_of(found.release) == "web-v2"
    refuse_beside(found, "other")
