"""Which Rollout a start is about; one is made from discovery where a Deployment has none."""

from typing import Any

from rollout.commands.refusal import CommandRefusedError, NotThereError, UnclearError
from rollout.commands.request import Request
from rollout.commands.spaces import refuse_missing
from rollout.kube.cluster import Cluster
from rollout.kube.errors import NotFound
from rollout.resources.objects import labels_of, name_of
from rollout.resources.policy import BUILT_IN
from rollout.resources.words import API_VERSION, ROLLOUT_LABEL
from rollout.resources.writes import Kind, Object


def rollout_for(cluster: Cluster, namespace: str, request: Request) -> tuple[Object, list[str]]:
    """Find the Rollout of a request, or word a new one; gives it with what was assumed.

    A Rollout without `metadata.uid` has yet to be created. Raises CommandRefusedError naming the
    candidates when it is not clear which is meant, ClusterError for the cluster.
    """
    known = cluster.list(Kind.ROLLOUT, namespace).items
    if request.rollout is not None:
        found = [r for r in known if name_of(r) == request.rollout]
        if not found and request.deployment is None:
            there = ", ".join(map(name_of, known)) or "none"
            raise NotThereError(
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
    names = their_deployments(cluster, namespace)
    if len(names) == 1 and not rollouts:
        return names[0]
    choices = sorted(map(name_of, rollouts)) or names
    if not choices:
        refuse_missing(cluster, namespace)
        raise UnclearError(
            f"there is no Deployment in namespace {namespace}: name another with --namespace"
        )
    raise UnclearError(
        f"which one? There are {len(choices)} in namespace {namespace} "
        f"({', '.join(choices)}): give --deployment or --rollout"
    )


def their_deployments(cluster: Cluster, namespace: str) -> list[str]:
    """Name the Deployments of a namespace that are not ours."""
    found = cluster.list(Kind.DEPLOYMENT, namespace).items
    return [name_of(one) for one in found if ROLLOUT_LABEL not in labels_of(one)]


def _new_rollout(
    cluster: Cluster, namespace: str, deployment: str, request: Request
) -> tuple[Object, list[str]]:
    try:
        cluster.get(Kind.DEPLOYMENT, namespace, deployment)
    except NotFound as error:
        there = ", ".join(name_of(d) for d in cluster.list(Kind.DEPLOYMENT, namespace).items)
        if not there:
            refuse_missing(cluster, namespace)
        raise NotThereError(
            f"there is no Deployment {deployment} in namespace {namespace} "
            f"(there are: {there or 'none'})"
        ) from error
    strategy = request.strategy or "canary"
    name = request.rollout or deployment
    body = {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"target": {"deployment": deployment}, "strategy": strategy_named(strategy)},
    }
    if request.policy is not None:
        body["spec"]["policy"] = request.policy  # type: ignore[index]
    return body, [
        f"Deployment {deployment} had no Rollout: {name} is created",
        f"strategy {strategy} with its defaults; change it in the Rollout's spec.strategy",
        *([] if request.policy else [f"policy {BUILT_IN}: errors and latency, read from the pods"]),
    ]


def strategy_named(name: str) -> dict[str, Any]:
    """Word a strategy with its defaults. Raises CommandRefusedError for a name that is none."""
    if name not in {"canary", "blue-green"}:
        raise UnclearError(f"--strategy {name!r}: use canary or blue-green")
    return {"canary": {}} if name == "canary" else {"blueGreen": {}}
