"""Which pods are stable's and which the candidate's, wherever a release is."""

from typing import Any

import pytest

from rollout.resources.release import Release
from rollout.resources.words import MANAGED_BY, RELEASE_UID, ROLLOUT_LABEL
from rollout.translation.sides import Family, Side, selector_of, side_of
from tests import build

OLD, NEW = "registry.local/web:v1", "registry.local/web:v2"
UID = "release-1"


def template(image: str) -> dict[str, Any]:
    found: dict[str, Any] = build.deployment(image=image)["spec"]["template"]
    return found


def target() -> dict[str, Any]:
    found = build.deployment()
    return {**found, "metadata": {**found["metadata"], "uid": "D", "namespace": "shop"}}


def candidate(release_uid: str = UID) -> dict[str, Any]:
    labels = {MANAGED_BY: "rollout", ROLLOUT_LABEL: "web", RELEASE_UID: release_uid}
    found = build.deployment("web-candidate", NEW)
    return {**found, "metadata": {"name": "web-candidate", "uid": "C", "labels": labels}}


def replica_set(uid: str, owner: str, hash_: str, image: str) -> dict[str, Any]:
    whole = template(image)
    labels = {**whole["metadata"]["labels"], "pod-template-hash": hash_}
    return {
        "metadata": {
            "name": uid,
            "uid": uid,
            "labels": labels,
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": {**whole, "metadata": {"labels": labels}}},
    }


SETS = (
    replica_set("old", "D", "aaa", OLD),
    replica_set("new-of-target", "D", "bbb", NEW),
    replica_set("edit", "D", "ddd", "registry.local/web:edit"),
    replica_set("new", "C", "ccc", NEW),
    replica_set("foreign", "X", "aaa", OLD),
)


def pod(owner: str | None, hash_: str = "", *, leaving: bool = False, **labels: str) -> Any:
    owners = [{"uid": owner, "controller": True}] if owner else []
    gone = {"deletionTimestamp": "2026-11-26T12:00:00Z"} if leaving else {}
    metadata = {"labels": {"pod-template-hash": hash_, **labels}, "ownerReferences": owners}
    return {"metadata": {"name": "p", **metadata, **gone}}


def release(phase: str, **status: Any) -> Release:
    resolved = {
        "strategy": build.canary(),
        "policy": {},
        "traffic": {},
        "deployment": "web",
        "deploymentUid": "D",
        "container": "web",
        "template": template(NEW),
        "stableTemplate": template(OLD),
        "stableHash": "aaa",
        "replicas": 4,
    }
    hashes = {"stable": "aaa", "candidate": "ccc"}
    body = {
        "metadata": {"name": "web-v2", "namespace": "shop", "uid": UID},
        "spec": {"rollout": "web", "version": "v2"},
        "status": {"phase": phase, "hashes": hashes, "resolved": resolved, **status},
    }
    return Release.model_validate(body)


def family(found: Release | None, beside: Any = None) -> Family:
    return Family(build.rollout(), target(), found, beside, SETS)


@pytest.mark.parametrize("phase", ["Progressing", "Paused", "Promoting", "Baking", "Adopting"])
def test_while_a_release_runs_owners_and_templates_tell(phase: str) -> None:
    found = family(release(phase), candidate())
    assert side_of(pod("old"), found) is Side.STABLE
    assert side_of(pod("new"), found) is Side.CANDIDATE
    assert side_of(pod("new-of-target"), found) is Side.CANDIDATE, "the target adopts it"
    assert side_of(pod("edit"), found) is Side.OTHER, "nobody has judged it"


def test_in_place_the_target_alone_has_both_versions() -> None:
    found = family(release("Adopting"))
    assert [side_of(pod(owner), found) for owner in ("old", "new-of-target")] == [
        Side.STABLE,
        Side.CANDIDATE,
    ]


@pytest.mark.parametrize("found", [None, release("Succeeded"), release("RolledBack")])
def test_without_a_release_that_runs_all_pods_of_the_target_are_stable(
    found: Release | None,
) -> None:
    sides = {side_of(pod(owner), family(found)) for owner in ("old", "new-of-target", "edit")}
    assert sides == {Side.STABLE}


def test_what_nobody_of_ours_owns_is_other() -> None:
    found = family(release("Progressing"), candidate())
    assert side_of(pod(None), found) is Side.OTHER
    assert side_of(pod("foreign"), found) is Side.OTHER
    assert side_of(pod("unknown", "aaa"), found) is Side.OTHER


def test_a_candidate_that_somebody_else_made_is_none() -> None:
    assert family(release("Progressing"), candidate("another")).candidate is None
    assert side_of(pod("new"), family(release("Progressing"), candidate("another"))) is Side.OTHER
    assert side_of(pod("new"), family(None, candidate())) is Side.OTHER


def test_pods_that_outlive_their_replica_set_are_told_by_their_hash() -> None:
    found = family(release("Succeeded"))
    leaving = pod("gone", "ccc", leaving=True, **{"rollout.dev/track": "candidate"})
    assert side_of(leaving, found) is Side.CANDIDATE
    assert side_of(pod("gone", "aaa", leaving=True), found) is Side.STABLE
    assert side_of(pod("gone", "zzz", leaving=True), found) is Side.OTHER


def test_a_selector_is_worded_whole() -> None:
    needs = [
        {"key": "tier", "operator": "In", "values": ["web", "api"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "team", "operator": "Exists"},
        {"key": "zone", "operator": "NotIn", "values": ["x"]},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": needs}
    found = {"spec": {"selector": selector}}
    assert selector_of(found) == "app=web,tier in (web,api),!old,team,zone notin (x)"
