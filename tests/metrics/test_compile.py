import re
from typing import Any

import promql_parser
import pytest

from rollout.analysis.signals import Track
from rollout.metrics.compile import (
    Part,
    conditions,
    fill,
    holds,
    parts,
    pods_regex,
    selector,
    track_matchers,
)
from rollout.metrics.presets import PRESETS
from rollout.metrics.provider import PodAddress, Side, TrackQuery
from rollout.resources.metric import (
    Counter,
    Histogram,
    LatencyMetric,
    Matcher,
    Operator,
    RatioMetric,
    Unit,
)
from rollout.resources.policy import Preset, RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider


def side(hash_: str, *pods: str) -> Side:
    return Side(hash_, "web.v2", tuple(PodAddress(name, "10.0.0.1", 80) for name in pods))


QUERY = TrackQuery("shop", side("aaa", "web-aaa-x1", "web-aaa-y2"), side("bbb"))


def test_presets_fill_in_what_the_policy_leaves_out() -> None:
    found = {(part.metric, part.name): part for part in parts(RolloutPolicySpec())}
    assert set(found) == {
        ("errors", "bad"),
        ("errors", "total"),
        ("latency", "total"),
        ("latency", "le=0.25"),
        ("latency", "le=1"),
    }
    assert found["errors", "total"].series == "http_requests_total"
    assert found["latency", "le=0.25"].series == "http_request_duration_seconds_bucket"


def test_policys_own_counters_come_before_the_presets() -> None:
    metric = RatioMetric(
        name="errors", bad=Counter(metric="bad_total"), total=Counter(metric="all")
    )
    found = parts(RolloutPolicySpec(metrics=(metric,)))
    assert [part.series for part in found] == ["bad_total", "all"]


def test_bounds_are_given_in_the_histograms_own_unit() -> None:
    metric = LatencyMetric(
        name="latency",
        histogram=Histogram(metric="took", unit=Unit.MILLISECONDS),
        bounds=(0.25,),
    )
    total, quarter = parts(RolloutPolicySpec(metrics=(metric,)))
    assert (total.bound, quarter.bound) == (float("inf"), 250)


@pytest.mark.parametrize("text", ["0.25", "0.250", "2.5e-1"])
def test_bound_is_found_however_it_is_written(text: str) -> None:
    part = Part("latency", "le=0.25", "took_bucket", bound=0.25)
    assert part.matches({"le": text})


def test_last_bucket_is_no_other_bucket() -> None:
    part = Part("latency", "total", "took_bucket", bound=float("inf"))
    assert part.matches({"le": "+Inf"})
    assert not part.matches({"le": "0.25"})


@pytest.mark.parametrize("text", ["0.5", "", "fast"])
def test_other_bounds_do_not_match(text: str) -> None:
    assert not Part("latency", "le=0.25", "took_bucket", bound=0.25).matches({"le": text})


@pytest.mark.parametrize(
    ("op", "value", "label", "expected"),
    [
        (Operator.EQUAL, "500", "500", True),
        (Operator.EQUAL, "500", "", False),
        (Operator.EQUAL, "", "", True),
        (Operator.NOT_EQUAL, "500", "200", True),
        (Operator.MATCH, "5..", "503", True),
        (Operator.MATCH, "5..", "5030", False),
        (Operator.MATCH, "5|50", "50", True),
        (Operator.NOT_MATCH, "/health|/ready", "/ready", False),
        (Operator.NOT_MATCH, "/health|/ready", "/", True),
    ],
)
def test_matchers_hold_as_in_promql(
    op: Operator, value: str, label: str, *, expected: bool
) -> None:
    assert holds(Matcher(label="x", op=op, value=value), label) is expected


def test_selector_names_series_matchers_track_and_bound() -> None:
    part = Part(
        "latency",
        "le=1",
        "took_bucket",
        (Matcher(label="path", op=Operator.NOT_EQUAL, value="/x"),),
        1,
    )
    text = selector(part, (Matcher(label="namespace", value="shop"),))
    assert text == r'took_bucket{path!="/x",namespace="shop",le=~"1|1\\.0"}'


