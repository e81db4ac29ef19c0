"""Metrics measure the candidate, are taken once, and are asked of the Prometheus that is named."""

from itertools import permutations
from typing import Any, Final

import pytest
import yaml

from rollout.convert.conversion import Conversion, convert
from rollout.convert.documents import documents
from rollout.convert.ledger import Fate

GUESSED: Final = "http://prometheus.monitoring:9090"
WRITTEN: Final = "https://metrics.example"
OTHER: Final = "https://other.example"


def converted(*bodies: dict[str, Any]) -> Conversion:
    return convert(documents(yaml.safe_dump_all(bodies), "it.yaml"))


def spec(found: Conversion, kind: str) -> Any:
    (body,) = [one for one in found.objects if one["kind"] == kind]
    return body["spec"]


def fates(found: Conversion, field: str) -> list[tuple[Fate, str]]:
    return [(one.fate, one.what) for one in found.findings if one.field == field]


def canary(*metrics: dict[str, Any], analysis: Any = None, **given: Any) -> dict[str, Any]:
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 80},
            "analysis": {"interval": "1m", "metrics": list(metrics), **(analysis or {})},
            **given,
        },
    }


def template(name: str, address: str = "", query: str = "up", **provider: Any) -> dict[str, Any]:
    asked = {"type": "prometheus", **({"address": address} if address else {}), **provider}
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "MetricTemplate",
        "metadata": {"name": name, "namespace": "test"},
        "spec": {"provider": asked, "query": query},
    }


def templated(name: str) -> dict[str, Any]:
    return {"name": name, "templateRef": {"name": name}, "thresholdRange": {"max": 3}}


SUCCESS: Final = {"name": "request-success-rate", "thresholdRange": {"min": 99}}


def test_a_query_with_the_name_of_flaggers_canary_measures_the_candidate() -> None:
    query = '100 - sum(rate(response_total{deployment="podinfo",status_code!="404"}[1m]))'
    found = converted(canary({"name": "404s", "threshold": 3, "query": query}))
    (metric,) = spec(found, "RolloutPolicy")["metrics"]
    assert metric["query"] == query.replace('"podinfo"', '"podinfo-candidate"')
    assert fates(found, "spec.analysis.metrics[0].query") == [
        (Fate.CONVERTED, "a metric of kind Value")
    ]


def test_a_share_that_names_the_candidates_deployment_stays_a_number() -> None:
    pods = 'deployment="podinfo",pod=~"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'
    bad = f'sum(rate(requests_total{{{pods},code=~"5.."}}[1m]))'
    query = f"{bad} / sum(rate(requests_total{{{pods}}}[1m]))"
    found = converted(canary({"name": "errors", "threshold": 0.01, "query": query}))
    (metric,) = spec(found, "RolloutPolicy")["metrics"]
    assert metric["kind"] == "Value"
    both = query.replace('deployment="podinfo",', "")
    found = converted(canary({"name": "errors", "threshold": 0.01, "query": both}))
    (metric,) = spec(found, "RolloutPolicy")["metrics"]
    assert metric["kind"] == "Ratio"


def test_a_query_that_may_measure_stable_is_assumed_with_what_to_check() -> None:
    query = 'sum(rate(errors_total{app="{{ target }}"}[{{ interval }}]))'
    found = converted(canary(templated("errors")), template("errors", WRITTEN, query))
    (metric,) = spec(found, "RolloutPolicy")["metrics"]
    assert metric["query"] == 'sum(rate(errors_total{app="podinfo"}[1m]))'
    ((fate, what),) = fates(found, "spec.query")
    assert fate is Fate.ASSUMED
    assert 'check app="podinfo": here stable has that name too' in what
    assert '# Check app="podinfo": here stable has that name too' in found.text


def test_a_variable_of_a_query_may_be_called_as_flaggers_own() -> None:
    query = 'max(depth{queue="{{ variables.target }}",deployment="{{ target }}"})'
    metric = {**templated("depth"), "templateVariables": {"target": "mail", "unused": "x"}}
    found = converted(canary(metric), template("depth", WRITTEN, query))
    (made,) = spec(found, "RolloutPolicy")["metrics"]
    assert made["query"] == 'max(depth{queue="mail",deployment="podinfo-candidate"})'
    unused = "spec.analysis.metrics[0].templateVariables.unused"
    assert fates(found, unused) == [(Fate.NOT_NEEDED, "the query does not use it")]


