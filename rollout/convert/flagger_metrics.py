"""Metrics of a Canary: Flagger's own two, and MetricTemplates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from rollout.convert.conditions import Limits
from rollout.convert.documents import Document
from rollout.convert.flagger_analysis import Plan
from rollout.convert.ledger import Fate, Ledger, Source
from rollout.convert.metadata import head
from rollout.convert.policies import Asked, Gathered, failures
from rollout.convert.recognise import USUAL_BOUNDS, recognise, tidy
from rollout.convert.times import duration
from rollout.resources.duration import format_duration
from rollout.resources.names import beside
from rollout.resources.provider import SECRET_HEADERS

ADDRESS: Final = "http://prometheus.monitoring:9090"
NO_ADDRESS: Final = (
    "The address was Flagger's own setting (-metrics-server): write that of your Prometheus."
)
VARIABLE: Final = re.compile(r"\{\{-? *(?:variables\.)?([\w.-]+) *-?\}\}")
POD: Final = re.compile(r'(pod\w*) *=~ *"\{\{ *target *\}\}-[^"{}]*"')
"""How queries for Flagger name the canary's pods: the target and a regular expression."""
COMPARED: Final = (
    "It was a limit for itself; here the share is compared with stable in the same minutes."
)
MEAN: Final = "Flagger's figure for nginx was a mean; here it is the share of slow requests."
ELSEWHERE: Final = (
    "metrics come from Prometheus or from the pods: export this one to Prometheus and write a "
    "metric of kind Value"
)
LIMITS: Final = "max and min"
BUILT_IN: Final = ("request-success-rate", "request-duration")
HTTP: Final = "The counters are those of the pods here, not those of the mesh: see docs/metrics.md."


@dataclass
class Templates:
    """The MetricTemplates of the input."""

    documents: list[Document]
    used: set[int] = field(default_factory=set)
    ledgers: list[Ledger] = field(default_factory=list)

    def named(self, name: str, namespace: str) -> Document | None:
        """Find one; a namespace that one of both leaves out does not tell them apart."""
        for document in self.documents:
            near = not document.namespace or not namespace or document.namespace == namespace
            if document.name == name and near:
                return document
        return None

    def opened(self, document: Document) -> Source:
        """Open one for one use of it."""
        self.used.add(id(document))
        self.ledgers.append(Ledger(document.where, document.subject, document.body))
        return Source(self.ledgers[-1], (), document.body)


@dataclass(frozen=True)
class Names:
    """What queries may name."""

    values: Mapping[str, str]
    namespace: str

    @classmethod
    def of(cls, document: Document, target: str, apex: str) -> Self:
        """Give the names of a Canary, as our variables where they are another on each side."""
        ingress = document.source.part("spec").part("ingressRef").peek("name") or ""
        values = {
            "name": document.name,
            "namespace": "${namespace}",
            "target": target,
            "service": apex,
            "ingress": str(ingress),
        }
        return cls(values, document.namespace)


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
    for metric in found.parts("metrics"):
        name = str(metric.peek("name"))
        try:
            if name in BUILT_IN and not metric.has("templateRef") and not metric.has("query"):
                _built_in(metric, name, reading.gathered, reading.spec)
            else:
                _asked(metric, reading)
        except _LeftOutError as error:
            metric.whole(Fate.NO_EQUAL, str(error))


class _LeftOutError(Exception):
    """Why a metric cannot be in the policy."""


def _limits(metric: Source) -> Limits:
    """Read the range; bounds are included in both worlds."""
    given = metric.part("thresholdRange")
    low, high = given.peek("min"), given.peek("max")
    for key in ("min", "max"):
        if not isinstance(given.peek(key), int | float | None):
            raise given.unreadable(key, "a number")
    if low is None and high is None:
        if not isinstance(metric.peek("threshold"), int | float | None):
            raise metric.unreadable("threshold", "a number")
        return Limits(max=metric.peek("threshold") or 0)
    return Limits(low, high)


def _taken(metric: Source, what: str, *, near: bool) -> None:
    fate = Fate.ASSUMED if near else Fate.CONVERTED
    for key in ("name", "thresholdRange", "threshold"):
        if metric.has(key):
            metric.ledger.record((*metric.path, key), metric.peek(key), fate, what)
    if what == LIMITS:
        metric.take("interval", "the window of the query")
    else:
        metric.not_needed("interval", "counters are read raw: there is no window")


def _built_in(metric: Source, name: str, gathered: Gathered, spec: Source) -> None:
    """Take one of Flagger's own metrics: the preset's counters."""
    provider = spec.text("provider") or ""
    bounds = _limits(metric)
    rate = name == BUILT_IN[0]
    if rate and bounds.min is None and bounds.max is not None and metric.has("threshold"):
        bounds = Limits(min=bounds.max)
    limit = bounds.min if rate else bounds.max
    if limit is None:
        raise _LeftOutError("it has no limit on this side: write thresholdRange")
    body, notes = _share(float(limit)) if rate else _slow(float(limit), provider)
    if not gathered.metrics and not gathered.preset:
        _preset(spec, provider, gathered)
    if gathered.preset != "ingress-nginx":
        notes = (*notes, HTTP)
    try:
        gathered.built_in("errors" if rate else "latency", body, tuple(n[:-1] for n in notes))
    except ValueError as error:
        raise _LeftOutError(str(error)) from error
    _taken(metric, "margin" if rate else "bounds and margin", near=True)


