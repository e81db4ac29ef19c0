"""Metrics of a Canary: queries of its own and of MetricTemplates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from rollout.convert import flagger_sides
from rollout.convert.asked import ADDRESS, ELSEWHERE, Asked, LeftOutError, failures, secret
from rollout.convert.documents import Document
from rollout.convert.flagger_analysis import Plan
from rollout.convert.flagger_presets import NO_ADDRESS, built_in, is_built_in, preset
from rollout.convert.flagger_ranges import LIMITS, limits, taken
from rollout.convert.ledger import Fate, Source
from rollout.convert.metadata import head
from rollout.convert.policies import MARGIN, Gathered
from rollout.convert.recognise import recognise, tidy
from rollout.convert.templates import Templates
from rollout.convert.times import duration
from rollout.resources.duration import format_duration

VARIABLE: Final = re.compile(r"\{\{-? *([\w.-]+) *-?\}\}")


@dataclass(frozen=True)
class Names:
    """What queries may name."""

    values: Mapping[str, str]
    namespace: str
    target: str
    apex: str

    @classmethod
    def of(cls, document: Document, target: str, apex: str) -> Self:
        """Give the names of a Canary, as our variables where they are another on each side."""
        ingress = document.source.part("spec").part("ingressRef").peek("name") or ""
        values = {
            "name": document.name,
            "namespace": "${namespace}",
            "target": target,
            "service": apex,
            "ingress": str(ingress or target),
        }
        return cls(values, document.namespace, target, apex)


@dataclass(frozen=True)
class Reading:
    """What the metrics of one Canary are read with."""

    spec: Source
    decided: Plan
    templates: Templates
    names: Names
    gathered: Gathered


def metrics(found: Source, reading: Reading) -> None:
    """Take all metrics of an analysis into the policy."""
    every = found.parts("metrics")
    if any(map(is_built_in, every)):
        preset(reading.spec, reading.gathered)
    for metric in every:
        try:
            if is_built_in(metric):
                built_in(metric, reading.gathered, reading.spec)
            else:
                _asked(metric, reading)
        except LeftOutError as error:
            metric.whole(Fate.NO_EQUAL, str(error))


@dataclass(frozen=True)
class _Found:
    """A query as it is written, and whom it is asked."""

    query: str
    provider: dict[str, Any]
    guessed: str
    place: Source
    """What has the query: the metric itself or its template."""

    def settle(self, fate: Fate, what: str) -> None:
        """Write down what becomes of the query."""
        if self.place.has("query"):
            self.place.ledger.record((*self.place.path, "query"), self.query, fate, what)


def _asked(metric: Source, reading: Reading) -> None:
    """Take a metric with a query of its own."""
    found = _source(metric, reading)
    try:
        asked = _worded(metric, found, reading)
        kind = reading.gathered.add(asked)
    except LeftOutError as error:
        found.settle(Fate.NO_EQUAL, str(error))
        raise
    _settle(metric, found, asked, kind)


def _worded(metric: Source, found: _Found, reading: Reading) -> Asked:
    """Word what a metric asks, with our names."""
    decided = reading.decided
    window = duration(metric, "interval") or decided.interval
    values = {**reading.names.values, "interval": format_duration(window)}
    for key, value in metric.part("templateVariables").value.items():
        values[f"variables.{key}"] = str(value)
    limited = limits(metric)
    told = flagger_sides.told(
        _filled(found.query, values), reading.names.target, reading.names.apex
    )
    return Asked(
        name=str(metric.peek("name")),
        query=told.query,
        limits=limited,
        better=None if told.one_side else recognise(told.query, limited),
        provider=found.provider,
        guessed=found.guessed,
        failures=failures(decided.threshold - 1, max(decided.ticks, decided.threshold)),
        notes=told.notes,
        interval=decided.interval,
    )


def _settle(metric: Source, found: _Found, asked: Asked, kind: str) -> None:
    """Write down what became of a metric that is in the policy."""
    what = "; ".join((f"a metric of kind {kind}", *asked.notes))
    fate = Fate.ASSUMED if asked.notes else Fate.CONVERTED
    metric.known("templateRef", ("name", "namespace"), Fate.CONVERTED, f"a metric of kind {kind}")
    found.settle(fate, what)
    variables = metric.part("templateVariables")
    for key in variables.value:
        if f"variables.{key}" in VARIABLE.findall(found.query):
            variables.take(key, "the query")
        else:
            variables.not_needed(key, "the query does not use it")
    if not variables.value:
        metric.take("templateVariables")
    taken(metric, LIMITS if kind == "Value" else MARGIN, near=kind != "Value")


def _source(metric: Source, reading: Reading) -> _Found:
    """Find the query of a metric."""
    reference, spec = metric.part("templateRef"), reading.spec
    if not reference.value:
        address = spec.take("metricsServer", "provider.address")
        provider, guessed = {"address": str(address or ADDRESS)}, "" if address else NO_ADDRESS
        return _Found(metric.text("query") or "", provider, guessed, metric)
    name, namespace = str(reference.peek("name")), str(reference.peek("namespace") or "")
    found = reading.templates.named("MetricTemplate", name, namespace or reading.names.namespace)
    if found is None:
        raise LeftOutError(f"MetricTemplate {name} is not in the input: add its file")
    return _template(reading.templates.opened(found))


def _template(root: Source) -> _Found:
    head(root)
    root.part("metadata").whole(Fate.CONVERTED, "the policy has the name of the Canary")
    spec = root.part("spec")
    provider = spec.part("provider")
    if provider.peek("type") != "prometheus":
        root.ledger.record(("spec",), root.peek("spec"), Fate.NO_EQUAL, ELSEWHERE)
        raise LeftOutError(ELSEWHERE)
    provider.take("type")
    address = provider.take("address", "provider.address")
    body: dict[str, Any] = {"address": str(address or ADDRESS)}
    if provider.take("insecureSkipVerify", "provider.tls.insecureSkipVerify") and body[
        "address"
    ].startswith("https://"):
        body["tls"] = {"insecureSkipVerify": True}
    provider.no_equal(
        "secretRef", "name its keys as basicAuth or bearerToken of the policy's provider"
    )
    provider.no_equal("region", "Prometheus has none")
    if headers := _headers(provider.part("headers")):
        body["headers"] = headers
    return _Found(spec.text("query") or "", body, "" if address else NO_ADDRESS, spec)


def _headers(headers: Source) -> dict[str, str]:
    found = {}
    for key, value in headers.value.items():
        if secret(key):
            headers.no_equal(key, "a secret: use basicAuth, bearerToken or secretHeaders")
        else:
            headers.take(key, "provider.headers")
            found[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


def _filled(query: str, values: Mapping[str, str]) -> str:
    """Fill the variables of a query in, as Flagger does.

    Raises LeftOutError for a variable that has no value.
    """
    missing = [one for one in VARIABLE.findall(query) if one not in values]
    if missing:
        raise LeftOutError(f"the query uses {missing[0]}, which has no value: write it in")
    return tidy(VARIABLE.sub(lambda one: values[one[1]], query))
