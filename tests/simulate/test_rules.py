"""Rules in CEL, on the practice cluster: ours as the real API server holds them, and others'."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.kube.errors import Invalid
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.rules import Rules
from tests.defined import define
from tests.resources.bad import BAD as PLAIN
from tests.resources.bad import Bad
from tests.resources.bad_provider import OF_A_PROVIDER

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def cluster() -> SimulatedCluster:
    cluster = SimulatedCluster(lambda: NOW)
    define(cluster)
    return cluster


@pytest.fixture
def space(cluster: SimulatedCluster) -> str:
    body = {"metadata": {"generateName": "shop-"}}
    name: str = cluster.apply(Create(Kind.NAMESPACE, "", body))["metadata"]["name"]
    return name


@pytest.mark.parametrize("case", [*PLAIN, *OF_A_PROVIDER], ids=lambda case: case.said)
def test_what_the_real_server_refuses_is_refused_with_the_same_words(
    cluster: SimulatedCluster, space: str, case: Bad
) -> None:
    kind = next(kind for kind in Kind if kind.value.kind == case.body["kind"])
    write: Create | Patch = Create(kind, space, case.body)
    if case.change:
        cluster.apply(write)
        write = Patch(kind, space, case.body["metadata"]["name"], PatchType.MERGE, case.change)
    with pytest.raises(Invalid) as refused:
        cluster.apply(write)
    assert [(one.field, one.message) for one in refused.value.causes] == [
        (case.at, f"Invalid value: {case.said}")
    ]


def ruled(rule: str, **schema: Any) -> Object:
    """A schema with one rule; the message says its name."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": "broken"}], **schema}


def faults(schema: Object, new: Any, old: Any = None) -> list[str]:
    return [str(error) for error in Rules(schema).broken(new, old)]


SMALL = {"properties": {"size": ruled("self < 10")}}


def test_a_value_that_is_older_than_a_rule_may_stay() -> None:
    assert faults(SMALL, {"size": 11}) == ["size: Invalid value: broken"]
    assert faults(SMALL, {"size": 11, "color": "red"}, {"size": 11}) == []
    assert faults(SMALL, {"size": 12}, {"size": 11}) == ["size: Invalid value: broken"]


def test_a_rule_about_change_is_not_asked_of_what_is_new() -> None:
    schema = {"properties": {"size": ruled("self >= oldSelf")}}
    assert faults(schema, {"size": 1}) == []
    assert faults(schema, {"size": 1}, {}) == []
    assert faults(schema, {"size": 1}, {"size": 2}) == ["size: Invalid value: broken"]


def test_items_are_told_by_their_keys_or_not_at_all() -> None:
    grows: dict[str, Any] = {"items": ruled("self.size >= oldSelf.size")}
    keyed = {**grows, "x-kubernetes-list-map-keys": ["name"]}
    old = [{"name": "a", "size": 2}, {"name": "b", "size": 1}]
    new = [{"name": "b", "size": 1}, {"name": "a", "size": 1}]
    assert faults(grows, new, old) == []
    assert faults(keyed, new, old) == ["[1]: Invalid value: broken"]


def test_an_item_of_a_list_that_did_not_change_may_stay() -> None:
    schema = {"properties": {"sizes": {"items": ruled("self < 10")}}}
    assert faults(schema, {"sizes": [11], "color": "red"}, {"sizes": [11]}) == []
    assert faults(schema, {"sizes": [11, 1]}, {"sizes": [11]}) == [
        "sizes[0]: Invalid value: broken"
    ]


def test_values_of_a_map_are_asked() -> None:
    schema = {"additionalProperties": ruled("self != ''")}
    assert faults(schema, {"a": "", "b": "x"}) == ["a: Invalid value: broken"]


def test_a_rule_that_cannot_be_evaluated_refuses() -> None:
    (said,) = faults(ruled("self.size.limit == 1"), {"size": {}})
    assert said == "<nil>: Invalid value: 'limit' evaluating rule: broken"


@pytest.mark.parametrize("rule", ["quantity(self).isInteger()", "self.?size.orValue(1) == 1"])
def test_a_rule_with_a_function_of_kubernetes_that_is_not_here_counts_as_kept(rule: str) -> None:
    assert faults(ruled(rule), {"size": "1Gi"}) == []


def test_the_status_is_held_to_its_rules(cluster: SimulatedCluster, space: str) -> None:
    body = next(case.body for case in PLAIN if case.body["kind"] == "Release" and case.change)
    cluster.apply(Create(Kind.RELEASE, space, body))
    traffic = {"shareBy": "Replicas", "ingresses": ["web"], "services": ["web"]}
    change = {"status": {"resolved": {"traffic": traffic}}}
    name = body["metadata"]["name"]
    with pytest.raises(Invalid, match=r"status.*resolved"):
        cluster.apply(Patch(Kind.RELEASE, space, name, PatchType.MERGE, change, "status"))
