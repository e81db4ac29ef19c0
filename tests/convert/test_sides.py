"""Queries that named the canary ask for the candidate, and those that named the primary for stable.

The conditions are those of the guides and examples of both projects.
"""

import pytest
from promql_parser import parse

from rollout.convert.flagger_sides import told
from rollout.convert.recognise import parsed
from rollout.convert.sides import of_argo

STABLE = "here stable has that name too, so a bad candidate may pass"
UNSCRAPED = "the candidate's Service has labels of its own, so that no ServiceMonitor scrapes it"
NOBODY = "nothing has that name here, so it may find nothing"
SHARED = "it was the primary alone, and finds the candidate too"
PODS = "podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"


def flagger(conditions: str, metric: str = "requests_total") -> tuple[str, tuple[str, ...]]:
    found = told(f"sum(rate({metric}{{{conditions}}}[1m]))", "podinfo", "api")
    parsed(found.query)
    head, tail = f"sum(rate({metric}{{", "}[1m]))"
    assert found.query.startswith(head)
    assert found.query.endswith(tail)
    return found.query.removeprefix(head).removesuffix(tail), found.notes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('destination_workload="podinfo"', 'destination_workload="podinfo-candidate"'),
        ('destination_workload=~"podinfo"', 'destination_workload=~"podinfo-candidate"'),
        ('deployment="podinfo",direction="in"', 'deployment="podinfo-candidate",direction="in"'),
        ('deployment = "podinfo"', 'deployment="podinfo-candidate"'),
        ("deployment=`podinfo`", "deployment=`podinfo-candidate`"),
        ('replicaset=~"podinfo-.*"', 'replicaset=~"podinfo-candidate-.*"'),
        ('deployment=~"podinfo|podinfo-primary"', 'deployment=~"podinfo-candidate|podinfo"'),
        (f'kubernetes_pod_name=~"{PODS}"', 'kubernetes_pod_name=~"${pods}"'),
        ('pod=~"podinfo-[a-z0-9]{8,10}-[a-z0-9]{5}"', 'pod=~"${pods}"'),
        ('pod=~"podinfo-.*", pod!~"podinfo-primary-.*"', 'pod=~"${pods}", pod=~"${pods}"'),
        ('host="podinfo-canary.test.svc"', 'host="${service}.test.svc"'),
        ('service="${namespace}-api-canary-80@k"', 'service="${namespace}-${service}-80@k"'),
        ('envoy_cluster_name=~"api-canary_test_svc"', 'envoy_cluster_name=~"${service}_test_svc"'),
        ('app="podinfo",canary!=""', 'app="podinfo",canary!=""'),
        ('app="podinfo",deployment="podinfo"', 'app="podinfo",deployment="podinfo-candidate"'),
    ],
)
def test_what_named_the_canary_of_flagger_names_the_candidate(before: str, after: str) -> None:
    assert flagger(before, "istio_requests_total") == (after, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('deployment="podinfo-primary"', 'deployment="podinfo"'),
        ('host="api-primary"', 'host="api"'),
        (f'pod=~"{PODS.replace("podinfo", "podinfo-primary")}"', f'pod=~"{PODS}"'),
        ('pod=~"podinfo-primary-.*"', 'pod=~"podinfo-.*", pod!~"${pods}"'),
    ],
)
def test_what_named_the_primary_of_flagger_names_stable(before: str, after: str) -> None:
    assert flagger(before.replace("host", "destination_service")) == (
        after.replace("host", "destination_service"),
        (),
    )


@pytest.mark.parametrize(
    "unchanged",
    [
        'deployment="podinfo-frontend"',
        'deployment="other-podinfo"',
        'namespace="podinfo",deployment="other"',
        'ingress="podinfo"',
        'container="podinfo"',
        'path="/podinfo"',
        'queue="mail"',
    ],
)
def test_what_named_something_else_stays_and_needs_no_look(unchanged: str) -> None:
    assert flagger(unchanged) == (unchanged, ())


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ('app="podinfo"', 'app="podinfo"', STABLE),
        ('destination_service="api.test"', 'destination_service="api.test"', STABLE),
        ('pod="podinfo"', 'pod="podinfo"', STABLE),
        ('cluster=~"test-podinfo-canary-80"', 'cluster=~"test-podinfo-canary-80"', NOBODY),
        ('cluster="${namespace}-podinfo"', 'cluster="${namespace}-podinfo"', STABLE),
        ('cluster="x_podinfo-canaryupstream-80"', 'cluster="x_podinfo-canaryupstream-80"', NOBODY),
        ('route=~"test_api-api-canary_.+"', 'route=~"test_api-api-canary_.+"', NOBODY),
        ('app="podinfo-primary"', 'app="podinfo"', SHARED),
        ('job="podinfo-canary"', 'job="${service}"', UNSCRAPED),
        ('service="api-canary"', 'service="${service}"', UNSCRAPED),
    ],
)
def test_what_cannot_be_told_apart_is_to_be_looked_at(before: str, after: str, why: str) -> None:
    found, notes = flagger(before)
    assert found == after
    (note,) = notes
    assert note.startswith(f"check {after}: ")
    assert why in note


def test_each_selector_of_a_query_must_tell_the_candidate() -> None:
    query = 'sum(a{deployment="podinfo",app="podinfo"}) / sum(b{app="podinfo"} + b{app="podinfo"})'
    found = told(query, "podinfo", "podinfo")
    assert 'a{deployment="podinfo-candidate",app="podinfo"}' in found.query
    assert len(found.notes) == 1


def argo(conditions: str, metric: str = "requests_total") -> tuple[str, tuple[str, ...]]:
    found = of_argo(f"{metric}{{{conditions}}}", "guestbook", "web", "guestbook-canary")
    parse(found.query)
    return found.query.removeprefix(f"{metric}{{").removesuffix("}"), found.notes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('pod=~"guestbook-${hash}-.*"', 'pod=~"${pods}"'),
        ('kubernetes_pod_name=~".*-${hash}-.+"', 'kubernetes_pod_name=~"${pods}"'),
        ('pod!~"guestbook-${hash}-.*"', 'pod!~"${pods}"'),
        ('pod_template_hash="${hash}"', 'pod_template_hash="${hash}"'),
        ('replicaset="guestbook-${hash}"', 'replicaset=~"(web|web-candidate)-${hash}"'),
        ('version="${hash}"', 'version="${hash}"'),
        ('pod=~"guestbook-.*"', 'pod=~"guestbook-.*"'),
        ('destination_service="guestbook-canary.shop"', 'destination_service="${service}.shop"'),
    ],
)
def test_pods_of_a_hash_are_the_pods_of_the_candidate(before: str, after: str) -> None:
    assert argo(before) == (after, ())


@pytest.mark.parametrize(
    ("label", "metric", "doubtful"),
    [
        ("service", "http_requests_total", True),
        ("job", "envoy_cluster_upstream_rq", True),
        ("service", "nginx_ingress_controller_requests", False),
        ("destination_service", "http_requests_total", False),
    ],
)
def test_a_service_that_a_servicemonitor_puts_there_is_to_be_looked_at(
    label: str, metric: str, *, doubtful: bool
) -> None:
    found, notes = argo(f'{label}="guestbook-canary"', metric)
    assert found == f'{label}="${{service}}"'
    assert [UNSCRAPED in note for note in notes] == [True] * doubtful
