"""Plain HTTP servers: the counters that client libraries of most languages show by default.

The label of the status code has two names in the wild, `code` and `status`; a series has one of
them, so an error is what has a 5xx in either. That needs two conditions joined by "or", which
matchers cannot say, so the preset takes `code`; services with `status` name their counters in
the policy.
"""

from typing import Final

from rollout.metrics.presets.base import PresetNames
from rollout.resources.metric import Counter, Histogram, Matcher, Operator

REQUESTS: Final = "http_requests_total"

NAMES: Final = PresetNames(
    bad=Counter(metric=REQUESTS, matchers=(Matcher(label="code", op=Operator.MATCH, value="5.."),)),
    total=Counter(metric=REQUESTS),
    histogram=Histogram(metric="http_request_duration_seconds"),
    track_matchers=(
        Matcher(label="namespace", value="${namespace}"),
        Matcher(label="pod", op=Operator.MATCH, value="${pods}"),
    ),
)
