"""A Canary of Flagger to a Service, a Rollout and a RolloutPolicy."""

from collections.abc import Sequence
from typing import Any, Final

from rollout.convert import flagger_moving
from rollout.convert.argo import Converted
from rollout.convert.documents import Document
from rollout.convert.draft import Draft
from rollout.convert.flagger_analysis import Plan, plan
from rollout.convert.flagger_metrics import Names, Reading, metrics
from rollout.convert.flagger_service import service
from rollout.convert.ledger import Fate, Source
from rollout.convert.metadata import head, kept
from rollout.convert.policies import Gathered, unjudged
from rollout.convert.templates import Templates
from rollout.convert.times import duration
from rollout.convert.weights import NO_ROUTER, UNROUTED, UNROUTED_AT_ONCE
from rollout.resources.duration import format_duration
from rollout.resources.words import API_VERSION

BY_TEMPLATE: Final = (
    "As before: every change of the pod template is a release. A changed ConfigMap or Secret is "
    "none: give it a new name, as Kustomize does, or a checksum annotation."
)
ONLY_DEPLOYMENTS: Final = "only Deployments are released: this Canary is left to Flagger"
MISSING: Final = (
    "Flagger took missing data for a failed check. Here it holds for this time, then pauses for a "
    "person; Rollback is the other choice."
)
PRIMARY: Final = "there is no second autoscaler: bring the figure onto the one of the Deployment"


def canary(document: Document, templates: Templates, others: Sequence[Document]) -> Converted:
    """Convert one Canary.

    Raises UnreadableError for fields that are not what they should be.
    """
    root = document.source
    spec = root.part("spec")
    head(root)
    if spec.part("targetRef").peek("kind") != "Deployment":
        document.ledger.record((), dict(document.body), Fate.NO_EQUAL, ONLY_DEPLOYMENTS)
        return Converted()
    names, ingress, found = _names(document, spec), _ingress(spec), _analysis(spec)
    provider = spec.text("provider") or ""
    decided = plan(found, provider)
    policy = _policy(document, found, Reading(spec, decided, templates, names, Gathered()))
    traffic = {"services": [names.apex], **({"ingresses": [ingress]} if ingress else {})}
    draft = _draft(document, _rollout(spec, decided, names, traffic, policy.name), decided)
    _provider(spec, draft, ingress, decided)
    scaler = _scaler(spec.part("autoscalerRef"))
    _rest(spec)
    made = service(spec.part("service"), document, names.apex, names.target, others)
    steps = flagger_moving.moves(
        document, names.target, made, ingress=ingress, provider=provider, scaler=scaler
    )
    return Converted([made, policy, draft], steps)


def _names(document: Document, spec: Source) -> Names:
    """Find what the canary was called."""
    reference = spec.part("targetRef")
    for key in ("apiVersion", "kind"):
        reference.take(key)
    target = str(reference.take("name", "target.deployment") or document.name)
    return Names.of(document, target, spec.part("service").text("name") or target)


def _analysis(spec: Source) -> Source:
    """Find the analysis; `canaryAnalysis` is its old name."""
    if spec.has("analysis") or not spec.has("canaryAnalysis"):
        spec.not_needed("canaryAnalysis", "analysis wins, which is its new name")
        return spec.part("analysis")
    return spec.part("canaryAnalysis")


def _ingress(spec: Source) -> str:
    reference = spec.part("ingressRef")
    for key in ("apiVersion", "kind"):
        reference.take(key)
    return str(reference.take("name", "traffic.ingresses") or "")


def _rollout(
    spec: Source, decided: Plan, names: Names, traffic: dict[str, Any], policy: str
) -> dict[str, Any]:
    (kind,) = decided.body
    if (deadline := duration(spec, "progressDeadlineSeconds")) is not None:
        decided.body[kind]["progressDeadline"] = format_duration(deadline)
        spec.take("progressDeadlineSeconds", "progressDeadline")
    return {
        "target": {"deployment": names.target},
        "strategy": decided.body,
        "traffic": traffic,
        "policy": {"name": policy},
        "trigger": "Template",
    }


def _draft(document: Document, body: dict[str, Any], decided: Plan) -> Draft:
    metadata = kept(document.source)
    whole = {"apiVersion": API_VERSION, "kind": "Rollout", "metadata": metadata, "spec": body}
    draft = Draft(whole, origin=document.subject)
    for path, said in decided.notes.items():
        draft.note(said, "spec", *path)
    draft.note(BY_TEMPLATE, "spec", "trigger")
    return draft


def _policy(document: Document, found: Source, reading: Reading) -> Draft:
    metrics(found, reading)
    spec, gathered = reading.spec, reading.gathered
    if not gathered.metrics:
        spec.no_equal("metricsServer", "no metric asks it: see provider of the policy")
        return unjudged(document.name, document.namespace, document.subject)
    draft = gathered.draft(document.name, document.namespace, f"the analysis of {document.subject}")
    draft.body["spec"]["noData"] = {"hold": "5m", "then": "Pause"}
    draft.note(MISSING, "spec", "noData")
    return draft


def _provider(spec: Source, draft: Draft, ingress: str, decided: Plan) -> None:
    """Settle what routes the requests."""
    provider = spec.text("provider")
    if provider == "nginx":
        spec.take("provider", "canary Ingresses")
    elif provider == "kubernetes":
        spec.take("provider", "the Service's selector")
    elif provider is not None:
        spec.no_equal("provider", NO_ROUTER)
    if not ingress and provider not in {"nginx", "kubernetes"}:
        weighted = "canary" in decided.body
        draft.note(UNROUTED if weighted else UNROUTED_AT_ONCE, "spec", "traffic")
    spec.no_equal("routeRef", NO_ROUTER)
    spec.no_equal("upstreamRef", NO_ROUTER)


def _scaler(reference: Source) -> tuple[str, str] | None:
    reference.no_equal("primaryScalerQueries", PRIMARY)
    reference.no_equal("primaryScalerReplicas", PRIMARY)
    if not reference.value:
        return None
    stays = "it scales the Deployment, as before Flagger; the candidate follows"
    for key in ("apiVersion", "kind", "name"):
        reference.not_needed(key, stays)
    return str(reference.peek("kind")), str(reference.peek("name"))


def _rest(spec: Source) -> None:
    spec.not_needed("revertOnDeletion", "deleting a Rollout touches nothing that serves")
    for key, advice in {
        "skipAnalysis": "to skip the judge in one release: `rollout promote --full`",
        "suspend": "a release is paused, not a Rollout: `rollout pause`",
    }.items():
        if spec.flag(key):
            spec.no_equal(key, advice)
        else:
            spec.not_needed(key, "false is how it always is")
