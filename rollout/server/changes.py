"""Starting, retrying and steering releases: `rollout.commands`, in the name of who asks."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from rollout.commands.actions import ask, new_action
from rollout.commands.once import Once, once
from rollout.commands.request import Request, Started
from rollout.commands.retry import retry
from rollout.commands.start import start
from rollout.kube.reviews import Access
from rollout.report.started import on_its_way
from rollout.resources.model import Model
from rollout.resources.objects import name_of
from rollout.resources.provider import PrometheusProvider
from rollout.server.answers import CHANGE, shows
from rollout.server.desk import (
    AtDesk,
    Desk,
    IdempotencyKey,
    InNamespace,
    ReleaseName,
    RolloutName,
    Who,
)
from rollout.server.examples import ASKED, STARTED
from rollout.server.logbook import entry
from rollout.server.models import Ask, AskedRelease, Retry, Start, StartedRelease, StartOf
from rollout.server.shown import as_created

router = APIRouter(tags=["change"], responses=CHANGE, prefix="/namespaces/{namespace}")

STARTS: Final = shows(STARTED, status=201)
ASKS: Final = shows(ASKED, status=202)


@router.post("/releases", status_code=201, response_model=StartedRelease, responses=STARTS)
def start_release(
    at: AtDesk, who: Who, namespace: InNamespace, body: Start, key: IdempotencyKey = None
) -> JSONResponse:
    """Start a release (verb `create` on releases).

    Where a Rollout has to be made, also on rollouts; to name a metrics provider in an inline
    policy, also on rolloutpolicies.
    """
    return _start(at, who, namespace, body, key)


@router.post(
    "/rollouts/{name}/releases", status_code=201, response_model=StartedRelease, responses=STARTS
)
def start_of_rollout(
    at: AtDesk,
    who: Who,
    namespace: InNamespace,
    name: RolloutName,
    body: StartOf,
    *,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Start a release of this Rollout (verb `create` on releases)."""
    whole = Start(rollout=name, **{part: getattr(body, part) for part in StartOf.model_fields})
    return _start(at, who, namespace, whole, key)


def _start(at: Desk, who: Who, namespace: str, body: Start, key: str | None) -> JSONResponse:
    person = who.person
    request = Request(
        body.version,
        body.rollout,
        body.deployment,
        str(body.strategy) if body.strategy else None,
        body.policy.to_json() if body.policy else None,
        person.name,
        body.reason,
    )

    def may_make_rollout() -> None:
        at.require(who, Access("create", namespace, "rollouts"))

    on = body.rollout or body.deployment or ""
    with entry(at.counts, person.name, "start", namespace, on) as said:
        at.require(who, Access("create", namespace))
        if _names_provider(body):  # which may be sent secrets, as in a RolloutPolicy
            at.require(who, Access("create", namespace, "rolloutpolicies"))
        mark = _mark(key, who, namespace, "start", body)
        started = start(at.cluster, namespace, request, once=mark, before_rollout=may_make_rollout)
        said |= {"release": name_of(started.release), "version": body.version}
    return _created(at, namespace, started)


def _names_provider(body: Start) -> bool:
    inline = body.policy.inline if body.policy is not None else None
    return inline is not None and isinstance(inline.provider, PrometheusProvider)


@router.post(
    "/releases/{name}/retry", status_code=201, response_model=StartedRelease, responses=STARTS
)
def retry_release(
    at: AtDesk,
    who: Who,
    namespace: InNamespace,
    name: ReleaseName,
    body: Retry,
    *,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Ship what an earlier release shipped, as a new release (verb `retry` on releases)."""
    by = who.person.name
    with entry(at.counts, by, "retry", namespace, name) as said:
        at.require(who, Access("retry", namespace, name=name))
        mark = _mark(key, who, namespace, f"retry {name}", body)
        started = retry(at.cluster, namespace, name, by, body.reason, once=mark)
        said["release"] = name_of(started.release)
    return _created(at, namespace, started)


@router.post(
    "/releases/{name}/actions", status_code=202, response_model=AskedRelease, responses=ASKS
)
def act(
    at: AtDesk,
    who: Who,
    namespace: InNamespace,
    name: ReleaseName,
    body: Ask,
    *,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Ask something of a running release (the action's type as verb on releases)."""
    by = who.person.name
    with entry(at.counts, by, str(body.type), namespace, name) as said:
        at.require(who, Access(str(body.type), namespace, name=name))
        mark = _mark(key, who, namespace, f"act {name}", body)
        action = new_action(body.type, by, body.reason, at.parts.now())
        if mark is not None:
            action = action.model_copy(update={"id": mark.id})
        asked = ask(
            at.cluster, namespace, name, action, expected=body.expected_revision, request=mark
        )
        said["why"] = body.reason
    answer = {"release": name, "action": asked.action.to_json(), "message": asked.message}
    return JSONResponse(answer, 202)


def _mark(key: str | None, who: Who, namespace: str, what: str, body: Model) -> Once | None:
    if key is None:
        return None
    asked: dict[str, Any] = {"what": what, **body.to_json()}
    return once(key, who.person.name, namespace, asked)


def _created(at: Desk, namespace: str, started: Started) -> JSONResponse:
    at.parts.view.updated(started.release)
    name = name_of(started.release)
    answer = {
        "release": as_created(started.release),
        "assumed": list(started.assumed),
        "message": on_its_way(name),
    }
    headers = {"Location": f"/api/v1/namespaces/{namespace}/releases/{name}"}
    return JSONResponse(answer, 201, headers=headers)
