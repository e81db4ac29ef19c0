"""Parts of a kind that are done rather than stored: binding, eviction, finalizing."""

from collections.abc import Callable, Mapping
from typing import Final

from rollout.kube.errors import TooManyRequests
from rollout.resources.objects import name_of
from rollout.resources.writes import Object
from rollout.sandbox.apiserver.asks import Answer, Ask
from rollout.sandbox.apiserver.bodies import delete_options
from rollout.simulate import refusals
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.disruptions import blocking_budget
from rollout.simulate.objects import Json, dig, put

Action = Callable[[Ask, SimulatedCluster], Answer]


def _success() -> Answer:
    body: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
    return Answer(201, body)


def _bind(ask: Ask, cluster: SimulatedCluster) -> Answer:
    node = dig(ask.body or {}, "target", "name")
    if not node:
        raise refusals.bad_request("target.name: Required value")
    name = ask.target.name or dig(ask.body, "metadata", "name") or ""
    cluster.registry.bind(ask.namespace, name, node)
    return _success()


def _evict(ask: Ask, cluster: SimulatedCluster) -> Answer:
    """Delete a pod, unless a disruption budget forbids it just now."""
    pod = cluster.registry.get(ask.view.api, ask.namespace, ask.target.name)
    budget = blocking_budget(pod, cluster.registry.store)
    if budget is not None:
        raise _too_early(budget)
    options = delete_options(_with_options(ask))
    cluster.registry.delete(ask.view.api, ask.namespace, ask.target.name, options)
    return _success()


def _too_early(budget: Object) -> TooManyRequests:
    cause = {
        "reason": "DisruptionBudget",
        "message": f"The disruption budget {name_of(budget)} does not allow it now",
    }
    return TooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details={"causes": [cause]},
    )


def _with_options(ask: Ask) -> Ask:
    options = (ask.body or {}).get("deleteOptions") or {}
    return Ask(ask.verb, ask.target, ask.view, ask.user, ask.query, options)


def _finalize(ask: Ask, cluster: SimulatedCluster) -> Answer:
    left = dig(ask.body or {}, "spec", "finalizers") or []
    new = cluster.registry.update(
        ask.view.api, "", ask.target.name, lambda old: put(old, ("spec", "finalizers"), left)
    )
    return Answer(200, dict(new))


ACTIONS: Final[Mapping[tuple[str, str], Action]] = {
    ("pods", "binding"): _bind,
    ("pods", "eviction"): _evict,
    ("namespaces", "finalize"): _finalize,
}
"""By resource and subresource."""


def bind_by_body(ask: Ask, cluster: SimulatedCluster) -> Answer:
    """`POST .../bindings`: the older way to bind, with the pod's name in the body."""
    with cluster.lock:
        return _bind(ask, cluster)
