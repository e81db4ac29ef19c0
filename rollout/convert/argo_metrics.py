"""One metric of an AnalysisTemplate: what Prometheus is asked, and what is good."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rollout.convert.asked import ADDRESS, ELSEWHERE, Asked, LeftOutError, failures, secret
from rollout.convert.conditions import limits
from rollout.convert.ledger import Fate, Source
from rollout.convert.policies import MARGIN, Gathered
from rollout.convert.recognise import recognise, tidy
from rollout.convert.sides import Told, of_argo
from rollout.convert.times import duration
from rollout.resources.duration import format_duration

ARGUMENT: Final = re.compile(r"\{\{ *(?:args\.)?([\w.-]+) *\}\}")
ARGO_HASH: Final = "rollouts_pod_template_hash"
NO_ADDRESS: Final = "The address was the controller's own setting: write that of your Prometheus."
PROVIDERS: Final = {
    "job": "run the check in the pipeline that starts the release, or behind an approval",
    "web": "export the figure to Prometheus, or check it behind an approval",
    "kayenta": "Ratio and Latency compare with stable and need no other service",
}


@dataclass(frozen=True)
class Named:
    """What queries may name."""

    rollout: str
    """Name of the Rollout, with which the names of its pods and ReplicaSets began."""
    target: str
    candidate_service: str


@dataclass(frozen=True)
class Context:
    """What a metric of a template is read with."""

    values: Mapping[str, str]
    names: Named
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
    except LeftOutError as error:
        metric.whole(Fate.NO_EQUAL, str(error))
        return timedelta(0)


def _prometheus(metric: Source, asked: Source, name: str, context: Context) -> timedelta:
    told = _query(asked, context)
    found = limits(metric.text("successCondition"), metric.text("failureCondition"))
    if found is None:
        raise LeftOutError(
            "its conditions are no plain limits of one number: write max and min of a Value"
            if metric.has("successCondition") or metric.has("failureCondition")
            else "it has no condition, so it never failed: write a Value with max or min"
        )
    interval, count = duration(metric, "interval"), metric.number("count")
    allowed = metric.number("failureLimit") or 0
    ignored = allowed < 0 or _ignored(name, context.ignored)
    item = Asked(
        name=name,
        query=told.query,
        limits=found,
        better=recognise(told.query, found.bounds),
        provider=_provider(asked, context),
        guessed="" if asked.has("address") else NO_ADDRESS,
        failures=failures(max(allowed, 0), count),
        ignored=ignored,
        notes=told.notes,
        interval=interval,
        warmup=duration(metric, "initialDelay") or timedelta(0),
    )
    kind = context.gathered.add(item)
    _settle(metric, asked, kind, item)
    return item.warmup + (interval or timedelta(0)) * ((count or 1) - 1)


def _settle(metric: Source, asked: Source, kind: str, item: Asked) -> None:
    """Write down what became of a metric that is in the policy."""
    if item.notes:
        asked.assume("query", "; ".join((f"a metric of kind {kind}", *item.notes)))
    else:
        asked.take("query", f"a metric of kind {kind}")
    near = kind != "Value" or item.limits.told
    told = MARGIN if kind != "Value" else "max and min"
    for key in ("successCondition", "failureCondition"):
        (metric.assume if near else metric.take)(key, told)
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


def _query(asked: Source, context: Context) -> Told:
    text = asked.text("query")
    if not text:
        raise LeftOutError("it has no query: write one")
    query = tidy(_filled(text, context))
    notes: tuple[str, ...] = ()
    if ARGO_HASH in query:
        query = query.replace(ARGO_HASH, "pod_template_hash")
        notes = ("the label of pods is pod-template-hash now: Prometheus must have it",)
    names = context.names
    told = of_argo(query, names.rollout, names.target, names.candidate_service)
    return Told(told.query, (*notes, *told.notes))


def _filled(text: str, context: Context) -> str:
    """Fill arguments in."""
    missing = [one for one in ARGUMENT.findall(text) if one not in context.values]
    if missing:
        raise LeftOutError(
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
        if secret(key) or "{{" in str(one.peek("value")):
            one.whole(Fate.NO_EQUAL, "a secret: use bearerToken, basicAuth or secretHeaders")
        else:
            headers[str(one.take("key"))] = str(one.take("value", "provider.headers"))
    return headers
