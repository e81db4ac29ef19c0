"""The one way a person changes a release: read, ask the admission, write one field.

`start` creates a Release (and a Rollout, where a Deployment has none), `submit` asks something of
a running one. Both refuse with a sentence that names the way out, and leave nothing half done.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rollout.engine.admission import admit, objections
from rollout.engine.snapshot import Snapshot
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError, Conflict, NotFound, Refused
from rollout.resources.action import Action, ActionType
from rollout.resources.objects import name_of, uid_of
from rollout.resources.release import Release
from rollout.resources.words import API_VERSION
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot

TRIES: Final = 5
"""How often an action is tried again when the release changed at the same moment."""


class CommandRefusedError(Exception):
    """A command cannot be carried out; the message says why and what would."""


@dataclass(frozen=True)
class Request:
    """What somebody wants to start."""

    version: str
    rollout: str | None = None
    deployment: str | None = None
    strategy: str | None = None
    policy: dict[str, Any] | None = None
    """A policy as `spec.policy` takes it: {"name": ...} or {"inline": {...}}."""
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Started:
    """A release that was created, and what was assumed on the way."""

    release: Object
    assumed: tuple[str, ...] = field(default_factory=tuple)


def submit(cluster: Cluster, namespace: str, release: str, action: Action) -> str:
    """Ask something of a release; gives the sentence that says what happens.

    Raises CommandRefusedError when that cannot be done now, ClusterError for the cluster.
    """
    for _ in range(TRIES):
        raw = cluster.get(Kind.RELEASE, namespace, release)
        current = Release.model_validate(raw)
        admission = admit(action, current.status)
        if not admission.accepted:
            raise CommandRefusedError(f"{release}: {admission.message}")
        try:
            cluster.apply(_action_patch(raw, action))
        except Conflict:
            continue
        return f"{release}: {action.type} asked for; {admission.message}"
    raise CommandRefusedError(f"{release} kept changing: try again")


def new_action(type_: ActionType, by: str, reason: str, now: datetime) -> Action:
    """Word a request of a person."""
    return Action(id=secrets.token_hex(8), type=type_, by=by, reason=reason, at=now)


def _action_patch(raw: Object, action: Action) -> Patch:
    body = {
        "metadata": {"resourceVersion": raw["metadata"]["resourceVersion"]},
        "spec": {"action": action.to_json()},
    }
    space = str(raw["metadata"]["namespace"])
    return Patch(Kind.RELEASE, space, name_of(raw), PatchType.MERGE, body)


def start(cluster: Cluster, namespace: str, request: Request) -> Started:
    """Start a release.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    rollout, assumed = _rollout_for(cluster, namespace, request)
    body = _release(rollout, request)
    found = _refuse_early(cluster, namespace, rollout, body)
    if "uid" in rollout["metadata"]:
        made = cluster.apply(Create(Kind.RELEASE, namespace, body))
        return Started(made, tuple(warnings(found)))
    made = _create_both(cluster, namespace, rollout, body)
    return Started(made, (*assumed, *discovered(found), *warnings(found)))


def _create_both(
    cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]
) -> Object:
    """Create a Rollout and its first Release, or neither."""
    made = cluster.apply(Create(Kind.ROLLOUT, namespace, rollout))
    try:
        return cluster.apply(Create(Kind.RELEASE, namespace, release))
    except ClusterError:
        cluster.apply(Delete(Kind.ROLLOUT, namespace, name_of(made), uid=uid_of(made)))
        raise


def discovered(found: Snapshot) -> list[str]:
    """Say what a Rollout that names nothing means in this cluster."""
    said = [f"container {found.container} of Deployment {found.target_name} is the version"]
    if found.carriers:
        said.append(f"Services that carry the split: {', '.join(found.carriers)}")
    if found.strategy.canary is not None and found.routes:
        routes = ", ".join(route.ingress for route in found.routes)
        said.append(f"Ingresses that get a canary beside them: {routes}")
    return said


