"""Whether rollout itself is there: its kinds in the cluster, and a controller that is alive."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from rollout.commands.doctor.finding import Finding, Level, ok, problem, warning
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError, Forbidden, NotFound
from rollout.report.ages import length
from rollout.resources.crd import definitions
from rollout.resources.objects import name_of, namespace_of
from rollout.resources.words import VERSION
from rollout.resources.writes import Kind, Object

KINDS: Final = "kinds"
ALIVE: Final = "controller"
APPLY: Final = "`rollout crds | kubectl apply -f -`"
CONTROLLER: Final = "rollout-controller"
"""Its Deployment, as it is installed."""
PODS: Final = "app.kubernetes.io/name=rollout-controller"
"""The label of its pods."""
START: Final = "start one: `rollout install --image IMAGE | kubectl apply -f -`"


def kinds(cluster: Cluster) -> Iterator[Finding]:
    """Say which of our kinds are missing, or of another version than this program."""
    found = [*_each_kind(cluster)]
    yield from found
    if not found:
        yield ok(KINDS, f"all kinds are there, in version {VERSION} with every field")


def _each_kind(cluster: Cluster) -> Iterator[Finding]:
    for wanted in definitions():
        name = wanted["metadata"]["name"]
        try:
            there = cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", name)
        except NotFound:
            yield problem(KINDS, f"{name} is not installed", APPLY)
        except Forbidden as error:
            mend = "ask somebody who may read customresourcedefinitions"
            yield warning(KINDS, f"{name} may not be read: {error}", mend)
        else:
            yield from _differs(name, wanted, there)


def _differs(name: str, wanted: Object, there: Object) -> Iterator[Finding]:
    versions = {v["name"]: v for v in there["spec"]["versions"] if v.get("served")}
    if VERSION not in versions:
        known = ", ".join(versions) or "none"
        yield problem(KINDS, f"{name} is not served in version {VERSION} (but {known})", APPLY)
        return
    ours = wanted["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    theirs = (versions[VERSION].get("schema") or {}).get("openAPIV3Schema") or {}
    lacking = sorted(_fields(ours) - _fields(theirs))
    if lacking:
        fields = ", ".join(lacking[:5]) + (" and more" if len(lacking) > 5 else "")  # noqa: PLR2004
        yield problem(KINDS, f"{name} is of an older rollout: it lacks {fields}", APPLY)
    conditions = (there.get("status") or {}).get("conditions") or []
    if any(c["type"] == "Established" and c["status"] != "True" for c in conditions):
        said = ", ".join(_said(c) for c in conditions if c["status"] != "True")
        yield problem(KINDS, f"{name} is not established: {said}", APPLY)


def _said(condition: Mapping[str, Any]) -> str:
    why = condition.get("message") or condition.get("reason")
    return f"{condition['type']} is {condition['status']}{f' ({why})' if why else ''}"


def _fields(schema: Mapping[str, Any], place: str = "") -> set[str]:
    """Name all fields of a schema by their paths."""
    found = set[str]()
    for name, inner in (schema.get("properties") or {}).items():
        path = f"{place}.{name}" if place else name
        found |= {path, *_fields(inner, path)}
    if "items" in schema:
        found |= _fields(schema["items"], f"{place}[]")
    return found


def controller(
    cluster: Cluster, namespaces: Iterable[str], lease: str, now: datetime
) -> Iterator[Finding]:
    """Say whether a controller holds its Lease and has renewed it in time."""
    places = list(dict.fromkeys(namespaces))
    for namespace in places:
        try:
            found = cluster.get(Kind.LEASE, namespace, lease)
        except NotFound:
            continue
        except ClusterError as error:
            mend = "look as somebody who may read leases (coordination.k8s.io) there"
            yield warning(ALIVE, f"Lease {namespace}/{lease} may not be read: {error}", mend)
            return
        yield _alive(found, now)
        return
    where = " and ".join(places)
    yield problem(
        ALIVE, f"there is no Lease {lease} in namespace {where}: none has ever run there", START
    )


def leader(
    cluster: Cluster, namespaces: Iterable[str], lease: str, now: datetime
) -> Iterator[Finding]:
    """Say whether a controller leads, wherever its Lease is, and what its Deployment lacks.

    `namespaces` are looked at first. Who may not list Leases hears of those alone.
    """
    places = list(namespaces)
    near = list(controller(cluster, places, lease, now))
    if all(one.level is Level.OK for one in near):
        yield from near
        return
    found = [*near, *(_alive(one, now) for one in _leases_elsewhere(cluster, places, lease))]
    leading = next((one for one in found if one.level is Level.OK), None)
    yield leading or _with_pods(cluster, places, found[0])


def _leases_elsewhere(cluster: Cluster, places: Collection[str], lease: str) -> Iterator[Object]:
    try:
        found = cluster.list(Kind.LEASE).items
    except ClusterError:
        return  # it was asked for by name, where it should be
    for one in found:
        if name_of(one) == lease and namespace_of(one) not in places:
            yield one


def _with_pods(cluster: Cluster, namespaces: Iterable[str], found: Finding) -> Finding:
    """Add that a controller is installed of which no pod is ready."""
    if found.level is not Level.PROBLEM:
        return found
    for namespace in namespaces:
        try:
            there = cluster.get(Kind.DEPLOYMENT, namespace, CONTROLLER)
        except ClusterError:
            continue
        if not (there.get("status") or {}).get("readyReplicas"):
            wanted = there["spec"].get("replicas", 1)
            pods = f"Deployment {namespace}/{CONTROLLER} has 0 of {wanted} pods ready"
            mend = f"see what keeps them: `kubectl describe pods -n {namespace} -l {PODS}`"
            return replace(found, message=f"{found.message}; {pods}", mend=mend)
    return found


def _alive(lease: Object, now: datetime) -> Finding:
    spec = lease.get("spec") or {}
    name = f"Lease {lease['metadata']['namespace']}/{lease['metadata']['name']}"
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    if not holder or not renewed:
        return problem(ALIVE, f"nobody holds {name}: no controller runs", START)
    age = now - datetime.fromisoformat(str(renewed))
    allowed = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 15))
    if age > allowed:
        said = f"{holder} has not renewed {name} for {length(age)}: it is gone, or cannot write"
        return problem(ALIVE, said, f"look at its log, or {START}")
    return ok(ALIVE, f"{holder} leads; it renewed {name} {length(age)} ago")
