"""Analysis of Argo Rollouts: which templates a Rollout uses, with which arguments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from rollout.convert.argo_metrics import Context, judged
from rollout.convert.documents import Document
from rollout.convert.ledger import Fate, Ledger, Source
from rollout.convert.metadata import head
from rollout.convert.policies import Gathered

KINDS: Final = ("AnalysisTemplate", "ClusterAnalysisTemplate")
SAID_BY_POLICY: Final = "measurements stand in the Release's status"
NO_HASH: Final = (
    "the hash of the stable version is no variable: compare with stable by a metric of kind Ratio "
    "or Latency, which always do"
)


@dataclass
class Templates:
    """The templates of the input, and which of them a Rollout uses."""

    documents: list[Document]
    used: set[int] = field(default_factory=set)
    ledgers: list[Ledger] = field(default_factory=list)
    """One for each use of a template: another Rollout may give it other arguments."""

    def opened(self, document: Document) -> Source:
        """Open a template for one use of it."""
        self.used.add(id(document))
        self.ledgers.append(Ledger(document.where, document.subject, document.body))
        return Source(self.ledgers[-1], (), document.body)

    def named(self, name: str, namespace: str, *, cluster: bool) -> Document | None:
        """Find a template; a namespace that one of both leaves out does not tell them apart."""
        kind = KINDS[1] if cluster else KINDS[0]
        for document in self.documents:
            near = (
                cluster
                or not (document.namespace and namespace)
                or (document.namespace == namespace)
            )
            if (document.kind, document.name) == (kind, name) and near:
                return document
        return None


@dataclass
class Analysis:
    """What one Rollout is judged by; grows with each analysis that it names."""

    templates: Templates
    namespace: str
    candidate_service: str
    fields: Mapping[str, Any]
    """The Rollout itself, for arguments that name one of its fields."""
    gathered: Gathered = field(default_factory=Gathered)
    taken: dict[Any, timedelta] = field(default_factory=dict)
    """How long each template measures that is in the policy already."""

    def run(self, source: Source, what: str) -> timedelta:
        """Take one analysis of the Rollout, and give how long it takes.

        Raises UnreadableError for fields that are not what they should be.
        """
        given = dict(self._arguments(source))
        ignored = [one.text("metricName") or "" for one in source.parts("dryRun")]
        source.take("dryRun", "onFail: Ignore of the metrics")
        source.not_needed("measurementRetention", SAID_BY_POLICY)
        source.no_equal("analysisRunMetadata", "there is no object of its own to be labelled")
        longest = timedelta(0)
        for one in source.parts("templates"):
            name, cluster = str(one.text("templateName")), bool(one.flag("clusterScope"))
            found = self.templates.named(name, self.namespace, cluster=cluster)
            if found is None:
                kind = KINDS[1] if cluster else KINDS[0]
                one.no_equal("templateName", f"{kind} {name} is not in the input: add its file")
                one.take("clusterScope")
                continue
            one.take("templateName", what)
            one.take("clusterScope")
            longest = max(longest, self.template(found, given, ignored))
        return longest

    def template(
        self, found: Document, given: Mapping[str, str], ignored: Sequence[str]
    ) -> timedelta:
        """Take the metrics of a template and of those that it names; once is enough."""
        key = (id(found), tuple(sorted(given.items())))
        if key not in self.taken:
            self.taken[key] = timedelta(0)
            self.taken[key] = _template(found, self, given, ignored)
        return self.taken[key]

    def _arguments(self, source: Source) -> Iterator[tuple[str, str]]:
        for one in source.parts("args"):
            name, value = str(one.take("name")), one.take("value", "the query")
            origin = one.part("valueFrom")
            if value is not None:
                yield name, str(value)
            elif (hash_of := origin.peek("podTemplateHashValue")) == "Latest":
                origin.take("podTemplateHashValue", "${hash}")
                yield name, "${hash}"
            elif hash_of is not None:
                origin.no_equal("podTemplateHashValue", NO_HASH)
            elif (said := self._field(origin.part("fieldRef"))) is not None:
                yield name, said

    def _field(self, reference: Source) -> str | None:
        path = reference.peek("fieldPath")
        if path is None:
            return None
        found: Any = self.fields
        for quoted, plain in re.findall(r"\['([^']*)'\]|([^.\[\]]+)", str(path)):
            found = found.get(quoted or plain) if isinstance(found, Mapping) else None
        if isinstance(found, str | int):
            reference.take("fieldPath", "the query")
            return str(found)
        reference.no_equal("fieldPath", "there is no such field in the Rollout: write the value")
        return None


def _template(
    found: Document, analysis: Analysis, given: Mapping[str, str], ignored: Sequence[str]
) -> timedelta:
    """Take the metrics of one template, and give how long the longest of them measures."""
    root = analysis.templates.opened(found)
    head(root)
    root.part("metadata").whole(Fate.CONVERTED, "the policy has the name of the Rollout")
    spec = root.part("spec")
    values = _values(spec, given)
    ignored = [*ignored, *(one.text("metricName") or "" for one in spec.parts("dryRun"))]
    spec.take("dryRun", "onFail: Ignore of the metrics")
    spec.not_needed("measurementRetention", SAID_BY_POLICY)
    context = Context(values, analysis.candidate_service, tuple(ignored), analysis.gathered)
    times = [judged(metric, context) for metric in spec.parts("metrics")]
    for one in spec.parts("templates"):
        name, cluster = str(one.text("templateName")), bool(one.flag("clusterScope"))
        inner = analysis.templates.named(name, found.namespace, cluster=cluster)
        if inner is None:
            one.no_equal("templateName", f"template {name} is not in the input: add its file")
        else:
            one.take("templateName", "the same policy")
            times.append(analysis.template(inner, values, ignored))
        one.take("clusterScope")
    return max(times, default=timedelta(0))


def _values(spec: Source, given: Mapping[str, str]) -> dict[str, str]:
    """Give the arguments; those of the Rollout win."""
    values = dict(given)
    for one in spec.parts("args"):
        name, default = str(one.take("name")), one.take("value", "the query")
        if name not in values and default is not None:
            values[name] = str(default)
        origin = one.part("valueFrom")
        origin.no_equal("secretKeyRef", "queries hold no secrets: use the provider's bearerToken")
        if (path := origin.peek("fieldRef")) is not None:
            origin.no_equal("fieldRef", f"write the value of {path} into the query")
    return values