def test_all_requests_of_a_histogram_are_its_last_bucket() -> None:
    text = selector(Part("latency", "total", "took_bucket", bound=float("inf")), ())
    assert text == r'took_bucket{le=~"\\+Inf"}'


def test_text_in_matchers_cannot_end_the_selector() -> None:
    assert conditions((Matcher(label="a", value='"} or x{b="\n'),)) == r'a="\"} or x{b=\"\n"'


def test_tracks_are_told_apart_by_their_pods() -> None:
    matchers = track_matchers(PRESETS[Preset.HTTP].track_matchers, QUERY, Track.STABLE)
    assert matchers is not None
    assert [matcher.value for matcher in matchers] == ["shop", "web-aaa-(x1|y2)"]


def test_track_without_pods_is_not_asked_for() -> None:
    """An empty regular expression would match every series without a pod label."""
    assert track_matchers(PRESETS[Preset.HTTP].track_matchers, QUERY, Track.CANDIDATE) is None


def test_track_without_a_service_is_not_asked_for() -> None:
    """After the cutover no Service leads to stable."""
    bare = TrackQuery("shop", Side("aaa", ""), Side("bbb", "web"))
    assert track_matchers(PRESETS[Preset.ENVOY].track_matchers, bare, Track.STABLE) is None
    assert track_matchers(PRESETS[Preset.ENVOY].track_matchers, bare, Track.CANDIDATE) is not None


@pytest.mark.parametrize(
    ("cluster", "matched"),
    [
        ("shop/web.v2", True),
        ("shop/web.v2/80/da39a3ee5e", True),
        ("shop_web.v2_80", True),
        ("shop/web.v2:80", True),
        ("shop/web.v2-candidate", False),
        ("shop/web-v2", False),
        ("other/shop/web.v2", False),
    ],
)
def test_envoys_clusters_are_told_apart_by_service(cluster: str, *, matched: bool) -> None:
    found = track_matchers(PRESETS[Preset.ENVOY].track_matchers, QUERY, Track.CANDIDATE)
    assert found is not None
    assert holds(found[0], cluster) is matched


def test_variables_are_plain_in_text_and_quoted_in_regular_expressions() -> None:
    text = "${namespace} ${service} ${track} ${hash} $x {y}"
    assert fill(text, QUERY, Track.STABLE) == "shop web.v2 stable aaa $x {y}"
    assert fill("${service}", QUERY, Track.STABLE, quoted=True) == r"web\.v2"


def test_provider_may_tell_tracks_apart_in_its_own_way() -> None:
    provider = PrometheusProvider(
        address="http://prometheus:9090",
        track_matchers=(Matcher(label="version", op=Operator.MATCH, value="${hash}"),),
    )
    found = track_matchers(provider.track_matchers or (), QUERY, Track.CANDIDATE)
    assert found == (Matcher(label="version", op=Operator.MATCH, value="bbb"),)


@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_regular_expressions_can_stand_in_any_text_of_a_query(quote: str) -> None:
    """PromQL knows no backslash before a dot or a dash."""
    made = TrackQuery(
        "shop", Side("a", "web"), side("web.v2-candidate", "web.v2-b-1", "web.v2-b-2")
    )
    query = f"sum(waiting{{pod=~{quote}${{pods}}{quote},upstream=~{quote}${{canary}}{quote}}})"
    text = fill(query, made, Track.CANDIDATE)
    parsed: Any = promql_parser.parse(text)
    (pods, _) = parsed.expr.matchers.matchers
    assert re.fullmatch(pods.value, "web.v2-b-1")
    assert not re.fullmatch(pods.value, "webxv2-b-1")


@pytest.mark.parametrize("names", [["web-1"], ["web-1", "web-12"], ["a.b", "a-b", "web"]])
def test_pods_regex_matches_the_pods_and_nothing_else(names: list[str]) -> None:
    pattern = pods_regex(side("x", *names))
    for name in names:
        assert re.fullmatch(pattern, name)
        assert not re.fullmatch(pattern, name + "0")
    assert not re.fullmatch(pattern, "a_b")
