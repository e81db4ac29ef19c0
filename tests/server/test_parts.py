"""The small parts of the API: answers kept for a moment, words made safe, the ready rule."""

import pytest
import yaml

from rollout.kube.reviews import Access, Person
from rollout.server.remembered import Remembered
from rollout.server.snippets import rbac
from rollout.server.words import shortened


class Asked:
    """Counts how often it is asked, and has a clock."""

    def __init__(self) -> None:
        self.time = 100.0
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return f"answer {self.times}"


def test_an_answer_is_good_for_its_time_and_no_longer() -> None:
    asked = Asked()
    kept = Remembered[str, str](10, lambda _: 5.0, lambda: asked.time)
    assert kept.get("a", asked) == "answer 1"
    asked.time += 4.9
    assert kept.get("a", asked) == "answer 1"
    asked.time += 0.2
    assert kept.get("a", asked) == "answer 2"


def test_how_long_an_answer_is_good_depends_on_it() -> None:
    asked = Asked()
    kept = Remembered[str, bool](10, lambda yes: 5.0 if yes else 1.0, lambda: asked.time)
    assert not kept.get("a", lambda: False)
    asked.time += 1.1
    assert kept.get("a", lambda: True)
    asked.time += 1.1
    assert kept.get("a", lambda: False)


def test_no_more_answers_are_kept_than_was_said_and_the_used_stay() -> None:
    asked = Asked()
    kept = Remembered[str, str](3, lambda _: 5.0, lambda: asked.time)
    for key in "abcd":
        kept.get("a", asked)
        kept.get(key, asked)
    assert len(kept) == 3
    before = asked.times
    kept.get("a", asked)
    assert asked.times == before
    kept.get("b", asked)
    assert asked.times == before + 1


def test_an_error_is_not_kept() -> None:
    kept = Remembered[str, str](3, lambda _: 5.0)

    def fail() -> str:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        kept.get("a", fail)
    assert kept.get("a", lambda: "here") == "here"


@pytest.mark.parametrize(
    ("value", "said"),
    [("short", "short"), (7, "7"), ("x" * 200, "x" * 99 + "…"), ("a\ud800b", "a?b")],
)
def test_what_came_in_is_said_back_short_and_sendable(value: object, said: str) -> None:
    assert shortened(value) == said


def test_the_rule_for_a_service_account_names_it() -> None:
    person = Person("system:serviceaccount:ops:on-call")
    role, binding = yaml.safe_load_all(rbac(person, Access("rollback", "shop")))
    assert role["metadata"] == {"name": "rollout-releases-rollback", "namespace": "shop"}
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "namespace": "ops", "name": "on-call"}
    ]


def test_the_rule_for_all_namespaces_is_one_of_the_cluster() -> None:
    role, binding = yaml.safe_load_all(rbac(Person("bob"), Access("list", "")))
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert "namespace" not in role["metadata"]


def test_bindings_of_two_people_never_have_one_name() -> None:
    names = {
        list(yaml.safe_load_all(rbac(Person(name), Access("list", "shop"))))[1]["metadata"]["name"]
        for name in ("bob@example.com", "bob-example.com", "BOB@example.com", "bob: {x}", "日本")
    }
    assert len(names) == 5
    assert all(len(name) <= 253 and name == name.lower() for name in names)
