"""Metrics of several templates gathered into the one policy that a Rollout has."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from rollout.convert.asked import Asked, LeftOutError
from rollout.convert.draft import Draft
from rollout.convert.recognise import parsed
from rollout.resources.duration import format_duration
from rollout.resources.faults import path, worded
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.words import API_VERSION

MOST_METRICS: Final = 16
LONGEST_NAME: Final = 63
LONGEST_QUERY: Final = 4000
TIME_DECIDES: Final = {"hold": "10s", "then": "Advance"}
MARGIN: Final = "margin: the candidate is held to stable in the same minutes, not to a bound alone"


@dataclass
class Gathered:
    """What is to be judged; grows metric by metric."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    notes: list[tuple[str, ...]] = field(default_factory=list)
    known: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Names and bodies of the metrics as they were asked for: two analyses may ask for one."""
    preset: str = ""
    provider: dict[str, Any] = field(default_factory=dict)
    guessed: str = ""
    """What to say of the provider's address that the input does not name."""
    matchers: tuple[dict[str, str], ...] = ()
    interval: timedelta | None = None
    warmup: timedelta = timedelta(0)

    def add(self, asked: Asked) -> str:
        """Take a metric, and say as what: `Ratio`, `Latency` or `Value`; a second time is nothing.

        Raises LeftOutError, with the reason and what to do, when the policy cannot have it.
        """
        provider, guessed = self._provider(asked)
        _askable(asked)
        body = self._better(asked) or self._number(asked)
        kind = str(body.pop("kind"))
        metric = {"kind": kind, **({"onFail": "Ignore"} if asked.ignored else {}), **body}
        _valid({"name": self._free(asked.name), **metric}, provider)
        if (asked.name, metric) not in self.known:
            own = asked.better.notes if kind != "Value" and asked.better else asked.limits.told
            self._keep(asked.name, metric, (*own, *asked.notes))
            self.known.append((asked.name, metric))
        self.provider, self.guessed = provider, guessed
        if kind != "Value" and asked.better is not None:
            self.matchers = asked.better.track_matchers
        elif asked.interval is not None:
            self.interval = min(self.interval or asked.interval, asked.interval)
        self.warmup = max(self.warmup, asked.warmup)
        return kind

    def built_in(self, name: str, body: dict[str, Any], notes: tuple[str, ...]) -> None:
        """Take a metric of the preset's counters.

        Raises LeftOutError when the policy is full.
        """
        self._keep(name, body, notes)

    def _keep(self, name: str, body: dict[str, Any], notes: tuple[str, ...]) -> None:
        if len(self.metrics) >= MOST_METRICS:
            raise LeftOutError(f"a policy has at most {MOST_METRICS} metrics: leave this one out")
        self.metrics.append({"name": self._free(name), **body})
        self.notes.append(notes)

    def _provider(self, asked: Asked) -> tuple[dict[str, Any], str]:
        """Give the one provider of all; a written address wins over a guessed one."""
        if not self.provider:
            return asked.provider, asked.guessed
        if self.provider == asked.provider:
            return self.provider, self.guessed and asked.guessed
        if self.guessed and _gives_way(self.provider, asked.provider):
            return asked.provider, asked.guessed
        if asked.guessed and _gives_way(asked.provider, self.provider):
            return self.provider, self.guessed
        raise LeftOutError(
            f"a policy asks one Prometheus, and this one ({asked.provider['address']}) is not "
            "that of the metrics before it: bring both metrics into one Prometheus"
        )

    def _better(self, asked: Asked) -> dict[str, Any] | None:
        """Give the metric by counters, if its sides are told apart as those before it."""
        found = asked.better
        if found is None or (self.matchers and self.matchers != found.track_matchers):
            return None
        if self.preset:
            return None
        return dict(found.body)

    @staticmethod
    def _number(asked: Asked) -> dict[str, Any]:
        failures = {"failures": asked.failures} if asked.failures else {}
        return {"kind": "Value", "query": asked.query, **asked.limits.given, **failures}

    def _free(self, name: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: LONGEST_NAME - 3].strip("-")
        taken = {metric["name"] for metric in self.metrics}
        wanted = [
            plain or "metric",
            *(f"{plain or 'metric'}-{n}" for n in range(2, MOST_METRICS + 2)),
        ]
        return next(one for one in wanted if one not in taken)

    def draft(self, name: str, namespace: str, origin: str) -> Draft:
        """Word the policy."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        body = {"apiVersion": API_VERSION, "kind": "RolloutPolicy", "metadata": metadata}
        draft = Draft({**body, "spec": self._spec()}, origin=origin)
        for index, said in enumerate(self.notes):
            for one in said:
                draft.note(one[0].upper() + one[1:] + ".", "spec", "metrics", index)
        if self.guessed:
            draft.note(self.guessed, "spec", "provider")
        return draft

    def _spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"preset": self.preset} if self.preset else {}
        if self.provider:
            spec["provider"] = {"kind": "Prometheus", **self.provider}
            if self.matchers:
                spec["provider"]["trackMatchers"] = [dict(one) for one in self.matchers]
        if self.metrics:
            spec["metrics"] = self.metrics
        if self.interval is not None:
            spec["interval"] = format_duration(self.interval)
        if self.warmup:
            spec["warmup"] = format_duration(self.warmup)
        return spec


def _gives_way(guessed: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether nothing that the input says of a guessed provider is lost with its address."""
    said = {key: value for key, value in guessed.items() if key != "address"}
    return not said or said == {key: value for key, value in other.items() if key != "address"}


def _askable(asked: Asked) -> None:
    """Raise LeftOutError for a query or limits that no policy takes."""
    if len(asked.query) > LONGEST_QUERY:
        raise LeftOutError(f"the query is longer than {LONGEST_QUERY} characters: shorten it")
    try:
        parsed(asked.query)
    except ValueError as error:
        raise LeftOutError(f"the query is no PromQL ({error}): correct it") from error
    low, high = asked.limits.min, asked.limits.max
    if low is not None and high is not None and low > high:
        raise LeftOutError(f"no value is at least {low:g} and at most {high:g}: correct one")


def _valid(metric: dict[str, Any], provider: dict[str, Any]) -> None:
    """Raise LeftOutError for what a policy would not take."""
    try:
        RolloutPolicySpec.model_validate(
            {"provider": {"kind": "Prometheus", **provider}, "metrics": [metric]}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = f"{path(first['loc'][-1:])}: {worded(dict(first))}"
        raise LeftOutError(f"a policy does not take it ({said}): correct it") from error


def unjudged(name: str, namespace: str, origin: str) -> Draft:
    """Word the policy of something that nothing judged before: missing metrics hold nothing up."""
    draft = Gathered().draft(name, namespace, origin)
    draft.body["spec"] = {"noData": dict(TIME_DECIDES), "providerError": dict(TIME_DECIDES)}
    draft.note(
        "Nothing was judged before. Errors and latency of the pods are judged where the pods show "
        "them; where they do not, time alone decides, as before.",
        "spec",
    )
    return draft
