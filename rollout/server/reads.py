"""Reading Rollouts and releases: from the caches, after the cluster has allowed it."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from rollout.kube.reviews import Access
from rollout.report.explain import explain
from rollout.report.pods import ready_by_side
from rollout.resources.names import beside
from rollout.resources.release import Phase, Release
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Kind, Object
from rollout.server.answers import READ, shows
from rollout.server.desk import NAME, AtDesk, InNamespace, ReleaseName, RolloutName, Who
from rollout.server.examples import EXPLANATION, PODS, RELEASE, ROLLOUT
from rollout.server.models import Explanation, Pods, ReleaseList, RolloutList
from rollout.server.shown import shown

router = APIRouter(tags=["read"], responses=READ)
OfRollout = Annotated[
    str | None,
    Query(alias="rollout", max_length=253, pattern=NAME, description="Only of this Rollout."),
]
InPhase = Annotated[
    list[Phase], Query(alias="phase", max_length=len(Phase), description="Only in these phases.")
]


@router.get("/rollouts", response_model=RolloutList, responses=shows({"items": [ROLLOUT]}))
def rollouts_everywhere(at: AtDesk, who: Who) -> JSONResponse:
    """List the Rollouts of all namespaces (verb `list` on rollouts, cluster-wide)."""
    return _rollouts(at, who, "")


@router.get(
    "/namespaces/{namespace}/rollouts",
    response_model=RolloutList,
    responses=shows({"items": [ROLLOUT]}),
)
def rollouts(at: AtDesk, who: Who, namespace: InNamespace) -> JSONResponse:
    """List the Rollouts of a namespace (verb `list` on rollouts)."""
    return _rollouts(at, who, namespace)


def _rollouts(at: AtDesk, who: Who, namespace: str) -> JSONResponse:
    at.may_read(who, Access("list", namespace, "rollouts"))
    return _listed(at.parts.view.list(Kind.ROLLOUT, namespace or None))


@router.get(
    "/namespaces/{namespace}/rollouts/{name}", response_model=Rollout, responses=shows(ROLLOUT)
)
def rollout(at: AtDesk, who: Who, namespace: InNamespace, name: RolloutName) -> JSONResponse:
    """Get a Rollout (verb `get` on rollouts)."""
    return JSONResponse(shown(at.find(who, Kind.ROLLOUT, namespace, name)))


@router.get("/releases", response_model=ReleaseList, responses=shows({"items": [RELEASE]}))
def releases_everywhere(
    at: AtDesk,
    who: Who,
    of: OfRollout = None,
    phases: InPhase = [],  # noqa: B006 - a query's form
) -> JSONResponse:
    """List the releases of all namespaces (verb `list` on releases, cluster-wide)."""
    return _releases(at, who, "", of, phases)


@router.get(
    "/namespaces/{namespace}/releases",
    response_model=ReleaseList,
    responses=shows({"items": [RELEASE]}),
)
def releases(
    at: AtDesk,
    who: Who,
    namespace: InNamespace,
    of: OfRollout = None,
    phases: InPhase = [],  # noqa: B006 - a query's form
) -> JSONResponse:
    """List the releases of a namespace (verb `list` on releases)."""
    return _releases(at, who, namespace, of, phases)


def _releases(
    at: AtDesk, who: Who, namespace: str, of: str | None, phases: Sequence[Phase]
) -> JSONResponse:
    at.may_read(who, Access("list", namespace))
    found = at.parts.view.list(Kind.RELEASE, namespace or None)
    return _listed([one for one in found if _wanted(one, of, phases)])


def _wanted(release: Object, of: str | None, phases: Sequence[Phase]) -> bool:
    phase = (release.get("status") or {}).get("phase") or Phase.PENDING
    return of in {None, release["spec"]["rollout"]} and (not phases or phase in phases)


def _listed(items: Sequence[Object]) -> JSONResponse:
    return JSONResponse({"items": [shown(item) for item in items]})


@router.get(
    "/namespaces/{namespace}/releases/{name}", response_model=Release, responses=shows(RELEASE)
)
def release(at: AtDesk, who: Who, namespace: InNamespace, name: ReleaseName) -> JSONResponse:
    """Get a release, with the numbers behind its verdict (verb `get` on releases)."""
    return JSONResponse(shown(at.find(who, Kind.RELEASE, namespace, name)))


@router.get(
    "/namespaces/{namespace}/releases/{name}/explain",
    response_model=Explanation,
    responses=shows(EXPLANATION),
)
def explained(at: AtDesk, who: Who, namespace: InNamespace, name: ReleaseName) -> JSONResponse:
    """Say why a release is where it is and what comes next (verb `get` on releases)."""
    found = Release.model_validate(at.find(who, Kind.RELEASE, namespace, name))
    resolved = found.status.resolved
    lines = explain(found, resolved.strategy if resolved else None, at.parts.now())
    return JSONResponse({"release": name, "lines": lines})


@router.get(
    "/namespaces/{namespace}/releases/{name}/pods", response_model=Pods, responses=shows(PODS)
)
def pods(at: AtDesk, who: Who, namespace: InNamespace, name: ReleaseName) -> JSONResponse:
    """Count the ready pods of both sides of a release (verb `get` on releases)."""
    found = at.find(who, Kind.RELEASE, namespace, name)
    resolved: dict[str, Any] = (found.get("status") or {}).get("resolved") or {}
    target = str(resolved.get("deployment", ""))
    sides = {"stable": target, "candidate": beside(target)} if target else {}
    view = at.parts.view
    ready = ready_by_side({s: view.get(Kind.DEPLOYMENT, namespace, n) for s, n in sides.items()})
    return JSONResponse({"release": name, "ready": ready})