def test_why_a_query_is_left_out_stands_at_the_template_too() -> None:
    found = converted(canary(templated("bad")), template("bad", WRITTEN, "up{{ route }}"))
    ((fate, what),) = fates(found, "spec.query")
    assert fate is Fate.NO_EQUAL
    assert what == "the query uses route, which has no value: write it in"


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_a_written_address_replaces_a_guessed_one_in_any_order(order: tuple[int, ...]) -> None:
    every = [SUCCESS, templated("mine"), templated("unaddressed")]
    others = [template("mine", WRITTEN, insecureSkipVerify=True), template("unaddressed")]
    found = converted(canary(*(every[index] for index in order), provider="nginx"), *others)
    policy = spec(found, "RolloutPolicy")
    assert policy["provider"] == {
        "kind": "Prometheus",
        "address": WRITTEN,
        "tls": {"insecureSkipVerify": True},
    }
    assert policy["preset"] == "ingress-nginx"
    assert {one["name"] for one in policy["metrics"]} == {"errors", "mine", "unaddressed"}
    assert "Flagger's own setting (-metrics-server)" not in found.text


def test_an_address_that_stays_guessed_is_told() -> None:
    found = converted(canary(SUCCESS, templated("one"), provider="nginx"), template("one"))
    assert spec(found, "RolloutPolicy")["provider"]["address"] == GUESSED
    assert "Flagger's own setting (-metrics-server)" in found.text


def test_of_two_written_addresses_the_first_stays() -> None:
    both = canary(SUCCESS, templated("mine"), provider="nginx", metricsServer=OTHER)
    found = converted(both, template("mine", WRITTEN))
    assert spec(found, "RolloutPolicy")["provider"]["address"] == OTHER
    ((fate, what),) = fates(found, "spec.analysis.metrics[1]")
    assert fate is Fate.NO_EQUAL
    assert WRITTEN in what


def test_a_guessed_address_with_a_setting_of_its_own_is_no_other_prometheus() -> None:
    tenant = template("tenant", headers={"X-Scope-OrgID": ["shop"]})
    found = converted(
        canary(templated("tenant"), templated("plain")), tenant, template("plain", OTHER)
    )
    assert spec(found, "RolloutPolicy")["provider"]["headers"] == {"X-Scope-OrgID": "shop"}
    ((fate, _),) = fates(found, "spec.analysis.metrics[1]")
    assert fate is Fate.NO_EQUAL


@pytest.mark.parametrize(
    ("name", "key", "other", "value", "fate"),
    [
        ("request-success-rate", "min", "max", 100, Fate.NOT_NEEDED),
        ("request-success-rate", "min", "max", 99.9, Fate.NO_EQUAL),
        ("request-duration", "max", "min", 0, Fate.NOT_NEEDED),
        ("request-duration", "max", "min", 5, Fate.NO_EQUAL),
    ],
)
def test_the_other_side_of_a_range_has_no_equal_if_it_limits_anything(
    name: str, key: str, other: str, value: float, fate: Fate
) -> None:
    found = converted(canary({"name": name, "thresholdRange": {key: 99, other: value}}))
    field = "spec.analysis.metrics[0].thresholdRange"
    assert [fate for fate, _ in fates(found, f"{field}.{key}")] == [Fate.ASSUMED]
    assert [told for told, _ in fates(found, f"{field}.{other}")] == [fate]


INSIDERS: Final = [{"headers": {"x-canary": {"exact": "insider"}}}]


@pytest.mark.parametrize("provider", ["istio", "nginx", None])
def test_an_ab_test_is_never_a_cutover_for_everybody(provider: str | None) -> None:
    given = {"provider": provider} if provider else {}
    found = converted(canary(analysis={"iterations": 10, "match": INSIDERS}, **given))
    assert spec(found, "Rollout")["strategy"] == {"canary": {}}
    for field in ("spec.analysis.iterations", "spec.analysis.match"):
        assert [fate for fate, _ in fates(found, field)] == [Fate.NO_EQUAL]
    assert "the default canary is written" in fates(found, "spec.analysis.iterations")[0][1]


def test_flagger_itself_forgets_the_match_where_nothing_routes() -> None:
    analysis = {"iterations": 10, "match": INSIDERS}
    found = converted(canary(analysis=analysis, provider="kubernetes"))
    assert spec(found, "Rollout")["strategy"] == {"blueGreen": {"bake": "10m"}}
    ((fate, _),) = fates(found, "spec.analysis.match")
    assert fate is Fate.NOT_NEEDED


def test_a_gate_of_an_ab_test_is_the_approval_of_the_last_step() -> None:
    gate = {"name": "gate", "type": "confirm-promotion", "url": "http://gate.test/"}
    analysis = {"iterations": 10, "match": INSIDERS, "webhooks": [gate]}
    steps = spec(converted(canary(analysis=analysis)), "Rollout")["strategy"]["canary"]["steps"]
    assert [step["weight"] for step in steps] == [5, 20, 50]
    assert ["approval" in step for step in steps] == [False, False, True]


def test_a_blue_green_of_a_mesh_promises_no_share() -> None:
    found = converted(canary(analysis={"iterations": 10}, provider="istio"))
    assert "the Service leads all requests to the candidate" in found.text
    assert "the share is made by" not in found.text


def test_iterations_of_zero_need_nothing() -> None:
    found = converted(canary(analysis={"iterations": 0, "stepWeight": 20}, provider="nginx"))
    assert [fate for fate, _ in fates(found, "spec.analysis.iterations")] == [Fate.NOT_NEEDED]
    assert "canary" in spec(found, "Rollout")["strategy"]


