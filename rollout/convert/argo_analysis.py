"""Analysis of Argo Rollouts: which templates a Rollout uses, with which arguments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from rollout.convert.argo_metrics import Context, Named, judged
from rollout.convert.documents import Document
from rollout.convert.ledger import Fate, Source
from rollout.convert.metadata import head
from rollout.convert.policies import Gathered
from rollout.convert.templates import Templates

KINDS: Final = ("AnalysisTemplate", "ClusterAnalysisTemplate")
SAID_BY_POLICY: Final = "measurements stand in the Release's status"
NO_HASH: Final = (
    "the hash of the stable version is no variable: compare with stable by a metric of kind Ratio "
    "or Latency, which always do"
)


@dataclass
class Analysis:
    """What one Rollout is judged by; grows with each analysis that it names."""

    templates: Templates
    namespace: str
    names: Named
    fields: Mapping[str, Any]
    """The Rollout itself, for arguments that name one of its fields."""
    gathered: Gathered = field(default_factory=Gathered)
    taken: dict[Any, timedelta] = field(default_factory=dict)
    """How long each template measures that is in the policy already."""

    def run(self, source: Source, what: str, *, near: bool = False) -> timedelta:
        """Take one analysis of the Rollout, and give how long it takes.

        `near` says that it judges something else than it did.
        Raises UnreadableError for fields that are not what they should be.
        """
        given = dict(self._arguments(source))
        ignored = _ignored(source)
        source.no_equal("analysisRunMetadata", "there is no object of its own to be labelled")
        longest = timedelta(0)
        for one in source.parts("templates"):
            found = self.found(one, self.namespace)
            if found is None:
                continue
            settled = one.assume if near else one.take
            settled("templateName", what)
            longest = max(longest, self.template(found, given, ignored))
        return longest

    def found(self, one: Source, namespace: str) -> Document | None:
        """Find a template that is named; what is not in the input has no equal."""
        name, cluster = str(one.text("templateName")), bool(one.flag("clusterScope"))
        one.take("clusterScope")
        kind = KINDS[1] if cluster else KINDS[0]
        found = self.templates.named(kind, name, "" if cluster else namespace)
        if found is None:
            one.no_equal("templateName", f"{kind} {name} is not in the input: add its file")
        return found

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
    ignored = [*ignored, *_ignored(spec)]
    context = Context(values, analysis.names, tuple(ignored), analysis.gathered)
    times = [judged(metric, context) for metric in spec.parts("metrics")]
    for one in spec.parts("templates"):
        inner = analysis.found(one, found.namespace)
        if inner is not None:
            one.take("templateName", "the same policy")
            times.append(analysis.template(inner, values, ignored))
    return max(times, default=timedelta(0))


def _ignored(source: Source) -> list[str]:
    """Give the metrics that are only tried; how many measurements are kept is settled too."""
    if not (tried := source.parts("dryRun")):
        source.take("dryRun")
    if not (retained := source.parts("measurementRetention")):
        source.not_needed("measurementRetention", SAID_BY_POLICY)
    for one in retained:
        one.none_needed(dict.fromkeys(("metricName", "limit"), SAID_BY_POLICY))
    names = [one.text("metricName") or "" for one in tried]
    for one in tried:
        one.take("metricName", "onFail: Ignore of the metrics")
    return names


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
