"""How a service leaves Argo Rollouts without downtime.

A Deployment adopts every ReplicaSet that its selector matches and that nobody owns, and ends the
pods of those that are not of its own template. So the Services must select the Deployment's pods
before the Rollout lets its ReplicaSets go. Argo Rollouts gives a Service back when its Rollout
names it no more (v1.8: `UpdateFunc` in rollout/controller.go, `syncService` in
service/service.go), so its strategy is emptied first.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from rollout.convert.argo_strategy import Strategy
from rollout.convert.documents import Document
from rollout.convert.draft import Draft
from rollout.convert.moving import Move, apply, labels_in, place, scaled

ROLLOUTS: Final = "rollouts.argoproj.io"
HASH: Final = "rollouts-pod-template-hash"
STAYS_UP: Final = {"spec": {"workloadRef": {"scaleDown": "never"}}}
NO_SERVICES: Final = {
    "canary": {
        "canary": {"stableService": None, "canaryService": None, "trafficRouting": None},
    },
    "blueGreen": {"blueGreen": None, "canary": {}},
}
"""A patch of spec.strategy that names no Service any more, by our strategy's name."""


def moves(
    document: Document, target: str, deployment: Draft | None, strategy: Strategy, *, whole: bool
) -> tuple[Move, ...]:
    """Say how; `whole`: the Rollout had the pod template itself.

    What hands the service over to rollout comes after these.
    """
    return (
        *_beside(document, deployment, whole=whole),
        *scaled(target, document),
        *_services_back(document, strategy),
        *_rollout_away(document, deployment),
        *(_leftover(document, strategy, kind, name) for kind, name in strategy.leftover),
    )


def _beside(document: Document, deployment: Draft | None, *, whole: bool) -> Iterator[Move]:
    """Have a Deployment beside what serves; the Services do not see its pods yet."""
    space, name = place(document), document.name
    yield Move(
        "only between two updates: it must be Healthy", f"kubectl get {ROLLOUTS} {name}{space}"
    )
    yield Move(
        "see how many pods serve",
        f"kubectl get {ROLLOUTS} {name} -o jsonpath='{{.spec.replicas}}'{space}",
    )
    if whole and deployment is not None:
        why = "start the Deployment beside it; the Services still select the pods of the Rollout"
        yield Move(why, apply(document, [deployment]))
    else:
        why = "keep Argo Rollouts from scaling your Deployment down again"
        yield Move(why, _patch(document, STAYS_UP))


def _services_back(document: Document, strategy: Strategy) -> Iterator[Move]:
    (kind,) = strategy.body
    names = [*strategy.traffic.get("services", ())]
    names += [one for one in [strategy.body[kind].get("previewService")] if one]
    if not names:
        return
    yield Move(
        "have Argo Rollouts give the Services back; the pods of both serve then",
        _patch(document, {"spec": {"strategy": NO_SERVICES[kind]}}),
    )
    for name in names:
        yield Move(
            f"go on when {HASH} is gone from the selector",
            f"kubectl get service {name} -o jsonpath='{{.spec.selector}}'{place(document)}",
        )


def _rollout_away(document: Document, deployment: Draft | None) -> Iterator[Move]:
    """Remove the Rollout, then its ReplicaSets and those of nobody else."""
    space = place(document)
    labels = labels_in(deployment.body, "spec", "selector", "matchLabels") if deployment else {}
    chosen = ",".join([*(f"{key}={value}" for key, value in labels.items()), HASH])
    what = f"-l {chosen}" if labels else f"{document.name}-HASH"
    yield Move(
        "take the Rollout away; the Deployment takes its ReplicaSets over and ends their pods",
        f"kubectl delete {ROLLOUTS} {document.name} --cascade=orphan{space}",
    )
    yield Move("see the ReplicaSets it has left", f"kubectl get replicasets -l {chosen}{space}")
    yield Move(
        "remove them, or `kubectl rollout undo` would find them",
        f"kubectl delete replicasets {what}{space}",
    )


def _leftover(document: Document, strategy: Strategy, kind: str, name: str) -> Move:
    why = "nobody needs it any more"
    if strategy.router:
        why = f"{strategy.router} may still name it: take it out there first"
    return Move(why, f"kubectl delete {kind} {name}{place(document)}")


def _patch(document: Document, patch: dict[str, Any]) -> str:
    said = json.dumps(patch, separators=(",", ":"))
    return f"kubectl patch {ROLLOUTS} {document.name} --type merge -p '{said}'{place(document)}"
