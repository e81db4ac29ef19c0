"""One query for many releases: what it asks, and that each series finds its owner."""

import time
from typing import Any

import pytest

from rollout.analysis.counts import CounterId
from rollout.analysis.signals import Track
from rollout.metrics.batch import MARK, Batch, joined
from rollout.metrics.provider import Ask, PodAddress, Side, TrackQuery
from rollout.resources.metric import Counter, Matcher, RatioMetric
from rollout.resources.policy import Preset, RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider

PROVIDER = PrometheusProvider(address="http://prometheus:9090")


def policy(preset: str = "http") -> RolloutPolicySpec:
    metrics = (RatioMetric(name="errors"),)
    return RolloutPolicySpec(preset=Preset(preset), provider=PROVIDER, metrics=metrics)


def query(name: str, namespace: str = "shop", pods: int = 1) -> TrackQuery:
    def own(track: str) -> tuple[PodAddress, ...]:
        return tuple(PodAddress(f"{name}-{track}-{n}", "10.0.0.1", 80) for n in range(pods))

    return TrackQuery(
        namespace,
        Side("s", name, own("s")),
        Side("c", f"{name}-candidate", own("c"), route=name),
    )


def matcher(label: str, op: str, value: str) -> Matcher:
    return Matcher.model_validate({"label": label, "op": op, "value": value})


def totals(batch: Batch, *series: tuple[dict[str, str], float]) -> list[dict[str, float]]:
    """Give each release's totals by track for series of every counter."""
    marks = range(batch.query.count("label_replace"))
    marked = [({**labels, MARK: str(mark)}, value) for mark in marks for labels, value in series]
    return [
        {
            track.value: sum(found.get(CounterId(track, "errors", "total"), {}).values())
            for track in Track
        }
        for found in (gathering.counters for gathering, _ in batch.gathered(marked))
    ]


def test_matchers_of_many_tracks_become_one_selector() -> None:
    together = joined(
        [
            (matcher("a", "=", "x"), matcher("b", "=", "1.5"), matcher("c", "=~", "p|q")),
            (matcher("a", "=", "x"), matcher("b", "=", "2"), matcher("c", "=~", "r")),
        ]
    )
    assert together == (
        matcher("a", "=", "x"),
        matcher("b", "=~", r"1\.5|2"),
        matcher("c", "=~", "(?:p|q)|(?:r)"),
    )


def test_conditions_that_exclude_are_left_to_us_when_tracks_differ() -> None:
    same, other = matcher("a", "!=", "x"), matcher("a", "!=", "y")
    assert joined([(same,), (same,)]) == (same,)
    assert joined([(same,), (other,)]) == ()


def test_a_series_of_another_namespace_is_nobodys() -> None:
    """The selector names each namespace and each pod, so it finds any pair of them."""
    batch = Batch([Ask(policy(), query("web")), Ask(policy(), query("api", "other"))], None)
    assert 'namespace=~"shop|other"' in batch.query
    found = totals(
        batch,
        ({"namespace": "shop", "pod": "web-s-0"}, 3),
        ({"namespace": "other", "pod": "web-s-0"}, 50),
        ({"namespace": "other", "pod": "api-c-0"}, 4),
        ({"namespace": "shop", "pod": "web-s-00"}, 70),
    )
    assert found == [{"stable": 3, "candidate": 0}, {"stable": 0, "candidate": 4}]


@pytest.mark.parametrize(
    ("preset", "stable", "candidate", "neighbour"),
    [
        (
            "envoy",
            {"envoy_cluster_name": "shop/web/80"},
            {"envoy_cluster_name": "shop_web-candidate_80"},
            {"envoy_cluster_name": "shop/webshop"},
        ),
        (
            "ingress-nginx",
            {"namespace": "shop", "service": "web", "canary": ""},
            {"namespace": "shop", "service": "web", "canary": "shop-web-candidate-http-alt"},
            {"namespace": "shop", "service": "web", "canary": "shop-api-candidate-80"},
        ),
        (
            "ingress-nginx",
            {"namespace": "shop", "service": "web"},
            {"namespace": "shop", "service": "web", "canary": "shop-web-candidate-80"},
            {"namespace": "shop", "service": "api-candidate", "canary": ""},
        ),
    ],
)
def test_each_preset_finds_the_owner_among_many(
    preset: str, stable: dict[str, str], candidate: dict[str, str], neighbour: dict[str, str]
) -> None:
    asks = [Ask(policy(preset), query(name)) for name in ("api", "web", "webs")]
    found = totals(Batch(asks, None), (stable, 5), (candidate, 2), (neighbour, 90))
    assert found[1] == {"stable": 5, "candidate": 2}
    assert sum(sum(one.values()) for one in found) <= 7, "the neighbour is nobody's"


def test_after_the_cutover_the_users_service_counts_for_the_candidate() -> None:
    query_ = TrackQuery("shop", Side("s", ""), Side("c", "web", route="web"))
    found = totals(
        Batch([Ask(policy("ingress-nginx"), query_)], None),
        ({"namespace": "shop", "service": "web", "canary": ""}, 8),
        ({"namespace": "shop", "service": "web", "canary": "shop-web-candidate-80"}, 3),
    )
    assert found == [{"stable": 0, "candidate": 8}]


def test_one_counter_under_two_names_is_asked_once() -> None:
    counter = Counter(metric="http_requests_total")
    twice: Any = tuple(
        RatioMetric(name=name, bad=counter, total=counter) for name in ("errors", "other")
    )
    spec = RolloutPolicySpec(provider=PROVIDER, metrics=twice)
    batch = Batch([Ask(spec, query("web"))], None)
    assert batch.query.count("http_requests_total") == 1
    series = {"namespace": "shop", "pod": "web-s-0", MARK: "1"}
    ((gathering, found),) = batch.gathered([(series, 6.0)])
    assert found
    assert {(c.metric, c.part) for c in gathering.counters} == {
        (name, part) for name in ("errors", "other") for part in ("bad", "total")
    }


def test_a_mark_that_we_did_not_set_means_nothing() -> None:
    batch = Batch([Ask(policy(), query("web"))], None)
    labels = {"namespace": "shop", "pod": "web-s-0"}
    for mark in ("", "99", "-1", "x"):
        ((gathering, found),) = batch.gathered([({**labels, MARK: mark}, 1.0)])
        assert (gathering.counters, found) == ({}, False)


@pytest.mark.parametrize("preset", ["http", "envoy"])
def test_two_hundred_releases_cost_little(preset: str) -> None:
    """The cost grows with the series, not with series times releases."""
    asks = [Ask(policy(preset), query(f"web{n}", pods=5)) for n in range(200)]
    batch = Batch(asks, None)
    names = [(f"web{n}", track, pod) for n in range(200) for track in "sc" for pod in range(5)]
    series = [
        (
            {
                "namespace": "shop",
                "pod": f"{name}-{track}-{pod}",
                "envoy_cluster_name": f"shop/{name}{'-candidate' if track == 'c' else ''}/{pod}",
            },
            1.0,
        )
        for name, track, pod in names
    ]
    began = time.process_time()
    found = totals(batch, *series)
    assert time.process_time() - began < 3
    assert found == [{"stable": 5, "candidate": 5}] * 200
