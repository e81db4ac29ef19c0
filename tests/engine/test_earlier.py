"""What `undo` ships, told from releases."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rollout.engine.earlier import RESTARTED, before, needed, served
from rollout.resources.release import Release
from tests.build import canary, deployment

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def template(tag: str, *, restarted: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = deployment(image=f"registry.local/web:{tag}")["spec"]["template"]
    if restarted is not None:
        found["metadata"]["annotations"] = {RESTARTED: restarted}
    return found


def shipped(
    number: int,
    old: dict[str, Any],
    new: dict[str, Any],
    *,
    fast: bool = False,
    phase: str = "Succeeded",
) -> Release:
    resolved = {
        "strategy": canary(),
        "policy": {},
        "traffic": {},
        "deployment": "web",
        "deploymentUid": "u",
        "container": "web",
        "image": new["spec"]["containers"][0]["image"],
        "stableImage": old["spec"]["containers"][0]["image"],
        "template": new,
        "stableTemplate": old,
        "stableHash": "h",
        "replicas": 4,
    }
    finished = (START + timedelta(hours=number)).isoformat()
    return Release.model_validate(
        {
            "metadata": {"name": f"r{number}"},
            "spec": {"rollout": "web", "template": new, "fast": fast},
            "status": {"phase": phase, "finishedAt": finished, "resolved": resolved},
        }
    )


V1, V2, V3, V5 = (template(tag) for tag in ("v1", "v2", "v3", "v5"))
GROWN = [shipped(1, V1, V2), shipped(2, V2, V3)]


def tag(releases: list[Release], serving: dict[str, Any]) -> str | None:
    found = before(releases, serving)
    return None if found is None else found.image.rpartition(":")[2]


def test_undo_ships_what_served_before() -> None:
    assert tag(GROWN, V3) == "v2"


def test_undo_after_undo_goes_further_back_and_never_forward_again() -> None:
    undone = [*GROWN, shipped(3, V3, V2, fast=True)]
    assert tag(undone, V2) == "v1"
    assert tag([*undone, shipped(4, V2, V1, fast=True)], V1) is None


def test_what_is_shipped_after_an_undo_has_the_undone_one_no_more_behind_it() -> None:
    assert tag([*GROWN, shipped(3, V3, V2, fast=True), shipped(4, V2, V5)], V5) == "v2"


def test_a_release_that_did_not_succeed_never_served() -> None:
    for phase in ("RolledBack", "Failed", "Cancelled", "Superseded"):
        assert tag([*GROWN, shipped(3, V3, V5, phase=phase)], V3) == "v2"


def test_the_order_is_that_of_the_ends() -> None:
    assert tag(list(reversed(GROWN)), V3) == "v2"


def test_a_version_that_came_past_us_is_undone_to_what_succeeded_last() -> None:
    assert tag(GROWN, V5) == "v3"


def test_a_version_that_kubectl_brought_back_is_not_undone_to_the_one_fled_from() -> None:
    assert tag(GROWN, V2) == "v1"


def test_a_version_from_elsewhere_between_two_releases_counts() -> None:
    assert tag([shipped(1, V1, V2), shipped(2, V5, V3)], V3) == "v5"


def test_a_restart_makes_no_other_version() -> None:
    again = template("v3", restarted="2026-01-01T12:00:00Z")
    assert tag([*GROWN, shipped(3, V3, again)], again) == "v2"
    assert [one.image[-2:] for one in served([*GROWN, shipped(3, V3, again)])] == ["v1", "v2", "v3"]


def test_nothing_is_known_without_a_release_that_succeeded() -> None:
    assert tag([], V1) is None
    assert tag([shipped(1, V1, V2, phase="RolledBack")], V1) is None


def test_what_undo_needs_is_named_whatever_else_there_is() -> None:
    many = [shipped(n, template(f"v{n}"), template(f"v{n + 1}")) for n in range(1, 9)]
    assert needed(many) == {"r7", "r8"}


def test_the_release_that_tells_of_the_version_further_back_is_needed_after_an_undo() -> None:
    undone = [*GROWN, shipped(3, V3, V2, fast=True)]
    assert needed(undone) >= {"r1", "r3"}
    kept = [one for one in undone if one.metadata.name in needed(undone)]
    assert tag(kept, V2) == "v1"
