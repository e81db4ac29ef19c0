"""The ingress-nginx controller as the edge: its own counters, read from Prometheus.

A canary there is no route of its own but a second backend of the user's: requests that it gets are
counted under the user's Ingress and Service too. Only the label `canary` tells them apart; it is
empty, or names the canary backend as namespace, Service and port (`shop-web-candidate-80`).

`request_duration_seconds` is the whole time of a request, reading from and writing to the client
included; in seconds, though its help text says milliseconds. A rule whose host is empty or has a
wildcard is by default in no series; `--metrics-per-host=false` of the controller adds it.

Where Prometheus renames the controller's labels (`exported_namespace`), because its own targets
have labels of that name, say so in the provider's `trackMatchers`, or scrape with
`honorLabels: true`.
"""

from typing import Final

from rollout.metrics.presets.base import PresetNames
from rollout.resources.metric import Counter, Histogram, Matcher, Operator

REQUESTS: Final = "nginx_ingress_controller_requests"

NAMES: Final = PresetNames(
    bad=Counter(
        metric=REQUESTS, matchers=(Matcher(label="status", op=Operator.MATCH, value="5.."),)
    ),
    total=Counter(metric=REQUESTS),
    histogram=Histogram(metric="nginx_ingress_controller_request_duration_seconds"),
    track_matchers=(
        Matcher(label="namespace", value="${namespace}"),
        Matcher(label="service", value="${route}"),
        Matcher(label="canary", op=Operator.MATCH, value="${canary}"),
    ),
)
