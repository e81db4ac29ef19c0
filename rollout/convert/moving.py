"""Moving without downtime: the commands, in order, with the names of what is moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollout.convert.argo_strategy import Strategy
from rollout.convert.documents import Document
from rollout.convert.draft import Draft

FILE: Final = "converted.yaml"
HASH: Final = "rollouts-pod-template-hash"


@dataclass(frozen=True)
class Move:
    """One command, and why; words in capitals are to be filled in."""

    why: str
    command: str


def from_argo(
    document: Document, target: str, deployment: Draft | None, strategy: Strategy, *, whole: bool
) -> tuple[Move, ...]:
    """Say how a service leaves Argo Rollouts; `whole`: the Rollout had the pod template itself."""
    space, name = _in(document), document.name
    services = strategy.traffic.get("services", [])
    return (
        *_beside(document, target, deployment, whole=whole),
        Move(
            "wait until its pods are ready",
            f"kubectl rollout status deployment/{target}{space}",
        ),
        Move(
            "take the Rollout away and leave its pods; Argo Rollouts then gives the Services back",
            f"kubectl delete rollouts.argoproj.io {name} --cascade=orphan{space}",
        ),
        *(
            Move(
                f"go on when {HASH} is gone from the selector: both sets of pods serve",
                f"kubectl get service {one} -o jsonpath='{{.spec.selector}}'{space}",
            )
            for one in services
        ),
        *_old_pods(document, deployment),
        *(
            Move("nobody needs it any more", f"kubectl delete {kind} {one}{space}")
            for kind, one in strategy.leftover
        ),
        *_ours(name, space),
    )


def _beside(
    document: Document, target: str, deployment: Draft | None, *, whole: bool
) -> tuple[Move, ...]:
    """Bring the Deployment up beside what serves; the Services do not see its pods yet."""
    space = _in(document)
    if whole:
        why = "start the Deployment beside it; the Services still select the pods of the Rollout"
        only = f"rollout convert -f {document.file} --only Deployment"
        return (Move(why, f"{only} | kubectl apply{space} -f -"),)
    replicas = (deployment.body["spec"].get("replicas") if deployment else None) or "COUNT"
    why = "scale the Deployment up; the Services still select the pods of the Rollout"
    return (Move(why, f"kubectl scale deployment {target} --replicas {replicas}{space}"),)


def _old_pods(document: Document, deployment: Draft | None) -> tuple[Move, ...]:
    """Remove the ReplicaSets of the Rollout, and those of nobody else."""
    space = _in(document)
    labels = labels_in(deployment.body, "spec", "selector", "matchLabels") if deployment else {}
    chosen = ",".join([*(f"{key}={value}" for key, value in labels.items()), HASH])
    look = Move(
        "look which ReplicaSets the Rollout has left",
        f"kubectl get replicasets -l {chosen}{space}",
    )
    what = f"-l {chosen}" if labels else f"{document.name}-HASH"
    remove = Move(
        "remove them; the Deployment's pods serve alone",
        f"kubectl delete replicasets {what}{space}",
    )
    return look, remove


def from_flagger(
    document: Document, target: str, service: Draft, ingress: str, scaler: tuple[str, str] | None
) -> tuple[Move, ...]:
    """Say how a service leaves Flagger."""
    space, name = _in(document), document.name
    selector = labels_in(service.body, "spec", "selector")
    chosen = ",".join(f"{key}={value}" for key, value in selector.items())
    suspend = '{"spec":{"suspend":true}}'
    return (
        Move(
            "only between releases: it must be Initialized or Succeeded",
            f"kubectl get canaries.flagger.app {name}{space}",
        ),
        Move(
            "keep Flagger from acting",
            f"kubectl patch canaries.flagger.app {name} --type merge -p '{suspend}'{space}",
        ),
        Move(
            "see how many pods serve",
            f"kubectl get deployment {target}-primary -o jsonpath='{{.spec.replicas}}'{space}",
        ),
        Move(
            "bring as many of your Deployment up",
            f"kubectl scale deployment {target} --replicas COUNT{space}",
        ),
        Move("wait until its pods are ready", f"kubectl rollout status deployment/{target}{space}"),
        *_resumed(scaler, space),
        Move(
            "these must be its pods, and no others: the Service will select them",
            f"kubectl get pods -l {chosen}{space}",
        ),
        Move(
            "have the Service select them: from here on your Deployment serves",
            f"rollout convert -f {document.file} --only Service | kubectl apply{space} "
            "--server-side --force-conflicts -f -",
        ),
        Move(
            "take the Canary away and leave what it made",
            f"kubectl delete canaries.flagger.app {name} --cascade=orphan{space}",
        ),
        *_made_by_flagger(target, service.name, ingress, scaler, space),
        *_ours(name, space),
    )


def _resumed(scaler: tuple[str, str] | None, space: str) -> tuple[Move, ...]:
    if scaler is None or scaler[0] != "ScaledObject":
        return ()
    paused = "autoscaling.keda.sh/paused-replicas-"
    command = f"kubectl annotate scaledobject {scaler[1]} {paused}{space}"
    return (Move("Flagger had paused the autoscaler", command),)


def _made_by_flagger(
    target: str, service: str, ingress: str, scaler: tuple[str, str] | None, space: str
) -> tuple[Move, ...]:
    """Remove what Flagger has made beside the user's own."""
    names = [("ingress", f"{ingress}-canary")] if ingress else []
    names += [("service", f"{service}-canary"), ("service", f"{service}-primary")]
    names += [(scaler[0].lower(), f"{scaler[1]}-primary")] if scaler else []
    names += [("deployment", f"{target}-primary")]
    why = "Flagger made it, and nobody needs it any more"
    return tuple(Move(why, f"kubectl delete {kind} {name}{space}") for kind, name in names)


def _ours(name: str, space: str) -> tuple[Move, ...]:
    return (
        Move("have rollout look after it", f"kubectl apply{space} -f {FILE}"),
        Move("see whether releases will go well", f"rollout doctor {name}{space}"),
    )


def labels_in(body: Any, *path: str) -> Mapping[str, Any]:
    """Give the labels at a place of an object; none where there is something else."""
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body if isinstance(body, Mapping) else {}


def _in(document: Document) -> str:
    return f" -n {document.namespace}" if document.namespace else ""
