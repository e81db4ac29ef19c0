"""Asking something of a running release: promote, pause, resume, rollback."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rollout.commands.once import Once, answer_to, with_answer
from rollout.commands.refusal import CommandRefusedError, KeepsChangingError, StaleRevisionError
from rollout.engine.admission import admit
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Conflict
from rollout.resources.action import Action, ActionType
from rollout.resources.objects import name_of
from rollout.resources.release import Release
from rollout.resources.writes import Kind, Object, Patch, PatchType

TRIES: Final = 5
"""How often an action is tried again when the release changed at the same moment."""


@dataclass(frozen=True)
class Asked:
    """An action that was written, and the sentence that says what happens."""

    action: Action
    message: str


def submit(cluster: Cluster, namespace: str, release: str, action: Action) -> str:
    """Ask something of a release; gives the sentence that says what happens.

    Raises CommandRefusedError when that cannot be done now, ClusterError for the cluster.
    """
    return ask(cluster, namespace, release, action).message


def ask(
    cluster: Cluster,
    namespace: str,
    release: str,
    action: Action,
    *,
    expected: str | None = None,
    request: Once | None = None,
) -> Asked:
    """Ask something of a release.

    `expected` is the resourceVersion that the release must still have. A `request` that was
    carried out before gets the same answer, and nothing is done. Raises CommandRefusedError when
    it cannot be done now, ClusterError for the cluster.
    """
    for _ in range(TRIES):
        raw = cluster.get(Kind.RELEASE, namespace, release)
        if request is not None and (before := answer_to(raw, request)) is not None:
            return _again(before)
        _refuse_stale(raw, expected)
        asked = Asked(action, f"{release}: {action.type.words} asked for; {_admitted(raw, action)}")
        if (earlier := _earlier(raw, action)) is not None:
            asked = earlier
            if request is None:
                return asked
        try:
            cluster.apply(_action_patch(raw, asked, request))
        except Conflict:
            continue
        return asked
    raise KeepsChangingError(f"{release} kept changing: try again")


def new_action(type_: ActionType, by: str, reason: str, now: datetime) -> Action:
    """Word a request of a person."""
    return Action(id=secrets.token_hex(8), type=type_, by=by, reason=reason, at=now)


def _admitted(raw: Object, action: Action) -> str:
    admission = admit(action, Release.model_validate(raw).status)
    if not admission.accepted:
        raise CommandRefusedError(f"{name_of(raw)}: {admission.message}")
    return admission.message


def _earlier(raw: Object, action: Action) -> Asked | None:
    """Give what somebody has asked for before, when this asks for the same once more.

    Raises CommandRefusedError when that would be lost: nobody has carried it out yet. Only a
    rollback takes its place.
    """
    release = Release.model_validate(raw)
    last, back = release.spec.action, ActionType.ROLLBACK
    if last is None:
        return None
    taken = any(one.id == last.id for one in release.status.actions)
    who = f" by {last.by}" if last.by else ""
    if last.type is action.type and (last.type is back or not taken):
        return Asked(last, f"{release.metadata.name}: {last.type.words} was asked for before{who}")
    if last.type is back or not (taken or action.type is back):
        raise CommandRefusedError(
            f"{release.metadata.name}: {last.type.words}{who} comes first and has yet to be "
            "carried out: look again in a moment, then ask again"
        )
    return None


def _refuse_stale(raw: Object, expected: str | None) -> None:
    current = str(raw["metadata"]["resourceVersion"])
    if expected not in {None, current}:
        raise StaleRevisionError(
            f"{name_of(raw)} has changed since revision {expected}, it is at {current}: look at "
            "it again, then decide again",
            current,
        )


def _again(answer: Any) -> Asked:
    return Asked(Action.model_validate(answer["action"]), str(answer["message"]))


def _action_patch(raw: Object, asked: Asked, request: Once | None) -> Patch:
    metadata: dict[str, Any] = {"resourceVersion": raw["metadata"]["resourceVersion"]}
    said = asked.action.to_json()
    if request is not None:
        answer = {"action": said, "message": asked.message}
        metadata["annotations"] = with_answer(raw, request, answer)
    body = {"metadata": metadata, "spec": {"action": said}}
    space = str(raw["metadata"]["namespace"])
    return Patch(Kind.RELEASE, space, name_of(raw), PatchType.MERGE, body)
