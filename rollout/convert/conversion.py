"""All documents of an input converted, in an order to apply, with what became of every field."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from rollout.convert import argo, argo_analysis, flagger
from rollout.convert.documents import Document, together
from rollout.convert.draft import Draft, text
from rollout.convert.ledger import Fate, Finding, Ledger, UnreadableError
from rollout.convert.moving import Move, last
from rollout.convert.templates import Templates
from rollout.resources.faults import sentence
from rollout.resources.policy import RolloutPolicy
from rollout.resources.rollout import Rollout
from rollout.resources.words import API_VERSION

ARGO: Final = "argoproj.io"
FLAGGER: Final = "flagger.app"
VERSIONS: Final = {ARGO: ("v1alpha1",), FLAGGER: ("v1beta1", "v1alpha3")}
NO_KIND: Final = {
    "Experiment": "there are no experiments: what it runs is a Deployment and a Service",
    "AnalysisRun": "a run that has been made; verdicts stand in the Releases here",
    "AlertProvider": "rollout sends no alerts: alert on the controller's metrics or on Events",
}
KINDS: Final = {
    ARGO: ("Rollout", *argo_analysis.KINDS, "Experiment", "AnalysisRun"),
    FLAGGER: ("Canary", "MetricTemplate", "AlertProvider"),
}
OF_ARGO_CD: Final = ("Application", "ApplicationSet", "AppProject", "Workflow", "CronWorkflow")
ORDER: Final = ("Service", "Deployment", "HorizontalPodAutoscaler", "RolloutPolicy", "Rollout")
STAYS: Final = "it stays as it is: apply it as before"
UNUSED: Final = "no Rollout or Canary of the input uses it: convert it together with one that does"


@dataclass(frozen=True)
class Conversion:
    """What an input has become."""

    drafts: tuple[Draft, ...]
    findings: tuple[Finding, ...]
    steps: tuple[tuple[str, tuple[Move, ...]], ...]
    """For each object that is moved, the commands that move it."""

    @property
    def objects(self) -> tuple[dict[str, Any], ...]:
        """What to apply, in order."""
        return tuple(draft.body for draft in self.drafts)

    @property
    def text(self) -> str:
        """The same as YAML, with a comment at each field that was guessed."""
        return text(self.drafts)

    def with_fate(self, *fates: Fate) -> tuple[Finding, ...]:
        """Give the fields that had one of these fates."""
        return tuple(one for one in self.findings if one.fate in fates)


def convert(documents: Sequence[Document]) -> Conversion:
    """Convert everything.

    Raises UnreadableError, naming file, document and field, for what cannot be read.
    """
    for document in documents:
        _refuse(document)
    templates = Templates(_of(documents, *argo_analysis.KINDS))
    measured = Templates(_of(documents, "MetricTemplate"))
    found: list[tuple[Document, argo.Converted]] = []
    for document in documents:
        if (document.group, document.kind) == (ARGO, "Rollout"):
            found.append((document, _valid(document, argo.rollout(document, templates, documents))))
        elif (document.group, document.kind) == (FLAGGER, "Canary"):
            found.append(
                (document, _valid(document, flagger.canary(document, measured, documents)))
            )
    scaled = [draft for document in documents for draft in _scaler(document, documents)]
    used = templates.used | measured.used
    ledgers = [*_ledgers(documents, used), *templates.ledgers, *measured.ledgers]
    drafts = [*scaled, *(draft for _, one in found for draft in one.drafts)]
    return Conversion(
        tuple(sorted(drafts, key=_rank)),
        tuple(_once([finding for ledger in ledgers for finding in ledger.close()])),
        tuple(
            (document.subject, (*one.steps, *last(document, _handed_over(one, scaled))))
            for document, one in found
            if one.steps
        ),
    )


def _handed_over(made: argo.Converted, scalers: Sequence[Draft]) -> list[Draft]:
    """Give what ends a move: the autoscalers of its Deployment, and what is ours."""
    ours = [one for one in made.drafts if one.body["apiVersion"] == API_VERSION]
    (rollout,) = (one for one in ours if one.kind == "Rollout")
    return [*(one for one in scalers if _scales(one, rollout)), *ours]


def _scales(scaler: Draft, rollout: Draft) -> bool:
    spaces = {one.body["metadata"].get("namespace") for one in (scaler, rollout)} - {None}
    target = scaler.body["spec"][SCALERS[scaler.kind]]["name"]
    return target == rollout.body["spec"]["target"]["deployment"] and len(spaces) < 2  # noqa: PLR2004


def _valid(document: Document, made: argo.Converted) -> argo.Converted:
    """Raise UnreadableError where the values of a document make no valid object of ours."""
    models = {"Rollout": Rollout, "RolloutPolicy": RolloutPolicy}
    for draft in made.drafts:
        if draft.kind not in models:
            continue
        try:
            models[draft.kind].model_validate(draft.body)
        except ValidationError as error:
            raise UnreadableError(
                f"{document.where}: {document.subject}: its {draft.kind} would not be valid: "
                f"{sentence(error)}"
            ) from error
    return made


def _rank(draft: Draft) -> int:
    return ORDER.index(draft.kind) if draft.kind in ORDER else len(ORDER)


def _of(documents: Sequence[Document], *kinds: str) -> list[Document]:
    return [one for one in documents if one.group in KINDS and one.kind in kinds]


def _refuse(document: Document) -> None:
    """Refuse kinds and versions of theirs that are not known."""
    group, kind = document.group, document.kind
    if group not in KINDS or kind in OF_ARGO_CD:
        return
    version = str(document.body["apiVersion"]).rpartition("/")[2]
    if kind not in KINDS[group]:
        known = ", ".join(KINDS[group])
        raise UnreadableError(
            f"{document.where}: kind {kind} of {group} is unknown: leave it out (known: {known})"
        )
    if version not in VERSIONS[group]:
        known = ", ".join(VERSIONS[group])
        raise UnreadableError(
            f"{document.where}: {document.subject}: apiVersion {group}/{version} is unknown: "
            f"write one of {known}"
        )


def _scaler(document: Document, documents: Sequence[Document]) -> list[Draft]:
    """Have an autoscaler of an Argo Rollout scale the Deployment."""
    key = SCALERS.get(document.kind, "")
    reference = document.source.part("spec").part(key) if key else None
    if reference is None or reference.peek("kind") != "Rollout":
        return []
    name = _deployment(str(reference.peek("name")), document, documents)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    body = {part: value for part, value in document.body.items() if part != "status"}
    body["spec"] = {**dict(document.body["spec"]), key: target}
    document.ledger.record((), dict(document.body), Fate.CONVERTED, "itself, for the Deployment")
    return [Draft(body, origin=document.subject)]


def _deployment(rollout: str, scaler: Document, documents: Sequence[Document]) -> str:
    """Name the Deployment that takes the place of a Rollout, or that it refers to."""
    for one in documents:
        near = together(one.namespace, scaler.namespace)
        if (one.group, one.kind, one.name) == (ARGO, "Rollout", rollout) and near:
            reference = one.source.part("spec").part("workloadRef")
            return str(reference.peek("name") or rollout)
    return rollout


SCALERS: Final = {
    "HorizontalPodAutoscaler": "scaleTargetRef",
    "ScaledObject": "scaleTargetRef",
    "VerticalPodAutoscaler": "targetRef",
}


def _ledgers(documents: Sequence[Document], used: set[int]) -> list[Ledger]:
    """Give the ledgers of all documents but the templates, which have one for each use."""
    found = []
    for document in documents:
        if id(document) in used:
            continue
        ledger = document.ledger
        if not ledger.found:
            ledger.record((), dict(document.body), *_whole(document))
        found.append(ledger)
    return found


def _whole(document: Document) -> tuple[Fate, str]:
    if document.group not in KINDS or document.kind in OF_ARGO_CD:
        return Fate.NOT_NEEDED, STAYS
    return Fate.NO_EQUAL, NO_KIND.get(document.kind, UNUSED)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Drop what is said twice, as of templates that several Rollouts use."""
    known: dict[tuple[str, str, str, str], Finding] = {}
    for one in findings:
        known.setdefault((one.object, one.field, one.fate, one.what), one)
    return list(known.values())
