"""Metrics of a Canary: Flagger's own two, and MetricTemplates."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from rollout.convert import flagger_sides
from rollout.convert.asked import ADDRESS, ELSEWHERE, Asked, LeftOutError, failures, secret
from rollout.convert.conditions import Limits
from rollout.convert.documents import Document
from rollout.convert.flagger_analysis import Plan
from rollout.convert.ledger import Fate, Source
from rollout.convert.metadata import head
from rollout.convert.policies import Gathered
from rollout.convert.recognise import USUAL_BOUNDS, WIDEST, recognise, tidy
from rollout.convert.templates import Templates
from rollout.convert.times import duration
from rollout.convert.weights import WHOLE
from rollout.resources.duration import format_duration

NO_ADDRESS: Final = (
    "The address was Flagger's own setting (-metrics-server): write that of your Prometheus."
)
VARIABLE: Final = re.compile(r"\{\{-? *([\w.-]+) *-?\}\}")
COMPARED: Final = (
    "It was a limit for itself; here the share is compared with stable in the same minutes."
)
MEAN: Final = "Flagger's figure for nginx was a mean; here it is the share of slow requests."
ONE_SIDE: Final = "only what hurts is limited: fewer errors and shorter times are no harm"
LIMITS: Final = "max and min"
BUILT_IN: Final = ("request-success-rate", "request-duration")
HTTP: Final = "The counters are those of the pods here, not those of the mesh: see docs/metrics.md."


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
    if any(map(_is_built_in, every)):
        _preset(reading.spec, reading.gathered)
    for metric in every:
        try:
            if _is_built_in(metric):
                _built_in(metric, reading.gathered, reading.spec)
            else:
                _asked(metric, reading)
        except LeftOutError as error:
            metric.whole(Fate.NO_EQUAL, str(error))


def _is_built_in(metric: Source) -> bool:
    own = metric.has("templateRef") or metric.has("query")
    return str(metric.peek("name")) in BUILT_IN and not own


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
    for key in ("name", "threshold"):
        (metric.assume if near else metric.take)(key, what)
    metric.known("thresholdRange", ("min", "max"), fate, what)
    if what == LIMITS:
        metric.take("interval", "the window of the query")
    else:
        metric.not_needed("interval", "counters are read raw: there is no window")


def _built_in(metric: Source, gathered: Gathered, spec: Source) -> None:
    """Take one of Flagger's own metrics: the preset's counters."""
    provider = spec.text("provider") or ""
    bounds = _limits(metric)
    rate = metric.peek("name") == BUILT_IN[0]
    if rate and bounds.min is None and bounds.max is not None and metric.has("threshold"):
        bounds = Limits(min=bounds.max)
    limit = bounds.min if rate else bounds.max
    if limit is None:
        raise LeftOutError("it has no limit on this side: write thresholdRange")
    body, notes = _share(float(limit)) if rate else _slow(float(limit), provider)
    if gathered.preset != "ingress-nginx":
        notes = (*notes, HTTP)
    gathered.built_in("errors" if rate else "latency", body, tuple(n[:-1] for n in notes))
    _taken(metric, "margin" if rate else "bounds and margin", near=True)
    _other_side(metric.part("thresholdRange"), bounds, rate=rate)


def _other_side(given: Source, bounds: Limits, *, rate: bool) -> None:
    """Settle the limit that nothing bad can pass."""
    if rate and (bounds.max or 0) >= WHOLE:
        given.not_needed("max", "no share is larger")
    elif not rate and (bounds.min or 0) <= 0:
        given.not_needed("min", "no time is shorter")
    else:
        given.no_equal("max" if rate else "min", ONE_SIDE)


def _share(least: float) -> tuple[dict[str, Any], tuple[str, ...]]:
    allowed = min(max(round(1 - least / 100, 6), 0), WIDEST)
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


def _preset(spec: Source, gathered: Gathered) -> None:
    """Choose where Flagger's own two metrics are read from here."""
    provider = spec.text("provider")
    if provider != "nginx" and not spec.has("metricsServer"):
        return
    if provider == "nginx":
        gathered.preset = "ingress-nginx"
    address = spec.take("metricsServer", "provider.address")
    gathered.provider = {"address": str(address or ADDRESS)}
    if not address:
        gathered.guessed = NO_ADDRESS


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
    limited = _limits(metric)
    told = flagger_sides.told(
        _filled(found.query, values), reading.names.target, reading.names.apex
    )
    return Asked(
        name=str(metric.peek("name")),
        query=told.query,
        limits=limited,
        better=recognise(told.query, limited),
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
    _taken(metric, LIMITS if kind == "Value" else "margin", near=kind != "Value")


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
