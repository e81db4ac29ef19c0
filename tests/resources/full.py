"""Good objects in which every field of a spec is written, for tests that spoil one at a time.

Where fields exclude each other there is one object for each choice.
"""

from typing import Any, Final

from rollout.resources.writes import Object
from tests import build
from tests.resources.change import changed, policy

NAME_OF_A_SECRET: Final = {"secretRef": {"name": "prometheus", "key": "token"}}
MATCHERS: Final = [{"label": "code", "op": "=~", "value": "5.."}]
COUNTER: Final = {"metric": "requests_total", "matchers": MATCHERS}
MARGIN: Final = {"ratio": 1.2, "absolute": 0.01}
WAIT: Final = {"hold": "2m", "then": "Pause"}
GATE: Final = {"timeout": "1h", "onTimeout": "Rollback"}
TIMES: Final = {"bake": "5m", "progressDeadline": "10m", "drain": "5s"}
PROMETHEUS: Final = {
    "kind": "Prometheus",
    "address": "https://prometheus:9090",
    "headers": {"X-Region": "north"},
    "secretHeaders": {"X-Key": NAME_OF_A_SECRET},
    "tenant": "shop",
    "tenantHeader": "X-Scope-OrgID",
    "timeout": "5s",
    "trackMatchers": [{"label": "track", "op": "=", "value": "${track}"}],
}
METRICS: Final = [
    {
        "name": "errors",
        "kind": "Ratio",
        "onFail": "Rollback",
        "bad": COUNTER,
        "total": COUNTER,
        "margin": MARGIN,
    },
    {
        "name": "latency",
        "kind": "Latency",
        "histogram": {"metric": "request_seconds", "matchers": MATCHERS, "unit": "Seconds"},
        "bounds": [0.25, 1],
    },
    {
        "name": "memory",
        "kind": "Value",
        "query": "max(memory_bytes)",
        "min": 1,
        "max": 2,
        "failures": {"count": 3, "of": 5},
    },
]


def judged(**access: Any) -> Object:
    """A policy that asks Prometheus, with one way of saying who asks."""
    return policy(
        preset="http",
        provider={**PROMETHEUS, **access},
        metrics=METRICS,
        interval="10s",
        warmup="0s",
        alpha=0.01,
        minimumRequests=100,
        minimumRequestsToFail=20,
        shareTolerance=0.5,
        noData=WAIT,
        providerError=WAIT,
    )


POLICIES: Final = (
    judged(
        basicAuth={"username": "ana", "password": NAME_OF_A_SECRET},
        tls={
            "ca": NAME_OF_A_SECRET,
            "certificate": NAME_OF_A_SECRET,
            "key": NAME_OF_A_SECRET,
            "serverName": "prometheus.shop",
        },
    ),
    judged(bearerToken=NAME_OF_A_SECRET, tls={"caFile": "/etc/rollout/ca.crt"}),
    judged(bearerTokenFile="/etc/rollout/token", tls={"insecureSkipVerify": True}),
)
CANARY: Final = {
    "canary": {
        **TIMES,
        "steps": [
            {
                "weight": 5,
                "minDuration": "1m",
                "maxDuration": "10m",
                "onUndecided": "Hold",
                "approval": GATE,
                "replicas": "50%",
            }
        ],
    }
}
BLUE_GREEN: Final = {
    "blueGreen": {
        **TIMES,
        "previewService": "web-preview",
        "approval": GATE,
        "previewReplicas": 2,
    }
}
CHOICES: Final[tuple[tuple[Object, Object], ...]] = (
    (CANARY, {"name": "strict"}),
    (BLUE_GREEN, {"inline": {}}),
)
ROLLOUTS: Final = tuple(
    build.rollout(
        strategy=dict(strategy),
        target={"deployment": "web", "container": "web"},
        traffic={
            "shareBy": "Ingress",
            "services": ["web"],
            "ingresses": ["web"],
            "annotationPrefix": "nginx.ingress.kubernetes.io",
            "canaryAnnotations": True,
        },
        policy=choice,
        historyLimit=10,
        trigger="Command",
        onNewRelease="Reject",
        adoption="Surge",
    )
    for strategy, choice in CHOICES
)
ASKED: Final[dict[str, Any]] = {
    "fast": False,
    "by": "admin",
    "reason": "new prices",
    "action": {
        "id": "a1",
        "type": "pause",
        "by": "admin",
        "reason": "to look",
        "at": "2026-01-01T00:00:00Z",
    },
}
TEMPLATE: Final = {"metadata": {"labels": {"app": "web"}}}
BY_VERSION, BY_TEMPLATE = (
    build.release(**ASKED, overrides={"strategy": strategy, "policy": choice})
    for strategy, choice in CHOICES
)
RELEASES: Final = (
    BY_VERSION,
    changed(changed(BY_TEMPLATE, "spec.version", None), "spec.template", TEMPLATE),
)
FULL: Final = (*POLICIES, *ROLLOUTS, *RELEASES)
