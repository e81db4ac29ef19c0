"""Objects, and changes of them, that a rule of our CRDs refuses: each with the field and the fix.

Every rule has its case here; a test holds the list to the generated CRDs.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from rollout.resources.image import NOT_A_VERSION
from rollout.resources.rollout import IMPLIED, IN_PLACE_NEEDS_STEPS
from rollout.resources.writes import Object
from tests import build
from tests.resources.change import changed, policy


@dataclass(frozen=True)
class Bad:
    """An object that a rule refuses; with `change`, the merge patch of a good one that it does."""

    said: str
    """The rule's message, word for word."""
    at: str
    """The field that is blamed."""
    body: Object
    change: Object = field(default_factory=dict)


PROMETHEUS: Final = {"kind": "Prometheus", "address": "http://prometheus:9090"}
COUNTER: Final = {"metric": "requests_total"}
FIRST: Final = "spec.metrics[0]"
ROLLOUT: Final = build.rollout()
RELEASE: Final = build.release()
BY_TEMPLATE: Final = changed(
    changed(RELEASE, "spec.version", None),
    "spec.template",
    {"metadata": {"labels": {"app": "web"}}},
)
STARTED: Final = build.release(
    by="admin", reason="new prices", overrides={"strategy": {"canary": {}}}
)
AT: Final = "2026-01-01T00:00:00Z"
TOLD: Final = build.release(action={"id": "a1", "type": "rollback", "by": "admin", "at": AT})


def strategy(**chosen: Any) -> Object:
    """A Rollout with this in its strategy."""
    return changed(ROLLOUT, "spec.strategy", chosen)


def judged(kind: str, **settings: Any) -> Object:
    """A policy that asks Prometheus, with one metric of a kind."""
    metric = {"name": "a", "kind": kind, **settings}
    return policy(provider=PROMETHEUS, metrics=[metric])


def asked(**settings: Any) -> Object:
    """A policy that reads the pods, with one setting that is Prometheus' own."""
    return policy(provider={"kind": "Scrape", **settings})


ONE_STRATEGY: Final = "set exactly one of canary and blueGreen"
RISING: Final = "steps must have rising weights: sort them, and drop equal ones"
TWO_SIDES: Final = "bad and total belong together: give both, or neither to take the preset's"
UNKNOWN_VARIABLE: Final = "query uses a variable that does not exist: remove it"
NO_CHANGE: Final = "a release cannot be changed but for its action: start a new one"
NO_MORE: Final = "this release was told to roll back; no other action follows: start a new one"