def warnings(found: Snapshot) -> list[str]:
    """Say what may undo the release from outside."""
    manager = found.target.manager if found.target else ""
    if not manager:
        return []
    sentence = (
        f"{manager} owns Deployment {found.target_name}: its next sync of another template would "
        "undo this release; bring the version there too"
    )
    return [sentence]


def _rollout_for(cluster: Cluster, namespace: str, request: Request) -> tuple[Object, list[str]]:
    known = cluster.list(Kind.ROLLOUT, namespace).items
    if request.rollout is not None:
        found = [r for r in known if name_of(r) == request.rollout]
        if not found and request.deployment is None:
            there = ", ".join(map(name_of, known)) or "none"
            raise CommandRefusedError(
                f"there is no Rollout {request.rollout} in namespace {namespace} (there are: "
                f"{there}): name another, or give --deployment to create it"
            )
        if found:
            _refuse_other_target(found[0], request.deployment)
            return found[0], []
    deployment = request.deployment or _only_deployment(cluster, namespace, known)
    mine = [r for r in known if r["spec"]["target"]["deployment"] == deployment]
    if mine and request.rollout is not None:
        raise CommandRefusedError(
            f"there is no Rollout {request.rollout}, and Deployment {deployment} has one already: "
            f"use --rollout {name_of(mine[0])}"
        )
    if mine:
        return mine[0], []
    return _new_rollout(cluster, namespace, deployment, request)


def _refuse_other_target(rollout: Object, deployment: str | None) -> None:
    target = rollout["spec"]["target"]["deployment"]
    if deployment not in {None, target}:
        raise CommandRefusedError(
            f"Rollout {name_of(rollout)} ships Deployment {target}, not {deployment}: leave "
            "--deployment out, or name another Rollout"
        )


def _only_deployment(cluster: Cluster, namespace: str, rollouts: tuple[Object, ...]) -> str:
    if len(rollouts) == 1:
        return str(rollouts[0]["spec"]["target"]["deployment"])
    names = [
        name_of(d)
        for d in cluster.list(Kind.DEPLOYMENT, namespace).items
        if "rollout.dev/rollout" not in (d["metadata"].get("labels") or {})
    ]
    if len(names) == 1 and not rollouts:
        return names[0]
    choices = sorted(map(name_of, rollouts)) or names
    raise CommandRefusedError(
        f"which one? There are {len(choices)} in namespace {namespace} "
        f"({', '.join(choices) or 'no Deployment'}): give --deployment or --rollout"
    )


def _new_rollout(
    cluster: Cluster, namespace: str, deployment: str, request: Request
) -> tuple[Object, list[str]]:
    try:
        cluster.get(Kind.DEPLOYMENT, namespace, deployment)
    except NotFound as error:
        there = ", ".join(name_of(d) for d in cluster.list(Kind.DEPLOYMENT, namespace).items)
        raise CommandRefusedError(
            f"there is no Deployment {deployment} in namespace {namespace} "
            f"(there are: {there or 'none'})"
        ) from error
    strategy = request.strategy or "canary"
    name = request.rollout or deployment
    body = {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"target": {"deployment": deployment}, "strategy": _strategy(strategy)},
    }
    if request.policy is not None:
        body["spec"]["policy"] = request.policy  # type: ignore[index]
    return body, [
        f"Deployment {deployment} had no Rollout: {name} is created",
        f"strategy {strategy} with its defaults; change it in the Rollout's spec.strategy",
        *([] if request.policy else ["policy web-default: errors and latency, read from the pods"]),
    ]


def _strategy(name: str) -> dict[str, Any]:
    if name not in {"canary", "blue-green"}:
        raise CommandRefusedError(f"--strategy {name!r}: use canary or blue-green")
    return {"canary": {}} if name == "canary" else {"blueGreen": {}}