def _share(least: float) -> tuple[dict[str, Any], tuple[str, ...]]:
    allowed = min(max(round(1 - least / 100, 6), 0), 0.9)
    body = {"kind": "Ratio", "margin": {"ratio": 1.0, "absolute": allowed}}
    return body, (f"At least {least:g} % had to succeed.", COMPARED)


def _slow(most: float, provider: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    wanted = most / 1000
    bound = min((one for one in USUAL_BOUNDS if one >= wanted), default=wanted)
    body = {"kind": "Latency", "bounds": [bound], "margin": {"ratio": 1.0, "absolute": 0.01}}
    notes = [f"99 % had to be within {most:g} ms.", COMPARED]
    if provider in {"nginx", "skipper"}:
        notes.append(MEAN)
    if bound != wanted:
        notes.append(f"{bound:g} s is the next larger bucket that histograms usually have.")
    return body, tuple(notes)


def _preset(spec: Source, provider: str, gathered: Gathered) -> None:
    """Choose where Flagger's own two metrics are read from here."""
    if provider != "nginx" and not spec.has("metricsServer"):
        return
    if provider == "nginx":
        gathered.preset = "ingress-nginx"
    address = spec.take("metricsServer", "provider.address")
    gathered.provider = {"address": str(address or ADDRESS)}
    if not address:
        gathered.provider_note = NO_ADDRESS


def _asked(metric: Source, reading: Reading) -> None:
    """Take a metric with a query of its own."""
    spec, decided, gathered = reading.spec, reading.decided, reading.gathered
    templates, names = reading.templates, reading.names
    window = duration(metric, "interval") or decided.interval
    values = {**names.values, "interval": format_duration(window)}
    values |= {key: str(value) for key, value in metric.part("templateVariables").value.items()}
    limited = _limits(metric)
    query, provider, noted = _source(metric, spec, templates, names, values)
    asked = Asked(
        name=str(metric.peek("name")),
        query=query,
        limits=limited,
        better=recognise(query, limited),
        provider=provider,
        interval=decided.interval,
        failures=failures(decided.threshold - 1, max(decided.ticks, decided.threshold)),
    )
    try:
        kind = gathered.add(asked)
    except ValueError as error:
        raise _LeftOutError(str(error)) from error
    if noted and not gathered.provider_note:
        gathered.provider_note = noted
    metric.take("templateRef", f"a metric of kind {kind}")
    metric.take("templateVariables", "the query")
    metric.take("query", f"a metric of kind {kind}")
    _taken(metric, LIMITS if kind == "Value" else "margin", near=kind != "Value")


def _source(
    metric: Source,
    spec: Source,
    templates: Templates,
    names: Names,
    values: Mapping[str, str],
) -> tuple[str, dict[str, Any], str]:
    """Give query, provider, and what to say of the provider."""
    reference = metric.part("templateRef")
    if not reference.value:
        address = spec.take("metricsServer", "provider.address")
        query = filled(str(metric.text("query") or ""), values)
        return query, {"address": str(address or ADDRESS)}, "" if address else NO_ADDRESS
    name, namespace = str(reference.peek("name")), str(reference.peek("namespace") or "")
    found = templates.named(name, namespace or names.namespace)
    if found is None:
        raise _LeftOutError(f"MetricTemplate {name} is not in the input: add its file")
    return _template(templates.opened(found), values)


def _template(root: Source, values: Mapping[str, str]) -> tuple[str, dict[str, Any], str]:
    head(root)
    root.part("metadata").whole(Fate.CONVERTED, "the policy has the name of the Canary")
    spec = root.part("spec")
    provider = spec.part("provider")
    if provider.peek("type") != "prometheus":
        root.ledger.record(("spec",), root.peek("spec"), Fate.NO_EQUAL, ELSEWHERE)
        raise _LeftOutError(ELSEWHERE)
    provider.take("type")
    spec.take("query", "a metric of the policy")
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
    return filled(str(spec.text("query") or ""), values), body, "" if address else NO_ADDRESS


def _headers(headers: Source) -> dict[str, str]:
    found = {}
    secret = {name.lower() for name in SECRET_HEADERS}
    for key, value in headers.value.items():
        if key.lower() in secret:
            headers.no_equal(key, "a secret: use basicAuth, bearerToken or secretHeaders")
        else:
            headers.take(key, "provider.headers")
            found[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


def filled(query: str, values: Mapping[str, str]) -> str:
    """Fill the variables of a query in; what names the canary names the candidate's side.

    Raises _LeftOutError for a variable that has no value.
    """
    target, service = values["target"], values["service"]
    text = POD.sub(r'\1=~"${pods}"', query)
    text = re.sub(r"\{\{ *target *\}\}-primary", target, text)
    text = re.sub(r"\{\{ *service *\}\}-canary", "${service}", text)
    text = re.sub(r"\{\{ *service *\}\}-primary", service, text)
    text = re.sub(r"\{\{ *target *\}\}-canary", "${service}", text)
    text = re.sub(r"\{\{ *target *\}\}", beside(target), text)
    missing = [one for one in VARIABLE.findall(text) if one not in values]
    if missing:
        raise _LeftOutError(f"the query uses {missing[0]}, which has no value: write it in")
    return tidy(VARIABLE.sub(lambda one: values[one[1]], text))