OF_A_STRATEGY: Final = (
    Bad(ONE_STRATEGY, "spec.strategy", strategy()),
    Bad(ONE_STRATEGY, "spec.strategy", strategy(canary={}, blueGreen={})),
    *(
        Bad(
            RISING,
            "spec.strategy.canary",
            strategy(canary={"steps": [{"weight": first}, {"weight": 20}]}),
        )
        for first in (50, 20)
    ),
    Bad(
        "maxDuration must not be shorter than minDuration: raise maxDuration",
        "spec.strategy.canary.steps[0]",
        strategy(canary={"steps": [{"weight": 5, "minDuration": "2m", "maxDuration": "1m"}]}),
    ),
)
OF_A_ROLLOUT: Final = (
    Bad(IMPLIED, "spec", build.rollout(trigger="Template", onNewRelease="Reject")),
    Bad(
        IN_PLACE_NEEDS_STEPS,
        "spec",
        build.rollout(strategy=build.blue_green(), adoption="InPlace"),
    ),
    Bad(
        "shareBy Replicas weights no Ingress: drop ingresses, or set shareBy to Ingress",
        "spec.traffic",
        changed(ROLLOUT, "spec.traffic", {"shareBy": "Replicas", "ingresses": ["web"]}),
    ),
)
OF_A_CHOICE: Final = (
    Bad("set exactly one of name and inline", "spec.policy", changed(ROLLOUT, "spec.policy", {})),
    Bad(
        "set exactly one of name and inline",
        "spec.policy",
        changed(ROLLOUT, "spec.policy", {"name": "web-default", "inline": {}}),
    ),
)
OF_A_POLICY: Final = (
    Bad("interval must be at least 100ms: raise it", "spec", policy(interval="10ms")),
    Bad(
        "preset envoy needs provider.kind Prometheus: the edge is no pod of the service",
        "spec",
        policy(preset="envoy"),
    ),
    Bad(
        "a metric of kind Value needs provider.kind Prometheus: set the provider",
        "spec",
        policy(metrics=[{"name": "a", "kind": "Value", "query": "1", "max": 1}]),
    ),
    *(
        Bad(
            f"{name} is only for kind Prometheus: remove it",
            "spec.provider",
            asked(**{name: value}),
        )
        for name, value in {
            "address": "http://prometheus:9090",
            "headers": {"X-Scope-OrgID": "shop"},
            "trackMatchers": [{"label": "track", "value": "${track}"}],
        }.items()
    ),
    Bad(
        "kind Prometheus needs address: set it",
        "spec.provider",
        policy(provider={"kind": "Prometheus"}),
    ),
)
OF_A_METRIC: Final = (
    *(
        Bad(
            f"{name} is only for kind {owners}: remove it",
            FIRST,
            judged("Latency" if owners == "Ratio" else "Ratio", **{name: value}),
        )
        for name, owners, value in (
            ("bad", "Ratio", COUNTER),
            ("total", "Ratio", COUNTER),
            ("bounds", "Latency", [0.1]),
            ("histogram", "Latency", COUNTER),
            ("failures", "Value", {"count": 1}),
            ("max", "Value", 1),
            ("min", "Value", 1),
            ("query", "Value", "1"),
        )
    ),
    Bad(
        "margin is only for kind Ratio and Latency: remove it",
        FIRST,
        judged("Value", query="1", max=1, margin={"ratio": 2}),
    ),
    Bad("kind Value needs query: set it", FIRST, judged("Value", max=1)),
    Bad(TWO_SIDES, FIRST, judged("Ratio", bad=COUNTER)),
    Bad(TWO_SIDES, FIRST, judged("Ratio", total=COUNTER)),
    Bad("bounds must differ: drop the equal ones", FIRST, judged("Latency", bounds=[0.1, 0.1])),
    Bad(
        "set max, min or both: without a limit nothing can fail",
        FIRST,
        judged("Value", query="1"),
    ),
    Bad("min must not exceed max: swap them", FIRST, judged("Value", query="1", min=2, max=1)),
    Bad(UNKNOWN_VARIABLE, FIRST, judged("Value", query="up{pod=~'${pod}'}", max=1)),
    Bad(
        "count must not exceed of: lower count or raise of",
        f"{FIRST}.failures",
        judged("Value", query="1", max=1, failures={"count": 3, "of": 2}),
    ),
    Bad(
        "count must not exceed of: lower count or raise of",
        f"{FIRST}.failures",
        judged("Value", query="1", max=1, failures={"count": 6}),  # of is 5 by default
    ),
)
NO_VERSIONS: Final = (
    "registry.example.com/other:v1/",
    "registry.example.com/x:",
    "Registry.example.com/Foo:v1",
    "a//b:v1",
    "v1/",
    "v1@",
    "x@sha256:zz",
    "web:v1",
    "a" * 129,
)
OF_A_RELEASE: Final = (
    Bad(
        "set exactly one of version and template",
        "spec",
        changed(RELEASE, "spec.version", None),
    ),
    Bad("set exactly one of version and template", "spec", changed(RELEASE, "spec.template", {})),
    *(Bad(NOT_A_VERSION, "spec", build.release(version=version)) for version in NO_VERSIONS),
    *(
        Bad(NO_CHANGE, "spec", body, {"spec": change})
        for body, change in (
            (STARTED, {"version": "v3"}),
            (STARTED, {"version": None, "template": BY_TEMPLATE["spec"]["template"]}),
            (STARTED, {"rollout": "other"}),
            (STARTED, {"by": "ben"}),
            (STARTED, {"reason": "because"}),
            (STARTED, {"fast": True}),
            (STARTED, {"overrides": None}),
            (STARTED, {"overrides": {"strategy": {"canary": {"bake": "1s"}}}}),
            (RELEASE, {"overrides": {"strategy": {"canary": {}}}}),
            (RELEASE, {"fast": True}),
            (BY_TEMPLATE, {"template": {"metadata": {"labels": {"app": "other"}}}}),
            (BY_TEMPLATE, {"version": "v2", "template": None}),
        )
    ),
    *(
        Bad(NO_MORE, "spec", TOLD, {"spec": {"action": change}})
        for change in (None, {"id": "a2", "type": "promote"}, {"reason": "because"})
    ),
)
BAD: Final = (
    *OF_A_ROLLOUT,
    *OF_A_STRATEGY,
    *OF_A_CHOICE,
    *OF_A_POLICY,
    *OF_A_METRIC,
    *OF_A_RELEASE,
)