def argo(canary: dict[str, Any]) -> dict[str, Any]:
    pods = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "template": pods, "strategy": {"canary": canary}},
    }


def measured(query: str, **more: Any) -> dict[str, Any]:
    metric = {
        "name": "success-rate",
        "successCondition": "result[0] >= 0.95",
        "provider": {"prometheus": {"address": WRITTEN, "query": query}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "rate"},
        "spec": {"metrics": [metric], **more},
    }


LATEST: Final = {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}
GIVEN: Final = {"name": "unused", "value": "5"}


def test_pods_of_the_latest_hash_are_those_of_the_candidate_on_both_sides() -> None:
    pods = 'pod=~"web-{{args.hash}}-.*"'
    good = f'sum(rate(requests_total{{{pods},code!~"5.."}}[1m]))'
    query = f"{good} / sum(rate(requests_total{{{pods}}}[1m]))"
    run = {"templates": [{"templateName": "rate"}], "args": [LATEST]}
    found = converted(argo({"analysis": run}), measured(query, args=[{"name": "hash"}]))
    policy = spec(found, "RolloutPolicy")
    assert policy["metrics"][0]["kind"] == "Ratio"
    assert policy["provider"]["trackMatchers"] == [{"label": "pod", "op": "=~", "value": "${pods}"}]


def test_replicasets_of_the_latest_hash_stay_a_number_of_the_candidate_alone() -> None:
    query = 'sum(kube_replicaset_status_ready_replicas{replicaset="web-{{args.hash}}"})'
    run = {"templates": [{"templateName": "rate"}], "args": [LATEST]}
    found = converted(argo({"analysis": run}), measured(query, args=[{"name": "hash"}]))
    (metric,) = spec(found, "RolloutPolicy")["metrics"]
    assert metric["kind"] == "Value"
    assert '{replicaset=~"(web|web-candidate)-${hash}"}' in metric["query"]


def test_a_service_that_is_scraped_is_assumed_with_what_to_check() -> None:
    run = {"templates": [{"templateName": "rate"}]}
    rollout = argo({"canaryService": "web-canary", "analysis": run})
    found = converted(rollout, measured('sum(up{job="web-canary"})'))
    ((fate, what),) = fates(found, "spec.metrics[0].provider.prometheus.query")
    assert fate is Fate.ASSUMED
    assert 'check job="${service}": the candidate\'s Service has labels of its own' in what
    assert '# Check job="${service}": the candidate\'s Service has labels of its own' in found.text


@pytest.mark.parametrize("more", [[], [GIVEN], [{**GIVEN, "value": "6"}]])
def test_a_metric_of_two_analyses_is_taken_once(more: list[dict[str, str]]) -> None:
    run = {"templates": [{"templateName": "rate"}]}
    step = {"analysis": {**run, "args": more}}
    found = converted(argo({"analysis": run, "steps": [{"setWeight": 20}, step]}), measured("up"))
    assert [one["name"] for one in spec(found, "RolloutPolicy")["metrics"]] == ["success-rate"]


def test_a_metric_with_another_argument_is_another_metric() -> None:
    run = {"templates": [{"templateName": "rate"}], "args": [{"name": "queue", "value": "mail"}]}
    other = {**run, "args": [{"name": "queue", "value": "web"}]}
    steps = [{"setWeight": 20}, {"analysis": other}]
    query = measured('max(depth{queue="{{args.queue}}"})', args=[{"name": "queue"}])
    found = converted(argo({"analysis": run, "steps": steps}), query)
    names = [one["name"] for one in spec(found, "RolloutPolicy")["metrics"]]
    assert names == ["success-rate", "success-rate-2"]


def test_a_template_that_is_missing_is_told_before_the_first_weight_too() -> None:
    run = {"templates": [{"templateName": "absent"}]}
    found = converted(argo({"steps": [{"analysis": run}, {"setWeight": 20}]}))
    field = "spec.strategy.canary.steps[0].analysis.templates[0].templateName"
    assert [fate for fate, _ in fates(found, field)] == [Fate.NO_EQUAL]


@pytest.mark.parametrize("pause", [{}, {"duration": 0}, {"duration": "30s"}])
@pytest.mark.parametrize("before", [[{"setWeight": 20}], [{"setWeight": 20}, {"setWeight": 100}]])
def test_a_field_beside_the_duration_of_a_pause_has_no_equal(
    pause: dict[str, Any], before: list[dict[str, int]]
) -> None:
    later = {"pause": {**pause, "notBefore": "2030-01-01T00:00:00Z"}}
    found = converted(argo({"steps": [*before, later]}))
    field = f"spec.strategy.canary.steps[{len(before)}].pause.notBefore"
    assert [fate for fate, _ in fates(found, field)] == [Fate.NO_EQUAL]