def _release(rollout: Object, request: Request) -> dict[str, Any]:
    spec: dict[str, Any] = {"rollout": name_of(rollout), "version": request.version}
    overrides: dict[str, Any] = {}
    if request.strategy is not None:
        wanted = _strategy(request.strategy)
        if not set(wanted) & set(rollout["spec"]["strategy"]):
            overrides["strategy"] = wanted
    if request.policy is not None and "uid" in rollout["metadata"]:
        overrides["policy"] = request.policy
    said = {"overrides": overrides, "by": request.by, "reason": request.reason}
    spec |= {key: value for key, value in said.items() if value}
    name = release_name(name_of(rollout), request.version)
    return {
        "apiVersion": API_VERSION,
        "kind": "Release",
        "metadata": {"name": name, "labels": {"rollout.dev/rollout": name_of(rollout)[:63]}},
        "spec": spec,
    }


def release_name(rollout: str, version: str) -> str:
    """Give a new release a name that says what it is."""
    tag = re.sub(r"[^a-z0-9.]+", "-", version.lower().rpartition("/")[2]).strip("-.")
    return f"{rollout[:40]}-{tag[:40]}-{secrets.token_hex(3)[:5]}".replace(".-", "-")


def _refuse_early(
    cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]
) -> Snapshot:
    """Ask the controller's own rules before anything is created; gives what they looked at."""
    objects = read(cluster, namespace, rollout, release)
    for other in objects.releases:
        phase = (other.get("status") or {}).get("phase") or "Pending"
        ended = phase in {"Succeeded", "RolledBack", "Failed", "Superseded", "Cancelled"}
        if other["spec"]["rollout"] == name_of(rollout) and not ended:
            raise CommandRefusedError(
                f"release {name_of(other)} is {phase}: wait for its end, or "
                f"`rollout rollback {name_of(other)}` first"
            )
    found = snapshot(objects)
    lasting = [objection for objection in objections(found) if not objection.passing]
    if lasting:
        raise CommandRefusedError(lasting[0].message)
    return found


def read(cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]) -> Objects:
    """Read what a decision about a new release rests on."""

    def items(kind: Kind) -> tuple[Object, ...]:
        return cluster.list(kind, namespace).items

    metadata = {"namespace": namespace, "uid": "", **release["metadata"]}
    known = {"uid": "", "namespace": namespace, **rollout["metadata"]}
    return Objects(
        release={**release, "metadata": metadata},
        rollout={**rollout, "metadata": known},
        rollouts=items(Kind.ROLLOUT),
        releases=items(Kind.RELEASE),
        deployments=items(Kind.DEPLOYMENT),
        replica_sets=items(Kind.REPLICA_SET),
        pods=items(Kind.POD),
        services=items(Kind.SERVICE),
        ingresses=items(Kind.INGRESS),
        ingress_classes=_classes(cluster),
        policies=items(Kind.ROLLOUT_POLICY),
    )


def _classes(cluster: Cluster) -> tuple[Object, ...] | None:
    try:
        return cluster.list(Kind.INGRESS_CLASS).items
    except Refused:
        return None


def find_release(
    cluster: Cluster, namespace: str, name: str | None, *, ended: bool = True
) -> Release:
    """Find a release by its own name, by its Rollout's, or the only one there is.

    Raises CommandRefusedError naming the candidates when that is not clear.
    """
    releases = [Release.model_validate(r) for r in cluster.list(Kind.RELEASE, namespace).items]
    exact = [r for r in releases if r.metadata.name == name]
    if exact:
        return exact[0]
    mine = [r for r in releases if name is None or r.spec.rollout == name]
    active = [r for r in mine if not r.status.phase.ended]
    if len(active) == 1:
        return active[0]
    if len({r.spec.rollout for r in mine}) == 1 and ended and not active:
        return max(mine, key=_age)
    raise CommandRefusedError(_unclear(namespace, name, active or mine))


def _age(release: Release) -> tuple[str, str]:
    created = release.metadata.creation_timestamp
    return created.isoformat() if created else "", release.metadata.name


def _unclear(namespace: str, name: str | None, candidates: list[Release]) -> str:
    what = f"release or Rollout {name}" if name else "release"
    if not candidates:
        return (
            f"there is no {what} in namespace {namespace}: `rollout list -n {namespace}` shows "
            "what there is"
        )
    names = ", ".join(sorted(r.metadata.name for r in candidates)[:8])
    return f"which {what} in namespace {namespace}? Name one of: {names}"
