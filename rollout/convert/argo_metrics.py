"""One metric of an AnalysisTemplate: what Prometheus is asked, and what is good."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rollout.convert.conditions import Limits, limits
from rollout.convert.ledger import Fate, Source
from rollout.convert.policies import Asked, Gathered, failures
from rollout.convert.recognise import recognise, tidy
from rollout.convert.times import duration
from rollout.resources.duration import format_duration
from rollout.resources.provider import SECRET_HEADERS

ARGUMENT: Final = re.compile(r"\{\{ *(?:args\.)?([\w.-]+) *\}\}")
QUOTED: Final = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
ADDRESS: Final = "http://prometheus.monitoring:9090"
ARGO_HASH: Final = "rollouts_pod_template_hash"
ELSEWHERE: Final = (
    "metrics come from Prometheus or from the pods: export this one to Prometheus and write a "
    "metric of kind Value"
)
PROVIDERS: Final = {
    "job": "run the check in the pipeline that starts the release, or behind an approval",
    "web": "export the figure to Prometheus, or check it behind an approval",
    "kayenta": "Ratio and Latency compare with stable and need no other service",
}


@dataclass(frozen=True)
class Context:
    """What a metric of a template is read with."""

    values: Mapping[str, str]
    candidate_service: str
    ignored: tuple[str, ...]
    gathered: Gathered


def judged(metric: Source, context: Context) -> timedelta:
    """Take a metric into the policy, and give how long it is measured."""
    name = str(metric.take("name"))
    provider = metric.part("provider")
    asked = provider.part("prometheus")
    if not asked.value:
        kind = next(iter(provider.value), "")
        metric.whole(Fate.NO_EQUAL, PROVIDERS.get(kind, ELSEWHERE))
        return timedelta(0)
    try:
        return _prometheus(metric, asked, name, context)
    except _LeftOutError as error:
        metric.whole(Fate.NO_EQUAL, str(error))
        return timedelta(0)


class _LeftOutError(Exception):
    """Why a metric cannot be in the policy."""


def _prometheus(metric: Source, asked: Source, name: str, context: Context) -> timedelta:
    query, notes = _query(asked, context)
    found = limits(metric.text("successCondition"), metric.text("failureCondition"))
    if found is None:
        raise _LeftOutError(
            "its conditions are no plain limits of one number: write max and min of a Value"
            if metric.has("successCondition") or metric.has("failureCondition")
            else "it has no condition, so it never failed: write a Value with max or min"
        )
    interval, count = duration(metric, "interval"), metric.number("count")
    allowed = metric.number("failureLimit") or 0
    ignored = allowed < 0 or _ignored(name, context.ignored)
    item = Asked(
        name=name,
        query=query,
        limits=found,
        better=recognise(query, found),
        provider=_provider(asked, context),
        failures=failures(max(allowed, 0), count),
        ignored=ignored,
        notes=notes,
        interval=interval,
        warmup=duration(metric, "initialDelay") or timedelta(0),
    )
    try:
        kind = context.gathered.add(item)
    except ValueError as error:
        raise _LeftOutError(str(error)) from error
    if not asked.has("address"):
        context.gathered.provider_note = (
            "The address was the controller's own setting: write that of your Prometheus."
        )
    _settle(metric, asked, kind, found)
    return item.warmup + (interval or timedelta(0)) * ((count or 1) - 1)


def _settle(metric: Source, asked: Source, kind: str, found: Limits) -> None:
    """Write down what became of a metric that is in the policy."""
    asked.take("query", f"a metric of kind {kind}")
    limited = Fate.ASSUMED if kind != "Value" or found.notes else Fate.CONVERTED
    told = "margin" if kind != "Value" else "max and min"
    for key in ("successCondition", "failureCondition"):
        if metric.has(key):
            metric.ledger.record((*metric.path, key), metric.peek(key), limited, told)
    counted = "failures" if kind == "Value" else "the judge counts requests, not measurements"
    negative = (metric.number("failureLimit") or 0) < 0
    metric.assume("failureLimit", "onFail: Ignore" if negative else counted)
    metric.assume("count", counted)
    if kind == "Value":
        metric.take("interval", "interval of the policy")
    else:
        metric.not_needed("interval", "the judge looks at the policy's own interval")
    metric.take("initialDelay", "warmup of the policy")
    error = "providerError of the policy: hold 5m, then Pause, instead of an abort"
    metric.no_equal("consecutiveErrorLimit", error)
    metric.no_equal("inconclusiveLimit", "nothing is inconclusive: see noData and onUndecided")
    metric.no_equal("consecutiveSuccessLimit", "a step passes when the judge has seen enough")


def _ignored(name: str, patterns: tuple[str, ...]) -> bool:
    return any(pattern in {"*", name} or _matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(f"^(?:{pattern})$", name) is not None
    except re.error:
        return False


def _query(asked: Source, context: Context) -> tuple[str, tuple[str, ...]]:
    text = asked.text("query")
    if not text:
        raise _LeftOutError("it has no query: write one")
    query = tidy(_filled(text, context))
    notes: tuple[str, ...] = ()
    if ARGO_HASH in query:
        query = query.replace(ARGO_HASH, "pod_template_hash")
        notes = ("the label of pods is pod-template-hash now: Prometheus must have it",)
    return named(query, context.candidate_service), notes


def named(query: str, candidate_service: str) -> str:
    """Have the candidate's Service stand as a variable, in the texts of a query."""
    if not candidate_service:
        return query
    name = re.compile(rf"(?<![\w-]){re.escape(candidate_service)}(?![\w-])")
    return QUOTED.sub(lambda text: name.sub("${service}", text[0]), query)


def _filled(text: str, context: Context) -> str:
    """Fill arguments in."""
    missing = [one for one in ARGUMENT.findall(text) if one not in context.values]
    if missing:
        raise _LeftOutError(
            f"the argument {missing[0]} has no value in the input: add the Rollout that gives it, "
            "or write it into the query"
        )
    return ARGUMENT.sub(lambda found: context.values[found[1]], text)


def _provider(asked: Source, context: Context) -> dict[str, Any]:
    """Give the provider, and write down what it cannot have."""
    address = asked.take("address", "provider.address")
    provider: dict[str, Any] = {"address": _filled(str(address), context) if address else ADDRESS}
    unchecked = asked.take("insecure", "provider.tls.insecureSkipVerify")
    if unchecked and provider["address"].startswith("https://"):
        provider["tls"] = {"insecureSkipVerify": True}
    if headers := _headers(asked):
        provider["headers"] = headers
    if (timeout := duration(asked, "timeout")) is not None:
        provider["timeout"] = format_duration(timeout)
        asked.take("timeout", "provider.timeout")
    said = "use basicAuth, bearerToken or tls of the provider"
    asked.no_equal("authentication", said)
    asked.no_equal("rangeQuery", "queries are asked for one moment: use max_over_time() or another")
    return provider


def _headers(asked: Source) -> dict[str, str]:
    headers = {}
    for one in asked.parts("headers"):
        key = str(one.peek("key"))
        if key.lower() in {name.lower() for name in SECRET_HEADERS} or "{{" in str(
            one.peek("value")
        ):
            one.whole(Fate.NO_EQUAL, "a secret: use bearerToken, basicAuth or secretHeaders")
        else:
            headers[str(one.take("key"))] = str(one.take("value", "provider.headers"))
    return headers
