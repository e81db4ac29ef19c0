"""A Rollout of which no release runs, as the planner sees it: the release that it could be."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from rollout.engine.plan import CreateRelease
from rollout.engine.trigger import Tending, let_go, tend
from rollout.resources.names import label_value
from rollout.resources.objects import name_of
from rollout.resources.release import Phase
from rollout.resources.rollout import Rollout, Trigger
from rollout.resources.words import API_VERSION, ROLLOUT_LABEL, TRIGGER_LABEL
from rollout.resources.writes import Create, Kind, Object
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot

NEXT = "next-of-template"


def tended(objects: Objects, releases: Iterable[Object], now: datetime) -> tuple[Objects, Tending]:
    """Decide for a Rollout, and give the objects that the actions are carried out on.

    `objects` must have the Rollout; `releases` are its own.
    """
    former = _with_former_target(objects)
    objects = former or objects
    view = replace(objects, release=of_template(objects))
    if any(not _phase(release).ended for release in releases):
        return view, Tending()
    if former is not None:
        return view, let_go(snapshot(view), for_good=True)
    names = frozenset(map(name_of, objects.releases))
    return view, tend(snapshot(view), names, now)


def _with_former_target(objects: Objects) -> Objects | None:
    """Show the Rollout with the Deployment that it holds, where its spec names another by now."""
    raw = objects.rollout or {}
    held = (raw.get("status") or {}).get("held")
    if held is None or held["deployment"] == raw["spec"]["target"]["deployment"]:
        return None
    target = {**raw["spec"]["target"], "deployment": held["deployment"]}
    return replace(objects, rollout={**raw, "spec": {**raw["spec"], "target": target}})


def _phase(release: Object) -> Phase:
    return Phase((release.get("status") or {}).get("phase") or Phase.PENDING)


def of_template(objects: Objects) -> Object:
    """Give the Release that could be made of the target's template now."""
    assert objects.rollout is not None  # noqa: S101 - there is nothing to tend without one
    rollout = Rollout.model_validate(objects.rollout)
    target = objects.named("deployments", rollout.spec.target.deployment)
    held = rollout.status.held
    saved = {"kind": "Deployment", "fields": {"spec.paused": held.paused}} if held else None
    found: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Release",
        "metadata": {"name": NEXT, "namespace": rollout.metadata.namespace, "uid": NEXT},
        "spec": {
            "rollout": rollout.metadata.name,
            **({"template": target["spec"]["template"]} if target else {"version": NEXT}),
        },
    }
    if held is not None and saved is not None:
        found["status"] = {"restore": [{**saved, "name": held.deployment, "uid": held.uid}]}
    return found


def create(action: CreateRelease, rollout: Object) -> Create:
    """Create the release of a template that waits on the target."""
    name = name_of(rollout)
    labels = {ROLLOUT_LABEL: label_value(name), TRIGGER_LABEL: str(Trigger.TEMPLATE)}
    body = {
        "apiVersion": API_VERSION,
        "kind": "Release",
        "metadata": {"name": action.name, "labels": labels},
        "spec": {
            "rollout": name,
            "template": action.template,
            **({"by": action.by[:253]} if action.by else {}),
            "reason": action.reason,
        },
    }
    return Create(Kind.RELEASE, str(rollout["metadata"]["namespace"]), body)
