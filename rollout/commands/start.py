"""Starting a release: a Release, and a Rollout where the Deployment has none."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

from rollout.commands.early import discovered, refuse_early, shares, warnings
from rollout.commands.once import Once, answer_to, with_answer
from rollout.commands.refusal import CommandRefusedError, UnclearError
from rollout.commands.request import Request, Started
from rollout.commands.rollouts import rollout_for, strategy_named
from rollout.kube.cluster import Cluster
from rollout.kube.errors import AlreadyExists, Refused, ServerFault
from rollout.resources.duration import format_duration
from rollout.resources.image import version_fault
from rollout.resources.names import label_value, part_of_name
from rollout.resources.objects import name_of, uid_of
from rollout.resources.rollout import Strategy
from rollout.resources.words import API_VERSION, REQUEST_LABEL, ROLLOUT_LABEL
from rollout.resources.writes import Create, Delete, Kind, Object

TAIL: Final = 5
KEYED_TAIL: Final = 10
"""Letters that make a name its own: under a key they must not be met by chance."""


def start(
    cluster: Cluster,
    namespace: str,
    request: Request,
    *,
    once: Once | None = None,
    before_rollout: Callable[[], None] = lambda: None,
) -> Started:
    """Start a release.

    A start that was carried out before under the same key gives the same answer, and nothing is
    done. `before_rollout` is called before a Rollout is created, and may raise. Raises
    CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    if fault := version_fault(request.version):
        raise UnclearError(fault)

    def begin() -> Started:
        rollout, assumed = rollout_for(cluster, namespace, request)
        if "uid" not in rollout["metadata"]:
            before_rollout()
        spec = _spec(rollout, request)
        said = [*assumed, *_defaults(spec)]
        body = release_of(rollout, request.version, spec)
        return create(cluster, namespace, rollout, body, assumed=said, once=once)

    return carry_out_once(cluster, namespace, once, begin)


def carry_out_once(
    cluster: Cluster, namespace: str, once: Once | None, begin: Callable[[], Started]
) -> Started:
    """Begin, unless that was done before under the same key: then give the same answer.

    Of two that begin at the same moment one is refused; it finds what the other has made.
    """
    if once is None:
        return begin()
    if (before := _found(cluster, namespace, once)) is not None:
        return before
    try:
        return begin()
    except (AlreadyExists, CommandRefusedError):
        if (before := _found(cluster, namespace, once)) is not None:
            return before
        raise


def _found(cluster: Cluster, namespace: str, once: Once) -> Started | None:
    for made in cluster.list(Kind.RELEASE, namespace, f"{REQUEST_LABEL}={once.id}").items:
        answer = answer_to(made, once)
        if answer is not None:
            return Started(made, tuple(answer.get("assumed") or ()))
    return None


def create(
    cluster: Cluster,
    namespace: str,
    rollout: Object,
    body: dict[str, Any],
    *,
    assumed: list[str],
    once: Once | None = None,
) -> Started:
    """Create a Release, and its Rollout where that has yet to be created.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    found = refuse_early(cluster, namespace, rollout, body)
    new = "uid" not in rollout["metadata"]
    told = discovered(found) if new else ()
    said = [*assumed, *told, *shares(found), *warnings(found)]
    if once is not None:
        body = _marked(body, once, said)
    if new:
        return Started(_create_both(cluster, namespace, rollout, body), tuple(said))
    return Started(cluster.apply(Create(Kind.RELEASE, namespace, body)), tuple(said))


def _marked(body: dict[str, Any], once: Once, assumed: list[str]) -> dict[str, Any]:
    """Have a Release remember under which key it was started, in a name that no other gets."""
    metadata = body["metadata"]
    stem = metadata["name"][: -TAIL - 1]
    marked = {
        "name": f"{stem}-{once.id[:KEYED_TAIL]}",
        "labels": {**metadata["labels"], REQUEST_LABEL: once.id},
        "annotations": with_answer(body, once, {"assumed": assumed}),
    }
    return {**body, "metadata": marked}


def _create_both(
    cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]
) -> Object:
    """Create a Rollout and its first Release, or neither.

    Where nobody knows whether the Release was created, its Rollout stays: without it a release
    that is there would be cancelled, and with it the next start begins where this one ended.
    """
    made = cluster.apply(Create(Kind.ROLLOUT, namespace, rollout))
    try:
        return cluster.apply(Create(Kind.RELEASE, namespace, release))
    except ServerFault:
        raise
    except Refused:
        cluster.apply(Delete(Kind.ROLLOUT, namespace, name_of(made), uid=uid_of(made)))
        raise


def _spec(rollout: Object, request: Request) -> dict[str, Any]:
    spec: dict[str, Any] = {"rollout": name_of(rollout), "version": request.version}
    overrides: dict[str, Any] = {}
    if request.strategy is not None:
        wanted = strategy_named(request.strategy)
        if not set(wanted) & set(rollout["spec"]["strategy"]):
            overrides["strategy"] = wanted
    if request.policy is not None and "uid" in rollout["metadata"]:
        overrides["policy"] = request.policy
    said = {"overrides": overrides, "by": request.by, "reason": request.reason}
    return spec | {key: value for key, value in said.items() if value}


def _defaults(spec: dict[str, Any]) -> Iterator[str]:
    """Say what another strategy than the Rollout's takes with it: none of the Rollout's times."""
    wanted = (spec.get("overrides") or {}).get("strategy")
    if wanted is not None:
        strategy = Strategy.model_validate(wanted)
        bake = format_duration(strategy.common.bake)
        deadline = format_duration(strategy.common.progress_deadline)
        yield (
            f"{strategy.name} is not the Rollout's strategy, so it has the defaults: bake {bake}, "
            f"progressDeadline {deadline}"
        )


def release_of(rollout: Object, version: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Word a new Release of a Rollout; `version` is for its name."""
    name = release_name(name_of(rollout), version)
    return {
        "apiVersion": API_VERSION,
        "kind": "Release",
        "metadata": {"name": name, "labels": {ROLLOUT_LABEL: label_value(name_of(rollout))}},
        "spec": spec,
    }


def release_name(rollout: str, version: str) -> str:
    """Give a new release a name that says what it is."""
    tag = part_of_name(version.rpartition("/")[2])
    return f"{part_of_name(rollout)}-{tag}-{secrets.token_hex(3)[:TAIL]}"
