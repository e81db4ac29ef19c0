"""Asking something of a running release: promote, pause, resume, rollback."""

import secrets
from datetime import datetime
from typing import Final

from rollout.commands.refusal import CommandRefusedError
from rollout.engine.admission import admit
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Conflict
from rollout.resources.action import Action, ActionType
from rollout.resources.objects import name_of
from rollout.resources.release import Release
from rollout.resources.writes import Kind, Object, Patch, PatchType

TRIES: Final = 5
"""How often an action is tried again when the release changed at the same moment."""


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
