"""Envoy as the edge: its counters per upstream cluster, read from Prometheus.

Both counters are taken from `upstream_rq_xx`, which counts answers: `upstream_rq_total` counts
requests when they begin, and a reading between the two would show requests that have no answer
yet as good. Answers that Envoy makes up itself when it cannot reach a pod are counted too.

Control planes name clusters differently: `shop/web`, `shop/web/80/da39a3ee5e` (Contour),
`shop_web_80`. Those are matched; for others set the provider's `trackMatchers`.
"""

from typing import Final

from rollout.metrics.presets.base import PresetNames
from rollout.resources.metric import Counter, Histogram, Matcher, Operator, Unit

ANSWERS: Final = "envoy_cluster_upstream_rq_xx"

NAMES: Final = PresetNames(
    bad=Counter(metric=ANSWERS, matchers=(Matcher(label="envoy_response_code_class", value="5"),)),
    total=Counter(metric=ANSWERS),
    histogram=Histogram(metric="envoy_cluster_upstream_rq_time", unit=Unit.MILLISECONDS),
    track_matchers=(
        Matcher(
            label="envoy_cluster_name",
            op=Operator.MATCH,
            value="${namespace}[/_.]${service}([/_:].*)?",
        ),
    ),
)
