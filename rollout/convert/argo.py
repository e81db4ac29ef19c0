"""A Rollout of Argo Rollouts to a Deployment, a Rollout and a RolloutPolicy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rollout.convert import argo_moving
from rollout.convert.argo_analysis import Analysis
from rollout.convert.argo_metrics import Named
from rollout.convert.argo_strategy import Strategy, blue_green, canary
from rollout.convert.documents import Document, together
from rollout.convert.draft import Draft
from rollout.convert.ledger import Fate, Source
from rollout.convert.metadata import head, kept
from rollout.convert.moving import Move
from rollout.convert.policies import Gathered, unjudged
from rollout.convert.templates import Templates
from rollout.convert.times import duration
from rollout.resources.duration import format_duration
from rollout.resources.words import API_VERSION

BY_TEMPLATE: Final = "As before: every change of the pod template is a release."
DEADLINE: Final = (
    "Argo Rollouts only reported that the time was over; here the release is rolled back."
)
OF_DEPLOYMENT: Final = "set it on the Deployment that workloadRef names"
NO_TARGET: Final = (
    "only Deployments are released: write one with this pod template, and name it in "
    "spec.target.deployment"
)
WAS_ZERO: Final = (
    "It said replicas: 0, as Argo Rollouts had it: write how many you want, or leave it out where "
    "an autoscaler sets it."
)
UNDONE: Final = (
    "`rollout undo` goes back to any version on the fast path; an earlier template that comes by "
    "Git walks the steps, unless it is the one that serves"
)


@dataclass
class Converted:
    """What one object has become."""

    drafts: list[Draft] = field(default_factory=list)
    steps: tuple[Move, ...] = ()
    """What to do to move without downtime, in order; that rollout takes over comes after it."""


def rollout(document: Document, templates: Templates, others: Sequence[Document]) -> Converted:
    """Convert one Rollout.

    Raises UnreadableError for fields that are not what they should be.
    """
    root = document.source
    head(root)
    metadata, spec = kept(root), root.part("spec")
    reference = spec.part("workloadRef")
    target, deployment = _target(document, reference, others)
    replicas = spec.number("replicas")
    canaried = spec.part("strategy").part("canary")
    names = Named(document.name, target, canaried.text("canaryService") or "")
    analysis = Analysis(templates, document.namespace, names, document.body)
    strategy = _strategy(spec, analysis, document.name, replicas)
    policy = _policy(document, strategy, analysis.gathered)
    body = _rollout(strategy, target, policy.name)
    draft = Draft({**_head("Rollout", metadata), "spec": body}, origin=document.subject)
    for path, said in strategy.notes.items():
        draft.note(said, "spec", *path)
    draft.note(BY_TEMPLATE, "spec", "trigger")
    _deadline(spec, draft, body)
    _rest(spec)
    if deployment is not None:
        _complete(spec, deployment, strategy, metadata)
    else:
        _of_deployment(spec)
    made = [] if deployment is None else [deployment]
    if reference.value and reference.peek("kind") != "Deployment":
        return Converted([policy, draft])
    steps = argo_moving.moves(document, target, deployment, strategy, whole=not reference.value)
    return Converted([*made, policy, draft], steps)


def _head(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": dict(metadata)}


def _target(
    document: Document, reference: Source, others: Sequence[Document]
) -> tuple[str, Draft | None]:
    """Name the Deployment that serves, and word it where the pod template stands in the Rollout."""
    if not reference.value:
        body: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}}
        return document.name, Draft({**body, "spec": {}}, origin=document.subject)
    if reference.peek("kind") != "Deployment":
        reference.whole(Fate.NO_EQUAL, NO_TARGET)
        return str(reference.peek("name") or document.name), None
    for key in ("apiVersion", "kind"):
        reference.take(key)
    scale = "Argo Rollouts scaled the Deployment down: the next steps scale it up again"
    reference.not_needed("scaleDown", scale)
    name = str(reference.take("name", "target.deployment") or document.name)
    return name, _scaled(document, name, others)


def _scaled(document: Document, name: str, others: Sequence[Document]) -> Draft | None:
    """Give the user's own Deployment with the Rollout's replicas, if it is in the input."""
    for other in others:
        near = together(other.namespace, document.namespace)
        if (other.kind, other.name) == ("Deployment", name) and near:
            other.ledger.record((), dict(other.body), Fate.CONVERTED, "itself, scaled up")
            return Draft(
                {**other.body, "spec": dict(other.source.part("spec").value)}, origin=other.subject
            )
    return None


def _strategy(spec: Source, analysis: Analysis, name: str, replicas: int | None) -> Strategy:
    both = spec.part("strategy")
    if both.has("blueGreen"):
        both.no_equal("canary", "blueGreen is there too, and Argo Rollouts refuses both: keep one")
        return blue_green(both.part("blueGreen"), analysis)
    if not both.part("canary").value:
        both.take("canary")
    return canary(both.part("canary"), analysis, name, replicas)


def _policy(document: Document, strategy: Strategy, gathered: Gathered) -> Draft:
    """Word what is judged, also where nothing could be taken over."""
    name, namespace, origin = document.name, document.namespace, document.subject
    if gathered.metrics:
        return gathered.draft(name, namespace, f"the analysis of {origin}")
    draft = unjudged(name, namespace, origin)
    if strategy.judged:
        draft.body["spec"] = {"metrics": [{"name": "errors", "kind": "Ratio"}]}
        draft.notes.clear()
        draft.note(
            "None of its metrics could be taken over: this one is the share of 5xx answers, read "
            "from the pods. See the list of what has no equal.",
            "spec",
        )
    return draft


def _rollout(strategy: Strategy, target: str, policy: str) -> dict[str, Any]:
    return {
        "target": {"deployment": target},
        "strategy": strategy.body,
        **({"traffic": strategy.traffic} if strategy.traffic else {}),
        "policy": {"name": policy},
        "trigger": "Template",
    }


def _deadline(spec: Source, draft: Draft, body: dict[str, Any]) -> None:
    (kind,) = body["strategy"]
    if (deadline := duration(spec, "progressDeadlineSeconds")) is not None:
        body["strategy"][kind]["progressDeadline"] = format_duration(deadline)
        spec.take("progressDeadlineSeconds", "progressDeadline")
        if not spec.flag("progressDeadlineAbort"):
            draft.note(DEADLINE, "spec", "strategy", kind, "progressDeadline")
    spec.take("progressDeadlineAbort", "progressDeadline, which rolls back")


def _rest(spec: Source) -> None:
    spec.no_equal("restartAt", "restarts are releases: `rollout restart`")
    if spec.flag("paused"):
        spec.no_equal("paused", "a release is paused, not a Rollout: `rollout pause`")
    else:
        spec.not_needed("paused", "false is how it always is")
    spec.part("rollbackWindow").no_equal("revisions", UNDONE)
    kept_runs = "verdicts stand in the Releases; historyLimit says how many are kept"
    runs = spec.part("analysis")
    for key in ("successfulRunHistoryLimit", "unsuccessfulRunHistoryLimit"):
        runs.not_needed(key, kept_runs)


def _complete(
    spec: Source, deployment: Draft, strategy: Strategy, metadata: Mapping[str, Any]
) -> None:
    """Fill the Deployment: a new one from the pod template, or the user's own."""
    inner = deployment.body["spec"]
    deployment.body["metadata"] = deployment.body["metadata"] or dict(metadata)
    keys = ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    for key in keys:
        if spec.has(key):
            spec.number(key)
            inner[key] = spec.take(key, f"{key} of the Deployment")
    for key in ("selector", "template"):
        if spec.part(key).value:
            inner[key] = spec.keep(key, f"{key} of the Deployment")
    if inner.get("replicas") == 0 and not spec.has("replicas"):
        del inner["replicas"]
        deployment.note(WAS_ZERO, "spec")
    if "template" in inner and "selector" not in inner:
        labels = spec.part("template").part("metadata").part("labels").value
        inner["selector"] = {"matchLabels": dict(labels)}
        deployment.note("It was left out: the labels of the pods.", "spec", "selector")
    if strategy.surge:
        inner["strategy"] = {"type": "RollingUpdate", "rollingUpdate": strategy.surge}


def _of_deployment(spec: Source) -> None:
    """Say what of the Rollout belongs on a Deployment that is not in the input."""
    for key in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        spec.no_equal(key, OF_DEPLOYMENT)
    spec.not_needed("selector", "that of the Deployment")
    spec.no_equal("template", NO_TARGET)
    for key in ("maxSurge", "maxUnavailable"):
        spec.part("strategy").part("canary").no_equal(key, OF_DEPLOYMENT)
